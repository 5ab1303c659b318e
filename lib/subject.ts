/** One application of a run: who it is, what is wanted of it, and what the run has learnt of it. */

import { type Application, applicationKey, type Commit, observedRevisions } from './application.ts'
import type { ApplicationRef, TreeNode } from './argocd.ts'
import type { Check } from './check.ts'
import type { Wanted } from './config.ts'
import { type Evidence, NO_EVIDENCE, type Problem } from './evidence.ts'
import type { RequestFailure } from './failure.ts'
import { checkApplication } from './predicates.ts'
import { parseTime } from './time.ts'

/** How a snapshot of an application came: streams and lists may be a little behind a request for the one. */
export type Origin = 'request' | 'stream'

/** An application of a run. */
export interface Subject {
  /** Its place in maps, the same for the whole run: `namespace/name` as far as it was given. */
  readonly key: string
  readonly ref: ApplicationRef
  readonly wanted: Wanted
  /** `undefined` before anything was learnt; `missing`: it does not exist, or may not be seen. */
  snapshot: Application | 'missing' | undefined
  origin: Origin
  /** When that was, in milliseconds of the run's clock; `-Infinity` before anything was learnt. */
  seenAt: number
  /** Why the last request for the application brought nothing; `undefined` once something was learnt. */
  failure: RequestFailure | undefined
  /** A request for the application is under way. */
  looking: boolean
  /** The snapshot that a refresh of this run came back with. */
  refreshedBy: Application | undefined
  /** Refreshes that were asked for already, by their reason. */
  readonly refreshReasons: Set<string>
  refreshing: boolean
  readonly commits: Map<string, Commit | Problem>
  /** Commits that are being asked for. */
  readonly commitsAsked: Set<string>
  /** Found by a diagnosis only; see lib/diagnosis.ts. */
  tree: readonly TreeNode[]
  detail: Application | undefined
}

/** A subject of which nothing is known yet. */
export function createSubject(ref: ApplicationRef, wanted: Wanted): Subject {
  return {
    key: applicationKey(ref.name, ref.namespace),
    ref,
    wanted,
    snapshot: undefined,
    origin: 'request',
    seenAt: Number.NEGATIVE_INFINITY,
    failure: undefined,
    looking: false,
    refreshedBy: undefined,
    refreshReasons: new Set(),
    refreshing: false,
    commits: new Map(),
    commitsAsked: new Set(),
    tree: [],
    detail: undefined,
  }
}

/** The application as last seen, where it was seen. */
export function applicationOf({ snapshot }: Subject): Application | undefined {
  return snapshot === 'missing' ? undefined : snapshot
}

/** The checks of the last snapshot. */
export function checkSubject(subject: Subject, refreshIsOff: boolean): readonly Check[] {
  return checkApplication(applicationOf(subject), subject.wanted, evidenceOf(subject, refreshIsOff))
}

/** What the checks may rely on. */
export function evidenceOf(subject: Subject, refreshIsOff: boolean): Evidence {
  return {
    ...NO_EVIDENCE,
    refreshed: refreshIsOff || snapshotAge(subject) === 'after',
    commits: subject.commits,
  }
}

/**
 * Whether the last snapshot is from after the refresh of this run. A request for one application is answered
 * from the cluster itself, so what it brought after the refresh is newer than it. Streams and lists are fed by a
 * cache: what they bring may be older than the refresh that has come back, and only `reconciledAt`, in whole seconds, tells.
 */
export function snapshotAge(subject: Subject): 'before' | 'after' | 'unknown' {
  const { snapshot, refreshedBy, origin } = subject
  if (refreshedBy === undefined || snapshot === undefined || snapshot === 'missing') return 'before'
  if (origin === 'request' || snapshot === refreshedBy) return 'after'
  const then = parseTime(refreshedBy.status.reconciledAt)
  const now = parseTime(snapshot.status.reconciledAt)
  if (now > then) return 'after'
  if (now < then) return 'before'
  return JSON.stringify(observedRevisions(snapshot)) === JSON.stringify(observedRevisions(refreshedBy))
    ? 'after'
    : 'unknown'
}
