/**
 * Lays out the root file system of the image: the executable, and of Debian only the files that it needs. The
 * Dockerfile copies what this script makes, and `test/image.test.ts` runs the executable in it.
 *
 * Needs Debian's tools and keyring, but neither root nor Debian's own release or architecture.
 *
 * @example
 * bun scripts/rootfs.ts --arch=arm64 --executable=dist/kpcea-linux-arm64 /tmp/rootfs
 */

import { chmod, copyFile, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { $ } from 'bun'

/** With the security updates of the day it is built on; the image says which in `/var/lib/dpkg/status.d`. */
const DEBIAN = 'trixie'

/**
 * Debian's archive as this machine is set up to reach it, which may be a mirror, for the release of the image.
 *
 * @throws PackagesUnavailable where apt knows of none
 */
async function sources(): Promise<string> {
  const known = await $`apt-get indextargets --format ${'$(REPO_URI) $(RELEASE)'}`.nothrow().text()
  const entries = known.split('\n').flatMap((line) => {
    const [uri, release = ''] = line.trim().split(' ')
    return uri === undefined || uri === '' ? [] : [{ uri, isSecurity: release.endsWith('-security') }]
  })
  const main = entries.find(({ isSecurity }) => !isSecurity)
  const security = entries.find(({ isSecurity }) => isSecurity)
  if (main === undefined || security === undefined)
    throw new PackagesUnavailable('apt has no sources of Debian here')
  const stanza = (uri: string, suites: string) =>
    `Types: deb\nURIs: ${uri}\nSuites: ${suites}\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n`
  return [stanza(main.uri, `${DEBIAN} ${DEBIAN}-updates`), stanza(security.uri, `${DEBIAN}-security`)].join(
    '\n',
  )
}

/** An architecture as Debian and Docker call it: where its libraries are, and what the kernel starts them with. */
const ARCHITECTURES = {
  amd64: { libraries: 'usr/lib/x86_64-linux-gnu', loader: 'ld-linux-x86-64.so.2', loaders: 'lib64' },
  arm64: { libraries: 'usr/lib/aarch64-linux-gnu', loader: 'ld-linux-aarch64.so.1', loaders: 'lib' },
} as const

export type Architecture = keyof typeof ARCHITECTURES

/** Debian's archive cannot be reached, which says nothing about the image. */
export class PackagesUnavailable extends Error {}

export function isArchitecture(name: string | undefined): name is Architecture {
  return name !== undefined && Object.hasOwn(ARCHITECTURES, name)
}

/** Where the executable is: the path that the Go tool had, which manifests may name as their command. */
export const EXECUTABLE = 'app/kpcea'

/** What TLS trusts besides the roots in the executable, where companies mount a bundle of their own. */
const AUTHORITIES = 'etc/ssl/certs/ca-certificates.crt'

/**
 * The files of each package. Names need no more than libc: since 2.34 it looks them up in files and DNS by itself.
 * The licences have to go with the libraries; `os-release` tells scanners whose security notices apply.
 */
function packageFiles({ libraries, loader, loaders }: (typeof ARCHITECTURES)[Architecture]) {
  const names = [loader, 'libc.so.6', 'libdl.so.2', 'libm.so.6', 'libpthread.so.0']
  return {
    libc6: [
      `usr/${loaders}/${loader}`,
      ...names.map((name) => `${libraries}/${name}`),
      'usr/share/doc/libc6/copyright',
    ],
    'ca-certificates': ['usr/share/doc/ca-certificates/copyright'],
    'base-files': ['usr/lib/os-release', 'usr/share/common-licenses/LGPL-2.1'],
  }
}

/**
 * Lays out the root file system.
 *
 * @param directory made when it is not there; has to be empty
 */
export async function layOut(
  architecture: Architecture,
  executable: string,
  directory: string,
): Promise<void> {
  const { loaders } = ARCHITECTURES[architecture]
  const packages = packageFiles(ARCHITECTURES[architecture])
  const root = resolve(directory)
  const work = await mkdtemp(join(tmpdir(), 'packages-'))
  try {
    await download(architecture, Object.keys(packages), work)
    for (const path of ['', 'app', 'etc/ssl/certs', 'var/lib/dpkg/status.d'])
      await mkdir(join(root, path), { recursive: true })

    for (const [name, files] of Object.entries(packages)) {
      const members = files.map((file) => `./${file}`)
      await $`dpkg-deb --fsys-tarfile ${work}/${name}_*.deb | tar -xC ${root} ${members}`
      await $`dpkg-deb --field ${work}/${name}_*.deb > ${root}/var/lib/dpkg/status.d/${name}`
    }
    const certificates = $`dpkg-deb --fsys-tarfile ${work}/ca-certificates_*.deb | tar -xO --wildcards ${'./usr/share/ca-certificates/*.crt'}`
    await Bun.write(join(root, AUTHORITIES), await certificates.text())

    // The executable names its loader by the path that Debian has as a link.
    for (const link of new Set(['lib', loaders])) await symlink(`usr/${link}`, join(root, link))

    await copyFile(executable, join(root, EXECUTABLE))
    await chmod(join(root, EXECUTABLE), 0o755)
    await chmod(root, 0o755)
  } finally {
    await rm(work, { recursive: true })
  }
}

/** Downloads packages into a directory, with apt's state there, too, so that the machine's own stays as it is. */
async function download(architecture: Architecture, packages: readonly string[], directory: string) {
  await Bun.write(join(directory, 'etc/apt/sources.list.d/debian.sources'), await sources())
  for (const path of ['etc/apt/preferences.d', 'var/lib/apt/lists/partial', 'var/cache/apt/archives/partial'])
    await mkdir(join(directory, path), { recursive: true })
  const options = {
    Dir: directory,
    'Dir::State::status': '/dev/null',
    'APT::Architecture': architecture,
    'APT::Architectures': architecture,
    'APT::Sandbox::User': 'root',
    'APT::Update::Error-Mode': 'any',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '3',
  }
  const flags = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`])
  for (const command of [['update'], ['download', ...packages]]) {
    const { exitCode } = await $`apt-get -qq ${flags} ${command}`.cwd(directory).nothrow()
    if (exitCode !== 0) throw new PackagesUnavailable('apt-get has said why')
  }
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    options: { arch: { type: 'string' }, executable: { type: 'string' } },
    allowPositionals: true,
  })
  const [directory] = positionals
  if (!isArchitecture(values.arch) || values.executable === undefined || directory === undefined)
    throw new Error('usage: rootfs.ts --arch=amd64|arm64 --executable=FILE DIRECTORY')
  await layOut(values.arch, values.executable, directory)
}
