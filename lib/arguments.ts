/**
 * The command line. Its flags are declared to citty from the table of settings, and citty reads them; what citty
 * takes in silence is refused here. In a gate a misspelt flag that is ignored is a wrong verdict waiting to happen.
 */

import type { ArgsDef } from 'citty'
import { COMMANDS } from './commands.ts'
import { lazily } from './lazily.ts'
import { nearest } from './nearest.ts'
import { type Setting, type SettingName, settingEntries } from './settings.ts'

/** What the command line gave: the texts of each setting, and what was wrong with the rest. */
export interface Arguments {
  readonly given: ReadonlyMap<SettingName, readonly string[]>
  /** A sentence each. */
  readonly problems: readonly string[]
  /** Settings that a slip was meant for: that they are missing is no problem of its own. */
  readonly slips: ReadonlySet<SettingName>
  /** Whether the help was asked for. */
  readonly help: boolean
}

const HELP_FLAGS: ReadonlySet<string> = new Set(['--help', '-h'])
const VERSION_FLAGS: ReadonlySet<string> = new Set(['--version', '-V'])

interface Flag {
  readonly name: SettingName
  readonly setting: Setting
}

/** Settings by their long flag and by their letter, without dashes. */
const FLAGS = lazily(
  (): ReadonlyMap<string, Flag> =>
    new Map(
      settingEntries.flatMap(([name, setting]): [string, Flag][] => {
        if (setting.flag === undefined) return []
        const flag = { name, setting }
        const long: [string, Flag] = [setting.flag, flag]
        return setting.short === undefined ? [long] : [long, [setting.short, flag]]
      }),
    ),
)

/** Settings whose values are secrets, by the flag somebody might try. */
const SECRET_FLAGS: ReadonlyMap<string, { readonly name: SettingName; readonly way: string }> = new Map([
  ['--token', { name: 'token', way: 'ARGOCD_API_TOKEN (or --token-file)' }],
  ['--auth-token', { name: 'token', way: 'ARGOCD_API_TOKEN (or --token-file)' }],
  ['--password', { name: 'password', way: 'ARGOCD_API_PASSWORD (or --password-file)' }],
])

/** The flags as citty's commands declare them. */
export const flagDefinitions = lazily(
  (): ArgsDef =>
    Object.fromEntries(
      settingEntries.flatMap(([, { flag, short, kind, help }]) => {
        if (flag === undefined) return []
        const type = kind === 'boolean' ? 'boolean' : 'string'
        return [[flag, { type, description: help, ...(short === undefined ? {} : { alias: short }) }]]
      }),
    ),
)

/** The same for the tokenizer that citty itself reads words with, so that both see the same. */
const tokenOptions = lazily(() =>
  Object.fromEntries(
    settingEntries.flatMap(([, { flag, short, kind }]) => {
      if (flag === undefined) return []
      const type = kind === 'boolean' ? ('boolean' as const) : ('string' as const)
      return [[flag, { type, ...(short === undefined ? {} : { short }) }]]
    }),
  ),
)

const NOTHING: Arguments = { given: new Map(), problems: [], slips: new Set(), help: false }

// Loaded where there are words: a Job has variables only, and pays nothing for them.
const loadCitty = () => require('citty') as typeof import('citty')
const loadUtil = () => require('node:util') as typeof import('node:util')

/**
 * Reads the words behind the program's name, or behind a command. Never throws.
 *
 * @param parsed what citty made of the same words by {@link flagDefinitions}, where there is no slip among them
 */
export function readArguments(
  words: readonly string[],
  parsed?: Readonly<Record<string, unknown>>,
): Arguments {
  if (words.length === 0) return NOTHING
  const { problems, slips, help, lists, letters, clean } = inspect(words)
  // Some slips (`-_`) would upset citty, so it reads what is left without them.
  const values = parsed ?? loadCitty().parseArgs([...clean], flagDefinitions())
  const given = new Map<SettingName, readonly string[]>()
  for (const [name, { flag, kind }] of settingEntries) {
    if (flag === undefined) continue
    if (slips.has(name)) continue
    // Of a flag that is repeated citty keeps the last.
    const value = kind === 'list' ? lists.get(name) : values[flag]
    if (value === undefined || value === '') continue
    const texts = Array.isArray(value) ? value : [String(value)]
    given.set(name, letters.has(name) ? texts.map((text) => text.replace(/^=/, '')) : texts)
  }
  return { given, problems, slips, help }
}

/** Looks for what citty takes in silence: unknown flags, forgotten values, repeats, stray words. */
function inspect(words: readonly string[]) {
  const problems: string[] = []
  const slips = new Set<SettingName>()
  const seen = new Set<SettingName>()
  const lists = new Map<SettingName, string[]>()
  /** Settings whose value is attached to their letter: `-o=json` is `-ojson`. */
  const letters = new Set<SettingName>()
  /** The words that are understood. */
  const clean: string[] = []
  let help = false
  /** Words up to this one are part of a slip that was told. */
  let told = -1

  const { tokens } = loadUtil().parseArgs({
    args: [...words],
    options: tokenOptions(),
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  for (const token of tokens) {
    const { index } = token
    if (index <= told) continue
    if (token.kind === 'option-terminator') {
      problems.push('unexpected word "--"; flags and their values are all there is')
      break
    }
    if (token.kind === 'positional') {
      const { problem, meant } = strayWord(token.value, index === 0, words[index - 1])
      problems.push(problem)
      for (const name of meant) slips.add(name)
      continue
    }
    const { rawName, value, inlineValue } = token
    const negated = rawName.startsWith('--no-') && !FLAGS().has(token.name)
    const flag = FLAGS().get(negated ? token.name.slice('no-'.length) : token.name)
    const takesValue = flag?.setting.kind !== 'boolean'
    if (HELP_FLAGS.has(rawName) && inlineValue !== true) {
      help = true
    } else if (flag !== undefined && negated && takesValue) {
      problems.push(`unknown flag ${rawName}; leave --${flag.setting.flag} out instead`)
      slips.add(flag.name)
    } else if (flag === undefined) {
      const slip = unknownFlag(rawName)
      problems.push(slip.problem)
      if (slip.meant !== undefined) slips.add(slip.meant)
      // The rest of a word with one dash, and the value of a misspelt flag, are part of the same mistake.
      const next = words[index + 1]
      const isValue = next !== undefined && (slip.isSecret ? !isFlag(next) : !next.startsWith('-'))
      told = value === undefined && rawName.startsWith('--') && isValue ? index + 1 : index
    } else if (!takesValue) {
      if (negated && value !== undefined) problems.push(`${rawName} takes no value; leave it out`)
      else if (value !== undefined && value !== 'true' && value !== 'false')
        problems.push(`${rawName} must be true or false; write ${rawName}, or --no-${token.name}`)
      else clean.push(value === undefined ? rawName : `${rawName}=${value}`)
      noteOnce(flag, rawName)
    } else if (value === undefined || value.trim() === '' || (inlineValue === false && isFlagLike(value))) {
      problems.push(
        `${rawName} needs a value: ${rawName} ${flag.setting.placeholder ?? 'VALUE'}${
          value !== undefined && isFlagLike(value) ? ` (one that begins with a dash as ${rawName}=VALUE)` : ''
        }`,
      )
      slips.add(flag.name)
      // The flag that was taken for the value has taken the word behind it from nobody.
      const swallowed = inlineValue === false ? FLAGS().get((value ?? '').replace(/^--?/, '')) : undefined
      if (swallowed !== undefined) slips.add(swallowed.name)
      const next = words[index + 2]
      told = swallowed !== undefined && next !== undefined && !isFlagLike(next) ? index + 2 : index
    } else {
      noteOnce(flag, rawName)
      const isLetter = !rawName.startsWith('--')
      if (isLetter && inlineValue) letters.add(flag.name)
      clean.push(isLetter ? `${rawName}${value}` : `${rawName}=${value}`)
      if (flag.setting.kind === 'list') lists.set(flag.name, [...(lists.get(flag.name) ?? []), value])
    }
  }
  return { problems, slips, help, lists, letters, clean }

  function noteOnce({ name, setting }: Flag, rawName: string): void {
    if (seen.has(name) && setting.kind !== 'list')
      problems.push(`${rawName} is given more than once; give it once`)
    seen.add(name)
  }
}

/** A value may begin with a dash only where it is attached, so that a forgotten value is noticed. */
function isFlagLike(word: string): boolean {
  return /^-[A-Za-z-]/.test(word)
}

/** Whether a word is a flag that there is. */
function isFlag(word: string): boolean {
  return (
    word.startsWith('-') &&
    (FLAGS().has(word.replace(/^--?(?:no-)?/, '').replace(/=.*$/s, '')) || HELP_FLAGS.has(word))
  )
}

/** What to say of a flag that does not exist; of a word with one dash only the letter, the rest may be a secret. */
function unknownFlag(rawName: string): { problem: string; meant?: SettingName; isSecret: boolean } {
  const secret = SECRET_FLAGS.get(rawName)
  if (secret !== undefined) {
    const problem = `${rawName} is no flag, because command lines can be read by others; set ${secret.way}`
    return { problem, meant: secret.name, isSecret: true }
  }
  if (VERSION_FLAGS.has(rawName))
    return { problem: `${rawName} stands alone; leave out the other words`, isSecret: false }
  const likely = nearestFlag(rawName)
  if (likely === undefined)
    return { problem: `unknown flag ${rawName}; kpcea --help lists those that there are`, isSecret: false }
  const meant = FLAGS().get(likely.replace(/^--(?:no-)?/, ''))?.name
  return {
    problem: `unknown flag ${rawName}; did you mean ${likely}?`,
    ...(meant === undefined ? {} : { meant }),
    isSecret: false,
  }
}

/** What to say of a word that stands nowhere, and which settings it may have been meant for. */
function strayWord(
  word: string,
  isFirst: boolean,
  before: string | undefined,
): { problem: string; meant: readonly SettingName[] } {
  const say = (hint: string, meant: readonly SettingName[] = []) => ({
    problem: `unexpected word ${JSON.stringify(word)}; ${hint}`,
    meant,
  })
  if (/^(?:true|false)$/.test(word) && before !== undefined && isFlag(before))
    return say(`write ${before}=${word}`)
  const command = nearest(word, COMMANDS)
  if (command === word) return say(`a command stands first: kpcea ${word}`)
  // Whoever wants something else misses nothing of what a verification needs.
  if (isFirst && command !== undefined) return say(`did you mean kpcea ${command}?`, ALL_SETTINGS)
  const flag = nearestFlag(`--${word}`)
  if (flag === undefined) return say(`did you mean --app ${word}?`, ['applications'])
  const meant = FLAGS().get(flag.slice(2))?.name
  return say(`did you mean ${flag}?`, meant === undefined ? [] : [meant])
}

const ALL_SETTINGS: readonly SettingName[] = settingEntries.map(([name]) => name)

/** The flag within two letters, with `--no-` only where that was written. */
function nearestFlag(word: string): string | undefined {
  if (!word.startsWith('--')) return undefined
  const all = settingEntries.flatMap(([, { flag, kind }]) => {
    if (flag === undefined) return []
    return kind === 'boolean' && word.startsWith('--no') ? [`--${flag}`, `--no-${flag}`] : [`--${flag}`]
  })
  return nearest(word, [...all, '--help', '--version'])
}
