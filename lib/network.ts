/** The way to a server, looked at step by step: what a failed request cannot tell apart. */

import type { Socket } from 'node:net'
import type { PeerCertificate } from 'node:tls'

/** How long one step may take, in milliseconds. */
const STEP_TIMEOUT = 5000

/** Where a connection goes. */
export interface Endpoint {
  /** Without the brackets of an IPv6 address. */
  readonly host: string
  readonly port: number
}

/** Host and port of a URL; ports are those of the scheme where none is given. */
export function endpointOf(origin: string): Endpoint {
  const { hostname, port, protocol } = new URL(origin)
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || (protocol === 'https:' ? 443 : 80)) }
}

/**
 * The addresses that a name has here.
 *
 * @returns `undefined` where it is an address itself
 * @throws Error with a `code` where it has none
 */
export async function addressesOf(host: string): Promise<readonly string[] | undefined> {
  const { isIP } = require('node:net') as typeof import('node:net')
  if (isIP(host) !== 0) return undefined
  const { lookup } = require('node:dns/promises') as typeof import('node:dns/promises')
  const found = await within(lookup(host, { all: true }))
  return [...new Set(found.map(({ address }) => address))]
}

/**
 * Opens a connection that carries nothing, and closes it.
 *
 * @throws Error with a `code` where it is not accepted
 */
export async function tryConnection(endpoint: Endpoint): Promise<void> {
  const socket = await open(endpoint)
  socket.destroy()
}

/**
 * The certificate that a server shows, without any verification, on a connection of its own.
 *
 * @param proxy goes through its tunnel; only a proxy that is itself spoken to in the clear
 * @returns `undefined` where there is none to be had
 */
export async function certificateOf(
  endpoint: Endpoint,
  proxy: URL | undefined,
): Promise<PeerCertificate | undefined> {
  const { isIP } = require('node:net') as typeof import('node:net')
  const { connect } = require('node:tls') as typeof import('node:tls')
  let through: Socket | undefined
  try {
    if (proxy !== undefined) through = await tunnel(endpoint, proxy)
    const { promise, resolve, reject } = Promise.withResolvers<PeerCertificate>()
    const socket = connect({
      ...(through === undefined ? endpoint : { socket: through }),
      rejectUnauthorized: false,
      ...(isIP(endpoint.host) === 0 ? { servername: endpoint.host } : {}),
    })
    socket.once('secureConnect', () => resolve(socket.getPeerCertificate()))
    socket.once('error', reject)
    try {
      const certificate = await within(promise)
      return certificate.valid_to === undefined ? undefined : certificate
    } finally {
      socket.destroy()
    }
  } catch {
    return undefined
  } finally {
    through?.destroy()
  }
}

/** A tunnel through a proxy, as `CONNECT` opens it. */
async function tunnel({ host, port }: Endpoint, proxy: URL): Promise<Socket> {
  const socket = await open(endpointOf(proxy.origin))
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`
  const user = decodeURIComponent(proxy.username)
  const secret = Buffer.from(`${user}:${decodeURIComponent(proxy.password)}`).toString('base64')
  const authorization = user === '' ? '' : `Proxy-Authorization: Basic ${secret}\r\n`
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${authorization}\r\n`)
  const { promise, resolve, reject } = Promise.withResolvers<Socket>()
  let head = ''
  const read = (chunk: Buffer) => {
    head += chunk.toString('latin1')
    if (!head.includes('\r\n\r\n') && head.length < LARGEST_HEAD) return
    socket.off('data', read)
    socket.pause()
    if (/^HTTP\/1\.[01] 2\d\d /.test(head)) resolve(socket)
    else reject(new Error('no tunnel'))
  }
  socket.on('data', read)
  socket.once('error', reject)
  socket.once('close', () => reject(new Error('closed')))
  return within(promise)
}

/** What a proxy answers to `CONNECT` is no longer than this, in characters. */
const LARGEST_HEAD = 16_384

async function open({ host, port }: Endpoint): Promise<Socket> {
  const { connect } = require('node:net') as typeof import('node:net')
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const socket = connect({ host, port })
  socket.once('connect', resolve)
  socket.once('error', reject)
  try {
    await within(promise)
    return socket
  } catch (error) {
    socket.destroy()
    throw error
  }
}

async function within<T>(promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => reject(Object.assign(new Error('too late'), { code: 'ETIMEDOUT' })),
    STEP_TIMEOUT,
  )
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
