/** What the gate promises, as numbers. Milliseconds. */

import {
  FEW,
  LONGEST_DIAGNOSIS,
  LONGEST_HEDGE,
  LONGEST_LAG,
  LONGEST_RETRY_AFTER,
  LONGEST_STREAM_WAIT,
  OWN_COMPARISON,
  READ_ANEW,
  REFRESH_ANEW,
  REFRESH_JITTER,
  REQUEST_TIMEOUT,
  STREAM_ANEW,
  TREE_INTERVAL,
} from '../../lib/promises.ts'
import type { Policy } from '../../lib/wanted.ts'
import type { Fault, Scenario } from './scenario.ts'

/**
 * How old what a yes rests on may be: requests that were sent together take as long as the slowest of them, and what
 * is told of many applications comes from a cache.
 */
export function evidenceAge({ applications, faults }: Pick<Scenario, 'applications' | 'faults'>): number {
  let age = 500 + 50 * Math.min(applications.length, FEW)
  if (applications.length > FEW) age += LONGEST_LAG
  for (const fault of faults) {
    if (
      fault.kind === 'late' ||
      (applications.length > FEW && (fault.kind === 'lag' || fault.kind === 'gap'))
    )
      age += fault.by
    if (fault.kind === 'hang') age += HEDGED * fault.requests
  }
  return age
}

/**
 * A no rests on what the server tells, whose cache is behind for as long as such a fault makes it. With a selector it
 * takes a list, perhaps a tree, and then a look: what has failed until now is asked again after a pause, and the list
 * may be as old as that.
 */
export function evidenceAgeOfNo({ applications, faults, target, policy }: Scenario, now: number): number {
  let age = evidenceAge({ applications, faults })
  const pause = Math.max(policy.interval, TREE_INTERVAL)
  const isRefused = ({ kind, from, until }: Fault) => REFUSING.has(kind) && from <= now && now - pause < until
  if (target.kind === 'selector' && faults.some(isRefused)) age += pause
  if (applications.length > FEW) return age
  for (const fault of faults) if (fault.kind === 'lag' || fault.kind === 'gap') age += fault.by
  return age
}
const REFUSING: ReadonlySet<Fault['kind']> = new Set(['outage', 'reset', 'unavailable'])

/** How long Argo CD's controller may take to compare, which is none of the gate's time. */
export const CONTROLLER_LAG = 10_000

/** What nobody notices who looks as often as is documented: a break that is shorter. */
export function resolutionOf({ interval, stableFor, failAfter }: Policy): number {
  const asked = Math.max(stableFor, Number.isFinite(failAfter) ? failAfter : 0)
  return Math.max(3 * interval, Math.min(40_000, asked + interval)) + 2000
}

/**
 * How long after everything has become true and visible a yes comes at most, where nothing breaks.
 *
 * @param age of the run at that time
 */
export function yesWithin({ interval, watch }: Policy, needs: Needs, age: number): number {
  return (
    (watch ? 3000 : interval + 3000) +
    (needs.refreshes ? refreshWithin(age) + 20_000 : 0) +
    (needs.trees ? TREE_INTERVAL + 1000 : 0) +
    (needs.renderings ? TREE_INTERVAL + 1000 : 0)
  )
}

/** How long it takes at most until a refresh is asked for once more. */
export function refreshWithin(age: number): number {
  let passed = 0
  let pause = 0
  for (pause of REFRESH_ANEW) {
    passed += pause
    if (age < passed) break
  }
  return pause * (1 + REFRESH_JITTER)
}

/** What a yes takes besides the Application. */
export interface Needs {
  /** Fresh evidence of where a branch or tag points. */
  readonly refreshes: boolean
  /** Which Pods have ended. */
  readonly trees: boolean
  /** Whether revisions render the same. */
  readonly renderings: boolean
  /** More applications than are read one by one: a fresh stream tells of them. */
  readonly isMany: boolean
}

/** How much later a yes may come for a fault that was there meanwhile. */
export function delayBy(fault: Fault, policy: Policy, needs: Needs, from: number, to: number): number {
  const { interval } = policy
  // A single request that hits a fault leaves its mark for a while.
  if (fault.from > to) return 0
  // A refresh that was refused has its next turn so much later, and until then nobody knows where a branch points.
  if (fault.kind === 'refresh refused' && needs.refreshes && fault.until + MARK < from)
    return Math.max(fault.until + refreshWithin(Number.POSITIVE_INFINITY) - from, 0)
  // A stream that was deaf is tried again more and more seldom, and polls take its place meanwhile.
  if (fault.until + MARK < from) return DEAFENING.has(fault.kind) && policy.watch ? interval + 3000 : 0
  const lasts = Math.max(0, Math.min(fault.until, to) - Math.max(fault.from, from))
  switch (fault.kind) {
    case 'hang':
    case 'late':
      return HEDGED * fault.requests
    case 'outage':
    case 'reset':
    case 'hopeless':
    case 'unauthorized':
      return lasts + interval + 6000 + soakedAnew(lasts, policy)
    case 'unavailable':
      return (
        lasts +
        interval +
        Math.min(fault.retryAfter ?? 0, LONGEST_RETRY_AFTER) +
        6000 +
        soakedAnew(lasts, policy)
      )
    case 'refresh refused':
      return needs.refreshes ? lasts + refreshWithin(Number.POSITIVE_INFINITY) : interval + 3000
    case 'cut':
      return interval + LONGEST_STREAM_WAIT
    case 'buffered':
      return interval + LONGEST_LAG + 3000
    // What a stream does not tell is read anew after pauses that grow.
    case 'silent':
    case 'lost':
    case 'gap':
      return (needs.isMany ? SELDOMEST_OF_MANY : SELDOMEST) + 2000
    case 'lag':
      return fault.by + 3000
    case 'controller down':
      return lasts + 5000
    case 'controller slow':
      return 4 * fault.by + 5000
    case 'comparison error':
      return lasts + 10_000
  }
}

/** What nobody could see has not held: *stable for* begins anew where nobody could look for longer than is tolerated. */
function soakedAnew(lasts: number, policy: Policy): number {
  const { interval, stableFor } = policy
  return lasts + interval + REQUEST_TIMEOUT > resolutionOf(policy) ? stableFor : 0
}

/** Each stream may lose what changes between its list and its subscription: few are read anew, many by another stream. */
export function lostInGap(count: number): number {
  return (count > FEW ? SELDOMEST_OF_MANY : SELDOMEST) + 2000
}

const MARK = 45_000
const DEAFENING: ReadonlySet<Fault['kind']> = new Set(['buffered', 'silent', 'lost', 'gap', 'lag'])
/** A refresh that confirms an error. */
const CONFIRMED = 20_000
const HEDGED = LONGEST_HEDGE + 2000
const SELDOMEST = READ_ANEW[READ_ANEW.length - 1] ?? 0
const SELDOMEST_OF_MANY = STREAM_ANEW[STREAM_ANEW.length - 1] ?? 0

/**
 * How many requests are sent at most in a minute for so many applications. What fails is asked again sooner at first:
 * after a quarter of a second, and then twice the pause each time, up to an interval.
 */
export function mostRequests(applications: number, { policy: { interval }, faults }: Scenario): number {
  const polls = 60_000 / interval
  const sooner = faults.some(({ kind }) => REFUSING.has(kind)) ? Math.max(Math.log2(interval / 250), 0) : 0
  return 60 + 3 * polls + applications * (12 + Math.min(polls * 2, 60) + sooner)
}

/**
 * How long after *fail after* has passed a no comes at most, where nothing breaks: a tree has to be read, an error to be
 * confirmed by a refresh, and what explains it to be asked for.
 */
export function noWithin(
  { interval, watch, refresh }: Policy,
  isError: boolean,
  canRefresh: boolean,
): number {
  const confirmed = refresh === 'none' || !canRefresh ? OWN_COMPARISON : CONFIRMED
  const looked = watch ? SELDOMEST : interval
  return looked + TREE_INTERVAL + LONGEST_DIAGNOSIS + 3000 + (isError ? confirmed : 0)
}

/** How long the one look of a timeout of 0 may take. */
export const ONE_LOOK = 20_000
