/** The address of an Argo CD server as people write it: `[http[s]://]host[:port][/root-path]`. */

import { withoutSlashesBehind } from './text.ts'

/** A server to talk to. */
export interface ServerAddress {
  /** Scheme, host and port, without a trailing slash: `https://argocd.example.com:8443`. */
  readonly origin: string
  /** The path that Argo CD was given as `--rootpath`, `''` or beginning with a slash, without a trailing one. */
  readonly rootPath: string
  readonly loopback: boolean
}

const SCHEME = /^([a-z][a-z0-9+.-]*):\/\//i

/** Pages of Argo CD's UI, and its API, as they are copied from a browser. */
const PAGE = /\/(applications|api)(?:\/|$)|\/(login|swagger-ui)\/?$/

const LOOPBACK =
  /^(?:localhost|.*\.localhost|127(?:\.\d{1,3}){3}|\[::1\]|\[::ffff:7f[0-9a-f]{2}:[0-9a-f]{1,4}\])$/

/**
 * Reads an address. Plain HTTP is used where `plaintext` is set, or where the text says `http://`.
 *
 * @param isRoot whether the path is known to be the root path; otherwise a page of Argo CD's UI is refused
 * @throws Error with a sentence for a person that says what is wrong, never showing credentials
 */
export function parseServerAddress(text: string, plaintext: boolean, isRoot = false): ServerAddress {
  const scheme = SCHEME.exec(text)?.[1]?.toLowerCase()
  const rest = scheme === undefined ? text : text.replace(SCHEME, '')
  const shown = rest.includes('@') ? 'the address' : JSON.stringify(text.split(/[?#]/, 1)[0])
  if (scheme !== undefined && scheme !== 'http' && scheme !== 'https')
    throw new Error(
      `${shown} begins with ${scheme}://; write host[:port][/root-path], with https:// or nothing in front`,
    )
  if (/[\s\\]/.test(rest))
    throw new Error(`${shown} has white space or a backslash in it; write host[:port][/root-path]`)
  const url = URL.parse(`${scheme ?? (plaintext ? 'http' : 'https')}://${rest}`)
  if (url === null || rest.startsWith('/') || rest === '')
    throw new Error(`${shown} is no address; write host[:port][/root-path], such as argocd.example.com`)
  if (rest.includes('@') || url.username !== '' || url.password !== '')
    throw new Error(
      'holds a username or password; set ARGOCD_API_TOKEN, or ARGOCD_API_USERNAME and ARGOCD_API_PASSWORD',
    )
  const page = isRoot ? null : PAGE.exec(url.pathname)
  if (page !== null)
    throw new Error(
      `${shown} is a page of Argo CD, not the server; write the part before /${page[1] ?? page[2]} only, or give the page of an application as ARGOCD_APP_NAME (--app)`,
    )
  if (url.search !== '' || url.hash !== '')
    throw new Error(`${shown} has a query or a fragment; write host[:port][/root-path] only`)
  if (scheme === 'https' && plaintext)
    throw new Error(
      `${shown} says https:// while KPCEA_PLAINTEXT (--plaintext) asks for plain HTTP; drop one of them`,
    )
  const loopback = LOOPBACK.test(url.hostname)
  if (scheme === 'http' && !plaintext && !loopback)
    throw new Error(
      `${shown} says http://, which sends the credentials in the clear; use https://, or set KPCEA_PLAINTEXT=true (--plaintext)`,
    )
  return { origin: url.origin, rootPath: withoutSlashesBehind(url.pathname), loopback }
}

/** The server as a person would write it in a browser. */
export function formatServerAddress({ origin, rootPath }: ServerAddress): string {
  return `${origin}${rootPath}`
}

/** Whether two addresses as people write them mean the same server, whatever the scheme. */
export function sameServer(one: string, other: string): boolean {
  const [a, b] = [one, other].map((text) => URL.parse(`https://${text.replace(SCHEME, '')}`))
  const path = (url: URL) => withoutSlashesBehind(url.pathname)
  return (
    a !== null && b !== null && a !== undefined && b !== undefined && a.host === b.host && path(a) === path(b)
  )
}
