/**
 * Where a real Argo CD makes it look as if an application were as wanted, and it is not: the executable says no, for as
 * long as that is so. Each of these fails where its rule of docs/verification.md is taken away.
 */

import { expect, test } from 'bun:test'
import { type ApplicationOptions, ArgoCDServer, application, type JsonObject } from './argocd/server.ts'
import { connect, type Environment, runJson, start, waitFor } from './executable.ts'
import { SHA } from './fixtures.ts'

const OLD = SHA.a
const NEW = SHA.b
const LONG_AGO = new Date(Date.now() - 3_600_000)

const put = (server: ArgoCDServer, options: ApplicationOptions, change: JsonObject = {}) =>
  server.apply(application({ name: 'web', ...options }, change))

function wanting(server: ArgoCDServer, env: Environment = {}) {
  return connect(server, { ARGOCD_APP_NAME: 'web', KPCEA_TARGET_REVISION: NEW, KPCEA_TIMEOUT: '20', ...env })
}

test.concurrent('a tracked tag that has moved, by the tags of the commit before', async () => {
  await using server = await ArgoCDServer.start()
  put(server, { revision: OLD, targetRevision: 'v1' })
  server.commit(OLD, { message: 'a release', tags: ['v1'] })
  const { result } = await runJson(wanting(server, { KPCEA_TARGET_REVISION: 'v1', KPCEA_TIMEOUT: '0' }))
  expect(result).toMatchObject({ verified: false, reason: 'RevisionMismatch' })
})

test.concurrent('a branch, by a refresh that somebody else’s has answered, from before the push', async () => {
  await using server = await ArgoCDServer.start({ version: '3.5' })
  put(server, { revision: OLD, at: LONG_AGO })
  server.onRefresh = (app) => {
    // The first comparison had read Git before.
    if (server.refreshes.length > 1) app.status.sync.revision = NEW
  }
  const env = { KPCEA_TARGET_REVISION: 'main', KPCEA_TIMEOUT: '12' }
  const { result } = await runJson(wanting(server, env))
  expect(result).toMatchObject({ verified: true })
  expect(result.applications[0]?.sync.revisions).toEqual([NEW])
  expect(server.refreshes).toHaveLength(2)
})

test.concurrent('a branch, by a refresh that has compared nothing', async () => {
  await using server = await ArgoCDServer.start()
  put(server, { revision: OLD, at: LONG_AGO })
  server.loseStatus()
  const env = { KPCEA_TARGET_REVISION: 'main', KPCEA_TIMEOUT: '4' }
  const { result } = await runJson(wanting(server, env))
  expect(result).toMatchObject({ verified: false, reason: 'RevisionMismatch', timedOut: true })
  expect(server.refreshes.length).toBeGreaterThan(1)
})

test.concurrent('the branch of a dry source whose last commit is not hydrated yet', async () => {
  await using server = await ArgoCDServer.start()
  const status = { sourceHydrator: { lastComparedDryRevision: SHA.d } }
  put(server, { revision: OLD, drySHA: SHA.c }, { status })
  const env = { KPCEA_TARGET_REVISION: 'main', KPCEA_REFRESH: 'none', KPCEA_TIMEOUT: '0' }
  expect((await runJson(wanting(server, env))).result).toMatchObject({
    verified: false,
    reason: 'RevisionMismatch',
  })
})

test.concurrent('the branch of a dry source, before a refresh has shown where it points', async () => {
  await using server = await ArgoCDServer.start()
  put(server, { revision: OLD, drySHA: SHA.c })
  const env = { KPCEA_TARGET_REVISION: 'main', KPCEA_TIMEOUT: '0' }
  expect((await runJson(wanting(server, env))).result).toMatchObject({
    verified: false,
    reason: 'RevisionMismatch',
  })
})

test.concurrent('a state that a stream tells of, and that is no more', async () => {
  await using server = await ArgoCDServer.start({ cacheDelayMs: 1500 })
  put(server, { revision: OLD })
  const running = start(wanting(server, { KPCEA_REFRESH: 'none', KPCEA_TIMEOUT: '4', KPCEA_OUTPUT: 'json' }))
  await waitFor(() => running.said().includes('RevisionMismatch'))
  await waitFor(() => server.requests.some(({ route, bytesSent }) => route === 'stream' && bytesSent > 0))
  put(server, { revision: NEW })
  // For a moment only, and the cache is behind.
  await Bun.sleep(700)
  put(server, { revision: NEW }, { status: { health: { status: 'Degraded' } } })
  const { code, stdout } = await running.finished
  expect(JSON.parse(stdout)).toMatchObject({ verified: false, reason: 'NotHealthy', timedOut: true })
  expect(code).toBe(1)
})

test.concurrent('of several applications, each as wanted, and never at one time', async () => {
  await using server = await ArgoCDServer.start()
  const apply = (name: string, revision: string) => server.apply(application({ name, revision }))
  apply('web', OLD)
  apply('api', OLD)
  // While one is being read, the other changes.
  server.fault({ route: 'application', name: 'web', refresh: false }, { kind: 'delay', ms: 800 })
  const env = { ARGOCD_APP_NAME: 'web,api', KPCEA_REFRESH: 'none', KPCEA_TIMEOUT: '6', KPCEA_OUTPUT: 'json' }
  const running = start(wanting(server, env))
  await waitFor(() => running.said().match(/RevisionMismatch/g)?.length === 2)
  const before = server.requests.length
  apply('web', NEW)
  apply('api', NEW)
  await waitFor(() => server.requests.slice(before).some(({ name }) => name === 'web'))
  apply('api', OLD)
  expect(JSON.parse((await running.finished).stdout)).toMatchObject({ verified: false })
})

test.concurrent.each(['true', 'false'])(
  'the first of the applications that are still being created (watch: %s)',
  async (watch) => {
    await using server = await ArgoCDServer.start()
    const create = (name: string) =>
      server.apply(application({ name, revision: NEW, labels: { team: 'web' } }))
    create('web-1')
    const selecting = {
      ARGOCD_APP_NAME: undefined,
      KPCEA_SELECTOR: 'team=web',
      KPCEA_SELECTOR_MIN: '2',
      KPCEA_WATCH: watch,
    }
    const few = await runJson(wanting(server, { ...selecting, KPCEA_TIMEOUT: '5' }))
    expect(few.result).toMatchObject({ verified: false, reason: 'NotFound', timedOut: true })
    expect(few.result.message).toMatch(/1 .*2|2 .*1/)

    const running = start(wanting(server, selecting))
    await waitFor(() => server.requests.length > 1)
    create('web-2')
    expect((await running.finished).code).toBe(0)
  },
)

test.concurrent('an image that an ended Pod ran, and another one still does', async () => {
  await using server = await ArgoCDServer.start()
  put(server, { images: ['acme/web:1', 'acme/web:2'] })
  const pod = (name: string, tag: number, info: Record<string, string>) => ({
    kind: 'Pod',
    name,
    uid: name,
    images: [`acme/web:${tag}`],
    health: { status: 'Healthy' },
    info: Object.entries(info).map(([key, value]) => ({ name: key, value })),
  })
  const runs = { 'Status Reason': 'Running', Containers: '1/1', cpu: '0' }
  const hasEnded = { 'Status Reason': 'Completed', Containers: '0/1' }
  const nodes = [pod('a', 1, hasEnded), pod('b', 1, runs), pod('c', 2, runs)]
  server.resourceTree('web', { nodes })
  const env = { KPCEA_TARGET_REVISION: undefined, KPCEA_TARGET_IMAGES: 'acme/web:2', KPCEA_TIMEOUT: '3' }
  expect((await runJson(wanting(server, env))).result).toMatchObject({
    verified: false,
    reason: 'ImageMismatch',
  })
})

const dryRun = { phase: 'Succeeded', operation: { sync: { dryRun: true } } }
const unapplied = {
  phase: 'Failed',
  syncResult: { revision: OLD, resources: [{ kind: 'Deployment', name: 'web', status: 'SyncFailed' }] },
}

const ended = { phase: 'Failed' }
const retrying = { phase: 'Running', retryCount: 1 }

test.concurrent.each([
  ['a dry run', ended, dryRun],
  ['a sync to another commit that came to no hook, and is undone,', ended, unapplied],
  ['the next attempt, which came to no hook,', retrying, { ...unapplied, retryCount: 1 }],
])('a failed hook whose place %s has taken', async (_, first, operationState) => {
  await using server = await ArgoCDServer.start()
  const hook = { kind: 'Job', name: 'smoke', namespace: 'web', hookType: 'PostSync', hookPhase: 'Failed' }
  const failed = { ...first, syncResult: { revision: NEW, resources: [hook] } }
  put(server, { revision: NEW }, { status: { operationState: failed } })
  const running = start(wanting(server, { KPCEA_TIMEOUT: '5', KPCEA_OUTPUT: 'json' }))
  await waitFor(() => running.said().includes('OperationFailed'))
  put(server, { revision: NEW }, { status: { operationState } })
  expect(JSON.parse((await running.finished).stdout)).toMatchObject({
    verified: false,
    reason: 'OperationFailed',
  })
})

test.concurrent('a soak that was broken while nobody looked', async () => {
  await using server = await ArgoCDServer.start()
  put(server, { revision: NEW })
  const env = { KPCEA_STABLE_FOR: '3', KPCEA_WATCH: 'false', KPCEA_TIMEOUT: '20', KPCEA_OUTPUT: 'json' }
  const running = start(wanting(server, env))
  await waitFor(() => server.requests.length > 0)
  // It is looked at each interval meanwhile.
  put(server, { revision: NEW }, { status: { health: { status: 'Progressing' } } })
  await waitFor(() => running.said().includes('NotHealthy'))
  const brokenAt = Date.now()
  put(server, { revision: NEW })
  expect(JSON.parse((await running.finished).stdout)).toMatchObject({ verified: true })
  expect(Date.now() - brokenAt).toBeGreaterThanOrEqual(3000)
})

test.concurrent('what is no check any more, without a word', async () => {
  await using server = await ArgoCDServer.start()
  put(server, { revision: OLD, images: ['acme/web:1'] })
  const images = { KPCEA_TARGET_REVISION: '', KPCEA_TARGET_IMAGES: 'acme/web:1' }
  const emptied = await runJson(wanting(server, images))
  expect(emptied.stderr).toContain('KPCEA_TARGET_REVISION (--revision) is there and empty')

  const untold = await runJson(wanting(server, { KPCEA_TARGET_REVISION: 'main', KPCEA_REFRESH: 'none' }))
  expect(untold.result).toMatchObject({ verified: true })
  expect(untold.stderr).toContain('however old, so this is no gate')
})
