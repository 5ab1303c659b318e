/** Texts with their escapes undone, whoever wrote them: JSON, URLs, HTML, shells, logs. */

/** A text as it is meant, and where in the text that it was made of each of its UTF-16 units began and ended. */
export interface Reading {
  readonly text: string
  readonly starts: Uint32Array
  readonly ends: Uint32Array
}

/**
 * Reads a text: as it is, but for white space, of which each is one blank, and for what nobody can see; and then with
 * one layer of escapes less each, all kinds at once, since what echoes a text does not say how it is written.
 *
 * @param layers how many at most
 * @yields readings, each of which is good until the next one is asked for
 */
export function* readingsOf(text: string, layers: number): Generator<Reading> {
  const places = placesFor(text.length)
  let reading = rewritten(text, places, characterAt)
  yield reading
  for (let layer = 0; layer < layers; layer++) {
    const { text: before } = reading
    reading = rewritten(before, places, meantAt)
    if (reading.text === before) return
    yield reading
  }
}

/** What is worked in, again and again: made anew for each text, it would fill the memory until it is collected. */
interface Places {
  units: Uint16Array
  starts: Uint32Array
  ends: Uint32Array
}

let shared: Places = { units: new Uint16Array(0), starts: new Uint32Array(0), ends: new Uint32Array(0) }

function placesFor(length: number): Places {
  if (shared.units.length < length)
    shared = {
      units: new Uint16Array(length),
      starts: new Uint32Array(length),
      ends: new Uint32Array(length),
    }
  for (let at = 0; at < length; at++) {
    shared.starts[at] = at
    shared.ends[at] = at + 1
  }
  return shared
}

/**
 * Reads a text once, so that it takes linear time whatever is in it. The places are overwritten on the way: what comes
 * out is never ahead of what goes in.
 */
function rewritten(text: string, { units, starts, ends }: Places, find: Find): Reading {
  let size = 0
  for (let at = 0, next = 0; at < text.length; at = next) {
    const one = find(text, at)
    next = at + lengthOf(one)
    const code = codeOf(one)
    const isSpace = isBlank(code)
    if (isSpace && size > 0 && units[size - 1] === SPACE) size--
    else if (isShapeless(code)) continue
    else starts[size] = starts[at] ?? 0
    ends[size] = ends[next - 1] ?? 0
    units[size++] = isSpace ? SPACE : code
    if (code <= LAST_UNIT) continue
    const character = String.fromCodePoint(code)
    units[size - 1] = character.charCodeAt(0)
    starts[size] = starts[size - 1] ?? 0
    ends[size] = ends[next - 1] ?? 0
    units[size++] = character.charCodeAt(1)
  }
  return {
    text: Buffer.from(units.buffer, 0, size * 2).toString('utf16le'),
    starts: starts.subarray(0, size),
    ends: ends.subarray(0, size),
  }
}

/** Finds what stands somewhere in a text, as {@link found}. */
type Find = (text: string, at: number) => number

/**
 * A character, and how many units of the text it takes. One number: an object for each character would take most of
 * the time.
 */
function found(code: number, length: number): number {
  return length * STEP + code
}

const STEP = 0x20_0000
const lengthOf = (one: number) => Math.floor(one / STEP)
const codeOf = (one: number) => one % STEP
const LAST = 0x10_ffff
const LAST_UNIT = 0xffff
/** From here on it takes a table to know what a character is. */
const NOT_ASCII = 0x80
const SPACE = 0x20

function isBlank(code: number): boolean {
  if (code < NOT_ASCII) return code <= SPACE || code === 0x7f
  return /[\s\p{Cc}]/u.test(String.fromCodePoint(code))
}

function isShapeless(code: number): boolean {
  return code >= NOT_ASCII && /\p{Cf}/u.test(String.fromCodePoint(code))
}

function characterAt(text: string, at: number): number {
  const code = text.codePointAt(at) ?? 0
  return found(code, code > LAST_UNIT ? 2 : 1)
}

const meantAt: Find = (text, at) => {
  switch (text[at]) {
    case '+':
      return found(SPACE, 1)
    case '&':
      return entityAt(text, at)
    case '%':
    case '\\':
      return bytesAt(text, at) ?? escapeAt(text, at)
    default:
      return characterAt(text, at)
  }
}

/** The value of some digits; -1 where they are none. */
function digitsAt(text: string, at: number, count: number, radix: 8 | 16): number {
  let value = 0
  for (let i = at; i < at + count; i++) {
    const code = text.charCodeAt(i) | 0x20
    const digit =
      code >= 0x61 && code <= 0x66 ? code - 0x57 : code >= 0x30 && code <= 0x39 ? code - 0x30 : radix
    if (digit >= radix || text.charCodeAt(i) < 0x30) return -1
    value = value * radix + digit
  }
  return value
}

/** A byte as URLs write it, as C and nginx do, or as Git does; nothing: -1. */
function byteAt(text: string, at: number): number {
  if (text[at] === '%') return valueAt(text, at + 1, 2, 16, 3)
  if (text[at] !== '\\') return -1
  return text[at + 1] === 'x' ? valueAt(text, at + 2, 2, 16, 4) : valueAt(text, at + 1, 3, 8, 4)
}

function valueAt(text: string, at: number, count: number, radix: 8 | 16, length: number): number {
  const value = digitsAt(text, at, count, radix)
  return value < 0 || value > 0xff ? -1 : found(value, length)
}

/** The character that some bytes are in UTF-8; one that begins none is a character by itself, as in Latin 1. */
function bytesAt(text: string, at: number): number | undefined {
  const first = byteAt(text, at)
  if (first < 0) return undefined
  const byte = codeOf(first)
  const count = byte < 0xc2 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : byte < 0xf5 ? 4 : 1
  let code = count === 1 ? byte : byte & (0x7f >> count)
  let length = lengthOf(first)
  for (let i = 1; i < count; i++) {
    const more = byteAt(text, at + length)
    if (more < 0 || codeOf(more) >> 6 !== 0b10) return first
    code = (code << 6) | (codeOf(more) & 0x3f)
    length += lengthOf(more)
  }
  return code > LAST ? first : found(code, length)
}

/** What a backslash makes of what is behind it: a character by its number, white space, or what it is anyway. */
function escapeAt(text: string, at: number): number {
  const behind = text[at + 1]
  if (text[at] !== '\\' || behind === undefined) return characterAt(text, at)
  const count = behind === 'u' ? 4 : behind === 'U' ? 8 : 0
  const code = count === 0 ? -1 : digitsAt(text, at + 2, count, 16)
  if (code >= 0 && code <= LAST) return found(code, 2 + count)
  if ('nrtvf'.includes(behind)) return found(SPACE, 2)
  const itself = characterAt(text, at + 1)
  return found(codeOf(itself), 1 + lengthOf(itself))
}

/** The longest entity, in characters. */
const LONGEST_ENTITY = 10

const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: ' ',
  plus: '+',
  equals: '=',
  sol: '/',
  bsol: '\\',
}

function entityAt(text: string, at: number): number {
  const end = text.slice(at, at + LONGEST_ENTITY).indexOf(';')
  const name = end < 0 ? '' : text.slice(at + 1, at + end).toLowerCase()
  const named = ENTITIES[name]
  if (named !== undefined) return found(named.charCodeAt(0), end + 1)
  const number = /^#(?:x([\da-f]+)|(\d+))$/.exec(name)
  const code =
    number === null ? -1 : Number.parseInt(number[1] ?? number[2] ?? '', number[1] === undefined ? 10 : 16)
  return code >= 0 && code <= LAST ? found(code, end + 1) : characterAt(text, at)
}
