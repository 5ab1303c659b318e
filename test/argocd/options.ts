/** How a simulated Argo CD is set up. */
import type { TlsOptions } from './http.ts'

export type ServerOptions = {
  /** Everything is below this path, as with `--rootpath`. @default '' */
  readonly rootPath?: string
  /** Serves TLS; with `ca`, clients have to show a certificate that it signed. @default plain HTTP */
  readonly tls?: TlsOptions
  /** @default '127.0.0.1' */
  readonly hostname?: string
  /** @default 0, any free one */
  readonly port?: number
  /**
   * For a server that is to be paused and to come back: a port that no other program is given while nobody listens
   * on it, nor a client that connects to it. Takes the place of `port`. @default false
   */
  readonly keepsPort?: boolean
  /** The namespace of the control plane. @default 'argocd' */
  readonly namespace?: string
  /** Other namespaces whose applications Argo CD handles: globs, or regular expressions between slashes. */
  readonly enabledNamespaces?: readonly string[]
  /** Local accounts that can log in: password, and which applications (see {@link TokenOptions}). */
  readonly accounts?: Readonly<
    Record<string, string | { readonly password: string; readonly applications?: readonly string[] }>
  >
  /** How long a login lasts. @default 86400 */
  readonly sessionSeconds?: number
  /** The real server takes 500 to 1000 ms over every login, against guessing by time. @default 0 */
  readonly loginDelayMs?: number
  /** @default 15000 */
  readonly keepAliveMs?: number
  /** How long the controller takes over a refresh. @default 20 */
  readonly refreshMs?: number
  /** How far the controller's clock is ahead of this machine's. @default 0 */
  readonly clockAheadMs?: number
  /** How long an attempt of an operation takes. @default 50 */
  readonly syncMs?: number
  /** How long the controller takes to begin an operation. @default 20 */
  readonly pickUpMs?: number
  /** A stopped controller does no refresh, so that a request for one is never answered. @default 'running' */
  readonly controller?: 'running' | 'stopped'
  /** How far the cache behind lists, streams and trees is behind a GET. @default 0 */
  readonly cacheDelayMs?: number
  /** Compresses for clients that accept it, as Argo CD does by default. @default true */
  readonly gzip?: boolean
  /** Whose ways to have, where they differ. @default '3.6' */
  readonly version?: '3.5' | '3.6'
}
