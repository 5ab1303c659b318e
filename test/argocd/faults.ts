/** All the ways in which an answer of the simulated Argo CD can go wrong. */
import type { Exchange, HttpHeaders } from './exchange.ts'
import type { Route } from './routes.ts'

/** What goes wrong. Every kind works on every route, the stream ones on streams only. */
export type Fault =
  /** Nothing is answered at all, and the connection stays. */
  | { readonly kind: 'hang' }
  /** The answer comes, `ms` late. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** The answer stops for good inside its body. `after` counts bytes: half of the first piece by default. */
  | { readonly kind: 'hang-in-body'; readonly after?: number }
  /** The connection is reset (RST) before anything is answered. */
  | { readonly kind: 'reset' }
  /** The connection is reset (RST) inside the body. */
  | { readonly kind: 'reset-in-body'; readonly after?: number }
  /** The connection is closed in good order (FIN) with nothing answered. */
  | { readonly kind: 'close' }
  /** What was asked for is done, and nothing of the answer comes. */
  | { readonly kind: 'lost'; readonly how: 'hang' | 'reset' | 'close' }
  /**
   * The body ends early: the connection closes before the last chunk, or the declared length, has come.
   * With `declare` the length is declared also where Argo CD would send chunks. With `json` the HTTP is in
   * order, and only the content is incomplete.
   */
  | { readonly kind: 'cut'; readonly after?: number; readonly declare?: boolean; readonly json?: boolean }
  /** The answer trickles, `bytes` (one) every `ms`; with `head` the status line and headers do as well. */
  | { readonly kind: 'drip'; readonly ms: number; readonly bytes?: number; readonly head?: boolean }
  /** This answer instead: an error of Argo CD's or a proxy's, a login page, nothing. */
  | {
      readonly kind: 'answer'
      readonly status: number
      /** An object is sent as JSON, a string as it is. @default '' */
      readonly body?: unknown
      readonly headers?: Readonly<Record<string, string>>
    }
  /** @default status 302 */
  | { readonly kind: 'redirect'; readonly location: string; readonly status?: number }
  /** Bytes that are no text, as a JSON body; or with `wire`, instead of HTTP. */
  | { readonly kind: 'garbage'; readonly bytes?: Uint8Array; readonly wire?: boolean }
  /** The right answer under a wrong content type; empty for none. */
  | { readonly kind: 'content-type'; readonly value: string }
  /** A JSON object that large, made while it is sent and no faster than it is read. */
  | { readonly kind: 'huge'; readonly megabytes: number }
  /** Stream: a failure of the server's own inside the stream, which then ends. */
  | {
      readonly kind: 'stream-error'
      readonly messages?: number
      readonly code?: number
      readonly message?: string
    }
  /**
   * Stream: ends after so many messages, or so many milliseconds: in good order (`end`), by closing (`close`)
   * or by a reset. With `middle` only half of the last message is sent.
   */
  | {
      readonly kind: 'cut-stream'
      readonly messages?: number
      readonly ms?: number
      readonly how?: 'end' | 'close' | 'reset'
      readonly middle?: boolean
    }
  /** Stream: says nothing any more after so many messages, not even keep-alives. @default messages 0 */
  | { readonly kind: 'silent'; readonly messages?: number }
  /** Stream: a proxy holds everything back until the stream ends, which it does after `ms`, or never. */
  | { readonly kind: 'buffer'; readonly ms?: number }

/** Which requests a fault hits. What is left out matches everything. */
export type FaultMatch = {
  readonly route?: Route
  /** The application's name. */
  readonly name?: string
  /** Only requests for a refresh, or only others. */
  readonly refresh?: boolean
  /** How often. @default Infinity */
  readonly times?: number
  /** How many matching requests pass unharmed before that. @default 0 */
  readonly after?: number
}

/** The faults that are in force, oldest first; the first that matches a request is the one it meets. */
export class Faults {
  readonly #entries = new Set<{ match: FaultMatch; fault: Fault; seen: number }>()

  /** Returns a function that lifts the fault. Requests that already met it stay as they are. */
  add(match: FaultMatch, fault: Fault): () => void {
    const entry = { match, fault, seen: 0 }
    this.#entries.add(entry)
    return () => {
      this.#entries.delete(entry)
    }
  }

  pick(route: Route, name: string | undefined, isRefresh: boolean): Fault | undefined {
    for (const entry of this.#entries) {
      const { match } = entry
      if (match.route !== undefined && match.route !== route) continue
      if (match.name !== undefined && match.name !== name) continue
      if (match.refresh !== undefined && match.refresh !== isRefresh) continue
      entry.seen += 1
      const turn = entry.seen - (match.after ?? 0)
      if (turn >= 1 && turn <= (match.times ?? Number.POSITIVE_INFINITY)) return entry.fault
    }
    return undefined
  }
}

const MEGABYTE = 1_048_576
/** A byte order mark of nobody's, zeros, control characters and broken UTF-8. */
const GARBAGE = Buffer.from('fffe001f8b80c328eda0800d00ff', 'hex')

/**
 * Lets the fault of an exchange do what it does before the answer is made.
 *
 * @returns whether the answer is still to be made
 */
export async function beforeAnswer(exchange: Exchange): Promise<boolean> {
  const { fault } = exchange
  switch (fault?.kind) {
    case 'hang':
      return false
    case 'delay':
      await new Promise<void>((resolve) => {
        exchange.later(fault.ms, resolve)
        exchange.whenClosed(resolve)
      })
      return exchange.open
    case 'reset':
      exchange.reset('fault')
      return false
    case 'close':
      exchange.close('fault')
      return false
    case 'answer': {
      const text = typeof fault.body === 'string' || fault.body === undefined
      const type: HttpHeaders = text ? {} : { 'Content-Type': 'application/json' }
      const body = typeof fault.body === 'string' ? fault.body : text ? '' : JSON.stringify(fault.body)
      exchange.send(fault.status, { ...type, ...fault.headers }, body)
      return false
    }
    case 'redirect':
      exchange.send(fault.status ?? 302, { Location: fault.location, 'Content-Type': 'text/html' }, '')
      return false
    case 'garbage':
      if (fault.wire) exchange.raw(fault.bytes ?? GARBAGE)
      else exchange.send(200, { 'Content-Type': 'application/json' }, fault.bytes ?? GARBAGE)
      return false
    case 'huge':
      await sendHuge(exchange, fault.megabytes)
      return false
    default:
      return true
  }
}

async function sendHuge(exchange: Exchange, megabytes: number): Promise<void> {
  const piece = Buffer.alloc(MEGABYTE / 16, 'x')
  exchange.begin(200, { 'Content-Type': 'application/json' })
  exchange.write('{"metadata":{"name":"')
  for (let sent = 0; sent < megabytes * MEGABYTE && exchange.open; sent += piece.length) {
    exchange.write(piece)
    await exchange.drained()
  }
  exchange.write('"}}')
  exchange.end()
}
