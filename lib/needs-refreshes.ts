/** Why Argo CD is asked to refresh an application. Pure. */

import { REFRESH_ANNOTATION } from './application.ts'
import { type Check, isMet } from './check.ts'
import { isHydrating } from './hydration.ts'
import { type Failure, jitter, type Knowledge, type Known, lastFailure, NEVER } from './knowledge.ts'
import { type Moment, unsettled } from './moment.ts'
import { type Need, NOTHING, needOf } from './need.ts'
import { isCommitAwaited } from './needs-evidence.ts'
import { LIMITS, RECONCILED_STEP, REFRESH_ANEW, REFRESH_JITTER, REFRESH_TIMEOUT } from './promises.ts'
import { isFromGit } from './refreshes.ts'
import type { Request } from './requests.ts'
import { refreshDecides } from './revision-needs.ts'
import { unreconciled } from './staleness.ts'
import { isAutomated } from './sync-operation.ts'

const NOT = Number.POSITIVE_INFINITY

/** Refreshes that are due, or under way and not to be given up. */
export function refreshesNeeded(moment: Moment): Need {
  const { knowledge, isOneLook, now } = moment
  if (knowledge.policy.refresh === 'none' || isOneLook) return NOTHING
  const underWay: Known[] = []
  const some = unsettled(knowledge.applications)
  for (const known of some) if (known.refreshes.isUnderWay) underWay.push(known)
  // Where no more are begun, nothing has to be known of thousands that wait for their turn.
  const others = underWay.length >= LIMITS.refresh ? underWay : some
  return needOf(
    others,
    (known) => rememberedDueAt(known, knowledge),
    (known) => refresh(known, moment),
    now,
    { count: LIMITS.refresh, isUnderWay: ({ refreshes }) => refreshes.isUnderWay },
  )
}

/** When a refresh is due follows from what is known of the application, and from how the last one failed. */
const due = new WeakMap<Known, { readonly knowledge: Part; readonly at: number }>()

type Part = Pick<Knowledge, 'policy' | 'seed'> & { readonly failure: Failure | undefined }

function rememberedDueAt(known: Known, knowledge: Knowledge): number {
  const failure = lastFailure(knowledge, 'refresh', known)
  const before = due.get(known)
  if (
    before !== undefined &&
    before.knowledge.policy === knowledge.policy &&
    before.knowledge.seed === knowledge.seed &&
    before.knowledge.failure === failure
  )
    return before.at
  const at = refreshDueAt(known, knowledge)
  due.set(known, { knowledge: { policy: knowledge.policy, seed: knowledge.seed, failure }, at })
  return at
}

function refresh({ key, ref, refreshes, sighting, wanted }: Known, moment: Moment): Request {
  const { policy } = moment.knowledge
  const application = sighting?.application
  const { asked, isUnderWay } = refreshes
  return {
    key: `refresh:${key}:${isUnderWay ? asked : asked + 1}`,
    kind: 'refresh',
    lane: 'refresh',
    timeout: REFRESH_TIMEOUT,
    // Newer servers begin anew with each one that is asked for.
    hedges: [],
    application: key,
    ref,
    type: policy.refresh === 'hard' && refreshes.answered === 0 ? 'hard' : 'normal',
    // The answer is the whole application; of many that a stream tells of, it is read only where it decides.
    isRead:
      moment.isFew ||
      moment.aliveSince === undefined ||
      (application !== undefined && refreshDecides(application, wanted)),
  }
}

function refreshDueAt(known: Known, knowledge: Knowledge): number {
  const { sighting, refreshes, met, suspended } = known
  const application = sighting?.application
  if (application === undefined) return NOT
  if (refreshes.isUnderWay) return NEVER
  // Whoever has asked for one, it is under way as long as the annotation is there.
  if (REFRESH_ANNOTATION in application.metadata.annotations) return NOT
  if (met !== undefined || isCommitAwaited(known)) return NOT
  const failure = lastFailure(knowledge, 'refresh', known)
  const due = Math.min(
    staleness(known),
    // One that was not answered says nothing, so the same reasons hold; what differs is the pause.
    isUnanswered(known)
      ? unanswered(known, knowledge)
      : Math.min(
          first(known),
          evidence(known),
          beforeSync(known, knowledge),
          afterSync(known),
          again(known, knowledge),
          confirmation(known, knowledge),
        ),
  )
  // Nor before an answer that is awaited, while there is a streak to be saved: the annotation would break it.
  return Math.max(due, failure?.retryAt ?? NEVER, suspended?.lapsesAt ?? NEVER)
}

/** Each application that is not as wanted, once. */
function first({ refreshes }: Known): number {
  return refreshes.asked === 0 ? NEVER : NOT
}

/** The last one failed, or was lost on the way. */
function isUnanswered({ refreshes: { startedAt, servedAskedAt } }: Known): boolean {
  return startedAt > servedAskedAt
}

/** Again, soon after a failure, and after the usual pauses, from the first on, where it was lost on the way. */
function unanswered(known: Known, knowledge: Knowledge): number {
  const { lost, startedAt } = known.refreshes
  const failure = lastFailure(knowledge, 'refresh', known)
  if (failure !== undefined && failure.at >= startedAt) return failure.retryAt
  return startedAt + pauseAfter(Math.max(lost, 1), known.key, knowledge)
}

/** So many answers that are no fresh evidence, and a server is not asked for more than what it could mend. */
const MOST_FUTILE = 3

/**
 * What ended after the last reconciliation leaves a status from before it. An answer that may be from the second of
 * that end says nothing, and a second later one will.
 */
function staleness({ sighting, refreshes }: Known): number {
  const application = sighting?.application
  const ended = application === undefined ? undefined : unreconciled(application)
  if (ended === undefined) return NOT
  if (ended.finishedAt !== refreshes.unreconciled) return NEVER
  if (!ended.isOfOneSecond || refreshes.futile > MOST_FUTILE) return NOT
  return Math.max(refreshes.startedAt, refreshes.answeredAt) + RECONCILED_STEP
}

/**
 * Where a tracked revision decides, it takes a refresh that is asked for after another one was answered; a second
 * later, so that `reconciledAt` can tell that it was compared anew. While Git cannot be read, or a hydration goes on,
 * there is none to be had.
 */
function evidence({ sighting, refreshes, wanted }: Known): number {
  const application = sighting?.application
  if (application === undefined || refreshes.fresh !== undefined || !refreshDecides(application, wanted))
    return NOT
  if (refreshes.futile > MOST_FUTILE || !isFromGit(application) || isHydrating(application)) return NOT
  return refreshes.answeredAt + RECONCILED_STEP
}

/** Before something is started, what there is after the operation that has just ended. */
function beforeSync({ refreshes, syncing }: Known, { policy }: Knowledge): number {
  return policy.sync !== undefined && syncing.own === undefined && syncing.refreshFrom > refreshes.startedAt
    ? NEVER
    : NOT
}

/** What there is after the run's own sync, where the status may be from before its end. */
function afterSync({ refreshes, syncing: { own }, checks }: Known): number {
  const isStale = checks.some((check) => check.code === 'StatusStale' && !isMet(check))
  return isStale && own?.endedAt !== undefined && own.endedAt > refreshes.startedAt ? NEVER : NOT
}

/** What a refresh could mend. */
const MENDABLE: ReadonlySet<Check['code']> = new Set([
  'RevisionMismatch',
  'CommitMessageMismatch',
  'Conditions',
  'StatusStale',
  'Hydrating',
])

/** Again and again, more and more seldom, while a refresh could mend what is unmet; what was asked for meanwhile aside. */
function again({ checks, refreshes, key, sighting }: Known, knowledge: Knowledge): number {
  // After an error of comparison Argo CD leaves out automated sync, until it compares once more.
  const application = sighting?.application
  const isAutomatic = application !== undefined && isAutomated(application)
  const isMendable = checks.some(
    (check) => !isMet(check) && (MENDABLE.has(check.code) || (check.code === 'OutOfSync' && isAutomatic)),
  )
  if (refreshes.answered === 0 || !isMendable) return NOT
  let at = refreshes.firstAnsweredAt
  for (let i = 1; at <= refreshes.answeredAt; i++) at += pauseAfter(i, key, knowledge)
  return at
}

/** The pause after so many refreshes: they grow, and jitter keeps those of many applications apart. */
function pauseAfter(count: number, key: string, knowledge: Knowledge): number {
  const pause = REFRESH_ANEW[Math.min(count, REFRESH_ANEW.length) - 1] ?? 0
  return pause * (1 + REFRESH_JITTER * jitter(knowledge, `${key} ${count}`))
}

/** A comparison error ends a run only where a later refresh has confirmed it. */
function confirmation({ failing, refreshes }: Known, { policy }: Knowledge): number {
  if (failing?.errorSince === undefined || refreshes.servedAskedAt >= failing.errorSince) return NOT
  return failing.since + policy.failAfter
}
