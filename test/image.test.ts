/**
 * The image: that the Dockerfile builds, what it adds to its base, and that the executable verifies an application in
 * it as a user without rights, with nothing writable. No registry and no container runtime is needed: the base images
 * are stand-ins (image-build.ts).
 */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { $ } from 'bun'
import packageJson from '../package.json'
import { ArgoCDServer, application } from './argocd/server.ts'
import { createAuthority } from './certificates.ts'
import {
  baseImages,
  buildDockerfile,
  findObstacle,
  HERE,
  makeStandIns,
  startOf,
  unpack,
} from './image-build.ts'

setDefaultTimeout(180_000)

const [buildImage, baseImage] = await baseImages()
const DIGEST = '(?:@sha256:[0-9a-f]{64})?'

describe('the Dockerfile', () => {
  test('builds with the version of Bun that everything is tested with', () => {
    const { bun } = packageJson.devDependencies
    expect(buildImage).toMatch(new RegExp(`^oven/bun:${bun}-slim${DIGEST}$`))
  })

  test('ships on a base without a shell, for a user without rights', () => {
    expect(baseImage).toMatch(new RegExp(`^gcr\\.io/distroless/base-nossl-debian\\d+:nonroot${DIGEST}$`))
  })

  test('gets nothing into the build but what is listed', async () => {
    const [everything, ...kept] = (await readFile(join(import.meta.dir, '../.dockerignore'), 'utf8'))
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
    expect(everything).toBe('*')
    expect(kept).toEqual([
      '!bun.lock',
      '!docs',
      '!lib',
      '!main.ts',
      '!package.json',
      '!scripts/build.ts',
      '!tsconfig.json',
    ])
  })
})

const USER = '65532'
const OTHER = HERE === 'amd64' ? 'arm64' : 'amd64'

const directory = await mkdtemp(join(tmpdir(), 'image-'))
afterAll(() => rm(directory, { recursive: true }))
const store = join(directory, 'images')
const CONTAINER = join(directory, 'container')

// Known before the tests are declared, so that a skipped test says why.
const obstacle = await findObstacle()
if (obstacle !== undefined) console.log(`the image was NOT TESTED: this ${obstacle}`)

test.if(process.env.IMAGE_TEST === 'required')('the image can be tested here', () => {
  expect(obstacle).toBeUndefined()
})

describe.skipIf(obstacle !== undefined)(
  `the image on stand-ins${obstacle ? ` (skipped: ${obstacle})` : ''}`,
  () => {
    beforeAll(async () => {
      await makeStandIns(store)
      await buildDockerfile(store, 'kpcea')
      await unpack(store, 'kpcea', CONTAINER)
    }, 300_000)

    test('adds the executable to its base, and nothing else', async () => {
      const base = join(directory, 'base')
      await unpack(store, baseImage.split('@')[0] ?? '', base)
      const before = new Set(await listFiles(base))
      const added = (await listFiles(CONTAINER)).filter((file) => !before.has(file))
      expect(added).toEqual(['755 0:0 app', '755 0:0 app/kpcea'])
    })

    test('starts the executable as a user without rights', async () => {
      const { user, entrypoint, environment } = await startOf(store, 'kpcea')
      expect(user).toBe(`${USER}:${USER}`)
      expect(entrypoint).toEqual(['/app/kpcea'])
      expect(environment).toEqual({ PATH: '/app', SSL_CERT_FILE: '/etc/ssl/certs/ca-certificates.crt' })
    })

    test('is built for the other architecture with an executable of that one', async () => {
      await buildDockerfile(store, 'kpcea-other', OTHER)
      const root = join(directory, 'other')
      await unpack(store, 'kpcea-other', root)
      const machine = (await readFile(join(root, 'app/kpcea'))).readUInt16LE(18)
      expect(machine).toBe({ amd64: 62, arm64: 183 }[OTHER])
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
        const child = await start(['/app/kpcea'], settings({ KPCEA_TARGET_REVISION: 'c'.repeat(40) }))
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
  },
)

type Environment = Readonly<Record<string, string>>

/** Mode, owner and path of everything in a root file system. */
async function listFiles(root: string): Promise<string[]> {
  const text = await $`find ${root} -mindepth 1 -printf ${'%m %U:%G %P\\n'}`.text()
  return text.trimEnd().split('\n').sort()
}

/** Resolvers ask port 53 only; an address by chance keeps two runs on one machine apart. */
const NAME_SERVER = `127.${Math.floor(Math.random() * 254) + 1}.${Math.floor(Math.random() * 254) + 1}.53`

/** What a container runtime puts into the image when it starts a container of it. */
const MOUNTS = {
  proc: '/proc',
  'etc/hosts': join(directory, 'hosts'),
  'etc/resolv.conf': join(directory, 'resolv.conf'),
  'ca.crt': join(directory, 'ca.crt'),
}

/** Makes the files to mount, and somewhere in the root file system to mount them. */
async function prepareMounts(authority: string): Promise<void> {
  await $`mkdir -p ${CONTAINER}/proc`
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

/** Starts a command as a container of the image would: the image's environment, read-only root, no rights. */
async function start(command: readonly string[], environment: Environment, mounts: Environment = MOUNTS) {
  const { PATH: path = '', ...rest } = (await startOf(store, 'kpcea')).environment
  const into = ['unshare', '--mount', 'sh', '-c', AS_CONTAINER, 'sh', CONTAINER]
  return Bun.spawn([...into, ...Object.entries(mounts).flat(), '--', ...command], {
    // The tools that lead into the image are looked up, too; in the image there is nothing at their paths.
    env: { ...rest, ...environment, PATH: `/usr/sbin:/usr/bin:/sbin:/bin:${path}` },
    stdout: 'pipe',
    stderr: 'pipe',
  })
}

async function run(command: readonly string[], environment: Environment, mounts?: Environment) {
  const child = await start(command, environment, mounts)
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
