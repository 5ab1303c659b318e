/**
 * "Where other gates are wrong": every case of the README's table by name, on the executable, against a simulated
 * Argo CD whose applications change as real ones do.
 */

import { afterEach, beforeEach, expect, test } from 'bun:test'
import { resultSchema } from '../lib/result-schema.ts'
import { ArgoCDServer, application, type JsonObject } from './argocd/server.ts'
import { connect, type Environment, runJson, start, waitFor } from './executable.ts'
import { SHA } from './fixtures.ts'

let server: ArgoCDServer
beforeEach(async () => {
  server = await ArgoCDServer.start()
})
afterEach(() => server.stop())

const OLD = SHA.a
const NEW = SHA.b
const put = (revision: string, change: JsonObject = {}) =>
  server.apply(application({ name: 'web', revision }, change))
const wanting = (env: Environment = {}) =>
  connect(server, { ARGOCD_APP_NAME: 'web', KPCEA_TARGET_REVISION: NEW, KPCEA_TIMEOUT: '30', ...env })

/** A run that is under way, once it has seen what it was to see. */
async function waiting(env: Environment, seen: string) {
  const running = start(wanting({ ...env, KPCEA_OUTPUT: 'json' }))
  await waitFor(() => running.said().includes(seen))
  return {
    said: running.said,
    result: async () => resultSchema.parse(JSON.parse((await running.finished).stdout)),
  }
}

test('Synced and Healthy at the previous revision, the new commit not seen yet', async () => {
  put(OLD)
  const run = await waiting({}, 'RevisionMismatch')
  put(NEW)
  expect(await run.result()).toMatchObject({ verified: true })

  put(OLD)
  expect((await runJson(wanting({ KPCEA_TIMEOUT: '1' }))).result).toMatchObject({
    verified: false,
    reason: 'RevisionMismatch',
  })
})

test('operation just ended, health still from before it', async () => {
  const ended = {
    status: { reconciledAt: '2030-01-01T00:00:00Z', operationState: { finishedAt: '2030-01-01T00:00:05Z' } },
  }
  put(NEW, ended)
  server.stopController()
  const run = await waiting({}, 'StatusStale')
  await waitFor(() => server.refreshes.length === 1)
  // The next assessment shows what the sync has done.
  put(NEW, {
    status: {
      reconciledAt: '2030-01-01T00:00:06Z',
      operationState: { finishedAt: '2030-01-01T00:00:05Z' },
      health: { status: 'Progressing' },
    },
  })
  await waitFor(() => run.said().includes('NotHealthy'))
  put(NEW, {
    status: { reconciledAt: '2030-01-01T00:00:09Z', operationState: { finishedAt: '2030-01-01T00:00:05Z' } },
  })
  const result = await run.result()
  expect(result).toMatchObject({ verified: true })
  expect(run.said()).not.toMatch(/as wanted[\s\S]*NotHealthy/)
})

test('PostSync hook failed, all resources Synced and Healthy', async () => {
  put(NEW, {
    status: {
      operationState: {
        phase: 'Failed',
        message: 'one or more synchronization tasks completed unsuccessfully',
        syncResult: {
          revision: NEW,
          resources: [
            {
              kind: 'Job',
              name: 'smoke-test',
              namespace: 'web',
              status: 'Synced',
              hookType: 'PostSync',
              hookPhase: 'Failed',
              message: 'Job has reached the specified backoff limit',
            },
          ],
        },
      },
    },
  })
  const { result } = await runJson(wanting({ KPCEA_FAIL_AFTER: '0' }))
  expect(result).toMatchObject({ verified: false, reason: 'OperationFailed', timedOut: false })
  expect(result.message).toContain('smoke-test')
  expect(result.applications[0]?.unhealthyResources[0]).toMatchObject({
    kind: 'Job',
    name: 'smoke-test',
    status: 'Failed',
  })
})

test('spec just changed, status still about the old spec', async () => {
  put(NEW, { spec: { source: { helm: { parameters: [{ name: 'replicas', value: '3' }] } } } })
  server.stopController()
  const run = await waiting({}, 'StatusStale')
  server.startController()
  put(NEW, { status: { health: { status: 'Progressing' } } })
  await waitFor(() => run.said().includes('Progressing'))
  put(NEW)
  expect(await run.result()).toMatchObject({ verified: true })
})

test('already in the wanted state when asked', async () => {
  put(NEW)
  const { result } = await runJson(wanting({ KPCEA_TIMEOUT: '60' }))
  expect(result).toMatchObject({ verified: true })
  expect(result.durationSeconds).toBeLessThan(10)
  expect(server.requests).toHaveLength(1)
})

test('Degraded for some seconds in a rolling update', async () => {
  const degraded = { status: { health: { status: 'Degraded' } } }
  put(NEW, degraded)
  const run = await waiting({ KPCEA_FAIL_AFTER: '5' }, 'Degraded')
  // Twice for three seconds: six in all, and never five at a stretch.
  await Bun.sleep(3000)
  put(NEW, { status: { health: { status: 'Progressing' } } })
  await waitFor(() => run.said().includes('Progressing'))
  put(NEW, degraded)
  await Bun.sleep(3000)
  put(NEW)
  expect(await run.result()).toMatchObject({ verified: true })
})

test('broken for good', async () => {
  put(NEW, { status: { health: { status: 'Degraded' } } })
  server.resourceTree('web', {
    nodes: [
      {
        kind: 'Pod',
        version: 'v1',
        namespace: 'web',
        name: 'web-1',
        health: { status: 'Degraded', message: 'ImagePullBackOff' },
      },
    ],
  })
  const { result } = await runJson(wanting({ KPCEA_FAIL_AFTER: '1', KPCEA_TIMEOUT: '60' }))
  expect(result).toMatchObject({ verified: false, reason: 'NotHealthy', timedOut: false })
  expect(result.durationSeconds).toBeLessThan(30)
  expect(result.message).toContain('ImagePullBackOff')
})

test('several sources', async () => {
  const sources = [
    { repoURL: 'https://charts.example.com', chart: 'web', targetRevision: '1.4.2', revision: '1.4.2' },
    { repoURL: 'https://git.example.com/values.git', targetRevision: 'main', ref: 'values', revision: NEW },
  ]
  server.apply(application({ name: 'web', sources }))
  expect((await runJson(wanting())).result).toMatchObject({ verified: true })
})

test('a later commit overtook the wanted one', async () => {
  const history = [OLD, NEW, SHA.c].map((revision, id) => ({
    id,
    revision,
    deployedAt: '2030-01-01T00:00:00Z',
  }))
  put(SHA.c, { status: { history } })
  expect((await runJson(wanting({ KPCEA_REVISION_POLICY: 'at-least' }))).result).toMatchObject({
    verified: true,
  })
  const exact = await runJson(wanting({ KPCEA_TIMEOUT: '1' }))
  expect(exact.result).toMatchObject({ verified: false, reason: 'RevisionMismatch' })
  expect(exact.result.message).toContain('at-least')
})

test('commit not seen for three minutes, no webhook', async () => {
  put(OLD)
  server.onRefresh = () => put(NEW)
  expect((await runJson(wanting())).result).toMatchObject({ verified: true })
  expect(server.refreshes.map(({ name, type }) => [name, type])).toEqual([['web', 'normal']])
})

test('server accepts and never answers', async () => {
  put(NEW)
  server.fault({}, { kind: 'hang' })
  const { result, code } = await runJson(wanting({ KPCEA_TIMEOUT: '2' }))
  expect(code).toBe(1)
  expect(result).toMatchObject({ verified: false, reason: 'Unreachable', timedOut: true })
  expect(result.durationSeconds).toBeLessThan(2.5)
})

test.each(['true', 'false'])('selector matches nothing (watch: %s)', async (watch) => {
  put(NEW)
  const { result } = await runJson(
    wanting({
      ARGOCD_APP_NAME: undefined,
      KPCEA_SELECTOR: 'team=nobody',
      KPCEA_TIMEOUT: '2',
      KPCEA_WATCH: watch,
    }),
  )
  expect(result).toMatchObject({ verified: false, reason: 'NotFound', timedOut: true, applications: [] })
  expect(result.message).toContain('team=nobody')
})

/** An operation whose PostSync hook has failed. */
const failedHook = (revision: string) => ({
  syncResult: {
    revision,
    resources: [
      { kind: 'Job', name: 'smoke-test', namespace: 'web', hookType: 'PostSync', hookPhase: 'Failed' },
    ],
  },
})

test('a failed hook that is retried, or followed by an unrelated commit', async () => {
  const retried = { phase: 'Running', retryCount: 1, ...failedHook(NEW) }
  put(NEW, { status: { operationState: retried } })
  const first = await runJson(wanting({ KPCEA_FAIL_AFTER: '0' }))
  expect(first.result).toMatchObject({ verified: false, reason: 'OperationFailed', timedOut: false })

  // The commit that is wanted changes nothing, so it moves the revision on without any sync.
  const before = { phase: 'Failed', operation: { sync: { revision: OLD } }, ...failedHook(OLD) }
  put(NEW, { status: { operationState: before } })
  const then = await runJson(wanting({ KPCEA_FAIL_AFTER: '0' }))
  expect(then.result).toMatchObject({ verified: false, reason: 'OperationFailed', timedOut: false })
})

test('same commit synced once more, hooks running', async () => {
  put(NEW, { status: { operationState: { phase: 'Running', finishedAt: undefined } } })
  const run = await waiting({}, 'OperationInProgress')
  put(NEW)
  expect(await run.result()).toMatchObject({ verified: true })
})

test('application not created yet', async () => {
  const run = await waiting({}, 'NotFound')
  put(NEW)
  expect(await run.result()).toMatchObject({ verified: true })
})

test('short SHA, tag, tracked branch', async () => {
  put(NEW)
  server.commit(NEW, { message: 'a release', tags: ['v1.4.0'] })
  server.onRefresh = () => put(NEW)
  for (const wanted of [NEW.slice(0, 7), 'v1.4.0', 'main'])
    expect((await runJson(wanting({ KPCEA_TARGET_REVISION: wanted }))).result).toMatchObject({
      verified: true,
    })
})
