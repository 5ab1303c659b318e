const KIB = 1024

/** How large a file may be that is read, in bytes, by what it holds: many times the largest that is in use. */
export const LARGEST_FILE = { secret: 64 * KIB, pem: 4 * KIB * KIB, configuration: 4 * KIB * KIB } as const

/** So many applications are verified in one run, at the most. */
export const MOST_APPLICATIONS = 5000

/** How many requests of one kind are under way at once, at the most. */
export const REQUESTS_AT_ONCE = 8

/** Runs tasks, at most some at once, in the order in which they came. */
export class Limit {
  readonly #most: number
  #running = 0
  readonly #waiting: (() => void)[] = []

  constructor(most: number) {
    this.#most = most
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#most) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    else this.#running++
    try {
      return await task()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#running--
      else next()
    }
  }
}
