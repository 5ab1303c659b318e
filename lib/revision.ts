/** What revision is wanted, and when an observed one is it: rules 1 and 2 of docs/verification.md. */

/** A full Git object name: SHA-1 or SHA-256. */
const FULL_SHA = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i

/** Git shows seven digits as the shortest abbreviation; fewer would match by accident. */
const SHORT_SHA = /^[0-9a-f]{7,64}$/i

/** An equals sign that separates SOURCE from REVISION, not one of a version range's `>=`, `<=`, `!=` or `==`. */
const SEPARATOR = /(?<![<>!=~^|\s,])=(?!=)/g

/** The beginning of a piece that continues a version range such as `>=1.2, <2`. */
const RANGE_CONTINUED = /^\s*(?:[<>!=~^]|\|\|)/

/** One `SOURCE=REVISION`: SOURCE is the source's `name`, its `repoURL`, or `repoURL#chart`. */
export interface SourceRevision {
  readonly source: string
  readonly revision: string
}

/** The revision an application must run: one for whichever source has it, or one for each named source. */
export type WantedRevision =
  | { readonly kind: 'any-source'; readonly revision: string }
  | { readonly kind: 'per-source'; readonly entries: readonly SourceRevision[] }

/** Whether the text is a full Git object name (40 or 64 hex digits). */
export function isFullSha(revision: string): boolean {
  return FULL_SHA.test(revision)
}

/**
 * Whether an observed revision is the wanted one by its name alone: equal (SHA letters in either case), or
 * wanted is an abbreviation of at least seven hex digits of the observed full SHA.
 */
export function sameRevision(wanted: string, observed: string): boolean {
  if (observed === '' || wanted === '') return false
  if (wanted === observed) return true
  if (!isFullSha(observed) || !SHORT_SHA.test(wanted)) return false
  return observed.toLowerCase().startsWith(wanted.toLowerCase())
}

/**
 * Reads `REVISION` or `SOURCE=REVISION[,SOURCE=REVISION…]`.
 *
 * An equals sign in a version range (`>=1.2.0`) does not separate, and a comma inside one does not either.
 *
 * @throws Error with a sentence for a person, where only some of the entries name a source
 */
export function parseWantedRevision(text: string): WantedRevision {
  // Git allows neither, and in a path both mean another one.
  if (/^\.{1,2}$/.test(text.trim())) throw new Error('is no revision')
  if (splitEntry(text) === undefined) return { kind: 'any-source', revision: text.trim() }
  const pieces: string[] = []
  for (const piece of text.split(',')) {
    if (pieces.length > 0 && RANGE_CONTINUED.test(piece)) pieces.push(`${pieces.pop()},${piece}`)
    else if (piece.trim() !== '') pieces.push(piece)
  }
  const entries = pieces.map((piece) => {
    const entry = splitEntry(piece)
    if (entry === undefined)
      throw new Error(
        `"${piece.trim()}" names no source; write SOURCE=REVISION for each, or one plain REVISION`,
      )
    return entry
  })
  const twice = entries.find((a, i) => entries.some((b, j) => j < i && a.source === b.source))
  if (twice !== undefined) throw new Error(`source "${twice.source}" is given more than one revision`)
  return { kind: 'per-source', entries }
}

/** The last separating equals sign counts: a repository's URL may hold one, a revision hardly ever does. */
function splitEntry(text: string): SourceRevision | undefined {
  const at = [...text.matchAll(SEPARATOR)].at(-1)?.index
  if (at === undefined) return undefined
  const source = text.slice(0, at).trim()
  const revision = text.slice(at + 1).trim()
  return source === '' || revision === '' ? undefined : { source, revision }
}

/** Writes a wanted revision for a message. */
export function formatWantedRevision(wanted: WantedRevision): string {
  if (wanted.kind === 'any-source') return wanted.revision
  return wanted.entries.map(({ source, revision }) => `${source}=${revision}`).join(', ')
}
