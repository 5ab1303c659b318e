/** Bytes of others: whatever comes, memory stays bounded, and the deadline is kept. */

import { describe, expect, test } from 'bun:test'
import type net from 'node:net'
import zlib from 'node:zlib'
import { MOST_APPLICATIONS } from '../lib/promises.ts'
import { ArgoCDServer, application } from './argocd/server.ts'
import { connect } from './executable.ts'
import { answers, http, type Manners, suffer as sufferAtOnce, TOKEN, WEB, WireServer } from './faults.ts'
import { SHA } from './fixtures.ts'
import { Limit } from './limit.ts'

/** Floods are made in this very process: with more at once, each would wait for the others. */
const floods = new Limit(2)
const suffer: typeof sufferAtOnce = (...run) => floods.run(() => sufferAtOnce(...run))

/** No run takes more, whatever it meets. The executable itself takes 40 to 60 MiB of it. */
const MOST_MIB = 256
const MIB = 1024 * 1024

const WEB_JSON = JSON.stringify(application({ name: 'web', revision: SHA.a }))

function encoded(encoding: string, body: Uint8Array, status = '200 OK'): (socket: net.Socket) => void {
  return afterRequest((socket) => {
    const head = [
      `HTTP/1.1 ${status}`,
      'Content-Type: application/json',
      `Content-Encoding: ${encoding}`,
      `Content-Length: ${body.length}`,
    ]
    socket.write(`${head.join('\r\n')}\r\n\r\n`)
    socket.write(body)
  })
}

/** Says something to each request, which ends with its head. */
function afterRequest(say: (socket: net.Socket, head: string) => void): (socket: net.Socket) => void {
  return (socket) => {
    let received = ''
    socket.on('data', (data) => {
      received += data.toString('latin1')
      if (!received.includes('\r\n\r\n')) return
      const head = received
      received = ''
      say(socket, head)
    })
  }
}

/** Says the same again and again, no faster than it is read. */
function endlessly(head: string, piece: string): (socket: net.Socket) => void {
  return afterRequest((socket) => {
    const bytes = Buffer.from(piece)
    const more = () => {
      while (!socket.destroyed && socket.write(bytes));
    }
    socket.on('drain', more)
    socket.write(head)
    more()
  })
}

function chunk(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`
}

const raw = (server: WireServer) => ({
  ARGOCD_SERVER: server.url,
  ARGOCD_API_TOKEN: TOKEN,
  KPCEA_WATCH: 'false',
})

/**
 * Asked a few times, so that what one answer leaves behind is there when the next one comes. What is no Argo CD ends
 * such a run, however long a slow machine takes to see it.
 */
const again = (server: WireServer) => ({
  ...raw(server),
  KPCEA_INTERVAL: '1s',
  KPCEA_FAIL_AFTER: '2s',
  KPCEA_TIMEOUT: '50',
})

describe('compression', () => {
  test.concurrent('gzip is asked for and nothing else, and understood', async () => {
    await using server = await WireServer.start(encoded('gzip', Bun.gzipSync(WEB_JSON)))
    expect((await suffer({ ...raw(server), KPCEA_TIMEOUT: '20' })).code).toBe(0)
    expect(server.received[0]?.toLowerCase()).toContain('accept-encoding: gzip\r\n')
  })

  test.concurrent('a stream is inflated as it comes', async () => {
    const stream = zlib.createGzip()
    await using argocd = await WireServer.start(
      afterRequest((socket, head) => {
        if (!head.includes('/stream/')) {
          socket.write(http('503 No', []))
          return
        }
        socket.write(
          'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n',
        )
        stream.on('data', (data: Buffer) => {
          socket.write(`${data.length.toString(16)}\r\n`)
          socket.write(data)
          socket.write('\r\n')
        })
        stream.write(`data: {"result":{"type":"ADDED","application":${WEB_JSON}}}\n\n`)
        stream.flush(zlib.constants.Z_SYNC_FLUSH)
      }),
    )
    const env = { ...raw(argocd), KPCEA_WATCH: 'true', KPCEA_REFRESH: 'none', KPCEA_TIMEOUT: '3' }
    const { result } = await suffer(env)
    expect(result.applications[0]?.sync.revisions).toEqual([SHA.a])
  })

  const bomb = Buffer.alloc(256 * MIB, 'x')
  const gzip = Bun.gzipSync(bomb)
  const zstd = Bun.zstdCompressSync(bomb)
  test.concurrent.each([
    ['gzip', '200 OK', gzip, 'more than 32 MiB'],
    ['X-GZip', '200 OK', gzip, 'more than 32 MiB'],
    ['gzip', '500 No', gzip, 'cannot answer (500'],
    ['br', '200 OK', zlib.brotliCompressSync(bomb), 'compressed as "br"'],
    ['zstd', '200 OK', zstd, 'compressed as "zstd"'],
    ['deflate', '200 OK', zlib.deflateRawSync(bomb), 'compressed as "deflate"'],
    ['gzip, gzip', '200 OK', Bun.gzipSync(gzip), 'compressed as "gzip, gzip"'],
    ['zstd', '500 No', zstd, 'cannot answer (500'],
    ['gzip', '302 Found', gzip, 'redirects to nowhere'],
  ])('256 MiB in a few bytes as %s, %s', async (encoding, status, body, message) => {
    await using server = await WireServer.start(encoded(encoding, body, status))
    const isError = status.startsWith('500')
    const { result, peakMiB } = await suffer({ ...again(server), ...(isError ? { KPCEA_TIMEOUT: '4' } : {}) })
    expect(result.message).toContain(message)
    expect(peakMiB).toBeLessThan(MOST_MIB)
  })

  test.concurrent.each([
    ['is none', Buffer.from('{"a":1}'), 'a compressed body that is broken'],
    ['is cut', Bun.gzipSync(WEB_JSON).subarray(0, 30), 'a compressed body that is broken'],
  ])('that %s', async (_, body, message) => {
    await using server = await WireServer.start(encoded('gzip', body))
    expect((await suffer(raw(server))).result.message).toContain(message)
  })
})

const keys = (many: number) =>
  `{${Array.from({ length: many }, (_, i) => `"k${i.toString(36)}":1`).join(',')}}`
/** Characters that take two bytes each once they are read, and six before. */
const ESCAPES = `{"metadata":{"name":"web"},"status":{"health":{"message":"${'\\u0141'.repeat(5_000_000)}"}}}`
const CHUNKED = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n'
const STREAM = CHUNKED.replace('application/json', 'text/event-stream')

describe('memory is bounded under', () => {
  test.concurrent.each([
    ['a body without an end', endlessly(CHUNKED, chunk('x'.repeat(60_000))), 'more than 32 MiB'],
    ['keys without an end', answers(() => http('200 OK', [], keys(3_000_000))), 'more than 500000 values'],
    [
      'as many keys as are read',
      answers(() => http('200 OK', [], keys(490_000))),
      'did not answer as Argo CD',
    ],
    ['as many escapes as are read', answers(() => http('200 OK', [], ESCAPES)), ''],
    ['lists in lists', answers(() => http('200 OK', [], '['.repeat(20 * MIB))), 'more than 500000 values'],
    ['trailers without an end', endlessly(`${CHUNKED}2\r\n{}\r\n0\r\n`, 'X-T: y\r\n'.repeat(5000)), ''],
    ['an extension of a chunk without an end', endlessly(`${CHUNKED}2;`, 'y'.repeat(60_000)), ''],
    [
      'hints without an end',
      endlessly('', 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(1000)),
      '',
    ],
    [
      'a redirect with a body without an end',
      endlessly(CHUNKED.replace('200 OK', '302 Found\r\nLocation: /x'), chunk('x'.repeat(60_000))),
      'redirects to /x',
    ],
  ])('%s', async (_, manners, message) => {
    await using server = await WireServer.start(manners)
    const { code, result, peakMiB } = await suffer({
      ...again(server),
      ...(message === '' ? { KPCEA_TIMEOUT: '3' } : {}),
    })
    expect(code).toBe(1)
    expect(result.message).toContain(message)
    expect(peakMiB).toBeLessThan(MOST_MIB)
  })

  test.concurrent.each([
    ['a message that comments interrupt', `data: ${'x'.repeat(30_000)}\n:\n`],
    ['a message of lines without an end', 'data:x\n'.repeat(5000)],
    ['a message of lines that end in CR without an end', 'data:x\r'.repeat(5000)],
    ['a message of empty data without an end', 'data\r'.repeat(6000)],
    ['comments without an end', ':\n'.repeat(15_000)],
    ['comments that end in CR without an end', ':\r'.repeat(15_000)],
    ['fields that nobody knows without an end', 'x:y\rid:1\rretry:1\r'.repeat(2000)],
    ['a comment without an end', `:${'x'.repeat(30_000)}`],
    ['a name of an event without an end', `event${'x'.repeat(30_000)}`],
  ])('%s in the stream', async (_, piece) => {
    const flood = endlessly(STREAM, chunk(piece))
    await using server = await WireServer.start((socket) => {
      socket.once('data', (data) => {
        const isStream = data.toString().startsWith('GET /api/v1/stream/')
        if (isStream) {
          flood(socket)
          socket.emit('data', data)
        } else {
          socket.end(http('503 No', ['Connection: close']))
        }
      })
    })
    const { code, peakMiB } = await suffer({ ...raw(server), KPCEA_WATCH: 'true', KPCEA_TIMEOUT: '3' })
    expect(code).toBe(1)
    expect(peakMiB).toBeLessThan(MOST_MIB)
    expect(server.received.some((request) => request.startsWith('GET /api/v1/stream/'))).toBe(true)
  })
})

describe('a selector that matches more applications than are verified in one run', () => {
  const items = (many: number) =>
    Array.from({ length: many }, (_, i) => ({ metadata: { name: `app-${i}`, namespace: 'argocd' } }))
  test.concurrent.each(['true', 'false'])(
    'is a no at once, that says so (watch: %s)',
    async (KPCEA_WATCH) => {
      const list = JSON.stringify({ items: items(MOST_APPLICATIONS + 1) })
      await using server = await WireServer.start(
        answers((head) => (head.includes('/stream/') ? http('503 No', []) : http('200 OK', [], list))),
      )
      const env = {
        ...raw(server),
        ARGOCD_APP_NAME: '',
        KPCEA_SELECTOR: 'a=b',
        KPCEA_TIMEOUT: '40',
        KPCEA_WATCH,
      }
      const { result, peakMiB } = await suffer(env)
      expect(result).toMatchObject({ verified: false, timedOut: false, reason: 'InvalidSettings' })
      expect(result.message).toContain(`matches more than ${MOST_APPLICATIONS} applications`)
      expect(peakMiB).toBeLessThan(MOST_MIB)
    },
  )

  /** Tells without an end of applications that are like this one, named `web`, but for their name. */
  const endlesslyMore = (one: string): Manners => {
    let made = 0
    const added = () =>
      Array.from(
        { length: 50 },
        () =>
          `data: {"result":{"type":"ADDED","application":${one.replace('"web"', `"app-${made++}"`)}}}\n\n`,
      ).join('')
    return afterRequest((socket, head) => {
      if (!head.includes('/stream/')) {
        socket.write(http('200 OK', [], JSON.stringify({ items: items(1) })))
        return
      }
      socket.write(STREAM)
      const more = () => {
        while (!socket.destroyed && socket.write(chunk(added())));
      }
      socket.on('drain', more)
      more()
    })
  }
  const bySelector = (server: WireServer) => ({
    ...raw(server),
    ARGOCD_APP_NAME: '',
    KPCEA_SELECTOR: 'a=b',
    KPCEA_WATCH: 'true',
  })

  test.concurrent('without an end, in the stream, is one as well', async () => {
    const other = JSON.stringify(application({ name: 'web', revision: SHA.b }))
    await using server = await WireServer.start(endlesslyMore(other))
    const { result, peakMiB } = await suffer({ ...bySelector(server), KPCEA_TIMEOUT: '40' })
    expect(result).toMatchObject({ verified: false, timedOut: false, reason: 'InvalidSettings' })
    expect(result.message).toContain(`matches more than ${MOST_APPLICATIONS} applications`)
    expect(peakMiB).toBeLessThan(MOST_MIB)
  })

  const many = <T>(count: number, make: (index: number) => T) =>
    Array.from({ length: count }, (_, i) => make(i))
  test.concurrent.each([
    ['history', { status: { history: many(1500, () => ({})) } }],
    ['images', { status: { summary: { images: many(1500, (i) => `i${i}`) } } }],
    ['resources', { status: { resources: many(300, () => ({ kind: 'a', name: 'b' })) } }],
    [
      'annotations',
      {
        metadata: {
          annotations: Object.fromEntries(many(500, (i) => [`argocd.argoproj.io/k${i}`, '1'])),
        },
      },
    ],
  ])('of which each has more %s than any has, in the stream, takes no more', async (_, more) => {
    const one = JSON.stringify(application({ name: 'web', revision: SHA.b }, more))
    await using server = await WireServer.start(endlesslyMore(one))
    const { code, peakMiB } = await suffer({ ...bySelector(server), KPCEA_TIMEOUT: '6' })
    expect(code).toBe(1)
    expect(peakMiB).toBeLessThan(MOST_MIB)
  })
})

test.concurrent.each([
  [
    'images',
    {
      status: {
        summary: {
          images: Array.from(
            { length: 150 },
            (_, i) => `registry.example.com/team/image-${i}:v1.2.3-${SHA.a}`,
          ),
        },
      },
    },
  ],
  [
    'resources',
    {
      status: {
        resources: Array.from({ length: 60 }, (_, i) => ({
          ...{ group: 'apps', version: 'v1', kind: 'Deployment', namespace: 'somewhere', name: `name-${i}` },
          ...{ status: 'Synced', health: { status: 'Healthy' } },
        })),
      },
    },
  ],
])('thousands of applications with ten kilobytes of %s, told of again and again', async (_, more) => {
  const names = Array.from({ length: 4000 }, (_, i) => `app-${i}`)
  const one = JSON.stringify(application({ name: 'web', revision: SHA.b }, more))
  await using server = await WireServer.start(
    afterRequest((socket, head) => {
      if (!head.includes('/stream/')) {
        socket.write(
          http(
            '200 OK',
            [],
            JSON.stringify({ items: names.map((name) => ({ metadata: { name, namespace: 'argocd' } })) }),
          ),
        )
        return
      }
      socket.write(STREAM)
      let told = 0
      const message = () => {
        const it = one
          .replace('"web"', `"app-${told % names.length}"`)
          .replace(SHA.b, `${told++}`.padStart(40, 'b'))
        return `data: {"result":{"type":"MODIFIED","application":${it}}}\n\n`
      }
      const tell = () => {
        while (!socket.destroyed && socket.write(chunk(Array.from({ length: 20 }, message).join(''))));
      }
      socket.on('drain', tell)
      tell()
    }),
  )
  const { code, peakMiB } = await suffer({
    ...raw(server),
    ...{ ARGOCD_APP_NAME: '', KPCEA_SELECTOR: 'a=b', KPCEA_WATCH: 'true', KPCEA_TIMEOUT: '8' },
  })
  expect(code).toBe(1)
  expect(peakMiB).toBeLessThan(MOST_MIB)
})

test.concurrent('a page of titles that do not end hangs nothing', async () => {
  for (const status of ['200 OK', '503 No']) {
    const page = `<!doctype html>${'<title'.repeat(250_000)}`
    await using server = await WireServer.start(answers(() => http(status, [], page)))
    const { result } = await suffer({ ...raw(server), KPCEA_TIMEOUT: '1' })
    expect(result.message).toContain('a web page')
  }
})

test.concurrent('a page has its title told', async () => {
  await using server = await ArgoCDServer.start()
  server.fault({}, { kind: 'answer', status: 200, body: '<html><TITLE lang="en">\n Sign in </TITLE>' })
  const { result } = await suffer(connect(server, { ...WEB, KPCEA_TIMEOUT: '0' }))
  expect(result.message).toContain('a web page ("Sign in")')
})

test.concurrent('more names than one run verifies are a mistake in the settings, and nothing is asked', async () => {
  await using server = await ArgoCDServer.start()
  const names = Array.from({ length: MOST_APPLICATIONS + 1 }, (_, i) => `app-${i}`).join(',')
  const { result } = await suffer(connect(server, { ARGOCD_APP_NAME: names, KPCEA_TIMEOUT: '30' }))
  expect(result).toMatchObject({ reason: 'InvalidSettings', timedOut: false })
  expect(result.message).toContain(`names ${MOST_APPLICATIONS + 1} applications`)
  expect(server.requests).toEqual([])
})

test.concurrent('changes without an end fill no log', async () => {
  const seconds = 5
  const change = (n: number) => {
    const health = { status: 'Degraded', message: `change ${n}` }
    const one = application({ name: 'web', revision: SHA.a }, { status: { health } })
    return `data: ${JSON.stringify({ result: { type: 'MODIFIED', application: one } })}\n\n`
  }
  await using server = await WireServer.start(
    afterRequest((socket, head) => {
      if (!head.includes('/stream/')) {
        socket.write(http('503 No', []))
        return
      }
      socket.write(STREAM)
      let n = 0
      const timer = setInterval(() => socket.write(chunk(change(n++))), 1)
      socket.on('close', () => clearInterval(timer))
    }),
  )
  const { stderr } = await suffer({ ...raw(server), KPCEA_WATCH: 'true', KPCEA_TIMEOUT: `${seconds}` })
  const lines = stderr.split('\n').filter((line) => line.includes('change '))
  expect(lines.length).toBeGreaterThan(1)
  expect(lines.length).toBeLessThanOrEqual(200 + seconds + 1)
})
