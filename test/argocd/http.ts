/** An HTTP and TLS server on bare sockets, so that a fault can do to a connection what it likes. */
import net from 'node:net'
import tls from 'node:tls'
import { type Ending, Exchange, type HttpRequest } from './exchange.ts'

/** Certificates for {@link HttpServer}; with `ca`, clients have to show one that it signed. */
export type TlsOptions = { readonly cert: string; readonly key: string; readonly ca?: string }

/** Below the ports that Linux and macOS give to those who ask for any, servers and clients alike. */
const KEPT_PORTS = { first: 15_000, count: 15_000 }

/** A listener on a loopback address that hands every request over as an {@link Exchange}. */
export class HttpServer {
  readonly #connections = new Map<net.Socket, Connection | undefined>()
  readonly #hostname: string
  readonly #accept: (socket: net.Socket) => void
  #port: number
  readonly #isKept: boolean
  #listener: net.Server | undefined

  constructor(options: {
    hostname: string
    /** 0: any free one; `kept`: one that stays free while it is paused. */
    port: number | 'kept'
    tls: TlsOptions | undefined
    /** Answers a plain request to a TLS port; the location to send it to is made from its target. */
    redirect: (request: HttpRequest) => string
    onRequest: (exchange: Exchange) => void
  }) {
    this.#hostname = options.hostname
    this.#isKept = options.port === 'kept'
    this.#port = options.port === 'kept' ? 0 : options.port
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
    if (this.#port === 0 && this.#isKept) return this.#listenWhereNobodyElseDoes()
    await this.#listenAt(this.#port)
  }

  async #listenAt(port: number): Promise<void> {
    const listener = net.createServer(this.#accept)
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject)
      listener.listen(port, this.#hostname, resolve)
    })
    this.#port = (listener.address() as net.AddressInfo).port
    this.#listener = listener
  }

  async #listenWhereNobodyElseDoes(): Promise<void> {
    for (;;) {
      const port = KEPT_PORTS.first + Math.floor(Math.random() * KEPT_PORTS.count)
      try {
        return await this.#listenAt(port)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
      }
    }
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

const TLS_HANDSHAKE = 0x16
const HEAD_END = Buffer.from('\r\n\r\n')
const HEADER_NAME = /^[\w!#$%&'*+.^`|~-]+$/

/** A client's connection: reads requests one after the other, the next when one is answered. */
export class Connection {
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
      // Argo CD without TLS hangs up on a client that begins a handshake: no protocol it serves begins so.
      if (this.#received[0] === TLS_HANDSHAKE) this.close()
      else this.#read()
    })
    socket.on('error', () => {})
    raw.once('close', () => this.#exchange?.lost('client closed'))
    socket.once('close', () => this.#exchange?.lost('client closed'))
    socket.once('end', () => this.#exchange?.lost('client closed'))
  }

  write(bytes: Uint8Array): void {
    if (!this.#socket.destroyed) this.#socket.write(bytes)
  }

  /** Everything that is written meanwhile leaves at once. */
  together(run: () => void): void {
    this.#socket.cork()
    run()
    this.#socket.uncork()
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
