/**
 * From checks to a verdict. Pure: the time policy is a reducer of observations at given times, so that no test
 * sleeps. Times are milliseconds of a local monotonic clock; the server's clock plays no part.
 */

import type { Check } from './check.ts'
import type { Policy } from './config.ts'
import { formatDuration } from './duration.ts'

/** Something that was learnt at some time. */
export type Event =
  /** Applications were looked at, by their key; a look may show that one is not there. */
  | { readonly type: 'observed'; readonly checks: Iterable<readonly [key: string, checks: readonly Check[]]> }
  /** Applications are no longer among those that are selected. */
  | { readonly type: 'gone'; readonly keys: Iterable<string> }
  /** What was last observed of these applications still holds: their stream is alive and said nothing. */
  | { readonly type: 'confirmed'; readonly keys: Iterable<string> }

/** A state that has held without a break, as far as was seen. */
interface Streak {
  readonly since: number
  /** The last time it was seen to hold. */
  readonly until: number
}

/** What is known of one application. */
export interface Tracked {
  /** The checks of the last observation. */
  readonly checks: readonly Check[]
  readonly observedAt: number
  readonly met: Streak | undefined
  readonly failing: Streak | undefined
}

/** All applications by their key. */
export type State = ReadonlyMap<string, Tracked>

/** Nothing observed yet. */
export const INITIAL: State = new Map()

/** The parts of the policy that the reducer applies. */
export type TimePolicy = Pick<Policy, 'interval' | 'stableFor' | 'failAfter'>

/** The longest silence of a stream that counts as alive: two keep-alives of Argo CD (15 s) and a bit. */
export const LONGEST_SILENCE = 40_000

/** A poll that fails is repeated at least once an interval, so this allows for two that fail. */
const TOLERATED_INTERVALS = 3

/** Takes one event into account. */
export function reduce(state: State, event: Event, now: number, policy: TimePolicy): State {
  const next = new Map(state)
  switch (event.type) {
    case 'observed':
      for (const [key, checks] of event.checks) {
        const before = state.get(key)
        next.set(key, {
          checks,
          observedAt: now,
          met: checks.every(isMet)
            ? extend(before?.met, now, longestGap(policy, policy.stableFor))
            : undefined,
          failing: checks.some(isFailing)
            ? extend(before?.failing, now, longestGap(policy, policy.failAfter))
            : undefined,
        })
      }
      return next
    case 'gone':
      for (const key of event.keys) next.delete(key)
      return next
    case 'confirmed':
      for (const key of event.keys) {
        const before = state.get(key)
        if (before !== undefined)
          next.set(key, { ...before, met: prolong(before.met, now), failing: prolong(before.failing, now) })
      }
      return next
  }
}

const isMet = (check: Check): boolean => check.state === 'met'
const isFailing = (check: Check): boolean => check.state === 'failing'

/**
 * Nobody knows what happened while nobody looked, so a streak that was not seen for longer than this begins anew:
 * some missed polls, or the silence that a living stream may keep, but not all of the time that is asked for.
 */
function longestGap({ interval }: TimePolicy, asked: number): number {
  return Math.max(TOLERATED_INTERVALS * interval, Math.min(LONGEST_SILENCE, asked + interval))
}

function extend(streak: Streak | undefined, now: number, gap: number): Streak {
  return streak !== undefined && now - streak.until <= gap
    ? { ...streak, until: now }
    : { since: now, until: now }
}

function prolong(streak: Streak | undefined, now: number): Streak | undefined {
  return streak === undefined ? undefined : { ...streak, until: now }
}

/** What follows from what is known. */
export type Decision =
  | { readonly kind: 'verified' }
  /** An application has been failing for too long. */
  | { readonly kind: 'failed'; readonly key: string }
  /** `lookAt`: when another look at everything could decide, where that is known. */
  | {
      readonly kind: 'waiting'
      readonly lookAt: number | undefined
      /** Everything is met, and *stable for* has not passed. */
      readonly isSoaking: boolean
    }

/**
 * Decides on what was seen, never on the time alone: *stable for* and *fail after* have passed only when an
 * observation at their end says that all was still so. No application at all is never verified.
 */
export function decide(state: State, policy: TimePolicy): Decision {
  // One pass and no copies: it is asked after every message, with a thousand applications as with one.
  let failed: string | undefined
  let failsAt = Number.POSITIVE_INFINITY
  let unmet = state.size === 0
  let lastedEnough = true
  let stableAt = Number.NEGATIVE_INFINITY
  for (const [key, { met, failing }] of state) {
    if (failing !== undefined) {
      failsAt = Math.min(failsAt, failing.since + policy.failAfter)
      if (lasted(failing) >= policy.failAfter && (failed === undefined || key < failed)) failed = key
    }
    if (met === undefined) unmet = true
    else {
      stableAt = Math.max(stableAt, met.since + policy.stableFor)
      if (lasted(met) < policy.stableFor) lastedEnough = false
    }
  }
  if (failed !== undefined) return { kind: 'failed', key: failed }
  if (!unmet && lastedEnough) return { kind: 'verified' }
  const lookAt = unmet ? failsAt : Math.min(failsAt, stableAt)
  return { kind: 'waiting', lookAt: Number.isFinite(lookAt) ? lookAt : undefined, isSoaking: !unmet }
}

function lasted({ since, until }: Streak): number {
  return until - since
}

/** The checks of an application with NotStable, where *stable for* is asked, as the last of them. */
export function checksOf({ checks, met }: Tracked, { stableFor }: TimePolicy): readonly Check[] {
  if (stableFor === 0) return checks
  const held = met === undefined ? 0 : lasted(met)
  const stable = met !== undefined && held >= stableFor
  const message = stable
    ? `everything has held for ${formatDuration(stableFor)}`
    : met === undefined
      ? `everything must hold for ${formatDuration(stableFor)}, and something does not hold yet`
      : `everything has held for ${formatDuration(held)} of ${formatDuration(stableFor)}`
  return [...checks, { code: 'NotStable', state: stable ? 'met' : 'pending', message }]
}

/**
 * The check that names the verdict of an application: the first that is unmet; where the run ends because
 * something is failing, the first that is failing.
 *
 * @returns `undefined`: all are met
 */
export function namingCheck(checks: readonly Check[], endedByFailing: boolean): Check | undefined {
  return (endedByFailing ? checks.find(isFailing) : undefined) ?? checks.find((check) => !isMet(check))
}
