/** What people write: settings, flags, files, and the small languages in them. */

import fc from 'fast-check'
import { parseServerAddress } from '../../lib/address.ts'
import { readArguments } from '../../lib/arguments.ts'
import { type Loaded, loadConfig, type Sources } from '../../lib/config.ts'
import { formatDuration, parseDuration } from '../../lib/duration.ts'
import { formatImage, parseImage } from '../../lib/image.ts'
import { formatProblems } from '../../lib/report.ts'
import { invalidSettingsResult } from '../../lib/result.ts'
import { resultSchema } from '../../lib/result-schema.ts'
import { formatWantedRevision, parseWantedRevision, sameRevision } from '../../lib/revision.ts'
import { isLabelSelector } from '../../lib/selector.ts'
import { settingEntries } from '../../lib/settings.ts'
import { SHA } from '../fixtures.ts'
import { shown } from '../gate.ts'
import { changed, edit, expect, failsInWords, HOST, mutated, nearly, type Target, target } from './target.ts'

const TIMES = { startedAt: new Date(0), finishedAt: new Date(0), durationSeconds: 0 }

const SECRET = 'k1ngf1sher.under.glass'
const PEM = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'
const KEY = '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n'
const CLI_CONFIG = `contexts:\n- name: a\n  server: ${HOST}\n  user: a\ncurrent-context: a\nservers:\n- server: ${HOST}\n  grpc-web-root-path: /x\nusers:\n- name: a\n  auth-token: ${SECRET}\n`

/** Values that are right, by the variable. */
const RIGHT: Readonly<Record<string, readonly string[]>> = {
  ARGOCD_SERVER: [HOST, `https://${HOST}:8443/argo`, 'http://127.0.0.1:8080', '[::1]:8080', 'localhost'],
  ARGOCD_APP_NAME: ['web', 'team-a/web@v1.2.3', `web@${SHA.a},api`, 'a@x=1,b'],
  KPCEA_SELECTOR: ['team=web,tier!=cache,env in (acc, prod)'],
  KPCEA_TARGET_REVISION: [SHA.a, 'main', 'values=v1.2.3,https://charts.example.com#web=1.2.3', '>=1.2, <2'],
  KPCEA_TARGET_IMAGES: ['nginx', 'ghcr.io/acme/web:1.2.0,redis@sha256:'.concat('0'.repeat(64))],
  KPCEA_HEALTH: ['Healthy', 'Healthy,Suspended'],
  KPCEA_HEADERS: [`X-Pass: ${SECRET}`, `X-One: 1\nX-Two: ${SECRET}`],
  KPCEA_VERIFY_MODE: ['EXACT', 'SEARCH_COMMIT_MSG'],
  KPCEA_TIMEOUT: ['30', '1h30m', '0'],
  KPCEA_STABLE_FOR: ['0', '10s'],
  KPCEA_FAIL_AFTER: ['never', '2m'],
  ARGOCD_API_TOKEN: [SECRET],
  ARGOCD_API_USERNAME: ['kargo'],
  ARGOCD_API_PASSWORD: [SECRET],
  ARGOCD_API_TOKEN_FILE: ['/token'],
  ARGOCD_API_PASSWORD_FILE: ['/password'],
  KPCEA_CA_FILE: ['/ca.pem'],
}

const RIGHT_FLAGS = [
  '--server',
  HOST,
  '--app',
  'web',
  '-l',
  'a=b',
  '--timeout=5',
  '-ojson',
  '--no-watch',
  '--watch=false',
]
const variables = [...settingEntries.flatMap(([, { variables }]) => variables), 'NO_COLOR', 'FORCE_COLOR']
const environment = fc
  .tuple(
    ...variables.map((name) => {
      const [first = 'true', ...more] = RIGHT[name] ?? ['true', 'text', '5', 'exact', 'normal']
      const weight = name === 'ARGOCD_SERVER' || name === 'ARGOCD_APP_NAME' ? 1 : 6
      return fc.oneof(
        { weight, arbitrary: fc.constant(undefined) },
        { weight: 3, arbitrary: fc.constantFrom(first, ...more) },
        { weight: 1, arbitrary: nearly(first, ...more) },
      )
    }),
  )
  .map((values) => Object.fromEntries(variables.map((name, i) => [name, values[i]])))

const flags = [
  ...settingEntries.flatMap(([, { flag }]) => (flag === undefined ? [] : [`--${flag}`])),
  ...RIGHT_FLAGS,
]
const words = fc.array(fc.oneof(fc.constantFrom(...flags), nearly(...flags)), { maxLength: 8 })
const files = fc.record({
  '/token': mutated(`${SECRET}\n`),
  '/password': mutated(`${SECRET}\r\n`),
  '/ca.pem': mutated(PEM),
  '/cert.pem': mutated(PEM),
  '/key.pem': mutated(KEY),
  '/home/.config/argocd/config': mutated(CLI_CONFIG),
})

type Given = Omit<Sources, 'readFile'> & { readonly files?: Readonly<Record<string, Uint8Array>> }

const FILES = { '/token': Buffer.from(SECRET), '/password': Buffer.from(SECRET), '/ca.pem': Buffer.from(PEM) }

function load({ files = FILES, ...sources }: Given): Loaded {
  const readFile = (path: string) => {
    const content = new Map(Object.entries(files)).get(path)
    if (content === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
    return Buffer.from(content).toString('utf8')
  }
  return loadConfig({ ...sources, readFile })
}

/** Settings are usable, or refused with reasons; either way nothing unheard-of comes through. */
function isSane(given: Given): void {
  const result = load(given)
  const said = result.ok ? result.warnings : result.problems
  for (const sentence of said) expect(!sentence.includes(SECRET), `no secret is shown (${sentence})`)
  if (!result.ok) {
    expect(result.problems.length > 0, 'a refusal has its reasons')
    resultSchema.parse(invalidSettingsResult(result.problems, TIMES))
    formatProblems(result.problems.map(shown))
    return
  }
  const { connection, target, policy } = result.config
  const { server, credentials, headers } = connection
  const isPlain =
    given.env.KPCEA_PLAINTEXT?.trim() === 'true' || given.args.some((word) => word.startsWith('--plaintext'))
  expect(server.origin.startsWith('https://') || server.loopback || isPlain, 'plain HTTP was asked for')
  // Those of the argocd CLI: see below.
  if (credentials.mode === 'TOKEN' && credentials.context === undefined)
    expect(WORD.test(credentials.token), 'a token is a word')
  for (const header of headers)
    expect(
      header.every((part) => !/[\r\n\0]/.test(part)),
      'a header is one line',
    )
  expect(
    Object.values(policy).every((value) => !Number.isNaN(value)),
    'times are numbers',
  )
  expect(policy.timeout >= 0 && Number.isFinite(policy.timeout) && policy.interval >= 100, 'times are sane')
  if (target.kind === 'selector') return
  expect(target.applications.length > 0, 'there is something to verify')
  for (const { name, namespace } of target.applications)
    expect(/^[\w.-]+$/.test(name) && /^[\w.-]*$/.test(namespace ?? ''), 'a name reaches no other path')
}

const WORD = /^[\x21-\x7e]+$/

const settings = target('settings', 120, environment, (env) => isSane({ args: [], env }))

const RUN = {
  ARGOCD_SERVER: HOST,
  ARGOCD_API_TOKEN: SECRET,
  ARGOCD_APP_NAME: 'web',
  KPCEA_TARGET_REVISION: SHA.a,
}

const commandLine = target(
  'command line',
  100,
  fc.record({ words, bare: fc.boolean() }),
  ({ words, bare }) => {
    readArguments(words)
    isSane({ args: words, env: bare ? {} : RUN })
  },
)

const secretFiles = target(
  'secret files',
  100,
  fc.record({
    files,
    which: fc.constantFrom(
      { ...RUN, ARGOCD_API_TOKEN: undefined, ARGOCD_API_TOKEN_FILE: '/token' },
      { ...RUN, ARGOCD_API_TOKEN: '', ARGOCD_API_USERNAME: 'kargo', ARGOCD_API_PASSWORD_FILE: '/password' },
      {
        ...RUN,
        KPCEA_CA_FILE: '/ca.pem',
        KPCEA_CLIENT_CERT_FILE: '/cert.pem',
        KPCEA_CLIENT_KEY_FILE: '/key.pem',
      },
      { ...RUN, ARGOCD_SERVER: undefined, ARGOCD_API_TOKEN: undefined, HOME: '/home' },
    ),
  }),
  ({ files, which }) => isSane({ args: [], env: which, files }),
)

const addresses = target(
  'server addresses',
  200,
  fc.record({ address: nearly(...(RIGHT.ARGOCD_SERVER ?? [])), plaintext: fc.boolean() }),
  ({ address, plaintext }) => {
    const server = failsInWords(() => parseServerAddress(address, plaintext))
    if (server === undefined) return
    const { protocol, username, password, pathname, search } = new URL(`${server.origin}${server.rootPath}`)
    expect(`${username}${password}${search}` === '', 'an address holds nothing but an address')
    expect(protocol === 'https:' || plaintext || server.loopback, 'plain HTTP was asked for')
    expect(pathname === (server.rootPath || '/'), 'the root path is a path')
  },
)

const IMAGES = [
  'nginx',
  'ghcr.io/acme/web:1.2.0',
  `localhost:5000/a/b@sha256:${'0'.repeat(64)}`,
  'docker.io/library/a',
]
const images = target('image references', 200, nearly(...IMAGES), (image) => {
  const parsed = failsInWords(() => parseImage(image))
  if (parsed === undefined) return
  // An upper-case letter makes a registry of what is none any more when it is written in lower case.
  if (/^[^/.:]*[A-Z]/.test(image.trim())) return
  const again = parseImage(formatImage(parsed))
  expect(JSON.stringify(again) === JSON.stringify(parsed), 'what is written in full reads the same')
})

/** Few tokens: a selector of many empty values still takes longer than one would wait. */
const tokens = fc.array(
  fc.constantFrom(
    ...[
      'a',
      'b.c/d',
      'in',
      'notin',
      '=',
      '==',
      '!=',
      '!',
      '(',
      ')',
      ',',
      ',',
      ' ',
      '  ',
      '\t',
      '\n',
      '<',
      '>',
      '-',
      '.',
    ],
    ...[
      '1',
      '-5',
      '007',
      'x_y',
      'A',
      'Ab-.c',
      'é',
      '\u00a0',
      '/',
      'a/b',
      'a..b/c',
      '.a/b',
      'a'.repeat(63),
      'a'.repeat(64),
    ],
  ),
  { minLength: 1, maxLength: 10 },
)
const SELECTORS = [
  'team=web,tier!=cache',
  'env in (acc, prod),!old',
  'a notin (b),c>1',
  'x',
  'example.com/a==',
]
const selectorTexts = fc.oneof(
  tokens.map((all) => all.join('')),
  fc.tuple(fc.constantFrom(...SELECTORS), fc.array(edit, { maxLength: 2 })).map(([selector, changes]) =>
    changes
      .filter(({ length }) => length <= 3)
      .reduce(changed, Buffer.from(selector))
      .toString()
      .slice(0, 60),
  ),
)
const selectors = target('label selectors', 300, selectorTexts, (selector) => {
  const taken = isLabelSelector(selector)
  // What is taken stays so where more is asked for, and nothing makes a broken one whole.
  expect(
    isLabelSelector(`${selector},zone`) === (taken && selector.trim() !== ''),
    'a requirement more changes nothing',
  )
})

const durations = target(
  'durations',
  300,
  nearly('90', '1h30m', '500ms', '0.5', '1.5h', '+3'),
  (duration) => {
    const ms = failsInWords(() => parseDuration(duration.trim()))
    if (ms === undefined) return
    expect(Number.isInteger(ms) && ms >= 0 && ms <= 365 * 24 * 3_600_000, 'a duration is sane')
    expect(/^(?:\d+(?:\.\d)?(?:ms|s|m|h))+$/.test(formatDuration(ms)), 'and can be written')
  },
)

const revisions = target('revisions', 200, nearly(...(RIGHT.KPCEA_TARGET_REVISION ?? [])), (revision) => {
  const wanted = failsInWords(() => parseWantedRevision(revision))
  if (wanted === undefined) return
  formatWantedRevision(wanted)
  expect(!sameRevision(revision, '') && !sameRevision('', revision), 'nothing is no revision')
})

/** Control characters in a message could forge lines of a log. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\x00-\x1f]/

const complaints = target(
  'complaints are one line',
  100,
  fc.record({ env: environment, args: words }),
  (given) => {
    const result = load(given)
    for (const sentence of result.ok ? result.warnings : result.problems)
      expect(!CONTROL.test(sentence), `it is one line (${JSON.stringify(sentence)})`)
  },
)

const contexts = target('tokens of the argocd CLI are words', 100, files, (files) => {
  const env = { ...RUN, ARGOCD_SERVER: undefined, ARGOCD_API_TOKEN: undefined, HOME: '/home' }
  const result = load({ args: [], env, files })
  if (!result.ok || result.config.connection.credentials.mode !== 'TOKEN') return
  expect(WORD.test(result.config.connection.credentials.token), 'a token is a word')
})

/** All that people write. */
export const SETTING_TARGETS: readonly Target[] = [
  settings,
  commandLine,
  secretFiles,
  addresses,
  images,
  selectors,
  durations,
  revisions,
  complaints,
  contexts,
]
