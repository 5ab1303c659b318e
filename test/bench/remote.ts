/** The simulated Argo CD of a benchmark, seen from the process that measures. */

import { join } from 'node:path'
import type { Environment } from '../executable.ts'
import type { Call, Handlers, Reply, Scene, Sent } from './server.ts'

/** A server in a process of its own; ends with its scope. */
export class RemoteServer implements Disposable {
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>()
  readonly #process: Bun.Subprocess
  #calls = 0
  /** What every run against the present scene needs. */
  connection: Environment = {}

  constructor() {
    this.#process = Bun.spawn([process.execPath, join(import.meta.dir, 'server.ts')], {
      ipc: (reply: Reply) => this.#settle(reply),
      stdio: ['ignore', 'inherit', 'inherit'],
    })
  }

  /** Begins anew with these applications. */
  async set(scene: Scene): Promise<void> {
    const { url, token } = await this.call('set', scene)
    this.connection = { ARGOCD_SERVER: url, ARGOCD_API_TOKEN: token }
  }

  /** Has the server do something, see bench/server.ts. */
  call<M extends keyof Handlers>(
    method: M,
    ...args: Parameters<Handlers[M]>
  ): Promise<Awaited<ReturnType<Handlers[M]>>> {
    const id = this.#calls++
    const waiting = Promise.withResolvers<unknown>()
    this.#waiting.set(id, waiting)
    this.#process.send({ id, method, args } satisfies Call)
    return waiting.promise as Promise<Awaited<ReturnType<Handlers[M]>>>
  }

  /** Resolves when the requests are as they should be. */
  async until(what: string, condition: (requests: readonly Sent[]) => boolean): Promise<void> {
    for (const deadline = performance.now() + 30_000; performance.now() < deadline; await Bun.sleep(20))
      if (condition(await this.call('requests'))) return
    throw new Error(`it never happened: ${what}`)
  }

  /**
   * Resolves when a run that watches is waiting and nothing else: its stream is open, all other requests are
   * answered, and the time has passed after which it would have asked for what the stream did not mention.
   */
  async untilWaiting(refreshes: number): Promise<void> {
    await this.until('a run that waits', (requests) => {
      const stream = requests.find(({ route }) => route === 'stream')
      const others = requests.filter(({ route }) => route !== 'stream')
      const refreshed = others.filter(({ isRefresh, open }) => isRefresh && !open).length
      return stream?.begun === true && refreshed >= refreshes && others.every(({ open }) => !open)
    })
    await Bun.sleep(400)
  }

  [Symbol.dispose](): void {
    this.#process.kill()
  }

  #settle(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id)
    this.#waiting.delete(reply.id)
    if ('error' in reply) waiting?.reject(new Error(reply.error))
    else waiting?.resolve(reply.value)
  }
}
