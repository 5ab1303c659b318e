/**
 * Builds the Dockerfile with buildah, where no registry can be reached: the names of its base images lead to
 * stand-ins that are made of this machine's own Debian. What the real ones hold is theirs to say; that the
 * Dockerfile builds, what it adds, and how it starts is what can be seen here.
 */

import { existsSync, lstatSync } from 'node:fs'
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { $ } from 'bun'
import { z } from 'zod'

const PROJECT = join(import.meta.dir, '..')
const AUTHORITIES = '/etc/ssl/certs/ca-certificates.crt'
const MERGED = ['bin', 'sbin', 'lib', 'lib64']

/** What `FROM` of the Dockerfile names, in order: the image that builds, and the one that is shipped on. */
export async function baseImages(): Promise<readonly [build: string, base: string]> {
  const text = await readFile(join(PROJECT, 'Dockerfile'), 'utf8')
  const [build = '', base = '', ...more] = [...text.matchAll(/^FROM (?:--platform=\S+ )?(\S+)/gm)].map(
    ([, name = '']) => name,
  )
  if (more.length > 0) throw new Error(`the Dockerfile has one more base image: ${more}`)
  return [build, base]
}

/** An image as it says itself how it is started. */
export interface Started {
  readonly user: string
  readonly entrypoint: readonly string[]
  readonly environment: Readonly<Record<string, string>>
}

const inspectedSchema = z.object({
  OCIv1: z.object({
    config: z.object({ User: z.string(), Entrypoint: z.array(z.string()), Env: z.array(z.string()) }),
  }),
})

/** Where a set of images is kept: a directory, outside of which nothing sees them. */
export type Store = string

/** What this machine lacks for building images, where it lacks something. */
export async function findObstacle(): Promise<string | undefined> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'needs root on Linux'
  for (const tool of ['buildah', 'dpkg-query', 'unshare', 'setpriv'])
    if (Bun.which(tool) === null) return `needs ${tool}`
  const mount = await $`unshare --mount mount --bind /proc /proc`.quiet().nothrow()
  return mount.exitCode === 0 ? undefined : 'needs the right to mount'
}

/** Makes both stand-ins. */
export async function makeStandIns(store: Store): Promise<void> {
  const [build, base] = await baseImages()
  const context = join(store, 'stand-ins')
  const shell = join(context, 'debian-with-shell')
  const plain = join(context, 'debian')
  await copyPackages(['base-files', 'base-passwd', 'dash', 'libc6', 'ca-certificates'], shell)
  await copyPackages(['base-files', 'libc6', 'ca-certificates'], plain)
  await writeFile(join(shell, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n')
  await writeFile(join(plain, 'etc/passwd'), 'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n')
  await writeFile(join(plain, 'etc/group'), 'nonroot:x:65532:\n')
  await cp(process.execPath, join(shell, 'usr/local/bin/bun'), { dereference: true })
  // This machine's own authorities are those by which it reaches the registry of packages.
  const trust = `ENV SSL_CERT_FILE=${AUTHORITIES} NODE_EXTRA_CA_CERTS=${AUTHORITIES}`
  const from = `FROM scratch\nCOPY debian-with-shell /\n${trust}\n`
  await buildFrom(store, context, untagged(build), from)
  await buildFrom(store, context, untagged(base), 'FROM scratch\nCOPY debian /\nUSER 65532\n')
}

/**
 * Builds the Dockerfile, with the executable of another architecture where one is named. Its digests are left out:
 * no stand-in can have them.
 */
export async function buildDockerfile(store: Store, tag: string, architecture: string = HERE): Promise<void> {
  const text = await readFile(join(PROJECT, 'Dockerfile'), 'utf8')
  await buildFrom(store, PROJECT, tag, text.replace(/^(FROM .*)@sha256:[0-9a-f]+/gm, '$1'), [
    ...(architecture === HERE ? [] : [`--build-arg=TARGETARCH=${architecture}`]),
  ])
}

/** The files of an image, in a new directory. */
export async function unpack(store: Store, tag: string, directory: string): Promise<void> {
  const container = (await buildah(store, 'from', '--pull-never', tag)).trim()
  const mounted = (await buildah(store, 'mount', container)).trim()
  await $`cp -a ${mounted} ${directory}`.quiet()
  await buildah(store, 'rm', container)
}

/** How a container of an image is started. */
export async function startOf(store: Store, tag: string): Promise<Started> {
  const inspected = inspectedSchema.parse(JSON.parse(await buildah(store, 'inspect', '--type', 'image', tag)))
  const { User, Entrypoint, Env } = inspected.OCIv1.config
  const environment = Object.fromEntries(
    Env.map((entry) => {
      const [name = '', ...value] = entry.split('=')
      return [name, value.join('=')]
    }),
  )
  return { user: User, entrypoint: Entrypoint, environment }
}

async function buildFrom(
  store: Store,
  context: string,
  tag: string,
  dockerfile: string,
  more: readonly string[] = [],
): Promise<void> {
  const file = join(store, 'Dockerfile')
  await mkdir(store, { recursive: true })
  await writeFile(file, dockerfile)
  const cache = join(homedir(), '.bun/install/cache')
  await mkdir(cache, { recursive: true })
  await buildah(
    store,
    'build',
    '--isolation=chroot',
    '--pull=never',
    `--platform=linux/${HERE}`,
    // What is there need not be fetched again; the lockfile's checksums are kept all the same.
    `--volume=${cache}:/root/.bun/install/cache`,
    `--file=${file}`,
    `--tag=${tag}`,
    ...more,
    context,
  )
}

async function buildah(store: Store, command: string, ...args: readonly string[]): Promise<string> {
  const policy = join(store, 'policy.json')
  const registries = join(store, 'registries.conf')
  if (!existsSync(policy)) {
    await mkdir(store, { recursive: true })
    await writeFile(policy, '{"default": [{"type": "insecureAcceptAnything"}]}')
    await writeFile(registries, 'unqualified-search-registries = ["docker.io"]\n')
  }
  const flags = [`--root=${join(store, 'store')}`, `--runroot=${join(store, 'run')}`, '--storage-driver=vfs']
  const trusting = ['build', 'from'].includes(command) ? [`--signature-policy=${policy}`] : []
  const { exitCode, stdout, stderr } = await $`buildah ${flags} ${command} ${trusting} ${args}`
    .env({ ...process.env, CONTAINERS_REGISTRIES_CONF: registries })
    .quiet()
    .nothrow()
  if (exitCode !== 0) throw new Error(`buildah ${command} failed: ${stderr}${stdout}`)
  return stdout.toString()
}

/** This machine's architecture, as images call it. */
export const HERE = process.arch === 'x64' ? 'amd64' : process.arch

function untagged(image: string): string {
  const [name = ''] = image.split('@')
  return name.split('/')[0]?.includes('.') ? name : `docker.io/${name}`
}

/** Copies what packages have put on this machine, and the bundle of authorities that they made. */
async function copyPackages(packages: readonly string[], directory: string): Promise<void> {
  for (const name of MERGED)
    if (lstatSync(`/${name}`, { throwIfNoEntry: false })?.isSymbolicLink()) {
      await mkdir(join(directory, 'usr', name), { recursive: true })
      await $`ln -s usr/${name} ${join(directory, name)}`.quiet()
    }
  const listed = await $`dpkg-query --listfiles ${packages}`.quiet().text()
  const files = [...new Set(listed.split('\n')), AUTHORITIES].filter(
    (path) => path.startsWith('/') && path !== '/.' && existsSync(path),
  )
  const list = `${directory}.list`
  await writeFile(list, files.join('\n'))
  await $`tar -C / --no-recursion -cf - -T ${list} | tar -C ${directory} --keep-directory-symlink -xf -`
    .quiet()
    .nothrow()
}
