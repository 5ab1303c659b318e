/** Compiles the executable: for this machine, with `--target=linux-arm64` for another, with `--all` for every one. */

import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { $ } from 'bun'

/** What a compiled program would otherwise read from the directory it is started in: somebody's checkout. */
const UNTRUSTED = [
  '--no-compile-autoload-dotenv',
  '--no-compile-autoload-bunfig',
  '--no-compile-autoload-tsconfig',
  '--no-compile-autoload-package-json',
]

/**
 * How much more often than usual a function runs before it is compiled to machine code: a run that ends in
 * milliseconds would spend a quarter of them on code that it never comes back to. It still is compiled where it
 * runs for each of a thousand applications, which take no longer.
 */
const JIT_RELUCTANCE = 20

const TARGETS = [
  'linux-x64',
  'linux-arm64',
  'linux-x64-musl',
  'linux-arm64-musl',
  'darwin-x64',
  'darwin-arm64',
  'windows-x64',
] as const

async function build(outfile: string, target: readonly string[]): Promise<void> {
  const bun = process.execPath
  await $`${bun} build main.ts --compile --bytecode --minify --production --compile-jit-policy=${JIT_RELUCTANCE} ${UNTRUSTED} ${target} --outfile ${outfile}`.quiet()
  console.log(outfile)
}

async function buildFor(target: string): Promise<void> {
  // Bun does not verify what it downloads for another platform; of what is installed here, bun.lock has the checksum.
  const name = target.replace('amd64', 'x64').replace('arm64', 'aarch64')
  const locked = `node_modules/@oven/bun-${name}/bin/bun${name.startsWith('windows') ? '.exe' : ''}`
  const runtime = existsSync(locked) ? [`--compile-executable-path=${locked}`] : []
  await build(`dist/kpcea-${target}`, [`--target=bun-${target}`, ...runtime])
}

const { values } = parseArgs({ options: { all: { type: 'boolean' }, target: { type: 'string' } } })
if (values.all === true) for (const target of TARGETS) await buildFor(target)
else if (values.target !== undefined) await buildFor(values.target)
else await build('dist/kpcea', [])
