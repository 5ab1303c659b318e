/** Runs the compiled executable, as users do: in an empty directory, with nothing but its own environment. */

import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Result, resultSchema } from '../lib/result-schema.ts'
import type { ArgoCDServer } from './argocd/server.ts'

const ROOT = join(import.meta.dir, '..')

/** The executable of this machine. */
export const EXECUTABLE = join(ROOT, 'dist/kpcea')

/** Builds the executable where a source is newer than it. */
export function buildExecutable(): void {
  const sources = [
    'main.ts',
    'package.json',
    'bun.lock',
    'scripts/build.ts',
    ...readdirSync(join(ROOT, 'lib')).map((file) => `lib/${file}`),
  ]
  const newest = Math.max(...sources.map((file) => statSync(join(ROOT, file)).mtimeMs))
  const built = statSync(EXECUTABLE, { throwIfNoEntry: false })
  if (built !== undefined && built.mtimeMs > newest) return
  const { exitCode, stderr } = Bun.spawnSync([process.execPath, 'scripts/build.ts'], { cwd: ROOT })
  if (exitCode !== 0) throw new Error(`the executable cannot be built: ${stderr}`)
}

/** How a run of the executable went. */
export interface Finished {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  /** Milliseconds from start to end, as this process saw it. */
  readonly elapsed: number
}

/** A run that may be under way. */
export interface Running {
  readonly process: Bun.Subprocess<'ignore', 'pipe', 'pipe'>
  /** What it has said on stderr so far. */
  readonly said: () => string
  readonly finished: Promise<Finished>
}

/** Environment variables; `undefined` leaves one out. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Starts the executable. Whatever goes wrong, it is killed after a minute. */
export function start(env: Environment, args: readonly string[] = [], cwd = emptyDirectory): Running {
  buildExecutable()
  const began = performance.now()
  const child = Bun.spawn([EXECUTABLE, ...args], {
    cwd,
    env: Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined)),
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    timeout: 60_000,
    killSignal: 'SIGKILL',
  })
  let said = ''
  const listen = async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) said += text
    return said
  }
  const finished = Promise.all([child.exited, child.stdout.text(), listen()]).then(
    ([code, stdout, stderr]) => ({
      code,
      stdout,
      stderr,
      elapsed: performance.now() - began,
    }),
  )
  return { process: child, said: () => said, finished }
}

/** Runs the executable to its end. */
export function run(env: Environment, args: readonly string[] = [], cwd?: string): Promise<Finished> {
  return start(env, args, cwd).finished
}

/** A run with `-o json`: its result, checked against the schema, beside the rest. */
export async function runJson(
  env: Environment,
  args: readonly string[] = [],
): Promise<Finished & { result: Result }> {
  const finished = await run({ ...env, KPCEA_OUTPUT: 'json' }, args)
  return { ...finished, result: resultSchema.parse(JSON.parse(finished.stdout)) }
}

/** What every run against a server needs: where it is and who asks. */
export function connect(server: ArgoCDServer, env: Environment = {}): Environment {
  return { ARGOCD_SERVER: server.url, ARGOCD_API_TOKEN: server.token, KPCEA_INTERVAL: '1', ...env }
}

/** A directory with nothing in it, for all runs. */
export const emptyDirectory = mkdtempSync(join(tmpdir(), 'kpcea-empty-'))

/** A new directory, which is removed at the end. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'kpcea-test-'))
  directories.push(directory)
  return directory
}

const directories = [emptyDirectory]

/** Removes what {@link temporaryDirectory} made; the tests do so at their end (bunfig.toml). */
export function removeTemporaryDirectories(): void {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true })
}

process.on('exit', removeTemporaryDirectories)

/** Waits for something that a running process brings about, for as long as a test may last. */
export async function waitFor(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 3000 && !condition(); i++) await Bun.sleep(10)
  if (!condition()) throw new Error('it never happened')
}
