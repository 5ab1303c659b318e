/** Keeps secrets out of whatever is shown. */

import type { Connection } from './access.ts'
import { settings } from './settings.ts'

/** The shortest text that is masked: shorter ones are no secrets, and would turn up in any sentence. */
const SHORTEST_SECRET = 4
/** Likewise for a part of a header's value, such as what follows `Bearer`. */
const SHORTEST_PART = 8

/** Tokens are made of such characters; no way of writing a text in another escapes any of them. */
const PLAIN = /^[\w.-]+$/

const MASK = '***'

/** What may hold a user and password. */
const PROXY_VARIABLES = ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'https_proxy', 'http_proxy', 'all_proxy']

/** The secrets of a run: those of its settings, and those that it is given while it lasts. */
export class Secrets {
  // Longer ones first, so that one that holds another is masked whole.
  #texts: readonly string[] = []
  #patterns: readonly RegExp[] = []
  #longest = 0

  /** The length from which a text may hold a part of a secret, in whatever way it is written, in characters. */
  readonly longest = (): number => this.#longest

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

  /** Adds a header's value: all of it, and its parts that are long enough. */
  addHeader(value: string): void {
    this.add(value)
    for (const part of value.split(/\s+/)) if (part.length >= SHORTEST_PART) this.add(part)
  }

  /** Adds the credentials in the address of a proxy, as they stand there, as they are meant, and as they are sent. */
  addProxy(address: string): void {
    const at = address.lastIndexOf('@')
    const start = address.indexOf('://')
    if (at < 0) return
    const raw = address.slice(start < 0 ? 0 : start + 3, at)
    const meant = decoded(raw)
    for (const text of [raw, meant]) {
      this.add(text)
      this.add(text.slice(text.indexOf(':') + 1))
      this.add(Buffer.from(text).toString('base64'))
    }
  }

  /** Adds a secret that was learnt later: the token of a session, or of a Secret that was rotated. */
  add(secret: string): void {
    if (secret.trim().length < SHORTEST_SECRET) return
    if (PLAIN.test(secret)) this.#texts = byLength([...this.#texts, secret], (text) => text)
    else this.#patterns = byLength([...this.#patterns, patternOf(secret)], ({ source }) => source)
    this.#longest = Math.max(this.#longest, secret.length * LONGEST_FORM)
  }

  /** Replaces the secrets in a text. Texts are cut after this, or the beginning of a secret would be left. */
  readonly mask = (text: string): string => {
    // Those first that may hold another.
    const masked = this.#patterns.reduce((all, pattern) => all.replace(pattern, MASK), text)
    return this.#texts.reduce((all, secret) => all.replaceAll(secret, MASK), masked)
  }
}

function byLength<T>(values: readonly T[], textOf: (value: T) => string): readonly T[] {
  const different = new Map(values.map((value) => [textOf(value), value]))
  return [...different.values()].sort((a, b) => textOf(b).length - textOf(a).length)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The longest way of writing a character below, in characters. */
const LONGEST_FORM = 12

/** The names of characters in HTML. */
const ENTITIES: Readonly<Record<string, string>> = {
  '&': 'amp',
  '<': 'lt',
  '>': 'gt',
  '"': 'quot',
  "'": 'apos',
}

/** A secret in any way in which it may be echoed: as it is, in JSON, in a URL, in HTML, with other white space. */
function patternOf(secret: string): RegExp {
  const parts = [...secret.matchAll(/\s+|\S/gu)].map(([text]) =>
    text.trim() === '' ? '(?:\\s|\\+|%20|%09|%0[AaDd]|\\\\[nrt]|&nbsp;){1,20}' : formsOf(text),
  )
  return new RegExp(parts.join(''), 'gu')
}

function formsOf(character: string): string {
  if (PLAIN.test(character)) return literal(character)
  const code = character.codePointAt(0) ?? 0
  const hex = code.toString(16)
  const bytes = [...Buffer.from(character)].map((byte) => `%${anyCase(byte.toString(16).padStart(2, '0'))}`)
  const units = Array.from(
    { length: character.length },
    (_, i) => `\\\\u${anyCase(character.charCodeAt(i).toString(16).padStart(4, '0'))}`,
  )
  const entity = ENTITIES[character]
  const forms = [
    ...(entity === undefined ? [] : [`&${entity};`]),
    `&#0?${code};`,
    `&#[xX]0?${anyCase(hex)};`,
    units.join(''),
    // In JSON a quote, a backslash and a slash may have a backslash in front.
    `\\\\${literal(character)}`,
    bytes.join(''),
    literal(character),
  ]
  return `(?:${forms.join('|')})`
}

function anyCase(hex: string): string {
  return hex.replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`)
}

function literal(character: string): string {
  return /[\\^$.*+?()[\]{}|/]/.test(character) ? `\\${character}` : character
}
