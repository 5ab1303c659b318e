/** What people and machines are shown: summaries, logs, the live view, GitHub's summary. Pure, so no process runs. */

import { describe, expect, test } from 'bun:test'
import { RequestFailure } from '../lib/failure.ts'
import { type Follower, LiveFollower, LogFollower } from '../lib/followers.ts'
import { formatAnnotation, formatJobSummary } from '../lib/github.ts'
import { eraseLines, renderLive } from '../lib/live.ts'
import { cutBytes, formatResult, formatTerminationMessage, MOST_IN_FULL, plain } from '../lib/report.ts'
import { createReading, createResult } from '../lib/result.ts'
import { type ApplicationResult, type Result, resultJsonSchema, resultSchema } from '../lib/result-schema.ts'
import { forPeople } from '../lib/shown.ts'
import { NO_SYNCING } from '../lib/syncs.ts'
import type { JsonObject } from './argocd/server.ts'
import { FakeClock } from './fake-clock.ts'
import { parsed, SHA, wanting } from './fixtures.ts'
import { allShown, gate, gateWith, shown } from './gate.ts'
import { History } from './history.ts'
import { named } from './scene.ts'
import { rowsOf } from './terminal.ts'

const applicationResult = (name: string, verified: boolean): ApplicationResult => ({
  name,
  namespace: 'argocd',
  project: 'default',
  verified,
  reason: verified ? 'Verified' : 'NotHealthy',
  message: verified ? 'Synced and Healthy' : 'health is Degraded | not Healthy',
  url: `https://argocd.example.com/applications/argocd/${name}`,
  sync: { status: 'Synced', revisions: [SHA.a] },
  health: { status: verified ? 'Healthy' : 'Degraded', message: null },
  operation: { phase: 'Succeeded', message: null, finishedAt: null },
  images: [],
  checks: [
    { code: 'NotHealthy', state: verified ? 'met' : 'failing', message: 'health is Degraded | not Healthy' },
  ],
  unhealthyResources: verified
    ? []
    : [
        {
          group: '',
          kind: 'Pod',
          namespace: 'web',
          name: 'web-1',
          health: 'Degraded',
          status: '',
          message: 'back-off',
        },
      ],
})

function result(applications: readonly ApplicationResult[]): Result {
  const verified = applications.every((one) => one.verified)
  return resultSchema.parse({
    schemaVersion: 1,
    verified,
    reason: verified ? 'Verified' : 'NotHealthy',
    message: verified ? 'all are verified' : 'web is not verified',
    timedOut: false,
    startedAt: '2030-01-01T00:00:00.000Z',
    finishedAt: '2030-01-01T00:00:10.000Z',
    durationSeconds: 10,
    server: 'https://argocd.example.com',
    applications,
  })
}

describe('the summary', () => {
  test('begins with the verdict, and names cause, resources and link', () => {
    const [first = '', ...rest] = formatResult(
      allShown(result([applicationResult('web', false)])),
      plain,
      shown('do this'),
    ).split('\n')
    expect(first).toStartWith('NOT VERIFIED (NotHealthy) after 10s: web is not verified')
    expect(rest.join('\n')).toMatch(
      /NotHealthy: health[\s\S]*Pod web-1 +Degraded +back-off[\s\S]*https:[\s\S]*Next: do this/,
    )
  })
  test.each([2, 15, 16, 40])(
    'of %i that are verified, one of which was synced, is all that there is to say',
    (count) => {
      const names = Array.from({ length: count }, (_, i) => `app-${i}`)
      const history = new History({}, named(...names))
      for (const name of names) history.look(0, name, parsed({ name, revision: SHA.b }))
      const { knowledge } = history
      const applications = new Map(knowledge.applications)
      const own = {
        id: 'p-1',
        isAdopted: false,
        revisions: [SHA.b],
        since: 0,
        historyId: 0,
        isFollowed: false,
      }
      const ended = { phase: 'Succeeded', startedAt: '2030-01-01T00:00:00Z', finishedAt: undefined }
      const syncing = { ...NO_SYNCING, own: { ...own, ...ended, message: undefined, endedAt: 0 } }
      const synced = history.known('app-1')
      applications.set(synced.key, { ...synced, syncing })
      const outcome = {
        decision: { kind: 'verified' },
        knowledge: { ...knowledge, applications },
        endedAt: 0,
      } as const
      const times = { startedAt: new Date(0), finishedAt: new Date(0), durationSeconds: 1 }
      const server = { origin: 'https://argocd.example.com', rootPath: '', loopback: false }
      const input = { server, outcome, times, mask: (text: string) => text }
      const whole = createResult(input)
      const reading = createReading(input, () => whole, MOST_IN_FULL)
      expect(whole.message).toContain('synced (id p-1): app-1')
      expect(whole.applications).toHaveLength(count)
      expect(reading.applications).toHaveLength(count > 15 ? 1 : count)
      const { applications: _, others, ...rest } = reading
      expect({ ...rest, applications: whole.applications }).toEqual(whole)
      expect(others + reading.applications.length).toBe(count)
      expect(formatResult(allShown(reading), plain)).toBe(formatResult(allShown(whole), plain))
      const termination = formatTerminationMessage(allShown(reading))
      expect(termination).toBe(formatTerminationMessage(allShown(whole)))
      expect(termination).toContain('app-1: Verified')
    },
  )
  test('says nothing twice: cause, resources, addresses', () => {
    const message = 'web is not verified: health is Degraded | not Healthy; Pod web-1 is Degraded: back-off'
    const web = applicationResult('web', false)
    const [pod] = web.unhealthyResources
    const others =
      pod === undefined
        ? []
        : [
            { ...pod, name: 'web-2' },
            { ...pod, name: 'web-3', message: 'OOMKilled' },
          ]
    const text = formatResult(
      allShown({
        ...result([{ ...web, unhealthyResources: [...web.unhealthyResources, ...others] }]),
        message,
      }),
      plain,
    )
    expect(text.split('\n')).toEqual([
      `NOT VERIFIED (NotHealthy) after 10s: ${message}`,
      '',
      `no  argocd/web  Synced  Degraded  ${SHA.a}`,
      '      Pod web-2  Degraded',
      '      Pod web-3  Degraded  OOMKilled',
      '    https://argocd.example.com/applications/argocd/web',
      '',
    ])
  })
  test('says once what several applications wait for', () => {
    const api = applicationResult('api', false)
    const message = `api is not verified: ${api.message}`
    const text = formatResult(allShown({ ...result([api, applicationResult('web', false)]), message }), plain)
    expect(text.match(/health is Degraded/g)).toHaveLength(1)
    expect(text).toContain('NotHealthy, as above')
  })
  test('of one that is verified has the address and nothing that was said', () => {
    expect(formatResult(allShown(result([applicationResult('web', true)])), plain).split('\n')).toEqual([
      'VERIFIED after 10s: all are verified',
      '',
      '    https://argocd.example.com/applications/argocd/web',
      '',
    ])
  })
  test.each([2, 3, 5, 8, 12, 15])('of %p applications fits 80×24, and has a line for each', (count) => {
    const names = Array.from({ length: count }, (_, i) => `service-${i}`)
    const all = names.map((name, i) => ({
      ...applicationResult(name, i % 4 === 3),
      message: `health is Degraded, not Healthy: ${'a long story '.repeat(8)}${i}`,
    }))
    const text = formatResult(allShown(result(all)), plain, shown('do this, and then do that: '.repeat(4)))
    expect(rowsOf(text, 80)).toBeLessThan(23)
    for (const name of names) expect(text).toMatch(new RegExp(`^(?:no|yes) +argocd/${name} `, 'm'))
    expect(text).toContain('Next: do this')
  })
  test('of many shows those that are not verified, and ends with the verdict again', () => {
    const many = Array.from({ length: 200 }, (_, i) => applicationResult(`app-${i}`, i % 2 === 0))
    const lines = formatResult(allShown(result(many)), plain)
      .trimEnd()
      .split('\n')
    expect(lines.length).toBeLessThan(100)
    expect(lines.at(-1)).toBe(lines[0] ?? '')
    expect(lines.filter((line) => line.startsWith('yes'))).toEqual(['yes 100 of 200 applications'])
    expect(lines.join('\n')).toContain('and 45 more that are not verified')
  })
})

describe('revisions', () => {
  const people = forPeople(gate)
  const digest = 'ab'.repeat(32)
  test.each([
    [`revision is ${SHA.a}, not ${SHA.b}`, 'revision is a1a1a1a1, not b2b2b2b2'],
    [`web@${SHA.a} git=${SHA.b.toUpperCase()}`, 'web@a1a1a1a1 git=B2B2B2B2'],
    [`a/b@sha256:${digest}`, 'a/b@sha256:abababab'],
    ['a1a1a1a', 'a1a1a1a'],
    // What a person follows stays whole.
    [`https://git.example.com/commit/${SHA.a}`, `https://git.example.com/commit/${SHA.a}`],
    // No hash of Git's.
    [`${SHA.a}0`, `${SHA.a}0`],
    // The same for eight digits, and others after that.
    [`${SHA.a}, not ${SHA.a.slice(0, 39)}0`, `${SHA.a}, not ${SHA.a.slice(0, 39)}0`],
  ])('%s', (text, short) => expect<string>(people(text)).toBe(short))
})

describe('the termination message', () => {
  test('is cut at 4096 bytes, never inside a character', () => {
    const long = Array.from({ length: 100 }, (_, i) => ({
      ...applicationResult(`app-${i}`, false),
      message: '日本語'.repeat(20),
    }))
    const text = formatTerminationMessage(allShown(result(long)))
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(4096)
    expect(text).toEndWith('…')
    expect(text).not.toContain('\uFFFD')
  })
  test('says the cause once, where to look, and what to try', () => {
    const web = applicationResult('web', false)
    const api = applicationResult('api', false)
    const message = `web is not verified: ${web.message}`
    expect(
      formatTerminationMessage(allShown({ ...result([api, web]), message }), shown('do this')).split('\n'),
    ).toEqual([
      `NOT VERIFIED (NotHealthy): ${message}`,
      web.url,
      'Next: do this',
      `argocd/api: NotHealthy: ${api.message} ${api.url}`,
    ])
  })
  test.each([0, 1, 2, 3])('%p bytes more or less make no broken character', (n) => {
    expect(cutBytes(shown(`${'x'.repeat(n)}${'é'.repeat(20)}`), 20)).not.toContain('\uFFFD')
  })
})

test('the JSON Schema names every field of the result', () => {
  const { properties, required } = resultJsonSchema() as { properties: object; required: readonly string[] }
  expect(Object.keys(properties)).toEqual(Object.keys(resultSchema.shape))
  expect([...required].sort()).toEqual(Object.keys(resultSchema.shape).sort())
})

describe('GitHub Actions', () => {
  test('the summary is Markdown that a server’s text cannot break', () => {
    const text = formatJobSummary(allShown(result([applicationResult('web', false)])))
    expect(text).toContain('### ❌ Not verified: NotHealthy')
    expect(text).toContain('health is Degraded \\| not Healthy')
    expect(text).toContain('| Pod web-1 | Degraded | back-off |')
  })
  test('the annotation is one line', () => {
    const message = 'a\nb 100%'
    const annotation = formatAnnotation(allShown({ ...result([applicationResult('web', false)]), message }))
    expect<string>(annotation).toBe('::error title=kpcea (Not verified%3A NotHealthy)::a b 100%25\n')
  })
})

const WANTED = wanting({ revision: SHA.a })
const PROGRESSING = { status: { health: { status: 'Progressing' } } }

/** A run for applications of the namespace `argocd`, of which a test tells what is seen. */
function watched(...names: readonly string[]): History {
  const applications = names.map((name) => ({ name, namespace: 'argocd', wanted: WANTED }))
  return new History({ timeout: 30_000 }, { kind: 'names', project: undefined, applications })
}

/** Tells a follower what something changes. */
function turn(follower: Follower, history: History, change: () => void): void {
  const before = history.knowledge
  change()
  follower.turned(before, history.knowledge)
}

/** Sees an application by a request, and tells a follower. */
function see(follower: Follower, history: History, name: string, change: JsonObject = {}): void {
  turn(follower, history, () => history.look(0, name, parsed({ name }, change)))
}

function logged(format: 'text' | 'json' = 'text') {
  const clock = new FakeClock()
  const lines: string[] = []
  const log = new LogFollower(format, {
    clock,
    gate: gateWith('hunter2'),
    write: (text) => void lines.push(text),
  })
  return { clock, lines, log }
}

describe('the log', () => {
  test('a line when something changes, none while nothing does', () => {
    const { lines, log } = logged()
    const history = watched('web')
    for (let i = 0; i < 3; i++) see(log, history, 'web', PROGRESSING)
    see(log, history, 'web')
    expect(lines).toHaveLength(2)
    expect(lines[0]).toContain(
      '1970-01-01T00:00:00.000Z argocd/web: Synced, Progressing; NotHealthy (pending)',
    )
    expect(lines[1]).toContain('as wanted')
  })
  test('what is waited for, at growing distances', async () => {
    const { clock, lines, log } = logged()
    see(log, watched('web'), 'web', PROGRESSING)
    const stop = new AbortController()
    void log.follow(3_600_000, stop.signal)
    await clock.advance(120_000)
    stop.abort()
    const waits = lines.filter((line) => line.includes('still waiting')).map((line) => line.slice(11, 19))
    expect(waits).toEqual(['00:00:15', '00:00:45', '00:01:45'])
    expect(lines[1]).toContain('NotHealthy')
  })
  test('of many applications a count, in steps', () => {
    const { lines, log } = logged()
    const names = Array.from({ length: 100 }, (_, i) => `app-${i}`)
    const history = watched(...names)
    for (const name of names) see(log, history, name, PROGRESSING)
    const before = lines.length
    for (const name of names) see(log, history, name)
    expect(lines.length - before).toBeLessThanOrEqual(11)
    expect(lines.at(-1)).toContain('100 of 100')
  })
  test('a failure is shown once and not with every try, and its end is said', () => {
    const { lines, log } = logged()
    const history = watched('web')
    const failure = new RequestFailure('Unreachable', 'no route; hunter2')
    for (let i = 0; i < 5; i++) turn(log, history, () => history.lookFails(i, 'web', failure))
    expect(lines).toHaveLength(1)
    see(log, history, 'web')
    expect(lines.filter((line) => line.includes('answers again'))).toHaveLength(1)
    expect(lines.join('')).toContain('no route')
    expect(lines.join('')).not.toContain('hunter2')
  })
  test('as JSON, one object a line', () => {
    const { lines, log } = logged('json')
    see(log, watched('web'), 'web', PROGRESSING)
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      time: '1970-01-01T00:00:00.000Z',
      level: 'info',
      event: 'observed',
      application: 'argocd/web',
      code: 'NotHealthy',
      state: 'pending',
    })
  })
  test('what a selector no longer matches, and that it matches too few', () => {
    const { lines, log } = logged()
    const target = {
      kind: 'selector',
      selector: 'a=b',
      min: 2,
      namespace: undefined,
      project: undefined,
    } as const
    const history = new History({}, { ...target, wanted: WANTED })
    let now = 0
    const list = (...names: string[]) =>
      turn(log, history, () =>
        history.list(
          now++,
          names.map((name) => parsed({ name })),
        ),
      )
    list()
    list('a')
    list('b')
    const said = lines.map((line) => line.slice(25).trimEnd())
    expect(said[0]).toBe('the selector matches no application so far')
    expect(said).toContain('the selector matches 1 of at least 2 applications so far')
    expect(said).toContain('argocd/a: no longer selected')
  })
  test('that a refresh is asked for, once, and not that one is under way', () => {
    const { lines, log } = logged()
    const history = watched('web')
    see(log, history, 'web', PROGRESSING)
    turn(log, history, () => history.refreshStarts(0, 'web'))
    const asked = { metadata: { annotations: { 'argocd.argoproj.io/refresh': 'normal' } } }
    see(log, history, 'web', asked)
    turn(log, history, () => history.refreshEnds(0, 1, 'web', parsed({ name: 'web' }, PROGRESSING)))
    turn(log, history, () => history.refreshStarts(2, 'web'))
    expect(lines.filter((line) => line.includes('asking Argo CD for a refresh'))).toHaveLength(1)
    expect(lines.join('')).not.toContain('StatusStale')
  })
})

describe('the live view', () => {
  const live = (count: number) => {
    const names = Array.from({ length: count }, (_, i) => `service-with-a-rather-long-name-${i}`)
    const history = watched(...names)
    for (const [i, name] of names.entries())
      history.look(0, name, parsed({ name }, i % 2 === 0 ? PROGRESSING : {}))
    return history
  }
  const NOW = 12_000

  test.each([20, 60, 100, 200])('fits a terminal of %p columns', (columns) => {
    const history = live(5)
    const failure = new RequestFailure('Unreachable', `cannot ${'ask '.repeat(80)}`)
    history.lookFails(1000, 'service-with-a-rather-long-name-0', failure)
    const lines = renderLive(history.knowledge, NOW, { columns, rows: 24 }, plain, gate)
    expect(lines.length).toBeLessThan(24)
    for (const line of lines) expect(Bun.stringWidth(line)).toBeLessThan(columns)
    expect(lines.filter((line) => /^[✗…✓]/.test(line))).toHaveLength(5)
  })
  test.each([5, 10, 24, 50])('fits a terminal of %p rows, those that are not ready first', (rows) => {
    const lines = renderLive(live(100).knowledge, NOW, { columns: 120, rows }, plain, gate)
    expect(lines.length).toBeLessThan(rows)
    expect(lines[0]).toContain('50 of 100 verified, waited 12s, 18s left')
    expect(lines[1]).toStartWith('…')
    expect(lines.at(-1)).toMatch(/and \d+ more/)
  })
  test('erases what it drew, also where the terminal became narrower', () => {
    const lines = ['x'.repeat(70), 'y'].map(shown)
    expect<string>(eraseLines([], 80)).toBe('')
    expect<string>(eraseLines(lines, 80)).toBe('\r\x1b[2A\x1b[J')
    expect<string>(eraseLines(lines, 40)).toBe('\r\x1b[3A\x1b[J')
  })
  test('is gone when the run ends, and draws a burst of changes once', async () => {
    const clock = new FakeClock()
    let screen = ''
    const follower = new LiveFollower(plain, () => ({ columns: 80, rows: 24 }), {
      clock,
      gate,
      write: (text) => {
        screen += text
      },
    })
    const history = watched(...Array.from({ length: 20 }, (_, i) => `a${i}`))
    const stop = new AbortController()
    void follower.follow(30_000, stop.signal)
    see(follower, history, 'a0', PROGRESSING)
    await clock.advance(1000)
    expect(screen).toContain('a0')
    const before = screen.length
    for (let i = 1; i < 20; i++) see(follower, history, `a${i}`, PROGRESSING)
    await clock.advance(50)
    const frames = screen.slice(before).split('\x1b[J').length - 1
    expect(frames).toBeLessThanOrEqual(1)
    await clock.advance(100)
    expect(screen.slice(before)).toContain('a15')
    stop.abort()
    await clock.advance(0)
    expect(screen).toEndWith('\x1b[J')
  })
})
