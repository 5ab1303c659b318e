/** The compiled executable against the simulated Argo CD: what the README promises. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { version } from '../package.json'
import { ArgoCDServer, application } from './argocd/server.ts'
import { createAuthority, selfSigned } from './certificates.ts'
import {
  connect,
  EXECUTABLE,
  emptyDirectory,
  run,
  runJson,
  start,
  temporaryDirectory,
  waitFor,
} from './executable.ts'
import { SHA } from './fixtures.ts'

let server: ArgoCDServer
beforeAll(async () => {
  server = await ArgoCDServer.start({ accounts: { kargo: 'correct horse' } })
  server.apply(application({ name: 'web', revision: SHA.a }))
  server.commit(SHA.a, { message: 'Promote web to 1.2.0\n\nby Kargo', tags: ['v1.2.0'] })
})
afterAll(() => server.stop())

const WEB = { ARGOCD_APP_NAME: 'web', KPCEA_TARGET_REVISION: SHA.a }
const loginRequests = (one: ArgoCDServer) => one.requests.filter(({ route }) => route === 'session')

describe('TOKEN mode', () => {
  test('a verified application is a yes', async () => {
    const { code, stdout } = await run(connect(server, WEB))
    expect(code).toBe(0)
    expect(stdout).toContain('VERIFIED')
    expect(stdout).toContain(`Synced and Healthy at ${SHA.a.slice(0, 8)}\n`)
    expect(stdout).toContain(`${server.url}/applications/argocd/web`)
  })

  test('another revision is a no that says what was expected and what was found', async () => {
    const { code, stdout } = await run(
      connect(server, { ...WEB, KPCEA_TARGET_REVISION: SHA.b, KPCEA_TIMEOUT: '1' }),
    )
    expect(code).toBe(1)
    expect(stdout).toContain('NOT VERIFIED (RevisionMismatch)')
    expect(stdout).toContain(`revision is ${SHA.a.slice(0, 8)}, not ${SHA.b.slice(0, 8)}`)
  })

  test('a refused token ends the run at once and says so', async () => {
    const { result, code } = await runJson(
      connect(server, { ...WEB, ARGOCD_API_TOKEN: 'a.b.c', KPCEA_TIMEOUT: '60' }),
    )
    expect(code).toBe(1)
    expect(result).toMatchObject({ reason: 'Unauthorized', timedOut: false })
    expect(result.message).toContain('ARGOCD_API_TOKEN')
  })

  test('a token from a file, which is read again when it is refused', async () => {
    const file = join(temporaryDirectory(), 'token')
    const old = server.createToken()
    writeFileSync(file, `${old}\n`)
    const { finished } = start(
      connect(server, {
        ...WEB,
        ARGOCD_API_TOKEN: undefined,
        ARGOCD_API_TOKEN_FILE: file,
        KPCEA_TARGET_REVISION: SHA.b,
        KPCEA_TIMEOUT: '30',
        KPCEA_WATCH: 'false',
        KPCEA_INTERVAL: '100ms',
        KPCEA_REFRESH: 'none',
      }),
    )
    await waitFor(() =>
      server.requests.some(({ headers }) => headers.get('authorization') === `Bearer ${old}`),
    )
    writeFileSync(file, `${server.createToken()}\n`)
    server.revoke(old)
    server.apply(application({ name: 'web', revision: SHA.b }))
    expect((await finished).code).toBe(0)
    server.apply(application({ name: 'web', revision: SHA.a }))
  })
})

describe('LOGIN mode', () => {
  const LOGIN = {
    ...WEB,
    ARGOCD_API_TOKEN: '',
    ARGOCD_API_USERNAME: 'kargo',
    ARGOCD_API_PASSWORD: 'correct horse',
  }

  test('logs in once and asks with the session', async () => {
    const before = loginRequests(server).length
    const { code } = await run(connect(server, LOGIN))
    expect(code).toBe(0)
    expect(loginRequests(server).length - before).toBe(1)
  })

  test('a wrong password is tried once, even with time left', async () => {
    const before = loginRequests(server).length
    const { result, stdout, stderr } = await runJson(
      connect(server, { ...LOGIN, ARGOCD_API_PASSWORD: 'wrong horse', KPCEA_TIMEOUT: '60' }),
    )
    expect(result).toMatchObject({ verified: false, reason: 'Unauthorized' })
    expect(loginRequests(server).length - before).toBe(1)
    expect(stdout + stderr).not.toContain('wrong horse')
  })

  test('a session that ends while waiting is followed by one new login', async () => {
    const own = await ArgoCDServer.start({ accounts: { kargo: 'correct horse' } })
    own.apply(application({ name: 'web', revision: SHA.b }))
    const { finished } = start(
      connect(own, {
        ...LOGIN,
        KPCEA_TIMEOUT: '30',
        KPCEA_WATCH: 'false',
        KPCEA_INTERVAL: '100ms',
        KPCEA_REFRESH: 'none',
      }),
    )
    await waitFor(() => own.requests.filter(({ route }) => route === 'application').length > 1)
    own.endSessions()
    await waitFor(() => loginRequests(own).length === 2)
    own.apply(application({ name: 'web', revision: SHA.a }))
    expect((await finished).code).toBe(0)
    expect(loginRequests(own)).toHaveLength(2)
    await own.stop()
  })
})

describe('TLS', () => {
  test('a self-signed certificate is refused at once, and taken where that is asked for', async () => {
    const tls = await selfSigned()
    const secure = await ArgoCDServer.start({ tls })
    secure.apply(application({ name: 'web', revision: SHA.a }))
    const env = { ...connect(secure, WEB), ARGOCD_SERVER: secure.address, KPCEA_TIMEOUT: '60' }
    const refused = await runJson(env)
    expect(refused.code).toBe(1)
    expect(refused.result).toMatchObject({ reason: 'Unreachable', timedOut: false })
    expect(refused.result.message).toContain('self-signed')
    expect(refused.result.message).toContain('KPCEA_CA_FILE')
    const insecure = await run({ ...env, KPCEA_INSECURE: 'true' })
    expect(insecure.code).toBe(0)
    expect(insecure.stderr).toContain('NOT verified')
    await secure.stop()
  })

  test('variables of the runtime neither turn verification off nor print what is sent', async () => {
    const secure = await ArgoCDServer.start({ tls: await selfSigned(), accounts: { kargo: 'correct horse' } })
    const login = {
      ARGOCD_SERVER: secure.address,
      ...WEB,
      ARGOCD_API_USERNAME: 'kargo',
      ARGOCD_API_PASSWORD: 'correct horse',
    }
    expect((await run({ ...login, NODE_TLS_REJECT_UNAUTHORIZED: '0', KPCEA_TIMEOUT: '2' })).code).toBe(1)
    const { stdout, stderr } = await run({
      ...login,
      KPCEA_INSECURE: 'true',
      BUN_CONFIG_VERBOSE_FETCH: 'curl',
      KPCEA_TIMEOUT: '1',
    })
    expect(stdout + stderr).not.toContain('correct horse')
    expect(stdout + stderr).not.toContain('/api/v1/session')
    await secure.stop()
  })

  test('LOGIN mode with KPCEA_INSECURE goes over TLS', async () => {
    const secure = await ArgoCDServer.start({ tls: await selfSigned(), accounts: { kargo: 'correct horse' } })
    secure.apply(application({ name: 'web', revision: SHA.a }))
    const { code } = await run({
      ARGOCD_SERVER: secure.address,
      ...WEB,
      ARGOCD_API_USERNAME: 'kargo',
      ARGOCD_API_PASSWORD: 'correct horse',
      KPCEA_INSECURE: 'true',
    })
    expect(code).toBe(0)
    await secure.stop()
  })

  test('an authority of one’s own, a wrong name, an expired certificate, a client certificate', async () => {
    const authority = await createAuthority()
    const directory = temporaryDirectory()
    const file = (name: string, text: string) => {
      writeFileSync(join(directory, name), text)
      return join(directory, name)
    }
    const ca = file('ca.pem', authority.cert)
    const client = await authority.client()
    const cases = [
      { tls: await authority.server(), env: { KPCEA_CA_FILE: ca }, code: 0, says: 'VERIFIED' },
      {
        tls: await authority.server(),
        env: {},
        code: 1,
        says: 'signed by an authority that is not known here',
      },
      { tls: await authority.wrongName(), env: { KPCEA_CA_FILE: ca }, code: 1, says: 'is for other names' },
      { tls: await authority.expired(), env: { KPCEA_CA_FILE: ca }, code: 1, says: 'has expired' },
      {
        tls: { ...(await authority.server()), ca: authority.cert },
        env: {
          KPCEA_CA_FILE: ca,
          KPCEA_CLIENT_CERT_FILE: file('client.pem', client.cert),
          KPCEA_CLIENT_KEY_FILE: file('client.key', client.key),
        },
        code: 0,
        says: 'VERIFIED',
      },
    ]
    for (const { tls, env, code, says } of cases) {
      const secure = await ArgoCDServer.start({ tls })
      secure.apply(application({ name: 'web', revision: SHA.a }))
      const finished = await run({ ...connect(secure, WEB), ARGOCD_SERVER: secure.address, ...env })
      expect(finished.stdout).toContain(says)
      expect(finished.code).toBe(code)
      await secure.stop()
    }
  })
})

test.skipIf(process.getuid?.() !== 0)(
  'an authority that only the system knows is trusted, too (needs root)',
  async () => {
    const authority = await createAuthority()
    const secure = await ArgoCDServer.start({ tls: await authority.server() })
    secure.apply(application({ name: 'web', revision: SHA.a }))
    const bundle = join(temporaryDirectory(), 'ca-certificates.crt')
    writeFileSync(bundle, authority.cert)
    const env = { ...connect(secure, WEB), ARGOCD_SERVER: secure.address } as Record<string, string>
    const code = async (mount: string) => {
      const script = `${mount} exec ${EXECUTABLE} --timeout 20`
      return await Bun.spawn(['unshare', '--mount', 'sh', '-c', script], {
        env,
        stdout: 'ignore',
        stderr: 'ignore',
      }).exited
    }
    expect(await code('')).toBe(1)
    expect(await code(`mount --bind ${bundle} /etc/ssl/certs/ca-certificates.crt &&`)).toBe(0)
    await secure.stop()
  },
)

describe('both modes of verification', () => {
  test('SEARCH_COMMIT_MSG: a message that contains the text', async () => {
    const env = connect(server, {
      ARGOCD_APP_NAME: 'web',
      KPCEA_VERIFY_MODE: 'SEARCH_COMMIT_MSG',
      KPCEA_SEARCH_COMMIT_MSG: 'web to 1.2.0',
    })
    expect((await run(env)).code).toBe(0)
  })
  test('SEARCH_COMMIT_MSG: a message that does not', async () => {
    const env = connect(server, {
      ARGOCD_APP_NAME: 'web',
      KPCEA_VERIFY_MODE: 'SEARCH_COMMIT_MSG',
      KPCEA_SEARCH_COMMIT_MSG: 'Web To 1.2.0',
      KPCEA_TIMEOUT: '1',
    })
    const { code, result } = await runJson(env)
    expect(code).toBe(1)
    expect(result.reason).toBe('CommitMessageMismatch')
    expect(result.message).toContain('Promote web to 1.2.0')
  })
  test('an unknown mode warns and means EXACT', async () => {
    const { code, stderr } = await run(connect(server, { ...WEB, KPCEA_VERIFY_MODE: 'FUZZY' }))
    expect(code).toBe(0)
    expect(stderr).toContain('KPCEA_VERIFY_MODE')
  })
})

describe('waiting', () => {
  test.each(['true', 'false'])('an application that becomes healthy is a yes (watch: %s)', async (watch) => {
    const own = await ArgoCDServer.start()
    own.apply(
      application({ name: 'web', revision: SHA.a }, { status: { health: { status: 'Progressing' } } }),
    )
    const { finished } = start(connect(own, { ...WEB, KPCEA_WATCH: watch, KPCEA_INTERVAL: '200ms' }))
    await waitFor(() => own.refreshes.length === 1)
    own.update('web', { status: { health: { status: 'Healthy' } } })
    const { code, stderr } = await finished
    expect(code).toBe(0)
    expect(stderr).toContain('Progressing')
    expect(own.refreshes).toHaveLength(1)
    await own.stop()
  })

  test('the deadline is kept, and the reason told', async () => {
    const { code, result, elapsed } = await runJson(
      connect(server, { ...WEB, ARGOCD_APP_NAME: 'nope', KPCEA_TIMEOUT: '2' }),
    )
    expect(code).toBe(1)
    expect(result).toMatchObject({ reason: 'NotFound', timedOut: true })
    expect(result.durationSeconds).toBeGreaterThanOrEqual(2)
    expect(elapsed).toBeLessThan(10_000)
  })

  test('of many runs at once, each keeps its deadline', async () => {
    const env = connect(server, { ...WEB, KPCEA_TARGET_REVISION: SHA.b, KPCEA_TIMEOUT: '0.5' })
    const runs = await Promise.all(Array.from({ length: 24 }, () => runJson(env)))
    for (const { result } of runs) {
      expect(result).toMatchObject({ verified: false, timedOut: true })
      expect(result.durationSeconds).toBeLessThan(10)
    }
  })

  test('a server that accepts and never answers cannot hold up the deadline', async () => {
    const own = await ArgoCDServer.start()
    own.fault({}, { kind: 'hang' })
    const { code, result } = await runJson(connect(own, { ...WEB, KPCEA_TIMEOUT: '1' }))
    expect(code).toBe(1)
    expect(result).toMatchObject({ reason: 'Unreachable', timedOut: true })
    expect(result.durationSeconds).toBeLessThan(1.5)
    await own.stop()
  })

  test('a timeout of 0 is one look and one request', async () => {
    const own = await ArgoCDServer.start()
    own.apply(application({ name: 'web', revision: SHA.a }))
    expect((await run(connect(own, { ...WEB, KPCEA_TIMEOUT: '0' }))).code).toBe(0)
    expect((await run(connect(own, { ...WEB, KPCEA_TARGET_REVISION: SHA.b, KPCEA_TIMEOUT: '0' }))).code).toBe(
      1,
    )
    expect(own.requests.map(({ route }) => route)).toEqual(['application', 'application'])
    await own.stop()
  })

  test('an application that is there costs one request', async () => {
    const own = await ArgoCDServer.start()
    own.apply(application({ name: 'web', revision: SHA.a }))
    await run(connect(own, WEB))
    expect(own.requests.map(({ route }) => route)).toEqual(['application'])
    await own.stop()
  })
})

describe('applications', () => {
  test('several sources, plain and by source', async () => {
    const own = await ArgoCDServer.start()
    own.apply(
      application({
        name: 'web',
        sources: [
          { repoURL: 'https://charts.example.com', chart: 'web', targetRevision: '1.*', revision: '1.4.2' },
          {
            repoURL: 'https://git.example.com/values.git',
            targetRevision: 'main',
            ref: 'values',
            revision: SHA.b,
          },
        ],
      }),
    )
    const codes = await Promise.all(
      [
        SHA.b,
        '1.4.2',
        `https://charts.example.com#web=1.4.2,https://git.example.com/values.git=${SHA.b}`,
        SHA.a,
        `https://charts.example.com=${SHA.b}`,
      ].map(
        async (revision) =>
          (
            await run(
              connect(own, { ARGOCD_APP_NAME: 'web', KPCEA_TARGET_REVISION: revision, KPCEA_TIMEOUT: '1' }),
            )
          ).code,
      ),
    )
    expect(codes).toEqual([0, 0, 0, 1, 1])
    await own.stop()
  })

  test('several names, each with its own revision', async () => {
    const own = await ArgoCDServer.start()
    own.apply(application({ name: 'web', revision: SHA.a }))
    own.apply(application({ name: 'api', revision: SHA.b }))
    const good = await runJson(
      connect(own, { ARGOCD_APP_NAME: `web@${SHA.a},api`, KPCEA_TARGET_REVISION: SHA.b }),
    )
    expect(good.code).toBe(0)
    expect(good.result.applications.map(({ name, verified }) => [name, verified])).toEqual([
      ['api', true],
      ['web', true],
    ])
    const bad = await runJson(connect(own, { KPCEA_TIMEOUT: '1' }), [
      '--app',
      `web@${SHA.a}`,
      '--app',
      `api@${SHA.a}`,
    ])
    expect(bad.code).toBe(1)
    expect(bad.result.applications.map(({ name, reason }) => [name, reason])).toEqual([
      ['api', 'RevisionMismatch'],
      ['web', 'Verified'],
    ])
    await own.stop()
  })

  test('in a namespace of their own, by either spelling', async () => {
    const own = await ArgoCDServer.start({ enabledNamespaces: ['team-a'] })
    own.apply(application({ name: 'web', namespace: 'team-a', revision: SHA.a }))
    own.apply(application({ name: 'web', revision: SHA.b }))
    expect((await run(connect(own, { ...WEB, ARGOCD_APP_NAME: 'team-a/web' }))).code).toBe(0)
    expect((await run(connect(own, WEB), ['-N', 'team-a'])).code).toBe(0)
    expect((await run(connect(own, { ...WEB, KPCEA_TIMEOUT: '1' }))).code).toBe(1)
    await own.stop()
  })

  test('below a root path, which the link keeps', async () => {
    const own = await ArgoCDServer.start({ rootPath: '/argo' })
    own.apply(application({ name: 'web', revision: SHA.a }))
    const { code, stdout } = await run(connect(own, WEB))
    expect(code).toBe(0)
    expect(stdout).toContain('/argo/applications/argocd/web')
    const wrong = await runJson(
      connect(own, { ...WEB, ARGOCD_SERVER: own.url.replace('/argo', ''), KPCEA_TIMEOUT: '1' }),
    )
    expect(wrong.result.reason).toBe('NotArgoCD')
    expect(wrong.result.message).toContain('root path')
    await own.stop()
  })
})

describe('output', () => {
  test('the JSON result is one object, alone on stdout, and also in the result file', async () => {
    const file = join(temporaryDirectory(), 'result.json')
    const { stdout, result } = await runJson(connect(server, { ...WEB, KPCEA_RESULT_FILE: file }))
    expect(stdout.trim().split('\n')).toHaveLength(1)
    expect(readFileSync(file, 'utf8')).toBe(stdout)
    expect(result).toMatchObject({
      schemaVersion: 1,
      verified: true,
      reason: 'Verified',
      timedOut: false,
      server: server.url,
    })
    expect(result.applications[0]).toMatchObject({
      name: 'web',
      namespace: 'argocd',
      project: 'default',
      verified: true,
      sync: { status: 'Synced', revisions: [SHA.a] },
      health: { status: 'Healthy' },
    })
  })

  test('the termination message says yes or no and why, in at most 4096 bytes', async () => {
    const file = join(temporaryDirectory(), 'termination-log')
    const message = `${'é'.repeat(5000)} the end`
    const own = await ArgoCDServer.start()
    own.apply(
      application(
        { name: 'web', revision: SHA.a },
        { status: { conditions: Array.from({ length: 20 }, () => ({ type: 'ComparisonError', message })) } },
      ),
    )
    await run(connect(own, { ...WEB, KPCEA_TIMEOUT: '0', KPCEA_TERMINATION_LOG: file }))
    const text = readFileSync(file, 'utf8')
    expect(text).toStartWith('NOT VERIFIED (Conditions)')
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(4096)
    expect(text).not.toContain('\uFFFD')
    await own.stop()
  })

  test('what cannot be written is reported and changes no verdict', async () => {
    const { code, stderr } = await run(connect(server, { ...WEB, KPCEA_RESULT_FILE: '/nowhere/result.json' }))
    expect(code).toBe(0)
    expect(stderr).toContain('/nowhere/result.json')
  })

  test('progress on stderr: a line when something changes, with a time, and none while nothing does', async () => {
    const { stderr } = await run(
      connect(server, {
        ...WEB,
        KPCEA_TARGET_REVISION: SHA.b,
        KPCEA_TIMEOUT: '2',
        KPCEA_INTERVAL: '100ms',
        KPCEA_WATCH: 'false',
      }),
    )
    const lines = stderr.trim().split('\n')
    for (const line of lines) expect(line).toMatch(/^\d{4}-\d{2}-\d{2}T[\d:.]+Z /)
    expect(lines.filter((line) => line.includes('RevisionMismatch'))).toHaveLength(1)
  })

  test('detailed exit codes', async () => {
    const detailed = ['--detailed-exitcode']
    const code = async (env: Record<string, string>) =>
      (await run(connect(server, { ...WEB, KPCEA_TIMEOUT: '1', ...env }), detailed)).code
    expect(await code({})).toBe(0)
    expect(await code({ KPCEA_TARGET_REVISION: SHA.b })).toBe(1)
    expect(await code({ KPCEA_TIMEOUT: 'soon' })).toBe(2)
    expect(await code({ ARGOCD_SERVER: 'http://127.0.0.1:1' })).toBe(3)
    expect(await code({ ARGOCD_API_TOKEN: 'a.b.c' })).toBe(3)
  })
})

test('whoever shares a pipe with the executable can go on writing to it', async () => {
  const env = connect(server, { ...WEB, PATH: process.env.PATH }) as Record<string, string>
  const script = `("${EXECUTABLE}" 2>&1; dd if=/dev/zero bs=1M count=4 2>/dev/null) | (sleep 0.5; wc -c)`
  const shared = Bun.spawn(['bash', '-c', script], { env, stdout: 'pipe' })
  expect(Number(await shared.stdout.text())).toBeGreaterThan(4 * 1024 * 1024)
})

test('a log that nobody reads holds up no deadline', async () => {
  const own = await ArgoCDServer.start()
  own.apply(application({ name: 'web', revision: SHA.a }))
  const env = connect(own, {
    ...WEB,
    KPCEA_TARGET_REVISION: SHA.b,
    KPCEA_TIMEOUT: '3',
    PATH: process.env.PATH,
  })
  // The pipe is full before the run begins, and its reader sleeps.
  const began = performance.now()
  const child = Bun.spawn(
    ['bash', '-c', `exec 3> >(sleep 20); head -c 65536 /dev/zero >&3; exec "${EXECUTABLE}" 2>&3`],
    {
      env: env as Record<string, string>,
      stdout: 'ignore',
    },
  )
  expect(await child.exited).toBe(1)
  expect(performance.now() - began).toBeLessThan(15_000)
  await own.stop()
})

describe('settings', () => {
  test.each([
    [{ ARGOCD_SERVER: '' }, 'ARGOCD_SERVER and ARGOCD_APP_NAME must be set'],
    [{ ARGOCD_APP_NAME: '' }, 'ARGOCD_SERVER and ARGOCD_APP_NAME must be set'],
    [{ KPCEA_TARGET_REVISION: '' }, 'KPCEA_TARGET_REVISION must be set for verification mode EXACT'],
    [
      { KPCEA_VERIFY_MODE: 'SEARCH_COMMIT_MSG' },
      'KPCEA_SEARCH_COMMIT_MSG must be set for verification mode SEARCH_COMMIT_MSG',
    ],
    [{ ARGOCD_API_TOKEN: '' }, 'ARGOCD_API_USERNAME and ARGOCD_API_PASSWORD must be set for LOGIN mode'],
  ])('%p: the sentence of the tool before, on both streams', async (env, sentence) => {
    const { code, stdout, stderr } = await run(connect(server, { ...WEB, ...env }))
    expect(code).toBe(1)
    expect(stdout).toContain(sentence)
    expect(stderr).toContain(sentence)
  })

  test('nothing is sent where a setting is wrong, and no stack trace shown', async () => {
    const before = server.requests.length
    const { code, stdout, stderr } = await run(connect(server, { ...WEB, KPCEA_HEALTH: 'Fine' }), [
      '--timout',
      '5',
      'stray',
    ])
    expect(code).toBe(1)
    for (const part of ['KPCEA_HEALTH (--health)', '"Fine"', '--timeout', '"stray"'])
      expect(stderr).toContain(part)
    expect(stdout + stderr).not.toMatch(/\n\s+at /)
    expect(server.requests.length).toBe(before)
  })

  test('unusable settings are a JSON result, too', async () => {
    const { code, result } = await runJson({ KPCEA_TIMEOUT: 'soon' })
    expect(code).toBe(1)
    expect(result).toMatchObject({
      reason: 'InvalidSettings',
      verified: false,
      server: null,
      applications: [],
    })
  })

  test('flags win over variables', async () => {
    const { code } = await run(connect(server, { ...WEB, KPCEA_TARGET_REVISION: SHA.b }), [
      '--revision',
      SHA.a,
    ])
    expect(code).toBe(0)
  })

  test('a name cannot reach another path', async () => {
    const before = server.requests.length
    for (const name of ['../clusters', 'a/../../x', '..', 'web?refresh=hard', 'web%2f..']) {
      const { code } = await run(connect(server, { ...WEB, ARGOCD_APP_NAME: name, KPCEA_TIMEOUT: '0' }))
      expect(code).toBe(1)
    }
    for (const { path } of server.requests.slice(before)) expect(path).toStartWith('/api/v1/applications/')
  })

  test('extra headers are sent', async () => {
    await run(connect(server, { ...WEB, KPCEA_HEADERS: 'X-One: 1\nX-Two: two' }))
    const { headers } = server.requests.at(-1) ?? {}
    expect([headers?.get('x-one'), headers?.get('x-two')]).toEqual(['1', 'two'])
  })
})

describe('the executable', () => {
  test('says its version, and helps', async () => {
    expect((await run({}, ['--version'])).stdout).toBe(`${version}\n`)
    const help = await run({}, ['--help'])
    expect(help.code).toBe(0)
    expect(help.stdout).toContain('--server')
  })

  test.each([['-v'], ['-h', '--timeout', '5'], ['--app', 'web', '--version']])(
    '%p %p beside settings is never a yes',
    async (...args) => {
      const { code } = await run(
        connect(server, { ...WEB, KPCEA_TARGET_REVISION: SHA.b, KPCEA_TIMEOUT: '0' }),
        args as string[],
      )
      expect(code).toBe(1)
    },
  )

  test('does not read .env or bunfig.toml from the directory it is started in', async () => {
    const directory = temporaryDirectory()
    writeFileSync(
      join(directory, '.env'),
      'ARGOCD_SERVER=http://127.0.0.1:1\nKPCEA_OUTPUT=json\nKPCEA_TARGET_REVISION=fff\n',
    )
    writeFileSync(join(directory, 'hack.ts'), 'console.log("HACKED"); process.exit(0)')
    writeFileSync(join(directory, 'bunfig.toml'), 'preload = ["./hack.ts"]\n')
    const { code, stdout } = await run({ ARGOCD_API_TOKEN: 'x' }, [], directory)
    expect(code).toBe(1)
    expect(stdout).not.toContain('HACKED')
    expect(stdout).toContain('ARGOCD_SERVER (--server) is missing')
  })

  test('runs in an empty directory, without a PATH', async () => {
    expect(existsSync(emptyDirectory)).toBe(true)
    expect((await run(connect(server, WEB))).code).toBe(0)
  })
})
