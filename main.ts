#!/usr/bin/env bun
/** The command: reads the settings, runs the verification, prints the result, exits. Wiring, no logic. */

import {
  accessSync,
  appendFileSync,
  constants,
  existsSync,
  fstatSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { defineCommand, runCommand } from 'citty'
import { adviceFor } from './lib/advice.ts'
import { createArgoCD } from './lib/argocd.ts'
import { systemClock } from './lib/clock.ts'
import { completionScript, SHELLS } from './lib/completion.ts'
import { type Config, loadConfig, type OutputOptions } from './lib/config.ts'
import { silenceOf } from './lib/failure.ts'
import { type Follower, LiveFollower, LogFollower } from './lib/followers.ts'
import { formatAnnotation, formatJobSummary } from './lib/github.ts'
import { formatHelp } from './lib/help.ts'
import {
  formatProblems,
  formatResult,
  formatStart,
  formatTerminationMessage,
  type Paint,
  plain,
} from './lib/report.ts'
import { createResult, exitCodeOf, invalidSettingsResult } from './lib/result.ts'
import type { Result } from './lib/result-schema.ts'
import { Secrets } from './lib/secrets.ts'
import { verify } from './lib/verify.ts'
import { version } from './package.json'

const readFile = (path: string): string => readFileSync(path, 'utf8')

/** Whether others on this machine can read a file. In a container, where Secrets are mounted so, there are none. */
function isExposed(path: string): boolean {
  if (existsSync('/.dockerenv') || existsSync('/run/.containerenv')) return false
  const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0
  return process.platform !== 'win32' && (mode & constants.S_IROTH) !== 0
}

const command = defineCommand({
  meta: { name: 'kpcea', version, description: 'Verifies that a release has arrived on an external Argo CD' },
  run: ({ rawArgs }) => main(rawArgs),
})

async function main(args: readonly string[]): Promise<number> {
  const text = answerAbout(args)
  if (text !== undefined) return print(text)
  const startedAt = systemClock.date()
  const began = systemClock.now()
  const times = () => ({
    startedAt,
    finishedAt: systemClock.date(),
    durationSeconds: (systemClock.now() - began) / 1000,
  })
  const loaded = loadConfig({ args, env: process.env, readFile, isExposed })
  if (!loaded.ok) {
    const problems = formatProblems(loaded.problems)
    // On a terminal the result on stdout says it all; elsewhere the two streams may have different readers.
    if (loaded.output.format === 'json' || !(isTerminal(1) && isTerminal(2))) toStderr(problems)
    return finish(invalidSettingsResult(loaded.problems, times()), loaded.output, problems)
  }
  const { config } = loaded
  const secrets = new Secrets(config.connection)
  const follower = createFollower(config, secrets)
  for (const warning of loaded.warnings)
    follower.say({ level: 'warning', event: 'warning', message: warning })
  follower.say({ level: 'info', event: 'start', message: formatStart(config) })
  const outcome = await run(config, follower, secrets)
  const { server } = config.connection
  const result = createResult({ server, outcome, times: times(), mask: secrets.mask })
  const paint = paintFor(isTerminal(1), config.output)
  return finish(result, config.output, formatResult(result, paint, adviceFor(result, config.policy)))
}

/** Questions about the program itself. */
function answerAbout(args: readonly string[]): string | undefined {
  const [word, argument, ...more] = args
  // Only alone: beside settings, a slip must not pass for a yes.
  if (argument === undefined && (word === '--help' || word === '-h')) return formatHelp(version)
  if (argument === undefined && (word === '--version' || word === '-V')) return `${version}\n`
  if (more.length > 0) return undefined
  if (word === 'schema' && argument === undefined)
    return `${JSON.stringify(loadResultSchema().resultJsonSchema(), undefined, 2)}\n`
  const shell = word === 'completion' ? SHELLS.find((one) => one === argument) : undefined
  return shell === undefined ? undefined : completionScript(shell)
}

/** Loaded by the one command that shows it. */
function loadResultSchema(): typeof import('./lib/result-schema.ts') {
  return require('./lib/result-schema.ts')
}

async function run({ connection, target, policy }: Config, follower: Follower, secrets: Secrets) {
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort())
  const ended = new AbortController()
  const following = follower.follow(systemClock.now() + policy.timeout, ended.signal)
  const outcome = await verify(target, policy, {
    client: createArgoCD(connection, { version, readFile, secrets }),
    clock: systemClock,
    silence: silenceOf(new URL(connection.server.origin).host, connection.proxyVariable),
    seed: Math.floor(Math.random() * 2 ** 31),
    interrupted: interrupted.signal,
    onTurn: (before, now) => follower.turned(before, now),
  })
  ended.abort()
  await following
  return outcome
}

function createFollower({ output, policy }: Config, { mask }: Secrets): Follower {
  const tools = { clock: systemClock, write: toStderr, mask }
  if (!isTerminal(2) || output.logFormat === 'json' || policy.timeout === 0)
    return new LogFollower(output.logFormat, tools)
  const size = () => ({ columns: process.stderr.columns || 80, rows: process.stderr.rows || 24 })
  return new LiveFollower(paintFor(true, output), size, tools)
}

/** Hands the result to everybody who asked for it. What cannot be written is reported, and changes no verdict. */
function finish(result: Result, output: OutputOptions, summary: string): number {
  const json = () => `${JSON.stringify(result)}\n`
  print(output.format === 'json' ? json() : summary)
  if (output.resultFile !== undefined) attempt(output.resultFile, (file) => writeFileSync(file, json()))
  const log = output.terminationLog ?? platformTerminationLog()
  if (log !== undefined) attempt(log, (file) => writeFileSync(file, formatTerminationMessage(result)))
  if (output.githubSummary !== undefined) {
    attempt(output.githubSummary, (file) => appendFileSync(file, formatJobSummary(result)))
    toStderr(formatAnnotation(result))
  }
  return exitCodeOf(result, output.detailedExitCode)
}

/**
 * Asked without `process.stdout` and `process.stderr`: these leave a pipe non-blocking for all who share it. Node's
 * module takes time to load, so it is asked only where the descriptor is of the kind that a terminal is.
 */
function isTerminal(descriptor: 1 | 2): boolean {
  try {
    if (process.platform !== 'win32' && !fstatSync(descriptor).isCharacterDevice()) return false
  } catch {
    return false
  }
  return (require('node:tty') as typeof import('node:tty')).isatty(descriptor)
}

function paintFor(terminal: boolean, { colour }: OutputOptions): Paint {
  if (!(colour ?? terminal)) return plain
  const { styleText } = require('node:util') as typeof import('node:util')
  return (style, text) => styleText(style, text, { validateStream: false })
}

/** Writes the result, and waits for its reader as any tool does: half a result would be none. */
function print(text: string): 0 {
  let bytes = Buffer.from(text)
  while (bytes.length > 0) {
    const written = writeSome(1, bytes)
    if (written === undefined) break
    bytes = bytes.subarray(written)
    // Somebody who shares the pipe may have made it one that does not wait.
    if (written === 0) Bun.sleepSync(5)
  }
  return 0
}

/** Writes to the log, which waits for nobody: a reader that is stuck misses something, and no deadline is missed. */
function toStderr(text: string): void {
  logDescriptor ??= openLog()
  writeSome(logDescriptor, Buffer.from(text))
}

let logDescriptor: number | undefined

/** A pipe opened anew has a mode of its own, so that those who share it keep theirs. */
function openLog(): number {
  try {
    if (fstatSync(2).isFIFO()) return openSync('/proc/self/fd/2', constants.O_WRONLY | constants.O_NONBLOCK)
  } catch {
    // Where there is no such thing, the descriptor itself will do.
  }
  return 2
}

/** @returns how many bytes were written: 0 where there is no room now, `undefined` where the reader is gone */
function writeSome(descriptor: number, bytes: Uint8Array): number | undefined {
  try {
    return writeSync(descriptor, bytes)
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EAGAIN' ? 0 : undefined
  }
}

function attempt(file: string, write: (file: string) => void): void {
  try {
    write(file)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    toStderr(`warning: ${file} could not be written (${code})\n`)
  }
}

/** Where Kubernetes looks for a termination message, unless the Pod says otherwise. */
const KUBERNETES_TERMINATION_LOG = '/dev/termination-log'

function platformTerminationLog(): string | undefined {
  try {
    accessSync(KUBERNETES_TERMINATION_LOG, constants.W_OK)
    return KUBERNETES_TERMINATION_LOG
  } catch {
    return undefined
  }
}

// No top-level await: bytecode is compiled for CommonJS.
void runCommand(command, { rawArgs: process.argv.slice(2) }).then(
  ({ result }) => process.exit(result as number),
  (error) => {
    toStderr(`kpcea failed in a way that nobody expected, please report it: ${error}\n`)
    process.exit(1)
  },
)
