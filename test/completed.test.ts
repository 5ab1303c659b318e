/** A streamed Application takes over from a whole one what a stream is not asked for. */

import { describe, expect, test } from 'bun:test'
import { type Application, completed } from '../lib/application.ts'
import { applicationSchema } from '../lib/application-schema.ts'
import { application, type JsonObject, merge } from './argocd/server.ts'
import { SHA } from './fixtures.ts'

const at = new Date('2030-01-01T00:00:00Z')
const FULL = application({ revision: SHA.a, at }) as unknown as JsonObject
const full = (change: JsonObject = {}): Application => applicationSchema.parse(merge(FULL, change))

/** What a stream brings of it. */
function streamed(change: JsonObject = {}): Application {
  const one = structuredClone(merge(FULL, change)) as {
    status: { resources: unknown; operationState: { syncResult: { resources: JsonObject[] } } }
  }
  one.status.resources = null
  const { syncResult } = one.status.operationState
  syncResult.resources = []
  return applicationSchema.parse(one)
}

describe('completed', () => {
  test('the same state is whole again', () => expect(completed(streamed(), full())).toEqual(full()))
  test('without a whole one the results are not known, which is not the same as none', () => {
    const { resources, operationState } = completed(streamed(), undefined).status
    expect(resources).toEqual([])
    expect(operationState?.syncResult?.resources).toBeUndefined()
    expect(operationState?.syncResult?.revision).toBe(SHA.a)
  })

  const results = (one: Application) => one.status.operationState?.syncResult?.resources
  test.each([
    ['another operation', { startedAt: '2030-01-01T00:00:07Z' }],
    ['another attempt', { retryCount: 1 }],
    ['another phase', { phase: 'Running' }],
    ['another end', { finishedAt: '2030-01-01T00:00:08Z' }],
    ['another message', { message: 'failed' }],
  ])('the results of %s are not taken over', (_, change) => {
    const one = streamed({ status: { operationState: change as JsonObject } })
    expect(results(completed(one, full()))).toBeUndefined()
  })
  test.each([
    ['another sync status', { sync: { status: 'OutOfSync' } }],
    ['another revision', { sync: { revision: SHA.b } }],
    ['another health', { health: { status: 'Degraded' } }],
  ])('the resources of %s are not taken over', (_, status) =>
    expect(completed(streamed({ status }), full()).status.resources).toEqual([]),
  )
  test('nothing else is taken over', () => {
    const newer = streamed({ status: { reconciledAt: '2030-01-01T00:01:00Z', conditions: [{ type: 'x' }] } })
    const { resources: _, operationState: __, ...rest } = completed(newer, full()).status
    expect(rest).toEqual((({ resources, operationState, ...own }) => own)(newer.status))
  })
  test('an application that never had an operation', () => {
    const none = streamed()
    const bare = { ...none, status: { ...none.status, operationState: undefined } }
    expect(completed(bare, full()).status.operationState).toBeUndefined()
  })
})
