/** Why a sync is started, what has to be known of all applications before the first is, and what forbids it. Pure. */

import { type Application, REFRESH_ANNOTATION } from './application.ts'
import { digest } from './digest.ts'
import { RequestFailure } from './failure.ts'
import { applicationOf, type Failure, type Known, lastFailure, NEVER } from './knowledge.ts'
import type { Moment } from './moment.ts'
import { type Need, NOTHING } from './need.ts'
import { withFailure } from './operation-rules.ts'
import { checkApplication } from './predicates.ts'
import { REQUEST_TIMEOUT, SHORTEST_PAUSE, SYNC_PATIENCE, SYNC_TIMEOUT, WINDOWS_INTERVAL } from './promises.ts'
import { remembered } from './remembered.ts'
import type { Request } from './requests.ts'
import { isAuthorized, policyLine, policyObject, STAGE_ANNOTATION } from './sync-access.ts'
import { idOf, isOutOfSight, isUnderWay } from './sync-operation.ts'
import { type Judgement, judge } from './sync-rules.ts'
import type { SyncOrder } from './syncs.ts'
import type { Sync } from './wanted.ts'

const NOT = Number.POSITIVE_INFINITY

/** How an application stands with regard to being synced. */
export type Stand =
  | Judgement
  /** There is an operation of this run, or one is being asked for. */
  | { readonly kind: 'own' }
  /** It has to be looked at by itself, at this time or later. */
  | { readonly kind: 'unseen'; readonly lookAt: number }

/** What a request has brought, as the checks take it: an older failure counts on where nothing has made up for it. */
const wholeOf = remembered(({ whole, failedOperation }: Known): Application | undefined =>
  whole === undefined ? undefined : withFailure(whole, failedOperation),
)

const judged = remembered((known: Known): Judgement | undefined => {
  const whole = wholeOf(known)
  const { wanted, evidence } = known
  return whole === undefined
    ? undefined
    : judge(whole, wanted, evidence, checkApplication(whole, wanted, evidence))
})

/** How an application stands at a moment. */
export function standOf(known: Known, moment: Moment): Stand {
  const { syncing, met, whole } = known
  if (syncing.isOrdering) return { kind: 'own' }
  // Also one of which something was started: it has been deleted since.
  if (known.sighting !== undefined && applicationOf(known) === undefined)
    return { kind: 'unclear', message: 'the application cannot be seen' }
  if (syncing.own !== undefined) return { kind: 'own' }
  if (met !== undefined && !syncing.isInDoubt) return { kind: 'nothing' }
  const from = freshFrom(known, moment)
  if (whole === undefined || syncing.seenAt === NEVER || syncing.seenAt < from)
    return { kind: 'unseen', lookAt: from }
  const judgement = judged(known) ?? ({ kind: 'unseen', lookAt: from } as const)
  // One may have begun since that look, as a stream tells: it is waited for, whether or not it would be in the way still.
  const hasBegun = judgement.kind === 'needed' && isUnderWay(applicationOf(known) ?? whole)
  return hasBegun ? { ...judgement, isUnderWay: true } : judgement
}

/** Since when a request must have shown it: what Git holds now decides, and what is there after an operation. */
function freshFrom(known: Known, { knowledge, isOneLook }: Moment): number {
  const { refreshes, syncing } = known
  const { lookFrom, refreshFrom } = syncing
  if (knowledge.policy.refresh === 'none' || isOneLook) return Math.max(lookFrom, refreshFrom)
  if (refreshes.answered > 0 && refreshes.servedAskedAt >= refreshFrom)
    return Math.max(lookFrom, refreshes.servedAskedAt)
  const failure = lastFailure(knowledge, 'refresh', known)
  if (failure !== undefined && failure.at >= refreshFrom) return Math.max(lookFrom, failure.at)
  if (refreshes.isUnderWay && refreshes.startedAt >= refreshFrom)
    return Math.max(lookFrom, refreshes.startedAt + SYNC_PATIENCE)
  return NOT
}

/** Looks, questions whether it may be, and, once all is known of all, the syncs themselves. */
export function syncsNeeded(moment: Moment): Need {
  const { knowledge, now, isOneLook } = moment
  const { sync } = knowledge.policy
  if (sync === undefined) return NOTHING
  const tasks: Request[] = []
  let wakeAt = NOT
  const due = (at: number, request: () => Request) => {
    if (at <= now) tasks.push(request())
    else wakeAt = Math.min(wakeAt, at)
  }
  const retryAt = (failure: Failure | undefined) =>
    failure === undefined ? NEVER : isOneLook ? NOT : failure.retryAt
  const ready: Known[] = []
  let isOpen = hasAllMembers(moment)
  for (const known of knowledge.applications.values()) {
    const { syncing } = known
    if (syncing.isOrdering && syncing.order !== undefined) tasks.push(orderRequest(known, syncing.order, 0))
    if (isOutOfSight(known, knowledge))
      due(Math.max(syncing.seenAt + SHORTEST_PAUSE, retryAt(lastFailure(knowledge, 'look', known))), () =>
        lookRequest(known),
      )
    const stand = standOf(known, moment)
    if (stand.kind !== 'own' && isOutdated(known))
      due(
        Math.max(known.lookedAt + knowledge.policy.interval, retryAt(lastFailure(knowledge, 'look', known))),
        () => lookRequest(known),
      )
    if (stand.kind === 'unseen') {
      isOpen = false
      // One that has just been answered and showed nothing is not sent again at once.
      const again = known.lookedAt >= stand.lookAt ? known.lookedAt + SHORTEST_PAUSE : NEVER
      due(Math.max(stand.lookAt, again, retryAt(lastFailure(knowledge, 'look', known))), () =>
        lookRequest(known),
      )
    } else if (stand.kind === 'unclear' || stand.kind === 'misfit') isOpen = false
    else if (stand.kind === 'needed') {
      if (syncing.isPermitted === undefined)
        due(retryAt(lastFailure(knowledge, 'permission', known)), () => permissionRequest(known, moment))
      if (syncing.isPermitted !== true || !isAllowed(known, sync)) isOpen = false
      else if (!stand.isUnderWay) ready.push(known)
    }
  }
  if (isOneLook || !isOpen) return { tasks, wakeAt }
  for (const known of ready) {
    const { syncing } = known
    const failure = lastFailure(knowledge, 'windows', known)
    if (syncing.refusal?.kind === 'closed') {
      const askAt = Math.max(syncing.windowsAt + WINDOWS_INTERVAL, failure?.retryAt ?? NEVER)
      if (syncing.windows === undefined || !syncing.windows.canSync)
        due(syncing.windows === undefined ? (failure?.retryAt ?? NEVER) : askAt, () => windowsRequest(known))
      // Where nobody tells of the windows, asking for the sync does.
      if (syncing.windows?.canSync === false || (syncing.windows === undefined && failure === undefined))
        continue
    }
    const stand = standOf(known, moment)
    if (stand.kind !== 'needed') continue
    due(Math.max(syncing.retryAt, syncing.lookFrom), () =>
      orderRequest(known, orderOf(known, stand.target, moment), 1),
    )
  }
  return { tasks, wakeAt }
}

/** Whether a list or a stream tells of something else than what is judged, which a request for it brings. */
function isOutdated(known: Known): boolean {
  const { sighting, syncing, met } = known
  const application = sighting?.application
  const whole = wholeOf(known)
  if (whole === undefined || application === undefined || met !== undefined) return false
  if (sighting === undefined || sighting.asOf <= syncing.seenAt) return false
  return (
    digest(application) !== digest(whole) ||
    application.status.reconciledAt !== whole.status.reconciledAt ||
    isRefreshing(application) !== isRefreshing(whole)
  )
}

function isRefreshing({ metadata }: Application): boolean {
  return REFRESH_ANNOTATION in metadata.annotations
}

function hasAllMembers({ knowledge: { applications, target, listedAt } }: Moment): boolean {
  return target.kind === 'names' || (listedAt !== NEVER && applications.size >= target.min)
}

function isAllowed({ whole }: Known, { stage }: Sync): boolean {
  return stage === undefined || (whole !== undefined && isAuthorized(whole, stage))
}

/** The sync that an application would get. */
export function orderOf(
  { whole }: Known,
  target: Extract<Judgement, { kind: 'needed' }>['target'],
  { knowledge }: Moment,
): SyncOrder {
  const prune = knowledge.policy.sync?.prune ?? whole?.spec.syncPolicy.automated?.prune ?? false
  return { ...target, prune, id: idOf(knowledge) }
}

// ---- Requests

function orderRequest({ key, ref, syncing }: Known, order: SyncOrder, next: 0 | 1): Request {
  return {
    key: `sync:${key}:${syncing.orders + next}`,
    kind: 'sync',
    lane: 'sync',
    timeout: SYNC_TIMEOUT,
    // Whoever asks twice may get two.
    hedges: [],
    application: key,
    ref,
    order,
  }
}

function lookRequest({ key, ref }: Known): Request {
  return {
    key: `look:${key}`,
    kind: 'look',
    lane: 'look',
    timeout: REQUEST_TIMEOUT,
    hedges: [],
    application: key,
    ref,
  }
}

function permissionRequest({ key, whole, ref }: Known, { knowledge }: Moment): Request {
  return {
    key: `permission:${key}`,
    kind: 'permission',
    lane: 'permission',
    timeout: REQUEST_TIMEOUT,
    hedges: [],
    application: key,
    object: whole === undefined ? ref.name : policyObject(whole, knowledge.serverNamespace),
  }
}

function windowsRequest({ key, ref, whole, syncing }: Known): Request {
  return {
    key: `windows:${key}`,
    kind: 'windows',
    lane: 'windows',
    timeout: REQUEST_TIMEOUT,
    hedges: [],
    application: key,
    ref,
    zonesOf: syncing.windows === undefined ? (whole?.spec.project ?? ref.project ?? 'default') : undefined,
  }
}

// ---- What ends a run at once

/** So many applications, and policy lines, stand in one sentence. */
const MOST_NAMED = 5

/** Why nothing may be started, where trying on would not help; the sentence says what to add. */
export function syncRefusal(moment: Moment): RequestFailure | undefined {
  const { knowledge } = moment
  const { sync } = knowledge.policy
  if (sync === undefined) return undefined
  const misfits: string[] = []
  const strangers: Known[] = []
  const denied: { readonly known: Known; readonly action: string; readonly said: string }[] = []
  for (const known of knowledge.applications.values()) {
    const stand = standOf(known, moment)
    const name = known.key
    if (stand.kind === 'misfit') misfits.push(`${name}: ${stand.message}`)
    if (stand.kind !== 'needed') continue
    const { refusal, isPermitted } = known.syncing
    if (!isAllowed(known, sync)) strangers.push(known)
    else if (isPermitted === false) denied.push({ known, action: 'sync', said: '' })
    else if (refusal?.kind === 'denied')
      denied.push({ known, action: refusal.action, said: ` (${refusal.message})` })
  }
  if (misfits.length > 0)
    return new RequestFailure('InvalidSettings', `nothing is synced: ${few(misfits, '; ')}`, { fatal: true })
  const { stage } = sync
  if (strangers.length > 0 && stage !== undefined)
    return unauthorized(strangers, `${stage.project}:${stage.name}`)
  return denied.length === 0 ? undefined : notPermitted(denied, moment)
}

function unauthorized(strangers: readonly Known[], stage: string): RequestFailure {
  const [first] = strangers
  const value = first === undefined ? '' : (first.whole?.metadata.annotations[STAGE_ANNOTATION] ?? '')
  const found =
    strangers.length > 1
      ? ''
      : value === ''
        ? ', which has no such annotation'
        : `, which has ${JSON.stringify(value)}`
  return new RequestFailure(
    'StageNotAuthorized',
    `the Stage ${stage} is not authorized to sync ${few(
      strangers.map(({ key }) => key),
      ', ',
    )}${found}; ` +
      `add the annotation ${STAGE_ANNOTATION}: ${stage} (several Stages with commas between them, without *)`,
    { fatal: true },
  )
}

function notPermitted(
  denied: readonly { readonly known: Known; readonly action: string; readonly said: string }[],
  { knowledge }: Moment,
): RequestFailure {
  const lines = denied.map(({ known, action }) =>
    policyLine(
      action,
      known.whole === undefined ? known.ref.name : policyObject(known.whole, knowledge.serverNamespace),
    ),
  )
  const names = few(
    denied.map(({ known }) => known.key),
    ', ',
  )
  const override = denied.some(({ action }) => action === 'override')
    ? ' to another revision than the one that is tracked'
    : ''
  return new RequestFailure(
    'Unauthorized',
    `this account may not sync ${names}${override}${denied[0]?.said ?? ''}; ` +
      `give its role in Argo CD the policy: ${few(lines, '; ')}`,
    { fatal: true },
  )
}

function few(items: readonly string[], separator: string): string {
  const more = items.length - MOST_NAMED
  return `${items.slice(0, MOST_NAMED).join(separator)}${more > 0 ? ` and ${more} more` : ''}`
}
