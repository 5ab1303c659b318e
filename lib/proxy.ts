/** Which proxy Bun's fetch goes through, by its own rules, so that messages and checks say what is so. */

import type { ServerAddress } from './address.ts'
import type { Variables } from './values.ts'

/** The proxy between here and a server. */
export interface ProxyInBetween {
  /** The variable that names it. */
  readonly variable: string
  /** Scheme, host and port, without user and password. */
  readonly address: string
}

const SOCKS = /^socks\w*:/i
const SCHEME = /^([a-z][a-z0-9+.-]*):\/\//i

/**
 * The proxy that requests to a server go through, if any.
 *
 * @throws Error with a sentence for a person that names the variable, where it names no proxy that can be used; its
 * value, which may hold a password, is not shown
 */
export function proxyOf(server: ServerAddress, env: Variables): ProxyInBetween | undefined {
  // What stays on this machine goes to no proxy.
  if (server.loopback) return undefined
  const { protocol } = new URL(server.origin)
  const own = protocol === 'https:' ? ['https_proxy', 'HTTPS_PROXY'] : ['http_proxy', 'HTTP_PROXY']
  const variable = [...own, 'all_proxy', 'ALL_PROXY'].find((name) => env[name])
  if (variable === undefined || isExempt(server, env)) return undefined
  const value = env[variable] ?? ''
  const scheme = SCHEME.exec(value)?.[1]?.toLowerCase()
  if (SOCKS.test(value))
    throw new Error(
      `${variable}: names a ${scheme ?? 'socks'}:// proxy, which cannot be used; name one that speaks HTTP, unset it, or put the server into NO_PROXY`,
    )
  const url = /[\s"'\\]/.test(value) ? null : URL.parse(scheme === undefined ? `http://${value}` : value)
  if (url === null || url.hostname === '' || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw new Error(`${variable}: is no address of a proxy; write http://[user:password@]host:port`)
  return { variable, address: url.origin }
}

/** Whether `NO_PROXY` exempts a server: by `*`, name, domain, address, or a range of addresses (CIDR). */
function isExempt({ origin }: ServerAddress, env: Variables): boolean {
  const { hostname, port, protocol } = new URL(origin)
  const host = hostname.replace(/^\[|\]$/g, '').toLowerCase()
  const ownPort = port || (protocol === 'https:' ? '443' : '80')
  return (env.no_proxy || env.NO_PROXY || '').split(',').some((raw) => {
    const entry = raw.trim().toLowerCase()
    if (entry === '') return false
    if (entry === '*') return true
    if (entry.includes('/')) return isInRange(host, entry)
    const [, name = '', entryPort] = /^\[?(.*?)\]?(?::(\d+))?$/.exec(entry) ?? []
    const whole = isIP(entry) === 6 ? entry : name
    if (isIP(entry) !== 6 && entryPort !== undefined && entryPort !== ownPort) return false
    const domain = whole.replace(/^\*?\./, '')
    return host === domain || host.endsWith(`.${domain}`)
  })
}

function isInRange(host: string, range: string): boolean {
  const [network = '', bits = ''] = range.split('/')
  const family = isIP(host)
  if (family === 0 || isIP(network) !== family || !/^\d{1,3}$/.test(bits)) return false
  const size = family === 4 ? 32 : 128
  if (Number(bits) > size) return false
  const shift = BigInt(size - Number(bits))
  return bitsOf(host) >> shift === bitsOf(network) >> shift
}

/** 4 or 6 for an address, 0 for a name. Loaded where there is a proxy. */
function isIP(text: string): number {
  return (require('node:net') as typeof import('node:net')).isIP(text)
}

/** An address as one number. */
function bitsOf(address: string): bigint {
  if (isIP(address) === 4) return address.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n)
  // The URL parser writes an IPv6 address in its shortest form, and an embedded IPv4 one in hexadecimal.
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::')
  const groups = (text: string | undefined) => (text === undefined || text === '' ? [] : text.split(':'))
  const [front, back] = [groups(head), groups(tail)]
  const filled = [...front, ...Array<string>(8 - front.length - back.length).fill('0'), ...back]
  return filled.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n)
}
