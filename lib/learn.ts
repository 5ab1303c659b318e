/** What is known after something has happened: `(knowledge, event, now) → knowledge`. Pure. */

import type { Application } from './application.ts'
import { asFailure, RequestFailure, TooManyApplications } from './failure.ts'
import {
  areFew,
  deafAt,
  type Knowledge,
  type Known,
  lostAt,
  NEVER,
  type Sighting,
  type Streams,
} from './knowledge.ts'
import { isUndecided, keyOf, needsServerNamespace, newMember } from './members.ts'
import { assessed, confirmed, digest, looked, refreshed, sighted } from './observe.ts'
import { FIRST_DISTRUST, LONGEST_DISTRUST, LONGEST_LAG, MOST_APPLICATIONS } from './promises.ts'
import { refreshObserved, refreshServed, refreshStarted } from './refreshes.ts'
import type { ApplicationRef, Event, News, Request, WatchEvent } from './requests.ts'
import { LATE } from './run.ts'
import { answered, failed, failureOf } from './server.ts'
import { syncAnswered, syncLost, syncOrdered } from './sync-learn.ts'

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
        ? { ...knowledge, streams: streamGivenUp(knowledge, now) }
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
            windows: news.windows,
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
    const resumeAt = failureOf(after, 'watch')?.retryAt ?? now
    return {
      ...after,
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

// ---- One application

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
  const meant = [...knowledge.undecided.values()].filter(({ metadata }) => metadata.namespace === namespace)
  const decided = { ...knowledge, serverNamespace: namespace, undecided: new Map() }
  return changed(
    decided,
    meant.map((streamed) => ({ type: 'ADDED', application: streamed })),
    now,
  )
}

// ---- Lists of what a selector matches

function listed(
  knowledge: Knowledge,
  applications: readonly Application[],
  startedAt: number,
  now: number,
): Knowledge {
  const number = knowledge.lists + 1
  const next = new Map<string, Known>()
  for (const application of applications) {
    const key = keyOf(knowledge, application)
    const known = key === undefined ? undefined : member(knowledge, key, application.metadata, now)
    if (known === undefined) continue
    // What was learnt since the request was sent is newer than the list.
    const isNewer = known.sighting !== undefined && known.sighting.at > startedAt
    const seen: Sighting = { application, source: 'list', asOf: startedAt, at: now, opening: -number }
    next.set(known.key, isNewer ? known : sighted(known, seen, now, knowledge))
  }
  return bounded(withMembers({ ...knowledge, lists: number, listedAt: startedAt }, next, startedAt, now))
}

function named(
  knowledge: Knowledge,
  refs: readonly ApplicationRef[],
  startedAt: number,
  now: number,
): Knowledge {
  const next = new Map<string, Known>()
  for (const ref of refs) {
    const fresh = newMember(knowledge.target, ref, now)
    if (fresh !== undefined)
      next.set(fresh.key, knowledge.applications.get(fresh.key) ?? returning(knowledge, fresh))
  }
  return bounded(withMembers({ ...knowledge, listedAt: startedAt }, next, startedAt, now))
}

function member(
  knowledge: Knowledge,
  key: string,
  ref: { name: string; namespace: string | undefined },
  now: number,
) {
  const { applications, target } = knowledge
  const known = applications.get(key)
  if (known !== undefined) return known
  const fresh = newMember(target, { ...ref, project: target.project }, now)
  return fresh === undefined ? undefined : returning(knowledge, fresh)
}

/** One that comes back is not synced a second time. */
function returning({ departed }: Knowledge, fresh: Known): Known {
  const syncing = departed.get(fresh.key)
  return syncing === undefined ? fresh : { ...fresh, syncing }
}

/** What was started of those that have gone. */
function withDeparted(knowledge: Knowledge, before: Knowledge['applications'], now: number): Knowledge {
  const gone: [string, Known['syncing']][] = []
  for (const [key, known] of before) {
    if (knowledge.applications.has(key) || known.syncing.orders === 0) continue
    // Its request, where one was under way, ends with its going.
    gone.push([key, known.syncing.isOrdering ? syncLost(known, now) : known.syncing])
  }
  return gone.length === 0 ? knowledge : { ...knowledge, departed: new Map([...knowledge.departed, ...gone]) }
}

/**
 * Those that were listed, and those that a stream has brought since the list was asked for. What a request for the one
 * application has brought says nothing of whether it is selected.
 */
function withMembers(
  knowledge: Knowledge,
  listed: Map<string, Known>,
  startedAt: number,
  now: number,
): Knowledge {
  for (const [key, known] of knowledge.applications) {
    const { sighting } = known
    if (!listed.has(key) && sighting?.source === 'stream' && sighting.at > startedAt) listed.set(key, known)
  }
  return withDeparted({ ...knowledge, applications: listed }, knowledge.applications, now)
}

function bounded(knowledge: Knowledge): Knowledge {
  if (knowledge.applications.size <= MOST_APPLICATIONS) return knowledge
  return refused(knowledge, new TooManyApplications())
}

/** Asking is of no use any more. */
function refused(knowledge: Knowledge, refusal: RequestFailure): Knowledge {
  return { ...knowledge, server: { ...knowledge.server, refusal } }
}

// ---- The stream

function streamStarted({ streams }: Knowledge, number: number, now: number): Streams {
  return {
    number,
    askedAt: now,
    openedAt: undefined,
    heardAt: now,
    endedAt: undefined,
    resumeAt: NEVER,
    downSince: streams.downSince,
    isBeginning: true,
    hasMentioned: false,
    hasEverMentioned: streams.hasEverMentioned,
    unheard: new Map(),
    deaf: streams.deaf,
  }
}

/** One that never began changes nothing; one that was lost without a word was so before its end. */
function downSince(knowledge: Knowledge, now: number): number {
  const { openedAt, downSince: before } = knowledge.streams
  return openedAt === undefined ? before : Math.min(now, lostAt(knowledge))
}

/**
 * A stream was given up. One that has told of something may just have lost a change between its list and its
 * subscription, and the next may be opened at once; one that kept everything to itself is held back by something in
 * between, which is believed longer each time.
 */
function streamGivenUp(knowledge: Knowledge, now: number): Streams {
  const { streams } = knowledge
  const isDeaf = now >= deafAt(knowledge)
  const isHeldBack = isDeaf && (!streams.hasMentioned || streams.deaf > 0)
  const distrust = Math.min(FIRST_DISTRUST * 2 ** streams.deaf, LONGEST_DISTRUST)
  return {
    ...streams,
    endedAt: now,
    downSince: downSince(knowledge, now),
    resumeAt: isHeldBack ? now + distrust : now,
    // One that was given up in time proves nothing, neither good nor bad.
    deaf: isDeaf ? streams.deaf + 1 : streams.unheard.size > 0 ? streams.deaf : 0,
  }
}

/** A stream begins with the present state, so of a few applications that are there it must soon tell. */
function opened(knowledge: Knowledge, now: number): Knowledge {
  const { streams, applications, server } = knowledge
  const unheard = new Map<string, number>()
  if (areFew(knowledge))
    for (const [key, { sighting }] of applications)
      if (sighting?.application !== undefined) unheard.set(key, now)
  // Where a request was sent before it, that one is still to be answered.
  const askedAt = server.askedAt === streams.askedAt ? undefined : server.askedAt
  return {
    ...knowledge,
    server: { ...server, askedAt },
    streams: { ...streams, openedAt: now, heardAt: now, unheard },
  }
}

function heard(knowledge: Knowledge, events: readonly WatchEvent[], now: number): Knowledge {
  const isBeginning = beginsStill(knowledge.streams, events, now)
  const streams = { ...knowledge.streams, heardAt: now, isBeginning }
  if (events.length > 0) return changed({ ...knowledge, streams }, events, now)
  // Nothing has changed of what this stream has told of.
  const applications = new Map(knowledge.applications)
  for (const [key, known] of applications)
    if (known.mentionedBy === streams.number) applications.set(key, confirmed(known, now))
  return { ...knowledge, applications, streams }
}

/** What a stream begins with comes in one go: a keep-alive or a silence after some of it ends that. */
function beginsStill(
  { isBeginning, hasMentioned, heardAt }: Streams,
  events: readonly WatchEvent[],
  now: number,
): boolean {
  return isBeginning && (!hasMentioned || (events.length > 0 && now - heardAt < LONGEST_LAG))
}

/** Applications as a stream tells of them; of several changes of one, the last is its state. */
function changed(knowledge: Knowledge, events: readonly WatchEvent[], now: number): Knowledge {
  const applications = new Map(knowledge.applications)
  const unheard = new Map(knowledge.streams.unheard)
  const undecided = new Map(knowledge.undecided)
  const last = new Map<string, WatchEvent>()
  for (const event of events) {
    const { type, application } = event
    const key = keyOf(knowledge, application)
    if (key !== undefined) last.set(key, event)
    else if (isUndecided(knowledge, application)) {
      const qualified = `${application.metadata.namespace ?? ''}/${application.metadata.name}`
      if (type === 'DELETED') undecided.delete(qualified)
      else undecided.set(qualified, application)
    }
  }
  const { number, isBeginning } = knowledge.streams
  const context: Knowledge = { ...knowledge, applications }
  for (const [key, { type, application }] of last) {
    const known = member(context, key, application.metadata, now)
    if (known === undefined) continue
    unheard.delete(known.key)
    const isGone = type === 'DELETED'
    if (isGone && knowledge.target.kind === 'selector') {
      applications.delete(known.key)
      continue
    }
    const isFirst = known.mentionedBy !== number
    const seen: Sighting = {
      application: isGone ? undefined : application,
      source: 'stream',
      asOf: now,
      at: now,
      opening: isFirst && isBeginning && !isGone ? number : undefined,
    }
    const told = isGone ? undefined : application
    const after = sighted(known, seen, now, context)
    applications.set(known.key, { ...after, refreshes: refreshObserved(after), mentionedBy: number, told })
  }
  const hasMentioned = last.size > 0
  // While it goes on telling of many, what it has not told of yet may still be on its way.
  if (hasMentioned && !areFew(context)) for (const key of unheard.keys()) unheard.set(key, now)
  const streams = {
    ...knowledge.streams,
    unheard,
    hasMentioned: knowledge.streams.hasMentioned || hasMentioned,
    hasEverMentioned: knowledge.streams.hasEverMentioned || hasMentioned,
  }
  return bounded(
    withDeparted({ ...knowledge, applications, undecided, streams }, knowledge.applications, now),
  )
}

/** Whether the stream has told what a request has just shown. */
function listening(
  knowledge: Knowledge,
  key: string,
  application: Application | undefined,
  now: number,
): Knowledge {
  const { streams } = knowledge
  const known = knowledge.applications.get(key)
  if (known === undefined || streams.openedAt === undefined || streams.endedAt !== undefined) return knowledge
  const hasTold = known.mentionedBy === streams.number
  const agrees = hasTold ? digest(known.told) === digest(application) : application === undefined
  if (agrees === !streams.unheard.has(key)) return knowledge
  const unheard = new Map(streams.unheard)
  if (agrees) unheard.delete(key)
  else unheard.set(key, now)
  return { ...knowledge, streams: { ...streams, unheard } }
}
