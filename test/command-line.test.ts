/** The executable at the command line: help, commands, what is said once, signals, terminals. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PAGES } from '../lib/commands.ts'
import { resultSchema } from '../lib/result-schema.ts'
import { ArgoCDServer, application } from './argocd/server.ts'
import { connect, EXECUTABLE, run, start, temporaryDirectory, waitFor } from './executable.ts'
import { SHA } from './fixtures.ts'
import { onTerminal, plainText } from './terminal.ts'

let server: ArgoCDServer
beforeAll(async () => {
  server = await ArgoCDServer.start()
  server.apply(application({ name: 'web', revision: SHA.a }))
})
afterAll(() => server.stop())

const WEB = { ARGOCD_APP_NAME: 'web', KPCEA_TARGET_REVISION: SHA.a }
const bare = { ARGOCD_API_TOKEN: 'token' }

describe('help', () => {
  test.each(['--help', '-h', '--app web --help', '--sever x -h', 'web --help'])(
    'is shown for %s, in eighty columns, and nothing is verified',
    async (line) => {
      const words = line.split(' ')
      const { code, stdout } = await run(connect(server, WEB), words)
      expect(stdout).toStartWith('kpcea ')
      for (const row of stdout.split('\n')) expect([...row].length).toBeLessThanOrEqual(80)
      // Alone it is a question; beside settings it must not pass for a yes.
      expect(code).toBe(words.length === 1 ? 0 : 1)
    },
  )
  test.each(['doctor', 'manifest', 'docs', 'schema', 'completion'])('of %s', async (command) => {
    for (const flag of ['--help', '-h']) {
      const { code, stdout } = await run({}, [command, flag])
      expect(code).toBe(0)
      expect(stdout).toStartWith(`Usage: kpcea ${command}`)
      for (const line of stdout.split('\n')) expect([...line].length).toBeLessThanOrEqual(80)
    }
  })
  test('is no value that was forgotten', async () => {
    const { code, stdout } = await run(bare, ['--app', 'web', '--revision', '--help'])
    expect(code).toBe(1)
    expect(stdout).toContain('--revision needs a value')
  })
  test('ends with pages that are in the executable itself', async () => {
    const { stdout } = await run({}, ['--help'])
    expect(stdout.trim().split('\n').slice(-2).join(' ')).toContain('kpcea docs PAGE')
    for (const page of PAGES) {
      expect(stdout).toContain(page)
      const shown = await run({}, ['docs', page])
      expect(shown.code).toBe(0)
      expect(shown.stdout).toBe(readFileSync(join(import.meta.dir, `../docs/${page}.md`), 'utf8'))
    }
  })
})

describe('commands', () => {
  test.each([
    [['docs'], 'kpcea docs needs another word'],
    [['docs', 'nothing'], 'does not know "nothing"'],
    [['docs', 'settings', 'x'], 'stands alone; leave out "x"'],
    [['schema', 'x'], 'stands alone; leave out "x"'],
    [['manifest'], 'write kpcea manifest job, analysis-template or workflow-template'],
    [['manifest', '--app', 'web'], 'does not know "--app"'],
    [['completion', 'tcsh'], 'bash, zsh, fish or powershell'],
    [['completion', 'bash', '--app', 'web'], 'stands alone'],
    [['--app', 'web', 'doctor'], 'a command stands first: kpcea doctor'],
    [['docter'], 'did you mean kpcea doctor?'],
    [['doctor', 'web'], 'unexpected word "web"; did you mean --app web?'],
    [['doctor', '--sever', 'x'], 'unknown flag --sever; did you mean --server?'],
    [['manifest', 'job', '--timout', '5'], 'unknown flag --timout; did you mean --timeout?'],
    [['manifest', 'job', '-_'], 'unknown flag -_'],
  ])('%p is an error that says what to write', async (args, sentence) => {
    const { code, stdout, stderr } = await run(connect(server, WEB), args)
    expect(code).toBe(1)
    expect(stdout + stderr).toContain(sentence)
  })
})

describe('problems with the settings', () => {
  test('a mistyped flag is one problem', async () => {
    const args = ['--sever', 'argocd.example.com', '--app', 'web', '--revision', SHA.a]
    const { code, stdout } = await run({}, args)
    expect(code).toBe(1)
    expect(stdout).toBe(
      'NOT VERIFIED (InvalidSettings): kpcea cannot run with these settings\n  unknown flag --sever; did you mean --server?\nTry kpcea --help\n',
    )
  })
  test('are said once where stdout and stderr go to the same place', async () => {
    const said = async (redirect: string) => {
      const directory = temporaryDirectory()
      const shell = Bun.spawn(['bash', '-c', `"${EXECUTABLE}" --nonsense ${redirect}`], {
        cwd: directory,
        env: bare,
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      const texts = await Promise.all([shell.stdout.text(), shell.stderr.text()])
      await shell.exited
      const files = await Promise.all(
        ['out', 'err'].map((name) =>
          Bun.file(join(directory, name))
            .text()
            .catch(() => ''),
        ),
      )
      return [...texts, ...files].join('').split('unknown flag --nonsense').length - 1
    }
    await run({}, ['--version'])
    expect(await said('2>&1')).toBe(1)
    expect(await said('2>&1 | cat')).toBe(1)
    expect(await said('> out 2>&1')).toBe(1)
    expect(await said('> out 2> err')).toBe(2)
  })
  test('the contexts of the argocd CLI are offered where no server is set', async () => {
    const home = temporaryDirectory()
    mkdirSync(join(home, '.config/argocd'), { recursive: true })
    const contexts = ['acc', 'prod'].map((name) => ({ name, server: `${name}.example.com`, user: name }))
    const servers = contexts.map(({ server: address }) => ({ server: address }))
    writeFileSync(join(home, '.config/argocd/config'), Bun.YAML.stringify({ contexts, servers }))
    const { stdout } = await run({ HOME: home }, ['--app', 'web', '--revision', SHA.a])
    expect(stdout).toContain('or a context of the argocd CLI (--context acc or prod)')
    expect((await run({ HOME: home }, ['completion', 'contexts'])).stdout).toBe('acc\nprod\n')
  })
})

test('an application may be given as the address that a browser shows', async () => {
  const own = await ArgoCDServer.start({ rootPath: '/argo' })
  own.apply(application({ name: 'web', revision: SHA.a }))
  const address = `${own.url}/applications/argocd/web?view=tree&resource=hunter2#frag`
  const env = { ARGOCD_API_TOKEN: own.token, KPCEA_TARGET_REVISION: SHA.a }
  const { code, stdout, stderr } = await run(env, ['--app', address])
  expect(code).toBe(0)
  expect(stdout + stderr).not.toContain('hunter2')
  const elsewhere = await run({ ...env, ARGOCD_SERVER: server.url }, ['--app', address])
  expect(elsewhere.code).toBe(1)
  expect(elsewhere.stdout).toContain('says another server; leave one of them out')
  await own.stop()
})

describe('signals', () => {
  async function interrupt(signal: NodeJS.Signals) {
    const own = await ArgoCDServer.start()
    own.apply(application({ name: 'web', revision: SHA.b }))
    const running = start(connect(own, { ...WEB, KPCEA_TIMEOUT: '50', KPCEA_OUTPUT: 'json' }))
    await waitFor(() => own.refreshes.length === 1)
    running.process.kill(signal)
    const { code, stdout } = await running.finished
    await own.stop()
    expect(resultSchema.parse(JSON.parse(stdout))).toMatchObject({ reason: 'Interrupted', verified: false })
    return { code, by: running.process.signalCode }
  }
  test('SIGTERM: the result is printed, exit code 1', async () => {
    expect(await interrupt('SIGTERM')).toEqual({ code: 1, by: null })
  })
  test('SIGINT: the result is printed, and the process ends by SIGINT', async () => {
    expect(await interrupt('SIGINT')).toEqual({ code: 130, by: 'SIGINT' })
  })
  test('Ctrl-C ends a loop of the shell, too', async () => {
    const own = await ArgoCDServer.start()
    own.apply(application({ name: 'web', revision: SHA.b }))
    const loop = `for round in 1 2 3; do echo "round $round"; "${EXECUTABLE}"; echo "code $?"; done; echo all rounds`
    const shell = onTerminal(
      ['bash', '--norc', '-c', loop],
      connect(own, { ...WEB, KPCEA_TIMEOUT: '50', TERM: 'xterm', PATH: process.env.PATH }),
    )
    await waitFor(() => own.refreshes.length === 1)
    shell.press('\x03')
    const { said } = await shell.ended
    await own.stop()
    expect(plainText(said)).toContain('NOT VERIFIED (Interrupted)')
    for (const word of ['round 2', 'code ', 'all rounds']) expect(said).not.toContain(word)
  })
})

describe('terminals', () => {
  const ESCAPE = '\x1b'
  /** Moving up and erasing, as a live view does. */
  const DRAWN_OVER = new RegExp(`${ESCAPE}\\[\\d*[AJ]`)
  const look = async (env: Record<string, string>) => {
    const own = await ArgoCDServer.start()
    own.apply(application({ name: 'web', revision: SHA.b }))
    const shown = onTerminal([EXECUTABLE], connect(own, { ...WEB, KPCEA_TIMEOUT: '2', ...env }))
    const { said } = await shown.ended
    await own.stop()
    return said
  }
  test('a terminal gets a live view, in colours', async () => {
    expect(await look({ TERM: 'xterm-256color' })).toMatch(DRAWN_OVER)
  })
  test.each([{ TERM: 'dumb' }, { TERM: 'xterm', CI: 'true' }])('%p gets plain lines', async (env) => {
    const said = await look(env as Record<string, string>)
    expect(said).not.toContain(ESCAPE)
    expect(said).toMatch(/^\d{4}-\d\d-\d\dT.*Z verifying web/m)
  })
  test('CI that is not one, and colours that are asked for', async () => {
    expect(await look({ TERM: 'xterm', CI: 'false' })).toMatch(DRAWN_OVER)
    expect(await look({ TERM: 'dumb', FORCE_COLOR: '1' })).toContain(`${ESCAPE}[31m`)
  })
})
