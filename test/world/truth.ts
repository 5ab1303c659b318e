/**
 * What is true of an application at an instant, told from the world itself: what really runs, which commit it came of,
 * whether its hook really failed. Written from docs/verification.md, and on purpose with nothing of `lib/` that judges.
 */

import type { Policy, Wanted } from '../../lib/wanted.ts'
import { contentAt, sameContents } from './git.ts'
import { type Live, liveHealth } from './live.ts'
import { type Failing, failing, hasFailed, isBeyondDoubt, isExcused, isSeenThrough } from './truth-failing.ts'
import { runsImages, showsImages, showsSome } from './truth-images.ts'
import { claims, type SeenAt, shows } from './truth-revisions.ts'
import { type Subject, sameSources, sameSpec, syncedSource, type World } from './world.ts'

/** What is true of an application, or is not. */
export interface Truth {
  /** The store says that it is all that was asked for. */
  readonly isStored: boolean
  /** It really is: what runs is what the commit holds, it is healthy, and its hook has not failed; an operation under way is the store's to say. */
  readonly isReal: boolean
  /** It is, as far as one knows who cannot know of a failed hook. */
  readonly isRealBesidesHook: boolean
  /** What was read for its status was so, of the revision that was written with it: what runs may be another by now. */
  readonly wasReal: boolean
  readonly wasRealBesidesHook: boolean
  /** Its revision, and commit message, is what was asked for. */
  readonly isIdentified: boolean
  /** Both, and nothing in the way of seeing it by the documented rules. */
  readonly isVisible: boolean
  /** Something is so that time alone will hardly mend, and that is held against this release. */
  readonly failing: Failing | undefined
  /** And it is nothing but an error of comparison. */
  readonly isOnlyError: boolean
  /** And there is no doubt that it is: whoever waits must be told. */
  readonly isHopeless: boolean
  /** A streak of failing begins anew where this changes. */
  readonly observed: string
}

export const ABSENT: Truth = {
  isStored: false,
  isReal: false,
  isRealBesidesHook: false,
  wasReal: false,
  wasRealBesidesHook: false,
  isIdentified: false,
  isVisible: false,
  failing: undefined,
  isOnlyError: false,
  isHopeless: false,
  observed: '',
}

/**
 * Judges an application.
 *
 * @param since when the run began: a branch that pointed somewhere before it and no more is not what was asked for
 * @param seenAt when the run could first see it at each revision
 */
export function truthOf(
  world: World,
  subject: Subject,
  wanted: Wanted,
  since: number,
  seenAt: SeenAt,
): Truth {
  if (!subject.exists) return ABSENT
  const { status, live, spec, operation, deletingSince } = subject
  const observed = status.revisions.join()
  const isOperating = operation !== undefined || isRunning(subject)
  const isIdentified = claims(world, subject, wanted, since)
  const isStored =
    deletingSince === undefined &&
    !isOperating &&
    status.syncStatus === 'Synced' &&
    isIdentified &&
    status.health !== undefined &&
    wanted.health.includes(status.health) &&
    isFresh(subject) &&
    status.conditions.length === 0 &&
    showsImages(wanted.images, subject)
  const isAsWanted = (one: Live) =>
    deletingSince === undefined &&
    !one.hasDrifted &&
    sameContents(contentsOf(world, subject), one.contents) &&
    wanted.health.includes(liveHealth(one)) &&
    runsImages(wanted.images, one) &&
    (subject.plan.hydration === 'none' ||
      sameSources(world.git.commits.get(status.revisions[0] ?? '')?.hydratedFrom?.sources, spec.sources))
  const isRealBesidesHook = isAsWanted(live)
  const isReal = isRealBesidesHook && !live.hasFailedHook
  const wasRealBesidesHook = status.read !== undefined && isAsWanted(status.read)
  const isVisible =
    isStored &&
    isSettled(subject, 'as told') &&
    isReal &&
    shows(world, subject, wanted, seenAt) &&
    (!hasFailed(subject) || isExcused(subject)) &&
    isSeenThrough(subject, world.scenario.policy)
  const reason = failing(world, subject, wanted, isIdentified, since)
  const isOnlyError =
    reason === 'Conditions' && failing(world, subject, wanted, isIdentified, since, false) === undefined
  const isReleased = () =>
    isIdentified && shows(world, subject, wanted, seenAt) && showsSome(wanted.images, subject)
  const isHopeless = reason !== undefined && isBeyondDoubt(reason, subject, isReleased())
  return {
    isStored,
    isReal,
    isRealBesidesHook,
    // Of a hook, the operation on record tells, which is as it is now.
    wasReal: wasRealBesidesHook && !live.hasFailedHook,
    wasRealBesidesHook,
    isIdentified,
    isVisible,
    failing: reason,
    isOnlyError,
    isHopeless,
    observed,
  }
}

/**
 * Whether a run could know of a failed hook that another operation has taken the place of. Where it could not, it could
 * not at any time: what was on record before it began, it has not seen.
 *
 * @param since when the run began
 */
export function isKnowable(
  { failedAt, failureHiddenAt }: Subject['live'],
  { interval }: Policy,
  since: number,
): boolean {
  if (failureHiddenAt === undefined) return true
  return failureHiddenAt - Math.max(failedAt, since) > 3 * interval + 30_000
}

function isRunning({ status: { operationState } }: Subject): boolean {
  return (
    operationState !== undefined &&
    (operationState.phase === 'Running' || operationState.phase === 'Terminating')
  )
}

/** What the observed revisions hold under the present spec. */
function contentsOf({ git }: World, subject: Subject): number[] {
  const { spec, status } = subject
  return spec.sources.map((_, i) => {
    const path = syncedSource(subject, spec, i)?.path
    return contentAt(git, status.revisions[i] ?? '', path) ?? Number.NaN
  })
}

/** The status is about the present spec, about Git, and from after the last operation, and nobody has asked for another. */
function isFresh(subject: Subject): boolean {
  const { annotations, status, spec } = subject
  return (
    annotations.refresh === undefined &&
    sameSpec(status.comparedTo, spec) &&
    status.operationState?.operation.isLocal !== true &&
    isSettled(subject, 'in truth') &&
    isHydrated(subject)
  )
}

/**
 * The status is from after the end of the last operation, and of the last hydration. As far as whole seconds tell: in
 * the second of that end, where it is at what was synced, or hydrated. In truth, it may be from after an operation that
 * ended earlier in that second: a run may go by the time that has passed. Only what is Synced is asked.
 */
function isSettled(
  { plan, status: { operationState, reconciledAt, hydrator, revisions } }: Subject,
  how: 'in truth' | 'as told',
): boolean {
  const second = (at = 0) => Math.floor(at / 1000)
  const isAfter = (finishedAt: number | undefined, isMade: boolean) =>
    isMade ? second(reconciledAt) >= second(finishedAt) : second(reconciledAt) > second(finishedAt)
  const { finishedAt, hydratedSHA } = hydrator.current ?? {}
  const isHydrationTaken =
    plan.hydration === 'none' || hydratedSHA === revisions[0] || isAfter(finishedAt, finishedAt === undefined)
  if (operationState === undefined || operationState.operation.isDryRun) return isHydrationTaken
  const operated = operationState.synced ?? operationState.operation.revisions
  const isMade = operated.every((one, i) => one === undefined || one === revisions[i])
  const isLater = how === 'in truth' && (reconciledAt ?? 0) > (operationState.finishedAt ?? 0)
  return isHydrationTaken && (isLater || isAfter(operationState.finishedAt, isMade))
}

function isHydrated({ plan, spec, status: { hydrator }, annotations }: Subject): boolean {
  if (plan.hydration === 'none') return true
  return (
    annotations.hydrate === undefined &&
    hydrator.current?.phase === 'Hydrated' &&
    // The destination is no part of what is hydrated.
    sameSources(hydrator.current.spec.sources, spec.sources)
  )
}
