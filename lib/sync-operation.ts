/** Whose an operation is, what it is for and how it stands. Pure. */

import { type Application, observedRevisions } from './application.ts'
import { isMet } from './check.ts'
import { NO_EVIDENCE } from './evidence.ts'
import type { Knowledge, Known } from './knowledge.ts'
import { operatedRevisions } from './operation-rules.ts'
import { SYNC_OVER } from './promises.ts'
import { sameRevision } from './revision.ts'
import { revisionContext, tracks } from './sources.ts'
import type { OwnSync, SyncTarget } from './syncs.ts'
import { parseTime } from './time.ts'

const NOT = Number.POSITIVE_INFINITY

/** Argo CD's own test (`SyncPolicy.IsAutomatedSyncEnabled`). */
export function isAutomated({ spec: { syncPolicy } }: Application): boolean {
  return syncPolicy.automated !== undefined && syncPolicy.automated.enabled !== false
}

/** Whether an operation is asked for, or has not ended. */
export function isUnderWay({ operation, status: { operationState } }: Application): boolean {
  return operation !== undefined || (operationState !== undefined && !hasEnded(operationState.phase))
}

/** Whether an operation in this phase has ended for good. */
export function hasEnded(phase: string | undefined): boolean {
  return phase === 'Succeeded' || phase === 'Failed' || phase === 'Error'
}

/** Whether the operation under way is a sync of everything to the revisions of a target. */
export function isForTarget(application: Application, target: SyncTarget): boolean {
  const state = application.status.operationState
  const sync = state?.operation.sync
  if (sync === undefined || sync.dryRun === true || sync.resources > 0 || sync.manifests > 0) return false
  return areSame(application, operatedRevisions(application), target)
}

/** Whether revisions of an operation are those of a target: named ones, and else what is compared with. */
function areSame(application: Application, operated: readonly string[], target: SyncTarget): boolean {
  const context = revisionContext(application, 'exact', NO_EVIDENCE)
  return context.observed.every(({ index, revision, source }) => {
    const done = operated[index] ?? ''
    const named = target.revisions.find((one) => one.index === index)?.revision
    if (named !== undefined) return sameRevision(named, done)
    return done === '' || sameRevision(done, revision) || tracks(source, done)
  })
}

type Context = Pick<Knowledge, 'policy' | 'seed'>

/** Under this name a run's id stands in the `info` of an operation. */
export const INFO_NAME = 'kpcea'

/** Whether what somebody wrote into an operation carries an id. */
export function carries(
  info: readonly { readonly name: string | undefined; readonly value: string | undefined }[],
  id: string,
): boolean {
  return info.some(({ name, value }) => name === INFO_NAME && value === id)
}

/** What stands in the operations that a run starts: the id of the settings, or one that no other run has. */
export function idOf({ policy, seed }: Context): string {
  return policy.sync?.id ?? `run-${(seed >>> 0).toString(16).padStart(8, '0')}`
}

/** An operation that carries an id; `isAsked`: it has not begun. */
export function carried(application: Application, id: string): { readonly isAsked: boolean } | undefined {
  const { operation, status } = application
  const state = status.operationState
  if (state !== undefined && carries(state.operation.info, id)) return { isAsked: false }
  return operation !== undefined && carries(operation.info, id) ? { isAsked: true } : undefined
}

/** Two operations do not begin at the same time. */
export function identified({ startedAt }: OwnSync, { status }: Application) {
  return status.operationState?.startedAt === startedAt ? { isAsked: false } : undefined
}

/**
 * Whether what was seen last does not show the run's own operation, of which nobody knows how it ended: another may
 * have taken its place, or a cache is behind, and a request for the application tells which.
 */
export function isOutOfSight({ syncing: { own }, sighting }: Known, context: Context): boolean {
  const application = sighting?.application
  if (own === undefined || application === undefined || own.isFollowed || hasEnded(own.phase)) return false
  return (
    (own.id === undefined ? identified(own, application) : carried(application, idOf(context))) === undefined
  )
}

/**
 * Whether what was seen is from after the end of the run's own operation. Times of the server count whole seconds, and
 * a sync that is started straight after a refresh can end in the second in which that refresh was done: so where the
 * two are equal, it takes a refresh that was asked for after the end was seen, or, without refreshes, some time.
 */
export function isAfterOwn({ syncing: { own }, refreshes, sighting }: Known, now: number): boolean {
  const status = sighting?.application?.status
  if (own?.endedAt === undefined || own.isFollowed || status === undefined || sighting === undefined)
    return true
  if (parseTime(status.reconciledAt) > parseTime(own.finishedAt)) return true
  if (refreshes.answered > 0 && refreshes.servedAskedAt >= own.endedAt)
    return sighting.asOf >= refreshes.servedAskedAt
  return now >= own.endedAt + SYNC_OVER
}

/**
 * When time alone tells that what is seen is from after the end of the run's own operation; `Infinity`: that is not
 * waited for. Nothing has to change until then, so somebody has to look.
 */
export function isOwnOverAt({ syncing: { own }, checks }: Known): number {
  if (own?.phase !== 'Succeeded' || own.endedAt === undefined || own.isFollowed) return NOT
  const isStale = checks.some((check) => check.code === 'StatusStale' && !isMet(check))
  return isStale ? own.endedAt + SYNC_OVER : NOT
}

/** The revisions that an operation of a run was for, as far as they are known. */
export function revisionsOf(own: OwnSync, application: Application | undefined): readonly string[] {
  if (application === undefined || own.isFollowed || own.startedAt === undefined) return own.revisions
  const operated = operatedRevisions(application).filter((revision) => revision !== '')
  return operated.length > 0 ? operated : own.revisions
}

/**
 * Whether what another operation did, that took the place of ours on record, is what ours was to do: it succeeded, in
 * full, for the same revisions or those observed; or the history tells of a sync to them since.
 */
export function isDoneByOther(own: OwnSync, application: Application): boolean {
  const { operationState: state, history } = application.status
  const isSame = (revisions: readonly string[]) =>
    own.revisions.every((wanted) => revisions.some((one) => sameRevision(wanted, one)))
  const sync = state?.operation.sync
  const isFull = sync !== undefined && sync.dryRun !== true && sync.resources === 0 && sync.manifests === 0
  const operated = operatedRevisions(application)
  // What is observed must be what is wanted besides, so a sync to that is as good.
  const isOfObserved = observedRevisions(application).every((one, i) => sameRevision(operated[i] ?? '', one))
  if (state?.phase === 'Succeeded' && isFull && (isOfObserved || isSame(operated))) return true
  return (
    !hasEnded(own.phase) &&
    history.some(
      ({ id, revision, revisions }) =>
        (id ?? 0) > own.historyId && isSame(revision === undefined ? revisions : [revision]),
    )
  )
}

/** Whether the operation on record is the run's own, and has ended. */
export function isOwnOnRecord({ own }: Known['syncing']): boolean {
  return own !== undefined && hasEnded(own.phase) && !own.isFollowed
}

/** Whether the run's own operation failed, and Argo CD will not try it again: nothing is gained by waiting. */
export function hasOwnSyncFailed({ syncing: { own }, checks }: Known): boolean {
  return (
    own !== undefined &&
    hasEnded(own.phase) &&
    own.phase !== 'Succeeded' &&
    checks.some(({ code, state }) => code === 'OperationFailed' && state === 'failing')
  )
}
