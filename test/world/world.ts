/** The state of a world: what its parts share. Each part has a module of its own that changes it in virtual time. */

import type { Application } from '../../lib/application.ts'
import type { SyncAnswer, SyncOrder } from '../../lib/syncs.ts'
import type { Git } from './git.ts'
import type { Journal } from './journal.ts'
import type { Live } from './live.ts'
import type { Random } from './random.ts'
import type { ApplicationPlan, Scenario, SourcePlan } from './scenario.ts'
import type { Store } from './store.ts'
import type { Mistake } from './syncing.ts'
import type { Timetable } from './timetable.ts'

export interface World {
  readonly scenario: Scenario
  readonly time: Timetable
  readonly random: Random
  readonly journal: Journal
  readonly git: Git
  readonly store: Store
  /** By their numbers in the scenario. */
  readonly applications: readonly Subject[]
  /** Counts the runs of the gate: one that is killed is followed by another. */
  runs: number
  /** When a stream last lost a change between its list and its subscription, as each may, with no fault at all. */
  lostInGapAt: number
  /** A sync that the gate ordered against its promise. */
  mistake: Mistake | undefined
  /** Called with each sync that the gate has ordered, and what it was told. */
  ordered: (subject: Subject, order: SyncOrder, answer: SyncAnswer) => void
  /** How often somebody has begun a sync just before the gate. */
  rivals: number
  /** Called with each application of which something has become another. */
  changed: (subject: Subject) => void
  /** Called with each application of which a stream has told the run, and when what it told had been written. */
  told: (subject: Subject, writtenAt: number) => void
  /** Asks the controller for a comparison. 1: with the revision that is known; 2: with the latest. */
  requestComparison: (subject: Subject, level: 1 | 2, delay: number) => void
}

/** An application: what the store holds of it, what really runs, and what the controller is about to do. */
export interface Subject {
  readonly number: number
  readonly plan: ApplicationPlan
  exists: boolean
  /** Counts its creations: what was begun for an earlier one ends with it. */
  life: number
  deletingSince: number | undefined
  labels: Readonly<Record<string, string>>
  spec: Spec
  annotations: Annotations
  /** An operation that is asked for and has not ended. */
  operation: Operation | undefined
  status: Status
  /** The last operation that was no dry run, though one may have taken its place in the status. */
  lastReal: OperationState | undefined
  live: Live
  /** Every successful sync since the application was created, in full. */
  readonly deployments: Revisions[]
  isInvalid: boolean
  /** The ids of all operations since the application was created, in order; `''`: without one. */
  readonly begun: string[]
  /** And what each was, once its revisions are known. */
  readonly operations: Operation[]
  /** Which run of the gate ordered each id. */
  readonly orderedBy: Map<string, number>
  readonly controller: ControllerState
  /** As the store holds it. */
  stored: Application | undefined
  version: number
}

export type Revisions = readonly string[]

/** A value: a change makes another one. */
export interface Spec {
  readonly number: number
  readonly sources: readonly SourcePlan[]
  readonly destination: string
  readonly parsed: Application['spec']
}

export interface Annotations {
  readonly refresh?: string
  readonly refreshTimestamp?: string
  readonly hydrate?: string
  readonly hydrateTimestamp?: string
}

export interface Operation {
  readonly revisions: Revisions
  readonly isDryRun: boolean
  /** Of a resource that is as it should be: it changes nothing, and runs no hooks. */
  readonly isPartial?: boolean
  readonly isLocal: boolean
  readonly retries: number
  readonly isAutomated: boolean
  /** What the gate has written into it. */
  readonly id?: string
}

export interface OperationState {
  readonly phase: string
  readonly message: string | undefined
  /** By the server's clock. */
  readonly startedAt: number
  readonly finishedAt: number | undefined
  readonly retryCount: number
  readonly operation: Operation
  /** The revisions that were synced, and the hook or resource that failed. */
  readonly synced: Revisions | undefined
  readonly failed: 'hook' | 'resource' | undefined
}

export interface Status {
  syncStatus: string | undefined
  revisions: Revisions
  comparedTo: Spec | undefined
  health: string | undefined
  /** By the server's clock. */
  reconciledAt: number | undefined
  /** When what runs was read for it, by the world's own time. */
  readAt: number
  /** And what was read. */
  read: Live | undefined
  operationState: OperationState | undefined
  conditions: readonly { readonly type: string; readonly message: string }[]
  history: readonly { readonly id: number; readonly revisions: Revisions }[]
  images: readonly string[]
  hydrator: HydratorStatus
}

export interface HydratorStatus {
  readonly current?: Hydration
  readonly last?: { readonly drySHA: string; readonly hydratedSHA: string; readonly spec: Spec }
  readonly lastComparedDryRevision?: string
}

export interface Hydration {
  readonly phase: 'Hydrating' | 'Hydrated' | 'Failed'
  readonly drySHA: string
  readonly hydratedSHA: string | undefined
  readonly message: string | undefined
  /** By the server's clock. */
  readonly finishedAt?: number
  readonly spec: Spec
}

/** What the controller is about to do with an application. */
export interface ControllerState {
  isComparing: boolean
  /** How thoroughly it is to be compared next: not, with the revision known, with the latest. */
  wanted: 0 | 1 | 2
  isTerminating: boolean
  isHydrating: boolean
  /** How many comparisons in a row have come to an error condition, and since when; what nobody notices breaks no row. */
  errors: number
  erringSince: number
  /** Since when none has. */
  wellSince: number | undefined
  /** Since when a branch that it tracks has pointed where the controller has not looked. */
  unseenSince: number | undefined
}

/** What the server's clock shows, in milliseconds. */
export function serverTime({ scenario, time }: World): number {
  return EPOCH + scenario.skew + time.now()
}

const EPOCH = Date.UTC(2026, 10, 24)

/** A time of the server as Kubernetes writes it. */
export function rfc3339(time: number): string {
  const second = Math.floor(time / 1000)
  let text = TIMES.get(second)
  if (text === undefined) {
    text = `${new Date(second * 1000).toISOString().slice(0, 19)}Z`
    if (TIMES.size > 10_000) TIMES.clear()
    TIMES.set(second, text)
  }
  return text
}

/** Times come again and again, and writing them is slow. */
const TIMES = new Map<number, string>()

/** Calls back unless the application has been deleted meanwhile. */
export function later({ time }: World, subject: Subject, delay: number, action: () => void): void {
  const { life } = subject
  time.after(delay, () => {
    if (subject.exists && subject.life === life) action()
  })
}

/** Whether specs say the same of what is compared: one that is changed and changed back is the same again. */
export function sameSpec(a: Spec | undefined, b: Spec): boolean {
  return a === b || (a !== undefined && a.destination === b.destination && sameSources(a.sources, b.sources))
}

export function sameSources(a: Spec['sources'] | undefined, b: Spec['sources']): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b)
}

/** The ref that a source tracks. */
export function refOf({ repoURL }: Pick<SourcePlan, 'repoURL'>, targetRevision: string): string {
  return `${repoURL}@${targetRevision}`
}

/** The branch that the hydrator writes of an application. */
export function hydratedBranch({ name, namespace }: ApplicationPlan): string {
  return `env/${namespace}/${name}`
}

/** The source that is synced at a place: where the hydrator writes, for a hydrated application. */
export function syncedSource({ plan }: Subject, { sources }: Spec, place: number) {
  const source = sources[place]
  if (source === undefined || plan.hydration === 'none') return source
  return { ...source, targetRevision: hydratedBranch(plan), path: plan.sources[place]?.path }
}

/** Whether its sync windows let nobody sync it now. */
export function isClosed({ time }: Pick<World, 'time'>, { plan }: Subject): boolean {
  const now = time.now()
  return plan.owner?.closed.some(({ from, until }) => from <= now && now < until) ?? false
}
