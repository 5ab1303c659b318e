/** What is learnt of which applications a selector matches: `(knowledge, what came, now) → knowledge`. Pure. */

import { type Application, applicationKey } from './application.ts'
import type { Knowledge, Known, Sighting } from './knowledge.ts'
import { keyOf } from './members.ts'
import { bounded, member, withDeparted } from './membership.ts'
import { sighted } from './observe.ts'
import { refreshObserved } from './refreshes.ts'
import type { ApplicationRef } from './requests.ts'

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
    if (isNewer) {
      next.set(known.key, known)
      continue
    }
    const after = sighted(known, seen, now, knowledge)
    next.set(known.key, { ...after, refreshes: refreshObserved(after) })
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
    const known = member(knowledge, applicationKey(ref.name, ref.namespace), ref, now)
    if (known !== undefined) next.set(known.key, known)
  }
  return bounded(withMembers({ ...knowledge, listedAt: startedAt }, next, startedAt, now))
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
    if (!listed.has(key) && known.toldAt > startedAt) listed.set(key, known)
  }
  return withDeparted({ ...knowledge, applications: listed }, knowledge.applications, now)
}
