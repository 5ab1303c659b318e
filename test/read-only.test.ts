/** Without --sync nothing is ever changed: every command, in every way that it is run, sends reads and logins only. */

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { COMMANDS, KINDS, PAGES, SHELLS } from '../lib/commands.ts'
import { ArgoCDServer, application } from './argocd/server.ts'
import { connect, type Environment, run } from './executable.ts'
import { SHA } from './fixtures.ts'

let server: ArgoCDServer
beforeAll(async () => {
  server = await ArgoCDServer.start({ accounts: { kargo: { password: 'correct horse' } } })
  for (const name of ['web', 'api']) {
    const app = application({ name, revision: SHA.a, labels: { team: 'shop' } })
    // Nobody syncs it by itself, so there is something that could be started.
    app.spec.syncPolicy = {}
    app.status.sync.status = 'OutOfSync'
    server.apply(app)
  }
  server.commit(SHA.a, { message: 'one', tags: ['v1'] })
})
afterAll(() => server.stop())

const LOGIN = {
  ARGOCD_API_TOKEN: undefined,
  ARGOCD_API_USERNAME: 'kargo',
  ARGOCD_API_PASSWORD: 'correct horse',
}
const VERIFY = { ARGOCD_APP_NAME: 'web', KPCEA_TARGET_REVISION: SHA.b, KPCEA_TIMEOUT: '1' }

/** What is written behind each command. */
const WORDS: Readonly<Record<(typeof COMMANDS)[number], readonly string[]>> = {
  doctor: [''],
  manifest: KINDS,
  docs: PAGES,
  schema: [''],
  completion: SHELLS,
}

const runs: readonly (readonly [name: string, args: readonly string[], env: Environment])[] = [
  ['a verification', [], VERIFY],
  ['a verification that polls', ['--no-watch'], VERIFY],
  ['a verification after a login', [], { ...VERIFY, ...LOGIN }],
  ['one look', ['--timeout', '0'], VERIFY],
  ['one look that would sync', ['--timeout', '0', '--sync'], VERIFY],
  ['a selector', ['-l', 'team=shop'], { ...VERIFY, ARGOCD_APP_NAME: undefined }],
  ['a tag', ['--revision', 'v1'], VERIFY],
  ['what renders the same', ['--revision-policy', 'equivalent'], VERIFY],
  ['images', ['--image', 'web:2'], { ...VERIFY, KPCEA_TARGET_REVISION: undefined }],
  ['a verification with an id and a Stage', ['--sync-id', 'x', '--kargo-stage', 'a:b'], VERIFY],
  ['the doctor of a sync', ['doctor', '--sync'], VERIFY],
  ['help', ['--help'], VERIFY],
  ['the version', ['--version'], VERIFY],
  ...COMMANDS.flatMap((command) =>
    WORDS[command].map((word) => {
      const args = [command, ...(word === '' ? [] : [word])]
      return [args.join(' '), args, VERIFY] as const
    }),
  ),
]

for (const [name, args, env] of runs)
  test(`${name} changes nothing`, async () => {
    const before = server.requests.length
    await run(connect(server, env), args)
    const sent = server.requests.slice(before)
    const changing = sent.filter(({ method, route }) => method !== 'GET' && route !== 'session')
    expect(changing.map(({ method, path }) => `${method} ${path}`)).toEqual([])
    expect(server.operations.syncs).toEqual([])
    // A test of nothing would pass as well.
    if (args[0]?.startsWith('--') !== true || args.includes('--timeout'))
      expect(sent.length > 0 || !['doctor', undefined].includes(args[0])).toBe(true)
  })

test('and the same application is synced with --sync, so that the test above could fail', async () => {
  const token = server.createToken({ sync: ['*'] })
  await run(connect(server, { ...VERIFY, ARGOCD_API_TOKEN: token, KPCEA_TIMEOUT: '10' }), ['--sync'])
  expect(server.operations.syncs).toHaveLength(1)
})
