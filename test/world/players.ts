/** Histories on all processors, a process each; what comes of them depends on the seeds alone. */

import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { add, atMost, type Batch, type Failed, type Met, type Most, type Result } from './batch.ts'

/** Processes that play histories, until they are disposed of: one that has played some is quicker than a new one. */
export interface Players extends Disposable {
  readonly play: (batch: Batch, options?: PlayOptions) => Promise<Result>
}

export interface PlayOptions {
  /** Begins no more when one has failed. */
  readonly untilFailure?: boolean
}

interface Player {
  readonly play: (chunk: Batch) => Promise<Result>
  readonly stop: () => void
}

/** Few enough that nobody waits long for the last one. */
const CHUNK = 100

/**
 * How the engine compiles and collects, set for whole processes: what it spends on its last tier and on small heaps
 * is half of the time of 20,000 histories.
 */
const ENGINE = { BUN_JSC_useFTLJIT: '0', BUN_JSC_largeHeapSize: String(256 * 1024 * 1024) }

/** @param count how many play at once */
export function createPlayers(count = availableParallelism()): Players {
  const players = Array.from({ length: count }, createPlayer)
  return {
    play: (batch, options = {}) => playWith(players, batch, options),
    [Symbol.dispose]: () => {
      for (const { stop } of players) stop()
    },
  }
}

async function playWith(
  players: readonly Player[],
  batch: Batch,
  { untilFailure = false }: PlayOptions,
): Promise<Result> {
  const met = new Map<string, Met>()
  const failed: Failed[] = []
  const most = new Map<string, Most>()
  const end = batch.seed + batch.count
  let next = batch.seed
  let played = 0
  const keepPlaying = async ({ play }: Player) => {
    while (next < end && !(untilFailure && failed.length > 0)) {
      const seed = next
      next = Math.min(seed + CHUNK, end)
      const result = await play({ ...batch, seed, count: next - seed })
      for (const [kind, one] of result.met) add(met, kind, one)
      for (const [kind, one] of result.most) atMost(most, kind, one)
      failed.push(...result.failed)
      played += result.played
    }
  }
  await Promise.all(players.map(keepPlaying))
  return { played, met, most, failed: failed.sort((a, b) => a.seed - b.seed) }
}

function createPlayer(): Player {
  let answered = Promise.withResolvers<Result>()
  const child = Bun.spawn([process.execPath, join(import.meta.dir, 'player.ts')], {
    env: { ...process.env, ...ENGINE },
    stdio: ['ignore', 'inherit', 'inherit'],
    serialization: 'advanced',
    ipc: (result: Result) => answered.resolve(result),
    onExit: (_, code, signal) => answered.reject(new Error(`a player ended (${code ?? signal})`)),
  })
  // Whoever is playing when it ends hears of it; nobody else does.
  answered.promise.catch(() => {})
  return {
    play: (chunk) => {
      if (child.exitCode === null && child.signalCode === null) answered = Promise.withResolvers<Result>()
      child.send(chunk)
      return answered.promise
    },
    stop: () => child.kill(),
  }
}
