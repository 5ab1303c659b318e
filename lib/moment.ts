/** What all needs and the verdict ask about a moment, worked out once: is there a stream, what does a yes still lack. */

import { lacksResults } from './diagnosis.ts'
import {
  aliveSince,
  areFew,
  isOneLook,
  type Knowledge,
  type Known,
  lostAt,
  metFor,
  NEVER,
} from './knowledge.ts'
import {
  DIAGNOSIS_SHARE,
  LAST_LOOK_SHARE,
  LONGEST_DIAGNOSIS,
  LONGEST_LAST_LOOK,
  STREAM_GRACE,
} from './promises.ts'
import { remembered } from './remembered.ts'

/** A moment of a run. Times are milliseconds of the run's clock; `Infinity`: not by itself. */
export interface Moment {
  readonly knowledge: Knowledge
  readonly now: number
  readonly isOneLook: boolean
  /** Since when the stream has been alive. */
  readonly aliveSince: number | undefined
  /** From when on polls take the place of the stream, a moment after it was lost; `Infinity` while it lives. */
  readonly polledFrom: number
  /** The applications are read one by one, rather than by a list or a stream. */
  readonly isFew: boolean
  /**
   * From when on evidence proves a yes: when everything had become met, and *stable for* had passed; `undefined`
   * where something is not met.
   */
  readonly provableAt: number | undefined
  /** Whether a yes is proven by the opening of a stream, rather than by requests. */
  readonly isProvenByStream: boolean
  /** When everything that is not known to be met is read for the last time. */
  readonly lastLookAt: number
  /** When the causes of a no are asked for at the latest. */
  readonly diagnosisAt: number
}

/**
 * The applications that may be a reason for something, whatever the time: all but those that are met and seen beyond
 * doubt. Of thousands they are a few, and they are the same for as long as nothing is learnt of any.
 */
export const unsettled = remembered((applications: Knowledge['applications']): readonly Known[] => {
  const some: Known[] = []
  for (const known of applications.values()) if (!isSettled(known)) some.push(known)
  return some
})

function isSettled(known: Known): boolean {
  const { met, failing, isDoubtful, age, refreshes, syncing } = known
  if (met === undefined || failing !== undefined || isDoubtful || age === 'unknown') return false
  return !refreshes.isUnderWay && syncing.own === undefined && !lacksResults(known)
}

/** What can be said of a moment. */
export function momentOf(knowledge: Knowledge, now: number): Moment {
  const { policy, deadline } = knowledge
  const alive = aliveSince(knowledge, now)
  const isFew = areFew(knowledge)
  return {
    knowledge,
    now,
    isOneLook: isOneLook(knowledge),
    aliveSince: alive,
    polledFrom: alive === undefined ? polledFrom(knowledge) : Number.POSITIVE_INFINITY,
    isFew,
    provableAt: metFor(knowledge),
    isProvenByStream: !isFew && alive !== undefined,
    lastLookAt: deadline - Math.min(policy.timeout * LAST_LOOK_SHARE, LONGEST_LAST_LOOK),
    diagnosisAt: deadline - Math.min(policy.timeout * DIAGNOSIS_SHARE, LONGEST_DIAGNOSIS),
  }
}

/** A stream that ends is opened again at once; however often that fails, polls have taken its place meanwhile. */
function polledFrom(knowledge: Knowledge): number {
  const { policy, startedAt, streams } = knowledge
  if (!policy.watch) return startedAt
  const isOpen = streams.openedAt !== undefined && streams.endedAt === undefined
  return (isOpen ? lostAt(knowledge) : streams.downSince) + STREAM_GRACE
}

/**
 * Whether a yes is proven: all of it was met at one instant, read from the moment on when everything had become met.
 * A cache, and a stream, can have missed that something changed; so each application was read from the cluster since
 * then, or, where there are many, told of by a stream, or a list, that was opened since then. The opening itself is one
 * instant: where all is met in it, nothing else is needed.
 */
export function isProven({ knowledge, provableAt, now, isFew, isProvenByStream }: Moment): boolean {
  const { applications, target, listedAt, streams } = knowledge
  if (provableAt === undefined || now < provableAt) return false
  const all = [...applications.values()]
  if (all.some((known) => treeLackedFrom(known, provableAt) !== undefined)) return false
  const opening = all[0]?.sighting?.opening
  const isOneInstant =
    !isFew &&
    knowledge.policy.stableFor === 0 &&
    opening !== undefined &&
    (opening < 0 || opening === streams.number) &&
    all.every(({ sighting }) => sighting?.opening === opening)
  if (target.kind === 'selector') {
    if (applications.size < target.min) return false
    // Whatever matches by now must be among them.
    const since = isOneInstant ? (opening > 0 ? streams.askedAt : NEVER) : provableAt
    if (listedAt < since) return false
  }
  if (isOneInstant) return true
  if (isProvenByStream)
    return streams.askedAt >= provableAt && all.every(({ mentionedBy }) => mentionedBy === streams.number)
  return all.every((known) => isProvenOne(known, provableAt))
}

/**
 * Since when a tree must have been asked for that a yes rests on, where none has been: Pods that had ended may be back,
 * and of the same images nothing but a tree tells. It is of what is seen now, and from after all had become met.
 *
 * @returns `undefined`: no tree is lacked
 */
export function treeLackedFrom(
  { isMetByTree, treeAsOf, changedAt }: Known,
  provableAt: number | undefined,
): number | undefined {
  if (!isMetByTree) return undefined
  if (treeAsOf < changedAt) return changedAt
  return provableAt !== undefined && treeAsOf < provableAt ? provableAt : undefined
}

/** Whether an application was read from the cluster since then, and was as wanted. */
export function isProvenOne({ provenAt }: Known, provableAt: number): boolean {
  return provenAt >= provableAt
}
