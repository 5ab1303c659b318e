/** How a server is reached, and who is asking. */

import type { ServerAddress } from './address.ts'

/** How the run proves who it is. */
export type Credentials =
  | {
      readonly mode: 'TOKEN'
      readonly token: string
      /** Read again where the token is refused, because a mounted Secret may have been rotated. */
      readonly tokenFile: string | undefined
      /** The context of the argocd CLI that the token is from. */
      readonly context: string | undefined
    }
  | { readonly mode: 'LOGIN'; readonly username: string; readonly password: string }

/** Everything needed to reach the server. */
export interface Connection {
  readonly server: ServerAddress
  readonly credentials: Credentials
  readonly insecure: boolean
  /** PEM texts. */
  readonly ca: string | undefined
  readonly clientCertificate: { readonly cert: string; readonly key: string } | undefined
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** The variable that names the proxy in between; Bun's fetch goes by it. */
  readonly proxyVariable: string | undefined
  /** Where that proxy is, without its user and password: `http://proxy.example.com:3128`. */
  readonly proxyAddress: string | undefined
  /** The same, where TLS is spoken to it. */
  readonly secureProxy: string | undefined
}
