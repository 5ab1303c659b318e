/** While it waits, it says why: the executable on a terminal, whose screen is read, and without one, by its log. */

import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { ArgoCDServer, application, type JsonObject } from './argocd/server.ts'
import { connect, type Environment, EXECUTABLE, start, temporaryDirectory, waitFor } from './executable.ts'
import { SHA } from './fixtures.ts'
import { onTerminal, screenOf } from './terminal.ts'

const SIZE = { cols: 80, rows: 24 }
const POD = 'Pod web-6d5f7c9b8-x2x4q is Degraded: back-off 5m0s restarting failed container=web'

let server: ArgoCDServer
beforeEach(async () => {
  server = await ArgoCDServer.start()
})
afterEach(() => server.stop())

const env = (more: Environment = {}): Environment => ({
  ...connect(server, { KPCEA_TIMEOUT: '30', KPCEA_TARGET_REVISION: SHA.a }),
  TERM: 'xterm-256color',
  HOME: temporaryDirectory(),
  ...more,
})

/** Runs on a terminal until its screen shows something, and interrupts it then. */
async function screenWith(shown: RegExp, more: Environment): Promise<readonly string[]> {
  const terminal = onTerminal([EXECUTABLE], env(more), SIZE)
  const screen = () => screenOf(terminal.said(), SIZE)
  await waitFor(() => shown.test(screen().join('\n')))
  const seen = screen()
  terminal.press('\u0003')
  await terminal.ended
  return seen
}

/** The log of a run, up to a line, without times. */
async function logWith(shown: RegExp, more: Environment): Promise<readonly string[]> {
  const { process, said, finished } = start(env(more))
  await waitFor(() => shown.test(said()))
  process.kill()
  await finished
  return said()
    .split('\n')
    .map((line) => line.slice(25))
}

/** An application that is Degraded, and the Pod that is why. */
function broken(name: string, more: JsonObject = {}): void {
  server.apply(
    application({ name, revision: SHA.a }, { status: { health: { status: 'Degraded' }, ...more } }),
  )
  const health = { status: 'Degraded', message: 'back-off 5m0s restarting failed container=web' }
  const pod = { kind: 'Pod', version: 'v1', namespace: 'web', name: 'web-6d5f7c9b8-x2x4q', health }
  server.resourceTree(name, { nodes: [pod] })
}

const retrying = (): JsonObject => ({
  status: {
    operationState: {
      phase: 'Running',
      retryCount: 2,
      finishedAt: undefined,
      message: 'one or more synchronization tasks completed unsuccessfully. Retrying attempt #2 at 2:21AM.',
    },
  },
})

describe('the message of the Pod that is not healthy', () => {
  test('stands under its application, with when it is given up', async () => {
    broken('web')
    const screen = await screenWith(/back-off/, { ARGOCD_APP_NAME: 'web', KPCEA_FAIL_AFTER: '100' })
    const at = screen.findIndex((line) => line.startsWith('✗ argocd/web'))
    expect(screen[at]).toMatch(/Degraded {2}gives up in 1m(?:40|3\d)s NotHealthy$/)
    expect(`${screen[at + 1]} ${screen[at + 2]}`.replace(/\s+/g, ' ').trim()).toBe(POD)
  })
  test('is one line of the log', async () => {
    broken('web')
    const log = await logWith(/back-off[\s\S]*still waiting/, {
      ARGOCD_APP_NAME: 'web',
      KPCEA_FAIL_AFTER: '100',
    })
    expect(log.filter((line) => line.includes('back-off'))).toEqual([`argocd/web: ${POD}`])
    const first =
      'argocd/web: Synced, Degraded; NotHealthy (failing; gives up after 1m40s): health is Degraded'
    expect(log.some((line) => line.startsWith(first))).toBe(true)
    expect(log.find((line) => line.startsWith('still waiting'))).toMatch(/\(gives up in 1m2\ds\)/)
  })
  test('is told of the first few of many that are failing', async () => {
    const names = Array.from({ length: 12 }, (_, i) => `app-${i}`)
    for (const name of names) server.apply(application({ name, revision: SHA.a }))
    broken('app-7')
    const log = await logWith(/back-off/, { ARGOCD_APP_NAME: names.join(',') })
    expect(log).toContain(`argocd/app-7: ${POD}`)
  })
})

test('the retry of Argo CD that is awaited', async () => {
  server.apply(application({ name: 'web', revision: SHA.a }, retrying()))
  const screen = await screenWith(/Retrying/, { ARGOCD_APP_NAME: 'web' })
  expect(screen.some((line) => line.includes('Retrying attempt #2 at 2:21AM'))).toBe(true)
})

test('a soak says how long it has held, and of how long', async () => {
  server.apply(application({ name: 'web', revision: SHA.a }))
  const soak = { ARGOCD_APP_NAME: 'web', KPCEA_STABLE_FOR: '20' }
  const screen = await screenWith(/stable [1-9]\d*s of 20s/, soak)
  expect(screen.find((line) => line.startsWith('✓'))).toMatch(
    /argocd\/web {2}Synced {2}Healthy {2}stable \ds of 20s$/,
  )
  const log = await logWith(/still waiting/, soak)
  expect(log).toContain('argocd/web: Synced, Healthy; as wanted, and to stay so for 20s')
  expect(log.join('\n')).toMatch(/still waiting for what was seen to last \(stable 1[3-6]s of 20s\)/)
}, 40_000)

test('failing applications come first and in the head line, also where another check of theirs is pending', async () => {
  server.apply(application({ name: 'a-waits', revision: SHA.b }))
  server.apply(application({ name: 'b-done', revision: SHA.a }))
  // Out of sync is pending and comes before health in the order of checks.
  broken('c-fails', { sync: { status: 'OutOfSync' } })
  const more = { ARGOCD_APP_NAME: 'a-waits,b-done,c-fails', KPCEA_TIMEOUT: '3' }
  const terminal = onTerminal([EXECUTABLE], env(more), SIZE)
  await waitFor(() => screenOf(terminal.said(), SIZE).join('\n').includes('back-off'))
  const screen = screenOf(terminal.said(), SIZE)
  expect(screen.join('\n')).toMatch(/1 of 3 verified, waited \ds, \ds left; argocd\/c-fails is failing/)
  expect(screen.filter((line) => /^[✗…✓] argocd/.test(line)).map((line) => line.split(/\s+/)[1])).toEqual([
    'argocd/c-fails',
    'argocd/a-waits',
    'argocd/b-done',
  ])
  const summary = screenOf((await terminal.ended).said, SIZE).join('\n')
  expect(summary.replace(/\n/g, '')).toMatch(
    /NOT VERIFIED \(OutOfSync\) after [\d.]+s: c-fails is not verified within 3s: sync status is OutOfSync; health is Degraded/,
  )
  expect([...summary.matchAll(/^(?:no|yes) +argocd\/(\S+)/gm)].map(([, name]) => name)).toEqual([
    'c-fails',
    'a-waits',
    'b-done',
  ])
})

describe('a server that does not answer', () => {
  const web = { ARGOCD_APP_NAME: 'web' }
  /** Seconds from the first line of a log to one that matches. */
  const after = (said: string, pattern: RegExp) => {
    const lines = said.split('\n')
    const time = (line = '') => Date.parse(line.slice(0, 24))
    return (time(lines.find((line) => pattern.test(line))) - time(lines[0])) / 1000
  }

  test('is said to be silent within a second, and for how long', async () => {
    server.fault({}, { kind: 'hang' })
    const { process, said, finished } = start(env(web))
    await waitFor(() => /no answer/.test(said()))
    process.kill()
    await finished
    expect(said()).toContain('warning: no answer from Argo CD for 1s; waiting for it')
    // The machine may be busy; what counts is that nothing else was waited for.
    expect(after(said(), /no answer/)).toBeLessThan(2)
    const screen = await screenWith(/no answer from Argo CD for [2-9]s/, web)
    expect(screen.at(-1)).toMatch(/^! no answer from Argo CD for \ds$/)
  })
  test('also where only a stream was asked for', async () => {
    server.fault({}, { kind: 'hang' })
    const { process, said, finished } = start(env({ ARGOCD_APP_NAME: 'argocd/web,argocd/api' }))
    await waitFor(() => /no answer/.test(said()))
    process.kill()
    await finished
    expect(said()).toContain('no answer from Argo CD for 1s')
    expect(after(said(), /no answer/)).toBeLessThan(2)
  })
  test('also where it has answered before; and that it answers again', async () => {
    server.apply(application({ name: 'web', revision: SHA.b }))
    const polled = { ...web, KPCEA_WATCH: 'false', KPCEA_REFRESH: 'none' }
    const { process, said, finished } = start(env(polled))
    await waitFor(() => /RevisionMismatch/.test(said()))
    const lift = server.fault({}, { kind: 'hang' })
    await waitFor(() => /no answer from Argo CD for 1s/.test(said()))
    lift()
    await waitFor(() => /Argo CD answers again/.test(said()))
    process.kill()
    await finished
  })
})

describe('80×24', () => {
  test('shows everything of fifteen applications, while it waits and at the end', async () => {
    const names = Array.from({ length: 15 }, (_, i) => `application-of-team-${i + 10}`)
    for (const [i, name] of names.entries())
      server.apply(application({ name, revision: i % 3 === 0 ? SHA.b : SHA.a }))
    broken('application-of-team-24')
    broken('application-of-team-23')
    const terminal = onTerminal(
      [EXECUTABLE],
      env({ ARGOCD_APP_NAME: names.join(','), KPCEA_TIMEOUT: '4' }),
      SIZE,
    )
    const screen = () => screenOf(terminal.said(), SIZE)
    await waitFor(
      () =>
        (
          screen()
            .join('\n')
            .match(/back-off/g) ?? []
        ).length === 2,
    )
    const seen = screen()
    expect(seen.length).toBeLessThan(SIZE.rows)
    expect(seen.some((line) => /^8 of 15 verified/.test(line))).toBe(true)
    for (const name of names) expect(seen.some((line) => line.includes(` argocd/${name} `))).toBe(true)
    const ended = screenOf((await terminal.ended).said, SIZE)
    // The prompt takes a row, too.
    expect(ended.length).toBeLessThan(SIZE.rows)
    const text = ended.join('\n')
    expect(text).toContain('NOT VERIFIED (NotHealthy)')
    expect(ended.at(-1)).toStartWith('Next: kubectl -n web describe pod')
    for (const name of names) expect(ended.some((line) => line.includes(`argocd/${name} `))).toBe(true)
  }, 30_000)
})
