/** Time as the run sees it; tests pass one that they turn by hand. */
export interface Clock {
  /** Milliseconds of a monotonic clock: a change of the system's time does not touch it. */
  now(): number
  /** The time of day, for people and results; nothing is decided by it. */
  date(): Date
  /** Resolves after some milliseconds, or at once when the signal aborts. Never rejects. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>
  /** Calls back at a time of the clock, or soon after; returns what cancels that. */
  at(time: number, wake: () => void): () => void
}

/** A timer takes at most 2^31-1 ms; longer sleeps are cut, and callers look at the clock again. */
const LONGEST_TIMER = 2 ** 31 - 1

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  date: () => new Date(),
  sleep: (milliseconds, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted === true) return resolve()
      const done = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, Math.min(Math.max(milliseconds, 0), LONGEST_TIMER))
      signal?.addEventListener('abort', done)
    }),
  at: (time, wake) => {
    const timer = setTimeout(wake, Math.min(Math.max(time - performance.now(), 0), LONGEST_TIMER))
    return () => clearTimeout(timer)
  },
}
