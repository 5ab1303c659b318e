/** What an operation that failed leaves behind, from one sighting to the next: what counts, and what it asks for. */

import { describe, expect, test } from 'bun:test'
import type { Application } from '../lib/application.ts'
import type { Check } from '../lib/check.ts'
import { momentOf } from '../lib/moment.ts'
import { standOf } from '../lib/needs-syncs.ts'
import type { JsonObject } from './argocd/server.ts'
import { parsed, SHA } from './fixtures.ts'
import { History } from './history.ts'
import { SECOND } from './scene.ts'

const S = SECOND
const at = (second: number) => new Date(Date.UTC(2030, 0, 1) + second * S).toISOString()

const HOOK = { kind: 'Job', name: 'migrate', hookType: 'PostSync', hookPhase: 'Failed' }
const RESOURCE = { kind: 'ConfigMap', name: 'settings', status: 'SyncFailed' }

interface Operation {
  readonly phase: 'Succeeded' | 'Failed'
  readonly revision?: string
  /** When it began, in seconds; it takes one. */
  readonly second: number
  readonly results?: JsonObject[]
  /** Of this one resource only. */
  readonly isPartial?: boolean
  readonly isDryRun?: boolean
}

function after(operation: Operation, health = 'Healthy', status = 'Synced'): Application {
  const { phase, revision = SHA.b, second, results = [], isPartial = false, isDryRun } = operation
  return parsed(
    { name: 'web', revision: SHA.b },
    {
      spec: { syncPolicy: null },
      status: {
        sync: { status },
        health: { status: health },
        reconciledAt: at(second + 5),
        history: [],
        operationState: {
          phase,
          message: 'what came of it',
          startedAt: at(second),
          finishedAt: at(second + 1),
          operation: { sync: { revision, dryRun: isDryRun, resources: isPartial ? [RESOURCE] : undefined } },
          syncResult: { revision, resources: results },
        },
      },
    },
  )
}

/** As a stream brings it. */
function streamed(application: Application): Application {
  const { operationState } = application.status
  if (operationState?.syncResult === undefined) throw new Error('there was no sync')
  const syncResult = { ...operationState.syncResult, resources: undefined }
  return {
    ...application,
    status: { ...application.status, operationState: { ...operationState, syncResult } },
  }
}

const said = (history: History): Check | undefined =>
  history.known().checks.find(({ code }) => code === 'OperationFailed')

const MINUTES = { timeout: 600 * S, failAfter: 120 * S } as const
const failedHook = after({ phase: 'Failed', second: 0, results: [HOOK] })

describe('an operation that is no excuse for the one before it', () => {
  const excused: Operation = { phase: 'Failed', revision: SHA.c, second: 10, results: [RESOURCE] }

  test('is the same at each sighting', () => {
    const history = new History(MINUTES).look(0, 'web', failedHook)
    for (let t = 20; t <= 40; t += 5) history.look(t * S, 'web', after(excused))
    expect(said(history)?.state).toBe('failing')
    expect(history.known().idleLooks).toBeGreaterThan(1)
    expect(history.known().changedAt).toBeLessThan(20 * S)
  })

  test('asks for no more trees than another', () => {
    const history = new History({ ...MINUTES, failAfter: 300 * S })
      .look(0, 'web', failedHook)
      .look(20 * S, 'web', after(excused, 'Progressing'))
    let trees = 0
    for (let t = 21; t <= 41; t++) {
      if (history.planned(t * S, 'tree').length > 0) {
        trees++
        history.tree(t * S + 100, 'web', [], t * S)
      }
      history.look(t * S + 200, 'web', after(excused, 'Progressing'), t * S + 150)
    }
    expect(trees).toBeWithin(2, 4)
    expect(history.known().treeAsOf).toBeGreaterThan(20 * S)
  })

  test('brings no look each interval where --sync is given', () => {
    const policy = { ...MINUTES, watch: true, sync: { id: undefined, prune: undefined, stage: undefined } }
    const history = new History(policy).stream(0).look(0, 'web', failedHook)
    history.look(20 * S, 'web', after(excused)).look(30 * S, 'web', after(excused))
    history.tells(31 * S, streamed(after(excused))).look(32 * S, 'web', after(excused))
    history.tells(33 * S, streamed(after(excused)))
    expect(history.planned(38 * S, 'look')).toEqual([])
  })
})

test('what failed in a hook stays known, though a request and a stream cross that tell of a later sync of some resources', () => {
  const hook = after({ phase: 'Failed', second: 0, revision: SHA.c, results: [HOOK] })
  const partial = after({ phase: 'Succeeded', second: 10, revision: SHA.c, isPartial: true })
  const history = new History({ ...MINUTES, watch: true }).stream(0).look(0, 'web', hook)
  history.tells(20 * S, streamed(partial)).look(21 * S, 'web', partial, 19 * S)
  expect(said(history)).toMatchObject({ state: 'failing', message: expect.stringContaining('migrate') })
})

describe('--sync', () => {
  const policy = { ...MINUTES, sync: { id: undefined, prune: undefined, stage: undefined } }
  const stand = (history: History, now: number) => standOf(history.known(), momentOf(history.knowledge, now))

  test.each([
    ['a sync of some resources', after({ phase: 'Succeeded', second: 10, isPartial: true })],
    ['a dry run', after({ phase: 'Succeeded', second: 10, isDryRun: true })],
    [
      'one that failed elsewhere',
      after({ phase: 'Failed', second: 10, revision: SHA.c, results: [RESOURCE] }),
    ],
  ])('a hook that failed is to be run again, though %s has taken its place', (_, application) => {
    const history = new History(policy).look(0, 'web', failedHook)
    expect(stand(history, 0).kind).toBe('needed')
    history.look(20 * S, 'web', application)
    expect(said(history)?.state).toBe('failing')
    expect(stand(history, 20 * S).kind).toBe('needed')
  })
})

describe('results that nobody can tell any more', () => {
  const unknown = streamed(after({ phase: 'Failed', second: 0, results: [RESOURCE] }))
  const partial = after({ phase: 'Succeeded', second: 10, isPartial: true })
  const beforeHooks = after({ phase: 'Failed', second: 10, revision: SHA.c, results: [RESOURCE] })
  const told = () => new History({ ...MINUTES, watch: true }).stream(0).tells(0, unknown)

  test('are no no while a request may tell them', () => {
    const history = told()
    expect(said(history)?.state).toBe('failing')
    expect(history.planned(0, 'look')).toEqual(['look:argocd/web'])
  })

  test.each([
    ['a sync of some resources', partial],
    ['one that failed elsewhere', beforeHooks],
  ])('are pending where %s has taken their place, and say so', (_, application) => {
    const history = told().look(20 * S, 'web', application)
    for (let t = 25; t <= 200; t += 5) history.look(t * S, 'web', application)
    expect(said(history)).toMatchObject({
      state: 'pending',
      message: expect.stringContaining('nobody can tell any more'),
    })
    expect(history.decide(200 * S)).toBeUndefined()
  })

  test('stay so whatever hides them after that', () => {
    const history = told().look(20 * S, 'web', partial)
    history.look(30 * S, 'web', after({ phase: 'Succeeded', second: 25, isDryRun: true }))
    expect(said(history)?.state).toBe('pending')
  })

  test('that a dry run hides are failing: it makes up for nothing', () => {
    const history = told().look(20 * S, 'web', after({ phase: 'Succeeded', second: 10, isDryRun: true }))
    expect(said(history)?.state).toBe('failing')
  })

  test('do not count once everything has been synced', () => {
    const history = told().look(20 * S, 'web', partial)
    expect(said(history)?.state).toBe('pending')
    history.look(40 * S, 'web', after({ phase: 'Succeeded', second: 30 }))
    expect(said(history)?.state).toBe('met')
  })
})
