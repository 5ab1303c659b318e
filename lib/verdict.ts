/**
 * From what is known to a verdict, or not yet: `(knowledge, now) → ending`. Pure, so that no test sleeps. Times are
 * milliseconds of a local monotonic clock; the server's clock plays no part.
 */

import { type Check, isFailing, isMet } from './check.ts'
import { formatDuration } from './duration.ts'
import type { RequestFailure } from './failure.ts'
import { applicationOf, type Knowledge, type Known, NEVER, type Streak } from './knowledge.ts'
import { isProven, type Moment, momentOf } from './moment.ts'
import { syncRefusal } from './needs-syncs.ts'
import { hasDryRun, resultsNeeded } from './operation-rules.ts'
import { LONGEST_DIAGNOSIS, OWN_COMPARISON } from './promises.ts'
import type { Ended } from './run.ts'
import { hasOwnSyncFailed } from './sync-checks.ts'
import type { Policy } from './wanted.ts'

/** Why a run ended. */
export type Ending =
  | { readonly kind: 'verified' }
  /** An application was failing for longer than *fail after*. */
  | { readonly kind: 'failed'; readonly key: string }
  /** The deadline came. */
  | { readonly kind: 'timed-out' }
  /** The one look of a timeout of 0 said no. */
  | { readonly kind: 'looked' }
  /** The server cannot be asked, and trying again would not help. */
  | { readonly kind: 'refused'; readonly failure: RequestFailure }
  | { readonly kind: 'interrupted' }

/** How a run ended and what it knew then. */
export type Outcome = Ended<Knowledge, Ending>

/** What follows from what is known; `undefined`: it is not decided yet. */
export function decide(knowledge: Knowledge, now: number): Ending | undefined {
  const moment = momentOf(knowledge, now)
  const { server, deadline, isInterrupted } = knowledge
  if (isProven(moment)) return { kind: 'verified' }
  if (isInterrupted) return { kind: 'interrupted' }
  if (server.refusal !== undefined) return { kind: 'refused', failure: server.refusal }
  const refusal = syncRefusal(moment)
  if (refusal !== undefined) return { kind: 'refused', failure: refusal }
  if (moment.isOneLook) return now >= deadline ? { kind: 'looked' } : undefined
  if (isHopeless(knowledge) && server.failure !== undefined)
    return { kind: 'refused', failure: server.failure }
  const key = failedKey(moment)
  if (key !== undefined) return { kind: 'failed', key }
  return now >= deadline ? { kind: 'timed-out' } : undefined
}

/** A server that has never answered, for a reason that is a mistake in the settings far more often than an outage. */
function isHopeless({ server: { hopeless, answeredAt }, policy }: Knowledge): boolean {
  return answeredAt === undefined && hopeless !== undefined && lasted(hopeless) >= policy.failAfter
}

/** The application that ends the run, the first by its key; its causes are asked for before that is told. */
function failedKey(moment: Moment): string | undefined {
  let failed: Known | undefined
  for (const known of moment.knowledge.applications.values())
    if (hasFailed(known, moment.knowledge.policy) && (failed === undefined || known.key < failed.key))
      failed = known
  return failed !== undefined && isExplained(failed, moment) ? failed.key : undefined
}

/** Whether an application has been failing for long enough to end the run. */
export function hasFailed(known: Known, { failAfter }: Policy): boolean {
  const { failing, checks, refreshes } = known
  if (hasOwnSyncFailed(known)) return true
  if (failing === undefined || lasted(failing) < failAfter) return false
  // A comparison error may be a blip at the moment of the last comparison: a later one must have confirmed it.
  const { errorSince = NEVER, until } = failing
  const isConfirmed = refreshes.servedAskedAt >= errorSince || until - errorSince >= OWN_COMPARISON
  return isConfirmed || checks.some((check) => isFailing(check) && check.code !== 'Conditions')
}

/** Whether what explains a no is known, or is not to be had soon. */
function isExplained(known: Known, { knowledge, now }: Moment): boolean {
  const patience = hasOwnSyncFailed(known) ? 0 : knowledge.policy.failAfter
  const since = (known.failing?.since ?? now) + patience
  if (now >= Math.min(since + LONGEST_DIAGNOSIS, knowledge.deadline)) return true
  const isIll = known.checks.some(
    (check) => !isMet(check) && (check.code === 'NotHealthy' || check.code === 'OperationFailed'),
  )
  if (!isIll) return true
  const hasTree = known.treeAsOf !== NEVER || knowledge.failures.has(`tree:${known.key}`)
  return hasTree && !lacksResults(known)
}

/** Whether results of an operation count that only a request tells: a stream leaves them out. */
export function lacksResults(known: Known): boolean {
  const application = applicationOf(known)
  // What a dry run has taken the place of, no request tells any more.
  const isGone = known.whole !== undefined && hasDryRun(known.whole)
  return application !== undefined && !isGone && resultsNeeded(application)
}

/** When something could be decided although nothing happens. */
export function decidableAt({ knowledge, now, lastLookAt, diagnosisAt, provableAt }: Moment): number {
  const { deadline, policy, applications, server } = knowledge
  const times = [deadline, lastLookAt, diagnosisAt, provableAt ?? deadline]
  if (server.hopeless !== undefined) times.push(server.hopeless.since + policy.failAfter)
  for (const known of applications.values()) {
    const { failing } = known
    if (failing === undefined) continue
    times.push(failing.since + policy.failAfter, failing.since + policy.failAfter + LONGEST_DIAGNOSIS)
    if (hasOwnSyncFailed(known)) times.push(failing.since + LONGEST_DIAGNOSIS)
  }
  return times.reduce((next, time) => (time > now && time < next ? time : next), Number.POSITIVE_INFINITY)
}

function lasted({ since, until }: Streak): number {
  return Math.max(until - since, 0)
}

/** The checks of an application with NotStable, where *stable for* is asked, as the last of them. */
export function checksOf({ checks, met, provenAt }: Known, { stableFor }: Policy): readonly Check[] {
  if (stableFor === 0 || checks.length === 0) return checks
  const held = met === undefined ? 0 : Math.max(met.until, provenAt) - met.since
  const stable = met !== undefined && held >= stableFor
  const message = stable
    ? `everything has held for ${formatDuration(stableFor)}`
    : met === undefined
      ? `everything must hold for ${formatDuration(stableFor)}, and something does not hold yet`
      : `everything has held for ${formatDuration(Math.max(held, 0))} of ${formatDuration(stableFor)}`
  return [...checks, { code: 'NotStable', state: stable ? 'met' : 'pending', message }]
}

/**
 * The check that names the verdict of an application: the first that is unmet; where the run ends because
 * something is failing, the first that is failing.
 *
 * @returns `undefined`: all are met
 */
export function namingCheck(checks: readonly Check[], endedByFailing: boolean): Check | undefined {
  return (endedByFailing ? checks.find(isFailing) : undefined) ?? checks.find((check) => !isMet(check))
}
