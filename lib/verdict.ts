/**
 * From what is known to a verdict, or not yet: `(knowledge, now) → ending`. Pure, so that no test sleeps. Times are
 * milliseconds of a local monotonic clock; the server's clock plays no part.
 */

import { isMet } from './check.ts'
import { lacksResults } from './diagnosis.ts'
import type { Ending } from './ending.ts'
import { failsAt, hasFailed } from './failing.ts'
import { type Knowledge, type Known, NEVER, type Streak } from './knowledge.ts'
import { isProven, type Moment, momentOf, unsettled } from './moment.ts'
import { syncRefusal } from './needs-syncs.ts'
import { LONGEST_DIAGNOSIS } from './promises.ts'
import { hasOwnSyncFailed } from './sync-operation.ts'

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
  for (const known of unsettled(moment.knowledge.applications))
    if (hasFailed(known, moment.knowledge) && (failed === undefined || known.key < failed.key)) failed = known
  return failed !== undefined && isExplained(failed, moment) ? failed.key : undefined
}

/** Whether what explains a no is known, or is not to be had soon. */
function isExplained(known: Known, { knowledge, now }: Moment): boolean {
  const since = hasOwnSyncFailed(known) ? (known.failing?.since ?? now) : failsAt(known, knowledge.policy)
  if (now >= Math.min(since + LONGEST_DIAGNOSIS, knowledge.deadline)) return true
  const isIll = known.checks.some(
    (check) => !isMet(check) && (check.code === 'NotHealthy' || check.code === 'OperationFailed'),
  )
  if (!isIll) return true
  const hasTree = known.treeAsOf !== NEVER || knowledge.failures.has(`tree:${known.key}`)
  return hasTree && !lacksResults(known)
}

/** When something could be decided although nothing happens. */
export function decidableAt({ knowledge, now, lastLookAt, diagnosisAt, provableAt }: Moment): number {
  const { deadline, policy, applications, server } = knowledge
  const times = [deadline, lastLookAt, diagnosisAt, provableAt ?? deadline]
  if (server.hopeless !== undefined) times.push(server.hopeless.since + policy.failAfter)
  for (const known of unsettled(applications)) {
    const { failing } = known
    if (failing === undefined) continue
    const dueAt = failsAt(known, policy)
    times.push(dueAt, dueAt + LONGEST_DIAGNOSIS)
    if (hasOwnSyncFailed(known)) times.push(failing.since + LONGEST_DIAGNOSIS)
  }
  return times.reduce((next, time) => (time > now && time < next ? time : next), Number.POSITIVE_INFINITY)
}

function lasted({ since, until }: Streak): number {
  return Math.max(until - since, 0)
}
