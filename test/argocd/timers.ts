/** Timers that are stopped together; after that, none is started any more. */
export class Timers {
  readonly #running = new Set<Timer>()
  #stopped = false

  later(ms: number, run: () => void): void {
    if (this.#stopped) return
    const timer = setTimeout(() => {
      this.#running.delete(timer)
      run()
    }, ms)
    this.#running.add(timer)
  }

  stop(): void {
    this.#stopped = true
    for (const timer of this.#running) clearTimeout(timer)
    this.#running.clear()
  }
}
