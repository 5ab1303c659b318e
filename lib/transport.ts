/** How requests travel: ky over Bun's fetch, with the certificates to trust and none of its own ideas of retrying. */

import ky, { type KyInstance, type Options } from 'ky'
import type { Connection } from './access.ts'
import { formatServerAddress } from './address.ts'
import { ACCEPTED_ENCODING } from './body.ts'
import { checkIdentity } from './certificate.ts'
import { isUnknownAuthority } from './failure.ts'

/** How requests travel. */
export interface Transport {
  /** Sends a request to a path of the API; rejects with whatever fetch rejects with. */
  send(method: 'get' | 'post', path: string, options: Options): Promise<Response>
  /** The certificate authorities that are trusted at present, as PEM texts. */
  authorities(): readonly string[]
}

/**
 * A transport to the server of a connection. Nothing is sent before the first request, and redirects are never
 * followed, so that credentials go nowhere else.
 *
 * Trusted are the public authorities that come with Bun, those of `KPCEA_CA_FILE`, and those of the system. The
 * system's take time to load, so that is done only where an authority is not known without them.
 */
export function createTransport(connection: Connection, version: string): Transport {
  const isVerified = connection.server.origin.startsWith('https:') && !connection.insecure
  let system: readonly string[] | undefined
  // A check of the program's own has a connection for each request, so the first that pass it are the last.
  let isIdentified = !isVerified
  const create = () =>
    createApi(connection, version, { system: system ?? [], check: isIdentified ? undefined : checkIdentity })
  let api = create()

  async function attempt(...[method, path, options]: Parameters<Transport['send']>): Promise<Response> {
    const used = api
    const answer = used[method](path, options)
    // What the check needs takes time to load: while the handshake is under way, there is some.
    if (!isIdentified) nodeTls()
    const response = await answer
    if (!isIdentified) {
      isIdentified = true
      api = create()
    }
    return response
  }

  return {
    async send(...request) {
      const used = api
      try {
        return await attempt(...request)
      } catch (error) {
        if (!isUnknownAuthority(error)) throw error
        if (api === used) {
          if (system !== undefined) throw error
          system = nodeTls().getCACertificates('system')
          api = create()
        }
        return await attempt(...request)
      }
    },
    authorities: () => [...nodeTls().rootCertificates, ...ownAuthorities(connection, system ?? [])],
  }
}

function ownAuthorities({ ca }: Connection, system: readonly string[]): readonly string[] {
  return [...system, ...(ca === undefined ? [] : [ca])]
}

interface Trust {
  readonly system: readonly string[]
  /** Looks at a certificate once more; `undefined`: as Bun does. */
  readonly check: typeof checkIdentity | undefined
}

function createApi(connection: Connection, version: string, { system, check }: Trust): KyInstance {
  const { server, insecure, clientCertificate, headers } = connection
  const own = ownAuthorities(connection, system)
  // What ky does not know it hands on to Bun's fetch, which takes `ca` instead of its own authorities, not besides
  // them. Saying what it does anyway keeps variables out that would have it do something else:
  // NODE_TLS_REJECT_UNAUTHORIZED, and BUN_CONFIG_VERBOSE_FETCH, which prints requests with their passwords.
  const tls = {
    rejectUnauthorized: !insecure,
    ...(own.length === 0 ? {} : { ca: [...nodeTls().rootCertificates, ...own] }),
    ...(check === undefined ? {} : { checkServerIdentity: check }),
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
