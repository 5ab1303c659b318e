/**
 * The simulated Argo CD of a benchmark, as a process of its own: what serves and what measures do not wait for each
 * other. It is told what to do by messages, see bench/remote.ts.
 */

import { ArgoCDServer } from '../argocd/server.ts'
import { instant } from './numbers.ts'
import { benchApplication, type Churn, churn, HEALTHY, nameOf } from './scene.ts'

/** What a benchmark finds on the server. */
export interface Scene {
  readonly applications: number
  /** How many of them, the last ones, are not healthy yet. */
  readonly unready: number
  /** @default 3 each */
  readonly resources?: number
  /** Compresses what Argo CD compresses, which leaves the stream out. @default true */
  readonly gzip?: boolean
}

/** One request, as far as a benchmark counts it. */
export interface Sent {
  readonly route: string
  readonly isRefresh: boolean
  readonly bytes: number
  /** An answer has begun; that of a stream goes on. */
  readonly begun: boolean
  readonly open: boolean
}

let server: ArgoCDServer | undefined
let scene: Scene = { applications: 0, unready: 0 }
let changing: Timer | undefined

function present(): ArgoCDServer {
  if (server === undefined) throw new Error('no scene is set')
  return server
}

/** What a benchmark may ask for. */
const handlers = {
  /** Begins anew with these applications. */
  async set(next: Scene) {
    clearInterval(changing)
    await server?.stop()
    scene = next
    const { applications, unready, resources, gzip = true } = next
    server = await ArgoCDServer.start({ gzip })
    for (let i = 0; i < applications; i++)
      server.apply(benchApplication(i, i < applications - unready, resources))
    return { url: server.url, token: server.token }
  },

  /** All requests since the scene was set. */
  requests(): readonly Sent[] {
    return present().requests.map(({ route, query, bytesSent, status, ended }) => ({
      route,
      isRefresh: query.has('refresh'),
      bytes: bytesSent,
      begun: status !== undefined,
      open: ended === 'open',
    }))
  },

  /** Makes the last application healthy, and tells when that was. */
  finish(): number {
    const at = instant()
    present().update(nameOf(scene.applications - 1), HEALTHY)
    return at
  },

  /**
   * A release that reaches one application after the other, and then makes them healthy in the same order: two
   * changes of each, each one a message of its own, spread over the time.
   */
  async rollOut(duration: number): Promise<void> {
    const { applications } = scene
    const steps = [{ status: { operationState: { message: 'waiting for healthy Pods' } } }, HEALTHY]
    const began = performance.now()
    for (let i = 0; i < steps.length * applications; i++) {
      const due = began + (duration * (i + 1)) / (steps.length * applications)
      // One change a turn of the event loop, so that each leaves this process by itself.
      await (due > performance.now() + 1 ? Bun.sleep(due - performance.now()) : new Promise(setImmediate))
      present().update(nameOf(i % applications), steps[Math.floor(i / applications)] ?? {})
    }
  },

  /** Changes the first application at this interval without making it ready. */
  churn(kind: Churn, interval: number): void {
    changing = setInterval(churn(present(), nameOf(0), kind), interval)
  },
}

/** What a benchmark may ask for. */
export type Handlers = typeof handlers

/** A question, and the number under which its answer comes back. */
export interface Call {
  readonly id: number
  readonly method: keyof Handlers
  readonly args: readonly unknown[]
}

/** An answer; one that went wrong has a sentence instead of a value. */
export type Reply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: string }

async function answer({ id, method, args }: Call): Promise<Reply> {
  try {
    const handler = handlers[method] as (...args: readonly unknown[]) => unknown
    return { id, value: await handler(...args) }
  } catch (error) {
    return { id, error: String(error) }
  }
}

process.on('message', (call: Call) => void answer(call).then((reply) => process.send?.(reply)))
// Without the one that asks there is nobody to serve.
process.on('disconnect', () => process.exit())
