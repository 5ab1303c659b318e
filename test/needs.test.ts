/** Why something is asked for: a table a need, from what is known to whether it is due, and when it will be. */

import { describe, expect, test } from 'bun:test'
import type { Application } from '../lib/application.ts'
import { RequestFailure } from '../lib/failure.ts'
import type { Policy, Target } from '../lib/wanted.ts'
import { node, parsed, podOf, SHA, wanting } from './fixtures.ts'
import { History, treeOf } from './history.ts'
import { named, SECOND, SELECTED } from './scene.ts'

const S = SECOND
const MINUTES = { timeout: 600 * S, watch: true } as const
const met = parsed({ name: 'web', revision: SHA.b })
const other = parsed({ name: 'web', revision: SHA.a })
const degraded = parsed({ name: 'web', revision: SHA.b }, { status: { health: { status: 'Degraded' } } })
const progressing = parsed(
  { name: 'web', revision: SHA.b },
  { status: { health: { status: 'Progressing' } } },
)
const app = (name: string, revision: string) => parsed({ name, revision })
const unreachable = new RequestFailure('Unreachable', '503')
const LOOK = ['look:argocd/web']

const web = (policy: Partial<Policy> = {}) => new History({ ...MINUTES, ...policy })
const two = (policy: Partial<Policy> = {}) => new History({ ...MINUTES, ...policy }, named('web', 'api'))
const NAMES = Array.from({ length: 30 }, (_, i) => `a${i}`)
const many = (policy: Partial<Policy> = {}) => new History({ ...MINUTES, ...policy }, named(...NAMES))
/** One of two is met, by a stream, and the other was looked at since. */
const oneOfTwo = () =>
  two()
    .stream(0)
    .tells(0, met, app('api', SHA.a))
    .look(29 * S, 'api', app('api', SHA.a))
/** One of many is refreshed, and a stream tells of it. */
const askingOfMany = (at: number, told: Application) =>
  many({ refresh: 'normal' })
    .stream(0)
    .tells(0, ...NAMES.map((name) => app(name, SHA.a)))
    .refreshStarts(0, 'a0')
    .tells(at, told)
const selecting = (policy: Partial<Policy> = {}) => new History({ ...MINUTES, ...policy }, SELECTED)

/** What is known, when, and the keys that are due then. */
type Case = readonly [what: string, history: History, now: number, due: readonly string[]]

describe('looks', () => {
  test.each<Case>([
    ['one name: at once', web(), 0, LOOK],
    ['several with a stream: the stream tells', two(), 0, []],
    ['several without one: each', two({ watch: false }), 0, ['look:argocd/web', 'look:argocd/api']],
    ['several by one look: each', two({ timeout: 0 }), 0, ['look:argocd/web', 'look:argocd/api']],
    ['a selector: what it matches is listed', selecting({ watch: false }), 0, []],
    ['polled: not before the interval', web({ watch: false }).look(0, 'web', other), 5 * S - 1, []],
    ['polled: each interval', web({ watch: false }).look(0, 'web', other), 5 * S, LOOK],
    [
      'a stream that has ended: not at once',
      web()
        .stream(0)
        .tells(0, other)
        .look(0, 'web', other)
        .streamEnds(9 * S),
      9 * S + 499,
      [],
    ],
    [
      'but when it does not come back',
      web()
        .stream(0)
        .tells(0, other)
        .look(0, 'web', other)
        .streamEnds(9 * S),
      9 * S + 500,
      LOOK,
    ],
    [
      'a stream that is not open yet: not in half a second',
      two().started(0, { kind: 'watch', number: 1, query: {} }),
      499,
      [],
    ],
    [
      'then each',
      two().started(0, { kind: 'watch', number: 1, query: {} }),
      500,
      ['look:argocd/web', 'look:argocd/api'],
    ],
    [
      'what the stream has not mentioned: not while it may',
      two().stream(0).tells(0, app('api', SHA.a)),
      249,
      [],
    ],
    ['then that', two().stream(0).tells(0, app('api', SHA.a)), 250, LOOK],
    ['of many not so soon', many().stream(0), 999, []],
    ['what does not exist: after the interval', web().look(0, 'web', undefined).stream(0), 5 * S, LOOK],
    [
      'and then not before twice that, once the stream is heard',
      web()
        .look(0, 'web', undefined)
        .stream(0)
        .tells(S)
        .look(5 * S, 'web', undefined),
      15 * S - 1,
      [],
    ],
    [
      'but each interval while something may hold the stream back',
      web()
        .look(0, 'web', undefined)
        .stream(0)
        .look(5 * S, 'web', undefined),
      10 * S,
      LOOK,
    ],
    [
      'unmet, while a stream lives: after 5 s',
      web().look(0, 'web', other).stream(0).tells(0, other),
      5 * S,
      LOOK,
    ],
    ['and not before', web().look(0, 'web', other).stream(0).tells(0, other), 5 * S - 1, []],
    [
      'then after 10 s',
      web()
        .stream(0)
        .tells(0, other)
        .look(0, 'web', other)
        .look(5 * S, 'web', other),
      15 * S - 1,
      [],
    ],
    ['met, while another is waited for: after half a minute', oneOfTwo(), 30 * S, LOOK],
    ['and not before', oneOfTwo(), 30 * S - 1, []],
    [
      'anew after 5 s where it brought what the stream had not told',
      web()
        .stream(0)
        .tells(0, other)
        .look(5 * S, 'web', progressing),
      10 * S,
      LOOK,
    ],
    ['met by the stream: a proof at once', web().stream(0).tells(S, met), S, LOOK],
    ['met by a look: none', web().look(S, 'web', met), S, []],
    [
      'one of two met later: a proof of the other at once',
      two({ watch: false }).look(0, 'web', met).look(S, 'api', app('api', SHA.b)),
      S,
      LOOK,
    ],
    [
      'many, met by the opening of a stream: none',
      many()
        .stream(0)
        .tells(0, ...NAMES.map((name) => app(name, SHA.b))),
      0,
      [],
    ],
    [
      'a soak without a stream: each interval',
      web({ watch: false, stableFor: 60 * S }).look(0, 'web', met),
      5 * S,
      LOOK,
    ],
    [
      'a soak with one: after 5 s, because it may lose a break',
      web({ stableFor: 60 * S })
        .look(0, 'web', met)
        .stream(0)
        .tells(0, met),
      5 * S,
      LOOK,
    ],
    [
      'the end of a soak: a proof',
      web({ stableFor: 7 * S })
        .look(0, 'web', met)
        .stream(0)
        .tells(0, met)
        .look(5 * S, 'web', met),
      7 * S,
      LOOK,
    ],
    [
      'a refresh of one of many that the stream tells nothing of: not while it may be behind',
      askingOfMany(0, app('a0', SHA.a)),
      10 * S,
      [],
    ],
    ['then that one: it may be lost', askingOfMany(0, app('a0', SHA.a)), 10 * S + 1, ['look:argocd/a0']],
    [
      'one that it tells of is under way',
      askingOfMany(S, {
        ...app('a0', SHA.a),
        metadata: { ...app('a0', SHA.a).metadata, annotations: { 'argocd.argoproj.io/refresh': 'normal' } },
      }),
      10 * S + 1,
      [],
    ],
    [
      'a contradiction with the stream: at once',
      web()
        .stream(0)
        .tells(S, other)
        .look(2 * S, 'web', met, 0),
      2 * S,
      LOOK,
    ],
    [
      'failing for fail-after: once more',
      web({ failAfter: 30 * S, watch: false, interval: 60 * S }).look(0, 'web', degraded),
      30 * S,
      LOOK,
    ],
    [
      'before the deadline: for the last time',
      web({ timeout: 100 * S, watch: false, interval: 90 * S })
        .look(0, 'web', other)
        .look(90 * S, 'web', other),
      95 * S,
      LOOK,
    ],
    [
      'however long the server asked to be left alone',
      web({ timeout: 20 * S }).lookFails(
        0,
        'web',
        new RequestFailure('Unreachable', '429', { retryAfter: 60 * S }),
      ),
      15 * S,
      LOOK,
    ],
    [
      'but not before that',
      web({ timeout: 20 * S }).lookFails(
        0,
        'web',
        new RequestFailure('Unreachable', '429', { retryAfter: 60 * S }),
      ),
      14 * S,
      [],
    ],
    ['after a failure by one look: no more', web({ timeout: 0 }).lookFails(0, 'web', unreachable), 0, []],
  ])('%s', (_, history, now, due) => expect(history.planned(now, 'look')).toEqual(due))

  test('during the soak of what a selector matches, the list tells', () => {
    const all = NAMES.map((name) => app(name, SHA.b))
    const history = selecting({ watch: false, stableFor: 60 * S }).list(0, all)
    expect(history.planned(5 * S)).toEqual(['list'])
    for (let at = 5; at <= 60; at += 5) history.list(at * S, all)
    expect(history.planned(60 * S, 'look')).toHaveLength(NAMES.length)
  })
  test('those that have been due for longest come first', () => {
    const history = two({ watch: false }).look(0, 'web', other).look(0, 'api', app('api', SHA.a))
    history.look(5 * S, 'web', other).look(6 * S, 'web', other)
    expect(history.planned(12 * S, 'look')).toEqual(['look:argocd/api', 'look:argocd/web'])
  })
})

describe('the stream', () => {
  const told = many()
    .stream(0)
    .tells(0, ...NAMES.map((name) => app(name, SHA.a)))
  const oneByOne = () => {
    const history = many()
      .stream(0)
      .tells(0, ...NAMES.map((name) => app(name, SHA.a)))
    for (const name of NAMES) history.tells(S, app(name, SHA.b))
    return history
  }
  test.each<Case>([
    ['one name: not before the first look is answered', web(), 249, []],
    ['unless that takes its time', web(), 250, ['watch:1']],
    ['when it was answered', web().look(10, 'web', other), 10, ['watch:1']],
    ['when it failed', web().lookFails(10, 'web', unreachable), 10, ['watch:1']],
    ['several: at once', two(), 0, ['watch:1']],
    ['not where none is wanted', two({ watch: false }), 0, []],
    ['not for one look', two({ timeout: 0 }), 0, []],
    ['goes on while it lives', two().stream(0).tells(0, other), 39 * S, ['watch:1']],
    ['is given up when it was silent for forty seconds', two().stream(0).tells(0, other), 40 * S, []],
    ['that ended is opened again soon, not at once', two().stream(0).streamEnds(0), 0, []],
    ['a quarter of a second later at the latest', two().stream(0).streamEnds(0), 250, ['watch:2']],
    ['of many is opened anew after half a minute', told, 30 * S, ['watch:2']],
    ['and not before', told, 30 * S - 1, ['watch:1']],
    ['of many that are met one by one: a second, as proof', oneByOne(), S, ['watch:2']],
    ['of few never: each is read', two().stream(0).tells(0, other, app('api', SHA.a)), 30 * S, ['watch:1']],
  ])('%s', (_, history, now, due) => expect(history.planned(now, 'watch')).toEqual(due))

  test('that has not told what a request has shown is given up after three seconds', () => {
    const history = web().look(0, 'web', other).stream(S)
    expect(history.planned(4 * S - 1, 'watch')).toEqual(['watch:1'])
    expect(history.planned(4 * S, 'watch')).toEqual([])
  })
  test('waits for the commit that may be all that is missing', () => {
    const target: Target = {
      kind: 'names',
      project: undefined,
      applications: [{ name: 'web', namespace: 'argocd', wanted: wanting({ revision: 'v1' }) }],
    }
    const history = new History(MINUTES, target).look(10, 'web', other)
    expect(history.planned(10)).toEqual([`commit:argocd/web:0:${SHA.a}`])
    expect(history.planned(250, 'watch')).toEqual(['watch:1'])
  })
})

describe('what a selector matches', () => {
  const streamed = () =>
    selecting().stream(0).brought(0, { kind: 'names', query: {} }, { kind: 'names', refs: [] })
  test.each<Case>([
    ['with a stream: its names at once', selecting(), 0, ['names']],
    ['without one: all of it', selecting({ watch: false }), 0, ['list']],
    ['by one look: all of it', selecting({ timeout: 0 }), 0, ['list']],
    ['polled: not before the interval', selecting({ watch: false }).list(0, [other]), 5 * S - 1, []],
    ['polled: each interval', selecting({ watch: false }).list(0, [other]), 5 * S, ['list']],
    [
      'met: once more, as proof',
      selecting({ watch: false })
        .list(S, [other], 0)
        .look(2 * S, 'web', met),
      2 * S,
      ['list'],
    ],
    ['met in the list itself: none', selecting({ watch: false }).list(S, [met]), S, []],
    ['streamed: each interval while something may hold the stream back', streamed(), 5 * S, ['names']],
    ['streamed: and not before', streamed(), 5 * S - 1, []],
    ['streamed: once it is heard, not before half a minute', streamed().tells(S), 30 * S - 1, []],
    ['streamed: then', streamed().tells(S), 30 * S, ['names']],
    ['names: none', two(), 0, []],
  ])('%s', (_, history, now, due) =>
    expect(history.planned(now, 'list').concat(history.planned(now, 'names'))).toEqual([...due]),
  )
  test('is listed where the stream does not come', () => {
    const history = selecting().started(0, { kind: 'watch', number: 1, query: {} })
    history.brought(0, { kind: 'names', query: {} }, { kind: 'names', refs: [] })
    expect(history.planned(499, 'list')).toEqual([])
    expect(history.wakeAt(499)).toBe(500)
    expect(history.planned(500, 'list')).toEqual(['list'])
  })
})

describe('refreshes', () => {
  const asking = (policy: Partial<Policy> = {}) =>
    web({ refresh: 'normal', ...policy })
      .stream(0)
      .tells(0, other)
  const FIRST = ['refresh:argocd/web:1']
  const SECOND_ONE = ['refresh:argocd/web:2']
  const stale = (finishedAt: string) =>
    parsed(
      { name: 'web', revision: SHA.b },
      { status: { reconciledAt: '2030-01-01T00:00:00Z', operationState: { finishedAt } } },
    )
  const annotated = parsed(
    { name: 'web', revision: SHA.a },
    { metadata: { annotations: { 'argocd.argoproj.io/refresh': 'normal' } } },
  )
  test.each<Case>([
    ['unmet: at once', asking(), 0, FIRST],
    ['met: none', web({ refresh: 'normal' }).look(0, 'web', met), 0, []],
    ['not seen yet: none', web({ refresh: 'normal' }), 0, []],
    ['none where none is wanted', asking({ refresh: 'none' }), 0, []],
    ['none for one look', web({ refresh: 'normal', timeout: 0 }).look(0, 'web', other), 0, []],
    ['under way: that one', asking().refreshStarts(0, 'web'), 9 * S, FIRST],
    ['somebody else’s under way: none', web({ refresh: 'normal' }).look(0, 'web', annotated), 0, []],
    ['answered: not again at once', asking().refresh(0, S, 'web', other), 15 * S, []],
    [
      'a mismatch: again after 15 s and up to a fifth',
      asking().refresh(0, S, 'web', other),
      19 * S + 1,
      SECOND_ONE,
    ],
    [
      'what a refresh cannot mend: never again',
      web({ refresh: 'normal' }).look(0, 'web', progressing).refresh(0, S, 'web', progressing),
      500 * S,
      [],
    ],
    [
      'a sync that left the status stale: at once',
      asking()
        .refresh(0, S, 'web', other)
        .look(2 * S, 'web', stale('2030-01-01T00:00:01Z')),
      2 * S,
      SECOND_ONE,
    ],
    ['failed: not at once', asking().refreshStarts(0, 'web').refreshFails(0, 0, 'web', unreachable), 0, []],
    [
      'failed: soon',
      asking().refreshStarts(0, 'web').refreshFails(0, 0, 'web', unreachable),
      250,
      SECOND_ONE,
    ],
    [
      'lost: not before its pause',
      asking()
        .refreshStarts(0, 'web')
        .look(11 * S, 'web', other),
      15 * S - 1,
      [],
    ],
    [
      'lost: after 15 s and up to a fifth',
      asking()
        .refreshStarts(0, 'web')
        .look(11 * S, 'web', other),
      18 * S + 1,
      SECOND_ONE,
    ],
  ])('%s', (_, history, now, due) => expect(history.planned(now, 'refresh')).toEqual(due))
  test('where a branch decides, a second one a second after the first was answered', () => {
    const target: Target = {
      kind: 'names',
      project: undefined,
      applications: [{ name: 'web', namespace: 'argocd', wanted: wanting({ revision: 'main' }) }],
    }
    const history = new History({ ...MINUTES, refresh: 'normal' }, target).look(0, 'web', other)
    history.refresh(0, S, 'web', other)
    expect(history.planned(2 * S - 1, 'refresh')).toEqual([])
    expect(history.planned(2 * S, 'refresh')).toEqual(SECOND_ONE)
  })
  test('where a branch decides, at once when Git can be read again, however often it could not be', () => {
    const target: Target = {
      kind: 'names',
      project: undefined,
      applications: [{ name: 'web', namespace: 'argocd', wanted: wanting({ revision: 'main' }) }],
    }
    const unread = parsed({ name: 'web', revision: 'main' }, { status: { sync: { status: 'Unknown' } } })
    const history = new History({ ...MINUTES, refresh: 'normal' }, target).look(0, 'web', unread)
    for (const at of [0, 15, 60, 130]) history.refresh(at * S, at * S, 'web', unread)
    expect(history.planned(140 * S, 'refresh')).toEqual([])
    history.look(140 * S, 'web', other)
    expect(history.planned(140 * S, 'refresh')).toEqual(['refresh:argocd/web:5'])
    // One that compares nothing anew is not asked for over and over.
    for (const at of [140, 142, 144, 146]) history.refresh(at * S, at * S, 'web', met)
    expect(history.planned(149 * S, 'refresh')).toEqual([])
  })
  test('those that were never asked for come before those that were lost', () => {
    const history = two({ refresh: 'normal', watch: false })
      .look(0, 'web', other)
      .look(0, 'api', app('api', SHA.a))
    history.refreshStarts(0, 'web').look(11 * S, 'web', other)
    expect(history.planned(60 * S, 'refresh')).toEqual(['refresh:argocd/api:1', 'refresh:argocd/web:2'])
  })
})

describe('trees', () => {
  const TREE = ['tree:argocd/web']
  const read = (at: number, application = progressing) =>
    web({ failAfter: 120 * S })
      .look(at, 'web', application)
      .tree(at, 'web', [node({})])
  test.each<Case>([
    ['Progressing: a Pod may say why, at once', web().look(0, 'web', progressing), 0, TREE],
    ['met: none', web().look(0, 'web', met), 0, []],
    ['another revision, Healthy: none', web().look(0, 'web', other), 0, []],
    ['read: not before ten seconds', read(0), 10 * S - 1, []],
    ['read: again after ten seconds', read(0), 10 * S, TREE],
    [
      'read: at once where it tells whether fail after goes on',
      read(0, degraded).look(3 * S, 'web', progressing),
      3 * S,
      TREE,
    ],
    ['by one look: once', web({ timeout: 0 }).look(0, 'web', progressing).tree(0, 'web', []), 60 * S, []],
  ])('%s', (_, history, now, due) => expect(history.planned(now, 'tree')).toEqual(due))
  test('of many, twenty in ten seconds, and then those that were not read', () => {
    const history = many({ watch: false })
    for (const name of NAMES)
      history.look(
        0,
        name,
        parsed({ name, revision: SHA.b }, { status: { health: { status: 'Progressing' } } }),
      )
    const first = history.planned(0, 'tree')
    expect(first).toHaveLength(20)
    for (const key of first) history.tree(S, key.replace('tree:argocd/', ''), [])
    expect(history.planned(2 * S, 'tree')).toEqual([])
    const second = history.planned(12 * S, 'tree')
    expect(second).toHaveLength(20)
    expect(second.filter((key) => !first.includes(key))).toHaveLength(10)
  })
  test('those that were asked for and are of no use any more count as well', () => {
    const history = many({ watch: false })
    const see = (name: string, status: string) =>
      history.look(0, name, parsed({ name, revision: SHA.b }, { status: { health: { status } } }))
    for (const name of NAMES) see(name, 'Progressing')
    const first = history.planned(0, 'tree').map((key) => key.replace('tree:argocd/', ''))
    for (const name of first) history.started(0, treeOf(name))
    expect(history.planned(S, 'tree')).toHaveLength(20)
    for (const name of first) see(name, 'Healthy')
    expect(history.planned(S, 'tree')).toEqual([])
    expect(history.wakeAt(S)).toBeLessThanOrEqual(10 * S)
    expect(history.planned(10 * S, 'tree')).toHaveLength(10)
  })
})

describe('trees that a yes rests on', () => {
  const TREE = ['tree:argocd/web']
  const ENDED = [podOf('web:1', 'Completed'), podOf('web:2', 'Running')]
  const BACK = [podOf('web:1', 'Running'), podOf('web:2', 'Running')]
  const run = (name: string, health = 'Healthy') =>
    parsed(
      { name, revision: SHA.b },
      { status: { health: { status: health }, summary: { images: ['web:1', 'web:2'] } } },
    )
  const target = (images: readonly string[], revisions: readonly string[]): Target => ({
    kind: 'names',
    project: undefined,
    applications: [
      ...images.map((name) => ({ name, namespace: 'argocd', wanted: wanting({ images: ['web:2'] }) })),
      ...revisions.map((name) => ({ name, namespace: 'argocd', wanted: wanting({ revision: SHA.b }) })),
    ],
  })
  /** One is met by a tree, and the other becomes met nine seconds later. */
  const late = (policy: Partial<Policy> = {}) =>
    new History({ timeout: 600 * S, ...policy }, target(['web'], ['api']))
      .look(0, 'web', run('web'))
      .look(0, 'api', run('api', 'Progressing'))
      .tree(100, 'web', ENDED, 50)
      .tree(100, 'api', [], 50)
      .look(9 * S, 'api', run('api'))
      .look(9 * S + 10, 'web', run('web'), 9 * S)
      .look(9 * S + 20, 'api', run('api'), 9 * S + 10)

  test('are read when everything has become met', () => {
    const history = late()
    expect(history.decide(9 * S + 20)).toBeUndefined()
    expect(history.planned(9 * S + 20, 'tree')).toEqual(TREE)
    history.tree(9 * S + 40, 'web', ENDED, 9 * S + 30)
    expect(history.decide(9 * S + 40)).toEqual({ kind: 'verified' })
  })

  test('show that a Pod of the old image is back', () => {
    const history = late().tree(9 * S + 40, 'web', BACK, 9 * S + 30)
    expect(history.decide(9 * S + 40)).toBeUndefined()
    expect(history.planned(9 * S + 50, 'tree')).toEqual([])
  })

  test('are read once stable for has passed, and once', () => {
    const history = late({ stableFor: 20 * S, interval: 30 * S })
    history.tree(19 * S, 'web', ENDED, 19 * S)
    expect(history.planned(28 * S, 'tree')).toEqual([])
    expect(history.wakeAt(28 * S)).toBe(29 * S)
    history.look(29 * S, 'web', run('web')).look(29 * S, 'api', run('api'))
    expect(history.decide(29 * S)).toBeUndefined()
    expect(history.planned(29 * S, 'tree')).toEqual(TREE)
    history.tree(29 * S + 10, 'web', ENDED, 29 * S)
    expect(history.planned(29 * S + 10)).toEqual([])
    expect(history.decide(29 * S + 10)).toEqual({ kind: 'verified' })
  })

  test('are read a second after the one that shows all met, not at once', () => {
    const history = new History({ timeout: 600 * S }, target(['web'], [])).look(0, 'web', run('web'))
    history.tree(100, 'web', ENDED, 50).look(200, 'web', run('web'), 150)
    expect(history.decide(200)).toBeUndefined()
    expect(history.planned(200, 'tree')).toEqual([])
    expect(history.wakeAt(200)).toBe(S + 50)
    expect(history.planned(S + 50, 'tree')).toEqual(TREE)
  })

  test('are read once a second at most, however often all becomes met and ceases to be', () => {
    const history = new History({ timeout: 600 * S }, target(['web'], []))
    let read = 0
    for (let now = 0; now < 20 * S; now += 100) {
      history.look(now, 'web', run('web', (now / 100) % 2 === 0 ? 'Healthy' : 'Progressing'))
      if (history.planned(now, 'tree').length === 0) continue
      history.tree(now + 50, 'web', ENDED, now)
      read++
    }
    expect(read).toBeWithin(2, 21)
  })

  test('are read a second time by one look', () => {
    const history = new History({ timeout: 0 }, target(['web'], [])).look(0, 'web', run('web'))
    history.tree(100, 'web', ENDED, 50)
    expect(history.planned(100).toSorted()).toEqual(['look:argocd/web', ...TREE])
    history.look(200, 'web', run('web'), 100)
    expect(history.decide(200)).toBeUndefined()
    history.tree(300, 'web', ENDED, 200)
    expect(history.decide(300)).toEqual({ kind: 'verified' })
  })

  test('are read at once of twenty', () => {
    const names = Array.from({ length: 20 }, (_, i) => `a${i}`)
    const history = new History({ timeout: 600 * S }, target(names, []))
    for (const name of names) history.look(0, name, run(name))
    for (const name of names) history.tree(100, name, ENDED, 50)
    expect(history.planned(S + 50, 'tree')).toHaveLength(20)
  })
})

test('a run that has nothing to ask wakes for its deadline', () => {
  const history = web({ timeout: 100 * S, watch: false, interval: 200 * S }).look(96 * S, 'web', other)
  expect(history.planned(98 * S)).toEqual([])
  expect(history.wakeAt(98 * S)).toBe(100 * S)
})
