/** The loop, on a clock that only the test moves: no test sleeps, however long its run lasts. */

import { describe, expect, test } from 'bun:test'
import { RequestFailure } from '../lib/failure.ts'
import type { Target } from '../lib/wanted.ts'
import type { JsonObject } from './argocd/server.ts'
import { FakeClock, settled } from './fake-clock.ts'
import { node, parsed, SHA, wanting } from './fixtures.ts'
import { named, Scene, SECOND, SELECTED } from './scene.ts'

const degraded = { status: { health: { status: 'Degraded' } } }

/** One application that is to be where a branch points. */
const BRANCH: Target = {
  kind: 'names',
  project: undefined,
  applications: [{ name: 'web', namespace: 'argocd', wanted: wanting({ revision: 'main' }) }],
}

describe('polling', () => {
  test('an application that is there is answered with one request', async () => {
    const scene = new Scene()
    scene.put('web', SHA.b)
    await scene.start().pass(0)
    expect(scene.ending).toEqual({ kind: 'verified' })
    expect(scene.argocd.requests).toHaveLength(1)
  })

  test('one that becomes ready is seen at the next poll', async () => {
    const scene = new Scene()
    scene.put('web', SHA.a)
    await scene.start().pass(7)
    expect(scene.ending).toBeUndefined()
    scene.put('web', SHA.b)
    await scene.pass(3)
    expect(scene.ending).toEqual({ kind: 'verified' })
    expect(scene.argocd.count('look')).toBe(3)
  })

  test('the deadline is kept, and not a moment earlier', async () => {
    const scene = new Scene()
    scene.put('web', SHA.a)
    await scene.start().pass(59)
    expect(scene.ending).toBeUndefined()
    await scene.pass(1)
    expect(scene.ending).toEqual({ kind: 'timed-out' })
  })

  test.each([true, false])('whoever wakes first at the deadline, the run ends (watch: %p)', async (watch) => {
    const scene = new Scene(new FakeClock(true))
    scene.put('web', SHA.a)
    await scene.start({ watch }).pass(61)
    expect(scene.ending).toEqual({ kind: 'timed-out' })
  })

  test('the deadline is kept when nothing ever answers', async () => {
    const scene = new Scene()
    scene.argocd.delay = (_, signal) =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve()))
    await scene.start().pass(60)
    expect(scene.ending).toEqual({ kind: 'timed-out' })
  })

  test('failures are retried with growing pauses, never longer than the interval, and said', async () => {
    const scene = new Scene()
    scene.put('web', SHA.b)
    scene.argocd.refuse = () => {
      throw new RequestFailure('Unreachable', 'no')
    }
    await scene.start().pass(30)
    const tries = scene.argocd.count('look')
    expect(tries).toBeGreaterThan(8)
    expect(tries).toBeLessThan(14)
    expect(scene.progress.some(({ event }) => event === 'failure')).toBe(true)
    scene.argocd.refuse = () => {}
    await scene.pass(5)
    expect(scene.ending).toEqual({ kind: 'verified' })
  })

  test('Retry-After is honoured', async () => {
    const scene = new Scene()
    scene.put('web', SHA.b)
    let refusals = 1
    scene.argocd.refuse = () => {
      if (refusals-- > 0) throw new RequestFailure('Unreachable', 'no', { retryAfter: 20 * SECOND })
    }
    await scene.start().pass(19)
    expect(scene.argocd.count('look')).toBe(1)
    await scene.pass(1)
    expect(scene.ending).toEqual({ kind: 'verified' })
  })

  test('what cannot be mended ends the run at once', async () => {
    const scene = new Scene()
    const failure = new RequestFailure('Unauthorized', 'no', { fatal: true })
    scene.argocd.refuse = () => {
      throw failure
    }
    await scene.start().pass(0)
    expect(scene.ending).toEqual({ kind: 'refused', failure })
  })

  test('an interruption ends the run at once', async () => {
    const scene = new Scene()
    scene.put('web', SHA.a)
    await scene.start().pass(3)
    scene.interrupt.abort()
    await settled()
    expect(scene.ending).toEqual({ kind: 'interrupted' })
  })
})

describe('a timeout of 0', () => {
  test('is one look that says yes', async () => {
    const scene = new Scene()
    scene.put('web', SHA.b)
    await scene.start({ timeout: 0, watch: true }).pass(0)
    expect(scene.ending).toEqual({ kind: 'verified' })
    expect(scene.argocd.requests).toEqual([{ call: 'look', name: 'web' }])
  })
  test('is one look that says no, without a refresh', async () => {
    const scene = new Scene()
    scene.put('web', SHA.a)
    await scene.start({ timeout: 0, refresh: 'normal' }).pass(0)
    expect(scene.ending).toEqual({ kind: 'looked' })
    expect(scene.argocd.count('refresh') + scene.argocd.count('look')).toBe(1)
  })
  test('does not wait for a server that hangs for longer than ten seconds', async () => {
    const scene = new Scene()
    scene.argocd.delay = () => new Promise(() => {})
    await scene.start({ timeout: 0 }).pass(10)
    expect(scene.ending).toEqual({ kind: 'looked' })
  })
  test('waits for the commit that decides', async () => {
    const scene = new Scene()
    scene.put('web', SHA.a)
    scene.argocd.commits.set(SHA.a, { message: 'm', author: undefined, tags: ['v1'] })
    const target: Target = {
      kind: 'names',
      project: undefined,
      applications: [{ name: 'web', namespace: undefined, wanted: wanting({ revision: 'v1' }) }],
    }
    await scene.start({ timeout: 0 }, target).pass(0)
    expect(scene.ending).toEqual({ kind: 'verified' })
  })
})

describe('a commit that cannot be had', () => {
  const names = (count: number) => Array.from({ length: count }, (_, i) => `web-${i}`)
  test.each([
    ['a few times a minute', 1, 12],
    ['more seldom where there are many, of one Git host', 30, 4],
  ])('is asked for %s', async (_, count, most) => {
    const scene = new Scene()
    for (const name of names(count)) scene.put(name, SHA.a)
    const wanted = wanting({ revision: 'v1' })
    const applications = names(count).map((name) => ({ name, namespace: 'argocd', wanted }))
    await scene.start({ timeout: 600 * SECOND }, { kind: 'names', project: undefined, applications }).pass(60)
    const before = scene.argocd.count('commit')
    expect(before).toBeGreaterThan(count)
    await scene.pass(60)
    expect(scene.argocd.count('commit') - before).toBeLessThanOrEqual(most * count)
  })
})

describe('failing', () => {
  test('ends the run after the grace period, with a diagnosis', async () => {
    const scene = new Scene()
    scene.put('web', SHA.b, degraded)
    scene.argocd.nodes = [
      node({ kind: 'Pod', name: 'web-1', health: { status: 'Degraded', message: 'CrashLoopBackOff' } }),
    ]
    await scene.start().pass(29)
    expect(scene.ending).toBeUndefined()
    await scene.pass(1)
    expect(scene.ending).toEqual({ kind: 'failed', key: 'argocd/web' })
    // What an ill application lacks is in its tree, which is read no more often than each ten seconds.
    expect(scene.argocd.count('tree')).toBeWithin(1, 5)
    expect(scene.outcome?.knowledge.applications.get('argocd/web')?.evidence.tree).toHaveLength(1)
  })
  test('a recovery starts the count anew', async () => {
    const scene = new Scene()
    scene.put('web', SHA.b, degraded)
    await scene.start().pass(22)
    scene.put('web', SHA.b, { status: { health: { status: 'Progressing' } } })
    await scene.pass(5)
    scene.put('web', SHA.b, degraded)
    await scene.pass(25)
    expect(scene.ending).toBeUndefined()
    scene.put('web', SHA.b)
    await scene.pass(5)
    expect(scene.ending).toEqual({ kind: 'verified' })
  })
  test('0 is at once; never is not before the deadline', async () => {
    const [atOnce, never] = [new Scene(), new Scene()]
    for (const scene of [atOnce, never]) scene.put('web', SHA.b, degraded)
    await atOnce.start({ failAfter: 0 }).pass(0)
    expect(atOnce.ending?.kind).toBe('failed')
    await never.start({ failAfter: Number.POSITIVE_INFINITY }).pass(60)
    expect(never.ending?.kind).toBe('timed-out')
  })
  test('a diagnosis that hangs holds up nothing for long', async () => {
    const scene = new Scene()
    scene.put('web', SHA.b, degraded)
    scene.argocd.delay = ({ call }) => (call === 'tree' ? new Promise(() => {}) : Promise.resolve())
    await scene.start({ failAfter: 0 }).pass(60)
    expect(scene.ending?.kind).toMatch(/failed|timed-out/)
  })
})

describe('stable for', () => {
  test('is not passed before its time, and a look at its end decides', async () => {
    const scene = new Scene()
    scene.put('web', SHA.b)
    await scene.start({ stableFor: 12 * SECOND }).pass(11)
    expect(scene.ending).toBeUndefined()
    await scene.pass(1)
    expect(scene.ending).toEqual({ kind: 'verified' })
  })
  test('a break starts it anew', async () => {
    const scene = new Scene()
    scene.put('web', SHA.b)
    await scene.start({ stableFor: 12 * SECOND }).pass(9)
    scene.put('web', SHA.b, { status: { health: { status: 'Progressing' } } })
    await scene.pass(2)
    scene.put('web', SHA.b)
    await scene.pass(14)
    expect(scene.ending).toBeUndefined()
    await scene.pass(6)
    expect(scene.ending).toEqual({ kind: 'verified' })
  })
  describe('where another commit is seen, of which only Argo CD can tell that it renders the same', () => {
    const target: Target = {
      kind: 'names',
      project: undefined,
      applications: [
        {
          name: 'web',
          namespace: 'argocd',
          wanted: wanting({ revision: SHA.b, revisionPolicy: 'equivalent' }),
        },
      ],
    }
    test('it goes on, once that is known', async () => {
      const scene = new Scene()
      scene.argocd.rendering = { kind: 'same' }
      scene.put('web', SHA.b)
      await scene.start({ stableFor: 12 * SECOND, refresh: 'normal' }, target).pass(8)
      scene.put('web', SHA.c)
      await scene.pass(3)
      expect(scene.argocd.count('compare')).toBe(1)
      // The annotation of one would begin it anew.
      expect(scene.argocd.count('refresh')).toBe(0)
      expect(scene.ending).toBeUndefined()
      await scene.pass(1)
      expect(scene.ending).toEqual({ kind: 'verified' })
    })
    test('it is no yes before that, and a look from after it decides', async () => {
      const scene = new Scene()
      scene.argocd.rendering = { kind: 'same' }
      scene.argocd.delay = ({ call }) =>
        call === 'compare' ? scene.clock.sleep(6 * SECOND) : Promise.resolve()
      scene.put('web', SHA.b)
      await scene.start({ stableFor: 12 * SECOND }, target).pass(8)
      scene.put('web', SHA.c)
      await scene.pass(7)
      expect(scene.ending).toBeUndefined()
      const looks = scene.argocd.count('look')
      await scene.pass(2)
      expect(scene.ending).toEqual({ kind: 'verified' })
      expect(scene.argocd.count('look')).toBe(looks + 1)
    })
    test('it begins anew where something else is seen before that', async () => {
      const scene = new Scene()
      scene.argocd.delay = ({ call }) => (call === 'compare' ? new Promise(() => {}) : Promise.resolve())
      scene.put('web', SHA.b)
      await scene.start({ stableFor: 12 * SECOND }, target).pass(8)
      scene.put('web', SHA.c)
      await scene.pass(4)
      scene.put('web', SHA.b)
      await scene.pass(14)
      expect(scene.ending).toBeUndefined()
      await scene.pass(2)
      expect(scene.ending).toEqual({ kind: 'verified' })
    })
    test('it begins anew where it renders something else for a while', async () => {
      const scene = new Scene()
      scene.put('web', SHA.b)
      await scene.start({ stableFor: 12 * SECOND }, target).pass(8)
      scene.put('web', SHA.c)
      await scene.pass(4)
      scene.put('web', SHA.b)
      await scene.pass(14)
      expect(scene.ending).toBeUndefined()
    })
  })
  test('by a stream that is alive and silent', async () => {
    const scene = new Scene()
    scene.put('web', SHA.b)
    await scene.start({ stableFor: 50 * SECOND, watch: true }).pass(49)
    expect(scene.ending).toBeUndefined()
    await scene.pass(1)
    expect(scene.ending).toEqual({ kind: 'verified' })
    // Looks after 5, 10 and 20 seconds, because a stream may lose a change; the last of them proves the yes.
    expect(scene.argocd.requests.map(({ call }) => call)).toEqual([
      'look',
      'watch',
      'look',
      'look',
      'look',
      'look',
    ])
  })
  test('a break that a silent stream hides is seen all the same', async () => {
    const scene = new Scene()
    scene.put('web', SHA.b)
    scene.start({ stableFor: 30 * SECOND, watch: true })
    await scene.clock.advance(5 * SECOND)
    scene.put('web', SHA.b, degraded)
    await scene.clock.advance(20 * SECOND)
    scene.put('web', SHA.b)
    await scene.clock.advance(15 * SECOND)
    expect(scene.ending).toBeUndefined()
  })
})

describe('stable for, of more applications than are read one by one', () => {
  const names = Array.from({ length: 30 }, (_, i) => `a${i}`)
  test('a second stream confirms it, and no request for any of them', async () => {
    const scene = new Scene()
    for (const name of names) scene.put(name, SHA.b)
    await scene.start({ stableFor: 10 * SECOND, watch: true }, named(...names)).pass(9)
    expect(scene.ending).toBeUndefined()
    await scene.pass(1)
    expect(scene.ending).toEqual({ kind: 'verified' })
    expect(scene.argocd.requests.map(({ call }) => call)).toEqual(['watch', 'watch'])
  })
  test('where the stream that is to confirm it does not begin, polls do', async () => {
    const scene = new Scene()
    for (const name of names) scene.put(name, SHA.b)
    await scene.start({ stableFor: 10 * SECOND, watch: true }, named(...names)).pass(5)
    scene.argocd.streamBegins = false
    await scene.pass(6)
    expect(scene.ending).toEqual({ kind: 'verified' })
    expect(scene.argocd.count('look')).toBe(names.length)
  })
})

describe('refreshing', () => {
  test('what only waits for its commit to be known is not refreshed', async () => {
    const scene = new Scene()
    scene.put('web', SHA.a)
    scene.argocd.commits.set(SHA.a, { message: 'm', author: undefined, tags: ['v1'] })
    const applications = [{ name: 'web', namespace: 'argocd', wanted: wanting({ revision: 'v1' }) }]
    await scene
      .start({ refresh: 'normal', watch: true }, { kind: 'names', project: undefined, applications })
      .pass(1)
    expect(scene.ending).toEqual({ kind: 'verified' })
    expect(scene.argocd.requests.map(({ call }) => call)).toEqual(['look', 'commit'])
  })
  test('an application that is not verified is refreshed at once, and again after pauses that grow', async () => {
    const scene = new Scene()
    const at: number[] = []
    scene.put('web', SHA.a)
    scene.argocd.onRefresh = () => void at.push(scene.clock.now() / SECOND)
    await scene.start({ refresh: 'normal', timeout: 600 * SECOND }).pass(599)
    expect(at[0]).toBe(0)
    const pauses = at.slice(1).map((time, i) => time - (at[i] ?? 0))
    // With a jitter of up to a fifth.
    const expected = [15, 30, 60, 120, 120, 120]
    expect(pauses.length).toBeGreaterThanOrEqual(5)
    for (const [i, pause] of pauses.entries())
      expect(pause).toBeWithin(expected[i] ?? 0, (expected[i] ?? 0) * 1.2 + 0.001)
  })
  test('what a refresh cannot mend is refreshed once', async () => {
    const scene = new Scene()
    scene.put('web', SHA.b, { status: { health: { status: 'Progressing' } } })
    await scene.start({ refresh: 'normal', timeout: 600 * SECOND }).pass(599)
    expect(scene.argocd.count('refresh')).toBe(1)
  })
  test('one that is verified is not', async () => {
    const scene = new Scene()
    scene.put('web', SHA.b)
    await scene.start({ refresh: 'normal' }).pass(1)
    expect(scene.argocd.count('refresh')).toBe(0)
  })
  test('what the refresh found counts at once', async () => {
    const scene = new Scene()
    scene.put('web', SHA.a)
    scene.argocd.onRefresh = () => void scene.put('web', SHA.b)
    await scene.start({ refresh: 'normal' }).pass(0)
    expect(scene.ending).toEqual({ kind: 'verified' })
  })
  test('at once for each operation that left the status stale, not once a poll', async () => {
    const scene = new Scene()
    const stale = (finishedAt: string) =>
      scene.put('web', SHA.b, {
        status: { reconciledAt: '2030-01-01T00:00:00Z', operationState: { finishedAt } },
      })
    stale('2030-01-01T00:00:01Z')
    // At once, and again when it is time for that, because nothing mends it.
    await scene.start({ refresh: 'normal' }).pass(19)
    expect(scene.argocd.count('refresh')).toBe(2)
    stale('2030-01-01T00:00:02Z')
    await scene.pass(1)
    expect(scene.argocd.count('refresh')).toBe(3)
    await scene.pass(24)
    expect(scene.argocd.count('refresh')).toBe(3)
    await scene.pass(10)
    expect(scene.argocd.count('refresh')).toBe(4)
  })
  test('a refresh that fails is asked for again, one that hangs holds up no poll', async () => {
    const scene = new Scene()
    scene.put('web', SHA.a)
    let refusals = 2
    scene.argocd.refuse = ({ call }) => {
      if (call === 'refresh' && refusals-- > 0) throw new RequestFailure('Unreachable', 'no')
    }
    await scene.start({ refresh: 'normal' }).pass(10)
    expect(scene.argocd.count('refresh')).toBe(3)

    const hanging = new Scene()
    hanging.put('web', SHA.a)
    hanging.argocd.delay = ({ call }) => (call === 'refresh' ? new Promise(() => {}) : Promise.resolve())
    await hanging.start({ refresh: 'normal' }).pass(12)
    hanging.put('web', SHA.b)
    await hanging.pass(5)
    expect(hanging.ending).toEqual({ kind: 'verified' })
  })
  test('a tracked branch is believed only after a second refresh of this run, asked for after the first', async () => {
    const scene = new Scene()
    let reconciled = 0
    const put = () =>
      scene.put('web', SHA.a, {
        status: {
          reconciledAt: new Date(Date.UTC(2030, 0, 1) + reconciled * SECOND).toISOString(),
          operationState: null,
        },
      })
    put()
    const answer: (() => void)[] = []
    scene.argocd.delay = ({ call }) =>
      call === 'refresh' ? new Promise((resolve) => answer.push(resolve)) : Promise.resolve()
    scene.argocd.onRefresh = () => {
      reconciled = scene.clock.now() / SECOND
      put()
    }
    await scene.start({ refresh: 'normal', watch: true }, BRANCH).pass(3)
    expect(answer).toHaveLength(1)
    answer[0]?.()
    // Up to Argo CD 3.5 somebody else's refresh may have answered it, which read Git before.
    await scene.pass(0)
    expect(scene.ending).toBeUndefined()
    expect(answer).toHaveLength(1)
    // reconciledAt counts seconds, so the second is asked for a second later.
    await scene.pass(1)
    expect(answer).toHaveLength(2)
    await scene.pass(3)
    expect(scene.ending).toBeUndefined()
    answer[1]?.()
    await scene.pass(0)
    expect(scene.ending).toEqual({ kind: 'verified' })
  })
  test('nor after any number of refreshes that compared nothing', async () => {
    const scene = new Scene()
    scene.put('web', SHA.a, { status: { reconciledAt: '2030-01-01T00:00:00Z', operationState: null } })
    await scene.start({ refresh: 'normal', watch: true }, BRANCH).pass(60)
    expect(scene.ending).toEqual({ kind: 'timed-out' })
    expect(scene.argocd.count('refresh')).toBeWithin(3, 8)
  })
  test('but after one of a server that gives each its time, which was seen and is gone in the answer', async () => {
    const scene = new Scene()
    const status = (second: number) => ({
      reconciledAt: `2030-01-01T00:00:0${second}Z`,
      operationState: null,
    })
    scene.put('web', SHA.a, { status: status(0) })
    scene.argocd.delay = async ({ call }) => {
      if (call !== 'refresh') return
      const annotations = {
        'argocd.argoproj.io/refresh': 'normal',
        'argocd.argoproj.io/refresh-timestamp': '2030-01-01T00:00:00.5Z',
      }
      const asked = scene.put('web', SHA.a, { status: status(0), metadata: { annotations } })
      await scene.clock.sleep(SECOND)
      scene.argocd.streams[0]?.send({ type: 'MODIFIED', application: asked })
      await scene.clock.sleep(SECOND)
      scene.put('web', SHA.a, { status: status(1) })
    }
    await scene.start({ refresh: 'normal', watch: true }, BRANCH).pass(3)
    expect(scene.ending).toEqual({ kind: 'verified' })
    expect(scene.argocd.count('refresh')).toBe(1)
  })
  test('a message of the stream from before the refresh is not believed after it', async () => {
    const scene = new Scene()
    let refreshes = 0
    const status = (more: JsonObject = {}) => ({
      status: { reconciledAt: `2030-01-01T00:00:0${refreshes}Z`, operationState: null, ...more },
    })
    const before = scene.put('web', SHA.a, status())
    scene.argocd.onRefresh = () => {
      refreshes++
      scene.put('web', SHA.b, status({ health: { status: 'Progressing' } }))
    }
    await scene.start({ refresh: 'normal', watch: true }, BRANCH).pass(2)
    expect(refreshes).toBe(2)
    scene.argocd.streams[0]?.send({ type: 'MODIFIED', application: before })
    await scene.pass(1)
    expect(scene.ending).toBeUndefined()
    scene.argocd.streams[0]?.send({ type: 'MODIFIED', application: scene.put('web', SHA.b, status()) })
    await scene.pass(1)
    expect(scene.ending).toEqual({ kind: 'verified' })
  })
})

describe('watching', () => {
  test('an application that is there is answered by one request, and no stream is opened', async () => {
    const scene = new Scene()
    scene.put('web', SHA.b)
    await scene.start({ watch: true }).pass(0)
    expect(scene.ending).toEqual({ kind: 'verified' })
    expect(scene.argocd.requests).toEqual([{ call: 'look', name: 'web' }])
  })
  test('a first look that takes its time has a stream beside it', async () => {
    const scene = new Scene()
    scene.put('web', SHA.a)
    scene.argocd.delay = ({ call }) => (call === 'look' ? scene.clock.sleep(600) : Promise.resolve())
    scene.start({ watch: true })
    await scene.clock.advance(249)
    expect(scene.argocd.count('watch')).toBe(0)
    await scene.clock.advance(1)
    expect(scene.argocd.count('watch')).toBe(1)
  })
  test('a change is a verdict at once; waiting costs looks that get rarer, because a stream may lose a change', async () => {
    const scene = new Scene()
    const looks: number[] = []
    scene.argocd.delay = async ({ call }) => {
      if (call === 'look') looks.push(scene.clock.now() / SECOND)
    }
    scene.put('web', SHA.a)
    await scene.start({ watch: true, timeout: 600 * SECOND }).pass(100)
    expect(looks).toEqual([0, 5, 15, 35, 65, 95])
    expect(scene.argocd.requests).toHaveLength(looks.length + 1)
    scene.argocd.streams[0]?.send({ type: 'MODIFIED', application: scene.put('web', SHA.b) })
    await settled()
    expect(scene.ending).toEqual({ kind: 'verified' })
    // A request from after it became met proves it.
    expect(looks.at(-1)).toBe(100)
  })
  test('a change that the stream told of and that is no more is no yes', async () => {
    const scene = new Scene()
    scene.put('web', SHA.a)
    await scene.start({ watch: true }).pass(2)
    scene.argocd.streams[0]?.send({ type: 'MODIFIED', application: parsed({ name: 'web', revision: SHA.b }) })
    await scene.pass(20)
    expect(scene.ending).toBeUndefined()
  })
  test('a change that the stream lost is found by a look', async () => {
    const scene = new Scene()
    scene.put('web', SHA.a)
    await scene.start({ watch: true }).pass(1)
    scene.put('web', SHA.b)
    await scene.pass(4)
    expect(scene.ending).toEqual({ kind: 'verified' })
  })
  test('a name that the stream does not mention is asked for', async () => {
    const scene = new Scene()
    await scene.start({ watch: true }).pass(1)
    expect(scene.argocd.count('look')).toBe(1)
    expect(scene.progress.some(({ event, state }) => event === 'observed' && state === 'pending')).toBe(true)
  })
  test('a stream that is refused is replaced by polls', async () => {
    const scene = new Scene()
    scene.put('web', SHA.a)
    scene.argocd.refuse = ({ call }) => {
      if (call === 'watch') throw new RequestFailure('NotArgoCD', 'no stream', { fatal: true })
    }
    await scene.start({ watch: true }).pass(7)
    scene.put('web', SHA.b)
    await scene.pass(5)
    expect(scene.ending).toEqual({ kind: 'verified' })
    expect(scene.argocd.count('look')).toBe(3)
  })
  test('a stream that never begins is replaced by polls', async () => {
    const scene = new Scene()
    scene.argocd.streamBegins = false
    scene.put('web', SHA.b)
    await scene.start({ watch: true }).pass(1)
    expect(scene.ending).toEqual({ kind: 'verified' })
  })
  test('a stream that falls silent is replaced after forty seconds', async () => {
    const scene = new Scene()
    scene.put('web', SHA.a)
    scene.start({ watch: true, timeout: 120 * SECOND })
    await scene.clock.advance(39 * SECOND)
    scene.put('web', SHA.b)
    expect(scene.ending).toBeUndefined()
    await scene.clock.advance(6 * SECOND)
    expect(scene.ending).toEqual({ kind: 'verified' })
  })
  test('a stream that died without a word costs no verdict, however short the timeout', async () => {
    const scene = new Scene()
    scene.put('web', SHA.a)
    scene.start({ watch: true, timeout: 10 * SECOND })
    await scene.clock.advance(2 * SECOND)
    scene.put('web', SHA.b)
    await scene.clock.advance(5 * SECOND)
    expect(scene.ending).toEqual({ kind: 'verified' })
    expect(scene.argocd.requests.map(({ call }) => call)).toEqual(['look', 'watch', 'look'])
  })
  test('a stream that is cut is opened again and misses nothing', async () => {
    const scene = new Scene()
    scene.put('web', SHA.a)
    await scene.start({ watch: true, interval: 30 * SECOND }).pass(3)
    scene.put('web', SHA.b)
    scene.argocd.streams[0]?.end()
    await scene.pass(2)
    expect(scene.ending).toEqual({ kind: 'verified' })
  })
  test('what an old stream showed does not make a yes with what a new one shows', async () => {
    const scene = new Scene()
    scene.put('a', SHA.b)
    scene.put('b', SHA.a)
    await scene.start({ watch: true, interval: 300 * SECOND }, named('a', 'b')).pass(3)
    const healed = scene.put('b', SHA.b)
    scene.put('a', SHA.b, degraded)
    scene.argocd.streamBegins = false
    scene.argocd.delay = ({ call, name }) =>
      call === 'look' && name === 'a' ? new Promise(() => {}) : Promise.resolve()
    scene.argocd.streams[0]?.end()
    await scene.pass(3)
    scene.argocd.streams.at(-1)?.keepAlive()
    scene.argocd.streams.at(-1)?.send({ type: 'ADDED', application: healed })
    await scene.pass(3)
    expect(scene.ending).toBeUndefined()
  })
  test('several names: one stream, a request for each to prove the yes, and those of others are passed over', async () => {
    const scene = new Scene()
    for (const name of ['a', 'b', 'other']) scene.put(name, name === 'other' ? SHA.a : SHA.b)
    await scene.start({ watch: true }, named('a', 'b')).pass(0)
    expect(scene.ending).toEqual({ kind: 'verified' })
    expect(scene.argocd.requests).toEqual([
      { call: 'watch', name: undefined },
      { call: 'look', name: 'a' },
      { call: 'look', name: 'b' },
    ])
  })
  test('more than are read one by one: the opening of the stream is all there is', async () => {
    const scene = new Scene()
    const names = Array.from({ length: 21 }, (_, i) => `a${i}`)
    for (const name of names) scene.put(name, SHA.b)
    await scene.start({ watch: true }, named(...names)).pass(0)
    expect(scene.ending).toEqual({ kind: 'verified' })
    expect(scene.argocd.requests).toEqual([{ call: 'watch', name: undefined }])
  })
  test('names without a namespace are not taken from another one', async () => {
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
    scene.put('b', SHA.a)
    scene.argocd.streamBegins = false
    scene.start({ watch: true }, target)
    await settled()
    const stream = scene.argocd.streams[0]
    stream?.keepAlive()
    stream?.send(
      { type: 'ADDED', application: parsed({ name: 'a', revision: SHA.b }) },
      { type: 'ADDED', application: parsed({ name: 'b', revision: SHA.b, namespace: 'elsewhere' }) },
      { type: 'ADDED', application: parsed({ name: 'b', revision: SHA.a }) },
    )
    await scene.pass(3)
    expect(scene.ending).toBeUndefined()
    expect(scene.argocd.count('look')).toBe(1)
    stream?.send({ type: 'MODIFIED', application: scene.put('b', SHA.b) })
    await settled()
    expect(scene.ending).toEqual({ kind: 'verified' })
  })
  test('one that was deleted before it was known which namespace is meant is not there', async () => {
    const scene = new Scene()
    const applications = ['a', 'b'].map((name) => ({
      name,
      namespace: undefined,
      wanted: wanting({ revision: SHA.b }),
    }))
    scene.put('a', SHA.b)
    const deleted = scene.put('b', SHA.b)
    scene.argocd.delay = ({ call }) => (call === 'look' ? scene.clock.sleep(3 * SECOND) : Promise.resolve())
    await scene.start({ watch: true }, { kind: 'names', project: undefined, applications }).pass(1)
    scene.argocd.present.delete('b')
    scene.argocd.streams[0]?.send({ type: 'DELETED', application: deleted })
    await scene.pass(3)
    expect(
      scene.progress.filter(({ application, code }) => /\bb$/.test(application ?? '') && code === undefined),
    ).toEqual([])
    await scene.pass(10)
    expect(scene.ending).toBeUndefined()
  })
  test('an application that is deleted is not there', async () => {
    const scene = new Scene()
    scene.put('web', SHA.a)
    await scene.start({ watch: true }).pass(1)
    scene.argocd.present.clear()
    scene.argocd.streams[0]?.send({ type: 'DELETED', application: parsed({ name: 'web', revision: SHA.b }) })
    await scene.pass(59)
    expect(scene.outcome?.knowledge.applications.get('argocd/web')?.checks[0]).toMatchObject({
      code: 'NotFound',
      state: 'pending',
    })
  })
})

describe.each([true, false])('a selector, watch: %p', (watch) => {
  test('nothing that matches is never a yes', async () => {
    const scene = new Scene()
    await scene.start({ watch }, SELECTED).pass(60)
    expect(scene.ending).toEqual({ kind: 'timed-out' })
  })
  test('all that match must be verified', async () => {
    const scene = new Scene()
    scene.put('a', SHA.b)
    scene.put('b', SHA.a)
    await scene.start({ watch }, SELECTED).pass(6)
    expect(scene.ending).toBeUndefined()
    const b = scene.put('b', SHA.b)
    scene.argocd.streams[0]?.send({ type: 'MODIFIED', application: b })
    await scene.pass(5)
    expect(scene.ending).toEqual({ kind: 'verified' })
  })
  test('one that appears while the run lasts counts', async () => {
    const scene = new Scene()
    scene.put('a', SHA.a)
    await scene.start({ watch }, SELECTED).pass(6)
    const b = scene.put('b', SHA.a)
    scene.argocd.streams[0]?.send(
      { type: 'ADDED', application: b },
      { type: 'MODIFIED', application: scene.put('a', SHA.b) },
    )
    await scene.pass(6)
    expect(scene.ending).toBeUndefined()
  })
  test('one that no longer matches does not count', async () => {
    const scene = new Scene()
    scene.put('a', SHA.b)
    scene.put('b', SHA.a)
    await scene.start({ watch }, SELECTED).pass(6)
    scene.argocd.present.delete('b')
    await scene.pass(31)
    expect(scene.ending).toEqual({ kind: 'verified' })
  })
})

test('the first of many that a stream mentions is no yes before all that match are known', async () => {
  const scene = new Scene()
  scene.argocd.streamBegins = false
  scene.put('b', SHA.a)
  const a = scene.put('a', SHA.b)
  scene.argocd.delay = ({ call }) => (call === 'names' ? scene.clock.sleep(2 * SECOND) : Promise.resolve())
  scene.start({ watch: true }, SELECTED)
  await settled()
  scene.argocd.streams[0]?.keepAlive()
  scene.argocd.streams[0]?.send({ type: 'ADDED', application: a })
  await scene.pass(5)
  expect(scene.ending).toBeUndefined()
})

test('refreshes that fail, of many applications, become seldom', async () => {
  const scene = new Scene()
  const names = Array.from({ length: 100 }, (_, i) => `a${i}`)
  for (const name of names) scene.put(name, SHA.a)
  scene.argocd.refuse = ({ call }) => {
    if (call === 'refresh') throw new RequestFailure('Unreachable', '500')
  }
  const policy = { refresh: 'normal', watch: true, timeout: 600 * SECOND } as const
  await scene.start(policy, named(...names)).pass(120)
  const before = scene.argocd.count('refresh')
  await scene.pass(60)
  expect(scene.argocd.count('refresh') - before).toBeLessThanOrEqual(4 * names.length)
})
