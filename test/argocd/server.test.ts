import { afterEach, describe, expect, test } from 'bun:test'
import { gunzipSync } from 'node:zlib'
import { createAuthority, selfSigned } from '../certificates.ts'
import { call, SSE, STREAM, start, stopServers, Wire, waitFor, watch } from './client.ts'
import { application, merge } from './server.ts'

afterEach(stopServers)

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
    const server = await start({ keepsPort: true }, { name: 'shop' })
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
