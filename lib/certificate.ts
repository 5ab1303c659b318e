/** Tells what is wrong with a certificate that did not verify: the code that a failed handshake leaves is not enough. */

import type { PeerCertificate } from 'node:tls'

/** How long the look at the certificate may take, in milliseconds: it only makes a message better. */
const LOOK_TIMEOUT = 2000

/**
 * Looks at the certificate that a server shows, on a connection of its own that carries nothing.
 *
 * @returns a clause such as `is self-signed`, or `undefined` where there is nothing to add to what is known
 */
export async function describeCertificate(origin: string, code: string): Promise<string | undefined> {
  const certificate = await peerCertificate(origin)
  if (certificate === undefined) return undefined
  const { issuer, subject, valid_from: from, valid_to: to, subjectaltname: names } = certificate
  if (Date.parse(to) < Date.now()) return `has expired (on ${to})`
  if (Date.parse(from) > Date.now()) return `is not valid before ${from}`
  if (/ALTNAME|HOSTNAME/.test(code)) return `is for other names (${names ?? subject?.CN ?? 'none'})`
  if (JSON.stringify(issuer) === JSON.stringify(subject)) return 'is self-signed'
  return `is signed by an authority that is not known here (${issuer?.CN ?? issuer?.O ?? 'without a name'})`
}

function peerCertificate(origin: string): Promise<PeerCertificate | undefined> {
  const { connect } = require('node:tls') as typeof import('node:tls')
  const { hostname, port } = new URL(origin)
  const host = hostname.replace(/^\[|\]$/g, '')
  return new Promise((resolve) => {
    const socket = connect({
      host,
      port: Number(port || 443),
      rejectUnauthorized: false,
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
