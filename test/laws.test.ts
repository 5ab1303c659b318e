/** Laws that hold for any Application and any history of them, by fast-check. */

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { type Application, applicationSchema } from '../lib/application.ts'
import type { CheckState } from '../lib/check.ts'
import type { Evidence } from '../lib/evidence.ts'
import { checkApplication } from '../lib/predicates.ts'
import { decide, INITIAL, reduce, type TimePolicy } from '../lib/verdict.ts'
import { application, type JsonObject, merge } from './argocd/server.ts'
import { NO_EVIDENCE, node, REFRESHED, SHA, wanting } from './fixtures.ts'

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

/** What was seen of some applications, in time: seconds since the last look, which one, and what. */
const STATES: readonly CheckState[] = ['met', 'pending', 'failing']
const look = fc.record({
  after: fc.integer({ min: 1, max: 15 }),
  app: fc.constantFrom('a', 'b', 'c'),
  state: fc.constantFrom(...STATES),
})
const policy = fc.record({
  interval: fc.constantFrom(1000, 5000, 30_000),
  stableFor: fc.constantFrom(0, 1000, 10_000, 60_000),
  failAfter: fc.constantFrom(0, 1000, 30_000, Number.POSITIVE_INFINITY),
})

type Look = { after: number; app: string; state: CheckState }

function replay(looks: readonly Look[], rules: TimePolicy) {
  let now = 0
  let state = INITIAL
  const seen: { now: number; app: string; state: CheckState; kind: string }[] = []
  for (const { after, app, state: found } of looks) {
    now += after * 1000
    state = reduce(
      state,
      { type: 'observed', checks: [[app, [{ code: 'NotHealthy', state: found, message: '' }]]] },
      now,
      rules,
    )
    seen.push({ now, app, state: found, kind: decide(state, rules).kind })
  }
  return { seen, state }
}

describe('a history', () => {
  test('no yes before stable-for has passed unbroken for every application', () => {
    fc.assert(
      fc.property(fc.array(look, { maxLength: 40 }), policy, (looks, rules) => {
        const { seen } = replay(looks, rules)
        for (const [i, { now, kind }] of seen.entries()) {
          if (kind !== 'verified') continue
          for (const app of new Set(seen.slice(0, i + 1).map((one) => one.app))) {
            const own = seen.slice(0, i + 1).filter((one) => one.app === app)
            // The last look of each was met, and so was every look since stable-for before its last.
            const last = own.at(-1)
            expect(last?.state).toBe('met')
            const since = (last?.now ?? 0) - rules.stableFor
            const broken = own.filter((one) => one.state !== 'met' && one.now >= since)
            expect(broken).toEqual([])
            expect(own.some((one) => one.now <= since && one.state === 'met')).toBe(true)
          }
          expect(now).toBeGreaterThanOrEqual(rules.stableFor)
        }
      }),
      RUNS,
    )
  })

  test('no early end before fail-after has passed unbroken for some application', () => {
    fc.assert(
      fc.property(fc.array(look, { maxLength: 40 }), policy, (looks, rules) => {
        const { seen } = replay(looks, rules)
        for (const [i, { kind }] of seen.entries()) {
          if (kind !== 'failed') continue
          const culprit = [...new Set(seen.slice(0, i + 1).map((one) => one.app))].some((app) => {
            const own = seen.slice(0, i + 1).filter((one) => one.app === app)
            const last = own.at(-1)
            const since = (last?.now ?? 0) - rules.failAfter
            return (
              last?.state === 'failing' &&
              own.every((one) => one.now < since || one.state === 'failing') &&
              own.some((one) => one.now <= since)
            )
          })
          expect(culprit).toBe(true)
        }
      }),
      RUNS,
    )
  })

  test('what is known at the end is the last observation of each', () => {
    fc.assert(
      fc.property(fc.array(look, { maxLength: 40 }), policy, (looks, rules) => {
        const { state } = replay(looks, rules)
        for (const [app, { checks }] of state)
          expect(checks[0]?.state).toBe(looks.findLast((one) => one.app === app)?.state as CheckState)
      }),
      RUNS,
    )
  })

  test('the order in which applications are looked at in one moment changes nothing', () => {
    const moment = fc.uniqueArray(
      fc.record({ app: fc.constantFrom('a', 'b', 'c'), state: fc.constantFrom(...STATES) }),
      { selector: ({ app }) => app },
    )
    fc.assert(
      fc.property(fc.array(moment, { maxLength: 10 }), policy, (moments, rules) => {
        const flat = (
          order: (
            looks: readonly { app: string; state: CheckState }[],
          ) => readonly { app: string; state: CheckState }[],
        ) => moments.flatMap((looks) => order(looks).map((one, i) => ({ ...one, after: i === 0 ? 5 : 0 })))
        const forward = replay(
          flat((looks) => looks),
          rules,
        )
        const backward = replay(
          flat((looks) => looks.toReversed()),
          rules,
        )
        expect(decide(backward.state, rules)).toEqual(decide(forward.state, rules))
      }),
      RUNS,
    )
  })

  test('adding an application that is not met never turns a wait into a yes', () => {
    fc.assert(
      fc.property(
        fc.array(look, { maxLength: 20 }),
        policy,
        fc.constantFrom<CheckState>('pending', 'failing'),
        (looks, rules, state) => {
          const { seen } = replay([...looks, { after: 0, app: 'd', state }], rules)
          return seen.at(-1)?.kind !== 'verified'
        },
      ),
      RUNS,
    )
  })
})

test('an application of 10,000 resources is judged', () => {
  const huge: Application = applicationSchema.parse(
    application({ revision: SHA.a, resources: 10_000, images: [IMAGE] }),
  )
  expect(checkApplication(huge, WANTED, NO_EVIDENCE).every(({ state }) => state === 'met')).toBe(true)
})
