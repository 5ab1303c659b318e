/** Until when certificates and tokens are valid, in words. */

import type { PeerCertificate } from 'node:tls'
import { formatDuration } from './duration.ts'
import { few } from './phrase.ts'
import { readToken } from './token.ts'

/** What ends so soon is worth a word, in milliseconds. */
const SOON = 14 * 24 * 3_600_000

/** Whose certificate it is, who signed it, and until when it is valid. */
export function describePeer(certificate: PeerCertificate, now: Date): string {
  const { subject, issuer, valid_to: to, subjectaltname: names } = certificate
  const left = Date.parse(to) - now.getTime()
  const until = `${left < 0 ? 'expired' : 'valid until'} ${day(new Date(to))}`
  const whose = names?.split(', ').map((name) => name.replace(/^(?:DNS|IP Address):/, '')) ?? []
  return `certificate of ${subject?.CN ?? (few(whose) || 'nobody')}, signed by ${issuer?.CN ?? issuer?.O ?? 'nobody'}, ${until}${left >= 0 && left < SOON ? ', which is soon' : ''}`
}

/**
 * What a token says of itself.
 *
 * @param account whom the server takes it for; otherwise it says so itself
 */
export function describeToken(token: string, now: Date, account?: string): string {
  const claims = readToken(token)
  if (claims === undefined) return 'the token is no JWT, so it does not say until when it is valid'
  const { subject, capability, expiresAt } = claims
  const of = subject === undefined || subject === account ? '' : ` of ${subject}`
  const what = `the ${capability === 'login' ? 'session' : 'token'}${of}`
  if (expiresAt === undefined) return `${what} never expires`
  const left = expiresAt.getTime() - now.getTime()
  if (left < 0) return `${what} expired ${day(expiresAt)}`
  return `${what} expires ${day(expiresAt)}${left < SOON ? `, in ${formatDuration(wholeMinutes(left))}` : ''}`
}

/** A duration without its seconds; at least a minute. */
export function wholeMinutes(milliseconds: number): number {
  return Math.max(60_000, Math.floor(milliseconds / 60_000) * 60_000)
}

function day(date: Date): string {
  return Number.isNaN(date.getTime()) ? 'at a time that is none' : date.toISOString().slice(0, 10)
}
