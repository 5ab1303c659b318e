/** Why a stream of changes ought to be open, and why it is opened anew. Pure. */

import { deafAt, isAlone, type Knowledge, NEVER } from './knowledge.ts'
import { queryOf } from './members.ts'
import type { Moment } from './moment.ts'
import { type Need, NOTHING } from './need.ts'
import {
  FIRST_DISTRUST,
  FIRST_LOOK_GRACE,
  LONGEST_DISTRUST,
  LONGEST_SILENCE,
  STREAM_ANEW,
} from './promises.ts'

const NOT = Number.POSITIVE_INFINITY

/** One stream, for as long as it can be trusted; a number in its key says which one is meant. */
export function streamNeeded(moment: Moment): Need {
  const { knowledge, now, isOneLook } = moment
  if (!knowledge.policy.watch || isOneLook) return NOTHING
  const { streams } = knowledge
  const notBefore = afterFirstLook(knowledge)
  if (notBefore > now) return { tasks: [], wakeAt: notBefore }
  const lost = lossOf(knowledge)
  const anew = anewAt(moment)
  const next = Math.min(lost.nextAt, anew)
  if (next <= now) return { tasks: [stream(knowledge, streams.number + 1)], wakeAt: NOT }
  if (lost.at <= now) return { tasks: [], wakeAt: next }
  return { tasks: [stream(knowledge, streams.number)], wakeAt: Math.min(next, lost.at) }
}

function stream({ target }: Knowledge, number: number): Need['tasks'][number] {
  return {
    key: `watch:${number}`,
    kind: 'watch',
    lane: 'watch',
    timeout: Number.POSITIVE_INFINITY,
    hedges: [],
    query: queryOf(target),
  }
}

/** What is there already is answered by one request; only then, or where that takes its time, is there more to tell. */
function afterFirstLook(knowledge: Knowledge): number {
  if (!isAlone(knowledge) || knowledge.streams.number > 0) return NEVER
  for (const { sighting, key } of knowledge.applications.values())
    if (sighting === undefined && !knowledge.failures.has(`look:${key}`))
      return knowledge.startedAt + FIRST_LOOK_GRACE
  return NEVER
}

/** When the present stream is lost, and when the next may be opened after it. */
function lossOf(knowledge: Knowledge): { readonly at: number; readonly nextAt: number } {
  const { number, openedAt, endedAt, heardAt } = knowledge.streams
  if (number === 0) return { at: NEVER, nextAt: NEVER }
  if (endedAt !== undefined)
    return { at: endedAt, nextAt: knowledge.failures.get('watch')?.retryAt ?? endedAt }
  // A stream that matches nothing sends no headers, so one that does not open may be one all the same.
  if (openedAt === undefined) return { at: NOT, nextAt: NOT }
  const deaf = deafAt(knowledge)
  const silent = heardAt + LONGEST_SILENCE
  if (silent < deaf) return { at: silent, nextAt: silent }
  return { at: deaf, nextAt: deaf + distrust(knowledge) }
}

/**
 * How long a stream that kept something to itself is left alone. One that has told of something may just have lost a
 * change between its list and its subscription; one that has told of nothing is held back by something in between.
 */
function distrust({ streams }: Knowledge): number {
  if (streams.hasMentioned && streams.deaf === 0) return 0
  return Math.min(FIRST_DISTRUST * 2 ** streams.deaf, LONGEST_DISTRUST)
}

/** Of many applications a fresh stream shows the present state, where of few each is asked for. */
function anewAt({ knowledge, isFew, provableAt, lastLookAt, aliveSince }: Moment): number {
  const { streams } = knowledge
  if (isFew || aliveSince === undefined) return NOT
  // What was asked for since then will do.
  const since = (at: number) => (streams.askedAt >= at ? NOT : at)
  if (provableAt !== undefined && isOpeningProof(knowledge)) return NOT
  const pause = STREAM_ANEW[Math.min(streams.number, STREAM_ANEW.length) - 1] ?? NOT
  return Math.min(
    streams.askedAt + pause,
    since(lastLookAt),
    provableAt === undefined ? NOT : since(provableAt),
  )
}

/** All is met in what the stream began with: nothing is to be gained from another. */
function isOpeningProof({ applications, streams, policy }: Knowledge): boolean {
  if (policy.stableFor > 0) return false
  for (const { sighting } of applications.values()) if (sighting?.opening !== streams.number) return false
  return true
}
