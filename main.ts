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
import { type Arguments, flagDefinitions, readArguments } from './lib/arguments.ts'
import { systemClock } from './lib/clock.ts'
import { COMMANDS, KINDS, type Kind, type Page, wordsProblem } from './lib/commands.ts'
import { type Config, type Loaded, loadConfig, type OutputOptions } from './lib/config.ts'
import type { Finding } from './lib/doctor.ts'
import { type Follower, LiveFollower, LogFollower } from './lib/followers.ts'
import { formatAnnotation, formatJobSummary } from './lib/github.ts'
import {
  formatProblems,
  formatResult,
  formatStart,
  formatTerminationMessage,
  type Paint,
  plain,
} from './lib/report.ts'
import { createResult, exitCodeOf, invalidSettingsResult, type Times } from './lib/result.ts'
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

/** What may stand behind the name of the program: flags, which verify, or a command. */
const verification = flagged('kpcea', verifyCommand)
const commands = () =>
  defineCommand({
    meta: { name: 'kpcea', version },
    subCommands: {
      doctor: flagged('doctor', doctorCommand),
      manifest: defineCommand({
        meta: { name: 'manifest' },
        subCommands: Object.fromEntries(
          KINDS.map((kind) => [kind, flagged(kind, (given) => manifestCommand(kind, given))]),
        ),
      }),
      docs: asked('docs', (page) => print(readFile(pages().PAGE_FILES[page as Page]))),
      schema: asked('schema', () =>
        print(`${JSON.stringify(resultSchemas().resultJsonSchema(), undefined, 2)}\n`),
      ),
      completion: asked('completion', (shell) => print(completions().complete(shell, sources))),
    },
  })

/** A command whose flags are the settings. */
function flagged(name: string, run: (given: Arguments) => number | Promise<number>) {
  return defineCommand({
    meta: { name, version },
    args: flagDefinitions,
    run: async ({ rawArgs, args }) => end(await run(readArguments(rawArgs, args))),
  })
}

/** A command that takes a word at most. */
function asked(name: string, run: (word: string) => number) {
  return defineCommand({ meta: { name }, run: ({ rawArgs: [word = ''] }) => end(run(word)) })
}

async function main(words: readonly string[]): Promise<unknown> {
  const [first = '', ...rest] = words
  const rawArgs = [...words]
  const command = COMMANDS.find((one) => one === first)
  if (command === undefined) {
    if (rest.length === 0 && (first === '--version' || first === '-V')) return end(print(`${version}\n`))
    const given = readArguments(words)
    if (given.help) return end(showHelp(help().formatHelp(version), rest.length === 0))
    // What citty would take for something else never gets there.
    return given.problems.length > 0 ? end(await verifyCommand(given)) : runCommand(verification, { rawArgs })
  }
  if (readArguments(rest).help) return end(showHelp(help().formatCommandHelp(command), rest.length === 1))
  const problem = wordsProblem(command, rest)
  if (problem !== undefined) {
    toStderr(`${problem}\n`)
    return end(1)
  }
  const [kind, ...flags] = command === 'manifest' ? rest : ['', ...rest]
  const given = readArguments(flags)
  if (given.problems.length === 0 || !(command === 'doctor' || command === 'manifest'))
    return runCommand(commands(), { rawArgs })
  return end(await (command === 'doctor' ? doctorCommand(given) : manifestCommand(kind as Kind, given)))
}

/** Shows the help wherever it is asked for; beside settings, what shows it must not pass for a yes. */
function showHelp(text: string, alone: boolean): number {
  print(text)
  if (alone) return 0
  toStderr('kpcea: help was asked for, so nothing else was done\n')
  return 1
}

function end(code: number): never {
  process.exit(code)
}

// Loaded by those who ask: a verification does not pay for them.
const help = () => require('./lib/help.ts') as typeof import('./lib/help.ts')
const pages = () => require('./lib/pages.ts') as typeof import('./lib/pages.ts')
const resultSchemas = () => require('./lib/result-schema.ts') as typeof import('./lib/result-schema.ts')
const completions = () => require('./lib/completion.ts') as typeof import('./lib/completion.ts')
const doctors = () => require('./lib/doctor.ts') as typeof import('./lib/doctor.ts')
const doctorReports = () => require('./lib/doctor-report.ts') as typeof import('./lib/doctor-report.ts')
const manifests = () => require('./lib/manifest.ts') as typeof import('./lib/manifest.ts')

/** What settings are read from, besides the command line. */
const sources = { env: process.env, readFile, isExposed }

async function verifyCommand(given: Arguments): Promise<number> {
  const times = stopwatch()
  const loaded = loadConfig({ ...sources, args: [], arguments: given })
  if (!loaded.ok) return refuse(loaded, times)
  const { config } = loaded
  const secrets = new Secrets(config.connection)
  const follower = createFollower(config, secrets)
  for (const warning of loaded.warnings)
    follower.say({ level: 'warning', event: 'warning', message: warning })
  follower.say({ level: 'info', event: 'start', message: formatStart(config) })
  const { outcome, signal } = await run(config, follower, secrets)
  const { server } = config.connection
  const result = createResult({ ...config, server, outcome, times: times(), mask: secrets.mask })
  const paint = paintFor(isTerminal(1), config.output)
  const code = finish(result, config.output, formatResult(result, paint, adviceFor(result, config.policy)))
  if (signal === 'SIGINT') await endAsInterrupted()
  return code
}

async function doctorCommand(given: Arguments): Promise<number> {
  const times = stopwatch()
  const loaded = loadConfig({ ...sources, args: [], arguments: given }, 'diagnose')
  if (!loaded.ok) return refuse(loaded, times)
  const { connection, output } = loaded.config
  const secrets = new Secrets(connection)
  const {
    createDiagnosis,
    diagnosisExitCode,
    formatConclusion,
    formatDiagnosisTermination,
    formatFinding,
    shownFinding,
  } = doctorReports()
  const paint = paintFor(isTerminal(1), output)
  for (const warning of loaded.warnings) toStderr(`warning: ${secrets.mask(warning)}\n`)
  const proxyUrl = connection.proxyVariable && sources.env[connection.proxyVariable]
  const tools = { version, readFile, secrets, actions: [], proxyUrl, now: () => systemClock.date() }
  const findings: Finding[] = []
  for await (const found of doctors().examine(loaded.config, tools)) {
    const finding = shownFinding(found, secrets.mask)
    findings.push(finding)
    if (output.format === 'text') print(formatFinding(finding, paint))
  }
  const json = `${JSON.stringify(createDiagnosis(findings, connection.server))}\n`
  print(output.format === 'json' ? json : formatConclusion(findings, paint))
  leave(output, { json, termination: formatDiagnosisTermination(findings) })
  return diagnosisExitCode(findings, output.detailedExitCode)
}

function manifestCommand(kind: Kind, given: Arguments): number {
  const loaded = loadConfig({ ...sources, args: [], arguments: given }, 'describe')
  if (!loaded.ok) {
    toStderr(formatProblems(loaded.problems))
    return exitCodeOf({ verified: false, reason: 'InvalidSettings' }, loaded.output.detailedExitCode)
  }
  for (const warning of loaded.warnings) toStderr(`warning: ${warning}\n`)
  return print(manifests().formatManifest(kind, manifests().manifestInput(loaded, version)))
}

function stopwatch() {
  const startedAt = systemClock.date()
  const began = systemClock.now()
  return () => ({
    startedAt,
    finishedAt: systemClock.date(),
    durationSeconds: (systemClock.now() - began) / 1000,
  })
}

function refuse(loaded: Extract<Loaded, { ok: false }>, times: () => Times): number {
  const problems = tellProblems(loaded)
  return finish(invalidSettingsResult(loaded.problems, times()), loaded.output, problems)
}

/** Says what is wrong with the settings on stderr, where whoever reads that does not see stdout as well. */
function tellProblems({ problems, output }: Extract<Loaded, { ok: false }>): string {
  const text = formatProblems(problems)
  if (output.format === 'json' || !isOnePlace()) toStderr(text)
  return text
}

/** Whether stdout and stderr go to the same place: a terminal, a file, a pipe, or a container's log. */
function isOnePlace(): boolean {
  try {
    const [out, err] = [fstatSync(1), fstatSync(2)]
    if (out.dev === err.dev && out.ino === err.ino && out.ino !== 0) return true
  } catch {
    // A descriptor that is closed goes nowhere.
  }
  // The first process of a container writes into one log, whatever its pipes are.
  return (
    (isTerminal(1) && isTerminal(2)) ||
    (process.pid === 1 && sources.env.KUBERNETES_SERVICE_HOST !== undefined)
  )
}

/** Ends as everything does that is interrupted at the keyboard, so that a loop of the shell ends too. */
async function endAsInterrupted(): Promise<void> {
  process.removeAllListeners('SIGINT')
  process.kill(process.pid, 'SIGINT')
  await Bun.sleep(1000)
}

async function run({ connection, target, policy }: Config, follower: Follower, secrets: Secrets) {
  const interrupted = new AbortController()
  let signal: NodeJS.Signals | undefined
  for (const one of ['SIGINT', 'SIGTERM'] as const)
    process.once(one, () => {
      signal ??= one
      interrupted.abort()
    })
  const ended = new AbortController()
  const following = follower.follow(systemClock.now() + policy.timeout, ended.signal)
  const outcome = await verify(target, policy, {
    client: createArgoCD(connection, { version, readFile, secrets }),
    clock: systemClock,
    random: Math.random,
    // Whole applications of hundreds of resources, one poll after the other, would pile up until the engine minds.
    tidy: () => Bun.gc(true),
    interrupted: interrupted.signal,
    emit: (progress) => follower.progress(progress),
  })
  ended.abort()
  await following
  return { outcome, signal }
}

function createFollower({ output, policy }: Config, { mask }: Secrets): Follower {
  const tools = { clock: systemClock, write: toStderr, mask }
  if (!output.live || !isTerminal(2) || output.logFormat === 'json' || policy.timeout === 0)
    return new LogFollower(output.logFormat, tools)
  const size = () => ({ columns: process.stderr.columns || 80, rows: process.stderr.rows || 24 })
  return new LiveFollower(paintFor(true, output), size, tools)
}

/** Hands the result to everybody who asked for it. What cannot be written is reported, and changes no verdict. */
function finish(result: Result, output: OutputOptions, summary: string): number {
  const json = () => `${JSON.stringify(result)}\n`
  print(output.format === 'json' ? json() : summary)
  leave(output, { json: json(), termination: formatTerminationMessage(result) })
  if (output.githubSummary !== undefined) {
    attempt(output.githubSummary, (file) => appendFileSync(file, formatJobSummary(result)))
    toStderr(formatAnnotation(result))
  }
  return exitCodeOf(result, output.detailedExitCode)
}

/** Leaves the result where files were asked for, or Kubernetes looks for one. */
function leave(output: OutputOptions, { json, termination }: { json: string; termination: string }): void {
  if (output.resultFile !== undefined) attempt(output.resultFile, (file) => writeFileSync(file, json))
  const log = output.terminationLog ?? platformTerminationLog()
  if (log !== undefined) attempt(log, (file) => writeFileSync(file, termination))
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
void main(process.argv.slice(2)).catch((error) => {
  toStderr(`kpcea failed in a way that nobody expected, please report it: ${error}\n`)
  end(1)
})
