import { afterEach, describe, expect, test } from 'bun:test'
import { type Answer, as, brief, call, start, stopServers, watch } from './client.ts'
import { type ArgoCDServer, application, type Json, type JsonObject } from './server.ts'

afterEach(stopServers)

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
