/**
 * The image: what is in it, and that the executable verifies an application in it as a user without rights, with
 * nothing writable. Its root file system comes from the script that the Dockerfile runs; no container is needed.
 */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { $ } from 'bun'
import packageJson from '../package.json'
import { type Architecture, EXECUTABLE, layOut, PackagesUnavailable } from '../scripts/rootfs.ts'
import { ArgoCDServer, application } from './argocd/server.ts'
import { createAuthority } from './certificates.ts'

const PROJECT = join(import.meta.dir, '..')
const dockerfile = await readInstructions(join(PROJECT, 'Dockerfile'))

describe('the Dockerfile', () => {
  test('ships what scripts/rootfs.ts lays out and nothing else, for a user without rights', () => {
    expect(dockerfile.slice(dockerfile.findLastIndex((line) => line.startsWith('FROM ')))).toEqual([
      'FROM scratch',
      'COPY --from=build /rootfs /',
      'ENV PATH=/app',
      'ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt',
      'USER 65532:65532',
      'ENTRYPOINT ["/app/kpcea"]',
    ])
    const layout = dockerfile.filter((line) => line.includes('/rootfs'))
    expect(layout).toEqual([
      'RUN bun scripts/build.ts --target="linux-$TARGETARCH" ' +
        '&& bun scripts/rootfs.ts --arch="$TARGETARCH" --executable="dist/kpcea-linux-$TARGETARCH" /rootfs',
      'COPY --from=build /rootfs /',
    ])
  })

  test('builds with the version of Bun that everything is tested with, and with locked dependencies', () => {
    const { bun } = packageJson.devDependencies
    const [base] = dockerfile
    expect(base).toMatch(
      new RegExp(`^FROM --platform=\\$BUILDPLATFORM oven/bun:${bun}-slim(@sha256:[0-9a-f]{64})? AS build$`),
    )
    for (const line of dockerfile.filter((line) => line.includes('bun install')))
      expect(line).toContain('--frozen-lockfile')
  })
})

const ARCHITECTURES = ['amd64', 'arm64'] as const
const HERE = process.arch === 'arm64' ? 'arm64' : 'amd64'
const LIMIT_BYTES = 4e6
const USER = '65532'

const directory = await mkdtemp(join(tmpdir(), 'image-'))
const rootOf = (architecture: Architecture) => join(directory, architecture)
afterAll(() => rm(directory, { recursive: true }))

// Known before the tests are declared, so that a skipped test says why.
const obstacle = findObstacle() ?? (await layOutAll())

test.if(process.env.IMAGE_TEST === 'required')('the image can be tested here', () => {
  expect(obstacle).toBeUndefined()
})

describe.skipIf(obstacle !== undefined)(`the image${obstacle ? ` (skipped: ${obstacle})` : ''}`, () => {
  test.each(ARCHITECTURES)('for %s holds exactly these files', async (architecture) => {
    expect(await listFiles(rootOf(architecture))).toEqual(expectedFiles(architecture))
  })

  test.each(ARCHITECTURES)('for %s holds at most 4 MB besides the executable', async (architecture) => {
    const weight = await weigh(rootOf(architecture))
    console.log(`${architecture}: ${(weight / 1e6).toFixed(2)} MB besides the executable`)
    expect(weight).toBeLessThanOrEqual(LIMIT_BYTES)
  })

  test('has the authorities that Debian trusts', async () => {
    const bundle = await readFile(join(rootOf(HERE), 'etc/ssl/certs/ca-certificates.crt'), 'utf8')
    expect(bundle.match(/^-----BEGIN CERTIFICATE-----$/gm)?.length).toBeGreaterThan(100)
    expect(bundle.match(/^-----END CERTIFICATE-----$/gm)?.length).toBeGreaterThan(100)
  })

  describe('run without rights, with nothing writable', () => {
    const revision = 'b'.repeat(40)
    let server: ArgoCDServer
    let secure: ArgoCDServer
    let names: Socket

    beforeAll(async () => {
      const authority = await createAuthority()
      const { cert, key } = await authority.server()
      server = await ArgoCDServer.start()
      secure = await ArgoCDServer.start({ tls: { cert, key } })
      for (const each of [server, secure]) each.apply(application({ name: 'web', revision }))
      names = await serveNames('argocd-server.argocd.svc.cluster.local', '127.0.0.1')
      await prepareMounts(authority.cert)
    })

    afterAll(async () => {
      names.close()
      await Promise.all([server.stop(), secure.stop()])
    })

    const settings = (more: Environment = {}): Environment => ({
      ARGOCD_SERVER: server.url,
      ARGOCD_API_TOKEN: server.token,
      ARGOCD_APP_NAME: 'web',
      KPCEA_TARGET_REVISION: revision,
      ...more,
    })
    const secured = () => settings({ ARGOCD_SERVER: secure.url, ARGOCD_API_TOKEN: secure.token })

    test('verifies an application', async () => {
      const { exitCode, stdout } = await run(['/app/kpcea', '-o', 'json'], settings())
      expect(JSON.parse(stdout)).toMatchObject({ verified: true, reason: 'Verified' })
      expect(exitCode).toBe(0)
    })

    test('says no to another revision', async () => {
      const other = settings({ KPCEA_TARGET_REVISION: 'c'.repeat(40) })
      const { exitCode, stdout } = await run(['/app/kpcea', '-o', 'json', '--timeout', '0'], other)
      expect(JSON.parse(stdout)).toMatchObject({ verified: false, reason: 'RevisionMismatch' })
      expect(exitCode).toBe(1)
    })

    test('is found as kpcea, too', async () => {
      const { exitCode, stdout } = await run(['kpcea', '--version'], {})
      expect(stdout).toBe(`${packageJson.version}\n`)
      expect(exitCode).toBe(0)
    })

    test('has no rights', async () => {
      const child = start(['/app/kpcea'], settings({ KPCEA_TARGET_REVISION: 'c'.repeat(40) }))
      try {
        const status = () => readFile(`/proc/${child.pid}/status`, 'utf8')
        while (!(await status()).startsWith('Name:\tkpcea\n')) await Bun.sleep(5)
        const user = ['Uid', 'Gid'].map((name) => `${name}:(\t${USER}){4}`)
        for (const line of [...user, 'Groups:\t ', 'CapPrm:\t0+', 'CapEff:\t0+', 'NoNewPrivs:\t1'])
          expect(await status()).toMatch(new RegExp(`^${line}$`, 'm'))
      } finally {
        child.kill()
        await child.exited
      }
    })

    test('has nowhere to write, which changes no verdict', async () => {
      const { exitCode, stderr } = await run(['/app/kpcea', '--result-file', '/result.json'], settings())
      expect(stderr).toContain('/result.json could not be written (EROFS)')
      expect(exitCode).toBe(0)
    })

    test.each([
      ['localhost', 'localhost'],
      ['a name in /etc/hosts', 'argocd.example.internal'],
      ['a Service of another namespace by the search domains that Kubernetes sets', 'argocd-server.argocd'],
      ['a full DNS name', 'argocd-server.argocd.svc.cluster.local'],
    ])('finds %s', async (_, host) => {
      const { port } = new URL(server.url)
      const named = settings({ ARGOCD_SERVER: `${host}:${port}`, KPCEA_PLAINTEXT: 'true' })
      const { exitCode, stdout } = await run(['/app/kpcea', '--timeout', '0'], named)
      expect(stdout).toStartWith('VERIFIED')
      expect(exitCode).toBe(0)
    })

    test('refuses a certificate of an authority that nobody named', async () => {
      const { exitCode, stdout } = await run(['/app/kpcea', '--timeout', '0'], secured())
      expect(stdout).toContain('signed by an authority that is not known here')
      expect(exitCode).toBe(1)
    })

    test('trusts the authority of a CA file', async () => {
      const { exitCode } = await run(['/app/kpcea', '--timeout', '0', '--ca-file', '/ca.crt'], secured())
      expect(exitCode).toBe(0)
    })

    test("trusts the authority of a bundle mounted over Debian's", async () => {
      const bundle = { ...MOUNTS, 'etc/ssl/certs/ca-certificates.crt': MOUNTS['ca.crt'] }
      const { exitCode } = await run(['/app/kpcea', '--timeout', '0'], secured(), bundle)
      expect(exitCode).toBe(0)
    })
  })
})

type Environment = Readonly<Record<string, string>>

/** What the image cannot be tried out for on this machine. */
function findObstacle(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'needs root on Linux'
  for (const tool of ['apt-get', 'dpkg-deb', 'unshare', 'setpriv'])
    if (Bun.which(tool) === null) return `needs ${tool}`
  if (!existsSync('/usr/share/keyrings/debian-archive-keyring.gpg')) return 'needs debian-archive-keyring'
  const mount = ['unshare', '--mount', 'mount', '--bind', '/proc', '/proc']
  if (Bun.spawnSync(mount).exitCode !== 0) return 'needs the right to mount'
  return undefined
}

async function layOutAll(): Promise<string | undefined> {
  const executable = await buildExecutable()
  const layouts = ARCHITECTURES.map((each) => layOut(each, executable, rootOf(each)))
  const failure = (await Promise.allSettled(layouts)).find(({ status }) => status === 'rejected')
  if (failure?.status !== 'rejected') return undefined
  if (failure.reason instanceof PackagesUnavailable) return "needs Debian's archive"
  await rm(directory, { recursive: true }) // No hook will.
  throw failure.reason
}

/** The executable for this machine, built unless it is newer than what it is made of. */
async function buildExecutable(): Promise<string> {
  const executable = join(PROJECT, 'dist/kpcea')
  const modified = async (path: string) => (await stat(join(PROJECT, path))).mtimeMs
  const library = (await readdir(join(PROJECT, 'lib'))).map((name) => join('lib', name))
  const sources = ['main.ts', 'package.json', 'bun.lock', 'scripts/build.ts', ...library]
  const newest = Math.max(...(await Promise.all(sources.map(modified))))
  if (!existsSync(executable) || (await modified('dist/kpcea')) < newest)
    await $`${process.execPath} scripts/build.ts`.cwd(PROJECT).quiet()
  return executable
}

type Entry = { type: string; mode: string; owner: string; bytes: number; path: string; target: string }

/** Everything in a root file system. */
async function entriesOf(root: string): Promise<Entry[]> {
  const format = '%y\\t%m\\t%U:%G\\t%s\\t%P\\t%l\\n'
  const text = await $`find ${root} -mindepth 1 -printf ${format}`.text()
  return text
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [type = '', mode = '', owner = '', bytes = '', path = '', target = ''] = line.split('\t')
      return { type, mode, owner, bytes: Number(bytes), path, target }
    })
}

/** Mode, path and, of a link, where it leads; plain directories of root are left out. */
async function listFiles(root: string): Promise<string[]> {
  const entries = await entriesOf(root)
  return entries
    .filter(({ type, mode, owner }) => !(type === 'd' && mode === '755' && owner === '0:0'))
    .map(({ mode, owner, path, target }) =>
      [mode, ...(owner === '0:0' ? [] : [owner]), path, ...(target === '' ? [] : ['->', target])].join(' '),
    )
    .sort()
}

const LIBRARIES = { amd64: 'usr/lib/x86_64-linux-gnu', arm64: 'usr/lib/aarch64-linux-gnu' }
const LOADERS = { amd64: 'ld-linux-x86-64.so.2', arm64: 'ld-linux-aarch64.so.1' }
const LOADER_LINKS = {
  amd64: [
    '777 lib64 -> usr/lib64',
    '777 usr/lib64/ld-linux-x86-64.so.2 -> ../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2',
  ],
  arm64: ['777 usr/lib/ld-linux-aarch64.so.1 -> aarch64-linux-gnu/ld-linux-aarch64.so.1'],
}

/** All there is: no shell, nothing that changes the user, nothing that others may write to. */
function expectedFiles(architecture: Architecture): string[] {
  const libraries = LIBRARIES[architecture]
  return [
    '755 app/kpcea',
    '644 etc/ssl/certs/ca-certificates.crt',
    '777 lib -> usr/lib',
    ...LOADER_LINKS[architecture],
    '644 usr/lib/os-release',
    `755 ${libraries}/${LOADERS[architecture]}`,
    `755 ${libraries}/libc.so.6`,
    `644 ${libraries}/libdl.so.2`,
    `644 ${libraries}/libm.so.6`,
    `644 ${libraries}/libpthread.so.0`,
    '644 usr/share/common-licenses/LGPL-2.1',
    '644 usr/share/doc/ca-certificates/copyright',
    '644 usr/share/doc/libc6/copyright',
    '644 var/lib/dpkg/status.d/base-files',
    '644 var/lib/dpkg/status.d/ca-certificates',
    '644 var/lib/dpkg/status.d/libc6',
  ].sort()
}

/** Bytes in files and links besides the executable. */
async function weigh(root: string): Promise<number> {
  const files = (await entriesOf(root)).filter(({ type, path }) => type !== 'd' && path !== EXECUTABLE)
  return files.reduce((sum, { bytes }) => sum + bytes, 0)
}

const CONTAINER = join(directory, 'container')
/** Resolvers ask port 53 only; an address by chance keeps two runs on one machine apart. */
const NAME_SERVER = `127.${Math.floor(Math.random() * 254) + 1}.${Math.floor(Math.random() * 254) + 1}.53`

/** What a container runtime puts into the image when it starts a container of it. */
const MOUNTS = {
  proc: '/proc',
  'etc/hosts': join(directory, 'hosts'),
  'etc/resolv.conf': join(directory, 'resolv.conf'),
  'ca.crt': join(directory, 'ca.crt'),
}

/** Makes the files to mount, and a copy of the root file system that has somewhere to mount them. */
async function prepareMounts(authority: string): Promise<void> {
  await $`cp -a ${rootOf(HERE)} ${CONTAINER} && mkdir ${CONTAINER}/proc`
  for (const path of Object.keys(MOUNTS)) if (path !== 'proc') await Bun.write(join(CONTAINER, path), '')
  await Bun.write(MOUNTS['etc/hosts'], '127.0.0.1 localhost\n127.0.0.1 argocd.example.internal\n')
  await Bun.write(
    MOUNTS['etc/resolv.conf'],
    `nameserver ${NAME_SERVER}\nsearch kargo.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n`,
  )
  await Bun.write(MOUNTS['ca.crt'], authority)
}

const AS_CONTAINER = `
set -e
root=$1; shift
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
while [ "$1" != -- ]; do mount --bind "$2" "$root/$1"; shift 2; done
shift
exec setpriv --no-new-privs chroot --userspec=${USER}:${USER} --groups= "$root" "$@"
`

/** Starts a command as a container of the image would: the Dockerfile's environment, read-only root, no rights. */
function start(command: readonly string[], environment: Environment, mounts: Environment = MOUNTS) {
  const image = dockerfile.filter((line) => line.startsWith('ENV ')).map((line) => line.slice(4).split('='))
  const { PATH: path = '', ...rest }: Environment = Object.fromEntries(image)
  const into = ['unshare', '--mount', 'sh', '-c', AS_CONTAINER, 'sh', CONTAINER]
  return Bun.spawn([...into, ...Object.entries(mounts).flat(), '--', ...command], {
    // The tools that lead into the image are looked up, too; in the image there is nothing at their paths.
    env: { ...rest, ...environment, PATH: `/usr/sbin:/usr/bin:/sbin:/bin:${path}` },
    stdout: 'pipe',
    stderr: 'pipe',
  })
}

async function run(command: readonly string[], environment: Environment, mounts?: Environment) {
  const child = start(command, environment, mounts)
  const [stdout, stderr, exitCode] = await Promise.all([
    child.stdout.text(),
    child.stderr.text(),
    child.exited,
  ])
  return { stdout, stderr, exitCode }
}

const RECORD_A = 1
const NO_ERROR = 0x8580
const NO_SUCH_NAME = 0x8583
/** The name of the question, an address in the Internet, for a minute, four bytes of it. */
const ANSWER = Buffer.from('c00c000100010000003c0004', 'hex')

/** A name server that knows one name. */
async function serveNames(known: string, address: string): Promise<Socket> {
  const socket = createSocket('udp4')
  socket.on('message', (query, { port, address: client }) => {
    const labels: string[] = []
    let at = 12
    for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
      labels.push(query.toString('ascii', at + 1, at + 1 + length))
      at += 1 + length
    }
    const exists = labels.join('.') === known
    const answers = exists && query.readUInt16BE(at + 1) === RECORD_A ? 1 : 0
    const header = Buffer.alloc(12)
    query.copy(header, 0, 0, 2)
    for (const [index, value] of [exists ? NO_ERROR : NO_SUCH_NAME, 1, answers].entries())
      header.writeUInt16BE(value, 2 + 2 * index)
    const record = Buffer.from([...ANSWER, ...address.split('.').map(Number)])
    const question = query.subarray(12, at + 5)
    socket.send(Buffer.concat([header, question, ...(answers > 0 ? [record] : [])]), port, client)
  })
  socket.bind(53, NAME_SERVER)
  await once(socket, 'listening')
  return socket
}

/** The instructions of a Dockerfile, one a line, without comments. */
async function readInstructions(path: string): Promise<string[]> {
  const text = await readFile(path, 'utf8')
  return text
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\s*\\\n\s*/g, ' ')
    .split('\n')
    .filter((line) => line !== '')
}
