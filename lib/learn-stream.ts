/** What is learnt of the stream, and from it: `(knowledge, what came, now) → knowledge`. Pure. */

import type { Application } from './application.ts'
import { digest } from './digest.ts'
import { areFew, deafAt, type Knowledge, lostAt, NEVER, type Sighting, type Streams } from './knowledge.ts'
import { isUndecided, keyOf } from './members.ts'
import { bounded, member, withDeparted } from './membership.ts'
import { confirmed, sighted, sightedAgain } from './observe.ts'
import { FIRST_DISTRUST, LONGEST_DISTRUST, LONGEST_LAG } from './promises.ts'
import { refreshObserved } from './refreshes.ts'
import type { WatchEvent } from './requests.ts'

/** A stream was asked for. */
export function streamStarted({ streams }: Knowledge, number: number, now: number): Streams {
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
export function downSince(knowledge: Knowledge, now: number): number {
  const { openedAt, downSince: before } = knowledge.streams
  return openedAt === undefined ? before : Math.min(now, lostAt(knowledge))
}

/**
 * A stream was given up. One that has told of something may just have lost a change between its list and its
 * subscription, and the next may be opened at once; one that kept everything to itself is held back by something in
 * between, which is believed longer each time.
 */
export function streamGivenUp(knowledge: Knowledge, now: number): Streams {
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
export function opened(knowledge: Knowledge, now: number): Knowledge {
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

/** The stream has brought something: changes, or that nothing has changed. */
export function heard(knowledge: Knowledge, events: readonly WatchEvent[], now: number): Knowledge {
  const isBeginning = beginsStill(knowledge.streams, events, now)
  const streams = { ...knowledge.streams, heardAt: now, isBeginning }
  if (events.length > 0) return changed({ ...knowledge, streams }, events, now, knowledge.streams.heardAt)
  return { ...knowledge, applications: unchanged(knowledge, now), streams }
}

/** A stream is over: of what it has told of, nothing had changed when it was last heard, unless it was deaf. */
export function lastHeard(knowledge: Knowledge, now: number): Knowledge {
  if (now >= deafAt(knowledge)) return knowledge
  return { ...knowledge, applications: unchanged(knowledge, knowledge.streams.heardAt) }
}

/** Nothing had changed by then of what this stream has told of. */
function unchanged({ applications, streams }: Knowledge, at: number): Knowledge['applications'] {
  const after = new Map(applications)
  for (const [key, known] of after)
    if (known.mentionedBy === streams.number) after.set(key, confirmed(known, at))
  return after
}

/** What a stream begins with comes in one go: a keep-alive or a silence after some of it ends that. */
function beginsStill(
  { isBeginning, hasMentioned, heardAt }: Streams,
  events: readonly WatchEvent[],
  now: number,
): boolean {
  return isBeginning && (!hasMentioned || (events.length > 0 && now - heardAt < LONGEST_LAG))
}

/**
 * Applications as a stream tells of them; of several changes of one, the last is its state.
 *
 * @param heardBefore when it was last heard before that: what it had told until then was still so
 */
export function changed(
  knowledge: Knowledge,
  events: readonly WatchEvent[],
  now: number,
  heardBefore = NEVER,
): Knowledge {
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
      else undecided.set(qualified, { application, at: now })
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
    const before = isFirst ? known : confirmed(known, heardBefore)
    const again = sightedAgain(before, seen, now, context)
    if (again !== undefined) {
      applications.set(known.key, { ...again, mentionedBy: number, toldAt: now })
      continue
    }
    const after = sighted(before, seen, now, context)
    applications.set(known.key, {
      ...after,
      refreshes: refreshObserved(after),
      mentionedBy: number,
      toldAt: now,
      told,
    })
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
export function listening(
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
