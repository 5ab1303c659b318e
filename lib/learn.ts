/** What is known after something has happened: `(knowledge, event, now) → knowledge`. Pure. */

import type { Application } from './application.ts'
import { asFailure, RequestFailure, TooManyApplications } from './failure.ts'
import type { Knowledge, Known, Sighting } from './knowledge.ts'
import { listed, named } from './learn-members.ts'
import {
  changed,
  downSince,
  heard,
  lastHeard,
  listening,
  opened,
  streamGivenUp,
  streamStarted,
} from './learn-stream.ts'
import { needsServerNamespace } from './members.ts'
import { refused } from './membership.ts'
import { assessed, looked, refreshed } from './observe.ts'
import { refreshObserved, refreshServed, refreshStarted } from './refreshes.ts'
import type { ApplicationRef, Event, News, Request } from './requests.ts'
import { LATE } from './run.ts'
import { answered, failed } from './server.ts'
import { syncAnswered, syncLost, syncOrdered } from './sync-learn.ts'
import { withKnownZones } from './sync-windows.ts'

/** Takes one event into account. */
export function learn(knowledge: Knowledge, event: Event, now: number): Knowledge {
  switch (event.type) {
    case 'started':
      return started(knowledge, event.task, now)
    case 'brought':
      return brought(
        answered(knowledge, event.task, event.startedAt, now),
        event.task,
        event.news,
        event.startedAt,
        now,
      )
    case 'ended':
      return ended(knowledge, event.task, event.startedAt, event.failure, now)
    case 'aborted':
      return event.task.kind === 'watch'
        ? { ...lastHeard(knowledge, now), streams: streamGivenUp(knowledge, now) }
        : knowledge
    case 'interrupted':
      return { ...knowledge, isInterrupted: true }
  }
}

function started(knowledge: Knowledge, request: Request, now: number): Knowledge {
  switch (request.kind) {
    case 'watch':
      return asked({ ...knowledge, streams: streamStarted(knowledge, request.number, now) }, now)
    case 'refresh':
      return change(knowledge, request.application, (known) => ({
        ...known,
        refreshes: refreshStarted(known, now),
      }))
    case 'sync':
      return learntOfSync(knowledge, request.application, now, (known) =>
        syncOrdered(known, request.order, now),
      )
    case 'tree':
      return change(knowledge, request.application, (known) => ({ ...known, treeAskedAt: now }))
    case 'look':
    case 'list':
    case 'names':
      return asked(knowledge, now)
    default:
      return knowledge
  }
}

/** The server owes an answer. */
function asked(knowledge: Knowledge, now: number): Knowledge {
  const { server } = knowledge
  return server.askedAt === undefined ? { ...knowledge, server: { ...server, askedAt: now } } : knowledge
}

function brought(
  knowledge: Knowledge,
  request: Request,
  news: News,
  startedAt: number,
  now: number,
): Knowledge {
  switch (news.kind) {
    case 'application':
      return request.kind === 'refresh'
        ? served(knowledge, request, news.application, startedAt, now)
        : lookedAt(knowledge, request, news.application, startedAt, now)
    case 'refreshed':
      return request.kind === 'refresh'
        ? change(knowledge, request.application, (known) => ({
            ...known,
            refreshes: refreshServed(known, undefined, startedAt, now),
          }))
        : knowledge
    case 'list':
      return listed(knowledge, news.applications, startedAt, now)
    case 'names':
      return named(knowledge, news.refs, startedAt, now)
    case 'overview':
      return { ...knowledge, visible: news.refs }
    case 'opened':
      return opened(knowledge, now)
    case 'changes':
      return heard(knowledge, news.events, now)
    case 'commit':
      return request.kind === 'commit'
        ? learnt(knowledge, request.application, now, ({ commits }) => ({
            commits: new Map([...commits, [request.commit.key, news.commit]]),
          }))
        : knowledge
    case 'tree':
      return request.kind === 'tree'
        ? learnt(knowledge, request.application, now, () => ({ tree: news.nodes }), startedAt)
        : knowledge
    case 'rendering':
      return request.kind === 'compare'
        ? learnt(knowledge, request.application, now, ({ renderings }) => ({
            renderings: new Map([...renderings, [request.comparison.key, news.rendering]]),
          }))
        : knowledge
    case 'ordered':
      return request.kind === 'sync'
        ? learntOfSync(knowledge, request.application, now, (known) => syncAnswered(known, news.answer, now))
        : knowledge
    case 'permission':
      return request.kind === 'permission'
        ? learntOfSync(knowledge, request.application, now, ({ syncing }) => ({
            ...syncing,
            isPermitted: news.isPermitted,
          }))
        : knowledge
    case 'windows':
      return request.kind === 'windows'
        ? learntOfSync(knowledge, request.application, now, ({ syncing }) => ({
            ...syncing,
            windows: withKnownZones(news.windows, syncing.windows?.assigned ?? []),
            windowsAt: now,
          }))
        : knowledge
  }
}

function learntOfSync(
  knowledge: Knowledge,
  key: string,
  now: number,
  how: (known: Known) => Known['syncing'],
): Knowledge {
  return change(knowledge, key, (known) => assessed({ ...known, syncing: how(known) }, now, knowledge))
}

function ended(
  knowledge: Knowledge,
  request: Request,
  startedAt: number,
  error: unknown,
  now: number,
): Knowledge {
  if (error instanceof TooManyApplications) return refused(knowledge, error)
  if (request.kind === 'watch') {
    const after = failed(knowledge, request, streamEnding(error), startedAt, now)
    const resumeAt = after.failures.get('watch')?.retryAt ?? now
    return {
      ...lastHeard(after, now),
      streams: { ...knowledge.streams, endedAt: now, resumeAt, downSince: downSince(knowledge, now) },
    }
  }
  if (error === undefined) return knowledge
  const failure = error === LATE ? new RequestFailure('Unreachable', knowledge.silence) : asFailure(error)
  const after = failed(knowledge, request, failure, startedAt, now)
  const problem = { problem: failure.message }
  switch (request.kind) {
    case 'refresh':
      return change(after, request.application, (known) => ({
        ...known,
        refreshes: { ...known.refreshes, isUnderWay: false },
      }))
    case 'sync':
      return learntOfSync(after, request.application, now, (known) => syncLost(known, now))
    case 'commit':
      return learnt(after, request.application, now, ({ commits }) => ({
        commits: new Map([...commits, [request.commit.key, problem]]),
      }))
    case 'compare':
      return learnt(after, request.application, now, ({ renderings }) => ({
        renderings: new Map([...renderings, [request.comparison.key, problem]]),
      }))
    default:
      return after
  }
}

/** That a stream ends is normal. */
function streamEnding(error: unknown): RequestFailure {
  return error === undefined
    ? new RequestFailure('Unreachable', 'the stream of changes ended')
    : asFailure(error)
}

function change(knowledge: Knowledge, key: string, how: (known: Known) => Known): Knowledge {
  const known = knowledge.applications.get(key)
  if (known === undefined) return knowledge
  const after = how(known)
  return after === known
    ? knowledge
    : { ...knowledge, applications: new Map(knowledge.applications).set(key, after) }
}

/** Something besides the application itself was learnt. */
function learnt(
  knowledge: Knowledge,
  key: string,
  now: number,
  evidence: (before: Known['evidence']) => Partial<Known['evidence']>,
  treeAsOf?: number,
): Knowledge {
  return change(knowledge, key, (known) =>
    assessed(
      {
        ...known,
        evidence: { ...known.evidence, ...evidence(known.evidence) },
        treeAsOf: treeAsOf ?? known.treeAsOf,
      },
      now,
      knowledge,
    ),
  )
}

function lookedAt(
  knowledge: Knowledge,
  request: Request,
  application: Application | undefined,
  startedAt: number,
  now: number,
): Knowledge {
  if (request.kind !== 'look') return knowledge
  const key = request.application
  const seen: Sighting = { application, source: 'look', asOf: startedAt, at: now, opening: undefined }
  const after = change(knowledge, key, (known) => {
    const observed = looked(known, seen, now, knowledge)
    return { ...observed, refreshes: refreshObserved(observed) }
  })
  return listening(withServerNamespace(after, request.ref, application, now), key, application, now)
}

function served(
  knowledge: Knowledge,
  request: Request & { readonly kind: 'refresh' },
  application: Application | undefined,
  startedAt: number,
  now: number,
): Knowledge {
  // Whether it is there, a request without a refresh tells: this one may just not be permitted.
  if (application === undefined)
    return ended(knowledge, request, startedAt, new RequestFailure('Unauthorized', 'no refresh'), now)
  const key = request.application
  const seen: Sighting = { application, source: 'refresh', asOf: startedAt, at: now, opening: undefined }
  const after = change(knowledge, key, (known) =>
    refreshed(
      { ...known, refreshes: refreshServed(known, application, startedAt, now) },
      seen,
      now,
      knowledge,
    ),
  )
  return listening(after, key, application, now)
}

/** From the answer about a name without a namespace it is learnt which namespace that means. */
function withServerNamespace(
  knowledge: Knowledge,
  ref: ApplicationRef,
  application: Application | undefined,
  now: number,
): Knowledge {
  const namespace = application?.metadata.namespace
  if (namespace === undefined || ref.namespace !== undefined || !needsServerNamespace(knowledge))
    return knowledge
  const meant = [...knowledge.undecided.values()]
    .map(({ application: streamed }) => streamed)
    .filter(({ metadata }) => metadata.namespace === namespace)
  const decided = { ...knowledge, serverNamespace: namespace, undecided: new Map() }
  return changed(
    decided,
    meant.map((streamed) => ({ type: 'ADDED', application: streamed })),
    now,
  )
}
