/** Servers that misbehave below HTTP, a forward proxy, and what every run through a fault has to keep to. */

import { expect } from 'bun:test'
import { readFileSync } from 'node:fs'
import net from 'node:net'
import { type Result, resultSchema } from '../lib/result-schema.ts'
import type { ArgoCDServer } from './argocd/server.ts'
import { type Environment, type Finished, start } from './executable.ts'
import { SHA } from './fixtures.ts'
import { Limit } from './limit.ts'

/** One application, asked for often enough that a fault of a second is met several times. */
export const WEB = {
  ARGOCD_APP_NAME: 'web',
  KPCEA_TARGET_REVISION: SHA.a,
  KPCEA_TIMEOUT: '1',
  KPCEA_INTERVAL: '200ms',
} as const

/** Has the form of a token, and is none. */
export const TOKEN = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJrcGNlYSJ9.c2lnbmF0dXJlLW9mLW5vYm9keQ'

/** So many runs at once, whatever runs concurrently: more would only wait for a processor, past their deadline. */
const runs = new Limit(6)

/** How much later than its deadline a run may end, in seconds. */
const GRACE = 0.5

/** A run that has ended, with the result it wrote to stdout. */
export type Suffered = Finished & { readonly result: Result; readonly peakMiB: number }

/**
 * Runs the executable through a fault. However that goes, the deadline is kept and nothing is said but one result,
 * log lines of a line each, and no stack trace.
 */
export function suffer(env: Environment, args: readonly string[] = []): Promise<Suffered> {
  return runs.run(async () => {
    const { process, finished } = start({ ...WEB, ...env, KPCEA_OUTPUT: 'json' }, args)
    const costs = watchCosts(process.pid)
    const { code, stdout, stderr, elapsed } = await finished
    const { peakMiB, starved } = costs()
    const result = resultSchema.parse(JSON.parse(stdout))
    const timeout = Number(env.KPCEA_TIMEOUT ?? WEB.KPCEA_TIMEOUT)
    expect(result.durationSeconds).toBeLessThanOrEqual(timeout + GRACE + starved)
    expect(code === 0).toBe(result.verified)
    expect(stderr).not.toMatch(/\n\s+at /)
    expect(stdout.trim().split('\n')).toHaveLength(1)
    return { code, stdout, stderr, elapsed, result, peakMiB }
  })
}

/** For runs that need more than {@link suffer} but shall not take the processor from them. */
export function oneOfFew<T>(task: () => Promise<T>): Promise<T> {
  return runs.run(task)
}

/** What a process has cost, as the system tells; 0 where it does not. */
export interface Costs {
  readonly peakMiB: number
  /** For how long it could have run, and had no processor, in seconds: nobody keeps a deadline then. */
  readonly starved: number
}

/**
 * Follows the most memory that a process ever held. The system's own account of a child that has ended is of no use:
 * it begins with the memory of the process that forked it.
 *
 * @returns a function that stops and tells
 */
export function watchCosts(pid: number): () => Costs {
  let kilobytes = 0
  let waited = 0
  const look = () => {
    try {
      const [, amount] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
      kilobytes = Math.max(kilobytes, Number(amount ?? 0))
      waited = Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[1] ?? 0)
    } catch {
      // Not Linux, or over.
    }
  }
  const timer = setInterval(look, 20)
  return () => {
    clearInterval(timer)
    return { peakMiB: kilobytes / 1024, starved: waited / 1e9 }
  }
}

/** What a server on bare sockets does with a connection; it may take its time. */
export type Manners = (socket: net.Socket) => void

/** A server on a loopback port that does with connections what it likes. */
export class WireServer implements AsyncDisposable {
  /** What each connection has sent, as text. */
  readonly received: string[] = []
  readonly #sockets = new Set<net.Socket>()
  readonly #server: net.Server

  static async start(manners: Manners): Promise<WireServer> {
    const server = new WireServer(manners)
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve))
    return server
  }

  private constructor(manners: Manners) {
    this.#server = net.createServer((socket) => {
      this.#sockets.add(socket)
      const at = this.received.push('') - 1
      socket.on('error', () => {})
      socket.on('close', () => this.#sockets.delete(socket))
      socket.on('data', (data) => {
        this.received[at] += data.toString('latin1')
      })
      manners(socket)
    })
  }

  /** `127.0.0.1:40123` */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as net.AddressInfo).port}`
  }

  get url(): string {
    return `http://${this.address}`
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }
}

/** Says something once the client has sent something, and then stays, closes (FIN) or resets (RST). */
export function says(
  answer: string | Uint8Array,
  end: 'stay' | 'close' | 'reset' = 'stay',
): (socket: net.Socket) => void {
  return (socket) => {
    socket.once('data', () => {
      socket.write(answer)
      // What was said has to leave first, or a reset would swallow it.
      if (end === 'reset') setTimeout(() => socket.resetAndDestroy(), 20)
      else if (end === 'close') socket.end()
    })
  }
}

/** Answers each request of a connection: with the head and body that the function makes of its head. */
export function answers(answer: (head: string) => string): (socket: net.Socket) => void {
  return (socket) => {
    let received = ''
    socket.on('data', (data) => {
      received += data.toString('latin1')
      for (let end = received.indexOf('\r\n\r\n'); end >= 0; end = received.indexOf('\r\n\r\n')) {
        socket.write(answer(received.slice(0, end)))
        received = received.slice(end + 4)
      }
    })
  }
}

/** An HTTP answer with a length. */
export function http(status: string, headers: readonly string[], body = ''): string {
  return [`HTTP/1.1 ${status}`, ...headers, `Content-Length: ${Buffer.byteLength(body)}`, '', body].join(
    '\r\n',
  )
}

/**
 * A forward proxy: CONNECT, and requests in absolute form. Every host leads to the one server, so that names which
 * DNS does not know can be asked for.
 *
 * @param refusal what it says to everything instead
 */
export function forwardProxy(server: Pick<ArgoCDServer, 'address'>, refusal?: string): Promise<WireServer> {
  const [host = '', port = ''] = server.address.split(':')
  return WireServer.start((socket) => {
    let received = Buffer.alloc(0)
    const read = (data: Buffer) => {
      received = Buffer.concat([received, data])
      const end = received.indexOf('\r\n\r\n')
      if (end < 0) return
      socket.off('data', read)
      if (refusal !== undefined) {
        socket.end(refusal)
        return
      }
      const rest = received.subarray(end + 4)
      const upstream = net.connect(Number(port), host)
      upstream.on('error', () => socket.destroy())
      socket.on('close', () => upstream.destroy())
      const [line = '', ...fields] = received.toString('latin1', 0, end).split('\r\n')
      const [method, target = '', version] = line.split(' ')
      if (method === 'CONNECT') socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      else {
        const { pathname, search } = new URL(target)
        upstream.write([`${method} ${pathname}${search} ${version}`, ...fields, '', ''].join('\r\n'))
      }
      upstream.write(rest)
      socket.pipe(upstream)
      upstream.pipe(socket)
    }
    socket.on('data', read)
  })
}
