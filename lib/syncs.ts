/** What a run has started, or adopted, of one application, and what it knows of whether it may: data. */

/** The revisions that a sync is to bring. */
export interface SyncTarget {
  /**
   * The revision of each source that is given one, by its place in `spec.sources`, from 0; the others are synced to
   * what they track.
   */
  readonly revisions: readonly { readonly index: number; readonly revision: string }[]
  /** Whether the application has several sources in Argo CD's sense. */
  readonly several: boolean
}

/** A sync as it is asked for. */
export interface SyncOrder extends SyncTarget {
  readonly prune: boolean
  /** Stands in the operation's `info`. */
  readonly id: string
}

/** What Argo CD said to a sync that was asked for. */
export type SyncAnswer =
  | { readonly kind: 'accepted' }
  /** Another operation is in progress: it is waited for. */
  | { readonly kind: 'busy' }
  /** Sync windows are in the way. */
  | { readonly kind: 'closed'; readonly message: string }
  /** The account may not do it; `action` is what it lacks (`sync`, `override`). */
  | { readonly kind: 'denied'; readonly action: string; readonly message: string }
  /** It cannot be done now, for another reason; nothing was started. */
  | { readonly kind: 'refused'; readonly message: string }

/** A sync window. */
export interface SyncWindow {
  /** `allow` or `deny`. */
  readonly kind: string
  /** Cron. */
  readonly schedule: string
  /** As Go writes it (`1h30m`). */
  readonly duration: string
  readonly isManual: boolean
  /**
   * The name of a time zone; empty: UTC. Who may see the application is told everything else of a window; this shows
   * in the project only, and is `undefined` where that may not be seen.
   */
  readonly timeZone: string | undefined
}

/** The sync windows of an application. */
export interface SyncWindows {
  readonly canSync: boolean
  readonly active: readonly SyncWindow[]
  readonly assigned: readonly SyncWindow[]
  /** When that was told, by the server's clock, in milliseconds since 1970. */
  readonly at: number
}

/** The operation that a run started or adopted. Times of the run's clock are in milliseconds, others are the server's. */
export interface OwnSync {
  /** What it carries; `undefined` where it was adopted for its revisions. */
  readonly id: string | undefined
  readonly isAdopted: boolean
  /** What was asked for, or what it was found to be for. */
  readonly revisions: readonly string[]
  /** When this run's order was accepted, or the operation first seen. */
  readonly since: number
  /** As Argo CD tells; `undefined`: it has not been seen under way. */
  readonly startedAt: string | undefined
  readonly finishedAt: string | undefined
  readonly phase: string | undefined
  readonly message: string | undefined
  /** The last entry of the history when it was ordered: what is newer came after it. */
  readonly historyId: number
  /** When its end was first seen. */
  readonly endedAt: number | undefined
  /** Another operation has taken its place on record. */
  readonly isFollowed: boolean
}

/** What is known of syncing one application. Times are milliseconds of the run's clock. */
export interface Syncing {
  /** Which application this is about: another one may be created under its name. `undefined`: not known yet. */
  readonly uid: string | undefined
  /** When the last request was sent that showed the whole Application. */
  readonly seenAt: number
  /** Whether the account may sync it; `undefined`: not known yet. */
  readonly isPermitted: boolean | undefined
  /** How many orders were sent, and the last of them. */
  readonly orders: number
  readonly order: SyncOrder | undefined
  readonly orderedAt: number
  /** What was on record then, and the last entry of the history. */
  readonly recordAtOrder: string | undefined
  readonly historyAtOrder: number
  /** An order has been sent, and not been answered. */
  readonly isOrdering: boolean
  /** It is not known whether the last order was heard. */
  readonly isInDoubt: boolean
  /** Nothing is ordered before a request that was sent then, or later, has shown the Application. */
  readonly lookFrom: number
  /** Why the last order was refused, how often in a row, and when there may be another. */
  readonly refusal: Exclude<SyncAnswer, { kind: 'accepted' }> | undefined
  readonly refusals: number
  readonly retryAt: number
  readonly windows: SyncWindows | undefined
  readonly windowsAt: number
  /** The last operation on record, by how it was last seen; and a refresh counts that was asked for after this. */
  readonly onRecord: string | undefined
  readonly refreshFrom: number
  readonly own: OwnSync | undefined
}

const NEVER = Number.NEGATIVE_INFINITY

/** Nothing is known. */
export const NO_SYNCING: Syncing = {
  uid: undefined,
  seenAt: NEVER,
  isPermitted: undefined,
  orders: 0,
  order: undefined,
  orderedAt: NEVER,
  recordAtOrder: undefined,
  historyAtOrder: -1,
  isOrdering: false,
  isInDoubt: false,
  lookFrom: NEVER,
  refusal: undefined,
  refusals: 0,
  retryAt: NEVER,
  windows: undefined,
  windowsAt: NEVER,
  onRecord: undefined,
  refreshFrom: NEVER,
  own: undefined,
}
