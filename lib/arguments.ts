/**
 * The command line, read strictly: in a gate a misspelt flag that is ignored is a wrong verdict waiting to
 * happen, so whatever is not understood is an error that names the nearest flag.
 */

import { type Setting, type SettingName, settingEntries } from './settings.ts'

/** Flags that are no settings, and stand alone. */
const HELP_FLAGS: ReadonlySet<string> = new Set(['--help', '-h', '--version', '-V'])

/** What the command line gave: the texts of each setting, and what was wrong with the rest. */
export interface Arguments {
  readonly given: ReadonlyMap<SettingName, readonly string[]>
  readonly problems: readonly string[]
}

interface Flag {
  readonly name: SettingName
  readonly setting: Setting
  /** Set for the flags that take no value. */
  readonly means?: 'true' | 'false'
}

const FLAGS: ReadonlyMap<string, Flag> = new Map(
  settingEntries.flatMap(([name, setting]): [string, Flag][] => {
    if (setting.flag === undefined) return []
    if (setting.kind === 'boolean') {
      return [
        [`--${setting.flag}`, { name, setting, means: 'true' }],
        [`--no-${setting.flag}`, { name, setting, means: 'false' }],
      ]
    }
    const flag = { name, setting }
    const long: [string, Flag] = [`--${setting.flag}`, flag]
    return setting.short === undefined ? [long] : [long, [`-${setting.short}`, flag]]
  }),
)

/** Variables whose values are secrets, by the flag somebody might try. */
const SECRET_VARIABLES: ReadonlyMap<string, string> = new Map([
  ['--token', 'ARGOCD_API_TOKEN (or --token-file)'],
  ['--auth-token', 'ARGOCD_API_TOKEN (or --token-file)'],
  ['--password', 'ARGOCD_API_PASSWORD (or --password-file)'],
])

/** Reads the command line without the program's name. Pure; never throws. */
export function parseArguments(raw: readonly string[]): Arguments {
  const given = new Map<SettingName, readonly string[]>()
  const problems: string[] = []
  for (let i = 0; i < raw.length; i++) {
    const word = raw[i] ?? ''
    const { spelling, attached } = splitWord(word)
    const flag = FLAGS.get(spelling)
    if (flag === undefined) {
      problems.push(complaint(word, spelling))
      // The value of a misspelt flag is part of the same mistake.
      const next = raw[i + 1]
      const isPartOfIt = next !== undefined && (SECRET_VARIABLES.has(spelling) || !next.startsWith('-'))
      if (spelling.startsWith('-') && attached === undefined && isPartOfIt) i++
      continue
    }
    let value = flag.means === undefined ? attached : booleanValue(flag.means, attached)
    if (value === undefined && flag.means === undefined) {
      const next = raw[i + 1]
      if (next !== undefined && !looksLikeFlag(next)) {
        value = next
        i++
      }
    }
    if (value === undefined || value.trim() === '') {
      problems.push(`${spelling} needs a value: ${spelling} ${flag.setting.placeholder ?? 'true|false'}`)
      continue
    }
    const before = given.get(flag.name) ?? []
    if (before.length > 0 && flag.setting.kind !== 'list')
      problems.push(`${spelling} is given more than once; give it once`)
    given.set(flag.name, [...before, value])
  }
  return { given, problems }
}

/** `--flag=value`, `-o=json` and `-ojson` are one word with its value attached. */
function splitWord(word: string): { spelling: string; attached: string | undefined } {
  if (word.startsWith('--')) {
    const at = word.indexOf('=')
    return at < 0
      ? { spelling: word, attached: undefined }
      : { spelling: word.slice(0, at), attached: word.slice(at + 1) }
  }
  const short = word.slice(0, 2)
  if (word.length > 2 && FLAGS.has(short))
    return { spelling: short, attached: word.slice(2).replace(/^=/, '') }
  // Of a word with one dash only the letter is a flag; the rest may be anybody's secret.
  return {
    spelling: /^-[^-]/.test(word) ? short : word,
    attached: word.length > 2 && /^-[^-]/.test(word) ? word.slice(2) : undefined,
  }
}

function booleanValue(means: 'true' | 'false', attached: string | undefined): string {
  if (attached === undefined) return means
  if (means === 'true') return attached
  return ({ true: 'false', false: 'true' } as Record<string, string>)[attached] ?? attached
}

/** A value may begin with a dash only where it is attached, so that a forgotten value is noticed. */
function looksLikeFlag(word: string): boolean {
  return /^-[A-Za-z-]/.test(word)
}

function complaint(word: string, spelling: string): string {
  const secret = SECRET_VARIABLES.get(spelling)
  if (secret !== undefined)
    return `${spelling} is no flag, because command lines can be read by others; set ${secret}`
  if (!word.startsWith('-')) return `unexpected word ${JSON.stringify(word)}; ${strayWordHint(word)}`
  if (HELP_FLAGS.has(spelling)) return `${spelling} stands alone; leave out the other flags`
  return `unknown flag ${spelling}; did you mean ${nearestFlag(spelling)}?`
}

function strayWordHint(word: string): string {
  if (word === 'completion') return 'write kpcea completion bash, zsh or fish'
  if (word === 'schema') return 'kpcea schema stands alone'
  const nearest = nearestFlag(`--${word}`)
  if (distance(`--${word}`, nearest) <= 2) return `did you mean ${nearest}?`
  return `did you mean --app ${word}?`
}

/** The flag with the fewest letters to change, the first in the table among equals. */
function nearestFlag(word: string): string {
  const candidates = [...FLAGS.keys()].filter((flag) => !flag.startsWith('--no-') || word.startsWith('--no'))
  const ranked = candidates.map((flag) => ({ flag, letters: distance(word.toLowerCase(), flag) }))
  return ranked.reduce((best, next) => (next.letters < best.letters ? next : best)).flag
}

/** Levenshtein's distance: how many letters to insert, delete or replace. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
