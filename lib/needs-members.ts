/** Why it is asked what a selector matches. Pure. */

import { failsAt } from './failing.ts'
import { type Failure, isFlowing, type Knowledge, NEVER } from './knowledge.ts'
import { queryOf } from './members.ts'
import type { Moment } from './moment.ts'
import { hedgesOf, lastTry, type Need, NOTHING } from './need.ts'
import { MEMBERSHIP_INTERVAL, REQUEST_TIMEOUT } from './promises.ts'

const NOT = Number.POSITIVE_INFINITY

/** The list of all that match while no stream lives, their names alone while one does. */
export function membersNeeded(moment: Moment): Need {
  const { knowledge, now, isOneLook, polledFrom } = moment
  const { target, failures } = knowledge
  if (target.kind !== 'selector') return NOTHING
  const ask = (kind: 'list' | 'names', at: number): Need => {
    const failure = failures.get(kind)
    const due = isOneLook && failure !== undefined ? NOT : Math.max(at, failure?.retryAt ?? NEVER)
    const dueAt = Math.min(due, lastLook(moment, failure))
    if (dueAt > now) return { tasks: [], wakeAt: dueAt }
    const request = {
      key: kind,
      kind,
      lane: 'list',
      timeout: REQUEST_TIMEOUT,
      hedges: hedgesOf(knowledge),
      query: queryOf(target),
    }
    return { tasks: [request], wakeAt: NOT }
  }
  if (isOneLook || now >= polledFrom) return ask('list', listAt(moment))
  const names = ask('names', namesAt(moment))
  return { ...names, wakeAt: Math.min(names.wakeAt, polledFrom) }
}

/** Each interval. */
function listAt({ knowledge, isOneLook, provableAt }: Moment): number {
  const { lists, listedAt, startedAt, policy } = knowledge
  if (lists === 0) return startedAt
  if (isOneLook) return proof(listedAt, provableAt)
  return Math.min(listedAt + policy.interval, proof(listedAt, provableAt), beforeNo(knowledge))
}

/** A stream does not tell that labels changed, so that an application is no longer selected. */
function namesAt({ knowledge, provableAt, aliveSince }: Moment): number {
  const { listedAt, policy, startedAt, streams } = knowledge
  if (listedAt === NEVER) return startedAt
  // What began to match while there was no stream may be in a message that is still to come.
  const reopened = streams.number > 1 && aliveSince !== undefined && listedAt < aliveSince ? aliveSince : NOT
  // One that is held back tells of none that come either.
  const pause = isFlowing(knowledge) ? Math.max(MEMBERSHIP_INTERVAL, policy.interval) : policy.interval
  return Math.min(listedAt + pause, proof(listedAt, provableAt), beforeNo(knowledge), reopened)
}

/** A yes is about all that match since everything had become met. */
function proof(listedAt: number, provableAt: number | undefined): number {
  return provableAt === undefined || listedAt >= provableAt ? NOT : provableAt
}

/** A no is about one that still matches. */
function beforeNo({ applications, policy, listedAt }: Knowledge): number {
  let at = NOT
  for (const known of applications.values()) {
    if (known.failing === undefined) continue
    const dueAt = failsAt(known, policy)
    if (dueAt > listedAt) at = Math.min(at, dueAt)
  }
  return at
}

function lastLook({ knowledge, lastLookAt, isOneLook }: Moment, failure: Failure | undefined): number {
  return isOneLook || knowledge.listedAt >= lastLookAt ? NOT : lastTry(lastLookAt, failure)
}
