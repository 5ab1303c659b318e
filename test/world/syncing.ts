/**
 * What the gate has promised of the syncs that it starts: of which applications, when, with what, and that it does not
 * wait for nothing. Written from docs/sync.md, and on purpose with nothing of `lib/` that judges.
 */

import { FEW, SYNC_PATIENCE, WINDOWS_INTERVAL } from '../../lib/promises.ts'
import type { SyncAnswer, SyncOrder } from '../../lib/syncs.ts'
import type { Stage, Wanted } from '../../lib/wanted.ts'
import type { Truth } from './truth.ts'
import {
  isClosed,
  type Operation,
  type OperationState,
  type Revisions,
  type Subject,
  serverTime,
  type World,
} from './world.ts'

/** A sync that was ordered, or not, against a promise. */
export interface Mistake {
  readonly promise: 'never twice' | 'never unasked' | 'never late' | 'never early'
  readonly what: string
}

export interface SyncOracle {
  /** Something of an application has become another. */
  readonly seen: (subject: Subject, wanted: Wanted, truth: Truth) => void
  /** Judges what has been so up to now; before what has changed is taken in. */
  readonly look: () => Mistake | undefined
  /** Whether a run may end because nothing may be started. */
  readonly isRefusalRight: () => boolean
  /**
   * Whether a run cannot know what its order came to: that the application was busy it was not told, and what was in
   * the way is on record, for another revision than the one that is observed.
   */
  readonly isOvertaken: (subject: Subject) => boolean
  /**
   * Whether an operation that may have been adopted for its revisions has failed a moment ago, and another one has
   * taken its place on record since: how it ended stays so.
   */
  readonly hasFailedUnseen: (subject: Subject) => boolean
}

/** Whether an application needs a sync, where there is no doubt about it. */
type Need = 'none' | 'needed' | 'unclear'

interface Seen {
  readonly need: Need
  readonly since: number
  /** When something else than no need was last so. */
  readonly otherAt: number
}

/** So long it takes at most, where nothing breaks, until what is needed is known. */
const KNOWN_WITHIN = SYNC_PATIENCE + 10_000

/** A refresh that is asked for while another is under way may be answered by that. */
const LONGEST_COMPARISON = 10_000

/** An operation that is under way for so long has been seen under way. */
const ADOPTED_WITHIN = 3000

/** So old is what an order rests on at most, where nothing breaks. */
const EVIDENCE_AGE = 30_000

/** Which applications are meant, and how many there must be. */
export interface Members {
  readonly includes: (subject: Subject) => boolean
  readonly least: number
}

/** An oracle of what a run that begins now starts; without syncing it has nothing to say. */
export function createSyncOracle(world: World, startsAt: number, members: Members): SyncOracle {
  const { scenario, time } = world
  const { policy } = scenario
  const { sync } = policy
  if (sync === undefined)
    return {
      seen: () => {},
      look: () => undefined,
      isRefusalRight: () => false,
      isOvertaken: () => false,
      hasFailedUnseen: () => false,
    }
  const losesAnswers = scenario.faults.some((fault) => fault.kind === 'late' && fault.breaks === true)
  const isQuiet = scenario.faults.length === 0 && scenario.pace <= 4
  const all = new Map<Subject, Seen>()
  const wantedOf = new Map<Subject, Wanted>()
  const absentSince = new Map<Subject, number>()
  const busyWith = new Map<Subject, Operation | undefined>()
  const begunBefore = new Map<Subject, number>()
  const underWay = new Map<Subject, Operation | undefined>()
  const closings = new Map<string, number>()
  const specs = new Map<Subject, { readonly spec: Subject['spec']; readonly since: number }>()
  const failed = new Map<Subject, { readonly operation: Operation; readonly at: number }>()
  let dueSince: number | undefined
  let leftAt = Number.NEGATIVE_INFINITY
  let most = 0
  let refusalDueSince: number | undefined

  // A window that opens changes nothing of an application, and makes a sync due.
  for (const subject of world.applications)
    for (const { until } of subject.plan.owner?.closed ?? [])
      if (until > time.now() && until < Number.MAX_SAFE_INTEGER) time.at(until, () => world.changed(subject))

  const mayNot = (subject: Subject) => isForbidden(subject, sync.stage)

  /** Syncs are due where all are known to be as wanted, or to need one that they may get now. */
  const isDue = () => {
    if (all.size === 0 || all.size > FEW || policy.timeout === 0 || !isQuiet) return false
    const seen = [...all].filter(([subject]) => members.includes(subject))
    if (seen.length < members.least) return false
    return (
      seen.every(([, { need }]) => need !== 'unclear') &&
      seen.every(([subject, { need }]) => need === 'none' || !mayNot(subject)) &&
      seen.some(([subject, { need }]) => need === 'needed' && !isClosed(world, subject) && !isOwned(subject))
    )
  }
  /** Its own, or one that somebody began meanwhile, which may be for the same revisions and adopted. */
  const isOwned = (subject: Subject) => {
    const before = begunBefore.get(subject) ?? 0
    const { begun, operations } = subject
    if (sync.id !== undefined) return begun.includes(sync.id)
    if (mayBeAdopted(subject)) return true
    return operations.some(
      (operation, i) => i >= before && (begun[i] !== '' || isAdoptable(operation, wantedOf.get(subject))),
    )
  }
  /** Without an id, one that was under way for what is wanted when the run began is as good as its own, whatever comes. */
  const mayBeAdopted = (subject: Subject) => {
    const operation = underWay.get(subject)
    if (sync.id !== undefined || operation === undefined) return false
    if (operation.isDryRun || operation.isLocal || operation.isPartial === true) return false
    const wanted = wantedOf.get(subject)
    if (wanted === undefined || !isCommit(wanted)) return true
    const { operationState } = subject.status
    const synced = operationState?.operation === operation ? operationState.synced : undefined
    return isFor(synced ?? operation.revisions, wanted)
  }
  const isRefusalDue = () =>
    isQuiet &&
    all.size <= FEW &&
    policy.timeout > 0 &&
    [...all].some(
      ([subject, { need }]) =>
        need === 'needed' && mayNot(subject) && !isOwned(subject) && members.includes(subject),
    )

  const look = (): Mistake | undefined => {
    const now = time.now()
    const present = [...all.keys()].filter((subject) => members.includes(subject)).length
    if (present < most) leftAt = now
    most = present
    const allowed = KNOWN_WITHIN + WINDOWS_INTERVAL
    if (dueSince !== undefined && now - dueSince > allowed)
      return { promise: 'never late', what: `syncs are due since ${dueSince} ms, and none was started` }
    if (refusalDueSince !== undefined && now - refusalDueSince > allowed)
      return { promise: 'never late', what: `a sync is forbidden since ${refusalDueSince} ms, and no no` }
    dueSince = isDue() ? (dueSince ?? Math.max(now, startsAt)) : undefined
    refusalDueSince = isRefusalDue() ? (refusalDueSince ?? Math.max(now, startsAt)) : undefined
    return undefined
  }

  /** What Git holds now decides, so it has been looked at since the run began. */
  const isUnrefreshed = ({ status }: Subject) =>
    policy.refresh !== 'none' &&
    (status.reconciledAt ?? Number.NEGATIVE_INFINITY) <
      serverTime(world) - (time.now() - startsAt) - LONGEST_COMPARISON

  const judgeOrder = (subject: Subject, order: SyncOrder, answer: SyncAnswer): string | undefined => {
    const now = time.now()
    const { plan } = subject
    if (policy.timeout === 0) return 'one look ordered a sync'
    if (plan.automated) return `${plan.name} is synced automatically, and was ordered`
    if (mayNot(subject)) return `${plan.name} was ordered, and that is forbidden`
    const present = [...all.keys()].filter((other) => members.includes(other)).length
    if (present < members.least && now - leftAt > EVIDENCE_AGE && isQuiet)
      return `${plan.name} was ordered, and there are ${present} of ${members.least}`
    if (order.prune !== (sync.prune ?? plan.owner?.prunes ?? false))
      return `${plan.name} was ordered ${order.prune ? 'with' : 'without'} pruning`
    for (const [other, { need, since }] of all)
      if (
        need === 'needed' &&
        members.includes(other) &&
        mayNot(other) &&
        !isOwned(other) &&
        (since <= startsAt || now - since > LONGEST_COMPARISON) &&
        isQuiet
      )
        return `${plan.name} was ordered, though ${other.plan.name} may not be`
    if (scenario.target.kind === 'names' && isQuiet)
      for (const [other, { need }] of all)
        if (need === 'unclear' && (absentSince.get(other) ?? now) < now - LONGEST_COMPARISON)
          return `${plan.name} was ordered, though ${other.plan.name} is not there`
    const last = subject.status.operationState
    const wasAdoptable =
      sync.id === undefined &&
      last !== undefined &&
      busyWith.get(subject) === last.operation &&
      lasted(last) > ADOPTED_WITHIN
    if (wasAdoptable && isQuiet && isFor(last.synced, wantedOf.get(subject)))
      return `${plan.name} was ordered after an operation for the same commit, which was waited for`
    // Adopted at the first look, however little of it was left by then.
    const wasUnderWay =
      sync.id === undefined &&
      last !== undefined &&
      underWay.get(subject) === last.operation &&
      isAdoptable(last.operation, wantedOf.get(subject)) &&
      (last.finishedAt ?? 0) > serverTime(world) - (now - startsAt) + ADOPTED_WITHIN
    if (wasUnderWay && isQuiet && isFor(last.synced, wantedOf.get(subject)))
      return `${plan.name} was ordered after an operation for the same commit, under way since before the run`
    const { status, live, spec } = subject
    const hasBrought =
      last?.phase === 'Succeeded' &&
      !last.operation.isDryRun &&
      last.operation.isPartial !== true &&
      !last.operation.isLocal &&
      (last.finishedAt ?? 0) > serverTime(world) - (now - startsAt) &&
      isFor(last.synced, wantedOf.get(subject)) &&
      isFor(status.revisions, wantedOf.get(subject)) &&
      status.comparedTo === spec &&
      // What came of it may be elsewhere, or of another path, by now.
      (specs.get(subject)?.since ?? now) <= now - (serverTime(world) - last.startedAt) &&
      !live.hasDrifted
    if (hasBrought && isQuiet) return `${plan.name} was ordered, and has just been synced to the same commit`
    if (isUnrefreshed(subject) && isQuiet)
      return `${plan.name} was ordered by what was compared before the run`
    const wanted = wantedOf.get(subject)
    if (wanted !== undefined && !bringsCommit(subject, wanted, order))
      return `${plan.name} was ordered to another revision than the wanted commit`
    const seen = all.get(subject)
    if (subject.operation !== undefined && subject.operation === underWay.get(subject) && isQuiet)
      return `${plan.name} was ordered, and an operation is under way since before the run`
    if (seen?.need === 'none' && (now - seen.since > EVIDENCE_AGE || seen.since <= startsAt) && isQuiet)
      return `${plan.name} is as wanted since ${seen.since} ms, and was ordered`
    if (answer.kind === 'closed') {
      const span = plan.owner?.closed.find(({ from, until }) => from <= now && now < until)
      const key = `${plan.name} ${world.runs} ${span?.from}`
      const times = (closings.get(key) ?? 0) + 1
      closings.set(key, times)
      if (times > 2 && isQuiet) return `${plan.name} was ordered ${times} times while its window was closed`
    }
    return undefined
  }
  world.ordered = (subject, order, answer) => {
    if (answer.kind === 'busy') busyWith.set(subject, subject.operation)
    const what = judgeOrder(subject, order, answer)
    if (what !== undefined) world.mistake ??= { promise: 'never unasked', what }
    look()
  }

  return {
    seen: (subject, wanted, truth) => {
      if (!begunBefore.has(subject) || time.now() < startsAt) {
        begunBefore.set(subject, subject.begun.length)
        underWay.set(subject, subject.operation)
      }
      const now = time.now()
      if (specs.get(subject)?.spec !== subject.spec) specs.set(subject, { spec: subject.spec, since: now })
      wantedOf.set(subject, wanted)
      const { operation, phase } = subject.status.operationState ?? {}
      if (operation !== undefined && (phase === 'Failed' || phase === 'Error'))
        if (failed.get(subject)?.operation !== operation) failed.set(subject, { operation, at: now })
      if (subject.exists) absentSince.delete(subject)
      else if (!absentSince.has(subject)) absentSince.set(subject, time.now())
      const need = needOf(subject, wanted, truth)
      const before = all.get(subject)
      if (before?.need === need) return
      const isOther = before !== undefined && before.need !== 'none'
      all.set(subject, { need, since: now, otherAt: isOther ? now : (before?.otherAt ?? now) })
    },
    look,
    isOvertaken: (subject) => {
      const { operationState: last, revisions } = subject.status
      if (!losesAnswers || last === undefined || last.operation !== busyWith.get(subject)) return false
      return last.synced?.join() !== revisions.join()
    },
    hasFailedUnseen: (subject) => {
      const last = failed.get(subject)
      if (last === undefined || sync.id !== undefined || last.at <= startsAt) return false
      if (subject.plan.automated || time.now() - last.at > EVIDENCE_AGE) return false
      return (
        last.operation !== subject.status.operationState?.operation &&
        isAdoptable(last.operation, wantedOf.get(subject))
      )
    },
    isRefusalRight: () =>
      [...all].some(
        ([subject, { need, otherAt }]) =>
          mayNot(subject) &&
          !subject.plan.automated &&
          (need !== 'none' || time.now() - otherAt < EVIDENCE_AGE || !isQuiet),
      ),
  }
}

/** Whether syncing it is forbidden, by the account's policy or by its owner (Kargo, pkg/api/stage.go). */
function isForbidden({ plan: { owner } }: Subject, stage: Stage | undefined): boolean {
  if (owner === undefined) return false
  return !owner.isPermitted || (stage !== undefined && !owner.authorizes)
}

function needOf(subject: Subject, wanted: Wanted, truth: Truth): Need {
  const { exists, plan, status, operation, deletingSince, spec, annotations, isInvalid } = subject
  if (!exists || deletingSince !== undefined) return 'unclear'
  if (truth.isStored && truth.isVisible) return 'none'
  if (plan.automated) return 'none'
  if (isBrought(subject, wanted, truth)) return 'none'
  const isClear =
    operation === undefined &&
    (status.syncStatus === 'OutOfSync' ||
      (status.syncStatus === 'Synced' && isCommit(wanted) && !isFor(status.revisions, wanted))) &&
    status.comparedTo === spec &&
    status.conditions.length === 0 &&
    annotations.refresh === undefined &&
    !isInvalid &&
    plan.hydration === 'none' &&
    !plan.hasSeveralSources &&
    wanted.revisionPolicy === 'exact' &&
    wanted.commitMessage === undefined &&
    wanted.revision?.kind !== 'per-source'
  return isClear ? 'needed' : 'unclear'
}

/** Everything is there that a sync could bring, whether or not it is healthy. */
function isBrought({ status, operation, spec, annotations }: Subject, wanted: Wanted, truth: Truth): boolean {
  const last = status.operationState
  return (
    operation === undefined &&
    status.syncStatus === 'Synced' &&
    status.comparedTo === spec &&
    status.conditions.length === 0 &&
    annotations.refresh === undefined &&
    truth.isIdentified &&
    wanted.revisionPolicy === 'exact' &&
    wanted.images.length === 0 &&
    isCommit(wanted) &&
    last?.phase === 'Succeeded' &&
    !last.operation.isLocal &&
    !last.operation.isDryRun
  )
}

/** Whether one commit is wanted, in full. */
function isCommit({ revision }: Wanted): boolean {
  return revision?.kind === 'any-source' && /^[0-9a-f]{40}$/i.test(revision.revision)
}

/** Whether an order for a wanted commit names it. */
function bringsCommit({ plan }: Subject, wanted: Wanted, { revisions }: SyncOrder): boolean {
  const isPlain = plan.hydration === 'none' && !plan.hasSeveralSources && wanted.revisionPolicy === 'exact'
  if (!isPlain || !isCommit(wanted) || wanted.revision?.kind !== 'any-source') return true
  const commit = wanted.revision.revision.toLowerCase()
  return revisions.some(({ revision }) => revision.toLowerCase() === commit)
}

/** Whether somebody's operation may be for what is wanted: a sync of everything from Git. */
function isAdoptable(
  { isDryRun, isPartial, isLocal, revisions }: Operation,
  wanted: Wanted | undefined,
): boolean {
  if (isDryRun || isPartial === true || isLocal) return false
  // What is tracked at the time.
  if (wanted === undefined || !isCommit(wanted) || revisions.length === 0) return true
  return isFor(revisions, wanted)
}

function lasted({ startedAt, finishedAt = startedAt }: OperationState): number {
  return finishedAt - startedAt
}

/** Whether revisions are of one wanted commit. */
function isFor(revisions: Revisions | undefined, wanted: Wanted | undefined): boolean {
  if (wanted === undefined || !isCommit(wanted) || wanted.revision?.kind !== 'any-source') return false
  return revisions?.length === 1 && revisions[0] === wanted.revision.revision.toLowerCase()
}
