/** What to try next: the right step, or none. Each case is what a run has seen, and what it says at its end. */

import { describe, expect, test } from 'bun:test'
import { adviceFor } from '../lib/advice.ts'
import { namedIn } from '../lib/label.ts'
import { createResult } from '../lib/result.ts'
import type { Result } from '../lib/result-schema.ts'
import { decide } from '../lib/verdict.ts'
import type { Policy, Target, Wanted } from '../lib/wanted.ts'
import type { ApplicationOptions, JsonObject } from './argocd/server.ts'
import { node, parsed, SHA, wanting } from './fixtures.ts'
import { History } from './history.ts'
import { SELECTED } from './scene.ts'

const DEFAULT_TIMEOUT = 30_000
const SERVER = { origin: 'https://argocd.example.com', rootPath: '', loopback: false }

/** What was seen of applications, and what is wanted of each. */
interface Seen {
  readonly wanted?: Parameters<typeof wanting>[0]
  readonly options?: ApplicationOptions
  readonly change?: JsonObject
  readonly policy?: Partial<Policy>
}

function historyOf(
  { wanted = { revision: SHA.a }, policy }: Seen,
  names = ['web'],
  project?: string,
): History {
  const each: Wanted = wanting(wanted)
  const applications = names.map((name) => ({ name, namespace: 'argocd', wanted: each }))
  const target: Target = { kind: 'names', project, applications }
  return new History({ refresh: 'normal', timeout: DEFAULT_TIMEOUT, ...policy }, target)
}

/** What a run says when its time is over. */
function told(history: History): { readonly result: Result; readonly next: string | undefined } {
  const { knowledge } = history
  const endedAt = knowledge.deadline
  const decision = decide(knowledge, endedAt) ?? { kind: 'timed-out' }
  const outcome = { decision, knowledge, endedAt }
  const now = new Date(0)
  const times = { startedAt: now, finishedAt: now, durationSeconds: 30 }
  const result = createResult({ server: SERVER, outcome, times, mask: (text) => text })
  return { result, next: adviceFor(result, outcome) }
}

function nextOf(seen: Seen, ...more: readonly ((history: History) => void)[]): string | undefined {
  const history = historyOf(seen)
  history.look(0, 'web', parsed({ name: 'web', ...seen.options }, seen.change))
  for (const happen of more) happen(history)
  return told(history).next
}

describe('next', () => {
  test('nothing after a yes', () => expect(nextOf({})).toBeUndefined())

  test('a revision that is not there: what is tracked', () => {
    expect(nextOf({ wanted: { revision: SHA.b } })).toBe(
      'is it in what the application tracks (main of https://git.example.com/deployments.git), and has it been pushed there?',
    )
    const secret = { options: { repoURL: 'https://me:hunter2@git.example.com/a.git' } }
    expect(nextOf({ wanted: { revision: SHA.b }, ...secret })).not.toContain('hunter2')
  })
  test('where no refresh is asked for: the refresh', () =>
    expect(nextOf({ wanted: { revision: SHA.b }, policy: { refresh: 'none' } })).toContain('KPCEA_REFRESH'))
  test('six digits: more of them', () =>
    expect(nextOf({ wanted: { revision: SHA.a.slice(0, 6) } })).toBe(
      'give more of it, if that is meant: --revision a1a1a1a1',
    ))
  test('an overtaken revision: the policy that takes it', () => {
    expect(nextOf({ wanted: { revision: '0'.repeat(40) } })).toContain('--revision-policy at-least')
    expect(nextOf({ wanted: { revision: '0'.repeat(40), revisionPolicy: 'equivalent' } })).toBeUndefined()
  })
  test('a revision that moved on without a sync: the policy that takes it', () => {
    const change = { status: { sync: { revision: SHA.c } } }
    expect(nextOf({ wanted: { revision: SHA.a }, change })).toContain('--revision-policy equivalent')
  })
  test('one look at a branch: some time, or a commit', () =>
    expect(nextOf({ wanted: { revision: 'main' }, policy: { timeout: 0 } })).toStartWith(
      'one look (KPCEA_TIMEOUT=0) asks for no refresh, which a branch needs',
    ))
  test('a branch whose refresh has not come: more time, and not another branch', () =>
    expect(nextOf({ wanted: { revision: 'main' } })).toBe(
      'it takes a refresh: try a longer KPCEA_TIMEOUT than 30s, which is the default',
    ))

  test('an image of another registry: the one that runs', () => {
    const wanted = { images: ['ghcr.io/web:1.0.0'] }
    expect(nextOf({ wanted })).toBe('did you mean --image registry.example.com/web:1.0.0?')
  })
  test('an image that does not run, and nothing is under way: the manifests', () => {
    const wanted = { images: ['registry.example.com/web:2.0.0'] }
    expect(nextOf({ wanted, policy: { timeout: 60_000 } })).toStartWith(
      'do the manifests of the application name it?',
    )
    expect(nextOf({ wanted, change: { status: { health: { status: 'Progressing' } } } })).toBe(
      'it was still under way: try a longer KPCEA_TIMEOUT than 30s, which is the default',
    )
  })

  test.each([
    [0, 'a KPCEA_TIMEOUT (it was 0: one look)'],
    [DEFAULT_TIMEOUT, 'a longer KPCEA_TIMEOUT than 30s, which is the default'],
    [60_000, 'a longer KPCEA_TIMEOUT'],
  ])('progressing, with a timeout of %p ms: more of it', (timeout, time) => {
    const change = { status: { health: { status: 'Progressing' } } }
    expect(nextOf({ change, policy: { timeout } })).toBe(`it was still under way: try ${time}`)
  })

  const hook = {
    group: 'batch',
    version: 'v1',
    kind: 'Job',
    namespace: 'web',
    name: 'smoke',
    status: '',
    message: 'failed',
    hookType: 'PostSync',
    hookPhase: 'Failed',
  }
  const syncResult = { resources: [hook], revision: SHA.a }
  test('an operation that retries: no longer timeout, since Argo CD tries by itself', () => {
    const operationState = { phase: 'Running', retryCount: 2, finishedAt: undefined, syncResult }
    expect(nextOf({ change: { status: { operationState } } })).toBe(
      'kubectl -n web logs job/smoke says why, while it is there; mend it, and Argo CD tries again by itself',
    )
  })
  test('an operation that failed: its hook, and a sync', () =>
    expect(nextOf({ change: { status: { operationState: { phase: 'Failed', syncResult } } } })).toBe(
      'kubectl -n web logs job/smoke says why, while it is there; mend it, and then argocd app sync web',
    ))
  test('degraded: its Pod', () => {
    const change = { status: { health: { status: 'Degraded' } } }
    const pod = (name: string) =>
      node({
        kind: 'Pod',
        namespace: 'web',
        name,
        health: { status: 'Degraded', message: 'back-off' },
      })
    expect(nextOf({ change }, (history) => history.tree(1, 'web', [pod('web-1')]))).toBe(
      'kubectl -n web describe pod web-1, or its log, says more',
    )
    // What a shell would run is not offered to one.
    expect(nextOf({ change }, (history) => history.tree(1, 'web', [pod('$(id)')]))).toBeUndefined()
  })
  test('out of sync: does it sync, and more time only where that may help', () => {
    const change = { status: { sync: { status: 'OutOfSync' } } }
    expect(nextOf({ change })).toContain('argocd app sync web, or a longer KPCEA_TIMEOUT')
    const gaveUp = { status: { ...change.status, conditions: [{ type: 'SyncError', message: 'no' }] } }
    expect(nextOf({ change: gaveUp })).not.toContain('KPCEA_TIMEOUT')
  })
  test('synced from local manifests: a sync from Git', () => {
    const operation = { sync: { manifests: ['{}'] } }
    expect(nextOf({ change: { status: { operationState: { operation } } } })).toBe('argocd app sync web')
  })
  test('the failing check of an application, though another one names the verdict', () => {
    const change = { status: { sync: { status: 'OutOfSync' }, health: { status: 'Degraded' } } }
    const pod = node({
      kind: 'Pod',
      namespace: 'web',
      name: 'web-1',
      health: { status: 'Degraded', message: 'x' },
    })
    expect(nextOf({ change }, (history) => history.tree(1, 'web', [pod]))).toContain('describe pod web-1')
  })
  test('interrupted: nothing', () => {
    const history = historyOf({ wanted: { revision: SHA.b } })
    history.look(0, 'web', parsed({ name: 'web' }))
    const outcome = { decision: { kind: 'interrupted' }, knowledge: history.knowledge, endedAt: 1 } as const
    const now = new Date(0)
    const times = { startedAt: now, finishedAt: now, durationSeconds: 1 }
    const result = createResult({ server: SERVER, outcome, times, mask: (text) => text })
    expect(result.reason).toBe('Interrupted')
    expect(adviceFor(result, outcome)).toBeUndefined()
  })
})

describe('what cannot be seen', () => {
  const ref = (name: string, namespace = 'argocd') => ({ name, namespace, project: undefined })
  const missing = (visible: readonly ReturnType<typeof ref>[] | undefined, project?: string) => {
    const history = historyOf({}, ['web'], project).look(0, 'web', undefined)
    if (visible !== undefined) history.brought(1, { kind: 'overview' }, { kind: 'overview', refs: visible })
    const { result, next } = told(history)
    return { message: result.message, next }
  }
  test.each([
    [[], 'this account sees no application at all', 'applications, get, PROJECT/argocd/web, allow'],
    [[ref('web', 'team')], 'one of that name is in namespace team', 'did you mean --app team/web?'],
    [[ref('wbe')], 'it sees wbe', 'did you mean --app argocd/wbe?'],
    [
      ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => ref(`${name}-long-name`)),
      'it sees a-long-name, b-long-name, c-long-name, d-long-name and 2 more',
      "argocd account can-i get applications 'PROJECT/argocd/web'",
    ],
    [
      undefined,
      'does not exist, or this account may not see it',
      "can-i get applications 'PROJECT/argocd/web'",
    ],
  ])('%j', (visible, found, step) => {
    const { message, next } = missing(visible)
    expect(message).toContain(found)
    expect(next).toContain(step)
  })
  test('an account that is narrowed to a project is not asked about all of them', () => {
    expect(missing([ref('other')], 'team').next).toContain("'team/argocd/web'")
    expect(missing([ref('other')], undefined).next).not.toContain('*')
    const { message, next } = missing([ref('web')], 'team')
    expect(message).toContain('one of that name is in another project than team')
    expect(next).toContain('--project')
  })
  test('a selector', () => {
    const history = new History({ timeout: DEFAULT_TIMEOUT }, SELECTED).list(0, [])
    history.brought(1, { kind: 'overview' }, { kind: 'overview', refs: [ref('web'), ref('api')] })
    const { result, next } = told(history)
    expect(result.message).toContain('this account sees api, web')
    expect(next).toBe("check the labels: argocd app list -l 'a=b'")
  })

  test('the names are asked for once, before the end, and only where something is not seen', () => {
    const history = historyOf({}, ['web', 'api'])
    history.look(0, 'web', parsed({ name: 'web' }))
    expect(history.planned(29_000, 'overview')).toEqual([])
    history.look(0, 'api', undefined)
    expect(history.planned(1000, 'overview')).toEqual([])
    expect(history.planned(29_000, 'overview')).toEqual(['overview'])
    const failed = historyOf({})
      .look(0, 'web', undefined)
      .ended(29_000, { kind: 'overview' }, new Error('no'))
    expect(failed.planned(29_500, 'overview')).toEqual([])
    history.brought(29_000, { kind: 'overview' }, { kind: 'overview', refs: [] })
    expect(history.planned(29_500, 'overview')).toEqual([])
    const oneLook = historyOf({ policy: { timeout: 0 } }).look(0, 'web', undefined)
    expect(oneLook.planned(0, 'overview')).toEqual(['overview'])
  })
})

test('the application that a no is about is found by its sentence, namespaces told apart', () => {
  const one = (name: string, namespace: string, verified = false) => ({ name, namespace, verified })
  const applications = [one('my-web', 'a'), one('web', 'a'), one('web', 'b'), one('ok', 'a', true)]
  const named = (message: string) => namedIn({ message, applications })
  expect(named('b/web is not verified within 3s: x')).toBe(applications[2])
  expect(named('my-web is not verified: x')).toBe(applications[0])
  expect(named('interrupted before there was a verdict; a/web is not verified: x')).toBe(applications[1])
  expect(named('not verified within 3s: Argo CD did not answer')).toBeUndefined()
})

test('the verdict names all that was verified, with whole revisions', () => {
  const message = (seen: Seen, names = ['web']) => {
    const history = historyOf(seen, names)
    for (const name of names) history.look(0, name, parsed({ name, ...seen.options }), 0)
    const outcome = { decision: { kind: 'verified' }, knowledge: history.knowledge, endedAt: 1 } as const
    const now = new Date(0)
    const times = { startedAt: now, finishedAt: now, durationSeconds: 1 }
    return createResult({ server: SERVER, outcome, times, mask: (text) => text }).message
  }
  const images = ['registry.example.com/web:1.0.0']
  expect(message({ wanted: { images } })).toBe(
    `web is verified: Synced and Healthy at ${SHA.a}; running ${images[0]}`,
  )
  expect(message({ wanted: { revision: SHA.a.slice(0, 7) }, policy: { stableFor: 0 } })).toBe(
    `web is verified: Synced and Healthy at ${SHA.a}`,
  )
  expect(message({ wanted: { revision: SHA.a } }, ['web', 'api'])).toBe(
    `all 2 applications are verified: argocd/web, argocd/api; revision ${SHA.a}`,
  )
})
