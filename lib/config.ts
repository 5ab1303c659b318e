/** Settings from flags and environment variables, read, checked together, and turned into what a run needs. */

import type { Connection } from './access.ts'
import { formatApplication } from './application-name.ts'
import { type Arguments, readArguments } from './arguments.ts'
import { missingServer, resolveConnection, resolveWhere, warnOfHeaders } from './connection.ts'
import { formatDuration } from './duration.ts'
import { type SettingName, settingLabel } from './settings.ts'
import { isWithoutApplications, resolveTarget } from './target.ts'
import { oneLine } from './text.ts'
import { anyBroken, type Complaints, readValues, shown, type Values, type Variables } from './values.ts'
import type { Policy, Target } from './wanted.ts'

export type { Connection, Credentials } from './access.ts'
export type { NamedApplication, Policy, Target, Wanted } from './wanted.ts'

/** Where the verdict goes. */
export interface OutputOptions {
  readonly format: 'text' | 'json'
  readonly logFormat: 'text' | 'json'
  /** `undefined`: where there is a terminal. */
  readonly colour: boolean | undefined
  /** Where GitHub Actions takes the summary of a job from. */
  readonly githubSummary: string | undefined
  /** Whether what is drawn over itself can be: not in a log of CI, nor on a terminal that knows no such thing. */
  readonly live: boolean
  readonly resultFile: string | undefined
  /** `undefined`: the platform's own place, where it exists. */
  readonly terminationLog: string | undefined
  readonly detailedExitCode: boolean
}

/** A run, fully described. */
export interface Config {
  readonly connection: Connection
  readonly target: Target
  readonly policy: Policy
  readonly output: OutputOptions
}

/** Usable settings, or everything that is wrong with them, a sentence each. */
export type Loaded =
  | {
      readonly ok: true
      readonly config: Config
      readonly warnings: readonly string[]
      /** The settings that were given, as they were written; a server also where a context says it. */
      readonly texts: ReadonlyMap<SettingName, string>
    }
  | { readonly ok: false; readonly problems: readonly string[]; readonly output: OutputOptions }

/** What the settings are read from. */
export interface Sources {
  /** The command line without the program's name, and without a command. */
  readonly args: readonly string[]
  /** What was read from it, where that has been done already. */
  readonly arguments?: Arguments
  readonly env: Variables
  /** Reads a text file of at most so many bytes; throws an Error with a `code` where it can't. */
  readonly readFile: (path: string, most: number) => string
  /** Whether everybody on this machine may read a file; in a container nobody else is there. */
  readonly isExposed?: (path: string) => boolean
}

/** The shortest poll interval, in milliseconds: the tool before took 0 and asked without a pause. */
const SHORTEST_INTERVAL = 100

/**
 * Reads all settings and reports every problem in one go: what causes others comes first, and what only follows
 * from it is left out. Nothing is sent, and no secret is in any message.
 *
 * @param purpose `diagnose` does without what only a verification needs: applications, and what they must be;
 * `describe` does without the credentials, because nobody is asked
 */
export function loadConfig(sources: Sources, purpose: 'verify' | 'diagnose' | 'describe' = 'verify'): Loaded {
  const { args, env } = sources
  const asks = purpose !== 'diagnose'
  const complaints: Complaints = { problems: [], warnings: [] }
  const { problems, warnings } = complaints
  const values = readValues(sources.arguments ?? readArguments(args), env, complaints)
  const where = resolveWhere(values, sources, complaints)
  const missing = [
    ...(where.server === undefined && !anyBroken(values, 'server', 'applications') && !where.failed
      ? [missingServer(sources)]
      : []),
    ...(asks && isWithoutApplications(values)
      ? ['ARGOCD_APP_NAME (--app), or KPCEA_SELECTOR (--selector), is missing']
      : []),
  ]
  if (missing.length > 0)
    problems.push(`ARGOCD_SERVER and ARGOCD_APP_NAME must be set: ${missing.join('; ')}`)
  const connection = resolveConnection(values, where, sources, purpose !== 'describe', complaints)
  warnOfHeaders(values, complaints)
  const target = resolveTarget(values, env, asks, complaints)
  const policy = resolvePolicy(values, complaints)
  const output = resolveOutput(values, env)
  // In a Pod, where Secrets are mounted readable by all, there is nobody else.
  const isPod = Boolean(env.KUBERNETES_SERVICE_HOST)
  for (const name of ['tokenFile', 'passwordFile', 'headersFile', 'clientKeyFile'] as const) {
    const path = values[name]
    if (path !== undefined && !isPod && sources.isExposed?.(path) === true)
      warnings.push(`${settingLabel(name)}: everybody on this machine can read ${shown(path)}; chmod 600 it`)
  }
  const { context } = where
  if (context?.token !== undefined && !isPod && sources.isExposed?.(context.file) === true)
    warnings.push(
      `${settingLabel('context')}: everybody on this machine can read ${shown(context.file)}, and the token in it; chmod 600 it`,
    )
  if (problems.length > 0 || connection === undefined || target === undefined)
    return { ok: false, problems: [...new Set(problems.map(oneLine))], output }
  const texts = new Map(values.texts)
  // What an address says in one goes into two settings; a context says where it is, too.
  if (where.server !== undefined) texts.set('server', where.server)
  const { applications } = values
  if (applications !== undefined) texts.set('applications', applications.map(formatApplication).join(','))
  return { ok: true, config: { connection, target, policy, output }, warnings: warnings.map(oneLine), texts }
}

function resolveOutput(values: Values, env: Variables): OutputOptions {
  const { NO_COLOR, FORCE_COLOR, GITHUB_STEP_SUMMARY, TERM, CI } = env
  const isPlain = TERM === 'dumb' || (CI !== undefined && !/^(?:false|0|)$/i.test(CI))
  const forced = FORCE_COLOR ? FORCE_COLOR !== '0' && FORCE_COLOR !== 'false' : undefined
  return {
    format: values.output ?? 'text',
    logFormat: values.logFormat ?? 'text',
    colour: NO_COLOR ? false : (forced ?? (isPlain ? false : undefined)),
    live: !isPlain,
    githubSummary: GITHUB_STEP_SUMMARY || undefined,
    resultFile: values.resultFile,
    terminationLog: values.terminationLog,
    detailedExitCode: values.detailedExitCode ?? false,
  }
}

function resolvePolicy(values: Values, { problems, warnings }: Complaints): Policy {
  const { timeout = 30_000, interval = 5000, stableFor = 0, failAfter = 120_000 } = values
  if (interval < SHORTEST_INTERVAL && !values.broken.has('interval'))
    warnings.push(`${settingLabel('interval')}: less than 100ms would press the server; polling each 100ms`)
  for (const name of ['syncPrune', 'syncId', 'kargoStage'] as const)
    if (values.sync !== true && values.from.has(name) && !anyBroken(values, 'sync', name))
      warnings.push(`${settingLabel(name)} is not used without ${settingLabel('sync')}, so nothing is synced`)
  if (stableFor > 0 && stableFor >= timeout && !anyBroken(values, 'stableFor', 'timeout')) {
    problems.push(
      `${settingLabel('stableFor')}: ${formatDuration(stableFor)} can never pass within the ` +
        `${formatDuration(timeout)} of ${settingLabel('timeout')}; make the timeout longer`,
    )
  }
  return {
    timeout,
    interval: Math.max(interval, SHORTEST_INTERVAL),
    stableFor,
    failAfter,
    refresh: values.refresh ?? 'normal',
    watch: values.watch ?? true,
    ...(values.sync === true
      ? { sync: { prune: values.syncPrune, id: values.syncId, stage: values.kargoStage } }
      : {}),
  }
}
