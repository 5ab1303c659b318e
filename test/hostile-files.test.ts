/** Files that are none, readers that are gone, and proxies that are not asked: nothing waits, and nothing is sent. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ArgoCDServer, application } from './argocd/server.ts'
import { createAuthority } from './certificates.ts'
import {
  buildExecutable,
  connect,
  type Environment,
  EXECUTABLE,
  run,
  temporaryDirectory,
} from './executable.ts'
import { answers, forwardProxy, http, oneOfFew, TOKEN, WEB, WireServer } from './faults.ts'
import { SHA } from './fixtures.ts'

const directory = temporaryDirectory()
const at = (name: string) => join(directory, name)
const authority = await createAuthority()

let server: ArgoCDServer
let secure: ArgoCDServer
beforeAll(async () => {
  server = await ArgoCDServer.start()
  secure = await ArgoCDServer.start({ tls: await authority.server() })
  for (const one of [server, secure]) one.apply(application({ name: 'web', revision: SHA.a }))
  Bun.spawnSync(['mkfifo', at('fifo')])
  mkdirSync(at('folder'))
  writeFileSync(at('large'), 'x'.repeat(5 * 1024 * 1024))
})
afterAll(async () => {
  await server.stop()
  await secure.stop()
})

const verified = (env: Environment = {}): Environment => ({
  ...connect(server, WEB),
  KPCEA_TIMEOUT: '30',
  ...env,
})

/** What is no file to read from, by what it is called. */
const NONE = [
  ['fifo', 'no regular file'],
  ['folder', 'no regular file'],
  ['large', 'larger than'],
  ['/dev/zero', 'no regular file'],
  ['/dev/stdin', 'no regular file'],
  ['/proc/self/fd/0', 'no regular file'],
  ['nowhere', 'ENOENT'],
] as const

describe('a file that is none is neither waited for nor read', () => {
  test.concurrent.each(['ARGOCD_API_TOKEN_FILE', 'KPCEA_CA_FILE', 'KPCEA_HEADERS_FILE'])(
    'as %s',
    async (variable) => {
      for (const [file, problem] of NONE) {
        const env = variable === 'ARGOCD_API_TOKEN_FILE' ? { ARGOCD_API_TOKEN: undefined } : {}
        const path = file.startsWith('/') ? file : at(file)
        const { code, stderr } = await oneOfFew(() => run(verified({ ...env, [variable]: path })))
        expect(code).toBe(1)
        expect(stderr).toContain(variable)
        expect(stderr).toContain(problem)
      }
    },
  )

  test.concurrent('as password, certificate and key', async () => {
    const login = { ARGOCD_API_TOKEN: undefined, ARGOCD_API_USERNAME: 'kargo' }
    for (const env of [
      { ...login, ARGOCD_API_PASSWORD_FILE: at('fifo') },
      { KPCEA_CLIENT_CERT_FILE: at('fifo'), KPCEA_CLIENT_KEY_FILE: '/dev/zero' },
    ]) {
      const { code, stderr } = await oneOfFew(() => run(verified(env)))
      expect(code).toBe(1)
      expect(stderr).toContain('no regular file')
    }
  })

  test.concurrent('as the argocd CLI’s configuration', async () => {
    for (const kind of ['fifo', '/dev/zero']) {
      const folder = temporaryDirectory()
      if (kind === 'fifo') Bun.spawnSync(['mkfifo', join(folder, 'config')])
      else symlinkSync(kind, join(folder, 'config'))
      const env = { ...WEB, ARGOCD_CONFIG_DIR: folder }
      const { code, stderr } = await oneOfFew(() => run(env))
      expect(code).toBe(1)
      expect(stderr).toContain('no regular file')
    }
  })

  test.concurrent('a link to a file is one, as Kubernetes mounts Secrets', async () => {
    const folder = temporaryDirectory()
    writeFileSync(join(folder, 'data'), `${server.token}\n`)
    symlinkSync('data', join(folder, 'token'))
    const env = { ARGOCD_API_TOKEN: undefined, ARGOCD_API_TOKEN_FILE: join(folder, 'token') }
    expect((await oneOfFew(() => run(verified(env)))).code).toBe(0)
  })
})

describe('a file to write that is none is neither waited for nor changed, and changes no verdict', () => {
  test.concurrent.each(['KPCEA_RESULT_FILE', 'KPCEA_TERMINATION_LOG', 'GITHUB_STEP_SUMMARY'])(
    'as %s',
    async (variable) => {
      for (const path of [at('fifo'), at('folder'), '/dev/full', at('nowhere/file')]) {
        const { code, stderr } = await oneOfFew(() => run(verified({ [variable]: path })))
        expect(code).toBe(0)
        expect(stderr).toContain(`warning: ${path} could not be written`)
      }
    },
  )

  test.concurrent('a FIFO that has a reader is none either', async () => {
    const fifo = join(temporaryDirectory(), 'fifo')
    Bun.spawnSync(['mkfifo', fifo])
    const reader = Bun.spawn(['cat', fifo], { stdout: 'pipe', timeout: 30_000 })
    const { code, stderr } = await oneOfFew(() => run(verified({ KPCEA_RESULT_FILE: fifo })))
    reader.kill()
    expect(code).toBe(0)
    expect(stderr).toContain('could not be written (no regular file)')
  })

  test.concurrent('what is there is replaced, a summary is added to', async () => {
    const files = { KPCEA_RESULT_FILE: '1', KPCEA_TERMINATION_LOG: '2', GITHUB_STEP_SUMMARY: '3' }
    const folder = temporaryDirectory()
    const env = Object.fromEntries(Object.entries(files).map(([name, file]) => [name, join(folder, file)]))
    for (const path of Object.values(env)) writeFileSync(path, `before${'x'.repeat(10_000)}`)
    expect((await oneOfFew(() => run(verified(env)))).code).toBe(0)
    const [result = '', message = '', summary = ''] = Object.values(env).map((path) =>
      readFileSync(path, 'utf8'),
    )
    expect(JSON.parse(result)).toMatchObject({ verified: true })
    expect(message).toStartWith('VERIFIED: web is verified')
    expect(message).not.toContain('x'.repeat(100))
    expect(summary).toStartWith('before')
    expect(summary).toContain('✅ Verified')
  })
})

describe('the program’s own streams as a result file', () => {
  test.concurrent.each(['/dev/stdout', '/dev/fd/1', '/proc/self/fd/1'])(
    '%s has the JSON after the summary',
    async (path) => {
      const { code, stdout } = await oneOfFew(() => run(verified({ KPCEA_RESULT_FILE: path })))
      expect(code).toBe(0)
      const [summary = '', ...rest] = stdout.trim().split('\n')
      expect(summary).toStartWith('VERIFIED')
      expect(JSON.parse(rest.at(-1) ?? '')).toMatchObject({ verified: true })
    },
  )

  test.concurrent('stdout has one JSON object, also where it is asked for twice', async () => {
    const env = verified({ KPCEA_RESULT_FILE: '/dev/stdout', KPCEA_OUTPUT: 'json' })
    const { stdout } = await oneOfFew(() => run(env))
    expect(JSON.parse(stdout)).toMatchObject({ verified: true })
  })

  test.concurrent('/dev/stderr has the JSON in one line', async () => {
    const { code, stderr } = await oneOfFew(() => run(verified({ KPCEA_RESULT_FILE: '/dev/stderr' })))
    expect(code).toBe(0)
    const line = stderr.split('\n').find((one) => one.startsWith('{')) ?? ''
    expect(JSON.parse(line)).toMatchObject({ verified: true })
  })

  test.concurrent('/dev/null swallows it without a word', async () => {
    const { code, stderr } = await oneOfFew(() => run(verified({ KPCEA_RESULT_FILE: '/dev/null' })))
    expect(code).toBe(0)
    expect(stderr).not.toContain('could not be written')
  })

  test.concurrent('a file that stdout leads to keeps what is in it', async () => {
    const file = join(temporaryDirectory(), 'out')
    const { code } = await shell(`> ${file}`, verified({ KPCEA_RESULT_FILE: '/dev/stdout' }))
    expect(code).toBe(0)
    expect(readFileSync(file, 'utf8')).toStartWith('VERIFIED')
  })
})

/** Runs the executable as a shell would, with something behind its name. */
function shell(redirection: string, env: Environment, args = '') {
  return oneOfFew(async () => {
    buildExecutable()
    const child = Bun.spawn(['bash', '-c', `${EXECUTABLE} ${args} ${redirection}; exit \${PIPESTATUS[0]}`], {
      env: { PATH: process.env.PATH, ...env },
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
      timeout: 60_000,
    })
    const [code, stderr] = await Promise.all([child.exited, child.stderr.text(), child.stdout.text()])
    return { code, stderr }
  })
}

describe('a result that nobody can read is no yes', () => {
  test.concurrent.each([
    ['stdout is closed', '>&-'],
    ['stdout is full', '> /dev/full'],
    ['the reader is gone', '| true'],
  ])('%s', async (_, redirection) => {
    for (const format of ['json', 'text']) {
      // The reader of a pipe has to be gone first; what runs beside this takes some of the delays.
      server.fault({ times: 6 }, { kind: 'delay', ms: 1000 })
      const { code, stderr } = await shell(
        redirection,
        verified({ KPCEA_OUTPUT: format, KPCEA_WATCH: 'false' }),
      )
      expect(code).toBe(1)
      expect(stderr).toContain('the result could not be written to stdout')
    }
  })

  test.concurrent.each(['--version', '--help', 'schema', 'completion bash'])('%s neither', async (args) => {
    const { code, stderr } = await shell('> /dev/full', {}, args)
    expect(code).toBe(1)
    expect(stderr).toContain('could not be written')
  })

  test.concurrent('one that nobody wants to read is fine', async () => {
    expect((await shell('> /dev/null', verified())).code).toBe(0)
    expect((await shell('> /dev/null 2>&-', verified())).code).toBe(0)
    expect((await shell('> /dev/null 2> /dev/full', verified())).code).toBe(0)
  })
})

describe('what stays on this machine goes to no proxy', () => {
  test.concurrent.each(['127.0.0.1', 'localhost', '127.0.0.2', '[::ffff:127.0.0.1]'])(
    'plain HTTP to %s',
    async (host) => {
      await using proxy = await WireServer.start(answers(() => http('500 No', [])))
      const variables = ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy']
      const env = {
        ARGOCD_SERVER: `http://${host}:${new URL(server.url).port}`,
        ...Object.fromEntries(variables.map((name) => [name, proxy.url])),
        KPCEA_TIMEOUT: '1',
      }
      const { stdout } = await oneOfFew(() => run(verified(env)))
      expect(proxy.received.join('\n')).toBe('')
      // The server listens on one of these addresses only.
      if (host === '127.0.0.1') expect(stdout).toContain('VERIFIED')
      expect(stdout).not.toContain('_PROXY')
    },
  )

  test.concurrent('TLS without verification', async () => {
    await using proxy = await forwardProxy(secure)
    const env = {
      ARGOCD_SERVER: secure.address,
      ARGOCD_API_TOKEN: secure.token,
      KPCEA_INSECURE: 'true',
      HTTPS_PROXY: proxy.url,
    }
    expect((await oneOfFew(() => run(verified(env)))).code).toBe(0)
    expect(proxy.received).toEqual([])
  })
})

test.concurrent('a header on the command line that looks like a secret is warned of, and not shown', async () => {
  const { code, stderr } = await oneOfFew(() => run(verified(), ['--header', `X-Auth: ${TOKEN}`]))
  expect(code).toBe(0)
  expect(stderr).toContain('KPCEA_HEADERS_FILE (--headers-file)')
  expect(stderr).not.toContain(TOKEN)
})

test.concurrent('headers of a file are sent', async () => {
  const file = join(temporaryDirectory(), 'headers')
  writeFileSync(file, 'X-Hardly: ever\n')
  const before = server.requests.length
  expect((await oneOfFew(() => run(verified({ KPCEA_HEADERS_FILE: file })))).code).toBe(0)
  expect(server.requests.slice(before).some(({ headers }) => headers.get('x-hardly') === 'ever')).toBe(true)
})

/** The files by which a program sees that it is in a container. */
const isContainer = ['/.dockerenv', '/run/.containerenv'].some((path) => existsSync(path))

/** Everything that is in the root directory, but for files. */
const OUT_OF_THE_CONTAINER = `
set -e
root=$1; shift
mount -t tmpfs none "$root"
for one in /*; do
  if [ -L "$one" ]; then cp -P "$one" "$root$one"
  elif [ -d "$one" ]; then mkdir "$root$one"; mount --rbind "$one" "$root$one"; fi
done
exec chroot "$root" "$@"`

const outside = isContainer
  ? ['unshare', '--mount', 'sh', '-c', OUT_OF_THE_CONTAINER, 'sh', temporaryDirectory()]
  : []
const canBeOutside = Bun.spawnSync([...outside, 'true']).exitCode === 0

test.skipIf(!canBeOutside)('an argocd configuration that everybody can read is warned of', async () => {
  const folder = temporaryDirectory()
  const config = join(folder, 'config')
  writeFileSync(
    config,
    `contexts: [{ name: a, server: "${server.address}", user: a }]\ncurrent-context: a\nservers: [{ server: "${server.address}", plain-text: true }]\nusers: [{ name: a, auth-token: ${server.token} }]`,
  )
  for (const [mode, warns] of [
    [0o644, true],
    [0o600, false],
  ] as const) {
    chmodSync(config, mode)
    const child = Bun.spawn([...outside, EXECUTABLE], {
      env: { PATH: process.env.PATH, ...WEB, KPCEA_TIMEOUT: '30', ARGOCD_CONFIG_DIR: folder },
      stdin: 'ignore',
      stdout: 'ignore',
      stderr: 'pipe',
      timeout: 60_000,
    })
    const [code, stderr] = await Promise.all([child.exited, child.stderr.text()])
    expect(code).toBe(0)
    expect(stderr.includes(`everybody on this machine can read "${config}"`)).toBe(warns)
  }
})

test.concurrent('a revision of dots reaches no other path', async () => {
  const before = server.requests.length
  const { code, stderr } = await oneOfFew(() => run(verified({ KPCEA_TARGET_REVISION: '..' })))
  expect(code).toBe(1)
  expect(stderr).toContain('KPCEA_TARGET_REVISION')
  await using odd = await ArgoCDServer.start()
  odd.apply(application({ name: 'web', revision: '..' }))
  const env = {
    ...connect(odd, WEB),
    KPCEA_TARGET_REVISION: undefined,
    KPCEA_VERIFY_MODE: 'SEARCH_COMMIT_MSG',
  }
  await oneOfFew(() => run({ ...env, KPCEA_SEARCH_COMMIT_MSG: 'x' }))
  expect(
    odd.requests.map(({ path }) => path).filter((path) => /\/applications\/web\/metadata/.test(path)),
  ).toEqual([])
  expect(server.requests.slice(before).filter(({ path }) => path.includes('..'))).toEqual([])
})

test.concurrent('a project of dots reaches none either', async () => {
  for (const project of ['..', '.']) {
    await using odd = await ArgoCDServer.start()
    odd.apply(
      application(
        { name: 'web', revision: SHA.b },
        { spec: { project, syncPolicy: { automated: undefined } } },
      ),
    )
    const env = { ...connect(odd, WEB), KPCEA_SYNC: 'true', KPCEA_TIMEOUT: '3' }
    const { code, stdout } = await oneOfFew(() => run(env))
    expect(code).toBe(1)
    expect(stdout).toContain("can be no name or revision of Argo CD's")
    const paths = odd.requests.map(({ path }) => path)
    expect(
      paths.filter((path) => !/^\/api\/v1\/(?:stream\/)?applications(?:\/web(?:\/|$)|$)/.test(path)),
    ).toEqual([])
  }
})
