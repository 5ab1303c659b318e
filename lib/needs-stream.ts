/** Why a stream of changes ought to be open, and why it is opened anew. Pure. */

import { isAlone, type Knowledge, lostAt, NEVER } from './knowledge.ts'
import { queryOf } from './members.ts'
import { type Moment, unsettled } from './moment.ts'
import { type Need, NOTHING } from './need.ts'
import { isCommitAwaited } from './needs-evidence.ts'
import { FIRST_LOOK_GRACE, STREAM_ANEW } from './promises.ts'
import { isOwnOverAt } from './sync-operation.ts'

const NOT = Number.POSITIVE_INFINITY

/** One stream, for as long as it can be trusted; a number in its key says which one is meant. */
export function streamNeeded(moment: Moment): Need {
  const { knowledge, now, isOneLook } = moment
  if (!knowledge.policy.watch || isOneLook) return NOTHING
  const { streams } = knowledge
  const next = () => stream(knowledge, streams.number + 1)
  const beginsAt = streams.number === 0 ? afterFirstLook(knowledge) : streams.resumeAt
  if (streams.endedAt !== undefined || streams.number === 0)
    return beginsAt > now ? { tasks: [], wakeAt: beginsAt } : { tasks: [next()], wakeAt: NOT }
  const lost = lostAt(knowledge)
  const anew = anewAt(moment)
  // One that is lost is given up first, and what follows from that decides when the next is opened.
  if (lost <= now) return { tasks: [], wakeAt: NOT }
  return {
    tasks: [anew <= now ? next() : stream(knowledge, streams.number)],
    wakeAt: Math.min(lost, anew > now ? anew : NOT),
  }
}

function stream({ target }: Knowledge, number: number): Need['tasks'][number] {
  return {
    key: `watch:${number}`,
    kind: 'watch',
    number,
    lane: 'watch',
    timeout: Number.POSITIVE_INFINITY,
    hedges: [],
    query: queryOf(target),
  }
}

/**
 * What is there already is answered by one request, or by another one for its commit; only then, or where that takes
 * its time, is there more to tell.
 */
function afterFirstLook(knowledge: Knowledge): number {
  if (!isAlone(knowledge) || knowledge.streams.number > 0) return NEVER
  for (const known of knowledge.applications.values()) {
    const isLooking = known.sighting === undefined && !knowledge.failures.has(`look:${known.key}`)
    if (isLooking || isCommitAwaited(known)) return knowledge.startedAt + FIRST_LOOK_GRACE
  }
  return NEVER
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
    since(areOwnOverAt(knowledge)),
    provableAt === undefined ? NOT : since(provableAt),
  )
}

/** When nothing is waited for any more but what time alone tells of the run's own syncs; `Infinity`: something else is. */
function areOwnOverAt({ applications, policy }: Knowledge): number {
  if (policy.sync === undefined) return NOT
  let last = NEVER
  for (const known of unsettled(applications))
    if (known.met === undefined) last = Math.max(last, isOwnOverAt(known))
  return last === NEVER ? NOT : last
}

/** All is met in what the stream began with: nothing is to be gained from another. */
function isOpeningProof({ applications, streams, policy }: Knowledge): boolean {
  if (policy.stableFor > 0) return false
  for (const { sighting } of applications.values()) if (sighting?.opening !== streams.number) return false
  return true
}
