/** What is so that time alone will hardly mend. */

import type { Policy, Wanted } from '../../lib/wanted.ts'
import { showsSome } from './truth-images.ts'
import { claimsRevision, isNamed, isSame } from './truth-revisions.ts'
import type { Subject, World } from './world.ts'

/** Why it is failing. */
export type Failing =
  | 'Deleting'
  | 'OperationFailed'
  | 'Conditions'
  | 'Hydrating'
  | 'OutOfSync'
  | 'RevisionMismatch'
  | 'NotHealthy'

/** What failed for other revisions may be made good by the sync that is to come. */
export function isBeyondDoubt(reason: Failing, subject: Subject, isReleased: boolean): boolean {
  const { status, live } = subject
  if (reason === 'NotHealthy') return isReleased
  if (reason !== 'OperationFailed' && reason !== 'OutOfSync') return true
  if (reason === 'OperationFailed' && !hasFailed(subject)) return false
  const { operationState, revisions, syncStatus } = status
  // A dry run, or a sync of local manifests or of some resources, has taken the place of what failed.
  const { isDryRun, isLocal, isPartial } = operationState?.operation ?? {}
  if (isDryRun === true || isLocal === true || isPartial === true) return false
  // While the next attempt is under way, its results are those of none yet.
  const operated = operationState?.synced ?? operationState?.operation.revisions
  const isOfObserved = operated?.join() === revisions.join()
  return (
    isReleased &&
    (isOfObserved || (live.hasFailedHook && syncStatus === 'Synced' && operationState?.failed === 'hook'))
  )
}

/** The last operation that was no dry run has failed, or an attempt of one that goes on. */
export function hasFailed({ lastReal, live }: Subject): boolean {
  if (live.hasFailedHook) return true
  if (lastReal === undefined) return false
  const { phase, retryCount, finishedAt } = lastReal
  return (
    phase === 'Failed' ||
    phase === 'Error' ||
    (phase === 'Running' && (retryCount > 0 || finishedAt !== undefined))
  )
}

/** An operation that failed for other revisions, and none of its hooks, says nothing where all is Synced without it. */
export function isExcused({ status, live, operation, lastReal }: Subject): boolean {
  const { syncStatus, revisions } = status
  if (lastReal === undefined || operation !== undefined || live.hasFailedHook) return false
  const operated = lastReal.synced ?? []
  return (
    operated.length > 0 &&
    lastReal.failed !== 'hook' &&
    syncStatus === 'Synced' &&
    // After a local sync, and on an error, the status holds no commit: nothing says that it is another one.
    operated.some((one, i) => one !== revisions[i] && isCommit(one) === isCommit(revisions[i] ?? ''))
  )
}

/**
 * Whether a run could know that no hook has failed of what is there. One that was seen failing is made up for by a sync
 * that succeeds, and by none that fails before it comes to its hooks. And a dry run, or a sync of some resources, takes
 * the results of a failed operation away: who has seen it fail, and not these, has to take it for the hook.
 */
export function isSeenThrough({ live, operation }: Subject, { interval, watch }: Policy): boolean {
  const { resultsWereThereFor: seen, hadFailedHook } = live
  if (operation !== undefined) return true
  return !hadFailedHook && (seen === undefined || !watch || seen > 3 * interval + 30_000)
}

function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision)
}

/**
 * What is held against this release; what an older one did is not.
 *
 * @param countsErrors whether an error of comparison is a reason
 */
export function failing(
  world: World,
  subject: Subject,
  wanted: Wanted,
  isIdentified: boolean,
  since: number,
  countsErrors = true,
): Failing | undefined {
  const { status, deletingSince, spec } = subject
  if (deletingSince !== undefined) return 'Deleting'
  if (
    hasFailed(subject) &&
    !isExcused(subject) &&
    (isIdentified || isOperationWanted(world, subject, wanted, since))
  )
    return 'OperationFailed'
  if (countsErrors && status.conditions.some(({ type }) => type !== 'SyncError')) return 'Conditions'
  if (status.hydrator.current?.phase === 'Failed') return 'Hydrating'
  if (
    status.syncStatus === 'OutOfSync' &&
    status.conditions.length > 0 &&
    // Auto-sync gives up what it has compared, whatever has been asked for since.
    (isIdentified || areWanted(world, subject, wanted, since, status.revisions))
  )
    return 'OutOfSync'
  if (
    wanted.revision?.kind === 'per-source' &&
    wanted.revision.entries.some((entry) => !spec.sources.some((source) => isNamed(source, entry.source)))
  )
    return 'RevisionMismatch'
  const isHealthFailing = isIdentified && showsSome(wanted.images, subject) && isIll(subject, wanted)
  if (isHealthFailing) return 'NotHealthy'
  // Nobody can say that it was not a hook that failed.
  return isSeenThrough(subject, world.scenario.policy) ? undefined : 'OperationFailed'
}

/** Degraded, or Progressing with what is broken since the last operation began. */
function isIll({ status, live }: Subject, wanted: Wanted): boolean {
  const { health, operationState } = status
  if (wanted.health.includes(health ?? '')) return false
  if (health !== 'Progressing') return health === 'Degraded'
  const began = Math.floor((operationState?.startedAt ?? 0) / 1000) * 1000
  return (
    live.pods.some(({ state, createdAt }) => state === 'broken' && createdAt >= began) ||
    (live.blockedSince !== undefined && live.blockedSince >= began)
  )
}

/** Whether the last operation was for what is wanted. */
function isOperationWanted(world: World, subject: Subject, wanted: Wanted, since: number): boolean {
  const { lastReal } = subject
  const operated = lastReal?.synced ?? lastReal?.operation.revisions ?? []
  return areWanted(world, subject, wanted, since, operated)
}

/** Whether revisions are what is wanted: by their name, or because they are what is observed now. */
function areWanted(
  world: World,
  subject: Subject,
  wanted: Wanted,
  since: number,
  those: readonly (string | undefined)[],
): boolean {
  const { revision } = wanted
  const { revisions } = subject.status
  if (revision === undefined) return false
  if (those.join() === revisions.join() && claimsRevision(world, subject, wanted, since)) return true
  const texts =
    revision.kind === 'any-source' ? [revision.revision] : revision.entries.map((entry) => entry.revision)
  const dryOf = (one: string) => world.git.commits.get(one)?.hydratedFrom?.dry ?? ''
  return texts.some((text) =>
    those.some((one) => one !== undefined && (isSame(text, one) || isSame(text, dryOf(one)))),
  )
}
