/**
 * One request and its answer, as the simulated Argo CD puts it on the wire: right, or broken by a fault. An
 * HTTP library would put right exactly what a fault is to break: lengths, chunks, status lines.
 */
import { STATUS_CODES } from 'node:http'
import type { Fault } from './faults.ts'
import type { Connection } from './http.ts'
import { Timers } from './timers.ts'

/** A request, read completely. */
export type HttpRequest = {
  readonly method: string
  /** As on the request line, with the query. */
  readonly target: string
  readonly headers: Headers
  readonly body: string
}

/** How an exchange came to its end. */
export type Ending = 'open' | 'complete' | 'client closed' | 'fault' | 'server stopped'

export type HttpHeaders = Record<string, string>

/** Above this length Go's server does not know the length of an answer in time, and sends it in chunks. */
const CHUNKED_FROM = 2048

/** One request and its answer, down to the bytes on the wire. */
export class Exchange {
  status: number | undefined
  bytesSent = 0
  ending: Ending = 'open'
  fault: Fault | undefined

  readonly request: HttpRequest
  readonly #connection: Connection
  readonly #timers = new Timers()
  readonly #onClose: (() => void)[] = []
  #chunked = false
  #bodySent = 0
  #limit: { after: number | undefined; act: () => void } | undefined
  #drip: { queue: Buffer; ended: boolean; bytes: number; ms: number } | undefined

  constructor(request: HttpRequest, connection: Connection) {
    this.request = request
    this.#connection = connection
  }

  get open(): boolean {
    return this.ending === 'open'
  }

  get begun(): boolean {
    return this.status !== undefined
  }

  /** Runs when the exchange has ended, however it did. */
  whenClosed(run: () => void): void {
    if (this.open) this.#onClose.push(run)
    else run()
  }

  /** A timer that dies with the exchange. */
  later(ms: number, run: () => void): void {
    this.#timers.later(ms, run)
  }

  /** A whole answer. */
  send(status: number, headers: HttpHeaders, body: string | Uint8Array): void {
    let bytes = typeof body === 'string' ? Buffer.from(body) : body
    const cut = this.fault?.kind === 'cut' ? this.fault : undefined
    if (cut?.json) bytes = bytes.subarray(0, cut.after ?? bytes.length >> 1)
    // A declared length lets a client notice a body that was cut, and so does a missing last chunk.
    const declared = cut?.json || cut?.declare || bytes.length < CHUNKED_FROM
    this.begin(status, headers, declared ? bytes.length : undefined)
    this.write(bytes)
    this.end()
  }

  /** The status line and headers; without a length the body is sent in chunks. */
  begin(status: number, headers: HttpHeaders, length?: number): void {
    if (!this.open) return
    const { fault } = this
    if (fault?.kind === 'lost') {
      this.#limit = { after: 0, act: () => {} }
      if (fault.how === 'close') this.close('fault')
      if (fault.how === 'reset') this.reset('fault')
      return
    }
    this.status = status
    this.#chunked = length === undefined
    const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`]
    for (const [name, value] of Object.entries(headers)) {
      const wrong = fault?.kind === 'content-type' && name.toLowerCase() === 'content-type'
      const sent = wrong ? fault.value : value
      if (sent !== '') lines.push(`${name}: ${sent}`)
    }
    lines.push(`Date: ${new Date().toUTCString()}`)
    lines.push(length === undefined ? 'Transfer-Encoding: chunked' : `Content-Length: ${length}`)
    const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`)
    if (fault?.kind === 'drip' && fault.head) this.#startDrip(fault)
    this.#put(head)
    if (fault?.kind === 'drip' && !fault.head) this.#startDrip(fault)
    if (fault?.kind === 'hang-in-body') this.#limit = { after: fault.after, act: () => {} }
    if (fault?.kind === 'reset-in-body') this.#limit = { after: fault.after, act: () => this.reset('fault') }
    // The complete body of a JSON cut was shortened already, unless it is a stream.
    if (fault?.kind === 'cut' && !(fault.json && length !== undefined)) {
      this.#limit = { after: fault.after, act: () => (fault.json ? this.#finish() : this.close('fault')) }
    }
  }

  /** Some of the body. */
  write(body: string | Uint8Array): void {
    if (!this.open) return
    let bytes = typeof body === 'string' ? Buffer.from(body) : body
    const limit = this.#limit
    let full = false
    if (limit !== undefined) {
      limit.after ??= bytes.length >> 1
      const room = Math.max(0, limit.after - this.#bodySent)
      full = bytes.length >= room
      bytes = bytes.subarray(0, room)
    }
    this.#bodySent += bytes.length
    if (bytes.length > 0 && this.request.method !== 'HEAD') {
      if (this.#chunked) {
        const head = `${bytes.length.toString(16)}\r\n`
        const chunk = Buffer.allocUnsafe(head.length + bytes.length + 2)
        chunk.write(head, 'latin1')
        chunk.set(bytes, head.length)
        chunk.write('\r\n', chunk.length - 2, 'latin1')
        this.#put(chunk)
      } else {
        this.#put(bytes)
      }
    }
    if (full && limit !== undefined) {
      // Nothing more gets through from now on, whatever the route still has to say.
      this.#limit = { after: 0, act: () => {} }
      // What was written has to leave before the connection does, or a reset would swallow it.
      this.#connection.flushed(limit.act)
    }
  }

  /** All that is written of the body meanwhile leaves at once. */
  together(run: () => void): void {
    this.#connection.together(run)
  }

  /** The end of the body. */
  end(): void {
    if (!this.open) return
    const limit = this.#limit
    if (limit === undefined) this.#finish()
    // The body was shorter than the limit, so the fault is due at its end.
    else if (limit.after !== 0) this.#connection.flushed(limit.act)
  }

  /** Bytes that are not HTTP. */
  raw(bytes: Uint8Array): void {
    this.#put(bytes)
    this.close('fault')
  }

  /** Ends the answer in one of three ways, after everything written so far has left. */
  finishAs(how: 'end' | 'close' | 'reset'): void {
    if (how === 'end') this.end()
    else this.#connection.flushed(() => (how === 'close' ? this.close('fault') : this.reset('fault')))
  }

  /** Closes the connection in good order (FIN), wherever the answer stands. */
  close(ending: Ending): void {
    if (!this.#settle(ending)) return
    this.#connection.close()
  }

  /** Resets the connection (RST). */
  reset(ending: Ending): void {
    if (!this.#settle(ending)) return
    this.#connection.reset()
  }

  /** The connection is gone. */
  lost(ending: Ending): void {
    this.#settle(ending)
  }

  /** Resolves when the client has read enough for more to be written, or is gone. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#connection.drained(resolve)
      this.whenClosed(resolve)
    })
  }

  #finish(): void {
    if (this.#chunked && this.request.method !== 'HEAD') this.#put(Buffer.from('0\r\n\r\n'))
    if (this.#drip !== undefined) {
      this.#drip.ended = true
      return
    }
    if (this.#settle('complete')) this.#connection.next()
  }

  #settle(ending: Ending): boolean {
    if (!this.open) return false
    this.ending = ending
    this.#timers.stop()
    for (const run of this.#onClose) run()
    return true
  }

  #startDrip(fault: { ms: number; bytes?: number }): void {
    const drip = { queue: Buffer.alloc(0), ended: false, bytes: fault.bytes ?? 1, ms: fault.ms }
    this.#drip = drip
    const drop = () => {
      const piece = drip.queue.subarray(0, drip.bytes)
      drip.queue = drip.queue.subarray(drip.bytes)
      if (piece.length > 0) this.#send(piece)
      if (drip.queue.length > 0 || !drip.ended) this.later(drip.ms, drop)
      else if (this.#settle('complete')) this.#connection.next()
    }
    this.later(drip.ms, drop)
  }

  #put(bytes: Uint8Array): void {
    if (this.#drip !== undefined) this.#drip.queue = Buffer.concat([this.#drip.queue, bytes])
    else this.#send(bytes)
  }

  #send(bytes: Uint8Array): void {
    this.bytesSent += bytes.length
    this.#connection.write(bytes)
  }
}
