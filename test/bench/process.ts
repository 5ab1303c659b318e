/** Programs that a benchmark runs: how long they take, and how much memory at the most. */

import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  buildExecutable,
  type Environment,
  EXECUTABLE,
  emptyDirectory,
  temporaryDirectory,
} from '../executable.ts'
import { nameOf, REVISION, SELECTOR } from './scene.ts'

/** The programs of a benchmark, compiled in the same way. */
export interface Programs {
  readonly kpcea: string
  /** Only prints a word: what every compiled Bun program costs. */
  readonly word: string
  /** Asks for one application and prints the length of the answer: the least that a gate on Bun costs. */
  readonly request: string
  /** Prints a word and stays, so that its memory can be read. */
  readonly idle: string
}

const WORD = `console.log('yes')`
const REQUEST = `
const { ARGOCD_SERVER, ARGOCD_API_TOKEN } = process.env
void fetch(ARGOCD_SERVER + '/api/v1/applications/app-0', { headers: { authorization: 'Bearer ' + ARGOCD_API_TOKEN } })
  .then((response) => response.text())
  .then((text) => {
    console.log(text.length)
    process.exit(0)
  })`
const IDLE = `${WORD}\nsetInterval(() => {}, 1000)`

/** Builds all programs. The executable is copied, so that a build that comes meanwhile does not change it. */
export function buildPrograms(): Programs {
  buildExecutable()
  const kpcea = join(temporaryDirectory(), 'kpcea')
  copyFileSync(EXECUTABLE, kpcea)
  return { kpcea, word: compile(WORD), request: compile(REQUEST), idle: compile(IDLE) }
}

/** Compiles a program by the executable's own build script, which takes the `main.ts` of where it is run. */
function compile(source: string): string {
  const cwd = temporaryDirectory()
  writeFileSync(join(cwd, 'main.ts'), source)
  const script = join(import.meta.dir, '../../scripts/build.ts')
  const { exitCode, stderr } = Bun.spawnSync([process.execPath, script], { cwd })
  if (exitCode !== 0) throw new Error(`a program cannot be built: ${stderr}`)
  return join(cwd, 'dist/kpcea')
}

/** Which applications a run is about: some by their names, or all by a selector. */
export function target(by: 'names' | 'selector', applications: number): Environment {
  const which =
    by === 'selector'
      ? { KPCEA_SELECTOR: SELECTOR }
      : { ARGOCD_APP_NAME: Array.from({ length: applications }, (_, i) => nameOf(i)).join(',') }
  return { ...which, KPCEA_TARGET_REVISION: REVISION }
}

/** What a whole run took. */
export interface Spent {
  /** Milliseconds from start to end. */
  readonly elapsed: number
  /** Milliseconds of processors. */
  readonly cpu: number
}

/** Runs a program to its end, which has to be a yes. */
export function spend(program: string, env: Environment): Spent {
  const began = performance.now()
  const { exitCode, resourceUsage, stderr } = Bun.spawnSync([program], {
    cwd: emptyDirectory,
    env: { ...env },
  })
  const elapsed = performance.now() - began
  if (exitCode !== 0) throw new Error(`a run went wrong: ${stderr}`)
  return { elapsed, cpu: Number(resourceUsage.cpuTime.total) / 1000 }
}

/** Starts the executable. What it says is read, so that it never waits for that. */
export function launch(program: string, env: Environment) {
  const child = Bun.spawn([program], {
    cwd: emptyDirectory,
    env: { ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 120_000,
    killSignal: 'SIGKILL',
  })
  const said = child.stderr.text()
  return { child, said }
}

/** Milliseconds between two looks at the memory of a program that runs. */
const LOOK = 1

/**
 * Runs the executable and reads its peak memory until it has ended. The kernel's own account of a process that has
 * ended begins with the memory of the one that started it, so it is read while the process still runs.
 *
 * @param during what happens while it runs
 * @returns the peak in bytes, and milliseconds of processors
 */
export async function spendMemory(
  program: string,
  env: Environment,
  during: () => Promise<void>,
): Promise<{ readonly peak: number; readonly cpu: number; readonly code: number }> {
  const { child } = launch(program, env)
  let peak = 0
  const looking = setInterval(() => {
    peak = peakOf(child.pid) ?? peak
  }, LOOK)
  await during()
  const code = await child.exited
  clearInterval(looking)
  if (peak === 0) throw new Error('the process has ended too early to read its memory')
  return { peak, cpu: Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1000, code }
}

/** The peak memory of a program that stays, before it is killed. */
export async function idleMemory(program: string): Promise<number> {
  const { child } = launch(program, {})
  await child.stdout.getReader().read()
  await Bun.sleep(100)
  const peak = peakOf(child.pid)
  child.kill()
  await child.exited
  if (peak === undefined) throw new Error('the process has ended too early to read its memory')
  return peak
}

/** Whether the memory of other processes can be read here. */
export const canReadMemory = process.platform === 'linux'

/** @returns the most that a process has held so far, in bytes; nothing where it has ended */
function peakOf(pid: number): number | undefined {
  try {
    const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return kibibytes === undefined ? undefined : Number(kibibytes) * 1024
  } catch {
    return undefined
  }
}
