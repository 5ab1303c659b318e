/** The gate as tests need it: with no secrets, or with some. */

import { Secrets } from '../lib/secrets.ts'
import { createGate, type Gate, type Shown, type ShownDeep, shownDeep } from '../lib/shown.ts'

/** A gate that masks these. */
export function gateWith(...secrets: readonly string[]): Gate {
  const all = new Secrets()
  for (const secret of secrets) all.add(secret)
  return createGate(all)
}

/** A gate without secrets. */
export const gate = gateWith()

/** A text that has passed. */
export function shown(text: string): Shown {
  return gate(text)
}

/** A value whose texts have passed. */
export function allShown<T>(value: T): ShownDeep<T> {
  return shownDeep(value, gate)
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\0-\x09\x0b-\x1f\x7f-\x9f\p{Cf}\u2028\u2029]/u
const COMMANDS = [
  /##\w*\[/,
  /(?:^|[^\w>)[\]:])::[a-z]/im,
  /::(?:set-output|save-state|set-env|add-path|add-mask|add-matcher|stop-commands|error|warning|notice|group|debug)/i,
]

/** What no way out may hold: characters that steer or hide, and commands of a CI's other than the tool's own. */
export function offence(text: string): string | undefined {
  const others = text.replace(/^::(?:error|notice) title=kpcea \([\w ]+(?:%3A \w+)?\)::.*$/gm, (own) =>
    own.slice(own.indexOf(')::') + 3),
  )
  return [CONTROL, ...COMMANDS]
    .map((pattern) => pattern.exec(others)?.[0])
    .find((found) => found !== undefined)
}
