/** Many histories, one after the other; what comes of them depends on the seeds alone. */

import { scenarioOf, withOpponent } from './opponents.ts'
import type { Breach, Ending, Figures } from './oracle.ts'
import { play } from './play.ts'
import type { Scenario } from './scenario.ts'

/** Which histories to play: so many from a seed on. */
export interface Batch {
  readonly opponent: string
  readonly seed: number
  readonly count: number
}

/** A history that broke a promise. */
export interface Failed {
  readonly seed: number
  readonly breach: Breach
}

/** What came of histories: how many met what, and which broke a promise. */
export interface Result {
  readonly played: number
  /** How often each kind of thing happened, and how many histories met it. */
  readonly met: ReadonlyMap<string, Met>
  readonly failed: readonly Failed[]
  /** The largest figure of each kind, and the history that it is of. */
  readonly most: ReadonlyMap<string, Most>
}

export interface Most {
  readonly value: number
  readonly seed: number
}

export interface Met {
  readonly times: number
  readonly histories: number
}

/** Plays histories here. */
export function playBatch({ opponent, seed, count }: Batch): Result {
  const met = new Map<string, Met>()
  const failed: Failed[] = []
  const most = new Map<string, Most>()
  for (let i = seed; i < seed + count; i++) {
    const counts = new Map<string, number>()
    const scenario = scenarioOf(opponent, i)
    const { breach, ending, figures } = withOpponent(opponent, (one) => play(scenario, one, counts))
    for (const [kind, value] of measures(scenario, ending, figures)) atMost(most, kind, { value, seed: i })
    if (breach !== undefined) {
      failed.push({ seed: i, breach })
      counts.set(`broken ${breach.promise}`, 1)
    }
    for (const [kind, times] of counts) add(met, kind, { times, histories: 1 })
  }
  return { played: count, met, failed, most }
}

/** Figures by what they depend on: the faults that there were, where there is at most one; how many applications. */
function measures(scenario: Scenario, ending: Ending | undefined, figures: Figures): [string, number][] {
  const { faults, policy, applications } = scenario
  const [fault, ...more] = faults
  const how = policy.watch ? 'watch' : 'poll, above an interval'
  const size = applications.length > 20 ? '21 and more' : applications.length > 1 ? '2 to 20' : '1'
  const measured: [string, number][] = [
    [
      `requests in a minute, ${size} applications, ${policy.watch ? 'watch' : 'poll'}, ${fault === undefined ? 'no fault' : 'faults'}`,
      figures.requestsInAMinute,
    ],
  ]
  if (ending?.kind === 'verified' && figures.yesAfter !== undefined && more.length === 0)
    measured.push([
      `yes after, ms, ${how}, ${fault?.kind ?? 'no fault'}`,
      figures.yesAfter - (policy.watch ? 0 : policy.interval),
    ])
  return measured
}

/** Takes the larger figure of a kind. */
export function atMost(most: Map<string, Most>, kind: string, one: Most): void {
  const before = most.get(kind)
  if (
    before === undefined ||
    one.value > before.value ||
    (one.value === before.value && one.seed < before.seed)
  )
    most.set(kind, one)
}

/** Counts something of a kind. */
export function add(met: Map<string, Met>, kind: string, { times, histories }: Met): void {
  const before = met.get(kind)
  met.set(kind, { times: times + (before?.times ?? 0), histories: histories + (before?.histories ?? 0) })
}
