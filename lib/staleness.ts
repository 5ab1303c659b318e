/** What has ended since an application was last reconciled, so that its status is about what there was before. */

import { type Application, observedRevisions } from './application.ts'
import type { Known } from './knowledge.ts'
import { endedOperation, operationIsForOtherRevisions } from './operation-rules.ts'
import { SYNC_OVER } from './promises.ts'
import { remembered } from './remembered.ts'
import { sameRevision } from './revision.ts'
import { parseTime } from './time.ts'

/** Something that the status does not take into account yet, or may not. */
export interface Unreconciled {
  readonly what: 'operation' | 'hydration'
  /** A time of the server; `unknown` where it is not told. */
  readonly finishedAt: string
  /** It ended in the second in which the last comparison began. */
  readonly isOfOneSecond: boolean
  /** Where no refresh tells, time does: nothing tells when a hydrator has looked. */
  readonly settles: boolean
}

/**
 * The last operation, or hydration, where the application was last reconciled before its end; `undefined` where it was
 * not. All times are the server's, so its clock may be off by hours. They count whole seconds, and `reconciledAt` is
 * when a comparison began (`processAppRefreshQueueItem`): one of the same second as the end is from after it where it
 * found what was synced, or hydrated. Where it found another revision, it may have begun before.
 */
export const unreconciled = remembered((application: Application): Unreconciled | undefined => {
  const { spec, status } = application
  const operation = endedOperation(application)
  if (operation !== undefined) {
    const isOther = () => operationIsForOtherRevisions(application)
    const found = since('operation', application, operation.finishedAt, isOther)
    if (found !== undefined) return found
  }
  const hydration = spec.sourceHydrator === undefined ? undefined : status.sourceHydrator.currentOperation
  // What is at the commit that a hydration made was compared after it.
  if (hydration?.phase !== 'Hydrated' || hydration.finishedAt === undefined) return undefined
  const isThere = sameRevision(hydration.hydratedSHA ?? '', observedRevisions(application)[0] ?? '')
  return isThere ? undefined : since('hydration', application, hydration.finishedAt, () => true)
})

/**
 * When the application controller has compared once more after the end of the last operation, where no refresh tells:
 * it does after each (`processRequestedAppOperation`), but `reconciledAt` stays where that falls into the same second,
 * and the next comparison that moves it may be minutes away. `Infinity` where nothing waits for that.
 */
export function controllerLooksBy({ sighting, refreshes, changedAt }: Known): number {
  if (refreshes.answered > 0 || refreshes.isUnderWay) return Number.POSITIVE_INFINITY
  const application = sighting?.application
  const ended = application === undefined ? undefined : unreconciled(application)
  return ended?.settles === true ? changedAt + SYNC_OVER : Number.POSITIVE_INFINITY
}

/** @param isOther whether another revision was found than what came of it */
function since(
  what: Unreconciled['what'],
  { spec, status }: Application,
  finishedAt: string | undefined,
  isOther: () => boolean,
): Unreconciled | undefined {
  const finished = parseTime(finishedAt)
  const reconciled = parseTime(status.reconciledAt)
  const isOfOneSecond = reconciled === finished
  // Nothing rests on it where that is not said to be Synced.
  const mayBeBefore = isOfOneSecond && status.sync.status === 'Synced' && isOther()
  if (reconciled > finished || (isOfOneSecond && !mayBeBefore)) return undefined
  const settles = isOfOneSecond && what === 'operation' && spec.sourceHydrator === undefined
  return { what, finishedAt: finishedAt ?? 'unknown', isOfOneSecond, settles }
}
