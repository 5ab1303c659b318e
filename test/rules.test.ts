/** Every row and rule of docs/verification.md on the executable: each fails where its rule is taken away. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Reason } from '../lib/result-schema.ts'
import { type ApplicationOptions, ArgoCDServer, application, type JsonObject } from './argocd/server.ts'
import { connect, type Environment, runJson, start, waitFor } from './executable.ts'
import { SHA } from './fixtures.ts'

let server: ArgoCDServer
beforeAll(async () => {
  server = await ArgoCDServer.start()
})
afterAll(() => server.stop())

/** One look at one application: what the verdict is. */
async function look(options: ApplicationOptions, change: JsonObject, env: Environment = {}) {
  server.apply(application({ name: 'web', revision: SHA.a, ...options }, change))
  const settings = { ARGOCD_APP_NAME: 'web', KPCEA_TARGET_REVISION: SHA.a, KPCEA_TIMEOUT: '0', ...env }
  const { result, code } = await runJson(connect(server, settings))
  expect(code).toBe(result.verified ? 0 : 1)
  return { ...result, check: result.applications[0]?.checks.find((one) => one.code === result.reason) }
}

const SECONDS = (n: number) => `2030-01-01T00:00:${String(n).padStart(2, '0')}Z`
const DIGEST = `sha256:${'d'.repeat(64)}`

type Case = readonly [
  name: string,
  reason: Reason,
  state: 'pending' | 'failing' | 'met',
  change: JsonObject,
  options?: ApplicationOptions,
  env?: Environment,
]

const NO: readonly Case[] = [
  ['being deleted', 'Deleting', 'failing', { metadata: { deletionTimestamp: SECONDS(0) } }],
  ['operation asked for', 'OperationInProgress', 'pending', { operation: { sync: { revision: SHA.a } } }],
  [
    'operation running',
    'OperationInProgress',
    'pending',
    { status: { operationState: { phase: 'Running', finishedAt: null } } },
  ],
  [
    'operation waiting for a retry',
    'OperationFailed',
    'failing',
    { status: { operationState: { phase: 'Running' } } },
  ],
  [
    'operation in a phase that nobody knows',
    'OperationInProgress',
    'pending',
    { status: { operationState: { phase: 'Resting' } } },
  ],
  ['operation failed', 'OperationFailed', 'failing', { status: { operationState: { phase: 'Failed' } } }],
  ['operation in error', 'OperationFailed', 'failing', { status: { operationState: { phase: 'Error' } } }],
  [
    'refresh asked for',
    'StatusStale',
    'pending',
    {},
    { annotations: { 'argocd.argoproj.io/refresh': 'normal' } },
  ],
  ['source changed since', 'StatusStale', 'pending', { spec: { source: { path: 'new' } } }],
  ['destination changed since', 'StatusStale', 'pending', { spec: { destination: { namespace: 'new' } } }],
  [
    'reconciled before the operation ended',
    'StatusStale',
    'pending',
    { status: { reconciledAt: SECONDS(1), operationState: { finishedAt: SECONDS(2) } } },
  ],
  [
    'reconciled in the second in which the operation ended, and not at what it synced',
    'StatusStale',
    'pending',
    {
      status: {
        reconciledAt: SECONDS(2),
        operationState: { finishedAt: SECONDS(2), syncResult: { revision: SHA.b } },
      },
    },
  ],
  [
    'hydrated, and not compared since',
    'StatusStale',
    'pending',
    {
      status: {
        reconciledAt: SECONDS(2),
        sourceHydrator: { currentOperation: { finishedAt: SECONDS(2), hydratedSHA: SHA.c } },
        operationState: null,
      },
    },
    { revision: SHA.b, drySHA: SHA.a },
  ],
  [
    'Synced at no commit: a dry run after a sync of local manifests',
    'StatusStale',
    'pending',
    { status: { operationState: { operation: { sync: { dryRun: true } } } } },
    { revision: 'main', targetRevision: 'main', images: ['acme/web:1'] },
    { KPCEA_TARGET_REVISION: '', KPCEA_TARGET_IMAGES: 'acme/web:1' },
  ],
  [
    'ComparisonError',
    'Conditions',
    'failing',
    { status: { conditions: [{ type: 'ComparisonError', message: 'm' }] } },
  ],
  [
    'InvalidSpecError',
    'Conditions',
    'failing',
    { status: { conditions: [{ type: 'InvalidSpecError', message: 'm' }] } },
  ],
  [
    'UnknownError',
    'Conditions',
    'failing',
    { status: { conditions: [{ type: 'UnknownError', message: 'm' }] } },
  ],
  [
    'a condition that nobody knows',
    'Conditions',
    'pending',
    { status: { conditions: [{ type: 'Odd', message: 'm' }] } },
  ],
  [
    'hydration under way',
    'Hydrating',
    'pending',
    { status: { sourceHydrator: { currentOperation: { phase: 'Hydrating' } } } },
    { drySHA: SHA.c },
  ],
  [
    'hydration failed',
    'Hydrating',
    'failing',
    { status: { sourceHydrator: { currentOperation: { phase: 'Failed', message: 'm' } } } },
    { drySHA: SHA.c },
  ],
  ['out of sync', 'OutOfSync', 'pending', { status: { sync: { status: 'OutOfSync' } } }],
  [
    'auto-sync gave up',
    'OutOfSync',
    'failing',
    { status: { sync: { status: 'OutOfSync' }, conditions: [{ type: 'SyncError', message: 'm' }] } },
  ],
  ['another revision', 'RevisionMismatch', 'pending', {}, { revision: SHA.b }],
  [
    'a SHA shorter than seven digits',
    'RevisionMismatch',
    'pending',
    {},
    {},
    { KPCEA_TARGET_REVISION: SHA.a.slice(0, 6) },
  ],
  [
    'a tracked branch without a refresh',
    'RevisionMismatch',
    'pending',
    {},
    { targetRevision: 'main' },
    { KPCEA_TARGET_REVISION: 'main' },
  ],
  [
    'overtaken, where at-least is not asked for',
    'RevisionMismatch',
    'pending',
    {
      status: { history: [SHA.a, SHA.b].map((revision, id) => ({ id, revision, deployedAt: SECONDS(id) })) },
    },
    { revision: SHA.b },
  ],
  [
    'the dry revision of an older hydration',
    'RevisionMismatch',
    'pending',
    {},
    { revision: SHA.b, drySHA: SHA.c },
    { KPCEA_TARGET_REVISION: SHA.d },
  ],
  [
    'a dry revision that is hydrated, while an older one is synced',
    'RevisionMismatch',
    'pending',
    {
      status: {
        sourceHydrator: {
          lastComparedDryRevision: SHA.d,
          lastSuccessfulOperation: { drySHA: SHA.d, hydratedSHA: SHA.a },
        },
      },
    },
    { revision: SHA.b, drySHA: SHA.c },
    { KPCEA_TARGET_REVISION: SHA.d, KPCEA_REFRESH: 'none' },
  ],
  [
    'a hydration asked for',
    'Hydrating',
    'pending',
    {},
    { revision: SHA.a, drySHA: SHA.c, annotations: { 'argocd.argoproj.io/hydrate': 'normal' } },
  ],
  [
    'a newer dry revision, before a refresh has shown that it needs no hydration',
    'RevisionMismatch',
    'pending',
    { status: { sourceHydrator: { lastComparedDryRevision: SHA.d } } },
    { revision: SHA.b, drySHA: SHA.c },
    { KPCEA_TARGET_REVISION: SHA.d },
  ],
  [
    'at-least, rolled back to what was deployed before',
    'RevisionMismatch',
    'pending',
    {
      status: {
        history: [SHA.a, SHA.b, SHA.a].map((revision, id) => ({ id, revision, deployedAt: SECONDS(id) })),
      },
    },
    { revision: SHA.a },
    { KPCEA_TARGET_REVISION: SHA.b, KPCEA_REVISION_POLICY: 'at-least' },
  ],
  [
    'one of several sources by name',
    'RevisionMismatch',
    'pending',
    {},
    {
      sources: [
        { repoURL: 'a', revision: SHA.a },
        { repoURL: 'b', revision: SHA.b },
      ],
    },
    { KPCEA_TARGET_REVISION: `a=${SHA.a},b=${SHA.a}` },
  ],
  [
    'a source that does not exist',
    'RevisionMismatch',
    'failing',
    {},
    {},
    { KPCEA_TARGET_REVISION: `nope=${SHA.a}` },
  ],
  [
    'another image',
    'ImageMismatch',
    'pending',
    {},
    { images: ['acme/web:1.1'] },
    { KPCEA_TARGET_IMAGES: 'acme/web:1.2' },
  ],
  [
    'an old tag beside the new',
    'ImageMismatch',
    'pending',
    {},
    { images: ['acme/web:1.1', 'acme/web:1.2'] },
    { KPCEA_TARGET_IMAGES: 'acme/web:1.2' },
  ],
  [
    'an image that does not run',
    'ImageMismatch',
    'pending',
    {},
    { images: ['acme/web:1.2'] },
    { KPCEA_TARGET_IMAGES: 'acme/web:1.2,acme/db:3' },
  ],
  [
    'another digest',
    'ImageMismatch',
    'pending',
    {},
    { images: ['acme/web:1.2'] },
    { KPCEA_TARGET_IMAGES: `acme/web:1.2@${DIGEST}` },
  ],
  [
    'a hook that failed, and then an unrelated commit',
    'OperationFailed',
    'failing',
    {
      status: {
        operationState: {
          phase: 'Failed',
          syncResult: {
            revision: SHA.b,
            resources: [
              {
                group: 'batch',
                version: 'v1',
                kind: 'Job',
                namespace: 'web',
                name: 'smoke',
                status: 'Synced',
                message: 'exit code 1',
                hookType: 'PostSync',
                hookPhase: 'Failed',
                syncPhase: 'PostSync',
              },
            ],
          },
        },
      },
    },
  ],
  [
    'a failed attempt of a sync that retries, at the next one',
    'OperationFailed',
    'failing',
    { status: { operationState: { phase: 'Running', finishedAt: null, retryCount: 2 } } },
  ],
  [
    'a failed sync of an older release',
    'OperationFailed',
    'pending',
    { status: { operationState: { phase: 'Failed' } } },
    {},
    { KPCEA_TARGET_REVISION: SHA.b },
  ],
  [
    'local manifests',
    'StatusStale',
    'pending',
    { status: { operationState: { operation: { sync: { manifests: ['{}'] } } } } },
  ],
  [
    'a hydrator whose spec changed',
    'StatusStale',
    'pending',
    { spec: { sourceHydrator: { drySource: { path: 'elsewhere' } } } },
    { revision: SHA.b, drySHA: SHA.a },
  ],
  [
    'a branch where the revision should be',
    'StatusStale',
    'pending',
    {},
    { revision: 'main' },
    { KPCEA_TARGET_REVISION: 'main', KPCEA_REFRESH: 'none' },
  ],
  [
    'two sources of one branch at two commits',
    'RevisionMismatch',
    'pending',
    {},
    {
      sources: [
        { repoURL: 'https://b', targetRevision: 'main', path: 'x', revision: SHA.a },
        { repoURL: 'https://b', targetRevision: 'main', path: 'y', revision: SHA.b },
      ],
    },
  ],
  [
    'two sources of one branch at two commits, by the name of both',
    'RevisionMismatch',
    'pending',
    {},
    {
      sources: [
        { repoURL: 'https://b', targetRevision: 'main', path: 'x', revision: SHA.a },
        { repoURL: 'https://b', targetRevision: 'main', path: 'y', revision: SHA.b },
      ],
    },
    { KPCEA_TARGET_REVISION: 'https://b=main', KPCEA_REFRESH: 'none' },
  ],
  [
    'at-least, on a history that was cut',
    'RevisionMismatch',
    'pending',
    { status: { history: [SHA.a, SHA.b].map((revision, id) => ({ id: id + 3, revision })) } },
    { revision: SHA.b },
    { KPCEA_REVISION_POLICY: 'at-least' },
  ],
  [
    'a dry revision that was looked at and not hydrated, with refreshing turned off',
    'RevisionMismatch',
    'pending',
    { status: { sourceHydrator: { lastComparedDryRevision: SHA.d } } },
    { revision: SHA.b, drySHA: SHA.c },
    { KPCEA_TARGET_REVISION: SHA.d, KPCEA_REFRESH: 'none' },
  ],
  ['degraded', 'NotHealthy', 'failing', { status: { health: { status: 'Degraded' } } }],
  ['progressing', 'NotHealthy', 'pending', { status: { health: { status: 'Progressing' } } }],
  ['suspended', 'NotHealthy', 'pending', { status: { health: { status: 'Suspended' } } }],
  ['missing', 'NotHealthy', 'pending', { status: { health: { status: 'Missing' } } }],
  ['a health that nobody knows', 'NotHealthy', 'pending', { status: { health: { status: 'Superb' } } }],
  [
    'healthy where only Suspended is accepted',
    'NotHealthy',
    'pending',
    {},
    {},
    { KPCEA_HEALTH: 'Suspended' },
  ],
]

describe('no', () => {
  test.each(NO)('%s: %s, %s', async (_, reason, state, change, options = {}, env = {}) => {
    const result = await look(options, change, env)
    expect(result).toMatchObject({ verified: false, reason })
    expect(result.check?.state).toBe(state as 'pending')
    expect(result.check?.message).not.toBe('')
  })
})

const SEVERAL: ApplicationOptions = {
  sources: [
    { repoURL: 'https://a', chart: 'c', name: 'chart', revision: '1.0.0' },
    { repoURL: 'https://b', revision: SHA.b },
  ],
}
const history = [SHA.a, SHA.b].map((revision, id) => ({ id, revision, deployedAt: SECONDS(id) }))

/** Deployed while the sources of {@link SEVERAL} stood the other way round. */
const reordered = [
  [SHA.a, '0.9.0'],
  [SHA.b, '1.0.0'],
].map((revisions, id) => ({
  id,
  revisions,
  sources: [{ repoURL: 'https://b.git' }, { repoURL: 'https://a', chart: 'c', name: 'chart' }],
}))

type Yes = readonly [name: string, change: JsonObject, options?: ApplicationOptions, env?: Environment]

const YES: readonly Yes[] = [
  ['verified', {}],
  [
    'failed dry run',
    { status: { operationState: { phase: 'Failed', operation: { sync: { dryRun: true } } } } },
  ],
  [
    'operation that failed for another revision',
    { status: { operationState: { phase: 'Failed', syncResult: { revision: SHA.b } } } },
  ],
  [
    'reconciled in the second in which the operation ended',
    { status: { reconciledAt: SECONDS(2), operationState: { finishedAt: SECONDS(2) } } },
  ],
  [
    'empty and absent parts of the source',
    { spec: { source: { helm: { parameters: [], valueFiles: null }, kustomize: {} } } },
  ],
  [
    'a server whose clock is years ahead',
    {
      status: {
        reconciledAt: '2099-01-01T00:00:02Z',
        operationState: { finishedAt: '2099-01-01T00:00:01Z' },
      },
    },
  ],
  ['a warning', { status: { conditions: [{ type: 'OrphanedResourceWarning', message: 'm' }] } }],
  [
    'a dry run that ended after the last look at health',
    {
      status: {
        reconciledAt: SECONDS(1),
        operationState: { finishedAt: SECONDS(2), operation: { sync: { dryRun: true } } },
      },
    },
  ],
  ['no operation ever', { status: { operationState: null } }],
  [
    'a hydration asked for where nothing is hydrated',
    {},
    { annotations: { 'argocd.argoproj.io/hydrate': 'normal' } },
  ],
  ['a short SHA', {}, {}, { KPCEA_TARGET_REVISION: SHA.a.slice(0, 7) }],
  ['a SHA in capitals', {}, {}, { KPCEA_TARGET_REVISION: SHA.a.toUpperCase() }],
  [
    'a tracked branch where refreshing is turned off',
    {},
    { targetRevision: 'main' },
    { KPCEA_TARGET_REVISION: 'main', KPCEA_REFRESH: 'none' },
  ],
  ['a dry revision', {}, { revision: SHA.b, drySHA: SHA.c }, { KPCEA_TARGET_REVISION: SHA.c }],
  [
    'the branch of a dry source where refreshing is turned off',
    {},
    { revision: SHA.b, drySHA: SHA.c },
    { KPCEA_TARGET_REVISION: 'main', KPCEA_REFRESH: 'none' },
  ],
  [
    'a source by its repository without .git',
    {},
    { repoURL: 'https://git.example.com/web.git' },
    { KPCEA_TARGET_REVISION: `https://git.example.com/web=${SHA.a}` },
  ],
  ['any of several sources', {}, SEVERAL, { KPCEA_TARGET_REVISION: SHA.b }],
  ['each of several sources', {}, SEVERAL, { KPCEA_TARGET_REVISION: `chart=1.0.0,https://b=${SHA.b}` }],
  ['a source by its repository and chart', {}, SEVERAL, { KPCEA_TARGET_REVISION: 'https://a#c=1.0.0' }],
  [
    'at-least, overtaken',
    { status: { history } },
    { revision: SHA.b },
    { KPCEA_REVISION_POLICY: 'at-least' },
  ],
  [
    'at-least, its sources reordered since',
    { status: { history: reordered } },
    SEVERAL,
    { KPCEA_REVISION_POLICY: 'at-least', KPCEA_TARGET_REVISION: `https://b=${SHA.a}` },
  ],
  [
    'an image by a Docker Hub short name',
    {},
    { images: ['docker.io/library/nginx:1.2'] },
    { KPCEA_TARGET_IMAGES: 'nginx:1.2' },
  ],
  [
    'an image by digest',
    {},
    { images: [`acme/web@${DIGEST}`] },
    { KPCEA_TARGET_IMAGES: `acme/web@${DIGEST}` },
  ],
  [
    'an image by tag and digest',
    {},
    { images: [`acme/web:1@${DIGEST}`] },
    { KPCEA_TARGET_IMAGES: `acme/web:1@${DIGEST}` },
  ],
  [
    'an image in a registry with a port',
    {},
    { images: ['registry.local:5000/web:1'] },
    { KPCEA_TARGET_IMAGES: 'registry.local:5000/web:1' },
  ],
  [
    'an image and no revision',
    {},
    { revision: SHA.d, images: ['acme/web:1'] },
    { KPCEA_TARGET_REVISION: '', KPCEA_TARGET_IMAGES: 'acme/web:1' },
  ],
  [
    'an accepted health',
    { status: { health: { status: 'Suspended' } } },
    {},
    { KPCEA_HEALTH: 'Healthy,Suspended' },
  ],
]

describe('yes', () => {
  test.each(YES)('%s', async (_, change, options = {}, env = {}) => {
    const result = await look(options, change, env)
    expect(result.message).not.toContain('not verified')
    expect(result).toMatchObject({ verified: true, reason: 'Verified' })
  })
})

describe('with what a run learns', () => {
  test('a tag of the commit', async () => {
    server.commit(SHA.a, { message: 'm', tags: ['v1.2.3'] })
    expect(await look({}, {}, { KPCEA_TARGET_REVISION: 'v1.2.3' })).toMatchObject({ verified: true })
    expect(await look({}, {}, { KPCEA_TARGET_REVISION: 'v1.2.4' })).toMatchObject({
      verified: false,
      reason: 'RevisionMismatch',
    })
  })
  test('the commit is asked for once for each revision, while nothing else is asked again', async () => {
    server.commit(SHA.a, { message: 'm', tags: [] })
    server.apply(application({ name: 'web', revision: SHA.a }))
    const before = server.requests.length
    await runJson(
      connect(server, {
        ARGOCD_APP_NAME: 'web',
        KPCEA_TARGET_REVISION: 'v9',
        KPCEA_TIMEOUT: '2',
        KPCEA_WATCH: 'false',
        KPCEA_INTERVAL: '200ms',
        KPCEA_REFRESH: 'none',
      }),
    )
    const routes = server.requests.slice(before).map(({ route }) => route)
    expect(routes.filter((route) => route === 'metadata')).toHaveLength(1)
    expect(routes.filter((route) => route === 'application').length).toBeGreaterThan(3)
  })
  test('a full SHA asks for no commit', async () => {
    const before = server.requests.length
    await look({}, {}, { KPCEA_TARGET_REVISION: SHA.b })
    expect(server.requests.slice(before).map(({ route }) => route)).not.toContain('metadata')
  })
  test('a commit message', async () => {
    const env = { KPCEA_VERIFY_MODE: 'SEARCH_COMMIT_MSG', KPCEA_TARGET_REVISION: '' }
    server.commit(SHA.c, { message: 'Release 7', tags: [] })
    expect(
      await look({ revision: SHA.c }, {}, { ...env, KPCEA_SEARCH_COMMIT_MSG: 'Release 7' }),
    ).toMatchObject({
      verified: true,
    })
    expect(
      await look({ revision: SHA.c }, {}, { ...env, KPCEA_SEARCH_COMMIT_MSG: 'release 7' }),
    ).toMatchObject({
      verified: false,
      reason: 'CommitMessageMismatch',
    })
  })
  test('a tracked branch, after the refresh of this run', async () => {
    server.apply(application({ name: 'web', revision: SHA.a, targetRevision: 'main' }))
    const { result } = await runJson(
      connect(server, { ARGOCD_APP_NAME: 'web', KPCEA_TARGET_REVISION: 'main' }),
    )
    expect(result).toMatchObject({ verified: true })
    expect(server.refreshes.length).toBeGreaterThan(0)
  })
  test('an application that does not exist, named with both reasons', async () => {
    const { result } = await runJson(
      connect(server, { ARGOCD_APP_NAME: 'nope', KPCEA_TARGET_REVISION: SHA.a, KPCEA_TIMEOUT: '0' }),
    )
    expect(result).toMatchObject({ reason: 'NotFound' })
    expect(result.message).toMatch(/does not exist.*may not see/)
  })
  test('stable for: not before its time, then yes; a break starts it anew', async () => {
    server.apply(application({ name: 'web', revision: SHA.a }))
    const env = connect(server, {
      ARGOCD_APP_NAME: 'web',
      KPCEA_TARGET_REVISION: SHA.a,
      KPCEA_STABLE_FOR: '1',
      KPCEA_TIMEOUT: '20',
    })
    const steady = await runJson(env)
    expect(steady.result).toMatchObject({ verified: true })
    expect(steady.result.durationSeconds).toBeGreaterThanOrEqual(1)
    expect(steady.result.applications[0]?.checks.at(-1)).toMatchObject({ code: 'NotStable', state: 'met' })

    const running = start({ ...env, KPCEA_STABLE_FOR: '3', KPCEA_OUTPUT: 'json' })
    await waitFor(() => running.said().includes('as wanted'))
    server.update('web', { status: { health: { status: 'Progressing' } } })
    await waitFor(() => running.said().includes('Progressing'))
    const broken = performance.now()
    server.update('web', { status: { health: { status: 'Healthy' } } })
    const { code } = await running.finished
    expect(code).toBe(0)
    expect(performance.now() - broken).toBeGreaterThanOrEqual(2900)
  })
  test('stable for, not reached by the deadline, is NotStable', async () => {
    server.apply(application({ name: 'web', revision: SHA.a }))
    const running = start(
      connect(server, {
        ARGOCD_APP_NAME: 'web',
        KPCEA_TARGET_REVISION: SHA.a,
        KPCEA_STABLE_FOR: '2',
        KPCEA_TIMEOUT: '3',
        KPCEA_OUTPUT: 'json',
      }),
    )
    await waitFor(() => running.said().includes('as wanted'))
    await Bun.sleep(1500)
    server.update('web', { status: { health: { status: 'Progressing' } } })
    await waitFor(() => running.said().includes('Progressing'))
    server.update('web', { status: { health: { status: 'Healthy' } } })
    expect(JSON.parse((await running.finished).stdout)).toMatchObject({
      verified: false,
      reason: 'NotStable',
    })
  })
  test('fail after: never waits to the deadline', async () => {
    server.apply(
      application({ name: 'web', revision: SHA.a }, { status: { health: { status: 'Degraded' } } }),
    )
    const env = connect(server, { ARGOCD_APP_NAME: 'web', KPCEA_TARGET_REVISION: SHA.a, KPCEA_TIMEOUT: '2' })
    expect((await runJson({ ...env, KPCEA_FAIL_AFTER: 'never' })).result).toMatchObject({
      reason: 'NotHealthy',
      timedOut: true,
    })
    expect((await runJson({ ...env, KPCEA_FAIL_AFTER: '0' })).result).toMatchObject({
      reason: 'NotHealthy',
      timedOut: false,
    })
  })
  test('one refresh for a stale operation, not one a poll', async () => {
    // Refreshed, and still from before the operation's end: as where the status is written late.
    const stale = { status: { operationState: { finishedAt: '2099-01-01T00:00:00Z' } } }
    server.apply(application({ name: 'web', revision: SHA.a }, stale))
    const before = server.refreshes.length
    const env = {
      ARGOCD_APP_NAME: 'web',
      KPCEA_TARGET_REVISION: SHA.a,
      KPCEA_TIMEOUT: '2',
      KPCEA_INTERVAL: '100ms',
    }
    const { result } = await runJson(connect(server, { ...env, KPCEA_WATCH: 'false' }))
    expect(result).toMatchObject({ verified: false, reason: 'StatusStale' })
    expect(server.refreshes.length - before).toBe(1)
  })
  test('a refresh for an operation that ends while the run lasts', async () => {
    const own = await ArgoCDServer.start()
    own.apply(
      application({ name: 'web', revision: SHA.a }, { status: { health: { status: 'Progressing' } } }),
    )
    const env = { ARGOCD_APP_NAME: 'web', KPCEA_TARGET_REVISION: SHA.a, KPCEA_TIMEOUT: '30' }
    const running = start(connect(own, { ...env, KPCEA_OUTPUT: 'json' }))
    await waitFor(() => own.refreshes.length === 1 && running.said().includes('Progressing'))
    // Health is from before the end of a sync; only a refresh brings it up to date.
    const stale = {
      reconciledAt: '2020-01-01T00:00:00Z',
      operationState: { finishedAt: '2020-01-01T00:00:01Z' },
    }
    own.apply(application({ name: 'web', revision: SHA.a }, { status: stale }))
    expect((await running.finished).code).toBe(0)
    expect(own.refreshes).toHaveLength(2)
    await own.stop()
  })
  test.each([
    ['some resources only, which runs no hooks', { resources: [{ kind: 'ConfigMap', name: 'web' }] }],
    ['a dry run', { dryRun: true }],
  ])('a failed hook is not made up for by a sync of %s', async (_, sync) => {
    const at = (second: number) => `2020-01-01T00:00:0${second}Z`
    const operation = {
      startedAt: at(1),
      finishedAt: at(2),
      operation: { sync: { revision: SHA.a } },
    }
    const hook = { kind: 'Job', name: 'smoke-test', hookType: 'PostSync', hookPhase: 'Failed' }
    const failed = { ...operation, phase: 'Failed', syncResult: { revision: SHA.a, resources: [hook] } }
    server.apply(application({ name: 'web', revision: SHA.a }, { status: { operationState: failed } }))
    const env = { ARGOCD_APP_NAME: 'web', KPCEA_TARGET_REVISION: SHA.a, KPCEA_TIMEOUT: '30' }
    const running = start(connect(server, { ...env, KPCEA_FAIL_AFTER: '4', KPCEA_OUTPUT: 'json' }))
    await waitFor(() => running.said().includes('smoke-test'))
    const operationState = {
      phase: 'Succeeded',
      startedAt: at(3),
      finishedAt: at(4),
      operation: { sync: { revision: SHA.a, ...sync } },
      syncResult: { revision: SHA.a, resources: [] },
    }
    server.update('web', { status: { operationState } })
    const { code, stdout } = await running.finished
    expect(code).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({ reason: 'OperationFailed', timedOut: false })
  })
})
