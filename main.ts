#!/usr/bin/env bun
/** The command: reads the settings, runs what is asked for, prints the result, exits. Wiring, no logic. */

import { constants, existsSync, statSync } from 'node:fs'
import { adviceFor } from './lib/advice.ts'
import { createArgoCD } from './lib/argocd.ts'
import { type Arguments, flagDefinitions, readArguments } from './lib/arguments.ts'
import { clearAway } from './lib/clearing.ts'
import { systemClock } from './lib/clock.ts'
import { COMMANDS, KINDS, type Kind, type Page, wordsProblem } from './lib/commands.ts'
import { type Config, type Loaded, loadConfig, type OutputOptions } from './lib/config.ts'
import { silenceOf } from './lib/failure.ts'
import { readTextFile } from './lib/files.ts'
import type { Finding } from './lib/finding.ts'
import { type Follower, LiveFollower, LogFollower } from './lib/followers.ts'
import { formatAnnotation, formatJobSummary } from './lib/github.ts'
import { lazily } from './lib/lazily.ts'
import {
  isOnePlace,
  isStdout,
  isTerminal,
  platformTerminationLog,
  print,
  toStderr,
  writeOut,
} from './lib/output.ts'
import {
  formatProblems,
  formatResult,
  formatStart,
  formatTerminationMessage,
  forSummary,
  MOST_IN_FULL,
  plain,
} from './lib/report.ts'
import { createReading, createResult, exitCodeOf, invalidSettingsResult, type Times } from './lib/result.ts'
import type { Result } from './lib/result-schema.ts'
import { Secrets } from './lib/secrets.ts'
import {
  asJson,
  createGate,
  forPeople,
  ours,
  type Paint,
  type Shown,
  type ShownDeep,
  shownDeep,
  told,
} from './lib/shown.ts'
import { verify } from './lib/verify.ts'
import { version } from './package.json'

/** What is never shown, and what all text of others passes before it is. */
const secrets = new Secrets()
const gate = createGate(secrets)

/** Whether others on this machine can read a file. In a container, where Secrets are mounted so, there are none. */
function isExposed(path: string): boolean {
  if (existsSync('/.dockerenv') || existsSync('/run/.containerenv')) return false
  const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0
  return process.platform !== 'win32' && (mode & constants.S_IROTH) !== 0
}

/** What may stand behind the name of the program: flags, which verify, or a command. */
const verification = () => flagged('kpcea', verifyCommand)
const commands = () =>
  citty().defineCommand({
    meta: { name: 'kpcea', version },
    subCommands: {
      doctor: flagged('doctor', doctorCommand),
      manifest: citty().defineCommand({
        meta: { name: 'manifest' },
        subCommands: Object.fromEntries(
          KINDS.map((kind) => [kind, flagged(kind, (given) => manifestCommand(kind, given))]),
        ),
      }),
      docs: asked('docs', (page) => say(pages().readPage(page as Page))),
      schema: asked('schema', () =>
        say(ours(`${JSON.stringify(resultSchemas().resultJsonSchema(), undefined, 2)}\n`)),
      ),
      completion: asked('completion', (word) => say(completions().complete(word, sources, gate))),
    },
  })

/** A command whose flags are the settings. */
function flagged(name: string, run: (given: Arguments) => number | Promise<number>) {
  return citty().defineCommand({
    meta: { name, version },
    args: flagDefinitions(),
    run: async ({ rawArgs, args }) => end(await run(readArguments(rawArgs, args))),
  })
}

/** A command that takes a word at most. */
function asked(name: string, run: (word: string) => number) {
  return citty().defineCommand({ meta: { name }, run: ({ rawArgs: [word = ''] }) => end(run(word)) })
}

async function main(words: readonly string[]): Promise<unknown> {
  const [first = '', ...rest] = words
  const rawArgs = [...words]
  const command = COMMANDS.find((one) => one === first)
  if (command === undefined) {
    if (rest.length === 0 && (first === '--version' || first === '-V')) return end(say(ours(`${version}\n`)))
    const given = readArguments(words)
    if (words.length === 0) return end(await verifyCommand(given))
    if (given.help) return end(showHelp(ours(help().formatHelp(version)), rest.length === 0))
    // What citty would take for something else never gets there.
    return given.problems.length > 0
      ? end(await verifyCommand(given))
      : citty().runCommand(verification(), { rawArgs })
  }
  if (readArguments(rest).help)
    return end(showHelp(ours(help().formatCommandHelp(command)), rest.length === 1))
  const problem = wordsProblem(command, rest)
  if (problem !== undefined) {
    toStderr(told`${gate(problem)}\n`)
    return end(1)
  }
  const [kind, ...flags] = command === 'manifest' ? rest : ['', ...rest]
  const given = readArguments(flags)
  if (given.problems.length === 0 || !(command === 'doctor' || command === 'manifest'))
    return citty().runCommand(commands(), { rawArgs })
  return end(await (command === 'doctor' ? doctorCommand(given) : manifestCommand(kind as Kind, given)))
}

/** Shows the help wherever it is asked for; beside settings, what shows it must not pass for a yes. */
function showHelp(text: Shown, alone: boolean): number {
  const code = say(text)
  if (alone) return code
  toStderr(told`kpcea: help was asked for, so nothing else was done\n`)
  return 1
}

/** Prints an answer; one that nobody could read is none. */
function say(text: Shown): number {
  return print(text) ? 0 : 1
}

function end(code: number): never {
  process.exit(code)
}

// Loaded by those who ask: a verification by variables alone, as a Job is, does not pay for them.
const citty = () => require('citty') as typeof import('citty')
const help = () => require('./lib/help.ts') as typeof import('./lib/help.ts')
const pages = () => require('./lib/pages.ts') as typeof import('./lib/pages.ts')
const resultSchemas = () => require('./lib/result-schema.ts') as typeof import('./lib/result-schema.ts')
const completions = () => require('./lib/completion.ts') as typeof import('./lib/completion.ts')
const doctors = () => require('./lib/doctor.ts') as typeof import('./lib/doctor.ts')
const doctorReports = () => require('./lib/doctor-report.ts') as typeof import('./lib/doctor-report.ts')
const manifests = () => require('./lib/manifest.ts') as typeof import('./lib/manifest.ts')

/** What settings are read from, besides the command line. */
const sources = { env: process.env, readFile: readTextFile, isExposed }

async function verifyCommand(given: Arguments): Promise<number> {
  const times = stopwatch()
  const loaded = load(given)
  if (!loaded.ok) return refuse(loaded, times)
  const { config } = loaded
  const follower = createFollower(config)
  for (const warning of loaded.warnings)
    follower.say({ level: 'warning', event: 'warning', message: warning })
  follower.say({ level: 'info', event: 'start', message: formatStart(config) })
  const { outcome, signal } = await run(config, follower)
  clearAway()
  const { server } = config.connection
  const input = { server, outcome, times: times(), mask: secrets.mask }
  const whole = lazily(() => createResult(input))
  const reading = createReading(input, whole, MOST_IN_FULL)
  const next = adviceFor(reading, outcome)
  const advice = next === undefined ? undefined : gate(next)
  const paint = paintFor(isTerminal(1), config.output)
  const summary = () => formatResult(shownDeep(forSummary(reading), forPeople(gate)), paint, advice)
  const termination = () => formatTerminationMessage(shownDeep(reading, gate), advice)
  const code = finish({ verdict: reading, whole, summary, termination }, config.output)
  if (signal === 'SIGINT') await endAsInterrupted()
  return code
}

async function doctorCommand(given: Arguments): Promise<number> {
  const times = stopwatch()
  const loaded = load(given, 'diagnose')
  if (!loaded.ok) return refuse(loaded, times)
  const { connection, output } = loaded.config
  const report = doctorReports()
  const paint = paintFor(isTerminal(1), output)
  warn(loaded.warnings)
  const proxyUrl = connection.proxyVariable && sources.env[connection.proxyVariable]
  const tools = {
    version,
    readFile: readTextFile,
    secrets,
    actions: loaded.config.policy.sync === undefined ? [] : ['sync'],
    proxyUrl,
    now: () => systemClock.date(),
  }
  const findings: ShownDeep<Finding>[] = []
  for await (const found of doctors().examine(loaded.config, tools)) {
    const finding = shownDeep(found, gate)
    findings.push(finding)
    if (output.format === 'text') print(report.formatFinding(finding, paint))
  }
  const json = told`${asJson(shownDeep(report.createDiagnosis(findings, connection.server), gate))}\n`
  const isTold = print(output.format === 'json' ? json : report.formatConclusion(findings, paint))
  leave(
    output,
    () => json,
    () => report.formatDiagnosisTermination(findings),
  )
  const code = report.diagnosisExitCode(findings, output.detailedExitCode)
  return isTold || code > 0 ? code : 1
}

function manifestCommand(kind: Kind, given: Arguments): number {
  const loaded = load(given, 'describe')
  if (!loaded.ok) {
    toStderr(formatProblems(loaded.problems.map((problem) => gate(problem))))
    return exitCodeOf({ verified: false, reason: 'InvalidSettings' }, loaded.output.detailedExitCode)
  }
  warn(loaded.warnings)
  return say(manifests().formatManifest(kind, manifests().manifestInput(loaded, version)))
}

/** Reads the settings, and learns what is secret among them first. */
function load(given: Arguments, purpose?: Parameters<typeof loadConfig>[1]): Loaded {
  secrets.addEnvironment(process.env)
  const loaded = loadConfig({ ...sources, args: [], arguments: given }, purpose)
  if (loaded.ok) secrets.addConnection(loaded.config.connection)
  return loaded
}

function warn(warnings: readonly string[]): void {
  for (const warning of warnings) toStderr(told`warning: ${gate(warning)}\n`)
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

/** Says what is wrong with the settings, on stderr as well where that has another reader. */
function refuse({ problems, output }: Extract<Loaded, { ok: false }>, times: () => Times): number {
  const text = formatProblems(problems.map((problem) => gate(problem)))
  const isContainer = sources.env.KUBERNETES_SERVICE_HOST !== undefined
  if (output.format === 'json' || !isOnePlace(isContainer)) toStderr(text)
  const result = invalidSettingsResult(problems, times())
  const termination = () => formatTerminationMessage(shownDeep(result, gate))
  return finish({ verdict: result, whole: () => result, summary: () => text, termination }, output)
}

/** Ends as everything does that is interrupted at the keyboard, so that a loop of the shell ends too. */
async function endAsInterrupted(): Promise<void> {
  process.removeAllListeners('SIGINT')
  process.kill(process.pid, 'SIGINT')
  await Bun.sleep(1000)
}

async function run({ connection, target, policy }: Config, follower: Follower) {
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
    client: createArgoCD(connection, { version, readFile: readTextFile, secrets }),
    clock: systemClock,
    silence: silenceOf(new URL(connection.server.origin).host, connection.proxyVariable),
    seed: Math.floor(Math.random() * 2 ** 31),
    interrupted: interrupted.signal,
    onTurn: (before, now) => follower.turned(before, now),
  })
  ended.abort()
  await following
  return { outcome, signal }
}

function createFollower({ output }: Config): Follower {
  const tools = { clock: systemClock, write: toStderr, gate }
  if (!output.live || !isTerminal(2) || output.logFormat === 'json')
    return new LogFollower(output.logFormat, tools)
  const size = () => ({ columns: process.stderr.columns || 80, rows: process.stderr.rows || 24 })
  return new LiveFollower(paintFor(true, output), size, tools)
}

/**
 * Hands the result to everybody who asked for it. A yes that nobody could read is none; what else cannot be written
 * is reported, and changes no verdict.
 */
function finish({ verdict, whole, summary, termination }: Telling, output: OutputOptions): number {
  const json = lazily(() => told`${asJson(shownDeep(whole(), gate))}\n`)
  const isTold = print(output.format === 'json' ? json() : summary())
  leave(output, json, termination)
  if (output.githubSummary !== undefined) {
    const brief = shownDeep(whole(), forPeople(gate))
    write(output.githubSummary, formatJobSummary(brief), 'append')
    toStderr(formatAnnotation(brief))
  }
  const code = exitCodeOf(verdict, output.detailedExitCode)
  return isTold || code > 0 ? code : 1
}

/** A result in all its forms, each made where somebody asked for it: of a thousand applications it takes a while. */
interface Telling {
  readonly verdict: Pick<Result, 'verified' | 'reason'>
  readonly whole: () => Result
  readonly summary: () => Shown
  readonly termination: () => Shown
}

/** Leaves the result where files were asked for, or Kubernetes looks for one. */
function leave(output: OutputOptions, json: () => Shown, termination: () => Shown): void {
  const { format, resultFile, terminationLog = platformTerminationLog() } = output
  // Once is enough: stdout holds one JSON object.
  if (resultFile !== undefined && !(format === 'json' && isStdout(resultFile)))
    write(resultFile, json(), 'replace')
  if (terminationLog !== undefined) write(terminationLog, termination(), 'replace')
}

function write(file: string, text: Shown, how: 'replace' | 'append'): void {
  const problem = writeOut(file, text, how)
  if (problem !== undefined) toStderr(told`warning: ${gate(file)} could not be written (${problem})\n`)
}

function paintFor(terminal: boolean, { colour }: OutputOptions): Paint {
  if (!(colour ?? terminal)) return plain
  const { styleText } = require('node:util') as typeof import('node:util')
  return (style, text) => ours(styleText(style, text, { validateStream: false }))
}

/** The end that nobody expected: no stack trace, and nothing that has not passed the gate. */
function fail(error: unknown): never {
  toStderr(told`kpcea failed in a way that nobody expected, please report it: ${gate(String(error))}\n`)
  process.exit(1)
}

for (const event of ['uncaughtException', 'unhandledRejection'] as const) process.on(event, fail)

// No top-level await: bytecode is compiled for CommonJS.
void main(process.argv.slice(2)).catch(fail)
