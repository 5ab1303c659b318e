/** What the source hydrator's status says of which dry commit an application runs. */

import { type Application, HYDRATE_ANNOTATION } from './application.ts'
import type { Evidence } from './evidence.ts'
import { sameRevision } from './revision.ts'
import { tracks } from './sources.ts'

/** The last hydration that succeeded, where the observed revision came of it; `undefined` where it did not. */
export function dryCommitOf({ spec, status }: Application, observed: string): string | undefined {
  const last = status.sourceHydrator.lastSuccessfulOperation
  if (spec.sourceHydrator === undefined || !sameRevision(last?.hydratedSHA ?? '', observed)) return undefined
  return last?.drySHA
}

/**
 * Rule 5: what a person promotes is the dry commit, what is synced is the commit hydrated from it. Only the last
 * hydration that succeeded says what became of a dry commit. `lastComparedDryRevision` alone proves nothing: it is
 * written when a dry commit has been looked at, before the hydration that may follow. Servers up to 3.4 write none,
 * and begin the hydration before they are done with the refresh: it shows as the current operation.
 */
export function hydratedFrom(
  application: Application,
  observed: string,
  wanted: string,
  { refreshed, hydratorLooked }: Evidence,
): boolean {
  const { spec, status } = application
  const dry = dryCommitOf(application, observed)
  if (spec.sourceHydrator === undefined || dry === undefined) return false
  if (sameRevision(wanted, dry)) return true
  const { lastComparedDryRevision: compared, currentOperation } = status.sourceHydrator
  const isLast = compared === undefined ? currentOperation?.phase === 'Hydrated' : sameRevision(compared, dry)
  return refreshed && hydratorLooked && tracks(spec.sourceHydrator.drySource, wanted) && isLast
}

/** Whether the hydrator has looked where the branch of the dry source points, once nobody asks it to any more. */
export function hasHydratorLooked({ metadata }: Application): boolean {
  return !(HYDRATE_ANNOTATION in metadata.annotations)
}

/** Whether a hydration goes on: one that is asked for meanwhile is answered by it, though it may have read Git before. */
export function isHydrating({ spec, status }: Application): boolean {
  return spec.sourceHydrator !== undefined && status.sourceHydrator.currentOperation?.phase === 'Hydrating'
}

/** The hydrated revisions that are known to have come of a wanted dry commit. */
export function hydratedOf(
  { spec, status }: Application,
  wanted: string,
  { hydrations }: Evidence,
): readonly string[] {
  if (spec.sourceHydrator === undefined) return []
  const { drySHA = '', hydratedSHA } = status.sourceHydrator.lastSuccessfulOperation ?? {}
  const seen = [...hydrations].filter(([dry]) => sameRevision(wanted, dry)).map(([, hydrated]) => hydrated)
  return hydratedSHA !== undefined && sameRevision(wanted, drySHA) ? [...seen, hydratedSHA] : seen
}
