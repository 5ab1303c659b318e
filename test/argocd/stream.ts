/** How the messages of a watch leave the simulated Argo CD. */
import { constants, createGzip, type Gzip } from 'node:zlib'
import type { Exchange, HttpHeaders } from './exchange.ts'

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
