/**
 * The promises of a run, as numbers: how soon, how often, how many. docs/verification.md tells them in words, and the
 * simulated world holds every run against them. Times in milliseconds.
 */

/** So many applications are read one by one; a fresh stream tells of more at once. */
export const FEW = 20

/** So many applications may match a selector. */
export const MOST_APPLICATIONS = 5000

/** How many requests of a kind are under way at once, at the most; a stream is one. */
export const LIMITS = {
  look: 8,
  refresh: 8,
  list: 1,
  watch: 1,
  commit: 8,
  tree: 8,
  compare: 4,
  sync: 8,
  permission: 8,
  windows: 8,
  overview: 1,
} as const

/** How long a request may take. A refresh waits for Git and the application controller. */
export const REQUEST_TIMEOUT = 15_000
export const REFRESH_TIMEOUT = 60_000

/** A question that is not answered for so many times what is usual, and at least so long, is asked again elsewhere. */
export const USUAL_TIMES = 4
export const SHORTEST_HEDGE = 1000
export const LONGEST_HEDGE = 5000

/** The longest pause that a server's Retry-After is honoured with. */
export const LONGEST_RETRY_AFTER = 30_000

/** How long the first look at a single application may take before a stream is opened beside it. */
export const FIRST_LOOK_GRACE = 250
/** How long a stream may take to begin before the applications are polled. */
export const STREAM_GRACE = 500
/** The longest silence of a stream that counts as alive: two keep-alives of Argo CD (15 s) and a bit. */
export const LONGEST_SILENCE = 40_000
/** How far a stream may be behind what a request has shown: Argo CD's cache is behind by milliseconds. */
export const LONGEST_LAG = 3000
/** A stream that failed is opened again within this. */
export const LONGEST_STREAM_WAIT = 5000
/** A stream that did not tell what a request has shown is tried again after this, and then more and more seldom. */
export const FIRST_DISTRUST = 30_000
export const LONGEST_DISTRUST = 600_000
/** How long a stream may be silent before an application that it has not mentioned is asked for by its name. */
export const MENTION_GRACE = 250
export const LONGEST_MENTION_GRACE = 3000
/** So many times that, where a stream begins with more than {@link FEW}: a list of thousands takes its time. */
export const MANY_TIMES = 4

/** What was just answered and decided nothing is not asked for again before this. */
export const SHORTEST_PAUSE = 1000

/** While something is unmet, applications are read anew though a stream lives: after these pauses, the last again and again. */
export const READ_ANEW = [5000, 10_000, 20_000, 30_000] as const
/** Likewise more than {@link FEW} applications, by a fresh stream. */
export const STREAM_ANEW = [30_000, 60_000, 120_000] as const
/** Names that do not exist are asked for less and less often while a stream would tell of them. */
export const LONGEST_MISSING_INTERVAL = 60_000
/** What a selector matches is listed so often while a stream lives: a stream does not tell of labels that changed. */
export const MEMBERSHIP_INTERVAL = 30_000

/** Pauses between refreshes while one could mend what is unmet; the last again and again, each with jitter. */
export const REFRESH_ANEW = [15_000, 30_000, 60_000, 120_000] as const
/** The part of a pause that jitter may add. */
export const REFRESH_JITTER = 0.2
/** A refresh that failed is asked for again within this, or within an interval: of many applications, all of them fail. */
export const LONGEST_REFRESH_WAIT = 30_000
/** `reconciledAt` counts whole seconds: a refresh that has not moved it is asked for again after this. */
export const RECONCILED_STEP = 1000
/** A refresh that no annotation tells of after this is lost. */
export const REFRESH_LOST = 10_000

/** A resource tree is read no more often than this, and of so many applications at a time. */
export const TREE_INTERVAL = 10_000
export const MOST_TREES = 20

/** The last look before the deadline: a part of the timeout before it, and at most so long. */
export const LAST_LOOK_SHARE = 0.3
export const LONGEST_LAST_LOOK = 5000
/** Time for the diagnosis of a no, before the deadline, or before an early no is told. */
export const DIAGNOSIS_SHARE = 0.2
export const LONGEST_DIAGNOSIS = 3000
/** A result explains so many applications: a person reads the first few. */
export const MOST_DIAGNOSES = 5

/** How long the one look of a timeout of 0 may take. */
export const ONE_LOOK_LIMIT = 10_000

/** A poll that fails is repeated at least once an interval, so a streak bears two that fail. */
export const TOLERATED_INTERVALS = 3

/** Argo CD compares anew by itself within this, so an error that has lasted longer was found twice. */
export const OWN_COMPARISON = 190_000

/** How long it may take until a sync is accepted: Argo CD may have to ask Git where its revision points. */
export const SYNC_TIMEOUT = 30_000
/** Where it is not known whether a sync was accepted, it is looked after this, and only then asked for again. */
export const SYNC_SETTLE = 5000
/** A refresh that takes longer is not waited for before a sync is started. */
export const SYNC_PATIENCE = 15_000
/** Pauses after a sync was refused, the last again and again. */
export const SYNC_ANEW = [1000, 2000, 5000, 10_000, 30_000] as const
/** How often it is asked whether a closed sync window has opened. */
export const WINDOWS_INTERVAL = 10_000
/** So long it may take to be told of the time zones of sync windows, which are for a sentence only. */
export const ZONES_TIMEOUT = 3000
/** So long after a sync has ended the application has been compared, where no refresh tells. */
export const SYNC_OVER = 10_000
