/** How the server is reached, and who asks: from settings, an address of an application, or the argocd CLI's contexts. */

import type { Connection, Credentials } from './access.ts'
import { parseServerAddress, type ServerAddress, sameServer } from './address.ts'
import { type CliContext, contextFor, listContexts, readCliContext } from './cli-context.ts'
import { LARGEST_FILE } from './limit.ts'
import { certificatesProblem, keyProblem } from './pem.ts'
import { type ProxyInBetween, proxyOf } from './proxy.ts'
import { type SettingName, settingLabel, settings } from './settings.ts'
import { anyBroken, type Complaints, shown, type Values, type Variables } from './values.ts'

/** What a connection is read from besides the settings. */
export interface ConnectionSources {
  readonly env: Variables
  /** Reads a text file of at most so many bytes; throws an Error with a `code` where it can't. */
  readonly readFile: (path: string, most: number) => string
}

/** Where to go, as text, and the context of the argocd CLI that says so, or that has been logged in there. */
export interface Where {
  readonly server: string | undefined
  readonly context: CliContext | undefined
  /** Whether a context that should say so could not be used; what is missing then follows from that. */
  readonly failed: boolean
}

const NOBODY: Credentials = { mode: 'TOKEN', token: '', tokenFile: undefined, context: undefined }

/** What can stand behind `Bearer`: a JWT is made of fewer characters still. */
const TOKEN = /^[\x21-\x7e]+$/

/**
 * Where to go: what is set; what the address of an application says; or else a context of the argocd CLI.
 *
 * A context that is logged in at the server of an address brings its token.
 */
export function resolveWhere(values: Values, sources: ConnectionSources, complaints: Complaints): Where {
  const { problems } = complaints
  const { context: name } = values
  const addressed = serverOfAddresses(values, problems)
  const server = values.server ?? addressed
  if (values.server !== undefined) {
    if (name !== undefined)
      problems.push(
        `${settingLabel('context')} and ${settingLabel('server')} exclude each other; give one of them`,
      )
    return { server, context: undefined, failed: false }
  }
  try {
    const hasCredentials =
      values.token !== undefined || values.tokenFile !== undefined || values.username !== undefined
    const context =
      addressed === undefined || name !== undefined
        ? readCliContext(name, sources)
        : hasCredentials
          ? undefined
          : contextFor(addressed, sources)
    if (context !== undefined && addressed !== undefined && !sameServer(addressed, context.server))
      throw new Error(
        `${shown(context.name)} is logged in at ${context.server}, while ${settingLabel('applications')} has an address at ${addressed}; give one of them`,
      )
    if (context !== undefined)
      complaints.warnings.push(
        `using context ${context.name} of the argocd CLI (${context.file}): ${context.server}`,
      )
    return { server: addressed ?? context?.server, context, failed: false }
  } catch (error) {
    problems.push(`${settingLabel('context')}: ${sentence(error)}`)
    return { server: addressed, context: undefined, failed: true }
  }
}

/** The one server that the addresses of applications name. */
function serverOfAddresses(values: Values, problems: string[]): string | undefined {
  const servers = (values.applications ?? []).flatMap(({ server }) => server ?? [])
  const [first] = servers
  const other = servers.find((one) => first !== undefined && !sameServer(one, first))
  if (first !== undefined && other !== undefined)
    problems.push(
      `${settingLabel('applications')}: has addresses at ${first} and at ${other}; a run asks one server, so verify them one after the other`,
    )
  if (first !== undefined && values.server !== undefined && !sameServer(first, values.server))
    problems.push(
      `${settingLabel('applications')}: has an address at ${first}, while ${settingLabel('server')} says another server; leave one of them out`,
    )
  return first
}

/** What to say where no server is known: the contexts that could be used, if there are any. */
export function missingServer(sources: ConnectionSources): string {
  const names = listContexts(sources)
  return names.length === 0
    ? 'ARGOCD_SERVER (--server) is missing'
    : `ARGOCD_SERVER (--server) is missing, or a context of the argocd CLI (--context ${names.join(' or ')})`
}

function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/**
 * What is needed to reach the server.
 *
 * @param needsCredentials whether somebody is asked; otherwise they may be missing
 * @returns `undefined` where something is missing or wrong, which the complaints say
 */
export function resolveConnection(
  values: Values,
  { server: text, context, failed }: Where,
  { env, readFile }: ConnectionSources,
  needsCredentials: boolean,
  complaints: Complaints,
): Connection | undefined {
  const complain = (name: SettingName, message: string) =>
    complaints.problems.push(`${settingLabel(name)}: ${message}`)
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

  const fromContext = (name: 'insecure' | 'plaintext') =>
    (values.from.has(name) ? values[name] : (context?.[name] ?? values[name])) ?? false
  // The scheme of an address says it better than a context does.
  const plaintext =
    (fromContext('plaintext') && !(text ?? '').toLowerCase().startsWith('https:')) ||
    (values.from.has('plaintext') && values.plaintext === true)
  const insecure = fromContext('insecure')
  let server: ServerAddress | undefined
  let proxy: ProxyInBetween | undefined
  if (text !== undefined) {
    try {
      server = parseServerAddress(text, plaintext, values.server === undefined)
    } catch (error) {
      complain(
        values.server === undefined && context === undefined ? 'applications' : 'server',
        sentence(error),
      )
    }
  }
  try {
    proxy = server === undefined ? undefined : proxyOf(server, env)
  } catch (error) {
    complaints.problems.push(sentence(error))
  }
  const credentials =
    resolveCredentials(values, context, file, failed || !needsCredentials, complaints) ??
    (needsCredentials ? undefined : NOBODY)
  const headers = [...(values.headers ?? []), ...headersOf(file('headersFile'))]
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
  return {
    server,
    credentials,
    insecure,
    ca: ca ?? context?.ca,
    clientCertificate: cert !== undefined && key !== undefined ? { cert, key } : context?.clientCertificate,
    headers,
    proxyVariable: proxy?.variable,
    proxyAddress: proxy?.address,
    secureProxy: proxy?.address.startsWith('https:') === true ? proxy.address : undefined,
  }

  function headersOf(content: string | undefined) {
    if (content === undefined) return []
    const parsed = settings.headers.schema().safeParse(content)
    if (parsed.success) return parsed.data
    const problem = parsed.error.issues[0]?.message ?? 'cannot be read'
    complain('headersFile', `${shown(values.headersFile ?? '')} ${problem}`)
    return []
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

/** Names of headers that carry secrets, and values that are made as secrets are. */
const SECRET_NAME = /auth|token|secret|passw|key|cookie|session|credential|jwt|assertion/i
const SECRET_VALUE = /^(?:bearer|basic|token) |^[\w+/=.~-]{20,}$/i

/** Warns of headers that others can read on the command line. */
export function warnOfHeaders(values: Values, { warnings }: Complaints): void {
  if (values.from.get('headers') !== 'flag') return
  for (const [name, value] of values.headers ?? [])
    if (SECRET_NAME.test(name) || SECRET_VALUE.test(value))
      warnings.push(
        `${settingLabel('headers')}: the value of ${name} looks like a secret, and command lines can be read by others; ` +
          `set ${settingLabel('headersFile')}, or KPCEA_HEADERS`,
      )
}

type FileSetting =
  | 'caFile'
  | 'clientCertFile'
  | 'clientKeyFile'
  | 'tokenFile'
  | 'passwordFile'
  | 'headersFile'

function resolveCredentials(
  values: Values,
  context: CliContext | undefined,
  file: (name: 'tokenFile' | 'passwordFile') => string | undefined,
  mayBeMissing: boolean,
  { problems }: Complaints,
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
  // Where a slip was meant for one of them, or for what brings them, that they are missing is its consequence.
  const bringing = [
    'token',
    'tokenFile',
    'username',
    'password',
    'passwordFile',
    'context',
    'server',
  ] as const
  if (mayBeMissing || anyBroken(values, ...bringing)) return undefined
  problems.push(
    'ARGOCD_API_USERNAME and ARGOCD_API_PASSWORD must be set for LOGIN mode; ' +
      'or set ARGOCD_API_TOKEN, or ARGOCD_API_TOKEN_FILE (--token-file), for TOKEN mode',
  )
  return undefined
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
}
