/** What `status.history` says of the order in which revisions were deployed. */

import type { Application } from './application.ts'
import { sameRevision } from './revision.ts'

/** The revisions of one source that were deployed, oldest first. */
function deployed({ status: { history } }: Application, index: number): readonly string[] {
  return history.map(
    ({ revision, revisions }) =>
      (revisions.length > 0 ? revisions[index] : index === 0 ? revision : undefined) ?? '',
  )
}

/** Whether a source's revision stands in the history under one of its names. */
export function wasDeployed(application: Application, index: number, names: readonly string[]): boolean {
  return deployed(application, index).some((one) => names.some((name) => sameRevision(name, one)))
}

/**
 * Whether the observed revision of a source was deployed after the wanted one. A revision that was also deployed
 * before the wanted one is a rollback, and no later commit. The history is cut at its beginning
 * (`revisionHistoryLimit`), and ids count from 0, so where the wanted one is the first that is left and not the
 * first that ever was, that rollback may have been cut away.
 *
 * @param names the wanted revision, and the hydrated revision that came of it
 */
export function deployedAfter(
  application: Application,
  index: number,
  observed: string,
  names: readonly string[],
): boolean {
  const revisions = deployed(application, index)
  const wantedAt = revisions.findIndex((one) => names.some((name) => sameRevision(name, one)))
  if (wantedAt < 0 || revisions.findIndex((one) => sameRevision(observed, one)) <= wantedAt) return false
  return wantedAt > 0 || application.status.history[0]?.id === 0
}
