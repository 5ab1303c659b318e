/** Where credentials go: to the one server that was named, over TLS, and into no output whatever anybody echoes. */

import { afterAll, describe, expect, test } from 'bun:test'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ArgoCDServer, application, type JsonObject } from './argocd/server.ts'
import { createAuthority } from './certificates.ts'
import { connect, type Environment, run, start, temporaryDirectory, waitFor } from './executable.ts'
import { answers, forwardProxy, http, oneOfFew, suffer, TOKEN, WEB, WireServer } from './faults.ts'
import { SHA } from './fixtures.ts'

const PASSWORD = 'correct "horse"  \\battery staple'
const HEADER_SECRET = 'kingfisher-under-glass'
const LOGIN = { ARGOCD_API_TOKEN: '', ARGOCD_API_USERNAME: 'kargo', ARGOCD_API_PASSWORD: PASSWORD }

/** A part of a secret that is as long as this is a leak, too. */
const TRACE = 12

/** A part of a secret that a text shows. */
function traceOf(secret: string, text: string): string | undefined {
  const parts = Array.from({ length: Math.max(1, secret.length - TRACE + 1) }, (_, i) =>
    secret.slice(i, i + TRACE),
  )
  return parts.find((part) => text.includes(part))
}

/** Whether a server was told something; other programs on this machine may have asked it by mistake, for its port. */
function wasTold({ received }: WireServer, ...texts: readonly string[]): boolean {
  return received.some((request) => texts.some((text) => request.includes(text)))
}

/** Runs the executable, and looks for traces of secrets wherever it writes. */
async function search(env: Environment, secrets: readonly string[], args: readonly string[] = []) {
  const directory = temporaryDirectory()
  const files = {
    KPCEA_RESULT_FILE: 'result.json',
    KPCEA_TERMINATION_LOG: 'termination-log',
    GITHUB_STEP_SUMMARY: 'summary.md',
  }
  const paths = Object.entries(files).map(([name, file]) => [name, join(directory, file)] as const)
  const { stdout, stderr } = await oneOfFew(() => run({ ...WEB, ...Object.fromEntries(paths), ...env }, args))
  // Unusable settings have no summary.
  const written = paths.flatMap(([, path]) => (existsSync(path) ? [readFileSync(path, 'utf8')] : []))
  const everything = [stdout, stderr, ...written].join('\n')
  // The JSON is searched as what it means, too, where quotes are not escaped.
  const meaning = written
    .flatMap((text) => (text.startsWith('{') ? textsOf(JSON.parse(text)) : []))
    .join('\n')
  for (const secret of secrets) expect(traceOf(secret, `${everything}\n${meaning}`)).toBeUndefined()
  return everything
}

function textsOf(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsOf) : []
}

describe('plain HTTP', () => {
  test.concurrent.each([
    ['http://argocd.example.com'],
    ['http://10.0.0.1:8080/argo'],
    ['http://127.0.0.1.example.com'],
    ['http://localhost.example.com'],
    ['http://0.0.0.0:80'],
    ['http://[::ffff:10.0.0.1]'],
    ['HTTP://ARGOCD.EXAMPLE.COM'],
  ])('to %s is refused before anything is sent', async (address) => {
    // Whatever was sent would come by this proxy.
    await using proxy = await WireServer.start(answers(() => http('500 No', [])))
    const env = { ARGOCD_SERVER: address, ARGOCD_API_TOKEN: TOKEN, HTTP_PROXY: proxy.url }
    const { result } = await suffer(env)
    expect(result).toMatchObject({ reason: 'InvalidSettings', timedOut: false })
    expect(result.message).toContain('KPCEA_PLAINTEXT')
    expect(wasTold(proxy, TOKEN, '/api/v1/')).toBe(false)
  })

  test.concurrent('to a loopback address needs no asking', async () => {
    await using server = await ArgoCDServer.start()
    server.apply(application({ name: 'web', revision: SHA.a }))
    const { port } = new URL(server.url)
    for (const host of ['127.0.0.1', 'localhost', '127.1']) {
      const env = { ...connect(server), ARGOCD_SERVER: `http://${host}:${port}` }
      expect((await suffer({ ...env, KPCEA_TIMEOUT: '20' })).code).toBe(0)
    }
  })
})

describe('a redirect', () => {
  const statuses = [301, 302, 303, 307, 308] as const
  const routes = ['session', 'application', 'stream'] as const
  test.concurrent.each(statuses.flatMap((status) => routes.map((route) => [status, route] as const)))(
    '%d of the %s to another origin is never followed',
    async (status, route) => {
      await using elsewhere = await WireServer.start(answers(() => http('200 OK', [], '{"token":"x"}')))
      await using server = await ArgoCDServer.start({ accounts: { kargo: PASSWORD } })
      server.apply(application({ name: 'web', revision: SHA.b }))
      const location = `http://user:pw@${elsewhere.address}/auth/realms?state=${TOKEN}#fragment`
      server.fault({ route }, { kind: 'redirect', location, status })
      const env = { ...connect(server, LOGIN), KPCEA_WATCH: String(route === 'stream') }
      const { result } = await suffer(env)
      expect(result.verified).toBe(false)
      // A stream that is redirected is replaced by polls.
      if (route !== 'stream') {
        expect(result.reason).toBe('NotArgoCD')
        expect(result.message).toContain(`redirects to http://${elsewhere.address}/auth/realms, which`)
      }
      expect(wasTold(elsewhere, '/auth', server.token, 'kargo')).toBe(false)
      expect(server.requests.every(({ path }) => path.startsWith('/api/v1/'))).toBe(true)
    },
  )

  // Defect: what a redirect says is not cut as other words of a server are.
  test('to an address without an end is told in short', async () => {
    await using server = await ArgoCDServer.start()
    server.fault({}, { kind: 'redirect', location: `https://sso.example.com/${'a'.repeat(5000)}` })
    const { result } = await suffer(connect(server, { KPCEA_TIMEOUT: '0' }))
    expect(result.message.length).toBeLessThan(1000)
  })

  test.concurrent.each([
    ['https://sso.example.com/auth?state=1', 'redirects to https://sso.example.com/auth,'],
    ['//sso.example.com/auth?state=1', 'redirects to //sso.example.com/auth,'],
    ['/login?return_url=x', 'redirects to /login,'],
    [`/login/${TOKEN}`, 'redirects to /login/***,'],
    ['', 'redirects to nowhere,'],
  ])('to %p is told, without its query', async (location, message) => {
    await using server = await ArgoCDServer.start()
    server.fault({}, { kind: 'redirect', location })
    const env = { ...connect(server), ARGOCD_API_TOKEN: TOKEN }
    const said = await search(env, [TOKEN])
    expect(said).toContain('NotArgoCD')
    expect(said).toContain(message)
  })
})

describe('a forward proxy', async () => {
  const names = ['argocd.example.com', 'localhost', '127.0.0.1']
  const authority = await createAuthority()
  const KPCEA_CA_FILE = join(temporaryDirectory(), 'ca.pem')
  writeFileSync(KPCEA_CA_FILE, authority.cert)
  const secure = await ArgoCDServer.start({ tls: await authority.server({ names }) })
  const plain = await ArgoCDServer.start()
  for (const server of [secure, plain]) server.apply(application({ name: 'web', revision: SHA.a }))
  afterAll(async () => {
    await Promise.all([secure.stop(), plain.stop()])
  })
  const overTls = {
    ARGOCD_SERVER: 'argocd.example.com',
    ARGOCD_API_TOKEN: secure.token,
    KPCEA_CA_FILE,
    KPCEA_TIMEOUT: '20',
  }
  const overHttp = {
    ARGOCD_SERVER: 'http://argocd.example.com',
    ARGOCD_API_TOKEN: plain.token,
    KPCEA_PLAINTEXT: 'true',
    KPCEA_TIMEOUT: '20',
  }

  test.concurrent.each(['HTTPS_PROXY', 'https_proxy'])('of %s tunnels TLS and sees nothing', async (name) => {
    await using proxy = await forwardProxy(secure)
    const env = { ...overTls, [name]: proxy.url, KPCEA_HEADERS: `X-Pass: ${HEADER_SECRET}` }
    expect((await suffer(env)).code).toBe(0)
    expect(proxy.received.length).toBeGreaterThan(0)
    for (const text of proxy.received) {
      expect(text).toStartWith('CONNECT argocd.example.com:443 HTTP/1.1\r\n')
      for (const secret of [secure.token, HEADER_SECRET]) expect(text).not.toContain(secret)
    }
  })

  test.concurrent.each(['HTTP_PROXY', 'http_proxy'])('of %s takes plain HTTP', async (name) => {
    await using proxy = await forwardProxy(plain)
    expect((await suffer({ ...overHttp, [name]: proxy.url })).code).toBe(0)
    expect(proxy.received[0]).toStartWith('GET http://argocd.example.com/api/v1/')
  })

  test.concurrent('is given its own credentials, and shows them to nobody else', async () => {
    await using proxy = await forwardProxy(secure)
    const url = proxy.url.replace('//', `//user:${HEADER_SECRET}@`)
    const before = secure.requests.length
    await search({ ...overTls, HTTPS_PROXY: url }, [HEADER_SECRET])
    expect(proxy.received[0]).toContain(`Proxy-Authorization: Basic ${btoa(`user:${HEADER_SECRET}`)}`)
    for (const { headers } of secure.requests.slice(before))
      expect(headers.get('proxy-authorization')).toBeNull()
  })

  // `argocd.invalid` is a name that only a proxy finds, so a run that does not use it fails.
  test.concurrent.each([
    ['argocd.invalid', 'argocd.invalid'],
    ['argocd.invalid', '.invalid'],
    ['argocd.invalid', 'invalid'],
    ['argocd.invalid', 'example.com, argocd.invalid'],
    ['argocd.invalid', '*'],
    ['argocd.invalid:8443', 'argocd.invalid:8443'],
  ])('is not asked for %s with NO_PROXY=%s', async (address, noProxy) => {
    await using proxy = await forwardProxy(secure)
    const env = { ...overTls, ARGOCD_SERVER: address, HTTPS_PROXY: proxy.url, KPCEA_TIMEOUT: '1' }
    for (const name of ['NO_PROXY', 'no_proxy'])
      expect((await suffer({ ...env, [name]: noProxy })).code).toBe(1)
    expect(wasTold(proxy, secure.token, plain.token, 'CONNECT', '/api/v1/')).toBe(false)
  })

  test.concurrent('is asked where NO_PROXY is about others', async () => {
    await using proxy = await forwardProxy(secure)
    const env = { ...overTls, HTTPS_PROXY: proxy.url, NO_PROXY: 'example.org,.com.example,10.0.0.0/8' }
    expect((await suffer(env)).code).toBe(0)
    expect(proxy.received.length).toBeGreaterThan(0)
  })

  test.concurrent.each([
    ['refuses', '407 Proxy Authentication Required'],
    ['fails', '503 Service Unavailable'],
  ])('that %s keeps the deadline and its secrets', async (_, status) => {
    await using proxy = await forwardProxy(secure, http(status, []))
    const url = proxy.url.replace('//', `//user:${HEADER_SECRET}@`)
    const env = { ...overTls, HTTPS_PROXY: url, KPCEA_TIMEOUT: '1' }
    expect((await suffer(env)).result).toMatchObject({ reason: 'Unreachable', timedOut: true })
    await search(env, [HEADER_SECRET, secure.token])
  })

  test.concurrent('that is not there keeps the deadline and its secrets', async () => {
    const url = `http://user:${HEADER_SECRET}@127.0.0.1:1`
    const env = { ...overTls, ARGOCD_SERVER: 'argocd.invalid', HTTPS_PROXY: url, KPCEA_TIMEOUT: '1' }
    const { result } = await suffer(env)
    expect(result).toMatchObject({ reason: 'Unreachable', timedOut: true })
    expect(result.message).toContain('the proxy in HTTPS_PROXY refuses connections')
    await search(env, [HEADER_SECRET, secure.token])
  })

  test.concurrent.each([
    ['has no address', `http://user:${HEADER_SECRET}@:::`, 'HTTPS_PROXY: is no address of a proxy'],
    [
      'speaks another protocol',
      `socks5://user:${HEADER_SECRET}@127.0.0.1:1`,
      'HTTPS_PROXY: names a socks5:// proxy',
    ],
  ])('that %s is refused before anything is sent, and keeps its secrets', async (_, url, sentence) => {
    const env = { ...overTls, ARGOCD_SERVER: 'argocd.invalid', HTTPS_PROXY: url, KPCEA_TIMEOUT: '1' }
    const { result } = await suffer(env)
    expect(result).toMatchObject({ reason: 'InvalidSettings', timedOut: false })
    expect(result.message).toContain(sentence)
    await search(env, [HEADER_SECRET, secure.token])
  })

  test.concurrent('changes nothing about whose certificate is verified', async () => {
    await using proxy = await forwardProxy(secure)
    const env = { ...overTls, HTTPS_PROXY: proxy.url }
    for (const change of [{ ARGOCD_SERVER: 'argocd.example.org' }, { KPCEA_CA_FILE: undefined }]) {
      const { result } = await suffer({ ...env, ...change })
      expect(result).toMatchObject({ reason: 'Unreachable', timedOut: false })
      expect(result.message).toContain('the certificate of argocd.example.')
    }
  })

  test.concurrent('that refuses is named as the reason', async () => {
    await using proxy = await forwardProxy(secure, http('407 Proxy Authentication Required', []))
    const { result } = await suffer({ ...overTls, HTTPS_PROXY: proxy.url, KPCEA_TIMEOUT: '1' })
    expect(result.message).toContain('HTTPS_PROXY')
  })

  test.concurrent('that is not there is named as the reason', async () => {
    const env = { ...overTls, HTTPS_PROXY: 'http://127.0.0.1:1', KPCEA_TIMEOUT: '1' }
    expect((await suffer(env)).result.message).toContain('HTTPS_PROXY')
  })

  test.concurrent('has its Proxy-Authorization from KPCEA_HEADERS, or that is refused', async () => {
    await using proxy = await forwardProxy(secure)
    const before = secure.requests.length
    const header = `Proxy-Authorization: Basic ${btoa(HEADER_SECRET)}`
    await suffer({ ...overTls, HTTPS_PROXY: proxy.url, KPCEA_HEADERS: header })
    for (const { headers } of secure.requests.slice(before))
      expect(headers.get('proxy-authorization')).toBeNull()
  })
})

describe('a secret that is echoed', () => {
  const headers = `X-Pass: ${HEADER_SECRET}\nCf-Access: ${HEADER_SECRET.toUpperCase()}`
  const secrets = [TOKEN, HEADER_SECRET, HEADER_SECRET.toUpperCase()]
  const said = `you sent ${secrets.join(' and ')}`
  const asks = (server: ArgoCDServer) => ({
    ...connect(server),
    ARGOCD_API_TOKEN: TOKEN,
    KPCEA_HEADERS: headers,
  })

  test.concurrent.each(
    [400, 401, 402, 403, 404, 429, 500].flatMap(
      (status) =>
        [
          [status, 'an error of Argo CD', { error: said, code: 2, message: said }],
          [status, 'text', said],
          [status, 'a page', `<!doctype html><title>${TOKEN}</title>`],
        ] as const,
    ),
  )('in a %d with %s', async (status, _, body) => {
    await using server = await ArgoCDServer.start()
    server.fault({}, { kind: 'answer', status, body })
    for (const format of ['text', 'json'])
      await search({ ...asks(server), KPCEA_OUTPUT: format, KPCEA_LOG_FORMAT: format }, secrets)
  })

  test.concurrent('in the page that is there instead of Argo CD', async () => {
    await using server = await ArgoCDServer.start()
    server.fault({}, { kind: 'answer', status: 200, body: `<!doctype html><title>${TOKEN}</title>` })
    expect(await search(asks(server), secrets)).toContain('a web page ("***")')
  })

  test.concurrent('in what is read of an Application as a reason', async () => {
    const resource = { kind: 'Pod', name: 'web-1', health: { status: 'Degraded', message: said } }
    const ill: JsonObject = {
      status: {
        health: { status: 'Degraded', message: said },
        conditions: [{ type: 'ComparisonError', message: said }],
        operationState: {
          phase: 'Failed',
          message: said,
          syncResult: { resources: [{ ...resource, status: 'SyncFailed', message: said }] },
        },
        resources: [resource],
      },
    }
    for (const watch of ['true', 'false']) {
      await using server = await ArgoCDServer.start()
      server.apply(application({ name: 'web', revision: SHA.a }, ill))
      server.resourceTree('web', { nodes: [resource] })
      // The token of a real account, so that the application can be read at all.
      const env = { ...connect(server), KPCEA_HEADERS: headers, KPCEA_WATCH: watch }
      const text = await search(env, secrets.slice(1))
      expect(text).toContain('you sent')
      const echoed = JSON.parse(JSON.stringify(ill).replaceAll(TOKEN, server.token)) as JsonObject
      server.update('web', echoed)
      await search(env, [server.token])
    }
  })

  test.concurrent('as the password that is refused', async () => {
    await using server = await ArgoCDServer.start()
    for (const status of [401, 403, 500]) {
      const lift = server.fault({}, { kind: 'answer', status, body: `no ${PASSWORD.replace('  ', ' ')}!` })
      // The echo has one space where the password has two, so only the rest of it is looked for.
      await search({ ...connect(server), ...LOGIN, ARGOCD_API_PASSWORD: PASSWORD.replace('  ', ' ') }, [
        'horse" \\battery staple',
      ])
      lift()
    }
  })

  test.concurrent.each([
    ['an error', (text: string) => ({ status: 500, body: text })],
    ['a refusal', (text: string) => ({ status: 401, body: text })],
    ['a page', (text: string) => ({ status: 200, body: `<!doctype html><title>${text}</title>` })],
  ])('at the place where %s is cut', async (_, answer) => {
    await using server = await ArgoCDServer.start()
    for (const length of [60, 80, 250, 280]) {
      const lift = server.fault({}, { kind: 'answer', ...answer(`${'x'.repeat(length)}${TOKEN}`) })
      await search({ ...connect(server), ARGOCD_API_TOKEN: TOKEN, KPCEA_TIMEOUT: '0' }, [TOKEN])
      lift()
    }
  })

  test.concurrent('at the place where a message of an Application is cut', async () => {
    await using server = await ArgoCDServer.start()
    for (let length = 0; length <= 1000; length += 40) {
      const conditions = [{ type: 'ComparisonError', message: `${'x'.repeat(length)}${server.token}` }]
      server.apply(application({ name: 'web', revision: SHA.a }, { status: { conditions } }))
      await search({ ...connect(server), KPCEA_TIMEOUT: '0' }, [server.token])
    }
  })

  test.concurrent('as a password with two spaces in it', async () => {
    await using server = await ArgoCDServer.start()
    server.fault({}, { kind: 'answer', status: 500, body: `no ${PASSWORD}!` })
    await search({ ...connect(server), ...LOGIN }, ['horse" \\battery staple'])
  })

  test.concurrent('as the credentials of a header without their scheme', async () => {
    await using server = await ArgoCDServer.start()
    server.fault({}, { kind: 'answer', status: 500, body: `no ${HEADER_SECRET}` })
    await search({ ...connect(server), KPCEA_HEADERS: `X-Auth: Bearer ${HEADER_SECRET}` }, [HEADER_SECRET])
  })

  test.concurrent('as the token of a session', async () => {
    await using server = await WireServer.start(
      answers((head) =>
        head.startsWith('POST')
          ? http('200 OK', [], JSON.stringify({ token: TOKEN }))
          : http('500 No', [], said),
      ),
    )
    const text = await search({ ...LOGIN, ARGOCD_SERVER: server.url }, [TOKEN])
    expect(text).toContain('you sent')
  })

  test.concurrent('as the token that was read again from its file', async () => {
    const file = join(temporaryDirectory(), 'token')
    writeFileSync(file, 'old.old.old')
    await using server = await WireServer.start(
      answers((head) => {
        writeFileSync(file, TOKEN)
        return head.includes('old.old.old') ? http('401 No', [], 'expired') : http('500 No', [], said)
      }),
    )
    const env = { ARGOCD_SERVER: server.url, ARGOCD_API_TOKEN_FILE: file, KPCEA_WATCH: 'false' }
    const text = await search(env, [TOKEN])
    expect(text).toContain('you sent')
  })

  test.concurrent('in anything else of an Application', async () => {
    await using server = await ArgoCDServer.start()
    const odd = (token: string): JsonObject => ({
      spec: { project: token },
      status: {
        sync: { status: token, revision: token },
        health: { status: token },
        summary: { images: [token] },
        operationState: { phase: token, finishedAt: token },
        resources: [{ kind: token, name: token, status: token, health: { status: token } }],
      },
    })
    server.apply(application({ name: 'web', revision: SHA.a }, odd(server.token)))
    for (const KPCEA_WATCH of ['true', 'false'])
      await search({ ...connect(server), KPCEA_WATCH }, [server.token])
  })
})

describe('what a server says', () => {
  test.concurrent.each([
    ['an error', { status: 500, body: 'no\u001b[2K\u001b[1A\u0007\u009b31m' }],
    ['a page', { status: 200, body: '<!doctype html><title>no\u001b[2K\u001b[1A\u0007</title>' }],
  ])('in %s holds no control characters when it is shown', async (_, answer) => {
    await using server = await ArgoCDServer.start()
    server.fault({}, { kind: 'answer', ...answer })
    const text = await search(connect(server, { KPCEA_TIMEOUT: '0' }), [])
    expect(text).toContain('no')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/)
  })
})

describe('a secret in the wrong place', () => {
  const secret = 'hush.hush.hush.hush'
  const others = { ARGOCD_SERVER: 'http://127.0.0.1:1', ARGOCD_API_TOKEN: TOKEN, KPCEA_TIMEOUT: '0' }
  test.concurrent.each([
    [{ ARGOCD_API_TOKEN: `${secret} ${secret}` }, []],
    [{ ARGOCD_API_TOKEN: `${secret}ü` }, []],
    [{ ARGOCD_SERVER: `https://kargo:${secret}@argocd.example.com` }, []],
    [{ ARGOCD_SERVER: `${secret}@argocd.example.com` }, []],
    [{ KPCEA_HEADERS: `Authorization: Bearer ${secret}` }, []],
    [{ KPCEA_HEADERS: secret }, []],
    [{ KPCEA_HEADERS: `X Y: ${secret}` }, []],
    [{ KPCEA_HEADERS: `X-Y: ${secret}\u0007` }, []],
    [{}, ['--token', secret]],
    [{}, [`--token=${secret}`]],
    [{}, ['--password', secret]],
    [{}, [`--pasword=${secret}`]],
    [{}, ['--passwd', secret]],
    [{}, ['--header', secret]],
  ] as const)('%j %j is complained about without being shown', async (env, args) => {
    const text = await search({ ...others, ...env }, [secret], args)
    expect(text).toContain('NOT VERIFIED (InvalidSettings)')
  })

  test.concurrent('after a flag that does not exist, beginning with a dash', async () => {
    await search(others, [secret], ['--password', `-${secret}`])
  })
})

describe('while a run lasts', () => {
  test.concurrent('its command line and its name hold no secret', () =>
    oneOfFew(async () => {
      for (const credentials of [{}, LOGIN]) {
        // One of its own: a request of the run before may come late.
        await using server = await ArgoCDServer.start({ accounts: { kargo: PASSWORD } })
        server.apply(application({ name: 'web', revision: SHA.b }))
        const env = { ...connect(server, { ...WEB, ...credentials }), KPCEA_TIMEOUT: '40' }
        const running = start({ ...env, KPCEA_HEADERS: `X-Pass: ${HEADER_SECRET}` })
        await waitFor(() => server.requests.length > 0)
        for (const file of ['cmdline', 'comm', 'status']) {
          const text = readFileSync(`/proc/${running.process.pid}/${file}`, 'latin1')
          for (const secret of [server.token, PASSWORD, HEADER_SECRET])
            expect(traceOf(secret, text)).toBeUndefined()
        }
        running.process.kill('SIGTERM')
        expect((await running.finished).code).toBe(1)
      }
    }))
})

describe('files that hold secrets', () => {
  const isContainer = ['/.dockerenv', '/run/.containerenv'].some((path) => existsSync(path))

  test.concurrent('are warned about where everybody can read them, but not in a container', async () => {
    await using server = await ArgoCDServer.start()
    server.apply(application({ name: 'web', revision: SHA.a }))
    const file = join(temporaryDirectory(), 'token')
    writeFileSync(file, `${server.token}\n`)
    const env = { ...connect(server, WEB), ARGOCD_API_TOKEN: undefined, ARGOCD_API_TOKEN_FILE: file }
    for (const [mode, platform, warns] of [
      [0o600, {}, false],
      [0o640, {}, false],
      [0o644, {}, true],
      [0o644, { KUBERNETES_SERVICE_HOST: '10.96.0.1' }, false],
    ] as const) {
      chmodSync(file, mode)
      const { code, stderr } = await suffer({ ...env, ...platform, KPCEA_TIMEOUT: '20' })
      expect(code).toBe(0)
      expect(stderr.includes('ARGOCD_API_TOKEN_FILE (--token-file)')).toBe(warns && !isContainer)
    }
  })
})
