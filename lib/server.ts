/** What answers and failures say of the server itself: when it may be asked again, and whether there is a point. Pure. */

import { backoff } from './backoff.ts'
import type { RequestFailure } from './failure.ts'
import { areFew, jitter, type Knowledge, type Server, type Streak } from './knowledge.ts'
import {
  LONGEST_REFRESH_WAIT,
  LONGEST_RETRY_AFTER,
  LONGEST_STREAM_WAIT,
  REFRESH_ANEW,
  TREE_INTERVAL,
} from './promises.ts'
import type { Request } from './requests.ts'

/** Weight of the newest answer in what is usual. */
const NEWEST = 0.25

/** A token that has worked is refused for good where it is refused again so much later, in milliseconds. */
const SECOND_REFUSAL = 2000

/** A request was answered. */
export function answered(knowledge: Knowledge, request: Request, startedAt: number, now: number): Knowledge {
  const { server, failures } = knowledge
  const subject = subjectOf(request)
  const took = now - startedAt
  // A refresh takes as long as Git and the controller do.
  const isUsual = request.kind === 'look' || request.kind === 'names'
  const usual = !isUsual
    ? server.usual
    : server.usual === 0
      ? took
      : server.usual + NEWEST * (took - server.usual)
  return {
    ...knowledge,
    failures: failures.has(subject) && request.kind !== 'watch' ? without(failures, subject) : failures,
    server: {
      ...server,
      answeredAt: now,
      askedAt: request.kind === 'watch' ? server.askedAt : undefined,
      // A stream that was opened long ago may go on though nothing new is answered.
      failure: request.kind === 'watch' && startedAt < server.failedAt ? server.failure : undefined,
      hopeless: undefined,
      doubtedAt: startedAt < (server.doubtedAt ?? now) ? server.doubtedAt : undefined,
      usual,
    },
  }
}

/** A request failed. */
export function failed(
  knowledge: Knowledge,
  request: Request,
  failure: RequestFailure,
  startedAt: number,
  now: number,
): Knowledge {
  const subject = subjectOf(request)
  const before = knowledge.failures.get(subject)
  // A stream that has lived has proved itself: its end is normal, and no reason to wait long.
  const hasLived = request.kind === 'watch' && now - startedAt > LONGEST_STREAM_WAIT
  const count = hasLived || before === undefined ? 1 : before.count + 1
  const pause = pauseAfter(knowledge, request, failure, count)
  const failures = new Map(knowledge.failures).set(subject, { count, at: now, retryAt: now + pause, failure })
  // What else is asked says something about itself; whether the server can be asked, the applications tell.
  const isAboutServer = request.kind === 'look' || request.kind === 'list' || request.kind === 'names'
  const server = isAboutServer
    ? blamed({ ...knowledge.server, askedAt: undefined, failure, failedAt: now }, failure, startedAt, now)
    : knowledge.server
  return { ...knowledge, failures, server }
}

function blamed(server: Server, failure: RequestFailure, startedAt: number, now: number): Server {
  const { answeredAt, hopeless, doubtedAt } = server
  if (answeredAt === undefined) {
    const since: Streak = { since: hopeless?.since ?? now, until: now }
    return {
      ...server,
      hopeless: failure.isMistake ? since : undefined,
      refusal: failure.fatal ? failure : server.refusal,
    }
  }
  if (failure.reason !== 'Unauthorized') return server
  // A token that has worked is believed to be refused when a second request says so.
  const isBelieved = doubtedAt !== undefined && startedAt >= doubtedAt + SECOND_REFUSAL
  return {
    ...server,
    doubtedAt: doubtedAt ?? now,
    refusal: isBelieved ? failure : server.refusal,
  }
}

function pauseAfter(
  knowledge: Knowledge,
  request: Request,
  { fatal, reason, retryAfter }: RequestFailure,
  count: number,
): number {
  const { interval } = knowledge.policy
  const random = jitter(knowledge, `${request.key} ${count}`)
  const asked = retryAfter === undefined ? undefined : Math.min(retryAfter, LONGEST_RETRY_AFTER)
  switch (request.kind) {
    case 'watch':
      return backoff(count, LONGEST_STREAM_WAIT, asked, random)
    case 'refresh':
      // Somebody refuses it; that changes seldom.
      if (fatal || reason !== 'Unreachable')
        return REFRESH_ANEW[Math.min(count, REFRESH_ANEW.length) - 1] ?? 0
      return backoff(count, Math.max(interval, LONGEST_REFRESH_WAIT), asked, random)
    case 'tree':
    case 'compare':
      return Math.max(backoff(count, TREE_INTERVAL, asked, random), Math.min(interval, TREE_INTERVAL))
    case 'commit': {
      // Argo CD asks the Git host each time, and of many applications it is one host.
      const longest = areFew(knowledge) ? TREE_INTERVAL : LONGEST_REFRESH_WAIT
      return backoff(count, Math.max(interval, longest), asked, random)
    }
    default:
      return reason === 'Unauthorized' ? SECOND_REFUSAL : backoff(count, interval, asked, random)
  }
}

/** What a failure is remembered by: streams and refreshes have a number in their key. */
export function subjectOf(request: Request): string {
  switch (request.kind) {
    case 'watch':
    case 'list':
    case 'names':
    case 'overview':
      return request.kind
    case 'refresh':
    case 'sync':
      return `${request.kind}:${request.application}`
    default:
      return request.key
  }
}

function without<K, V>(map: ReadonlyMap<K, V>, key: K): ReadonlyMap<K, V> {
  const next = new Map(map)
  next.delete(key)
  return next
}
