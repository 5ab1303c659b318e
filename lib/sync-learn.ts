/** What is learnt of syncing an application: that a sync was ordered, what came of it, and whose operations are seen. Pure. */

import type { Application } from './application.ts'
import type { Check } from './check.ts'
import type { Knowledge, Known, Sighting } from './knowledge.ts'
import { SYNC_ANEW, SYNC_SETTLE } from './promises.ts'
import { carried, hasEnded, identified, idOf, isForTarget, isUnderWay } from './sync-operation.ts'
import { targetUnderWay } from './sync-rules.ts'
import { NO_SYNCING, type OwnSync, type SyncAnswer, type Syncing, type SyncOrder } from './syncs.ts'

type Context = Pick<Knowledge, 'policy' | 'seed'>

/** A sync was ordered. */
export function syncOrdered({ syncing, whole }: Known, order: SyncOrder, now: number): Syncing {
  return {
    ...syncing,
    orders: syncing.orders + 1,
    order,
    orderedAt: now,
    recordAtOrder: syncing.onRecord,
    historyAtOrder: newest(whole),
    isOrdering: true,
    isInDoubt: false,
    refusal: undefined,
  }
}

/** An order was answered. */
export function syncAnswered(known: Known, answer: SyncAnswer, now: number): Syncing {
  const { syncing } = known
  const { order } = syncing
  const answered = { ...syncing, isOrdering: false, isInDoubt: false }
  if (answer.kind === 'accepted') {
    if (syncing.own !== undefined || order === undefined) return { ...answered, refusals: 0 }
    return { ...answered, refusals: 0, own: accepted(known, order, now) }
  }
  const refusals = syncing.refusals + 1
  const pause = SYNC_ANEW[Math.min(refusals, SYNC_ANEW.length) - 1] ?? 0
  return { ...answered, refusal: answer, refusals, retryAt: now + pause, lookFrom: now, windows: undefined }
}

/** It is not known whether an order was heard: nobody orders again before the application has been looked at. */
export function syncLost({ syncing }: Known, now: number): Syncing {
  const from = now + SYNC_SETTLE
  return {
    ...syncing,
    isOrdering: false,
    isInDoubt: syncing.own === undefined,
    lookFrom: from,
    retryAt: from,
  }
}

function accepted({ syncing }: Known, order: SyncOrder, now: number): OwnSync {
  return {
    id: order.id,
    isAdopted: false,
    revisions: order.revisions.map(({ revision }) => revision),
    since: now,
    startedAt: undefined,
    finishedAt: undefined,
    phase: undefined,
    message: undefined,
    historyId: syncing.historyAtOrder,
    isFollowed: false,
    endedAt: undefined,
  }
}

function newest(application: Application | undefined): number {
  return Math.max(-1, ...(application?.status.history ?? []).map(({ id }) => id ?? 0))
}

/**
 * The application was seen.
 *
 * @param checks makes its checks, where they count
 */
export function syncObserved(
  known: Known,
  { application: told, source, asOf, at }: Sighting,
  checks: () => readonly Check[],
  context: Context,
): Syncing {
  const { sighting } = known
  const application = sighting?.application
  if (application === undefined || context.policy.sync === undefined) return known.syncing
  const before = ofThisOne(known.syncing, application)
  const isRequested = source === 'look' || source === 'refresh'
  // A dry run that hides a failure has taken the place of whatever was there.
  const onRecord = recordOf(told ?? application)
  const hasEndedSince =
    before.onRecord !== undefined && before.onRecord !== onRecord && !isUnderWay(application)
  const syncing: Syncing = {
    ...before,
    seenAt: isRequested ? Math.max(before.seenAt, asOf) : before.seenAt,
    onRecord,
    // What was compared before an operation ended says nothing of what there is after it.
    refreshFrom: hasEndedSince ? at : before.refreshFrom,
  }
  const own =
    ownOf({ ...known, syncing }, application, { isRequested, asOf, at, checks }, context) ??
    (isRequested && asOf >= before.lookFrom ? overtaken({ ...known, syncing }, at) : undefined)
  const isSettled = own !== undefined || (isRequested && asOf >= syncing.lookFrom)
  return { ...syncing, own, isInDoubt: syncing.isInDoubt && !isSettled }
}

/**
 * What is known of syncing an application that was deleted, and created anew under its name: what was started of the
 * one before is over, and makes nothing of this one. Whether an order was heard may still be in doubt.
 */
function ofThisOne(syncing: Syncing, application: Application): Syncing {
  const uid = application.metadata.uid ?? syncing.uid
  if (syncing.uid === undefined || syncing.uid === uid)
    return syncing.uid === uid ? syncing : { ...syncing, uid }
  const { isPermitted, orders, order, isOrdering, isInDoubt, lookFrom, retryAt } = syncing
  const recordAtOrder = recordOf(application)
  return {
    ...NO_SYNCING,
    uid,
    isPermitted,
    orders,
    order,
    isOrdering,
    isInDoubt,
    lookFrom,
    retryAt,
    recordAtOrder,
  }
}

/**
 * Where it is not known whether an order was heard, and another operation has been on record since, ours may have been
 * there and gone: it is not ordered again.
 */
function overtaken(known: Known, at: number): OwnSync | undefined {
  const { isInDoubt, order, onRecord, recordAtOrder } = known.syncing
  if (!isInDoubt || order === undefined || onRecord === recordAtOrder) return undefined
  return { ...accepted(known, order, at), isFollowed: true }
}

/** The operation on record, so that another one, and another end, is another text. */
function recordOf(application: Application): string {
  if (isUnderWay(application)) return 'under way'
  return application.status.operationState?.finishedAt ?? 'none'
}

interface Seen {
  readonly isRequested: boolean
  readonly asOf: number
  readonly at: number
  readonly checks: () => readonly Check[]
}

function ownOf(known: Known, application: Application, seen: Seen, context: Context): OwnSync | undefined {
  const { own } = known.syncing
  const id = idOf(context)
  const found =
    own === undefined || own.id !== undefined ? carried(application, id) : identified(own, application)
  if (own === undefined) {
    if (found !== undefined)
      return found.isAsked ? asked(known, id, seen) : adopted(known, application, id, seen)
    return context.policy.sync?.id === undefined ? adoptedForRevisions(known, application, seen) : undefined
  }
  // How it ended stays so, whatever a cache still tells.
  if (hasEnded(own.phase))
    return found === undefined && seen.isRequested && !own.isFollowed ? { ...own, isFollowed: true } : own
  if (found?.isAsked === true) return own
  if (found !== undefined)
    return { ...own, ...progressOf(application), isFollowed: false, endedAt: endOf(application, seen) }
  return seen.isRequested && seen.asOf >= own.since ? { ...own, isFollowed: true } : own
}

function asked(known: Known, id: string, { at }: Seen): OwnSync {
  const { order, orders } = known.syncing
  const blank = accepted(known, order ?? { id, revisions: [], several: false, prune: false }, at)
  return { ...blank, isAdopted: orders === 0 }
}

function adopted(known: Known, application: Application, id: string | undefined, seen: Seen): OwnSync {
  const { order, orders } = known.syncing
  return {
    id,
    isAdopted: orders === 0,
    revisions: order?.revisions.map(({ revision }) => revision) ?? [],
    since: seen.at,
    historyId: newest(application),
    isFollowed: false,
    endedAt: endOf(application, seen),
    ...progressOf(application),
  }
}

function endOf({ status: { operationState } }: Application, { at }: Seen): number | undefined {
  return hasEnded(operationState?.phase) ? at : undefined
}

/** Without an id, an operation under way for what is wanted is as good as one of our own. */
function adoptedForRevisions(known: Known, application: Application, seen: Seen): OwnSync | undefined {
  const state = application.status.operationState
  if (!seen.isRequested || state?.startedAt === undefined || hasEnded(state.phase)) return undefined
  const target = targetUnderWay(application, known.wanted, known.evidence, seen.checks())
  if (target === undefined || !isForTarget(application, target)) return undefined
  return { ...adopted(known, application, undefined, seen), isAdopted: true }
}

function progressOf({ status: { operationState: state } }: Application) {
  return {
    startedAt: state?.startedAt,
    finishedAt: hasEnded(state?.phase) ? state?.finishedAt : undefined,
    phase: state?.phase,
    message: state?.message,
  }
}
