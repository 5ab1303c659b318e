/** Words of others: on no way out do they steer a terminal, command a CI, forge a line, or show a secret. */

import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ArgoCDServer, application, type JsonObject } from './argocd/server.ts'
import { createAuthority, selfSigned } from './certificates.ts'
import { connect, type Environment, run, start, temporaryDirectory, waitFor } from './executable.ts'
import { answers, http, oneOfFew, TOKEN, WEB, WireServer } from './faults.ts'
import { SHA } from './fixtures.ts'
import { offence } from './gate.ts'
import { everything } from './ways-out.ts'

/** All that a text can do, and a word by which it is found again. */
const HOSTILE = [
  'marker',
  '\n::set-output name=x::y\r\n::add-mask::a\n::error file=a::b',
  '##vso[task.setvariable variable=x]y ##[command]z ##teamcity[x]',
  '\u001b[2J\u001b]0;title\u0007\u009b31m\b\b\0',
  'a\u202eb\u2066c\u200bd\u200ee\ufefff\u2028g\u2029h\u00adi\u{e0041}j',
].join(' ')
const AT_THE_START = `::add-mask::marker`

/** Runs the executable and finds the words of others wherever they are told, and nothing that they could do. */
async function isHarmless(env: Environment, formats?: readonly ('text' | 'json')[]) {
  const all = await everything(env, formats)
  for (const { where, text } of all) expect(`${where}: ${offence(text)}`).toBe(`${where}: undefined`)
  expect(all.map(({ text }) => text).join('\n')).toContain('marker')
  return all
}

describe.each([
  ['anywhere', HOSTILE],
  ['at the start', AT_THE_START],
])('hostile words %s', (_, words) => {
  test.concurrent('in all that an Application and its tree say', async () => {
    const resource: JsonObject = {
      group: words,
      kind: words,
      namespace: words,
      name: words,
      status: words,
      health: { status: 'Degraded', message: words },
    }
    const ill: JsonObject = {
      spec: { project: words },
      status: {
        sync: { status: words, revision: words },
        health: { status: words, message: words },
        conditions: [{ type: 'ComparisonError', message: words }],
        operationState: {
          phase: 'Failed',
          message: words,
          finishedAt: words,
          syncResult: { resources: [{ ...resource, status: 'SyncFailed', message: words }] },
        },
        summary: { images: [words] },
        resources: [resource],
      },
    }
    for (const KPCEA_WATCH of ['true', 'false']) {
      await using server = await ArgoCDServer.start()
      server.apply(application({ name: 'web', revision: SHA.a }, ill))
      server.resourceTree('web', { nodes: [resource] })
      await isHarmless({ ...connect(server), KPCEA_WATCH, KPCEA_TIMEOUT: '0' }, ['text', 'json'])
    }
  })

  test.concurrent.each([
    ['an error', 500],
    ['a refusal', 401],
  ])('in %s of the server', async (_, status) => {
    for (const body of [words, { error: words, code: 2, message: words }, `<html><title>${words}</title>`]) {
      await using server = await ArgoCDServer.start()
      server.fault({}, { kind: 'answer', status, body })
      await isHarmless(connect(server, { KPCEA_TIMEOUT: '0' }))
    }
  })

  test.concurrent('in a page, in the keys and in the name of an answer', async () => {
    for (const body of [
      `<html><title>${words}</title>`,
      { metadata: { name: 'web' }, status: { summary: { images: { [words]: 5 } } }, spec: { [words]: 1 } },
      { metadata: { name: 'web', annotations: { [words]: 5 } } },
      { metadata: { name: words } },
    ]) {
      await using server = await ArgoCDServer.start()
      server.fault({}, { kind: 'answer', status: 200, body })
      const all = await everything(connect(server, { KPCEA_TIMEOUT: '0' }))
      for (const { where, text } of all) expect(`${where}: ${offence(text)}`).toBe(`${where}: undefined`)
    }
  })

  test.concurrent('in the names of applications that a selector finds', async () => {
    const one = application({ name: words, revision: SHA.b })
    await using server = await WireServer.start(
      answers((head) =>
        head.includes('/stream/')
          ? http('503 No', [])
          : http('200 OK', ['Content-Type: application/json'], JSON.stringify({ items: [one] })),
      ),
    )
    const env = {
      ARGOCD_SERVER: server.url,
      ARGOCD_API_TOKEN: TOKEN,
      KPCEA_SELECTOR: 'a=b',
      ARGOCD_APP_NAME: '',
      KPCEA_TIMEOUT: '0',
    }
    await isHarmless(env)
  })

  test.concurrent('in what doctor is told', async () => {
    const one = {
      ...application({ name: 'web', revision: SHA.a }),
      Version: words,
      loggedIn: true,
      username: words,
    }
    const body = JSON.stringify({ ...one, iss: words, groups: [words], value: words, message: words })
    for (const status of ['200 OK', '500 No']) {
      await using server = await WireServer.start(answers(() => http(status, [], body)))
      const env = { ...WEB, ARGOCD_SERVER: server.url, ARGOCD_API_TOKEN: TOKEN }
      const { stdout, stderr } = await oneOfFew(() => run(env, ['doctor']))
      expect(stdout).toContain('marker')
      expect(offence(stdout) ?? offence(stderr)).toBeUndefined()
    }
  })

  test.concurrent('in the settings', async () => {
    const env = { ARGOCD_SERVER: 'http://127.0.0.1:1', ARGOCD_API_TOKEN: TOKEN, KPCEA_TIMEOUT: '0' }
    for (const wrong of [
      { KPCEA_TARGET_IMAGES: words },
      { ARGOCD_APP_NAME: words },
      { KPCEA_OUTPUT: words },
      { ARGOCD_API_TOKEN_FILE: `/${words}`, ARGOCD_API_TOKEN: '' },
      { KPCEA_SEARCH_COMMIT_MSG: words, KPCEA_VERIFY_MODE: 'SEARCH_COMMIT_MSG' },
    ]) {
      const { NUL: _, ...clean } = { NUL: '', ...wrong }
      const set = Object.entries(clean).map(([name, value]) => [name, value.replaceAll('\0', '')])
      await isHarmless({ ...env, ...Object.fromEntries(set) })
    }
  })
})

test.concurrent.each([
  [
    'of an unknown authority',
    async () => (await createAuthority('x ##vso[y] \u202e\u001b[2J ::add-mask::z')).server(),
  ],
  [
    'for other names',
    async () => (await createAuthority()).server({ commonName: 'x', names: ['##vso[x].example.com'] }),
  ],
  ['of its own', () => selfSigned({ names: ['##[command]x'] })],
] as const)('hostile words in a certificate %s', async (_, certificate) => {
  await using server = await ArgoCDServer.start({ tls: await certificate() })
  const env = { ARGOCD_SERVER: server.address, ARGOCD_API_TOKEN: TOKEN, KPCEA_TIMEOUT: '30' }
  const all = await everything(env)
  for (const { where, text } of all) expect(`${where}: ${offence(text)}`).toBe(`${where}: undefined`)
  expect(all.map(({ text }) => text).join('\n')).toContain('the certificate of')
})

test.concurrent('twenty megabytes of a key are told in a few words', async () => {
  const body = { metadata: { name: 'web', annotations: { ['k'.repeat(20_000_000)]: 5 } } }
  await using server = await ArgoCDServer.start()
  server.fault({}, { kind: 'answer', status: 200, body })
  const all = await everything(connect(server, { KPCEA_TIMEOUT: '0' }))
  for (const { text } of all) expect(text.length).toBeLessThan(20_000)
})

test.concurrent('the live view shows nothing that steers but its own', () =>
  oneOfFew(async () => {
    await using server = await ArgoCDServer.start()
    server.apply(
      application(
        { name: 'web', revision: SHA.b },
        { status: { health: { status: 'Degraded', message: HOSTILE } } },
      ),
    )
    const env = { ...connect(server), ...WEB, KPCEA_TIMEOUT: '2', TERM: 'xterm', NO_COLOR: '1' }
    const log = join(temporaryDirectory(), 'screen')
    const child = Bun.spawn(['script', '-qec', `${process.cwd()}/dist/kpcea`, log], {
      env: { PATH: process.env.PATH, ...env },
      stdin: 'ignore',
      stdout: 'ignore',
      stderr: 'ignore',
      timeout: 30_000,
    })
    await child.exited
    // Its own: up so many rows, and what is below cleared.
    const screen = readFileSync(log, 'utf8')
      .replaceAll('\r', '')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      .replaceAll(/\u001b\[\d+A\u001b\[J/g, '')
    expect(screen).toContain('marker')
    expect(offence(screen)).toBeUndefined()
  }))

test.concurrent('a run that waits is told of in the log without harm', async () => {
  await using server = await ArgoCDServer.start()
  server.apply(
    application(
      { name: 'web', revision: SHA.a },
      { status: { health: { status: 'Progressing', message: HOSTILE } } },
    ),
  )
  const running = start({ ...connect(server), ...WEB, KPCEA_TIMEOUT: '20' })
  await waitFor(() => running.said().includes('marker') || running.said().includes('Progressing'))
  server.update('web', { status: { health: { status: 'Degraded', message: HOSTILE } } })
  await waitFor(() => running.said().includes('Degraded'))
  running.process.kill('SIGTERM')
  const { stderr, stdout } = await running.finished
  expect(offence(stderr)).toBeUndefined()
  expect(offence(stdout)).toBeUndefined()
})
