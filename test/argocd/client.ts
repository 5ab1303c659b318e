/** How tests of the simulated Argo CD talk to it: calls, watches, and connections looked at byte by byte. */
import { expect } from 'bun:test'
import net from 'node:net'
import {
  type ApplicationOptions,
  ArgoCDServer,
  application,
  type JsonObject,
  type ServerOptions,
} from './server.ts'

const servers: ArgoCDServer[] = []

/** A server with applications, which {@link stopServers} stops. */
export async function start(
  options: ServerOptions = {},
  ...apps: ApplicationOptions[]
): Promise<ArgoCDServer> {
  const server = await ArgoCDServer.start(options)
  servers.push(server)
  for (const app of apps) server.apply(application(app))
  return server
}

/** Stops them, after each test. */
export async function stopServers(): Promise<void> {
  await Promise.all(servers.splice(0).map((server) => server.stop()))
}

export type Answer = { status: number; headers: Headers; text: string; json: JsonObject }

/** One call of the API, with a full-access token unless other headers are given. */
export async function call(
  server: ArgoCDServer,
  path: string,
  init: Omit<RequestInit, 'headers'> & { headers?: Record<string, string> } = {},
): Promise<Answer> {
  const headers = { authorization: `Bearer ${server.token}`, ...init.headers }
  const response = await fetch(`${server.url}/api/v1${path}`, { redirect: 'manual', ...init, headers })
  const text = await response.text()
  let json: JsonObject = {}
  try {
    json = JSON.parse(text)
  } catch {}
  return { status: response.status, headers: response.headers, text, json }
}

/** One login, without any token. */
export function login(server: ArgoCDServer, username: string, password: string): Promise<Answer> {
  return call(server, '/session', {
    method: 'POST',
    body: JSON.stringify({ username, password }),
    headers: { authorization: '', 'content-type': 'application/json' },
  })
}

/** What makes a call use another token. */
export function as(token: string): { headers: Record<string, string> } {
  return { headers: { authorization: `Bearer ${token}` } }
}

/** A connection of our own, to see what really is on the wire. */
export class Wire {
  received = ''
  /** `end`: closed in good order; anything else is the error that it ended with. */
  over: string | undefined
  readonly socket: net.Socket
  #wake: () => void = () => {}

  constructor(server: ArgoCDServer, path: string, headers: Record<string, string> = {}) {
    const [host = '', port = ''] = server.address.split('/')[0]?.split(':') ?? []
    this.socket = net.connect(Number(port), host)
    this.socket.setEncoding('latin1')
    this.socket.on('data', (data) => {
      this.received += data
      this.#wake()
    })
    const finish = (how: string) => {
      this.over ??= how
      this.#wake()
    }
    this.socket.on('end', () => finish('end'))
    this.socket.on('error', (error: NodeJS.ErrnoException) => finish(error.code ?? error.message))
    this.socket.on('close', () => finish('close'))
    const all = { Host: 'argocd', Authorization: `Bearer ${server.token}`, ...headers }
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
    this.socket.write(`GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`)
  }

  /** Waits until so much has come. */
  async until(done: (wire: Wire) => boolean): Promise<Wire> {
    while (!done(this)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this
  }

  ended(): Promise<Wire> {
    return this.until((wire) => wire.over !== undefined)
  }

  get head(): string {
    return this.received.split('\r\n\r\n')[0] ?? ''
  }

  get body(): string {
    return this.received.slice(this.head.length + 4)
  }

  /** The body without the chunks' lengths. */
  get text(): string {
    let rest = this.body
    let text = ''
    for (;;) {
      const [size] = /^[0-9a-f]+(?=\r\n)/.exec(rest) ?? []
      if (size === undefined) return text
      const start = size.length + 2
      text += rest.slice(start, start + Number.parseInt(size, 16))
      rest = rest.slice(start + Number.parseInt(size, 16) + 2)
    }
  }

  /** The complete messages of a stream, server-sent events or lines. */
  get messages(): JsonObject[] {
    const lines = this.text.split('\n').slice(0, -1)
    return lines
      .map((line) => line.replace(/^data: /, ''))
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line))
  }
}

export const SSE = { Accept: 'text/event-stream' }
export const STREAM = '/api/v1/stream/applications'
/** A watch's query for the type and the name only. */
export const BRIEF = 'fields=result.type,result.application.metadata.name'

/** A stream, once it has brought so many messages. */
export function watch(
  server: ArgoCDServer,
  query: string,
  messages: number,
  headers = SSE as Record<string, string>,
) {
  const wire = new Wire(server, `${STREAM}?${query}`, headers)
  return wire.until(({ messages: all, over }) => all.length >= messages || over !== undefined)
}

/** Shows that a request is not answered: later ones are, and it still has nothing. */
export async function expectSilence(server: ArgoCDServer, wire: Wire, received = ''): Promise<void> {
  await waitFor(() => server.requests.length > 0)
  await fetch(`${server.url}/healthz`)
  await Bun.sleep(20)
  expect({ received: wire.received, over: wire.over }).toEqual({ received, over: undefined })
}

export async function waitFor(condition: () => boolean): Promise<void> {
  while (!condition()) await Bun.sleep(1)
}

/** The type and the application's name of each message. */
export function brief(messages: JsonObject[]): string[] {
  return messages.map((message) => {
    const result = message.result as JsonObject
    const app = result.application as unknown as { metadata: { name: string } }
    return `${result.type} ${app.metadata.name}`
  })
}
