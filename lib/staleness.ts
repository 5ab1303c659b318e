/** What has ended since an application was last reconciled, so that its status is about what there was before. */

import { type Application, observedRevisions } from './application.ts'
import { endedOperation, operationIsForOtherRevisions } from './operation-rules.ts'
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
  const hydration = spec.sourceHydrator === undefined ? undefined : status.sourceHydrator.currentOperation
  const isOther = (hydrated: string) => !sameRevision(hydrated, observedRevisions(application)[0] ?? '')
  if (operation !== undefined) {
    const since = reconciledSince(application, operation.finishedAt)
    if (since === 'no' || (since === 'maybe' && operationIsForOtherRevisions(application)))
      return unreconciledBy('operation', operation.finishedAt, since)
  }
  // What is at the commit that a hydration made was compared after it.
  if (
    hydration?.phase === 'Hydrated' &&
    hydration.finishedAt !== undefined &&
    isOther(hydration.hydratedSHA ?? '')
  ) {
    const since = reconciledSince(application, hydration.finishedAt)
    if (since !== 'yes') return unreconciledBy('hydration', hydration.finishedAt, since)
  }
  return undefined
})

function reconciledSince({ status }: Application, finishedAt: string | undefined): 'yes' | 'no' | 'maybe' {
  const finished = parseTime(finishedAt)
  const reconciled = parseTime(status.reconciledAt)
  if (reconciled > finished) return 'yes'
  return reconciled === finished ? 'maybe' : 'no'
}

function unreconciledBy(
  what: Unreconciled['what'],
  finishedAt: string | undefined,
  since: 'no' | 'maybe',
): Unreconciled {
  return { what, finishedAt: finishedAt ?? 'unknown', isOfOneSecond: since === 'maybe' }
}
