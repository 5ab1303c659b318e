/** Laws that hold for any Application and any history of them, by fast-check. */

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { Application } from '../lib/application.ts'
import { applicationSchema } from '../lib/application-schema.ts'
import type { Evidence } from '../lib/evidence.ts'
import { checkApplication } from '../lib/predicates.ts'
import type { Policy } from '../lib/wanted.ts'
import { application, type JsonObject, merge } from './argocd/server.ts'
import { NO_EVIDENCE, node, parsed, REFRESHED, SHA, wanting } from './fixtures.ts'
import { History } from './history.ts'
import { named } from './scene.ts'

/** Reproducible, and the same everywhere. */
const RUNS = { seed: 20_260_101, numRuns: 1000 } as const

const IMAGE = 'ghcr.io/acme/web:1.2.0'
const WANTED = wanting({ revision: SHA.a, images: [IMAGE] })

const isVerified = (json: unknown, evidence: Evidence = NO_EVIDENCE, wanted = WANTED): boolean => {
  const parsed = applicationSchema.safeParse(json)
  return (
    parsed.success && checkApplication(parsed.data, wanted, evidence).every(({ state }) => state === 'met')
  )
}

const verified = (): JsonObject =>
  application({ name: 'web', revision: SHA.a, images: [IMAGE] }) as unknown as JsonObject

/** Problems, each of which alone makes a verified application unverified. */
const PROBLEMS: Readonly<Record<string, JsonObject>> = {
  deleting: { metadata: { deletionTimestamp: '2030-01-01T00:00:00Z' } },
  'operation asked for': { operation: { sync: { revision: SHA.b } } },
  'operation running': { status: { operationState: { phase: 'Running' } } },
  'operation in an unknown phase': { status: { operationState: { phase: 'Napping' } } },
  'operation waiting to retry': { status: { operationState: { phase: 'Running', retryCount: 1 } } },
  'operation retrying another revision': {
    status: {
      operationState: { phase: 'Running', retryCount: 1, finishedAt: null, syncResult: { revision: SHA.b } },
    },
  },
  'local manifests': { status: { operationState: { operation: { sync: { manifests: ['{}'] } } } } },
  'a branch for a revision': { status: { sync: { revision: 'main' } } },
  'a hydrator that has not hydrated': {
    spec: {
      sourceHydrator: {
        drySource: { repoURL: 'a', path: 'a' },
        syncSource: { targetBranch: 'a', path: 'a' },
      },
    },
  },
  'operation failed': { status: { operationState: { phase: 'Failed' } } },
  'refresh asked for': { metadata: { annotations: { 'argocd.argoproj.io/refresh': 'hard' } } },
  'spec changed': { spec: { source: { path: 'elsewhere' } } },
  'destination changed': { spec: { destination: { namespace: 'elsewhere' } } },
  'reconciled too early': { status: { reconciledAt: '1999-01-01T00:00:00Z' } },
  'comparison error': { status: { conditions: [{ type: 'ComparisonError', message: 'x' }] } },
  'unknown condition': { status: { conditions: [{ type: 'Moody', message: 'x' }] } },
  'out of sync': { status: { sync: { status: 'OutOfSync' } } },
  'sync unknown': { status: { sync: { status: 'Whatever' } } },
  'other revision': { status: { sync: { revision: SHA.b } } },
  'other image': { status: { summary: { images: ['ghcr.io/acme/web:1.1.0'] } } },
  'old image beside the new': { status: { summary: { images: [IMAGE, 'ghcr.io/acme/web:1.1.0'] } } },
  progressing: { status: { health: { status: 'Progressing' } } },
  degraded: { status: { health: { status: 'Degraded' } } },
  'health unknown': { status: { health: { status: 'Glorious' } } },
}

/** What a run may have learnt besides: where it speaks of the application at all, it speaks for it. */
const evidence = fc.record<Evidence>({
  refreshed: fc.boolean(),
  hydratorLooked: fc.boolean(),
  controllerLooked: fc.boolean(),
  commits: fc.constantFrom(
    new Map(),
    new Map([[`0:${SHA.b}`, { message: 'x', author: undefined, tags: ['v1'] }]]),
  ),
  renderings: fc.constant(new Map()),
  tree: fc.constantFrom(
    undefined,
    [],
    [node({ kind: 'Pod', info: { 'Status Reason': 'Completed', Containers: '0/1' }, images: ['other:1'] })],
  ),
  hydrations: fc.constantFrom(new Map(), new Map([[SHA.a, SHA.b]])),
})

const problem = fc.constantFrom(...Object.values(PROBLEMS))

/** Any JSON, with keys that an Application has among others. */
const { json: anyJson } = fc.letrec((tie) => ({
  json: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(null, '', 0, false, true, 'Synced', 'Healthy', SHA.a, '2030-01-01T00:00:00Z', [], {}),
    fc.string(),
    fc.double(),
    fc.array(tie('json'), { maxLength: 3 }),
    fc.dictionary(
      fc.oneof(
        fc.constantFrom(
          'status',
          'spec',
          'metadata',
          'sync',
          'health',
          'phase',
          'source',
          'name',
          'operationState',
        ),
        fc.string(),
      ),
      tie('json'),
      { maxKeys: 5 },
    ),
  ),
}))

/** Every path to a value inside. */
function pathsOf(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path]
  return [path, ...Object.entries(value).flatMap(([key, inner]) => pathsOf(inner, [...path, key]))]
}

/** A copy with the value at a path replaced; `undefined` removes it. */
function replaced(value: unknown, [key, ...rest]: readonly string[], by: unknown): unknown {
  if (key === undefined) return by
  if (Array.isArray(value))
    return value.map((inner, i) => (String(i) === key ? (replaced(inner, rest, by) ?? null) : inner))
  const copy = {
    ...(value as Record<string, unknown>),
    [key]: replaced((value as Record<string, unknown>)[key], rest, by),
  }
  if (copy[key] === undefined) delete copy[key]
  return copy
}

/** The same with keys in another order, unknown fields added, and empties written in another way. */
function disguised(value: unknown, random: () => number): unknown {
  if (Array.isArray(value)) return value.map((inner) => disguised(inner, random))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, inner]): [string, unknown] => [
    key,
    disguised(inner, random),
  ])
  const shuffled = entries
    .map((entry) => ({ entry, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ entry }) => entry)
  return Object.fromEntries(shuffled.filter(([, inner]) => inner !== null || random() < 0.5))
}

describe('an application', () => {
  test('is verified before any problem is added', () => expect(isVerified(verified())).toBe(true))

  test.each(Object.entries(PROBLEMS))('%s alone makes it unverified', (_, change) => {
    expect(isVerified(merge(verified(), change))).toBe(false)
  })

  test('adding a problem never turns no into yes', () => {
    fc.assert(
      fc.property(fc.array(problem, { maxLength: 4 }), problem, evidence, (before, added, learnt) => {
        const base = before.reduce((app, change) => merge(app, change), verified())
        return !isVerified(merge(base, added), learnt)
      }),
      RUNS,
    )
  })

  test('order of keys, unknown fields and null versus absent change no check', () => {
    fc.assert(
      fc.property(
        fc.array(problem, { maxLength: 3 }),
        fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
        anyJson,
        (changes, stream, extra) => {
          const base = changes.reduce((app, change) => merge(app, change), verified())
          const random = () => stream.next().value ?? 0.5
          const other = disguised(
            { ...base, zzz: extra, status: { ...(base.status as object), zzz: extra } },
            random,
          )
          const checks = (json: unknown) =>
            checkApplication(applicationSchema.parse(json), WANTED, NO_EVIDENCE)
          expect(checks(other)).toEqual(checks(base))
        },
      ),
      { ...RUNS, numRuns: 300 },
    )
  })

  test('any JSON gives checks or is refused, and never a yes', () => {
    fc.assert(
      fc.property(anyJson, (json) => !isVerified(json)),
      RUNS,
    )
  })

  test('anything in place of anything never crashes', () => {
    const base = verified()
    fc.assert(
      fc.property(fc.constantFrom(...pathsOf(base)), anyJson, fc.boolean(), (path, json, refreshed) => {
        isVerified(replaced(base, path, json), refreshed ? REFRESHED : NO_EVIDENCE)
      }),
      RUNS,
    )
  })

  const DECISIVE = [
    ['status', 'sync', 'status'],
    ['status', 'sync', 'revision'],
    ['status', 'sync', 'comparedTo'],
    ['status', 'sync', 'comparedTo', 'source'],
    ['status', 'sync', 'comparedTo', 'destination'],
    ['status', 'sync'],
    ['status', 'health'],
    ['status', 'health', 'status'],
    ['status', 'reconciledAt'],
    ['status', 'operationState', 'phase'],
    ['status', 'operationState', 'finishedAt'],
    ['status', 'summary'],
    ['status', 'summary', 'images'],
    ['status'],
    ['spec', 'source'],
    ['spec'],
    ['metadata'],
  ] as const
  test('what a yes rests on is never missing, null or of another type', () => {
    const other = fc.oneof(fc.constantFrom(undefined, null, '', 0, false, true, [], {}), anyJson)
    fc.assert(
      fc.property(fc.constantFrom(...DECISIVE), other, (path, json) => {
        // The same value, or a later moment for `reconciledAt`, would be as good.
        fc.pre(typeof json !== 'string' || !/^20|^Synced$|^Healthy$|^Succeeded$|^(a1)+$/.test(json))
        return !isVerified(replaced(verified(), path, json))
      }),
      RUNS,
    )
  })

  test('a value of an enumeration that nobody knows never makes a yes', () => {
    const known = new Set(['Synced', 'Healthy', 'Succeeded'])
    const enumerations = [
      ['status', 'sync', 'status'],
      ['status', 'health', 'status'],
      ['status', 'operationState', 'phase'],
    ] as const
    fc.assert(
      fc.property(fc.constantFrom(...enumerations), fc.string(), (path, word) => {
        fc.pre(!known.has(word))
        return !isVerified(replaced(verified(), path, word))
      }),
      RUNS,
    )
  })
})

/** How an application is found; what fails here needs no diagnosis, so nothing but time decides. */
const STATES = {
  met: {},
  pending: { status: { health: { status: 'Progressing' } } },
  failing: { metadata: { deletionTimestamp: '2030-01-01T00:00:00Z' } },
} as const
type State = keyof typeof STATES
const APPS = ['a', 'b', 'c'] as const
const FOUND = Object.fromEntries(
  [...APPS, 'd'].map((name) => [
    name,
    {
      met: parsed({ name, revision: SHA.b }, STATES.met),
      pending: parsed({ name, revision: SHA.b }, STATES.pending),
      failing: parsed({ name, revision: SHA.b }, STATES.failing),
    },
  ]),
)

/**
 * Something that is learnt: milliseconds after what was learnt before, of which application, in which state, by a
 * stream or by a request that took so long.
 */
interface Learnt {
  readonly after: number
  readonly app: string
  readonly state: State
  readonly via: 'look' | 'stream'
  readonly took: number
}
const state = fc.oneof(
  { weight: 8, arbitrary: fc.constant<State>('met') },
  { weight: 1, arbitrary: fc.constant<State>('pending') },
  { weight: 2, arbitrary: fc.constant<State>('failing') },
)
const learnt: fc.Arbitrary<Learnt> = fc.record({
  after: fc.integer({ min: 0, max: 15_000 }),
  app: fc.constantFrom(...APPS),
  state,
  via: fc.oneof(
    { weight: 3, arbitrary: fc.constant('look' as const) },
    { weight: 1, arbitrary: fc.constant('stream' as const) },
  ),
  took: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 8000 })),
})
const policy = fc.record({
  timeout: fc.constant(3_600_000),
  interval: fc.constantFrom(1000, 5000, 30_000),
  stableFor: fc.constantFrom(0, 1000, 10_000, 60_000),
  failAfter: fc.constantFrom(0, 1000, 30_000, Number.POSITIVE_INFINITY),
})
type Rules = Partial<Policy> & Pick<Policy, 'stableFor' | 'failAfter'>

interface Seen extends Learnt {
  readonly now: number
  readonly sentAt: number
  readonly kind: string | undefined
}

/** What is decided after each thing that is learnt, of the first so many applications. */
function replay(all: readonly Learnt[], rules: Rules, names: readonly string[] = APPS) {
  const history = new History(rules, named(...names)).stream(0)
  let now = 0
  const seen: Seen[] = []
  for (const one of all) {
    if (!names.includes(one.app)) continue
    now += one.after
    const sentAt = one.via === 'look' ? Math.max(now - one.took, 0) : now
    const found = FOUND[one.app]?.[one.state]
    if (one.via === 'look') history.look(now, one.app, found, sentAt)
    else if (found !== undefined) history.tells(now, found)
    seen.push({ ...one, now, sentAt, kind: history.decide(now)?.kind })
  }
  return { seen, history, now }
}

const count = fc.integer({ min: 1, max: 3 }).map((n) => APPS.slice(0, n))
const histories = fc.array(learnt, { maxLength: 40 })

/** When the last unbroken time began, by the order in which things were learnt; `undefined`: it is not met now. */
function heldSince(own: readonly Seen[], held: State): number | undefined {
  const last = own.findLastIndex(({ state }) => state !== held)
  return own[last + 1]?.now
}

describe('a history', () => {
  test('no yes before stable-for has passed unbroken for every application, at the same time', () => {
    let yes = 0
    fc.assert(
      fc.property(histories, policy, count, (all, rules, names) => {
        const { seen } = replay(all, rules, names)
        for (const [i, { kind, now }] of seen.entries()) {
          if (kind !== 'verified') continue
          yes++
          const held = names.map((name) => heldSince(seen.slice(0, i + 1).filter(by(name)), 'met'))
          expect(held).not.toContain(undefined)
          expect(now).toBeGreaterThanOrEqual(Math.max(...held.map(Number)) + rules.stableFor)
        }
      }),
      RUNS,
    )
    expect(yes).toBeGreaterThan(100)
  })

  test('no yes without a request for each that was sent when everything had become met, and held', () => {
    let yes = 0
    fc.assert(
      fc.property(histories, policy, count, (all, rules, names) => {
        const { seen } = replay(all, rules, names)
        for (const [i, { kind }] of seen.entries()) {
          if (kind !== 'verified') continue
          yes++
          const until = seen.slice(0, i + 1)
          const since = Math.max(...names.map((name) => Number(heldSince(until.filter(by(name)), 'met'))))
          for (const name of names) {
            const looks = until.filter(by(name)).filter(({ via, state }) => via === 'look' && state === 'met')
            // Of the only one, the very answer that shows it as wanted will do.
            const isOnly = names.length === 1 && rules.stableFor === 0
            expect(
              looks.some(({ sentAt, now }) => sentAt >= since + rules.stableFor || (isOnly && now >= since)),
            ).toBe(true)
          }
        }
      }),
      RUNS,
    )
    expect(yes).toBeGreaterThan(100)
  })

  test('what streams tell is never a yes by itself', () => {
    fc.assert(
      fc.property(histories, policy, count, (all, rules, names) => {
        const told = all.map((one) => ({ ...one, via: 'stream' as const }))
        return replay(told, rules, names).seen.every(({ kind }) => kind !== 'verified')
      }),
      RUNS,
    )
  })

  test('no early end before fail-after has passed unbroken for some application', () => {
    let no = 0
    fc.assert(
      fc.property(histories, policy, count, (all, rules, names) => {
        const { seen } = replay(all, rules, names)
        for (const [i, { kind, now }] of seen.entries()) {
          if (kind !== 'failed') continue
          no++
          const failing = names.map((name) => {
            const own = seen.slice(0, i + 1).filter(by(name))
            // An answer that something newer has overtaken excuses nothing.
            return heldSince(
              own.filter(
                (one, j) => one.state === 'failing' || !own.slice(0, j).some(({ now }) => now > one.sentAt),
              ),
              'failing',
            )
          })
          expect(failing.some((since) => since !== undefined && now >= since + rules.failAfter)).toBe(true)
        }
      }),
      RUNS,
    )
    expect(no).toBeGreaterThan(100)
  })

  test('what is known at the end is what was learnt last of each, where nothing overtook it', () => {
    fc.assert(
      fc.property(histories, policy, (all, rules) => {
        const { history } = replay(
          all.map((one) => ({ ...one, took: 0 })),
          rules,
        )
        for (const name of APPS) {
          const last = all.findLast(by(name))
          if (last === undefined) continue
          const { checks } = history.known(name)
          const isMet = checks.length > 0 && checks.every((check) => check.state === 'met')
          expect(isMet).toBe(last.state === 'met')
          expect(checks.some((check) => check.state === 'failing')).toBe(last.state === 'failing')
        }
      }),
      RUNS,
    )
  })

  test('what a stream says again in the same words counts as what is read anew', () => {
    let again = 0
    const more = fc.record({
      pause: fc.integer({ min: 0, max: 120_000 }),
      isTold: fc.boolean(),
      isOpened: fc.boolean(),
      isRefreshing: fc.boolean(),
    })
    fc.assert(
      fc.property(histories, policy, more, (all, rules, { pause, isTold, isOpened, isRefreshing }) => {
        const after = (read: (told: Application) => Application) => {
          const { history, now } = replay(
            isTold ? all.map((one) => ({ ...one, via: 'stream' as const })) : all,
            rules,
          )
          const [first = ''] = APPS
          if (isRefreshing) history.refreshStarts(now, first)
          if (isOpened) history.stream(now + pause)
          for (const name of APPS) {
            const known = history.known(name)
            if (known.told === undefined) continue
            if (known.met !== undefined && known.whole === undefined) again++
            history.tells(now + pause, read(known.told))
          }
          return history
        }
        const [same, anew] = [after((told) => told), after((told) => structuredClone(told))]
        expect(same.knowledge).toEqual(anew.knowledge)
      }),
      RUNS,
    )
    expect(again).toBeGreaterThan(100)
  })

  test('the order in which applications are learnt of in one moment changes nothing', () => {
    const moment = fc.uniqueArray(learnt, { selector: ({ app }) => app })
    fc.assert(
      fc.property(fc.array(moment, { maxLength: 10 }), policy, (moments, rules) => {
        const flat = (order: (some: readonly Learnt[]) => readonly Learnt[]) =>
          moments.flatMap((some) => order(some).map((one, i) => ({ ...one, after: i === 0 ? 5000 : 0 })))
        const forward = replay(
          flat((some) => some),
          rules,
        )
        const backward = replay(
          flat((some) => some.toReversed()),
          rules,
        )
        expect(backward.history.decide(backward.now)).toEqual(forward.history.decide(forward.now))
        expect(backward.history.planned(backward.now).toSorted()).toEqual(
          forward.history.planned(forward.now).toSorted(),
        )
      }),
      RUNS,
    )
  })

  test('adding an application that is not met never turns a wait into a yes', () => {
    fc.assert(
      fc.property(
        histories,
        policy,
        fc.constantFrom<State>('pending', 'failing'),
        fc.constantFrom<Learnt['via']>('look', 'stream'),
        (all, rules, state, via) => {
          const added = { after: 0, app: 'd', state, via, took: 0 } as const
          const { seen } = replay([added, ...all], rules, [...APPS, 'd'])
          return seen.every(({ kind }) => kind !== 'verified')
        },
      ),
      RUNS,
    )
  })
})

function by(name: string): (one: Learnt) => boolean {
  return ({ app }) => app === name
}

test('an application of 10,000 resources is judged', () => {
  const huge: Application = applicationSchema.parse(
    application({ revision: SHA.a, resources: 10_000, images: [IMAGE] }),
  )
  expect(checkApplication(huge, WANTED, NO_EVIDENCE).every(({ state }) => state === 'met')).toBe(true)
})
