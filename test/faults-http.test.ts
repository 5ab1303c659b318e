/** Whatever the network and the server do: the deadline is kept, the reason told, and nothing is asked in a hurry. */

import { describe, expect, test } from 'bun:test'
import type { Reason } from '../lib/result-schema.ts'
import { ArgoCDServer, application, type Fault } from './argocd/server.ts'
import { selfSigned } from './certificates.ts'
import { connect, start, waitFor } from './executable.ts'
import {
  answers,
  forwardProxy,
  http,
  type Manners,
  oneOfFew,
  says,
  suffer,
  TOKEN,
  WEB,
  WireServer,
} from './faults.ts'
import { SHA } from './fixtures.ts'

/** A failing server is asked again, with pauses that grow to the interval (200 ms here): never in a busy loop. */
const MOST_TRIES = 30

const CLOSED = 'closed the connection before it answered in full'
const SILENT = 'did not answer in time'
const NO_TLS = 'does not speak TLS on this port'

const rawConnection = { ARGOCD_API_TOKEN: TOKEN }

describe('no connection', () => {
  test.concurrent.each([
    [
      'argocd.invalid',
      /^not verified within 1s: argocd\.invalid (is not a name that DNS|could not be looked)/,
    ],
    ['127.0.0.1:1', /127\.0\.0\.1:1 refuses connections; check the host and the port/],
    ['[::1]:1', /\[::1\]:1 (refuses connections|cannot be reached)/],
  ])('%s', async (address, message) => {
    const { code, result } = await suffer({ ...rawConnection, ARGOCD_SERVER: address })
    expect(code).toBe(1)
    expect(result).toMatchObject({ reason: 'Unreachable', timedOut: true })
    expect(result.message).toMatch(message)
  })
})

const HANDSHAKES: readonly (readonly [string, Manners, string])[] = [
  ['accepted, then silence', () => {}, SILENT],
  ['accepted, then reset', (socket) => socket.resetAndDestroy(), CLOSED],
  ['accepted, then closed', (socket) => socket.end(), CLOSED],
  ['hello, then reset', says('', 'reset'), CLOSED],
  ['hello, then closed', says('', 'close'), CLOSED],
  ['hello, then half a hello', says(Buffer.from('160303007a0200', 'hex')), SILENT],
  ['hello, then an alert', says(Buffer.from('15030300020228', 'hex')), NO_TLS],
  ['hello, then plain HTTP', says('HTTP/1.1 400 Bad Request\r\n\r\n', 'close'), NO_TLS],
]

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n'
const EXCHANGES: readonly (readonly [string, Manners, string])[] = [
  ['request, then silence', says(''), SILENT],
  ['request, then reset', says('', 'reset'), CLOSED],
  ['half a status line, then silence', says('HTTP/1.1 20'), SILENT],
  ['half a status line, then reset', says('HTTP/1.1 20', 'reset'), CLOSED],
  ['half a status line, then closed', says('HTTP/1.1 20', 'close'), CLOSED],
  ['half the headers, then silence', says(HEAD), SILENT],
  ['half the headers, then reset', says(HEAD, 'reset'), CLOSED],
  ['headers, then silence', says(`${HEAD}\r\n`), SILENT],
  ['headers, then reset', says(`${HEAD}\r\n`, 'reset'), CLOSED],
  ['half a body, then silence', says(`${HEAD}\r\n{"meta`), SILENT],
  ['half a body, then closed', says(`${HEAD}\r\n{"meta`, 'close'), CLOSED],
  ['a refusal whose body never comes', says('HTTP/1.1 401 No\r\nContent-Length: 9\r\n\r\n'), SILENT],
  ['an error whose body never comes', says('HTTP/1.1 500 No\r\nContent-Length: 9\r\n\r\n'), SILENT],
  ['only "100 Continue"', says('HTTP/1.1 100 Continue\r\n\r\n'), SILENT],
  ['a broken chunk', says('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'), 'cannot be asked'],
  ['two lengths', says(`${HEAD}Content-Length: 7\r\n\r\n`), 'cannot be asked'],
  ['endless headers', says(`${HEAD}X-Long: ${'a'.repeat(2_000_000)}`), 'cannot be asked'],
  ['no HTTP', says('220 mail.example.com ESMTP\r\n', 'close'), 'cannot be asked'],
  ['a status nobody knows', answers(() => http('999 Hm', [])), 'cannot answer (999)'],
]

describe('a connection that goes wrong', () => {
  test.concurrent.each(HANDSHAKES)('in the handshake: %s', async (_, manners, message) => {
    await using server = await WireServer.start(manners)
    const { result } = await suffer({ ...rawConnection, ARGOCD_SERVER: server.address })
    expect(result).toMatchObject({ verified: false, reason: 'Unreachable', timedOut: true })
    expect(result.message).toContain(message)
    expect(server.received.length).toBeLessThanOrEqual(MOST_TRIES)
  })

  test.concurrent.each(EXCHANGES)('in the exchange: %s', async (_, manners, message) => {
    await using server = await WireServer.start(manners)
    const { result } = await suffer({ ...rawConnection, ARGOCD_SERVER: server.url })
    expect(result).toMatchObject({ verified: false, reason: 'Unreachable', timedOut: true })
    expect(result.message).toContain(message)
    expect(server.received.length).toBeLessThanOrEqual(MOST_TRIES)
  })
})

const page = '<!doctype html><html><head><title>Sign in</title></head></html>'
const failed = (code: number) => ({ error: 'so it is', code, message: 'so it is' })
const html = { 'Content-Type': 'text/html' }

/** Faults of every answer: why the run ends, what its message holds, and whether it waited for something better. */
const ANSWERS: readonly (readonly [string, Fault, Reason, string, 'retried' | 'at once'])[] = [
  ['hang', { kind: 'hang' }, 'Unreachable', SILENT, 'retried'],
  ['hang inside the body', { kind: 'hang-in-body' }, 'Unreachable', SILENT, 'retried'],
  ['drip', { kind: 'drip', ms: 20 }, 'Unreachable', SILENT, 'retried'],
  ['drip from the first byte', { kind: 'drip', ms: 20, head: true }, 'Unreachable', SILENT, 'retried'],
  ['reset', { kind: 'reset' }, 'Unreachable', CLOSED, 'retried'],
  ['reset inside the body', { kind: 'reset-in-body' }, 'Unreachable', CLOSED, 'retried'],
  ['closed', { kind: 'close' }, 'Unreachable', CLOSED, 'retried'],
  ['cut', { kind: 'cut' }, 'Unreachable', CLOSED, 'retried'],
  ['shorter than declared', { kind: 'cut', declare: true }, 'Unreachable', CLOSED, 'retried'],
  ['cut JSON', { kind: 'cut', json: true }, 'NotArgoCD', 'something that is no JSON', 'retried'],
  ['no text', { kind: 'garbage' }, 'NotArgoCD', 'bytes that are no text', 'retried'],
  ['no HTTP', { kind: 'garbage', wire: true }, 'Unreachable', CLOSED, 'retried'],
  ['empty', { kind: 'answer', status: 200 }, 'NotArgoCD', 'answered with nothing', 'retried'],
  ['204', { kind: 'answer', status: 204 }, 'NotArgoCD', 'answered with nothing', 'retried'],
  ['null', { kind: 'answer', status: 200, body: 'null' }, 'NotArgoCD', 'as Argo CD does', 'retried'],
  ['a list', { kind: 'answer', status: 200, body: [] }, 'NotArgoCD', 'as Argo CD does', 'retried'],
  ['page', { kind: 'answer', status: 200, body: page, headers: html }, 'NotArgoCD', '"Sign in"', 'retried'],
  ['error page', { kind: 'answer', status: 502, body: page }, 'Unreachable', '502 a web page', 'retried'],
  ['another application', otherApplication(), 'NotArgoCD', 'another application (other)', 'retried'],
  ['400', { kind: 'answer', status: 400 }, 'InvalidSettings', 'rejected the request (400)', 'at once'],
  ['400 of Argo CD', apiError(400, 3), 'InvalidSettings', '400 so it is', 'at once'],
  ['400 of a project that is still to come', noProject(), 'Unreachable', 'project does not exist', 'retried'],
  ['401', { kind: 'answer', status: 401 }, 'Unauthorized', 'refused the token (401)', 'at once'],
  ['401 of Argo CD', apiError(401, 16), 'Unauthorized', '401 so it is', 'at once'],
  ['401 with a page', { kind: 'answer', status: 401, body: page }, 'Unauthorized', '"Sign in"', 'at once'],
  ['403', { kind: 'answer', status: 403 }, 'NotArgoCD', '403', 'retried'],
  ['403 of Argo CD', apiError(403, 7), 'NotFound', 'may not see it', 'retried'],
  ['404', { kind: 'answer', status: 404 }, 'NotArgoCD', 'check the root path', 'retried'],
  ['404 of Argo CD', apiError(404, 5), 'NotFound', 'does not exist', 'retried'],
  ...[408, 429, 500, 502, 503, 504].flatMap((status): (typeof ANSWERS)[number][] => [
    [`${status}`, { kind: 'answer', status }, 'Unreachable', `cannot answer (${status})`, 'retried'],
    [`${status} of Argo CD`, apiError(status, 2), 'Unreachable', `(${status} so it is)`, 'retried'],
  ]),
]

function apiError(status: number, code: number): Fault {
  return { kind: 'answer', status, body: failed(code) }
}

function noProject(): Fault {
  const message = 'app is not allowed in project "web", or the project does not exist'
  return { kind: 'answer', status: 400, body: { error: message, code: 3, message } }
}

function otherApplication(): Fault {
  return { kind: 'answer', status: 200, body: application({ name: 'other', revision: SHA.a }) }
}

describe('an answer that goes wrong', () => {
  test.concurrent.each(ANSWERS)('%s', async (_, fault, reason, message, ending) => {
    await using server = await ArgoCDServer.start()
    server.apply(application({ name: 'web', revision: SHA.a }))
    server.fault({}, fault)
    const { result } = await suffer(connect(server, WEB))
    expect(result).toMatchObject({ verified: false, reason, timedOut: ending === 'retried' })
    expect(result.message).toContain(message)
    expect(server.requests.length).toBeLessThanOrEqual(MOST_TRIES)
  })

  test.concurrent.each(['', 'text/plain', 'text/html', 'application/octet-stream'])(
    'a wrong content type is no reason to doubt JSON that is an application: %p',
    async (value) => {
      await using server = await ArgoCDServer.start()
      server.apply(application({ name: 'web', revision: SHA.a }))
      server.fault({}, { kind: 'content-type', value })
      expect((await suffer(connect(server, WEB))).code).toBe(0)
    },
  )

  test.concurrent('a fault that passes costs no verdict', async () => {
    await using server = await ArgoCDServer.start()
    server.apply(application({ name: 'web', revision: SHA.a }))
    server.fault({ times: 5 }, { kind: 'answer', status: 503 })
    server.fault({ times: 5 }, { kind: 'reset' })
    const { code, stderr } = await suffer(connect(server, { ...WEB, KPCEA_TIMEOUT: '30' }))
    expect(code).toBe(0)
    expect(stderr.match(/cannot answer \(503\); trying again/g)).toHaveLength(1)
    expect(stderr).toContain('Argo CD answers again')
  })
})

test.concurrent.each([
  ['file:///etc/passwd', 'file:///etc/passwd'],
  ['data:text/plain,hello', 'data:text/plain,hello'],
  ['javascript:alert(1)', 'javascript:alert(1)'],
  ['ftp://me:pw@example.com/x?y', 'ftp://example.com/x'],
  ['//elsewhere.example.com/x', '//elsewhere.example.com/x'],
])('a redirect to %s leads nowhere, and is told', async (location, shown) => {
  await using server = await WireServer.start(answers(() => http('302 Found', [`Location: ${location}`])))
  const { result } = await suffer({ ...rawConnection, ARGOCD_SERVER: server.url })
  expect(result.reason).toBe('NotArgoCD')
  expect(result.message).toContain(`redirects to ${shown}, which is not followed`)
})

describe('Retry-After', () => {
  const ok = http(
    '200 OK',
    ['Content-Type: application/json'],
    JSON.stringify(application({ name: 'web', revision: SHA.a })),
  )
  /** The server's clock, hours off. */
  const clock = (ms: number) => new Date(Date.now() - 7 * 3_600_000 + ms).toUTCString()
  /** A date has whole seconds, so a wait of three comes out as more than two. */
  const waits: readonly (readonly [string, () => readonly string[], number])[] = [
    ['seconds', () => ['Retry-After: 2'], 2000],
    ['a date on a clock that is hours off', () => [`Date: ${clock(0)}`, `Retry-After: ${clock(3000)}`], 2000],
  ]
  test.concurrent.each([429, 503].flatMap((status) => waits.map((wait) => [status, ...wait] as const)))(
    '%d with %s is honoured',
    async (status, _, headers, atLeast) => {
      const asked: number[] = []
      // Where this process is slow to answer, the question has been asked once more by then.
      const isOfTheFirst = () => performance.now() - (asked[0] ?? 0) < 500
      await using server = await WireServer.start(
        answers(() => {
          if (asked.length > 0 && isOfTheFirst()) return http(`${status} Later`, headers())
          return asked.push(performance.now()) === 1 ? http(`${status} Later`, headers()) : ok
        }),
      )
      const env = { ...rawConnection, ARGOCD_SERVER: server.url, KPCEA_WATCH: 'false', KPCEA_TIMEOUT: '30' }
      expect((await suffer(env)).code).toBe(0)
      const [first = 0, second = 0] = asked
      expect(second - first).toBeGreaterThanOrEqual(atLeast)
      expect(asked).toHaveLength(2)
    },
  )

  test.concurrent.each(['soon', '-5', '', '0', clock(-60_000)])('%p is none', async (value) => {
    let asked = 0
    const again = () => http('429 Later', [`Date: ${clock(0)}`, `Retry-After: ${value}`])
    await using server = await WireServer.start(answers(() => (asked++ < 2 ? again() : ok)))
    const env = { ...rawConnection, ARGOCD_SERVER: server.url, KPCEA_WATCH: 'false', KPCEA_TIMEOUT: '30' }
    expect((await suffer(env)).result).toMatchObject({ verified: true })
  })

  // The end of the wait and the deadline come together, so each of several runs has a chance to miss the deadline.
  test.concurrent.each(Array.from({ length: 8 }, (_, i) => [i % 2 === 0, i] as const))(
    'that is longer than the run does not prolong it (watch: %p, %d)',
    async (watch) => {
      await using server = await ArgoCDServer.start()
      server.fault({}, { kind: 'answer', status: 429, headers: { 'Retry-After': '3600' } })
      const { result } = await suffer(connect(server, { ...WEB, KPCEA_WATCH: String(watch) }))
      expect(result).toMatchObject({ reason: 'Unreachable', timedOut: true })
      // One look, the stream, and the last look before the deadline, which is there however long that is.
      expect(server.requests.length).toBeLessThanOrEqual(watch ? 3 : 2)
    },
  )
})

describe('more bytes than an answer can have', () => {
  /**
   * The executable itself takes 40 to 60 MiB, the largest answer that is read 32 MiB, its text up to twice that, and
   * what it says, or a try before that is not collected yet, some more: up to 175 MiB were measured.
   */
  const MOST_MIB = 256

  test.concurrent.each([
    ['of an application', '200 OK', 'of text', 'more than 32 MiB'],
    ['of an error', '500 No', 'of text', 'cannot answer (500'],
    ['in a few compressed bytes', '200 OK', 'compressed', 'more than 32 MiB'],
  ])('100 MB %s', async (_, status, how, message) => {
    const body = Buffer.alloc(100 * 1024 * 1024, 'x')
    const sent = how === 'compressed' ? Bun.gzipSync(body) : body
    const encoding = how === 'compressed' ? 'Content-Encoding: gzip\r\n' : ''
    await using server = await WireServer.start((socket) => {
      socket.once('data', () => {
        socket.write(`HTTP/1.1 ${status}\r\n${encoding}Content-Length: ${sent.length}\r\n\r\n`)
        socket.write(sent)
      })
    })
    const env = { ...rawConnection, ARGOCD_SERVER: server.url, KPCEA_TIMEOUT: '8', KPCEA_WATCH: 'false' }
    const { result, peakMiB } = await suffer(env)
    expect(result).toMatchObject({ verified: false, timedOut: true })
    expect(result.message).toContain(message)
    expect(peakMiB).toBeLessThan(MOST_MIB)
  })

  test.concurrent.each([
    ['that come in chunks', { kind: 'huge', megabytes: 100 }, {}],
    ['in a stream', { kind: 'huge', megabytes: 100 }, { route: 'stream' }],
  ] as const)('100 MB %s', async (_, fault, match) => {
    await using server = await ArgoCDServer.start()
    server.apply(application({ name: 'web', revision: SHA.b }))
    server.fault(match, fault)
    const { code, peakMiB } = await suffer(connect(server, { ...WEB, KPCEA_TIMEOUT: '2' }))
    expect(code).toBe(1)
    expect(peakMiB).toBeLessThan(MOST_MIB)
  })
})

describe('sessions', () => {
  const LOGIN = { ARGOCD_API_TOKEN: '', ARGOCD_API_USERNAME: 'kargo', ARGOCD_API_PASSWORD: 'correct horse' }
  const accounts = { kargo: 'correct horse' }
  const logins = (server: ArgoCDServer) => server.requests.filter(({ route }) => route === 'session')

  test.concurrent.each([
    ['the login hangs', { kind: 'hang' }, 'Unreachable', SILENT],
    ['the login is cut', { kind: 'cut' }, 'Unreachable', CLOSED],
    ['the login is too much', { kind: 'answer', status: 429 }, 'Unreachable', '429'],
    ['the login has to wait', { kind: 'answer', status: 503 }, 'Unreachable', '503'],
  ] as const)('%s', async (_, fault, reason, message) => {
    await using server = await ArgoCDServer.start({ accounts })
    server.apply(application({ name: 'web', revision: SHA.a }))
    server.fault({ route: 'session' }, fault)
    const { result } = await suffer(connect(server, { ...LOGIN, KPCEA_TIMEOUT: '2.5' }))
    expect(result).toMatchObject({ reason, timedOut: true })
    expect(result.message).toContain(message)
    expect(server.requests).toHaveLength(logins(server).length)
    expect(logins(server).length).toBeLessThanOrEqual(3)
  })

  // A proxy in front may show a refused password as anything.
  test.concurrent.each([
    ...[302, 400, 401, 403, 404, 408, 422, 500, 502, 504].map(
      (status) => [`${status}`, { kind: 'answer', status, headers: { Location: '/login' } }] as const,
    ),
    ['no token', { kind: 'answer', status: 200, body: {} }],
    ['a page', { kind: 'answer', status: 200, body: page }],
  ] as const)('a login that is answered with %s is sent once', async (_, fault) => {
    await using server = await ArgoCDServer.start({ accounts })
    server.fault({ route: 'session' }, fault)
    const { result } = await suffer(connect(server, { ...LOGIN, KPCEA_TIMEOUT: '20' }))
    expect(result).toMatchObject({ verified: false, timedOut: false })
    expect(server.requests).toHaveLength(1)
  })

  test.concurrent.each([
    ['429', { kind: 'answer', status: 429 }],
    ['503', { kind: 'answer', status: 503 }],
    ['a reset', { kind: 'reset' }],
    ['a closed connection', { kind: 'close' }],
  ] as const)('a login that meets %s is sent three times, with pauses, and no more', async (_, fault) => {
    await using server = await ArgoCDServer.start({ accounts })
    server.fault({ route: 'session' }, fault)
    const { result } = await suffer(connect(server, { ...LOGIN, KPCEA_TIMEOUT: '40' }))
    expect(result).toMatchObject({ verified: false, reason: 'Unreachable', timedOut: false })
    expect(result.message).toContain('was sent the login 3 times')
    const [first = 0, second = 0, third = 0] = server.requests.map(({ at }) => at)
    // A second, then two: less than that apart they were never sent.
    expect(second - first).toBeGreaterThanOrEqual(900)
    expect(third - second).toBeGreaterThanOrEqual(1800)
    expect(server.requests).toHaveLength(3)
  })

  test.concurrent('a login that has to wait is sent when it may be', async () => {
    await using server = await ArgoCDServer.start({ accounts })
    server.apply(application({ name: 'web', revision: SHA.a }))
    server.fault(
      { route: 'session', times: 1 },
      { kind: 'answer', status: 503, headers: { 'Retry-After': '2' } },
    )
    const began = performance.now()
    expect((await suffer(connect(server, { ...LOGIN, KPCEA_TIMEOUT: '40' }))).code).toBe(0)
    expect(performance.now() - began).toBeGreaterThan(2000)
    expect(logins(server)).toHaveLength(2)
  })

  test.concurrent('a login waits for a server that is not there yet, however often that is tried', () =>
    oneOfFew(async () => {
      await using server = await ArgoCDServer.start({ accounts, keepsPort: true })
      server.apply(application({ name: 'web', revision: SHA.a }))
      await server.pause()
      const running = start(connect(server, { ...WEB, ...LOGIN, KPCEA_TIMEOUT: '40' }))
      await waitFor(() => running.said().includes('refuses connections'))
      await Bun.sleep(2000)
      await server.resume()
      expect(await running.finished).toMatchObject({ code: 0 })
      expect(logins(server)).toHaveLength(1)
    }))

  test.concurrent.each([
    ['401', apiError(401, 16)],
    ['401 of something else', { kind: 'answer', status: 401, body: page }],
    ['401 without a word', { kind: 'answer', status: 401 }],
  ] as const)('a login that is refused (%s) is never repeated', async (_, fault) => {
    await using server = await ArgoCDServer.start({ accounts })
    server.fault({ route: 'session' }, fault)
    const { result } = await suffer(connect(server, { ...LOGIN, KPCEA_TIMEOUT: '20' }))
    expect(result).toMatchObject({ verified: false, timedOut: false })
    expect(server.requests).toHaveLength(1)
  })

  test.concurrent.each([
    ['403', apiError(403, 7)],
    ['400', apiError(400, 3)],
  ] as const)('a login that is refused (%s) is not repeated either', async (_, fault) => {
    await using server = await ArgoCDServer.start({ accounts })
    server.fault({ route: 'session' }, fault)
    await suffer(connect(server, { ...LOGIN, KPCEA_TIMEOUT: '20' }))
    expect(server.requests).toHaveLength(1)
  })

  test.concurrent('a login that hangs at first is tried again', async () => {
    await using server = await ArgoCDServer.start({ accounts, loginDelayMs: 300 })
    server.apply(application({ name: 'web', revision: SHA.a }))
    server.fault({ route: 'session', times: 2 }, { kind: 'reset' })
    expect((await suffer(connect(server, { ...LOGIN, KPCEA_TIMEOUT: '30' }))).code).toBe(0)
    expect(logins(server)).toHaveLength(3)
  })

  test.concurrent.each([
    ['once more', 'correct horse', 0],
    ['once more and not again when that is refused', 'another horse', 1],
  ])('a session that ends while a stream waits is followed by a login, %s', (_, password, code) =>
    oneOfFew(async () => {
      const changing = { kargo: 'correct horse' }
      await using server = await ArgoCDServer.start({ accounts: changing })
      server.apply(application({ name: 'web', revision: SHA.b }))
      const running = start(connect(server, { ...WEB, ...LOGIN, KPCEA_TIMEOUT: '40' }))
      await waitFor(() => server.refreshes.length === 1)
      changing.kargo = password
      server.endSessions()
      server.dropConnections()
      await waitFor(() => logins(server).length === 2)
      server.apply(application({ name: 'web', revision: SHA.a }))
      expect((await running.finished).code).toBe(code)
      expect(logins(server)).toHaveLength(2)
    }),
  )
})

describe('a server that comes and goes', () => {
  test.concurrent.each(['true', 'false'])('restarts while the run waits (watch: %s)', (watch) =>
    oneOfFew(async () => {
      await using server = await ArgoCDServer.start({ keepsPort: true })
      server.apply(application({ name: 'web', revision: SHA.b }))
      const running = start(connect(server, { ...WEB, KPCEA_WATCH: watch, KPCEA_TIMEOUT: '40' }))
      await waitFor(() => server.refreshes.length === 1)
      await server.pause()
      server.dropConnections()
      await waitFor(() => running.said().includes('refuses connections'))
      server.apply(application({ name: 'web', revision: SHA.a }))
      await server.resume()
      const { code, stderr } = await running.finished
      expect(code).toBe(0)
      expect(stderr).toContain('Argo CD answers again')
    }),
  )

  test('is not there yet when the run starts', () =>
    oneOfFew(async () => {
      await using server = await ArgoCDServer.start({ keepsPort: true })
      server.apply(application({ name: 'web', revision: SHA.a }))
      await server.pause()
      const running = start(connect(server, { ...WEB, KPCEA_TIMEOUT: '40' }))
      await waitFor(() => running.said().includes('refuses connections'))
      await server.resume()
      expect(await running.finished).toMatchObject({ code: 0 })
    }))

  test('goes for good after it was seen: the last look is told, and its age', () =>
    oneOfFew(async () => {
      await using server = await ArgoCDServer.start({ keepsPort: true })
      server.apply(application({ name: 'web', revision: SHA.b }))
      const running = start(connect(server, { ...WEB, KPCEA_TIMEOUT: '3' }))
      await waitFor(() => running.said().includes('RevisionMismatch'))
      await server.stop()
      const { code, stdout } = await running.finished
      expect(code).toBe(1)
      expect(stdout).toMatch(/that was seen \S+ before the end, and since then \S+ refuses connections/)
    }))
})

describe('a clock on the server that is hours off', () => {
  const clocks = [-48, -5, 5, 48].flatMap((hours) => [true, false].map((watch) => [hours, watch] as const))
  test.concurrent.each(clocks)('by %d hours, watch: %p', (hours, watch) =>
    oneOfFew(async () => {
      const clockAheadMs = hours * 3_600_000
      await using server = await ArgoCDServer.start({ clockAheadMs })
      const at = () => new Date(Date.now() + clockAheadMs)
      server.apply(application({ name: 'web', revision: SHA.b, at: at() }))
      const env = connect(server, { ...WEB, KPCEA_WATCH: String(watch), KPCEA_TIMEOUT: '30' })
      const running = start(env)
      await waitFor(() => server.refreshes.length === 1)
      server.apply(application({ name: 'web', revision: SHA.a, at: at() }))
      expect((await running.finished).code).toBe(0)
    }),
  )
})

describe('the wrong port', () => {
  test('plain HTTP where TLS is spoken', async () => {
    await using server = await ArgoCDServer.start({ tls: await selfSigned() })
    const { result } = await suffer({ ...connect(server), ARGOCD_SERVER: `http://${server.address}` })
    expect(result.reason).toBe('NotArgoCD')
    expect(result.message).toContain('redirects to https://, so it speaks TLS; use https:// in ARGOCD_SERVER')
  })

  test('a proxy that is asked as if it were the server', async () => {
    await using server = await ArgoCDServer.start()
    await using proxy = await forwardProxy(server, http('400 Bad Request', [], 'no absolute form'))
    const { result } = await suffer({ ...rawConnection, ARGOCD_SERVER: proxy.url })
    expect(result.message).toContain('400 no absolute form')
  })
})
