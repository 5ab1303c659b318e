import { afterEach, describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import net from 'node:net'
import { gunzipSync } from 'node:zlib'
import {
  type ApplicationOptions,
  ArgoCDServer,
  application,
  type Fault,
  type Json,
  type JsonObject,
  merge,
  type Route,
  type ServerOptions,
} from './argocd-server.ts'
import { createAuthority, selfSigned } from './certificates.ts'

const servers: ArgoCDServer[] = []

/** A server that the test does not have to stop. */
async function start(options: ServerOptions = {}, ...apps: ApplicationOptions[]): Promise<ArgoCDServer> {
  const server = await ArgoCDServer.start(options)
  servers.push(server)
  for (const app of apps) server.apply(application(app))
  return server
}

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()))
})

type Answer = { status: number; headers: Headers; text: string; json: JsonObject }

/** One call of the API, with a full-access token unless other headers are given. */
async function call(
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

function login(server: ArgoCDServer, username: string, password: string): Promise<Answer> {
  return call(server, '/session', {
    method: 'POST',
    body: JSON.stringify({ username, password }),
    headers: { authorization: '', 'content-type': 'application/json' },
  })
}

function as(token: string): { headers: Record<string, string> } {
  return { headers: { authorization: `Bearer ${token}` } }
}

/** A connection of our own, to see what really is on the wire. */
class Wire {
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

const SSE = { Accept: 'text/event-stream' }
const STREAM = '/api/v1/stream/applications'

/** A stream, once it has brought so many messages. */
function watch(
  server: ArgoCDServer,
  query: string,
  messages: number,
  headers = SSE as Record<string, string>,
) {
  const wire = new Wire(server, `${STREAM}?${query}`, headers)
  return wire.until(({ messages: all, over }) => all.length >= messages || over !== undefined)
}

/** Shows that a request is not answered: later ones are, and it still has nothing. */
async function expectSilence(server: ArgoCDServer, wire: Wire, received = ''): Promise<void> {
  await waitFor(() => server.requests.length > 0)
  await fetch(`${server.url}/healthz`)
  await Bun.sleep(20)
  expect({ received: wire.received, over: wire.over }).toEqual({ received, over: undefined })
}

async function waitFor(condition: () => boolean): Promise<void> {
  while (!condition()) await Bun.sleep(1)
}

/** Where the name, the type and the revision of a stream's message are. */
function brief(messages: JsonObject[]): string[] {
  return messages.map((message) => {
    const result = message.result as JsonObject
    const app = result.application as unknown as { metadata: { name: string } }
    return `${result.type} ${app.metadata.name}`
  })
}

describe('transport', () => {
  test('everything is below the root path, and the health check beside it as well', async () => {
    const server = await start({ rootPath: '/argo/' }, { name: 'shop' })
    expect(server.url).toEndWith('/argo')
    expect((await call(server, '/applications/shop')).status).toBe(200)
    const origin = new URL(server.url).origin
    expect((await fetch(`${origin}/api/v1/applications`)).status).toBe(404)
    expect(await (await fetch(`${origin}/healthz`)).text()).toBe('ok')
    const web = await fetch(`${server.url}/applications/argocd/shop`)
    expect(web.headers.get('content-type')).toStartWith('text/html')
  })

  test('the address suits ARGOCD_SERVER, and a request is logged with what became of it', async () => {
    const server = await start({ rootPath: 'argo' }, { name: 'shop' })
    expect(server.address).toMatch(/^127\.0\.0\.1:\d+\/argo$/)
    await call(server, '/applications/shop?project=default', { headers: { 'x-proxy': 'yes' } })
    const [request] = server.requests
    expect(request).toMatchObject({
      method: 'GET',
      path: '/argo/api/v1/applications/shop',
      route: 'application',
      name: 'shop',
      status: 200,
      ended: 'complete',
      fault: undefined,
    })
    expect(request?.query.get('project')).toBe('default')
    expect(request?.headers.get('x-proxy')).toBe('yes')
    expect(request?.bytesSent).toBeGreaterThan(100)
    expect(server.bytesSent).toBe(request?.bytesSent ?? 0)
  })

  test('a TLS port sends plain HTTP to https', async () => {
    const authority = await createAuthority()
    const server = await start({ rootPath: '/argo', tls: await authority.server() })
    const plain = await fetch(`http://${server.address}/api/v1/applications?name=a`, { redirect: 'manual' })
    expect(plain.status).toBe(307)
    expect(plain.headers.get('location')).toBe(`${server.url}/api/v1/applications?name=a`)
  })

  test('only the right certificate is accepted by a client that checks', async () => {
    const authority = await createAuthority()
    const other = await createAuthority('another authority')
    const reach = async (tls: { cert: string; key: string }, ca: string) => {
      const server = await start({ tls })
      const response = await fetch(`${server.url}/healthz`, { tls: { ca } }).catch((error) => error)
      return response instanceof Response ? response.status : 'refused'
    }
    const good = await authority.server()
    const self = await selfSigned()
    expect(await reach(good, authority.cert)).toBe(200)
    expect(await reach(good, other.cert)).toBe('refused')
    expect(await reach(self, self.cert)).toBe(200)
    expect(await reach(self, authority.cert)).toBe('refused')
    expect(await reach(await authority.expired(), authority.cert)).toBe('refused')
    expect(await reach(await authority.wrongName(), authority.cert)).toBe('refused')
  })

  test('a server that demands a client certificate takes only one of its authority', async () => {
    const authority = await createAuthority()
    const other = await createAuthority('another authority')
    const server = await start({ tls: { ...(await authority.server()), ca: authority.cert } })
    const reach = async (client: { cert: string; key: string } | undefined) => {
      const response = await fetch(`${server.url}/healthz`, {
        tls: { ca: authority.cert, ...client },
        keepalive: false,
      }).catch((error) => error)
      return response instanceof Response ? response.status : 'refused'
    }
    expect(await reach(await authority.client())).toBe(200)
    expect(await reach(await other.client())).toBe('refused')
    expect(await reach(undefined)).toBe('refused')
  })

  test('answers are compressed for who accepts it, streams of server-sent events never', async () => {
    const server = await start({}, { name: 'shop', resources: 60 })
    const response = await fetch(`${server.url}/api/v1/applications/shop`, {
      headers: { authorization: `Bearer ${server.token}`, 'accept-encoding': 'gzip' },
      decompress: false,
    })
    expect(response.headers.get('content-encoding')).toBe('gzip')
    const text = gunzipSync(Buffer.from(await response.arrayBuffer())).toString()
    expect(JSON.parse(text).metadata.name).toBe('shop')

    const encoding = { 'Accept-Encoding': 'gzip' }
    const lines = await new Wire(server, STREAM, encoding).until(({ body }) => body !== '')
    expect(lines.head).toContain('Content-Encoding: gzip')
    const events = await new Wire(server, STREAM, { ...encoding, ...SSE }).until(({ body }) => body !== '')
    expect(events.head).not.toContain('gzip')
  })
})

describe('login and tokens', () => {
  const accounts = { ada: 'secret', eve: { password: 'hidden', applications: ['shop/*'] } }

  test('a login gives a token that works', async () => {
    const server = await start({ accounts }, { name: 'shop' })
    const { status, json } = await login(server, 'ada', 'secret')
    expect(status).toBe(200)
    expect((await call(server, '/applications/shop', as(String(json.token)))).status).toBe(200)
  })

  test('a wrong password, an unknown account and no password at all are 401', async () => {
    const server = await start({ accounts })
    const refused = {
      error: 'Invalid username or password',
      code: 16,
      message: 'Invalid username or password',
    }
    expect(await login(server, 'ada', 'wrong')).toMatchObject({ status: 401, json: refused })
    expect(await login(server, 'nobody', 'secret')).toMatchObject({ status: 401, json: refused })
    expect(await login(server, 'ada', '')).toMatchObject({ status: 401, json: { code: 16 } })
  })

  test('five failures lock the account, even for the right password', async () => {
    const server = await start({ accounts })
    for (let failure = 0; failure < 4; failure += 1) await login(server, 'ada', 'wrong')
    expect((await login(server, 'ada', 'secret')).status).toBe(200)
    for (let failure = 0; failure < 5; failure += 1) await login(server, 'ada', 'wrong')
    expect((await login(server, 'ada', 'secret')).status).toBe(401)
    expect((await login(server, 'eve', 'hidden')).status).toBe(200)
  })

  test('a login has to be sent as JSON and nothing else', async () => {
    const server = await start({ accounts })
    const send = (type: string, body: string) =>
      call(server, '/session', { method: 'POST', body, headers: { 'content-type': type } })
    const body = JSON.stringify({ username: 'ada', password: 'secret' })
    expect((await send('application/json', body)).status).toBe(200)
    expect(await send('application/json; charset=utf-8', body)).toMatchObject({
      status: 415,
      text: 'Invalid content type\n',
    })
    expect(await send('application/json', '{')).toMatchObject({ status: 400, json: { code: 3 } })
    expect((await call(server, '/session')).status).toBe(405)
  })

  test('what is no token, or none of this server, is told apart', async () => {
    const server = await start()
    const other = await start()
    const message = async (authorization: string) => {
      const { status, json } = await call(server, '/applications', { headers: { authorization } })
      expect([status, json.code]).toEqual([401, 16])
      return json.message
    }
    expect(await message('')).toBe('no session information')
    expect(await message('Bearer nonsense')).toBe('no session information')
    expect(await message(`Basic ${server.token}`)).toBe('no session information')
    expect(await message('Bearer a.b.c')).toStartWith('invalid session: token is malformed')
    expect(await message(`Bearer ${other.token}`)).toBe(
      'invalid session: token signature is invalid: signature is invalid',
    )
    const short = server.createToken({ seconds: -1 })
    expect(await message(`Bearer ${short}`)).toBe(
      'invalid session: token has invalid claims: token is expired',
    )
    const revoked = server.createToken({ account: 'robot' })
    server.revoke(revoked)
    expect(await message(`Bearer ${revoked}`)).toStartWith(
      'invalid session: account robot does not have token',
    )
  })

  test('the end of all sessions leaves the tokens that are none', async () => {
    const server = await start({ accounts })
    const token = String((await login(server, 'ada', 'secret')).json.token)
    server.endSessions()
    expect(await call(server, '/applications', as(token))).toMatchObject({
      status: 401,
      json: { message: 'invalid session: token is revoked, please re-login' },
    })
    expect((await call(server, '/applications')).status).toBe(200)
  })
})

describe('one application', () => {
  test('whether it is missing or forbidden shows only to who names the project', async () => {
    const server = await start({}, { name: 'shop', project: 'retail' }, { name: 'vault', project: 'bank' })
    const token = server.createToken({ applications: ['retail/*'] })
    const status = async (path: string) => {
      const { status, json } = await call(server, `/applications/${path}`, as(token))
      return [status, json.code, json.message]
    }
    const denied = [403, 7, 'permission denied']
    const missing = (name: string) => [404, 5, `applications.argoproj.io "${name}" not found`]
    expect((await status('shop'))[0]).toBe(200)
    expect((await status('shop?project=retail'))[0]).toBe(200)
    expect(await status('none')).toEqual(denied)
    expect(await status('vault')).toEqual(denied)
    expect(await status('none?project=retail')).toEqual(missing('none'))
    expect(await status('vault?project=retail')).toEqual(missing('vault'))
    expect(await status('vault?project=bank')).toEqual(denied)
    expect(await status('shop?project=bank')).toEqual(denied)
    expect((await status('shop?project=retail&project=bank'))[1]).toBe(3)
  })

  test('an application in another namespace needs the namespace, and that to be enabled', async () => {
    const apps = ['team-a', 'team-b'].map((namespace) => ({ name: 'shop', namespace }))
    const server = await start({ enabledNamespaces: ['team-?', '/^x+$/'] }, ...apps, {
      name: 'shop',
      namespace: 'other',
    })
    const get = async (query: string) => (await call(server, `/applications/shop?${query}`)).status
    expect(await get('')).toBe(403)
    expect(await get('appNamespace=team-a')).toBe(200)
    expect(await get('appNamespace=other')).toBe(403)
    expect(await get('appNamespace=other&project=default')).toBe(403)
    const token = server.createToken({ applications: ['default/team-a/*'] })
    expect((await call(server, '/applications/shop?appNamespace=team-a', as(token))).status).toBe(200)
    expect((await call(server, '/applications/shop?appNamespace=team-b', as(token))).status).toBe(403)
  })

  test('it comes whole, whatever fields are asked for', async () => {
    const server = await start({}, { name: 'shop' })
    const { json } = await call(server, '/applications/shop?fields=metadata.name')
    expect(json).toEqual(server.get('shop') as unknown as JsonObject)
  })

  test('each change gives it a new resource version', async () => {
    const server = await start({}, { name: 'shop' })
    const before = server.get('shop')?.metadata
    server.update('shop', (app) => {
      app.status.health.status = 'Degraded'
    })
    server.update('shop', { status: { operationState: undefined } })
    const after = server.get('shop')
    expect(Number(after?.metadata.resourceVersion)).toBe(Number(before?.resourceVersion) + 2)
    expect(after?.metadata.uid).toBe(before?.uid ?? '')
    expect(after?.status.health.status).toBe('Degraded')
    expect(after?.status).not.toHaveProperty('operationState')
  })

  test('what the test holds and what the server stores are two', async () => {
    const server = await start()
    const app = application({ name: 'shop' })
    server.apply(app)
    app.status.health.status = 'Missing'
    expect(server.get('shop')?.status.health.status).toBe('Healthy')
  })
})

describe('refresh', () => {
  const MINUTE_AGO = new Date(Date.now() - 60_000)

  for (const version of ['3.5', '3.6'] as const) {
    test(`${version}: it answers when the controller is done, and others see it under way`, async () => {
      const server = await start({ version }, { name: 'shop', at: MINUTE_AGO })
      server.onRefresh = (app) => {
        app.status.sync.revision = 'b'.repeat(40)
      }
      const fields = 'result.type,result.application.metadata,result.application.status.reconciledAt'
      const stream = await watch(server, `fields=${fields}`, 1)
      const before = Date.now()
      const { json } = await call(server, '/applications/shop?refresh=normal')
      const app = json as unknown as ReturnType<typeof application>
      expect(app.status.sync.revision).toBe('b'.repeat(40))
      expect(app.metadata.annotations).toEqual(application().metadata.annotations)
      expect(app.status.reconciledAt).toMatch(/:\d\dZ$/)
      expect(Date.parse(app.status.reconciledAt)).toBeGreaterThan(before - 1001)
      expect(server.refreshes).toMatchObject([{ name: 'shop', type: 'normal' }])

      await stream.until(({ messages }) => messages.length === (version === '3.6' ? 4 : 3))
      const asked = stream.messages.map(({ result }) => {
        const { application: seen } = result as unknown as { application: ReturnType<typeof application> }
        return seen.metadata.annotations['argocd.argoproj.io/refresh']
      })
      const steps =
        version === '3.6' ? [undefined, 'normal', 'normal', undefined] : [undefined, 'normal', undefined]
      expect(asked).toEqual(steps)
    })
  }

  test('with a stopped controller it hangs until that runs again', async () => {
    const server = await start({ controller: 'stopped' }, { name: 'shop' })
    const wire = new Wire(server, '/api/v1/applications/shop?refresh=hard')
    await expectSilence(server, wire)
    const annotations = server.get('shop')?.metadata.annotations
    expect(annotations).toMatchObject({ 'argocd.argoproj.io/refresh': 'hard' })
    server.startController()
    await wire.until(({ messages, received }) => received.includes('\r\n0\r\n') || messages.length > 0)
    expect(wire.head).toStartWith('HTTP/1.1 200 OK')
  })

  test('anything that is not hard is normal, even nothing', async () => {
    const server = await start({ refreshMs: 0 }, { name: 'shop' })
    for (const type of ['hard', 'normal', 'none', ''])
      await call(server, `/applications/shop?refresh=${type}`)
    expect(server.refreshes.map(({ type }) => type)).toEqual(['hard', 'normal', 'normal', 'normal'])
  })

  test('several at the same time are all answered', async () => {
    const server = await start({}, { name: 'shop' })
    const all = await Promise.all([1, 2, 3].map(() => call(server, '/applications/shop?refresh=normal')))
    expect(all.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(server.get('shop')?.metadata.annotations).toEqual(application().metadata.annotations)
  })

  test('it needs no more than to see the application', async () => {
    const server = await start({}, { name: 'shop' })
    const token = server.createToken({ applications: ['other/*'] })
    expect((await call(server, '/applications/shop?refresh=normal', as(token))).status).toBe(403)
    expect(server.refreshes).toEqual([])
  })
})

describe('many applications', () => {
  const fleet = [
    { name: 'web', project: 'retail', labels: { env: 'prod', tier: 'front', 'example.com/rank': '3' } },
    { name: 'api', project: 'retail', labels: { env: 'prod', tier: 'back', 'example.com/rank': '7' } },
    { name: 'db', project: 'data', labels: { env: 'test' } },
  ]
  const names = ({ json }: Answer) =>
    (json.items as unknown as { metadata: { name: string } }[]).map(({ metadata }) => metadata.name)

  test('they come by name, whole, and without what may not be seen', async () => {
    const server = await start({}, ...fleet)
    expect(names(await call(server, '/applications'))).toEqual(['api', 'db', 'web'])
    const token = server.createToken({ applications: ['data/*'] })
    expect(names(await call(server, '/applications', as(token)))).toEqual(['db'])
    expect(names(await call(server, '/applications', as(server.createToken({ applications: [] }))))).toEqual(
      [],
    )
  })

  test('name, project and repository choose', async () => {
    const server = await start({}, ...fleet, { name: 'tool', repoURL: 'https://git.example.com/tools.git' })
    const list = async (query: string) => names(await call(server, `/applications?${query}`))
    expect(await list('name=api')).toEqual(['api'])
    expect(await list('name=none')).toEqual([])
    expect(await list('projects=retail&projects=data')).toEqual(['api', 'db', 'web'])
    expect(await list('project=data')).toEqual(['db'])
    expect(await list('projects=retail&project=data')).toEqual(['db'])
    expect(await list('repo=https://git.example.com/tools.git')).toEqual(['tool'])
  })

  test.each([
    ['env=prod', ['api', 'web']],
    ['env==prod,tier=back', ['api']],
    ['env!=prod', ['db']],
    ['tier!=back', ['db', 'web']],
    ['tier in (front, back)', ['api', 'web']],
    ['tier notin (front)', ['api', 'db']],
    ['tier', ['api', 'web']],
    ['!tier', ['db']],
    ['tier=', []],
    ['env in (prod),!none , tier', ['api', 'web']],
    ['example.com/rank>5', ['api']],
    ['example.com/rank < 5', ['web']],
    ['', ['api', 'db', 'web']],
  ])('selector %p', async (selector, expected) => {
    const server = await start({}, ...fleet)
    expect(names(await call(server, `/applications?selector=${encodeURIComponent(selector)}`))).toEqual(
      expected,
    )
  })

  test.each([
    'env=prod,',
    'env in prod',
    'env in (prod',
    '=prod',
    'env prod',
    'env in ()',
    'rank>high',
    'env=a=b',
    '!',
    'en v',
    '-x=1',
  ])('a bad selector, %p, is an unknown error of the server', async (selector) => {
    const server = await start({}, ...fleet)
    const { status, json } = await call(server, `/applications?selector=${encodeURIComponent(selector)}`)
    expect([status, json.code]).toEqual([500, 2])
    expect(json.message).toStartWith('error parsing the selector: ')
  })

  test('other namespaces are listed when they are enabled, and can be chosen', async () => {
    const server = await start(
      { enabledNamespaces: ['team-*'] },
      ...fleet.slice(0, 1),
      {
        name: 'blue',
        namespace: 'team-a',
      },
      { name: 'dark', namespace: 'hidden' },
    )
    expect(names(await call(server, '/applications'))).toEqual(['blue', 'web'])
    expect(names(await call(server, '/applications?appNamespace=team-a'))).toEqual(['blue'])
    expect(names(await call(server, '/applications?appNamespace=hidden'))).toEqual([])
  })

  test('fields come from a fixed set, and the operation holds its result', async () => {
    const server = await start({}, { name: 'shop', revision: 'c'.repeat(40) })
    const item = async (...fields: string[]) => {
      const asked = fields.map((field) => `items.${field}`).join()
      const { json } = await call(server, `/applications?fields=${asked}`)
      return (json.items as Json[])[0] as JsonObject
    }
    expect(await item('metadata.name', 'status.sync.revision', 'metadata.deletionTimestamp')).toEqual({
      metadata: { name: 'shop', deletionTimestamp: null },
      status: { sync: { revision: 'c'.repeat(40) } },
    })
    expect(await item('status.sync', 'status.conditions', 'status.reconciledAt', 'metadata')).toEqual({})
    const odd = await item('status.operationState.operation.sync', 'operation.sync')
    expect(odd).toMatchObject({
      status: {
        operationState: { operation: { sync: { revision: 'c'.repeat(40), resources: [{}, {}, {}] } } },
      },
    })
    expect(odd).not.toHaveProperty('operation')
    const excluded = await call(server, '/applications?fields=-items.spec,items.status.resources')
    const [rest] = excluded.json.items as unknown as { spec: JsonObject; status: JsonObject }[]
    const parts = ['destination', 'project', 'source', 'sourceHydrator', 'sources', 'syncPolicy']
    expect(Object.keys(rest?.spec ?? {}).sort()).toEqual(parts)
    expect(rest?.status).not.toHaveProperty('resources')
  })

  test('an empty list is an empty one, but with fields it used to be null', async () => {
    const newer = await start()
    const older = await start({ version: '3.5' })
    const items = async (server: ArgoCDServer, query: string) =>
      (await call(server, `/applications${query}`)).json.items
    expect(await items(newer, '')).toEqual([])
    expect(await items(newer, '?fields=items.metadata.name')).toEqual([])
    expect(await items(older, '')).toEqual([])
    expect(await items(older, '?fields=items.metadata.name')).toBeNull()
  })

  test('the health of resources that is kept in the tree is not in a list', async () => {
    const server = await start({}, { name: 'shop' })
    const { json } = await call(server, '/applications?fields=items.status.resources')
    expect(JSON.stringify(json)).not.toContain('health')
    expect((await call(server, '/applications/shop')).json).toMatchObject({
      status: { resources: [{ health: { status: 'Healthy' } }, {}, {}] },
    })
  })

  test('a list is behind a GET by as much as the cache is', async () => {
    const server = await start({ cacheDelayMs: 50 })
    server.apply(application({ name: 'shop' }))
    expect((await call(server, '/applications/shop')).status).toBe(200)
    expect(names(await call(server, '/applications'))).toEqual([])
    const stream = await watch(server, '', 1)
    expect(brief(stream.messages)).toEqual(['ADDED shop'])
    expect(names(await call(server, '/applications'))).toEqual(['shop'])
  })
})

describe('a watch', () => {
  const BRIEF = 'fields=result.type,result.application.metadata.name'

  test('begins with what is there, and goes on with what changes', async () => {
    const server = await start({}, { name: 'b' }, { name: 'a' })
    const stream = await watch(server, '', 2)
    server.update('a', { status: { health: { status: 'Progressing' } } })
    server.apply(application({ name: 'c' }))
    server.delete('b')
    await stream.until(({ messages }) => messages.length === 5)
    expect(brief(stream.messages)).toEqual(['ADDED a', 'ADDED b', 'MODIFIED a', 'ADDED c', 'DELETED b'])
  })

  test('is server-sent events for exactly that Accept, else lines of JSON', async () => {
    const server = await start({ keepAliveMs: 5, gzip: false }, { name: 'shop' })
    const events = await watch(server, BRIEF, 1)
    expect(events.head).toContain('Content-Type: text/event-stream')
    expect(events.text).toStartWith(
      'data: {"result":{"type":"ADDED","application":{"metadata":{"name":"shop"}}}} \n\n\n',
    )
    for (const Accept of ['application/json', 'text/event-stream, */*']) {
      const lines = await watch(server, BRIEF, 1, { Accept })
      expect(lines.head).toContain('Content-Type: application/json')
      expect(lines.text).toBe('{"result":{"type":"ADDED","application":{"metadata":{"name":"shop"}}}}\n')
    }
  })

  test('keeps server-sent events alive with comments, and lines not', async () => {
    const server = await start({ keepAliveMs: 2 }, { name: 'shop' })
    const lines = await watch(server, BRIEF, 1, {})
    const events = await watch(server, BRIEF, 1)
    await events.until(({ text }) => text.endsWith(':\n:\n:\n'))
    expect(lines.text).not.toContain(':\n')
  })

  test('for something that does not exist is silent: no headers, no keep-alives', async () => {
    const server = await start({ keepAliveMs: 1 }, { name: 'shop' })
    const stream = new Wire(server, `${STREAM}?name=none`, SSE)
    await expectSilence(server, stream)
    server.apply(application({ name: 'none' }))
    await stream.until(({ text }) => text.includes(':\n'))
    expect(brief(stream.messages)).toEqual(['ADDED none'])
  })

  test('does not repeat a message that the cut leaves as it was', async () => {
    const server = await start({}, { name: 'shop' }, { name: 'web' })
    const fields = 'fields=result.application.metadata.name,result.application.status.health.status'
    const stream = await watch(server, fields, 2)
    for (const message of ['one', 'two']) server.update('shop', { status: { health: { message } } })
    server.update('web', { status: { health: { message: 'three' } } })
    server.update('shop', { status: { health: { status: 'Degraded' } } })
    await stream.until(({ messages }) => messages.length === 3)
    expect(stream.messages.at(-1)).toEqual({
      result: { application: { metadata: { name: 'shop' }, status: { health: { status: 'Degraded' } } } },
    })
  })

  test('takes the same name in another namespace for a repetition', async () => {
    const twins = ['team-a', 'team-b'].map((namespace) => ({ name: 'shop', namespace }))
    const server = await start({ enabledNamespaces: ['*'] }, ...twins, { name: 'web' })
    const stream = await watch(server, BRIEF, 2)
    expect(brief(stream.messages)).toEqual(['ADDED web', 'ADDED shop'])
  })

  test('cuts by the beginning of a path, not by its parts', async () => {
    const server = await start({}, { name: 'shop' })
    const [message] = (await watch(server, 'fields=result.application.spec.sourceHydrator', 1)).messages
    expect(message).toEqual({ result: { application: { spec: { source: {} } } } })
    const fields = 'fields=-result.application.metadata,result.application.spec,result.application.status'
    const [rest] = (await watch(server, fields, 1)).messages
    expect(rest).toEqual({ result: { type: 'ADDED', application: {} } })
  })

  test('ignores the namespace without a name, and takes it with one', async () => {
    const server = await start(
      { enabledNamespaces: ['team-a'] },
      { name: 'web' },
      {
        name: 'shop',
        namespace: 'team-a',
      },
      { name: 'dark', namespace: 'hidden' },
    )
    const all = await watch(server, `${BRIEF}&appNamespace=team-a`, 2)
    expect(brief(all.messages)).toEqual(['ADDED web', 'ADDED shop'])
    const one = await watch(server, `${BRIEF}&appNamespace=team-a&name=shop`, 1)
    expect(brief(one.messages)).toEqual(['ADDED shop'])
    await expectSilence(server, new Wire(server, `${STREAM}?name=shop`, SSE))
    await expectSilence(server, new Wire(server, `${STREAM}?name=dark&appNamespace=hidden`, SSE))
  })

  test('falls silent about an application whose labels stop to match', async () => {
    const server = await start({}, { name: 'shop', labels: { env: 'prod' } })
    const stream = await watch(server, 'selector=env%3Dprod', 1)
    server.update('shop', { metadata: { labels: { env: 'test' } } })
    server.update('shop', { metadata: { labels: { env: 'prod' } } })
    await stream.until(({ messages }) => messages.length === 2)
    expect(brief(stream.messages)).toEqual(['ADDED shop', 'MODIFIED shop'])
  })

  test('shows only what may be seen', async () => {
    const server = await start({}, { name: 'shop', project: 'retail' }, { name: 'vault', project: 'bank' })
    const token = server.createToken({ applications: ['retail/*'] })
    const stream = await watch(server, BRIEF, 1, { ...SSE, Authorization: `Bearer ${token}` })
    server.update('vault', { status: { health: { status: 'Degraded' } } })
    server.update('shop', { status: { health: { status: 'Degraded' } } })
    await stream.until(({ messages }) => messages.length === 2)
    expect(brief(stream.messages)).toEqual(['ADDED shop', 'MODIFIED shop'])
    const project = await watch(server, `${BRIEF}&projects=bank`, 1)
    expect(brief(project.messages)).toEqual(['ADDED vault'])
  })

  test('from a resource version on leaves out what is there, unless it is for one application', async () => {
    const server = await start({}, { name: 'shop' })
    const version = Number(server.get('shop')?.metadata.resourceVersion)
    const later = new Wire(server, `${STREAM}?${BRIEF}&resourceVersion=${version}`, SSE)
    await expectSilence(server, later)
    server.update('shop', { status: { health: { status: 'Degraded' } } })
    await later.until(({ messages }) => messages.length === 1)
    expect(brief(later.messages)).toEqual(['MODIFIED shop'])
    const one = await watch(server, `${BRIEF}&resourceVersion=${version}&name=shop`, 1)
    expect(brief(one.messages)).toEqual(['ADDED shop'])
  })

  test('that is refused says so in the form of a stream, which the cut empties', async () => {
    const server = await start({ gzip: false })
    const error = {
      grpc_code: 16,
      http_code: 401,
      message: 'no session information',
      http_status: 'Unauthorized',
    }
    const anonymous = { headers: { authorization: '' } }
    const refused = await call(server, '/stream/applications', anonymous)
    expect(refused).toMatchObject({ status: 401, json: { error } })
    const cut = await call(server, `/stream/applications?${BRIEF}`, anonymous)
    expect(cut).toMatchObject({ status: 401, text: '{}' })
    const events = await call(server, '/stream/applications', {
      headers: { authorization: '', accept: SSE.Accept },
    })
    expect(events.status).toBe(401)
    expect(events.text).toBe(`data: ${JSON.stringify({ error })} \n\n`)
    const selector = await call(server, '/stream/applications?selector=%3D')
    expect(selector).toMatchObject({ status: 500, json: { error: { grpc_code: 2 } } })
  })

  test('goes on when the session it began with ends', async () => {
    const server = await start({ accounts: { ada: 'secret' } }, { name: 'shop' })
    const token = String((await login(server, 'ada', 'secret')).json.token)
    const stream = await watch(server, BRIEF, 1, { ...SSE, Authorization: `Bearer ${token}` })
    server.endSessions()
    server.delete('shop')
    await stream.until(({ messages }) => messages.length === 2)
  })

  test('is logged as closed by the client when that leaves', async () => {
    const server = await start({}, { name: 'shop' })
    const stream = await watch(server, '', 1)
    expect(server.requests[0]).toMatchObject({ route: 'stream', status: 200, ended: 'open' })
    stream.socket.destroy()
    await waitFor(() => server.requests[0]?.ended !== 'open')
    expect(server.requests[0]?.ended).toBe('client closed')
  })
})

describe('about a revision and an application', () => {
  const SHA = '0123456789abcdef0123456789abcdef01234567'

  test('a commit is known to its repository, by its beginning as well', async () => {
    const repoURL = 'https://git.example.com/values.git'
    const chart = { repoURL: 'https://charts.example.com', chart: 'shop', targetRevision: '1.2.3' }
    const sources = [
      { ...chart, revision: '1.2.3' },
      { repoURL, ref: 'values', revision: SHA },
    ]
    const server = await start({}, { name: 'shop', sources })
    server.commit(SHA, { message: 'Promote 1.2.3', author: 'Ada <a@example.com>', tags: ['v1'], repoURL })
    const get = (revision: string, query = '') =>
      call(server, `/applications/shop/revisions/${revision}/metadata${query}`)
    const found = { author: 'Ada <a@example.com>', tags: ['v1'], message: 'Promote 1.2.3' }
    expect(await get(SHA, '?sourceIndex=1')).toMatchObject({ status: 200, json: found })
    expect(await get(SHA.slice(0, 7), '?sourceIndex=1')).toMatchObject({ status: 200, json: found })
    expect(await get(SHA)).toMatchObject({ status: 500, json: { code: 2 } })
    expect(await get(SHA, '?sourceIndex=2')).toMatchObject({
      status: 500,
      json: { message: expect.stringContaining('not found because there are only 2 sources') },
    })
    expect(await get('main', '?sourceIndex=1')).toMatchObject({
      status: 500,
      json: { code: 2, message: 'revision main must be resolved' },
    })
    expect((await get(SHA, '?sourceIndex=one')).status).toBe(400)
  })

  test('a chart has details, and what is no chart has none', async () => {
    const server = await start(
      {},
      { name: 'chart', chart: 'nginx', repoURL: 'https://charts.example.com', revision: '1.2.3' },
      { name: 'git' },
    )
    server.chart('1.2.3', { description: 'A web server', maintainers: ['Ada'] })
    const get = (path: string) => call(server, `/applications/${path}/chartdetails`)
    expect((await get('chart/revisions/1.2.3')).json).toEqual({
      description: 'A web server',
      maintainers: ['Ada'],
    })
    expect((await get('chart/revisions/9.9.9')).status).toBe(500)
    expect((await get('git/revisions/1.2.3')).json.message).toBe('no chart found for application: git')
  })

  test('the tree, the events and the sync windows are there, for who may see the application', async () => {
    const server = await start({}, { name: 'shop' })
    const get = (path: string, token = server.token) => call(server, `/applications/shop/${path}`, as(token))
    expect((await get('resource-tree')).json.nodes).toHaveLength(3)
    const pod = { version: 'v1', kind: 'Pod', namespace: 'shop', name: 'shop-1', uid: 'u-1' }
    server.resourceTree('shop', { nodes: [pod] })
    expect((await get('resource-tree')).json).toEqual({ nodes: [pod] })

    const event = { involvedObject: { name: 'shop-1', uid: 'u-1' }, reason: 'BackOff', message: 'Back-off' }
    server.events('shop', [event])
    expect((await get('events')).json.items).toEqual([])
    const query = 'resourceName=shop-1&resourceUID=u-1&resourceNamespace=shop'
    expect((await get(`events?${query}`)).json.items).toEqual([event])
    expect((await get('events?resourceName=none')).json.code).toBe(3)

    expect((await get('syncwindows')).json).toEqual({ canSync: true })
    const blind = server.createToken({ applications: [] })
    for (const path of ['resource-tree', 'events', 'syncwindows', `revisions/${SHA}/metadata`]) {
      expect((await get(path, blind)).status).toBe(403)
      expect((await get(`${path}?project=default`, blind)).status).toBe(403)
    }
  })

  test('what is not there is not found, as the gateway says it', async () => {
    const server = await start({}, { name: 'shop' })
    expect(await call(server, '/nothing')).toMatchObject({ status: 404, text: 'Not Found\n' })
    expect(await call(server, '/applications/shop:sync')).toMatchObject({ status: 404 })
    expect(await call(server, '/applications/shop%2Fmore')).toMatchObject({ status: 404 })
    const json = { 'content-type': 'application/json' }
    expect((await call(server, '/applications/shop/events', { method: 'POST', headers: json })).status).toBe(
      405,
    )
  })
})

describe('faults', () => {
  const SHA = 'a'.repeat(40)
  const accounts = { ada: 'secret' }
  const paths: Record<Exclude<Route, 'session'>, string> = {
    application: '/api/v1/applications/shop',
    applications: '/api/v1/applications?name=shop',
    stream: `${STREAM}?name=shop`,
    metadata: `/api/v1/applications/shop/revisions/${SHA}/metadata`,
    chartdetails: '/api/v1/applications/shop/revisions/1.2.3/chartdetails',
    'resource-tree': '/api/v1/applications/shop/resource-tree',
    events: '/api/v1/applications/shop/events',
    syncwindows: '/api/v1/applications/shop/syncwindows',
    other: '/healthz',
  }

  /** What a client sees of a fault on a route. */
  async function suffer(fault: Fault, path = paths.application): Promise<Wire> {
    const server = await start({ gzip: false }, { name: 'shop' })
    server.fault({}, fault)
    return new Wire(server, path).ended()
  }

  test('one hits the route, the application and the turn it is for, until it is lifted', async () => {
    const server = await start({ accounts }, { name: 'shop' }, { name: 'web' })
    const status = async (path: string) => (await call(server, path)).status
    const teapot = { kind: 'answer', status: 418 } as const
    const lift = server.fault({ route: 'application', name: 'shop' }, teapot)
    expect(await status('/applications/shop')).toBe(418)
    expect(await status('/applications/web')).toBe(200)
    expect(await status('/applications?name=shop')).toBe(200)
    lift()
    expect(await status('/applications/shop')).toBe(200)

    server.fault({ route: 'applications', after: 1, times: 2 }, teapot)
    const all = []
    for (let turn = 0; turn < 5; turn += 1) all.push(await status('/applications'))
    expect(all).toEqual([200, 418, 418, 200, 200])

    server.fault({ route: 'session' }, teapot)
    expect((await login(server, 'ada', 'secret')).status).toBe(418)
    expect(server.requests.at(-1)).toMatchObject({ route: 'session', fault: 'answer', ended: 'complete' })
  })

  test.each(Object.entries(paths))('a request for %s is known by its path', async (route, path) => {
    const server = await start({}, { name: 'shop' })
    server.fault({ route: route as Route, ...(route === 'other' ? {} : { name: 'shop' }) }, { kind: 'reset' })
    expect(await new Wire(server, path).ended()).toMatchObject({ received: '', over: 'ECONNRESET' })
  })

  test('hang: nothing comes, and the connection stays', async () => {
    const server = await start({}, { name: 'shop' })
    server.fault({ route: 'application' }, { kind: 'hang' })
    const wire = new Wire(server, paths.application)
    await expectSilence(server, wire)
    wire.socket.destroy()
    await waitFor(() => server.requests[0]?.ended !== 'open')
    expect(server.requests[0]).toMatchObject({ fault: 'hang', status: undefined, bytesSent: 0 })
  })

  test('delay: the answer comes late', async () => {
    const server = await start({}, { name: 'shop' })
    server.fault({ route: 'application' }, { kind: 'delay', ms: 40 })
    const before = performance.now()
    expect((await call(server, '/applications/shop')).status).toBe(200)
    expect(performance.now() - before).toBeGreaterThan(38)
  })

  test.each(['application', 'stream'] as const)(
    'hang-in-body of %s: no more than so many bytes',
    async (route) => {
      const server = await start({ gzip: false }, { name: 'shop' })
      server.fault({ route, times: 1 }, { kind: 'hang-in-body', after: 12 })
      server.fault({ route }, { kind: 'hang-in-body' })
      const wire = await new Wire(server, paths[route]).until(({ text }) => text.length === 12)
      server.update('shop', { status: { health: { status: 'Degraded' } } })
      await expectSilence(server, wire, wire.received)
      const half = await new Wire(server, paths[route]).until(({ text }) => text.length > 100)
      await expectSilence(server, half, half.received)
    },
  )

  test('reset: before anything, and inside the body after so many bytes', async () => {
    expect(await suffer({ kind: 'reset' })).toMatchObject({ received: '', over: 'ECONNRESET' })
    for (const path of [paths.application, paths.stream]) {
      const inside = await suffer({ kind: 'reset-in-body', after: 7 }, path)
      expect(inside.over).toBe('ECONNRESET')
      expect(inside.head).toStartWith('HTTP/1.1 200 OK')
      expect(inside.text).toHaveLength(7)
    }
  })

  test('close: in good order, without an answer', async () => {
    expect(await suffer({ kind: 'close' })).toMatchObject({ received: '', over: 'end' })
  })

  test('cut: the connection closes before the declared end, which a client notices', async () => {
    const chunks = await suffer({ kind: 'cut' })
    expect(chunks.over).toBe('end')
    expect(chunks.head).toContain('Transfer-Encoding: chunked')
    expect(chunks.received).not.toContain('\r\n0\r\n')

    const length = await suffer({ kind: 'cut', after: 4 }, paths.syncwindows)
    expect(length.head).toContain('Content-Length: 16')
    expect(length).toMatchObject({ body: '{"ca', over: 'end' })

    const server = await start({}, { name: 'shop' })
    server.fault({}, { kind: 'cut' })
    for (const path of ['', '/syncwindows']) {
      expect(await call(server, `/applications/shop${path}`).catch(() => 'broken')).toBe('broken')
    }

    const declared = await suffer({ kind: 'cut', declare: true, after: 9 })
    expect(Number(/Content-Length: (\d+)/.exec(declared.head)?.[1])).toBeGreaterThan(2048)
    expect(declared).toMatchObject({ body: '{"metadat', over: 'end' })
  })

  test('cut JSON: HTTP is in order, the content is not', async () => {
    const server = await start({}, { name: 'shop' })
    server.fault({}, { kind: 'cut', json: true, after: 100 })
    for (const path of ['', '/syncwindows', '?refresh=hard']) {
      const { status, text } = await call(server, `/applications/shop${path}`)
      expect(status).toBe(200)
      expect(path === '/syncwindows' || text.length === 100).toBe(true)
    }
    const stream = await call(server, '/stream/applications')
    expect(stream.text).toHaveLength(100)
  })

  test('drip: byte by byte, the head as well where that is wanted', async () => {
    for (const head of [false, true]) {
      const server = await start({}, { name: 'shop' })
      server.fault({}, { kind: 'drip', ms: 0, head })
      const wire = new Wire(server, paths.syncwindows)
      const sizes: number[] = []
      wire.socket.on('data', (data) => sizes.push(data.length))
      await wire.until(({ body }) => body === '{"canSync":true}')
      expect(sizes.length).toBeGreaterThan(head ? 30 : 5)
      await waitFor(() => server.requests[0]?.ended === 'complete')
    }
    const server = await start({ gzip: false }, { name: 'shop' })
    server.fault({}, { kind: 'drip', ms: 0, bytes: 50 })
    expect((await call(server, '/applications/shop')).json).toMatchObject({ metadata: { name: 'shop' } })
  })

  test('answer: any status, headers and body', async () => {
    const server = await start({}, { name: 'shop' })
    const answer = async (fault: Fault) => {
      server.fault({ times: 1 }, fault)
      return call(server, '/applications/shop')
    }
    const body = { error: 'too many', code: 8, message: 'too many' }
    const busy = await answer({ kind: 'answer', status: 429, body, headers: { 'Retry-After': '1' } })
    expect(busy).toMatchObject({ status: 429, json: body })
    expect(busy.headers.get('retry-after')).toBe('1')
    const html = { 'Content-Type': 'text/html' }
    const page = await answer({ kind: 'answer', status: 200, body: '<h1>Log in</h1>', headers: html })
    expect(page).toMatchObject({ status: 200, text: '<h1>Log in</h1>' })
    expect(page.headers.get('content-type')).toBe('text/html')
    expect(await answer({ kind: 'answer', status: 502 })).toMatchObject({ status: 502, text: '' })
  })

  test('redirect: to wherever', async () => {
    const server = await start({}, { name: 'shop' })
    server.fault({}, { kind: 'redirect', location: 'https://login.example.com/' })
    const { status, headers } = await call(server, '/applications')
    expect([status, headers.get('location')]).toEqual([302, 'https://login.example.com/'])
  })

  test('garbage: as a body, or in place of HTTP', async () => {
    const server = await start({}, { name: 'shop' })
    server.fault({ times: 1 }, { kind: 'garbage' })
    server.fault({ times: 1 }, { kind: 'garbage', bytes: Uint8Array.of(0x7b, 0xff, 0x7d) })
    server.fault({ times: 1 }, { kind: 'garbage', wire: true })
    const { status, text } = await call(server, '/applications')
    expect(status).toBe(200)
    expect(text).toContain('\ufffd')
    expect((await call(server, '/applications')).text).toBe('{\ufffd}')
    const wire = await new Wire(server, paths.applications).ended()
    expect(wire.received).toStartWith('\xff\xfe\x00')
    expect(wire.over).toBe('end')
  })

  test('content-type: the answer under a wrong one, or none', async () => {
    const server = await start({}, { name: 'shop' })
    server.fault({ times: 2 }, { kind: 'content-type', value: 'text/plain' })
    server.fault({}, { kind: 'content-type', value: '' })
    const { headers, json } = await call(server, '/applications/shop')
    expect(headers.get('content-type')).toBe('text/plain')
    expect(json).toMatchObject({ metadata: { name: 'shop' } })
    expect((await watch(server, '', 1)).head).toContain('Content-Type: text/plain')
    expect((await call(server, '/applications/shop')).headers.get('content-type')).toBeNull()
  })

  test('huge: as large as said, and no faster than it is read', async () => {
    const server = await start({}, { name: 'shop' })
    server.fault({}, { kind: 'huge', megabytes: 3 })
    const { text } = await call(server, '/applications/shop')
    expect(text.length).toBeGreaterThan(3 * 1_048_576)
    expect(JSON.parse(text)).toHaveProperty('metadata.name')

    const endless = await start({}, { name: 'shop' })
    endless.fault({}, { kind: 'huge', megabytes: Number.POSITIVE_INFINITY })
    const wire = new Wire(endless, paths.application)
    wire.socket.pause()
    const sent = () => endless.requests[0]?.bytesSent ?? 0
    await waitFor(() => sent() > 0)
    let before = -1
    while (before !== sent()) {
      before = sent()
      await Bun.sleep(20)
    }
    expect(before).toBeLessThan(50 * 1_048_576)
    wire.socket.resume()
    await waitFor(() => sent() > before)
    wire.socket.destroy()
    await waitFor(() => endless.requests[0]?.ended === 'client closed')
  })

  describe('of a stream', () => {
    const BRIEF = 'fields=result.type,result.application.metadata.name'

    async function stream(fault: Fault, query = BRIEF, headers = SSE as Record<string, string>) {
      const server = await start({ keepAliveMs: 2 }, ...['a', 'b', 'c'].map((name) => ({ name })))
      server.fault({ route: 'stream' }, fault)
      return { server, wire: new Wire(server, `${STREAM}?${query}`, headers) }
    }

    test.each([
      ['end', undefined, true],
      ['close', 'end', false],
      ['reset', 'ECONNRESET', false],
    ] as const)('cut-stream, %s: after so many messages', async (how, over, last) => {
      const { wire } = await stream({ kind: 'cut-stream', messages: 2, how })
      await wire.until(({ body }) => (last ? body.endsWith('\r\n0\r\n\r\n') : wire.over !== undefined))
      expect(brief(wire.messages)).toEqual(['ADDED a', 'ADDED b'])
      expect(wire.over).toBe(over)
      expect(wire.body.endsWith('0\r\n\r\n')).toBe(last)
    })

    test('cut-stream: in the middle of a message, and after a while', async () => {
      const middle = await stream({ kind: 'cut-stream', messages: 2, how: 'close', middle: true })
      await middle.wire.ended()
      expect(middle.wire.text.split('data: ').at(-1)).toMatch(/^\{"result":[^}]*$/)
      const { wire } = await stream({ kind: 'cut-stream', ms: 10, how: 'close' })
      await wire.ended()
      expect(brief(wire.messages)).toEqual(['ADDED a', 'ADDED b', 'ADDED c'])
      const none = await stream({ kind: 'cut-stream', messages: 0 })
      expect((await none.wire.until(({ body }) => body !== '')).body).toBe('0\r\n\r\n')
    })

    test('silent: no messages any more, and no keep-alives', async () => {
      const { server, wire } = await stream({ kind: 'silent', messages: 3 })
      await wire.until(({ messages }) => messages.length === 3)
      const { received } = wire
      server.delete('a')
      await expectSilence(server, wire, received)
      const none = await stream({ kind: 'silent' })
      await expectSilence(none.server, none.wire)
    })

    test('buffer: everything comes when it ends, or never', async () => {
      const { server, wire } = await stream({ kind: 'buffer', ms: 30 })
      await waitFor(() => server.requests.length === 1)
      server.delete('a')
      expect(wire.received).toBe('')
      await wire.until(({ body }) => body.endsWith('\r\n0\r\n\r\n'))
      expect(brief(wire.messages)).toEqual(['ADDED a', 'ADDED b', 'ADDED c', 'DELETED a'])
      const never = await stream({ kind: 'buffer' })
      await expectSilence(never.server, never.wire)
    })

    test('stream-error: an error among the messages, in their form', async () => {
      const fault = { kind: 'stream-error', messages: 1, code: 14, message: 'gone' } as const
      const over = ({ body }: Wire) => body.endsWith('\r\n0\r\n\r\n')
      const { wire } = await stream(fault, '')
      await wire.until(over)
      const error =
        '{"error":{"grpc_code":14,"http_code":503,"message":"gone","http_status":"Service Unavailable"}}'
      expect(wire.text).toEndWith(`data: ${error} \n\n`)
      const lines = await stream(fault, '', { Accept: 'application/json' })
      await lines.wire.until(over)
      expect(lines.wire.text).toEndWith(`\n${error}`)
      const cut = await stream(fault)
      await cut.wire.until(over)
      expect(cut.wire.text).toEndWith('data: {} \n\n')
    })
  })
})

describe('coming and going', () => {
  test('dropped connections are reset, and new ones welcome', async () => {
    const server = await start({ controller: 'stopped' }, { name: 'shop' })
    const stream = await watch(server, '', 1)
    const hanging = new Wire(server, '/api/v1/applications/shop?refresh=normal')
    await waitFor(() => server.requests.length === 2)
    server.dropConnections()
    expect((await stream.ended()).over).toBe('ECONNRESET')
    expect((await hanging.ended()).over).toBe('ECONNRESET')
    expect(server.requests.map(({ ended }) => ended)).toEqual(['fault', 'fault'])
    expect((await call(server, '/applications/shop', { keepalive: false })).status).toBe(200)
  })

  test('a paused server refuses connections, keeps what is open, and comes back on its port', async () => {
    const server = await start({}, { name: 'shop' })
    const stream = await watch(server, '', 1)
    await server.pause()
    expect((await new Wire(server, '/healthz').ended()).over).toBe('ECONNREFUSED')
    server.delete('shop')
    await stream.until(({ messages }) => messages.length === 2)
    await server.resume()
    expect((await call(server, '/applications')).status).toBe(200)
  })

  test('a stopped server has closed everything', async () => {
    const authority = await createAuthority()
    for (const options of [{}, { tls: await authority.server() }]) {
      const server = await start({ controller: 'stopped', ...options }, { name: 'shop' })
      const { url, token } = server
      const tls = { ca: authority.cert }
      const headers = { authorization: `Bearer ${token}` }
      const open = [
        fetch(`${url}/api/v1/applications/shop?refresh=hard`, { headers, tls }),
        fetch(`${url}${STREAM}`, { headers, tls }).then((response) => response.text()),
      ].map((answer) => answer.then(() => 'answered').catch(() => 'broken'))
      await waitFor(() => server.requests.length === 2)
      await server.stop()
      expect(await Promise.all(open)).toEqual(['broken', 'broken'])
      expect(server.requests.map(({ ended }) => ended)).toEqual(['server stopped', 'server stopped'])
      expect((await new Wire(server, '/healthz').ended()).over).toBe('ECONNREFUSED')
    }
  })

  test('a thousand applications of five hundred resources are served without being made again', async () => {
    const server = await start({ gzip: false })
    const app = application({ name: 'app', resources: 500 })
    for (let index = 0; index < 1000; index += 1)
      server.apply(merge(app, { metadata: { name: `app-${index}` } }))
    const fields = 'fields=result.application.metadata.name,result.application.status.sync.status'
    const stream = await new Wire(server, `${STREAM}?${fields}`, SSE).until(
      ({ received }) => received.split('data: ').length === 1001,
    )
    expect(stream.messages).toHaveLength(1000)
    const list = await call(server, '/applications?fields=items.metadata.name,items.status.health')
    expect(list.json.items).toHaveLength(1000)
    const one = await call(server, '/applications/app-999')
    expect(one.text.length).toBeGreaterThan(100_000)
    server.update('app-7', { status: { sync: { status: 'OutOfSync' } } })
    await stream.until(({ messages }) => messages.length === 1001)
  }, 60_000)
})

describe('an application', () => {
  test('is synced, healthy, compared with what it says, and looked at after its last operation', () => {
    for (const options of [
      {},
      { drySHA: 'd'.repeat(40) },
      { sources: [{ repoURL: 'https://a', path: 'x', revision: 'b'.repeat(40) }] },
    ]) {
      const { spec, status } = application({ name: 'shop', ...options })
      expect([status.sync.status, status.health.status]).toEqual(['Synced', 'Healthy'])
      expect(status.sync.comparedTo.destination).toEqual(spec.destination)
      if (spec.source) expect(status.sync.comparedTo.source).toEqual(spec.source)
      if (spec.sources) expect(status.sync.comparedTo.sources).toEqual(spec.sources)
      const { finishedAt = '', syncResult } = status.operationState
      expect(Date.parse(finishedAt)).toBeLessThanOrEqual(Date.parse(status.reconciledAt))
      expect(syncResult.revisions ?? syncResult.revision).toEqual(
        status.sync.revisions ?? status.sync.revision ?? '',
      )
    }
  })

  test('takes overrides deeply; undefined removes, lists are replaced', () => {
    const app = application(
      { name: 'shop' },
      {
        status: { health: { message: 'x' }, resources: [], operationState: undefined },
        metadata: { uid: null },
      },
    )
    expect(app.status.health).toMatchObject({ status: 'Healthy', message: 'x' })
    expect(app.status.resources).toEqual([])
    expect(app.status).not.toHaveProperty('operationState')
    expect(app.metadata).toHaveProperty('uid', null)
  })
})

describe('the answers are what the OpenAPI document promises', () => {
  const path = '../shared/schemas/argocd-swagger.json'
  const document = new URL(`../${path}`, import.meta.url)
  const present = existsSync(document)
  if (!present) console.warn(`skipped: the OpenAPI document ${path} is not there to check answers against`)

  test.skipIf(!present)('each of them', async () => {
    const { definitions } = await Bun.file(document).json()
    const server = await start(
      { accounts: { ada: 'secret' } },
      { name: 'git', resources: 7 },
      { name: 'chart', chart: 'nginx', revision: '1.2.3' },
      { name: 'several', sources: [{ repoURL: 'https://a', path: 'x', revision: 'a'.repeat(40) }] },
      { name: 'hydrated', drySHA: 'd'.repeat(40) },
    )
    server.commit('a'.repeat(40), { message: 'Promote', tags: ['v1'] })
    server.chart('1.2.3', { description: 'A web server' })
    const conforms = (json: Json, definition: string) =>
      expect(problems(json, { $ref: `#/definitions/${definition}` }, definitions)).toEqual([])

    for (const name of ['git', 'chart', 'several', 'hydrated']) {
      conforms((await call(server, `/applications/${name}`)).json, 'v1alpha1Application')
      conforms((await call(server, `/applications/${name}?refresh=hard`)).json, 'v1alpha1Application')
      conforms((await call(server, `/applications/${name}/resource-tree`)).json, 'v1alpha1ApplicationTree')
      conforms((await call(server, `/applications/${name}/events`)).json, 'eventsEventList')
      const windows = (await call(server, `/applications/${name}/syncwindows`)).json
      conforms(windows, 'applicationApplicationSyncWindowsResponse')
    }
    conforms((await call(server, '/applications')).json, 'v1alpha1ApplicationList')
    // The real server contradicts its document in this field, where it puts the result.
    const every = '-items.status.operationState.operation.sync'
    conforms((await call(server, `/applications?fields=${every}`)).json, 'v1alpha1ApplicationList')
    const revisions = '/applications/git/revisions'
    conforms((await call(server, `${revisions}/${'a'.repeat(40)}/metadata`)).json, 'v1alpha1RevisionMetadata')
    const details = await call(server, '/applications/chart/revisions/1.2.3/chartdetails')
    conforms(details.json, 'v1alpha1ChartDetails')
    conforms((await login(server, 'ada', 'secret')).json, 'sessionSessionResponse')
    conforms((await login(server, 'ada', 'wrong')).json, 'runtimeError')
    conforms((await call(server, '/applications/none')).json, 'runtimeError')
    for (const query of ['', 'fields=result.application.status.sync']) {
      const stream = await watch(server, query, query === '' ? 4 : 1)
      for (const { result } of stream.messages) conforms(result ?? null, 'v1alpha1ApplicationWatchEvent')
    }
    const { json } = await call(server, '/stream/applications', { headers: { authorization: '' } })
    conforms(json.error ?? null, 'runtimeStreamError')
  })

  test('and the validator finds what is not', () => {
    const definitions = {
      leaf: {
        type: 'object',
        properties: { n: { type: 'integer' }, t: { type: 'array', items: { type: 'string' } } },
      },
      open: { type: 'object', additionalProperties: { type: 'string' } },
    }
    const of = (json: Json, name: string) => problems(json, { $ref: `#/definitions/${name}` }, definitions)
    expect(of({ n: 1, t: ['a'] }, 'leaf')).toEqual([])
    expect(of({ n: '1', t: [2], x: 0 }, 'leaf')).toHaveLength(3)
    expect(of({ a: 'b' }, 'open')).toEqual([])
    expect(of({ a: 1 }, 'open')).toHaveLength(1)
  })
})

type Schema = {
  $ref?: string
  type?: string
  properties?: Record<string, Schema>
  items?: Schema
  additionalProperties?: Schema
  allOf?: Schema[]
}

/** What in a value contradicts a schema. A null stands for an absent value, as Go writes it. */
function problems(
  value: Json | undefined,
  schema: Schema,
  definitions: Record<string, Schema>,
  path = '$',
): string[] {
  if (value === null || value === undefined) return []
  if (schema.$ref !== undefined) {
    const definition = definitions[schema.$ref.replace('#/definitions/', '')]
    if (definition === undefined) return [`${path}: no definition ${schema.$ref}`]
    return problems(value, definition, definitions, path)
  }
  if (schema.type === 'array') {
    if (!Array.isArray(value)) return [`${path}: not an array`]
    return value.flatMap((item, index) =>
      problems(item, schema.items ?? {}, definitions, `${path}[${index}]`),
    )
  }
  if (schema.type === 'object' || schema.properties !== undefined) {
    if (typeof value !== 'object' || Array.isArray(value)) return [`${path}: not an object`]
    return Object.entries(value).flatMap(([key, member]) => {
      const known = propertyOf(schema, key, definitions)
      return known ? problems(member, known, definitions, `${path}.${key}`) : [`${path}.${key}: not known`]
    })
  }
  if (schema.type === 'integer') return Number.isInteger(value) ? [] : [`${path}: not an integer`]
  return schema.type === undefined || schema.type === typeof value ? [] : [`${path}: not a ${schema.type}`]
}

function propertyOf(schema: Schema, key: string, definitions: Record<string, Schema>): Schema | undefined {
  const own = schema.properties?.[key] ?? schema.additionalProperties
  if (own !== undefined) return own
  for (const part of schema.allOf ?? []) {
    const resolved = part.$ref === undefined ? part : definitions[part.$ref.replace('#/definitions/', '')]
    const found = resolved && propertyOf(resolved, key, definitions)
    if (found !== undefined) return found
  }
  return undefined
}
