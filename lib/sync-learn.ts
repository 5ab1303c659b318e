/** What is learnt of syncing an application: that a sync was ordered, what came of it, and whose operations are seen. Pure. */

import { type Application, observedRevisions } from './application.ts'
import type { Knowledge, Known, Sighting } from './knowledge.ts'
import { operatedRevisions } from './operation-rules.ts'
import { SYNC_ANEW, SYNC_OVER, SYNC_SETTLE } from './promises.ts'
import { sameRevision } from './revision.ts'
import { carries, hasEnded, isForTarget, isUnderWay, judge } from './sync-rules.ts'
import type { OwnSync, SyncAnswer, Syncing, SyncOrder } from './syncs.ts'
import { parseTime } from './time.ts'

type Context = Pick<Knowledge, 'policy' | 'seed'>

/** What stands in the operations that a run starts: the id of the settings, or one that no other run has. */
export function idOf({ policy, seed }: Context): string {
  return policy.sync?.id ?? `run-${(seed >>> 0).toString(16).padStart(8, '0')}`
}

/** A sync was ordered. */
export function syncOrdered({ syncing }: Known, order: SyncOrder, now: number): Syncing {
  return {
    ...syncing,
    orders: syncing.orders + 1,
    order,
    orderedAt: now,
    recordAtOrder: syncing.onRecord,
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

function accepted({ whole }: Known, order: SyncOrder, now: number): OwnSync {
  return {
    id: order.id,
    isAdopted: false,
    revisions: order.revisions.map(({ revision }) => revision),
    since: now,
    startedAt: undefined,
    finishedAt: undefined,
    phase: undefined,
    message: undefined,
    historyId: newest(whole),
    isFollowed: false,
    endedAt: undefined,
  }
}

function newest(application: Application | undefined): number {
  return Math.max(-1, ...(application?.status.history ?? []).map(({ id }) => id ?? 0))
}

/** The application was seen. */
export function syncObserved(known: Known, { source, asOf, at }: Sighting, context: Context): Syncing {
  const { sighting, syncing: before } = known
  const application = sighting?.application
  if (application === undefined || context.policy.sync === undefined) return before
  const isRequested = source === 'look' || source === 'refresh'
  const onRecord = recordOf(application)
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
    ownOf({ ...known, syncing }, application, { isRequested, asOf, at }, context) ??
    (isRequested && asOf >= before.lookFrom ? overtaken({ ...known, syncing }, at) : undefined)
  const isSettled = own !== undefined || (isRequested && asOf >= syncing.lookFrom)
  return { ...syncing, own, isInDoubt: syncing.isInDoubt && !isSettled }
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

/** An operation that carries an id; `isAsked`: it has not begun. */
function carried(application: Application, id: string): { readonly isAsked: boolean } | undefined {
  const { operation, status } = application
  const state = status.operationState
  if (state !== undefined && carries(state.operation.info, id)) return { isAsked: false }
  return operation !== undefined && carries(operation.info, id) ? { isAsked: true } : undefined
}

/** Two operations do not begin at the same time. */
function identified({ startedAt }: OwnSync, { status }: Application) {
  return status.operationState?.startedAt === startedAt ? { isAsked: false } : undefined
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
  const judgement = judge(application, known.wanted, known.evidence)
  if (judgement.kind !== 'needed' || !isForTarget(application, judgement.target)) return undefined
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

/**
 * Whether what was seen last does not show the run's own operation, of which nobody knows how it ended: another may
 * have taken its place, or a cache is behind, and a request for the application tells which.
 */
export function isOutOfSight({ syncing: { own }, sighting }: Known, context: Context): boolean {
  const application = sighting?.application
  if (own === undefined || application === undefined || own.isFollowed || hasEnded(own.phase)) return false
  return (
    (own.id === undefined ? identified(own, application) : carried(application, idOf(context))) === undefined
  )
}

/**
 * Whether what was seen is from after the end of the run's own operation. Times of the server count whole seconds, and
 * a sync that is started straight after a refresh can end in the second in which that refresh was done: so where the
 * two are equal, it takes a refresh that was asked for after the end was seen, or, without refreshes, some time.
 */
export function isAfterOwn({ syncing: { own }, refreshes, sighting }: Known, now: number): boolean {
  const status = sighting?.application?.status
  if (own?.endedAt === undefined || own.isFollowed || status === undefined || sighting === undefined)
    return true
  if (parseTime(status.reconciledAt) > parseTime(own.finishedAt)) return true
  if (refreshes.answered > 0 && refreshes.servedAskedAt >= own.endedAt)
    return sighting.asOf >= refreshes.servedAskedAt
  return now >= own.endedAt + SYNC_OVER
}

/** The revisions that an operation of a run was for, as far as they are known. */
export function revisionsOf(own: OwnSync, application: Application | undefined): readonly string[] {
  if (application === undefined || own.isFollowed || own.startedAt === undefined) return own.revisions
  const operated = operatedRevisions(application).filter((revision) => revision !== '')
  return operated.length > 0 ? operated : own.revisions
}

/**
 * Whether what another operation did, that took the place of ours on record, is what ours was to do: it succeeded, in
 * full, for the same revisions or those observed; or the history tells of a sync to them since.
 */
export function isDoneByOther(own: OwnSync, application: Application): boolean {
  const { operationState: state, history } = application.status
  const isSame = (revisions: readonly string[]) =>
    own.revisions.every((wanted) => revisions.some((one) => sameRevision(wanted, one)))
  const sync = state?.operation.sync
  const isFull = sync !== undefined && sync.dryRun !== true && sync.resources === 0 && sync.manifests === 0
  const operated = operatedRevisions(application)
  // What is observed must be what is wanted besides, so a sync to that is as good.
  const isOfObserved = observedRevisions(application).every((one, i) => sameRevision(operated[i] ?? '', one))
  if (state?.phase === 'Succeeded' && isFull && (isOfObserved || isSame(operated))) return true
  return (
    !hasEnded(own.phase) &&
    history.some(
      ({ id, revision, revisions }) =>
        (id ?? 0) > own.historyId && isSame(revision === undefined ? revisions : [revision]),
    )
  )
}
