/** What becomes of the applications of a run when one comes or goes. Pure. */

import { type RequestFailure, TooManyApplications } from './failure.ts'
import type { Knowledge, Known } from './knowledge.ts'
import { newMember } from './members.ts'
import { MOST_APPLICATIONS } from './promises.ts'
import { syncLost } from './sync-learn.ts'

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

/** More applications than one run verifies end it. */
export function bounded(knowledge: Knowledge): Knowledge {
  if (knowledge.applications.size <= MOST_APPLICATIONS) return knowledge
  return refused(knowledge, new TooManyApplications())
}

/** Asking is of no use any more. */
export function refused(knowledge: Knowledge, refusal: RequestFailure): Knowledge {
  return { ...knowledge, server: { ...knowledge.server, refusal } }
}
