/** The application controller of the simulated Argo CD, as far as it refreshes. */
import type { Application } from './application.ts'
import { at, copy, type JsonObject, merge, object, timestamp } from './json.ts'
import type { ServerOptions } from './options.ts'
import type { Store, Stored } from './store.ts'
import type { Timers } from './timers.ts'

export type RefreshType = 'normal' | 'hard'
/** A refresh that was asked for. */
export type Refresh = { readonly name: string; readonly type: RefreshType; readonly at: number }

const REFRESH = 'argocd.argoproj.io/refresh'
const REFRESH_TIMESTAMP = 'argocd.argoproj.io/refresh-timestamp'
const HYDRATE = 'argocd.argoproj.io/hydrate'

/**
 * An annotation asks for a refresh, and when the controller is done with it, it removes the annotation. That
 * is how an API server with a client that waits knows.
 */
export class Controller {
  readonly refreshes: Refresh[] = []
  readonly #version36: boolean
  readonly #refreshMs: number
  readonly #clockAheadMs: number
  readonly #store: Store
  readonly #timers: Timers
  readonly #onRefresh: (app: Application, type: RefreshType) => void | Promise<void>
  readonly #reconciling = new Set<string>()
  /** What it finds is not written, only that it is done: the API server takes one patch and not the other. */
  losesStatus = false
  #running: boolean

  /** @param onRefresh what the controller finds, see `ArgoCDServer.onRefresh` */
  constructor(
    options: ServerOptions,
    store: Store,
    timers: Timers,
    onRefresh: (app: Application, type: RefreshType) => void | Promise<void>,
  ) {
    this.#version36 = options.version !== '3.5'
    this.#refreshMs = options.refreshMs ?? 20
    this.#clockAheadMs = options.clockAheadMs ?? 0
    this.#running = options.controller !== 'stopped'
    this.#store = store
    this.#timers = timers
    this.#onRefresh = onRefresh
  }

  start(): void {
    this.#running = true
    for (const key of this.#store.live.keys()) this.#reconcileLater(key)
  }

  stop(): void {
    this.#running = false
  }

  /**
   * Asks for a refresh, and calls back with the first version after that on which nothing asks for one.
   *
   * @returns a function that gives up waiting
   */
  refresh({ name, key, app }: Stored, type: RefreshType, done: (stored: Stored) => void): () => void {
    this.refreshes.push({ name, type, at: Date.now() })
    const annotations: JsonObject = { [REFRESH]: type }
    if (this.#version36) annotations[REFRESH_TIMESTAMP] = new Date().toISOString()
    if (at(app, 'spec', 'sourceHydrator')) annotations[HYDRATE] = type
    const asking = this.#store.save(merge(app, { metadata: { annotations } })).version
    const unsubscribe = this.#store.subscribe((_, next) => {
      // A cache that is behind still brings older versions.
      if (next.key !== key || next.version <= asking || isWanted(next)) return
      unsubscribe()
      done(next)
    })
    this.#reconcileLater(key)
    return unsubscribe
  }

  #reconcileLater(key: string): void {
    if (!isWanted(this.#store.live.get(key)) || !this.#running || this.#reconciling.has(key)) return
    this.#reconciling.add(key)
    this.#timers.later(this.#refreshMs, async () => {
      await this.#reconcile(key)
      this.#reconciling.delete(key)
      this.#reconcileLater(key)
    })
  }

  async #reconcile(key: string): Promise<void> {
    const before = this.#store.live.get(key)
    if (before === undefined || !this.#running) return
    const asked = object(at(before.app, 'metadata', 'annotations'))
    const seen = copy(before.app)
    await this.#onRefresh(seen as unknown as Application, asked[REFRESH] === 'hard' ? 'hard' : 'normal')
    const now = this.#store.live.get(key)
    if (now === undefined || !this.#running) return

    // What the test did to the application meanwhile was done by somebody else, and stays.
    const found = now === before ? seen : copy(now.app)
    const reconciledAt = timestamp(new Date(Date.now() + this.#clockAheadMs))
    const app = this.losesStatus ? copy(now.app) : merge(found, { status: { reconciledAt } })
    const annotations = { [REFRESH]: undefined, [REFRESH_TIMESTAMP]: undefined, [HYDRATE]: undefined }
    const done = merge(app, { metadata: { annotations } })
    const askedAgain = at(now.app, 'metadata', 'annotations', REFRESH_TIMESTAMP) !== asked[REFRESH_TIMESTAMP]
    // Since 3.6 the status is written first, and a request that came meanwhile keeps its annotation.
    if (this.#version36) this.#store.save(app)
    if (!askedAgain) this.#store.save(done)
  }
}

function isWanted(stored: Stored | undefined): boolean {
  return at(stored?.app, 'metadata', 'annotations', REFRESH) !== undefined
}
