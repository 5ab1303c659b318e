/** Tells what is wrong with a certificate that did not verify: the code that a failed handshake leaves is not enough. */

import type { PeerCertificate } from 'node:tls'
import { cut, oneLine } from './text.ts'

/** How long the look at the certificate may take, in milliseconds: it only makes a message better. */
const LOOK_TIMEOUT = 2000

/** The code of a certificate that names its host in its common name alone. */
export const COMMON_NAME_ONLY = 'CERT_COMMON_NAME_ONLY'

/** Whoever made the certificate chose the words in it, and has not proved anything yet. In characters. */
const LONGEST_NAME = 100

/**
 * What is wrong with a certificate that the handshake itself has found good. Bun, as Node, still takes a common name
 * where there are no other names; Go and browsers do not.
 *
 * @returns an error with a code, as the handshake leaves one
 */
export function checkIdentity(host: string, certificate: PeerCertificate): Error | undefined {
  const { checkServerIdentity } = loadTls()
  if (/(?:^|, )(?:DNS|IP Address):/.test(certificate.subjectaltname ?? ''))
    return checkServerIdentity(host, certificate)
  return Object.assign(new Error('no name but the common one'), { code: COMMON_NAME_ONLY })
}

/**
 * Looks at the certificate that a server shows, on a connection of its own that carries nothing.
 *
 * @returns a clause such as `is self-signed`, or `undefined` where there is nothing to add to what is known
 */
export async function describeCertificate(origin: string, code: string): Promise<string | undefined> {
  if (code === 'INVALID_PURPOSE' || code === COMMON_NAME_ONLY) return undefined
  const certificate = await peerCertificate(origin)
  if (certificate === undefined) return undefined
  const { issuer, subject, valid_from: from, valid_to: to, subjectaltname: names } = certificate
  if (Date.parse(to) < Date.now()) return `has expired (on ${to})`
  if (Date.parse(from) > Date.now()) return `is not valid before ${from}`
  if (/ALTNAME|HOSTNAME/.test(code)) return `is for other names (${said(names ?? subject?.CN ?? 'none')})`
  if (JSON.stringify(issuer) === JSON.stringify(subject)) return 'is self-signed'
  return `is signed by an authority that is not known here (${said(issuer?.CN ?? issuer?.O ?? 'without a name')})`
}

function said(name: unknown): string {
  return cut(oneLine(String(name)), LONGEST_NAME)
}

/**
 * Whether the certificate at an address verifies.
 *
 * @param authorities PEM texts of those that are trusted
 */
export async function verifies(origin: string, authorities: readonly string[]): Promise<boolean> {
  return (await look(origin, { ca: [...authorities] })) !== undefined
}

function peerCertificate(origin: string): Promise<PeerCertificate | undefined> {
  return look(origin, { rejectUnauthorized: false })
}

function look(
  origin: string,
  options: { readonly ca: string[] } | { readonly rejectUnauthorized: false },
): Promise<PeerCertificate | undefined> {
  const { hostname, port } = new URL(origin)
  const host = hostname.replace(/^\[|\]$/g, '')
  return new Promise((resolve) => {
    const socket = loadTls().connect({
      host,
      port: Number(port || 443),
      ...options,
      ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
    })
    const finish = (certificate?: PeerCertificate) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(certificate?.subject === undefined ? undefined : certificate)
    }
    const timer = setTimeout(finish, LOOK_TIMEOUT)
    socket.on('secureConnect', () => finish(socket.getPeerCertificate()))
    socket.on('error', () => finish())
  })
}

/** Loaded where it is needed. */
function loadTls(): typeof import('node:tls') {
  return require('node:tls')
}
