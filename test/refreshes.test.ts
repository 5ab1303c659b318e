/** What the answers to refreshes show: which of them says where a tracked revision points. */

import { describe, expect, test } from 'bun:test'
import type { Application } from '../lib/application.ts'
import { commitKey } from '../lib/commits.ts'
import { REFRESH_LOST } from '../lib/promises.ts'
import type { Target } from '../lib/wanted.ts'
import { parsed, SHA, wanting } from './fixtures.ts'
import { History } from './history.ts'
import { SECOND, SELECTED } from './scene.ts'

const BRANCH: Target = {
  kind: 'names',
  project: undefined,
  applications: [{ name: 'web', namespace: 'argocd', wanted: wanting({ revision: 'main' }) }],
}

const ASKED = { 'argocd.argoproj.io/refresh': 'normal' }
const TIMED = { ...ASKED, 'argocd.argoproj.io/refresh-timestamp': '2030-01-01T00:00:00.5Z' }
const LEFT_OVER = { 'argocd.argoproj.io/refresh-timestamp': '2030-01-01T00:00:00.5Z' }

/** Reconciled at a second of the server's clock. */
const reconciled = (second: number, annotations: Record<string, string> = {}): Application =>
  parsed(
    { name: 'web', revision: SHA.a },
    {
      metadata: { annotations },
      status: {
        reconciledAt: new Date(Date.UTC(2030, 0, 1) + second * SECOND).toISOString(),
        operationState: null,
      },
    },
  )

/** The same with parts of its status in place of others. */
function merged({ status, ...rest }: Application, { sync, ...changes }: Changes): Application {
  return { ...rest, status: { ...status, ...changes, sync: { ...status.sync, ...sync } } }
}

type Status = Application['status']
type Changes = Partial<Omit<Status, 'sync'>> & { readonly sync?: Partial<Status['sync']> }

const history = () =>
  new History({ refresh: 'normal', timeout: 600 * SECOND }, BRANCH).look(0, 'web', reconciled(0))
const fresh = (one: History) => one.known().refreshes.fresh

describe('fresh evidence', () => {
  test('is not the first answer: somebody else’s refresh may have given it, before the push', () => {
    const one = history().refresh(0, SECOND, 'web', reconciled(1))
    expect(fresh(one)).toBeUndefined()
    expect(one.known().evidence.refreshed).toBe(false)
    expect(one.decide(SECOND)).toBeUndefined()
  })
  test('is what a list tells again that a request has shown within the second of the answer', () => {
    const wanted = wanting({ revision: 'main' })
    const target: Target = {
      kind: 'selector',
      selector: 'a=b',
      min: 1,
      namespace: undefined,
      project: undefined,
      wanted,
    }
    const one = new History({ refresh: 'normal', timeout: 600 * SECOND }, target)
    const later = merged(reconciled(2), { sync: { revision: SHA.b } })
    one.list(0, [reconciled(0)]).refresh(0, SECOND, 'web', reconciled(1))
    one.refresh(2 * SECOND, 3 * SECOND, 'web', reconciled(2)).list(4 * SECOND, [later])
    expect(one.known().age).toBe('unknown')
    one.look(5 * SECOND, 'web', later).list(6 * SECOND, [later])
    expect(one.known().age).toBe('after')
    expect(one.decide(6 * SECOND)).toEqual({ kind: 'verified' })
    // Another answer is evidence of its own, and says anew what comes after it.
    one.refresh(7 * SECOND, 8 * SECOND, 'web', reconciled(3))
    expect(one.list(9 * SECOND, [merged(reconciled(3), { sync: { revision: SHA.b } })]).known().age).toBe(
      'unknown',
    )
    expect(one.list(10 * SECOND, [later]).known().age).toBe('before')
  })
  test('is the answer to one that was asked for after another was answered', () => {
    const one = history().refresh(0, SECOND, 'web', reconciled(1))
    one.refresh(2 * SECOND, 3 * SECOND, 'web', reconciled(2))
    expect(fresh(one)).toMatchObject({ at: 3 * SECOND })
    expect(one.known().evidence.refreshed).toBe(true)
    expect(one.decide(3 * SECOND)).toBeUndefined()
    expect(one.look(3 * SECOND, 'web', reconciled(2)).decide(3 * SECOND)).toEqual({ kind: 'verified' })
  })
  test.each([
    ['the same', 1],
    ['an older one', 0],
  ])('is not an answer with %s reconciledAt: nothing was compared', (_, second) => {
    const one = history().refresh(0, SECOND, 'web', reconciled(1))
    one.refresh(2 * SECOND, 3 * SECOND, 'web', reconciled(second))
    expect(fresh(one)).toBeUndefined()
  })
  test('is not the answer to one that failed in between: that was not answered', () => {
    const one = history().refreshStarts(0, 'web').refreshFails(0, SECOND, 'web', new Error('503'))
    one.refresh(2 * SECOND, 3 * SECOND, 'web', reconciled(2))
    expect(fresh(one)).toBeUndefined()
    one.refresh(4 * SECOND, 5 * SECOND, 'web', reconciled(4))
    expect(fresh(one)).toBeDefined()
  })
  test('is not an answer to a comparison that could not read Git, though reconciledAt has advanced', () => {
    const failed = merged(reconciled(2), {
      sync: { status: 'Unknown', revision: 'main' },
      conditions: [{ type: 'ComparisonError', message: 'connection reset' }],
    })
    const one = history().refresh(0, SECOND, 'web', reconciled(1))
    one.refresh(2 * SECOND, 3 * SECOND, 'web', failed)
    expect(fresh(one)).toBeUndefined()
    // Argo CD's own next comparison may go by where the branch pointed minutes ago.
    one.look(9 * SECOND, 'web', reconciled(3))
    expect(one.decide(9 * SECOND)).toBeUndefined()
    one.refresh(10 * SECOND, 11 * SECOND, 'web', reconciled(4)).look(12 * SECOND, 'web', reconciled(4))
    expect(one.decide(12 * SECOND)).toEqual({ kind: 'verified' })
  })
  test('is not an answer after a sync of local manifests: Git was not read', () => {
    const local = merged(reconciled(2), { sync: { revision: 'main' } })
    const one = history().refresh(0, SECOND, 'web', reconciled(1))
    expect(fresh(one.refresh(2 * SECOND, 3 * SECOND, 'web', local))).toBeUndefined()
  })
  test('stays where a later refresh compared nothing', () => {
    const one = history().refresh(0, SECOND, 'web', reconciled(1))
    one
      .refresh(2 * SECOND, 3 * SECOND, 'web', reconciled(2))
      .refresh(4 * SECOND, 5 * SECOND, 'web', reconciled(2))
    expect(fresh(one)).toMatchObject({ at: 3 * SECOND })
  })
  test('of an application that was deleted is none of the one in its place', () => {
    const one = history().refresh(0, SECOND, 'web', reconciled(1))
    one.refresh(2 * SECOND, 3 * SECOND, 'web', reconciled(2)).look(4 * SECOND, 'web', undefined)
    one.look(5 * SECOND, 'web', reconciled(3))
    expect(fresh(one)).toBeUndefined()
    expect(one.known().refreshes.asked).toBe(0)
    expect(one.known().evidence.refreshed).toBe(false)
  })
})

describe('where the server gives each its time', () => {
  const seen = (annotations: Record<string, string>) =>
    history()
      .refreshStarts(SECOND, 'web')
      .look(2 * SECOND, 'web', reconciled(0, annotations))
  test('one answer is enough, when that was seen while it was under way and is gone', () => {
    const one = seen(TIMED).refreshEnds(SECOND, 3 * SECOND, 'web', reconciled(1))
    expect(fresh(one)).toBeDefined()
    expect(one.look(3 * SECOND, 'web', reconciled(1)).decide(3 * SECOND)).toEqual({ kind: 'verified' })
  })
  test('a stream shows it as well', () => {
    const one = history()
      .stream(0)
      .refreshStarts(SECOND, 'web')
      .tells(2 * SECOND, reconciled(0, TIMED))
    expect(fresh(one.refreshEnds(SECOND, 3 * SECOND, 'web', reconciled(1)))).toBeDefined()
  })
  test('it is not where the answer still has it: another comparison answered', () =>
    expect(
      fresh(seen(TIMED).refreshEnds(SECOND, 3 * SECOND, 'web', reconciled(1, LEFT_OVER))),
    ).toBeUndefined())
  test('it is not where there was no time, only the annotation', () =>
    expect(fresh(seen(ASKED).refreshEnds(SECOND, 3 * SECOND, 'web', reconciled(1)))).toBeUndefined())
  test('it is not where the time was seen before it was asked for', () => {
    const one = new History({ refresh: 'normal' }, BRANCH).look(0, 'web', reconciled(0, LEFT_OVER))
    one.refresh(SECOND, 2 * SECOND, 'web', reconciled(1))
    expect(fresh(one)).toBeUndefined()
  })
  test('nor where it was an earlier one’s', () => {
    const one = seen(TIMED).refreshEnds(SECOND, 3 * SECOND, 'web', reconciled(0))
    expect(fresh(one)).toBeUndefined()
    one.refreshStarts(3 * SECOND, 'web')
    expect(one.known().refreshes.isTimed).toBe(false)
  })
})

describe('what was seen after it', () => {
  const answered = () => {
    const one = history().stream(0).tells(0, reconciled(0)).refresh(0, SECOND, 'web', reconciled(1))
    return one.refresh(2 * SECOND, 3 * SECOND, 'web', reconciled(2))
  }
  const other = (second: number) => {
    const { status, ...rest } = reconciled(second)
    return { ...rest, status: { ...status, sync: { ...status.sync, revision: SHA.b } } }
  }
  test.each<[string, (one: History) => History, 'before' | 'after' | 'unknown']>([
    ['a later request', (one) => one.look(4 * SECOND, 'web', other(2)), 'after'],
    ['a message that was reconciled later', (one) => one.tells(4 * SECOND, other(3)), 'after'],
    ['a message from before', (one) => one.tells(4 * SECOND, other(1)), 'before'],
    ['a message of the same second and revision', (one) => one.tells(4 * SECOND, reconciled(2)), 'after'],
    [
      'a message of the same second and another revision',
      (one) => one.tells(4 * SECOND, other(2)),
      'unknown',
    ],
  ])('%s', (_, happens, age) => {
    const one = happens(answered())
    expect(one.known().age).toBe(age)
    expect(one.known().evidence.refreshed).toBe(age === 'after')
  })
  test('where it is not known, a look is due at once', () => {
    const one = answered().tells(4 * SECOND, other(2))
    expect(one.planned(4 * SECOND, 'look')).toEqual(['look:argocd/web'])
  })
})

describe('a refresh under way', () => {
  const started = () => history().refreshStarts(0, 'web')
  test('that a look shows no trace of after a while is lost', () => {
    const soon = started().look(REFRESH_LOST, 'web', reconciled(0))
    expect(soon.known().refreshes.isUnderWay).toBe(true)
    const late = started().look(REFRESH_LOST + 1, 'web', reconciled(0))
    expect(late.known().refreshes.isUnderWay).toBe(false)
  })
  test('so is one that a list shows no trace of a little later', () => {
    const one = new History({ refresh: 'normal' }, SELECTED).list(0, [reconciled(0)]).refreshStarts(0, 'web')
    one.list(13 * SECOND, [reconciled(0)])
    expect(one.known().refreshes.isUnderWay).toBe(true)
    one.list(14 * SECOND, [reconciled(0)])
    expect(one.known().refreshes.isUnderWay).toBe(false)
  })
  test('is not lost while its annotation is there', () =>
    expect(
      started()
        .look(30 * SECOND, 'web', reconciled(0, ASKED))
        .known().refreshes.isUnderWay,
    ).toBe(true))
  test('is not lost by what a stream shows, which may be behind', () =>
    expect(
      history()
        .stream(0)
        .refreshStarts(0, 'web')
        .tells(30 * SECOND, reconciled(0))
        .known().refreshes.isUnderWay,
    ).toBe(true))
  test('is over when it is answered, or fails', () => {
    expect(started().refreshEnds(0, SECOND, 'web', reconciled(1)).known().refreshes.isUnderWay).toBe(false)
    expect(started().refreshFails(0, SECOND, 'web', new Error('503')).known().refreshes.isUnderWay).toBe(
      false,
    )
  })
})

describe('the branch of a dry source', () => {
  const hydration = (phase: string, dry: string, hydratedSHA: string) => ({
    sourceHydrator: {
      currentOperation: {
        phase,
        drySHA: dry,
        hydratedSHA,
        sourceHydrator: { drySource: DRY, syncSource: SYNC },
      },
      lastSuccessfulOperation: { drySHA: SHA.c, hydratedSHA: SHA.a },
      lastComparedDryRevision: SHA.c,
    },
  })
  const DRY = { repoURL: 'https://git.test/apps.git', path: 'web', targetRevision: 'main' }
  const SYNC = { targetBranch: 'env', path: 'web' }
  const hydrated = (second: number, phase: string, annotations: Record<string, string> = {}): Application =>
    parsed(
      { name: 'web', revision: SHA.a },
      {
        metadata: { annotations },
        spec: { source: undefined, sourceHydrator: { drySource: DRY, syncSource: SYNC } },
        status: {
          reconciledAt: new Date(Date.UTC(2030, 0, 1) + second * SECOND).toISOString(),
          operationState: null,
          sync: {
            comparedTo: { source: { repoURL: DRY.repoURL, path: 'web', targetRevision: 'env' } },
          },
          ...hydration(phase, SHA.c, SHA.a),
        },
      },
    )
  const begin = (phase: string) =>
    new History({ refresh: 'normal', timeout: 600 * SECOND }, BRANCH).look(0, 'web', hydrated(0, phase))
  const revision = (one: History) => one.known().checks.find(({ code }) => code === 'RevisionMismatch')?.state

  test('is where the hydrator found it when no hydration went on', () => {
    const one = begin('Hydrated').refresh(0, SECOND, 'web', hydrated(1, 'Hydrated'))
    one.refresh(2 * SECOND, 3 * SECOND, 'web', hydrated(2, 'Hydrated'))
    expect(revision(one)).toBe('met')
  })
  test('is not where one found it that went on already: it looks for nobody who asks meanwhile', () => {
    const one = begin('Hydrating').refresh(0, SECOND, 'web', hydrated(1, 'Hydrating'))
    const commit = { key: commitKey(0, SHA.a), revision: SHA.a, sourceIndex: undefined }
    const ref = { name: 'web', namespace: 'argocd', project: undefined }
    const question = { kind: 'commit', application: 'argocd/web', ref, commit } as const
    one.brought(SECOND, question, {
      kind: 'commit',
      commit: { message: '', author: undefined, tags: [] },
    })
    expect(one.planned(3 * SECOND, 'refresh')).toEqual([])
    one.refresh(2 * SECOND, 3 * SECOND, 'web', hydrated(2, 'Hydrated'))
    expect(revision(one)).toBe('pending')
    expect(one.planned(4 * SECOND, 'refresh')).toHaveLength(1)
    one.refresh(4 * SECOND, 5 * SECOND, 'web', hydrated(4, 'Hydrated'))
    expect(revision(one)).toBe('met')
  })
  test('is not known before the hydrator has looked, and then it is, whoever asks it to look again', () => {
    const asked = { 'argocd.argoproj.io/hydrate': 'normal' }
    const one = begin('Hydrated').refresh(0, SECOND, 'web', hydrated(1, 'Hydrated', asked))
    one.refresh(2 * SECOND, 3 * SECOND, 'web', hydrated(2, 'Hydrated', asked))
    expect(revision(one)).toBe('pending')
    one.look(4 * SECOND, 'web', hydrated(2, 'Hydrated'))
    expect(revision(one)).toBe('met')
    one.look(5 * SECOND, 'web', hydrated(3, 'Hydrated', asked))
    expect(revision(one)).toBe('met')
  })
})
