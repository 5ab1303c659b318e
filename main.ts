#!/usr/bin/env bun
/** The command: reads the settings, runs the verification, prints the result, exits. Wiring, no logic. */

import { accessSync, constants, readFileSync, writeFileSync } from 'node:fs'
import { styleText } from 'node:util'
import { defineCommand, runCommand } from 'citty'
import { createArgoCD } from './lib/argocd.ts'
import { systemClock } from './lib/clock.ts'
import { type Config, loadConfig, type OutputOptions } from './lib/config.ts'
import { formatHelp } from './lib/help.ts'
import {
  createLog,
  formatProblems,
  formatResult,
  formatStart,
  formatTerminationMessage,
  type Paint,
  plain,
} from './lib/report.ts'
import { createResult, exitCodeOf, invalidSettingsResult, type Result } from './lib/result.ts'
import { masker } from './lib/secrets.ts'
import { verify } from './lib/verify.ts'
import { version } from './package.json'

const readFile = (path: string): string => readFileSync(path, 'utf8')

const command = defineCommand({
  meta: { name: 'kpcea', version, description: 'Verifies that a release has arrived on an external Argo CD' },
  run: ({ rawArgs }) => main(rawArgs),
})

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) return print(formatHelp(version))
  if (args.includes('--version') || args.includes('-v')) return print(`${version}\n`)
  const startedAt = systemClock.date()
  const began = systemClock.now()
  const times = () => ({
    startedAt,
    finishedAt: systemClock.date(),
    durationSeconds: (systemClock.now() - began) / 1000,
  })
  const loaded = loadConfig({ args, env: process.env, readFile })
  if (!loaded.ok) {
    const result = invalidSettingsResult(loaded.problems, times())
    // On a terminal the result on stdout says it all; elsewhere the two streams may have different readers.
    if (loaded.output.format === 'json' || !(process.stdout.isTTY && process.stderr.isTTY))
      process.stderr.write(formatProblems(loaded.problems))
    return finish(result, loaded.output, formatProblems(loaded.problems))
  }
  for (const warning of loaded.warnings) log(`warning: ${warning}`)
  const { config } = loaded
  log(formatStart(config))
  const result = createResult({
    ...config,
    server: config.connection.server,
    outcome: await run(config),
    times: times(),
    mask: masker(config.connection),
  })
  return finish(result, config.output)
}

async function run({ connection, target, policy }: Config) {
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort())
  const mask = masker(connection)
  const line = createLog()
  return verify(target, policy, {
    client: createArgoCD(connection, { version, readFile }),
    clock: systemClock,
    random: Math.random,
    interrupted: interrupted.signal,
    emit: (progress) => {
      const text = line(progress)
      if (text !== undefined) log(mask(text))
    },
  })
}

/** Hands the result to everybody who asked for it. What cannot be written is reported, and changes no verdict. */
function finish(
  result: Result,
  output: OutputOptions,
  summary = formatResult(result, process.stdout.isTTY ? colours : plain),
): number {
  const json = `${JSON.stringify(result)}\n`
  print(output.format === 'json' ? json : summary)
  if (output.resultFile !== undefined) write(output.resultFile, json)
  const log = output.terminationLog ?? platformTerminationLog()
  if (log !== undefined) write(log, formatTerminationMessage(result))
  return exitCodeOf(result, output.detailedExitCode)
}

const colours: Paint = (style, text) => styleText(style, text)

function print(text: string): 0 {
  writeFileSync(1, text)
  return 0
}

function log(text: string): void {
  process.stderr.write(`${systemClock.date().toISOString()} ${text}\n`)
}

function write(path: string, text: string): void {
  try {
    writeFileSync(path, text)
  } catch (error) {
    log(
      `warning: ${path} could not be written (${error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'})`,
    )
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
void runCommand(command, { rawArgs: process.argv.slice(2) }).then(({ result }) =>
  process.exit(result as number),
)
