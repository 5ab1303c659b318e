/** What a person would want to know of a revision that does not match: only what is certain is said. */

import type { Application } from './application.ts'
import { canBeTag, commitOf } from './commits.ts'
import { changedLastBy } from './equivalence.ts'
import { deployedAfter, wasDeployed } from './history.ts'
import { hydratedOf } from './hydration.ts'
import { isSha, sameRevision } from './revision.ts'
import { type ObservedSource, type RevisionContext, tracks } from './sources.ts'

/** Fewer digits than Git's shortest abbreviation. */
const TOO_SHORT = /^[0-9a-f]{1,6}$/i

const EQUIVALENT = 'KPCEA_REVISION_POLICY=equivalent accepts a revision that renders the same manifests'

/** What there is to say of sources that do not run the wanted revision, as the rest of a sentence; or nothing. */
export function hint(context: RevisionContext, observed: readonly ObservedSource[], wanted: string): string {
  const known = observed.filter(({ revision }) => revision !== '')
  return (
    tooShort(known, wanted) ??
    tracked(context, known, wanted) ??
    notHydrated(context, wanted) ??
    replaced(context, known, wanted) ??
    tagged(context, known, wanted) ??
    ''
  )
}

function tooShort(observed: readonly ObservedSource[], wanted: string): string | undefined {
  const begins = observed.some(({ revision }) => revision.toLowerCase().startsWith(wanted.toLowerCase()))
  return TOO_SHORT.test(wanted) && begins ? '; an abbreviated SHA needs at least 7 digits' : undefined
}

function tracked(
  { application, evidence }: RevisionContext,
  observed: readonly ObservedSource[],
  wanted: string,
): string | undefined {
  const drySource = application.spec.sourceHydrator?.drySource
  const isTracked =
    observed.some(({ source }) => tracks(source, wanted)) ||
    (drySource !== undefined && tracks(drySource, wanted))
  if (!isTracked) return undefined
  if (!evidence.refreshed) return ', because no refresh has shown yet where it points'
  const { lastComparedDryRevision: compared, lastSuccessfulOperation: last } =
    application.status.sourceHydrator
  if (drySource === undefined || compared === undefined || sameRevision(compared, last?.drySHA ?? ''))
    return undefined
  return `; ${wanted} is at ${compared}, and ${last?.drySHA ?? 'nothing'} is what was hydrated last`
}

/** A dry commit whose hydration is not what is observed. */
function notHydrated({ application, policy }: RevisionContext, wanted: string): string | undefined {
  const { spec, status } = application
  if (spec.sourceHydrator === undefined) return undefined
  const {
    currentOperation,
    lastComparedDryRevision: compared,
    lastSuccessfulOperation: last,
  } = status.sourceHydrator
  if (sameRevision(wanted, last?.drySHA ?? ''))
    return `; it is hydrated to ${last?.hydratedSHA ?? 'nothing'}, and that is not what is synced`
  const isUnderWay = currentOperation !== undefined && currentOperation.phase !== 'Hydrated'
  if (isUnderWay || !sameRevision(wanted, compared ?? '')) return undefined
  const way = policy === 'equivalent' ? '' : `; ${EQUIVALENT}`
  return `; Argo CD has looked at it and not hydrated it: that is still to come, or it changes nothing here${way}`
}

/** A wanted revision that was there, and is not any more. */
function replaced(
  { application, policy, evidence }: RevisionContext,
  observed: readonly ObservedSource[],
  wanted: string,
): string | undefined {
  if (policy !== 'equivalent' && observed.some((source) => changedLastBy(application, source, wanted)))
    return `; it is the last commit that changed this application, by its mrp-controller annotations (${EQUIVALENT})`
  const names = [wanted, ...hydratedOf(application, wanted, evidence)]
  const source = observed.find(({ index }) => wasDeployed(application, index, names))
  if (source === undefined) return undefined
  const { index, revision } = source
  if (policy === 'exact' && deployedAfter(application, index, revision, names))
    return '; it was deployed before, so another revision has replaced it (KPCEA_REVISION_POLICY=at-least accepts a later one)'
  if (policy !== 'equivalent' && isSha(wanted) && movedOn(application, source))
    return `; it was deployed before, and the revision has moved on without a sync since (${EQUIVALENT})`
  return '; it was deployed before, so another revision has replaced it'
}

/** A commit that changes nothing for the application is observed, and never deployed. */
function movedOn(application: Application, { index, revision }: ObservedSource): boolean {
  return application.status.sync.status === 'Synced' && !wasDeployed(application, index, [revision])
}

function tagged(
  context: RevisionContext,
  observed: readonly ObservedSource[],
  wanted: string,
): string | undefined {
  if (isSha(wanted)) return undefined
  const source = observed.find((one) => canBeTag(context, one, wanted))
  if (source === undefined) return undefined
  const commit = commitOf(context.evidence, source)
  if (commit === undefined) return '; its tags are not known yet'
  if ('problem' in commit) return `; its tags cannot be had (${commit.problem})`
  return '; it has no such tag in the clone of Argo CD, which does not see a tag that was made after it had fetched the commit'
}
