/** The rules by which an observed revision is the wanted one. */

import { describe, expect, test } from 'bun:test'
import type { Application } from '../lib/application.ts'
import { commitKey } from '../lib/commits.ts'
import type { Evidence } from '../lib/evidence.ts'
import { parseWantedRevision, sameRevision } from '../lib/revision.ts'
import { commitsNeeded, refreshDecides } from '../lib/revision-needs.ts'
import type { JsonObject } from './argocd/server.ts'
import { checkOf, NO_EVIDENCE, parsed, REFRESHED, SHA, wanting } from './fixtures.ts'

const stateOf = (
  app: Application,
  revision: string,
  evidence: Evidence = NO_EVIDENCE,
  policy: 'exact' | 'at-least' = 'exact',
) => checkOf('RevisionMismatch', app, wanting({ revision, revisionPolicy: policy }), evidence).state
const messageOf = (app: Application, revision: string) =>
  checkOf('RevisionMismatch', app, wanting({ revision })).message

describe('rules 1 and 2: by name', () => {
  const LONG = 'f'.repeat(64)
  test.each([
    [SHA.a, SHA.a, true],
    [SHA.a.toUpperCase(), SHA.a, true],
    [SHA.a, SHA.a.toUpperCase(), true],
    [SHA.b, SHA.a, false],
    [SHA.a.slice(0, 7), SHA.a, true],
    [SHA.a.slice(0, 7).toUpperCase(), SHA.a, true],
    [SHA.a.slice(0, 6), SHA.a, false],
    [SHA.a.slice(0, 39), SHA.a, true],
    [`${SHA.a}a1`, SHA.a, false],
    [LONG.slice(0, 40), LONG, true],
    ['1.2.3', '1.2.3', true],
    ['1.2', '1.2.3', false],
    ['1234567', '12345678', false],
    ['V1', 'v1', false],
    ['', '', false],
    ['', SHA.a, false],
    [SHA.a, '', false],
  ])('wanted %p, observed %p: %p', (wanted, observed, same) =>
    expect(sameRevision(wanted, observed)).toBe(same),
  )

  test('the sentence says what was expected and what was found', () => {
    expect(messageOf(parsed(), SHA.b)).toBe(`revision is ${SHA.a}, not ${SHA.b}`)
  })
  test('no revision known yet', () => {
    const app = parsed({}, { status: { sync: { revision: null } } })
    expect(stateOf(app, SHA.a)).toBe('pending')
  })
})

describe('rule 3: what the source tracks, after a refresh of this run', () => {
  const app = parsed({ targetRevision: 'release-1' })
  test('before the refresh', () => expect(stateOf(app, 'release-1')).toBe('pending'))
  test('after the refresh', () => expect(stateOf(app, 'release-1', REFRESHED)).toBe('met'))
  test('another branch', () => expect(stateOf(app, 'main', REFRESHED)).toBe('pending'))
  test('no target revision means HEAD', () =>
    expect(stateOf(parsed({}, { spec: { source: { targetRevision: null } } }), 'HEAD', REFRESHED)).toBe(
      'met',
    ))
  test('a version range of a chart', () =>
    expect(
      stateOf(
        parsed({ chart: 'web', revision: '1.4.2', targetRevision: '>=1.4, <2' }),
        '>=1.4, <2',
        REFRESHED,
      ),
    ).toBe('met'))
  test('a refresh decides for what is tracked, and for nothing else', () => {
    expect(refreshDecides(app, wanting({ revision: 'release-1' }))).toBe(true)
    expect(refreshDecides(app, wanting({ revision: SHA.a }))).toBe(false)
    expect(refreshDecides(app, wanting({}))).toBe(false)
  })
})

describe('rule 4: tags of the commit', () => {
  const commits = (tags: string[]): Evidence => ({
    ...NO_EVIDENCE,
    commits: new Map([[commitKey(0, SHA.a), { message: 'm', author: undefined, tags }]]),
  })
  test('a tag of the observed commit', () =>
    expect(stateOf(parsed(), 'v1.2.3', commits(['latest', 'v1.2.3']))).toBe('met'))
  test('another tag', () => expect(stateOf(parsed(), 'v1.2.3', commits(['v1.2.4']))).toBe('pending'))
  test('the commit of another revision', () =>
    expect(stateOf(parsed({ revision: SHA.b }), 'v1.2.3', commits(['v1.2.3']))).toBe('pending'))
  test('a commit that cannot be had', () => {
    const evidence: Evidence = {
      ...NO_EVIDENCE,
      commits: new Map([[commitKey(0, SHA.a), { problem: 'gone' }]]),
    }
    expect(stateOf(parsed(), 'v1.2.3', evidence)).toBe('pending')
  })
})

describe('rule 5: hydrated sources', () => {
  const app = (sourceHydrator: JsonObject = {}) =>
    parsed({ revision: SHA.b, drySHA: SHA.a }, { status: { sourceHydrator } })
  const skipped = { lastComparedDryRevision: SHA.c, currentOperation: { phase: 'Hydrated' } }
  test('the dry commit of the last hydration', () => expect(stateOf(app(), SHA.a)).toBe('met'))
  test('its short SHA', () => expect(stateOf(app(), SHA.a.slice(0, 8))).toBe('met'))
  test('the hydrated commit itself', () => expect(stateOf(app(), SHA.b)).toBe('met'))
  test('a dry commit whose hydration is not the observed one', () =>
    expect(stateOf(app({ lastSuccessfulOperation: { drySHA: SHA.a, hydratedSHA: SHA.d } }), SHA.a)).toBe(
      'pending',
    ))
  test('a later dry commit that needed no hydration, after a refresh', () =>
    expect(stateOf(app(skipped), SHA.c, REFRESHED)).toBe('met'))
  test('the same before a refresh: a hydration may just be queued', () =>
    expect(stateOf(app(skipped), SHA.c)).toBe('pending'))
  test('a later dry commit that is being hydrated', () =>
    expect(stateOf(app({ ...skipped, currentOperation: { phase: 'Hydrating' } }), SHA.c, REFRESHED)).toBe(
      'pending',
    ))
  test('a later dry commit that is hydrated, while the older one is synced', () => {
    const ahead = app({ ...skipped, lastSuccessfulOperation: { drySHA: SHA.c, hydratedSHA: SHA.d } })
    expect(stateOf(ahead, SHA.c, REFRESHED)).toBe('pending')
  })
})

describe('several sources', () => {
  const app = parsed({
    sources: [
      {
        repoURL: 'https://charts.example.com',
        chart: 'web',
        targetRevision: '1.*',
        revision: '1.4.2',
        name: 'chart',
      },
      {
        repoURL: 'https://git.example.com/values.git',
        targetRevision: 'main',
        revision: SHA.b,
        ref: 'values',
      },
    ],
  })
  test.each([
    [SHA.b, 'met'],
    ['1.4.2', 'met'],
    [SHA.a, 'pending'],
    ['chart=1.4.2', 'met'],
    ['https://charts.example.com=1.4.2', 'met'],
    ['https://charts.example.com#web=1.4.2', 'met'],
    [`chart=1.4.2,https://git.example.com/values.git=${SHA.b.slice(0, 8)}`, 'met'],
    [`chart=1.4.3,https://git.example.com/values.git=${SHA.b}`, 'pending'],
    [`chart=1.4.2,https://git.example.com/values.git=${SHA.a}`, 'pending'],
    [`chart=${SHA.b}`, 'pending'],
    ['nope=1.4.2', 'failing'],
    ['chart=1.4.2,nope=1', 'failing'],
  ])('%s: %s', (revision, state) => expect(stateOf(app, revision)).toBe(state as 'met'))

  test('a source that does not exist: the ones that do are listed', () => {
    const message = messageOf(app, 'nope=1.4.2')
    expect(message).toContain('chart (https://charts.example.com#web)')
    expect(message).toContain('https://git.example.com/values.git')
  })
  test('a name that fits two sources means both of them', () => {
    const twice = parsed({
      sources: [
        { repoURL: 'https://g/mono', path: 'a', revision: SHA.a },
        { repoURL: 'https://g/mono', path: 'b', revision: SHA.b },
      ],
    })
    expect(stateOf(twice, `https://g/mono=${SHA.a}`)).toBe('pending')
    expect(stateOf(twice, `https://g/mono#undefined=${SHA.a}`)).toBe('failing')
  })
  test('fewer revisions than sources', () => {
    const partial = parsed(
      {
        sources: [
          { repoURL: 'a', revision: SHA.a },
          { repoURL: 'b', revision: SHA.b },
        ],
      },
      { status: { sync: { revisions: [SHA.a] } } },
    )
    expect(stateOf(partial, `b=${SHA.b}`)).toBe('pending')
    expect(stateOf(partial, SHA.a)).toBe('met')
  })
  test('SOURCE=REVISION fits an application with one source, too', () => {
    expect(
      stateOf(parsed({ repoURL: 'https://git.example.com/a.git' }), `https://git.example.com/a.git=${SHA.a}`),
    ).toBe('met')
  })
})

describe('at-least', () => {
  const app = (...deployed: string[]) =>
    parsed(
      { revision: deployed.at(-1) ?? SHA.a },
      {
        status: {
          history: deployed.map((revision, id) => ({ id, revision, deployedAt: '2030-01-01T00:00:00Z' })),
        },
      },
    )
  test('a later deployment took its place', () =>
    expect(stateOf(app(SHA.a, SHA.b), SHA.a, NO_EVIDENCE, 'at-least')).toBe('met'))
  test('by short SHA', () =>
    expect(stateOf(app(SHA.a, SHA.b), SHA.a.slice(0, 7), NO_EVIDENCE, 'at-least')).toBe('met'))
  test('exact does not accept it, and names the way out', () => {
    expect(stateOf(app(SHA.a, SHA.b), SHA.a)).toBe('pending')
    expect(messageOf(app(SHA.a, SHA.b), SHA.a)).toContain('at-least')
  })
  test('never deployed', () =>
    expect(stateOf(app(SHA.b, SHA.c), SHA.a, NO_EVIDENCE, 'at-least')).toBe('pending'))
  test('deployed after the observed one', () =>
    expect(
      stateOf(
        parsed(
          { revision: SHA.a },
          {
            status: {
              history: [
                { id: 1, revision: SHA.a },
                { id: 2, revision: SHA.b },
              ],
            },
          },
        ),
        SHA.b,
        NO_EVIDENCE,
        'at-least',
      ),
    ).toBe('pending'))
  test('a rollback to what was there before is no later deployment', () =>
    expect(stateOf(app(SHA.a, SHA.b, SHA.a), SHA.b, NO_EVIDENCE, 'at-least')).toBe('pending'))
  test('several sources: each by its own place', () => {
    const sources = [
      { repoURL: 'a', revision: SHA.b },
      { repoURL: 'b', revision: SHA.d },
    ]
    const history = [
      { id: 1, revisions: [SHA.a, SHA.d] },
      { id: 2, revisions: [SHA.b, SHA.d] },
    ]
    const several = parsed({ sources }, { status: { history } })
    expect(stateOf(several, `a=${SHA.a}`, NO_EVIDENCE, 'at-least')).toBe('met')
    expect(stateOf(several, `b=${SHA.a}`, NO_EVIDENCE, 'at-least')).toBe('pending')
  })
})

describe('CommitMessageMismatch', () => {
  const wanted = wanting({ commitMessage: 'Promote web' })
  const evidence = (message: string): Evidence => ({
    ...NO_EVIDENCE,
    commits: new Map([[commitKey(0, SHA.a), { message, author: undefined, tags: [] }]]),
  })
  test.each([
    ['Promote web to 1.2', 'met'],
    ['chore: Promote web', 'met'],
    ['first line\n\nPromote web', 'met'],
    ['promote web', 'pending'],
    ['', 'pending'],
  ])('%j: %s', (message, state) =>
    expect(checkOf('CommitMessageMismatch', parsed(), wanted, evidence(message)).state).toBe(state as 'met'),
  )
  test('before the message is known', () =>
    expect(checkOf('CommitMessageMismatch', parsed(), wanted).state).toBe('pending'))
})

describe('which commits are asked for', () => {
  const needed = (app: Application, wanted: Parameters<typeof wanting>[0]) =>
    commitsNeeded(app, wanting(wanted), NO_EVIDENCE)
  test('none for a full SHA', () => expect(needed(parsed(), { revision: SHA.b })).toEqual([]))
  test('none where another rule holds', () =>
    expect(needed(parsed(), { revision: SHA.a.slice(0, 8) })).toEqual([]))
  test('one where wanted may be a tag', () =>
    expect(needed(parsed(), { revision: 'v1' })).toEqual([
      { revision: SHA.a, sourceIndex: undefined, key: commitKey(0, SHA.a) },
    ]))
  test('one where the message counts', () => expect(needed(parsed(), { commitMessage: 'x' })).toHaveLength(1))
  test('none of a chart, and the others by their index', () => {
    const app = parsed({
      sources: [
        { repoURL: 'c', chart: 'web', revision: '1.0.0' },
        { repoURL: 'g', revision: SHA.b },
      ],
    })
    expect(needed(app, { commitMessage: 'x' })).toEqual([
      { revision: SHA.b, sourceIndex: 1, key: commitKey(1, SHA.b) },
    ])
  })
})

describe('parseWantedRevision', () => {
  test.each([
    ['main', { kind: 'any-source', revision: 'main' }],
    ['>=1.2.0', { kind: 'any-source', revision: '>=1.2.0' }],
    ['>= 1.2, <= 2', { kind: 'any-source', revision: '>= 1.2, <= 2' }],
    ['=1.2.3', { kind: 'any-source', revision: '=1.2.3' }],
    [
      'a=1,b=2',
      {
        kind: 'per-source',
        entries: [
          { source: 'a', revision: '1' },
          { source: 'b', revision: '2' },
        ],
      },
    ],
    ['a=>=1.2, <2', { kind: 'per-source', entries: [{ source: 'a', revision: '>=1.2, <2' }] }],
    ['https://x/y?a=b=1', { kind: 'per-source', entries: [{ source: 'https://x/y?a=b', revision: '1' }] }],
  ])('%p', (text, wanted) =>
    expect(parseWantedRevision(text)).toEqual(wanted as ReturnType<typeof parseWantedRevision>),
  )
  test('a mixture is refused', () => expect(() => parseWantedRevision('a=1,b')).toThrow('names no source'))
  test('the same source twice is refused', () =>
    expect(() => parseWantedRevision('a=1,a=2')).toThrow('more than one'))
})
