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
import { application } from './server.ts'

afterEach(stopServers)

describe('a watch', () => {
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
