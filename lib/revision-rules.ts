/** When the revision that an application runs is the one that was asked for: the rules of docs/verification.md. */

import { type Finding, failing, met, pending } from './check.ts'
import { canBeTag, commitOf } from './commits.ts'
import { anyComparisons, changedLastBy, eachComparison, judge } from './equivalence.ts'
import { deployedAfter } from './history.ts'
import { hydratedFrom, hydratedOf } from './hydration.ts'
import { formatWantedRevision, type SourceRevision, sameRevision, type WantedRevision } from './revision.ts'
import { type Hint, hint } from './revision-hints.ts'
import {
  describeSource,
  isNamed,
  isTwin,
  type ObservedSource,
  type RevisionContext,
  tracks,
} from './sources.ts'

/** Whether each wanted revision is what its source, or any source, runs; the sentence says expected and found. */
export function matchRevisions(context: RevisionContext, wanted: WantedRevision): Finding {
  return wanted.kind === 'any-source'
    ? matchAnySource(context, wanted.revision)
    : matchEachSource(context, wanted)
}

function matchAnySource(context: RevisionContext, wanted: string): Finding {
  const { application, observed } = context
  const how = anySourceMatches(context, wanted)
  if (how !== undefined) return met(how)
  const found = observed.map(shown).join(', ')
  const torn = observed.find(
    (source) =>
      matchSource(context, source, wanted) !== undefined && !haveOneRevision(twinsOf(context, source)),
  )
  if (torn !== undefined)
    return pending(
      `revision is ${found}: ${describeSource(torn)} is a source several times, and Argo CD has seen it at several commits`,
    )
  const rendered = judge(
    context,
    anyComparisons(context, wanted),
    observed.flatMap((one) => (changedLastBy(application, one, wanted) ? [[one, wanted] as const] : [])),
  )
  if (rendered.same) return met(`revision is ${found}, ${rendered.message} ${wanted}`)
  const more = hint(context, observed, wanted)
  return withNext(
    pending(`revision is ${found}, not ${wanted}${rendered.message}${more?.says ?? ''}`),
    more === undefined ? [] : [more],
  )
}

/** How some source, and every twin of it, runs the wanted revision; `undefined` where none does. */
export function anySourceMatches(context: RevisionContext, wanted: string): string | undefined {
  for (const source of context.observed) {
    const how = matchSource(context, source, wanted)
    if (how !== undefined && haveOneRevision(twinsOf(context, source))) return how
  }
  return undefined
}

function matchEachSource(
  context: RevisionContext,
  wanted: Extract<WantedRevision, { kind: 'per-source' }>,
): Finding {
  const { observed } = context
  const stranger = wanted.entries.find(({ source }) => observed.every((one) => !isNamed(one, source)))
  if (stranger !== undefined) {
    const names = observed.filter(({ source }) => source.repoURL !== undefined).map(describeSource)
    return failing(`no source is called "${stranger.source}"; the sources are ${names.join(', ') || 'none'}`)
  }
  const unmet = wanted.entries.filter((entry) => !entryMatches(context, entry))
  if (unmet.length === 0) return met(`revisions are ${formatWantedRevision(wanted)}`)
  const rendered = judge(
    context,
    eachComparison(context, unmet),
    unmet.flatMap(({ source: name, revision }) =>
      observed.filter((one) => isNamed(one, name)).map((one) => [one, revision] as const),
    ),
  )
  if (rendered.same)
    return met(
      `revisions are ${observed.map(shown).join(', ')}, ${rendered.message} ${formatWantedRevision(wanted)}`,
    )
  const hints: Hint[] = []
  const complaints = unmet.map(({ source: name, revision }) => {
    // Where a name fits several sources, each of them is meant.
    const candidates = observed.filter((one) => isNamed(one, name))
    const found = candidates.map(shown).join(', ')
    const more = hint(context, candidates, revision)
    if (more !== undefined) hints.push(more)
    return `revision of ${name} is ${found}, not ${revision}${more?.says ?? ''}`
  })
  return withNext(pending(`${complaints.join('; ')}${rendered.message}`), hints)
}

/** A finding with the first next step that the hints know. */
function withNext(finding: Finding, hints: readonly Hint[]): Finding {
  if (hints.length === 0) return finding
  return { ...finding, next: hints.find(({ next }) => next !== null)?.next ?? null }
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

/** Argo CD resolves each source in its own call, and a push can fall in between. */
function twinsOf({ observed }: RevisionContext, source: ObservedSource): readonly ObservedSource[] {
  return observed.filter((other) => other.index === source.index || isTwin(source, other))
}

function haveOneRevision(sources: readonly ObservedSource[]): boolean {
  return new Set(sources.map(({ revision }) => revision.toLowerCase())).size <= 1
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
  const commit = commitOf(evidence, observed)
  if (
    canBeTag(context, observed, wanted) &&
    commit !== undefined &&
    'tags' in commit &&
    commit.tags.includes(wanted)
  )
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

function shown({ revision, shown: raw }: ObservedSource): string {
  if (revision !== '') return revision
  return raw === '' ? 'not known yet' : `not known yet (Argo CD shows ${raw}, which is no commit)`
}
