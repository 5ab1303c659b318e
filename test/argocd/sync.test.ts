import { afterEach, describe, expect, test } from 'bun:test'
import { as, call, start, stopServers, waitFor } from './client.ts'
import { type ArgoCDServer, application, type JsonObject } from './server.ts'

afterEach(stopServers)

const SHA = 'b'.repeat(40)
const JSON_TYPE = 'application/json'

async function manual(
  overrides: JsonObject = {},
): Promise<{ server: ArgoCDServer; may: ReturnType<typeof as> }> {
  const server = await start({ syncMs: 30 })
  const app = application({ name: 'shop' })
  app.spec.syncPolicy = {}
  server.apply(app)
  server.update('shop', overrides)
  return { server, may: as(server.createToken({ sync: ['default/shop'] })) }
}

function sync(
  server: ArgoCDServer,
  { headers }: ReturnType<typeof as>,
  body: JsonObject = {},
  type = 'application/json',
) {
  const init = { method: 'POST', body: JSON.stringify(body), headers: { ...headers, 'content-type': type } }
  return call(server, '/applications/shop/sync', init)
}

describe('a sync', () => {
  test('is an operation with its infos at once, and on record with its result later', async () => {
    const { server, may } = await manual()
    const infos = [{ name: 'a', value: 'b' }]
    const { status, json } = await sync(server, may, { name: 'shop', revision: SHA, infos })
    expect(status).toBe(200)
    expect(json).toMatchObject({ operation: { sync: { revision: SHA }, info: infos } })
    // As it was answered: a busy machine may be done by now.
    expect(json).not.toHaveProperty('status.operationState')
    await waitFor(() => server.get('shop')?.status.operationState?.phase === 'Succeeded')
    const app = server.get('shop')
    expect(app?.operation).toBeUndefined()
    expect(app?.status).toMatchObject({
      sync: { revision: SHA },
      operationState: { operation: { info: infos } },
    })
    expect(app?.status.history.at(-1)).toMatchObject({ id: 2, revision: SHA })
  })

  test.each([
    ['without the content type', 415, '', {}, 'text/plain'],
    [
      'while another is in progress',
      400,
      'another operation is already in progress',
      { operation: { sync: {} } },
      JSON_TYPE,
    ],
    [
      'to another revision under automated sync',
      400,
      'auto-sync currently set to main',
      { spec: { syncPolicy: { automated: {} } } },
      JSON_TYPE,
    ],
    [
      'of what is being deleted',
      400,
      'application is deleting',
      { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } },
      JSON_TYPE,
    ],
  ] as const)('%s is refused', async (_, status, message, overrides, type) => {
    const { server, may } = await manual(overrides)
    const answer = await sync(server, may, { revision: SHA }, type)
    expect(answer.status).toBe(status)
    expect(answer.text).toContain(message)
    expect(server.operations.syncs).toEqual([])
  })

  test('needs its own permission, after the sync windows', async () => {
    const { server } = await manual()
    const mayNot = as(server.createToken())
    expect(await sync(server, mayNot)).toMatchObject({
      status: 403,
      json: { code: 7, message: expect.stringContaining('applications, sync, default/shop') },
    })
    server.syncWindows('shop', { canSync: false })
    expect((await sync(server, mayNot)).text).toContain('cannot sync: blocked by sync window')
    const canI = (who: ReturnType<typeof as>) =>
      call(server, '/account/can-i/applications/sync/default/shop', who)
    expect((await canI(mayNot)).json).toEqual({ value: 'no' })
  })

  test('whose answer is lost is done all the same', async () => {
    for (const how of ['reset', 'close'] as const) {
      const { server, may } = await manual()
      server.fault({ route: 'sync' }, { kind: 'lost', how })
      expect(await sync(server, may).catch(() => 'lost')).toBe('lost')
      expect(server.operations.syncs).toHaveLength(1)
    }
  })
})
