/** Settings: each good and bad, all problems in one go, no secret shown. */

import { describe, expect, test } from 'bun:test'
import { readArguments } from '../lib/arguments.ts'
import { type Config, loadConfig } from '../lib/config.ts'
import { formatDuration, parseDuration } from '../lib/duration.ts'
import { type Setting, type SettingName, settingEntries, settings } from '../lib/settings.ts'
import { createAuthority } from './certificates.ts'

const authority = await createAuthority()
const client = await authority.client()

const FILES: Readonly<Record<string, string>> = {
  '/token': 'file-token\n',
  '/empty': '\n',
  '/password': 'file password \n',
  '/ca.pem': client.cert,
  '/key.pem': client.key,
  '/another-key.pem': authority.key,
  '/broken.pem': `${authority.cert}-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n`,
  '/broken-key.pem': '-----BEGIN EC PRIVATE KEY-----\nMIIB\n-----END EC PRIVATE KEY-----\n',
  '/encrypted-key.pem': '-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n',
  '/headers': 'X-C: 3\n\nX-D: four\n',
  '/garbage.pem': 'garbage',
  '/argocd/config': `
contexts:
  - { name: localhost, server: 'localhost:8080', user: localhost }
  - { name: acceptance, server: argocd.acc.example.com, user: acceptance }
current-context: localhost
servers:
  - { server: 'localhost:8080', plain-text: true, grpc-web-root-path: /argo/ }
  - { server: argocd.acc.example.com, insecure: true, certificate-authority-data: ${btoa(authority.cert)} }
users:
  - { name: localhost, auth-token: local-token }
  - { name: acceptance, auth-token: cli-token }
`,
  '/home/me/.config/argocd/config':
    'contexts: [{ name: a, server: a, user: a }]\ncurrent-context: a\nservers: [{ server: a }]\nusers: [{ name: a, auth-token: t }]',
  '/no-current/config':
    'contexts: [{ name: a, server: a, user: a }, { name: b, server: b, user: b }, { name: core, server: kubernetes }]\nservers: [{ server: a }, { server: b }, { server: kubernetes, core: true }]',
  '/broken/config': 'contexts: 5',
}

function readFile(path: string): string {
  const content = FILES[path]
  if (content === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
  return content
}

const BASE = {
  ARGOCD_SERVER: 'argocd.example.com',
  ARGOCD_API_TOKEN: 'secret-token',
  ARGOCD_APP_NAME: 'web',
  KPCEA_TARGET_REVISION: 'abc1234',
}

const load = (env: Record<string, string | undefined> = {}, args: readonly string[] = []) =>
  loadConfig({ env: { ...BASE, ...env }, args, readFile, isExposed: (path) => path === '/token' })

function config(env: Record<string, string | undefined> = {}, args: readonly string[] = []): Config {
  const loaded = load(env, args)
  if (!loaded.ok) throw new Error(loaded.problems.join('\n'))
  return loaded.config
}

function problems(env: Record<string, string | undefined> = {}, args: readonly string[] = []): string {
  const loaded = load(env, args)
  if (loaded.ok) throw new Error('the settings are fine')
  return loaded.problems.join('\n')
}

function warnings(env: Record<string, string | undefined> = {}, args: readonly string[] = []): string {
  const loaded = load(env, args)
  if (!loaded.ok) throw new Error(loaded.problems.join('\n'))
  return loaded.warnings.join('\n')
}

const wantedOf = ({ target }: Config) =>
  target.kind === 'names' ? target.applications[0]?.wanted : target.wanted

describe('defaults', () => {
  test('are those of the table', () => {
    const { policy, output, connection } = config()
    expect(policy).toEqual({
      timeout: 30_000,
      interval: 5000,
      stableFor: 0,
      failAfter: 120_000,
      refresh: 'normal',
      watch: true,
    })
    expect(output).toEqual({
      format: 'text',
      logFormat: 'text',
      colour: undefined,
      live: true,
      githubSummary: undefined,
      resultFile: undefined,
      terminationLog: undefined,
      detailedExitCode: false,
    })
    expect(connection.insecure).toBe(false)
    expect(connection.server.origin).toBe('https://argocd.example.com')
  })
})

test('what is not given means its default, as the table has it', () => {
  const all = Object.fromEntries(
    (settingEntries as readonly (readonly [SettingName, Setting])[]).flatMap(
      ([, { variables, default: text }]) => (text === undefined ? [] : [[variables[0] ?? '', text]]),
    ),
  )
  expect(Object.keys(all).length).toBeGreaterThan(10)
  const { KPCEA_SELECTOR_MIN: min, ...rest } = all
  expect(config(rest)).toEqual(config())
  const selected = { ARGOCD_APP_NAME: '', KPCEA_SELECTOR: 'a=b' }
  expect(config({ ...selected, KPCEA_SELECTOR_MIN: min })).toEqual(config(selected))
})

/** A good value, what it leads to, and a bad one, for every setting that can be bad. */
const CASES: Readonly<
  Record<
    SettingName,
    {
      good: string
      reads: (config: Config) => unknown
      as: unknown
      bad?: string
      env?: Record<string, string>
    }
  >
> = {
  server: {
    good: 'https://a.example.com:8443/argo/',
    reads: (c) => c.connection.server,
    as: { origin: 'https://a.example.com:8443', rootPath: '/argo', loopback: false },
    bad: 'ftp://x',
  },
  applications: {
    good: 'team/a@1111111, b',
    reads: (c) => (c.target.kind === 'names' ? c.target.applications.map((a) => [a.namespace, a.name]) : []),
    as: [
      ['team', 'a'],
      [undefined, 'b'],
    ],
    bad: 'a b',
  },
  selector: {
    good: 'a=b,c notin (d, e),!f',
    reads: (c) => (c.target.kind === 'selector' ? c.target.selector : ''),
    as: 'a=b,c notin (d, e),!f',
    bad: 'a=b c',
    env: { ARGOCD_APP_NAME: '' },
  },
  selectorMin: {
    good: '12',
    reads: (c) => (c.target.kind === 'selector' ? c.target.min : 0),
    as: 12,
    bad: '0',
    env: { ARGOCD_APP_NAME: '', KPCEA_SELECTOR: 'a=b' },
  },
  appNamespace: {
    good: 'team-a',
    reads: (c) => (c.target.kind === 'names' ? c.target.applications[0]?.namespace : ''),
    as: 'team-a',
    bad: 'a/b',
  },
  project: { good: 'shop', reads: (c) => c.target.project, as: 'shop', bad: '../x' },
  verifyMode: {
    good: 'SEARCH_COMMIT_MSG',
    reads: (c) => wantedOf(c)?.commitMessage,
    as: 'x',
    env: { KPCEA_SEARCH_COMMIT_MSG: 'x' },
  },
  revision: {
    good: 'v1.2.3',
    reads: (c) => wantedOf(c)?.revision,
    as: { kind: 'any-source', revision: 'v1.2.3' },
    bad: 'a=1,b',
  },
  commitMessage: {
    good: ' two words ',
    reads: (c) => wantedOf(c)?.commitMessage,
    as: ' two words ',
    env: { KPCEA_VERIFY_MODE: 'SEARCH_COMMIT_MSG' },
  },
  images: {
    good: 'nginx:1.2, ghcr.io/a/b',
    reads: (c) => wantedOf(c)?.images.map((i) => i.repository),
    as: ['docker.io/library/nginx', 'ghcr.io/a/b'],
    bad: 'Not An Image',
  },
  revisionPolicy: {
    good: 'equivalent',
    reads: (c) => wantedOf(c)?.revisionPolicy,
    as: 'equivalent',
    bad: 'newer',
  },
  health: {
    good: 'Healthy,Suspended',
    reads: (c) => wantedOf(c)?.health,
    as: ['Healthy', 'Suspended'],
    bad: 'Fine',
  },
  timeout: { good: '1h30m', reads: (c) => c.policy.timeout, as: 5_400_000, bad: 'soon' },
  interval: { good: '500ms', reads: (c) => c.policy.interval, as: 500, bad: '-1' },
  stableFor: { good: '10', reads: (c) => c.policy.stableFor, as: 10_000, bad: '1 minute' },
  failAfter: { good: 'never', reads: (c) => c.policy.failAfter, as: Number.POSITIVE_INFINITY, bad: 'always' },
  refresh: { good: 'hard', reads: (c) => c.policy.refresh, as: 'hard', bad: 'soft' },
  watch: { good: 'false', reads: (c) => c.policy.watch, as: false, bad: 'no' },
  sync: { good: 'true', reads: (c) => c.policy.sync !== undefined, as: true, bad: 'yes' },
  syncPrune: {
    good: 'false',
    reads: (c) => c.policy.sync?.prune,
    as: false,
    bad: 'no',
    env: { KPCEA_SYNC: 'true' },
  },
  syncId: {
    good: 'prod.01h.abc',
    reads: (c) => c.policy.sync?.id,
    as: 'prod.01h.abc',
    bad: 'two words',
    env: { KPCEA_SYNC: 'true' },
  },
  kargoStage: {
    good: 'shop : prod',
    reads: (c) => c.policy.sync?.stage,
    as: { project: 'shop', name: 'prod' },
    bad: 'shop:*',
    env: { KPCEA_SYNC: 'true' },
  },
  token: {
    good: ' t0ken\n',
    reads: (c) => c.connection.credentials,
    as: { mode: 'TOKEN', token: 't0ken', tokenFile: undefined, context: undefined },
    bad: 'two words',
  },
  tokenFile: {
    good: '/token',
    reads: (c) => c.connection.credentials,
    as: { mode: 'TOKEN', token: 'file-token', tokenFile: '/token', context: undefined },
    bad: '/nowhere',
    env: { ARGOCD_API_TOKEN: '' },
  },
  username: {
    good: 'admin',
    reads: (c) => c.connection.credentials,
    as: { mode: 'LOGIN', username: 'admin', password: 'p' },
    env: { ARGOCD_API_TOKEN: '', ARGOCD_API_PASSWORD: 'p' },
  },
  password: {
    good: ' p w\n',
    reads: (c) => c.connection.credentials,
    as: { mode: 'LOGIN', username: 'u', password: ' p w' },
    env: { ARGOCD_API_TOKEN: '', ARGOCD_API_USERNAME: 'u' },
  },
  passwordFile: {
    good: '/password',
    reads: (c) => c.connection.credentials,
    as: { mode: 'LOGIN', username: 'u', password: 'file password ' },
    bad: '/empty',
    env: { ARGOCD_API_TOKEN: '', ARGOCD_API_USERNAME: 'u' },
  },
  context: {
    good: 'acceptance',
    reads: (c) => [c.connection.server.origin, c.connection.credentials],
    as: [
      'https://argocd.acc.example.com',
      { mode: 'TOKEN', token: 'cli-token', tokenFile: undefined, context: 'acceptance' },
    ],
    bad: 'nowhere',
    env: { ARGOCD_SERVER: '', ARGOCD_API_TOKEN: '', ARGOCD_CONFIG_DIR: '/argocd' },
  },
  insecure: { good: 'true', reads: (c) => c.connection.insecure, as: true },
  plaintext: {
    good: 'true',
    reads: (c) => c.connection.server.origin,
    as: 'http://argocd.example.com',
    bad: 'yes',
  },
  caFile: { good: '/ca.pem', reads: (c) => c.connection.ca, as: FILES['/ca.pem'], bad: '/garbage.pem' },
  clientCertFile: {
    good: '/ca.pem',
    reads: (c) => c.connection.clientCertificate?.cert,
    as: FILES['/ca.pem'],
    bad: '/nowhere',
    env: { KPCEA_CLIENT_KEY_FILE: '/key.pem' },
  },
  clientKeyFile: {
    good: '/key.pem',
    reads: (c) => c.connection.clientCertificate?.key,
    as: FILES['/key.pem'],
    bad: '/ca.pem',
    env: { KPCEA_CLIENT_CERT_FILE: '/ca.pem' },
  },
  headers: {
    good: 'X-A: 1\nX-B: two: 2',
    reads: (c) => c.connection.headers,
    as: [
      ['X-A', '1'],
      ['X-B', 'two: 2'],
    ],
    bad: 'hunter2',
  },
  headersFile: {
    good: '/headers',
    reads: (c) => c.connection.headers,
    as: [
      ['X-C', '3'],
      ['X-D', 'four'],
    ],
    bad: '/token',
  },
  output: { good: 'json', reads: (c) => c.output.format, as: 'json', bad: 'yaml' },
  logFormat: { good: 'json', reads: (c) => c.output.logFormat, as: 'json', bad: 'xml' },
  resultFile: { good: '/tmp/r.json', reads: (c) => c.output.resultFile, as: '/tmp/r.json' },
  terminationLog: { good: '/tmp/t', reads: (c) => c.output.terminationLog, as: '/tmp/t' },
  detailedExitCode: { good: 'true', reads: (c) => c.output.detailedExitCode, as: true, bad: '1' },
}

describe.each(settingEntries.map(([name, setting]) => ({ name, setting })))('$name', ({ name, setting }) => {
  const { good, reads, as, bad, env = {} } = CASES[name]
  const [variable = ''] = setting.variables
  const flag = `--${setting.flag}`
  test('a good value, by its variable', () => expect(reads(config({ ...env, [variable]: good }))).toEqual(as))
  if (setting.flag !== undefined) {
    const words = setting.kind === 'boolean' ? [`${flag}=${good}`] : [flag, good]
    test('by its flag, which wins over the variable', () =>
      expect(reads(config({ ...env, [variable]: 'never read' }, words))).toEqual(as))
  }
  test('an empty variable is an unset one', () => {
    const unset = load({ ...env, [variable]: undefined })
    expect(load({ ...env, [variable]: '' })).toEqual(unset)
  })
  if (bad !== undefined) {
    test('a bad value names the variable, the flag and, unless it is secret, the value', () => {
      const text = problems({ ...env, [variable]: bad })
      expect(text).toContain(setting.flag === undefined ? variable : `${variable} (${flag})`)
      if (setting.secret === true) expect(text).not.toContain(bad)
      else expect(text).toContain(bad)
    })
  }
})

describe('the sentences of the tool before', () => {
  test('server and application', () => {
    expect(problems({ ARGOCD_SERVER: '' })).toContain('ARGOCD_SERVER and ARGOCD_APP_NAME must be set')
    expect(problems({ ARGOCD_APP_NAME: '' })).toContain('ARGOCD_SERVER and ARGOCD_APP_NAME must be set')
  })
  test('revision', () =>
    expect(problems({ KPCEA_TARGET_REVISION: '' })).toContain(
      'KPCEA_TARGET_REVISION must be set for verification mode EXACT',
    ))
  test('commit message', () =>
    expect(problems({ KPCEA_VERIFY_MODE: 'SEARCH_COMMIT_MSG' })).toContain(
      'KPCEA_SEARCH_COMMIT_MSG must be set for verification mode SEARCH_COMMIT_MSG',
    ))
  test('credentials', () =>
    expect(problems({ ARGOCD_API_TOKEN: '', ARGOCD_API_USERNAME: 'u' })).toContain(
      'ARGOCD_API_USERNAME and ARGOCD_API_PASSWORD must be set for LOGIN mode',
    ))
})

describe('together', () => {
  test('all problems are reported in one go', () => {
    const text = problems(
      { ARGOCD_SERVER: '', KPCEA_TIMEOUT: 'soon', KPCEA_OUTPUT: 'yaml', ARGOCD_API_TOKEN: '' },
      ['--nonsense'],
    )
    for (const part of ['ARGOCD_SERVER and', 'KPCEA_TIMEOUT', 'KPCEA_OUTPUT', 'LOGIN mode', '--nonsense'])
      expect(text).toContain(part)
  })
  test('names and a selector exclude each other', () =>
    expect(problems({ KPCEA_SELECTOR: 'a=b' })).toContain('exclude each other'))
  test('how many a selector must match: one, unless told otherwise; a whole number', () => {
    const selected = { ARGOCD_APP_NAME: '', KPCEA_SELECTOR: 'a=b' }
    const minOf = ({ target }: Config) => (target.kind === 'selector' ? target.min : undefined)
    expect(minOf(config(selected))).toBe(1)
    for (const bad of ['-1', '1.5', '1e3', 'all', '0x10', '9999999999'])
      expect(problems({ ...selected, KPCEA_SELECTOR_MIN: bad })).toBe(
        `KPCEA_SELECTOR_MIN (--selector-min): "${bad}" is no whole number from 1 to 5000`,
      )
    expect(warnings({ KPCEA_SELECTOR_MIN: '2' })).toContain('is not used without KPCEA_SELECTOR (--selector)')
    expect(warnings(selected)).toBe('')
  })
  test('the policies are named where another is given', () =>
    expect(problems({ KPCEA_REVISION_POLICY: 'newer' })).toContain('must be exact, at-least or equivalent'))
  test.each(['', ' \n'])('a revision that is there and empty beside images is warned of: %j', (empty) => {
    const env = { KPCEA_TARGET_REVISION: empty, KPCEA_TARGET_IMAGES: 'shop:1' }
    expect(warnings(env)).toBe(
      'KPCEA_TARGET_REVISION (--revision) is there and empty, so no revision is verified, only images; remove it where that is meant',
    )
    expect(warnings({ ...env, KPCEA_TARGET_REVISION: undefined })).toBe('')
    expect(warnings({ ...env, ARGOCD_APP_NAME: 'web@1111111' })).toBe('')
    expect(warnings(env, ['--revision', '1111111'])).toBe('')
    expect(warnings({ ...env, KPCEA_VERIFY_MODE: 'SEARCH_COMMIT_MSG', KPCEA_SEARCH_COMMIT_MSG: 'x' })).toBe(
      '',
    )
  })
  test('images are enough in EXACT', () =>
    expect(wantedOf(config({ KPCEA_TARGET_REVISION: '', KPCEA_TARGET_IMAGES: 'a:1' }))?.images).toHaveLength(
      1,
    ))
  test('a revision for each name is enough', () =>
    expect(config({ KPCEA_TARGET_REVISION: '', ARGOCD_APP_NAME: 'a@1111111,b@2222222' }).target.kind).toBe(
      'names',
    ))
  test('a revision for some names only is not, and says for which', () =>
    expect(problems({ KPCEA_TARGET_REVISION: '', ARGOCD_APP_NAME: 'a@1111111,b' })).toContain('(for b)'))
  test('a name has its own revision, or the one for all', () => {
    const { target } = config({ ARGOCD_APP_NAME: 'a@1111111,b' })
    const revisions = target.kind === 'names' ? target.applications.map(({ wanted }) => wanted.revision) : []
    expect(revisions).toEqual([
      { kind: 'any-source', revision: '1111111' },
      { kind: 'any-source', revision: 'abc1234' },
    ])
  })
  test('the same name with two revisions is refused', () =>
    expect(problems({ ARGOCD_APP_NAME: 'a@1111111,a@2222222' })).toContain('named twice'))
  test('stable for must fit in the timeout', () =>
    expect(problems({ KPCEA_STABLE_FOR: '30' })).toContain('KPCEA_STABLE_FOR'))
  test('a client certificate needs its key', () =>
    expect(problems({ KPCEA_CLIENT_CERT_FILE: '/ca.pem' })).toContain('KPCEA_CLIENT_KEY_FILE'))
  test('a token wins over a username', () =>
    expect(config({ ARGOCD_API_USERNAME: 'u', ARGOCD_API_PASSWORD: 'p' }).connection.credentials.mode).toBe(
      'TOKEN',
    ))
  test('the argocd CLI’s variable for the token', () =>
    expect(config({ ARGOCD_API_TOKEN: '', ARGOCD_AUTH_TOKEN: 'cli' }).connection.credentials).toMatchObject({
      token: 'cli',
    }))
  test('a token file named by flag wins over a token in a variable', () =>
    expect(config({}, ['--token-file', '/token']).connection.credentials).toMatchObject({
      token: 'file-token',
    }))
  test('a token in a variable wins over a file named by one', () =>
    expect(config({ ARGOCD_API_TOKEN_FILE: '/token' }).connection.credentials).toMatchObject({
      token: 'secret-token',
    }))
  test('in SEARCH_COMMIT_MSG a revision is not used, as before, and that is said', () => {
    const env = { KPCEA_VERIFY_MODE: 'SEARCH_COMMIT_MSG', KPCEA_SEARCH_COMMIT_MSG: 'x' }
    expect(wantedOf(config(env))?.revision).toBeUndefined()
    expect(warnings(env)).toContain('KPCEA_TARGET_REVISION')
  })
  test('in EXACT a commit message is not used', () =>
    expect(wantedOf(config({ KPCEA_SEARCH_COMMIT_MSG: 'x' }))?.commitMessage).toBeUndefined())
})

describe('what the tool before took for something else', () => {
  test('another mode warns and means EXACT', () => {
    expect(warnings({ KPCEA_VERIFY_MODE: 'exact' })).toContain('EXACT')
    expect(wantedOf(config({ KPCEA_VERIFY_MODE: 'exact' }))?.revision).toBeDefined()
  })
  test.each(['TRUE', '1', 'yes'])('KPCEA_INSECURE=%s warns and means false', (value) => {
    expect(warnings({ KPCEA_INSECURE: value })).toContain('KPCEA_INSECURE')
    expect(config({ KPCEA_INSECURE: value }).connection.insecure).toBe(false)
  })
  test('an interval of 0 means the shortest there is, and says so', () => {
    expect(config({ KPCEA_INTERVAL: '0' }).policy.interval).toBe(100)
    expect(warnings({ KPCEA_INTERVAL: '0' })).toContain('KPCEA_INTERVAL')
  })
})

describe('the server', () => {
  test.each([
    ['argocd.example.com', false, 'https://argocd.example.com', ''],
    ['argocd.example.com:8443', false, 'https://argocd.example.com:8443', ''],
    ['argocd.example.com/a/b/', false, 'https://argocd.example.com', '/a/b'],
    ['HTTPS://argocd.example.com', false, 'https://argocd.example.com', ''],
    ['http://localhost:8080', false, 'http://localhost:8080', ''],
    ['http://127.0.0.1:8080/argo', false, 'http://127.0.0.1:8080', '/argo'],
    ['http://[::1]:8080', false, 'http://[::1]:8080', ''],
    ['[2001:db8::1]:8080', false, 'https://[2001:db8::1]:8080', ''],
    ['argocd.svc', true, 'http://argocd.svc', ''],
    ['http://argocd.svc', true, 'http://argocd.svc', ''],
  ])('%s (plain text %p)', (server, plaintext, origin, rootPath) => {
    expect(
      config({ ARGOCD_SERVER: server, KPCEA_PLAINTEXT: String(plaintext) }).connection.server,
    ).toMatchObject({ origin, rootPath })
  })
  test.each([
    'http://argocd.example.com',
    'ftp://x',
    'a b',
    'https://',
    '/argo',
    'x:99999',
    'x?y=1',
    'x#y',
    'a\\b',
  ])('%s is refused', (server) => {
    expect(problems({ ARGOCD_SERVER: server })).toContain('ARGOCD_SERVER (--server)')
  })
  test('https:// and plain text contradict each other', () =>
    expect(problems({ ARGOCD_SERVER: 'https://x', KPCEA_PLAINTEXT: 'true' })).toContain('--plaintext'))
  test('credentials in it are refused and not shown', () => {
    const text = problems({ ARGOCD_SERVER: 'https://user:hunter2@x' })
    expect(text).toContain('ARGOCD_API_TOKEN')
    expect(text).not.toContain('hunter2')
  })
})

describe('applications', () => {
  test.each(['../x', 'a/b/c', '/a', 'a/', '..', 'a?b', 'a#b', 'a%2Fb', '@1', 'a@'])(
    '%s is refused',
    (name) => {
      expect(problems({ ARGOCD_APP_NAME: name })).toContain('ARGOCD_APP_NAME (--app)')
    },
  )
})

describe('an application as the address that a browser shows', () => {
  const of = (address: string, env: Record<string, string | undefined> = {}) =>
    config({ ARGOCD_SERVER: '', ARGOCD_APP_NAME: address, ...env })
  test.each([
    ['https://a.example.com/applications/argocd/web', 'https://a.example.com', '', 'argocd', 'web'],
    [
      'https://a.example.com:8443/argo/applications/team/web?view=tree&resource=',
      'https://a.example.com:8443',
      '/argo',
      'team',
      'web',
    ],
    ['HTTPS://a.example.com/applications/web/#x', 'https://a.example.com', '', undefined, 'web'],
    [
      'http://localhost:8080/applications/applications/argocd/web/',
      'http://localhost:8080',
      '/applications',
      'argocd',
      'web',
    ],
  ])('%s', (address, origin, rootPath, namespace, name) => {
    const { connection, target } = of(address)
    expect(connection.server).toMatchObject({ origin, rootPath })
    expect(target).toMatchObject({ kind: 'names', applications: [{ name, namespace }] })
  })
  test('with a revision of its own, and several of one server beside plain names', () => {
    const { target } = of(
      'https://a/applications/argocd/web@1111111,https://a:443/applications/argocd/api,db',
    )
    expect(target).toMatchObject({
      applications: [
        { name: 'web', wanted: { revision: { revision: '1111111' } } },
        { name: 'api' },
        { name: 'db' },
      ],
    })
  })
  test('it agrees with the server that is set, or that is a problem', () => {
    const address = 'https://a.example.com/argo/applications/argocd/web?token=hunter2'
    expect(of(address, { ARGOCD_SERVER: 'a.example.com/argo/' }).connection.server.rootPath).toBe('/argo')
    for (const server of ['b.example.com', 'a.example.com', 'a.example.com:8443/argo'])
      expect(problems({ ARGOCD_SERVER: server, ARGOCD_APP_NAME: address })).toBe(
        'ARGOCD_APP_NAME (--app): has an address at https://a.example.com/argo, while ARGOCD_SERVER (--server) says another server; leave one of them out',
      )
    expect(
      problems({ ARGOCD_SERVER: '', ARGOCD_APP_NAME: `${address},https://b/applications/web` }),
    ).toContain('a run asks one server')
  })
  test.each([
    'https://a/argo',
    'https://a/applications/',
    'https://a/applications/a/b/c?hunter2',
    'https://me:hunter2@a/applications/argocd/web',
    'https:///applications/web?hunter2',
    'ftp://a/applications/web?hunter2',
    'https://a/applications/../web#hunter2',
  ])('%s is none, and nothing of it is shown', (address) => {
    const text = problems({ ARGOCD_SERVER: '', ARGOCD_APP_NAME: address })
    expect(text).toContain('ARGOCD_APP_NAME (--app): ')
    expect(text).not.toContain('hunter2')
    expect(text.split('\n')).toHaveLength(1)
  })
  test('plain HTTP is for loopback, or where it is asked for', () => {
    const address = 'http://a.example.com/applications/web'
    expect(problems({ ARGOCD_SERVER: '', ARGOCD_APP_NAME: address })).toContain('KPCEA_PLAINTEXT=true')
    expect(of(address, { KPCEA_PLAINTEXT: 'true' }).connection.server.origin).toBe('http://a.example.com')
  })
  test('a context that is logged in there brings its token, another one none', () => {
    const env = { ARGOCD_API_TOKEN: '', ARGOCD_CONFIG_DIR: '/argocd' }
    const { connection } = of('https://argocd.acc.example.com/applications/argocd/web', env)
    expect(connection.credentials).toMatchObject({ token: 'cli-token', context: 'acceptance' })
    expect(
      problems({ ...env, ARGOCD_SERVER: '', ARGOCD_APP_NAME: 'https://other.example.com/applications/web' }),
    ).toContain('LOGIN mode')
    expect(
      problems({
        ...env,
        ARGOCD_SERVER: '',
        KPCEA_CONTEXT: 'acceptance',
        ARGOCD_APP_NAME: 'https://other.example.com/applications/web',
      }),
    ).toBe(
      'KPCEA_CONTEXT (--context): "acceptance" is logged in at argocd.acc.example.com, while ARGOCD_APP_NAME (--app) has an address at https://other.example.com; give one of them',
    )
  })
  test('as the server it is a page, and the way out is named', () =>
    expect(problems({ ARGOCD_SERVER: 'https://a.example.com/argo/applications/argocd/web?hunter2' })).toBe(
      'ARGOCD_SERVER (--server): "https://a.example.com/argo/applications/argocd/web" is a page of Argo CD, not the server; write the part before /applications only, or give the page of an application as ARGOCD_APP_NAME (--app)',
    ))
})

describe('proxies', () => {
  const proxyOf = (env: Record<string, string>) => {
    const { proxyVariable, proxyAddress } = config(env).connection
    return proxyVariable === undefined ? undefined : [proxyVariable, proxyAddress]
  }
  const P = 'http://me:hunter2@proxy.example.com:3128'
  test.each([
    [{ HTTPS_PROXY: P }, ['HTTPS_PROXY', 'http://proxy.example.com:3128']],
    [{ HTTPS_PROXY: 'proxy.example.com:3128' }, ['HTTPS_PROXY', 'http://proxy.example.com:3128']],
    [{ https_proxy: 'https://p', HTTPS_PROXY: P }, ['https_proxy', 'https://p']],
    [{ ALL_PROXY: P }, ['ALL_PROXY', 'http://proxy.example.com:3128']],
    [{ HTTP_PROXY: P }, undefined],
    [
      { HTTP_PROXY: P, ARGOCD_SERVER: 'argocd.svc', KPCEA_PLAINTEXT: 'true' },
      ['HTTP_PROXY', 'http://proxy.example.com:3128'],
    ],
    [{ HTTP_PROXY: P, ARGOCD_SERVER: 'http://localhost:1' }, undefined],
    [{ HTTPS_PROXY: P, NO_PROXY: 'example.com' }, undefined],
    [{ HTTPS_PROXY: P, NO_PROXY: 'x, .EXAMPLE.com ' }, undefined],
    [{ HTTPS_PROXY: P, NO_PROXY: '*' }, undefined],
    [{ HTTPS_PROXY: P, NO_PROXY: 'ample.com' }, ['HTTPS_PROXY', 'http://proxy.example.com:3128']],
    [{ HTTPS_PROXY: P, NO_PROXY: 'argocd.example.com:443' }, undefined],
    [
      { HTTPS_PROXY: P, NO_PROXY: 'argocd.example.com:8443' },
      ['HTTPS_PROXY', 'http://proxy.example.com:3128'],
    ],
    [{ HTTPS_PROXY: P, NO_PROXY: '10.0.0.0/8', ARGOCD_SERVER: '10.1.2.3' }, undefined],
    [
      { HTTPS_PROXY: P, NO_PROXY: '10.0.0.0/9', ARGOCD_SERVER: '10.200.2.3' },
      ['HTTPS_PROXY', 'http://proxy.example.com:3128'],
    ],
    [{ HTTPS_PROXY: P, NO_PROXY: 'fd00::/8', ARGOCD_SERVER: '[fd12::1]:8080' }, undefined],
    [
      { HTTPS_PROXY: P, NO_PROXY: '10.0.0.0/99', ARGOCD_SERVER: '10.1.2.3' },
      ['HTTPS_PROXY', 'http://proxy.example.com:3128'],
    ],
    [
      { HTTPS_PROXY: P, NO_PROXY: 'argocd.example.com', no_proxy: 'other' },
      ['HTTPS_PROXY', 'http://proxy.example.com:3128'],
    ],
  ] as const)('%p', (env, expected) => expect(proxyOf(env)).toEqual(expected as string[] | undefined))
  test.each([
    'http://',
    ':::',
    'http://a b:1',
    '"http://p:1"',
    ' http://p:1',
    'ftp://p',
    'http://p:99999',
    'http://me:hunter2@',
  ])('%j is none: its variable is named, and the value is not shown', (value) =>
    expect(problems({ HTTPS_PROXY: value })).toBe(
      'HTTPS_PROXY: is no address of a proxy; write http://[user:password@]host:port',
    ),
  )
  test.each(['socks5://me:hunter2@p:1080', 'SOCKS5H://p:1', 'socks4://p:1'])(
    '%s is refused by its name',
    (value) => {
      const text = problems({ ALL_PROXY: value })
      expect(text).toStartWith('ALL_PROXY: names a socks')
      expect(text).not.toContain('hunter2')
      expect(proxyOf({ ALL_PROXY: value, NO_PROXY: 'argocd.example.com' })).toBeUndefined()
      expect(proxyOf({ ALL_PROXY: value, HTTPS_PROXY: 'p:1' })).toEqual(['HTTPS_PROXY', 'http://p:1'])
    },
  )
})

describe('secrets', () => {
  test('a file that everybody can read is warned of', () => {
    expect(warnings({ ARGOCD_API_TOKEN: '', ARGOCD_API_TOKEN_FILE: '/token' })).toContain(
      'ARGOCD_API_TOKEN_FILE (--token-file): everybody',
    )
    expect(warnings()).toBe('')
  })
  test('no message holds one', () => {
    const text = problems({
      ARGOCD_API_TOKEN: 'very secret',
      ARGOCD_API_PASSWORD: 'also secret',
      KPCEA_HEADERS: 'bad secret',
      KPCEA_TIMEOUT: 'x',
    })
    expect(text).not.toContain('secret')
  })
  test('they have no flags', () => {
    for (const [, setting] of settingEntries)
      if (setting.secret === true && setting.kind === 'text') expect(setting.flag).toBeUndefined()
  })
  test('a flag for one is refused without its value', () => {
    const text = problems({}, ['--token', 'hunter2', '--password=hunter2'])
    expect(text).toContain('ARGOCD_API_TOKEN')
    expect(text).toContain('ARGOCD_API_PASSWORD')
    expect(text).not.toContain('hunter2')
  })
  test('headers may not carry the credentials themselves', () =>
    expect(problems({ KPCEA_HEADERS: 'Authorization: Basic xyz' })).not.toContain('xyz'))
})

describe('the command line', () => {
  const complaints = (...args: string[]) => readArguments(args).problems.join('\n')
  test.each([
    [['--timout', '5'], '--timeout'],
    [['--timout=5'], '--timeout'],
    [['--Timeout', '5'], '--timeout'],
    [['--apps', 'x'], '--app'],
    [['--no-wacth'], '--no-watch'],
    [['-x'], '-'],
    [['web'], '--app web'],
    [['timeout'], '--timeout'],
  ])('%p names the nearest flag', (args, nearest) => {
    expect(complaints(...args)).toContain(nearest)
    expect(complaints(...args)).toContain(args[0]?.split('=')[0] ?? '')
  })
  test.each(['--timeout', '--timeout=', '--timeout --app web', '-o', '--app '])(
    '%p: a flag without a value',
    (line) => {
      expect(complaints(...line.split(' '))).toContain('needs a value')
    },
  )
  test.each(['--version', '-V'])('%s beside others is no question about the program', (flag) => {
    expect(complaints('--app', 'web', flag)).toContain(`${flag} stands alone`)
  })
  test.each(['--help', '-h'])('%s asks for the help anywhere but where a value belongs', (flag) => {
    expect(readArguments(['--app', 'web', flag]).help).toBe(true)
    expect(readArguments(['--sever', 'x', flag, '--nonsense']).help).toBe(true)
    expect(readArguments(['--revision', flag])).toMatchObject({
      help: false,
      problems: [expect.stringContaining('--revision needs a value')],
    })
    expect(readArguments([`--commit-message=${flag}`])).toMatchObject({ help: false, problems: [] })
  })
  test('a value that begins with a dash can be attached', () =>
    expect(readArguments(['--commit-message=-x']).given.get('commitMessage')).toEqual(['-x']))
  test('short flags, apart and attached', () => {
    expect(readArguments(['-o', 'json', '-lapp=web']).given).toEqual(
      new Map([
        ['output', ['json']],
        ['selector', ['app=web']],
      ]),
    )
  })
  test('lists may be repeated, others may not', () => {
    expect(readArguments(['--app', 'a', '--app', 'b']).given.get('applications')).toEqual(['a', 'b'])
    expect(complaints('--revision', 'a', '--revision', 'b')).toContain('more than once')
  })
  test('--no- turns off', () => {
    expect(readArguments(['--no-watch']).given.get('watch')).toEqual(['false'])
    for (const line of [
      '--no-watch=false',
      '--watch --no-watch',
      '--no-timeout',
      '--insecure=yes',
      '--insecure true',
    ])
      expect(complaints(...line.split(' '))).not.toBe('')
  })
  test('a flag in a value of another is a forgotten value', () =>
    expect(complaints('--revision', '--insecure')).toContain('--revision needs a value'))
  test('a name is suggested within two letters only, and a value of a slip is never shown', () => {
    expect(complaints('--sever', 'hunter2')).toBe('unknown flag --sever; did you mean --server?')
    expect(complaints('--servers-of', 'hunter2')).toBe(
      'unknown flag --servers-of; kpcea --help lists those that there are',
    )
    expect(complaints('-x')).toBe('unknown flag -x; kpcea --help lists those that there are')
    expect(complaints('-xhunter2')).not.toContain('hunter2')
    expect(complaints('docter')).toContain('did you mean kpcea doctor?')
    expect(complaints('--app', 'web', 'doctor')).toContain('a command stands first: kpcea doctor')
  })
  test('what follows from a slip is no problem of its own', () => {
    const env = { ARGOCD_SERVER: '', ARGOCD_API_TOKEN: '', ARGOCD_APP_NAME: '', KPCEA_TARGET_REVISION: '' }
    const rest = ['--app', 'web', '--revision', 'abc1234']
    expect(problems(env, ['--sever', 'argocd.example.com', ...rest])).toBe(
      'unknown flag --sever; did you mean --server?',
    )
    const known = { ...env, ARGOCD_SERVER: 'x', ARGOCD_API_TOKEN: 't' }
    expect(problems(known, ['--aap', 'web', '--revision', 'abc1234'])).toBe(
      'unknown flag --aap; did you mean --app?',
    )
    expect(problems(known, ['--app', 'web', '--revison=abc1234'])).toBe(
      'unknown flag --revison; did you mean --revision?',
    )
    expect(problems(known, ['--timeout', ...rest])).toBe(
      '--timeout needs a value: --timeout DURATION (one that begins with a dash as --timeout=VALUE)',
    )
    expect(problems({ ...env, ARGOCD_SERVER: 'x' }, ['--token', 'hunter2', ...rest])).toBe(
      '--token is no flag, because command lines can be read by others; set ARGOCD_API_TOKEN (or --token-file)',
    )
    expect(problems({ ...env, ARGOCD_CONFIG_DIR: '/broken' }, rest)).toBe(
      'KPCEA_CONTEXT (--context): /broken/config is no configuration of the argocd CLI',
    )
  })
  test('the cause comes first', () =>
    expect(problems({ ARGOCD_SERVER: '' }, ['--nonsense', '5']).split('\n')).toEqual([
      'unknown flag --nonsense; kpcea --help lists those that there are',
      'ARGOCD_SERVER and ARGOCD_APP_NAME must be set: ARGOCD_SERVER (--server) is missing',
    ]))
  test('headers given by flag are kept apart', () => {
    expect(config({}, ['--header', 'X-A: 1, 2', '--header', 'X-B: 3']).connection.headers).toEqual([
      ['X-A', '1, 2'],
      ['X-B', '3'],
    ])
  })
  test('every flag is spelt once', () => {
    const spelt = settingEntries
      .flatMap(([, { flag, short }]) => [flag, short])
      .filter((word) => word !== undefined)
    expect(new Set(spelt).size).toBe(spelt.length)
    expect(Object.keys(settings)).toHaveLength(settingEntries.length)
  })
})

describe('durations', () => {
  test.each([
    ['0', 0],
    ['30', 30_000],
    ['+30', 30_000],
    ['0.5', 500],
    ['90s', 90_000],
    ['1h30m', 5_400_000],
    ['1.5h', 5_400_000],
    ['250ms', 250],
    ['', undefined],
    ['-1', undefined],
    ['5 minutes', undefined],
    ['1d', undefined],
    ['1e3', undefined],
    ['NaN', undefined],
    ['99999999999', undefined],
  ])('%p', (text, milliseconds) => expect(parseDuration(text)).toBe(milliseconds as number))
  test.each([
    [0, '0s'],
    [25, '25ms'],
    [2500, '2.5s'],
    [12_000, '12s'],
    [90_000, '1m30s'],
    [7_500_000, '2h5m'],
  ])('%p', (milliseconds, text) => expect(formatDuration(milliseconds)).toBe(text))
})

describe('PEM files that will not do are named with their setting, before anything is sent', () => {
  const KEYS = { KPCEA_CLIENT_CERT_FILE: '/ca.pem' }
  test.each([
    ['KPCEA_CA_FILE (--ca-file)', { KPCEA_CA_FILE: '/garbage.pem' }, 'holds no PEM certificate'],
    ['KPCEA_CA_FILE (--ca-file)', { KPCEA_CA_FILE: '/key.pem' }, 'holds no PEM certificate'],
    ['KPCEA_CA_FILE (--ca-file)', { KPCEA_CA_FILE: '/broken.pem' }, 'cannot be read (number 2 of 2)'],
    [
      'KPCEA_CLIENT_KEY_FILE',
      { ...KEYS, KPCEA_CLIENT_KEY_FILE: '/another-key.pem' },
      'does not fit the certificate',
    ],
    ['KPCEA_CLIENT_KEY_FILE', { ...KEYS, KPCEA_CLIENT_KEY_FILE: '/broken-key.pem' }, 'cannot be read'],
    ['KPCEA_CLIENT_KEY_FILE', { ...KEYS, KPCEA_CLIENT_KEY_FILE: '/encrypted-key.pem' }, 'passphrase'],
    ['KPCEA_CLIENT_KEY_FILE', { ...KEYS, KPCEA_CLIENT_KEY_FILE: '/ca.pem' }, 'holds no PEM private key'],
  ])('%s, %j', (setting, env, problem) => {
    const said = problems(env)
    expect(said).toContain(setting)
    expect(said).toContain(problem)
  })
})

describe('headers', () => {
  test('of a file are sent beside the others, and shown as little', () => {
    const env = { KPCEA_HEADERS: 'X-A: 1', KPCEA_HEADERS_FILE: '/headers' }
    expect(config(env).connection.headers).toEqual([
      ['X-A', '1'],
      ['X-C', '3'],
      ['X-D', 'four'],
    ])
    expect(problems({ KPCEA_HEADERS_FILE: '/token' })).not.toContain('file-token')
  })
  test.each(['X-Auth-Token: abc', 'Cookie: a=b', 'X-A: Bearer abc', 'X-A: 0123456789abcdef0123456789abcdef'])(
    'that look like a secret are warned of on the command line, and only there: %s',
    (header) => {
      expect(warnings({}, ['--header', header])).toContain('KPCEA_HEADERS_FILE (--headers-file)')
      expect(warnings({ KPCEA_HEADERS: header })).not.toContain('KPCEA_HEADERS_FILE')
    },
  )
  test('that do not are not', () =>
    expect(warnings({}, ['--header', 'X-Tenant: acme'])).not.toContain('KPCEA_HEADERS_FILE'))
})

test.each(['..', '.', ' .. '])('%j is no revision', (revision) =>
  expect(problems({ KPCEA_TARGET_REVISION: revision })).toContain('is no revision'),
)

test('an argocd configuration that everybody can read is warned of', () => {
  const env = { ...BASE, ARGOCD_SERVER: '', ARGOCD_API_TOKEN: '', ARGOCD_CONFIG_DIR: '/argocd' }
  const load = (isExposed: boolean) => loadConfig({ args: [], env, readFile, isExposed: () => isExposed })
  for (const isExposed of [true, false]) {
    const result = load(isExposed)
    if (!result.ok) throw new Error(result.problems.join('; '))
    expect(result.warnings.join('; ').includes('/argocd/config", and the token in it; chmod 600')).toBe(
      isExposed,
    )
  }
})

describe('the argocd CLI’s configuration', () => {
  const CLI = { ARGOCD_SERVER: '', ARGOCD_API_TOKEN: '', ARGOCD_CONFIG_DIR: '/argocd' }
  test('its current context says where to go where no server is set, and that is said', () => {
    const { connection } = config(CLI)
    expect(connection.server).toMatchObject({ origin: 'http://localhost:8080', rootPath: '/argo' })
    expect(connection.credentials).toMatchObject({ token: 'local-token', context: 'localhost' })
    expect(warnings(CLI)).toContain('context localhost')
  })
  test('another context by name, with its authority and its insecure', () => {
    const { connection } = config(CLI, ['--context', 'acceptance'])
    expect(connection).toMatchObject({ insecure: true, ca: authority.cert })
  })
  test('what is set wins over it', () => {
    expect(config({ ...CLI, KPCEA_CONTEXT: 'acceptance', KPCEA_INSECURE: 'false' }).connection.insecure).toBe(
      false,
    )
    expect(config({ ...CLI, ARGOCD_API_TOKEN: 'mine' }).connection.credentials).toMatchObject({
      token: 'mine',
      context: undefined,
    })
  })
  test('it is not looked at where a server is set', () =>
    expect(warnings({ ARGOCD_CONFIG_DIR: '/argocd' })).toBe(''))
  test('in the home directory', () =>
    expect(config({ ...CLI, ARGOCD_CONFIG_DIR: '', HOME: '/home/me' }).connection.server.origin).toBe(
      'https://a',
    ))
  test('its contexts are offered where none of them is current', () => {
    const env = { ...CLI, ARGOCD_CONFIG_DIR: '/no-current' }
    expect(problems(env)).toStartWith(
      'ARGOCD_SERVER and ARGOCD_APP_NAME must be set: ARGOCD_SERVER (--server) is missing, or a context of the argocd CLI (--context a or b)',
    )
  })
  test('none at all is a missing server', () =>
    expect(problems({ ...CLI, ARGOCD_CONFIG_DIR: '' })).toContain(
      'ARGOCD_SERVER and ARGOCD_APP_NAME must be set',
    ))
  test('a context that does not exist: the ones that do are listed', () =>
    expect(problems(CLI, ['--context', 'prod'])).toContain('localhost, acceptance'))
  test('a broken file is named', () =>
    expect(problems({ ...CLI, ARGOCD_CONFIG_DIR: '/broken' })).toContain('/broken/config'))
  test('a context and a server exclude each other', () =>
    expect(problems({ ARGOCD_CONFIG_DIR: '/argocd' }, ['--context', 'acceptance'])).toContain(
      'exclude each other',
    ))
})
