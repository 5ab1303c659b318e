/** Answers that come late, from a cache, or never: no yes from what is no longer known, and no wait without an end. */

import { describe, expect, test } from 'bun:test'
import { RequestFailure } from '../lib/failure.ts'
import type { Target } from '../lib/wanted.ts'
import { settled } from './fake-clock.ts'
import { SHA, wanting } from './fixtures.ts'
import { named, Scene, SECOND, SELECTED } from './scene.ts'

const VERIFIED = { kind: 'verified' } as const

const degraded = { status: { health: { status: 'Degraded' } } }
const progressing = { status: { health: { status: 'Progressing' } } }

/** One application that is to be where a branch or a tag points. */
function following(revision: string): Target {
  const applications = [{ name: 'web', namespace: 'argocd', wanted: wanting({ revision }) }]
  return { kind: 'names', project: undefined, applications }
}

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
    scene.put('web', SHA.a)
    let finish = () => {}
    scene.argocd.delay = ({ call }) =>
      call === 'refresh'
        ? new Promise((resolve) => {
            finish = resolve
          })
        : Promise.resolve()
    slowAnswers(scene, (nth) => (nth === 2 ? 3 * SECOND : 0))
    await scene.start({ refresh: 'normal' }, following('main')).pass(6)
    scene.put('web', SHA.b, progressing)
    finish()
    await scene.pass(4)
    expect(scene.ending).toBeUndefined()
    scene.put('web', SHA.b)
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
    await scene.pass(5)
    expect(scene.ending).toBeUndefined()
    scene.argocd.streams[0]?.send({ type: 'MODIFIED', application: scene.put('web', SHA.b) })
    await settled()
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

  test('a list from the cache, older than what the refresh found, is not believed after it', async () => {
    const scene = new Scene()
    const old = scene.put('a', SHA.a, {
      status: { reconciledAt: '2030-01-01T00:00:00Z', operationState: null },
    })
    const reconciled = (health: string) =>
      scene.put('a', SHA.b, {
        status: { reconciledAt: '2030-01-01T00:00:05Z', operationState: null, health: { status: health } },
      })
    let cached = false
    const list = scene.argocd.list.bind(scene.argocd)
    scene.argocd.list = async (query, how) => {
      const answer = await list(query, how)
      return cached ? [old] : answer
    }
    scene.argocd.delay = ({ call }) => (call === 'refresh' ? scene.clock.sleep(4900) : Promise.resolve())
    scene.argocd.onRefresh = () => {
      cached = true
      reconciled('Progressing')
    }
    const target: Target = {
      kind: 'selector',
      min: 1,
      selector: 'a=b',
      min: 1,
      namespace: undefined,
      project: undefined,
      wanted: wanting({ revision: 'main' }),
    }
    await scene.start({ refresh: 'normal' }, target).pass(6)
    expect(scene.ending).toBeUndefined()
    cached = false
    reconciled('Healthy')
    await scene.pass(10)
    expect(scene.ending).toEqual(VERIFIED)
  })
})

describe('a refresh', () => {
  test('of an application that was deleted says nothing of the one created in its place', async () => {
    const scene = new Scene()
    scene.put('web', SHA.a, progressing)
    await scene.start({ refresh: 'normal' }, following('main')).pass(4)
    scene.argocd.present.delete('web')
    await scene.pass(5)
    const before = scene.argocd.count('refresh')
    let refreshed = () => {}
    scene.argocd.delay = ({ call }) =>
      call === 'refresh'
        ? new Promise((resolve) => {
            refreshed = resolve
          })
        : Promise.resolve()
    scene.put('web', SHA.c)
    await scene.pass(5)
    expect(scene.ending).toBeUndefined()
    expect(scene.argocd.count('refresh')).toBe(before + 1)
    refreshed()
    await scene.pass(1)
    expect(scene.ending).toEqual(VERIFIED)
  })

  test('that hangs does not keep those of other applications from their turn', async () => {
    const scene = new Scene()
    const names = Array.from({ length: 9 }, (_, i) => `a${i}`)
    for (const name of names) scene.put(name, SHA.a)
    scene.argocd.delay = async ({ call, name }) => {
      if (call !== 'refresh' || name === 'a8') return
      await scene.clock.sleep(60 * SECOND)
      throw new RequestFailure('Unreachable', 'did not answer in time')
    }
    await scene.start({ refresh: 'normal', timeout: 600 * SECOND }, named(...names)).pass(600)
    expect(
      scene.argocd.requests.filter(({ call, name }) => call === 'refresh' && name === 'a8'),
    ).toHaveLength(1)
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
    await scene.pass(300)
    expect(scene.ending).toBeUndefined()
    expect(scene.argocd.count('refresh')).toBe(2)
  })
})

test('Retry-After holds for names that the stream does not mention', async () => {
  const scene = new Scene()
  scene.put('other', SHA.a)
  scene.argocd.refuse = ({ call }) => {
    if (call === 'look') throw new RequestFailure('Unreachable', '429', { retryAfter: 55 * SECOND })
  }
  await scene.start({ watch: true, interval: SECOND }, named('web', 'api')).pass(50)
  expect(scene.argocd.count('look')).toBeLessThanOrEqual(2)
})

test('a failure that is certain just before the deadline is told as one, however long its diagnosis hangs', async () => {
  const scene = new Scene()
  scene.put('web', SHA.b, degraded)
  scene.argocd.delay = ({ call }) => (call === 'tree' ? scene.clock.sleep(60 * SECOND) : Promise.resolve())
  await scene.start({ failAfter: 29 * SECOND, timeout: 30 * SECOND, interval: SECOND }).pass(31)
  expect(scene.ending).toEqual({ kind: 'failed', key: 'argocd/web' })
  expect(scene.outcome?.endedAt).toBeLessThanOrEqual(30 * SECOND)
})
