/**
 * The gate that all text of others passes before it is shown. Whatever writes takes only text that has passed it,
 * and the compiler holds that: nothing else makes a {@link Shown}.
 */

import { onceEach } from './lazily.ts'
import type { Secrets } from './secrets.ts'
import { cut, LONGEST_LINE, oneLine } from './text.ts'

declare const PASSED: unique symbol

/** Text that may be shown: one line of others' text, or lines that the program made of such. */
export type Shown = string & { readonly [PASSED]: true }

/** Lets a text of others pass, as {@link createGate} says. */
export type Gate = (text: string, most?: number) => Shown

/** Colours a text, or leaves it as it is. */
export type Paint = (style: 'green' | 'red' | 'yellow' | 'dim' | 'bold', text: Shown) => Shown

/** More of a text than this, in characters, is not even looked at: whoever writes so much says nothing with it. */
const LONGEST_LOOK = 16 * 1024

/**
 * A gate. What has passed it is one line without characters that steer a terminal, hide, or turn the direction of
 * writing; holds no secret and no command of a CI's; and is no longer than it may be.
 */
export function createGate({ mask }: Pick<Secrets, 'mask'>): Gate {
  return (text, most = LONGEST_LINE) => {
    const masked = mask(cut(text, LONGEST_LOOK))
    const line = oneLine(masked)
    // What was taken away may have stood inside a secret.
    return cut(disarmed(line === masked ? line : mask(line)), most) as Shown
  }
}

/** Azure Pipelines obeys `##vso[…]` and `##[…]` anywhere in a line, GitHub `##[…]`, and TeamCity `##teamcity[…]`. */
const MARKED_COMMAND = /##(?=\w{0,40}\[)/g

/**
 * GitHub obeys `::name …::` where a line begins so. What stands between two words is a name of C++, Ruby or Rust,
 * and left alone unless it is one of GitHub's.
 */
const COMMAND =
  /(?<![\w>)[\]:])::(?=[a-z])|::(?=(?:set-|save-|add-|remove-|stop-|internal-|echo|debug|notice|warning|error|group|endgroup))/gi

/** Breaks the commands of CIs in a text, so that a person still sees what was meant. */
function disarmed(text: string): string {
  return text.replace(MARKED_COMMAND, '# #').replace(COMMAND, ': :')
}

/** Whether a type of texts has only words in it that the source code spells out. */
type IsSpeltOut<T extends string> = Record<never, never> extends Record<T, 1> ? false : true

/** A value whose texts have all passed the gate. */
export type ShownDeep<T> = T extends Shown
  ? T
  : T extends string
    ? IsSpeltOut<T> extends true
      ? T
      : Shown
    : T extends readonly (infer Item)[]
      ? readonly ShownDeep<Item>[]
      : T extends object
        ? { readonly [K in keyof T]: ShownDeep<T[K]> }
        : T

/** Lets every text in plain data pass the gate; keys are the program's own. */
export function shownDeep<T>(value: T, gate: Gate): ShownDeep<T> {
  // A thousand applications say mostly the same.
  const once = onceEach((text) => gate(text))
  const pass = (inner: unknown): unknown => {
    if (typeof inner === 'string') return once(inner)
    if (Array.isArray(inner)) return inner.map(pass)
    if (typeof inner !== 'object' || inner === null) return inner
    const shown: Record<string, unknown> = {}
    for (const key in inner) shown[key] = pass(inner[key as keyof typeof inner])
    return shown
  }
  return pass(value) as ShownDeep<T>
}

/** What may stand in a text of the program's: text that has passed, a word that is spelt out, a number. */
type Tellable<T> = T extends string ? ShownDeep<T> : T extends number ? T : never

/**
 * Text of the program's around text that has passed the gate.
 *
 * @example
 * told`${name} is ${status}`
 */
export function told<const V extends readonly unknown[]>(
  literals: TemplateStringsArray,
  ...values: V & { readonly [K in keyof V]: Tellable<V[K]> }
): Shown {
  return literals.map((literal, i) => `${literal}${i < values.length ? values[i] : ''}`).join('') as Shown
}

/** Lines, or parts of one, as one text. */
export function joined<const S extends string>(
  parts: readonly Shown[],
  separator: S & (IsSpeltOut<S> extends true ? S : never),
): Shown {
  return parts.join(separator) as Shown
}

/** A part of a text, in characters. */
export function part(text: Shown, from: number, to?: number): Shown {
  return text.slice(from, to) as Shown
}

/** A text with blanks behind it, up to a width in characters. */
export function padded(text: Shown, width: number): Shown {
  return text.padEnd(width) as Shown
}

/**
 * A text with some of its characters written otherwise, as the format asks that it is to stand in.
 *
 * @param special a pattern of single characters
 * @param write how one is written; it may stand for itself or be in front of itself, and adds nothing of others
 */
export function escaped(text: Shown, special: RegExp, write: (character: string) => string): Shown {
  return text.replace(special, write) as Shown
}

/** Full Git object names and digests; none that stands in an address or a path, which people follow. */
const FULL_SHA = /(?<![0-9a-f/%])(?:[0-9a-f]{64}|[0-9a-f]{40})(?![0-9a-f])/gi

/** So many digits of a SHA tell a person which it is. */
const SHORT_SHA = 8

/** A gate for people: of a full SHA they are shown as much as they read, unless that would make two of them alike. */
export function forPeople(gate: Gate): Gate {
  return (text, most) => {
    const passed = gate(text, most)
    const full = new Map<string, string>()
    for (const [sha] of passed.matchAll(FULL_SHA)) {
      const short = sha.slice(0, SHORT_SHA).toLowerCase()
      if ((full.get(short) ?? sha).toLowerCase() !== sha.toLowerCase()) return passed
      full.set(short, sha)
    }
    return passed.replace(FULL_SHA, (sha) => sha.slice(0, SHORT_SHA)) as Shown
  }
}

/** A value as JSON, on one line. */
export function asJson<T>(value: T & ShownDeep<T>): Shown {
  return JSON.stringify(value) as Shown
}

/** The program's own text, made of nothing that came from outside: its help, its completions, its schema. */
export function ours(text: string): Shown {
  return text as Shown
}
