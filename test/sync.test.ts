/** `--sync`, the compiled executable against the simulated Argo CD: what is started, when, and never twice. */

import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ApplicationOptions, ArgoCDServer, application, type JsonObject } from './argocd/server.ts'
import { connect, type Environment, run, runJson, start, temporaryDirectory, waitFor } from './executable.ts'
import { SHA } from './fixtures.ts'

let server: ArgoCDServer
beforeEach(async () => {
  server = await ArgoCDServer.start({ syncMs: 60 })
})
afterEach(() => server.stop())

/** What may be done with the applications of a test, and what is wanted of them. */
function env(more: Environment = {}, grants: { sync?: string[]; override?: string[] } = {}): Environment {
  const token = server.createToken({
    account: 'kpcea',
    sync: grants.sync ?? ['*'],
    override: grants.override ?? [],
  })
  return connect(server, {
    ARGOCD_API_TOKEN: token,
    ARGOCD_APP_NAME: 'web',
    KPCEA_TARGET_REVISION: SHA.b,
    KPCEA_TIMEOUT: '20',
    KPCEA_SYNC: 'true',
    ...more,
  })
}

/** An application that nobody syncs by itself, OutOfSync at a new commit unless said otherwise. */
function manual(options: ApplicationOptions = {}, overrides: JsonObject = {}): void {
  const app = application(
    { revision: SHA.a, name: 'web', ...options },
    { spec: { syncPolicy: { automated: undefined } } },
  )
  server.apply(app)
  server.update(options.name ?? 'web', overrides, options.namespace)
}

const OUT_OF_SYNC = { status: { sync: { status: 'OutOfSync', revision: SHA.b } } }

const posts = () => server.requests.filter(({ method, route }) => method === 'POST' && route !== 'session')
const bodies = () => posts().map(({ body }) => JSON.parse(body) as JsonObject)

describe('what is started', () => {
  test('one sync to the wanted revision, and a yes when it has succeeded', async () => {
    manual({}, OUT_OF_SYNC)
    const { code, result, stderr } = await runJson(env({ KPCEA_SYNC_ID: 'promotion-1' }))
    expect(result.message).toContain('web is verified')
    expect(code).toBe(0)
    expect(bodies()).toEqual([
      {
        name: 'web',
        revision: SHA.b,
        prune: false,
        infos: [
          { name: 'Reason', value: expect.stringContaining('kpcea') },
          { name: 'kpcea', value: 'promotion-1' },
        ],
      },
    ])
    expect(posts()[0]?.headers.get('content-type')).toBe('application/json')
    expect(result.applications[0]?.started).toMatchObject({
      id: 'promotion-1',
      revisions: [SHA.b],
      adopted: false,
      phase: 'Succeeded',
    })
    expect(stderr).toContain(`starting a sync to ${SHA.b.slice(0, 8)} (id promotion-1)`)
  })

  test('where it is Synced at another revision: to the wanted one', async () => {
    manual()
    const { code } = await run(env())
    expect(code).toBe(0)
    expect(bodies()).toMatchObject([{ revision: SHA.b }])
  })

  test('a short SHA is sent as it is, and Argo CD finds the commit', async () => {
    manual()
    server.operations.commits.add(SHA.b)
    const { code, result } = await runJson(env({ KPCEA_TARGET_REVISION: SHA.b.slice(0, 8) }))
    expect(code).toBe(0)
    expect(bodies()).toMatchObject([{ revision: SHA.b.slice(0, 8) }])
    // The operation keeps what was sent, and its result has the whole of it.
    expect(server.get('web')?.status.operationState.operation).toMatchObject({
      sync: { revision: SHA.b.slice(0, 8) },
    })
    expect(result.applications[0]?.started).toMatchObject({ revisions: [SHA.b], phase: 'Succeeded' })
  })

  test('one that no commit begins with: the sync ends in an error, which is the answer at once', async () => {
    manual()
    const { code, result, elapsed } = await runJson(env({ KPCEA_TARGET_REVISION: 'deadbee1' }))
    expect(code).toBe(1)
    expect(result).toMatchObject({ reason: 'OperationFailed', timedOut: false })
    expect(result.message).toContain("couldn't find remote ref deadbee1")
    expect(elapsed).toBeLessThan(15_000)
    expect(posts()).toHaveLength(1)
  })

  test('where only a commit message is wanted: to what it tracks', async () => {
    manual({}, { status: { sync: { status: 'OutOfSync' } } })
    server.operations.refs.set('main', SHA.b)
    server.commit(SHA.a, { message: 'release 1' })
    server.commit(SHA.b, { message: 'release 2' })
    const { code } = await run(
      env({
        KPCEA_TARGET_REVISION: undefined,
        KPCEA_VERIFY_MODE: 'SEARCH_COMMIT_MSG',
        KPCEA_SEARCH_COMMIT_MSG: 'release 2',
      }),
    )
    expect(code).toBe(0)
    expect(bodies()).toHaveLength(1)
    expect(bodies()[0]).not.toHaveProperty('revision')
  })

  test('with several sources, revisions by position', async () => {
    const sources = [
      {
        repoURL: 'https://git.example.com/values.git',
        targetRevision: 'main',
        name: 'values',
        revision: SHA.a,
      },
      { repoURL: 'https://charts.example.com', chart: 'web', targetRevision: '1.2.0', revision: '1.2.0' },
    ]
    manual({ sources })
    const wanted = `values=${SHA.b}`
    const { code } = await run(env({ KPCEA_TARGET_REVISION: wanted }))
    expect(code).toBe(0)
    expect(bodies()).toMatchObject([{ sourcePositions: [1], revisions: [SHA.b] }])
    expect(bodies()[0]).not.toHaveProperty('revision')
  })

  test('where only an image is wanted: to what it tracks', async () => {
    manual({}, { status: { sync: { status: 'OutOfSync' } } })
    server.operations.refs.set('main', SHA.c)
    server.operations.onSync = (app) => {
      app.status.summary.images = ['registry.example.com/web:2.0.0']
      return {}
    }
    const { code } = await run(
      env({ KPCEA_TARGET_REVISION: undefined, KPCEA_TARGET_IMAGES: 'registry.example.com/web:2.0.0' }),
    )
    expect(code).toBe(0)
    expect(bodies()).toHaveLength(1)
    expect(bodies()[0]).not.toHaveProperty('revision')
  })

  test('where the tracked branch is wanted: to what it tracks, after a look into Git', async () => {
    manual()
    server.operations.refs.set('main', SHA.b)
    server.onRefresh = (app) => {
      if (app.status.sync.revision === SHA.a) Object.assign(app.status.sync, OUT_OF_SYNC.status.sync)
    }
    const { code } = await run(env({ KPCEA_TARGET_REVISION: 'main' }))
    expect(code).toBe(0)
    expect(bodies()).toHaveLength(1)
    expect(bodies()[0]).not.toHaveProperty('revision')
  })

  test('nothing where everything is as wanted, nor where a refresh shows that', async () => {
    manual({ revision: SHA.b })
    expect((await run(env())).code).toBe(0)
    manual()
    server.onRefresh = (app) => {
      app.status.sync.revision = SHA.b
    }
    expect((await run(env())).code).toBe(0)
    expect(posts()).toEqual([])
  })

  test('nothing where Argo CD cannot compare, also after a sync of local manifests', async () => {
    const operation = { sync: { revision: '', manifests: ['{}'] } }
    const conditions = [{ type: 'ComparisonError', message: 'repository not accessible' }]
    manual(
      {},
      {
        status: { sync: { status: 'Unknown', revision: 'main' }, operationState: { operation }, conditions },
      },
    )
    const { code, stdout } = await run(env({ KPCEA_TIMEOUT: '3' }))
    expect(code).toBe(1)
    expect(stdout).toContain('whether a sync is needed is not known')
    expect(stdout).toContain('repository not accessible')
    expect(posts()).toEqual([])
  })

  test('nothing where only health is not as wanted: a sync mends nothing there', async () => {
    manual({ revision: SHA.b }, { status: { health: { status: 'Degraded', message: 'it crashes' } } })
    const { result } = await runJson(env({ KPCEA_FAIL_AFTER: '1' }))
    expect(result.reason).toBe('NotHealthy')
    expect(posts()).toEqual([])
  })

  test('an application with automated sync is refreshed, and left to it', async () => {
    server.apply(application({ name: 'web', revision: SHA.a }))
    server.onRefresh = (app) => {
      app.status.sync.revision = SHA.b
    }
    expect((await run(env())).code).toBe(0)
    expect(server.refreshes.length).toBeGreaterThan(0)
    server.apply(application({ name: 'web', revision: SHA.a }))
    server.onRefresh = () => {}
    const { stdout, code } = await run(env({ KPCEA_TIMEOUT: '1' }))
    expect(code).toBe(1)
    expect(stdout).toContain('it is left to automated sync')
    expect(posts()).toEqual([])
  })

  test('automated sync that is switched off leaves it to us, and still says whether to prune', async () => {
    manual({}, { ...OUT_OF_SYNC, spec: { syncPolicy: { automated: { enabled: false, prune: true } } } })
    expect((await run(env())).code).toBe(0)
    expect(bodies()).toMatchObject([{ prune: true }])
  })

  test('prune as the setting says, where it says something', async () => {
    const spec = { syncPolicy: { automated: { enabled: false, prune: true } } }
    manual({}, { ...OUT_OF_SYNC, spec })
    expect((await run(env(), ['--no-sync-prune'])).code).toBe(0)
    manual({}, OUT_OF_SYNC)
    expect((await run(env(), ['--sync-prune'])).code).toBe(0)
    expect(bodies()).toMatchObject([{ prune: false }, { prune: true }])
  })

  test('options and retries are left to the application', async () => {
    const spec = { syncPolicy: { syncOptions: ['CreateNamespace=true'], retry: { limit: 2 } } }
    manual({}, { ...OUT_OF_SYNC, spec })
    expect((await run(env())).code).toBe(0)
    expect(Object.keys(bodies()[0] ?? {}).sort()).toEqual(['infos', 'name', 'prune', 'revision'])
    expect(server.get('web')?.status.operationState.operation).toMatchObject({
      sync: { syncOptions: ['CreateNamespace=true'] },
      retry: { limit: 2 },
    })
  })
})

describe('operations of others', () => {
  const under = (info: JsonObject[] = [], revision: string = SHA.a): JsonObject => ({
    status: {
      sync: { status: 'OutOfSync', revision: SHA.b },
      operationState: {
        phase: 'Running',
        startedAt: '2026-11-24T12:00:00Z',
        finishedAt: undefined,
        message: 'waiting for healthy state',
        operation: { sync: { revision }, info, initiatedBy: { username: 'ada' }, retry: undefined },
        syncResult: { revision, resources: [] },
      },
    },
    operation: { sync: { revision }, info },
  })
  const end = (phase: string, changes: JsonObject = {}) => {
    const finishedAt = `${new Date().toISOString().slice(0, 19)}Z`
    server.update('web', (app) => {
      delete app.operation
    })
    server.update('web', {
      status: { ...changes, reconciledAt: finishedAt, operationState: { phase, finishedAt } },
    })
  }

  test('one that is under way is waited for, and then what is still needed is started', async () => {
    manual({}, under())
    const { finished } = start(env())
    await Bun.sleep(1500)
    expect(posts()).toEqual([])
    end('Succeeded')
    expect((await finished).code).toBe(0)
    expect(bodies()).toMatchObject([{ revision: SHA.b }])
  })

  test('where it brings what is wanted, nothing is started', async () => {
    manual({}, under([], SHA.b))
    const { finished } = start(env({ KPCEA_SYNC_ID: 'promotion-1' }))
    await waitFor(() => server.requests.length > 2)
    end('Succeeded', { sync: { status: 'Synced' } })
    expect((await finished).code).toBe(0)
    expect(posts()).toEqual([])
  })

  test('where another took the place of ours, unseen, and failed: the answer is no after fail after', async () => {
    manual({}, OUT_OF_SYNC)
    const lift = server.fault(
      { route: 'sync', times: 1 },
      { kind: 'answer', status: 502, body: 'bad gateway' },
    )
    const { finished } = start(
      env({ KPCEA_FAIL_AFTER: '8', KPCEA_OUTPUT: 'json', KPCEA_TIMEOUT: '40', KPCEA_WATCH: 'false' }),
    )
    await waitFor(() => posts().length === 1)
    lift()
    server.update('web', under([], SHA.b))
    end('Failed', { operationState: { message: 'a hook failed' } })
    server.update('web', { status: { operationState: { phase: 'Failed', message: 'a hook failed' } } })
    const result = JSON.parse((await finished).stdout)
    expect(result).toMatchObject({ verified: false, reason: 'OperationFailed', timedOut: false })
    expect(result.message).toContain('a hook failed')
    expect(posts()).toHaveLength(1)
  })

  test('where another did what ours was to do, unseen, and a dry run came after it: that is a yes', async () => {
    manual({}, OUT_OF_SYNC)
    const lift = server.fault({ route: 'sync', times: 1 }, { kind: 'reset' })
    const { finished } = start(env({ KPCEA_TIMEOUT: '30', KPCEA_WATCH: 'false' }))
    await waitFor(() => posts().length === 1)
    lift()
    const done = `${new Date(Date.now() + 1000).toISOString().slice(0, 19)}Z`
    server.update('web', (app) => {
      const { history } = app.status
      app.status.history = [
        ...history,
        {
          id: Number(history.at(-1)?.id ?? -1) + 1,
          revision: SHA.b,
          deployStartedAt: done,
          deployedAt: done,
        },
      ]
    })
    server.update('web', {
      status: {
        sync: { status: 'Synced' },
        reconciledAt: done,
        operationState: {
          phase: 'Succeeded',
          startedAt: done,
          finishedAt: done,
          operation: { sync: { revision: SHA.b, dryRun: true }, info: [] },
        },
      },
    })
    expect((await finished).code).toBe(0)
    expect(posts()).toHaveLength(1)
  })

  test('one that has begun since it was looked at is waited for as well', async () => {
    manual({}, OUT_OF_SYNC)
    const { finished, said } = start(env({ ARGOCD_APP_NAME: 'web,api', KPCEA_INTERVAL: '60' }))
    await waitFor(() => said().includes('web: OutOfSync') && said().includes('NotFound'))
    await waitFor(() => server.requests.some(({ name, query }) => name === 'web' && !query.has('refresh')))
    server.update('web', under([], SHA.b))
    await waitFor(() => said().includes('operation Running'))
    manual({ name: 'api' }, OUT_OF_SYNC)
    await waitFor(() => posts().length > 0)
    await Bun.sleep(300)
    expect(posts().map(({ name }) => name)).toEqual(['api'])
    end('Succeeded', { sync: { status: 'Synced' } })
    expect((await finished).code).toBe(0)
    expect(posts()).toHaveLength(1)
  })

  test('another operation that begins in between is no error', async () => {
    manual({}, OUT_OF_SYNC)
    server.fault(
      { route: 'sync', times: 1 },
      {
        kind: 'answer',
        status: 400,
        body: {
          code: 9,
          message:
            'error setting app operation: rpc error: code = FailedPrecondition desc = another operation is already in progress',
        },
      },
    )
    const { code, stderr } = await run(env())
    expect(code).toBe(0)
    expect(posts()).toHaveLength(2)
    expect(server.operations.syncs).toHaveLength(1)
    expect(stderr).not.toContain('rejected')
  })

  test('one that carries the id is adopted, whatever it is for', async () => {
    manual({}, under([{ name: 'kpcea', value: 'promotion-1' }], SHA.b))
    const { finished, said } = start(env({ KPCEA_SYNC_ID: 'promotion-1', KPCEA_OUTPUT: 'json' }))
    await waitFor(() => said().includes('adopted'))
    end('Succeeded', { sync: { status: 'Synced' } })
    const { code, stdout } = await finished
    expect(code).toBe(0)
    expect(JSON.parse(stdout).applications[0].started).toMatchObject({
      id: 'promotion-1',
      adopted: true,
      phase: 'Succeeded',
    })
    expect(posts()).toEqual([])
  })

  test('one that carries the id and has failed is not repeated: the answer is no at once', async () => {
    manual({}, under([{ name: 'kpcea', value: 'promotion-1' }], SHA.b))
    end('Failed', { operationState: { message: 'one or more objects failed to apply' } })
    server.update('web', { status: { operationState: { phase: 'Failed', message: 'a hook failed' } } })
    const { result, elapsed } = await runJson(
      env({ KPCEA_SYNC_ID: 'promotion-1', KPCEA_FAIL_AFTER: 'never' }),
    )
    expect(result).toMatchObject({ reason: 'OperationFailed', timedOut: false })
    expect(result.message).toContain('a hook failed')
    expect(elapsed).toBeLessThan(10_000)
    expect(posts()).toEqual([])
  })

  test('what was started of an application that is deleted makes nothing of the one created in its place', async () => {
    manual({ images: ['acme/web:1'] }, OUT_OF_SYNC)
    const { finished, said } = start(
      env({ KPCEA_SYNC_ID: 'promotion-1', KPCEA_TARGET_IMAGES: 'acme/web:2', KPCEA_OUTPUT: 'json' }),
    )
    await waitFor(() => posts().length === 1 && said().includes('ImageMismatch'))
    await waitFor(() => server.get('web')?.status.operationState?.phase === 'Succeeded')
    server.delete('web')
    await waitFor(() => said().includes('NotFound'))
    manual({ images: ['acme/web:2'] }, OUT_OF_SYNC)
    const { code } = await finished
    expect(posts()).toHaveLength(2)
    expect(code).toBe(0)
  })

  test('without an id, one for the same revisions is adopted, and one for others is not', async () => {
    manual({}, under([], SHA.b))
    const { finished, said } = start(env())
    await waitFor(() => said().includes('adopted'))
    end('Failed', {})
    const { code, stdout } = await finished
    expect(code).toBe(1)
    expect(stdout).toContain('OperationFailed')
    expect(posts()).toEqual([])
  })

  test('also where all is Synced and only a hook of it still runs, which holds back no other', async () => {
    manual({}, under([], SHA.b))
    server.update('web', { status: { sync: { status: 'Synced' } } })
    manual({ name: 'api' }, OUT_OF_SYNC)
    const { finished, said } = start(env({ ARGOCD_APP_NAME: 'web,api', KPCEA_FAIL_AFTER: 'never' }))
    await waitFor(() => said().includes('web: adopted'))
    await waitFor(() => posts().length === 1)
    end('Failed', {})
    const { code, stdout } = await finished
    expect(code).toBe(1)
    expect(stdout).toContain('OperationFailed')
    expect(bodies()).toMatchObject([{ revision: SHA.b }])
    expect(posts().map(({ name }) => name)).toEqual(['api'])
  })

  test('but not one of an application that is synced automatically, nor a dry run', async () => {
    server.apply(application({ revision: SHA.b, name: 'web' }))
    server.update('web', under([], SHA.b))
    manual({ name: 'api', revision: SHA.b }, under([], SHA.b))
    for (const name of ['web', 'api']) server.update(name, { status: { sync: { status: 'Synced' } } })
    server.update('api', { status: { operationState: { operation: { sync: { dryRun: true } } } } })
    const { stdout, stderr } = await run(
      env({ ARGOCD_APP_NAME: 'web,api', KPCEA_TIMEOUT: '3', KPCEA_OUTPUT: 'json' }),
    )
    const { applications } = JSON.parse(stdout)
    expect(applications).toMatchObject([{ reason: 'OperationInProgress' }, { reason: 'OperationInProgress' }])
    expect(stderr).not.toContain('adopted')
    expect(posts()).toEqual([])
  })
})

describe('the Stage of Kargo', () => {
  const stage = (value: string | undefined) => ({
    ...OUT_OF_SYNC,
    metadata: { annotations: { 'kargo.akuity.io/authorized-stage': value } },
  })

  test('syncs what lists it, with others and spaces', async () => {
    manual({}, stage('shop:test, shop : prod'))
    expect((await run(env({ KPCEA_KARGO_STAGE: 'shop:prod' }))).code).toBe(0)
    expect(posts()).toHaveLength(1)
  })

  test.each([undefined, 'shop:test', 'shop:*', 'shop:prod,*:prod', 'shop:prod,shop'])(
    'does not sync what has %p: the run ends at once and shows the annotation',
    async (value) => {
      manual({}, stage(value))
      const { code, result, elapsed } = await runJson(
        env({ KPCEA_KARGO_STAGE: 'shop:prod', KPCEA_DETAILED_EXITCODE: 'true' }),
      )
      expect(code).toBe(1)
      expect(result.reason).toBe('StageNotAuthorized')
      expect(elapsed).toBeLessThan(10_000)
      expect(result.message).toContain('kargo.akuity.io/authorized-stage: shop:prod')
      expect(result.timedOut).toBe(false)
      expect(posts()).toEqual([])
    },
  )
})

describe('several applications', () => {
  test('one that may not be synced keeps the others from being synced', async () => {
    for (const name of ['a', 'b', 'c']) manual({ name }, OUT_OF_SYNC)
    const { code, result, elapsed } = await runJson(
      env({ ARGOCD_APP_NAME: 'a,b,c' }, { sync: ['default/a', 'default/c'] }),
    )
    expect(code).toBe(1)
    expect(result.reason).toBe('Unauthorized')
    expect(result.message).toContain('p, role:kpcea, applications, sync, default/b, allow')
    expect(elapsed).toBeLessThan(10_000)
    expect(posts()).toEqual([])
  })

  test('one whose sources do not fit keeps the others from being synced', async () => {
    manual({ name: 'a' }, OUT_OF_SYNC)
    manual({ name: 'b', repoURL: 'https://git.example.com/other.git' }, OUT_OF_SYNC)
    const { code, result } = await runJson(
      env({
        ARGOCD_APP_NAME: 'a,b',
        KPCEA_TARGET_REVISION: `https://git.example.com/deployments=${SHA.b}`,
      }),
    )
    expect(code).toBe(1)
    expect(result.message).toContain('no source is called')
    expect(posts()).toEqual([])
  })

  test('what a list shows to have changed is looked at, and not only before the deadline', async () => {
    const labels = { team: 'shop' }
    const refresh = 'argocd.argoproj.io/refresh'
    manual({ labels }, { ...OUT_OF_SYNC, metadata: { annotations: { [refresh]: 'normal' } } })
    const settings = { ARGOCD_APP_NAME: undefined, KPCEA_SELECTOR: 'team=shop', KPCEA_REFRESH: 'none' }
    const { finished } = start(env({ ...settings, KPCEA_WATCH: 'false', KPCEA_TIMEOUT: '50' }))
    await waitFor(() =>
      server.requests.some(({ route, ended }) => route === 'application' && ended !== 'open'),
    )
    server.update('web', (app) => {
      delete app.metadata.annotations[refresh]
    })
    const { code, elapsed } = await finished
    expect(code).toBe(0)
    expect(elapsed).toBeLessThan(35_000)
  })

  test('one that is not there yet keeps the others waiting', async () => {
    manual({ name: 'a' }, OUT_OF_SYNC)
    const { finished, said } = start(env({ ARGOCD_APP_NAME: 'a,b' }))
    await waitFor(() => said().includes('b: '))
    await Bun.sleep(1000)
    expect(posts()).toEqual([])
    manual({ name: 'b' }, OUT_OF_SYNC)
    expect((await finished).code).toBe(0)
    expect(posts()).toHaveLength(2)
  })

  test('nor does one that was synced, and is there no more, let the others start', async () => {
    manual({ name: 'a', images: ['acme/web:1'] }, OUT_OF_SYNC)
    manual({ name: 'b', revision: SHA.b, images: ['acme/web:2'] })
    const images = { KPCEA_TARGET_IMAGES: 'acme/web:2', KPCEA_REFRESH: 'none', KPCEA_TIMEOUT: '8' }
    const { finished, said } = start(env({ ...images, ARGOCD_APP_NAME: 'a,b' }))
    await waitFor(() => said().includes('the sync ended: Succeeded'))
    server.delete('a')
    await waitFor(() => said().includes('NotFound'))
    server.update('b', { status: { sync: { status: 'OutOfSync' } } })
    await finished
    expect(said()).toContain('OutOfSync')
    expect(posts()).toHaveLength(1)
  })

  test('all start, at most eight at once', async () => {
    const names = Array.from({ length: 12 }, (_, i) => `app-${i}`)
    for (const name of names) manual({ name }, OUT_OF_SYNC)
    server.fault({ route: 'sync' }, { kind: 'delay', ms: 300 })
    let most = 0
    const timer = setInterval(() => {
      most = Math.max(most, posts().filter(({ ended }) => ended === 'open').length)
    }, 5)
    const { code } = await run(env({ ARGOCD_APP_NAME: names.join(',') }))
    clearInterval(timer)
    expect(code).toBe(0)
    expect(server.operations.syncs).toHaveLength(12)
    expect(most).toBeGreaterThan(1)
    expect(most).toBeLessThanOrEqual(8)
  })

  test('of another namespace, by the name that policies have for it', async () => {
    await server.stop()
    server = await ArgoCDServer.start({ enabledNamespaces: ['team'] })
    manual({ namespace: 'team' }, OUT_OF_SYNC)
    const settings = { ARGOCD_APP_NAME: 'team/web' }
    expect((await run(env(settings, { sync: ['default/team/web'] }))).code).toBe(0)
    expect(bodies()).toMatchObject([{ name: 'web', appNamespace: 'team' }])
  })
})

describe('what stands in the way', () => {
  /** A deny window that began an hour ago by the clock of its time zone, 5:30 ahead of UTC, and ends in two. */
  function closedForTwoHours() {
    const now = new Date(Date.now() + 5.5 * 3_600_000)
    const began = new Date(now.getTime() - 3_600_000)
    const schedule = `${began.getUTCMinutes()} ${began.getUTCHours()} * * *`
    const window = { kind: 'deny', schedule, duration: '3h', manualSync: false }
    server.syncWindows('web', { canSync: false, activeWindows: [window], assignedWindows: [window] })
    server.project('default', [{ ...window, timeZone: 'Asia/Kolkata' }])
    const opensAt = Math.floor(began.getTime() / 60_000) * 60_000 - 5.5 * 3_600_000 + 3 * 3_600_000
    return { schedule, opensAt: `${new Date(opensAt).toISOString().slice(0, 19)}Z` }
  }

  test('a closed sync window is waited for, and the message says when it opens', async () => {
    manual({}, OUT_OF_SYNC)
    const { schedule, opensAt } = closedForTwoHours()
    const token = server.createToken({ sync: ['*'], projects: ['default'] })
    const short = await run(env({ KPCEA_TIMEOUT: '2', ARGOCD_API_TOKEN: token }))
    expect(short.code).toBe(1)
    expect(short.stdout).toContain(
      `it opens at ${opensAt}, when the deny window "${schedule}" for 3h (Asia/Kolkata) ends`,
    )
    expect(short.stderr).toContain(`waiting: a closed sync window is in the way: it opens at ${opensAt}`)
    expect(server.operations.syncs).toEqual([])
    const { finished, said } = start(env({ KPCEA_TIMEOUT: '40' }))
    await waitFor(() => said().includes('closed sync window'))
    server.syncWindows('web', { canSync: true })
    expect((await finished).code).toBe(0)
    expect(server.operations.syncs).toHaveLength(1)
  }, 60_000)

  test.each(['403', 'hang'])(
    'where the project may not be seen, or hangs (%s), the window is told of without its time zone',
    async (how) => {
      manual({}, OUT_OF_SYNC)
      const { schedule } = closedForTwoHours()
      if (how === 'hang') server.fault({ route: 'project' }, { kind: 'hang' })
      const { stdout, code } = await run(env({ KPCEA_TIMEOUT: '5' }))
      expect(code).toBe(1)
      expect(stdout).toContain(`it opens when the deny window "${schedule}" for 3h ends, at `)
      expect(stdout).toContain('in its time zone')
      expect(server.requests.filter(({ route }) => route === 'project')).toHaveLength(1)
    },
  )

  test('a missing permission ends the run at once, with the policy line', async () => {
    manual({}, OUT_OF_SYNC)
    const { code, result, elapsed } = await runJson(env({ KPCEA_DETAILED_EXITCODE: 'true' }, { sync: [] }))
    expect(code).toBe(3)
    expect(result.reason).toBe('Unauthorized')
    expect(result.message).toContain('p, role:kpcea, applications, sync, default/web, allow')
    expect(elapsed).toBeLessThan(10_000)
    expect(posts()).toEqual([])
  })

  test('so does a missing override, where Argo CD wants that', async () => {
    manual()
    server.operations.requiresOverride = true
    const { code, result } = await runJson(env())
    expect(code).toBe(1)
    expect(result.message).toContain('p, role:kpcea, applications, override, default/web, allow')
    expect((await run(env({}, { override: ['*'] }))).code).toBe(0)
  })

  test('a server that does not say whether it is permitted, or cannot be asked for it: nothing is started, and why', async () => {
    manual({}, OUT_OF_SYNC)
    const lift = server.fault({ route: 'can-i' }, { kind: 'answer', status: 502, body: 'bad gateway' })
    const unknown = await run(env({ KPCEA_TIMEOUT: '2' }))
    expect(unknown.stdout).toContain('whether this account may start it is not known')
    expect(unknown.stdout).toContain('502')
    expect(posts()).toEqual([])
    lift()
    server.fault({ route: 'sync' }, { kind: 'answer', status: 502, body: 'bad gateway' })
    const refused = await run(env({ KPCEA_TIMEOUT: '8', KPCEA_WATCH: 'false' }))
    expect(refused.code).toBe(1)
    expect(refused.stdout).toMatch(/asking for it failed|not known whether it began/)
    expect(posts().length).toBeLessThanOrEqual(2)
    expect(server.operations.syncs).toEqual([])
  })

  test('a sync that fails for good is a no at once, with its message', async () => {
    manual({}, OUT_OF_SYNC)
    server.operations.onSync = () => ({ phase: 'Failed', message: 'one or more objects failed to apply' })
    const { code, result, elapsed } = await runJson(env({ KPCEA_FAIL_AFTER: '60', KPCEA_TIMEOUT: '60' }))
    expect(code).toBe(1)
    expect(result.reason).toBe('OperationFailed')
    expect(result.message).toContain('one or more objects failed to apply')
    expect(result.applications[0]?.started).toMatchObject({ phase: 'Failed' })
    expect(elapsed).toBeLessThan(15_000)
    expect(posts()).toHaveLength(1)
  })

  test('where it failed, the next step is another id; where a window is closed, more time', async () => {
    manual({}, OUT_OF_SYNC)
    server.operations.onSync = () => ({ phase: 'Failed', message: 'one or more objects failed to apply' })
    expect((await run(env({ KPCEA_SYNC_ID: 'promotion-1' }))).stdout).toContain(
      'Next: mend what failed, and then start this again with another KPCEA_SYNC_ID',
    )
    manual({}, OUT_OF_SYNC)
    closedForTwoHours()
    expect((await run(env({ KPCEA_TIMEOUT: '1' }))).stdout).toContain(
      'Next: a longer KPCEA_TIMEOUT, or start this again when the window is open',
    )
  })

  test('one that Argo CD retries follows fail after', async () => {
    manual({}, { ...OUT_OF_SYNC, spec: { syncPolicy: { retry: { limit: 3 } } } })
    server.operations.onSync = (_, attempt) => (attempt < 2 ? { phase: 'Failed', message: 'not yet' } : {})
    expect((await run(env())).code).toBe(0)
    expect(posts()).toHaveLength(1)
    manual({}, { ...OUT_OF_SYNC, spec: { syncPolicy: { retry: { limit: -1 } } } })
    server.operations.onSync = () => ({ phase: 'Failed', message: 'not yet' })
    const { result } = await runJson(env({ KPCEA_FAIL_AFTER: '1' }))
    expect(result).toMatchObject({ reason: 'OperationFailed', timedOut: false })
    expect(posts()).toHaveLength(2)
  })
})

describe('the verdict', () => {
  test('rests on what was compared after the end of the sync, also within one second', async () => {
    manual({}, OUT_OF_SYNC)
    // As Argo CD does: Synced at once, and health from before until the next comparison.
    const begun = () => server.operations.syncs.length > 0
    let looks = 0
    server.onRefresh = (app) => {
      if (begun()) app.status.health.status = ++looks > 1 ? 'Healthy' : 'Progressing'
    }
    const { finished, said } = start(env())
    await waitFor(() => said().includes('the sync ended: Succeeded'))
    await waitFor(() => said().includes('NotHealthy'))
    server.update('web', { status: { health: { status: 'Healthy' } } })
    expect((await finished).code).toBe(0)
    expect(looks).toBeGreaterThan(0)
  })

  test('is no where the sync succeeded and something else is wrong', async () => {
    manual({}, OUT_OF_SYNC)
    server.operations.onSync = (app) => {
      app.status.health = { status: 'Degraded', message: 'it crashes' }
      return {}
    }
    const { result } = await runJson(env({ KPCEA_FAIL_AFTER: '1' }))
    expect(result.reason).toBe('NotHealthy')
    expect(result.message).toContain('a sync to')
    expect(result.applications[0]?.started?.phase).toBe('Succeeded')
  })

  test('says so where Argo CD compares with another commit than the one that was synced', async () => {
    manual()
    server.operations.keepsSync = true
    server.operations.onSync = (app) => {
      app.status.sync = { ...app.status.sync, status: 'OutOfSync', revision: SHA.c }
      return {}
    }
    const { result } = await runJson(env({ KPCEA_TIMEOUT: '2' }))
    expect(result.verified).toBe(false)
    expect(result.message).toContain(`compares with what the application tracks (main), which is ${SHA.c}`)
    expect(posts()).toHaveLength(1)
  })
})

describe('one look', () => {
  test('starts nothing, and says what it would start', async () => {
    manual({}, OUT_OF_SYNC)
    const { code, result, stdout } = await runJson(env({ KPCEA_TIMEOUT: '0' }))
    expect(code).toBe(1)
    expect(result.applications[0]?.wouldStart).toEqual({ revisions: [SHA.b], prune: false })
    expect(stdout).toContain(`--sync would start a sync to ${SHA.b}`)
    expect(server.requests.filter(({ method }) => method !== 'GET')).toEqual([])
  })

  test('says that it may not', async () => {
    manual({}, OUT_OF_SYNC)
    const { stdout } = await run(env({ KPCEA_TIMEOUT: '0' }, { sync: [] }))
    expect(stdout).toContain('applications, sync, default/web, allow')
  })
})

describe('interruptions, with an id', () => {
  const promotion = () => env({ KPCEA_SYNC_ID: 'promotion-1', KPCEA_TIMEOUT: '30' })

  test('killed before the sync is asked for', async () => {
    manual({}, OUT_OF_SYNC)
    const lift = server.fault({ route: 'can-i' }, { kind: 'hang' })
    const first = start(promotion())
    await waitFor(() => server.requests.some(({ route }) => route === 'can-i'))
    first.process.kill('SIGKILL')
    await first.finished
    lift()
    expect((await run(promotion())).code).toBe(0)
    expect(server.operations.syncs).toHaveLength(1)
  })

  test.each(
    (['hang', 'reset', 'close'] as const).flatMap((how) => [[how, 'true'] as const, [how, 'false'] as const]),
  )('the sync is started, and its answer does not come (%s, watching: %s)', async (how, watch) => {
    manual({}, OUT_OF_SYNC)
    server.fault({ route: 'sync', times: 1 }, { kind: 'lost', how })
    const { code, stderr } = await run({ ...promotion(), KPCEA_WATCH: watch })
    expect(code).toBe(0)
    expect(server.operations.syncs).toHaveLength(1)
    expect(posts()).toHaveLength(1)
    if (how !== 'hang' && watch === 'false') expect(stderr).toContain('the answer was lost')
  })

  test('killed between the sync and its answer', async () => {
    manual({}, OUT_OF_SYNC)
    const lift = server.fault({ route: 'sync' }, { kind: 'lost', how: 'hang' })
    const first = start(promotion())
    await waitFor(() => server.operations.syncs.length === 1)
    first.process.kill('SIGKILL')
    await first.finished
    lift()
    const { code, result } = await runJson(promotion())
    expect(code).toBe(0)
    expect(result.applications[0]?.started).toMatchObject({ adopted: true, phase: 'Succeeded' })
    expect(server.operations.syncs).toHaveLength(1)
  })

  test('killed while it runs, and while it is over', async () => {
    for (const until of ['Running', 'Succeeded']) {
      manual({}, OUT_OF_SYNC)
      server.operations.keepsSync = true
      const before = server.operations.syncs.length
      const first = start(promotion())
      await waitFor(
        () =>
          server.operations.syncs.length === before + 1 &&
          server.get('web')?.status.operationState?.phase === until,
      )
      first.process.kill('SIGKILL')
      await first.finished
      const second = start(promotion())
      await Bun.sleep(700)
      server.update('web', { status: { sync: { status: 'Synced', revision: SHA.b } } })
      expect((await second.finished).code).toBe(0)
      expect(server.operations.syncs).toHaveLength(before + 1)
    }
  })

  test('a sync that was never heard is asked for again, after a look', async () => {
    manual({}, OUT_OF_SYNC)
    server.fault({ route: 'sync', times: 1 }, { kind: 'reset' })
    const { code } = await run(promotion())
    expect(code).toBe(0)
    expect(posts()).toHaveLength(2)
    expect(server.operations.syncs).toHaveLength(1)
    const [first, second] = posts()
    const looks = server.requests.filter(
      ({ route, at, method }) =>
        method === 'GET' && route === 'application' && at > (first?.at ?? 0) && at <= (second?.at ?? 0),
    )
    expect(looks.length).toBeGreaterThan(0)
  })
})

describe('kpcea doctor --sync', () => {
  const doctor = (settings: Environment, grants?: Parameters<typeof env>[1]) =>
    run(env(settings, grants), ['doctor', '--sync'])

  test('says that it would be permitted, and changes nothing', async () => {
    manual({}, OUT_OF_SYNC)
    const { code, stdout } = await doctor({})
    expect(stdout).toContain('kpcea may sync it')
    expect(code).toBe(0)
    expect(posts()).toEqual([])
  })

  test('says that a window is closed, and when it opens; what is synced automatically needs nothing', async () => {
    manual({}, OUT_OF_SYNC)
    const window = { kind: 'deny', schedule: '0 0 * * *', duration: '23h59m', manualSync: false }
    server.syncWindows('web', { canSync: false, activeWindows: [window], assignedWindows: [window] })
    const closed = await doctor({})
    expect(closed.code).toBe(0)
    expect(closed.stdout).toContain('a closed sync window is in the way: it opens when the deny window')
    expect(closed.stdout).toContain('at 23:59 in its time zone')
    server.apply(application({ name: 'web', revision: SHA.a }))
    const left = await doctor({ KPCEA_KARGO_STAGE: 'shop:prod' }, { sync: [] })
    expect(left.stdout).toContain('is left to automated sync')
    expect(left.code).toBe(0)
    expect(posts()).toEqual([])
  })

  test('says what is missing: the policy, or the annotation', async () => {
    manual({}, OUT_OF_SYNC)
    const denied = await doctor({}, { sync: [] })
    expect(denied.code).toBe(1)
    expect(denied.stdout).toContain('p, kpcea, applications, sync, default/web, allow')
    const stranger = await doctor({ KPCEA_KARGO_STAGE: 'shop:prod' })
    expect(stranger.code).toBe(1)
    expect(stranger.stdout).toContain('kargo.akuity.io/authorized-stage: shop:prod')
  })
})

test('the termination message and the summary say what was started', async () => {
  manual({}, OUT_OF_SYNC)
  manual({ name: 'api' }, OUT_OF_SYNC)
  const log = join(temporaryDirectory(), 'termination')
  const { stdout } = await run(
    env({ ARGOCD_APP_NAME: 'web,api', KPCEA_SYNC_ID: 'promotion-1', KPCEA_TERMINATION_LOG: log }),
  )
  const message = readFileSync(log, 'utf8')
  for (const text of [stdout, message]) {
    expect(text).toContain('promotion-1')
    expect(text).toContain(SHA.b.slice(0, 8))
    expect(text).toContain('Succeeded')
  }
})

test('settings that need --sync are warned of without it, and nothing is synced', async () => {
  manual({}, OUT_OF_SYNC)
  const { stderr } = await run(
    env({ KPCEA_SYNC: undefined, KPCEA_SYNC_ID: 'x', KPCEA_KARGO_STAGE: 'a:b', KPCEA_TIMEOUT: '1' }),
  )
  expect(stderr).toContain('KPCEA_SYNC_ID (--sync-id) is not used without KPCEA_SYNC (--sync)')
  expect(posts()).toEqual([])
})
