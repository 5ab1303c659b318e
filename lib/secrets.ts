/** Keeps secrets out of whatever is shown. */

import type { Connection } from './access.ts'
import { readingsOf } from './escapes.ts'
import { settings } from './settings.ts'
import { ELLIPSIS } from './text.ts'

/** The shortest text that is masked: shorter ones are no secrets, and would turn up in any sentence. */
const SHORTEST_SECRET = 4
/** Likewise for a part of a header's value, such as what follows `Bearer`. */
const SHORTEST_PART = 8
/** Likewise for what is left of a secret in Base64. */
const SHORTEST_CODED = 8

const MASK = '***'

/** So many layers of escapes are taken off a text: a proxy's log of a server's JSON about a URL has three. */
const MOST_LAYERS = 6

/** What escapes begin with. */
const ESCAPES: ReadonlySet<string> = new Set('%&\\')

/** The longest part of an escape that a cut may leave, in characters. */
const LONGEST_ESCAPE = 10

/** What may hold a user and password. */
const PROXY_VARIABLES = ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'https_proxy', 'http_proxy', 'all_proxy']

/** The secrets of a run: those of its settings, and those that it is given while it lasts. */
export class Secrets {
  /** What is looked for: the secrets, as they are meant, and what is made of them. */
  #needles: readonly string[] = []
  readonly #added = new Set<string>()

  /** Adds what is secret among variables, also where the settings turn out to be unusable. */
  addEnvironment(env: Readonly<Record<string, string | undefined>>): void {
    for (const name of [...settings.token.variables, ...settings.password.variables]) {
      this.add(env[name] ?? '')
      this.add(env[name]?.trim() ?? '')
    }
    for (const name of settings.headers.variables)
      for (const line of env[name]?.split('\n') ?? [])
        this.addHeader(line.slice(line.indexOf(':') + 1).trim())
    for (const name of PROXY_VARIABLES) this.addProxy(env[name] ?? '')
  }

  /** Adds the secrets of a connection. */
  addConnection({ credentials, headers }: Pick<Connection, 'credentials' | 'headers'>): void {
    this.add(credentials.mode === 'TOKEN' ? credentials.token : credentials.password)
    for (const [, value] of headers) this.addHeader(value)
  }

  /** Adds a header's value: all of it, its parts that are long enough, such as cookies, and a password in it. */
  addHeader(value: string): void {
    this.add(value)
    const parts = [...value.split(/\s+/), ...value.split(/[\s;,="]+/)]
    for (const part of parts) if (part.length >= SHORTEST_PART) this.add(part)
    const [scheme = '', credentials = ''] = value.split(/\s+/)
    if (scheme.toLowerCase() === 'basic') this.#addPair(Buffer.from(credentials, 'base64').toString())
  }

  /** Adds the credentials in the address of a proxy, as they stand there, as they are meant, and as they are sent. */
  addProxy(address: string): void {
    const at = address.lastIndexOf('@')
    const start = address.indexOf('://')
    if (at < 0) return
    const raw = address.slice(start < 0 ? 0 : start + 3, at)
    const meant = decoded(raw)
    for (const text of [raw, meant]) {
      this.#addPair(text)
      this.add(Buffer.from(text).toString('base64'))
    }
  }

  /** Adds what may be a user and a password with a colon between them. */
  #addPair(text: string): void {
    this.add(text)
    this.add(text.slice(text.indexOf(':') + 1))
  }

  /** Adds a secret that was learnt later: the token of a session, or of a Secret that was rotated. */
  add(secret: string): void {
    if (secret.trim().length < SHORTEST_SECRET || this.#added.has(secret)) return
    this.#added.add(secret)
    const meant = meaningOf(secret)
    const different = new Set([...this.#needles, secret, ...codingsOf(secret)])
    // One that is mostly escapes would be a word of any sentence.
    if (meant.trim().length >= SHORTEST_SECRET) different.add(meant)
    this.#needles = [...different]
  }

  /**
   * Replaces the secrets in a text, in whatever way they are written there, and the beginning of one where the text
   * was cut inside it.
   */
  readonly mask = (text: string): string => {
    const isCut = text.includes(ELLIPSIS)
    const needles = isCut ? this.#needles : this.#needles.filter(({ length }) => length <= text.length)
    const placesIn = (one: string) => needles.flatMap((needle) => placesOf(needle, one, isCut))
    if (needles.length === 0) return text
    const places = placesIn(text)
    if (OTHERWISE.test(text))
      for (const { text: meant, starts, ends } of readingsOf(text, MOST_LAYERS))
        for (const [start, end] of placesIn(meant)) places.push([starts[start] ?? 0, ends[end - 1] ?? 0])
    return withoutPlaces(text, places)
  }
}

/** Whether a text may mean something else than it says: it has escapes, other white space than a blank, or what hides. */
const OTHERWISE = /[%&\\+]|\s{2}|[^\S ]|[\p{Cc}\p{Cf}]/u

/** Where something begins in a text, and where it ends. */
type Place = readonly [start: number, end: number]

/** Where a secret stands in a text, and what is left of it where the text was cut inside it. */
function placesOf(needle: string, text: string, isCut: boolean): Place[] {
  const places: Place[] = []
  for (let at = text.indexOf(needle); at >= 0; at = text.indexOf(needle, at + needle.length))
    places.push([at, at + needle.length])
  return isCut && text.includes(needle.slice(0, SHORTEST_SECRET))
    ? [...places, ...cutPlacesOf(needle, text)]
    : places
}

/** Step by step (Knuth, Morris and Pratt): a text may be cut as often as it likes. */
function cutPlacesOf(needle: string, text: string): Place[] {
  const places: Place[] = []
  const borders = bordersOf(needle)
  let matched = 0
  // How much was matched where the last escape began, which a cut may have left in pieces.
  let broken = { at: -LONGEST_ESCAPE, matched: 0 }
  for (let at = 0; at < text.length; at++) {
    const character = text[at] ?? ''
    if (character === ELLIPSIS) {
      const end = at - broken.at <= LONGEST_ESCAPE && broken.matched > matched ? broken : { at, matched }
      if (end.matched >= SHORTEST_SECRET) places.push([end.at - end.matched, at])
    }
    if (ESCAPES.has(character)) broken = { at, matched }
    while (matched > 0 && needle[matched] !== character) matched = borders[matched - 1] ?? 0
    if (needle[matched] === character) matched++
    if (matched === needle.length) matched = borders[matched - 1] ?? 0
  }
  return places
}

/** Of each beginning of a text, how much of it is its end as well. */
function bordersOf(text: string): Uint32Array {
  const borders = new Uint32Array(text.length)
  for (let at = 1, matched = 0; at < text.length; at++) {
    while (matched > 0 && text[matched] !== text[at]) matched = borders[matched - 1] ?? 0
    if (text[matched] === text[at]) matched++
    borders[at] = matched
  }
  return borders
}

function withoutPlaces(text: string, places: readonly Place[]): string {
  let masked = ''
  let done = 0
  for (const [start, end] of places.toSorted(([a], [b]) => a - b)) {
    if (start >= done) masked += `${text.slice(done, start)}${MASK}`
    done = Math.max(done, end)
  }
  return masked + text.slice(done)
}

/** A secret as it comes out where all escapes are undone, also those that only look like some. */
function meaningOf(secret: string): string {
  // As most tokens: each run reads them before it asks anything.
  if (!OTHERWISE.test(secret)) return secret
  return Array.from(readingsOf(secret, MOST_LAYERS), ({ text }) => text).at(-1) ?? secret
}

/** What there is of a secret in Base64, wherever it stands in what is written so: a Secret of Kubernetes, a header. */
function codingsOf(secret: string): readonly string[] {
  const bytes = Buffer.from(secret)
  return (['base64', 'base64url'] as const)
    .flatMap((encoding) =>
      [0, 1, 2].map((before) => {
        const coded = Buffer.concat([Buffer.alloc(before), bytes])
          .toString(encoding)
          .replace(/={1,2}$/, '')
        // What stands around it has a part in the characters at the ends.
        const last = (before + bytes.length) % 3 === 0 ? coded.length : coded.length - 1
        return coded.slice(before === 0 ? 0 : before + 1, last)
      }),
    )
    .filter(({ length }) => length >= SHORTEST_CODED)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
