/** What can go wrong between here and the server, sorted by what it means for the run. */

import { COMMON_NAME_ONLY } from './certificate.ts'
import { MOST_APPLICATIONS } from './promises.ts'

/** Why the server could not be asked; or why, though it could, nothing was started: the owner has not said so. */
export type FailureReason =
  | 'Unreachable'
  | 'Unauthorized'
  | 'InvalidSettings'
  | 'NotArgoCD'
  | 'StageNotAuthorized'

interface FailureOptions {
  readonly fatal?: boolean
  readonly isMistake?: boolean
  readonly retryAfter?: number | undefined
  readonly certificateCode?: string
}

/** A request that brought no usable answer; its message is a sentence for a person and holds no secret. */
export class RequestFailure extends Error {
  override readonly name: string = 'RequestFailure'
  readonly reason: FailureReason
  /** Trying again cannot help: refused credentials, a bad certificate, a rejected request. */
  readonly fatal: boolean
  /** Where no answer ever came before, it is a mistake in the settings far more often than an outage. */
  readonly isMistake: boolean
  /** How long the server asked to be left alone, in milliseconds. */
  readonly retryAfter: number | undefined
  /** What the handshake said of a certificate that does not verify. */
  readonly certificateCode: string | undefined

  constructor(reason: FailureReason, message: string, options: FailureOptions = {}) {
    super(message)
    this.reason = reason
    this.fatal = options.fatal ?? false
    this.isMistake = options.isMistake ?? reason === 'NotArgoCD'
    this.retryAfter = options.retryAfter
    this.certificateCode = options.certificateCode
  }
}

/** More applications match a selector than one run verifies: as good as a setting that cannot be used. */
export class TooManyApplications extends RequestFailure {
  constructor() {
    super(
      'InvalidSettings',
      `KPCEA_SELECTOR (--selector) matches more than ${MOST_APPLICATIONS} applications, which is more than one run verifies; narrow it, and verify the rest in runs of their own`,
      { fatal: true },
    )
  }
}

/** What a request threw, as a failure; anything else than a failure is nobody's expectation, and tried again. */
export function asFailure(error: unknown): RequestFailure {
  return error instanceof RequestFailure ? error : new RequestFailure('Unreachable', String(error))
}

/** How long the server asked to be left alone, in milliseconds, where a request failed so. */
export function retryAfterOf(error: unknown): number | undefined {
  return error instanceof RequestFailure ? error.retryAfter : undefined
}

/** The codes that OpenSSL and Bun give to a certificate that does not verify. */
const CERTIFICATE_CODE =
  /CERT|ISSUER|CRL|SIGNATURE|CA_KEY|INVALID_PURPOSE|INVALID_CA|PATH_LENGTH|HOSTNAME_MISMATCH/

/** The codes of a certificate whose authority is not among those that are trusted. */
const UNKNOWN_AUTHORITY: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

/** Whether a request failed because the authority that signed the server's certificate is not trusted. */
export function isUnknownAuthority(error: unknown): boolean {
  return UNKNOWN_AUTHORITY.has(codeOf(error))
}

const NETWORK_PROBLEMS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refuses connections; check the host and the port',
  ConnectionRefused: 'refuses connections; check the host and the port',
  ENOTFOUND: 'is not a name that DNS knows; check ARGOCD_SERVER (--server)',
  EAI_AGAIN: 'could not be looked up in DNS',
  ETIMEDOUT: 'did not accept the connection in time',
  EHOSTUNREACH: 'cannot be reached from here (no route)',
  ENETUNREACH: 'cannot be reached from here (no route)',
  EPROTO:
    'does not speak TLS on this port; check the port, set KPCEA_PLAINTEXT=true (--plaintext) for plain HTTP, or KPCEA_CLIENT_CERT_FILE (--client-cert-file) where it wants a certificate of clients',
}

/** Where these stand in the way, nothing of a request has left: no connection, or none that could be trusted. */
const NEVER_SENT: ReadonlySet<string> = new Set([
  ...['ECONNREFUSED', 'ConnectionRefused', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'],
  ...['ERR_PROXY_TUNNEL', 'EPROTO'],
])

/** Whether a request failed before anything of it could be heard. */
export function wasNeverSent(error: unknown): boolean {
  const code = codeOf(error)
  return NEVER_SENT.has(code) || CERTIFICATE_CODE.test(code)
}

/** No such name, nothing that listens there, something that does not speak TLS: typos, far more often than outages. */
const MISTAKES: ReadonlySet<string> = new Set(['ENOTFOUND', 'ECONNREFUSED', 'ConnectionRefused', 'EPROTO'])

/** A connection that ends early may mean the other protocol. */
const CLOSED = 'closed the connection before it answered in full; if that stays so, check the port, and '
const CLOSED_TLS = `${CLOSED}whether it speaks TLS there (KPCEA_PLAINTEXT=true, --plaintext, for plain HTTP)`
const CLOSED_PLAIN = `${CLOSED}use https:// in ARGOCD_SERVER (--server), without KPCEA_PLAINTEXT (--plaintext), where it speaks TLS there`

/** What keeps a connection from being made at all; where there is a proxy, it is the proxy's. */
const CONNECTING: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ConnectionRefused',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
])

/** How a request travels, as far as what can go wrong depends on it. */
export interface Way {
  /** The variable that names the proxy in between. */
  readonly proxyVariable: string | undefined
  readonly server: { readonly origin: string }
}

/**
 * Sorts what `fetch` threw.
 *
 * @param host the server as a person wrote it
 */
export function networkFailure(error: unknown, host: string, way?: Way): RequestFailure {
  if (error instanceof RequestFailure) return error
  const code = codeOf(error)
  if (CERTIFICATE_CODE.test(code))
    return certificateFailure({ who: host, address: 'ARGOCD_SERVER (--server)', code })
  const { proxyVariable } = way ?? {}
  if (proxyVariable !== undefined && (CONNECTING.has(code) || code === 'ERR_PROXY_TUNNEL'))
    return proxyFailure(error, code, host, proxyVariable)
  const through = throughProxy(proxyVariable)
  if (error instanceof Error && error.name === 'TimeoutError')
    return new RequestFailure('Unreachable', silenceOf(host, proxyVariable))
  const closed = way?.server.origin.startsWith('http:') === true ? CLOSED_PLAIN : CLOSED_TLS
  const what =
    (code === 'ECONNRESET' ? closed : NETWORK_PROBLEMS[code]) ??
    `cannot be asked (${code || (error instanceof Error ? error.message : String(error))})`
  return new RequestFailure('Unreachable', `${host} ${what}${through}`, { isMistake: MISTAKES.has(code) })
}

/** What is said of a request that took too long. */
export function silenceOf(host: string, proxyVariable?: string): string {
  return `${host} did not answer in time${throughProxy(proxyVariable)}`
}

function throughProxy(variable: string | undefined): string {
  return variable === undefined ? '' : `; it was asked through the proxy in ${variable}`
}

/** A proxy that is not there, or lets nothing through: the server behind it was never asked. */
function proxyFailure(error: unknown, code: string, host: string, variable: string): RequestFailure {
  const wayOut = `put ${hostnameOf(host)} into NO_PROXY where none is needed`
  if (code !== 'ERR_PROXY_TUNNEL') {
    const what = code === 'ENOTFOUND' ? 'is not a name that DNS knows' : NETWORK_PROBLEMS[code]
    return new RequestFailure(
      'Unreachable',
      `the proxy in ${variable} ${what?.split(';', 1)[0]}, so ${host} was not asked; check ${variable}, or ${wayOut}`,
      { isMistake: MISTAKES.has(code) },
    )
  }
  const status = /\b([45]\d\d)\b/.exec(error instanceof Error ? error.message : '')?.[1]
  const advice =
    status === '407'
      ? `put its user and password into ${variable}`
      : 'it may not reach that, or not permit it'
  return new RequestFailure(
    'Unreachable',
    `the proxy in ${variable} opens no tunnel to ${host}${status === undefined ? '' : ` (${status})`}; ${advice}, or ${wayOut}`,
  )
}

function hostnameOf(host: string): string {
  return URL.parse(`https://${host}`)?.hostname ?? host
}

/** A certificate that does not verify. */
export interface BadCertificate {
  /** Who showed it, as a person would say it. */
  readonly who: string
  /** The setting that says where that is. */
  readonly address: string
  readonly code: string
  /** A clause that says what is wrong with it, where that is known better than by the code. */
  readonly what?: string | undefined
}

/** A certificate that does not verify, as a failure. */
export function certificateFailure({
  who,
  address,
  code,
  what = certificateProblem(code),
}: BadCertificate): RequestFailure {
  const insecure = WITHOUT_VERIFICATION.test(code)
    ? ', or set KPCEA_INSECURE=true (--insecure), which verifies nothing'
    : ''
  return new RequestFailure(
    'Unreachable',
    `the certificate of ${who} ${what}; ${wayOut(code, what, address)}${insecure}`,
    { fatal: true, certificateCode: code },
  )
}

/** What is a matter of verification only, and would be passed over without it. */
const WITHOUT_VERIFICATION =
  /^(?:CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_CA$|INVALID_PURPOSE$|PATH_LENGTH_|HOSTNAME_MISMATCH$|ERR_TLS_CERT_ALTNAME)/

function wayOut(code: string, what: string, address: string): string {
  if (/expired|valid before/.test(what)) return 'it must be renewed, and the clocks of both sides be right'
  if (/other names/.test(what)) return `use a name that it holds in ${address}`
  if (code === COMMON_NAME_ONLY) return 'it must be made anew with its names as subject alternative names'
  if (code === 'INVALID_PURPOSE') return 'it must be made anew for servers (extended key usage serverAuth)'
  return 'trust it, or the authority that signed it, with KPCEA_CA_FILE (--ca-file)'
}

function certificateProblem(code: string): string {
  if (code === 'CERT_HAS_EXPIRED') return 'has expired'
  if (code === 'DEPTH_ZERO_SELF_SIGNED_CERT') return 'is self-signed'
  if (code === COMMON_NAME_ONLY) return 'names its host as common name only, which counts no more'
  if (code === 'INVALID_PURPOSE') return 'is not for servers, but for clients or something else'
  if (/ALTNAME|HOSTNAME/.test(code)) return 'is for other names'
  return UNKNOWN_AUTHORITY.has(code)
    ? 'is signed by an authority that is not known here'
    : `does not verify (${code})`
}

function codeOf(error: unknown): string {
  for (let e = error; e instanceof Error; e = e.cause)
    if ('code' in e && typeof e.code === 'string') return e.code
  return ''
}
