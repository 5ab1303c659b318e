/**
 * What a run costs the server, counted on the executable: the same for one application and for a thousand. Times are
 * measured by `bun run bench` and asserted nowhere, because they are the machine's.
 */

import { describe, expect, test } from 'bun:test'
import { ArgoCDServer, application } from './argocd/server.ts'
import { benchApplication, type Churn, churn, HEALTHY, nameOf, REVISION, SELECTOR } from './bench/scene.ts'
import { connect, type Environment, run, runJson, start, waitFor } from './executable.ts'
import { SHA } from './fixtures.ts'

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

/**
 * The same on a machine that is busy: a question that took long there was asked once more elsewhere, and a stream was
 * opened, or polls took over from one, meanwhile.
 */
const essential = (server: ArgoCDServer) =>
  routes(server).filter((route, i, all) => route !== 'stream' && route !== all[i - 1])
const FEW_MORE = THOUSAND / 20

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
    // Read from the cluster itself: a stream's first message comes from a cache.
    expect(essential(server)).toEqual(['application'])
  })

  test('costs three with a commit message: what was read before the commit came may have changed since', async () => {
    await using server = await ArgoCDServer.start()
    populate(server, 1, 0)
    server.commit(REVISION, { message: 'Promote app-0 to 1.2.0' })
    const env = {
      ARGOCD_APP_NAME: nameOf(0),
      KPCEA_VERIFY_MODE: 'SEARCH_COMMIT_MSG',
      KPCEA_SEARCH_COMMIT_MSG: 'to 1.2.0',
    }
    expect((await run(connect(server, env))).code).toBe(0)
    expect(essential(server)).toEqual(['application', 'metadata', 'application'])
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
    const isPoll = ({ route, ended }: { route: string; ended: string }) =>
      route === 'application' && ended === 'complete'
    await waitFor(() => server.requests.filter(isPoll).length >= polls)
    // Told to end, it asks for nothing more; one that its deadline ends would look once more and ask for causes.
    running.process.kill()
    expect((await running.finished).code).toBe(1)
    const bytesOf = (route: string) =>
      server.requests.filter((one) => one.route === route).reduce((sum, { bytesSent }) => sum + bytesSent, 0)
    return { bytesOf, routes: routes(server) }
  }

  test.each([
    { what: 'its resources change, and polls are compressed', kind: 'resources', gzip: true },
    { what: 'its resources change, and nothing is compressed', kind: 'resources', gzip: false },
    { what: 'its operation tells of each change, and nothing is compressed', kind: 'operation', gzip: false },
  ] as const)(
    'the stream takes at most a twentieth of the bytes of polling: $what',
    async ({ kind, gzip }) => {
      const [watched, polled] = await Promise.all([
        cost(kind, gzip, {}),
        cost(kind, gzip, { KPCEA_WATCH: 'false' }),
      ])
      // One look at the beginning, and the tree once in ten seconds, with a stream and without.
      expect(new Set(watched.routes)).toEqual(new Set(['application', 'resource-tree', 'stream']))
      expect(watched.routes.length).toBeLessThan(POLLS)
      const polls = polled.routes.filter((route) => route === 'application').length
      expect(polls).toBeGreaterThanOrEqual(POLLS)
      // Polls that were late do not count against the stream.
      const polledBytes = (polled.bytesOf('application') / polls) * POLLS
      expect(watched.bytesOf('stream') / polledBytes).toBeLessThanOrEqual(1 / 20)
    },
  )

  test('costs one request more with the default refresh', async () => {
    const { routes } = await cost('operation', true, { KPCEA_REFRESH: 'normal' })
    expect(new Set(routes)).toEqual(new Set(['application', 'resource-tree', 'stream']))
    expect(routes.length).toBeLessThan(POLLS + 1)
  })
})

describe.each(['selector', 'names'] as const)('a thousand applications by %s', (by) => {
  const env = { ...BY[by], KPCEA_TARGET_REVISION: REVISION, KPCEA_TIMEOUT: '50' }
  /** A stream does not say which namespace names are in, nor all that a selector matches: that takes one more. */
  const BEGINNING = ['stream', by === 'selector' ? 'applications' : 'application']
  /** So many trees are read in ten seconds, of whatever number of applications. */
  const TREES = 20

  /** Nothing was asked of each application, and of each kind no more than that, on a busy machine a few more. */
  function expectBounded(server: ArgoCDServer, elapsed: number, streams: number): void {
    const { applications = 0, application = 0, 'resource-tree': trees = 0, stream } = requestsOf(server)
    expect(stream).toBe(streams)
    expect(application).toBeLessThanOrEqual(FEW_MORE)
    expect(applications).toBeLessThanOrEqual(by === 'selector' ? FEW_MORE : 0)
    expect(trees).toBeLessThanOrEqual(TREES * (Math.floor(elapsed / 10_000) + 1))
  }

  test('that are already there are a yes for a handful of requests', async () => {
    await using server = await ArgoCDServer.start()
    populate(server, THOUSAND, 0)
    const { code, result } = await runJson(connect(server, env))
    expect(code).toBe(0)
    expect(result.applications).toHaveLength(THOUSAND)
    expectBounded(server, 0, 1)
  })

  test('that become ready one after the other cost no request for each while they are waited for', async () => {
    await using server = await ArgoCDServer.start()
    populate(server, THOUSAND, THOUSAND)
    const running = start(connect(server, { ...env, KPCEA_REFRESH: 'none' }))
    await waitFor(() => BEGINNING.every((kind) => (requestsOf(server)[kind] ?? 0) > 0))
    // Longer than what a stream does not mention is waited for.
    await Bun.sleep(1000)
    expect(running.process.exitCode).toBeNull()
    for (let i = 0; i < THOUSAND; i++) {
      server.update(nameOf(i), HEALTHY)
      if (i % 10 === 0) await Bun.sleep(10)
    }
    const { code, elapsed } = await running.finished
    expect(code).toBe(0)
    // They became ready one by one; the opening of a second stream shows an instant at which all are.
    expectBounded(server, elapsed, 2)
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
    const { code, elapsed } = await running.finished
    expect(code).toBe(0)
    const refreshed = server.refreshes.map(({ name }) => name)
    expect(new Set(refreshed).size).toBe(UNREADY)
    expect(requestsOf(server).refresh).toBe(UNREADY)
    expectBounded(server, elapsed, 2)
    expect(together.most).toBe(AT_ONCE)
  })

  test('are a no as long as one of them is', async () => {
    await using server = await ArgoCDServer.start()
    populate(server, THOUSAND, 1)
    const { code, result } = await runJson(
      connect(server, { ...env, KPCEA_REFRESH: 'none', KPCEA_TIMEOUT: '8' }),
    )
    expect(code).toBe(1)
    expect(result).toMatchObject({ verified: false, reason: 'NotHealthy', timedOut: true })
    const refused = result.applications.filter(({ verified }) => !verified)
    expect(refused.map(({ name }) => name)).toEqual([nameOf(THOUSAND - 1)])
    expect(result.applications).toHaveLength(THOUSAND)
  })
})

test('three hundred names without a stream are asked for at most eight at once, and each once more to prove it', async () => {
  const SOME = 300
  await using server = await ArgoCDServer.start()
  populate(server, SOME, 0)
  // Answers that come at once would never be open together.
  server.fault({ route: 'application' }, { kind: 'delay', ms: 10 })
  const together = new Concurrency()
  const looking = setInterval(() => together.look(server), 2)
  const { code } = await run(
    connect(server, {
      ARGOCD_APP_NAME: Array.from({ length: SOME }, (_, i) => nameOf(i)).join(','),
      KPCEA_TARGET_REVISION: REVISION,
      KPCEA_WATCH: 'false',
      KPCEA_TIMEOUT: '50',
      KPCEA_INTERVAL: '20',
    }),
  )
  clearInterval(looking)
  expect(code).toBe(0)
  // They were not read at one instant, so a yes takes another look at each since the last was seen to be ready.
  const { application = 0, ...rest } = requestsOf(server)
  expect(rest).toEqual({})
  expect(application).toBeWithin(2 * SOME - 1, 2.5 * SOME)
  expect(together.most).toBe(AT_ONCE)
})

/** As large as an ordinary one, in what a stream is asked for. */
function ordinary(name: string, { labels = {}, values = 'x'.repeat(600) } = {}) {
  const source = {
    repoURL: 'https://git.example.com/platform/gitops.git',
    path: 'clusters/prod-eu-1/team/payments',
    targetRevision: 'main',
    helm: { values },
  }
  const past = Array.from({ length: 10 }, (_, id) => ({ id, revision: `${id}`.padStart(40, 'a') }))
  return application(
    { name, revision: SHA.a },
    {
      metadata: { labels },
      spec: { source },
      status: { sync: { comparedTo: { source } }, history: past },
    },
  )
}

describe('thousands of ordinary applications', () => {
  test('of others are not in the way of two that were named', async () => {
    await using server = await ArgoCDServer.start()
    for (let i = 0; i < 8000; i++) server.apply(ordinary(`of-others-${i}`, { values: 'x'.repeat(3000) }))
    for (const name of ['web', 'api']) server.apply(ordinary(name, { values: 'x'.repeat(50_000) }))
    server.update('web', { status: { health: { status: 'Progressing' } } })
    const env = { ARGOCD_APP_NAME: 'web,api', KPCEA_TARGET_REVISION: SHA.a, KPCEA_TIMEOUT: '50' }
    const running = start(connect(server, env))
    await waitFor(() => server.requests.some(({ route, bytesSent }) => route === 'stream' && bytesSent > 0))
    await Bun.sleep(2000)
    server.update('web', HEALTHY)
    expect(await running.finished).toMatchObject({ code: 0 })
    expect(requestsOf(server).stream).toBe(1)
  })

  test('are verified where the stream is cut, and no other is to be had', async () => {
    await using server = await ArgoCDServer.start()
    for (let i = 0; i < 3000; i++) server.apply(ordinary(`web-${i}`, { labels: { team: 'web' } }))
    server.update('web-7', { status: { health: { status: 'Progressing' } } })
    const env = { KPCEA_SELECTOR: 'team=web', KPCEA_TARGET_REVISION: SHA.a, KPCEA_TIMEOUT: '50' }
    const running = start(connect(server, { ...env, KPCEA_INTERVAL: '2' }))
    await waitFor(() => running.said().includes('NotHealthy'))
    server.fault({ route: 'stream' }, { kind: 'answer', status: 503 })
    server.dropConnections()
    server.update('web-7', HEALTHY)
    expect(await running.finished).toMatchObject({ code: 0 })
  })
})
