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
const messageOf = (app: Application, revision: string, evidence: Evidence = NO_EVIDENCE) =>
  checkOf('RevisionMismatch', app, wanting({ revision }), evidence).message

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

describe('what is not known yet', () => {
  const seen = (revision: string, more: Parameters<typeof parsed>[0] = {}) => parsed({ ...more, revision })
  test('a branch in place of a revision (ComparisonError, local sync) is none', () => {
    expect(stateOf(seen('main'), 'main', REFRESHED)).toBe('pending')
    expect(messageOf(seen('main'), 'main')).toContain('not known yet (Argo CD shows main')
  })
  test('a chart has a version', () => expect(stateOf(seen('1.4.2', { chart: 'web' }), '1.4.2')).toBe('met'))
  test('an OCI artifact has a digest', () => {
    const digest = `sha256:${'0'.repeat(64)}`
    expect(stateOf(seen(digest, { repoURL: 'oci://ghcr.io/acme/web' }), digest)).toBe('met')
  })
  test('its commit is not asked for', () =>
    expect(commitsNeeded(seen('main'), wanting({ revision: 'v1', commitMessage: 'x' }), NO_EVIDENCE)).toEqual(
      [],
    ))
})

test('an abbreviation of fewer than seven digits: the message says so where that is all', () => {
  expect(messageOf(parsed(), SHA.a.slice(0, 6))).toContain('at least 7 digits')
  expect(messageOf(parsed(), 'bead')).not.toContain('at least 7 digits')
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
  test('a branch by its short name', () => {
    expect(stateOf(parsed({ targetRevision: 'refs/heads/release-1' }), 'release-1', REFRESHED)).toBe('met')
    expect(stateOf(parsed({ targetRevision: 'refs/heads/v1' }), 'refs/tags/v1', REFRESHED)).toBe('pending')
  })
  test('a full SHA that is tracked is no branch: what is observed has to be it', () =>
    expect(stateOf(parsed({ targetRevision: SHA.b }), SHA.b, REFRESHED)).toBe('pending'))
  test('two sources of one branch that were seen at two commits', () => {
    const torn = (second: string) =>
      parsed({
        sources: [
          { repoURL: 'https://g/mono.git', targetRevision: 'main', path: 'a', revision: SHA.a },
          { repoURL: 'https://g/mono', targetRevision: 'main', path: 'b', revision: second },
          { repoURL: 'https://g/mono', targetRevision: 'old', path: 'c', revision: SHA.d },
        ],
      })
    expect(stateOf(torn(SHA.a), 'main', REFRESHED)).toBe('met')
    expect(stateOf(torn(SHA.b), 'main', REFRESHED)).toBe('pending')
    expect(stateOf(torn(SHA.b), SHA.a)).toBe('pending')
    expect(messageOf(torn(SHA.b), SHA.a)).toContain('several commits')
    expect(stateOf(torn(SHA.b), 'https://g/mono=main', REFRESHED)).toBe('pending')
  })
  test('two charts of one repository have a version each', () => {
    const charts = parsed({
      sources: [
        { repoURL: 'https://charts', chart: 'web', targetRevision: '1.*', revision: '1.4.2' },
        { repoURL: 'https://charts', chart: 'db', targetRevision: '1.*', revision: '1.9.0' },
      ],
    })
    expect(stateOf(charts, '1.4.2')).toBe('met')
  })
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
  test('a tag that the source tracks may have moved: only fresh evidence counts', () => {
    const app = parsed({ targetRevision: 'v1.2.3' })
    expect(stateOf(app, 'v1.2.3', commits(['v1.2.3']))).toBe('pending')
    expect(stateOf(app, 'v1.2.3', { ...commits([]), refreshed: true })).toBe('met')
    expect(commitsNeeded(app, wanting({ revision: 'v1.2.3' }), NO_EVIDENCE)).toEqual([])
    expect(stateOf(parsed({ targetRevision: 'refs/tags/v1.2.3' }), 'v1.2.3', commits(['v1.2.3']))).toBe(
      'pending',
    )
  })
  test('the message says what is known of its tags', () => {
    expect(messageOf(parsed(), 'v1')).toContain('not known yet')
    expect(messageOf(parsed(), 'v1', commits([]))).toContain('made after')
    const problem = { ...NO_EVIDENCE, commits: new Map([[commitKey(0, SHA.a), { problem: 'gone' }]]) }
    expect(messageOf(parsed(), 'v1', problem)).toContain('gone')
  })
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
  test('a later dry commit that was looked at and not hydrated: its hydration may just be queued', () => {
    expect(stateOf(app(skipped), SHA.c)).toBe('pending')
    expect(stateOf(app(skipped), SHA.c, REFRESHED)).toBe('pending')
    expect(messageOf(app(skipped), SHA.c)).toContain('KPCEA_REVISION_POLICY=equivalent')
  })
  test('the branch of the dry source, with fresh evidence', () => {
    expect(stateOf(app(), 'main')).toBe('pending')
    expect(messageOf(app(), 'main')).toContain('no refresh has shown yet')
    expect(stateOf(app(), 'main', REFRESHED)).toBe('met')
    expect(stateOf(app(), 'other', REFRESHED)).toBe('pending')
  })
  test('the branch of the dry source, which has moved on and is not hydrated yet', () => {
    expect(stateOf(app(skipped), 'main', REFRESHED)).toBe('pending')
    expect(messageOf(app(skipped), 'main', REFRESHED)).toContain(`main is at ${SHA.c}`)
  })
  test('the branch of the dry source on a server that does not write where it is (up to 3.4)', () =>
    expect(stateOf(app({ lastComparedDryRevision: null }), 'main', REFRESHED)).toBe('met'))
  test('the branch that is synced from', () =>
    expect(stateOf(app(), 'environments/prod', REFRESHED)).toBe('met'))
  test.each(['Hydrating', 'Failed', 'Waiting'])(
    'nor where no server says it, while the hydration is %s',
    (phase) =>
      expect(
        stateOf(app({ lastComparedDryRevision: null, currentOperation: { phase } }), 'main', REFRESHED),
      ).toBe('pending'),
  )
  test('what the status of another application shape says of hydration counts for nothing', () => {
    const plain = parsed(
      { revision: SHA.b },
      { status: { sourceHydrator: { lastSuccessfulOperation: { drySHA: SHA.a, hydratedSHA: SHA.b } } } },
    )
    expect(stateOf(plain, SHA.a)).toBe('pending')
  })
  test('a refresh decides for what the dry source tracks', () => {
    expect(refreshDecides(app(), wanting({ revision: 'main' }))).toBe(true)
    expect(refreshDecides(app(), wanting({ revision: SHA.a }))).toBe(false)
  })
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
  test.each([
    'https://git.example.com/values',
    'https://git.example.com/values/',
    'HTTPS://Git.Example.com/Values.git',
  ])('a repository is the same as %s', (name) => expect(stateOf(app, `${name}=${SHA.b}`)).toBe('met'))
  test('git@host:path is ssh://git@host/path', () => {
    const ssh = parsed({ repoURL: 'git@git.example.com:acme/web.git' })
    expect(stateOf(ssh, `ssh://git@git.example.com/acme/web=${SHA.a}`)).toBe('met')
    expect(stateOf(ssh, `https://git.example.com/acme/web=${SHA.a}`)).toBe('failing')
  })
  test('an entry that fits no source: the message names the source that was asked for', () => {
    expect(messageOf(app, 'nope=1.4.2')).toContain('no source is called "nope"')
  })
  test('the dry source of a hydrated application goes by its repository', () => {
    const dry = parsed(
      { revision: SHA.b, drySHA: SHA.a, repoURL: 'https://g/dry' },
      { spec: { sourceHydrator: { syncSource: { repoURL: 'https://g/wet' } } } },
    )
    expect(stateOf(dry, `https://g/dry=${SHA.a}`)).toBe('met')
    expect(stateOf(dry, `https://g/wet=${SHA.b}`)).toBe('met')
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
  test('a cut history hides a rollback', () => {
    const cut = (...deployed: string[]) =>
      parsed(
        { revision: deployed.at(-1) ?? SHA.a },
        { status: { history: deployed.map((revision, i) => ({ id: i + 7, revision })) } },
      )
    expect(stateOf(cut(SHA.a, SHA.b), SHA.a, NO_EVIDENCE, 'at-least')).toBe('pending')
    expect(stateOf(cut(SHA.c, SHA.a, SHA.b), SHA.a, NO_EVIDENCE, 'at-least')).toBe('met')
    const without = parsed(
      { revision: SHA.b },
      { status: { history: [{ revision: SHA.a }, { revision: SHA.b }] } },
    )
    expect(stateOf(without, SHA.a, NO_EVIDENCE, 'at-least')).toBe('pending')
  })
  test('a dry commit is looked up as what it was hydrated to', () => {
    const history = [
      { id: 0, revision: SHA.b },
      { id: 1, revision: SHA.d },
    ]
    const hydrated = parsed({ revision: SHA.d, drySHA: SHA.c }, { status: { history } })
    const hydrations = { ...NO_EVIDENCE, hydrations: new Map([[SHA.a, SHA.b]]) }
    expect(stateOf(hydrated, SHA.a, NO_EVIDENCE, 'at-least')).toBe('pending')
    expect(stateOf(hydrated, SHA.a, hydrations, 'at-least')).toBe('met')
    expect(stateOf(hydrated, SHA.a, hydrations)).toBe('pending')
    expect(stateOf(parsed({ revision: SHA.d }, { status: { history } }), SHA.a, hydrations, 'at-least')).toBe(
      'pending',
    )
  })
  test('several sources: each by its own place', () => {
    const sources = [
      { repoURL: 'a', revision: SHA.b },
      { repoURL: 'b', revision: SHA.d },
    ]
    const history = [
      { id: 0, revisions: [SHA.a, SHA.d] },
      { id: 1, revisions: [SHA.b, SHA.d] },
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
