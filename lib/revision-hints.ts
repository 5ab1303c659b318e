/** What a person would want to know of a revision that does not match: only what is certain is said. */

import type { Application } from './application.ts'
import { canBeTag, commitOf } from './commits.ts'
import { deployedAfter, wasDeployed } from './history.ts'
import { hydratedOf } from './hydration.ts'
import { changedLastBy } from './monorepo.ts'
import { isSha, sameRevision } from './revision.ts'
import { type ObservedSource, type RevisionContext, tracks } from './sources.ts'

/** Fewer digits than Git's shortest abbreviation. */
const TOO_SHORT = /^[0-9a-f]{1,6}$/i
const ENOUGH = 8

const EQUIVALENT = 'KPCEA_REVISION_POLICY=equivalent accepts a revision that renders the same manifests'

/** What there is to say of a revision that does not match. */
export interface Hint {
  /** The rest of a sentence. */
  readonly says: string
  /** What to try; `null`: nothing that is known. */
  readonly next: string | null
}

const TAG_NEXT = 'verify the commit that the tag points at, or is it the branch of another source?'
const AT_LEAST_NEXT = 'if a later revision will do, add --revision-policy at-least'
const EQUIVALENT_NEXT = 'if what it renders is what counts, add --revision-policy equivalent'

/** What there is to say of sources that do not run the wanted revision, where there is something. */
export function hint(
  context: RevisionContext,
  observed: readonly ObservedSource[],
  wanted: string,
): Hint | undefined {
  const known = observed.filter(({ revision }) => revision !== '')
  return (
    tooShort(known, wanted) ??
    tracked(context, known, wanted) ??
    notHydrated(context, wanted) ??
    replaced(context, known, wanted) ??
    tagged(context, known, wanted)
  )
}

function tooShort(observed: readonly ObservedSource[], wanted: string): Hint | undefined {
  const meant = observed.find(({ revision }) => revision.toLowerCase().startsWith(wanted.toLowerCase()))
  if (!TOO_SHORT.test(wanted) || meant === undefined) return undefined
  return {
    says: '; an abbreviated SHA needs at least 7 digits',
    next: `give more of it, if that is meant: --revision ${meant.revision.slice(0, ENOUGH)}`,
  }
}

function tracked(
  { application, evidence }: RevisionContext,
  observed: readonly ObservedSource[],
  wanted: string,
): Hint | undefined {
  const drySource = application.spec.sourceHydrator?.drySource
  const isTracked =
    observed.some(({ source }) => tracks(source, wanted)) ||
    (drySource !== undefined && tracks(drySource, wanted))
  if (!isTracked) return undefined
  if (!evidence.refreshed) return { says: ', because no refresh has shown yet where it points', next: null }
  const { lastComparedDryRevision: compared, lastSuccessfulOperation: last } =
    application.status.sourceHydrator
  if (drySource === undefined || compared === undefined || sameRevision(compared, last?.drySHA ?? ''))
    return undefined
  const says = `; ${wanted} is at ${compared}, and ${last?.drySHA ?? 'nothing'} is what was hydrated last`
  return { says, next: null }
}

/** A dry commit whose hydration is not what is observed. */
function notHydrated({ application, policy }: RevisionContext, wanted: string): Hint | undefined {
  const { spec, status } = application
  if (spec.sourceHydrator === undefined) return undefined
  const {
    currentOperation,
    lastComparedDryRevision: compared,
    lastSuccessfulOperation: last,
  } = status.sourceHydrator
  if (sameRevision(wanted, last?.drySHA ?? ''))
    return {
      says: `; it is hydrated to ${last?.hydratedSHA ?? 'nothing'}, and that is not what is synced`,
      next: null,
    }
  const isUnderWay = currentOperation !== undefined && currentOperation.phase !== 'Hydrated'
  if (isUnderWay || !sameRevision(wanted, compared ?? '')) return undefined
  const way = policy === 'equivalent' ? '' : `; ${EQUIVALENT}`
  return {
    says: `; Argo CD has looked at it and not hydrated it: that is still to come, or it changes nothing here${way}`,
    next: policy === 'equivalent' ? null : EQUIVALENT_NEXT,
  }
}

/** A wanted revision that was there, and is not any more. */
function replaced(
  { application, policy, evidence }: RevisionContext,
  observed: readonly ObservedSource[],
  wanted: string,
): Hint | undefined {
  if (policy !== 'equivalent' && observed.some((source) => changedLastBy(application, source, wanted)))
    return {
      says: `; it is the last commit that changed this application, by its mrp-controller annotations (${EQUIVALENT})`,
      next: EQUIVALENT_NEXT,
    }
  const names = [wanted, ...hydratedOf(application, wanted, evidence)]
  const source = observed.find(({ index }) => wasDeployed(application, index, names))
  if (source === undefined) return undefined
  const { index, revision } = source
  if (policy === 'exact' && deployedAfter(application, index, revision, names))
    return {
      says: '; it was deployed before, so another revision has replaced it (KPCEA_REVISION_POLICY=at-least accepts a later one)',
      next: AT_LEAST_NEXT,
    }
  if (policy !== 'equivalent' && isSha(wanted) && movedOn(application, source))
    return {
      says: `; it was deployed before, and the revision has moved on without a sync since (${EQUIVALENT})`,
      next: EQUIVALENT_NEXT,
    }
  return { says: '; it was deployed before, so another revision has replaced it', next: null }
}

/** A commit that changes nothing for the application is observed, and never deployed. */
function movedOn(application: Application, { index, revision }: ObservedSource): boolean {
  return application.status.sync.status === 'Synced' && !wasDeployed(application, index, [revision])
}

function tagged(
  context: RevisionContext,
  observed: readonly ObservedSource[],
  wanted: string,
): Hint | undefined {
  if (isSha(wanted)) return undefined
  const source = observed.find((one) => canBeTag(context, one, wanted))
  if (source === undefined) return undefined
  const commit = commitOf(context.evidence, source)
  if (commit === undefined) return { says: '; its tags are not known yet', next: null }
  if ('problem' in commit) return { says: `; its tags cannot be had (${commit.problem})`, next: TAG_NEXT }
  return {
    says: '; it has no such tag in the clone of Argo CD, which does not see a tag that was made after it had fetched the commit',
    next: TAG_NEXT,
  }
}
