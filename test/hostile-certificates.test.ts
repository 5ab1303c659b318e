/** Certificates that will not do: each is refused before anything is said, and called what it is. */

import { describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import tls from 'node:tls'
import { ArgoCDServer, application } from './argocd/server.ts'
import { createAuthority, type KeyPair } from './certificates.ts'
import { connect, run, start, temporaryDirectory, waitFor } from './executable.ts'
import { forwardProxy, oneOfFew, suffer, WEB, WireServer } from './faults.ts'
import { SHA } from './fixtures.ts'

const authority = await createAuthority()
const KPCEA_CA_FILE = join(temporaryDirectory(), 'ca.pem')
writeFileSync(KPCEA_CA_FILE, authority.cert)

async function serve(certificate: KeyPair): Promise<ArgoCDServer> {
  const server = await ArgoCDServer.start({ tls: certificate })
  server.apply(application({ name: 'web', revision: SHA.a }))
  return server
}

const asking = (server: ArgoCDServer, host: string) => ({
  ...connect(server),
  ARGOCD_SERVER: `${host}:${new URL(server.url).port}`,
  KPCEA_CA_FILE,
  KPCEA_TIMEOUT: '30',
})

const INSECURE = 'KPCEA_INSECURE=true'

describe('the certificate of the server', () => {
  test.concurrent.each(['localhost', '127.0.0.1'])(
    'with a common name alone is refused (%s)',
    async (host) => {
      await using server = await serve(await authority.server({ names: [], commonName: host }))
      const { result } = await suffer(asking(server, host))
      expect(result).toMatchObject({ verified: false, reason: 'Unreachable', timedOut: false })
      expect(result.message).toContain('common name only')
      expect(result.message).toContain('subject alternative names')
      expect(server.requests).toEqual([])
    },
  )

  test.concurrent('with a common name alone is taken where none is verified', async () => {
    await using server = await serve(await authority.server({ names: [], commonName: 'localhost' }))
    expect((await suffer({ ...asking(server, 'localhost'), KPCEA_INSECURE: 'true' })).code).toBe(0)
  })

  test.concurrent('that is for clients is called that', async () => {
    await using server = await serve(await authority.server({ usage: 'clientAuth' }))
    const { result } = await suffer(asking(server, 'localhost'))
    expect(result).toMatchObject({ verified: false, reason: 'Unreachable', timedOut: false })
    expect(result.message).toContain('is not for servers')
    expect(result.message).toContain('serverAuth')
    expect(result.message).not.toContain('KPCEA_CA_FILE')
    expect(server.requests).toEqual([])
  })

  test.concurrent('with the right names is looked at closely once, and its connections are used again', async () => {
    await using server = await serve(await authority.server())
    server.apply(application({ name: 'web', revision: SHA.b }))
    // Something in between that counts connections.
    await using relay = await WireServer.start((socket) => {
      const upstream = net.connect(Number(new URL(server.url).port), '127.0.0.1')
      for (const end of [socket, upstream]) end.on('error', () => {})
      socket.on('close', () => upstream.destroy())
      socket.pipe(upstream)
      upstream.pipe(socket)
    })
    const env = {
      ARGOCD_SERVER: relay.address,
      KPCEA_TIMEOUT: '60',
      KPCEA_INTERVAL: '200ms',
      KPCEA_WATCH: 'false',
    }
    await oneOfFew(async () => {
      const running = start({ ...WEB, ...asking(server, 'localhost'), ...env })
      await waitFor(() => server.requests.length > 8)
      running.process.kill('SIGTERM')
      await running.finished
    })
    expect(relay.received.length).toBeLessThanOrEqual(6)
  })

  test.concurrent('that a server demands of clients is named where there is none', async () => {
    const certificate = await authority.server()
    await using server = await ArgoCDServer.start({ tls: { ...certificate, ca: authority.cert } })
    const { result } = await suffer({ ...asking(server, 'localhost'), KPCEA_FAIL_AFTER: '1s' })
    expect(result.message).toContain('KPCEA_CLIENT_CERT_FILE')
    expect(result.message).not.toContain(INSECURE)
  })
})

describe('files that are no certificate and no key', () => {
  const folder = temporaryDirectory()
  const at = (name: string, text: string) => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  test.concurrent('name their setting, before anything is sent', async () => {
    const [one, other] = await Promise.all([authority.client(), authority.client()])
    const cert = at('cert.pem', one.cert)
    const cases = [
      ['KPCEA_CA_FILE (--ca-file)', 'holds no PEM certificate', { KPCEA_CA_FILE: at('none.pem', 'none') }],
      ['KPCEA_CA_FILE (--ca-file)', 'holds no PEM certificate', { KPCEA_CA_FILE: at('key.pem', one.key) }],
      [
        'KPCEA_CLIENT_KEY_FILE (--client-key-file)',
        'does not fit the certificate',
        { KPCEA_CLIENT_CERT_FILE: cert, KPCEA_CLIENT_KEY_FILE: at('other.pem', other.key) },
      ],
      [
        'KPCEA_CLIENT_KEY_FILE (--client-key-file)',
        'holds no PEM private key',
        { KPCEA_CLIENT_CERT_FILE: cert, KPCEA_CLIENT_KEY_FILE: cert },
      ],
    ] as const
    for (const [setting, problem, files] of cases) {
      const { result } = await suffer({ ARGOCD_SERVER: '127.0.0.1:1', ARGOCD_API_TOKEN: 'x', ...files })
      expect(result.reason).toBe('InvalidSettings')
      expect(result.message).toContain(setting)
      expect(result.message).toContain(problem)
    }
  })
})

test.concurrent.each([
  ['an unknown authority', async () => (await createAuthority('another')).server(), true],
  ['other names', () => authority.wrongName(), true],
  ['a date in the past', () => authority.expired(), true],
] as const)('--insecure is advised where it would help: %s', async (_, certificate, advised) => {
  await using server = await serve(await certificate())
  const { result } = await suffer(asking(server, 'localhost'))
  expect(result.message.includes(INSECURE)).toBe(advised)
  // And it does.
  const taken = await suffer({ ...asking(server, 'localhost'), KPCEA_INSECURE: 'true' })
  expect(taken.code).toBe(0)
})

/** A forward proxy that is spoken to over TLS. */
async function secureProxy(server: ArgoCDServer, certificate: KeyPair) {
  const inner = await forwardProxy(server)
  const outer = tls.createServer({ ...certificate }, (socket) => {
    const upstream = net.connect(Number(new URL(inner.url).port), '127.0.0.1')
    for (const end of [socket, upstream]) end.on('error', () => {})
    socket.on('close', () => upstream.destroy())
    upstream.on('close', () => socket.destroy())
    socket.pipe(upstream)
    upstream.pipe(socket)
  })
  outer.on('tlsClientError', () => {})
  await new Promise<void>((resolve) => outer.listen(0, '127.0.0.1', resolve))
  const { port } = outer.address() as net.AddressInfo
  return {
    port,
    received: inner.received,
    async [Symbol.asyncDispose]() {
      outer.close()
      await inner[Symbol.asyncDispose]()
    },
  }
}

describe('the certificate of the proxy', () => {
  const through = (server: ArgoCDServer, port: number) => ({
    ...asking(server, 'localhost'),
    ARGOCD_SERVER: 'argocd.example.com',
    HTTPS_PROXY: `https://me:s3cret-of-proxy@localhost:${port}`,
  })

  test.concurrent('that is good lets through', async () => {
    await using server = await serve(await authority.server({ names: ['argocd.example.com'] }))
    await using proxy = await secureProxy(server, await authority.server())
    expect((await suffer(through(server, proxy.port))).code).toBe(0)
  })

  test.concurrent.each([
    [
      'of another authority',
      async () => (await createAuthority('another')).server(),
      'not known here (another)',
    ],
    ['for other names', () => authority.wrongName(), 'is for other names'],
    ['that has expired', () => authority.expired(), 'has expired'],
  ] as const)('%s is called the proxy’s', async (_, certificate, message) => {
    await using server = await serve(await authority.server({ names: ['argocd.example.com'] }))
    await using proxy = await secureProxy(server, await certificate())
    const { stdout, stderr } = await oneOfFew(() => run({ ...WEB, ...through(server, proxy.port) }))
    expect(stdout).toContain(`the certificate of the proxy in HTTPS_PROXY (localhost:${proxy.port})`)
    expect(stdout).toContain(message)
    expect(`${stdout}${stderr}`).not.toContain('s3cret')
    expect(proxy.received.join('')).not.toContain('CONNECT')
  })

  test.concurrent('is not blamed for the server’s', async () => {
    await using server = await serve(await authority.wrongName())
    await using proxy = await secureProxy(server, await authority.server())
    const env = { ...through(server, proxy.port), ARGOCD_SERVER: 'argocd.example.org' }
    const { result } = await suffer(env)
    expect(result.message).toContain('the certificate of argocd.example.org')
  })
})
