/** What the resource tree adds: Pods that have ended, and Pods of this release that are broken. */

import { describe, expect, test } from 'bun:test'
import type { TreeNode } from '../lib/evidence.ts'
import { treeNeeded } from '../lib/predicates.ts'
import { brokenNode, endedPods } from '../lib/tree.ts'
import type { JsonObject } from './argocd/server.ts'
import { checkOf, knowing, node, parsed, SHA, wanting } from './fixtures.ts'

/** A Pod that runs and is ready, as Argo CD shows it from 3.2 on, with changes. */
const pod = (known: Partial<TreeNode> = {}, info: Record<string, string> = {}): TreeNode =>
  node({
    kind: 'Pod',
    name: 'web-1',
    uid: 'pod',
    images: ['web:1'],
    health: { status: 'Healthy', message: undefined },
    ...known,
    info: { 'Status Reason': 'Running', Containers: '1/1', cpu: '0', memory: '0', ...info },
  })
/** The same up to 3.1, where what a Pod requests is not written; and of a Pod that has ended at any time. */
const silentPod = (status: string, info: Record<string, string>, known: Partial<TreeNode> = {}): TreeNode =>
  node({
    kind: 'Pod',
    uid: 'pod',
    images: ['web:1'],
    health: { status, message: undefined },
    ...known,
    info: { Containers: '0/1', ...info },
  })
const job = (status: string) =>
  node({ group: 'batch', kind: 'Job', uid: 'job', health: { status, message: undefined } })
const of = (owner: string): Partial<TreeNode> => ({ parentUids: [owner] })

describe('Pods that have ended', () => {
  const RUNNING = pod({ uid: 'other', images: ['web:2'] })
  const rows: readonly (readonly [name: string, tree: readonly TreeNode[], ended: boolean])[] = [
    ['ready', [pod()], false],
    [
      'completed, where requests are written',
      [silentPod('Healthy', { 'Status Reason': 'Completed' }), RUNNING],
      true,
    ],
    [
      'failed, where requests are written',
      [silentPod('Degraded', { 'Status Reason': 'Error' }), RUNNING],
      true,
    ],
    [
      'in backoff, where requests are written',
      [pod({}, { 'Status Reason': 'CrashLoopBackOff', Containers: '0/1' }), RUNNING],
      false,
    ],
    ['completed, before they were', [silentPod('Healthy', { 'Status Reason': 'Completed' })], true],
    ['succeeded', [silentPod('Healthy', { 'Status Reason': 'Succeeded' })], true],
    [
      'completed in one container, while another runs on',
      [silentPod('Progressing', { 'Status Reason': 'Completed' })],
      false,
    ],
    [
      'completed, and a container is ready',
      [silentPod('Healthy', { 'Status Reason': 'Completed', Containers: '1/2' })],
      false,
    ],
    ['evicted', [silentPod('Degraded', { 'Status Reason': 'Evicted' })], true],
    ['refused by its node', [silentPod('Degraded', { 'Status Reason': 'OutOfcpu' })], true],
    ['OOMKilled is about to start anew', [silentPod('Degraded', { 'Status Reason': 'OOMKilled' })], false],
    ['an error is about to start anew', [silentPod('Degraded', { 'Status Reason': 'Error' })], false],
    [
      'an error in a Job',
      [silentPod('Degraded', { 'Status Reason': 'Error' }, of('job')), job('Progressing')],
      true,
    ],
    [
      'running in a Job',
      [silentPod('Progressing', { 'Status Reason': 'Running' }, of('job')), job('Progressing')],
      false,
    ],
    ['being deleted', [silentPod('Healthy', { 'Status Reason': 'Terminating' }), RUNNING], false],
    ['on a node that is lost', [silentPod('Degraded', { 'Status Reason': 'Unknown' }), RUNNING], false],
    ['of which nothing is said', [node({ kind: 'Pod', uid: 'pod', images: ['web:1'] }), RUNNING], false],
    [
      'another kind of that name',
      [silentPod('Healthy', { 'Status Reason': 'Completed' }, { group: 'acme.io' })],
      false,
    ],
  ]
  test.each(rows)('%s', (_, tree, ended) =>
    expect([...endedPods(tree)].map(({ uid }) => uid)).toEqual(ended ? ['pod'] : []),
  )

  const app = parsed({}, { status: { summary: { images: ['web:1', 'web:2'] } } })
  const check = (tree: readonly TreeNode[] | undefined) =>
    checkOf('ImageMismatch', app, wanting({ images: ['web:2'] }), knowing({ tree }))
  const COMPLETED = silentPod('Healthy', { 'Status Reason': 'Completed' })
  test('their images are not in the way', () => {
    expect(check([COMPLETED, RUNNING]).state).toBe('met')
    expect(check([COMPLETED, RUNNING]).message).toContain('web:1 only in Pods that have ended')
  })
  test('unless another Pod runs them', () =>
    expect(check([COMPLETED, RUNNING, pod({ uid: 'third' })]).state).toBe('pending'))
  test('a Pod that is being deleted still runs them', () =>
    expect(check([RUNNING, pod({}, { 'Status Reason': 'Terminating' })]).state).toBe('pending'))
  test('an image that no Pod of the tree runs is in the way: the tree may be older', () =>
    expect(check([RUNNING]).state).toBe('pending'))
  test('nor are they without a tree', () => expect(check(undefined).state).toBe('pending'))
  test('an image that is wanted and does not run is not there, whatever the tree says', () => {
    const other = wanting({ images: ['web:3'] })
    expect(checkOf('ImageMismatch', app, other, knowing({ tree: [COMPLETED] })).state).toBe('pending')
  })
})

describe('another registry or case', () => {
  const message = (wanted: string, running: string) =>
    checkOf(
      'ImageMismatch',
      parsed({}, { status: { summary: { images: [running] } } }),
      wanting({ images: [wanted] }),
    ).message
  test.each([
    ['ghcr.io/acme/web:1', 'registry.local:5000/acme/web:1'],
    ['ghcr.io/acme/web:1', 'ghcr.io/Acme/Web:1'],
    ['acme/web:1', 'ghcr.io/acme/web:1'],
    ['nginx:1', 'mirror.local/nginx:1'],
  ])('wanted %s, running %s: asked whether that was meant', (wanted, running) =>
    expect(message(wanted, running)).toContain(`${running} does, which differs`),
  )
  test.each([
    ['ghcr.io/acme/web:1', 'ghcr.io/other/web:1'],
    ['ghcr.io/acme/web:1', 'ghcr.io/acme/web:2'],
    ['ghcr.io/acme/web:1', '::no image::'],
  ])('wanted %s, running %s: not asked', (wanted, running) =>
    expect(message(wanted, running)).not.toContain('was that meant'),
  )
})

describe('NotHealthy while Progressing', () => {
  const BEGAN = '2030-01-01T00:00:00Z'
  const progressing = (more: JsonObject = {}) =>
    parsed(
      {},
      { status: { health: { status: 'Progressing' }, operationState: { startedAt: BEGAN }, ...more } },
    )
  const DEGRADED = { status: 'Degraded', message: 'Back-off pulling image "web:2"' }
  const broken = (known: Partial<TreeNode> = {}): TreeNode =>
    pod({ health: DEGRADED, createdAt: '2030-01-01T00:00:05Z', ...known }, { Containers: '0/1' })
  /** What Argo CD calls Progressing for as long as it lasts. */
  const stuck = (reason: string, known: Partial<TreeNode> = {}): TreeNode =>
    pod(
      { health: { status: 'Progressing', message: undefined }, createdAt: '2030-01-01T00:00:05Z', ...known },
      { 'Status Reason': reason, Containers: '0/1' },
    )
  const replicaSet = (uid: string, revision: number, known: Partial<TreeNode> = {}): TreeNode =>
    node({
      group: 'apps',
      kind: 'ReplicaSet',
      uid,
      parentUids: ['deployment'],
      info: { Revision: `Rev:${revision}` },
      ...known,
    })
  const owned = broken({ parentUids: ['old'] })

  const rows: readonly (readonly [
    name: string,
    tree: readonly TreeNode[],
    app: JsonObject,
    counts: boolean,
  ])[] = [
    ['a Pod made since the operation began', [broken()], {}, true],
    ['a Pod made in the second in which it began', [broken({ createdAt: BEGAN })], {}, true],
    ['an older Pod', [broken({ createdAt: '2029-12-31T23:59:59Z' })], {}, false],
    ['a Pod of which it is not said', [broken({ createdAt: undefined })], {}, false],
    [
      'any Pod where no operation is on record',
      [broken({ createdAt: undefined })],
      { operationState: null },
      true,
    ],
    [
      'no Pod where the operation does not say when it began',
      [broken()],
      { operationState: { startedAt: null } },
      false,
    ],
    [
      'a Pod that is on its way',
      [pod({ createdAt: '2030-01-01T00:00:05Z', health: { status: 'Progressing', message: '' } })],
      {},
      false,
    ],
    ...[
      ...[
        'Init:ImagePullBackOff',
        'Init:ErrImagePull',
        'Init:CrashLoopBackOff',
        'Init:Error',
        'Init:ExitCode:3',
      ],
      ...['InvalidImageName', 'Init:InvalidImageName', 'Init:CreateContainerConfigError'],
    ].map((reason): (typeof rows)[number] => [`a Pod that says ${reason}`, [stuck(reason)], {}, true]),
    ...['Init:0/1', 'PodInitializing', 'ContainerCreating', 'Pending', 'Terminating'].map(
      (reason): (typeof rows)[number] => [`a Pod that says ${reason}`, [stuck(reason)], {}, false],
    ),
    ['an older Pod that says so', [stuck('InvalidImageName', { createdAt: undefined })], {}, false],
    [
      'a Pod of a Job whose image cannot be pulled',
      [stuck('ImagePullBackOff', of('job')), job('Progressing')],
      {},
      true,
    ],
    [
      'but not of a CronJob',
      [
        stuck('ImagePullBackOff', of('job')),
        { ...job('Progressing'), ...of('cron') },
        node({ group: 'batch', kind: 'CronJob', uid: 'cron' }),
      ],
      {},
      false,
    ],
    [
      'a Pod of a Job that is tried again',
      [stuck('Init:CrashLoopBackOff', of('job')), job('Progressing')],
      {},
      false,
    ],
    [
      'a ReplicaSet that may make no Pods',
      [replicaSet('new', 2, { health: DEGRADED, createdAt: BEGAN })],
      {},
      true,
    ],
    ['a Job that failed', [node({ ...job('Degraded'), createdAt: BEGAN })], {}, true],
    [
      'a Job of a CronJob',
      [
        node({ ...job('Degraded'), createdAt: BEGAN, ...of('cron') }),
        node({ group: 'batch', kind: 'CronJob', uid: 'cron' }),
      ],
      {},
      false,
    ],
    ['a failed attempt of a Job that goes on', [broken(of('job')), job('Progressing')], {}, false],
    [
      'an evicted Pod',
      [node({ ...broken(), info: { 'Status Reason': 'Evicted', Containers: '0/1' } })],
      {},
      false,
    ],
    [
      'a Deployment, which says so itself',
      [node({ group: 'apps', kind: 'Deployment', health: DEGRADED, createdAt: BEGAN })],
      {},
      false,
    ],
    [
      'a Pod of a ReplicaSet that another has replaced',
      [owned, replicaSet('old', 1), replicaSet('new', 2)],
      {},
      false,
    ],
    [
      'a Pod of a ReplicaSet that a rollback has brought back',
      [owned, replicaSet('old', 3), replicaSet('new', 2)],
      {},
      true,
    ],
    [
      'a Pod of a ReplicaSet beside one of another owner',
      [owned, replicaSet('old', 1), replicaSet('new', 2, of('other'))],
      {},
      true,
    ],
  ]
  test.each(rows)('%s', (_, tree, more, counts) => {
    const app = progressing(more)
    expect(brokenNode(app, tree) !== undefined).toBe(counts)
    const check = checkOf('NotHealthy', app, wanting(), knowing({ tree }))
    expect({ state: check.state, basis: check.basis }).toEqual(
      counts ? { state: 'failing', basis: 'tree' } : { state: 'pending', basis: undefined },
    )
  })

  test('the message names the node and what it says', () =>
    expect(checkOf('NotHealthy', progressing(), wanting(), knowing({ tree: [broken()] })).message).toContain(
      'Pod web-1 is Degraded: Back-off pulling image',
    ))
  test('or its reason, where it says nothing', () =>
    expect(
      checkOf('NotHealthy', progressing(), wanting(), knowing({ tree: [stuck('Init:ImagePullBackOff')] }))
        .message,
    ).toContain('Pod web-1 is Progressing: Init:ImagePullBackOff'))
  test('it is held against nobody before the release is there', () => {
    const check = checkOf(
      'NotHealthy',
      progressing(),
      wanting({ revision: SHA.b }),
      knowing({ tree: [broken()] }),
    )
    expect({ state: check.state, basis: check.basis }).toEqual({ state: 'pending', basis: undefined })
  })
  test('Progressing is met where it is accepted', () =>
    expect(
      checkOf(
        'NotHealthy',
        progressing(),
        wanting({ health: ['Progressing'] }),
        knowing({ tree: [broken()] }),
      ).state,
    ).toBe('met'))
  test('a broken Pod beside good health changes nothing', () =>
    expect(checkOf('NotHealthy', parsed(), wanting(), knowing({ tree: [broken()] })).state).toBe('met'))
})

describe('when a tree is read', () => {
  const needed = (status: JsonObject, wanted: Parameters<typeof wanting>[0] = {}) =>
    treeNeeded(parsed({}, { status }), wanting(wanted))
  const images = (...running: string[]) => ({ summary: { images: running } })
  test.each([
    ['Progressing', true],
    ['Degraded', true],
    ['Healthy', false],
    ['Missing', false],
    ['Suspended', false],
  ])('%s: %p', (health, expected) => expect(needed({ health: { status: health } })).toBe(expected))
  test('not of an accepted status', () =>
    expect(needed({ health: { status: 'Degraded' } }, { health: ['Degraded'] })).toBe(false))
  test('where other images run beside the wanted one', () =>
    expect(needed(images('web:1', 'web:2'), { images: ['web:2'] })).toBe(true))
  test('not while the wanted one does not run', () =>
    expect(needed(images('web:1'), { images: ['web:2'] })).toBe(false))
  test('not where nothing is in the way', () =>
    expect(needed(images('web:2', 'db:1'), { images: ['web:2'] })).toBe(false))
})
