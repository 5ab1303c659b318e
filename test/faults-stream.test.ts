/** A stream of changes that fails, in whatever way and at whatever moment, costs no verdict: polls take its place. */

import { describe, expect, test } from 'bun:test'
import { ArgoCDServer, application, type Fault } from './argocd/server.ts'
import { connect, type Environment, type Finished, start, waitFor } from './executable.ts'
import { oneOfFew, suffer, WEB } from './faults.ts'
import { SHA } from './fixtures.ts'

const NAME = { ARGOCD_APP_NAME: 'web' }
const SELECTOR = { ARGOCD_APP_NAME: undefined, KPCEA_SELECTOR: 'team=web' }
const NAMES = { ARGOCD_APP_NAME: 'web,api' }

const html = '<!doctype html><title>Bad gateway</title>'

/** Faults of a stream that last for the whole of a run. */
const FAULTS: Readonly<Record<string, Fault>> = {
  'refused with 400': { kind: 'answer', status: 400 },
  'refused with 401': { kind: 'answer', status: 401 },
  'refused with 403': { kind: 'answer', status: 403, body: { code: 7, message: 'permission denied' } },
  'refused with 404': { kind: 'answer', status: 404, body: 'Not Found' },
  'refused with 429': { kind: 'answer', status: 429, headers: { 'Retry-After': '3600' } },
  'refused with 500': { kind: 'answer', status: 500, body: { code: 13, message: 'no informer' } },
  'refused with a page': { kind: 'answer', status: 502, body: html },
  'answered with a page': {
    kind: 'answer',
    status: 200,
    body: html,
    headers: { 'Content-Type': 'text/html' },
  },
  'answered with nothing': { kind: 'answer', status: 200, headers: { 'Content-Type': 'text/event-stream' } },
  redirected: { kind: 'redirect', location: 'https://sso.example.com/' },
  reset: { kind: 'reset' },
  closed: { kind: 'close' },
  'never answered': { kind: 'hang' },
  'silent from the start': { kind: 'silent' },
  'held back by a proxy': { kind: 'buffer' },
  'held back by a proxy until it is cut': { kind: 'buffer', ms: 300 },
  'no HTTP': { kind: 'garbage', wire: true },
  'no text': { kind: 'garbage' },
  'of the wrong type': { kind: 'content-type', value: 'application/json' },
  'of no type': { kind: 'content-type', value: '' },
  'cut before the first message': { kind: 'cut-stream', messages: 0 },
  'closed before the first message': { kind: 'cut-stream', messages: 0, how: 'close' },
  'reset before the first message': { kind: 'cut-stream', messages: 0, how: 'reset' },
  'ended after a message': { kind: 'cut-stream', messages: 1 },
  'closed after a message': { kind: 'cut-stream', messages: 1, how: 'close' },
  'reset after a message': { kind: 'cut-stream', messages: 1, how: 'reset' },
  'ended inside a message': { kind: 'cut-stream', messages: 1, middle: true },
  'closed inside a message': { kind: 'cut-stream', messages: 1, middle: true, how: 'close' },
  'reset inside a message': { kind: 'cut-stream', messages: 1, middle: true, how: 'reset' },
  'cut by a proxy each 50 ms': { kind: 'cut-stream', ms: 50, how: 'reset' },
  'cut by a proxy each 700 ms': { kind: 'cut-stream', ms: 700 },
  'an error from the start': { kind: 'stream-error' },
  'an error after a message': { kind: 'stream-error', messages: 1 },
  'a huge message': { kind: 'huge', megabytes: 1 },
}

/** Streams that begin and then bring nothing that is whole; they count as alive until they were silent for 40 s. */
const BEGUN_AND_STUCK: Readonly<Record<string, Fault>> = {
  'silent after a message': { kind: 'silent', messages: 1 },
  'headers, then silence': { kind: 'hang-in-body', after: 0 },
  'half a message, then silence': { kind: 'hang-in-body' },
  dripping: { kind: 'drip', ms: 20 },
}

async function serve(fault: Fault): Promise<ArgoCDServer> {
  const server = await ArgoCDServer.start()
  server.fault({ route: 'stream' }, fault)
  // Whatever no application of the run is must make no difference.
  server.apply(application({ name: 'other', revision: SHA.c, labels: { team: 'other' } }))
  return server
}

/** Both applications of a run, at a revision. */
function release(server: ArgoCDServer, revision: string): void {
  for (const name of ['web', 'api']) server.apply(application({ name, revision, labels: { team: 'web' } }))
}

/** Runs while the stream fails; the release arrives once the run knows that it has not, and no refresh brings it. */
async function arriveDuring(server: ArgoCDServer, env: Environment): Promise<Finished> {
  release(server, SHA.b)
  const running = start(connect(server, { ...WEB, KPCEA_REFRESH: 'none', ...env }))
  await waitFor(() => running.said().includes('RevisionMismatch'))
  release(server, SHA.a)
  return running.finished
}

describe.each([
  ['one name', NAME],
  ['several names', NAMES],
  ['a selector', SELECTOR],
])('a release that arrives while the stream of %s is', (_, target) => {
  test.concurrent.each(Object.entries(FAULTS))('%s', (_, fault) =>
    oneOfFew(async () => {
      await using server = await serve(fault)
      const { code, stdout } = await arriveDuring(server, { ...target, KPCEA_TIMEOUT: '40' })
      expect(stdout).toStartWith('VERIFIED')
      expect(code).toBe(0)
      expect(server.requests.some(({ route, fault }) => route === 'stream' && fault !== undefined)).toBe(true)
    }),
  )
})

describe('a release that never arrives while the stream is', () => {
  const some = Object.entries({ ...FAULTS, ...BEGUN_AND_STUCK })
  test.concurrent.each(some)('%s', async (_, fault) => {
    await using server = await serve(fault)
    release(server, SHA.b)
    // Long enough for a busy machine to have its refresh answered: while it is under way, that is what is said.
    const { result, peakMiB } = await suffer(connect(server, { ...WEB, KPCEA_TIMEOUT: '3' }))
    expect(result).toMatchObject({ reason: 'RevisionMismatch', timedOut: true })
    expect(peakMiB).toBeLessThan(200)
    const streams = server.requests.filter(({ route }) => route === 'stream')
    expect(streams.length).toBeLessThanOrEqual(10)
    expect(server.requests.length).toBeLessThanOrEqual(30)
  })
})

describe('a release that was there before the stream is', () => {
  test.concurrent.each(Object.entries({ ...FAULTS, ...BEGUN_AND_STUCK }))('%s', (_, fault) =>
    oneOfFew(async () => {
      await using server = await serve(fault)
      release(server, SHA.a)
      const { code } = await start(connect(server, { ...WEB, KPCEA_TIMEOUT: '40' })).finished
      expect(code).toBe(0)
    }),
  )
})

describe('a release that arrives, with less than 40 s left, while the stream is', () => {
  test.concurrent.each(Object.entries(BEGUN_AND_STUCK))('%s', (_, fault) =>
    oneOfFew(async () => {
      await using server = await serve(fault)
      const { code } = await arriveDuring(server, { ...NAME, KPCEA_TIMEOUT: '6' })
      expect(code).toBe(0)
    }),
  )
})

describe('a stream that', () => {
  /** The first message, as it is on the wire: enough to choose places to cut it. */
  const MESSAGE_BYTES = 2000
  const places = [0, 1, 5, 6, 7, 100, 333, 1000, 1500, MESSAGE_BYTES, 4000]
  const cuts = places.flatMap((after) => [
    ['closed', after, { kind: 'cut', after }] as const,
    ['reset', after, { kind: 'reset-in-body', after }] as const,
  ])

  test.concurrent.each(cuts)('is %s at byte %d: it costs no yes', (_, __, fault) =>
    oneOfFew(async () => {
      await using server = await serve(fault)
      expect((await arriveDuring(server, { ...NAME, KPCEA_TIMEOUT: '40' })).code).toBe(0)
    }),
  )

  test.concurrent.each(cuts)('is %s at byte %d: it makes no yes', async (_, __, fault) => {
    await using server = await serve(fault)
    release(server, SHA.b)
    expect((await suffer(connect(server, WEB))).result.reason).toBe('RevisionMismatch')
  })

  test.concurrent.each([
    ['is cut again and again does not break what has held', { kind: 'cut-stream', ms: 150 }, 0],
    ['is replaced by polls does not either', { kind: 'answer', status: 503 }, 0],
  ] as const)('%s (stable for)', (_, fault, code) =>
    oneOfFew(async () => {
      await using server = await serve(fault)
      release(server, SHA.a)
      const env = { ...WEB, KPCEA_STABLE_FOR: '1', KPCEA_TIMEOUT: '40', KPCEA_OUTPUT: 'json' }
      const finished = await start(connect(server, env)).finished
      expect(finished.code).toBe(code)
      expect(JSON.parse(finished.stdout).durationSeconds).toBeGreaterThanOrEqual(1)
    }),
  )

  test.concurrent.each([
    ['closed', { kind: 'cut-stream', messages: 1, how: 'close' }],
    ['refused', { kind: 'answer', status: 503 }],
    ['an error', { kind: 'stream-error', messages: 1 }],
  ] as const)('was %s is opened again, long before the next poll', (_, fault) =>
    oneOfFew(async () => {
      await using server = await ArgoCDServer.start()
      server.fault({ route: 'stream', times: 2 }, fault)
      release(server, SHA.b)
      // Two minutes until the next poll: nothing but a stream can bring the release in time.
      const env = { ...WEB, KPCEA_INTERVAL: '120', KPCEA_TIMEOUT: '50', KPCEA_REFRESH: 'none' }
      const running = start(connect(server, env))
      await waitFor(() => server.requests.filter(({ route }) => route === 'stream').length > 2)
      release(server, SHA.a)
      expect((await running.finished).code).toBe(0)
    }),
  )

  test.concurrent('is cut at any moment of a run that sees many changes misses none that lasts', () =>
    oneOfFew(async () => {
      await using server = await ArgoCDServer.start()
      release(server, SHA.b)
      const running = start(connect(server, { ...WEB, KPCEA_TIMEOUT: '40' }))
      await waitFor(() => server.refreshes.length === 1)
      for (let i = 0; i < 20; i++) {
        await Bun.sleep(20 + i * 3)
        server.update('web', { status: { health: { status: i % 2 === 0 ? 'Progressing' : 'Healthy' } } })
        server.dropConnections()
      }
      release(server, SHA.a)
      server.dropConnections()
      expect((await running.finished).code).toBe(0)
    }))
})
