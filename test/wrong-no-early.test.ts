/**
 * A no that comes too early, or not before the timeout, and a gate that asks too often: each of these fails where its
 * rule of docs/verification.md is taken away.
 */

import { describe, expect } from 'bun:test'
import type { ArgoCDServer } from './argocd/server.ts'
import { asked, begin, DEGRADED, LONG_AGO, NEW, OLD, PROGRESSING, put, withServer } from './cases.ts'
import { waitFor } from './executable.ts'
import { SHA } from './fixtures.ts'

const REFRESH = 'argocd.argoproj.io/refresh'

/** A Pod that cannot start, or has. */
const pod = (status: string) => ({
  kind: 'Pod',
  name: 'web-1',
  uid: 'pod',
  createdAt: new Date().toISOString(),
  health: { status, message: 'Back-off pulling image' },
  info: [{ name: 'Containers', value: '0/1' }],
})

const trees = (server: ArgoCDServer) => asked(server, 'resource-tree')

describe('what is failing', () => {
  withServer('goes on failing though Git cannot be read now and then', async (server) => {
    put(server, { revision: NEW }, DEGRADED)
    const run = begin(server, { KPCEA_FAIL_AFTER: '4', KPCEA_TIMEOUT: '20' })
    let isOver = false
    const result = run.result().finally(() => {
      isOver = true
    })
    const conditions = [{ type: 'ComparisonError', message: 'no route to Git' }]
    const unknown = { sync: { status: 'Unknown', revision: 'main' }, conditions }
    while (!isOver) {
      await Bun.sleep(700)
      put(server, { revision: NEW }, { status: { ...DEGRADED.status, ...unknown } })
      await Bun.sleep(700)
      put(server, { revision: NEW }, DEGRADED)
    }
    expect(await result).toMatchObject({ verified: false, timedOut: false })
  })

  withServer(
    'is another application, once it was deleted and created anew between two polls',
    async (server) => {
      put(server, { revision: NEW }, DEGRADED)
      const run = begin(server, { KPCEA_FAIL_AFTER: '4', KPCEA_WATCH: 'false', KPCEA_TIMEOUT: '30' })
      await waitFor(() => asked(server, 'application', 'web').some(({ ended }) => ended === 'complete'))
      await Bun.sleep(2500)
      server.delete('web')
      put(server, { revision: NEW }, DEGRADED)
      const replacedAt = Date.now()
      expect(await run.result()).toMatchObject({ verified: false, reason: 'NotHealthy', timedOut: false })
      expect(Date.now() - replacedAt).toBeGreaterThan(4000)
    },
  )

  withServer('by its tree, and no longer when fail-after has passed', async (server) => {
    put(server, { revision: NEW }, PROGRESSING)
    server.resourceTree('web', { nodes: [pod('Degraded')] })
    server.fault({ route: 'resource-tree', after: 1 }, { kind: 'delay', ms: 1500 })
    const run = begin(server, { KPCEA_FAIL_AFTER: '4', KPCEA_TIMEOUT: '30' })
    await waitFor(() => trees(server).some(({ ended }) => ended === 'complete'))
    server.resourceTree('web', { nodes: [pod('Healthy')] })
    await waitFor(() => trees(server).filter(({ ended }) => ended === 'complete').length > 1)
    await Bun.sleep(500)
    put(server, { revision: NEW })
    expect(await run.result()).toMatchObject({ verified: true })
  })

  withServer(
    'of a dry source’s branch, while the hydrator has not looked where that points',
    async (server) => {
      put(server, { revision: OLD, drySHA: SHA.c, at: LONG_AGO }, DEGRADED)
      const env = { KPCEA_TARGET_REVISION: 'main', KPCEA_REFRESH: 'normal', KPCEA_FAIL_AFTER: '0' }
      const run = begin(server, { ...env, KPCEA_TIMEOUT: '30' })
      await waitFor(() => server.refreshes.length > 0)
      // Time to see that it is under way; then the application is compared, and the hydrator is not done.
      await Bun.sleep(1500)
      server.update('web', {
        metadata: { annotations: { [REFRESH]: undefined, [`${REFRESH}-timestamp`]: undefined } },
        status: { reconciledAt: new Date().toISOString() },
      })
      await Bun.sleep(2500)
      put(server, { revision: NEW, drySHA: SHA.d, at: new Date(Date.now() + 10_000) })
      const result = await run.result()
      expect(result).toMatchObject({ verified: true })
      expect(result.applications[0]?.sync.revisions).toEqual([NEW])
    },
    { refreshMs: 15_000 },
  )

  withServer('is no refusal, where it is a commit that Argo CD refuses to tell of', async (server) => {
    put(server, { revision: NEW })
    server.commit(NEW, { message: 'm', tags: ['v1'] })
    server.fault({ route: 'metadata', times: 6 }, { kind: 'answer', status: 401 })
    const run = begin(server, { KPCEA_TARGET_REVISION: 'v1', KPCEA_INTERVAL: '30', KPCEA_TIMEOUT: '50' })
    expect(await run.result()).toMatchObject({ verified: true })
  })
})

describe('a refresh', () => {
  withServer('that hangs, and of which the application shows nothing, is asked for again', async (server) => {
    put(server, { revision: OLD })
    server.fault({ refresh: true, times: 1 }, { kind: 'hang' })
    server.onRefresh = (app) => {
      app.status.sync.revision = NEW
    }
    const run = begin(server, { KPCEA_REFRESH: 'normal', KPCEA_TIMEOUT: '50' })
    expect(await run.result()).toMatchObject({ verified: true })
  })

  withServer(
    'is not asked for while somebody else’s is under way',
    async (server) => {
      put(server, { revision: OLD, annotations: { [REFRESH]: 'normal' } })
      const run = begin(server, { KPCEA_REFRESH: 'normal', KPCEA_TIMEOUT: '4' })
      expect(await run.result()).toMatchObject({ verified: false, timedOut: true })
      expect(server.refreshes).toHaveLength(0)
    },
    { controller: 'stopped' },
  )
})

describe('stable for', () => {
  withServer('does not count what nobody could see', async (server) => {
    put(server, { revision: NEW })
    const env = { KPCEA_STABLE_FOR: '4', KPCEA_INTERVAL: '200ms', KPCEA_WATCH: 'false' }
    const run = begin(server, { ...env, KPCEA_TIMEOUT: '40' })
    await waitFor(() => run.said().includes('as wanted'))
    await server.pause()
    server.dropConnections()
    await Bun.sleep(6000)
    const seenAgain = Date.now()
    await server.resume()
    expect(await run.result()).toMatchObject({ verified: true })
    expect(Date.now() - seenAgain).toBeGreaterThanOrEqual(3900)
  })

  withServer(
    'is looked at meanwhile: a stream may have lost a break',
    async (server) => {
      put(server, { revision: NEW })
      const run = begin(server, { KPCEA_STABLE_FOR: '45', KPCEA_TIMEOUT: '50' })
      await waitFor(() => run.said().includes('as wanted') && asked(server, 'stream').length > 0)
      server.loseChanges()
      put(server, { revision: NEW }, PROGRESSING)
      await waitFor(() => run.said().includes('NotHealthy'))
      run.interrupt()
      expect(await run.result()).toMatchObject({ verified: false, reason: 'Interrupted' })
    },
    { keepAliveMs: 500 },
  )
})

describe('no more is asked than helps', () => {
  withServer('a tree, no more often than each ten seconds', async (server) => {
    put(server, { revision: NEW }, PROGRESSING)
    const run = begin(server)
    expect(await run.result()).toMatchObject({ verified: false, reason: 'NotHealthy' })
    expect(trees(server).length).toBeGreaterThan(0)
    expect(trees(server).length).toBeLessThan(3)
  })

  withServer('the trees of twenty applications in ten seconds', async (server) => {
    const names = Array.from({ length: 60 }, (_, i) => `web-${i}`)
    for (const name of names) put(server, { name, revision: NEW }, PROGRESSING)
    const run = begin(server, { ARGOCD_APP_NAME: undefined, KPCEA_SELECTOR: 'team=web' })
    expect(await run.result()).toMatchObject({ verified: false, reason: 'NotHealthy' })
    const read = new Set(trees(server).map(({ name }) => name))
    expect(read.size).toBeGreaterThanOrEqual(20)
    // And of the first few that explain the no.
    expect(read.size).toBeLessThanOrEqual(25)
  })

  withServer('a server that fails, after a pause', async (server) => {
    server.fault({}, { kind: 'answer', status: 500 })
    const run = begin(server, { KPCEA_WATCH: 'false', KPCEA_TIMEOUT: '4' })
    expect(await run.result()).toMatchObject({ verified: false, timedOut: true })
    expect(server.requests.length).toBeGreaterThan(2)
    expect(server.requests.length).toBeLessThan(40)
  })
})
