/** From what happened when to a yes, an early no, or neither. No test sleeps: a history is a list of events. */

import { describe, expect, test } from 'bun:test'
import type { Application } from '../lib/application.ts'
import type { Check } from '../lib/check.ts'
import { checksOf, type Ending, namingCheck } from '../lib/ending.ts'
import type { TreeNode } from '../lib/evidence.ts'
import { RequestFailure } from '../lib/failure.ts'
import type { Policy, Target } from '../lib/wanted.ts'
import { node, parsed, SHA, wanting } from './fixtures.ts'
import { History } from './history.ts'
import { named, SECOND, SELECTED } from './scene.ts'

const DAY = 86_400 * SECOND
const policy = (overrides: Partial<Policy> = {}): Partial<Policy> => ({
  timeout: DAY,
  failAfter: 120 * SECOND,
  ...overrides,
})

/** How an application is found. What fails here needs no diagnosis, so nothing but time decides. */
type State = 'met' | 'pending' | 'failing'
const CHANGES = {
  met: {},
  pending: { status: { health: { status: 'Progressing' } } },
  failing: { metadata: { deletionTimestamp: '2030-01-01T00:00:00Z' } },
} as const
const found = (name: string, state: State): Application => parsed({ name, revision: SHA.b }, CHANGES[state])

/** What was seen, at seconds, of which application: by a request for it that is answered at once, or by a stream. */
type Seen = readonly [seconds: number, app: string, state: State | 'missing' | `told ${State}`]

function replay(seen: readonly Seen[], rules = policy(), target?: Target): History {
  const names = [...new Set(seen.map(([, app]) => app))]
  const history = new History(rules, target ?? named(...(names.length === 0 ? ['web'] : names)))
  for (const [seconds, app, what] of seen) {
    const now = seconds * SECOND
    if (what === 'missing') history.look(now, app, undefined)
    else if (what === 'met' || what === 'pending' || what === 'failing')
      history.look(now, app, found(app, what))
    else {
      if (history.knowledge.streams.number === 0) history.stream(now)
      history.tells(now, found(app, what.slice('told '.length) as State))
    }
  }
  return history
}

/** What is decided at the time of the last event. */
function decision(seen: readonly Seen[], rules = policy(), target?: Target): Ending | undefined {
  return replay(seen, rules, target).decide((seen.at(-1)?.[0] ?? 0) * SECOND)
}

const VERIFIED = { kind: 'verified' } as const

describe('verified', () => {
  test.each<[string, readonly Seen[], boolean]>([
    ['at once when everything is met', [[0, 'a', 'met']], true],
    ['nothing at all is never verified', [], false],
    [
      'not while one of several is not met',
      [
        [0, 'a', 'met'],
        [0, 'b', 'pending'],
      ],
      false,
    ],
    [
      'not while one of several is missing',
      [
        [0, 'a', 'met'],
        [0, 'b', 'missing'],
      ],
      false,
    ],
    [
      'not when one of several has fallen back',
      [
        [0, 'a', 'met'],
        [0, 'b', 'pending'],
        [5, 'a', 'pending'],
        [5, 'b', 'met'],
      ],
      false,
    ],
    [
      'when all of several were read since the last of them was met',
      [
        [0, 'a', 'met'],
        [0, 'b', 'pending'],
        [5, 'b', 'met'],
        [5, 'a', 'met'],
      ],
      true,
    ],
    [
      'not when one of them was last read before the last was met',
      [
        [0, 'a', 'met'],
        [0, 'b', 'pending'],
        [5, 'b', 'met'],
      ],
      false,
    ],
    ['not by what a stream tells alone: it may have lost a change', [[0, 'a', 'told met']], false],
    [
      'when a request confirms what a stream has told',
      [
        [0, 'a', 'told met'],
        [1, 'a', 'met'],
      ],
      true,
    ],
    [
      'not when a stream has told of a break since it was read',
      [
        [0, 'a', 'met'],
        [0, 'b', 'pending'],
        [5, 'b', 'met'],
        [5, 'a', 'met'],
        [5, 'b', 'told pending'],
      ],
      false,
    ],
    [
      'not by what was read before a break that the stream has told of',
      [
        [0, 'a', 'told pending'],
        [1, 'a', 'told met'],
      ],
      false,
    ],
  ])('%s', (_, seen, expected) => {
    if (expected) expect(decision(seen)).toEqual(VERIFIED)
    else expect(decision(seen)).toBeUndefined()
  })

  test('the answer that shows the only application as wanted is the proof, however long it took', () => {
    const history = new History(policy()).look(9 * SECOND, 'web', found('web', 'met'), 0)
    expect(history.decide(9 * SECOND)).toEqual(VERIFIED)
  })
  test('but not where the stream has said since it was sent that it is not as wanted', () => {
    const history = new History(policy()).stream(0).tells(SECOND, found('web', 'pending'))
    history.look(2 * SECOND, 'web', found('web', 'met'), 0)
    expect(history.decide(2 * SECOND)).toBeUndefined()
    history.look(3 * SECOND, 'web', found('web', 'met'))
    expect(history.decide(3 * SECOND)).toEqual(VERIFIED)
  })
  test('an answer from before the stream told that it is as wanted is not from after it', () => {
    const history = new History(policy()).stream(0).tells(SECOND, found('web', 'pending'))
    history.tells(2 * SECOND, found('web', 'met'))
    history.look(3 * SECOND, 'web', found('web', 'met'), 1500)
    expect(history.decide(3 * SECOND)).toBeUndefined()
    history.look(4 * SECOND, 'web', found('web', 'met'), 2 * SECOND)
    expect(history.decide(4 * SECOND)).toEqual(VERIFIED)
  })
  describe('the answer to a refresh', () => {
    const asked = parsed(
      { name: 'web', revision: SHA.b },
      { metadata: { annotations: { 'argocd.argoproj.io/refresh': 'normal' } } },
    )
    const underWay = () =>
      new History(policy()).stream(0).tells(0, found('web', 'pending')).refreshStarts(SECOND, 'web')
    test('is no proof: Argo CD gives it from its cache, and what is there now a look tells', () => {
      const history = underWay().tells(2 * SECOND, asked)
      history.refreshEnds(SECOND, 3 * SECOND, 'web', found('web', 'met'))
      expect(history.known().met).toBeDefined()
      expect(history.decide(3 * SECOND)).toBeUndefined()
      expect(history.planned(3 * SECOND, 'look')).toHaveLength(1)
      expect(history.look(3 * SECOND, 'web', found('web', 'met')).decide(3 * SECOND)).toEqual(VERIFIED)
    })
    test('does not count where the stream has told since what came after it', () => {
      const history = underWay()
        .tells(2 * SECOND, asked)
        .tells(2500, found('web', 'pending'))
      history.refreshEnds(SECOND, 3 * SECOND, 'web', found('web', 'met'))
      expect(history.known().met).toBeUndefined()
      expect(history.planned(3 * SECOND, 'look')).toHaveLength(1)
      history.look(3100, 'web', found('web', 'met'), 3 * SECOND)
      expect(history.decide(3100)).toEqual(VERIFIED)
    })
    test('tells of a sync all the same', () => {
      const sync = { id: 'release-7', prune: undefined, stage: undefined }
      const info = [{ name: 'kpcea', value: 'release-7' }]
      const synced = parsed(
        { name: 'web', revision: SHA.b },
        { status: { operationState: { operation: { info } } } },
      )
      const history = new History(policy({ sync })).stream(0).tells(0, found('web', 'pending'))
      history.refreshStarts(SECOND, 'web').tells(2500, found('web', 'pending'))
      history.refreshEnds(SECOND, 3 * SECOND, 'web', synced)
      expect(history.decide(3 * SECOND)).toBeUndefined()
      expect(history.known().syncing.own).toMatchObject({ phase: 'Succeeded', isAdopted: true })
    })
    test('is in no doubt where the stream has told the same before it came', () => {
      const wanted = wanting({ revision: 'main' })
      const target: Target = {
        kind: 'names',
        project: undefined,
        applications: [{ name: 'web', namespace: 'argocd', wanted }],
      }
      const at = (second: number) =>
        parsed({ name: 'web', revision: SHA.b }, { status: { reconciledAt: `2030-01-01T01:00:0${second}Z` } })
      const history = new History(policy({ refresh: 'normal' }), target).stream(0).tells(0, at(0))
      history.refresh(0, SECOND, 'web', at(1)).refreshStarts(2 * SECOND, 'web')
      history.tells(2900, at(2)).refreshEnds(2 * SECOND, 3 * SECOND, 'web', at(2))
      expect(history.known()).toMatchObject({ isDoubtful: false, met: { since: 3 * SECOND } })
    })
    test('that is no longer true does not keep a yes waiting', () => {
      const history = underWay()
        .tells(2 * SECOND, asked)
        .tells(2500, found('web', 'met'))
      history.refreshEnds(SECOND, 3 * SECOND, 'web', found('web', 'pending'))
      expect(history.decide(3 * SECOND)).toBeUndefined()
      expect(history.planned(3 * SECOND, 'look')).toHaveLength(1)
    })
  })
  test('what the resource tree said before the last operation began is no proof', () => {
    const applications = [
      { name: 'web', namespace: 'argocd', wanted: wanting({ revision: SHA.b, images: ['web:2'] }) },
    ]
    const app = (revision: string, startedAt: string) => {
      const status = { operationState: { startedAt }, summary: { images: ['web:1', 'web:2'] } }
      return parsed({ name: 'web', revision }, { status })
    }
    const pod = (image: string, reason: string, known: Partial<TreeNode> = {}) =>
      node({
        kind: 'Pod',
        name: image,
        images: [image],
        ...known,
        info: { 'Status Reason': reason, ...known.info },
      })
    const running = {
      info: { Containers: '1/1', cpu: '0' },
      health: { status: 'Healthy', message: undefined },
    }
    const done = { ...running, info: { Containers: '0/1' } }
    const ended = [pod('web:1', 'Completed', done), pod('web:2', 'Running', running)]
    const history = new History(policy(), { kind: 'names', project: undefined, applications })
    history.look(0, 'web', app(SHA.a, '2029-12-31T00:00:00Z')).tree(0, 'web', ended)
    history.look(5 * SECOND, 'web', app(SHA.b, '2029-12-31T00:00:05Z'))
    expect(history.decide(5 * SECOND)).toBeUndefined()
    expect(history.planned(5 * SECOND)).toEqual(['tree:argocd/web'])
    history.tree(6 * SECOND, 'web', [pod('web:1', 'Running', running), pod('web:2', 'Running', running)])
    expect(
      history.look(7 * SECOND, 'web', app(SHA.b, '2029-12-31T00:00:05Z')).decide(7 * SECOND),
    ).toBeUndefined()
    history.tree(16 * SECOND, 'web', ended).look(16 * SECOND, 'web', app(SHA.b, '2029-12-31T00:00:05Z'))
    expect(history.decide(16 * SECOND)).toEqual(VERIFIED)
  })
  test('a yes at the deadline is a yes', () => {
    const history = new History(policy({ timeout: 10 * SECOND })).look(
      10 * SECOND,
      'web',
      found('web', 'met'),
    )
    expect(history.decide(10 * SECOND)).toEqual(VERIFIED)
  })
})

describe('a selector', () => {
  const selecting = (min: number) => new History(policy(), { ...SELECTED, min } as Target)
  test('matches nothing: never', () => expect(selecting(1).list(0, []).decide(0)).toBeUndefined())
  test('needs as many as are asked for', () => {
    const history = selecting(2).list(0, [found('a', 'met')])
    expect(history.decide(0)).toBeUndefined()
    history.list(SECOND, [found('a', 'met'), found('b', 'met')])
    for (const name of ['a', 'b']) history.look(2 * SECOND, name, found(name, 'met'), SECOND)
    expect(history.decide(2 * SECOND)).toEqual(VERIFIED)
  })
  test('what it no longer matches does not count', () => {
    const history = selecting(1).list(0, [found('a', 'met'), found('b', 'pending')])
    history.list(SECOND, [found('a', 'met')]).look(2 * SECOND, 'a', found('a', 'met'))
    expect(history.decide(2 * SECOND)).toEqual(VERIFIED)
  })
  test('what it matches now must have been asked since everything was met', () => {
    const history = selecting(1).list(0, [found('a', 'pending')])
    history.look(5 * SECOND, 'a', found('a', 'met'))
    expect(history.decide(5 * SECOND)).toBeUndefined()
    history.list(6 * SECOND, [found('a', 'met'), found('b', 'pending')])
    expect(history.decide(6 * SECOND)).toBeUndefined()
  })
  test('not when all are gone', () => {
    const history = selecting(1).list(0, [found('a', 'met')])
    history.look(SECOND, 'a', found('a', 'met')).list(2 * SECOND, [])
    expect(history.decide(2 * SECOND)).toBeUndefined()
  })
})

describe('many applications', () => {
  const names = Array.from({ length: 21 }, (_, i) => `a${i}`)
  const all = (state: State) => names.map((name) => found(name, state))
  const many = (rules = policy()) => new History(rules, named(...names))
  test('are a yes by the opening of one stream, which is one instant', () =>
    expect(
      many()
        .stream(0)
        .tells(SECOND, ...all('met'))
        .decide(SECOND),
    ).toEqual(VERIFIED))
  test('not while it has not told of all', () => {
    const history = many()
      .stream(0)
      .tells(SECOND, ...all('met').slice(1))
    expect(history.decide(SECOND)).toBeUndefined()
    expect(history.tells(2 * SECOND, found('a0', 'met')).decide(2 * SECOND)).toEqual(VERIFIED)
  })
  test('not by what one stream tells after its opening, but by the next', () => {
    const history = many()
      .stream(0)
      .tells(SECOND, ...all('met').slice(1), found('a0', 'pending'))
    history.tells(2 * SECOND, found('a0', 'met'))
    expect(history.decide(2 * SECOND)).toBeUndefined()
    history.stream(3 * SECOND).tells(4 * SECOND, ...all('met'))
    expect(history.decide(4 * SECOND)).toEqual(VERIFIED)
  })
  test('not by the first word about one that comes long after the opening', () => {
    const history = many(policy({ watch: true }))
      .stream(0)
      .tells(SECOND, ...all('met').slice(1))
      .tells(15 * SECOND)
    // What the others were at the opening may have changed before the stream listened.
    history.tells(16 * SECOND, found('a0', 'met'))
    expect(history.decide(16 * SECOND)).toBeUndefined()
    expect(history.planned(16 * SECOND, 'watch')).toEqual(['watch:2'])
    history.stream(16 * SECOND).tells(17 * SECOND, ...all('met'))
    expect(history.decide(17 * SECOND)).toEqual(VERIFIED)
  })
  test('not by one stream and another together', () => {
    const history = many()
      .stream(0)
      .tells(SECOND, ...all('met').slice(1), found('a0', 'pending'))
    history.stream(3 * SECOND).tells(4 * SECOND, found('a0', 'met'))
    expect(history.decide(4 * SECOND)).toBeUndefined()
  })
  test('with a soak, by a stream that was opened when it had passed', () => {
    const history = many(policy({ stableFor: 10 * SECOND })).stream(0)
    history.tells(0, ...all('met')).tells(10 * SECOND)
    expect(history.decide(10 * SECOND)).toBeUndefined()
    history.stream(10 * SECOND).tells(11 * SECOND, ...all('met'))
    expect(history.decide(11 * SECOND)).toEqual(VERIFIED)
  })
})

describe('stable for', () => {
  const rules = policy({ stableFor: 20 * SECOND })
  test.each<[string, readonly Seen[], boolean]>([
    [
      'not before it has passed',
      [
        [0, 'a', 'met'],
        [5, 'a', 'met'],
        [19, 'a', 'met'],
      ],
      false,
    ],
    [
      'when it has passed',
      [
        [0, 'a', 'met'],
        [10, 'a', 'met'],
        [20, 'a', 'met'],
      ],
      true,
    ],
    [
      'a break starts it anew',
      [
        [0, 'a', 'met'],
        [10, 'a', 'pending'],
        [11, 'a', 'met'],
        [30, 'a', 'met'],
      ],
      false,
    ],
    [
      'and it passes after the break',
      [
        [0, 'a', 'met'],
        [10, 'a', 'pending'],
        [11, 'a', 'met'],
        [21, 'a', 'met'],
        [31, 'a', 'met'],
      ],
      true,
    ],
    [
      'time that nobody watched does not count',
      [
        [0, 'a', 'met'],
        [100, 'a', 'met'],
      ],
      false,
    ],
    [
      'all of several must have been met all of the time',
      [
        [0, 'a', 'met'],
        [15, 'b', 'met'],
        [20, 'a', 'met'],
        [20, 'b', 'met'],
      ],
      false,
    ],
    [
      'at the same time',
      [
        [0, 'a', 'met'],
        [15, 'b', 'met'],
        [20, 'a', 'met'],
        [25, 'b', 'met'],
        [35, 'a', 'met'],
        [35, 'b', 'met'],
      ],
      true,
    ],
    [
      'a break that only the stream has told of starts it anew',
      [
        [0, 'a', 'met'],
        [10, 'a', 'told pending'],
        [10.5, 'a', 'told met'],
        [20, 'a', 'met'],
      ],
      false,
    ],
  ])('%s', (_, seen, expected) => {
    if (expected) expect(decision(seen, rules)).toEqual(VERIFIED)
    else expect(decision(seen, rules)).toBeUndefined()
  })

  test('a living stream that is silent counts, and a request confirms it at the end', () => {
    const history = new History(rules).stream(0).tells(0, found('web', 'met'))
    history.tells(15 * SECOND).tells(20 * SECOND)
    expect(history.decide(20 * SECOND)).toBeUndefined()
    history.look(20 * SECOND, 'web', found('web', 'met'))
    expect(history.decide(20 * SECOND)).toEqual(VERIFIED)
  })
  test('wakes when a look could decide', () => {
    const history = replay(
      [
        [0, 'a', 'met'],
        [15, 'b', 'met'],
      ],
      policy({ stableFor: 20 * SECOND, interval: DAY }),
    )
    expect(history.wakeAt(15 * SECOND)).toBe(35 * SECOND)
  })
  test('one second is enough where one second is asked', () =>
    expect(
      decision(
        [
          [0, 'a', 'met'],
          [1, 'a', 'met'],
        ],
        policy({ stableFor: SECOND }),
      ),
    ).toEqual(VERIFIED))
})

describe('fail after', () => {
  const after = (seconds: number) => policy({ failAfter: seconds * SECOND })
  test.each<[string, readonly Seen[], Partial<Policy>, string | undefined]>([
    [
      'not before it has passed',
      [
        [0, 'a', 'failing'],
        [30, 'a', 'failing'],
      ],
      after(31),
      undefined,
    ],
    [
      'when it has passed',
      [
        [0, 'a', 'failing'],
        [15, 'a', 'failing'],
        [30, 'a', 'failing'],
      ],
      after(30),
      'a',
    ],
    ['0 fails at once', [[0, 'a', 'failing']], after(0), 'a'],
    [
      'a recovery starts the count anew',
      [
        [0, 'a', 'failing'],
        [10, 'a', 'met'],
        [15, 'a', 'failing'],
        [30, 'a', 'failing'],
      ],
      after(20),
      undefined,
    ],
    [
      'pending is not failing',
      [
        [0, 'a', 'pending'],
        [30, 'a', 'pending'],
      ],
      after(0),
      undefined,
    ],
    [
      'one of several is enough',
      [
        [0, 'a', 'met'],
        [0, 'b', 'failing'],
      ],
      after(0),
      'b',
    ],
    [
      'an outage does not count',
      [
        [0, 'a', 'failing'],
        [300, 'a', 'failing'],
      ],
      after(120),
      undefined,
    ],
  ])('%s', (_, seen, rules, key) => {
    if (key === undefined) expect(decision(seen, rules)).toBeUndefined()
    else expect(decision(seen, rules)).toEqual({ kind: 'failed', key: `argocd/${key}` })
  })
  test('never', () => {
    const seen = Array.from({ length: 1000 }, (_, i) => [i * 5, 'a', 'failing'] as const)
    const history = replay(seen, policy({ failAfter: Number.POSITIVE_INFINITY }))
    expect(history.decide(5000 * SECOND)).toBeUndefined()
    expect(history.decide(DAY)).toEqual({ kind: 'timed-out' })
  })
  test('wakes when a look could decide', () =>
    expect(
      replay([[3, 'a', 'failing']], policy({ failAfter: 30 * SECOND, interval: DAY })).wakeAt(3 * SECOND),
    ).toBe(33 * SECOND))
  test('another revision is another release, and its count begins anew', () => {
    const broken = (revision: string) =>
      parsed({ name: 'web', revision }, { metadata: { deletionTimestamp: '2030-01-01T00:00:00Z' } })
    const history = new History(after(30))
    for (const at of [0, 15]) history.look(at * SECOND, 'web', broken(SHA.a))
    for (const at of [20, 30, 40]) history.look(at * SECOND, 'web', broken(SHA.b))
    expect(history.decide(40 * SECOND)).toBeUndefined()
    history.look(50 * SECOND, 'web', broken(SHA.b))
    expect(history.decide(50 * SECOND)?.kind).toBe('failed')
  })
  test('a blip of the repository server, in which the revision is not known, is no other release', () => {
    const gone = { metadata: { deletionTimestamp: '2030-01-01T00:00:00Z' } }
    const broken = parsed({ name: 'web', revision: SHA.b }, gone)
    const blip = parsed({ name: 'web', revision: 'main' }, gone)
    const history = new History(after(30))
    for (const at of [0, 10]) history.look(at * SECOND, 'web', broken)
    history.look(15 * SECOND, 'web', blip)
    for (const at of [20, 30]) history.look(at * SECOND, 'web', broken)
    expect(history.decide(30 * SECOND)?.kind).toBe('failed')
  })
  test('waits a moment for the causes, and no longer', () => {
    const degraded = parsed({ name: 'web', revision: SHA.b }, { status: { health: { status: 'Degraded' } } })
    const history = () => new History(after(30)).look(20 * SECOND, 'web', degraded)
    const known = history().look(50 * SECOND, 'web', degraded)
    expect(known.decide(50 * SECOND)).toBeUndefined()
    expect(known.tree(51 * SECOND, 'web', [node({})]).decide(51 * SECOND)?.kind).toBe('failed')
    const hanging = history().look(50 * SECOND, 'web', degraded)
    expect(hanging.decide(52 * SECOND)).toBeUndefined()
    expect(hanging.decide(53 * SECOND)?.kind).toBe('failed')
  })
  describe('a comparison error', () => {
    const broken = parsed(
      { name: 'web', revision: SHA.b },
      { status: { conditions: [{ type: 'ComparisonError', message: 'connection reset' }] } },
    )
    const failingFor = (seconds: number) => {
      const history = new History(policy({ refresh: 'normal', failAfter: 30 * SECOND }))
      for (let at = 0; at <= seconds; at += 10) history.look(at * SECOND, 'web', broken)
      return history
    }
    test('ends no run before a later refresh has confirmed it', () => {
      const history = failingFor(60)
      expect(history.decide(60 * SECOND)).toBeUndefined()
      expect(history.planned(60 * SECOND, 'refresh')).toHaveLength(1)
      history.refresh(60 * SECOND, 61 * SECOND, 'web', broken)
      // The answer to a refresh comes from a cache.
      expect(history.decide(61 * SECOND)).toBeUndefined()
      expect(history.planned(61 * SECOND, 'look')).toHaveLength(1)
      history.look(61 * SECOND, 'web', broken)
      expect(history.decide(61 * SECOND)?.kind).toBe('failed')
    })
    test('not by a refresh from before it, whatever was failing then', () => {
      const degraded = parsed(
        { name: 'web', revision: SHA.b },
        { status: { health: { status: 'Degraded' } } },
      )
      const history = new History(policy({ refresh: 'normal', failAfter: 30 * SECOND }))
      history
        .look(0, 'web', degraded)
        .tree(0, 'web', [node({})])
        .refresh(5 * SECOND, 6 * SECOND, 'web', degraded)
      for (const at of [15, 25]) history.look(at * SECOND, 'web', degraded)
      history.look(29 * SECOND, 'web', broken).look(31 * SECOND, 'web', broken)
      expect(history.decide(31 * SECOND)).toBeUndefined()
      expect(history.planned(31 * SECOND, 'refresh')).toHaveLength(1)
      history.refresh(31 * SECOND, 32 * SECOND, 'web', broken).look(32 * SECOND, 'web', broken)
      expect(history.decide(32 * SECOND)?.kind).toBe('failed')
    })
    test('nor by one that shows it is gone, though a look from before that says otherwise', () => {
      const history = failingFor(60).refreshStarts(60 * SECOND, 'web')
      history.look(60_300, 'web', broken, 60_100)
      history.refreshEnds(60 * SECOND, 60_400, 'web', found('web', 'pending'))
      expect(history.decide(60_400)).toBeUndefined()
      history.look(60_500, 'web', found('web', 'pending'), 60_400)
      expect(history.decide(60_500)).toBeUndefined()
      const met = failingFor(60).refreshStarts(60 * SECOND, 'web')
      met.look(60_300, 'web', broken, 60_100).refreshEnds(60 * SECOND, 60_400, 'web', found('web', 'met'))
      expect(met.decide(60_400)).toBeUndefined()
      expect(met.planned(60_400, 'look')).toHaveLength(1)
    })
    test('or Argo CD has compared again by itself', () =>
      expect(failingFor(190).decide(190 * SECOND)?.kind).toBe('failed'))
  })
})

describe('the end', () => {
  const failure = new RequestFailure('Unauthorized', 'no', { fatal: true })
  test('at the deadline, not a millisecond before', () => {
    const history = new History(policy({ timeout: 30 * SECOND })).look(0, 'web', found('web', 'pending'))
    expect(history.decide(30 * SECOND - 1)).toBeUndefined()
    expect(history.decide(30 * SECOND)).toEqual({ kind: 'timed-out' })
  })
  test('when asking is of no use', () =>
    expect(new History(policy()).lookFails(0, 'web', failure).decide(0)).toEqual({
      kind: 'refused',
      failure,
    }))
  test('a yes that is there already wins over an interruption', () => {
    const history = replay([[0, 'web', 'met']])
    history.knowledge = { ...history.knowledge, isInterrupted: true }
    expect(history.decide(0)).toEqual(VERIFIED)
    const waiting = replay([[0, 'web', 'pending']])
    waiting.knowledge = { ...waiting.knowledge, isInterrupted: true }
    expect(waiting.decide(0)).toEqual({ kind: 'interrupted' })
  })
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
  test('none where all are met', () =>
    expect(namingCheck(replay([[0, 'web', 'met']]).known().checks, false)).toBeUndefined())
  test('NotStable is the last, and says how long it has held', () => {
    const rules = policy({ stableFor: 20 * SECOND })
    const history = replay(
      [
        [0, 'web', 'met'],
        [12, 'web', 'met'],
      ],
      rules,
    )
    expect(checksOf(history.known(), history.knowledge.policy).at(-1)).toEqual({
      code: 'NotStable',
      state: 'pending',
      message: 'everything has held for 12s of 20s',
    })
  })
})
