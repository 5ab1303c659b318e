/**
 * Where a real Argo CD, or what is in between, makes a gate say no to what is a yes, or say it late, or with words that
 * lead nowhere. Each of these fails where its rule of docs/verification.md is taken away.
 */

import { describe, expect, test } from 'bun:test'
import { type ApplicationOptions, ArgoCDServer, application, type JsonObject } from './argocd/server.ts'
import * as cases from './cases.ts'
import { connect, type Environment, runJson, start, waitFor } from './executable.ts'
import { SHA } from './fixtures.ts'

const OLD = SHA.a
const NEW = SHA.b
const LONG_AGO = new Date(Date.now() - 3_600_000)

const put = (server: ArgoCDServer, options: ApplicationOptions, change: JsonObject = {}) =>
  server.apply(application({ name: 'web', ...options }, change))

function wanting(server: ArgoCDServer, env: Environment = {}) {
  return connect(server, {
    ARGOCD_APP_NAME: 'web',
    KPCEA_TARGET_REVISION: NEW,
    KPCEA_TIMEOUT: '30',
    KPCEA_OUTPUT: 'json',
    ...env,
  })
}

/** A run, and its result. */
function begin(server: ArgoCDServer, env: Environment = {}) {
  const running = start(wanting(server, env))
  return { said: running.said, result: async () => JSON.parse((await running.finished).stdout) }
}

const asked = (server: ArgoCDServer, refresh: boolean) =>
  server.requests.filter(({ route, query }) => route === 'application' && query.has('refresh') === refresh)

// These take longest, beside all the others.
describe('a stream', () => {
  const names = Array.from({ length: 22 }, (_, i) => `web-${String(i).padStart(2, '0')}`)

  cases.withServer('of many that says nothing more: another one is opened', async (server) => {
    for (const name of names) cases.put(server, { name, revision: OLD })
    server.fault({ route: 'stream', times: 1 }, { kind: 'silent', messages: names.length })
    const run = cases.begin(server, {
      ARGOCD_APP_NAME: undefined,
      KPCEA_SELECTOR: 'team=web',
      KPCEA_TIMEOUT: '50',
    })
    await waitFor(() => run.said().includes('RevisionMismatch'))
    for (const name of names) cases.put(server, { name, revision: NEW })
    const result = await run.result()
    expect(result).toMatchObject({ verified: true })
    // Before its silence is too long, and before the last look.
    expect(result.durationSeconds).toBeLessThan(38)
  })

  cases.withServer('that has been silent for too long is lost: polls take its place', async (server) => {
    cases.put(server, { revision: OLD })
    server.fault({ route: 'stream' }, { kind: 'silent', messages: 1 })
    const run = cases.begin(server, { KPCEA_TIMEOUT: '58' })
    const looks = () => cases.asked(server, 'application').length
    // Beside it there is a look after 5, 15 and 35 seconds, and then after 65.
    await waitFor(() => looks() > 2)
    await waitFor(() => looks() > 3)
    cases.put(server, { revision: NEW })
    const result = await run.result()
    expect(result).toMatchObject({ verified: true })
    // Before the last look.
    expect(result.durationSeconds).toBeLessThan(51)
  })

  cases.withServer('does not tell that the one that is not as wanted has lost its label', async (server) => {
    cases.put(server, { revision: NEW })
    cases.put(server, { name: 'api', revision: OLD })
    const run = cases.begin(server, {
      ARGOCD_APP_NAME: undefined,
      KPCEA_SELECTOR: 'team=web',
      KPCEA_TIMEOUT: '50',
    })
    await waitFor(() => run.said().includes('RevisionMismatch'))
    cases.put(server, { name: 'api', revision: OLD, labels: { team: 'db' } })
    const result = await run.result()
    expect(result).toMatchObject({ verified: true })
    expect(result.durationSeconds).toBeLessThan(44)
  })
})

describe('the fix of a broken release is waited for', () => {
  const hook = { kind: 'Job', name: 'smoke', namespace: 'web', hookType: 'PostSync', hookPhase: 'Failed' }
  const broken: readonly (readonly [string, JsonObject])[] = [
    ['Degraded', { status: { health: { status: 'Degraded' } } }],
    [
      'whose sync failed',
      { status: { operationState: { phase: 'Failed', syncResult: { revision: OLD, resources: [hook] } } } },
    ],
    [
      'that auto-sync gave up',
      {
        status: {
          sync: { status: 'OutOfSync' },
          conditions: [{ type: 'SyncError', message: 'Failed last sync attempt' }],
        },
      },
    ],
    [
      'that auto-sync gave up, though the fix was tried in a dry run',
      {
        status: {
          sync: { status: 'OutOfSync' },
          conditions: [{ type: 'SyncError', message: 'Failed last sync attempt' }],
          operationState: { operation: { sync: { dryRun: true } }, syncResult: { revision: NEW } },
        },
      },
    ],
  ]
  test.concurrent.each(broken)('%s', async (_, change) => {
    await using server = await ArgoCDServer.start()
    put(server, { revision: OLD }, change)
    const run = begin(server, { KPCEA_FAIL_AFTER: '0' })
    await waitFor(() => /OperationFailed|OutOfSync|RevisionMismatch/.test(run.said()))
    await waitFor(() => server.refreshes.length > 0)
    put(server, { revision: NEW })
    expect(await run.result()).toMatchObject({ verified: true })
  })

  test.concurrent('a broken Pod, before the release is there', async () => {
    await using server = await ArgoCDServer.start()
    put(server, { revision: OLD }, { status: { health: { status: 'Progressing' } } })
    server.resourceTree('web', { nodes: [pod('ImagePullBackOff', new Date())] })
    const run = begin(server, { KPCEA_FAIL_AFTER: '0', KPCEA_REFRESH: 'none' })
    await waitFor(() =>
      server.requests.some(({ route, ended }) => route === 'resource-tree' && ended === 'complete'),
    )
    await Bun.sleep(1500)
    put(server, { revision: NEW })
    expect(await run.result()).toMatchObject({ verified: true })
  })

  test.concurrent('another revision begins anew', async () => {
    await using server = await ArgoCDServer.start()
    const degraded = (revision: string) =>
      put(server, { revision, images: ['acme/web:1'] }, { status: { health: { status: 'Degraded' } } })
    degraded(OLD)
    const images = { KPCEA_TARGET_REVISION: undefined, KPCEA_TARGET_IMAGES: 'acme/web:1' }
    const run = begin(server, { ...images, KPCEA_FAIL_AFTER: '5', KPCEA_REFRESH: 'none' })
    await waitFor(() => run.said().includes('Degraded'))
    // Six seconds in all, and never five of one revision.
    await Bun.sleep(3000)
    degraded(NEW)
    await Bun.sleep(3000)
    put(server, { revision: NEW, images: ['acme/web:1'] })
    expect(await run.result()).toMatchObject({ verified: true })
  })

  const degraded = { status: 'Degraded' }
  const now = new Date()
  const replicaSet = (name: string, revision: number, health: string) => ({
    group: 'apps',
    kind: 'ReplicaSet',
    name,
    uid: name,
    parentRefs: [{ kind: 'Deployment', uid: 'deployment' }],
    createdAt: now.toISOString(),
    health: { status: health },
    info: [{ name: 'Revision', value: `Rev:${revision}` }],
  })
  const others: readonly (readonly [string, readonly JsonObject[]])[] = [
    ['a Pod of before the operation', [pod('ImagePullBackOff', LONG_AGO)]],
    ['a Pod that was evicted', [{ ...pod('Evicted', now), info: ended('Evicted') }]],
    [
      'a Job of a CronJob, and its Pod',
      [
        { group: 'batch', kind: 'CronJob', name: 'nightly', uid: 'cron' },
        {
          group: 'batch',
          kind: 'Job',
          name: 'nightly-1',
          uid: 'job',
          parentRefs: [{ kind: 'CronJob', uid: 'cron' }],
          createdAt: now.toISOString(),
          health: degraded,
        },
        { ...pod('Error', now), parentRefs: [{ kind: 'Job', uid: 'job' }], info: ended('Error') },
      ],
    ],
    [
      'a ReplicaSet that another has taken over from',
      [replicaSet('web-1', 1, 'Degraded'), replicaSet('web-2', 2, 'Progressing')],
    ],
  ]
  test.concurrent.each(others)('and %s is held against nobody', async (_, nodes) => {
    await using server = await ArgoCDServer.start()
    put(server, { revision: NEW }, { status: { health: { status: 'Progressing' } } })
    server.resourceTree('web', { nodes: [...nodes] })
    const run = begin(server, { KPCEA_FAIL_AFTER: '0' })
    await waitFor(() =>
      server.requests.some(({ route, ended }) => route === 'resource-tree' && ended === 'complete'),
    )
    await waitFor(() => run.said().includes('NotHealthy'))
    // Time enough to end the run, for a gate that takes it for broken.
    await Bun.sleep(1500)
    put(server, { revision: NEW })
    expect(await run.result()).toMatchObject({ verified: true })
  })
})

/** What a Pod tells that has ended. */
function ended(reason: string) {
  return [
    { name: 'Status Reason', value: reason },
    { name: 'Containers', value: '0/1' },
  ]
}

/** A Pod that is Degraded. */
function pod(reason: string, createdAt: Date) {
  return {
    kind: 'Pod',
    version: 'v1',
    namespace: 'web',
    name: 'web-1',
    uid: 'pod',
    createdAt: createdAt.toISOString(),
    health: { status: 'Degraded', message: `Back-off: ${reason}` },
    info: [
      { name: 'Status Reason', value: reason },
      { name: 'Containers', value: '0/1' },
      { name: 'cpu', value: '0' },
    ],
  }
}

describe('told at once rather than at the timeout', () => {
  test.concurrent('an image that cannot be pulled, while its Deployment is Progressing', async () => {
    await using server = await ArgoCDServer.start()
    put(server, { revision: NEW }, { status: { health: { status: 'Progressing' } } })
    server.resourceTree('web', { nodes: [pod('ImagePullBackOff', new Date())] })
    const { result } = await runJson(wanting(server, { KPCEA_FAIL_AFTER: '1' }))
    expect(result).toMatchObject({ verified: false, reason: 'NotHealthy', timedOut: false })
    expect(result.message).toContain('Back-off: ImagePullBackOff')
  })

  test.concurrent('a hook that fails in each of its attempts: the streak goes through the retries', async () => {
    await using server = await ArgoCDServer.start()
    const hook = { kind: 'Job', name: 'smoke', namespace: 'web', hookType: 'PostSync', hookPhase: 'Failed' }
    const attempt = (retryCount: number, finishedAt: string | null) =>
      put(
        server,
        { revision: NEW },
        {
          status: {
            operationState: {
              phase: 'Running',
              retryCount,
              finishedAt,
              syncResult: { revision: NEW, resources: [hook] },
            },
          },
        },
      )
    attempt(0, new Date().toISOString())
    const run = begin(server, { KPCEA_FAIL_AFTER: '3' })
    await waitFor(() => run.said().includes('attempt 1 of 6'))
    // The next attempt is under way, and then over.
    attempt(1, null)
    await Bun.sleep(1000)
    attempt(1, new Date().toISOString())
    const result = await run.result()
    expect(result).toMatchObject({ verified: false, reason: 'OperationFailed', timedOut: false })
    expect(result.message).toContain('smoke')
    expect(result.durationSeconds).toBeLessThan(25)
  })

  test.concurrent('an attempt that is broken like the one before it', async () => {
    await using server = await ArgoCDServer.start()
    const began = Date.now()
    const attempt = (startedAt: number, health: string) =>
      put(
        server,
        { revision: NEW },
        {
          status: {
            health: { status: health },
            operationState: {
              startedAt: new Date(startedAt).toISOString(),
              finishedAt: new Date(startedAt + 1000).toISOString(),
            },
            reconciledAt: new Date(startedAt + 2000).toISOString(),
          },
        },
      )
    attempt(began - 60_000, 'Degraded')
    server.resourceTree('web', { nodes: [pod('ImagePullBackOff', new Date(began + 30_000))] })
    // What it would take from the second attempt on is later than the deadline.
    const run = begin(server, { KPCEA_FAIL_AFTER: '14', KPCEA_REFRESH: 'none', KPCEA_TIMEOUT: '22' })
    await waitFor(() => run.said().includes('Degraded'))
    await Bun.sleep(9000)
    attempt(began, 'Progressing')
    expect(await run.result()).toMatchObject({ verified: false, reason: 'NotHealthy', timedOut: false })
  })

  test.concurrent('a port that refuses, a name that DNS does not know, a page that is no Argo CD', async () => {
    await using server = await ArgoCDServer.start()
    server.fault({}, { kind: 'answer', status: 200, body: '<html><title>Welcome</title></html>' })
    const ends = async (address: string) => {
      const env = { ARGOCD_SERVER: address, ARGOCD_API_TOKEN: server.token, KPCEA_INTERVAL: '1' }
      const rest = { ARGOCD_APP_NAME: 'web', KPCEA_TARGET_REVISION: NEW, KPCEA_TIMEOUT: '40' }
      return (await runJson({ ...env, ...rest, KPCEA_FAIL_AFTER: '2' })).result
    }
    const [port, name, page] = await Promise.all([
      ends('127.0.0.1:1'),
      ends('argocd.invalid'),
      ends(server.url),
    ])
    expect(port).toMatchObject({ verified: false, reason: 'Unreachable', timedOut: false })
    expect(port.message).toContain('refuses connections')
    expect(name).toMatchObject({ verified: false, reason: 'Unreachable', timedOut: false })
    expect(page).toMatchObject({ verified: false, reason: 'NotArgoCD', timedOut: false })
    for (const { durationSeconds } of [port, name, page]) expect(durationSeconds).toBeGreaterThanOrEqual(2)
  })

  test.concurrent('a source that is not there, by the name that was asked for', async () => {
    await using server = await ArgoCDServer.start()
    put(server, { revision: NEW, repoURL: 'https://git.example.com/web.git' })
    const env = { KPCEA_TARGET_REVISION: `values=${NEW}`, KPCEA_FAIL_AFTER: '0' }
    const { result } = await runJson(wanting(server, env))
    expect(result.message).toContain(
      'no source is called "values"; the sources are https://git.example.com/web',
    )
  })

  test.concurrent('an error of comparison that lasts', async () => {
    await using server = await ArgoCDServer.start()
    put(server, {}, BLIP)
    const { result } = await runJson(wanting(server, { KPCEA_FAIL_AFTER: '2', KPCEA_TIMEOUT: '20' }))
    expect(result).toMatchObject({ verified: false, reason: 'Conditions', timedOut: false })
    expect(result.message).toContain('repository not accessible')
  })
})

/** The repository server could not be asked. */
const BLIP = {
  status: {
    sync: { status: 'Unknown', revision: 'main' },
    conditions: [{ type: 'ComparisonError', message: 'repository not accessible' }],
  },
}

describe('what passes costs no yes', () => {
  test.concurrent('an error of comparison at the moment of the first refresh', async () => {
    await using server = await ArgoCDServer.start({ refreshMs: 300 })
    put(server, { revision: OLD })
    server.onRefresh = (app) => {
      const isFirst = server.refreshes.length < 2
      const { conditions, sync } = BLIP.status
      app.status.sync = { ...app.status.sync, status: 'Synced', revision: NEW, ...(isFirst ? sync : {}) }
      app.status.conditions = isFirst ? conditions : []
    }
    // Long before the usual pause between refreshes has passed.
    const env = { KPCEA_FAIL_AFTER: '2', KPCEA_TIMEOUT: '12' }
    expect((await runJson(wanting(server, env))).result).toMatchObject({ verified: true })
  })

  test.concurrent('a push that the first refresh does not see yet', async () => {
    await using server = await ArgoCDServer.start()
    put(server, { revision: OLD })
    server.onRefresh = (app) => {
      if (server.refreshes.length > 1) app.status.sync.revision = NEW
    }
    expect((await runJson(wanting(server))).result).toMatchObject({ verified: true })
  })

  test.concurrent('a refresh that is lost on the way', async () => {
    await using server = await ArgoCDServer.start()
    put(server, { revision: OLD })
    server.fault({ refresh: true, times: 1 }, { kind: 'reset' })
    server.onRefresh = (app) => {
      app.status.sync.revision = NEW
    }
    expect((await runJson(wanting(server))).result).toMatchObject({ verified: true })
  })

  test.concurrent.each([400, 401, 403])('refreshes that are refused (%d)', async (status) => {
    await using server = await ArgoCDServer.start()
    put(server, { revision: OLD })
    const body = { code: status === 403 ? 7 : 3, message: 'admission webhook denied the request' }
    server.fault({ refresh: true }, { kind: 'answer', status, body })
    const run = begin(server, { KPCEA_TIMEOUT: '60' })
    await waitFor(() => asked(server, true).length > 1)
    put(server, { revision: NEW })
    expect(await run.result()).toMatchObject({ verified: true })
  })

  test.concurrent('a token that is refused once', async () => {
    await using server = await ArgoCDServer.start()
    put(server, { revision: OLD })
    server.fault({ refresh: false, after: 2, times: 1 }, { kind: 'answer', status: 401 })
    const run = begin(server, { KPCEA_WATCH: 'false', KPCEA_REFRESH: 'none' })
    await waitFor(() => server.requests.some(({ status }) => status === 401))
    put(server, { revision: NEW })
    expect(await run.result()).toMatchObject({ verified: true })
  })

  test.concurrent('one that is refused for good ends the run', async () => {
    await using server = await ArgoCDServer.start()
    put(server, { revision: OLD })
    const run = begin(server, { KPCEA_WATCH: 'false', KPCEA_REFRESH: 'none' })
    await waitFor(() => server.requests.length > 1)
    server.revoke(server.token)
    expect(await run.result()).toMatchObject({ verified: false, reason: 'Unauthorized', timedOut: false })
  })

  test.concurrent('one request that hangs: the application, or its commit', async () => {
    await using server = await ArgoCDServer.start()
    put(server, { revision: NEW })
    server.commit(NEW, { message: 'm', tags: ['v1'] })
    server.fault({ route: 'application', times: 1 }, { kind: 'hang' })
    server.fault({ route: 'metadata', times: 1 }, { kind: 'hang' })
    // Less than such a request may take by itself.
    const env = { KPCEA_TARGET_REVISION: 'v1', KPCEA_TIMEOUT: '12', KPCEA_WATCH: 'false' }
    expect((await runJson(wanting(server, env))).result).toMatchObject({ verified: true })
  })

  test.concurrent('a stream that loses a change', async () => {
    await using server = await ArgoCDServer.start({ keepAliveMs: 500 })
    put(server, { revision: OLD })
    const run = begin(server, { KPCEA_INTERVAL: '60', KPCEA_REFRESH: 'none' })
    await waitFor(() => server.requests.some(({ route, bytesSent }) => route === 'stream' && bytesSent > 0))
    server.loseChanges()
    put(server, { revision: NEW })
    const result = await run.result()
    expect(result).toMatchObject({ verified: true })
    // The last look before the deadline would have seen it, too.
    expect(result.durationSeconds).toBeLessThan(24)
  })

  test.concurrent('a server that asks to be left alone for ten minutes', async () => {
    await using server = await ArgoCDServer.start()
    put(server, { revision: NEW })
    const later = { kind: 'answer', status: 503, headers: { 'Retry-After': '600' } } as const
    server.fault({ times: 1 }, later)
    const env = { KPCEA_TIMEOUT: '60', KPCEA_WATCH: 'false' }
    const { result } = await runJson(wanting(server, env))
    expect(result).toMatchObject({ verified: true })
    expect(result.durationSeconds).toBeLessThan(54)
  })

  test.concurrent('and there is a last look all the same', async () => {
    await using server = await ArgoCDServer.start()
    put(server, { revision: NEW })
    server.fault({ times: 1 }, { kind: 'answer', status: 503, headers: { 'Retry-After': '600' } })
    expect((await runJson(wanting(server, { KPCEA_TIMEOUT: '12' }))).result).toMatchObject({ verified: true })
  })

  test.concurrent('an outage of a server that has answered, for longer than fail-after', async () => {
    await using server = await ArgoCDServer.start({ keepsPort: true })
    put(server, { revision: OLD })
    const run = begin(server, { KPCEA_FAIL_AFTER: '1', KPCEA_REFRESH: 'none' })
    await waitFor(() => run.said().includes('RevisionMismatch'))
    await server.pause()
    server.dropConnections()
    await waitFor(() => run.said().includes('refuses connections'))
    await Bun.sleep(3000)
    put(server, { revision: NEW })
    await server.resume()
    expect(await run.result()).toMatchObject({ verified: true })
  })

  test.concurrent('a refresh of a server that gives each its time: one answer is enough', async () => {
    await using server = await ArgoCDServer.start({ refreshMs: 1500 })
    put(server, { revision: OLD, at: LONG_AGO })
    server.onRefresh = (app) => {
      app.status.sync.revision = NEW
    }
    const { result } = await runJson(wanting(server, { KPCEA_TARGET_REVISION: 'main' }))
    expect(result).toMatchObject({ verified: true })
    expect(server.refreshes).toHaveLength(1)
  })

  test.concurrent('a dry commit that was overtaken, with at-least', async () => {
    await using server = await ArgoCDServer.start()
    const history = [OLD, NEW].map((revision, id) => ({ id, revision }))
    // What it was hydrated to is seen while it is being rolled out.
    const status = { health: { status: 'Progressing' }, history: history.slice(0, 1) }
    put(server, { revision: OLD, drySHA: SHA.c }, { status })
    const env = { KPCEA_TARGET_REVISION: SHA.c, KPCEA_REVISION_POLICY: 'at-least', KPCEA_REFRESH: 'none' }
    const run = begin(server, env)
    await waitFor(() => run.said().includes('NotHealthy'))
    put(server, { revision: NEW, drySHA: SHA.d }, { status: { history } })
    expect(await run.result()).toMatchObject({ verified: true })
  })

  test.concurrent('an application that the selector no longer matches', async () => {
    await using server = await ArgoCDServer.start()
    const apply = (name: string, revision: string, team: string) =>
      server.apply(application({ name, revision, labels: { team } }))
    apply('web', NEW, 'web')
    apply('other', OLD, 'web')
    const env = { ARGOCD_APP_NAME: undefined, KPCEA_SELECTOR: 'team=web', KPCEA_WATCH: 'false' }
    const run = begin(server, { ...env, KPCEA_REFRESH: 'none' })
    await waitFor(() => run.said().includes('RevisionMismatch'))
    apply('other', OLD, 'db')
    const result = await run.result()
    expect(result).toMatchObject({ verified: true })
    expect(result.applications).toHaveLength(1)
  })

  test.concurrent('images of Pods that have ended', async () => {
    await using server = await ArgoCDServer.start()
    put(server, { images: ['acme/web:1', 'acme/web:2'] })
    const hasEnded = {
      ...pod('Completed', LONG_AGO),
      images: ['acme/web:1'],
      health: { status: 'Healthy' },
      info: [
        { name: 'Status Reason', value: 'Completed' },
        { name: 'Containers', value: '0/1' },
      ],
    }
    const runs = { ...pod('Running', LONG_AGO), uid: 'other', images: ['acme/web:2'] }
    server.resourceTree('web', { nodes: [hasEnded, { ...runs, health: { status: 'Healthy' } }] })
    const env = { KPCEA_TARGET_REVISION: undefined, KPCEA_TARGET_IMAGES: 'acme/web:2', KPCEA_TIMEOUT: '0' }
    const { result } = await runJson(wanting(server, env))
    expect(result).toMatchObject({ verified: true })
    expect(result.applications[0]?.checks.find(({ code }) => code === 'ImageMismatch')?.message).toContain(
      'only in Pods that have ended',
    )
  })

  test.concurrent('a commit that renders the same, in the middle of a soak', async () => {
    await using server = await ArgoCDServer.start()
    put(server, { revision: NEW })
    for (const revision of [NEW, OLD]) server.manifests(revision, [{ apiVersion: 'v1', kind: 'ConfigMap' }])
    // Begun anew, it would not be over by the deadline.
    const env = { KPCEA_REVISION_POLICY: 'equivalent', KPCEA_STABLE_FOR: '8', KPCEA_TIMEOUT: '13' }
    const run = begin(server, env)
    await waitFor(() => run.said().includes('as wanted'))
    await Bun.sleep(6000)
    put(server, { revision: OLD })
    expect(await run.result()).toMatchObject({ verified: true })
    expect(server.requests.some(({ route }) => route === 'manifests')).toBe(true)
  })
})

test.concurrent('a Pod that ends while it has to be stable', async () => {
  await using server = await ArgoCDServer.start()
  put(server, { revision: NEW, images: ['acme/web:2'] })
  const done = { ...pod('Completed', LONG_AGO), images: ['acme/web:1'], health: { status: 'Healthy' } }
  const nightly = { ...done, name: 'nightly-1', uid: 'nightly', info: ended('Completed') }
  const runs = { ...pod('Running', LONG_AGO), images: ['acme/web:2'], health: { status: 'Healthy' } }
  server.resourceTree('web', { nodes: [nightly, runs] })
  const images = { KPCEA_TARGET_REVISION: undefined, KPCEA_TARGET_IMAGES: 'acme/web:2' }
  // What it would take from then on is later than the deadline.
  const run = begin(server, { ...images, KPCEA_STABLE_FOR: '14', KPCEA_TIMEOUT: '22' })
  await waitFor(() => asked(server, false).length > 0)
  await Bun.sleep(9000)
  put(server, { revision: NEW, images: ['acme/web:1', 'acme/web:2'] })
  expect(await run.result()).toMatchObject({ verified: true })
})

test.concurrent('one that a selector matches first behind a proxy that holds the stream back', async () => {
  await using server = await ArgoCDServer.start()
  server.fault({ route: 'stream' }, { kind: 'hang-in-body', after: 0 })
  const selector = { ARGOCD_APP_NAME: undefined, KPCEA_SELECTOR: 'team=web' }
  const run = begin(server, { ...selector, KPCEA_TIMEOUT: '25' })
  await waitFor(() => server.requests.some(({ route }) => route === 'stream'))
  await waitFor(() =>
    server.requests.some(({ route, ended }) => route === 'applications' && ended === 'complete'),
  )
  await Bun.sleep(2000)
  put(server, { revision: NEW, labels: { team: 'web' } })
  const result = await run.result()
  expect(result).toMatchObject({ verified: true })
  // By the list of each interval, and not by the last look before the deadline.
  expect(result.durationSeconds).toBeLessThan(19)
})

test.concurrent('a stream of many that is opened again and says nothing', async () => {
  await using server = await ArgoCDServer.start()
  const names = Array.from({ length: 22 }, (_, i) => `web-${i}`)
  const release = (revision: string) => {
    for (const name of names) server.apply(application({ name, revision, labels: { team: 'web' } }))
  }
  release(OLD)
  // Its headers come, and nothing after them.
  server.fault({ route: 'stream', after: 1 }, { kind: 'hang-in-body', after: 0 })
  const run = begin(server, {
    ARGOCD_APP_NAME: undefined,
    KPCEA_SELECTOR: 'team=web',
    KPCEA_REFRESH: 'none',
    KPCEA_TIMEOUT: '38',
  })
  const streams = () => server.requests.filter(({ route }) => route === 'stream')
  await waitFor(() => /RevisionMismatch/.test(run.said()) && streams().length > 0)
  server.dropConnections()
  await waitFor(() => streams().length > 1)
  release(NEW)
  expect(await run.result()).toMatchObject({ verified: true })
})
