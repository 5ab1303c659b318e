/** By which rule a source runs a wanted revision: rules 1 to 5 and `at-least` of docs/verification.md. Pure. */

import { canBeTag, commitOf } from './commits.ts'
import { deployedAfter } from './history.ts'
import { hydratedFrom, hydratedOf } from './hydration.ts'
import { type SourceRevision, sameRevision } from './revision.ts'
import { isNamed, isTwin, type ObservedSource, type RevisionContext, tracks } from './sources.ts'

/** How some source, and every twin of it, runs the wanted revision; `undefined` where none does. */
export function anySourceMatches(context: RevisionContext, wanted: string): string | undefined {
  for (const source of context.observed) {
    const how = matchSource(context, source, wanted)
    if (how !== undefined && haveOneRevision(twinsOf(context, source))) return how
  }
  return undefined
}

/** Whether every source that an entry means runs its revision. */
export function entryMatches(context: RevisionContext, { source: name, revision }: SourceRevision): boolean {
  const candidates = context.observed.filter((one) => isNamed(one, name))
  return candidates.every(
    (one) =>
      matchSource(context, one, revision) !== undefined &&
      haveOneRevision(candidates.filter((other) => isTwin(one, other))),
  )
}

/** A source, and those that are the same: Argo CD resolves each in its own call, and a push can fall in between. */
export function twinsOf({ observed }: RevisionContext, source: ObservedSource): readonly ObservedSource[] {
  return observed.filter((other) => other.index === source.index || isTwin(source, other))
}

/** Whether sources are all at one commit. */
export function haveOneRevision(sources: readonly ObservedSource[]): boolean {
  return sources.every(({ revision }) => revision.toLowerCase() === sources[0]?.revision.toLowerCase())
}

/** By which rule a source runs the wanted revision, as a sentence; `undefined` where it does not. */
export function matchSource(
  context: RevisionContext,
  observed: ObservedSource,
  wanted: string,
): string | undefined {
  const { application, policy, evidence } = context
  const { index, source, revision } = observed
  if (revision === '') return undefined
  if (sameRevision(wanted, revision)) return `revision is ${revision}`
  if (tracks(source, wanted) && evidence.refreshed)
    return `revision is ${revision}, where ${wanted} points after a refresh`
  if (hydratedFrom(application, revision, wanted, evidence))
    return `revision is ${revision}, hydrated from ${wanted}`
  const commit = canBeTag(context, observed, wanted) ? commitOf(evidence, observed) : undefined
  if (commit !== undefined && 'tags' in commit && commit.tags.includes(wanted))
    return `revision is ${revision}, tagged ${wanted}`
  if (policy === 'at-least') {
    const names = [wanted, ...hydratedOf(application, wanted, evidence)]
    if (names.some((name) => sameRevision(name, revision)))
      return `revision is ${revision}, which ${wanted} was hydrated to`
    if (deployedAfter(application, index, revision, names))
      return `revision is ${revision}, deployed after ${wanted}`
  }
  return undefined
}
