/** Keeps one stream of changes open for as long as a run lasts. */

import type { ApplicationQuery, ArgoCD } from './argocd.ts'
import { backoff } from './backoff.ts'
import type { Clock } from './clock.ts'
import { retryAfterOf, TooManyApplications } from './failure.ts'
import type { WatchEvent } from './stream.ts'
import { LONGEST_SILENCE } from './verdict.ts'

/** Whom a watcher tells. */
export interface WatchListener {
  /** Changes, from the present state on; none: the stream is still alive and nothing has changed. */
  changed(events: readonly WatchEvent[]): void
  /** The stream began to live, or ended. That a stream ends is normal and no failure of the run: polling goes on. */
  stateChanged(): void
  /** No stream, nor anything else, can help. */
  refused(failure: TooManyApplications): void
}

/** What a watcher works with. */
export interface WatchTools {
  readonly client: Pick<ArgoCD, 'watch'>
  readonly clock: Clock
  readonly random: () => number
  /** Ends the watcher. */
  readonly signal: AbortSignal
}

/** The longest wait before a stream is opened again, in milliseconds, whatever the poll interval is. */
const LONGEST_WAIT = 5000

/** A stream that is opened again whenever it ends or falls silent. */
export class Watcher {
  readonly #query: ApplicationQuery
  readonly #listener: WatchListener
  readonly #tools: WatchTools
  #since: number | undefined
  /** The first attempt has led to something, be it a failure. */
  #tried = false
  #failures = 0
  #current = new AbortController()

  constructor(query: ApplicationQuery, listener: WatchListener, tools: WatchTools) {
    this.#query = query
    this.#listener = listener
    this.#tools = tools
  }

  /** When the stream that lives now began; `undefined` where none lives. */
  get aliveSince(): number | undefined {
    return this.#since
  }

  /** Whether there is a stream, or there was an attempt that failed. */
  get tried(): boolean {
    return this.#tried
  }

  /** Opens the stream anew, which brings the present state of all applications in one request. */
  restart(): void {
    this.#since = undefined
    this.#current.abort(RESTARTED)
  }

  /** Watches until the signal aborts. */
  async run(): Promise<void> {
    const { clock, random, signal } = this.#tools
    while (!signal.aborted) {
      this.#current = new AbortController()
      const ending = await this.#stream(AbortSignal.any([signal, this.#current.signal]))
      if (signal.aborted) return
      if (this.#current.signal.reason === RESTARTED) continue
      const isNews = this.#since !== undefined || !this.#tried
      // A stream that has lived has proved itself: its end is normal, and no reason to wait long.
      if (this.#since !== undefined && clock.now() - this.#since > LONGEST_WAIT) this.#failures = 0
      this.#since = undefined
      this.#tried = true
      if (isNews) this.#listener.stateChanged()
      this.#failures++
      await clock.sleep(backoff(this.#failures, LONGEST_WAIT, ending, random()), signal)
    }
  }

  /**
   * Reads one stream to its end.
   *
   * @returns how long the server asked to be left alone, in milliseconds
   */
  async #stream(signal: AbortSignal): Promise<number | undefined> {
    const { client, clock } = this.#tools
    const silence = new AbortController()
    const batches = client.watch(this.#query, AbortSignal.any([signal, silence.signal]))
    let begun = false
    try {
      for (;;) {
        const heard = new AbortController()
        const next = batches.next()
        void clock.sleep(LONGEST_SILENCE, heard.signal).then(() => heard.signal.aborted || silence.abort())
        const batch = await next.finally(() => heard.abort())
        if (batch.done === true || signal.aborted) return undefined
        if (!begun) {
          // That it begins says nothing yet about any application.
          begun = true
          this.#since = clock.now()
          this.#tried = true
          this.#listener.stateChanged()
        } else {
          this.#listener.changed(batch.value)
        }
      }
    } catch (error) {
      if (error instanceof TooManyApplications) this.#listener.refused(error)
      return retryAfterOf(error)
    }
  }
}

const RESTARTED = Symbol('restarted')
