/** Tables of the checks: each row an application that differs in one thing from a verified one. */

import { describe, expect, test } from 'bun:test'
import { type Application, completed } from '../lib/application.ts'
import type { CheckState, Code } from '../lib/check.ts'
import { equivalent } from '../lib/equality.ts'
import { resultsNeeded } from '../lib/operation-rules.ts'
import { checkApplication } from '../lib/predicates.ts'
import type { JsonObject } from './argocd/server.ts'
import { checkOf, NO_EVIDENCE, parsed, SHA, wanting } from './fixtures.ts'

type Row = readonly [name: string, app: Application | undefined, state: CheckState, says?: string]

function table(code: Code, rows: readonly Row[], wanted = wanting()): void {
  describe(code, () => {
    test.each(rows.map(([name, app, state, says]) => ({ name, app, state, says })))(
      '$name: $state',
      ({ app, state, says }) => {
        const check = checkOf(code, app, wanted)
        expect(check.state).toBe(state)
        if (says !== undefined) expect(check.message).toContain(says)
      },
    )
  })
}

const status = (overrides: JsonObject) => parsed({}, { status: overrides })
const operation = (overrides: JsonObject) => status({ operationState: overrides })

test('a verified application meets every check that is asked', () => {
  const wanted = wanting({ revision: SHA.a, images: [parsed().status.summary.images[0] ?? ''] })
  expect(checkApplication(parsed(), wanted, NO_EVIDENCE).filter(({ state }) => state !== 'met')).toEqual([])
})

test('an application that cannot be seen has one check, which names both reasons', () => {
  const checks = checkApplication(undefined, wanting({ revision: SHA.a }), NO_EVIDENCE)
  expect(checks.map(({ code, state }) => ({ code, state }))).toEqual([{ code: 'NotFound', state: 'pending' }])
  expect(checks[0]?.message).toContain('does not exist')
  expect(checks[0]?.message).toContain('may not see')
})

test('checks come in the order in which they name a verdict', () => {
  const wanted = wanting({ revision: SHA.a, images: ['nginx'], commitMessage: 'x' })
  expect(checkApplication(parsed(), wanted, NO_EVIDENCE).map(({ code }): string => code)).toEqual([
    'NotFound',
    'Deleting',
    'OperationInProgress',
    'OperationFailed',
    'StatusStale',
    'Conditions',
    'Hydrating',
    'OutOfSync',
    'RevisionMismatch',
    'CommitMessageMismatch',
    'ImageMismatch',
    'NotHealthy',
  ])
})

table('Deleting', [
  ['not being deleted', parsed(), 'met'],
  ['null', parsed({}, { metadata: { deletionTimestamp: null } }), 'met'],
  [
    'being deleted',
    parsed({}, { metadata: { deletionTimestamp: '2026-01-02T03:04:05Z' } }),
    'failing',
    '2026-01-02',
  ],
])

table('OperationInProgress', [
  ['the last one succeeded', parsed(), 'met'],
  ['there never was one', status({ operationState: null }), 'met'],
  [
    'asked for and not begun',
    parsed({}, { operation: { sync: { revision: SHA.b } } }),
    'pending',
    'not begun',
  ],
  ['an empty request is none', parsed({}, { operation: {} }), 'met'],
  ['running', operation({ phase: 'Running', finishedAt: null }), 'pending', 'Running'],
  [
    'waiting to retry (Running with an end) is told of by OperationFailed',
    operation({ phase: 'Running' }),
    'met',
    'OperationFailed',
  ],
  [
    'a retry that runs is told of by OperationFailed',
    operation({ phase: 'Running', finishedAt: null, retryCount: 1 }),
    'met',
    'OperationFailed',
  ],
  [
    'a dry run that retries',
    operation({ phase: 'Running', operation: { sync: { dryRun: true } } }),
    'pending',
  ],
  ['terminating a retry', operation({ phase: 'Terminating', retryCount: 2 }), 'pending', 'Terminating'],
  ['an unknown phase with failed attempts', operation({ phase: 'Paused', retryCount: 2 }), 'pending'],
  ['terminating', operation({ phase: 'Terminating' }), 'pending'],
  ['failed has ended', operation({ phase: 'Failed' }), 'met'],
  ['in error has ended', operation({ phase: 'Error' }), 'met'],
  ['a phase that nobody knows', operation({ phase: 'Paused' }), 'pending', 'Paused'],
  ['no phase', operation({ phase: null }), 'pending'],
])

const failedHook = {
  phase: 'Failed',
  message: 'one or more synchronization tasks completed unsuccessfully',
  syncResult: {
    resources: [
      {
        kind: 'Job',
        name: 'smoke',
        namespace: 'web',
        status: 'Synced',
        hookType: 'PostSync',
        hookPhase: 'Failed',
        message: 'exit code 1',
      },
      { kind: 'Service', name: 'web', namespace: 'web', status: 'SyncFailed', message: 'field is immutable' },
      { kind: 'ConfigMap', name: 'fine', namespace: 'web', status: 'Synced' },
    ],
  },
}

const retrying = (retryCount: number, limit: number, more: JsonObject = {}) =>
  operation({ ...failedHook, phase: 'Running', retryCount, operation: { retry: { limit } }, ...more })

table('OperationFailed', [
  ['succeeded', parsed(), 'met'],
  ['succeeded after retries', operation({ retryCount: 3 }), 'met'],
  ['running', operation({ phase: 'Running', finishedAt: null }), 'met'],
  ['waiting to retry: the attempt and the hook are named', retrying(2, 5), 'failing', 'attempt 2 of 6'],
  ['waiting to retry: so is the hook', retrying(1, 5), 'failing', 'Job smoke (PostSync hook): exit code 1'],
  ['the first attempt failed, before Argo CD has counted it', retrying(0, 5), 'failing', 'attempt 1 of 6'],
  ['a retry that runs', retrying(1, 5, { finishedAt: null }), 'failing', 'under way'],
  ['retries for ever', retrying(40, -1), 'failing', 'attempt 40 of as many as it takes'],
  ['terminating after failed attempts', retrying(2, 5, { phase: 'Terminating' }), 'failing', 'Terminating'],
  [
    'a retry for another revision is never excused: it runs',
    retrying(1, 5, { syncResult: { revision: SHA.b, resources: [] } }),
    'failing',
  ],
  ['a dry run that retries', retrying(1, 5, { operation: { sync: { dryRun: true } } }), 'met'],
  ['none on record', status({ operationState: null }), 'met'],
  ['failed', operation({ phase: 'Failed', message: 'because' }), 'failing', 'because'],
  ['error', operation({ phase: 'Error', message: 'because' }), 'failing', 'because'],
  [
    'a failed PostSync hook is named',
    operation(failedHook),
    'failing',
    'Job smoke (PostSync hook): exit code 1',
  ],
  [
    'a resource that could not be applied is named',
    operation(failedHook),
    'failing',
    'Service web: field is immutable',
  ],
  [
    'a failed dry run',
    operation({ phase: 'Failed', operation: { sync: { dryRun: true } } }),
    'met',
    'dry run',
  ],
  [
    'failed for another revision',
    operation({ phase: 'Failed', syncResult: { revision: SHA.b } }),
    'met',
    'another revision',
  ],
  [
    'failed for another revision in a hook: what is deployed is still what failed it',
    operation({ ...failedHook, syncResult: { ...failedHook.syncResult, revision: SHA.b } }),
    'failing',
    'for another revision',
  ],
  [
    'failed for another revision, not Synced yet: a sync is to come',
    status({
      sync: { status: 'OutOfSync' },
      operationState: { phase: 'Failed', syncResult: { revision: SHA.b } },
    }),
    'pending',
    'to come',
  ],
  [
    'failed for another revision in a hook, not Synced yet',
    status({
      sync: { status: 'OutOfSync' },
      operationState: { ...failedHook, syncResult: { ...failedHook.syncResult, revision: SHA.b } },
    }),
    'pending',
  ],
  [
    'failed for this revision in capitals',
    operation({ phase: 'Failed', syncResult: { revision: SHA.a.toUpperCase() } }),
    'failing',
  ],
  [
    'failed before there was a result',
    operation({ phase: 'Failed', syncResult: null, operation: { sync: { revision: SHA.b } } }),
    'met',
  ],
  [
    'failed for a branch, which tells nothing',
    operation({ phase: 'Failed', syncResult: null, operation: { sync: { revision: 'main' } } }),
    'failing',
  ],
  [
    'failed and says nothing of revisions',
    operation({ phase: 'Failed', syncResult: null, operation: null }),
    'failing',
  ],
])

const SECOND = (second: number) => `2030-01-01T00:00:${String(second).padStart(2, '0')}Z`
const LATER = SECOND(10)
const finished = (
  finishedAt: string | null,
  reconciledAt: string | null,
  more: JsonObject = {},
  rest: JsonObject = {},
) => status({ ...rest, reconciledAt, operationState: { finishedAt, ...more } })

table('StatusStale', [
  ['as compared, reconciled after the operation', parsed(), 'met'],
  [
    'a refresh is asked for',
    parsed({ annotations: { 'argocd.argoproj.io/refresh': 'normal' } }),
    'pending',
    'refresh',
  ],
  ['reconciled in the same second as the operation ended', finished(LATER, LATER), 'met'],
  [
    'reconciled in the same second, and not at what was synced',
    finished(LATER, LATER, { syncResult: { revision: SHA.b } }),
    'pending',
    `may be from before the end of the last operation (${LATER}`,
  ],
  [
    'reconciled in the same second, not at what was synced, and not Synced',
    finished(LATER, LATER, { syncResult: { revision: SHA.b } }, { sync: { status: 'OutOfSync' } }),
    'met',
  ],
  [
    'reconciled in the second after it, and not at what was synced',
    finished(LATER, '2030-01-01T00:00:11Z', { syncResult: { revision: SHA.b } }),
    'met',
  ],
  ['reconciled before the operation ended', finished(LATER, '2030-01-01T00:00:09Z'), 'pending', LATER],
  ['other time zone, same moment', finished('2030-01-01T00:00:10Z', '2030-01-01T02:00:10+02:00'), 'met'],
  ['never reconciled', finished(LATER, null), 'pending', 'never'],
  ['an end that is missing', finished(null, LATER), 'pending'],
  ['an end that is no time', finished('soon', LATER), 'pending'],
  [
    'a dry run leaves health as it was',
    finished(LATER, '2030-01-01T00:00:09Z', { operation: { sync: { dryRun: true } } }),
    'met',
  ],
  ['no operation to be stale for', status({ operationState: null, reconciledAt: null }), 'met'],
  [
    'the source changed',
    parsed({}, { spec: { source: { targetRevision: 'release' } } }),
    'pending',
    'source',
  ],
  [
    'the destination changed',
    parsed({}, { spec: { destination: { namespace: 'other' } } }),
    'pending',
    'spec.destination',
  ],
  [
    'a helm value changed, deep down',
    parsed({}, { spec: { source: { helm: { parameters: [{ name: 'tag', value: '2' }] } } } }),
    'pending',
  ],
  [
    'an empty helm block is none',
    parsed({}, { spec: { source: { helm: { parameters: [], values: '' } } } }),
    'met',
  ],
  ['null and absent are one', parsed({}, { spec: { source: { directory: null } } }), 'met'],
  [
    'one of several sources changed',
    parsed(
      {
        sources: [
          { repoURL: 'a', revision: SHA.a },
          { repoURL: 'b', revision: SHA.b },
        ],
      },
      { spec: { sources: [{ repoURL: 'a' }, { repoURL: 'c' }] } },
    ),
    'pending',
    'spec.sources',
  ],
  ['never compared', status({ sync: { comparedTo: null } }), 'pending'],
])

const condition = (type: string, message = 'the message') => status({ conditions: [{ type, message }] })

table('Conditions', [
  ['none', parsed(), 'met'],
  ['null', status({ conditions: null }), 'met'],
  ['ComparisonError', condition('ComparisonError'), 'failing', 'the message'],
  ['InvalidSpecError', condition('InvalidSpecError'), 'failing'],
  ['UnknownError', condition('UnknownError'), 'failing'],
  ['SyncError is judged by OutOfSync', condition('SyncError'), 'met'],
  ['a warning', condition('OrphanedResourceWarning'), 'met'],
  ['a warning of a later version', condition('SomethingNewWarning'), 'met'],
  ['an error of a later version', condition('SomethingNewError'), 'pending', 'SomethingNewError'],
  ['a condition that nobody knows', condition('Sleepy'), 'pending', 'Sleepy'],
])

const hydrated = (sourceHydrator: JsonObject | null, annotations = {}, spec: JsonObject = {}) =>
  parsed({ revision: SHA.b, drySHA: SHA.a, annotations }, { status: { sourceHydrator }, spec })

/** Hydrated at the one second, and compared at the other. */
const hydratedAt = (finished: number, reconciled: number, hydratedSHA: string = SHA.c) =>
  parsed(
    { revision: SHA.b, drySHA: SHA.a },
    {
      status: {
        reconciledAt: SECOND(reconciled),
        sourceHydrator: { currentOperation: { hydratedSHA, finishedAt: SECOND(finished) } },
        operationState: null,
      },
    },
  )

table('Hydrating', [
  ['not hydrated', parsed(), 'met'],
  ['hydrated', hydrated({}), 'met'],
  ['hydrating', hydrated({ currentOperation: { phase: 'Hydrating', drySHA: SHA.c } }), 'pending', SHA.c],
  [
    'failed',
    hydrated({ currentOperation: { phase: 'Failed', message: 'no such path' } }),
    'failing',
    'no such path',
  ],
  ['a phase that nobody knows', hydrated({ currentOperation: { phase: 'Dreaming' } }), 'pending'],
  ['asked for', hydrated({}, { 'argocd.argoproj.io/hydrate': 'normal' }), 'pending'],
  [
    'asked for of an application that is not hydrated: nobody ever removes that',
    parsed({ annotations: { 'argocd.argoproj.io/hydrate': 'normal' } }),
    'met',
  ],
])

table('StatusStale', [
  ['hydrated from the present spec', hydrated({}), 'met'],
  [
    'the dry source changed since it was hydrated',
    hydrated({}, {}, { sourceHydrator: { drySource: { helm: { valueFiles: ['prod.yaml'] } } } }),
    'pending',
    'spec.sourceHydrator changed',
  ],
  [
    'where it is hydrated to changed',
    hydrated({}, {}, { sourceHydrator: { hydrateTo: { targetBranch: 'next' } } }),
    'pending',
    'spec.sourceHydrator changed',
  ],
  ['never hydrated', hydrated(null), 'pending', 'not been hydrated'],
  [
    'not compared since it was hydrated',
    hydratedAt(10, 9),
    'pending',
    'is from before the end of the last hydration',
  ],
  ['perhaps not compared since it was hydrated', hydratedAt(10, 10), 'pending', 'may be from before'],
  ['compared since it was hydrated, and at a later commit', hydratedAt(10, 11), 'met'],
  ['at the commit that was hydrated', hydratedAt(10, 9, SHA.b), 'met'],
  [
    'local manifests were synced',
    operation({ operation: { sync: { manifests: ['{}'] } } }),
    'pending',
    'argocd app sync --local',
  ],
  [
    'local manifests were tried in a dry run: Argo CD compares with them all the same',
    operation({ operation: { sync: { manifests: ['{}'], dryRun: true } } }),
    'pending',
    'local',
  ],
  ['an empty list of local manifests is none', operation({ operation: { sync: { manifests: [] } } }), 'met'],
])

table('OutOfSync', [
  ['Synced', parsed(), 'met'],
  ['OutOfSync', status({ sync: { status: 'OutOfSync' } }), 'pending', 'OutOfSync'],
  [
    'OutOfSync, by resources that are healthy, or have no health',
    status({
      sync: { status: 'OutOfSync' },
      resources: [
        { kind: 'Deployment', name: 'web', status: 'OutOfSync', health: { status: 'Healthy' } },
        { kind: 'Service', name: 'web', status: 'Synced' },
        { kind: 'ConfigMap', name: 'flags', status: 'OutOfSync' },
      ],
    }),
    'pending',
    'OutOfSync (Deployment web, ConfigMap flags)',
  ],
  ['Unknown', status({ sync: { status: 'Unknown' } }), 'pending'],
  ['absent', status({ sync: { status: null } }), 'pending'],
  ['a status that nobody knows', status({ sync: { status: 'SyncedIsh' } }), 'pending'],
  [
    'auto-sync gave up',
    status({ sync: { status: 'OutOfSync' }, conditions: [{ type: 'SyncError', message: 'gave up' }] }),
    'failing',
    'gave up',
  ],
  [
    'Synced in spite of an old SyncError',
    status({ conditions: [{ type: 'SyncError', message: 'old' }] }),
    'met',
  ],
])

table('NotHealthy', [
  ['Healthy', parsed(), 'met'],
  [
    'Progressing',
    status({ health: { status: 'Progressing', message: 'waiting for rollout' } }),
    'pending',
    'waiting for rollout',
  ],
  ['Degraded', status({ health: { status: 'Degraded' } }), 'failing', 'Degraded'],
  ['Suspended', status({ health: { status: 'Suspended' } }), 'pending'],
  ['Missing', status({ health: { status: 'Missing' } }), 'pending'],
  ['Unknown', status({ health: { status: 'Unknown' } }), 'pending'],
  ['absent', status({ health: null }), 'pending'],
  ['a status that nobody knows', status({ health: { status: 'HealthyIsh' } }), 'pending'],
])

test('whether a hook failed another revision is not known of a streamed application: it is not excused, and asked for', () => {
  const other = (phase: string) => operation({ phase, syncResult: { revision: SHA.b } })
  const streamed = completed(other('Failed'), undefined)
  expect(checkOf('OperationFailed', streamed).state).toBe('pending')
  expect(resultsNeeded(streamed)).toBe(true)
  expect(resultsNeeded(other('Failed'))).toBe(false)
  expect(resultsNeeded(completed(other('Succeeded'), undefined))).toBe(false)
  expect(resultsNeeded(completed(other('Running'), undefined))).toBe(true)
})

/** The fix of a broken release: what the broken one did is not held against it. */
describe('what an older release did', () => {
  const broken = {
    health: { status: 'Degraded' },
    operationState: failedHook,
    sync: { status: 'OutOfSync' },
    conditions: [{ type: 'SyncError', message: 'gave up' }],
  }
  const stateOf = (code: Code, app: Application, wanted: Parameters<typeof wanting>[0]) =>
    checkOf(code, app, wanting(wanted)).state
  const CODES = ['OperationFailed', 'OutOfSync', 'NotHealthy'] as const

  test.each(CODES)('%s is pending while the wanted revision has not been seen', (code) =>
    expect(stateOf(code, status(broken), { revision: SHA.b })).toBe('pending'),
  )
  test.each(CODES)('%s is pending while the wanted image does not run', (code) =>
    expect(stateOf(code, status(broken), { images: ['web:2'] })).toBe('pending'),
  )
  test.each(CODES)('%s is pending while the commit message is not known', (code) =>
    expect(stateOf(code, status(broken), { commitMessage: 'x' })).toBe('pending'),
  )
  test.each(CODES)('%s is failing once the revision is there', (code) =>
    expect(stateOf(code, status(broken), { revision: SHA.a })).toBe('failing'),
  )
  test.each(CODES)('%s is failing where nothing identifies a release', (code) =>
    expect(stateOf(code, status(broken), {})).toBe('failing'),
  )
  test.each(CODES)('%s is failing where old Pods of the same image run on beside the new ones', (code) => {
    const app = status({ ...broken, summary: { images: ['web:1', 'web:2'] } })
    expect(stateOf(code, app, { revision: SHA.a, images: ['web:2'] })).toBe('failing')
  })
  test.each(['OperationFailed', 'OutOfSync'] as const)(
    '%s of the wanted revision is failing, though its image does not run for it',
    (code) => expect(stateOf(code, status(broken), { revision: SHA.a, images: ['web:2'] })).toBe('failing'),
  )
  test('what auto-sync gave up is what it has compared, whatever operation has been asked for since', () => {
    const app = status({ ...broken, operationState: { syncResult: { revision: SHA.b } } })
    expect(stateOf('OutOfSync', app, { revision: SHA.b })).toBe('pending')
    expect(stateOf('OutOfSync', app, { revision: SHA.a })).toBe('failing')
  })
  test('a failed operation of the wanted revision is failing before that revision is observed', () => {
    const app = operation({
      phase: 'Failed',
      syncResult: { revision: SHA.b, resources: [{ hookType: 'PreSync', hookPhase: 'Failed' }] },
    })
    expect(stateOf('OperationFailed', app, { revision: SHA.b })).toBe('failing')
    expect(stateOf('OperationFailed', app, { revision: SHA.b.slice(0, 8) })).toBe('failing')
    expect(stateOf('OperationFailed', app, { revision: SHA.c })).toBe('pending')
  })
})

describe('accepted health statuses', () => {
  const suspended = status({ health: { status: 'Suspended' } })
  test('an accepted status is met', () =>
    expect(checkOf('NotHealthy', suspended, wanting({ health: ['Healthy', 'Suspended'] })).state).toBe('met'))
  test('Degraded is met where it is accepted', () =>
    expect(
      checkOf('NotHealthy', status({ health: { status: 'Degraded' } }), wanting({ health: ['Degraded'] }))
        .state,
    ).toBe('met'))
  test('Healthy is not met where only another is accepted', () =>
    expect(checkOf('NotHealthy', parsed(), wanting({ health: ['Suspended'] })).state).toBe('pending'))
})

describe('ImageMismatch', () => {
  const DIGEST = `sha256:${'0'.repeat(64)}`
  const OTHER = `sha256:${'1'.repeat(64)}`
  const rows: readonly (readonly [wanted: string[], running: string[], state: CheckState])[] = [
    [['web:1.2'], ['web:1.2'], 'met'],
    [['web:1.2'], ['docker.io/library/web:1.2'], 'met'],
    [['docker.io/library/web:1.2'], ['web:1.2'], 'met'],
    [['index.docker.io/acme/web:1.2'], ['acme/web:1.2'], 'met'],
    [['acme/web:1.2'], ['web:1.2'], 'pending'],
    [['web:1.2'], ['ghcr.io/acme/web:1.2'], 'pending'],
    [['localhost:5000/web:1.2'], ['localhost:5000/web:1.2'], 'met'],
    [['registry:5000/web:1.2'], ['web:1.2'], 'pending'],
    [['registry:5000/web'], ['registry:5000/web:1.2'], 'met'],
    [['web:1.2'], ['web:1.1'], 'pending'],
    [['web:1.2'], ['web:1.2', 'web:1.1'], 'pending'],
    [['web:1.2'], ['web:1.2', 'sidecar:9'], 'met'],
    [['web:1.2'], [], 'pending'],
    [['web:1.2', 'db:3'], ['web:1.2'], 'pending'],
    [['web:1.2', 'db:3'], ['db:3', 'web:1.2'], 'met'],
    [['web:1.2', 'web:1.3'], ['web:1.2', 'web:1.3'], 'met'],
    [['web'], ['web:anything'], 'met'],
    [['web:latest'], ['web'], 'met'],
    [['web:1.2'], ['web'], 'pending'],
    [[`web@${DIGEST}`], [`web@${DIGEST}`], 'met'],
    [[`web@${DIGEST}`], [`web:1.2@${DIGEST}`], 'met'],
    [[`web:1.2@${DIGEST}`], [`web:1.2@${DIGEST}`], 'met'],
    [[`web:1.2@${DIGEST}`], [`web@${DIGEST}`], 'met'],
    [[`web:1.2@${DIGEST}`], [`web:1.3@${DIGEST}`], 'pending'],
    [[`web:1.2@${DIGEST}`], ['web:1.2'], 'pending'],
    [[`web@${DIGEST}`], [`web@${OTHER}`], 'pending'],
    [[`web@${DIGEST}`], [`web@${DIGEST}`, `web@${OTHER}`], 'pending'],
    [['web:1.2'], [`web:1.2@${DIGEST}`], 'met'],
    [['web:1.2'], ['web:1.2', `web@${OTHER}`], 'pending'],
    [['web:1.2'], ['::no image::', 'web:1.2'], 'met'],
  ]
  test.each(rows)('wanted %p, running %p: %s', (images, running, state) => {
    expect(
      checkOf('ImageMismatch', status({ summary: { images: running } }), wanting({ images })).state,
    ).toBe(state)
  })

  test('the old tag beside the new one is named', () => {
    const check = checkOf(
      'ImageMismatch',
      status({ summary: { images: ['web:1.2', 'web:1.1'] } }),
      wanting({ images: ['web:1.2'] }),
    )
    expect(check.message).toContain('docker.io/library/web:1.1 still runs')
  })
})

describe('equivalent', () => {
  const rows: readonly (readonly [unknown, unknown, boolean])[] = [
    [undefined, null, true],
    [{}, undefined, true],
    [{ a: { b: { c: '' } } }, {}, true],
    [{ a: [] }, { a: null }, true],
    [[{}], undefined, false],
    [[{ a: null }], [{}], true],
    [{ a: 1, b: 2 }, { b: 2, a: 1 }, true],
    [{ a: false }, {}, false],
    [{ a: 0 }, {}, false],
    [['a', 'b'], ['b', 'a'], false],
    [{ a: '1' }, { a: 1 }, false],
    [[''], [null], true],
    [{ toString: 'x' }, {}, false],
  ]
  test.each(rows)('%p and %p: %p', (a, b, same) => {
    expect(equivalent(a, b)).toBe(same)
    expect(equivalent(b, a)).toBe(same)
  })
})
