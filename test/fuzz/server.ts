/** What comes from a server: Applications, commits, streams of changes, errors. */

import fc from 'fast-check'
import { parseServerAddress } from '../../lib/address.ts'
import { parseAnswer, RefusedToken, readJson, refuse } from '../../lib/answer.ts'
import type { Application } from '../../lib/application.ts'
import { applicationSchema, commitSchema } from '../../lib/application-schema.ts'
import { LARGEST_BODY } from '../../lib/body.ts'
import { RequestFailure } from '../../lib/failure.ts'
import { formatAnnotation, formatJobSummary } from '../../lib/github.ts'
import { createHoldings } from '../../lib/holdings.ts'
import { checkApplication } from '../../lib/predicates.ts'
import { createRepeats } from '../../lib/repeats.ts'
import { formatResult, formatTerminationMessage, plain } from '../../lib/report.ts'
import { createResult } from '../../lib/result.ts'
import { resultSchema } from '../../lib/result-schema.ts'
import { asJson } from '../../lib/shown.ts'
import { readEvents } from '../../lib/stream.ts'
import { application, type JsonObject } from '../argocd/server.ts'
import { NO_EVIDENCE, REFRESHED, SHA, wanting } from '../fixtures.ts'
import { allShown, gate, offence } from '../gate.ts'
import { History } from '../history.ts'
import { named, SECOND } from '../scene.ts'
import {
  changed,
  edit,
  expect,
  HOST,
  isRefused,
  mutated,
  nearly,
  place,
  type Target,
  target,
  words,
} from './target.ts'

/** The same bytes in every run. */
const at = new Date('2026-01-01T00:00:00Z')

const VERIFIED = application({ name: 'web', at, revision: SHA.a }) as unknown as JsonObject
const APPLICATIONS = [
  VERIFIED,
  application({ name: 'web', at, revision: SHA.c, drySHA: SHA.a }),
  application({ name: 'web', at, chart: 'web', repoURL: 'https://charts.example.com', revision: '1.2.3' }),
  application({
    name: 'web',
    at,
    sources: [
      { repoURL: 'https://charts.example.com', chart: 'web', targetRevision: '1.*', revision: '1.4.2' },
      { repoURL: 'https://git.example.com/x.git', targetRevision: 'main', ref: 'v', revision: SHA.a },
    ],
  }),
].map((one) => JSON.stringify(one))

function isVerified(one: Application, revision: string): boolean {
  return [NO_EVIDENCE, REFRESHED].some((evidence) =>
    checkApplication(one, wanting({ revision }), evidence).every(({ state }) => state === 'met'),
  )
}

/** What a yes rests on at the least, read without the code that is tested. */
function bearsOut(bytes: Buffer): boolean {
  const { metadata, operation, status } = JSON.parse(bytes.toString())
  return (
    metadata.name !== '' &&
    !metadata.deletionTimestamp &&
    metadata.annotations?.['argocd.argoproj.io/refresh'] === undefined &&
    Object.values(operation ?? {}).every((value) => value === null) &&
    status.sync.status === 'Synced' &&
    status.sync.revision.toLowerCase() === SHA.a &&
    status.health.status === 'Healthy' &&
    !['Running', 'Terminating'].includes(status.operationState?.phase)
  )
}

/** Judges an application as a run does, up to everything that is written. */
function judged(one: Application): void {
  const history = new History({ timeout: SECOND, failAfter: 0 }, named('web'))
  history.look(0, 'web', one)
  const decision = history.decide(SECOND)
  expect(decision !== undefined && decision.kind !== 'verified', 'it is a no')
  const result = createResult({
    server: parseServerAddress(HOST, false),
    outcome: { decision: decision ?? { kind: 'timed-out' }, knowledge: history.knowledge, endedAt: SECOND },
    times: TIMES,
    mask: asIs,
  })
  expect(!resultSchema.parse(JSON.parse(JSON.stringify(result))).verified, 'it is a no')
  const passed = allShown(result)
  const ways = {
    summary: formatResult(passed, plain),
    termination: formatTerminationMessage(passed),
    job: formatJobSummary(passed),
    annotation: formatAnnotation(passed),
    json: asJson(passed),
  }
  for (const [way, text] of Object.entries(ways))
    expect(offence(text) === undefined, `the ${way} holds nothing that steers (${offence(text)})`)
  resultSchema.parse(passed)
  expect(ways.summary.startsWith('NOT VERIFIED'), 'the summary says no')
  expect(Buffer.byteLength(ways.termination) <= 4096, 'the termination message is short')
}

const TIMES = { startedAt: new Date(0), finishedAt: new Date(0), durationSeconds: 0 }

/** There are no secrets here. */
const asIs = (said: string): string => said

const json = { headers: { 'content-type': 'application/json' } }

const applications = target('Application JSON', 40, mutated(...APPLICATIONS), async (bytes) => {
  await isRefused(async () => {
    const one = parseAnswer(await readJson(new Response(bytes, json), HOST, asIs), applicationSchema, HOST)
    expect(!isVerified(one, SHA.b), 'it is not verified at a revision that it has never had')
    judged(one)
  })
})

const yes = target('Application JSON that is a yes', 40, mutated(JSON.stringify(VERIFIED)), async (bytes) => {
  await isRefused(async () => {
    const one = parseAnswer(await readJson(new Response(bytes, json), HOST, asIs), applicationSchema, HOST)
    if (isVerified(one, SHA.a)) expect(bearsOut(bytes), 'a yes has its reasons')
  })
})

const COMMITS = [
  JSON.stringify({ author: 'a', date: '2030-01-01T00:00:00Z', tags: ['v1'], message: 'm' }),
  '{}',
]
const commits = target('commit JSON', 20, mutated(...COMMITS), async (bytes) => {
  await isRefused(async () => {
    parseAnswer(await readJson(new Response(bytes, json), HOST, asIs), commitSchema, HOST)
  })
})

const MESSAGES = ['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK'].map(
  (type, i) =>
    `data: {"result":{"type":"${type}","application":${APPLICATIONS[i % APPLICATIONS.length]}}} \n\n\n`,
)
const STREAM = `${MESSAGES[0]}:\n${MESSAGES[1]}${MESSAGES[3]}:\n\n${MESSAGES[2]}`
const BROKEN = `${MESSAGES[0]}data: {"error":{"grpc_code":13,"http_code":500,"message":"no more"}}\n\n`
const WINDOWS = STREAM.replaceAll('\n', '\r\n')

/** Reads a stream that comes in pieces. */
async function eventsOf(pieces: readonly Uint8Array[]): Promise<{ types: string[]; failed: boolean }> {
  const types: string[] = []
  const body = new ReadableStream({
    start(controller) {
      for (const one of pieces) if (one.length > 0) controller.enqueue(one)
      controller.close()
    },
  })
  const headers = { 'content-type': 'text/event-stream' }
  const failed = await isRefused(async () => {
    for await (const batch of readEvents(new Response(body, { headers }), HOST, {
      ...LIMITS,
      repeats: createRepeats(),
      holdings: createHoldings(),
    }))
      for (const event of batch) {
        expect(!isVerified(event.application, SHA.b), 'no event is verified at a revision it never had')
        types.push(`${event.type} ${event.application.metadata.name}`)
      }
  })
  return { types, failed }
}

const LIMITS = { largestMessage: LARGEST_BODY, mostApplications: 5000, names: undefined }

function cutAt(bytes: Buffer, places: readonly number[]): readonly Uint8Array[] {
  const sorted = [0, ...places.map((place) => Math.floor(place * bytes.length)), bytes.length].sort(
    (a, b) => a - b,
  )
  return sorted.slice(1).map((end, i) => bytes.subarray(sorted[i], end))
}

function isBeginning(some: readonly string[], all: readonly string[]): boolean {
  return some.every((one, i) => one === all[i])
}

const places = fc.array(place, { maxLength: 6 })

const cuts = target(
  'event streams cut at any byte',
  20,
  fc.record({
    stream: fc.constantFrom(STREAM, WINDOWS),
    end: place,
    places,
  }),
  async ({ stream, end, places }) => {
    const whole = Buffer.from(stream)
    const all = await eventsOf([whole])
    expect(!all.failed && all.types.length === 3, 'the whole stream has its three changes')
    const cut = await eventsOf(cutAt(whole.subarray(0, Math.floor(end * whole.length)), places))
    expect(!cut.failed && isBeginning(cut.types, all.types), 'what came before the cut is what was sent')
  },
)

const streams = target(
  'event streams',
  20,
  fc.record({ bytes: mutated(STREAM, BROKEN, WINDOWS), places }),
  async ({ bytes, places }) => {
    const whole = await eventsOf([bytes])
    const pieces = await eventsOf(cutAt(bytes, places))
    expect(whole.failed === pieces.failed, 'the pieces it comes in do not matter')
    // What came in one piece with an error is passed over.
    expect(isBeginning(whole.types, pieces.types), 'the pieces it comes in change no event')
    expect(whole.failed || whole.types.length === pieces.types.length, 'and lose none')
  },
)

const commented = target(
  'event streams with comments anywhere between lines',
  20,
  fc.record({ comments: fc.array(fc.record({ at: place, text: words })), places }),
  async ({ comments, places }) => {
    const lines = STREAM.split('\n')
    for (const { at, text } of comments)
      lines.splice(Math.floor(at * (lines.length - 1)), 0, `:${text.replaceAll(/[\r\n]/g, ' ')}`)
    const all = await eventsOf([Buffer.from(STREAM)])
    const some = await eventsOf(cutAt(Buffer.from(lines.join('\n')), places))
    expect(!some.failed && some.types.join() === all.types.join(), 'comments change no event')
  },
)

const ENCODINGS = ['gzip', 'x-gzip', 'GZIP', 'br', 'zstd', 'deflate', 'identity', 'gzip, gzip', '', 'nothing']
const compressed = target(
  'compressed bodies',
  20,
  fc.record({
    original: fc.constantFrom(...APPLICATIONS),
    changes: fc.array(edit, { maxLength: 2 }),
    encoding: fc.constantFrom(...ENCODINGS),
  }),
  async ({ original, changes, encoding }) => {
    const whole = Buffer.from(Bun.gzipSync(original))
    const bytes = changes.reduce(changed, whole)
    const headers = { 'content-encoding': encoding }
    const isRead = !(await isRefused(async () => {
      const read = await readJson(new Response(bytes, { headers }), HOST, asIs)
      expect(JSON.stringify(read) === original, 'what is read is what was sent')
    }))
    expect(!isRead || /gzip$/i.test(encoding), 'nothing else is understood')
    expect(isRead || changes.length > 0 || !/^(?:x-)?gzip$/i.test(encoding), 'and that is')
  },
)

const gated = target('texts that pass the gate', 200, words, (text) => {
  const passed = gate(text)
  expect(offence(passed) === undefined, `nothing in it steers (${JSON.stringify(passed)})`)
  expect(passed.length <= 4097 && gate(passed) === passed, 'it is short, and passes again as it is')
})

const ERRORS = [
  '{"error":"permission denied","code":7,"message":"permission denied"}',
  '{"error":"not found","code":5,"message":"applications.argoproj.io \\"web\\" not found"}',
  '<!doctype html><html><head><title>Bad gateway</title></head></html>',
  'Not Found\n',
]
const retryAfter = fc.oneof(
  fc.constantFrom('5', '0', '1e9', '9'.repeat(400), 'Thu, 01 Jan 2026 00:00:00 GMT'),
  fc.string(),
)

const errors = target(
  'JSON errors',
  200,
  fc.record({
    status: fc.oneof(
      fc.constantFrom(301, 302, 400, 401, 403, 404, 408, 429, 500, 503),
      fc.integer({ min: 300, max: 599 }),
    ),
    body: mutated(...ERRORS),
    retryAfter,
    location: nearly('https://sso.example.com/auth?state=x', '/login'),
  }),
  async ({ status, body, retryAfter, location }) => {
    const headers = new Headers({ date: 'Thu, 01 Jan 2026 00:00:00 GMT' })
    for (const [name, value] of [
      ['retry-after', retryAfter],
      ['location', location],
    ] as const)
      if (/^[\x20-\x7e]*$/.test(value)) headers.set(name, value)
    const hasBody = status !== 304
    try {
      await refuse(new Response(hasBody ? body : null, { status, headers }), HOST, asIs)
      expect(status === 403 || status === 404, 'only these two can mean that there is no such application')
    } catch (error) {
      if (error instanceof RefusedToken) expect(status === 401, 'only a 401 is about the token')
      else {
        expect(error instanceof RequestFailure, `it is refused in a sentence (${error})`)
        expect(error.message.startsWith(HOST), 'the sentence says who it is about')
        // Where a redirect leads is told in full.
        expect(error.message.length < 1000 || status < 400, 'the sentence is one')
        expect(!(Number(error.retryAfter ?? 0) < 0) && !Number.isNaN(error.retryAfter), 'a wait is a wait')
      }
    }
  },
)

/** All that comes from a server. */
export const SERVER_TARGETS: readonly Target[] = [
  applications,
  yes,
  commits,
  cuts,
  streams,
  commented,
  compressed,
  gated,
  errors,
]
