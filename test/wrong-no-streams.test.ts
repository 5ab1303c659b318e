/**
 * Where a stream keeps something to itself, or tells of it late: what a gate then says no to, or says late. Each of
 * these fails where its rule of docs/verification.md is taken away.
 */

import { describe, expect } from 'bun:test'
import { asked, begin, DEGRADED, late, NEW, OLD, PROGRESSING, put, withServer } from './cases.ts'
import { waitFor } from './executable.ts'

const SELECTING = { ARGOCD_APP_NAME: undefined, KPCEA_SELECTOR: 'team=web' }

describe('a stream', () => {
  withServer('that is opened again does not tell of it either', async (server) => {
    put(server, { revision: NEW })
    put(server, { name: 'api', revision: OLD })
    const run = begin(server, { ...SELECTING, KPCEA_INTERVAL: '60', KPCEA_TIMEOUT: '50' })
    await waitFor(() => run.said().includes('RevisionMismatch'))
    put(server, { name: 'api', revision: OLD, labels: { team: 'db' } })
    server.dropConnections()
    const droppedAt = Date.now()
    expect(await run.result()).toMatchObject({ verified: true })
    // Before a look at it, of which that stream does not tell, throws suspicion on the stream.
    expect(Date.now() - droppedAt).toBeLessThan(6000)
  })

  withServer('that does not tell of one of several: it is asked for', async (server) => {
    put(server, { revision: NEW })
    put(server, { name: 'api', revision: NEW })
    server.fault({ route: 'stream', times: 1 }, { kind: 'silent', messages: 1 })
    const run = begin(server, { ARGOCD_APP_NAME: 'argocd/web,argocd/api', KPCEA_TIMEOUT: '40' })
    const result = await run.result()
    expect(result).toMatchObject({ verified: true })
    expect(result.durationSeconds).toBeLessThan(28)
  })

  withServer(
    'that something holds back: polls take its place, and it is seldom tried again',
    async (server) => {
      put(server, { revision: OLD })
      // Its headers come, and nothing after them.
      server.fault({ route: 'stream' }, { kind: 'hang-in-body', after: 0 })
      const run = begin(server, { KPCEA_TIMEOUT: '50' })
      await waitFor(() => asked(server, 'application').length > 5)
      expect(asked(server, 'stream')).toHaveLength(1)
      put(server, { revision: NEW })
      expect(await run.result()).toMatchObject({ verified: true })
    },
  )

  withServer('that contradicts a look: another look decides at once', async (server) => {
    put(server, { revision: OLD })
    server.fault({ route: 'application', after: 1, times: 1 }, late(900))
    const run = begin(server, { KPCEA_TIMEOUT: '40' })
    await waitFor(() => asked(server, 'application').length > 1)
    put(server, { revision: NEW })
    expect(await run.result()).toMatchObject({ verified: true })
    const [, second, third] = asked(server, 'application')
    expect((third?.at ?? 0) - (second?.at ?? 0)).toBeLessThan(3500)
  })

  withServer(
    'that contradicts the answer to a refresh: a look decides at once',
    async (server) => {
      put(server, { revision: OLD })
      server.fault({ refresh: true, times: 1 }, late(1500))
      const run = begin(server, { KPCEA_REFRESH: 'normal', KPCEA_STABLE_FOR: '4', KPCEA_TIMEOUT: '40' })
      // The next look beside the stream would come ten seconds later.
      await waitFor(
        () => asked(server, 'application').filter(({ query }) => !query.has('refresh')).length > 1,
      )
      server.startController()
      await waitFor(
        () => server.get('web')?.metadata.annotations?.['argocd.argoproj.io/refresh'] === undefined,
      )
      const doneAt = Date.now()
      put(server, { revision: NEW })
      expect(await run.result()).toMatchObject({ verified: true })
      const next = asked(server, 'application').find(({ at, query }) => !query.has('refresh') && at > doneAt)
      expect((next?.at ?? Number.POSITIVE_INFINITY) - doneAt).toBeLessThan(4000)
    },
    { controller: 'stopped' },
  )

  withServer('does not tell that no hook has failed: a look does, at once', async (server) => {
    put(server, { revision: NEW }, PROGRESSING)
    const run = begin(server, { KPCEA_TIMEOUT: '40' })
    // The next look beside the stream would come ten seconds later.
    await waitFor(() => asked(server, 'application').length > 1)
    await waitFor(() => asked(server, 'application').every(({ ended }) => ended === 'complete'))
    await Bun.sleep(200)
    const at = (second: number) => new Date(Date.now() + 1000 * (second - 10)).toISOString()
    const operationState = {
      phase: 'Failed',
      startedAt: at(0),
      finishedAt: at(1),
      syncResult: { revision: OLD, resources: [{ kind: 'Service', name: 'web', status: 'SyncFailed' }] },
    }
    const changedAt = Date.now()
    put(server, { revision: NEW }, { status: { operationState } })
    expect(await run.result()).toMatchObject({ verified: true })
    const third = asked(server, 'application')[2]
    expect((third?.at ?? 0) - changedAt).toBeLessThan(8000)
  })

  withServer('alone tells of a failed sync, and nobody knows whether it was of a hook', async (server) => {
    put(server, { revision: NEW }, PROGRESSING)
    server.fault({ route: 'application', after: 1 }, { kind: 'hang' })
    const run = begin(server, { KPCEA_TIMEOUT: '6' })
    await waitFor(() => run.said().includes('NotHealthy') && asked(server, 'stream').length > 0)
    const resources = [{ kind: 'Service', name: 'web', status: 'SyncFailed' }]
    const operationState = { phase: 'Failed', startedAt: new Date().toISOString() }
    const syncResult = { revision: OLD, resources }
    put(server, { revision: NEW }, { status: { operationState: { ...operationState, syncResult } } })
    const result = await run.result()
    expect(result).toMatchObject({ verified: false, reason: 'OperationFailed' })
    expect(result.message).toContain('whether that was one of its hooks is not known yet')
  })
})

describe('a selector', () => {
  withServer('of which one is created while what matches is being listed', async (server) => {
    put(server, { revision: NEW })
    // Answers are usually late, so that nothing is asked again elsewhere.
    for (const route of ['application', 'applications'] as const)
      server.fault({ route, times: 1 }, { kind: 'delay', ms: 900 })
    server.fault({ route: 'applications', times: 1 }, late(2500))
    const run = begin(server, { ...SELECTING, KPCEA_SELECTOR_MIN: '2', KPCEA_TIMEOUT: '40' })
    await waitFor(() => asked(server, 'applications').length > 1)
    put(server, { name: 'api', revision: NEW })
    const result = await run.result()
    expect(result).toMatchObject({ verified: true })
    // Long before what matches is listed anyhow.
    expect(result.durationSeconds).toBeLessThan(25)
  })

  withServer('that one does not match any more when its time has come', async (server) => {
    put(server, { revision: NEW })
    put(server, { name: 'api', revision: NEW }, DEGRADED)
    server.fault({ route: 'applications', after: 1 }, { kind: 'delay', ms: 1000 })
    const run = begin(server, { ...SELECTING, KPCEA_FAIL_AFTER: '5', KPCEA_TIMEOUT: '30' })
    await waitFor(() => run.said().includes('Degraded') && asked(server, 'applications').length > 0)
    put(server, { name: 'api', revision: NEW, labels: { team: 'db' } }, DEGRADED)
    expect(await run.result()).toMatchObject({ verified: true })
  })
})

describe('fail after', () => {
  withServer(
    'has passed, and only the stream still says so',
    async (server) => {
      put(server, { revision: NEW }, DEGRADED)
      server.fault({ route: 'application', after: 1 }, { kind: 'delay', ms: 1500 })
      const run = begin(server, { KPCEA_FAIL_AFTER: '4', KPCEA_TIMEOUT: '30' })
      await waitFor(() => run.said().includes('Degraded') && asked(server, 'stream').length > 0)
      await Bun.sleep(500)
      server.loseChanges()
      put(server, { revision: NEW })
      expect(await run.result()).toMatchObject({ verified: true })
    },
    { keepAliveMs: 300 },
  )

  withServer('has passed, and a look that is late says so, and a stream does not', async (server) => {
    put(server, { revision: NEW }, PROGRESSING)
    server.fault({ route: 'application', after: 1, times: 3 }, late(3000))
    const run = begin(server, { KPCEA_FAIL_AFTER: '0', KPCEA_TIMEOUT: '30' })
    await waitFor(() => run.said().includes('Progressing'))
    await waitFor(() => asked(server, 'stream').some(({ bytesSent }) => bytesSent > 0))
    put(server, { revision: NEW }, DEGRADED)
    await waitFor(() => asked(server, 'application').length > 1)
    put(server, { revision: NEW })
    expect(await run.result()).toMatchObject({ verified: true })
  })
})
