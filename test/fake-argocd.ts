/** A client whose answers a test gives, for runs on a clock that only the test moves. */

import type { Application, Commit } from '../lib/application.ts'
import type { ApplicationQuery, ApplicationRef, ArgoCD, TreeNode } from '../lib/argocd.ts'
import { RequestFailure } from '../lib/failure.ts'
import type { WatchEvent } from '../lib/stream.ts'

/** A request that was made. */
export interface FakeRequest {
  readonly call:
    | 'application'
    | 'refresh'
    | 'requestRefresh'
    | 'applications'
    | 'applicationNames'
    | 'watch'
    | 'commit'
    | 'resourceTree'
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
  tree: readonly TreeNode[] = []
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

  async application(ref: ApplicationRef, signal: AbortSignal): Promise<Application | undefined> {
    await this.#ask('application', ref.name, signal)
    return this.present.get(ref.name)
  }

  async refresh(
    ref: ApplicationRef,
    _: 'normal' | 'hard',
    signal: AbortSignal,
  ): Promise<Application | undefined> {
    await this.#ask('refresh', ref.name, signal)
    this.onRefresh(ref.name)
    return this.present.get(ref.name)
  }

  async requestRefresh(ref: ApplicationRef, _: 'normal' | 'hard', signal: AbortSignal): Promise<void> {
    await this.#ask('requestRefresh', ref.name, signal)
    this.onRefresh(ref.name)
  }

  async applications(_: ApplicationQuery, signal: AbortSignal): Promise<readonly Application[]> {
    await this.#ask('applications', undefined, signal)
    return [...this.present.values()]
  }

  async applicationNames(_: ApplicationQuery, signal: AbortSignal): Promise<readonly ApplicationRef[]> {
    await this.#ask('applicationNames', undefined, signal)
    return [...this.present.values()].map(({ metadata: { name, namespace } }) => ({
      name,
      namespace,
      project: undefined,
    }))
  }

  async *watch(query: ApplicationQuery, signal: AbortSignal): AsyncGenerator<readonly WatchEvent[]> {
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

  async commit(
    ref: ApplicationRef,
    revision: string,
    _: number | undefined,
    signal: AbortSignal,
  ): Promise<Commit> {
    await this.#ask('commit', ref.name, signal)
    const commit = this.commits.get(revision)
    if (commit === undefined) throw new RequestFailure('Unreachable', `unknown revision ${revision}`)
    return commit
  }

  async resourceTree(ref: ApplicationRef, signal: AbortSignal): Promise<readonly TreeNode[]> {
    await this.#ask('resourceTree', ref.name, signal)
    return this.tree
  }
}
