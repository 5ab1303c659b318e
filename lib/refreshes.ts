/** What the answers to refreshes show: where a tracked revision points now. Pure. */

import { type Application, REFRESH_ANNOTATION, REFRESH_TIMESTAMP_ANNOTATION } from './application.ts'
import { isHydrating } from './hydration.ts'
import type { Known, Refreshes } from './knowledge.ts'
import { LONGEST_LAG, REFRESH_LOST } from './promises.ts'
import { observedSources } from './sources.ts'
import { unreconciled } from './staleness.ts'
import { parseTime } from './time.ts'

/** A refresh was asked for. */
export function refreshStarted({ refreshes, sighting }: Known, now: number): Refreshes {
  const application = sighting?.application
  return {
    ...refreshes,
    asked: refreshes.asked + 1,
    isUnderWay: true,
    startedAt: now,
    reconciledAt: refreshes.answered > 0 ? refreshes.reconciledAt : application?.status.reconciledAt,
    unreconciled: application === undefined ? undefined : unreconciled(application)?.finishedAt,
    isTimed: false,
    isAbsorbed: application !== undefined && isHydrating(application),
  }
}

/**
 * A refresh has come back with this Application, or its answer was not read.
 *
 * Up to Argo CD 3.5 a refresh that is asked for while another is under way is answered by that other one, which may
 * have read Git before the push. So it takes the answer to one that was asked for after another one of this run had
 * been answered; or one answer of a server that gives each its time, which was seen while it was under way and is
 * gone in the answer. The hydrator likewise looks into Git for nobody who asks while it hydrates. `reconciledAt` must have advanced, or nothing was compared; and Git must have been read. Where it
 * could not be, `reconciledAt` advances as well, and Argo CD's own next comparison may go by where a branch pointed
 * minutes ago, which its repository server remembers.
 */
export function refreshServed(
  { refreshes }: Known,
  application: Application | undefined,
  startedAt: number,
  now: number,
): Refreshes {
  const served = {
    ...refreshes,
    isUnderWay: false,
    answered: refreshes.answered + 1,
    answeredAt: now,
    firstAnsweredAt: refreshes.answered === 0 ? now : refreshes.firstAnsweredAt,
    servedAskedAt: startedAt,
    lost: 0,
  }
  if (application === undefined) return { ...served, futile: refreshes.futile + 1 }
  const { reconciledAt } = application.status
  const isLater = refreshes.answered > 0 && startedAt >= refreshes.answeredAt && !refreshes.isAbsorbed
  const isOwn = refreshes.isTimed && !(REFRESH_TIMESTAMP_ANNOTATION in application.metadata.annotations)
  const before = parseTime(refreshes.reconciledAt)
  const isCompared = Number.isNaN(before) ? reconciledAt !== undefined : parseTime(reconciledAt) > before
  const isRead = isFromGit(application)
  const isFresh = (isLater || isOwn) && isCompared && isRead
  return {
    ...served,
    futile: isRead && !isFresh ? refreshes.futile + 1 : refreshes.futile,
    reconciledAt: reconciledAt ?? refreshes.reconciledAt,
    fresh: isFresh ? { application, at: now } : refreshes.fresh,
    comparedAfter: isFresh ? undefined : refreshes.comparedAfter,
  }
}

/** Whether Git was read for a status: what fails is Unknown, and local manifests leave no commit. */
export function isFromGit(application: Application): boolean {
  const { status } = application.status.sync
  if (status !== 'Synced' && status !== 'OutOfSync') return false
  return observedSources(application).every(({ revision }) => revision !== '')
}

/** While a refresh is under way, the Application tells how that goes, as a request for it shows. */
export function refreshObserved(known: Known): Refreshes {
  const { refreshes, sighting } = known
  const application = sighting?.application
  if (!refreshes.isUnderWay || application === undefined || sighting === undefined) return refreshes
  const { annotations } = application.metadata
  if (REFRESH_TIMESTAMP_ANNOTATION in annotations && sighting.asOf > refreshes.startedAt)
    return refreshes.isTimed ? refreshes : { ...refreshes, isTimed: true }
  // Nobody is at it: the request, or its answer, was lost on the way. It is asked for again.
  // A list is a little behind; what a stream lives on may be behind by any time.
  const lag = {
    look: 0,
    list: LONGEST_LAG,
    refresh: Number.POSITIVE_INFINITY,
    stream: Number.POSITIVE_INFINITY,
  }[sighting.source]
  const isLost =
    sighting.asOf > refreshes.startedAt + REFRESH_LOST + lag && !(REFRESH_ANNOTATION in annotations)
  return isLost ? { ...refreshes, isUnderWay: false, lost: refreshes.lost + 1 } : refreshes
}
