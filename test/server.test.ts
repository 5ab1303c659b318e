/** What answers and failures say of the server: when it may be asked again, and when there is no point any more. */

import { describe, expect, test } from 'bun:test'
import { RequestFailure } from '../lib/failure.ts'
import { LONGEST_RETRY_AFTER, REFRESH_ANEW } from '../lib/promises.ts'
import { LATE } from '../lib/run.ts'
import { parsed, SHA } from './fixtures.ts'
import { History } from './history.ts'
import { SECOND } from './scene.ts'

const waiting = parsed({ name: 'web', revision: SHA.a })
const unreachable = new RequestFailure('Unreachable', '503')
const unauthorized = new RequestFailure('Unauthorized', '401', { fatal: true })
const POLLED = { timeout: 3600 * SECOND, failAfter: 30 * SECOND, refresh: 'normal' } as const
const run = () => new History(POLLED)

const retryAt = (history: History) => history.knowledge.failures.get('look:argocd/web')?.retryAt ?? 0

describe('a refused token', () => {
  test('that never worked ends the run at once', () =>
    expect(run().lookFails(0, 'web', unauthorized).decide(0)).toEqual({
      kind: 'refused',
      failure: unauthorized,
    }))
  test('that has worked is believed to be refused when a second request says so, two seconds later', () => {
    const history = run()
      .look(0, 'web', waiting)
      .lookFails(5 * SECOND, 'web', unauthorized)
    expect(history.decide(5 * SECOND)).toBeUndefined()
    expect(retryAt(history)).toBe(7 * SECOND)
    history.lookFails(7 * SECOND, 'web', unauthorized)
    expect(history.decide(7 * SECOND)).toEqual({ kind: 'refused', failure: unauthorized })
  })
  test('not by a request that was on its way with the first', () => {
    const history = run()
      .look(0, 'web', waiting)
      .lookFails(5 * SECOND, 'web', unauthorized, 4 * SECOND)
    history.lookFails(8 * SECOND, 'web', unauthorized, 5 * SECOND)
    expect(history.decide(8 * SECOND)).toBeUndefined()
  })
  test('not where it works again in between', () => {
    const history = run()
      .look(0, 'web', waiting)
      .lookFails(5 * SECOND, 'web', unauthorized)
    history.look(7 * SECOND, 'web', waiting).lookFails(12 * SECOND, 'web', unauthorized)
    expect(history.decide(12 * SECOND)).toBeUndefined()
    history.lookFails(14 * SECOND, 'web', unauthorized)
    expect(history.decide(14 * SECOND)?.kind).toBe('refused')
  })
  test('an answer to what was asked for before the refusal does not clear it', () => {
    const history = run()
      .look(0, 'web', waiting)
      .lookFails(5 * SECOND, 'web', unauthorized)
    history.look(6 * SECOND, 'web', waiting, 4 * SECOND).lookFails(8 * SECOND, 'web', unauthorized)
    expect(history.decide(8 * SECOND)?.kind).toBe('refused')
  })
  test('for refreshes is a failed refresh and no more: who refuses them may be somebody else', () => {
    const history = run().look(0, 'web', waiting)
    for (const at of [0, 20, 60])
      history.refreshStarts(at * SECOND, 'web').refreshFails(at * SECOND, at * SECOND, 'web', unauthorized)
    expect(history.decide(60 * SECOND)).toBeUndefined()
    expect(history.knowledge.server.failure).toBeUndefined()
  })
})

describe('what looks like a mistake in the settings', () => {
  const typo = new RequestFailure('Unreachable', 'no such name', { isMistake: true })
  const fails = (history: History, ...seconds: number[]) => {
    for (const at of seconds) history.lookFails(at * SECOND, 'web', typo)
    return history
  }
  test('ends the run when it has lasted for fail-after', () => {
    const history = fails(run(), 0, 10, 29)
    expect(history.decide(29 * SECOND)).toBeUndefined()
    fails(history, 30)
    expect(history.decide(30 * SECOND)).toEqual({ kind: 'refused', failure: typo })
  })
  test('does not once the server has answered: then it is an outage', () => {
    const history = fails(run().look(0, 'web', waiting), 5, 20, 60)
    expect(history.decide(60 * SECOND)).toBeUndefined()
  })
  test('begins anew where anything else happens in between', () => {
    const history = fails(run(), 0, 10)
    history.lookFails(20 * SECOND, 'web', unreachable)
    fails(history, 30)
    expect(history.decide(30 * SECOND)).toBeUndefined()
    fails(history, 60)
    expect(history.decide(60 * SECOND)?.kind).toBe('refused')
  })
  test('is waited for as long as it takes where fail-after is never', () => {
    const history = fails(new History({ ...POLLED, failAfter: Number.POSITIVE_INFINITY }), 0, 1000, 2000)
    expect(history.decide(2000 * SECOND)).toBeUndefined()
  })
  test('has no say in a timeout', () => {
    const history = run()
      .lookFails(0, 'web', unreachable)
      .lookFails(100 * SECOND, 'web', LATE)
    expect(history.decide(100 * SECOND)).toBeUndefined()
    expect(history.knowledge.server.failure?.message).toBe('argocd did not answer in time')
  })
})

describe('a failure', () => {
  test('is tried again after pauses that grow up to the interval', () => {
    const history = run()
    let now = 0
    const pauses = Array.from({ length: 8 }, () => {
      history.lookFails(now, 'web', unreachable)
      const pause = retryAt(history) - now
      now += pause
      return pause
    })
    for (const [i, pause] of pauses.entries()) {
      const step = Math.min(250 * 2 ** i, 5 * SECOND)
      expect(pause).toBeWithin(step / 2, step + 1)
    }
  })
  test('is forgotten once the question is answered', () => {
    const history = run().lookFails(0, 'web', unreachable).look(SECOND, 'web', waiting)
    expect(history.knowledge.failures.size).toBe(0)
    expect(history.knowledge.server.failure).toBeUndefined()
  })
  test.each([
    [20, 20],
    [3600, LONGEST_RETRY_AFTER / SECOND],
  ])('with a Retry-After of %d s is not asked for again for %d s', (asked, kept) => {
    const failure = new RequestFailure('Unreachable', '429', { retryAfter: asked * SECOND })
    const history = run().lookFails(0, 'web', failure)
    expect(retryAt(history)).toBe(kept * SECOND)
    expect(history.planned(kept * SECOND - 1, 'look')).toEqual([])
    expect(history.planned(kept * SECOND, 'look')).toEqual(['look:argocd/web'])
  })
  test('of one application keeps no other from being asked for', () => {
    const history = new History(POLLED, {
      kind: 'names',
      project: undefined,
      applications: ['web', 'api'].map((name) => ({
        name,
        namespace: 'argocd',
        wanted: run().known().wanted,
      })),
    })
    const failure = new RequestFailure('Unreachable', '429', { retryAfter: 20 * SECOND })
    history.lookFails(0, 'web', failure)
    expect(history.planned(0, 'look')).toEqual(['look:argocd/api'])
  })
  test('of a refresh that somebody refuses is tried again as seldom as refreshes are', () => {
    const history = run().look(0, 'web', waiting).refreshStarts(0, 'web')
    history.refreshFails(0, 0, 'web', new RequestFailure('InvalidSettings', '400', { fatal: true }))
    expect(history.knowledge.server.refusal).toBeUndefined()
    expect(history.planned(REFRESH_ANEW[0] - 1, 'refresh')).toEqual([])
    expect(history.planned(REFRESH_ANEW[0], 'refresh')).toHaveLength(1)
  })
  test('of a request that reached its limit says what the run was told to say', () =>
    expect(run().lookFails(15 * SECOND, 'web', LATE, 0).knowledge.server.failure?.message).toBe(
      'argocd did not answer in time',
    ))
})

test('what is usual follows the answers to looks, and not those to refreshes', () => {
  const history = run().look(1000, 'web', waiting, 0)
  expect(history.knowledge.server.usual).toBe(1000)
  history.look(3000, 'web', waiting, 1000)
  expect(history.knowledge.server.usual).toBe(1250)
  history.refresh(3000, 60_000, 'web', waiting)
  expect(history.knowledge.server.usual).toBe(1250)
})
