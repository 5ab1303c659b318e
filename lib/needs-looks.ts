/** Why an application is asked for by itself. Pure. */

import { REFRESH_ANNOTATION } from './application.ts'
import { lacksResults } from './diagnosis.ts'
import { looksFrom } from './failing.ts'
import {
  type Failure,
  isAlone,
  isFlowing,
  type Knowledge,
  type Known,
  lastFailure,
  NEVER,
} from './knowledge.ts'
import { needsServerNamespace } from './members.ts'
import { isProvenOne, type Moment, unsettled } from './moment.ts'
import { hedgesOf, lastTry, type Need, needOf } from './need.ts'
import {
  FEW,
  LONGEST_MENTION_GRACE,
  LONGEST_MISSING_INTERVAL,
  MANY_TIMES,
  MENTION_GRACE,
  READ_ANEW,
  REFRESH_LOST,
  REQUEST_TIMEOUT,
  SHORTEST_PAUSE,
} from './promises.ts'
import { controllerLooksBy } from './staleness.ts'
import { isOwnOverAt } from './sync-operation.ts'

const NOT = Number.POSITIVE_INFINITY
const SELDOMEST = READ_ANEW[READ_ANEW.length - 1] ?? NOT

/** Looks that are due: each application for the most urgent reason. */
export function looksNeeded(moment: Moment): Need {
  const { knowledge, now, isFew, isOneLook, isProvenByStream, polledFrom, lastLookAt } = moment
  const { applications } = knowledge
  const latest = latestToFail(knowledge)
  let failing = 0
  // Of many, those that are settled are looked at where no stream tells of them, and for the last time.
  const allFrom = isProvenByStream ? NOT : Math.min(polledFrom, lastLookAt)
  const areSettled = !isFew && !isOneLook && now < allFrom
  const need = needOf(
    areSettled ? unsettled(applications) : applications.values(),
    (known) => {
      const since = known.failing?.since ?? NOT
      const isFirst = since < latest || (since === latest && ++failing <= FEW)
      return lookDueAt(known, moment, isFirst)
    },
    ({ key, ref }) => ({
      key: `look:${key}`,
      kind: 'look',
      lane: 'look',
      timeout: REQUEST_TIMEOUT,
      hedges: hedgesOf(knowledge),
      application: key,
      ref,
    }),
    now,
  )
  return areSettled ? { ...need, wakeAt: Math.min(need.wakeAt, allFrom) } : need
}

function lookDueAt(known: Known, moment: Moment, isUrgentFailure: boolean): number {
  const { knowledge, isOneLook } = moment
  const failure = lastFailure(knowledge, 'look', known)
  if (isOneLook) return failure === undefined ? Math.min(firstLook(known, moment), proof(known, moment)) : NOT
  const due = Math.min(
    firstLook(known, moment),
    poll(known, moment),
    unmentioned(known, moment),
    readAnew(known, moment),
    lostRefresh(known),
    contradiction(known),
    isUrgentFailure ? lastFailing(known, moment) : NOT,
    results(known),
    afterOwn(known, moment),
    settling(known),
    proof(known, moment),
    soak(known, moment),
  )
  return Math.min(Math.max(due, failure?.retryAt ?? NEVER), lastLook(known, moment, failure))
}

/** At the start; of several, a stream tells, and one look only where nothing else says what the server's namespace is. */
function firstLook({ lookedAt, sighting, key }: Known, { knowledge, isOneLook }: Moment): number {
  if (knowledge.target.kind === 'selector' || lookedAt !== NEVER || sighting !== undefined) return NOT
  if (isAlone(knowledge) || isOneLook || !knowledge.policy.watch) return knowledge.startedAt
  if (!needsServerNamespace(knowledge)) return NOT
  for (const { key: first, ref, sighting: seen } of knowledge.applications.values())
    if (ref.namespace === undefined && seen === undefined) return first === key ? knowledge.startedAt : NOT
  return NOT
}

/** Each interval where no stream lives; what a selector matches is listed instead. */
function poll({ lookedAt }: Known, { knowledge, polledFrom }: Moment): number {
  const { policy, target } = knowledge
  return target.kind === 'selector' ? NOT : Math.max(lookedAt + policy.interval, polledFrom)
}

/** What a living stream says nothing of does not exist, or may not be seen, or has been lost on the way. */
function unmentioned(known: Known, { knowledge, aliveSince, isFew }: Moment): number {
  const { streams } = knowledge
  const appearedAt = appeared(known, knowledge)
  if (appearedAt > known.lookedAt && known.sighting !== undefined)
    return Math.max(appearedAt, known.lookedAt + SHORTEST_PAUSE)
  if (aliveSince === undefined || known.mentionedBy === streams.number) return missing(known, knowledge)
  if (known.lookedAt < aliveSince && known.sighting?.application === undefined) {
    const times = isFew ? 1 : MANY_TIMES
    const quietAt = Math.max(aliveSince, streams.heardAt) + MENTION_GRACE * times
    return Math.min(quietAt, aliveSince + LONGEST_MENTION_GRACE * times)
  }
  return missing(known, knowledge)
}

/** When a stream last told of one of that name, which may be the one: nothing has said yet what the server's namespace is. */
function appeared({ ref, sighting }: Known, { undecided }: Knowledge): number {
  let appearedAt = NEVER
  if (undecided.size === 0 || ref.namespace !== undefined || sighting?.application !== undefined) return NEVER
  for (const { application, at } of undecided.values())
    if (application.metadata.name === ref.name) appearedAt = Math.max(appearedAt, at)
  return appearedAt
}

/** What does not exist is asked for less and less often, unless the stream, which would tell, may be held back. */
function missing({ sighting, lookedAt, idleLooks }: Known, knowledge: Knowledge): number {
  if (sighting === undefined || sighting.application !== undefined) return NOT
  const { interval } = knowledge.policy
  if (!isFlowing(knowledge)) return lookedAt + interval
  return lookedAt + Math.min(interval * 2 ** Math.max(idleLooks - 1, 0), LONGEST_MISSING_INTERVAL)
}

/**
 * While something is unmet, though a stream lives: it may have lost a change. Of those that are met while another is
 * waited for, that would be what fails now, which nobody waits for to the deadline.
 */
function readAnew(known: Known, { aliveSince, isFew, provableAt }: Moment): number {
  const { met, sighting, lookedAt } = known
  if (!isFew || aliveSince === undefined || sighting?.application === undefined) return NOT
  if (met === undefined) return pausedLook(known, aliveSince)
  return provableAt === undefined ? Math.max(lookedAt, aliveSince) + SELDOMEST : NOT
}

/**
 * A refresh that nothing tells of may be lost on the way. Where it is lost only a request shows: a stream may be behind,
 * and of many applications nobody would ask for as long as a refresh may take.
 */
function lostRefresh({ refreshes, sighting, lookedAt }: Known): number {
  const annotations = sighting?.application?.metadata.annotations
  if (!refreshes.isUnderWay || annotations === undefined || REFRESH_ANNOTATION in annotations) return NOT
  return Math.max(refreshes.startedAt, lookedAt) + REFRESH_LOST + 1
}

/** After pauses that grow while looks bring nothing that the stream has not told. */
function pausedLook({ lookedAt, idleLooks }: Known, aliveSince: number): number {
  const pause = READ_ANEW[Math.min(idleLooks, READ_ANEW.length) - 1] ?? READ_ANEW[0]
  return Math.max(lookedAt, aliveSince) + pause
}

/** Nothing tells that the application controller has looked once more but that nothing has changed for a while. */
function settling(known: Known): number {
  return known.evidence.controllerLooked ? NOT : controllerLooksBy(known)
}

/** A stream and a request contradict each other, or it is not known whether what was seen is from after a refresh. */
function contradiction(known: Known): number {
  if (known.isDoubtful) return atOnce(known)
  // A list is read again where a look shows that all is met, and could contradict that over and over.
  return known.age === 'unknown' ? Math.max(atOnce(known), known.lookedAt + SHORTEST_PAUSE) : NOT
}

/** Now, where nothing was asked for since it was last seen; otherwise a little later, so that no answer is asked for over and over. */
function atOnce({ lookedAt, sighting }: Known): number {
  return lookedAt < (sighting?.at ?? NEVER) ? NEVER : lookedAt + SHORTEST_PAUSE
}

/** An early no rests on a look that was asked for when it was due; one that shows something else is not the last. */
function lastFailing(known: Known, { knowledge }: Moment): number {
  const { failing, lookedAt } = known
  const dueAt = looksFrom(known, knowledge)
  if (failing === undefined || failing.shownAt >= dueAt) return NOT
  return lookedAt < dueAt ? dueAt : lookedAt + SHORTEST_PAUSE
}

/** Since when those have been failing that are looked at before a no: one of them is enough, so it takes but a few. */
function latestToFail({ applications }: Knowledge): number {
  if (applications.size <= FEW) return NOT
  const since: number[] = []
  for (const { failing } of unsettled(applications)) if (failing !== undefined) since.push(failing.since)
  return since.length < FEW ? NOT : (since.sort((a, b) => a - b)[FEW - 1] ?? NOT)
}

/** Which hook or resource failed only a request shows, and without it a failed operation cannot be judged. */
function results(known: Known): number {
  return lacksResults(known) ? atOnce(known) : NOT
}

/** What time alone tells of few, each of them by a look. */
function afterOwn(known: Known, { isFew }: Moment): number {
  const at = isOwnOverAt(known)
  return isFew && known.lookedAt < at ? at : NOT
}

/** A yes rests on what was read since everything had become met; of many, a fresh stream has the time to tell. */
function proof(known: Known, { provableAt, isProvenByStream, isFew, polledFrom }: Moment): number {
  if (provableAt === undefined || isProvenByStream || isProvenOne(known, provableAt)) return NOT
  return isFew ? provableAt : Math.max(provableAt, polledFrom)
}

/**
 * What must hold without a break is looked at meanwhile: each interval, unless what a selector matches is listed, or
 * now and then where a stream lives.
 */
function soak(known: Known, moment: Moment): number {
  const { knowledge, provableAt, isProvenByStream, aliveSince, polledFrom, now } = moment
  if (known.met === undefined || provableAt === undefined || isProvenByStream || now >= provableAt) return NOT
  if (aliveSince !== undefined) return pausedLook(known, aliveSince)
  if (knowledge.target.kind === 'selector') return NOT
  return Math.max(known.met.until + knowledge.policy.interval, polledFrom)
}

/**
 * Before the deadline everything is read once more, unless a fresh stream does that; however long the server asks to
 * be left alone, and again where it fails.
 */
function lastLook(
  { lookedAt }: Known,
  { lastLookAt, isProvenByStream, isFew, knowledge }: Moment,
  failure: Failure | undefined,
): number {
  if (isProvenByStream || lookedAt >= lastLookAt || (knowledge.target.kind === 'selector' && !isFew))
    return NOT
  return lastTry(lastLookAt, failure)
}
