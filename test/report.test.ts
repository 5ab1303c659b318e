/** What people and machines are shown: summaries, logs, the live view, GitHub's summary. Pure, so no process runs. */

import { describe, expect, test } from 'bun:test'
import { adviceFor } from '../lib/advice.ts'
import { RequestFailure } from '../lib/failure.ts'
import { LiveFollower, LogFollower } from '../lib/followers.ts'
import { formatAnnotation, formatJobSummary } from '../lib/github.ts'
import { eraseLines, type LiveApplication, renderLive } from '../lib/live.ts'
import { cutBytes, formatResult, formatTerminationMessage, plain } from '../lib/report.ts'
import { type ApplicationResult, type Result, resultJsonSchema, resultSchema } from '../lib/result-schema.ts'
import { checkSubject, createSubject, type Subject } from '../lib/subject.ts'
import type { JsonObject } from './argocd/server.ts'
import { FakeClock } from './fake-clock.ts'
import { parsed, SHA, wanting } from './fixtures.ts'
import { allShown, gate, gateWith, shown } from './gate.ts'

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
      /NotHealthy \(failing\)[\s\S]*Pod web-1 +Degraded +back-off[\s\S]*https:[\s\S]*Next: do this/,
    )
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

const POLICY = { timeout: 30_000, refresh: 'normal' } as const

describe('advice', () => {
  test('none for a yes', () =>
    expect(adviceFor(result([applicationResult('web', true)]), POLICY)).toBeUndefined())
  test('an old revision where no refresh is asked for', () =>
    expect(
      adviceFor(
        { ...result([]), verified: false, reason: 'RevisionMismatch' },
        { ...POLICY, refresh: 'none' },
      ),
    ).toContain('KPCEA_REFRESH'))
  test('no permission', () =>
    expect(adviceFor({ ...result([]), verified: false, reason: 'NotFound' }, POLICY)).toContain(
      'can-i get applications',
    ))
})

function subject(name: string, change: JsonObject = {}): Subject {
  const one = createSubject({ name, namespace: 'argocd', project: undefined }, wanting({ revision: SHA.a }))
  one.snapshot = parsed({ name }, change)
  return one
}

const observed = (one: Subject) =>
  ({ type: 'observed', subject: one, checks: checkSubject(one, false) }) as const
const PROGRESSING = { status: { health: { status: 'Progressing' } } }

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
    const web = subject('web', PROGRESSING)
    for (let i = 0; i < 3; i++) log.progress(observed(web))
    web.snapshot = parsed({ name: 'web' })
    log.progress(observed(web))
    expect(lines).toHaveLength(2)
    expect(lines[0]).toContain(
      '1970-01-01T00:00:00.000Z argocd/web: Synced, Progressing; NotHealthy (pending)',
    )
    expect(lines[1]).toContain('as wanted')
  })
  test('what is waited for, at growing distances', async () => {
    const { clock, lines, log } = logged()
    log.progress(observed(subject('web', PROGRESSING)))
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
    const many = Array.from({ length: 100 }, (_, i) => subject(`app-${i}`, PROGRESSING))
    for (const one of many) log.progress(observed(one))
    const before = lines.length
    for (const one of many) {
      one.snapshot = parsed({ name: one.ref.name })
      log.progress(observed(one))
    }
    expect(lines.length - before).toBeLessThanOrEqual(11)
    expect(lines.at(-1)).toContain('100 of 100')
  })
  test('a failure is shown once and not with every try, and its end is said', () => {
    const { lines, log } = logged()
    const failure = new RequestFailure('Unreachable', 'no route; hunter2')
    for (let i = 0; i < 5; i++) log.progress({ type: 'failure', failure, isLast: false })
    log.progress({ type: 'recovered' })
    expect(lines).toHaveLength(2)
    expect(lines.join('')).not.toContain('hunter2')
  })
  test('as JSON, one object a line', () => {
    const { lines, log } = logged('json')
    log.progress(observed(subject('web', PROGRESSING)))
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      time: '1970-01-01T00:00:00.000Z',
      level: 'info',
      event: 'observed',
      application: 'argocd/web',
      code: 'NotHealthy',
      state: 'pending',
    })
  })
})

describe('the live view', () => {
  const live = (count: number): LiveApplication[] =>
    Array.from({ length: count }, (_, i) => {
      const one = subject(`service-with-a-rather-long-name-${i}`, i % 2 === 0 ? PROGRESSING : {})
      return { subject: one, checks: checkSubject(one, false), since: 0 }
    })
  const view = (applications: readonly LiveApplication[], failure?: string) => ({
    applications,
    now: 12_000,
    startedAt: 0,
    deadline: 30_000,
    failure,
  })

  test.each([20, 60, 100, 200])('fits a terminal of %p columns', (columns) => {
    for (const line of renderLive(
      view(live(5), `cannot ${'ask '.repeat(80)}`),
      { columns, rows: 24 },
      plain,
      gate,
    ))
      expect(Bun.stringWidth(line)).toBeLessThan(columns)
  })
  test.each([5, 10, 24, 50])('fits a terminal of %p rows, those that are not ready first', (rows) => {
    const lines = renderLive(view(live(100)), { columns: 120, rows }, plain, gate)
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
    const stop = new AbortController()
    void follower.follow(30_000, stop.signal)
    await clock.advance(1000)
    const before = screen.length
    for (const { subject: one } of live(20)) follower.progress(observed(one))
    await clock.advance(50)
    const frames = screen.slice(before).split('\x1b[J').length - 1
    expect(frames).toBeLessThanOrEqual(1)
    stop.abort()
    await clock.advance(0)
    expect(screen).toEndWith('\x1b[J')
  })
})
