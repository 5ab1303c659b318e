/** How requests travel: ky over Bun's fetch, with the certificates to trust and none of its own ideas of retrying. */

import ky, { type KyInstance, type Options } from 'ky'
import { formatServerAddress } from './address.ts'
import { ACCEPTED_ENCODING } from './body.ts'
import type { Connection } from './config.ts'
import { isUnknownAuthority } from './failure.ts'

/** Sends a request to a path of the API; rejects with whatever fetch rejects with. */
export type Transport = (method: 'get' | 'post', path: string, options: Options) => Promise<Response>

/**
 * A transport to the server of a connection. Nothing is sent before the first request, and redirects are never
 * followed, so that credentials go nowhere else.
 *
 * Trusted are the public authorities that come with Bun, those of `KPCEA_CA_FILE`, and those of the system. The
 * system's take time to load, so that is done only where an authority is not known without them.
 */
export function createTransport(connection: Connection, version: string): Transport {
  let api = createApi(connection, version, [])
  let systemIsTrusted = false
  return async (method, path, options) => {
    const used = api
    try {
      return await used[method](path, options)
    } catch (error) {
      if (!isUnknownAuthority(error)) throw error
      if (api === used) {
        if (systemIsTrusted) throw error
        systemIsTrusted = true
        api = createApi(connection, version, nodeTls().getCACertificates('system'))
      }
      return await api[method](path, options)
    }
  }
}

function createApi(
  { server, insecure, ca, clientCertificate, headers }: Connection,
  version: string,
  system: readonly string[],
): KyInstance {
  const own = [...system, ...(ca === undefined ? [] : [ca])]
  // What ky does not know it hands on to Bun's fetch, which takes `ca` instead of its own authorities, not besides
  // them. Saying what it does anyway keeps variables out that would have it do something else:
  // NODE_TLS_REJECT_UNAUTHORIZED, and BUN_CONFIG_VERBOSE_FETCH, which prints requests with their passwords.
  const tls = {
    rejectUnauthorized: !insecure,
    ...(own.length === 0 ? {} : { ca: [...nodeTls().rootCertificates, ...own] }),
    ...clientCertificate,
  }
  return ky.create({
    prefix: `${formatServerAddress(server)}/api/v1`,
    headers: [
      ...headers.map(([name, value]): [string, string] => [name, value]),
      ['user-agent', `kpcea/${version}`],
      ['accept-encoding', ACCEPTED_ENCODING],
    ],
    retry: 0,
    timeout: false,
    throwHttpErrors: false,
    redirect: 'manual',
    tls,
    verbose: false,
    // Inflated here, where it is counted.
    decompress: false,
    // What stays on this machine goes to no proxy, as with Go's clients; Bun's would send it there.
    ...(server.loopback ? { proxy: false } : {}),
  } as Options)
}

/** Loaded where it is needed: a run that needs no certificates of its own pays nothing for it. */
function nodeTls(): typeof import('node:tls') {
  return require('node:tls')
}
