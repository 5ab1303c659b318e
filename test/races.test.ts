/** Answers that come late, from a cache, or never: no yes from what is no longer known, and no wait without an end. */

import { describe, expect, test } from 'bun:test'
import { RequestFailure } from '../lib/failure.ts'
import type { Target } from '../lib/wanted.ts'
import { type JsonObject, merge } from './argocd/server.ts'
import { settled } from './fake-clock.ts'
import { node, SHA, wanting } from './fixtures.ts'
import { named, Scene, SECOND, SELECTED } from './scene.ts'

const VERIFIED = { kind: 'verified' } as const

const degraded = { status: { health: { status: 'Degraded' } } }
const progressing = { status: { health: { status: 'Progressing' } } }

/** One application that is to be where a branch or a tag points. */
function following(revision: string): Target {
  const applications = [{ name: 'web', namespace: 'argocd', wanted: wanting({ revision }) }]
  return { kind: 'names', project: undefined, applications }
}

/** Reconciled at so many seconds, by the server's clock, and never synced. */
const reconciledAt = (second: number) => ({
  status: {
    reconciledAt: new Date(Date.UTC(2030, 0, 1) + second * SECOND).toISOString(),
    operationState: null,
  },
})

/** Lets what a GET brings travel for so long after Argo CD has read it. */
function slowAnswers(scene: Scene, travel: (nth: number) => number): void {
  const get = scene.argocd.look.bind(scene.argocd)
  let asked = 0
  scene.argocd.look = async (ref, how) => {
    const nth = ++asked
    const answer = await get(ref, how)
    await scene.clock.sleep(travel(nth))
    return answer
  }
}

describe('applications that are polled', () => {
  test('two that were never good at the same time are no yes', async () => {
    const scene = new Scene()
    scene.put('a', SHA.b)
    scene.put('b', SHA.a)
    let slow = false
    scene.argocd.delay = ({ name }) => (slow && name === 'a' ? scene.clock.sleep(100) : Promise.resolve())
    await scene.start({}, named('a', 'b')).pass(2)
    slow = true
    scene.put('a', SHA.b, degraded)
    scene.put('b', SHA.b)
    await scene.pass(10)
    expect(scene.ending).toBeUndefined()
    scene.put('a', SHA.b)
    await scene.pass(10)
    expect(scene.ending).toEqual(VERIFIED)
  })

  test('an old Pod that is back when the other becomes good is no yes, though the images are the same', async () => {
    const scene = new Scene()
    const images = { status: { summary: { images: ['web:1', 'web:2'] } } }
    const old = (isRunning: boolean) =>
      node({
        kind: 'Pod',
        name: 'old',
        images: ['web:1'],
        health: { status: 'Healthy', message: undefined },
        info: isRunning
          ? { 'Status Reason': 'Running', Containers: '1/1', cpu: '0' }
          : { 'Status Reason': 'Completed', Containers: '0/1' },
      })
    const target: Target = {
      kind: 'names',
      project: undefined,
      applications: [
        { name: 'api', namespace: 'argocd', wanted: wanting({ revision: SHA.b }) },
        { name: 'web', namespace: 'argocd', wanted: wanting({ images: ['web:2'] }) },
      ],
    }
    scene.put('web', SHA.b, images)
    scene.put('api', SHA.a)
    scene.argocd.nodes = [old(false)]
    await scene.start({}, target).pass(4)
    expect(scene.argocd.count('tree')).toBe(1)
    scene.put('api', SHA.b)
    scene.argocd.nodes = [old(true)]
    await scene.pass(20)
    expect(scene.ending).toBeUndefined()
    expect(scene.argocd.count('tree')).toBeLessThan(5)
    scene.argocd.nodes = [old(false)]
    await scene.pass(12)
    expect(scene.ending).toEqual(VERIFIED)
  })

  test('one that can no longer be asked is not good because it once was', async () => {
    const scene = new Scene()
    scene.put('a', SHA.b)
    scene.put('b', SHA.a)
    const policy = { interval: 600 * SECOND, timeout: 3600 * SECOND }
    await scene.start(policy, named('a', 'b')).pass(2)
    scene.argocd.refuse = ({ name }) => {
      if (name === 'a') throw new RequestFailure('Unreachable', '503')
    }
    scene.put('b', SHA.b)
    await scene.pass(700)
    expect(scene.ending).toBeUndefined()
    scene.argocd.refuse = () => {}
    await scene.pass(700)
    expect(scene.ending).toEqual(VERIFIED)
  })
})

describe('an answer that comes late', () => {
  test('is not taken for what the refresh found when it was read before', async () => {
    const scene = new Scene()
    const put = (revision: string, change: JsonObject = {}) =>
      scene.put('web', revision, merge(reconciledAt(refreshes), change))
    let refreshes = 0
    put(SHA.a)
    // The first refresh says little: another one may have answered it. The second is the one that tells.
    let finish = () => {}
    scene.argocd.delay = ({ call }) =>
      call === 'refresh' && ++refreshes === 2
        ? new Promise((resolve) => {
            finish = resolve
          })
        : Promise.resolve()
    scene.argocd.onRefresh = () =>
      void put(refreshes === 1 ? SHA.a : SHA.b, refreshes === 1 ? {} : progressing)
    slowAnswers(scene, (nth) => (nth === 2 ? 3 * SECOND : 0))
    await scene.start({ refresh: 'normal' }, following('main')).pass(6)
    expect(refreshes).toBe(2)
    finish()
    await scene.pass(4)
    expect(scene.ending).toBeUndefined()
    put(SHA.b)
    await scene.pass(10)
    expect(scene.ending).toEqual(VERIFIED)
  })

  test('does not replace what the stream has shown since', async () => {
    const scene = new Scene()
    scene.put('web', SHA.b)
    scene.argocd.streamBegins = false
    slowAnswers(scene, () => 3 * SECOND)
    await scene.start({ watch: true }).pass(1)
    const broken = scene.put('web', SHA.b, degraded)
    scene.argocd.streams[0]?.keepAlive()
    scene.argocd.streams[0]?.send({ type: 'ADDED', application: broken })
    await scene.pass(4)
    expect(scene.ending).toBeUndefined()
    scene.argocd.streams[0]?.send({ type: 'MODIFIED', application: scene.put('web', SHA.b) })
    // A yes needs an answer that was asked for since then, and answers take three seconds.
    await scene.pass(2)
    expect(scene.ending).toBeUndefined()
    await scene.pass(1)
    expect(scene.ending).toEqual(VERIFIED)
  })

  test('does not make an application good that the stream has said is deleted', async () => {
    const scene = new Scene()
    const target: Target = {
      kind: 'names',
      project: undefined,
      applications: ['a', 'b'].map((name) => ({
        name,
        namespace: undefined,
        wanted: wanting({ revision: SHA.b }),
      })),
    }
    scene.put('a', SHA.b)
    const deleted = scene.put('b', SHA.b)
    scene.argocd.delay = ({ call }) => (call === 'look' ? scene.clock.sleep(3 * SECOND) : Promise.resolve())
    await scene.start({ watch: true }, target).pass(1)
    scene.argocd.present.delete('b')
    scene.argocd.streams[0]?.send({ type: 'DELETED', application: deleted })
    await scene.pass(4)
    expect(scene.ending).toBeUndefined()
    scene.argocd.streams[0]?.send({ type: 'ADDED', application: scene.put('b', SHA.b) })
    await scene.pass(4)
    expect(scene.ending).toEqual(VERIFIED)
  })

  test('of a commit does not judge an application as it was before the question', async () => {
    const scene = new Scene()
    scene.put('web', SHA.b)
    scene.argocd.commits.set(SHA.b, { message: 'm', author: undefined, tags: ['v1'] })
    scene.argocd.delay = ({ call }) =>
      call === 'commit' ? scene.clock.sleep(14 * SECOND) : Promise.resolve()
    scene.start({ interval: 60 * SECOND, timeout: 600 * SECOND }, following('v1'))
    await scene.pass(1)
    scene.put('web', SHA.b, degraded)
    await scene.pass(20)
    expect(scene.ending).toBeUndefined()
    scene.put('web', SHA.b)
    await scene.pass(60)
    expect(scene.ending).toEqual(VERIFIED)
  })
})

describe('a selector', () => {
  test('the first message of a stream that is opened again is not all that match', async () => {
    const scene = new Scene()
    const a = scene.put('a', SHA.b)
    scene.put('b', SHA.a)
    await scene.start({ watch: true, interval: 60 * SECOND }, SELECTED).pass(5)
    scene.argocd.streamBegins = false
    scene.argocd.delay = ({ call }) => (call === 'list' ? scene.clock.sleep(SECOND) : Promise.resolve())
    scene.argocd.streams[0]?.end()
    scene.put('c', SHA.a)
    const b = scene.put('b', SHA.b)
    await scene.clock.advance(600)
    const stream = scene.argocd.streams.at(-1)
    stream?.keepAlive()
    stream?.send({ type: 'ADDED', application: a })
    stream?.send({ type: 'ADDED', application: b })
    await settled()
    expect(scene.ending).toBeUndefined()
    stream?.send({ type: 'ADDED', application: scene.put('c', SHA.b) })
    await scene.pass(5)
    expect(scene.ending).toEqual(VERIFIED)
    expect([...(scene.outcome?.knowledge.applications.keys() ?? [])].sort()).toEqual([
      'argocd/a',
      'argocd/b',
      'argocd/c',
    ])
  })

  test('a list that was read before does not throw out what the stream has brought since', async () => {
    const scene = new Scene()
    scene.argocd.streamBegins = false
    const a = scene.put('a', SHA.b)
    const unready = scene.put('b', SHA.b, progressing)
    const list = scene.argocd.list.bind(scene.argocd)
    scene.argocd.list = async (query, how) => {
      const answer = await list(query, how)
      await scene.clock.sleep(2 * SECOND)
      return answer
    }
    await scene.start({ watch: true }, SELECTED).pass(1)
    const stream = scene.argocd.streams[0]
    const c = scene.put('c', SHA.a)
    const b = scene.put('b', SHA.b)
    stream?.keepAlive()
    stream?.send(
      { type: 'ADDED', application: a },
      { type: 'ADDED', application: unready },
      { type: 'ADDED', application: c },
    )
    await scene.pass(3)
    stream?.send({ type: 'MODIFIED', application: b })
    await settled()
    expect(scene.ending).toBeUndefined()
    stream?.send({ type: 'MODIFIED', application: scene.put('c', SHA.b) })
    await scene.pass(5)
    expect(scene.ending).toEqual(VERIFIED)
  })

  test('one that lost its label without a word is let go before a deadline of thirty seconds', async () => {
    const scene = new Scene()
    scene.put('a', SHA.b)
    scene.put('b', SHA.a)
    await scene.start({ watch: true, timeout: 30 * SECOND }, SELECTED).pass(2)
    scene.argocd.present.delete('b')
    await scene.pass(30)
    expect(scene.ending).toEqual(VERIFIED)
  })

  test('one that was never good is no part of it any more, but what it kept from holding has not held', async () => {
    const scene = new Scene()
    scene.put('a', SHA.b)
    scene.put('b', SHA.a)
    await scene.start({ stableFor: 20 * SECOND, timeout: 100 * SECOND }, SELECTED).pass(18)
    scene.argocd.present.delete('b')
    await scene.pass(20)
    expect(scene.ending).toBeUndefined()
    await scene.pass(3)
    expect(scene.ending).toEqual(VERIFIED)
  })

  test('a list from the cache, older than what the refresh found, is not believed after it', async () => {
    const scene = new Scene()
    const old = scene.put('a', SHA.a, reconciledAt(0))
    let isCached = false
    let refreshes = 0
    const list = scene.argocd.list.bind(scene.argocd)
    scene.argocd.list = async (query, how) => {
      const answer = await list(query, how)
      return isCached ? [old] : answer
    }
    scene.argocd.delay = ({ call }) => (call === 'refresh' ? scene.clock.sleep(2400) : Promise.resolve())
    // What the branch points at is known by the second refresh, and the cache is behind it.
    scene.argocd.onRefresh = () => {
      isCached = ++refreshes === 2
      scene.put('a', SHA.b, merge(reconciledAt(refreshes * 5), progressing))
    }
    const target: Target = {
      kind: 'selector',
      selector: 'a=b',
      min: 1,
      namespace: undefined,
      project: undefined,
      wanted: wanting({ revision: 'main' }),
    }
    await scene.start({ refresh: 'normal' }, target).pass(11)
    expect(refreshes).toBe(2)
    expect(scene.ending).toBeUndefined()
    isCached = false
    scene.put('a', SHA.b, reconciledAt(10))
    await scene.pass(5)
    expect(scene.ending).toEqual(VERIFIED)
  })
})

describe('a refresh', () => {
  test('of an application that was deleted says nothing of the one created in its place', async () => {
    const scene = new Scene()
    let refreshes = 0
    scene.argocd.onRefresh = (name) => {
      const application = scene.argocd.present.get(name)
      refreshes++
      if (application === undefined) return
      const status = { ...application.status, reconciledAt: reconciledAt(refreshes).status.reconciledAt }
      scene.argocd.present.set(name, { ...application, status })
    }
    scene.put('web', SHA.a, merge(reconciledAt(0), progressing))
    await scene.start({ refresh: 'normal' }, following('main')).pass(4)
    // Where the branch points is known of this one.
    expect(refreshes).toBe(2)
    expect(scene.ending).toBeUndefined()
    scene.argocd.present.delete('web')
    await scene.pass(5)
    let refreshed = () => {}
    scene.argocd.delay = ({ call }) =>
      call === 'refresh'
        ? new Promise((resolve) => {
            refreshed = resolve
          })
        : Promise.resolve()
    scene.put('web', SHA.c, reconciledAt(refreshes))
    await scene.pass(5)
    expect(scene.argocd.count('refresh')).toBe(3)
    refreshed()
    await scene.pass(2)
    expect(scene.ending).toBeUndefined()
    expect(scene.argocd.count('refresh')).toBe(4)
    refreshed()
    await scene.pass(1)
    expect(scene.ending).toEqual(VERIFIED)
  })

  test('that hangs does not keep those of other applications from their turn', async () => {
    const scene = new Scene()
    const names = Array.from({ length: 9 }, (_, i) => `a${i}`)
    for (const name of names) scene.put(name, SHA.a)
    scene.argocd.delay = ({ call, name }) =>
      call === 'refresh' && name !== 'a8' ? new Promise(() => {}) : Promise.resolve()
    await scene.start({ refresh: 'normal', timeout: 600 * SECOND }, named(...names)).pass(60)
    const asked = (of: string) =>
      scene.argocd.requests.filter(({ call, name }) => call === 'refresh' && name === of).length
    expect(asked('a8')).toBeGreaterThanOrEqual(1)
    // No annotation tells of those that hang, so they count as lost, and are asked for again more and more seldom.
    await scene.pass(539)
    for (const name of names) expect(asked(name)).toBeWithin(4, 10)
  })

  test('that hangs while its annotation is there is under way, and not asked for again', async () => {
    const scene = new Scene()
    const asked = { metadata: { annotations: { 'argocd.argoproj.io/refresh': 'normal' } } }
    scene.put('web', SHA.a)
    scene.argocd.delay = ({ call }) => {
      if (call !== 'refresh') return Promise.resolve()
      scene.put('web', SHA.a, asked)
      return new Promise(() => {})
    }
    await scene.start({ refresh: 'normal', timeout: 600 * SECOND }).pass(59)
    expect(scene.argocd.count('refresh')).toBe(1)
    await scene.pass(300)
    expect(scene.argocd.count('refresh')).toBe(1)
    scene.put('web', SHA.b)
    await scene.pass(5)
    expect(scene.ending).toEqual(VERIFIED)
  })

  test('is asked for again by a sync that leaves the status stale while one is under way', async () => {
    const scene = new Scene()
    scene.put('web', SHA.a)
    scene.argocd.delay = ({ call }) =>
      call === 'refresh' ? scene.clock.sleep(2 * SECOND) : Promise.resolve()
    await scene.start({ refresh: 'normal', watch: true, timeout: 600 * SECOND }).pass(1)
    const stale = scene.put('web', SHA.b, {
      status: {
        reconciledAt: '2030-01-01T00:00:00Z',
        operationState: { finishedAt: '2030-01-01T00:00:01Z' },
      },
    })
    scene.argocd.streams[0]?.send({ type: 'MODIFIED', application: stale })
    await scene.pass(4)
    expect(scene.argocd.count('refresh')).toBe(2)
    // Once for that sync; the others come when they would have come without it, after pauses that grow.
    await scene.pass(10)
    expect(scene.argocd.count('refresh')).toBe(2)
    await scene.pass(286)
    expect(scene.ending).toBeUndefined()
    expect(scene.argocd.count('refresh')).toBe(6)
  })

  test('is asked for again a second later, where its answer may be from before the end of a sync', async () => {
    const scene = new Scene()
    const put = (second: number) =>
      scene.put('web', SHA.b, {
        status: {
          reconciledAt: `2030-01-01T00:00:0${second}Z`,
          operationState: { finishedAt: '2030-01-01T00:00:01Z', syncResult: { revision: SHA.a } },
        },
      })
    put(0)
    scene.argocd.onRefresh = () => void put(scene.argocd.count('refresh'))
    await scene.start({ refresh: 'normal' }).pass(0)
    await scene.clock.advance(900)
    expect(scene.argocd.count('refresh')).toBe(1)
    expect(scene.ending).toBeUndefined()
    await scene.pass(1)
    expect(scene.ending).toEqual(VERIFIED)
    expect(scene.argocd.count('refresh')).toBe(2)
  })
})

describe('without refreshes, a status from the second in which a sync to another commit ended', () => {
  const put = (scene: Scene, change: JsonObject = {}) =>
    scene.put(
      'web',
      SHA.b,
      merge(
        {
          status: {
            reconciledAt: '2030-01-01T00:00:01Z',
            operationState: { finishedAt: '2030-01-01T00:00:01Z', syncResult: { revision: SHA.a } },
          },
        },
        change,
      ),
    )
  const REFUSING = (scene: Scene) => {
    scene.argocd.refuse = ({ call }) => {
      if (call === 'refresh')
        throw new RequestFailure('Unauthorized', 'admission webhook "x" denied the request')
    }
  }

  test.each([
    ['that are off', { refresh: 'none', watch: true }, () => {}],
    ['that are off, polled', { refresh: 'none' }, () => {}],
    ['that are refused', { refresh: 'normal' }, REFUSING],
  ] as const)(
    'is taken for one after it when nothing has changed for a while: %s',
    async (_, policy, prepare) => {
      const scene = new Scene()
      prepare(scene)
      put(scene)
      await scene.start({ timeout: 60 * SECOND, ...policy }).pass(9)
      expect(scene.ending).toBeUndefined()
      await scene.pass(7)
      expect(scene.ending).toEqual(VERIFIED)
    },
  )

  test('waits on where something changes', async () => {
    const scene = new Scene()
    put(scene)
    await scene.start({ refresh: 'none', timeout: 60 * SECOND, interval: SECOND }).pass(8)
    put(scene, degraded)
    await scene.pass(2)
    put(scene)
    await scene.pass(8)
    expect(scene.ending).toBeUndefined()
    await scene.pass(4)
    expect(scene.ending).toEqual(VERIFIED)
  })

  test('is from before it where reconciled in the second before', async () => {
    const scene = new Scene()
    put(scene, { status: { reconciledAt: '2030-01-01T00:00:00Z' } })
    await scene.start({ refresh: 'none', timeout: 60 * SECOND }).pass(61)
    expect(scene.ending).toMatchObject({ kind: 'timed-out' })
  })
})

test('a stream that is never answered is given up like one that is silent, and opened again', async () => {
  const scene = new Scene()
  scene.put('web', SHA.a)
  let hangs = true
  scene.argocd.delay = ({ call }) => (call === 'watch' && hangs ? new Promise(() => {}) : Promise.resolve())
  await scene.start({ watch: true, interval: 60 * SECOND, timeout: 600 * SECOND }).pass(39)
  expect(scene.argocd.count('watch')).toBe(1)
  hangs = false
  await scene.pass(3)
  expect(scene.argocd.count('watch')).toBe(2)
  scene.argocd.streams.at(-1)?.send({ type: 'MODIFIED', application: scene.put('web', SHA.b) })
  await scene.pass(1)
  expect(scene.ending).toEqual(VERIFIED)
})

test('Retry-After holds for names that the stream does not mention, up to half a minute', async () => {
  const scene = new Scene()
  scene.put('other', SHA.a)
  scene.argocd.refuse = ({ call }) => {
    if (call === 'look') throw new RequestFailure('Unreachable', '429', { retryAfter: 55 * SECOND })
  }
  const policy = { watch: true, interval: SECOND, timeout: 300 * SECOND }
  await scene.start(policy, named('web', 'api')).pass(30)
  expect(scene.argocd.count('look')).toBe(2)
  await scene.pass(5)
  expect(scene.argocd.count('look')).toBe(4)
})

test('a failure that is certain just before the deadline is told as one, however long its diagnosis hangs', async () => {
  const scene = new Scene()
  scene.put('web', SHA.b, degraded)
  scene.argocd.delay = ({ call }) => (call === 'tree' ? scene.clock.sleep(60 * SECOND) : Promise.resolve())
  await scene.start({ failAfter: 29 * SECOND, timeout: 30 * SECOND, interval: SECOND }).pass(31)
  expect(scene.ending).toEqual({ kind: 'failed', key: 'argocd/web' })
  expect(scene.outcome?.endedAt).toBeLessThanOrEqual(30 * SECOND)
})

describe('an early no', () => {
  test('does not count an error that nothing has confirmed for what fails beside it', async () => {
    const scene = new Scene()
    const conditions = [{ type: 'ComparisonError', message: 'm' }]
    scene.put('web', SHA.b, { status: { conditions } })
    scene.start({ failAfter: 10 * SECOND })
    await scene.pass(6)
    scene.put('web', SHA.b, { status: { conditions, operationState: { phase: 'Failed' } } })
    await scene.pass(9)
    expect(scene.outcome).toBeUndefined()
    await scene.pass(10)
    expect(scene.outcome?.decision.kind).toBe('failed')
  })

  test('does not rest on what a stream has told of, however long, where no look says so too', async () => {
    const scene = new Scene()
    scene.put('web', SHA.b, progressing)
    scene.argocd.refuse = ({ call }) => {
      if (call === 'look' && scene.clock.now() > SECOND) throw new RequestFailure('Unreachable', '503')
    }
    const policy = { watch: true, failAfter: 20 * SECOND, timeout: 300 * SECOND }
    await scene.start(policy).pass(2)
    const broken = scene.put('web', SHA.b, { metadata: { deletionTimestamp: '2030-01-01T00:00:00Z' } })
    scene.argocd.streams[0]?.send({ type: 'MODIFIED', application: broken })
    await scene.pass(60)
    expect(scene.ending).toBeUndefined()
    scene.argocd.refuse = () => {}
    await scene.pass(10)
    expect(scene.ending).toEqual({ kind: 'failed', key: 'argocd/web' })
  })

  test('does not rest on a look of long ago that something else makes count', async () => {
    const scene = new Scene()
    scene.put('web', SHA.b, degraded)
    scene.argocd.commits.set(SHA.b, { message: 'm', author: undefined, tags: ['v1'] })
    scene.argocd.delay = ({ call }) =>
      call === 'commit' ? scene.clock.sleep(14 * SECOND) : Promise.resolve()
    scene.start({ interval: 60 * SECOND, timeout: 600 * SECOND }, following('v1'))
    await scene.pass(1)
    scene.put('web', SHA.b, degraded)
    await scene.pass(20)
    expect(scene.ending).toBeUndefined()
    scene.put('web', SHA.b)
    await scene.pass(60)
    expect(scene.ending).toEqual(VERIFIED)
  })

  test('does not rest on a look of long ago, where a commit that comes late makes it count', async () => {
    const scene = new Scene()
    scene.put('web', SHA.b, degraded)
    const commit = scene.argocd.commit.bind(scene.argocd)
    scene.argocd.commit = async (...asked) => {
      const answer = await commit(...asked)
      await scene.clock.sleep(4 * SECOND)
      return answer
    }
    scene.argocd.commits.set(SHA.b, { message: 'release', author: 'a', tags: ['v1'] })
    await scene.start({ failAfter: 0, timeout: 300 * SECOND }, following('v1')).pass(2)
    scene.put('web', SHA.b)
    await scene.pass(3)
    expect(scene.ending).toEqual(VERIFIED)
  })

  test('that no look can prove asks for no tree after the other', async () => {
    const scene = new Scene()
    scene.put('web', SHA.b, progressing)
    scene.argocd.nodes = [
      node({
        kind: 'Pod',
        health: { status: 'Degraded', message: undefined },
        createdAt: '2040-01-01T00:00:00Z',
      }),
    ]
    scene.argocd.delay = ({ call }) => (call === 'tree' ? scene.clock.sleep(10) : Promise.resolve())
    scene.argocd.refuse = ({ call }) => {
      if (call !== 'tree' && scene.clock.now() > 0) throw new RequestFailure('Unreachable', '503')
    }
    scene.start({ failAfter: 0, timeout: 300 * SECOND })
    await scene.pass(120)
    expect(scene.argocd.count('tree')).toBeWithin(10, 15)
  })

  test('is about nothing that a selector has ceased to match, though no stream tells', async () => {
    const scene = new Scene()
    scene.put('a', SHA.b)
    scene.put('b', SHA.b, { metadata: { deletionTimestamp: '2030-01-01T00:00:00Z' } })
    const names = scene.argocd.names.bind(scene.argocd)
    scene.argocd.names = async (...asked) =>
      (await names(...asked)).filter(({ name }) => name === 'a' || scene.clock.now() < 5 * SECOND)
    await scene.start({ watch: true, failAfter: 20 * SECOND, timeout: 300 * SECOND }, SELECTED).pass(22)
    expect(scene.ending).toEqual(VERIFIED)
  })
})

describe('a failed hook that another operation hides', () => {
  const operation = (phase: string, sync: JsonObject, hookPhase: string) => ({
    status: {
      operationState: {
        phase,
        operation: { sync },
        syncResult: {
          revision: SHA.b,
          resources: [{ kind: 'Job', name: 'smoke', status: 'Synced', hookType: 'PostSync', hookPhase }],
        },
      },
    },
  })
  const deployed = (...ids: readonly number[]) => ({
    status: { history: ids.map((id) => ({ id, revision: SHA.b })) },
  })
  const failed = operation('Failed', {}, 'Failed')
  const dryRun = operation('Succeeded', { dryRun: true }, 'Succeeded')

  test.each([
    ['is held against the release', deployed(4, 5), undefined],
    ['is made up for by a sync that came and went while nobody looked', deployed(5, 6), VERIFIED],
  ])('%s', async (_, history, ending) => {
    const scene = new Scene()
    scene.put('web', SHA.b, merge(failed, deployed(4, 5)))
    await scene.start().pass(1)
    scene.put('web', SHA.b, merge(dryRun, history))
    await scene.pass(10)
    expect(scene.ending).toEqual(ending)
  })

  // Where it failed for another commit, and the application is back at the one before, that is excused by itself.
  const unapplied = merge(operation('Failed', {}, 'Running'), {
    status: {
      operationState: {
        syncResult: {
          revision: SHA.c,
          resources: [{ kind: 'Deployment', name: 'web', status: 'SyncFailed' }],
        },
      },
    },
  })

  test.each([
    ['is held against the release after a sync that came to no hook', failed, undefined],
    ['is none where none was seen', {}, VERIFIED],
  ])('%s', async (_, before, ending) => {
    const scene = new Scene()
    scene.put('web', before === failed ? SHA.b : SHA.a, before)
    await scene.start().pass(1)
    scene.put('web', SHA.b, unapplied)
    await scene.pass(10)
    expect(scene.ending).toEqual(ending)
  })

  // Argo CD waits for the next attempt with phase Running, and the results of the last one are those of the operation.
  const attempted = (results: JsonObject) =>
    merge(merge(failed, results), { status: { operationState: { phase: 'Running', retryCount: 1 } } })
  const retried = merge(unapplied, { status: { operationState: { retryCount: 1 } } })
  const another = { status: { operationState: { startedAt: '2026-01-01T00:00:00Z' } } }

  test.each([
    [
      'is held against the release, though a later attempt came to no hook',
      attempted({}),
      retried,
      undefined,
    ],
    ['so is one of an operation whose end nobody saw', attempted({}), merge(unapplied, another), undefined],
    ['or a dry run has taken its place', attempted({}), dryRun, undefined],
    [
      'is made up for by a later attempt that succeeds',
      attempted({}),
      operation('Succeeded', {}, 'Succeeded'),
      VERIFIED,
    ],
    ['is none where the attempt before came to no hook either', attempted(unapplied), retried, VERIFIED],
  ])('%s', async (_, before, after, ending) => {
    const scene = new Scene()
    scene.put('web', SHA.c, before)
    await scene.start({ failAfter: 300 * SECOND }).pass(1)
    scene.put('web', SHA.b, after)
    await scene.pass(10)
    expect(scene.ending).toEqual(ending)
  })

  test('is none where a look has shown that no hook was what failed, though a stream did not say', async () => {
    const scene = new Scene()
    const results = { status: { operationState: { syncResult: { revision: SHA.c, resources: [] } } } }
    scene.put('web', SHA.a, { status: { operationState: { phase: 'Running', finishedAt: null } } })
    await scene.start({ watch: true }).pass(2)
    scene.put('web', SHA.c, unapplied)
    const told = scene.put('web', SHA.c, merge(unapplied, results))
    scene.put('web', SHA.c, unapplied)
    scene.argocd.streams[0]?.send({ type: 'MODIFIED', application: told })
    await scene.pass(2)
    scene.argocd.streams[0]?.send({ type: 'MODIFIED', application: scene.put('web', SHA.b, unapplied) })
    await scene.pass(10)
    expect(scene.ending).toEqual(VERIFIED)
  })

  test('keeps nobody from seeing a sync of its own that came to no hook, and whose answer was lost', async () => {
    const scene = new Scene()
    scene.put('web', SHA.a, merge(failed, { spec: { syncPolicy: { automated: null } } }))
    scene.argocd.onSync = (_, { id }) => {
      const sync = {
        operation: { sync: { revision: SHA.c }, info: [{ name: 'kpcea', value: id }] },
        finishedAt: new Date().toISOString().replace(/\.\d+/, ''),
      }
      const ended = merge(unapplied, { status: { operationState: sync } })
      scene.put('web', SHA.a, merge(ended, { spec: { syncPolicy: { automated: null } } }))
      throw new RequestFailure('Unreachable', 'the answer was lost')
    }
    const sync = { prune: undefined, id: undefined, stage: undefined }
    await scene.start({ sync, failAfter: 300 * SECOND }).pass(30)
    expect(scene.argocd.orders).toHaveLength(1)
    expect(scene.ending).toEqual({ kind: 'failed', key: 'argocd/web' })
  })

  test('lets nobody sync twice, where the answer was lost and a dry run has taken the place of the sync', async () => {
    const scene = new Scene()
    const manual = { spec: { syncPolicy: { automated: null } } }
    scene.put('web', SHA.a, merge(failed, manual))
    scene.argocd.onSync = () => {
      const finishedAt = new Date().toISOString().replace(/\.\d+/, '')
      const hidden = merge(dryRun, { status: { operationState: { finishedAt } } })
      scene.put('web', SHA.a, merge(hidden, manual))
      throw new RequestFailure('Unreachable', 'the answer was lost')
    }
    const sync = { prune: undefined, id: undefined, stage: undefined }
    await scene.start({ sync, failAfter: 300 * SECOND }).pass(30)
    expect(scene.argocd.orders).toHaveLength(1)
  })

  test('is held against the release, though what a stream tells of that sync does not say what failed', async () => {
    const scene = new Scene()
    scene.put('web', SHA.b, failed)
    await scene.start({ watch: true }).pass(2)
    const results = { status: { operationState: { syncResult: { resources: [] } } } }
    scene.argocd.streams[0]?.send({
      type: 'MODIFIED',
      application: scene.put('web', SHA.b, merge(unapplied, results)),
    })
    scene.put('web', SHA.b, unapplied)
    await scene.pass(15)
    expect(scene.ending).toBeUndefined()
  })
})

test('an application that appears is looked at when a stream tells, though nothing says what the namespace is', async () => {
  const scene = new Scene()
  const wanted = wanting({ revision: SHA.b })
  const applications = ['a', 'b'].map((name) => ({ name, namespace: undefined, wanted }))
  scene.start({ watch: true, timeout: 300 * SECOND }, { kind: 'names', project: undefined, applications })
  await scene.pass(100)
  const looks = scene.argocd.count('look')
  scene.argocd.streams[0]?.send(
    ...['a', 'b'].map((name) => ({ type: 'ADDED', application: scene.put(name, SHA.b) }) as const),
  )
  await scene.pass(2)
  expect(looks).toBeLessThan(12)
  expect(scene.ending).toEqual(VERIFIED)
})
