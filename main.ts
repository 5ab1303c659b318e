#!/usr/bin/env bun
/** The command: reads the settings, runs the verification, prints the result, exits. Wiring, no logic. */

import { constants, existsSync, statSync } from 'node:fs'
import { defineCommand, runCommand } from 'citty'
import { adviceFor } from './lib/advice.ts'
import { createArgoCD } from './lib/argocd.ts'
import { systemClock } from './lib/clock.ts'
import { completionScript, SHELLS } from './lib/completion.ts'
import { type Config, loadConfig, type OutputOptions } from './lib/config.ts'
import { silenceOf } from './lib/failure.ts'
import { readTextFile } from './lib/files.ts'
import { type Follower, LiveFollower, LogFollower } from './lib/followers.ts'
import { formatAnnotation, formatJobSummary } from './lib/github.ts'
import { formatHelp } from './lib/help.ts'
import { isStdout, isTerminal, platformTerminationLog, print, toStderr, writeOut } from './lib/output.ts'
import { formatProblems, formatResult, formatStart, formatTerminationMessage, plain } from './lib/report.ts'
import { createResult, exitCodeOf, invalidSettingsResult } from './lib/result.ts'
import type { Result } from './lib/result-schema.ts'
import { Secrets } from './lib/secrets.ts'
import {
  asJson,
  createGate,
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

const command = defineCommand({
  meta: { name: 'kpcea', version, description: 'Verifies that a release has arrived on an external Argo CD' },
  run: ({ rawArgs }) => main(rawArgs),
})

async function main(args: readonly string[]): Promise<number> {
  const text = answerAbout(args)
  if (text !== undefined) return print(ours(text)) ? 0 : 1
  const startedAt = systemClock.date()
  const began = systemClock.now()
  const times = () => ({
    startedAt,
    finishedAt: systemClock.date(),
    durationSeconds: (systemClock.now() - began) / 1000,
  })
  secrets.addEnvironment(process.env)
  const loaded = loadConfig({ args, env: process.env, readFile: readTextFile, isExposed })
  if (!loaded.ok) {
    const problems = formatProblems(loaded.problems.map((problem) => gate(problem)))
    // On a terminal the result on stdout says it all; elsewhere the two streams may have different readers.
    if (loaded.output.format === 'json' || !(isTerminal(1) && isTerminal(2))) toStderr(problems)
    const result = shownDeep(invalidSettingsResult(loaded.problems, times()), gate)
    return finish(result, loaded.output, problems)
  }
  const { config } = loaded
  secrets.addConnection(config.connection)
  const follower = createFollower(config)
  for (const warning of loaded.warnings)
    follower.say({ level: 'warning', event: 'warning', message: warning })
  follower.say({ level: 'info', event: 'start', message: formatStart(config) })
  const outcome = await run(config, follower)
  const { server } = config.connection
  const result = createResult({ server, outcome, times: times(), mask: secrets.mask })
  const advice = adviceFor(result, config.policy)
  const shown = shownDeep(result, gate)
  const paint = paintFor(isTerminal(1), config.output)
  return finish(
    shown,
    config.output,
    formatResult(shown, paint, advice === undefined ? undefined : gate(advice)),
  )
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

async function run({ connection, target, policy }: Config, follower: Follower) {
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort())
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
  return outcome
}

function createFollower({ output, policy }: Config): Follower {
  const tools = { clock: systemClock, write: toStderr, gate }
  if (!isTerminal(2) || output.logFormat === 'json' || policy.timeout === 0)
    return new LogFollower(output.logFormat, tools)
  const size = () => ({ columns: process.stderr.columns || 80, rows: process.stderr.rows || 24 })
  return new LiveFollower(paintFor(true, output), size, tools)
}

/**
 * Hands the result to everybody who asked for it. A yes that nobody could read is none; what else cannot be written
 * is reported, and changes no verdict.
 */
function finish(result: ShownDeep<Result>, output: OutputOptions, summary: Shown): number {
  const json = told`${asJson(result)}\n`
  const isJson = output.format === 'json'
  const isTold = print(isJson ? json : summary)
  const { resultFile, githubSummary, terminationLog = platformTerminationLog() } = output
  // Once is enough: stdout holds one JSON object.
  if (resultFile !== undefined && !(isJson && isStdout(resultFile))) write(resultFile, json, 'replace')
  if (terminationLog !== undefined) write(terminationLog, formatTerminationMessage(result), 'replace')
  if (githubSummary !== undefined) {
    write(githubSummary, formatJobSummary(result), 'append')
    toStderr(formatAnnotation(result))
  }
  const code = exitCodeOf(result, output.detailedExitCode)
  return isTold || code > 0 ? code : 1
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
void runCommand(command, { rawArgs: process.argv.slice(2) }).then(
  ({ result }) => process.exit(result as number),
  fail,
)
