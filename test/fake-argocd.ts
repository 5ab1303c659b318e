/** A client whose answers a test gives, for runs on a clock that only the test moves. */

import type { Application, Commit } from '../lib/application.ts'
import type { ArgoCD, How } from '../lib/argocd.ts'
import type { CommitRequest, Comparison, Rendering, TreeNode } from '../lib/evidence.ts'
import { RequestFailure } from '../lib/failure.ts'
import type { ApplicationQuery, ApplicationRef, WatchEvent } from '../lib/requests.ts'
import type { SyncAnswer, SyncOrder, SyncWindows } from '../lib/syncs.ts'

/** A request that was made. */
export interface FakeRequest {
  readonly call: keyof ArgoCD
  readonly name: string | undefined
}

/** One open stream, written to by the test. */
export class FakeStream {
  readonly #batches: (readonly WatchEvent[] | 'end' | Error)[] = []
  #wake: () => void = () => {}

  send(...events: readonly WatchEvent[]): void {
    this.#push(events)
  }

  keepAlive(): void {
    this.#push([])
  }

  end(): void {
    this.#push('end')
  }

  fail(error: Error): void {
    this.#push(error)
  }

  #push(batch: readonly WatchEvent[] | 'end' | Error): void {
    this.#batches.push(batch)
    this.#wake()
  }

  async *read(signal: AbortSignal): AsyncGenerator<readonly WatchEvent[]> {
    for (;;) {
      if (signal.aborted) throw signal.reason
      const batch = this.#batches.shift()
      if (batch === 'end') return
      if (batch instanceof Error) throw batch
      if (batch !== undefined) {
        yield batch
        continue
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
        signal.addEventListener('abort', () => resolve())
      })
    }
  }
}

/** Argo CD as a test wants it to be; every answer may be replaced while a run is under way. */
export class FakeArgoCD implements ArgoCD {
  readonly requests: FakeRequest[] = []
  readonly streams: FakeStream[] = []
  /** What a GET brings, by name; `undefined`: it does not exist. */
  readonly present = new Map<string, Application>()
  readonly commits = new Map<string, Commit>()
  nodes: readonly TreeNode[] = []
  rendering: Rendering = { kind: 'different', message: 'they differ' }
  /** Throws for calls that shall fail. */
  refuse: (request: FakeRequest) => void = () => {}
  /** Waits for as long as a call shall take. */
  delay: (request: FakeRequest, signal: AbortSignal) => Promise<void> = () => Promise.resolve()
  /** What a refresh does before it comes back. */
  onRefresh: (name: string) => void = () => {}
  /** A stream as Argo CD begins one: with what is present. */
  streamBegins = true

  count(call: FakeRequest['call']): number {
    return this.requests.filter((request) => request.call === call).length
  }

  async #ask(call: FakeRequest['call'], name: string | undefined, signal: AbortSignal): Promise<void> {
    const request = { call, name }
    this.requests.push(request)
    await this.delay(request, signal)
    if (signal.aborted) throw signal.reason
    this.refuse(request)
  }

  async look(ref: ApplicationRef, { signal }: How): Promise<Application | undefined> {
    await this.#ask('look', ref.name, signal)
    return this.present.get(ref.name)
  }

  async refresh(
    ref: ApplicationRef,
    _: 'normal' | 'hard',
    isRead: boolean,
    { signal }: How,
  ): Promise<Application | undefined> {
    await this.#ask('refresh', ref.name, signal)
    this.onRefresh(ref.name)
    return isRead ? this.present.get(ref.name) : undefined
  }

  async list(_: ApplicationQuery, { signal }: How): Promise<readonly Application[]> {
    await this.#ask('list', undefined, signal)
    return [...this.present.values()]
  }

  async names(_: ApplicationQuery, { signal }: How): Promise<readonly ApplicationRef[]> {
    await this.#ask('names', undefined, signal)
    return [...this.present.values()].map(({ metadata: { name, namespace } }) => ({
      name,
      namespace,
      project: undefined,
    }))
  }

  async *watch(query: ApplicationQuery, { signal }: How): AsyncGenerator<readonly WatchEvent[]> {
    await this.#ask('watch', query.name, signal)
    const stream = new FakeStream()
    this.streams.push(stream)
    if (this.streamBegins) {
      stream.keepAlive()
      const matching = [...this.present.values()].filter(
        ({ metadata }) => query.name === undefined || metadata.name === query.name,
      )
      if (matching.length > 0)
        stream.send(...matching.map((application) => ({ type: 'ADDED', application }) as const))
    }
    yield* stream.read(signal)
  }

  async commit(ref: ApplicationRef, { revision }: CommitRequest, { signal }: How): Promise<Commit> {
    await this.#ask('commit', ref.name, signal)
    const commit = this.commits.get(revision)
    if (commit === undefined) throw new RequestFailure('Unreachable', `unknown revision ${revision}`)
    return commit
  }

  async tree(ref: ApplicationRef, { signal }: How): Promise<readonly TreeNode[]> {
    await this.#ask('tree', ref.name, signal)
    return this.nodes
  }

  async compare(ref: ApplicationRef, _: Comparison, { signal }: How): Promise<Rendering> {
    await this.#ask('compare', ref.name, signal)
    return this.rendering
  }

  isPermitted = true
  windows: SyncWindows = { canSync: true, active: [], assigned: [], at: 0 }
  /** What a sync brings, by name; a sync that is accepted changes nothing by itself. */
  onSync: (name: string, order: SyncOrder) => SyncAnswer = () => ({ kind: 'accepted' })
  readonly orders: { readonly name: string; readonly order: SyncOrder }[] = []

  async maySync(object: string, { signal }: How): Promise<boolean> {
    await this.#ask('maySync', object, signal)
    return this.isPermitted
  }

  async syncWindows(ref: ApplicationRef, _: string | undefined, { signal }: How): Promise<SyncWindows> {
    await this.#ask('syncWindows', ref.name, signal)
    return this.windows
  }

  async sync(ref: ApplicationRef, order: SyncOrder, { signal }: How): Promise<SyncAnswer> {
    await this.#ask('sync', ref.name, signal)
    this.orders.push({ name: ref.name, order })
    return this.onSync(ref.name, order)
  }
}
