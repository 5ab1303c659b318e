/** What a run knows at one time: one immutable value, from which everything follows that is done next. */

import { type Application, applicationKey } from './application.ts'
import type { Check } from './check.ts'
import { type Evidence, NO_EVIDENCE } from './evidence.ts'
import type { RequestFailure } from './failure.ts'
import type { OperationState } from './operation-rules.ts'
import { FEW, LONGEST_LAG, LONGEST_SILENCE, MANY_TIMES, ONE_LOOK_LIMIT } from './promises.ts'
import type { ApplicationRef } from './requests.ts'
import { NO_SYNCING, type Syncing } from './syncs.ts'
import type { Policy, Target, Wanted } from './wanted.ts'

/** Before anything: a time that is older than any other. */
export const NEVER = Number.NEGATIVE_INFINITY

/** An application as it was seen once. Times are milliseconds of the run's clock. */
export interface Sighting {
  /** `undefined`: it does not exist, or may not be seen. */
  readonly application: Application | undefined
  /** A request for the one reads the cluster; lists and streams are fed by a cache that may be a little behind. */
  readonly source: 'look' | 'refresh' | 'list' | 'stream'
  /** It was so at this time or after it: when the request was sent, or the message came. */
  readonly asOf: number
  /** When it was learnt. */
  readonly at: number
  /** The stream, or the list as a negative number, whose opening it was part of: all of that was so at one instant. */
  readonly opening: number | undefined
}

/** Something that has held without a break, as far as was seen. */
export interface Streak {
  /** When it was first learnt. */
  readonly since: number
  /** The last time at which it was so. */
  readonly until: number
}

/** All checks have been met. */
export interface Met extends Streak {
  /** When it was last in question whether they were. */
  readonly resumedAt: number
}

/** A streak of which nobody knows whether it goes on until what was asked for is known. */
interface InQuestion<S extends Streak> {
  readonly streak: S
  /** When what is in question was seen first: the first tree from then on decides at the latest. {@link NEVER}: no tree does. */
  readonly treeFrom: number
}

/** All checks were met. */
export interface Suspended extends InQuestion<Met> {
  /** What was seen: an answer about that decides. */
  readonly seen: string
  /** From then on the streak is worth nothing, whatever the answer. */
  readonly lapsesAt: number
}

/** Something was failing, and may be so still. */
export type Paused = InQuestion<Failing>

/** Some check or other has been failing, of one release. */
export interface Failing extends Streak {
  /** What was observed, as far as it was known. */
  readonly revisions: string
  /** Since when an error condition has been part of it; `undefined`: none is. */
  readonly errorSince: number | undefined
  /** Since when something besides errors has; `undefined`: nothing has yet. */
  readonly otherSince: number | undefined
  /** When the last look was asked for whose answer showed it; of the one that showed it first, when that came. */
  readonly shownAt: number
}

/** The refreshes of an application that this run asked for. */
export interface Refreshes {
  readonly asked: number
  readonly isUnderWay: boolean
  readonly startedAt: number
  /** How many were answered, and when the last was. */
  readonly answered: number
  readonly answeredAt: number
  readonly firstAnsweredAt: number
  /** When the last one that was answered had been asked for. */
  readonly servedAskedAt: number
  /** How many in a row were lost on the way since the last answer. */
  readonly lost: number
  /** How many answers were no fresh evidence though Git had been read, or were not read. */
  readonly futile: number
  /** `reconciledAt` in the last answer; before the first, in what was seen when it was asked for. */
  readonly reconciledAt: string | undefined
  /** What had left the status stale when the last one was asked for, by when it finished. */
  readonly unreconciled: string | undefined
  /** While the last one was under way, an annotation with its time was seen: the server answers each by itself. */
  readonly isTimed: boolean
  /** A hydration went on when the last one was asked for. */
  readonly isAbsorbed: boolean
  /** The answer that says where tracked revisions point, and when it came. */
  readonly fresh: { readonly application: Application; readonly at: number } | undefined
  /** What was compared, and when, in the last Application that is known to be from after that answer. */
  readonly comparedAfter: string | undefined
}

export const NO_REFRESHES: Refreshes = {
  asked: 0,
  isUnderWay: false,
  startedAt: NEVER,
  answered: 0,
  answeredAt: NEVER,
  firstAnsweredAt: NEVER,
  servedAskedAt: NEVER,
  lost: 0,
  futile: 0,
  reconciledAt: undefined,
  unreconciled: undefined,
  isTimed: false,
  isAbsorbed: false,
  fresh: undefined,
  comparedAfter: undefined,
}

/** One application of the run. */
export interface Known {
  /** Its place in maps, the same for the whole run: `namespace/name` as far as it was given. */
  readonly key: string
  readonly ref: ApplicationRef
  readonly wanted: Wanted
  /** How it was last seen; `undefined` before that. */
  readonly sighting: Sighting | undefined
  /** When that last became another. */
  readonly changedAt: number
  /** The last operation that was no dry run, where it failed: a dry run takes its place in the Application. */
  readonly failedOperation: OperationState | undefined
  /** The number of the last deployment when that was on record; a later one makes up for it. */
  readonly failedAfter: number
  /** The last whole Application that a request brought: streams leave out its resources. */
  readonly whole: Application | undefined
  readonly evidence: Evidence
  /** Whether the sighting is from after the fresh evidence of where tracked revisions point. */
  readonly age: 'before' | 'after' | 'unknown'
  /** The checks of the sighting; none before it. */
  readonly checks: readonly Check[]
  /** What they were made from. */
  readonly judged:
    | {
        readonly application: Application | undefined
        readonly evidence: Evidence
        readonly syncing: Syncing
      }
    | undefined
  readonly met: Met | undefined
  readonly suspended: Suspended | undefined
  readonly failing: Failing | undefined
  /** What was failing until something came that leaves it open whether it is so still. */
  readonly paused: Paused | undefined
  /** When the last request was sent whose answer showed all checks met, within the present streak. */
  readonly provenAt: number
  /** When the last look that was answered had been asked for, and how many in a row brought nothing new. */
  readonly lookedAt: number
  readonly idleLooks: number
  /** A request and a stream contradict each other, and nobody knows which of them is newer. */
  readonly isDoubtful: boolean
  /** The last stream that told of it, when it last did, and what that was; `undefined`: that it is gone. */
  readonly mentionedBy: number
  readonly toldAt: number
  readonly told: Application | undefined
  readonly refreshes: Refreshes
  /** When the tree of the evidence was asked for, and when one was last asked for. */
  readonly treeAsOf: number
  readonly treeAskedAt: number
  /** All is met, and which Pods have ended only the tree tells. */
  readonly isMetByTree: boolean
  /** What is known of syncing it. */
  readonly syncing: Syncing
  /** When what it waits for now began. */
  readonly waitingSince: number
}

/** The streams of a run; only the last of them counts. */
export interface Streams {
  /** Counts from 1; 0 before the first. */
  readonly number: number
  readonly askedAt: number
  readonly openedAt: number | undefined
  /** When it last brought something. */
  readonly heardAt: number
  /** When it ended, or was given up. */
  readonly endedAt: number | undefined
  /** The next one is not to be opened before. */
  readonly resumeAt: number
  /** Since when none has lived, however often one was tried; while one does, before it. */
  readonly downSince: number
  /** It may still be telling of what there was when it was opened; what it tells first later on is from another time. */
  readonly isBeginning: boolean
  /** It has told of an application. */
  readonly hasMentioned: boolean
  /** Some stream of this run has. */
  readonly hasEverMentioned: boolean
  /** Applications of which a request has shown what it has not told, by their key, and since when. */
  readonly unheard: ReadonlyMap<string, number>
  /** How many streams in a row kept such a thing to themselves. */
  readonly deaf: number
}

/** A question that could not be answered, so often in a row. */
export interface Failure {
  readonly count: number
  readonly at: number
  /** Not to be asked again before. */
  readonly retryAt: number
  readonly failure: RequestFailure
}

/** What is known of the server. */
export interface Server {
  /** When it last answered well. */
  readonly answeredAt: number | undefined
  /** Since when it has been asked for something that it has not answered. */
  readonly askedAt: number | undefined
  /** The last failure, where nothing was answered since. */
  readonly failure: RequestFailure | undefined
  readonly failedAt: number
  /** Since when, and until when, it has never been more than what looks like a mistake in the settings. */
  readonly hopeless: Streak | undefined
  /** The first of two refusals of a token that had worked, by when it came. */
  readonly doubtedAt: number | undefined
  /** Asking is of no use any more. */
  readonly refusal: RequestFailure | undefined
  /** How long answers usually take. */
  readonly usual: number
}

/** What a run knows. */
export interface Knowledge {
  readonly target: Target
  readonly policy: Policy
  /** What is said of a request that took too long. */
  readonly silence: string
  /** From which all jitter of the run comes. */
  readonly seed: number
  readonly startedAt: number
  readonly deadline: number
  readonly applications: ReadonlyMap<string, Known>
  /** What was started of applications that a selector matches no longer: they may come back. */
  readonly departed: ReadonlyMap<string, Syncing>
  /** When an application last left what a selector matches that was not met: until then all of it was not. */
  readonly leftUnmetAt: number
  /** Where Argo CD looks for applications that are named without a namespace; learnt from an answer. */
  readonly serverNamespace: string | undefined
  /** Streamed applications that may be meant by a name without a namespace, until that is known. */
  readonly undecided: ReadonlyMap<string, { readonly application: Application; readonly at: number }>
  readonly streams: Streams
  /** When the last list of what the selector matches was asked for, and how many there were. */
  readonly listedAt: number
  readonly lists: number
  /** All that the account may see, asked for once where something cannot be seen; `undefined`: not known. */
  readonly visible: readonly ApplicationRef[] | undefined
  readonly failures: ReadonlyMap<string, Failure>
  readonly server: Server
  readonly isInterrupted: boolean
}

/** What is known at the beginning. */
export function initialKnowledge(
  target: Target,
  policy: Policy,
  { silence, seed, now }: { readonly silence: string; readonly seed: number; readonly now: number },
): Knowledge {
  const applications = new Map<string, Known>()
  if (target.kind === 'names')
    for (const { name, namespace, wanted } of target.applications) {
      const known = unknown({ name, namespace, project: target.project }, wanted, now)
      applications.set(known.key, known)
    }
  return {
    target,
    policy,
    silence,
    seed,
    startedAt: now,
    deadline: now + (policy.timeout === 0 ? ONE_LOOK_LIMIT : policy.timeout),
    applications,
    departed: new Map(),
    leftUnmetAt: NEVER,
    serverNamespace: undefined,
    undecided: new Map(),
    streams: {
      number: 0,
      askedAt: NEVER,
      openedAt: undefined,
      heardAt: NEVER,
      endedAt: undefined,
      resumeAt: NEVER,
      downSince: now,
      isBeginning: true,
      hasMentioned: false,
      hasEverMentioned: false,
      unheard: new Map(),
      deaf: 0,
    },
    listedAt: NEVER,
    lists: 0,
    visible: undefined,
    failures: new Map(),
    server: {
      answeredAt: undefined,
      askedAt: undefined,
      failure: undefined,
      failedAt: NEVER,
      hopeless: undefined,
      doubtedAt: undefined,
      refusal: undefined,
      usual: 0,
    },
    isInterrupted: false,
  }
}

/** An application of which nothing is known yet. */
export function unknown(ref: ApplicationRef, wanted: Wanted, now: number): Known {
  return {
    key: applicationKey(ref.name, ref.namespace),
    ref,
    wanted,
    sighting: undefined,
    changedAt: NEVER,
    failedOperation: undefined,
    failedAfter: NEVER,
    whole: undefined,
    evidence: NO_EVIDENCE,
    age: 'before',
    checks: [],
    judged: undefined,
    met: undefined,
    suspended: undefined,
    failing: undefined,
    paused: undefined,
    provenAt: NEVER,
    lookedAt: NEVER,
    idleLooks: 0,
    isDoubtful: false,
    mentionedBy: 0,
    toldAt: NEVER,
    told: undefined,
    refreshes: NO_REFRESHES,
    treeAsOf: NEVER,
    treeAskedAt: NEVER,
    isMetByTree: false,
    syncing: NO_SYNCING,
    waitingSince: now,
  }
}

/** The application as last seen, where it was seen. */
export function applicationOf({ sighting }: Known): Application | undefined {
  return sighting?.application
}

/** One look, and no waiting. */
export function isOneLook({ policy }: Knowledge): boolean {
  return policy.timeout === 0
}

/** Whether the applications are few enough to be read one by one. */
export function areFew({ applications }: Knowledge): boolean {
  return applications.size <= FEW
}

/** Whether there is one application, and a request for it tells all. */
export function isAlone({ target, applications }: Knowledge): boolean {
  return target.kind === 'names' && applications.size === 1
}

/** Since when the stream, which lives now, has been open; `undefined` where none lives. */
export function aliveSince(knowledge: Knowledge, now: number): number | undefined {
  const { openedAt } = knowledge.streams
  return openedAt !== undefined && now < lostAt(knowledge) ? openedAt : undefined
}

/** Whether the stream has brought anything since it was opened, if only a keep-alive: nothing in between holds it back. */
export function isFlowing({ streams: { openedAt, heardAt } }: Knowledge): boolean {
  return openedAt !== undefined && heardAt > openedAt
}

/** The last failure of a question about an application, where it has not been answered since. */
export function lastFailure(
  { failures }: Knowledge,
  question: 'look' | 'refresh' | 'tree' | 'permission' | 'windows' | 'sync',
  { key }: Pick<Known, 'key'>,
): Failure | undefined {
  return failures.size === 0 ? undefined : failures.get(`${question}:${key}`)
}

/** When the stream counts as lost: it ended, has been silent for too long, or has kept to itself what it should tell. */
export function lostAt(knowledge: Knowledge): number {
  const { endedAt, heardAt } = knowledge.streams
  return Math.min(endedAt ?? Number.POSITIVE_INFINITY, heardAt + LONGEST_SILENCE, deafAt(knowledge))
}

/** When the stream counts as deaf: it had the time to tell what a request has shown, and has not. */
export function deafAt(knowledge: Knowledge): number {
  const { openedAt, hasMentioned, unheard } = knowledge.streams
  let since = Number.POSITIVE_INFINITY
  for (const one of unheard.values()) since = Math.min(since, one)
  // Of many a stream may take longer until it begins; but one that says nothing at all is none.
  if (openedAt !== undefined && !hasMentioned && !areFew(knowledge) && hasSeenSome(knowledge))
    since = Math.min(since, openedAt + LONGEST_LAG * (MANY_TIMES - 1))
  return since + LONGEST_LAG
}

function hasSeenSome({ applications }: Knowledge): boolean {
  for (const { sighting } of applications.values()) if (sighting?.application !== undefined) return true
  return false
}

/** When everything had become met, and had been for *stable for*, and nothing was in question; `undefined` where something is not met. */
export function metFor({ applications, leftUnmetAt, policy }: Knowledge): number | undefined {
  let from = leftUnmetAt + policy.stableFor
  for (const { met } of applications.values()) {
    if (met === undefined) return undefined
    from = Math.max(from, met.since + policy.stableFor, met.resumedAt)
  }
  return applications.size === 0 ? undefined : from
}

/** From 0 to 1, the same for the same text in the same run. */
export function jitter({ seed }: Pick<Knowledge, 'seed'>, text: string): number {
  let hash = seed | 0
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  hash ^= hash >>> 15
  return ((Math.imul(hash, 0x2c1b3c6d) >>> 0) % 1_000_000) / 1_000_000
}
