/** The whole of it: the executable against a server whose every byte is somebody else's. */

import { existsSync, readFileSync, rmSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import tls from 'node:tls'
import zlib from 'node:zlib'
import fc from 'fast-check'
import { resultSchema } from '../../lib/result-schema.ts'
import { application, type JsonObject } from '../argocd/server.ts'
import { createAuthority } from '../certificates.ts'
import { buildExecutable, EXECUTABLE, temporaryDirectory } from '../executable.ts'
import { watchCosts } from '../faults.ts'
import { SHA } from '../fixtures.ts'
import { offence } from '../gate.ts'
import { expect, mutated, type Target, target } from './target.ts'

/** It has characters that are written otherwise in JSON, URLs and HTML. */
const SECRET = 'k1ngf1sher&under "glass"/<é>'
/** What is left of it nowhere: also where it was cut, and in Base64. */
const TRACES = ['k1ngf', 'under', 'glass', Buffer.from(SECRET).toString('base64').slice(0, 8)]

const MOST_MIB = 256
/** How much later than its deadline a run may end, in seconds. */
const GRACE = 2

const way = fc.constantFrom<(text: string) => string>(
  (text) => text,
  (text) => JSON.stringify(text).slice(1, -1),
  encodeURIComponent,
  Bun.escapeHTML,
  (text) => [...Buffer.from(text)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join(''),
)

/** Up to three ways of writing in each other, and Base64 inside. */
const written = fc
  .record({ ways: fc.array(way, { maxLength: 3 }), isCoded: fc.nat(3).map((one) => one === 0) })
  .map(
    ({ ways, isCoded }) =>
      (text: string) =>
        ways.reduce((all, write) => write(all), isCoded ? Buffer.from(text).toString('base64') : text),
  )

/** So much in front of something that it is where some text is cut. */
const filling = fc
  .record({
    limit: fc.constantFrom(30, 100, 300, 1500, 3000, 4096, 16_384, 65_536),
    less: fc.nat(60),
    character: fc.constantFrom('x', ' ', 'x '),
  })
  .map(({ limit, less, character }) => character.repeat(limit).slice(0, Math.max(limit - less, 0)))

/** Words that steer, command and tell secrets. */
const words = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '\n',
        '\r\n',
        ' ',
        '::error::x',
        '::add-mask::',
        '##vso[task.complete]',
        '##[command]',
        '##',
        '[',
      ),
      fc.constantFrom(
        '\u001b[2J',
        '\u009b1m',
        '\u202e',
        '\u200b',
        '\ufeff',
        '\u2028',
        '\u{e0041}',
        '\ud800',
        '\0',
      ),
      written.map((write) => write(SECRET)),
      fc.tuple(filling, written).map(([before, write]) => before + write(SECRET)),
      fc.constantFrom('<title', '<title>', '<!doctype html>', '%', '|', '`', '](x)'),
      fc.string({ unit: 'binary', maxLength: 4 }),
      fc.constantFrom('x'.repeat(2000), ' '.repeat(70_000)),
    ),
    { maxLength: 8 },
  )
  .map((parts) => parts.join(''))

const applications = fc
  .record({ a: words, b: words, c: words, d: words, isSynced: fc.boolean() })
  .map(({ a, b, c, d, isSynced }): JsonObject => {
    const resource = { kind: a, name: b, status: c, health: { status: 'Degraded', message: d } }
    const ill = {
      status: {
        sync: { status: isSynced ? 'Synced' : a, revision: b },
        health: { status: c, message: d },
        conditions: [{ type: 'SyncError', message: a }],
        operationState: { phase: 'Failed', message: b, finishedAt: c, syncResult: { resources: [resource] } },
        resources: [resource],
        summary: { images: [d] },
      },
    }
    return application({ name: 'web', at: new Date(0), revision: SHA.a }, ill) as unknown as JsonObject
  })

const bodies = fc.oneof(
  applications.map((one) => Buffer.from(JSON.stringify(one))),
  words.map((said) => Buffer.from(JSON.stringify({ error: said, code: 2, message: said }))),
  words.map((said) => Buffer.from(JSON.stringify({ metadata: { name: 'web', annotations: { [said]: 1 } } }))),
  words.map((said) => Buffer.from(`<html><title>${said}</title>`)),
  words.map((said) => Buffer.from(said)),
  mutated('{"metadata":{"name":"web"}}'),
)

const ENCODINGS: Readonly<Record<string, (body: Buffer) => Uint8Array>> = {
  identity: (body) => body,
  gzip: (body) => Bun.gzipSync(new Uint8Array(body)),
  br: (body) => zlib.brotliCompressSync(body),
  zstd: (body) => Bun.zstdCompressSync(body),
  'gzip, gzip': (body) => Bun.gzipSync(Bun.gzipSync(new Uint8Array(body))),
  bomb: () => BOMB,
}
const BOMB = Bun.gzipSync(new Uint8Array(100_000_000))

const answer = fc.record({
  status: fc.constantFrom(200, 200, 200, 302, 400, 401, 403, 418, 429, 500, 503),
  body: bodies,
  encoding: fc.constantFrom(...Object.keys(ENCODINGS), 'identity', 'identity', 'gzip'),
  isBroken: fc.nat(9).map((one) => one === 0),
  location: fc.constantFrom(encodeURI, encodeURIComponent).map((write) => `/login/${write(SECRET)}`),
})

/** Pieces of a stream, which come again and again. */
const stream = fc.array(
  fc.oneof(
    bodies.map((body) => `data: ${body.toString().replaceAll('\n', '')}\n`),
    applications.map(
      (one) => `data: ${JSON.stringify({ result: { type: 'MODIFIED', application: one } })}\n\n`,
    ),
    words.map((said) => `data: ${JSON.stringify({ error: { message: said } })}\n\n`),
    fc.constantFrom(
      ':\n',
      ': keep-alive\n',
      `:${'x'.repeat(5000)}`,
      'data: x\n',
      `data: ${'x'.repeat(9000)}\n:\n`,
      '\n',
    ),
  ),
  { minLength: 1, maxLength: 6 },
)

const authority = await createAuthority('x ##vso[y] \u202e\u001b[2J ::add-mask::z')
const certificate = await authority.server()

const input = fc.record({
  answer,
  stream,
  isEndless: fc.boolean(),
  watches: fc.boolean(),
  isSecure: fc.nat(9).map((one) => one === 0),
  isJson: fc.boolean(),
})

type Input = typeof input extends fc.Arbitrary<infer T> ? T : never

function respond(socket: net.Socket, head: string, { answer, stream, isEndless }: Input): void {
  if (head.includes('GET /api/v1/stream/')) {
    socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n')
    const bytes = Buffer.from(stream.join(''))
    const more = () => {
      while (isEndless && !socket.destroyed && socket.write(bytes));
    }
    if (isEndless) socket.on('drain', more)
    socket.write(bytes)
    more()
    return
  }
  const { status, encoding, location, isBroken } = answer
  const body = ENCODINGS[encoding]?.(answer.body) ?? answer.body
  const sent = isBroken ? body.subarray(0, body.length / 2) : body
  const fields = [
    `HTTP/1.1 ${status} X`,
    'Content-Type: application/json',
    `Location: ${location}`,
    ...(encoding === 'identity' ? [] : [`Content-Encoding: ${encoding === 'bomb' ? 'gzip' : encoding}`]),
    `Content-Length: ${body.length}`,
  ]
  socket.write(`${fields.join('\r\n')}\r\n\r\n`)
  socket.write(sent)
  if (isBroken) socket.end()
}

async function serve(input: Input): Promise<net.Server> {
  const accept = (socket: net.Socket) => {
    let received = ''
    socket.on('error', () => {})
    socket.on('data', (data) => {
      received += data.toString('latin1')
      if (!received.includes('\r\n\r\n')) return
      const head = received
      received = ''
      respond(socket, head, input)
    })
  }
  const server = input.isSecure ? tls.createServer({ ...certificate }, accept) : net.createServer(accept)
  server.on('tlsClientError', () => {})
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

const FILES = {
  KPCEA_RESULT_FILE: 'result.json',
  KPCEA_TERMINATION_LOG: 'message',
  GITHUB_STEP_SUMMARY: 'summary.md',
}

async function isHarmless(input: Input): Promise<void> {
  const directory = temporaryDirectory()
  const server = await serve(input)
  const timeout = input.watches ? 1 : 0
  const child = Bun.spawn([EXECUTABLE], {
    cwd: directory,
    env: {
      ...Object.fromEntries(Object.entries(FILES).map(([name, file]) => [name, join(directory, file)])),
      ARGOCD_SERVER: `${input.isSecure ? 'https' : 'http'}://127.0.0.1:${(server.address() as net.AddressInfo).port}`,
      ARGOCD_API_TOKEN: 'not.the.secret',
      KPCEA_HEADERS: `X-Pass: ${SECRET.replace('é', '')}\nX-All: ${encodeURIComponent(SECRET)}`,
      ARGOCD_API_PASSWORD: SECRET,
      ARGOCD_APP_NAME: 'web',
      KPCEA_TARGET_REVISION: SHA.c,
      KPCEA_TIMEOUT: String(timeout),
      KPCEA_INTERVAL: '200ms',
      KPCEA_WATCH: String(input.watches),
      KPCEA_OUTPUT: input.isJson ? 'json' : 'text',
      KPCEA_LOG_FORMAT: input.isJson ? 'text' : 'json',
    },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    timeout: 30_000,
    killSignal: 'SIGKILL',
  })
  const costs = watchCosts(child.pid)
  const [code, stdout, stderr] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()])
  const { peakMiB, starved } = costs()
  server.close()
  const files = Object.values(FILES).map((file) => join(directory, file))
  expect(code === 1, `it is a no (${code}, ${stderr.slice(0, 500)})`)
  const ways = {
    stdout,
    stderr,
    ...Object.fromEntries(files.filter(existsSync).map((file) => [file, readFileSync(file, 'utf8')])),
  }
  for (const [way, text] of Object.entries(ways)) {
    expect(offence(text) === undefined, `${way} holds nothing that steers (${offence(text)})`)
    const trace = TRACES.find((one) => text.includes(one))
    expect(trace === undefined, `${way} holds nothing of a secret (${trace})`)
    expect(!/\n\s+at /.test(text), `${way} holds no stack trace`)
  }
  const result = resultSchema.parse(
    JSON.parse(readFileSync(join(directory, FILES.KPCEA_RESULT_FILE), 'utf8')),
  )
  expect(
    result.durationSeconds < (input.watches ? timeout : 15) + GRACE + starved,
    `it is on time (${result.durationSeconds})`,
  )
  expect(peakMiB < MOST_MIB, `it takes little memory (${peakMiB} MiB)`)
  rmSync(directory, { recursive: true })
}

const run = target('the executable', 2, input, isHarmless)

/** All of it at once; few, since each is a process. */
export const EXECUTABLE_TARGETS: readonly Target[] = [
  {
    ...run,
    run: (seed, inputs) => {
      buildExecutable()
      return run.run(seed, inputs)
    },
  },
]
