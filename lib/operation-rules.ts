/** What the last operation of an application says of it: the checks OperationInProgress and OperationFailed. */

import { type Application, hasMultipleSources, isOneAttempt, observedRevisions } from './application.ts'
import { type Finding, failing, met, pending } from './check.ts'
import { because, nameOf, some } from './phrase.ts'
import { isFullSha } from './revision.ts'

/** What Argo CD keeps of the last operation. */
export type OperationState = NonNullable<Application['status']['operationState']> & {
  /**
   * Its results were not known when another operation took its place on record, one that makes up for all but hooks:
   * whether a hook had failed nobody can tell any more.
   */
  readonly areResultsLost?: true
}

/** Phases of an operation that has ended. Any other, known or not, is still in progress. */
const ENDED_PHASES: ReadonlySet<string> = new Set(['Succeeded', 'Failed', 'Error'])

const hasEnded = ({ phase }: OperationState): boolean => ENDED_PHASES.has(phase ?? '')
const isDryRun = ({ operation }: OperationState): boolean => operation.sync?.dryRun === true
/** Of some resources only. Argo CD runs no hooks then, and writes no history (`skipHooks`, `persistRevisionHistory`). */
const isPartial = ({ operation }: OperationState): boolean => (operation.sync?.resources ?? 0) > 0

/**
 * Whether an attempt of the operation in progress has failed. Argo CD waits to retry with phase Running and
 * `finishedAt` set, and counts the attempts that have failed (`processRequestedAppOperation`).
 */
function attemptHasFailed(state: OperationState): boolean {
  if (isDryRun(state)) return false
  if (state.phase === 'Terminating') return state.retryCount > 0
  return state.phase === 'Running' && (state.retryCount > 0 || state.finishedAt !== undefined)
}

/**
 * OperationInProgress: a sync that runs, or is asked for, is about to change what is seen. One whose attempts fail
 * is told of by OperationFailed, which is never met then: automated sync retries five times by default, and for
 * those six minutes "in progress" would be no news.
 */
export function noOperationInProgress({ operation, status: { operationState } }: Application): Finding {
  if (operationState !== undefined && !hasEnded(operationState)) {
    const { phase, message } = operationState
    if (phase === 'Running' && attemptHasFailed(operationState))
      return met('the operation in progress retries what has failed, see OperationFailed')
    return pending(`an operation is ${phase ?? 'in an unknown phase'}${because(message)}`)
  }
  if (operation !== undefined) return pending('an operation is asked for and has not begun')
  return met('no operation is in progress')
}

/** Whether the last operation on record may have taken the place of one that failed, without making up for it. */
export function mayHideFailure({ status: { operationState: state } }: Application): boolean {
  if (state === undefined) return false
  return isDryRun(state) || isPartial(state) || state.phase === 'Failed' || state.phase === 'Error'
}

/**
 * A dry run takes the place of the operation before it in the Application, and mends nothing: one that failed counts
 * on until another that was no dry run is seen. So does one of some resources only, where a hook had failed: it runs
 * no hooks.
 *
 * @param failed the last operation that ended, where it failed, and what `failedOperation` said of earlier Applications
 */
export function withHiddenFailure(application: Application, failed: OperationState | undefined): Application {
  const { operationState } = application.status
  if (failed === undefined || operationState === undefined || !hasEnded(operationState)) return application
  const isHiding =
    isDryRun(operationState) || (isPartial(operationState) && operationState.phase === 'Succeeded')
  return isHiding ? withOperation(application, failed) : application
}

/** Likewise an operation that failed and is excused: it has not come to the hooks that had failed before it. */
export function withUnexcusedFailure(
  application: Application,
  failed: OperationState | undefined,
): Application {
  return failed !== undefined && isExcused(application) ? withOperation(application, failed) : application
}

/** An Application as it is judged: an older failure in the place of the operation on record, where that counts on. */
export function withFailure(application: Application, failed: OperationState | undefined): Application {
  return withUnexcusedFailure(withHiddenFailure(application, failed), failed)
}

/** An Application with the results of the failure that stands in it, which those of a later operation do not tell. */
export function withResultsOf(application: Application, failed: OperationState | undefined): Application {
  const { operationState } = application.status
  if (failed?.syncResult?.resources === undefined || operationState === undefined) return application
  return isOneAttempt(failed, operationState) ? withOperation(application, failed) : application
}

function withOperation(application: Application, operationState: OperationState): Application {
  return { ...application, status: { ...application.status, operationState } }
}

/**
 * The last operation that ended and was no dry run, where it failed; `before`: while there is no later one. Where one
 * of its hooks failed, or its results are not known, only one that succeeded is a later one, or one whose hooks failed
 * as well: what failed before its hooks, or is of some resources only, has not run them. So it is with an attempt that
 * is to be followed by another: Argo CD drops its results when that begins (`processRequestedAppOperation`).
 */
export function failedOperation(
  { status: { operationState } }: Application,
  before: OperationState | undefined,
): OperationState | undefined {
  if (operationState === undefined || isDryRun(operationState)) return before
  if (!hasEnded(operationState)) return failedAttempt(operationState, before)
  const hasSucceeded = operationState.phase === 'Succeeded'
  const isToldMore = before?.syncResult?.resources === undefined && isOneAttempt(before, operationState)
  if (before !== undefined && mayHaveFailedHook(before) && !isToldMore) {
    const hasRunHooks = hasSucceeded ? !isPartial(operationState) : failedOf(operationState).some(isHook)
    if (!hasRunHooks) return areResultsUnknown(before) ? { ...before, areResultsLost: true } : before
  }
  const isLocal = (operationState.operation.sync?.manifests ?? 0) !== 0
  return hasSucceeded || isLocal ? undefined : operationState
}

/**
 * Likewise the last attempt of an operation in progress, as the end of it, where it may have failed in a hook: one that
 * is under way has results of its own by and by, which tell where they are known.
 */
function failedAttempt(
  state: OperationState,
  before: OperationState | undefined,
): OperationState | undefined {
  const attempt = { ...state, phase: 'Failed' }
  const isToldMore = before?.syncResult?.resources === undefined && isOneAttempt(before, attempt)
  const last = isToldMore ? undefined : before
  if (!attemptHasFailed(state) || !mayHaveFailedHook(attempt)) return last
  const isKnown = failedOf(attempt).some(isHook)
  const isUnknown = state.finishedAt !== undefined && !(last !== undefined && mayHaveFailedHook(last))
  return isKnown || isUnknown ? attempt : last
}

/** Whether what is remembered of a failed operation is still about the same one. */
export function isSameFailure(a: OperationState | undefined, b: OperationState | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && isOneAttempt(a, b))
}

function mayHaveFailedHook(state: OperationState): boolean {
  if (state.syncResult === undefined || isPartial(state)) return false
  return state.syncResult.resources === undefined || failedOf(state).some(isHook)
}

/** What else decides whether a failed sync is held against the application. */
export interface ReleaseContext {
  /** What identifies the release is met: revision, commit message and images, as far as they are asked for. */
  readonly identified: boolean
  /** Whether the revisions that were operated on, or given up, are the wanted ones. */
  readonly isWanted: (revisions: readonly string[]) => boolean
}

/**
 * OperationFailed: a failed hook (PostSync, say) fails the operation while every resource is Synced and Healthy.
 *
 * A failed operation for other revisions than those observed is excused only where none of its hooks failed and
 * the application is Synced all the same. An unrelated commit in the same repository moves the observed revision
 * on without any sync, and what is deployed is still what failed its hook. And what an older release did is held
 * against nobody who waits for the next one: it is `failing` only where the release is there already, or was what
 * the operation tried to bring.
 */
export function operationSucceeded(
  application: Application,
  { identified, isWanted }: ReleaseContext,
): Finding {
  const { sync } = application.status
  const state: OperationState | undefined = application.status.operationState
  if (state === undefined) return met('no operation is on record')
  if (state.phase === 'Succeeded') return met('the last operation succeeded')
  const ended = hasEnded(state)
  if (!ended && !attemptHasFailed(state)) return met('the operation in progress has not failed')
  if (isDryRun(state)) return met('the last operation was a dry run')
  const isOther = operationIsForOtherRevisions(application)
  const isSynced = sync.status === 'Synced'
  const results = failedResults(application)
  if (isExcused(application))
    return met(
      'the last operation failed, but for another revision, and the application is Synced without it',
    )
  const what = ended
    ? `the last operation ${state.phase === 'Error' ? 'ended in an error' : 'failed'}${isOther ? ' for another revision' : ''}`
    : attempts(state)
  const resources = results.map(
    (r) => `${nameOf(r)}${r.hookType === undefined ? '' : ` (${r.hookType} hook)`}${because(r.message)}`,
  )
  const message = `${what}${because(state.message)}${some(resources, '; ')}`
  if (state.areResultsLost === true)
    return pending(
      `${message}; whether that was one of its hooks nobody can tell any more, ` +
        'since another operation has taken its place: only a sync of everything would show',
    )
  if (ended && isOther && isSynced && resultsNeeded(application))
    return pending(`${message}; whether that was one of its hooks is not known yet`)
  if (isOther && !isSynced) return pending(`${message}; a sync to the observed revision is to come`)
  if (identified || isWanted(operatedRevisions(application))) return failing(message)
  return pending(`${message}; that was before the release that is waited for`)
}

/**
 * Whether the last operation failed for other revisions than those observed, with none of its hooks, and the
 * application is Synced without it.
 */
function isExcused(application: Application): boolean {
  const { operationState: state, sync } = application.status
  if (state === undefined || !hasEnded(state) || state.phase === 'Succeeded') return false
  if (sync.status !== 'Synced' || !operationIsForOtherRevisions(application)) return false
  return !areResultsUnknown(state) && !failedOf(state).some(isHook)
}

/** Argo CD's limit is of retries, so there is one attempt more; below 0 it retries for ever. */
function attempts({ phase, finishedAt, retryCount, operation }: OperationState): string {
  const { limit } = operation.retry
  const failed = Math.max(retryCount, 1)
  const of = limit < 0 ? 'of as many as it takes' : `of ${limit + 1}`
  if (phase === 'Terminating') return `attempt ${failed} ${of} of the operation failed, and it is Terminating`
  const next = finishedAt === undefined ? 'the next one is under way' : 'the next one is to come'
  return `attempt ${failed} ${of} of the operation failed, ${next}`
}

/**
 * Whether the results of a failed attempt are not known, because a stream brought the Application: a request for it
 * tells which resources and hooks failed, and whether a hook did decides where the operation was for another revision.
 */
export function resultsNeeded({ status: { operationState } }: Application): boolean {
  const state: OperationState | undefined = operationState
  if (state === undefined || !areResultsUnknown(state) || state.areResultsLost === true) return false
  const hasFailed = hasEnded(state) ? state.phase !== 'Succeeded' : attemptHasFailed(state)
  return hasFailed && !isDryRun(state)
}

function areResultsUnknown({ syncResult }: OperationState): boolean {
  return syncResult !== undefined && syncResult.resources === undefined
}

/** The results of the last operation that made it fail: hooks that failed, resources that could not be applied. */
export function failedResults({ status: { operationState } }: Application) {
  return operationState === undefined ? [] : failedOf(operationState)
}

/** Of the results only those that failed are read. */
function failedOf({ syncResult }: OperationState) {
  return syncResult?.resources ?? []
}

function isHook({ hookType }: { hookType: string | undefined }): boolean {
  return hookType !== undefined
}

/** The revision of each source that the last operation was for, in the order of `spec.sources`; `''`: not said. */
export function operatedRevisions(application: Application): readonly string[] {
  const { operationState } = application.status
  const done = operationState?.syncResult ?? operationState?.operation.sync
  if (done === undefined) return []
  return hasMultipleSources(application) ? done.revisions : [done.revision ?? '']
}

/** Whether the last operation was for others than those observed. Only revisions of one kind can be told apart: a branch name says nothing about a SHA. */
export function operationIsForOtherRevisions(application: Application): boolean {
  const operated = operatedRevisions(application)
  return observedRevisions(application).some((revision, i) => {
    const other = operated[i] ?? ''
    if (revision === '' || other === '' || isFullSha(revision) !== isFullSha(other)) return false
    return revision.toLowerCase() !== other.toLowerCase()
  })
}

/** The last operation, where it has ended and was no dry run: that changes nothing, and no comparison follows. */
export function endedOperation({ status: { operationState } }: Application): OperationState | undefined {
  return operationState !== undefined && hasEnded(operationState) && !isDryRun(operationState)
    ? operationState
    : undefined
}
