/** What is learnt of which applications a selector matches: `(knowledge, what came, now) → knowledge`. Pure. */

import type { Application } from './application.ts'
import { type RequestFailure, TooManyApplications } from './failure.ts'
import type { Knowledge, Known, Sighting } from './knowledge.ts'
import { keyOf, newMember } from './members.ts'
import { sighted } from './observe.ts'
import { MOST_APPLICATIONS } from './promises.ts'
import type { ApplicationRef } from './requests.ts'
import { syncLost } from './sync-learn.ts'

/** All that a selector matches was listed. */
export function listed(
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

/** The names of all that a selector matches were listed. */
export function named(
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

/** An application that a selector matches: the one that is known, or a new one. */
export function member(
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

/** What was started of those that have gone, and that one of them was not met until now. */
export function withDeparted(
  knowledge: Knowledge,
  before: Knowledge['applications'],
  now: number,
): Knowledge {
  const gone: [string, Known['syncing']][] = []
  let { leftUnmetAt } = knowledge
  for (const [key, known] of before) {
    if (knowledge.applications.has(key)) continue
    if (known.met === undefined) leftUnmetAt = now
    if (known.syncing.orders === 0) continue
    // Its request, where one was under way, ends with its going.
    gone.push([key, known.syncing.isOrdering ? syncLost(known, now) : known.syncing])
  }
  if (gone.length === 0)
    return leftUnmetAt === knowledge.leftUnmetAt ? knowledge : { ...knowledge, leftUnmetAt }
  return { ...knowledge, leftUnmetAt, departed: new Map([...knowledge.departed, ...gone]) }
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

/** More applications than one run verifies end it. */
export function bounded(knowledge: Knowledge): Knowledge {
  if (knowledge.applications.size <= MOST_APPLICATIONS) return knowledge
  return refused(knowledge, new TooManyApplications())
}

/** Asking is of no use any more. */
export function refused(knowledge: Knowledge, refusal: RequestFailure): Knowledge {
  return { ...knowledge, server: { ...knowledge.server, refusal } }
}
