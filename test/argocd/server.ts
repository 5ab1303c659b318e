/**
 * A simulated Argo CD: its HTTP API on a loopback port, fed with applications that a test changes while it
 * runs. It behaves as Argo CD 3.6 (or 3.5) does, its oddities included, and misbehaves on demand.
 *
 * @example
 * await using server = await ArgoCDServer.start({ rootPath: '/argo' })
 * server.apply(application({ name: 'shop', revision }))
 * server.update('shop', (app) => { app.status.health.status = 'Degraded' })
 * server.fault({ route: 'stream', times: 1 }, { kind: 'cut-stream', messages: 2 })
 */
import { Accounts, type TokenOptions } from './accounts.ts'
import { Api, sendText } from './api.ts'
import type { Application } from './application.ts'
import { Controller, type Refresh, type RefreshType } from './controller.ts'
import { type Commit, Details } from './details.ts'
import type { Ending, Exchange } from './exchange.ts'
import { beforeAnswer, type Fault, type FaultMatch, Faults } from './faults.ts'
import { HttpServer } from './http.ts'
import { copy, type JsonObject, merge } from './json.ts'
import { Operations } from './operations.ts'
import type { ServerOptions } from './options.ts'
import { type Route, routeOf } from './routes.ts'
import { Store } from './store.ts'
import { Timers } from './timers.ts'

export type { TokenOptions } from './accounts.ts'
export {
  type Application,
  type ApplicationOptions,
  application,
  type Destination,
  type Health,
  type OperationState,
  type Resource,
  type Source,
  type SyncResult,
} from './application.ts'
export type { RefreshType } from './controller.ts'
export type { Commit } from './details.ts'
export type { Ending } from './exchange.ts'
export type { Fault, FaultMatch } from './faults.ts'
export type { TlsOptions } from './http.ts'
export { type Json, type JsonObject, merge, timestamp } from './json.ts'
export type { ServerOptions } from './options.ts'
export type { Route } from './routes.ts'

/** One request that came in, and what became of it. */
export type RequestRecord = {
  readonly method: string
  /** Without the query, with the root path. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: Headers
  readonly body: string
  readonly route: Route
  /** The application asked for. */
  readonly name: string | undefined
  /** Milliseconds since the epoch. */
  readonly at: number
  /** The kind of the fault that it met. */
  readonly fault: Fault['kind'] | undefined
  /** Undefined as long as nothing was answered. */
  readonly status: number | undefined
  /** All bytes of the answer, status line and headers included, before encryption. */
  readonly bytesSent: number
  /** `complete`: answered to the end; `fault`: the fault ended it; `client closed`: the client did. */
  readonly ended: Ending
}

/** The simulated server. Use {@link ArgoCDServer.start}, and {@link ArgoCDServer.stop} or `await using`. */
export class ArgoCDServer implements AsyncDisposable {
  /** May get every application, and does not expire. */
  readonly token: string
  /** Every request so far. */
  readonly requests: readonly RequestRecord[]
  /** Syncs: those that were accepted, and how they go. */
  readonly operations: Operations
  /** Every refresh that was asked for. */
  readonly refreshes: readonly Refresh[]
  /**
   * What the controller finds when it does a refresh that was asked for. It may change the application it is
   * given, or take its time. Afterwards `reconciledAt` is set, and then the annotation that asked is removed.
   */
  onRefresh: (app: Application, type: RefreshType) => void | Promise<void> = () => {}

  readonly #root: string
  readonly #namespace: string
  readonly #origin: { readonly protocol: string; readonly hostname: string }
  readonly #http: HttpServer
  readonly #api: Api
  readonly #requests: RequestRecord[] = []
  readonly #faults = new Faults()
  readonly #timers = new Timers()
  readonly #store: Store
  readonly #controller: Controller
  readonly #accounts: Accounts
  readonly #details: Details

  /** Starts a server on a free port. */
  static async start(options: ServerOptions = {}): Promise<ArgoCDServer> {
    const server = new ArgoCDServer(options)
    await server.#http.listen()
    return server
  }

  private constructor(options: ServerOptions) {
    const { hostname = '127.0.0.1', namespace = 'argocd', tls } = options
    const port = options.keepsPort === true ? 'kept' : (options.port ?? 0)
    const trimmed = (options.rootPath ?? '').replace(/^\/+|\/+$/g, '')
    const root = trimmed === '' ? '' : `/${trimmed}`
    this.#root = root
    this.#namespace = namespace
    this.#origin = {
      protocol: tls === undefined ? 'http' : 'https',
      hostname: hostname.includes(':') ? `[${hostname}]` : hostname,
    }
    this.#http = new HttpServer({
      hostname,
      port,
      tls,
      redirect: ({ target, headers }) =>
        `https://${headers.get('host')}${target.startsWith(root) ? '' : root}${target}`,
      onRequest: (exchange) => void this.#handle(exchange),
    })
    this.#store = new Store(namespace, options.cacheDelayMs ?? 0, this.#timers)
    this.#controller = new Controller(options, this.#store, this.#timers, (app, type) =>
      this.onRefresh(app, type),
    )
    this.#accounts = new Accounts(options, namespace, this.#timers)
    this.#details = new Details(this.#store)
    this.operations = new Operations(options, this.#store, this.#timers)
    this.#api = new Api({
      options,
      root,
      namespace,
      store: this.#store,
      controller: this.#controller,
      accounts: this.#accounts,
      details: this.#details,
      operations: this.operations,
    })
    this.token = this.createToken()
    this.requests = this.#requests
    this.refreshes = this.#controller.refreshes
  }

  /** Where it is: `http://127.0.0.1:40123/argo`. */
  get url(): string {
    return `${this.#origin.protocol}://${this.address}`
  }

  /** The same as `ARGOCD_SERVER` wants it: `127.0.0.1:40123/argo`. */
  get address(): string {
    return `${this.#origin.hostname}:${this.#http.port}${this.#root}`
  }

  /** All bytes sent so far, see {@link RequestRecord.bytesSent}. */
  get bytesSent(): number {
    return this.#requests.reduce((sum, { bytesSent }) => sum + bytesSent, 0)
  }

  /** Creates or replaces an application, and tells the watchers. It is copied. */
  apply(app: Application | JsonObject): void {
    this.#store.save(copy(app as JsonObject))
  }

  /** Changes an application: with a function that alters a copy of it, or with members to {@link merge}. */
  update(name: string, change: ((app: Application) => void) | JsonObject, namespace = this.#namespace): void {
    const stored = this.#store.live.get(`${namespace}/${name}`)
    if (stored === undefined) throw new Error(`no application ${namespace}/${name} to update`)
    if (typeof change !== 'function') {
      this.#store.save(merge(stored.app, copy(change)))
      return
    }
    const app = copy(stored.app)
    change(app as unknown as Application)
    this.#store.save(app)
  }

  /** A copy of an application. */
  get(name: string, namespace = this.#namespace): Application | undefined {
    const stored = this.#store.live.get(`${namespace}/${name}`)
    return stored && (copy(stored.app) as unknown as Application)
  }

  /** Deletes an application and tells the watchers; without one of that name nothing happens. */
  delete(name: string, namespace = this.#namespace): void {
    this.#store.delete(`${namespace}/${name}`)
  }

  /** Tells what is known about a commit. An unknown one is an error, as the repository server reports it. */
  commit(revision: string, commit: Commit): void {
    this.#details.addCommit(revision, commit)
  }

  /** Tells what is known about a version of a Helm chart: description, home, maintainers. */
  chart(version: string, details: JsonObject): void {
    this.#details.charts.set(version, details)
  }

  /** Sets an application's resource tree. By default it holds a node for each of `status.resources`. */
  resourceTree(name: string, tree: JsonObject, namespace = this.#namespace): void {
    this.#details.trees.set(`${namespace}/${name}`, tree)
  }

  /** Tells which manifests a revision renders, as objects, or as texts that may be no JSON. */
  manifests(revision: string, manifests: readonly (JsonObject | string)[]): void {
    const texts = manifests.map((one) => (typeof one === 'string' ? one : JSON.stringify(one)))
    this.#details.manifests.set(revision, texts)
  }

  /** What changes from now on does not come into the cache: no stream and no list tells of it. */
  loseChanges(): void {
    this.#store.losesChanges = true
  }

  /** Sets the Kubernetes events of an application and its resources. */
  events(name: string, events: JsonObject[], namespace = this.#namespace): void {
    this.#details.events.set(`${namespace}/${name}`, events)
  }

  /** Sets an application's sync windows. @default it can sync */
  syncWindows(name: string, windows: JsonObject, namespace = this.#namespace): void {
    this.#details.syncWindows.set(`${namespace}/${name}`, windows)
  }

  /** Sets the sync windows that a project shows: with their time zones, and to whom may get it. @default none */
  project(name: string, syncWindows: JsonObject[]): void {
    this.#details.projects.set(name, syncWindows)
  }

  /** Makes a token that does not need a login. */
  createToken(options: TokenOptions = {}): string {
    return this.#accounts.createToken(options)
  }

  /** Makes a token worthless. */
  revoke(token: string): void {
    this.#accounts.revoke(token)
  }

  /** Makes the token of every login worthless. Streams that are open go on, as they do on the real server. */
  endSessions(): void {
    this.#accounts.endSessions()
  }

  /** Makes matching requests fail. Returns a function that lifts the fault for the ones to come. */
  fault(match: FaultMatch, fault: Fault): () => void {
    return this.#faults.add(match, fault)
  }

  /** The controller does nothing more, so that a refresh that is asked for hangs. */
  stopController(): void {
    this.#controller.stop()
  }

  /** From now on the controller removes the annotations that ask it for a refresh, and cannot write what it found. */
  loseStatus(): void {
    this.#controller.losesStatus = true
  }

  /** The controller works again, and does what was asked for meanwhile. */
  startController(): void {
    this.#controller.start()
  }

  /** Resets all connections that are open now. */
  dropConnections(): void {
    this.#http.dropConnections()
  }

  /** Refuses new connections; open ones stay, unless they are dropped. */
  pause(): Promise<void> {
    return this.#http.pause()
  }

  /** Listens again, on the same port. */
  resume(): Promise<void> {
    return this.#http.listen()
  }

  /** Closes everything at once. */
  async stop(): Promise<void> {
    this.#controller.stop()
    this.#timers.stop()
    this.#store.stop()
    await this.#http.stop()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #handle(exchange: Exchange): Promise<void> {
    const { method, target, headers, body } = exchange.request
    const [path = '/', ...search] = target.split('?')
    const query = new URLSearchParams(search.join('?'))
    const within = path.startsWith(`${this.#root}/`) ? path.slice(this.#root.length) : undefined
    const named = routeOf(within ?? path)
    const { route, name = query.get('name') ?? undefined } = named
    exchange.fault = this.#faults.pick(route, name, query.has('refresh'))
    this.#requests.push({
      method,
      path,
      query,
      headers,
      body,
      route,
      name,
      at: Date.now(),
      fault: exchange.fault?.kind,
      get status() {
        return exchange.status
      },
      get bytesSent() {
        return exchange.bytesSent
      },
      get ended() {
        return exchange.ending
      },
    })
    if (!(await beforeAnswer(exchange))) return
    if (within !== undefined || path === '/healthz') {
      await this.#api.answer(exchange, within ?? path, query, named)
    } else if (path === this.#root) {
      exchange.send(301, { Location: `${this.#root}/` }, '')
    } else {
      sendText(exchange, 404, '404 page not found')
    }
  }
}
