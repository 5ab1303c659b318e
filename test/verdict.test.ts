/** The reducer: a yes, an early no, and neither, by what was seen when. No test sleeps. */

import { describe, expect, test } from 'bun:test'
import type { Check, CheckState } from '../lib/check.ts'
import {
  checksOf,
  decide,
  INITIAL,
  namingCheck,
  reduce,
  type State,
  type TimePolicy,
} from '../lib/verdict.ts'

const SECOND = 1000
const policy = (overrides: Partial<TimePolicy> = {}): TimePolicy => ({
  interval: 5 * SECOND,
  stableFor: 0,
  failAfter: 120 * SECOND,
  ...overrides,
})
const checks = (state: CheckState): readonly Check[] => [
  { code: 'NotFound', state: 'met', message: '' },
  { code: 'NotHealthy', state, message: '' },
]

/** Replays what was seen, at seconds, of applications by name. */
function replay(
  seen: readonly (readonly [seconds: number, app: string, state: CheckState | 'gone' | 'confirmed'])[],
  rules: TimePolicy,
): State {
  return seen.reduce((state, [seconds, app, what]) => {
    const now = seconds * SECOND
    if (what === 'gone') return reduce(state, { type: 'gone', keys: [app] }, now, rules)
    if (what === 'confirmed') return reduce(state, { type: 'confirmed', keys: [app] }, now, rules)
    return reduce(state, { type: 'observed', checks: [[app, checks(what)]] }, now, rules)
  }, INITIAL)
}

const decision = (seen: Parameters<typeof replay>[0], rules: TimePolicy = policy()) =>
  decide(replay(seen, rules), rules)

describe('verified', () => {
  test('at once when everything is met', () => expect(decision([[0, 'a', 'met']]).kind).toBe('verified'))
  test('nothing at all is never verified', () => expect(decision([]).kind).toBe('waiting'))
  test('not while one of several is not met', () =>
    expect(
      decision([
        [0, 'a', 'met'],
        [0, 'b', 'pending'],
      ]).kind,
    ).toBe('waiting'))
  test('when the last of several is met', () =>
    expect(
      decision([
        [0, 'a', 'met'],
        [0, 'b', 'pending'],
        [5, 'b', 'met'],
      ]).kind,
    ).toBe('verified'))
  test('not when one of several has fallen back', () =>
    expect(
      decision([
        [0, 'a', 'met'],
        [0, 'b', 'pending'],
        [5, 'a', 'pending'],
        [5, 'b', 'met'],
      ]).kind,
    ).toBe('waiting'))
  test('what is gone does not count', () =>
    expect(
      decision([
        [0, 'a', 'met'],
        [0, 'b', 'pending'],
        [1, 'b', 'gone'],
      ]).kind,
    ).toBe('verified'))
  test('not when all are gone', () =>
    expect(
      decision([
        [0, 'a', 'met'],
        [1, 'a', 'gone'],
      ]).kind,
    ).toBe('waiting'))
})

describe('stable for', () => {
  const rules = policy({ stableFor: 20 * SECOND })
  test('not before it has passed', () =>
    expect(
      decision(
        [
          [0, 'a', 'met'],
          [5, 'a', 'met'],
          [19, 'a', 'met'],
        ],
        rules,
      ).kind,
    ).toBe('waiting'))
  test('when it has passed', () =>
    expect(
      decision(
        [
          [0, 'a', 'met'],
          [10, 'a', 'met'],
          [20, 'a', 'met'],
        ],
        rules,
      ).kind,
    ).toBe('verified'))
  test('a break starts it anew', () =>
    expect(
      decision(
        [
          [0, 'a', 'met'],
          [10, 'a', 'pending'],
          [11, 'a', 'met'],
          [30, 'a', 'met'],
        ],
        rules,
      ).kind,
    ).toBe('waiting'))
  test('and it passes after the break', () =>
    expect(
      decision(
        [
          [0, 'a', 'met'],
          [10, 'a', 'pending'],
          [11, 'a', 'met'],
          [21, 'a', 'met'],
          [31, 'a', 'met'],
        ],
        rules,
      ).kind,
    ).toBe('verified'))
  test('time that nobody watched does not count', () =>
    expect(
      decision(
        [
          [0, 'a', 'met'],
          [100, 'a', 'met'],
        ],
        rules,
      ).kind,
    ).toBe('waiting'))
  test('a living stream that is silent counts', () =>
    expect(
      decision(
        [
          [0, 'a', 'met'],
          [15, 'a', 'confirmed'],
          [30, 'a', 'confirmed'],
        ],
        rules,
      ).kind,
    ).toBe('verified'))
  test('all of several must have been met all of the time', () =>
    expect(
      decision(
        [
          [0, 'a', 'met'],
          [15, 'b', 'met'],
          [20, 'a', 'met'],
          [20, 'b', 'met'],
        ],
        rules,
      ).kind,
    ).toBe('waiting'))
  test('says when a look could decide', () =>
    expect(
      decision(
        [
          [0, 'a', 'met'],
          [15, 'b', 'met'],
        ],
        rules,
      ),
    ).toMatchObject({ kind: 'waiting', lookAt: 35 * SECOND }))
  test('one second is enough where one second is asked', () =>
    expect(
      decision(
        [
          [0, 'a', 'met'],
          [1, 'a', 'met'],
        ],
        policy({ stableFor: SECOND }),
      ).kind,
    ).toBe('verified'))
})

describe('fail after', () => {
  test('not before it has passed', () =>
    expect(
      decision(
        [
          [0, 'a', 'failing'],
          [30, 'a', 'failing'],
        ],
        policy({ failAfter: 31 * SECOND }),
      ).kind,
    ).toBe('waiting'))
  test('when it has passed', () =>
    expect(
      decision(
        [
          [0, 'a', 'failing'],
          [15, 'a', 'failing'],
          [30, 'a', 'failing'],
        ],
        policy({ failAfter: 30 * SECOND }),
      ),
    ).toEqual({ kind: 'failed', key: 'a' }))
  test('0 fails at once', () =>
    expect(decision([[0, 'a', 'failing']], policy({ failAfter: 0 })).kind).toBe('failed'))
  test('never', () => {
    const seen = Array.from({ length: 1000 }, (_, i) => [i * 5, 'a', 'failing'] as const)
    expect(decision(seen, policy({ failAfter: Number.POSITIVE_INFINITY }))).toMatchObject({
      kind: 'waiting',
      lookAt: undefined,
    })
  })
  test('a recovery starts the count anew', () =>
    expect(
      decision(
        [
          [0, 'a', 'failing'],
          [10, 'a', 'pending'],
          [15, 'a', 'failing'],
          [30, 'a', 'failing'],
        ],
        policy({ failAfter: 20 * SECOND }),
      ).kind,
    ).toBe('waiting'))
  test('pending is not failing', () =>
    expect(
      decision(
        [
          [0, 'a', 'pending'],
          [30, 'a', 'pending'],
        ],
        policy({ failAfter: 0 }),
      ).kind,
    ).toBe('waiting'))
  test('one of several is enough', () =>
    expect(
      decision(
        [
          [0, 'a', 'met'],
          [0, 'b', 'failing'],
        ],
        policy({ failAfter: 0 }),
      ),
    ).toEqual({ kind: 'failed', key: 'b' }))
  test('an outage does not count', () =>
    expect(
      decision(
        [
          [0, 'a', 'failing'],
          [300, 'a', 'failing'],
        ],
        policy({ failAfter: 120 * SECOND }),
      ).kind,
    ).toBe('waiting'))
  test('says when a look could decide', () =>
    expect(decision([[3, 'a', 'failing']], policy({ failAfter: 30 * SECOND }))).toMatchObject({
      kind: 'waiting',
      lookAt: 33 * SECOND,
    }))
})

describe('the check that names a verdict', () => {
  const mixed: readonly Check[] = [
    { code: 'NotFound', state: 'met', message: '' },
    { code: 'RevisionMismatch', state: 'pending', message: '' },
    { code: 'NotHealthy', state: 'failing', message: '' },
  ]
  test('the first that is unmet', () => expect(namingCheck(mixed, false)?.code).toBe('RevisionMismatch'))
  test('the first that is failing, where that ended the run', () =>
    expect(namingCheck(mixed, true)?.code).toBe('NotHealthy'))
  test('none where all are met', () => expect(namingCheck(checks('met'), false)).toBeUndefined())
  test('NotStable is the last, and says how long it has held', () => {
    const rules = policy({ stableFor: 20 * SECOND })
    const tracked = replay(
      [
        [0, 'a', 'met'],
        [12, 'a', 'met'],
      ],
      rules,
    ).get('a')
    const last = tracked === undefined ? undefined : checksOf(tracked, rules).at(-1)
    expect(last).toEqual({
      code: 'NotStable',
      state: 'pending',
      message: 'everything has held for 12s of 20s',
    })
  })
})
