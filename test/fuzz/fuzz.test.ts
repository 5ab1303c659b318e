/** A little of the fuzzing in each run of the tests, the same inputs every time; `bun test/fuzz/fuzz.ts 60` has more. */

import { describe, expect, test } from 'bun:test'
import { isLabelSelector } from '../../lib/selector.ts'
import { SEED, TARGETS } from './fuzz.ts'

/** About twenty thousand inputs in all. */
const ROUNDS = 12

describe('whatever comes in, there is an answer or a clear error, and no false yes', () => {
  test.each(TARGETS.map(({ name, ...rest }) => [name, rest] as const))('%s', async (_, { run, share }) => {
    for (let round = 0; round < ROUNDS; round++) await run(SEED + round, share)
  })
})

describe('label selectors', () => {
  /** Kubernetes' own cases, from its tests of the parser, and the oddities that its code has. */
  const TAKEN = [
    ...['x=a,y=b,z=c', 'x!=a,y=b', 'x=', 'x= ', 'x=,z= ', 'x= ,z= ', 'a == b', 'in', 'in in (in)', 'notin'],
    ...[
      'x>1',
      'x<1',
      'x > 007',
      '!x',
      '! x',
      'x,!y',
      'x in (a,b)',
      'x in(a)',
      'x in ()',
      'x notin (a, b),y',
      'x in (,)',
    ],
    ...['x in (,a)', 'x in (a,)', 'x in (a,,b)', 'a/b=c', 'a.b-c/d_e.f=g', 'x\tin\n(a)'],
  ]
  const REFUSED = [
    ...['x=a||y=b', 'x==a==b', '!x=a', 'x<a', 'x>a', 'x=a,', ',x=a', 'x in', 'x in (a', 'x in a)', 'x!!a'],
    ...[
      'x=a b',
      '!',
      '!!x',
      'a/b/c=d',
      '/a=b',
      'a/=b',
      '-a=b',
      'a=-b',
      `${'a'.repeat(64)}=b`,
      `a=${'b'.repeat(64)}`,
    ],
  ]
  test.each(TAKEN)('%j is one', (selector) => {
    expect(isLabelSelector(selector)).toBe(true)
  })
  test.each(REFUSED)('%j is none', (selector) => {
    expect(isLabelSelector(selector)).toBe(false)
  })

  test.each(['x in (a,,)', 'x in (,,)', 'x>-1', 'x>99999999999999999999', 'a..b/c', 'a.-b/c', 'x\u00a0=a'])(
    '%j is none to Kubernetes',
    (selector) => {
      expect(isLabelSelector(selector)).toBe(false)
    },
  )

  test.each([`${'a=  ,'.repeat(14)}!!`, `${'a in ( , , , ),'.repeat(6)}!!`])(
    'a bad one is refused at once',
    (selector) => {
      const began = performance.now()
      expect(isLabelSelector(selector)).toBe(false)
      expect(performance.now() - began).toBeLessThan(200)
    },
  )
})
