/** What could still decide about a revision, and would have to be asked for: pure, and the same until it is known. */

import { type Application, hasMultipleSources, sourcesOf } from './application.ts'
import { canBeTag, commitKey } from './commits.ts'
import { anyComparisons, eachComparison } from './equivalence.ts'
import type { CommitRequest, Comparison, Evidence } from './evidence.ts'
import type { WantedRevision } from './revision.ts'
import { anySourceMatches, entryMatches, matchSource } from './revision-match.ts'
import { isGit, isNamed, type ObservedSource, observedSources, revisionContext, tracks } from './sources.ts'
import type { Wanted } from './wanted.ts'

/**
 * The commits that could decide: every synced Git commit where its message counts, and where a wanted revision that
 * no other rule finds could be one of its tags. A chart and an OCI artifact have no commit.
 */
export function commitsNeeded(
  application: Application,
  wanted: Wanted,
  evidence: Evidence,
): readonly CommitRequest[] {
  const context = revisionContext(application, wanted.revisionPolicy, evidence)
  const several = hasMultipleSources(application)
  return context.observed.flatMap((observed): CommitRequest[] => {
    const { index, source, revision } = observed
    if (revision === '' || !isGit(source)) return []
    const couldBeTag = wantedOf(wanted.revision, observed).some(
      (one) => canBeTag(context, observed, one) && matchSource(context, observed, one) === undefined,
    )
    if (wanted.commitMessage === undefined && !couldBeTag) return []
    return [{ key: commitKey(index, revision), revision, sourceIndex: several ? index : undefined }]
  })
}

/** The renderings that could decide: of policy `equivalent` only, and only where no other rule finds the revision. */
export function comparisonsNeeded(
  application: Application,
  { revision, revisionPolicy }: Wanted,
  evidence: Evidence,
): readonly Comparison[] {
  if (revision === undefined || revisionPolicy !== 'equivalent') return []
  const context = revisionContext(application, revisionPolicy, evidence)
  if (revision.kind === 'any-source') {
    const isFound = anySourceMatches(context, revision.revision) !== undefined
    return isFound ? [] : anyComparisons(context, revision.revision)
  }
  const { entries } = revision
  if (entries.some(({ source }) => context.observed.every((one) => !isNamed(one, source)))) return []
  const unmet = entries.filter((entry) => !entryMatches(context, entry))
  return unmet.length === 0 ? [] : eachComparison(context, unmet)
}

/** Whether fresh evidence of where a branch, tag or version range points could decide (rules 3 and 5). */
export function refreshDecides(application: Application, { revision }: Wanted): boolean {
  const drySource = application.spec.sourceHydrator?.drySource
  return observedSources(application).some((observed) =>
    wantedOf(revision, observed).some(
      (one) =>
        (sourcesOf(application).length > 0 && tracks(observed.source, one)) ||
        (drySource !== undefined && tracks(drySource, one)),
    ),
  )
}

function wantedOf(wanted: WantedRevision | undefined, source: ObservedSource): readonly string[] {
  if (wanted === undefined) return []
  if (wanted.kind === 'any-source') return [wanted.revision]
  return wanted.entries.filter(({ source: name }) => isNamed(source, name)).map(({ revision }) => revision)
}
