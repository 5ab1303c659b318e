/** Settings from flags and environment variables, read, checked together, and turned into what a run needs. */

import { parseServerAddress, type ServerAddress } from './address.ts'
import { parseArguments } from './arguments.ts'
import { type CliContext, readCliContext } from './cli-context.ts'
import { formatDuration } from './duration.ts'
import type { ImageReference } from './image.ts'
import { LARGEST_FILE } from './limit.ts'
import { certificatesProblem, keyProblem } from './pem.ts'
import type { WantedRevision } from './revision.ts'
import { type SettingName, type SettingValues, settingEntries, settingLabel, settings } from './settings.ts'
import { oneLine } from './text.ts'

/** How the run proves who it is. */
export type Credentials =
  | {
      readonly mode: 'TOKEN'
      readonly token: string
      /** Read again where the token is refused, because a mounted Secret may have been rotated. */
      readonly tokenFile: string | undefined
      /** The context of the argocd CLI that the token is from. */
      readonly context: string | undefined
    }
  | { readonly mode: 'LOGIN'; readonly username: string; readonly password: string }

/** What an application must be to be verified. */
export interface Wanted {
  readonly revision: WantedRevision | undefined
  /** `at-least` also takes a revision that was deployed after the wanted one. */
  readonly revisionPolicy: 'exact' | 'at-least'
  readonly images: readonly ImageReference[]
  /** Text that the synced commit's message must contain. */
  readonly commitMessage: string | undefined
  /** Accepted health statuses. */
  readonly health: readonly string[]
}

/** An application that was asked for by its name. */
export interface NamedApplication {
  readonly name: string
  readonly namespace: string | undefined
  readonly wanted: Wanted
}

/** Which applications are verified. */
export type Target = { readonly project: string | undefined } & (
  | { readonly kind: 'names'; readonly applications: readonly NamedApplication[] }
  | {
      readonly kind: 'selector'
      readonly selector: string
      readonly namespace: string | undefined
      readonly wanted: Wanted
    }
)

/** Times in milliseconds. */
export interface Policy {
  /** 0: one look. */
  readonly timeout: number
  readonly interval: number
  readonly stableFor: number
  /** `Infinity`: never give up before the deadline. */
  readonly failAfter: number
  readonly refresh: 'none' | 'normal' | 'hard'
  readonly watch: boolean
}

/** Everything needed to reach the server. */
export interface Connection {
  readonly server: ServerAddress
  readonly credentials: Credentials
  readonly insecure: boolean
  /** PEM texts. */
  readonly ca: string | undefined
  readonly clientCertificate: { readonly cert: string; readonly key: string } | undefined
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** The variable that names the proxy in between; Bun's fetch goes by it. */
  readonly proxyVariable: string | undefined
  /** Where that proxy is, where TLS is spoken to it: `https://proxy.example.com:3128`. */
  readonly secureProxy: string | undefined
}

/** Where the verdict goes. */
export interface OutputOptions {
  readonly format: 'text' | 'json'
  readonly logFormat: 'text' | 'json'
  /** `undefined`: where there is a terminal. */
  readonly colour: boolean | undefined
  /** Where GitHub Actions takes the summary of a job from. */
  readonly githubSummary: string | undefined
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
  | { readonly ok: true; readonly config: Config; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly problems: readonly string[]; readonly output: OutputOptions }

/** What the settings are read from. */
export interface Sources {
  /** The command line without the program's name. */
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** Reads a text file of at most so many bytes; throws an Error with a `code` where it can't. */
  readonly readFile: (path: string, most: number) => string
  /** Whether everybody on this machine may read a file; in a container nobody else is there. */
  readonly isExposed?: (path: string) => boolean
}

/** What can stand behind `Bearer`: a JWT is made of fewer characters still. */
const TOKEN = /^[\x21-\x7e]+$/

/** The shortest poll interval, in milliseconds: the tool before took 0 and asked without a pause. */
const SHORTEST_INTERVAL = 100

/**
 * Reads all settings and reports every problem in one go. Flags win over variables; an empty variable is an
 * unset one. Nothing is sent, and no secret is in any message.
 */
export function loadConfig(sources: Sources): Loaded {
  const { values: own, problems, warnings } = readSettings(sources)
  const { values, context } = withCliContext(own, sources, problems)
  if (context !== undefined)
    warnings.push(`using context ${context.name} of the argocd CLI (${context.file}): ${context.server}`)
  const connection = resolveConnection(values, context, sources, problems)
  if (values.from.get('headers') === 'flag')
    for (const [name] of (values.headers ?? []).filter(looksSecret))
      warnings.push(
        `${settingLabel('headers')}: the value of ${name} looks like a secret, and command lines can be read by others; ` +
          `set ${settingLabel('headersFile')}, or KPCEA_HEADERS`,
      )
  const target = resolveTarget(values, problems, warnings)
  const policy = resolvePolicy(values, problems, warnings)
  const { NO_COLOR, FORCE_COLOR, GITHUB_STEP_SUMMARY } = sources.env
  const output: OutputOptions = {
    format: values.output ?? 'text',
    logFormat: values.logFormat ?? 'text',
    colour: NO_COLOR ? false : FORCE_COLOR ? FORCE_COLOR !== '0' && FORCE_COLOR !== 'false' : undefined,
    githubSummary: GITHUB_STEP_SUMMARY || undefined,
    resultFile: values.resultFile,
    terminationLog: values.terminationLog,
    detailedExitCode: values.detailedExitCode ?? false,
  }
  // In a Pod, where Secrets are mounted readable by all, there is nobody else.
  const isPod = Boolean(sources.env.KUBERNETES_SERVICE_HOST)
  for (const name of ['tokenFile', 'passwordFile', 'headersFile', 'clientKeyFile'] as const) {
    const path = values[name]
    if (path !== undefined && !isPod && sources.isExposed?.(path) === true)
      warnings.push(`${settingLabel(name)}: everybody on this machine can read ${shown(path)}; chmod 600 it`)
  }
  if (context?.token !== undefined && !isPod && sources.isExposed?.(context.file) === true)
    warnings.push(
      `${settingLabel('context')}: everybody on this machine can read ${shown(context.file)}, and the token in it; chmod 600 it`,
    )
  if (problems.length > 0 || connection === undefined || target === undefined)
    return { ok: false, problems: [...new Set(problems.map(oneLine))], output }
  return {
    ok: true,
    config: { connection, target, policy, output },
    warnings: warnings.map(oneLine),
  }
}

/** Names of headers that carry secrets, and values that are made as secrets are. */
const SECRET_NAME = /auth|token|secret|passw|key|cookie|session|credential|jwt|assertion/i
const SECRET_VALUE = /^(?:bearer|basic|token) |^[\w+/=.~-]{20,}$/i

function looksSecret([name, value]: readonly [name: string, value: string]): boolean {
  return SECRET_NAME.test(name) || SECRET_VALUE.test(value)
}

/** The settings as read; one that could not be read is absent, and `broken` knows it. */
type Values = { readonly [K in SettingName]?: SettingValues[K] | undefined } & {
  readonly broken: ReadonlySet<SettingName>
  /** Where a value came from. */
  readonly from: ReadonlyMap<SettingName, 'flag' | 'variable'>
}

function readSettings({ args, env }: Sources) {
  const { given, problems: argumentProblems } = parseArguments(args)
  const problems = [...argumentProblems]
  const warnings: string[] = []
  const broken = new Set<SettingName>()
  const from = new Map<SettingName, 'flag' | 'variable'>()
  const read: Partial<Record<SettingName, unknown>> = {}
  for (const [name, setting] of settingEntries) {
    const flags = given.get(name)
    const variable = setting.variables.map((v) => env[v]).find((v) => v !== undefined && v.trim() !== '')
    const raw = flags?.join(name === 'headers' ? '\n' : ',') ?? variable ?? setting.default
    if (raw === undefined) continue
    if (flags !== undefined) from.set(name, 'flag')
    else if (variable !== undefined) from.set(name, 'variable')
    const parsed = setting.schema.safeParse(raw)
    if (parsed.success) {
      read[name] = parsed.data
      const misread = misreading(name, raw.trim())
      if (misread !== undefined) warnings.push(misread)
    } else {
      broken.add(name)
      const complaint = parsed.error.issues[0]?.message ?? 'cannot be read'
      problems.push(`${settingLabel(name)}: ${setting.secret === true ? '' : `${shown(raw)} `}${complaint}`)
    }
  }
  return { values: { ...read, broken, from } as Values, problems, warnings }
}

/** Values that the tool before took for something else without a word; here they mean the same, with one. */
function misreading(name: SettingName, raw: string): string | undefined {
  if (name === 'verifyMode' && raw !== 'EXACT' && raw !== 'SEARCH_COMMIT_MSG')
    return `${settingLabel(name)}: ${shown(raw)} is no mode; verifying in mode EXACT`
  if (name === 'insecure' && raw !== 'true' && raw !== 'false')
    return `${settingLabel(name)}: only "true" means true; ${shown(raw)} means false, certificates are verified`
  return undefined
}

const LONGEST_SHOWN = 120

function shown(raw: string): string {
  return JSON.stringify(raw.length > LONGEST_SHOWN ? `${raw.slice(0, LONGEST_SHOWN)}…` : raw)
}

/** Where no server is set, or a context is asked for, the argocd CLI's configuration says where to go. */
function withCliContext(values: Values, sources: Sources, problems: string[]) {
  const { context: name, server } = values
  if (server !== undefined && name !== undefined)
    problems.push(
      `${settingLabel('context')} and ${settingLabel('server')} exclude each other; give one of them`,
    )
  if (server !== undefined) return { values, context: undefined }
  try {
    const context = readCliContext(name, sources)
    if (context === undefined) return { values, context }
    const { insecure, plaintext } = context
    const taken: Values = {
      ...values,
      server: context.server,
      insecure: values.from.has('insecure') ? values.insecure : insecure,
      plaintext: values.from.has('plaintext') ? values.plaintext : plaintext,
    }
    return { values: taken, context }
  } catch (error) {
    problems.push(`${settingLabel('context')}: ${error instanceof Error ? error.message : String(error)}`)
    return { values, context: undefined }
  }
}

type FileSetting =
  | 'caFile'
  | 'clientCertFile'
  | 'clientKeyFile'
  | 'tokenFile'
  | 'passwordFile'
  | 'headersFile'

function resolveConnection(
  values: Values,
  context: CliContext | undefined,
  { env, readFile }: Sources,
  problems: string[],
): Connection | undefined {
  const complain = (name: SettingName, message: string) => problems.push(`${settingLabel(name)}: ${message}`)
  const file = (name: FileSetting) => {
    const path = values[name]
    if (path === undefined) return undefined
    try {
      const content = readFile(path, name === 'caFile' ? LARGEST_FILE.pem : LARGEST_FILE.secret)
      if (content.trim() !== '') return content
      complain(name, `${shown(path)} is empty`)
    } catch (error) {
      complain(name, `${shown(path)} cannot be read (${errorCode(error)})`)
    }
    return undefined
  }
  const pem = (
    name: 'caFile' | 'clientCertFile' | 'clientKeyFile',
    problemOf: (content: string) => string | undefined,
  ) => {
    const content = file(name)
    const problem = content === undefined ? undefined : problemOf(content)
    if (problem === undefined) return content
    complain(name, `${shown(values[name] ?? '')} ${problem}`)
    return undefined
  }

  let server: ServerAddress | undefined
  if (values.server !== undefined) {
    try {
      server = parseServerAddress(values.server, values.plaintext ?? false)
    } catch (error) {
      complain('server', error instanceof Error ? error.message : String(error))
    }
  }
  const credentials = resolveCredentials(values, context, file, problems)
  const headersText = file('headersFile')
  const fromFile = headersText === undefined ? undefined : settings.headers.schema.safeParse(headersText)
  if (fromFile?.success === false)
    complain(
      'headersFile',
      `${shown(values.headersFile ?? '')} ${fromFile.error.issues[0]?.message ?? 'cannot be read'}`,
    )
  const headersFromFile = fromFile?.success === true ? fromFile.data : []
  const ca = pem('caFile', certificatesProblem)
  const cert = pem('clientCertFile', certificatesProblem)
  const key = pem('clientKeyFile', (content) => keyProblem(content, cert))
  const broken = context === undefined ? undefined : contextProblem(context)
  if (broken !== undefined) complain('context', broken)
  for (const [one, other] of [
    ['clientCertFile', 'clientKeyFile'],
    ['clientKeyFile', 'clientCertFile'],
  ] as const) {
    if (values[one] !== undefined && values[other] === undefined && !values.broken.has(other))
      complain(one, `needs ${settingLabel(other)} beside it`)
  }
  if (server === undefined || credentials === undefined) return undefined
  const variable = proxyVariable(server, env)
  const proxy = variable === undefined ? null : URL.parse(env[variable] ?? '')
  return {
    server,
    credentials,
    insecure: values.insecure ?? false,
    ca: ca ?? context?.ca,
    clientCertificate: cert !== undefined && key !== undefined ? { cert, key } : context?.clientCertificate,
    headers: [...(values.headers ?? []), ...headersFromFile],
    proxyVariable: variable,
    secureProxy: proxy?.protocol === 'https:' ? proxy.origin : undefined,
  }
}

/** What is wrong with the certificates of a context of the argocd CLI. */
function contextProblem({ name, ca, clientCertificate }: CliContext): string | undefined {
  const problems = [
    ['certificate-authority-data', ca === undefined ? undefined : certificatesProblem(ca)],
    ['client-certificate-data', clientCertificate && certificatesProblem(clientCertificate.cert)],
    [
      'client-certificate-key-data',
      clientCertificate && keyProblem(clientCertificate.key, clientCertificate.cert),
    ],
  ] as const
  const [field, problem] = problems.find(([, problem]) => problem !== undefined) ?? []
  return problem === undefined ? undefined : `the ${field} of context ${name} ${problem}; run argocd login`
}

/** Which variable sends requests to a proxy; only messages depend on it. */
function proxyVariable({ origin, loopback }: ServerAddress, env: Sources['env']): string | undefined {
  // What stays on this machine goes to no proxy.
  if (loopback) return undefined
  const { protocol, hostname, host } = new URL(origin)
  const names =
    protocol === 'https:'
      ? ['HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy']
      : ['HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy']
  const exempt = (env.NO_PROXY || env.no_proxy || '')
    .split(',')
    .map((entry) => entry.trim().replace(/^\./, ''))
  const isExempt = exempt.some(
    (entry) => entry !== '' && (entry === '*' || entry === host || `.${hostname}`.endsWith(`.${entry}`)),
  )
  return isExempt ? undefined : names.find((name) => env[name])
}

function resolveCredentials(
  values: Values,
  context: CliContext | undefined,
  file: (name: 'tokenFile' | 'passwordFile') => string | undefined,
  problems: string[],
): Credentials | undefined {
  // Flags win over variables, so a file named by a flag wins over a secret in a variable.
  const useTokenFile =
    values.tokenFile !== undefined && (values.token === undefined || values.from.get('tokenFile') === 'flag')
  if (useTokenFile || values.token !== undefined) {
    const token = useTokenFile ? file('tokenFile')?.trim() : values.token
    if (token === undefined) return undefined
    if (!TOKEN.test(token)) {
      const name = useTokenFile ? 'tokenFile' : 'token'
      problems.push(
        `${settingLabel(name)}: holds white space or characters that no token has; check how it was copied`,
      )
      return undefined
    }
    return {
      mode: 'TOKEN',
      token,
      tokenFile: useTokenFile ? values.tokenFile : undefined,
      context: undefined,
    }
  }
  const usePasswordFile =
    values.passwordFile !== undefined &&
    (values.password === undefined || values.from.get('passwordFile') === 'flag')
  const password = usePasswordFile ? file('passwordFile')?.replace(/\r?\n$/, '') : values.password
  if (values.username !== undefined && password !== undefined)
    return { mode: 'LOGIN', username: values.username, password }
  if (values.username !== undefined && usePasswordFile) return undefined
  if (context?.token !== undefined && values.username === undefined) {
    if (TOKEN.test(context.token))
      return { mode: 'TOKEN', token: context.token, tokenFile: undefined, context: context.name }
    problems.push(
      `${settingLabel('context')}: the token of context ${context.name} is none; run argocd login`,
    )
    return undefined
  }
  problems.push(
    'ARGOCD_API_USERNAME and ARGOCD_API_PASSWORD must be set for LOGIN mode; ' +
      'or set ARGOCD_API_TOKEN, or ARGOCD_API_TOKEN_FILE (--token-file), for TOKEN mode',
  )
  return undefined
}

function resolveTarget(values: Values, problems: string[], warnings: string[]): Target | undefined {
  const missing = [
    ...(values.server === undefined ? ['ARGOCD_SERVER (--server) is missing'] : []),
    ...(values.applications === undefined &&
    values.selector === undefined &&
    !anyBroken(values, 'applications', 'selector')
      ? ['ARGOCD_APP_NAME (--app), or KPCEA_SELECTOR (--selector), is missing']
      : []),
  ]
  if (missing.length > 0)
    problems.unshift(`ARGOCD_SERVER and ARGOCD_APP_NAME must be set: ${missing.join('; ')}`)
  if (values.applications !== undefined && values.selector !== undefined)
    problems.push(
      `${settingLabel('applications')} and ${settingLabel('selector')} exclude each other; give one of them`,
    )

  const search = values.verifyMode === 'SEARCH_COMMIT_MSG'
  if (search && values.commitMessage === undefined)
    problems.push(
      'KPCEA_SEARCH_COMMIT_MSG must be set for verification mode SEARCH_COMMIT_MSG: give the text to search for (--commit-message)',
    )
  const applications = values.applications ?? []
  const withoutRevision = applications.filter(({ revision }) => revision === undefined)
  if (
    !search &&
    values.revision === undefined &&
    values.images === undefined &&
    !anyBroken(values, 'revision', 'images', 'applications') &&
    (withoutRevision.length > 0 || applications.length === 0)
  ) {
    const which =
      withoutRevision.length < applications.length
        ? ` (for ${withoutRevision.map((a) => a.name).join(', ')})`
        : ''
    problems.push(
      `KPCEA_TARGET_REVISION must be set for verification mode EXACT${which}: give the promoted revision (--revision), ` +
        'or images (KPCEA_TARGET_IMAGES, --image)',
    )
  }
  if (search && values.revision !== undefined)
    warnings.push(`${settingLabel('revision')} is not used in verification mode SEARCH_COMMIT_MSG`)
  if (!search && values.commitMessage !== undefined)
    warnings.push(`${settingLabel('commitMessage')} is not used in verification mode EXACT`)

  const wanted: Wanted = {
    revision: search ? undefined : values.revision,
    revisionPolicy: values.revisionPolicy ?? 'exact',
    images: values.images ?? [],
    commitMessage: search ? values.commitMessage : undefined,
    health: values.health ?? ['Healthy'],
  }
  if (values.selector !== undefined)
    return {
      kind: 'selector',
      selector: values.selector,
      namespace: values.appNamespace,
      project: values.project,
      wanted,
    }
  const named = new Map<string, NamedApplication>()
  for (const { name, namespace = values.appNamespace, revision } of applications) {
    const key = `${namespace ?? ''}/${name}`
    const application = { name, namespace, wanted: { ...wanted, revision: revision ?? wanted.revision } }
    const before = named.get(key)
    if (before !== undefined && JSON.stringify(before) !== JSON.stringify(application))
      problems.push(`${settingLabel('applications')}: ${name} is named twice with different revisions`)
    named.set(key, application)
  }
  if (named.size === 0) return undefined
  return { kind: 'names', applications: [...named.values()], project: values.project }
}

function resolvePolicy(values: Values, problems: string[], warnings: string[]): Policy {
  const { timeout = 30_000, interval = 5000, stableFor = 0, failAfter = 120_000 } = values
  if (interval < SHORTEST_INTERVAL && !values.broken.has('interval'))
    warnings.push(`${settingLabel('interval')}: less than 100ms would press the server; polling each 100ms`)
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
  }
}

function anyBroken(values: Values, ...names: SettingName[]): boolean {
  return names.some((name) => values.broken.has(name))
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
}
