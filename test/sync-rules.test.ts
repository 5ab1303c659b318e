/** Whether an application needs a sync, to which revisions, and who may: tables of cases. */

import { describe, expect, test } from 'bun:test'
import { commitKey } from '../lib/commits.ts'
import type { Evidence } from '../lib/evidence.ts'
import { checkApplication } from '../lib/predicates.ts'
import { isAuthorized, policyObject } from '../lib/sync-access.ts'
import { isForTarget } from '../lib/sync-operation.ts'
import { sortSyncRefusal, syncBody } from '../lib/sync-request.ts'
import { judge } from '../lib/sync-rules.ts'
import type { ApplicationOptions, JsonObject } from './argocd/server.ts'
import { knowing, NO_EVIDENCE, parsed, REFRESHED, SHA, wanting } from './fixtures.ts'

const MANUAL: JsonObject = { spec: { syncPolicy: undefined } }
const OUT: JsonObject = { ...MANUAL, status: { sync: { status: 'OutOfSync' } } }
const running = (revision: string, more: JsonObject = {}): JsonObject => ({
  ...MANUAL,
  operation: { sync: { revision } },
  status: {
    sync: { status: 'OutOfSync' },
    operationState: {
      phase: 'Running',
      finishedAt: undefined,
      operation: { sync: { revision, ...more } },
      syncResult: { revision },
    },
  },
})
const SOURCES = [
  { repoURL: 'https://git.example.com/a.git', targetRevision: 'main', name: 'a', revision: SHA.a },
  { repoURL: 'https://git.example.com/b.git', targetRevision: 'main', name: 'b', revision: SHA.c },
  { repoURL: 'https://charts.example.com', chart: 'web', targetRevision: '1.x', revision: '1.2.0' },
]

interface Case {
  readonly what: string
  readonly is?: ApplicationOptions
  readonly with?: JsonObject
  readonly wants?: Parameters<typeof wanting>[0]
  readonly knows?: Evidence
  /** `revisions` by place, where a sync is needed. */
  readonly says: string | Readonly<Record<number, string>>
}

const CASES: readonly Case[] = [
  { what: 'as wanted', with: MANUAL, wants: { revision: SHA.a }, says: 'nothing' },
  { what: 'Synced at another revision', with: MANUAL, wants: { revision: SHA.b }, says: { 0: SHA.b } },
  { what: 'OutOfSync at the wanted one', with: OUT, wants: { revision: SHA.a }, says: { 0: SHA.a } },
  {
    what: 'OutOfSync at a short form of it: what was compared',
    with: OUT,
    wants: { revision: SHA.a.slice(0, 8) },
    says: { 0: SHA.a },
  },
  { what: 'OutOfSync at another one', with: OUT, wants: { revision: SHA.b }, says: { 0: SHA.b } },
  { what: 'automated', wants: { revision: SHA.b }, says: 'automated' },
  {
    what: 'automated, empty',
    with: { spec: { syncPolicy: { automated: { prune: undefined, selfHeal: undefined } } } },
    wants: { revision: SHA.b },
    says: 'automated',
  },
  {
    what: 'automated, switched off',
    with: { spec: { syncPolicy: { automated: { enabled: false } } } },
    wants: { revision: SHA.b },
    says: { 0: SHA.b },
  },
  {
    what: 'being deleted',
    with: { ...OUT, metadata: { deletionTimestamp: '2026-11-24T12:00:00Z' } },
    wants: { revision: SHA.a },
    says: 'nothing',
  },
  {
    what: 'the tracked branch, before it is known where that points',
    with: MANUAL,
    wants: { revision: 'main' },
    says: 'unclear',
  },
  {
    what: 'the tracked branch',
    with: MANUAL,
    wants: { revision: 'main' },
    knows: REFRESHED,
    says: 'nothing',
  },
  { what: 'the tracked branch, OutOfSync', with: OUT, wants: { revision: 'main' }, says: {} },
  {
    what: 'a tag, before it is known whether it is there already',
    with: MANUAL,
    wants: { revision: 'v2' },
    says: 'unclear',
  },
  {
    what: 'a tag that is elsewhere',
    with: MANUAL,
    wants: { revision: 'v2' },
    knows: knowing({
      commits: new Map([[commitKey(0, SHA.a), { message: '', author: undefined, tags: ['v1'] }]]),
    }),
    says: { 0: 'v2' },
  },
  {
    what: 'an operation under way, whatever it is for',
    with: running(SHA.c),
    wants: { revision: SHA.b },
    says: 'under way',
  },
  {
    what: 'the status is about an older spec',
    with: { ...MANUAL, status: { sync: { comparedTo: { source: { path: 'other' } } } } },
    wants: { revision: SHA.b },
    says: 'unclear',
  },
  {
    what: 'the status is from before the end of an operation',
    with: { ...OUT, status: { sync: { status: 'OutOfSync' }, reconciledAt: '2020-01-01T00:00:00Z' } },
    wants: { revision: SHA.b },
    says: 'unclear',
  },
  {
    what: 'a comparison error',
    with: {
      ...MANUAL,
      status: { sync: { status: 'Unknown', revision: 'main' }, conditions: [{ type: 'ComparisonError' }] },
    },
    wants: { revision: SHA.b },
    says: 'unclear',
  },
  {
    what: 'a condition that nobody knows is no reason to wait',
    with: { ...OUT, status: { sync: { status: 'OutOfSync' }, conditions: [{ type: 'NewOne' }] } },
    wants: { revision: SHA.a },
    says: { 0: SHA.a },
  },
  {
    what: 'never compared',
    with: { ...MANUAL, status: { sync: { status: '', revision: '' } } },
    wants: { revision: SHA.b },
    says: 'unclear',
  },
  {
    what: 'Synced at the wanted one, where the last operation failed',
    with: { ...MANUAL, status: { operationState: { phase: 'Failed' } } },
    wants: { revision: SHA.a },
    says: { 0: SHA.a },
  },
  {
    what: 'Synced with local manifests',
    with: {
      ...MANUAL,
      status: {
        sync: { revision: 'main' },
        operationState: { operation: { sync: { revision: '', manifests: ['{}'] } } },
      },
    },
    wants: { revision: SHA.b },
    says: { 0: SHA.b },
  },
  {
    what: 'Synced with local manifests, and not to be compared',
    with: {
      ...MANUAL,
      status: {
        sync: { revision: 'main', status: 'Unknown' },
        operationState: { operation: { sync: { revision: '', manifests: ['{}'] } } },
        conditions: [{ type: 'ComparisonError', message: 'no such path' }],
      },
    },
    wants: { revision: SHA.b },
    says: 'unclear',
  },
  {
    what: 'unhealthy only',
    with: { ...MANUAL, status: { health: { status: 'Degraded' } } },
    wants: { revision: SHA.a },
    says: 'nothing',
  },
  // Images and commit messages: to what is tracked.
  {
    what: 'an image that runs',
    is: { name: 'web' },
    with: MANUAL,
    wants: { images: ['registry.example.com/web:1.0.0'] },
    says: 'nothing',
  },
  {
    what: 'an image that does not',
    is: { name: 'web' },
    with: MANUAL,
    wants: { images: ['registry.example.com/web:2'] },
    says: {},
  },
  {
    what: 'an image that does not yet',
    is: { name: 'web' },
    with: { ...MANUAL, status: { health: { status: 'Progressing' } } },
    wants: { images: ['registry.example.com/web:2'] },
    says: 'nothing',
  },
  {
    what: 'an image, at the wanted revision',
    is: { name: 'web' },
    with: MANUAL,
    wants: { revision: SHA.a, images: ['registry.example.com/web:2'] },
    says: 'nothing',
  },
  {
    what: 'a commit message that is not known',
    with: MANUAL,
    wants: { commitMessage: 'x' },
    says: 'unclear',
  },
  {
    what: 'another commit message',
    with: MANUAL,
    wants: { commitMessage: 'x' },
    knows: knowing({
      commits: new Map([[commitKey(0, SHA.a), { message: 'y', author: undefined, tags: [] }]]),
    }),
    says: {},
  },
  // Several sources.
  {
    what: 'each by its name',
    is: { sources: SOURCES },
    with: MANUAL,
    wants: { revision: `a=${SHA.b},b=${SHA.d}` },
    says: { 0: SHA.b, 1: SHA.d },
  },
  {
    what: 'one of them is there',
    is: { sources: SOURCES },
    with: MANUAL,
    wants: { revision: `a=${SHA.a},b=${SHA.d}` },
    says: { 0: SHA.a, 1: SHA.d },
  },
  {
    what: 'a source that is none',
    is: { sources: SOURCES },
    with: MANUAL,
    wants: { revision: `x=${SHA.d}` },
    says: 'misfit',
  },
  {
    what: 'a commit that could be of two',
    is: { sources: SOURCES },
    with: MANUAL,
    wants: { revision: SHA.b },
    says: 'misfit',
  },
  {
    what: 'a commit of the one repository among charts',
    is: { sources: SOURCES.slice(1) },
    with: MANUAL,
    wants: { revision: SHA.b },
    says: { 0: SHA.b },
  },
  {
    what: 'a commit of one repository in two places',
    is: { sources: [SOURCES[0] ?? SOURCES[1], { ...SOURCES[0], name: 'c' }] as typeof SOURCES },
    with: MANUAL,
    wants: { revision: SHA.b },
    says: { 0: SHA.b, 1: SHA.b },
  },
  {
    what: 'a chart version, by its source',
    is: { sources: SOURCES },
    with: MANUAL,
    wants: { revision: 'https://charts.example.com#web=1.3.0' },
    says: { 2: '1.3.0' },
  },
  {
    what: 'OutOfSync where one has the wanted one',
    is: { sources: SOURCES },
    with: OUT,
    wants: { revision: SHA.c },
    says: { 1: SHA.c },
  },
  // Hydrated.
  {
    what: 'not hydrated yet',
    is: { drySHA: SHA.c },
    with: MANUAL,
    wants: { revision: SHA.d },
    says: 'unclear',
  },
  {
    what: 'hydrated and OutOfSync: what came of it',
    is: { drySHA: SHA.c },
    with: OUT,
    wants: { revision: SHA.c },
    says: { 0: SHA.a },
  },
]

describe('what is needed', () => {
  for (const { what, is, with: overrides = {}, wants, knows = NO_EVIDENCE, says } of CASES)
    test(`${what}: ${typeof says === 'string' ? says : `a sync to ${JSON.stringify(says)}`}`, () => {
      const [application, wanted] = [parsed(is, overrides), wanting(wants)]
      const judgement = judge(application, wanted, knows, checkApplication(application, wanted, knows))
      if (says === 'under way') expect(judgement).toMatchObject({ kind: 'needed', isUnderWay: true })
      else if (typeof says === 'string') expect(judgement.kind).toBe(says as 'nothing')
      else {
        expect(judgement).toMatchObject({ kind: 'needed', isUnderWay: false })
        const revisions = judgement.kind === 'needed' ? judgement.target.revisions : []
        expect(Object.fromEntries(revisions.map(({ index, revision }) => [index, revision]))).toEqual(says)
      }
    })
})

describe('an operation under way is for what is wanted', () => {
  const target = { revisions: [{ index: 0, revision: SHA.b }], several: false }
  const tracked = { revisions: [], several: false }
  test.each([
    ['the same revision', running(SHA.b), target, true],
    ['another one', running(SHA.c), target, false],
    ['a dry run', running(SHA.b, { dryRun: true }), target, false],
    ['some resources only', running(SHA.b, { resources: [{ kind: 'Job' }] }), target, false],
    ['local manifests', running(SHA.b, { manifests: ['{}'] }), target, false],
    ['what is tracked, as it was compared', running(SHA.a), tracked, true],
    ['what is tracked, and another one', running(SHA.c), tracked, false],
  ] as const)('%s', (_, overrides, wanted, isSame) => {
    expect(isForTarget(parsed({}, overrides), wanted)).toBe(isSame)
  })
})

describe('a Stage is authorized', () => {
  test.each([
    ['shop:prod', true],
    [' shop : prod ', true],
    ['shop:test,shop:prod', true],
    ['shop:test, ,shop:prod,', true],
    ['', false],
    ['shop:test', false],
    ['shop:*', false],
    ['*:*', false],
    // As in Kargo, one entry that cannot be read, and nobody is.
    ['shop:prod,shop:*', false],
    ['shop:prod,shop', false],
    ['shop:prod,:prod', false],
    ['shop:prod,shop:', false],
    ['shop:prod:x', false],
    ['Shop:prod', false],
  ])('by %p: %p', (value, is) => {
    const app = parsed({ annotations: { 'kargo.akuity.io/authorized-stage': value } })
    expect(isAuthorized(app, { project: 'shop', name: 'prod' })).toBe(is)
  })
})

describe('the name of an application in policies', () => {
  test.each([
    ['argocd', 'argocd', undefined, 'default/guestbook'],
    ['team', 'argocd', undefined, 'default/team/guestbook'],
    ['team', '', 'argocd', 'default/team/guestbook'],
    ['argocd', '', 'argocd', 'default/guestbook'],
    ['team', '', undefined, 'default/guestbook'],
  ])('in %s, with the control plane in %p, or %p', (namespace, controllerNamespace, known, object) => {
    expect(policyObject(parsed({ namespace }, { status: { controllerNamespace } }), known)).toBe(object)
  })
})

describe('the request', () => {
  const ref = { name: 'web', namespace: undefined, project: undefined }

  test('of what is tracked names no revision', () => {
    const body = syncBody(ref, { revisions: [], several: true, prune: true, id: 'x' })
    expect(Object.keys(body).sort()).toEqual(['infos', 'name', 'prune'])
  })

  test('counts positions from 1', () => {
    const revisions = [{ index: 2, revision: '1.3.0' }]
    expect(
      syncBody(
        { ...ref, namespace: 'team', project: 'shop' },
        { revisions, several: true, prune: false, id: 'x' },
      ),
    ).toMatchObject({
      appNamespace: 'team',
      project: 'shop',
      sourcePositions: [3],
      revisions: ['1.3.0'],
    })
  })

  test.each([
    [400, 9, 'another operation is already in progress', 'busy'],
    [500, 2, 'error setting app operation: another operation is already in progress', 'busy'],
    [403, 7, 'cannot sync: blocked by sync window', 'closed'],
    [403, 7, 'cannot sync: invalid sync window: x', 'closed'],
    [403, 7, 'permission denied: applications, sync, default/web, sub: x', 'denied'],
    [403, 7, 'permission denied: applications, override, default/web, sub: x', 'denied'],
    [403, 7, 'permission denied', undefined],
    [400, 9, 'Cannot sync to x: auto-sync currently set to main', 'refused'],
    [400, undefined, 'bad request', undefined],
    [502, undefined, 'bad gateway', undefined],
    [500, 2, 'error updating application', undefined],
  ])('answered %p %p %s', (status, code, said, kind) => {
    expect(sortSyncRefusal({ status, code, said })?.kind).toBe(kind as 'busy')
  })
})
