/** The gate in the simulated world, and the proof that the world can find fault with a gate. */

import { afterAll, describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Failed } from './batch.ts'
import { generate } from './generate.ts'
import { DRILL_NAMES } from './generate-drills.ts'
import { MUTANTS } from './mutants.ts'
import { withOpponent } from './opponents.ts'
import { play } from './play.ts'
import { createPlayers } from './players.ts'
import { narrate, shrink } from './shrink.ts'

const COUNT = 20_000
const FIXED = 1
const SYNCING = 5000
const DRILLED = 3000

/** What no history may break. */
const ALWAYS: ReadonlySet<string> = new Set(['no crash', 'no busy loop', 'never twice'])
/**
 * Of the other promises, one history in so many may break one, and is named: where several faults and changes meet,
 * about one in sixty thousand still does, by the gate or by what the oracle knows. None of those is meant to stay.
 */
const MOST_BROKEN = 2500

const players = createPlayers()
afterAll(() => players[Symbol.dispose]())

describe('the gate keeps its promises', () => {
  test(`in ${COUNT} histories that are always the same`, async () => {
    const { failed, played } = await players.play({ opponent: 'gate', seed: FIXED, count: COUNT })
    expect(told(failed)).toBe('')
    expect(played).toBe(COUNT)
  }, 1_200_000)

  test(`in ${COUNT} histories that nobody has seen`, async () => {
    const seed = Math.floor(Math.random() * 1e12)
    console.log(`bun run simulate --seed ${seed} --count ${COUNT}`)
    const { failed, played } = await players.play({ opponent: 'gate', seed, count: COUNT })
    for (const { seed, breach } of failed) console.log(`${seed}: ${breach.promise}: ${breach.what}`)
    expect(told(failed.filter(({ breach }) => ALWAYS.has(breach.promise)))).toBe('')
    expect(failed.length).toBeLessThanOrEqual(COUNT / MOST_BROKEN)
    expect(played).toBe(COUNT)
  }, 1_200_000)
})

describe('the gate keeps its promises where they are hard to keep', () => {
  test(`in ${DRILLED} drills`, async () => {
    const { failed, played, met } = await players.play({
      opponent: 'gate:drills',
      seed: FIXED,
      count: DRILLED,
    })
    expect(failed.map(({ seed, breach }) => `${seed}: ${breach.promise}: ${breach.what}`)).toEqual([])
    expect(played).toBe(DRILLED)
    for (const name of DRILL_NAMES) expect(met.get(`drill ${name}`)?.histories ?? 0).toBeGreaterThan(30)
  }, 1_200_000)

  // `bun run mutants` plays the gate without each of them: a rule that has changed is still one that can be taken away.
  test.each(MUTANTS)('of each rule it is known how to take it away: $rule', (mutant) => {
    for (const { file, find, replace } of [mutant, ...(mutant.also ?? [])]) {
      const text = readFileSync(join(import.meta.dir, '../../lib', file), 'utf8')
      expect(text.split(find)).toHaveLength(2)
      expect(replace).not.toBe(find)
    }
  })

  test('and what each is called', () => {
    expect(new Set(MUTANTS.map(({ rule }) => rule)).size).toBe(MUTANTS.length)
  })
})

describe('the gate that syncs keeps its promises', () => {
  test(`in ${SYNCING} histories, with answers that are lost and runs that are killed`, async () => {
    const { failed, played, met } = await players.play({
      opponent: 'gate:syncing',
      seed: FIXED,
      count: SYNCING,
    })
    expect(failed.map(({ seed, breach }) => `${seed}: ${breach.promise}: ${breach.what}`)).toEqual([])
    expect(played).toBe(SYNCING)
    // Nothing would be promised about what never happens.
    for (const kind of [
      'order accepted',
      'order busy',
      'order closed',
      'operation blocked by a window',
      'killed',
      'killed, permission answered',
      'killed, sync sent',
      'killed, sync heard',
      'killed, sync answered',
      'ending refused',
    ])
      expect(met.get(kind)?.histories ?? 0).toBeGreaterThan(3)
    expect(met.get('ending verified')?.times ?? 0).toBeGreaterThan(SYNCING / 20)
  }, 1_200_000)
})

/** The first failure, as a person reads it. */
function told(failed: readonly Failed[]): string {
  const [first] = failed
  if (first === undefined) return ''
  const scenario = generate(first.seed)
  const seeds = failed.map(({ seed, breach }) => `${seed}: ${breach.promise}: ${breach.what}`).join('\n')
  return `${failed.length} broke a promise\n${seeds}\n${withOpponent('gate', (one) => narrate(shrink(scenario, one, first.breach), one))}`
}

describe('a gate that breaks a promise is found', () => {
  test.each([
    ['hasty', 'never wrong', 50],
    ['blind to hooks', 'never wrong', 300],
    ['forgetful', 'never wrong', 2000],
    ['nervous', 'never early', 50],
    ['unpunctual', 'on time', 50],
    ['lazy', 'never late', 500],
    ['greedy', 'never greedy', 50],
    ['easily offended', 'never early', 2000],
    ['restless', 'no busy loop', 50],
  ] as const)('%s: %s', (defect, promise, within) => {
    const isBroken = (name: string, seed: number) =>
      withOpponent(name, (one) => play(generate(seed), one, new Map())).breach?.promise
    const seeds = Array.from({ length: within }, (_, i) => FIXED + i)
    // In a history that the same gate without the defect gets right.
    const found = seeds.find(
      (seed) => isBroken(`naive:${defect}`, seed) === promise && isBroken('naive', seed) === undefined,
    )
    expect(found).toBeNumber()
  })
})

describe('a history follows from its seed alone', () => {
  test('played twice it is the same, line by line', () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const tell = () => withOpponent('gate', (one) => narrate(generate(seed), one))
      expect(tell()).toBe(tell())
    }
  })

  test('on however many processors', async () => {
    const batch = { opponent: 'naive', seed: FIXED, count: 600 }
    using alone = createPlayers(1)
    using three = createPlayers(3)
    const [one, two] = await Promise.all([alone.play(batch), three.play(batch)])
    expect(two.failed).toEqual(one.failed)
    expect([...two.met].sort()).toEqual([...one.met].sort())
    expect(one.failed.length).toBeGreaterThan(0)
  }, 60_000)
})
