import { afterEach, describe, expect, test } from 'bun:test'
import { as, call, expectSilence, start, stopServers, Wire, watch } from './client.ts'
import { application, type JsonObject } from './server.ts'

afterEach(stopServers)

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
