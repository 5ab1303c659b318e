/** When the revision that an application runs is the one that was asked for: the rules of docs/verification.md. */

import { type Finding, failing, met, pending } from './check.ts'
import { anyComparisons, eachComparison, judge } from './equivalence.ts'
import { changedLastBy } from './monorepo.ts'
import { formatWantedRevision, type WantedRevision } from './revision.ts'
import { type Hint, hint } from './revision-hints.ts'
import { anySourceMatches, entryMatches, haveOneRevision, matchSource, twinsOf } from './revision-match.ts'
import { describeSource, isNamed, type ObservedSource, type RevisionContext } from './sources.ts'

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

function shown({ revision, shown: raw }: ObservedSource): string {
  if (revision !== '') return revision
  return raw === '' ? 'not known yet' : `not known yet (Argo CD shows ${raw}, which is no commit)`
}
