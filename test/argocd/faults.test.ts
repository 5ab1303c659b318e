import { afterEach, describe, expect, test } from 'bun:test'
import {
  BRIEF,
  brief,
  call,
  expectSilence,
  login,
  SSE,
  STREAM,
  start,
  stopServers,
  Wire,
  waitFor,
  watch,
} from './client.ts'
import type { Fault, Route } from './server.ts'

afterEach(stopServers)

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
    manifests: '/api/v1/applications/shop/manifests',
    events: '/api/v1/applications/shop/events',
    syncwindows: '/api/v1/applications/shop/syncwindows',
    sync: '/api/v1/applications/shop/sync',
    userinfo: '/api/v1/session/userinfo',
    'can-i': '/api/v1/account/can-i/applications/get/default/shop',
    project: '/api/v1/projects/shop',
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
    server.fault(
      { route: route as Route, ...(['other', 'can-i', 'userinfo'].includes(route) ? {} : { name: 'shop' }) },
      { kind: 'reset' },
    )
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
