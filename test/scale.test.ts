/**
 * What a run costs the server, counted on the executable: the same for one application and for a thousand. Times are
 * measured by `bun run bench` and asserted nowhere, because they are the machine's.
 */

import { describe, expect, test } from 'bun:test'
import { ArgoCDServer } from './argocd/server.ts'
import { benchApplication, type Churn, churn, HEALTHY, nameOf, REVISION, SELECTOR } from './bench/scene.ts'
import { connect, type Environment, run, runJson, start, waitFor } from './executable.ts'

const THOUSAND = 1000
const AT_ONCE = 8

const NAMES = Array.from({ length: THOUSAND }, (_, i) => nameOf(i)).join(',')

const BY: Readonly<Record<'selector' | 'names', Environment>> = {
  selector: { KPCEA_SELECTOR: SELECTOR },
  names: { ARGOCD_APP_NAME: NAMES },
}

/** The last ones are not healthy yet. */
function populate(server: ArgoCDServer, applications: number, unready: number, resources?: number): void {
  for (let i = 0; i < applications; i++)
    server.apply(benchApplication(i, i < applications - unready, resources))
}

const routes = (server: ArgoCDServer) => server.requests.map(({ route }) => route)
const isRefresh = ({ query }: { query: URLSearchParams }) => query.has('refresh')

/** How often each route was asked for, refreshes apart. */
function requestsOf(server: ArgoCDServer): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const request of server.requests) {
    const kind = isRefresh(request) ? 'refresh' : request.route
    counts[kind] = (counts[kind] ?? 0) + 1
  }
  return counts
}

/** How many requests were open together at the most, looked at whenever one of them is about to be answered. */
class Concurrency {
  most = 0

  look(server: ArgoCDServer): void {
    const open = server.requests.filter(({ route, ended }) => route === 'application' && ended === 'open')
    this.most = Math.max(this.most, open.length)
  }
}

describe('an application that is already there', () => {
  test.each([3, 500])('costs one request, however large it is (%d resources)', async (resources) => {
    await using server = await ArgoCDServer.start()
    populate(server, 1, 0, resources)
    const env = { ARGOCD_APP_NAME: nameOf(0), KPCEA_TARGET_REVISION: REVISION }
    expect((await run(connect(server, env))).code).toBe(0)
    expect(routes(server)).toEqual(['stream'])
    expect(server.bytesSent).toBeLessThan(3000)
  })

  test('costs two with a commit message', async () => {
    await using server = await ArgoCDServer.start()
    populate(server, 1, 0)
    server.commit(REVISION, { message: 'Promote app-0 to 1.2.0' })
    const env = {
      ARGOCD_APP_NAME: nameOf(0),
      KPCEA_VERIFY_MODE: 'SEARCH_COMMIT_MSG',
      KPCEA_SEARCH_COMMIT_MSG: 'to 1.2.0',
    }
    expect((await run(connect(server, env))).code).toBe(0)
    expect(routes(server)).toEqual(['stream', 'metadata'])
  })
})

describe('waiting for an application of 500 resources that changes and does not become ready', () => {
  /** Thirty changes and six polls: half a minute of one each second and one each five, at twenty times the pace. */
  const CHANGES = 30
  const POLLS = 6
  const CHANGE_INTERVAL = 50

  /** What came over the wire until both have happened, and in how many requests. */
  async function cost(kind: Churn, gzip: boolean, env: Environment) {
    await using server = await ArgoCDServer.start({ gzip })
    populate(server, 1, 1, 500)
    const change = churn(server, nameOf(0), kind)
    const running = start(
      connect(server, {
        ARGOCD_APP_NAME: nameOf(0),
        KPCEA_TARGET_REVISION: REVISION,
        KPCEA_TIMEOUT: '50',
        KPCEA_INTERVAL: '250ms',
        KPCEA_REFRESH: 'none',
        ...env,
      }),
    )
    const polls = env.KPCEA_WATCH === 'false' ? POLLS : 0
    await waitFor(() => server.requests.some(({ status }) => status !== undefined))
    for (let i = 0; i < CHANGES; i++) {
      await Bun.sleep(CHANGE_INTERVAL)
      change()
    }
    await waitFor(() => server.requests.filter(({ ended }) => ended === 'complete').length >= polls)
    // Told to end, it asks for nothing more; one that its deadline ends would look once more and ask for causes.
    running.process.kill()
    expect((await running.finished).code).toBe(1)
    return { bytes: server.bytesSent, routes: routes(server) }
  }

  test.each([
    { what: 'its resources change, and polls are compressed', kind: 'resources', gzip: true },
    { what: 'its resources change, and nothing is compressed', kind: 'resources', gzip: false },
    { what: 'its operation tells of each change, and nothing is compressed', kind: 'operation', gzip: false },
  ] as const)('takes at most a twentieth of the bytes of polling: $what', async ({ kind, gzip }) => {
    const [watched, polled] = await Promise.all([
      cost(kind, gzip, {}),
      cost(kind, gzip, { KPCEA_WATCH: 'false' }),
    ])
    expect(watched.routes).toEqual(['stream'])
    expect(polled.routes.length).toBeGreaterThanOrEqual(POLLS)
    // Polls that were late do not count against the stream.
    const polledBytes = (polled.bytes / polled.routes.length) * POLLS
    expect(watched.bytes / polledBytes).toBeLessThanOrEqual(1 / 20)
  })

  test('costs one request more with the default refresh', async () => {
    const { routes } = await cost('operation', true, { KPCEA_REFRESH: 'normal' })
    expect(routes).toEqual(['stream', 'application'])
  })
})

describe.each(['selector', 'names'] as const)('a thousand applications by %s', (by) => {
  const env = { ...BY[by], KPCEA_TARGET_REVISION: REVISION, KPCEA_TIMEOUT: '50' }
  /** A stream does not say which namespace names are in, nor all that a selector matches: that takes one more. */
  const BEGINNING = by === 'selector' ? { stream: 1, applications: 1 } : { stream: 1, application: 1 }

  test('that are already there are a yes for two requests', async () => {
    await using server = await ArgoCDServer.start()
    populate(server, THOUSAND, 0)
    const { code, result } = await runJson(connect(server, env))
    expect(code).toBe(0)
    expect(result.applications).toHaveLength(THOUSAND)
    expect(requestsOf(server)).toEqual(BEGINNING)
  })

  test('that become ready one after the other cost no request while they are waited for', async () => {
    await using server = await ArgoCDServer.start()
    populate(server, THOUSAND, THOUSAND)
    const running = start(connect(server, { ...env, KPCEA_REFRESH: 'none' }))
    await waitFor(() => server.requests.length === Object.keys(BEGINNING).length)
    // Longer than what a stream does not mention is waited for.
    await Bun.sleep(1000)
    expect(running.process.exitCode).toBeNull()
    for (let i = 0; i < THOUSAND; i++) {
      server.update(nameOf(i), HEALTHY)
      if (i % 10 === 0) await Bun.sleep(10)
    }
    expect((await running.finished).code).toBe(0)
    expect(requestsOf(server)).toEqual(BEGINNING)
  })

  test('are refreshed once each and at most eight at once, and only those that are not ready', async () => {
    const UNREADY = 100
    await using server = await ArgoCDServer.start()
    populate(server, THOUSAND, UNREADY)
    const together = new Concurrency()
    server.onRefresh = () => together.look(server)
    const running = start(connect(server, env))
    await waitFor(() => server.refreshes.length === UNREADY)
    await waitFor(() => server.requests.every(({ route, ended }) => route === 'stream' || ended !== 'open'))
    for (let i = THOUSAND - UNREADY; i < THOUSAND; i++) server.update(nameOf(i), HEALTHY)
    expect((await running.finished).code).toBe(0)
    const refreshed = server.refreshes.map(({ name }) => name)
    expect(new Set(refreshed).size).toBe(UNREADY)
    expect(requestsOf(server)).toEqual({ ...BEGINNING, refresh: UNREADY })
    expect(together.most).toBe(AT_ONCE)
  })

  test('are a no as long as one of them is', async () => {
    await using server = await ArgoCDServer.start()
    populate(server, THOUSAND, 1)
    const { code, result } = await runJson(
      connect(server, { ...env, KPCEA_REFRESH: 'none', KPCEA_TIMEOUT: '3' }),
    )
    expect(code).toBe(1)
    expect(result).toMatchObject({ verified: false, reason: 'NotHealthy', timedOut: true })
    const refused = result.applications.filter(({ verified }) => !verified)
    expect(refused.map(({ name }) => name)).toEqual([nameOf(THOUSAND - 1)])
    expect(result.applications).toHaveLength(THOUSAND)
  })
})

test('a thousand names without a stream are asked for at most eight at once', async () => {
  await using server = await ArgoCDServer.start()
  populate(server, THOUSAND, 0)
  // Answers that come at once would never be open together.
  server.fault({ route: 'application' }, { kind: 'delay', ms: 10 })
  const together = new Concurrency()
  const looking = setInterval(() => together.look(server), 2)
  const { code } = await run(
    connect(server, {
      ...BY.names,
      KPCEA_TARGET_REVISION: REVISION,
      KPCEA_WATCH: 'false',
      KPCEA_TIMEOUT: '50',
    }),
  )
  clearInterval(looking)
  expect(code).toBe(0)
  expect(requestsOf(server)).toEqual({ application: THOUSAND })
  expect(together.most).toBe(AT_ONCE)
})
