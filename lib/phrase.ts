/** Parts of sentences that the checks share. */

import { oneLine } from './text.ts'

const SHOWN = 3
const FEW = 4

/** A few of many, in parentheses: ` (a; b; c and 4 more)`; nothing of none. */
export function some(items: readonly string[], separator: string): string {
  if (items.length === 0) return ''
  const more = items.length > SHOWN ? ` and ${items.length - SHOWN} more` : ''
  return ` (${items.slice(0, SHOWN).join(separator)}${more})`
}

/** What Argo CD says of it: `: message`; nothing where it says nothing. */
export function because(message: string | undefined): string {
  return message === undefined ? '' : `: ${oneLine(message)}`
}

/** The name of a resource, as far as it is known: `Deployment web`. */
export function nameOf({ kind, name }: { kind: string | undefined; name: string | undefined }): string {
  return `${kind ?? 'resource'} ${name ?? '?'}`
}

/** Some of a list, and how many more there are. */
export function few(all: readonly string[]): string {
  return all.length <= FEW ? all.join(', ') : `${all.slice(0, FEW).join(', ')} and ${all.length - FEW} more`
}
