/** What nobody knows yet ends no count: it goes on, or is over, when the answer is there. */

import { describe, expect, test } from 'bun:test'
import { RequestFailure } from '../lib/failure.ts'
import { plan } from '../lib/machine.ts'
import type { Target } from '../lib/wanted.ts'
import type { JsonObject } from './argocd/server.ts'
import { node, parsed, podOf, SHA, wanting } from './fixtures.ts'
import { History } from './history.ts'
import { named, SECOND } from './scene.ts'

const VERIFIED = { kind: 'verified' } as const
const FAILED = { kind: 'failed', key: 'argocd/web' } as const
const POLICY = { timeout: 600 * SECOND, failAfter: 30 * SECOND }

function wanted(what: Parameters<typeof wanting>[0]): Target {
  return {
    kind: 'names',
    project: undefined,
    applications: [{ name: 'web', namespace: 'argocd', wanted: wanting(what) }],
  }
}

describe('stable for, while only the resource tree tells whether a Pod has ended', () => {
  const running = (...images: readonly string[]) =>
    parsed(
      { name: 'web', revision: SHA.b },
      { status: { summary: { images: [...images] }, operationState: null } },
    )
  const with1 = (reason: string) => [podOf('web:1', reason), podOf('web:2', 'Running')]
  const history = () =>
    new History({ ...POLICY, stableFor: 20 * SECOND }, wanted({ images: ['web:2'] })).look(
      0,
      'web',
      running('web:2'),
    )

  test('goes on where it has', () => {
    const found = history().look(10 * SECOND, 'web', running('web:1', 'web:2'))
    expect(found.known().met).toBeUndefined()
    found.tree(11 * SECOND, 'web', with1('Completed'))
    found.look(19 * SECOND, 'web', running('web:1', 'web:2'))
    expect(found.decide(19 * SECOND)).toBeUndefined()
    found.look(20 * SECOND, 'web', running('web:1', 'web:2'))
    expect(found.decide(20 * SECOND)).toBeUndefined()
    expect(found.tree(20 * SECOND, 'web', with1('Completed')).decide(20 * SECOND)).toEqual(VERIFIED)
  })

  test('asks for no refresh meanwhile, which would be a break', () => {
    const found = new History(
      { ...POLICY, stableFor: 20 * SECOND, refresh: 'normal' },
      wanted({ images: ['web:2'] }),
    ).look(0, 'web', running('web:2'))
    found.look(10 * SECOND, 'web', running('web:1', 'web:2'))
    expect(found.planned(10 * SECOND)).toEqual(['tree:argocd/web'])
    found.tree(11 * SECOND, 'web', with1('Running'))
    expect(found.planned(11 * SECOND, 'refresh')).toHaveLength(1)
  })

  test('goes on where an older tree could not tell', () => {
    const found = history().tree(5 * SECOND, 'web', [podOf('web:2', 'Running')])
    found.look(10 * SECOND, 'web', running('web:1', 'web:2')).tree(15 * SECOND, 'web', with1('Completed'))
    found.look(20 * SECOND, 'web', running('web:1', 'web:2')).tree(20 * SECOND, 'web', with1('Completed'))
    expect(found.decide(20 * SECOND)).toEqual(VERIFIED)
  })

  test('begins anew where it runs', () => {
    const found = history().look(10 * SECOND, 'web', running('web:1', 'web:2'))
    found.tree(11 * SECOND, 'web', with1('Running')).look(12 * SECOND, 'web', running('web:2'))
    expect(found.look(20 * SECOND, 'web', running('web:2')).decide(20 * SECOND)).toBeUndefined()
    expect(found.look(32 * SECOND, 'web', running('web:2')).decide(32 * SECOND)).toEqual(VERIFIED)
  })

  test('begins anew where it ran in between, though a look was answered while that was read', () => {
    const found = history().look(SECOND, 'web', running('web:1', 'web:2'))
    found.tree(2 * SECOND, 'web', with1('Completed'))
    found.look(12_200, 'web', running('web:1', 'web:2')).tree(12_500, 'web', with1('Running'), 12 * SECOND)
    found.tree(14 * SECOND, 'web', with1('Completed'))
    expect(found.known().met?.since).toBe(14 * SECOND)
  })

  test('takes a tree each ten seconds however often it changes, and one from after the last change in the end', () => {
    const ended = with1('Completed')
    const found = history().stream(500).look(SECOND, 'web', running('web:1', 'web:2'))
    found.tree(2 * SECOND, 'web', ended)
    const asked: number[] = []
    for (let at = 2500; at < 20_300; at += 100) {
      if (found.planned(at, 'tree').length > 0) {
        asked.push(at)
        found.tree(at + 50, 'web', ended, at)
      }
      // What runs beside it is another one each time.
      if (at < 19_500) found.tells(at + 60, running('web:1', 'web:2', `sidecar:${at}`))
    }
    expect(found.known().met?.since).toBe(0)
    expect(asked).toEqual([12_000, 20_000])
  })

  test('begins anew where something else is unmet as well', () => {
    const found = history().look(
      10 * SECOND,
      'web',
      parsed(
        { name: 'web', revision: SHA.b },
        { status: { health: { status: 'Progressing' }, summary: { images: ['web:1', 'web:2'] } } },
      ),
    )
    found.look(12 * SECOND, 'web', running('web:2'))
    expect(found.look(20 * SECOND, 'web', running('web:2')).decide(20 * SECOND)).toBeUndefined()
  })

  test('is no yes before that is known', () => {
    const found = history().look(10 * SECOND, 'web', running('web:2'))
    found.look(20 * SECOND, 'web', running('web:1', 'web:2'))
    expect(found.decide(20 * SECOND)).toBeUndefined()
    // Nor by what was asked before.
    found.tree(21 * SECOND, 'web', with1('Completed'))
    expect(found.decide(21 * SECOND)).toBeUndefined()
    expect(found.planned(21 * SECOND, 'look')).toHaveLength(1)
  })

  test('begins anew where nobody could tell for too long', () => {
    const found = history()
    for (const at of [10, 20, 30, 40]) found.look(at * SECOND, 'web', running('web:1', 'web:2'))
    found.tree(41 * SECOND, 'web', with1('Completed'))
    expect(found.look(42 * SECOND, 'web', running('web:1', 'web:2')).decide(42 * SECOND)).toBeUndefined()
  })
})

describe('stable for, while it cannot be had whether another commit renders the same', () => {
  const at = (second: number, revision: string) =>
    parsed(
      { name: 'web', revision },
      { status: { operationState: null, reconciledAt: new Date(second * SECOND).toISOString() } },
    )
  const history = () =>
    new History(
      { timeout: 600 * SECOND, failAfter: 120 * SECOND, stableFor: 60 * SECOND, refresh: 'normal' },
      wanted({ revision: SHA.b, revisionPolicy: 'equivalent' }),
    )
      .look(0, 'web', at(0, SHA.b))
      .look(10 * SECOND, 'web', at(10, SHA.c))
  /** The comparison fails each time, until then. */
  const failing = (found: History, until: number) => {
    for (let second = 15; second <= until; second += 5) {
      for (const task of plan(found.knowledge, second * SECOND).tasks)
        if (task.kind === 'compare')
          found.ended(second * SECOND, task, new RequestFailure('Unreachable', 'cannot render'))
      found.look(second * SECOND, 'web', at(10, SHA.c))
    }
    return found
  }

  test('no refresh is asked for while there is a streak to be saved', () => {
    const found = failing(history(), 35)
    expect(found.planned(36 * SECOND, 'refresh')).toEqual([])
    expect(found.known().checks.find(({ code }) => code === 'RevisionMismatch')?.state).toBe('pending')
    for (const task of plan(found.knowledge, 37 * SECOND).tasks)
      if (task.kind === 'compare')
        found.brought(37 * SECOND, task, { kind: 'rendering', rendering: { kind: 'same' } })
    expect(found.known().met?.since).toBe(0)
  })

  test('one is, as soon as that is lost, and time alone brings it', () => {
    const found = failing(history(), 35)
    const wakeAt = found.wakeAt(36 * SECOND)
    expect(wakeAt).toBeLessThanOrEqual(40 * SECOND)
    expect(found.planned(40 * SECOND, 'refresh')).toHaveLength(1)
    expect(failing(history(), 300).planned(300 * SECOND, 'refresh')).toHaveLength(1)
  })
})

describe('fail after, while the next attempt rolls out', () => {
  const web = (startedAt: number, health: string, revision: string = SHA.b) =>
    parsed({ name: 'web', revision }, {
      status: {
        health: { status: health },
        operationState: { startedAt: new Date(startedAt * SECOND).toISOString() },
      },
    } satisfies JsonObject)
  const pod = (status: string) =>
    node({
      kind: 'Pod',
      name: 'web-1',
      createdAt: new Date(16 * SECOND).toISOString(),
      health: { status, message: 'ImagePullBackOff' },
    })
  const history = () => new History(POLICY).look(0, 'web', web(-60, 'Degraded'))
  /** What shows, from five seconds on, at the next attempt, and ten seconds after the deadline of the first one. */
  const later = (found: History, health: string, tree: string) =>
    found
      .look(25 * SECOND, 'web', web(15, health))
      .look(30 * SECOND, 'web', web(15, health))
      .tree(30 * SECOND, 'web', [pod(tree)])
      .look(31 * SECOND, 'web', web(15, health))
      .decide(31 * SECOND)

  test('goes on where its Pod is broken as well', () => {
    const found = history().look(15 * SECOND, 'web', web(15, 'Progressing'))
    expect(found.known().failing).toBeUndefined()
    found.tree(16 * SECOND, 'web', [pod('Degraded')])
    expect(later(found, 'Progressing', 'Degraded')).toEqual(FAILED)
  })

  test('begins anew where it is not', () => {
    const found = history().look(15 * SECOND, 'web', web(15, 'Progressing'))
    found.tree(16 * SECOND, 'web', [pod('Progressing')])
    expect(later(found, 'Degraded', 'Degraded')).toBeUndefined()
  })

  test('begins anew where it is of another release', () => {
    const found = history().look(15 * SECOND, 'web', web(15, 'Progressing', SHA.a))
    expect(later(found, 'Degraded', 'Degraded')).toBeUndefined()
  })

  /** Degraded once more, after 28 seconds in which it was Progressing. */
  const relapsed = (found: History) => {
    expect(found.known().failing).toBeUndefined()
    found.look(29 * SECOND, 'web', web(-60, 'Degraded')).look(30 * SECOND, 'web', web(-60, 'Degraded'))
    expect(found.decide(30 * SECOND)).toBeUndefined()
    expect(found.known().failing?.since).toBe(29 * SECOND)
    for (const at of [40, 50]) found.look(at * SECOND, 'web', web(-60, 'Degraded'))
    // A tree that cannot be had for the diagnosis is waited for a little.
    return found.look(59 * SECOND, 'web', web(-60, 'Degraded')).decide(62 * SECOND)
  }

  test('goes on where a tree that was asked for after the look shows its Pod broken', () => {
    const found = history().look(15_008, 'web', web(-60, 'Progressing'), 15_000)
    found.tree(15_012, 'web', [pod('Degraded')], 15_004)
    expect(found.known().failing?.since).toBe(0)
  })

  test('goes on where a tree that was asked for before that shows its Pod broken', () => {
    const found = history().stream(500).tells(SECOND, web(-60, 'Degraded'))
    found.tells(15 * SECOND, web(-60, 'Progressing')).tree(15_200, 'web', [pod('Degraded')], 14_900)
    expect(found.known().failing?.since).toBe(0)
  })

  test('begins anew where each tree shows nothing broken, though something was told while it was read', () => {
    const found = history().stream(500)
    for (let at = 2000; at <= 28_000; at += 2000)
      found
        .tells(at, web(-60, 'Progressing'))
        .tells(at + 600, web(-60, 'Progressing'))
        .tree(at + 700, 'web', [pod('Progressing')], at + 500)
    expect(relapsed(found)).toEqual(FAILED)
  })

  test('begins anew where no tree can be read', () => {
    const found = history()
    for (let at = 2000; at <= 28_000; at += 2000) found.look(at, 'web', web(-60, 'Progressing'))
    expect(relapsed(found)).toEqual(FAILED)
  })

  test('goes on where the first tree from after that shows its Pod broken, whatever was told while it was read', () => {
    const found = history().stream(500)
    found.look(15 * SECOND, 'web', web(15, 'Progressing')).tells(16_500, web(15, 'Progressing'))
    found.tree(17 * SECOND, 'web', [pod('Degraded')], 16 * SECOND)
    expect(found.known().failing?.since).toBe(0)
    expect(later(found, 'Progressing', 'Degraded')).toEqual(FAILED)
  })

  test('is over where it is of another release, and no more trees are read for it than else', () => {
    const found = new History(POLICY, wanted({})).look(0, 'web', web(-60, 'Degraded'))
    found.tree(SECOND, 'web', []).look(5 * SECOND, 'web', web(-60, 'Progressing'))
    expect(found.planned(5 * SECOND, 'tree')).toHaveLength(1)
    found.look(5500, 'web', web(-60, 'Progressing', SHA.a))
    expect(found.planned(5500, 'tree')).toEqual([])
  })

  test('takes one tree more than one in ten seconds, however much is told meanwhile', () => {
    const found = history().stream(500).tree(SECOND, 'web', [])
    let trees = 0
    for (let at = 2000; at < 11_000; at += 200) {
      const isAsked = found.planned(at, 'tree').length > 0
      if (isAsked) trees++
      const told = parsed({ name: 'web', revision: SHA.b }, {
        status: { health: { status: 'Progressing', message: `${at}` }, operationState: null },
      } satisfies JsonObject)
      found.tells(at + 50, told)
      if (isAsked) found.tree(at + 100, 'web', [pod('Progressing')], at)
    }
    expect(trees).toBe(1)
  })

  test('is no early no before that is known', () => {
    const found = history().look(15 * SECOND, 'web', web(15, 'Progressing'))
    found.look(30 * SECOND, 'web', web(15, 'Progressing'))
    expect(found.decide(34 * SECOND)).toBeUndefined()
  })
})

test('fail after goes on while a stream tells late of what came before the last refresh', () => {
  const degraded = (second: number) =>
    parsed(
      { name: 'web', revision: SHA.b },
      {
        status: {
          health: { status: 'Degraded' },
          operationState: null,
          reconciledAt: new Date(second * SECOND).toISOString(),
        },
      },
    )
  const history = new History({ ...POLICY, watch: true, refresh: 'normal' }, wanted({ revision: 'main' }))
  history.look(0, 'web', degraded(0)).stream(0).tells(0, degraded(0))
  history.refresh(0, SECOND, 'web', degraded(1)).refresh(2 * SECOND, 3 * SECOND, 'web', degraded(3))
  expect(history.known().failing?.since).toBe(3 * SECOND)
  history.refresh(20 * SECOND, 21 * SECOND, 'web', degraded(21)).tells(21_100, degraded(3))
  expect(history.known().failing).toBeUndefined()
  history.tells(21_200, degraded(21))
  expect(history.known().failing?.since).toBe(3 * SECOND)
})

/** Degraded, with conditions, as it was compared in a second of the run. */
const erring = (conditions: JsonObject[], second: number) =>
  parsed(
    { name: 'web', revision: SHA.b },
    {
      status: {
        conditions,
        health: { status: 'Degraded' },
        operationState: null,
        reconciledAt: new Date(second * SECOND).toISOString(),
      },
    },
  )

test('fail after goes on from an error to what it kept from being judged', () => {
  const error = [{ type: 'InvalidSpecError', message: 'application project is gone' }]
  const history = new History({ ...POLICY, refresh: 'normal' }, wanted({ revision: 'main' }))
  for (const at of [0, 10]) history.look(at * SECOND, 'web', erring(error, at))
  history.look(20 * SECOND, 'web', erring([], 15))
  expect(history.known().failing).toBeUndefined()
  history.refresh(20 * SECOND, 21 * SECOND, 'web', erring([], 21))
  history.refresh(22 * SECOND, 23 * SECOND, 'web', erring([], 23))
  expect(history.known().failing?.since).toBe(0)
  // Where nothing is left that could be held against the release, it is over.
  const mended = new History({ ...POLICY, refresh: 'normal' }, wanted({ revision: 'main' }))
  mended.look(0, 'web', erring(error, 0))
  mended.look(
    10 * SECOND,
    'web',
    parsed({ name: 'web', revision: SHA.b }, { status: { operationState: null } }),
  )
  expect(mended.known().paused).toBeUndefined()
})

test('an error that was gone meanwhile has to be found twice anew', () => {
  const error = [{ type: 'ComparisonError', message: 'connection reset' }]
  const history = new History({ ...POLICY, refresh: 'normal' }, wanted({ revision: 'main' }))
  history.look(0, 'web', erring(error, 0)).look(10 * SECOND, 'web', erring([], 9))
  history
    .refresh(20 * SECOND, 21 * SECOND, 'web', erring(error, 21))
    .look(40 * SECOND, 'web', erring(error, 21))
  expect(history.known().failing?.since).toBe(0)
  expect(history.decide(40 * SECOND)).toBeUndefined()
  history
    .refresh(41 * SECOND, 42 * SECOND, 'web', erring(error, 42))
    .look(60 * SECOND, 'web', erring(error, 42))
  expect(history.decide(60 * SECOND)).toEqual(FAILED)
})

test('an error that no refresh confirms has lasted long enough when Argo CD has compared again, however short fail after', () => {
  const broken = parsed(
    { name: 'web', revision: SHA.b },
    { status: { conditions: [{ type: 'InvalidSpecError', message: 'application project is gone' }] } },
  )
  const history = new History({ ...POLICY, failAfter: SECOND, interval: SECOND, watch: true })
  history.look(0, 'web', broken).stream(0).tells(0, broken)
  for (let at = 15; at < 190; at += 15) history.tells(at * SECOND)
  expect(history.look(189 * SECOND, 'web', broken).decide(189 * SECOND)).toBeUndefined()
  expect(history.look(190 * SECOND, 'web', broken).decide(190 * SECOND)).toEqual(FAILED)
})

test('of many, those that were met before the last one have held for as long as the stream was heard', () => {
  const names = Array.from({ length: 30 }, (_, i) => `a${i}`)
  const all = names.map((name) => parsed({ name, revision: SHA.b }))
  const first = parsed({ name: 'a0', revision: SHA.b }, { status: { health: { status: 'Progressing' } } })
  const history = new History(
    { ...POLICY, watch: true, interval: SECOND, stableFor: 10 * SECOND },
    named(...names),
  )
  history.stream(0).tells(0, first, ...all.slice(1))
  history.tells(5 * SECOND, ...all.slice(0, 1))
  history.streamEnds(15 * SECOND)
  history.stream(15 * SECOND).tells(15 * SECOND, ...all)
  expect(history.decide(15 * SECOND)).toEqual(VERIFIED)
})

test('what a stream says again of one goes on from when it was last heard, whatever it told then', () => {
  const all = ['a', 'b'].map((name) => parsed({ name, revision: SHA.b }))
  const policy = { ...POLICY, watch: true, interval: SECOND, stableFor: 5 * SECOND }
  const history = new History(policy, named('a', 'b')).stream(0).tells(0, ...all)
  history.tells(4 * SECOND, ...all.slice(0, 1)).tells(8 * SECOND, ...all.slice(1))
  expect(history.known('b').met?.since).toBe(0)
})

test('what only a tree tells goes on from one tree to the next, however short fail after', () => {
  const progressing = parsed(
    { name: 'web', revision: SHA.b },
    { status: { health: { status: 'Progressing' }, operationState: null } },
  )
  const broken = [node({ kind: 'Pod', name: 'web-1', health: { status: 'Degraded', message: 'no image' } })]
  const policy = { ...POLICY, watch: true, interval: SECOND, failAfter: 3 * SECOND }
  const history = new History(policy)
    .stream(0)
    .tells(0, progressing)
    .tree(6 * SECOND, 'web', broken)
  history.look(8 * SECOND, 'web', progressing)
  // Both are asked for when it is due, and the look is answered first.
  history.look(9100, 'web', progressing, 9 * SECOND).tree(9200, 'web', broken, 9 * SECOND)
  expect(history.decide(9200)).toEqual(FAILED)
})
