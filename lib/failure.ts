/** What can go wrong between here and the server, sorted by what it means for the run. */

/** Why the server could not be asked. */
export type FailureReason = 'Unreachable' | 'Unauthorized' | 'InvalidSettings' | 'NotArgoCD'

/** A request that brought no usable answer; its message is a sentence for a person and holds no secret. */
export class RequestFailure extends Error {
  override readonly name = 'RequestFailure'
  readonly reason: FailureReason
  /** Trying again cannot help: refused credentials, a bad certificate, a rejected request. */
  readonly fatal: boolean
  /** How long the server asked to be left alone, in milliseconds. */
  readonly retryAfter: number | undefined

  constructor(
    reason: FailureReason,
    message: string,
    { fatal = false, retryAfter }: { fatal?: boolean; retryAfter?: number | undefined } = {},
  ) {
    super(message)
    this.reason = reason
    this.fatal = fatal
    this.retryAfter = retryAfter
  }
}

/** Certificates that do not verify, by OpenSSL's code: what is wrong, and the way out. */
const CERTIFICATE_PROBLEMS: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: 'is self-signed; trust it with KPCEA_CA_FILE (--ca-file)',
  SELF_SIGNED_CERT_IN_CHAIN:
    'is signed by an authority that is not known here; name it with KPCEA_CA_FILE (--ca-file)',
  UNABLE_TO_GET_ISSUER_CERT:
    'is signed by an authority that is not known here; name it with KPCEA_CA_FILE (--ca-file)',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    'is signed by an authority that is not known here; name it with KPCEA_CA_FILE (--ca-file)',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'is signed by an authority that is not known here; name it with KPCEA_CA_FILE (--ca-file)',
  CERT_HAS_EXPIRED: 'has expired; it must be renewed',
  CERT_NOT_YET_VALID: 'is not valid yet; check the clocks of both sides',
  ERR_TLS_CERT_ALTNAME_INVALID:
    'is for another host name; use a name that it holds in ARGOCD_SERVER (--server)',
  HOSTNAME_MISMATCH: 'is for another host name; use a name that it holds in ARGOCD_SERVER (--server)',
  CERT_REVOKED: 'is revoked; it must be renewed',
}

const INSECURE_HINT = 'or set KPCEA_INSECURE=true (--insecure), which verifies nothing'

/** Any other code that OpenSSL gives to a certificate that it does not take. */
const CERTIFICATE_CODE = /CERT|ISSUER|CRL|SIGNATURE|CA_KEY|INVALID_PURPOSE|INVALID_CA|PATH_LENGTH/

const NETWORK_PROBLEMS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refuses connections; check the host and the port',
  ConnectionRefused: 'refuses connections; check the host and the port',
  ECONNRESET: 'closed the connection before it answered in full',
  ENOTFOUND: 'is not a name that DNS knows; check ARGOCD_SERVER (--server)',
  EAI_AGAIN: 'could not be looked up in DNS',
  ETIMEDOUT: 'did not accept the connection in time',
  EHOSTUNREACH: 'cannot be reached from here (no route)',
  ENETUNREACH: 'cannot be reached from here (no route)',
  EPROTO:
    'does not speak TLS on this port; check the port, or set KPCEA_PLAINTEXT=true (--plaintext) for plain HTTP',
}

/**
 * Sorts what `fetch` threw.
 *
 * @param host the server as a person wrote it
 */
export function networkFailure(error: unknown, host: string): RequestFailure {
  if (error instanceof RequestFailure) return error
  const code = codeOf(error)
  const certificate = CERTIFICATE_PROBLEMS[code]
  if (certificate !== undefined || CERTIFICATE_CODE.test(code)) {
    const what = certificate ?? `does not verify (${code})`
    return new RequestFailure('Unreachable', `the certificate of ${host} ${what}, ${INSECURE_HINT}`, {
      fatal: true,
    })
  }
  if (error instanceof Error && error.name === 'TimeoutError')
    return new RequestFailure('Unreachable', `${host} did not answer in time`)
  const what =
    NETWORK_PROBLEMS[code] ??
    `cannot be asked (${code || (error instanceof Error ? error.message : String(error))})`
  return new RequestFailure('Unreachable', `${host} ${what}`)
}

function codeOf(error: unknown): string {
  for (let e = error; e instanceof Error; e = e.cause)
    if ('code' in e && typeof e.code === 'string') return e.code
  return ''
}
