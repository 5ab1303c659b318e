/** The texts of settings, from flags and variables, read one by one. */

import type { Arguments } from './arguments.ts'
import { type SettingName, type SettingValues, settingEntries, settingLabel, settings } from './settings.ts'

/** Environment variables. */
export type Variables = Readonly<Record<string, string | undefined>>

/** The settings as read; one that could not be read is absent. */
export type Values = { readonly [K in SettingName]?: SettingValues[K] | undefined } & {
  /** Settings that were given and could not be read, or that a slip was meant for: they are not missing. */
  readonly broken: ReadonlySet<SettingName>
  /** Where a value came from. */
  readonly from: ReadonlyMap<SettingName, 'flag' | 'variable'>
  /** The texts that were given, as they were. */
  readonly texts: ReadonlyMap<SettingName, string>
}

/** Collects sentences for a person, each about one mistake. */
export interface Complaints {
  readonly problems: string[]
  readonly warnings: string[]
}

/**
 * Reads every setting that is given. Flags win over variables; an empty variable is an unset one. What is not given
 * means its default, which is not read anew in every run: a test holds that it would mean the same.
 */
export function readValues(
  { given, problems: slips, slips: meant }: Arguments,
  env: Variables,
  { problems, warnings }: Complaints,
): Values {
  problems.push(...slips)
  const broken = new Set<SettingName>(meant)
  const from = new Map<SettingName, 'flag' | 'variable'>()
  const texts = new Map<SettingName, string>()
  const read: Partial<Record<SettingName, unknown>> = {}
  for (const [name, setting] of settingEntries) {
    const flags = given.get(name)
    const variable = setting.variables.map((v) => env[v]).find((v) => v !== undefined && v.trim() !== '')
    const raw = flags?.join(name === 'headers' ? '\n' : ',') ?? variable
    if (raw === undefined) continue
    from.set(name, flags === undefined ? 'variable' : 'flag')
    texts.set(name, raw)
    const parsed = setting.schema().safeParse(raw)
    if (parsed.success) {
      read[name] = parsed.data
      const misread = misreading(name, raw.trim())
      if (misread !== undefined) warnings.push(misread)
    } else {
      broken.add(name)
      const complaint = parsed.error.issues[0]?.message ?? 'cannot be read'
      problems.push(`${settingLabel(name)}: ${shownBefore(name, raw)}${complaint}`)
    }
  }
  return { ...read, broken, from, texts } as Values
}

/** The value in front of what is wrong with it. Addresses hold what is nobody's business, so their sentences do it. */
function shownBefore(name: SettingName, raw: string): string {
  const isSecret = 'secret' in settings[name] || (name === 'applications' && raw.includes('://'))
  return isSecret ? '' : `${shown(raw)} `
}

/** Values that the tool before took for something else without a word; here they mean the same, with one. */
function misreading(name: SettingName, raw: string): string | undefined {
  if (name === 'verifyMode' && raw !== 'EXACT' && raw !== 'SEARCH_COMMIT_MSG')
    return `${settingLabel(name)}: ${shown(raw)} is no mode; verifying in mode EXACT`
  if (name === 'insecure' && raw !== 'true' && raw !== 'false')
    return `${settingLabel(name)}: only "true" means true; ${shown(raw)} means false, certificates are verified`
  return undefined
}

const LONGEST_SHOWN = 120

/** A value as a message shows it. */
export function shown(raw: string): string {
  return JSON.stringify(raw.length > LONGEST_SHOWN ? `${raw.slice(0, LONGEST_SHOWN)}…` : raw)
}

/** Whether one of some settings was given and could not be read. */
export function anyBroken({ broken }: Values, ...names: readonly SettingName[]): boolean {
  return names.some((name) => broken.has(name))
}

/** Whether a variable of a setting is there with nothing in it. */
export function isEmptied(env: Variables, name: SettingName): boolean {
  return settings[name].variables.some((variable) => env[variable]?.trim() === '')
}
