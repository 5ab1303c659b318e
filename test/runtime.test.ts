/** The variables that Bun obeys, and those that it does not: docs/security.md says of each what is seen here. */

import { describe, expect, test } from 'bun:test'
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { ArgoCDServer, application } from './argocd/server.ts'
import { createAuthority, selfSigned } from './certificates.ts'
import { connect, type Environment, run, start, temporaryDirectory, waitFor } from './executable.ts'
import { oneOfFew, WEB, WireServer } from './faults.ts'
import { SHA } from './fixtures.ts'
import { everything } from './ways-out.ts'

const folder = temporaryDirectory()
const at = (name: string) => join(folder, name)
const script = at('script.js')
writeFileSync(script, "require('node:fs').writeSync(2, 'a script of others\\n')")

/** Runs that would be a yes. */
async function verified(env: Environment, args: readonly string[] = []) {
  await using server = await ArgoCDServer.start()
  server.apply(application({ name: 'web', revision: SHA.a }))
  return await oneOfFew(() => run({ ...WEB, ...connect(server), KPCEA_TIMEOUT: '30', ...env }, args))
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  await using server = await WireServer.start(() => {})
  return Number(new URL(server.url).port)
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1')
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })
}

describe('obeyed', () => {
  test.concurrent('BUN_BE_BUN and BUN_OPTIONS run a script', async () => {
    for (const [env, args] of [
      [{ BUN_BE_BUN: '1' }, [script]],
      [{ BUN_OPTIONS: `--preload=${script}` }, []],
    ] as const)
      expect((await verified(env, args)).stderr).toContain('a script of others')
  })

  test.concurrent.each([
    ['BUN_OPTIONS', `--cpu-prof --cpu-prof-dir=${at('profile')}`, 'profile'],
    ['BUN_BYTECODE_ORDER_OUT', at('order'), 'order'],
    ['BUN_BYTECODE_DIGEST_OUT', at('digest'), 'digest'],
  ])('%s=%s writes a file', async (name, value, file) => {
    await verified({ [name]: value })
    expect(existsSync(at(file))).toBe(true)
  })

  test.concurrent('BUN_INSPECT opens a port', async () => {
    await using server = await ArgoCDServer.start()
    const port = await freePort()
    await oneOfFew(async () => {
      const env = { ...WEB, ...connect(server), KPCEA_TIMEOUT: '50', BUN_INSPECT: `127.0.0.1:${port}` }
      const running = start(env)
      await waitFor(() => running.said().includes('verifying'))
      expect(await isOpen(port)).toBe(true)
      running.process.kill('SIGKILL')
      await running.finished
    })
  })

  test.concurrent.each(['wait', 'break'])(
    'BUN_INSPECT with ?%s=1 keeps a run from beginning',
    async (how) => {
      const port = await freePort()
      await oneOfFew(async () => {
        const running = start({
          ...WEB,
          KPCEA_TIMEOUT: '0',
          BUN_INSPECT: `ws://127.0.0.1:${port}/x?${how}=1`,
        })
        let isListening = false
        const look = setInterval(async () => {
          isListening ||= await isOpen(port)
        }, 50)
        await waitFor(() => isListening)
        clearInterval(look)
        // One look at nothing takes a tenth of this.
        expect(await Promise.race([running.finished, Bun.sleep(1000)])).toBeUndefined()
        running.process.kill('SIGTERM')
        expect((await running.finished).stdout).toBe('')
      })
    },
  )

  test.concurrent('BUN_INSPECT_CONNECT_TO and BUN_INSPECT_NOTIFY connect', async () => {
    for (const name of ['BUN_INSPECT_CONNECT_TO', 'BUN_INSPECT_NOTIFY']) {
      await using listener = await WireServer.start(() => {})
      const inspect = name === 'BUN_INSPECT_NOTIFY' ? { BUN_INSPECT: `127.0.0.1:${await freePort()}` } : {}
      await verified({ ...inspect, [name]: `tcp://${listener.address}` })
      expect(listener.received.length).toBeGreaterThan(0)
    }
  })

  test.concurrent('BUN_JSC_* print, write files, and let nothing run', async () => {
    expect((await verified({ BUN_JSC_dumpOptions: '1' })).stderr).toContain('JSC options')
    await verified({ BUN_JSC_useSamplingProfiler: '1', BUN_JSC_samplingProfilerPath: folder })
    expect(readdirSync(folder).some((file) => file.startsWith('SamplingProfile'))).toBe(true)
    const { code, stdout } = await verified({ BUN_JSC_nothing: '1' })
    expect([code, stdout]).toEqual([1, ''])
  })

  test.concurrent('NODE_EXTRA_CA_CERTS, SSL_CERT_FILE and SSL_CERT_DIR name more authorities', async () => {
    const authority = await createAuthority()
    await using server = await ArgoCDServer.start({ tls: await authority.server() })
    server.apply(application({ name: 'web', revision: SHA.a }))
    const directory = at('authorities')
    mkdirSync(directory)
    const file = join(directory, 'ca.pem')
    writeFileSync(file, authority.cert)
    const hash = Bun.spawnSync(['openssl', 'x509', '-hash', '-noout', '-in', file]).stdout.toString().trim()
    symlinkSync('ca.pem', join(directory, `${hash}.0`))
    const env = { ...WEB, ...connect(server), ARGOCD_SERVER: server.address, KPCEA_TIMEOUT: '30' }
    for (const [name, value, code] of [
      ['NODE_EXTRA_CA_CERTS', file, 0],
      ['SSL_CERT_FILE', file, 0],
      ['SSL_CERT_DIR', directory, 0],
      ['NODE_PATH', file, 1],
    ] as const)
      expect([name, (await oneOfFew(() => run({ ...env, [name]: value }))).code]).toEqual([name, code])
  })

  test.concurrent('BUN_FEATURE_FLAG_DISABLE_IPV4 leaves names the other addresses', async () => {
    await using server = await ArgoCDServer.start()
    server.apply(application({ name: 'web', revision: SHA.a }))
    const ARGOCD_SERVER = server.url.replace('127.0.0.1', 'localhost')
    const env = { ...WEB, ...connect(server), ARGOCD_SERVER }
    expect((await oneOfFew(() => run({ ...env, KPCEA_TIMEOUT: '30' }))).code).toBe(0)
    expect((await oneOfFew(() => run({ ...env, BUN_FEATURE_FLAG_DISABLE_IPV4: '1' }))).code).toBe(1)
  })

  test.concurrent('MIMALLOC_VERBOSE prints', async () => {
    expect((await verified({ MIMALLOC_VERBOSE: '1' })).stderr).toContain('mimalloc')
  })
})

describe('not obeyed', () => {
  test.concurrent.each([
    ['NODE_OPTIONS', `--require ${script}`],
    ['NODE_DEBUG', 'http,net,tls,fetch'],
    ['NODE_V8_COVERAGE', at('no-coverage')],
    ['NODE_REDIRECT_WARNINGS', at('no-warnings')],
    ['NODE_COMPILE_CACHE', at('no-cache')],
    ['BUN_RUNTIME_TRANSPILER_CACHE_PATH', at('no-transpiled')],
    ['BUN_INSPECT_PRELOAD', script],
    ['BUN_DEBUG', at('no-log')],
    ['BUN_CONFIG_VERBOSE_FETCH', 'curl'],
    ['BUN_CONFIG_VERBOSE_FETCH', 'true'],
    ['BUN_CONFIG_VERBOSE_FETCH', '1'],
  ])('%s=%s', async (name, value) => {
    const { code, stderr } = await verified({ [name]: value })
    expect(code).toBe(0)
    // Lines of the log, and nothing else.
    for (const line of stderr.trim().split('\n')) expect(line).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z /)
    expect(readdirSync(folder).filter((file) => file.startsWith('no-'))).toEqual([])
  })

  test.concurrent('BUN_CONFIG_VERBOSE_FETCH prints no password', async () => {
    const PASSWORD = 'correct horse battery'
    await using server = await ArgoCDServer.start({ accounts: { kargo: PASSWORD } })
    server.apply(application({ name: 'web', revision: SHA.a }))
    const login = { ARGOCD_API_TOKEN: '', ARGOCD_API_USERNAME: 'kargo', ARGOCD_API_PASSWORD: PASSWORD }
    const env = { ...connect(server), ...login, KPCEA_TIMEOUT: '30', BUN_CONFIG_VERBOSE_FETCH: 'curl' }
    for (const { text } of await everything(env)) expect(text).not.toContain('horse')
  })

  test.concurrent('NODE_TLS_REJECT_UNAUTHORIZED, and SSLKEYLOGFILE', async () => {
    await using server = await ArgoCDServer.start({ tls: await selfSigned() })
    server.apply(application({ name: 'web', revision: SHA.a }))
    const env = {
      ...WEB,
      ...connect(server),
      ARGOCD_SERVER: server.address,
      KPCEA_TIMEOUT: '30',
      NODE_TLS_REJECT_UNAUTHORIZED: '0',
    }
    expect((await oneOfFew(() => run(env))).stdout).toContain('is self-signed')
    const keys = at('keys')
    const insecure = { ...env, KPCEA_INSECURE: 'true', SSLKEYLOGFILE: keys }
    expect((await oneOfFew(() => run(insecure))).code).toBe(0)
    expect(existsSync(keys)).toBe(false)
  })
})

test('the page on security names each', () => {
  const page =
    readFileSync(join(import.meta.dir, '../docs/security.md'), 'utf8').split('## Variables that')[1] ?? ''
  const source = readFileSync(import.meta.path, 'utf8')
  const named = [...page.matchAll(/`([A-Z][A-Z0-9_]+)(?:_\*)?`/g)].map(([, name = '']) => name)
  expect(named.length).toBeGreaterThan(20)
  const ours = new Set(['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY', 'LD_PRELOAD'])
  expect(named.filter((name) => !ours.has(name) && !source.includes(name))).toEqual([])
})
