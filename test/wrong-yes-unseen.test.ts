/**
 * What a cache, a stream, an answer on its way or an older comparison still tells is no yes: each of these turns bad
 * where the gate has not looked yet, and fails where its rule of docs/verification.md is taken away.
 */

import { describe, expect } from 'bun:test'
import type { ArgoCDServer } from './argocd/server.ts'
import { asked, begin, DEGRADED, LONG_AGO, late, NEW, OLD, PROGRESSING, put, withServer } from './cases.ts'
import { waitFor } from './executable.ts'

describe('several', () => {
  withServer(
    'one that was good before the other was',
    async (server) => {
      put(server, { revision: NEW })
      put(server, { name: 'api', revision: OLD })
      const env = { ARGOCD_APP_NAME: 'web,api', KPCEA_INTERVAL: '60', KPCEA_TIMEOUT: '8' }
      const run = begin(server, env)
      await waitFor(() => run.said().includes('RevisionMismatch') && asked(server, 'stream').length > 0)
      await waitFor(() => asked(server, 'application', 'web').some(({ ended }) => ended === 'complete'))
      server.loseChanges()
      put(server, { revision: OLD })
      put(server, { name: 'api', revision: NEW })
      expect(await run.result()).toMatchObject({ verified: false, reason: 'RevisionMismatch' })
    },
    { keepAliveMs: 500 },
  )

  withServer('one whose answer is from before the other was good', async (server) => {
    put(server, { revision: NEW })
    put(server, { name: 'api', revision: OLD })
    server.fault({ route: 'application', name: 'web' }, late(2500))
    const env = { ARGOCD_APP_NAME: 'argocd/web,argocd/api', KPCEA_WATCH: 'false', KPCEA_TIMEOUT: '8' }
    const run = begin(server, env)
    await waitFor(() => asked(server, 'application', 'web').length > 0)
    put(server, { revision: OLD })
    put(server, { name: 'api', revision: NEW })
    expect(await run.result()).toMatchObject({ verified: false, reason: 'RevisionMismatch' })
  })

  withServer('another one that a selector matches by now, and no stream told of', async (server) => {
    put(server, { revision: OLD })
    server.fault({ route: 'stream', times: 1 }, { kind: 'silent', messages: 2 })
    server.fault({ route: 'applications', after: 1 }, { kind: 'delay', ms: 1000 })
    const run = begin(server, { ARGOCD_APP_NAME: undefined, KPCEA_SELECTOR: 'team=web' })
    await waitFor(() => run.said().includes('RevisionMismatch') && asked(server, 'applications').length > 0)
    put(server, { revision: NEW })
    put(server, { name: 'api', revision: OLD })
    expect(await run.result()).toMatchObject({ verified: false, reason: 'RevisionMismatch' })
  })

  const names = Array.from({ length: 22 }, (_, i) => `web-${String(i).padStart(2, '0')}`)
  const many = names.map((name) => `argocd/${name}`).join(',')
  const silent = (messages: number) => ({ kind: 'silent', messages }) as const
  const fresh: readonly (readonly [string, number | undefined])[] = [
    ['', undefined],
    [', though another stream has begun to tell', 3],
  ]
  for (const [how, messages] of fresh)
    withServer(`one of many that turned bad when the last one turned good${how}`, async (server) => {
      for (const name of names) put(server, { name, revision: name === 'web-05' ? OLD : NEW })
      // One message for each that is there, and one more.
      server.fault({ route: 'stream', times: 1 }, silent(names.length + 1))
      if (messages !== undefined) server.fault({ route: 'stream', times: 1 }, silent(messages))
      const run = begin(server, { ARGOCD_APP_NAME: many })
      await waitFor(() => run.said().includes('21 of 22 applications are as wanted'))
      put(server, { name: 'web-05', revision: NEW })
      put(server, { name: 'web-21', revision: OLD })
      expect(await run.result()).toMatchObject({ verified: false })
      expect(asked(server, 'stream').length).toBeGreaterThan(1)
    })
})

describe('an answer from before it turned bad', () => {
  withServer(
    'to a look, while a stream has told that it is bad',
    async (server) => {
      put(server, { revision: OLD })
      // The first look is answered at once; the next, which is asked beside the stream, is late, and so is its repetition.
      server.fault({ route: 'application', after: 1, times: 3 }, late(4000))
      const run = begin(server, { KPCEA_TIMEOUT: '16' })
      await waitFor(() => run.said().includes('RevisionMismatch') && asked(server, 'stream').length > 0)
      server.loseChanges()
      put(server, { revision: NEW })
      await waitFor(() => asked(server, 'application').length > 1)
      server.loseChanges(false)
      put(server, { revision: NEW }, DEGRADED)
      expect(await run.result()).toMatchObject({ verified: false, reason: 'NotHealthy' })
    },
    { keepAliveMs: 500 },
  )

  withServer(
    'to a refresh, which a cache answers',
    async (server) => {
      put(server, { revision: OLD })
      server.onRefresh = (app) => {
        app.status.sync.revision = NEW
      }
      const env = { KPCEA_REFRESH: 'normal', KPCEA_WATCH: 'false', KPCEA_INTERVAL: '60', KPCEA_TIMEOUT: '8' }
      const run = begin(server, env)
      const annotations = () => Object.keys(server.get('web')?.metadata.annotations ?? {}).join()
      await waitFor(() => server.refreshes.length > 0 && !annotations().includes('refresh'))
      put(server, { revision: NEW }, DEGRADED)
      expect(await run.result()).toMatchObject({ verified: false, reason: 'NotHealthy' })
    },
    { cacheDelayMs: 2500 },
  )

  const images = ['acme/web:1', 'acme/web:2']
  const pod = (tag: number, info: Record<string, string>) => ({
    kind: 'Pod',
    name: `web-${tag}`,
    uid: `web-${tag}`,
    images: [`acme/web:${tag}`],
    health: { status: 'Healthy' },
    info: Object.entries(info).map(([name, value]) => ({ name, value })),
  })
  const runs = { 'Status Reason': 'Running', Containers: '1/1', cpu: '0' }
  const hasEnded = { 'Status Reason': 'Completed', Containers: '0/1' }
  const read = (server: ArgoCDServer) =>
    waitFor(() => asked(server, 'resource-tree').some(({ ended }) => ended === 'complete'))

  withServer('to a question for the tree', async (server) => {
    put(server, { images }, PROGRESSING)
    server.resourceTree('web', { nodes: [pod(1, hasEnded), pod(2, runs)] })
    const run = begin(server, { KPCEA_TARGET_REVISION: undefined, KPCEA_TARGET_IMAGES: 'acme/web:2' })
    await read(server)
    await waitFor(() => run.said().includes('NotHealthy'))
    // The rollout has brought the old image back, and nobody has asked for the tree since.
    server.resourceTree('web', { nodes: [pod(1, runs), pod(2, runs)] })
    put(server, { images })
    expect(await run.result()).toMatchObject({ verified: false, reason: 'ImageMismatch' })
  })

  withServer('to a question for the tree explains nothing of the next operation', async (server) => {
    const broken = (name: string) => ({
      nodes: [
        { ...pod(1, hasEnded), name, uid: name, health: { status: 'Degraded', message: `${name} is ill` } },
      ],
    })
    put(server, { revision: NEW }, DEGRADED)
    server.resourceTree('web', broken('web-1'))
    const run = begin(server)
    await read(server)
    await waitFor(() => run.said().includes('NotHealthy'))
    server.resourceTree('web', broken('web-2'))
    const startedAt = new Date(Date.now() - 2000).toISOString()
    put(server, { revision: NEW }, { status: { ...DEGRADED.status, operationState: { startedAt } } })
    expect(JSON.stringify(await run.result())).toContain('web-2 is ill')
  })
})

describe('where a branch points', () => {
  /** A run to where a branch points, and what it was at in the end: the first refresh has not seen the push. */
  async function follow(server: ArgoCDServer, meanwhile: (said: () => string) => Promise<void>) {
    put(server, { revision: OLD, at: LONG_AGO })
    const env = { KPCEA_TARGET_REVISION: 'main', KPCEA_REFRESH: 'normal', KPCEA_TIMEOUT: '30' }
    const run = begin(server, env)
    await waitFor(() => server.refreshes.length > 0)
    await meanwhile(run.said)
    const result = await run.result()
    expect(result).toMatchObject({ verified: true })
    expect(result.applications[0]?.sync.revisions).toEqual([NEW])
  }

  withServer(
    'by a comparison that somebody else’s refresh has begun, and whose own time it leaves',
    async (server) => {
      server.onRefresh = (app) => {
        if (server.refreshes.length > 1) app.status.sync.revision = NEW
      }
      await follow(server, async () => {
        // Time to see that it is under way.
        await Bun.sleep(1000)
        server.update('web', {
          metadata: { annotations: { 'argocd.argoproj.io/refresh': undefined } },
          status: { reconciledAt: new Date().toISOString() },
        })
      })
    },
    { refreshMs: 4000 },
  )

  withServer(
    'by a refresh that could not read Git, and what Argo CD remembers after it',
    async (server) => {
      server.onRefresh = (app) => {
        const isFirst = server.refreshes.length < 2
        const sync = isFirst ? { status: 'Unknown', revision: 'main' } : { status: 'Synced', revision: NEW }
        app.status.sync = { ...app.status.sync, ...sync } as typeof app.status.sync
        app.status.conditions = isFirst ? [{ type: 'ComparisonError', message: 'no route to Git' }] : []
      }
      await follow(server, async (said) => {
        await waitFor(() => said().includes('no route to Git'))
        put(server, { revision: OLD, at: new Date(Date.now() + 2000) })
      })
    },
    { refreshMs: 1500 },
  )

  withServer('of one that was deleted, while another of its name is older', async (server) => {
    server.onRefresh = (app) => {
      if (server.refreshes.length > 2) app.status.sync.revision = NEW
    }
    await follow(server, async () => {
      put(server, { revision: NEW, at: LONG_AGO }, PROGRESSING)
      // Fresh evidence, which takes two answers at most.
      await waitFor(() => server.refreshes.length > 1)
      await Bun.sleep(1500)
      server.delete('web')
      await Bun.sleep(1000)
      put(server, { revision: OLD })
    })
  })
})
