/** Compiles the executable: for this machine, or with `--all` for every platform. */

import { $ } from 'bun'

/** What a compiled program would otherwise read from the directory it is started in: somebody's checkout. */
const UNTRUSTED = [
  '--no-compile-autoload-dotenv',
  '--no-compile-autoload-bunfig',
  '--no-compile-autoload-tsconfig',
  '--no-compile-autoload-package-json',
]

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
  await $`${process.execPath} build main.ts --compile --bytecode --minify --production ${UNTRUSTED} ${target} --outfile ${outfile}`.quiet()
  console.log(outfile)
}

if (process.argv.includes('--all'))
  for (const target of TARGETS) await build(`dist/kpcea-${target}`, [`--target=bun-${target}`])
else await build('dist/kpcea', [])
