/**
 * HTTP as the simulated Argo CD speaks it, and all the ways in which it can go wrong. It is written on bare
 * sockets, because an HTTP library would put right exactly what a fault is to break: lengths, chunks, status
 * lines.
 */
import { STATUS_CODES } from 'node:http'
import net from 'node:net'
import tls from 'node:tls'
import { constants, createGzip, type Gzip } from 'node:zlib'

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
  /** How often. @default Infinity */
  readonly times?: number
  /** How many matching requests pass unharmed before that. @default 0 */
  readonly after?: number
}

/** The parts of the API; `other` is everything else, the web pages included. */
export type Route =
  | 'session'
  | 'application'
  | 'applications'
  | 'stream'
  | 'metadata'
  | 'chartdetails'
  | 'resource-tree'
  | 'events'
  | 'syncwindows'
  | 'other'

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

  pick(route: Route, name: string | undefined): Fault | undefined {
    for (const entry of this.#entries) {
      const { match } = entry
      if (match.route !== undefined && match.route !== route) continue
      if (match.name !== undefined && match.name !== name) continue
      entry.seen += 1
      const turn = entry.seen - (match.after ?? 0)
      if (turn >= 1 && turn <= (match.times ?? Number.POSITIVE_INFINITY)) return entry.fault
    }
    return undefined
  }
}

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
const MEGABYTE = 1_048_576
/** A byte order mark of nobody's, zeros, control characters and broken UTF-8. */
const GARBAGE = Uint8Array.of(
  0xff,
  0xfe,
  0x00,
  0x1f,
  0x8b,
  0x80,
  0xc3,
  0x28,
  0xed,
  0xa0,
  0x80,
  0x0d,
  0x00,
  0xff,
)

/** One request and its answer, down to the bytes on the wire. */
export class Exchange {
  status: number | undefined
  bytesSent = 0
  ending: Ending = 'open'
  fault: Fault | undefined

  readonly request: HttpRequest
  readonly #connection: Connection
  readonly #timers = new Set<Timer>()
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
    if (!this.open) return
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      run()
    }, ms)
    this.#timers.add(timer)
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
        this.#put(
          Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]),
        )
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
    for (const timer of this.#timers) clearTimeout(timer)
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

/** The messages of a stream on their way out, through whatever fault the exchange has met. */
export class StreamWriter {
  readonly #exchange: Exchange
  readonly #headers: HttpHeaders
  readonly #failure: (code: number, message: string) => string
  #messages = 0
  #held = ''
  #mute = false
  #gzip: Gzip | undefined

  /**
   * @param failure puts an error of the server's into the form that this stream has
   * @param compress with gzip; not where a fault counts bytes
   */
  constructor(
    exchange: Exchange,
    headers: HttpHeaders,
    failure: (code: number, message: string) => string,
    compress: boolean,
  ) {
    this.#exchange = exchange
    this.#headers = headers
    this.#failure = failure
    if (compress && exchange.fault === undefined) {
      const gzip = createGzip()
      gzip.on('data', (data: Buffer) => exchange.write(data))
      exchange.whenClosed(() => gzip.destroy())
      this.#headers = { ...headers, 'Content-Encoding': 'gzip' }
      this.#gzip = gzip
    }
    const { fault } = exchange
    if (fault?.kind === 'cut-stream') {
      if (fault.ms !== undefined) exchange.later(fault.ms, () => this.#cut())
      if (fault.messages === 0) this.#cut()
    }
    if (fault?.kind === 'stream-error' && (fault.messages ?? 0) === 0) this.#fail(fault)
    if (fault?.kind === 'silent' && (fault.messages ?? 0) === 0) this.#mute = true
    if (fault?.kind === 'buffer' && fault.ms !== undefined) {
      exchange.later(fault.ms, () => {
        this.#begin()
        exchange.write(this.#held)
        exchange.end()
      })
    }
  }

  message(text: string): void {
    if (this.#mute || !this.#exchange.open) return
    const { fault } = this.#exchange
    this.#messages += 1
    const last = fault?.kind === 'cut-stream' && fault.messages === this.#messages
    this.#write(last && fault.middle ? text.slice(0, text.length >> 1) : text)
    if (last) this.#cut()
    if (fault?.kind === 'stream-error' && fault.messages === this.#messages) this.#fail(fault)
    if (fault?.kind === 'silent' && fault.messages === this.#messages) this.#mute = true
  }

  /** Only a stream that has begun is kept alive. */
  keepAlive(text: string): void {
    if (!this.#mute && this.#exchange.open && this.#messages > 0) this.#write(text)
  }

  #write(text: string): void {
    if (this.#exchange.fault?.kind === 'buffer') {
      this.#held += text
      return
    }
    this.#begin()
    if (this.#gzip === undefined) {
      this.#exchange.write(text)
    } else {
      this.#gzip.write(text)
      this.#gzip.flush(constants.Z_SYNC_FLUSH)
    }
  }

  #begin(): void {
    if (!this.#exchange.begun) this.#exchange.begin(200, this.#headers)
  }

  #fail(fault: { code?: number; message?: string }): void {
    this.#write(this.#failure(fault.code ?? 13, fault.message ?? 'error reading from the informer'))
    this.#exchange.end()
  }

  #cut(): void {
    const { fault } = this.#exchange
    if (fault?.kind !== 'cut-stream') return
    this.#begin()
    this.#mute = true
    this.#exchange.finishAs(fault.how ?? 'end')
  }
}

/** Certificates for {@link HttpServer}; with `ca`, clients have to show one that it signed. */
export type TlsOptions = { readonly cert: string; readonly key: string; readonly ca?: string }

/** A listener on a loopback address that hands every request over as an {@link Exchange}. */
export class HttpServer {
  readonly #connections = new Map<net.Socket, Connection | undefined>()
  readonly #hostname: string
  readonly #accept: (socket: net.Socket) => void
  #port: number
  #listener: net.Server | undefined

  constructor(options: {
    hostname: string
    port: number
    tls: TlsOptions | undefined
    /** Answers a plain request to a TLS port; the location to send it to is made from its target. */
    redirect: (request: HttpRequest) => string
    onRequest: (exchange: Exchange) => void
  }) {
    this.#hostname = options.hostname
    this.#port = options.port
    const context = options.tls === undefined ? undefined : tls.createSecureContext(options.tls)
    const demand = options.tls?.ca !== undefined

    this.#accept = (raw) => {
      raw.setNoDelay(true)
      // Whatever goes wrong on a socket, it closes after it.
      raw.on('error', () => {})
      raw.once('close', () => this.#connections.delete(raw))
      this.#connections.set(raw, undefined)
      const start = (socket: net.Socket, onRequest: (exchange: Exchange) => void) => {
        this.#connections.set(raw, new Connection(socket, raw, onRequest))
      }
      if (context === undefined) {
        start(raw, options.onRequest)
        return
      }
      // Argo CD takes both on one port: a TLS connection begins with the type of its handshake record.
      raw.once('data', (first) => {
        raw.pause()
        raw.unshift(first)
        if (first[0] !== 0x16) {
          start(raw, (exchange) => exchange.send(307, { Location: options.redirect(exchange.request) }, ''))
          raw.resume()
          return
        }
        const secured = new tls.TLSSocket(raw, {
          isServer: true,
          secureContext: context,
          requestCert: demand,
          rejectUnauthorized: demand,
        })
        start(secured, options.onRequest)
      })
    }
  }

  get port(): number {
    return this.#port
  }

  /** Listens; after {@link pause} again on the same port. */
  async listen(): Promise<void> {
    const listener = net.createServer(this.#accept)
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject)
      listener.listen(this.#port, this.#hostname, resolve)
    })
    this.#port = (listener.address() as net.AddressInfo).port
    this.#listener = listener
  }

  /** Takes no more connections; the open ones stay. */
  async pause(): Promise<void> {
    const listener = this.#listener
    this.#listener = undefined
    // A listener counts as closed only once its connections are, so there is nothing to wait for.
    listener?.close()
  }

  /** Resets every connection that is open now. */
  dropConnections(ending: Ending = 'fault'): void {
    for (const [socket, connection] of this.#connections) {
      connection?.stop(ending)
      socket.resetAndDestroy()
    }
  }

  /** Resets everything, and resolves when nothing is left. */
  async stop(): Promise<void> {
    const sockets = [...this.#connections.keys()]
    const closed = sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve)))
    await this.pause()
    this.dropConnections('server stopped')
    await Promise.all(closed)
  }
}

const HEAD_END = Buffer.from('\r\n\r\n')
const HEADER_NAME = /^[\w!#$%&'*+.^`|~-]+$/

/** A client's connection: reads requests one after the other, the next when one is answered. */
class Connection {
  readonly #socket: net.Socket
  readonly #raw: net.Socket
  readonly #onRequest: (exchange: Exchange) => void
  #received: Buffer = Buffer.alloc(0)
  #exchange: Exchange | undefined
  #last = false

  constructor(socket: net.Socket, raw: net.Socket, onRequest: (exchange: Exchange) => void) {
    this.#socket = socket
    this.#raw = raw
    this.#onRequest = onRequest
    socket.on('data', (data: Buffer) => {
      this.#received = Buffer.concat([this.#received, data])
      this.#read()
    })
    socket.on('error', () => {})
    raw.once('close', () => this.#exchange?.lost('client closed'))
    socket.once('close', () => this.#exchange?.lost('client closed'))
    socket.once('end', () => this.#exchange?.lost('client closed'))
  }

  write(bytes: Uint8Array): void {
    if (!this.#socket.destroyed) this.#socket.write(bytes)
  }

  /** Runs once everything written so far is with the operating system. */
  flushed(run: () => void): void {
    if (this.#socket.destroyed) run()
    else this.#socket.write('', () => setTimeout(run, 5))
  }

  drained(run: () => void): void {
    if (this.#socket.writableNeedDrain) this.#socket.once('drain', run)
    else setImmediate(run)
  }

  /** The exchange is answered: on to the next request. */
  next(): void {
    this.#exchange = undefined
    if (this.#last) this.#socket.end()
    else this.#read()
  }

  close(): void {
    this.#socket.end()
    // A client that keeps its half open would hold the connection for ever.
    this.#socket.once('finish', () => this.#raw.destroySoon())
  }

  reset(): void {
    this.#raw.resetAndDestroy()
  }

  stop(ending: Ending): void {
    this.#exchange?.lost(ending)
  }

  #read(): void {
    if (this.#exchange !== undefined) return
    const end = this.#received.indexOf(HEAD_END)
    if (end === -1) return
    const [line = '', ...fields] = this.#received.toString('latin1', 0, end).split('\r\n')
    const [method = '', target = '', version = ''] = line.split(' ')
    const headers = new Headers()
    for (const field of fields) {
      const colon = field.indexOf(':')
      if (HEADER_NAME.test(field.slice(0, colon))) {
        headers.append(field.slice(0, colon), field.slice(colon + 1).trim())
      }
    }
    const start = end + HEAD_END.length
    const length = Number(headers.get('content-length') ?? 0)
    if (this.#received.length < start + length) return
    const body = this.#received.toString('utf8', start, start + length)
    this.#received = this.#received.subarray(start + length)
    this.#last = headers.get('connection')?.toLowerCase() === 'close' || version === 'HTTP/1.0'
    this.#exchange = new Exchange({ method, target, headers, body }, this)
    this.#onRequest(this.#exchange)
  }
}
