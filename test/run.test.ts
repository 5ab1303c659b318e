/** The runner, by itself: tasks of a test's own, done by hand, on a clock that only the test moves. */

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { LATE, type Machine, type Occurrence, type Reporter, run, type Task } from '../lib/run.ts'
import { FakeClock, settled } from './fake-clock.ts'

interface Known {
  readonly seen: readonly string[]
  readonly now: number
}
type News = string

const task = (key: string, change: Partial<Task> = {}): Task => ({
  key,
  lane: 'a',
  timeout: Number.POSITIVE_INFINITY,
  hedges: [],
  ...change,
})

/** One try of a task that was started, to be reported by the test. */
interface Try {
  readonly key: string
  readonly attempt: number
  readonly at: number
  readonly report: Reporter<News>
  isAborted: boolean
}

/** A run whose plan is a function of what was seen; it ends when something named `end` was brought. */
class Stage {
  readonly clock = new FakeClock()
  readonly tries: Try[] = []
  readonly turns: { before: Known; now: Known; time: number }[] = []
  readonly interrupt = new AbortController()
  planned = 0
  ended: { decision: string; knowledge: Known; endedAt: number } | undefined

  start(
    plan: (known: Known, now: number) => readonly Task[],
    {
      limits = {},
      wakeAt = () => Number.POSITIVE_INFINITY,
    }: { limits?: Record<string, number>; wakeAt?: (known: Known, now: number) => number } = {},
  ): this {
    const machine: Machine<Known, Task, News, string> = {
      limits,
      learn: (known, occurrence, now) => ({ seen: [...known.seen, told(occurrence)], now }),
      plan: (known, now) => {
        this.planned++
        return { tasks: plan(known, now), wakeAt: wakeAt(known, now) }
      },
      decide: ({ seen }) => seen.find((one) => /brought .* end$|interrupted/.test(one)),
    }
    void run(
      machine,
      { seen: [], now: 0 },
      {
        now: this.clock.now,
        at: this.clock.at,
        soon: queueMicrotask,
        start: (one, attempt, report) => {
          const own: Try = { key: one.key, attempt, at: this.clock.now(), report, isAborted: false }
          this.tries.push(own)
          return () => {
            own.isAborted = true
          }
        },
      },
      this.interrupt.signal,
      (before, now, time) => void this.turns.push({ before, now, time }),
    ).then((ended) => {
      this.ended = ended
    })
    return this
  }

  get underWay(): readonly string[] {
    return this.tries.filter(({ isAborted }) => !isAborted).map(({ key }) => key)
  }

  get seen(): readonly string[] {
    return this.turns.at(-1)?.now.seen ?? []
  }

  try(key: string, attempt = 0): Try {
    const found = this.tries.findLast((one) => one.key === key && one.attempt === attempt)
    if (found === undefined) throw new Error(`${key} was not started`)
    return found
  }
}

function told(occurrence: Occurrence<Task, News>): string {
  switch (occurrence.type) {
    case 'started':
    case 'aborted':
      return `${occurrence.type} ${occurrence.task.key}`
    case 'brought':
      return `brought ${occurrence.task.key} ${occurrence.news}`
    case 'ended':
      return `ended ${occurrence.task.key} ${occurrence.failure === LATE ? 'late' : String(occurrence.failure ?? 'well')}`
    case 'interrupted':
      return 'interrupted'
  }
}

const has = (known: Known, one: string) => known.seen.includes(one)

describe('what is planned', () => {
  test('is started once, however often it is planned', async () => {
    const stage = new Stage().start(() => [task('x')], { wakeAt: (_, now) => now + 100 })
    await stage.clock.advance(1000)
    expect(stage.planned).toBeGreaterThanOrEqual(10)
    expect(stage.tries.map(({ key }) => key)).toEqual(['x'])
  })
  test('and is no longer planned is aborted', async () => {
    const stage = new Stage().start((known) => (has(known, 'brought x ok') ? [task('y')] : [task('x')]))
    await settled()
    stage.try('x').report.brought('ok')
    await settled()
    expect(stage.try('x').isAborted).toBe(true)
    expect(stage.underWay).toEqual(['y'])
  })
  test('under another key is another thing', async () => {
    const stage = new Stage().start((_, now) => [task(now < 50 ? 'x:1' : 'x:2')], { wakeAt: () => 50 })
    await stage.clock.advance(60)
    expect(stage.tries.map(({ key, at }) => [key, at])).toEqual([
      ['x:1', 0],
      ['x:2', 50],
    ])
    expect(stage.underWay).toEqual(['x:2'])
  })
  test('is started anew where it has ended and is still planned', async () => {
    const stage = new Stage().start(() => [task('x')])
    await settled()
    stage.try('x').report.ended()
    await settled()
    expect(stage.tries).toHaveLength(2)
  })
  test('by what was started in the same turn is started in it as well', async () => {
    const stage = new Stage().start((known) =>
      has(known, 'started x') ? [task('x'), task('y')] : [task('x')],
    )
    await settled()
    expect(stage.underWay).toEqual(['x', 'y'])
    expect(stage.turns).toHaveLength(1)
  })
  test('wakes the run when it says so', async () => {
    const stage = new Stage().start((_, now) => (now >= 70 ? [task('x')] : []), { wakeAt: () => 70 })
    await stage.clock.advance(69)
    expect(stage.tries).toEqual([])
    await stage.clock.advance(1)
    expect(stage.underWay).toEqual(['x'])
  })
  test('that wants to be woken in the past is no busy loop', async () => {
    const stage = new Stage().start(() => [], { wakeAt: (_, now) => now - 1 })
    await stage.clock.advance(100)
    expect(stage.planned).toBeLessThan(110)
  })
})

describe('a lane', () => {
  test('has at most so many under way, the most urgent first, and the next when one has ended', async () => {
    const all = ['p', 'q', 'r'].map((key) => task(key))
    const done = new Set<string>()
    const stage = new Stage().start(() => all.filter(({ key }) => !done.has(key)), { limits: { a: 2 } })
    await settled()
    expect(stage.underWay).toEqual(['p', 'q'])
    done.add('q')
    stage.try('q').report.ended()
    await settled()
    expect(stage.tries.map(({ key }) => key)).toEqual(['p', 'q', 'r'])
  })
  test('holds up no other', async () => {
    const stage = new Stage().start(() => [task('p'), task('q'), task('z', { lane: 'b' })], {
      limits: { a: 1, b: 1 },
    })
    await settled()
    expect(stage.underWay).toEqual(['p', 'z'])
  })
  test('does not count what is no longer planned', async () => {
    const stage = new Stage().start((_, now) => [task(now < 10 ? 'p' : 'q')], {
      limits: { a: 1 },
      wakeAt: () => 10,
    })
    await stage.clock.advance(10)
    expect(stage.underWay).toEqual(['q'])
  })
})

describe('what brings nothing', () => {
  const hedged = task('x', { hedges: [100, 300], timeout: 1000 })
  test('is asked once more elsewhere at its times, and not where it has brought something', async () => {
    const stage = new Stage().start(() => [hedged])
    await stage.clock.advance(99)
    expect(stage.tries).toHaveLength(1)
    await stage.clock.advance(500)
    expect(stage.tries.map(({ attempt, at }) => [attempt, at])).toEqual([
      [0, 0],
      [1, 100],
      [2, 300],
    ])
    const quick = new Stage().start(() => [hedged])
    await settled()
    quick.try('x').report.brought('first')
    await quick.clock.advance(900)
    expect(quick.tries).toHaveLength(1)
  })
  test('the attempt that first brings something counts, and the others are aborted', async () => {
    const stage = new Stage().start(() => [hedged])
    await stage.clock.advance(300)
    stage.try('x', 1).report.brought('second')
    await settled()
    expect(stage.try('x', 0).isAborted).toBe(true)
    expect(stage.try('x', 1).isAborted).toBe(false)
    expect(stage.try('x', 2).isAborted).toBe(true)
    stage.try('x', 0).report.brought('first')
    stage.try('x', 2).report.ended('broken')
    await settled()
    expect(stage.seen.filter((one) => /brought|ended/.test(one))).toEqual(['brought x second'])
  })
  test('one attempt that fails says nothing while another is under way; the last does', async () => {
    const stage = new Stage().start((known) => (has(known, 'ended x two') ? [] : [hedged]))
    await stage.clock.advance(100)
    stage.try('x', 0).report.ended('one')
    await settled()
    expect(stage.seen.some((one) => one.startsWith('ended'))).toBe(false)
    stage.try('x', 1).report.ended('two')
    await settled()
    expect(stage.seen.filter((one) => one.startsWith('ended'))).toEqual(['ended x two'])
  })
  test('when it takes too long is late, whatever its attempts say after that', async () => {
    const stage = new Stage().start((known) => (has(known, 'ended x late') ? [] : [hedged]))
    await stage.clock.advance(999)
    expect(stage.seen).not.toContain('ended x late')
    await stage.clock.advance(1)
    expect(stage.seen).toContain('ended x late')
    expect(stage.underWay).toEqual([])
    for (const one of stage.tries) one.report.brought('too late')
    await stage.clock.advance(10)
    expect(stage.seen.some((one) => one.includes('too late'))).toBe(false)
  })
  test('tells with what it brings when the attempt was started that brought it', async () => {
    const times: number[] = []
    const clock = new FakeClock()
    const reports: Reporter<News>[] = []
    const machine: Machine<number, Task, News, string> = {
      limits: {},
      learn: (count, occurrence) => {
        if (occurrence.type === 'brought') times.push(occurrence.startedAt)
        return count + 1
      },
      plan: () => ({ tasks: [hedged], wakeAt: Number.POSITIVE_INFINITY }),
      decide: () => (times.length > 0 ? 'end' : undefined),
    }
    const start = (_: Task, __: number, report: Reporter<News>) => {
      reports.push(report)
      return () => {}
    }
    const ended = run(machine, 0, { now: clock.now, at: clock.at, soon: queueMicrotask, start })
    await clock.advance(150)
    reports[1]?.brought('x')
    await ended
    expect(times).toEqual([100])
  })
})

describe('no turn is lost', () => {
  test('whatever is reported in one moment is learnt in one turn, in its order', async () => {
    const stage = new Stage().start(() => [task('x'), task('y')])
    await settled()
    const turns = stage.turns.length
    stage.try('y').report.brought('1')
    stage.try('x').report.brought('2')
    stage.try('y').report.brought('3')
    await settled()
    expect(stage.turns.length).toBe(turns + 1)
    expect(stage.seen.filter((one) => one.startsWith('brought'))).toEqual([
      'brought y 1',
      'brought x 2',
      'brought y 3',
    ])
  })
  test('what is reported while a turn is told of is learnt in the next', async () => {
    const stage = new Stage()
    stage.start(() => [task('x')])
    await settled()
    const push = stage.turns.push.bind(stage.turns)
    let isFirst = true
    stage.turns.push = (...all) => {
      if (isFirst) stage.try('x').report.brought('meanwhile')
      isFirst = false
      return push(...all)
    }
    stage.try('x').report.brought('one')
    await settled()
    expect(stage.seen).toContain('brought x meanwhile')
  })
  test('each turn tells what was known before it, without a gap', async () => {
    const stage = new Stage().start(() => [task('x')], { wakeAt: (_, now) => now + 10 })
    await stage.clock.advance(50)
    stage.try('x').report.brought('end')
    await settled()
    for (const [i, { before }] of stage.turns.entries())
      if (i > 0) expect(before).toBe(stage.turns[i - 1]?.now as Known)
    expect(stage.turns.at(-1)?.now).toBe(stage.ended?.knowledge as Known)
  })
  test('any reports at any times: each is learnt once, unless its task had been aborted', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ after: fc.nat(20), key: fc.constantFrom('x', 'y', 'z'), ends: fc.boolean() }), {
          maxLength: 30,
        }),
        async (reports) => {
          const stage = new Stage().start(() => ['x', 'y', 'z'].map((key) => task(key)), {
            wakeAt: (_, now) => now + 7,
          })
          await settled()
          const expected: string[] = []
          for (const [i, { after, key, ends }] of reports.entries()) {
            await stage.clock.advance(after)
            if (ends) stage.try(key).report.ended(`${i}`)
            else stage.try(key).report.brought(`${i}`)
            expected.push(`${ends ? 'ended' : 'brought'} ${key} ${i}`)
            await settled()
          }
          expect(stage.seen.filter((one) => /^(brought|ended)/.test(one))).toEqual(expected)
        },
      ),
      { seed: 20_260_101, numRuns: 30 },
    ))
})

describe('the end', () => {
  test('aborts what is under way, and nothing is learnt after it', async () => {
    const stage = new Stage().start(() => [task('x'), task('y')], { wakeAt: (_, now) => now + 10 })
    await settled()
    stage.try('x').report.brought('end')
    await settled()
    expect(stage.ended).toMatchObject({ decision: 'brought x end', endedAt: 0 })
    expect(stage.underWay).toEqual([])
    const turns = stage.turns.length
    stage.try('y').report.brought('more')
    stage.interrupt.abort()
    await stage.clock.advance(100)
    expect(stage.turns).toHaveLength(turns)
  })
  test('comes at once when the run is told to end, before it began as well', async () => {
    const stage = new Stage().start(() => [task('x')])
    await stage.clock.advance(5)
    stage.interrupt.abort()
    await settled()
    expect(stage.ended).toMatchObject({ decision: 'interrupted', endedAt: 5 })
    expect(stage.underWay).toEqual([])
    const before = new Stage()
    before.interrupt.abort()
    before.start(() => [task('x')])
    await settled()
    expect(before.ended?.decision).toBe('interrupted')
    expect(before.tries).toEqual([])
  })
})
