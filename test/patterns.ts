/**
 * All regular expressions of the program, each held against long repetitions of its own parts. A process of its own,
 * which can be ended: a bad one would hang the tests.
 *
 * @example
 * bun test/patterns.ts
 */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dir, '..')

/** A regular expression, and where it stands. */
export interface Pattern {
  readonly file: string
  readonly pattern: RegExp
}

/** All regular expressions of `main.ts` and `lib/`. */
export function allPatterns(): readonly Pattern[] {
  const files = ['main.ts', ...readdirSync(join(ROOT, 'lib')).map((file) => `lib/${file}`)]
  const sources = files.map((file) => readFileSync(join(ROOT, file), 'utf8'))
  const shared = sources.flatMap((source) => constantsOf(source, 'export const'))
  return files.flatMap((file, i) => patternsOf(file, sources[i] ?? '', shared))
}

/** The text constants of a source, as code. */
function constantsOf(source: string, keyword: string): readonly string[] {
  const found = source.matchAll(new RegExp(`^${keyword} ([A-Z_]+) =\\s+('[^'\\n]*'|\`[^\`]*\`)$`, 'gm'))
  return [...found].map(([, name, text]) => `var ${name} = ${text};`)
}

/**
 * The regular expressions of a source: its literals, and those that are made of constants of its own, or of those that
 * others share.
 */
export function patternsOf(file: string, source: string, shared: readonly string[] = []): readonly Pattern[] {
  const literals = literalsOf(source).map((literal) => {
    const end = literal.lastIndexOf('/')
    return new RegExp(literal.slice(1, end), literal.slice(end + 1))
  })
  const constants = [...shared, ...constantsOf(source, '(?:export )?const')].join('')
  const made = [...source.matchAll(/new RegExp\(\s*(`[^`]*`),?\s*\)/g)].map(
    ([, template]) => new RegExp(String(new Function(`${constants}return ${template}`)())),
  )
  return [...literals, ...made].map((pattern) => ({ file, pattern }))
}

/** After these a slash divides nothing. */
const BEFORE_A_LITERAL = /(?:^|[([{,;=:!&|?+\-*%<>~^]|\b(?:return|typeof|case|of|in))$/

/** The literals of a source that is no stranger to this repository's style. */
function literalsOf(file: string): readonly string[] {
  const source = file.replace(/^#!.*/, '')
  const literals: string[] = []
  // What is open: a brace of code, or a template around it.
  const open: ('{' | '`')[] = []
  let before = ''
  for (let i = 0; i < source.length; i++) {
    const character = source[i] ?? ''
    if (open.at(-1) === '`') {
      if (character === '\\') i++
      else if (character === '`') open.pop()
      else if (source.startsWith('${', i)) {
        open.push('{')
        before = ''
        i++
      }
      continue
    }
    if (source.startsWith('//', i)) i = endOf(source, '\n', i)
    else if (source.startsWith('/*', i)) i = endOf(source, '*/', i) + 1
    else if (character === '/' && BEFORE_A_LITERAL.test(before)) {
      const end = endOfLiteral(source, i)
      literals.push(source.slice(i, end))
      before = ')'
      i = end - 1
    } else if (character === "'" || character === '"') {
      for (i++; i < source.length && source[i] !== character; i++) if (source[i] === '\\') i++
      before = ')'
    } else {
      if (character === '`' || character === '{') open.push(character)
      else if (character === '}') open.pop()
      if (character.trim() !== '') before = (before + character).slice(-10)
      else if (/\w$/.test(before)) before += ' '
      before = before.replace(/ $/, (blank) => (/\b(?:return|typeof|case|of|in) $/.test(before) ? '' : blank))
    }
  }
  return literals
}

function endOf(source: string, mark: string, from: number): number {
  const at = source.indexOf(mark, from)
  return at < 0 ? source.length : at
}

function endOfLiteral(source: string, start: number): number {
  let isInClass = false
  let end = start + 1
  for (; source[end] !== '/' || isInClass; end++) {
    if (source[end] === '\\') end++
    else if (source[end] === '[') isInClass = true
    else if (source[end] === ']') isInClass = false
  }
  end++
  while (/[a-z]/.test(source[end] ?? '')) end++
  return end
}

/** Characters of every class that a pattern may know. */
const ANY = [
  ...'aAfz09 \n\t-_./,:;=@#%&<>()[]{}!?+*^~|"\'\\$',
  '\r\n',
  '\u202e',
  '\u0007',
  'é',
  '1h',
  'a ',
  ' a',
  '%2',
]

/** Texts that a pattern finds the beginning of again and again, and never the end. */
export function* attacksOn({ source }: RegExp, length: number): Generator<string> {
  const words = source.match(/[\w<>/:#@ -]{2,}/g) ?? []
  const pieces = new Set([...words, ...source, ...ANY])
  const [first = ''] = words
  for (const piece of pieces) {
    const times = Math.ceil(length / piece.length)
    for (const repeated of [piece.repeat(times), `${first}${piece}`.repeat(Math.ceil(times / 2))])
      for (const end of ['', '!', '\n', '\u00e9', 'a']) {
        yield repeated + end
        yield first + repeated + end
      }
  }
}

const LENGTH = 8000
/** What a linear pattern takes a hundredth of, for such a length, and a quadratic one twenty times, in milliseconds. */
const SUSPICIOUS = 4
/** Four times the length takes a linear pattern four times as long, and a quadratic one sixteen times. */
const LONGER = 4
const MOST = 9

/** The text that a pattern takes more than linear time for; `undefined`: none was found. */
export function worstOf(pattern: RegExp, length = LENGTH): string | undefined {
  for (const text of attacksOn(pattern, length)) {
    if (timeOf(pattern, text) < SUSPICIOUS) continue
    // A machine that is busy with something else is not so each time.
    const once = Math.min(...[1, 2].map(() => timeOf(pattern, text)))
    if (once < SUSPICIOUS) continue
    const longer = text.slice(0, -1).repeat(LONGER) + text.slice(-1)
    if (timeOf(pattern, longer) / once > MOST) return text
  }
  return undefined
}

function timeOf(pattern: RegExp, text: string): number {
  const began = process.cpuUsage()
  text.replace(pattern, '')
  const { user, system } = process.cpuUsage(began)
  return (user + system) / 1000
}

if (import.meta.main) {
  for (const { file, pattern } of allPatterns()) {
    process.stdout.write(`${file}: ${pattern}\n`)
    const worst = worstOf(pattern)
    if (worst === undefined) continue
    process.stdout.write(`takes more than linear time for ${JSON.stringify(worst.slice(0, 60))}…\n`)
    if (!process.argv.includes('--all')) process.exit(1)
  }
}
