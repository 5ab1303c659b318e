/** A clock that only a test moves. */

import type { Clock } from '../lib/clock.ts'

/** So often may one look at the clock before it moves: more is a loop that waits for nothing. */
const MOST_LOOKS = 100_000

/** A clock that stands still until it is told to move; sleepers wake in the order of their times. */
export class FakeClock implements Clock {
  #now = 0
  #looks = 0
  readonly #sleepers = new Set<{ readonly at: number; readonly wake: () => void }>()

  readonly #latestFirst: boolean

  /** @param latestFirst of those who wake at the same time, the last that fell asleep is the first */
  constructor(latestFirst = false) {
    this.#latestFirst = latestFirst
  }

  readonly now = (): number => {
    if (++this.#looks > MOST_LOOKS)
      throw new Error('a busy loop: the clock is looked at over and over and never slept by')
    return this.#now
  }

  readonly at = (time: number, wake: () => void): (() => void) => {
    const sleeper = {
      at: Math.max(time, this.#now),
      wake: () => {
        this.#sleepers.delete(sleeper)
        wake()
      },
    }
    this.#sleepers.add(sleeper)
    return () => void this.#sleepers.delete(sleeper)
  }

  date(): Date {
    return new Date(this.#now)
  }

  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return Promise.resolve()
    return new Promise((resolve) => {
      const sleeper = {
        at: this.#now + milliseconds,
        wake: () => {
          this.#sleepers.delete(sleeper)
          resolve()
        },
      }
      this.#sleepers.add(sleeper)
      signal?.addEventListener('abort', sleeper.wake)
    })
  }

  /** Lets so many milliseconds pass, and everything happen that happens meanwhile. */
  async advance(milliseconds: number): Promise<void> {
    const until = this.#now + milliseconds
    for (;;) {
      await settled()
      const sleepers = this.#latestFirst ? [...this.#sleepers].reverse() : [...this.#sleepers]
      const next = sleepers.sort((a, b) => a.at - b.at)[0]
      this.#looks = 0
      if (next === undefined || next.at > until) break
      this.#now = Math.max(this.#now, next.at)
      next.wake()
    }
    this.#now = until
    await settled()
  }
}

/** Lets everything run that waits for nothing but its turn. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise<void>((resolve) => setImmediate(resolve))
}
