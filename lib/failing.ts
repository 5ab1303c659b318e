/** When something that is failing ends a run. Pure. */

import { isFailing } from './check.ts'
import { type Knowledge, type Known, NEVER } from './knowledge.ts'
import { OWN_COMPARISON } from './promises.ts'
import { hasOwnSyncFailed } from './sync-operation.ts'
import type { Policy } from './wanted.ts'

const NOT = Number.POSITIVE_INFINITY

type Part = Pick<Knowledge, 'policy' | 'target' | 'listedAt'>

/**
 * From when on evidence makes a no of what is failing: when *fail after* has passed since that was first seen, and, of
 * an error, when it was found twice: one that was found once does not count for what fails beside it either. Then Argo
 * CD has answered a refresh that was asked for after the first time: what the answer itself says comes from a cache.
 * Without one, it has compared again by itself. `Infinity`: not yet.
 */
export function failsAt({ failing, checks, refreshes }: Known, { failAfter }: Policy): number {
  if (failing === undefined) return NOT
  const { since, errorSince, otherSince = since } = failing
  const dueAt = since + failAfter
  if (errorSince === undefined) return dueAt
  const isRefreshed = refreshes.servedAskedAt >= errorSince
  const errorAt = Math.max(dueAt, isRefreshed ? refreshes.answeredAt : errorSince + OWN_COMPARISON)
  const hasOther = checks.some((check) => isFailing(check) && check.code !== 'Conditions')
  return hasOther ? Math.min(errorAt, otherSince + failAfter) : errorAt
}

/**
 * Whether an application has been failing for long enough to end the run. A stream, or a list, or the answer to a
 * refresh, is fed by a cache, and what was seen may be over by the time that something else makes it count: so a no,
 * as a yes does, rests on a look of the cluster that was asked for when it was due, and on such a tree where one is
 * all that says so. Where a stream says otherwise meanwhile, neither is believed until another look. And a selector
 * must match it still: no look and no stream tells that it has lost its labels.
 */
export function hasFailed(known: Known, knowledge: Part): boolean {
  if (hasOwnSyncFailed(known)) return true
  const { failing, isDoubtful, treeAsOf } = known
  if (failing === undefined || isDoubtful) return false
  const dueAt = failsAt(known, knowledge.policy)
  if (knowledge.target.kind === 'selector' && knowledge.listedAt < dueAt) return false
  return failing.shownAt >= looksFrom(known, knowledge) && (!restsOnTree(known) || treeAsOf >= dueAt)
}

/**
 * From when on a look makes a no: when that is due, and not before what else it takes was asked for, so that all of it
 * is of one time: with a selector, whether it matches still; and the tree, where that is all that says so.
 */
export function looksFrom(known: Known, { policy, target, listedAt }: Part): number {
  return Math.max(
    failsAt(known, policy),
    target.kind === 'selector' ? listedAt : NEVER,
    known.failing !== undefined && restsOnTree(known) ? known.treeAsOf : NEVER,
  )
}

/** Whether all that is failing is so by the resource tree. */
export function restsOnTree({ checks }: Pick<Known, 'checks'>): boolean {
  return checks.every((check) => !isFailing(check) || check.basis === 'tree')
}
