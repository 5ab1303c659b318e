/** `kpcea doctor`: each thing that it looks at, working and broken, at the executable. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readToken } from '../lib/token.ts'
import { ArgoCDServer, application } from './argocd/server.ts'
import { createAuthority } from './certificates.ts'
import { type Environment, run, temporaryDirectory } from './executable.ts'
import { forwardProxy, http } from './faults.ts'
import { SHA } from './fixtures.ts'

let server: ArgoCDServer
let secure: ArgoCDServer
let ca: string
beforeAll(async () => {
  server = await ArgoCDServer.start({ rootPath: '/argo', enabledNamespaces: ['team'] })
  for (const name of ['web', 'api'])
    server.apply(application({ name, revision: SHA.a, labels: { team: 'shop' } }))
  server.apply(application({ name: 'other', namespace: 'team', revision: SHA.a }))
  const authority = await createAuthority('Example authority')
  secure = await ArgoCDServer.start({ tls: await authority.server({ names: ['argocd.example.com'] }) })
  secure.apply(application({ name: 'web', revision: SHA.a }))
  ca = join(temporaryDirectory(), 'ca.pem')
  writeFileSync(ca, authority.cert)
})
afterAll(() => Promise.all([server.stop(), secure.stop()]))

interface Examined {
  readonly code: number
  readonly findings: ReadonlyMap<string, { readonly ok: boolean; readonly message: string }>
  readonly said: string
}

async function examine(env: Environment, args: readonly string[] = []): Promise<Examined> {
  const all = { ARGOCD_SERVER: server.url, ARGOCD_API_TOKEN: server.token, ARGOCD_APP_NAME: 'web', ...env }
  const { code, stdout, stderr } = await run(all, ['doctor', '-o', 'json', ...args])
  const { schemaVersion, ok, findings } = JSON.parse(stdout)
  expect(schemaVersion).toBe(1)
  expect(ok).toBe(code === 0)
  const bySubject = new Map(
    findings.map((one: { subject: string; ok: boolean; message: string }) => [one.subject, one]),
  ) as Examined['findings']
  return { code, findings: bySubject, said: stdout + stderr }
}

/** What is wrong, and that it is all that is wrong. */
async function expectWrong(subject: string, message: string, env: Environment, args: readonly string[] = []) {
  const { code, findings, said } = await examine(env, args)
  expect(code).toBe(1)
  expect([...findings].filter(([, { ok }]) => !ok).map(([name]) => name)).toEqual([subject])
  expect(findings.get(subject)?.message).toContain(message)
  return said
}

test('where everything works there is a line each, and exit code 0', async () => {
  const env = { ARGOCD_SERVER: server.url, ARGOCD_API_TOKEN: server.token, ARGOCD_APP_NAME: 'web,api' }
  const { code, stdout } = await run(env, ['doctor'])
  expect(code).toBe(0)
  const lines = stdout.trimEnd().split('\n')
  expect(lines.slice(0, -1).every((line) => line.startsWith('✓ '))).toBe(true)
  const subjects = lines.slice(0, -1).map((line) => line.slice(2).split(/ {2,}/)[0])
  expect(subjects).toEqual([
    'name',
    'proxy',
    'connection',
    'TLS',
    'Argo CD',
    'account',
    'application',
    'application',
    'stream',
  ])
  expect(stdout).toContain(`v3.6.0+37ee009 at ${server.url}`)
  expect(stdout).toContain('kpcea; the token never expires')
  expect(stdout).toContain(
    'argocd/web is there (Synced, Healthy), tracks main of https://git.example.com/deployments.git',
  )
  expect(lines.at(-1)).toBe('READY: a verification with these settings can ask')
})

test('it only reads, asks for no refresh, and needs neither an application nor a revision', async () => {
  const before = server.requests.length
  const { code, findings } = await examine({ ARGOCD_APP_NAME: '' })
  expect(code).toBe(0)
  expect(findings.get('applications')?.message).toContain('kpcea may see 3')
  const asked = server.requests.slice(before)
  expect(asked.length).toBeGreaterThan(3)
  for (const { method, query } of asked) {
    expect(method).toBe('GET')
    expect(query.has('refresh')).toBe(false)
  }
})

test('as JSON, in a file and as the termination message, too', async () => {
  const directory = temporaryDirectory()
  const files = { KPCEA_RESULT_FILE: join(directory, 'r'), KPCEA_TERMINATION_LOG: join(directory, 't') }
  await examine({ ...files, ARGOCD_APP_NAME: 'wbe' })
  expect(JSON.parse(readFileSync(files.KPCEA_RESULT_FILE, 'utf8')).ok).toBe(false)
  expect(readFileSync(files.KPCEA_TERMINATION_LOG, 'utf8')).toBe(
    'NOT READY: application: wbe cannot be seen: did you mean web?',
  )
})

test('exit codes: 1, and with the detailed ones 2 for the settings and 3 where the server could not be asked', async () => {
  const detailed = { KPCEA_DETAILED_EXITCODE: 'true' }
  expect((await examine({ ...detailed, ARGOCD_SERVER: 'http://127.0.0.1:1' })).code).toBe(3)
  expect((await examine({ ...detailed, ARGOCD_APP_NAME: 'nope' })).code).toBe(1)
  expect((await run({ ...detailed, ARGOCD_SERVER: 'a b' }, ['doctor'])).code).toBe(2)
})

describe('the way', () => {
  test('a name that DNS does not know', () =>
    expectWrong('name', 'argocd.exmaple.invalid is not a name that DNS knows', {
      ARGOCD_SERVER: 'argocd.exmaple.invalid',
    }))
  test('a port where nobody listens', () =>
    expectWrong('connection', 'refuses connections; check the host and the port', {
      ARGOCD_SERVER: 'http://127.0.0.1:1',
    }))
  test('a proxy that is not there is to blame, and not the server', async () => {
    const env = { ARGOCD_SERVER: 'argocd.example.com', HTTPS_PROXY: 'http://me:hunter2@127.0.0.1:1' }
    const said = await expectWrong('connection', 'the proxy in HTTPS_PROXY refuses connections', env)
    expect(said).toContain('http://127.0.0.1:1, from HTTPS_PROXY')
    expect(said).not.toContain('hunter2')
  })
  test('through a proxy, whose certificate is that of the server', async () => {
    await using proxy = await forwardProxy(secure)
    const { code, findings } = await examine({
      ARGOCD_SERVER: 'argocd.example.com',
      ARGOCD_API_TOKEN: secure.token,
      HTTPS_PROXY: proxy.url,
      KPCEA_CA_FILE: ca,
    })
    expect(code).toBe(0)
    expect(findings.get('proxy')?.message).toBe(`${proxy.url}, from HTTPS_PROXY`)
    expect(findings.get('TLS')?.message).toMatch(
      /^certificate of argocd.example.com, signed by Example authority, valid until \d{4}-/,
    )
  })
  test('a proxy that wants a password', async () => {
    await using proxy = await forwardProxy(secure, http('407 Proxy Authentication Required', []))
    const env = { ARGOCD_SERVER: 'argocd.example.com', HTTPS_PROXY: proxy.url, KPCEA_CA_FILE: ca }
    await expectWrong(
      'TLS',
      'opens no tunnel to argocd.example.com (407); put its user and password into HTTPS_PROXY',
      env,
    )
  })
})

describe('TLS', () => {
  const to = () => ({
    ARGOCD_SERVER: `localhost:${secure.address.split(':')[1]}`,
    ARGOCD_API_TOKEN: secure.token,
  })
  test('an authority that is not known', () => expectWrong('TLS', 'Example authority', to()))
  test('a certificate for other names', () =>
    expectWrong('TLS', 'is for other names', { ...to(), KPCEA_CA_FILE: ca }))
  test('not verified is said', async () => {
    const { findings } = await examine({ ...to(), KPCEA_INSECURE: 'true' })
    expect(findings.get('TLS')?.message).toContain('NOT verified (KPCEA_INSECURE)')
  })
  test('https where http is spoken', () =>
    expectWrong('TLS', 'KPCEA_PLAINTEXT=true', { ARGOCD_SERVER: server.address }))
  test('http where https is spoken', () =>
    expectWrong('Argo CD', 'use https://', { ARGOCD_SERVER: `http://${secure.address}` }))
})

describe('Argo CD', () => {
  test('with a root path that is none it is a web page', () =>
    expectWrong('Argo CD', 'root path', { ARGOCD_SERVER: `${server.url}/other` }))
  test('a sign-in page in front', async () => {
    await using fronted = await ArgoCDServer.start()
    fronted.fault({}, { kind: 'redirect', location: 'https://login.example.com/authorize?state=hunter2' })
    const said = await expectWrong('Argo CD', 'sign-in page', { ARGOCD_SERVER: fronted.url })
    expect(said).not.toContain('hunter2')
  })
  test('a server that hangs does not hold it up for ever', async () => {
    await using hung = await ArgoCDServer.start()
    hung.fault({}, { kind: 'hang' })
    await expectWrong('Argo CD', 'did not answer in time', { ARGOCD_SERVER: hung.url })
  }, 30_000)
})

describe('the account', () => {
  test('a token that has expired says when', async () => {
    const said = await expectWrong('account', 'the token of kpcea expired 2', {
      ARGOCD_API_TOKEN: server.createToken({ seconds: -10 }),
    })
    expect(said).not.toContain('eyJ')
  })
  test('a token that will expire soon', async () => {
    const { findings } = await examine({
      ARGOCD_API_TOKEN: server.createToken({ seconds: 7250, account: 'ci' }),
    })
    expect(findings.get('account')?.message).toMatch(/^ci; the token expires \d{4}-\d\d-\d\d, in 2h$/)
  })
  test('a token of nobody', () => expectWrong('account', 'refused the token', { ARGOCD_API_TOKEN: 'x.y.z' }))
  test('a login, and a wrong password that is tried once', async () => {
    await using own = await ArgoCDServer.start({ accounts: { ada: 'secret-word' } })
    own.apply(application({ name: 'web', revision: SHA.a }))
    const env = { ARGOCD_SERVER: own.url, ARGOCD_API_TOKEN: undefined, ARGOCD_API_USERNAME: 'ada' }
    const { findings } = await examine({ ...env, ARGOCD_API_PASSWORD: 'secret-word' })
    expect(findings.get('account')?.message).toContain('ada; the session expires')
    const before = own.requests.filter(({ route }) => route === 'session').length
    await expectWrong('account', 'refused the login of ada', { ...env, ARGOCD_API_PASSWORD: 'wrong' })
    expect(own.requests.filter(({ route }) => route === 'session').length - before).toBe(1)
  })
  test('what a token says of itself', () => {
    const token = (claims: object) => `x.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.y`
    expect(readToken(token({ sub: 'kpcea:apiKey', exp: 4102444800 }))).toEqual({
      subject: 'kpcea',
      capability: 'apiKey',
      expiresAt: new Date('2100-01-01'),
    })
    expect(readToken(token({ sub: 'proj:shop:gate' }))).toMatchObject({
      subject: 'proj:shop:gate',
      capability: undefined,
    })
    expect(readToken(token({ sub: 'ada' }))).toMatchObject({ subject: 'ada' })
    for (const none of ['', 'a.b', 'a.b.c.d', 'x.e30', 'x.!.y', token({ exp: 'soon' }), token([] as object)])
      expect(readToken(none)?.expiresAt).toBeUndefined()
  })
})

describe('applications', () => {
  test('misspelt', () => expectWrong('application', 'did you mean web?', { ARGOCD_APP_NAME: 'wbe' }))
  test('of another name altogether: those that can be seen', () =>
    expectWrong('application', 'it may see', { ARGOCD_APP_NAME: 'nothing-like-it' }))
  test('in another namespace', () =>
    expectWrong('application', 'write --app team/other', { ARGOCD_APP_NAME: 'other' }))
  test('in another project', () =>
    expectWrong('application', 'it is in project default, not in shop; check KPCEA_PROJECT', {
      KPCEA_PROJECT: 'shop',
    }))
  test('no permission at all', () =>
    expectWrong(
      'application',
      'sees no application at all; give it the policy line: p, kpcea, applications, get, */*, allow',
      {
        ARGOCD_API_TOKEN: server.createToken({ applications: ['nothing/*'] }),
      },
    ))
  test('no permission for this one', () =>
    expectWrong('application', 'p, kpcea, applications, get, default/web, allow', {
      ARGOCD_API_TOKEN: server.createToken({ applications: ['default/api'] }),
      KPCEA_PROJECT: 'default',
    }))
  test('a controller that does not run', async () => {
    await using own = await ArgoCDServer.start()
    own.apply(application({ name: 'web', revision: SHA.a }))
    const env = { ARGOCD_SERVER: own.url, ARGOCD_API_TOKEN: own.token }
    own.update('web', (app) => {
      app.status.reconciledAt = '2026-01-01T00:00:00Z'
    })
    await expectWrong('application', "does Argo CD's application controller run?", env)
    own.update('web', (app) => {
      app.status.reconciledAt = ''
    })
    await expectWrong('application', 'it was never compared with Git', env)
  })
  test('a selector: each that matches, and whether they are enough', async () => {
    const { code, findings } = await examine({
      ARGOCD_APP_NAME: '',
      KPCEA_SELECTOR: 'team=shop',
      KPCEA_SELECTOR_MIN: '2',
    })
    expect(code).toBe(0)
    expect(findings.get('applications')?.message).toBe('2 match team=shop')
    await expectWrong('applications', 'and at least 3 must', {
      ARGOCD_APP_NAME: '',
      KPCEA_SELECTOR: 'team=shop',
      KPCEA_SELECTOR_MIN: '3',
    })
  })
})

describe('the stream', () => {
  test('that something in between buffers', async () => {
    await using own = await ArgoCDServer.start()
    own.apply(application({ name: 'web', revision: SHA.a }))
    own.fault({ route: 'stream' }, { kind: 'buffer' })
    const env = { ARGOCD_SERVER: own.url, ARGOCD_API_TOKEN: own.token }
    await expectWrong('stream', 'verifications poll each 5s then', env)
    expect((await examine({ ...env, KPCEA_WATCH: 'false' })).code).toBe(0)
  }, 30_000)
  test('that opens and says nothing', async () => {
    await using own = await ArgoCDServer.start()
    own.apply(application({ name: 'web', revision: SHA.a }))
    own.fault({ route: 'stream' }, { kind: 'silent' })
    const env = { ARGOCD_SERVER: own.url, ARGOCD_API_TOKEN: own.token }
    await expectWrong('stream', 'something in between buffers it', env)
  }, 30_000)
})
