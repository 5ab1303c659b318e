/** Of what a server says no more is held than there is room for. */

import { describe, expect, test } from 'bun:test'
import { createHoldings, weightOf } from '../lib/holdings.ts'

describe('what is held', () => {
  const text = 'x'.repeat(100)
  const one = weightOf(text)

  test('has room until it is too much, and then all is as before', () => {
    const holdings = createHoldings(2 * one)
    expect(holdings.hold('a', text)).toBe(true)
    expect(holdings.hold('b', text)).toBe(true)
    expect(holdings.hold('c', text)).toBe(false)
    expect(holdings.hold('b', text + text)).toBe(false)
    expect(holdings.hold('b', text)).toBe(true)
  })

  test('makes room where it is replaced by less, or let go', () => {
    const holdings = createHoldings(2 * one)
    expect(holdings.hold('a', [text])).toBe(true)
    expect(holdings.hold('b', text)).toBe(false)
    expect(holdings.hold('a', text)).toBe(true)
    expect(holdings.hold('b', text)).toBe(true)
    holdings.release('a')
    holdings.release('a')
    expect(holdings.hold('c', text)).toBe(true)
    expect(holdings.hold('d', text)).toBe(false)
  })
})

test('whatever takes memory weighs something, and longer names than Argo CD has weigh too', () => {
  expect(weightOf({ a: 'b' })).toBeGreaterThan(weightOf({}))
  expect(weightOf([1, 2])).toBeGreaterThan(weightOf([1]))
  expect(weightOf({ ['n'.repeat(1000)]: 1 })).toBeGreaterThan(weightOf({ n: 1 }) + 1000)
  expect(weightOf(undefined)).toBe(0)
})
