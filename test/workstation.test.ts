/** What makes the executable fit in where people and their tools already are; and the failures of a first run. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { COMMANDS } from '../lib/commands.ts'
import { settingEntries } from '../lib/settings.ts'
import { ArgoCDServer, application } from './argocd/server.ts'
import { selfSigned } from './certificates.ts'
import { connect, type Environment, EXECUTABLE, run, temporaryDirectory } from './executable.ts'
import { SHA } from './fixtures.ts'

let server: ArgoCDServer
beforeAll(async () => {
  server = await ArgoCDServer.start()
  server.apply(application({ name: 'web', revision: SHA.a }))
})
afterAll(() => server.stop())

const WEB = { ARGOCD_APP_NAME: 'web', KPCEA_TARGET_REVISION: SHA.a }

describe('for machines', () => {
  test('kpcea schema prints the JSON Schema that a result fits', async () => {
    const { code, stdout } = await run({}, ['schema'])
    expect(code).toBe(0)
    const schema = JSON.parse(stdout)
    const { stdout: result } = await run(connect(server, WEB), ['-o', 'json'])
    expect(Object.keys(JSON.parse(result)).sort()).toEqual([...schema.required].sort())
  })

  test('the log as JSON: one object a line on stderr', async () => {
    const { stderr } = await run(connect(server, { ...WEB, KPCEA_LOG_FORMAT: 'json' }))
    const entries = stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(entries.map(({ event }) => event)).toEqual(['start', 'observed'])
    expect(entries[1]).toMatchObject({ level: 'info', application: 'argocd/web' })
  })

  test('GitHub Actions: a summary is added to, and the step is marked; neither where it is not asked for', async () => {
    const summary = join(temporaryDirectory(), 'summary.md')
    writeFileSync(summary, 'before\n')
    const env = connect(server, { ...WEB, KPCEA_TARGET_REVISION: SHA.b, KPCEA_TIMEOUT: '0' })
    const asked = await run({ ...env, GITHUB_STEP_SUMMARY: summary })
    expect(readFileSync(summary, 'utf8')).toStartWith('before\n### ❌ Not verified: RevisionMismatch')
    expect(asked.stderr).toContain('::error title=kpcea')
    expect(asked.stdout).not.toContain('::error')
    expect((await run(env)).stderr).not.toContain('::error')
  })

  test('NO_COLOR and FORCE_COLOR', async () => {
    const env = connect(server, WEB)
    expect((await run(env)).stdout).not.toContain('\x1b[')
    expect((await run({ ...env, FORCE_COLOR: '1' })).stdout).toContain('\x1b[')
    expect((await run({ ...env, FORCE_COLOR: '1', NO_COLOR: '1' })).stdout).not.toContain('\x1b[')
  })
})

describe('completion', () => {
  /** What bash offers for the last of some words. */
  async function offered(line: string, env: Environment = {}): Promise<readonly string[]> {
    const { stdout } = await run({}, ['completion', 'bash'])
    const words = line.split(' ')
    const at = words.length - 1
    // As bash calls it: an equals sign is a word of its own.
    const all = words.flatMap((word) => word.split(/(=)/).filter((part, i) => part !== '' || i === 0))
    const last = line.endsWith('=') ? '=' : (all.at(-1) ?? '')
    const previous = all.at(-2) ?? words[at - 1] ?? ''
    const script = `${stdout}
      COMP_WORDS=(${all.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${all.length - 1}
      _kpcea kpcea '${last}' '${previous}'; printf '%s\\n' "\${COMPREPLY[@]}"`
    const path = [join(EXECUTABLE, '..'), process.env.PATH].join(':')
    const bash = Bun.spawnSync(['bash', '-c', script], {
      env: { ...env, PATH: path } as Record<string, string>,
    })
    expect(bash.stderr.toString()).toBe('')
    return bash.stdout
      .toString()
      .split('\n')
      .filter((word) => word !== '')
  }

  test('bash takes the script, which knows every flag and every command', async () => {
    const first = await offered('kpcea ')
    for (const [, { flag }] of settingEntries) if (flag !== undefined) expect(first).toContain(`--${flag}`)
    for (const command of COMMANDS) expect(first).toContain(command)
    expect(await offered('kpcea doctor --sel')).toEqual(['--selector', '--selector-min'])
    expect(await offered('kpcea doctor ')).not.toContain('manifest')
  })
  test.each([
    ['kpcea --refresh ', ['none', 'normal', 'hard']],
    ['kpcea --refresh=n', ['none', 'normal']],
    ['kpcea --refresh=', ['none', 'normal', 'hard']],
    ['kpcea -o ', ['text', 'json']],
    ['kpcea manifest ', ['job', 'analysis-template', 'workflow-template']],
    ['kpcea docs set', ['settings']],
    ['kpcea completion ', ['bash', 'zsh', 'fish', 'powershell']],
    ['kpcea --revision ', []],
  ])('bash: %s', async (line, words) => expect(await offered(line)).toEqual(words as string[]))
  test('bash: the contexts of the argocd CLI, taken as they are', async () => {
    const home = temporaryDirectory()
    mkdirSync(join(home, '.config/argocd'), { recursive: true })
    const names = ['acc', 'prod one', '$(touch /tmp/kpcea-was-run)', '*']
    const contexts = names.map((name) => ({ name, server: 'a', user: 'a' }))
    const file = Bun.YAML.stringify({ contexts, servers: [{ server: 'a' }] })
    writeFileSync(join(home, '.config/argocd/config'), file, { mode: 0o600 })
    expect(await offered('kpcea --context ', { HOME: home })).toEqual(names)
    expect(await offered('kpcea --context=pr', { HOME: home })).toEqual(['prod one'])
    expect(await offered('kpcea --context ', { HOME: temporaryDirectory() })).toEqual([])
  })
  test.each([
    ['zsh', (flag: string) => `--${flag}`, ['-n', '-c']],
    ['fish', (flag: string) => `-l ${flag}`, ['-n', '-c']],
    ['powershell', (flag: string) => `'--${flag}'`, ['-NoProfile', '-Command']],
  ] as const)(
    '%s: every flag, command and context is in the script, and the shell takes it where it is installed',
    async (shell, spelt, options) => {
      const { stdout, code } = await run({}, ['completion', shell])
      expect(code).toBe(0)
      for (const [, { flag }] of settingEntries) if (flag !== undefined) expect(stdout).toContain(spelt(flag))
      for (const command of COMMANDS) expect(stdout).toContain(command)
      expect(stdout).toContain('kpcea completion contexts')
      const program = shell === 'powershell' ? 'pwsh' : shell
      if (Bun.which(program) === null)
        return console.warn(`skipped: ${program} is not installed, so its syntax is not checked`)
      expect(Bun.spawnSync([program, ...options, stdout]).exitCode).toBe(0)
    },
  )
  test('another shell is an error that names those that there are', async () => {
    const { code, stderr } = await run({}, ['completion', 'tcsh'])
    expect(code).toBe(1)
    expect(stderr).toContain('bash, zsh, fish or powershell')
  })
})

describe('after argocd login', () => {
  function loggedIn(token: string, address: string): Environment {
    const home = temporaryDirectory()
    mkdirSync(join(home, '.config/argocd'), { recursive: true })
    const server = { server: address, 'plain-text': true }
    const config = {
      'current-context': 'acc',
      contexts: [{ name: 'acc', server: address, user: 'acc' }],
      servers: [server],
      users: [{ name: 'acc', 'auth-token': token }],
    }
    writeFileSync(join(home, '.config/argocd/config'), Bun.YAML.stringify(config))
    return { HOME: home }
  }

  test('server and token are those of its context, and that is said', async () => {
    const { code, stderr } = await run(loggedIn(server.token, server.address), [
      '--app',
      'web',
      '--revision',
      SHA.a,
    ])
    expect(code).toBe(0)
    expect(stderr).toContain('context acc of the argocd CLI')
    expect(stderr).not.toContain(server.token)
  })
  test('a token that has expired says to log in again', async () => {
    const { code, stdout } = await run(loggedIn(server.createToken({ seconds: -10 }), server.address), [
      '--app',
      'web',
      '--revision',
      SHA.a,
    ])
    expect(code).toBe(1)
    expect(stdout).toContain('run argocd login')
  })
})

/** A first run that goes wrong: what is done, and the words that lead on. */
describe('the failures of a first run each end in a next step', () => {
  const first = async (env: Environment, ...leads: readonly string[]) => {
    const { code, stdout } = await run({ ARGOCD_API_TOKEN: server.token, ...WEB, KPCEA_TIMEOUT: '1', ...env })
    expect(code).toBe(1)
    for (const lead of leads) expect(stdout).toContain(lead)
    expect(stdout).not.toMatch(/\n\s+at .*:\d+/)
  }

  test('no server', () => first({}, 'ARGOCD_SERVER (--server) is missing'))
  test('typo in the server', () =>
    first(
      { ARGOCD_SERVER: 'argocd.exmaple.invalid' },
      'argocd.exmaple.invalid',
      'check ARGOCD_SERVER (--server)',
    ))
  test('https where http is spoken', () =>
    first({ ARGOCD_SERVER: server.address }, 'whether it speaks TLS', 'KPCEA_PLAINTEXT=true'))
  test('http where https is spoken', async () => {
    const secure = await ArgoCDServer.start({ tls: await selfSigned() })
    await first(
      { ARGOCD_SERVER: secure.address, KPCEA_PLAINTEXT: 'true' },
      'redirects to https://',
      'use https:// in ARGOCD_SERVER (--server)',
    )
    await secure.stop()
  })
  test('wrong port', () =>
    first({ ARGOCD_SERVER: 'http://127.0.0.1:1' }, 'refuses connections', 'check the host and the port'))
  test('single sign-on in front', async () => {
    const fronted = await ArgoCDServer.start()
    const lift = fronted.fault(
      {},
      {
        kind: 'answer',
        status: 200,
        body: '<!doctype html><title>Sign in</title>',
        headers: { 'content-type': 'text/html' },
      },
    )
    await first({ ARGOCD_SERVER: fronted.url }, 'a web page ("Sign in")', 'sign-in page')
    lift()
    fronted.fault(
      {},
      { kind: 'redirect', location: 'https://login.example.com/authorize?state=secret-state' },
    )
    await first(
      { ARGOCD_SERVER: fronted.url },
      'redirects to https://login.example.com/authorize',
      'sign-in page',
    )
    await fronted.stop()
  })
  test('token of another server', async () => {
    const other = await ArgoCDServer.start()
    await first(
      { ARGOCD_SERVER: server.url, ARGOCD_API_TOKEN: other.token },
      'refused the token',
      'a token of this server',
    )
    await other.stop()
  })
  test('expired token', () =>
    first(
      { ARGOCD_SERVER: server.url, ARGOCD_API_TOKEN: server.createToken({ seconds: -10 }) },
      'refused the token',
      'expired',
    ))
  test('application misspelt', () =>
    first({ ARGOCD_SERVER: server.url, ARGOCD_APP_NAME: 'wbe' }, 'NotFound', 'did you mean --app web?'))
  test('application in another namespace', async () => {
    const own = await ArgoCDServer.start({ enabledNamespaces: ['team'] })
    own.apply(application({ name: 'web', namespace: 'team', revision: SHA.a }))
    await first(
      { ARGOCD_SERVER: own.url, ARGOCD_API_TOKEN: own.token },
      'NotFound',
      'did you mean --app team/web?',
    )
    await own.stop()
  })
  test('no permission', () =>
    first(
      { ARGOCD_SERVER: server.url, ARGOCD_API_TOKEN: server.createToken({ applications: ['other/*'] }) },
      'this account sees no application at all',
      'applications, get, PROJECT/web, allow',
    ))
  test('revision of another repository', () =>
    first(
      { ARGOCD_SERVER: server.url, KPCEA_TARGET_REVISION: SHA.d },
      `not ${SHA.d.slice(0, 8)}`,
      'is it in what the application tracks (main of https://git.example.com/deployments.git)',
    ))
  test('timeout shorter than Argo CD’s own polling, with refresh off', () =>
    first(
      { ARGOCD_SERVER: server.url, KPCEA_TARGET_REVISION: SHA.d, KPCEA_REFRESH: 'none' },
      'without a webhook',
      'KPCEA_REFRESH=normal',
    ))
})
