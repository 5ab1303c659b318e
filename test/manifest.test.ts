/** `kpcea manifest`: what it prints runs the same as what was tried, and the examples are made from it. */

import { describe, expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { KINDS } from '../lib/commands.ts'
import { scalar } from '../lib/yaml.ts'
import { madeExamples } from '../scripts/examples.ts'
import { array, at, type JsonObject, object } from './argocd/json.ts'
import { ArgoCDServer, application } from './argocd/server.ts'
import { createAuthority } from './certificates.ts'
import { documents } from './examples-manifests.ts'
import { builtInViolations, haveSchemas, loadSchemas, violations } from './examples-schema.ts'
import { type Environment, run, runJson, temporaryDirectory } from './executable.ts'
import { SHA } from './fixtures.ts'

const EXAMPLES = join(import.meta.dir, '../examples')
const read = (file: string): string => readFileSync(join(EXAMPLES, file), 'utf8')

async function manifest(kind: string, args: readonly string[], env: Environment = {}): Promise<JsonObject> {
  const { code, stdout, stderr } = await run(env, ['manifest', kind, ...args])
  expect(stderr).toBe('')
  expect(code).toBe(0)
  return object(documents(stdout)[0] ?? null)
}

const TRIED = ['--server', 'argocd.example.com', '--app', 'web', '--revision', SHA.a, '--timeout', '5m']

/** The variables of a container that have a value. */
function variables(container: unknown): Record<string, string> {
  const entries = array(at(container as JsonObject, 'env')).map(object)
  return Object.fromEntries(
    entries.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]])),
  )
}

const container = (job: JsonObject) => array(at(job, 'spec', 'template', 'spec', 'containers'))[0] ?? null

describe('the examples are made from it', () => {
  for (const [file, text] of madeExamples(read)) test(file, () => expect(read(file)).toBe(text))
})

describe('each kind fits its definition', () => {
  const schemas = loadSchemas()
  const all: readonly (readonly string[])[] = [
    TRIED,
    [
      '--server',
      'a/argo',
      '-l',
      'team=web',
      '--image',
      'web:1,db',
      '--health',
      'Healthy,Suspended',
      '--stable-for',
      '5',
      '--no-watch',
      '--header',
      'X: y',
    ],
    [
      '--app',
      'https://a.example.com/applications/team/web@main',
      '--verify-mode',
      'SEARCH_COMMIT_MSG',
      '--commit-message',
      ' "it\'s": #1 {{x}} ',
    ],
  ]
  for (const kind of KINDS)
    test(kind, async () => {
      for (const args of all) {
        const made = await manifest(kind, args)
        const schema = schemas.get(`${made.apiVersion} ${made.kind}`)
        if (schema !== undefined) expect(violations(made, schema)).toEqual([])
        else if (made.kind === 'Job') expect(builtInViolations(made)).toEqual([])
        else console.warn(`${kind} was NOT CHECKED against its definition, which is not at hand`)
        if (made.kind !== 'Job') expect(schema === undefined).toBe(!haveSchemas)
      }
    })
  test('the Job as well, by that of an AnalysisTemplate', async () => {
    const job = schemas.get('argoproj.io/v1alpha1 AnalysisTemplate')
    if (job === undefined)
      return console.warn('job was NOT CHECKED against a definition, which is not at hand')
    const wrapped = { ...(await manifest('analysis-template', TRIED)) }
    const [metric] = array(at(wrapped, 'spec', 'metrics'))
    object(object(object(metric ?? null).provider).job).spec = (await manifest('job', TRIED)).spec ?? null
    expect(violations(wrapped, job)).toEqual([])
  })
})

test('the printed Job runs the same as what was tried', async () => {
  await using server = await ArgoCDServer.start()
  server.apply(application({ name: 'web', revision: SHA.a, images: ['web:1'] }))
  const args = [
    '--server',
    server.url,
    '--app',
    `web@${SHA.a.slice(0, 8)}`,
    '--image',
    'web:1',
    '--interval',
    '2s',
  ]
  const tried = await runJson({ ARGOCD_API_TOKEN: server.token }, args)
  const job = await manifest('job', args, { ARGOCD_API_TOKEN: server.token })
  const token = join(temporaryDirectory(), 'token')
  writeFileSync(token, server.token, { mode: 0o600 })
  const inCluster = await runJson({ ...variables(container(job)), ARGOCD_API_TOKEN_FILE: token })
  expect(inCluster.result.verified).toBe(true)
  const same = ({ startedAt: _, finishedAt: __, durationSeconds: ___, ...rest }: typeof tried.result) => rest
  expect(same(inCluster.result)).toEqual(same(tried.result))
})

test('the deadline is that of all tries and the start of the Pods', async () => {
  const deadline = async (...args: string[]) =>
    at(
      await manifest('job', ['--server', 'a', '--app', 'b@1111111', ...args]),
      'spec',
      'activeDeadlineSeconds',
    )
  expect(await deadline('--timeout', '5m')).toBe(720)
  expect(await deadline()).toBe(180)
  expect(await deadline('--timeout', '1500ms')).toBe(124)
  expect(await deadline('--timeout', '0')).toBe(140)
})

test('no secret is in it, whatever was tried with: it names the Secret that holds them', async () => {
  const secret = 'k1ngf1sher.under.glass'
  const ca = join(temporaryDirectory(), 'ca.pem')
  writeFileSync(ca, (await createAuthority()).cert)
  for (const kind of KINDS) {
    const env = { KPCEA_HEADERS: `X: ${secret}`, KPCEA_CA_FILE: ca, KPCEA_RESULT_FILE: '/home/me/result' }
    const byToken = await run({ ...env, ARGOCD_API_TOKEN: secret }, ['manifest', kind, ...TRIED])
    const login = { ARGOCD_API_USERNAME: 'ada', ARGOCD_API_PASSWORD: secret }
    const byLogin = await run({ ...env, ...login }, ['manifest', kind, ...TRIED])
    for (const { code, stdout, stderr } of [byToken, byLogin]) {
      expect(code).toBe(0)
      expect(stdout + stderr).not.toContain(secret)
      expect(stdout).not.toContain('/home/me')
      expect(stdout).not.toContain(ca)
      expect(stdout).toContain('kubectl create secret generic kpcea')
    }
    expect(byLogin.stdout).toContain('value: ada')
  }
})

test('what Kargo supplies is an argument without a default', async () => {
  const template = await manifest('analysis-template', [...TRIED, '--image', 'web:1'])
  expect(at(template, 'spec', 'args')).toEqual([
    { name: 'server', value: 'argocd.example.com' },
    { name: 'app', value: 'web' },
    { name: 'revision' },
    { name: 'images' },
  ])
  const job = object(
    at(template, 'spec', 'metrics', '0', 'provider', 'job') ??
      at(array(at(template, 'spec', 'metrics'))[0] ?? null, 'provider', 'job'),
  )
  expect(variables(container(job))).toMatchObject({
    KPCEA_TARGET_REVISION: '{{args.revision}}',
    KPCEA_TARGET_IMAGES: '{{args.images}}',
    KPCEA_TIMEOUT: '5m',
  })
})

test('an address becomes server and name', async () => {
  const job = await manifest('job', [
    '--app',
    'https://a.example.com/argo/applications/team/web?view=tree',
    '--revision',
    SHA.a,
  ])
  expect(variables(container(job))).toMatchObject({
    ARGOCD_SERVER: 'https://a.example.com/argo',
    ARGOCD_APP_NAME: 'team/web',
  })
})

test('settings that are wrong are told, and nothing is printed', async () => {
  const { code, stdout, stderr } = await run({}, [
    'manifest',
    'job',
    '--server',
    'a',
    '--timeout',
    'soon',
    '--app',
    'b',
  ])
  expect([code, stdout]).toEqual([1, ''])
  expect(stderr).toContain('KPCEA_TIMEOUT (--timeout): "soon" is no duration')
  expect(stderr).toContain('KPCEA_TARGET_REVISION must be set')
})

test('every text is read back as the text that it was', () => {
  const texts = [
    '',
    'a',
    'true',
    'No',
    'null',
    '~',
    '1',
    '1e3',
    '0x1f',
    '5m',
    '1h30m',
    '12:30',
    '2026-01-01',
    'a: b',
    'a #b',
    '- a',
    '"',
    "it's",
    '{{a}}',
    '*',
    '&a',
    '!a',
    '%',
    '@',
    '`',
    'a\nb',
    ' a ',
    'é',
    '4f2a9c1',
    '1234567',
    '12e4567',
    'web@4f2a9c1',
    'a=b,c in (d)',
    'https://a:1/b',
    '.5',
    '=',
    'y',
    'a:',
    ':a',
    '[a]',
    '🙂',
  ]
  for (const text of texts) expect(Bun.YAML.parse(`a: ${scalar(text)}\n`)).toEqual({ a: text })
})
