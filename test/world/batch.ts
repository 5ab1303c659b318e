/** Many histories, one after the other or on all processors; what comes of them depends on the seeds alone. */

import { availableParallelism } from 'node:os'
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

function atMost(most: Map<string, Most>, kind: string, one: Most): void {
  const before = most.get(kind)
  if (
    before === undefined ||
    one.value > before.value ||
    (one.value === before.value && one.seed < before.seed)
  )
    most.set(kind, one)
}

function add(met: Map<string, Met>, kind: string, { times, histories }: Met): void {
  const before = met.get(kind)
  met.set(kind, { times: times + (before?.times ?? 0), histories: histories + (before?.histories ?? 0) })
}

const CHUNK = 250

/**
 * Plays histories on all processors.
 *
 * @param untilFailure begins no more when one has failed
 */
export async function playEverywhere(
  batch: Batch,
  { untilFailure = false, workers = availableParallelism(), onPlayed = (_: number) => {} } = {},
): Promise<Result> {
  const chunks: Batch[] = []
  for (let at = 0; at < batch.count; at += CHUNK)
    chunks.push({ ...batch, seed: batch.seed + at, count: Math.min(CHUNK, batch.count - at) })
  const met = new Map<string, Met>()
  const failed: Failed[] = []
  const most = new Map<string, Most>()
  let played = 0
  const work = async () => {
    const worker = new Worker(new URL('./worker.ts', import.meta.url).href)
    try {
      for (let chunk = chunks.shift(); chunk !== undefined; chunk = chunks.shift()) {
        const result = await ask(worker, chunk)
        for (const [kind, one] of result.met) add(met, kind, one)
        failed.push(...result.failed)
        for (const [kind, one] of result.most) atMost(most, kind, one)
        played += result.played
        onPlayed(played)
        if (untilFailure && failed.length > 0) chunks.length = 0
      }
    } finally {
      worker.terminate()
    }
  }
  await Promise.all(Array.from({ length: workers }, work))
  return { played, met, most, failed: failed.sort((a, b) => a.seed - b.seed) }
}

function ask(worker: Worker, chunk: Batch): Promise<Result> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<Result>) => resolve(data)
    worker.onerror = ({ message }) => reject(new Error(message))
    worker.postMessage(chunk)
  })
}
