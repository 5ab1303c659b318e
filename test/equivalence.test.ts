/** The policy `equivalent`: what is compared by what it renders, and what the answers mean. */

import { describe, expect, test } from 'bun:test'
import type { Application } from '../lib/application.ts'
import type { Evidence, Problem, Rendering } from '../lib/evidence.ts'
import { comparisonsNeeded } from '../lib/revision-needs.ts'
import { checkOf, knowing, NO_EVIDENCE, parsed, REFRESHED, SHA, wanting } from './fixtures.ts'

const want = (revision: string) => wanting({ revision, revisionPolicy: 'equivalent' })
const needed = (app: Application, revision: string, evidence: Evidence = NO_EVIDENCE) =>
  comparisonsNeeded(app, want(revision), evidence)
const shown = (app: Application, revision: string) =>
  needed(app, revision).map(({ wanted, observed, several }) => ({ wanted, observed, several }))
/** What is known when every comparison that is needed has come to this. */
const answered = (app: Application, revision: string, ...results: readonly (Rendering | Problem)[]) =>
  knowing({
    renderings: new Map(needed(app, revision).map(({ key }, i) => [key, results[i] ?? { problem: 'none' }])),
  })
const check = (app: Application, revision: string, evidence: Evidence = NO_EVIDENCE) =>
  checkOf('RevisionMismatch', app, want(revision), evidence)
const after = (app: Application, revision: string, ...results: readonly (Rendering | Problem)[]) =>
  check(app, revision, answered(app, revision, ...results))

const SAME = { kind: 'same' } as const
const DIFFERENT = { kind: 'different', message: '1 of them (Deployment web)' } as const
const UNKNOWN = { kind: 'unknown', message: 'a Secret' } as const

describe('one source', () => {
  const app = parsed()
  test('the wanted commit against the observed one', () =>
    expect(shown(app, SHA.b)).toEqual([{ wanted: [SHA.b], observed: [SHA.a], several: false }]))
  test('a short SHA', () => expect(shown(app, 'b2b2b2b2')).toHaveLength(1))
  test.each([
    ['the observed commit', SHA.a],
    ['its short SHA', SHA.a.slice(0, 8)],
    ['what is tracked', 'main'],
    ['a tag, which can move', 'v1.2.3'],
    ['too few digits', 'b2b2b2'],
  ])('%s is not compared', (_, revision) => expect(shown(app, revision)).toEqual([]))
  test('nor anything under another policy', () => {
    for (const revisionPolicy of ['exact', 'at-least'] as const)
      expect(comparisonsNeeded(app, wanting({ revision: SHA.b, revisionPolicy }), NO_EVIDENCE)).toEqual([])
  })
  test('nor where no revision is asked for', () =>
    expect(comparisonsNeeded(app, wanting({ revisionPolicy: 'equivalent' }), NO_EVIDENCE)).toEqual([]))
  test('nor where the observed one is not known yet', () =>
    expect(shown(parsed({ revision: 'main' }), SHA.b)).toEqual([]))
  test('a chart by its exact version', () => {
    const chart = parsed({ chart: 'web', revision: '1.4.2', targetRevision: '1.*' })
    expect(shown(chart, '1.4.3')).toEqual([{ wanted: ['1.4.3'], observed: ['1.4.2'], several: false }])
    expect(shown(chart, '1.4')).toEqual([])
    expect(shown(chart, SHA.a)).toEqual([])
  })

  test('the key is another one where the spec is', () => {
    const other = parsed({}, { spec: { source: { helm: { valueFiles: ['prod.yaml'] } } } })
    const elsewhere = parsed({}, { spec: { destination: { namespace: 'other' } } })
    const keys = [app, other, elsewhere].map((one) => needed(one, SHA.b)[0]?.key)
    expect(new Set(keys).size).toBe(3)
    expect(check(other, SHA.b, answered(app, SHA.b, SAME)).state).toBe('pending')
  })

  test.each([
    ['the same', SAME, 'met', 'renders the same manifests'],
    ['different', DIFFERENT, 'pending', 'Deployment web'],
    ['unknown', UNKNOWN, 'pending', 'a Secret'],
    ['a problem', { problem: 'HTTP 500' }, 'pending', 'HTTP 500'],
  ] as const)('%s', (_, result, state, says) => {
    const found = after(app, SHA.b, result)
    expect(found.state).toBe(state)
    expect(found.message).toContain(says)
  })
  test('not asked yet', () => {
    expect(check(app, SHA.b).state).toBe('pending')
    expect(check(app, SHA.b).message).toContain('not known yet')
  })
  test('the comparison of other revisions says nothing', () => {
    const evidence = answered(app, SHA.b, SAME)
    expect(check(app, SHA.c, evidence).state).toBe('pending')
    expect(check(parsed({ revision: SHA.d }), SHA.b, evidence).state).toBe('pending')
  })
  test('an answer counts for no other policy', () => {
    const evidence = answered(app, SHA.b, SAME)
    expect(checkOf('RevisionMismatch', app, wanting({ revision: SHA.b }), evidence).state).toBe('pending')
  })
  test('it stays needed once it is answered: what is planned is not undone by its own answer', () =>
    expect(needed(app, SHA.b, answered(app, SHA.b, SAME))).toHaveLength(1))
  test('what cannot be compared is said', () => expect(check(app, 'v1').message).toContain('by their SHA'))
})

describe('a hydrated application renders its dry source', () => {
  const app = parsed({ revision: SHA.b, drySHA: SHA.a })
  test('the wanted dry commit against the one whose hydration is observed', () => {
    expect(shown(app, SHA.c)).toEqual([{ wanted: [SHA.c], observed: [SHA.a], several: false }])
    expect(after(app, SHA.c, SAME).state).toBe('met')
  })
  test('not where the observed revision is not the last that was hydrated', () => {
    const behind = parsed(
      { revision: SHA.b, drySHA: SHA.a },
      { status: { sourceHydrator: { lastSuccessfulOperation: { hydratedSHA: SHA.d } } } },
    )
    expect(shown(behind, SHA.c)).toEqual([])
  })
  test('not on a server that would render the synced source instead', () => {
    const old = parsed(
      { revision: SHA.b, drySHA: SHA.a },
      { status: { sourceHydrator: { lastComparedDryRevision: null } } },
    )
    expect(shown(old, SHA.c)).toEqual([])
    expect(check(old, SHA.c).message).toContain('3.5')
  })
  test('the branch of the dry source is judged by where it points', () => {
    expect(shown(app, 'main')).toEqual([])
    expect(check(app, 'main', REFRESHED).state).toBe('met')
  })
})

describe('several sources', () => {
  const app = parsed({
    sources: [
      { repoURL: 'https://charts', chart: 'web', targetRevision: '1.*', revision: '1.4.2', name: 'chart' },
      { repoURL: 'https://g/values', targetRevision: 'main', revision: SHA.a, ref: 'values' },
      { repoURL: 'https://g/values.git', targetRevision: 'main', revision: SHA.a, path: 'extra' },
      { repoURL: 'https://g/other', targetRevision: 'main', revision: SHA.d },
    ],
  })
  const OBSERVED = ['1.4.2', SHA.a, SHA.a, SHA.d]
  test('a plain commit takes the place of each repository in turn, all positions given', () =>
    expect(shown(app, SHA.b)).toEqual([
      { wanted: ['1.4.2', SHA.b, SHA.b, SHA.d], observed: OBSERVED, several: true },
      { wanted: ['1.4.2', SHA.a, SHA.a, SHA.b], observed: OBSERVED, several: true },
    ]))
  test('one that is the same is enough, as with the other rules', () => {
    expect(after(app, SHA.b, DIFFERENT, SAME).state).toBe('met')
    expect(after(app, SHA.b, DIFFERENT, { problem: 'no such commit' }).state).toBe('pending')
  })
  test('named ones take their own places, and those that match stay', () => {
    expect(shown(app, `https://g/values=${SHA.b},chart=1.4.2`)).toEqual([
      { wanted: ['1.4.2', SHA.b, SHA.b, SHA.d], observed: OBSERVED, several: true },
    ])
    expect(shown(app, `https://g/values=${SHA.b},chart=1.4.3`)).toEqual([
      { wanted: ['1.4.3', SHA.b, SHA.b, SHA.d], observed: OBSERVED, several: true },
    ])
    expect(after(app, `https://g/values=${SHA.b},chart=1.4.3`, SAME).state).toBe('met')
  })
  test('not where one of them cannot be compared, or fits no source', () => {
    expect(shown(app, `https://g/values=${SHA.b},chart=1.5`)).toEqual([])
    expect(shown(app, `https://g/values=${SHA.b},nope=1`)).toEqual([])
    expect(check(app, `https://g/values=${SHA.b},nope=1`).state).toBe('failing')
  })
  test('one source in the list of sources is asked for by its position', () =>
    expect(shown(parsed({ sources: [{ repoURL: 'a', revision: SHA.a }] }), SHA.b)).toEqual([
      { wanted: [SHA.b], observed: [SHA.a], several: true },
    ]))
})

describe('the annotations of the monorepo controller', () => {
  const noted = (notes: Record<string, string>, sources = false) =>
    parsed({
      annotations: Object.fromEntries(
        Object.entries(notes).map(([name, value]) => [`mrp-controller.argoproj.io/${name}`, value]),
      ),
      ...(sources
        ? {
            sources: [
              { repoURL: 'a', revision: SHA.d },
              { repoURL: 'b', revision: SHA.a },
            ],
          }
        : {}),
    })
  const app = noted({ 'git-revision': SHA.a, 'change-revision': SHA.b })
  test('count where Secrets keep the manifests from being compared', () => {
    expect(after(app, SHA.b, UNKNOWN).state).toBe('met')
    expect(after(app, SHA.b.slice(0, 8), UNKNOWN).state).toBe('met')
  })
  test('never count against the manifests, nor instead of asking', () => {
    expect(after(app, SHA.b, DIFFERENT).state).toBe('pending')
    expect(after(app, SHA.b, { problem: 'HTTP 500' }).state).toBe('pending')
    expect(check(app, SHA.b).state).toBe('pending')
  })
  test.each([
    ['of an older observed revision', { 'git-revision': SHA.c, 'change-revision': SHA.b }],
    ['of another change', { 'git-revision': SHA.a, 'change-revision': SHA.c }],
    ['without the observed revision', { 'change-revision': SHA.b }],
    ['that are no SHA', { 'git-revision': SHA.a, 'change-revision': 'b2b2b2b2' }],
    ['that are no list', { 'git-revisions': '{', 'change-revisions': '[1]' }],
  ])('%s say nothing', (_, notes: Record<string, string>) =>
    expect(after(noted(notes), SHA.b, UNKNOWN).state).toBe('pending'),
  )
  test('lists are in the order of the sources', () => {
    const lists = (change: string[]) =>
      noted(
        { 'git-revisions': JSON.stringify([SHA.d, SHA.a]), 'change-revisions': JSON.stringify(change) },
        true,
      )
    expect(after(lists(['', SHA.b]), `b=${SHA.b}`, UNKNOWN).state).toBe('met')
    expect(after(lists([SHA.b, '']), `b=${SHA.b}`, UNKNOWN).state).toBe('pending')
  })
  test('a mismatch under another policy says what they say', () =>
    expect(checkOf('RevisionMismatch', app, wanting({ revision: SHA.b })).message).toContain('equivalent'))
})

describe('a mismatch under exact that equivalent could answer says so', () => {
  const message = (app: Application) => checkOf('RevisionMismatch', app, wanting({ revision: SHA.b })).message
  const deployed = (...revisions: string[]) =>
    parsed({}, { status: { history: revisions.map((revision, id) => ({ id, revision })) } })
  test('where the revision has moved on without a sync since', () =>
    expect(message(deployed(SHA.b))).toContain('KPCEA_REVISION_POLICY=equivalent'))
  test('not where another deployment replaced it: at-least could answer', () => {
    expect(message(deployed(SHA.b, SHA.a))).toContain('at-least')
    expect(message(deployed(SHA.b, SHA.a))).not.toContain('equivalent')
  })
  test('neither where it was rolled back', () => {
    expect(message(deployed(SHA.a, SHA.b, SHA.a))).not.toContain('KPCEA_REVISION_POLICY')
  })
  test('nor where nothing is known of it', () =>
    expect(message(deployed(SHA.c, SHA.a))).toBe(`revision is ${SHA.a}, not ${SHA.b}`))
})
