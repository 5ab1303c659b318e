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
import { createHmac, randomBytes, randomUUID } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import {
  beforeAnswer,
  type Ending,
  type Exchange,
  type Fault,
  type FaultMatch,
  Faults,
  type HttpHeaders,
  HttpServer,
  type Route,
  StreamWriter,
  type TlsOptions,
} from './argocd-faults.ts'

export type { Ending, Fault, FaultMatch, Route, TlsOptions } from './argocd-faults.ts'

/** Any JSON value. */
export type Json = null | boolean | number | string | Json[] | JsonObject
/** A JSON object; an undefined member is an absent one. */
export type JsonObject = { [key: string]: Json | undefined }

export type Source = {
  repoURL: string
  path?: string
  chart?: string
  targetRevision?: string
  ref?: string
  name?: string
}
export type Destination = { server?: string; name?: string; namespace?: string }
export type Health = { status: string; message?: string; lastTransitionTime?: string }
export type Resource = {
  group?: string
  version: string
  kind: string
  namespace?: string
  name: string
  status?: string
  health?: Health
  hook?: boolean
  requiresPruning?: boolean
  syncWave?: number
}
export type SyncResult = {
  revision: string
  revisions?: string[]
  source?: Source
  sources?: Source[]
  resources?: {
    group: string
    version: string
    kind: string
    namespace: string
    name: string
    status?: string
    message?: string
    hookType?: string
    hookPhase?: string
    syncPhase?: string
  }[]
}
export type OperationState = {
  phase: string
  message?: string
  startedAt: string
  finishedAt?: string
  retryCount?: number
  operation: JsonObject
  syncResult: SyncResult
}

/** An Application as {@link application} builds it. What the server stores may be any JSON with a name. */
export type Application = {
  metadata: {
    name: string
    namespace: string
    uid?: string
    resourceVersion?: string
    generation?: number
    creationTimestamp: string
    deletionTimestamp?: string
    labels: { [name: string]: string }
    annotations: { [name: string]: string }
    finalizers?: string[]
  }
  operation?: JsonObject
  spec: {
    project: string
    destination: Destination
    source?: Source
    sources?: Source[]
    sourceHydrator?: JsonObject
    syncPolicy?: JsonObject
  }
  status: {
    sync: {
      status: string
      revision?: string
      revisions?: string[]
      comparedTo: { source: Source; sources?: Source[]; destination: Destination }
    }
    health: Health
    reconciledAt: string
    operationState: OperationState
    history: JsonObject[]
    resources: Resource[]
    summary: { images: string[]; externalURLs?: string[] }
    conditions?: { type: string; message: string; lastTransitionTime?: string }[]
    sourceHydrator: JsonObject
    sourceType?: string
    sourceTypes?: string[]
    controllerNamespace: string
    resourceHealthSource?: string
  }
}

/** What is said about a commit. */
export type Commit = {
  author?: string
  date?: string
  message?: string
  tags?: string[]
  /** Only this repository has the commit. @default every one has it */
  repoURL?: string
}

export type ServerOptions = {
  /** Everything is below this path, as with `--rootpath`. @default '' */
  readonly rootPath?: string
  /** Serves TLS; with `ca`, clients have to show a certificate that it signed. @default plain HTTP */
  readonly tls?: TlsOptions
  /** @default '127.0.0.1' */
  readonly hostname?: string
  /** @default 0, any free one */
  readonly port?: number
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
  /** A stopped controller does no refresh, so that a request for one is never answered. @default 'running' */
  readonly controller?: 'running' | 'stopped'
  /** How far the cache behind lists, streams and trees is behind a GET. @default 0 */
  readonly cacheDelayMs?: number
  /** Compresses for clients that accept it, as Argo CD does by default. @default true */
  readonly gzip?: boolean
  /** Whose ways to have, where they differ. @default '3.6' */
  readonly version?: '3.5' | '3.6'
}

export type TokenOptions = {
  /** The account that the token is of. @default 'kpcea' */
  readonly account?: string
  /** Globs over `project/name`, or `project/namespace/name` outside the control plane. @default ['*'] */
  readonly applications?: readonly string[]
  /** @default it does not expire */
  readonly seconds?: number
}

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

export type RefreshType = 'normal' | 'hard'
type WatchEvent = 'ADDED' | 'MODIFIED' | 'DELETED'
type Account = { readonly name: string; readonly applications: readonly string[] }

const REFRESH = 'argocd.argoproj.io/refresh'
const REFRESH_TIMESTAMP = 'argocd.argoproj.io/refresh-timestamp'
const HYDRATE = 'argocd.argoproj.io/hydrate'
const MAX_LOGIN_FAILURES = 5
const LOGIN_FAILURE_WINDOW_MS = 300_000
const MAX_USERNAME_LENGTH = 32
const COMMIT_SHA = /^[0-9a-f]{7,}$/i

const HTTP_STATUS: Readonly<Record<number, number>> = {
  1: 408,
  2: 500,
  3: 400,
  4: 504,
  5: 404,
  6: 409,
  7: 403,
  8: 429,
  9: 400,
  10: 409,
  11: 400,
  12: 501,
  13: 500,
  14: 503,
  15: 500,
  16: 401,
}
const STATUS_TEXT: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  408: 'Request Timeout',
  409: 'Conflict',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
}

/** A failed call, with its gRPC code. */
class ApiError extends Error {
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }

  get status(): number {
    return HTTP_STATUS[this.code] ?? 500
  }
}

const permissionDenied = () => new ApiError(7, 'permission denied')
const unauthenticated = (message: string) => new ApiError(16, message)

/** One version of an application, with what was made of it, so that no request makes it again. */
class Stored {
  readonly app: JsonObject
  readonly name: string
  readonly namespace: string
  readonly version: number
  readonly project: string
  readonly labels: JsonObject
  readonly #made = new Map<string, string>()
  #compressed: Uint8Array | undefined

  constructor(app: JsonObject, version: number) {
    this.app = app
    this.version = version
    this.name = String(at(app, 'metadata', 'name'))
    this.namespace = String(at(app, 'metadata', 'namespace'))
    this.project = String(at(app, 'spec', 'project') || 'default')
    this.labels = object(at(app, 'metadata', 'labels'))
  }

  /** The text under a key, made once. */
  once(key: string, make: () => string): string {
    let text = this.#made.get(key)
    if (text === undefined) {
      text = make()
      this.#made.set(key, text)
    }
    return text
  }

  get json(): string {
    return this.once('json', () => stringify(this.app))
  }

  get compressed(): Uint8Array {
    this.#compressed ??= gzipSync(this.json)
    return this.#compressed
  }

  /** As a list shows it: resource health that is kept in the tree is added to a GET and a watch only. */
  get listed(): JsonObject {
    if (at(this.app, 'status', 'resourceHealthSource') !== 'appTree') return this.app
    const resources = array(at(this.app, 'status', 'resources')).map((resource) => {
      const { health: _, ...rest } = object(resource)
      return rest
    })
    return { ...this.app, status: { ...object(this.app.status), resources } }
  }
}

/** The simulated server. Use {@link ArgoCDServer.start}, and {@link ArgoCDServer.stop} or `await using`. */
export class ArgoCDServer implements AsyncDisposable {
  /** Where it is: `http://127.0.0.1:40123/argo`. */
  readonly url: string
  /** The same as `ARGOCD_SERVER` wants it: `127.0.0.1:40123/argo`. */
  readonly address: string
  /** May get every application, and does not expire. */
  readonly token: string
  /** Every request so far. */
  readonly requests: readonly RequestRecord[]
  /** Every refresh that was asked for. */
  readonly refreshes: readonly { readonly name: string; readonly type: RefreshType; readonly at: number }[]
  /**
   * What the controller finds when it does a refresh that was asked for. It may change the application it is
   * given, or take its time. Afterwards `reconciledAt` is set, and then the annotation that asked is removed.
   */
  onRefresh: (app: Application, type: RefreshType) => void | Promise<void> = () => {}

  readonly #options: ServerOptions
  readonly #root: string
  readonly #namespace: string
  readonly #http: HttpServer
  readonly #faults = new Faults()
  readonly #requests: RequestRecord[] = []
  readonly #refreshes: { name: string; type: RefreshType; at: number }[] = []
  readonly #timers = new Set<Timer>()

  /** What Kubernetes has, and what the API server's cache has of it. */
  readonly #live = new Map<string, Stored>()
  readonly #cache = new Map<string, Stored>()
  readonly #subscribers = new Set<(type: WatchEvent, stored: Stored) => void>()
  readonly #lists = new Map<string, { json: string; compressed?: Uint8Array }>()
  #resourceVersion = 100_000
  #cacheVersion = this.#resourceVersion

  #stopped = false
  #controllerRuns: boolean
  readonly #reconciling = new Set<string>()

  readonly #secret = randomBytes(32)
  readonly #tokens = new Map<string, Account & { readonly session: boolean }>()
  readonly #loginFailures = new Map<string, { count: number; last: number }>()

  readonly #commits = new Map<string, Commit[]>()
  readonly #charts = new Map<string, JsonObject>()
  readonly #trees = new Map<string, JsonObject>()
  readonly #events = new Map<string, JsonObject[]>()
  readonly #syncWindows = new Map<string, JsonObject>()

  /** Starts a server on a free port. */
  static async start(options: ServerOptions = {}): Promise<ArgoCDServer> {
    const trimmed = (options.rootPath ?? '').replace(/^\/+|\/+$/g, '')
    const root = trimmed === '' ? '' : `/${trimmed}`
    const started: { server?: ArgoCDServer } = {}
    const http = new HttpServer({
      hostname: options.hostname ?? '127.0.0.1',
      port: options.port ?? 0,
      tls: options.tls,
      redirect: ({ target, headers }) =>
        `https://${headers.get('host')}${target.startsWith(root) ? '' : root}${target}`,
      onRequest: (exchange) => {
        if (started.server !== undefined) void started.server.#handle(exchange)
      },
    })
    await http.listen()
    started.server = new ArgoCDServer(options, http, root)
    return started.server
  }

  private constructor(options: ServerOptions, http: HttpServer, root: string) {
    this.#options = options
    this.#http = http
    this.#root = root
    this.#namespace = options.namespace ?? 'argocd'
    this.#controllerRuns = options.controller !== 'stopped'
    const hostname = options.hostname ?? '127.0.0.1'
    this.address = `${hostname.includes(':') ? `[${hostname}]` : hostname}:${http.port}${root}`
    this.url = `${options.tls === undefined ? 'http' : 'https'}://${this.address}`
    this.token = this.createToken()
    this.requests = this.#requests
    this.refreshes = this.#refreshes
  }

  /** All bytes sent so far, see {@link RequestRecord.bytesSent}. */
  get bytesSent(): number {
    return this.#requests.reduce((sum, { bytesSent }) => sum + bytesSent, 0)
  }

  /** Creates or replaces an application, and tells the watchers. It is copied. */
  apply(app: Application | JsonObject): void {
    this.#store(copy(app as JsonObject))
  }

  /** Changes an application: with a function that alters a copy of it, or with members to {@link merge}. */
  update(name: string, change: ((app: Application) => void) | JsonObject, namespace = this.#namespace): void {
    const stored = this.#live.get(`${namespace}/${name}`)
    if (stored === undefined) throw new Error(`no application ${namespace}/${name} to update`)
    if (typeof change !== 'function') {
      this.#store(merge(stored.app, copy(change)))
      return
    }
    const app = copy(stored.app)
    change(app as unknown as Application)
    this.#store(app)
  }

  /** A copy of an application. */
  get(name: string, namespace = this.#namespace): Application | undefined {
    const stored = this.#live.get(`${namespace}/${name}`)
    return stored && (copy(stored.app) as unknown as Application)
  }

  /** Deletes an application and tells the watchers; without one of that name nothing happens. */
  delete(name: string, namespace = this.#namespace): void {
    const stored = this.#live.get(`${namespace}/${name}`)
    if (stored === undefined) return
    this.#resourceVersion += 1
    const app = merge(stored.app, { metadata: { resourceVersion: String(this.#resourceVersion) } })
    const last = new Stored(app, this.#resourceVersion)
    this.#live.delete(`${namespace}/${name}`)
    this.#publish('DELETED', last)
  }

  /** Tells what is known about a commit. An unknown one is an error, as the repository server reports it. */
  commit(revision: string, commit: Commit): void {
    this.#commits.set(revision, [...(this.#commits.get(revision) ?? []), commit])
  }

  /** Tells what is known about a version of a Helm chart: description, home, maintainers. */
  chart(version: string, details: JsonObject): void {
    this.#charts.set(version, details)
  }

  /** Sets an application's resource tree. By default it holds a node for each of `status.resources`. */
  resourceTree(name: string, tree: JsonObject, namespace = this.#namespace): void {
    this.#trees.set(`${namespace}/${name}`, tree)
  }

  /** Sets the Kubernetes events of an application and its resources. */
  events(name: string, events: JsonObject[], namespace = this.#namespace): void {
    this.#events.set(`${namespace}/${name}`, events)
  }

  /** Sets an application's sync windows. @default it can sync */
  syncWindows(name: string, windows: JsonObject, namespace = this.#namespace): void {
    this.#syncWindows.set(`${namespace}/${name}`, windows)
  }

  /** Makes a token that does not need a login. */
  createToken({ account = 'kpcea', applications = ['*'], seconds }: TokenOptions = {}): string {
    return this.#sign({ name: account, applications }, 'apiKey', seconds)
  }

  /** Makes a token worthless. */
  revoke(token: string): void {
    for (const id of this.#tokens.keys()) {
      if (claimsOf(token)?.jti === id) this.#tokens.delete(id)
    }
  }

  /** Makes the token of every login worthless. Streams that are open go on, as they do on the real server. */
  endSessions(): void {
    for (const [id, { session }] of this.#tokens) if (session) this.#tokens.delete(id)
  }

  /** Makes matching requests fail. Returns a function that lifts the fault for the ones to come. */
  fault(match: FaultMatch, fault: Fault): () => void {
    return this.#faults.add(match, fault)
  }

  /** The controller does nothing more, so that a refresh that is asked for hangs. */
  stopController(): void {
    this.#controllerRuns = false
  }

  /** The controller works again, and does what was asked for meanwhile. */
  startController(): void {
    this.#controllerRuns = true
    for (const key of this.#live.keys()) this.#reconcileLater(key)
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
    this.#stopped = true
    this.#controllerRuns = false
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
    this.#subscribers.clear()
    await this.#http.stop()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  #later(ms: number, run: () => void): void {
    if (this.#stopped) return
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      run()
    }, ms)
    this.#timers.add(timer)
  }

  #store(app: JsonObject): Stored {
    const metadata = object(app.metadata)
    const name = metadata.name
    if (typeof name !== 'string' || name === '') throw new Error('an application needs a metadata.name')
    const namespace = typeof metadata.namespace === 'string' ? metadata.namespace : this.#namespace
    const key = `${namespace}/${name}`
    const before = object(this.#live.get(key)?.app.metadata)
    this.#resourceVersion += 1
    app.metadata = {
      ...metadata,
      namespace,
      uid: metadata.uid ?? before.uid ?? randomUUID(),
      resourceVersion: String(this.#resourceVersion),
      generation: Number(before.generation ?? 0) + 1,
      creationTimestamp: metadata.creationTimestamp ?? before.creationTimestamp ?? timestamp(new Date()),
    }
    const stored = new Stored(app, this.#resourceVersion)
    const type = this.#live.has(key) ? 'MODIFIED' : 'ADDED'
    this.#live.set(key, stored)
    this.#publish(type, stored)
    return stored
  }

  /** Brings a change into the cache, which tells the watchers. */
  #publish(type: WatchEvent, stored: Stored): void {
    const publish = () => {
      const key = `${stored.namespace}/${stored.name}`
      if (type === 'DELETED') this.#cache.delete(key)
      else this.#cache.set(key, stored)
      this.#cacheVersion = stored.version
      this.#lists.clear()
      for (const tell of [...this.#subscribers]) tell(type, stored)
    }
    if (this.#options.cacheDelayMs) this.#later(this.#options.cacheDelayMs, publish)
    else publish()
  }

  /** Asks for a refresh, and calls back with the first version after that on which nothing asks for one. */
  #refresh(stored: Stored, type: RefreshType, done: (stored: Stored) => void): () => void {
    const key = `${stored.namespace}/${stored.name}`
    this.#refreshes.push({ name: stored.name, type, at: Date.now() })
    const annotations: JsonObject = { [REFRESH]: type }
    if (this.#version36) annotations[REFRESH_TIMESTAMP] = new Date().toISOString()
    if (at(stored.app, 'spec', 'sourceHydrator')) annotations[HYDRATE] = type
    let minVersion = Number.POSITIVE_INFINITY
    const subscriber = (_: WatchEvent, next: Stored) => {
      if (`${next.namespace}/${next.name}` !== key || next.version <= minVersion) return
      if (at(next.app, 'metadata', 'annotations', REFRESH) !== undefined) return
      this.#subscribers.delete(subscriber)
      done(next)
    }
    this.#subscribers.add(subscriber)
    minVersion = this.#store(merge(stored.app, { metadata: { annotations } })).version
    this.#reconcileLater(key)
    return () => this.#subscribers.delete(subscriber)
  }

  #reconcileLater(key: string): void {
    const wanted = at(this.#live.get(key)?.app, 'metadata', 'annotations', REFRESH) !== undefined
    if (!wanted || !this.#controllerRuns || this.#reconciling.has(key)) return
    this.#reconciling.add(key)
    this.#later(this.#options.refreshMs ?? 20, () => void this.#reconcile(key))
  }

  async #reconcile(key: string): Promise<void> {
    const before = this.#live.get(key)
    if (before !== undefined && this.#controllerRuns) {
      const asked = object(at(before.app, 'metadata', 'annotations'))
      const seen = copy(before.app) as unknown as Application
      await this.onRefresh(seen, asked[REFRESH] === 'hard' ? 'hard' : 'normal')
      const now = this.#live.get(key)
      if (now !== undefined && this.#controllerRuns) {
        // What the test did to the application meanwhile was done by somebody else, and stays.
        const found = now === before ? (seen as unknown as JsonObject) : copy(now.app)
        const app = merge(found, { status: { reconciledAt: timestamp(new Date()) } })
        const done = merge(app, {
          metadata: {
            annotations: { [REFRESH]: undefined, [REFRESH_TIMESTAMP]: undefined, [HYDRATE]: undefined },
          },
        })
        const askedAgain =
          at(now.app, 'metadata', 'annotations', REFRESH_TIMESTAMP) !== asked[REFRESH_TIMESTAMP]
        // Since 3.6 the status is written first, and a request that came meanwhile keeps its annotation.
        if (this.#version36) this.#store(app)
        if (!askedAgain) this.#store(done)
      }
    }
    this.#reconciling.delete(key)
    this.#reconcileLater(key)
  }

  get #version36(): boolean {
    return this.#options.version !== '3.5'
  }

  async #handle(exchange: Exchange): Promise<void> {
    const { method, target, headers, body } = exchange.request
    const [path = '/', search = ''] = split(target, '?')
    const query = new URLSearchParams(search)
    const within = path.startsWith(`${this.#root}/`) ? path.slice(this.#root.length) : undefined
    const resource = routeOf(within ?? path)
    const name = resource.name ?? query.get('name') ?? undefined
    const { route } = resource
    const record = {
      method,
      path,
      query,
      headers,
      body,
      route,
      name,
      at: Date.now(),
      fault: this.#faults.pick(route, name),
    }
    exchange.fault = record.fault
    this.#requests.push({
      ...record,
      fault: record.fault?.kind,
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
    if (within === undefined && path !== '/healthz') {
      if (path === this.#root) exchange.send(301, { Location: `${this.#root}/` }, '')
      else sendText(exchange, 404, '404 page not found')
      return
    }
    try {
      await this.#route(exchange, within ?? path, query, resource)
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      const { code, message } = error
      this.#send(exchange, error.status, stringify({ error: message, code, message }))
    }
  }

  async #route(
    exchange: Exchange,
    path: string,
    query: URLSearchParams,
    { route, name = '', revision = '' }: Target,
  ): Promise<void> {
    const { method, headers } = exchange.request
    if (route === 'other') {
      if (path === '/healthz') sendText(exchange, 200, 'ok')
      else if (path === '/api/version') this.#send(exchange, 200, stringify({ Version: this.#versionName }))
      else if (path.startsWith('/api/')) sendText(exchange, 404, 'Not Found')
      else exchange.send(200, { 'Content-Type': 'text/html; charset=utf-8' }, WEB_PAGE)
      return
    }
    if (method !== 'GET' && headers.get('content-type')?.toLowerCase() !== 'application/json') {
      sendText(exchange, 415, 'Invalid content type')
      return
    }
    if (method !== (route === 'session' ? 'POST' : 'GET')) {
      sendText(exchange, 405, 'Method Not Allowed')
      return
    }
    if (route === 'session') {
      await this.#login(exchange)
      return
    }
    if (route === 'stream') {
      this.#watch(exchange, query)
      return
    }
    const account = this.#authenticate(headers)
    switch (route) {
      case 'applications':
        this.#list(exchange, account, query)
        return
      case 'application':
        this.#getApplication(exchange, account, name, query)
        return
      case 'metadata':
      case 'chartdetails': {
        const store = route === 'metadata' ? this.#live : this.#cache
        const stored = this.#find(store, account, name, query.get('project') ?? '', query)
        const source = sourceAt(stored.app, query.get('sourceIndex'))
        const found =
          route === 'metadata' ? this.#metadata(source, revision) : this.#chart(source, name, revision)
        this.#send(exchange, 200, stringify(found))
        return
      }
      default: {
        const store = route === 'syncwindows' ? this.#live : this.#cache
        const stored = this.#find(store, account, name, query.get('project') ?? '', query)
        const found =
          route === 'resource-tree'
            ? this.#tree(stored)
            : route === 'events'
              ? this.#eventsOf(stored, query)
              : (this.#syncWindows.get(`${stored.namespace}/${stored.name}`) ?? { canSync: true })
        this.#send(exchange, 200, stringify(found))
      }
    }
  }

  get #versionName(): string {
    return this.#version36 ? 'v3.6.0+37ee009' : 'v3.5.1+4f1eda3'
  }

  /** Sends JSON as the gateway does. */
  #send(
    exchange: Exchange,
    status: number,
    json: string,
    more: HttpHeaders = {},
    compressed?: () => Uint8Array,
  ) {
    const headers: HttpHeaders = {
      'Content-Type': 'application/json',
      'Grpc-Metadata-Content-Type': 'application/grpc',
      ...more,
    }
    if (this.#compresses(exchange)) {
      headers['Content-Encoding'] = 'gzip'
      headers.Vary = 'Accept-Encoding'
      exchange.send(status, headers, compressed?.() ?? gzipSync(json))
    } else {
      exchange.send(status, headers, json)
    }
  }

  /** A fault counts bytes of the JSON, so an answer that meets one is not compressed. */
  #compresses({ fault, request }: Exchange): boolean {
    const accepted = request.headers.get('accept-encoding')?.split(',') ?? []
    const stream = request.headers.get('accept') === 'text/event-stream'
    return (
      this.#options.gzip !== false &&
      !stream &&
      (fault === undefined || fault.kind === 'delay') &&
      accepted.some((encoding) => encoding.trim() === 'gzip')
    )
  }

  async #login(exchange: Exchange): Promise<void> {
    let credentials: JsonObject
    try {
      credentials = object(JSON.parse(exchange.request.body || '{}'))
    } catch (error) {
      throw new ApiError(3, `invalid character: ${(error as Error).message}`)
    }
    const { username, password } = credentials
    if (typeof username !== 'string' || typeof password !== 'string' || username === '' || password === '') {
      throw unauthenticated('no credentials supplied')
    }
    if (username.length > MAX_USERNAME_LENGTH) {
      throw new ApiError(3, `Username is too long (${MAX_USERNAME_LENGTH} bytes max)`)
    }
    if (this.#options.loginDelayMs) {
      const { loginDelayMs } = this.#options
      await new Promise<void>((resolve) => this.#later(loginDelayMs, resolve))
    }
    const failures = this.#loginFailures.get(username) ?? { count: 0, last: 0 }
    const recent = Date.now() - failures.last <= LOGIN_FAILURE_WINDOW_MS
    const locked = failures.count >= MAX_LOGIN_FAILURES && recent
    const given = this.#options.accounts?.[username]
    const account = typeof given === 'string' ? { password: given } : given
    if (locked || account?.password !== password) {
      // A locked account looks exactly like a wrong password, and a refused attempt does not prolong it.
      if (!locked) {
        this.#loginFailures.set(username, { count: recent ? failures.count + 1 : 1, last: Date.now() })
      }
      throw unauthenticated('Invalid username or password')
    }
    this.#loginFailures.delete(username)
    const seconds = this.#options.sessionSeconds ?? 86_400
    const token = this.#sign(
      { name: username, applications: account.applications ?? ['*'] },
      'login',
      seconds,
    )
    const secure = this.#options.tls === undefined ? '' : '; Secure'
    this.#send(exchange, 200, stringify({ token }), {
      'Set-Cookie': `argocd.token=${token}; path=${this.#root}/; SameSite=lax; httpOnly${secure}`,
    })
  }

  #sign(account: Account, capability: 'login' | 'apiKey', seconds: number | undefined): string {
    const id = randomUUID()
    this.#tokens.set(id, { ...account, session: capability === 'login' })
    const now = Math.floor(Date.now() / 1000)
    const claims: JsonObject = {
      iss: 'argocd',
      sub: `${account.name}:${capability}`,
      nbf: now,
      iat: now,
      jti: id,
    }
    if (seconds !== undefined) claims.exp = now + seconds
    const signed = `${base64url({ alg: 'HS256', typ: 'JWT' })}.${base64url(claims)}`
    return `${signed}.${createHmac('sha256', this.#secret).update(signed).digest('base64url')}`
  }

  #authenticate(headers: Headers): Account {
    const [, bearer = ''] = /^Bearer (.*)$/.exec(headers.get('authorization') ?? '') ?? []
    const [, cookie = ''] = /(?:^|;\s*)argocd\.token=([^;]*)/.exec(headers.get('cookie') ?? '') ?? []
    // What does not even look like a token counts as none.
    const token = [bearer, cookie].find((candidate) => candidate.split('.').length >= 3)
    if (token === undefined) throw unauthenticated('no session information')
    const invalid = (why: string) => unauthenticated(`invalid session: ${why}`)

    const parts = token.split('.')
    if (parts.length > 3) throw invalid('token is malformed: token contains an invalid number of segments')
    const claims = claimsOf(token)
    if (claims === undefined) throw invalid('token is malformed: could not JSON decode claim')
    if (claims.iss !== 'argocd') throw invalid('SSO is not configured')
    const signature = createHmac('sha256', this.#secret).update(`${parts[0]}.${parts[1]}`).digest('base64url')
    if (signature !== parts[2]) throw invalid('token signature is invalid: signature is invalid')
    if (typeof claims.exp === 'number' && claims.exp * 1000 <= Date.now()) {
      throw invalid('token has invalid claims: token is expired')
    }
    const account = this.#tokens.get(String(claims.jti))
    if (account !== undefined) return account
    const [subject, capability] = String(claims.sub).split(':')
    if (capability === 'login') throw invalid('token is revoked, please re-login')
    throw invalid(`account ${subject} does not have token with id ${claims.jti}`)
  }

  #mayGet(account: Account, project: string, namespace: string, name: string): boolean {
    const outside = namespace !== '' && namespace !== this.#namespace
    const target = outside ? `${project}/${namespace}/${name}` : `${project}/${name}`
    return account.applications.some((pattern) => globMatches(pattern, target))
  }

  #isEnabled(namespace: string): boolean {
    return (
      namespace === this.#namespace ||
      (this.#options.enabledNamespaces ?? []).some((pattern) =>
        /^\/.*\/$/.test(pattern) && new RegExp(pattern.slice(1, -1)).test(namespace)
          ? true
          : globMatches(pattern, namespace),
      )
    )
  }

  /** Finds an application, telling no more about it than the account may know. */
  #find(
    store: ReadonlyMap<string, Stored>,
    account: Account,
    name: string,
    project: string,
    query: URLSearchParams,
  ): Stored {
    const namespace = query.get('appNamespace') || this.#namespace
    const notFound = () => new ApiError(5, `applications.argoproj.io "${name}" not found`)
    if (project !== '' && !this.#mayGet(account, project, namespace, name)) throw permissionDenied()
    if (!this.#isEnabled(namespace)) throw permissionDenied()
    const stored = store.get(`${namespace}/${name}`)
    if (stored === undefined || !this.#mayGet(account, stored.project, namespace, name)) {
      throw project === '' ? permissionDenied() : notFound()
    }
    if (project !== '' && project !== stored.project) throw notFound()
    return stored
  }

  #getApplication(exchange: Exchange, account: Account, name: string, query: URLSearchParams): void {
    const projects = projectsOf(query)
    if (projects.length > 1) {
      throw new ApiError(
        3,
        'multiple projects specified - the get endpoint accepts either zero or one project',
      )
    }
    const stored = this.#find(this.#live, account, name, projects[0] ?? '', query)
    const answer = (found: Stored) => this.#send(exchange, 200, found.json, {}, () => found.compressed)
    const refresh = query.get('refresh')
    if (refresh === null) answer(stored)
    // Whatever is not hard is normal, even nothing.
    else exchange.whenClosed(this.#refresh(stored, refresh === 'hard' ? 'hard' : 'normal', answer))
  }

  #list(exchange: Exchange, account: Account, query: URLSearchParams): void {
    const key = `${account.applications.join()} ${exchange.request.headers.get('accept')} ${query}`
    let list = this.#lists.get(key)
    if (list === undefined) {
      list = { json: this.#listJson(exchange, account, query) }
      this.#lists.set(key, list)
    }
    const made = list
    this.#send(exchange, 200, made.json, {}, () => {
      // A whole installation takes a second at the best compression.
      made.compressed ??= gzipSync(made.json, { level: made.json.length > 1_000_000 ? 1 : 6 })
      return made.compressed
    })
  }

  #listJson(exchange: Exchange, account: Account, query: URLSearchParams): string {
    let matches: (labels: JsonObject) => boolean
    try {
      matches = parseSelector(query.get('selector') ?? '')
    } catch (error) {
      throw new ApiError(2, `error parsing the selector: ${(error as Error).message}`)
    }
    const namespace = query.get('appNamespace') ?? ''
    const name = query.get('name') ?? ''
    const projects = projectsOf(query)
    const repo = query.get('repo') ?? ''
    let found = [...this.#cache.values()].filter(
      (stored) => (namespace === '' || stored.namespace === namespace) && matches(stored.labels),
    )
    // The real server takes the first of that name, in whatever namespace it comes upon it.
    if (name !== '') found = found.filter((stored) => stored.name === name).slice(0, 1)
    found = found.filter(
      (stored) =>
        (projects.length === 0 || projects.includes(stored.project)) &&
        (repo === '' || at(sourcesOf(stored.app)[0], 'repoURL') === repo) &&
        this.#isEnabled(stored.namespace) &&
        this.#mayGet(account, stored.project, stored.namespace, stored.name),
    )
    found.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))

    const fields = query.get('fields') ?? ''
    const names = fields === '' ? [] : selectListFields(fields)
    const items = found.map((stored) =>
      stored.once(`list ${fields}`, () =>
        fields === '' ? stringify(stored.listed) : stringify(listItem(stored.listed, names)),
      ),
    )
    const old = !this.#version36 || exchange.request.headers.get('accept') === 'text/event-stream'
    if (old && fields !== '') {
      const list = items.length === 0 ? 'null' : `[${items.join(',')}]`
      return `{"items":${list},"metadata":{"resourceVersion":"${this.#cacheVersion}"}}`
    }
    const lines = items.map((item) => `${item}\n`).join(',')
    return `{"metadata":{"resourceVersion":"${this.#cacheVersion}"}\n,"items":[${lines}]}`
  }

  #watch(exchange: Exchange, query: URLSearchParams): void {
    const sse = exchange.request.headers.get('accept') === 'text/event-stream'
    const cut = new FieldCut(query.get('fields') ?? '')
    const failure = (code: number, message: string) => {
      const http = HTTP_STATUS[code] ?? 500
      const error = { grpc_code: code, http_code: http, message, http_status: STATUS_TEXT[http] ?? '' }
      // The cut is made of errors, too: who does not ask for the error gets an empty object.
      const json = stringify(cut.apply({ error }))
      return sse ? `data: ${json} \n\n` : json
    }
    const headers: HttpHeaders = { 'Content-Type': sse ? 'text/event-stream' : 'application/json' }
    if (sse) headers['X-Content-Type-Options'] = 'nosniff'

    let account: Account
    let matches: (labels: JsonObject) => boolean
    try {
      account = this.#authenticate(exchange.request.headers)
      try {
        matches = parseSelector(query.get('selector') ?? '')
      } catch (error) {
        throw new ApiError(2, `error parsing labels with selectors: ${(error as Error).message}`)
      }
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      exchange.begin(error.status, headers)
      exchange.write(failure(error.code, error.message))
      exchange.end()
      return
    }

    const name = query.get('name') ?? ''
    const namespace = query.get('appNamespace') || this.#namespace
    const projects = projectsOf(query)
    const since = query.get('resourceVersion') ?? ''
    const minVersion = /^[+-]?\d+$/.test(since) ? Number(since) : 0
    // The namespace counts only together with a name. An application that stops to match falls silent.
    const permitted = (stored: Stored) =>
      (projects.length === 0 || projects.includes(stored.project)) &&
      stored.version >= minVersion &&
      (name === '' || (stored.name === name && stored.namespace === namespace)) &&
      matches(stored.labels) &&
      this.#isEnabled(stored.namespace) &&
      this.#mayGet(account, stored.project, stored.namespace, stored.name)

    const writer = new StreamWriter(exchange, headers, failure, this.#compresses(exchange))
    const lastByName = new Map<string, string>()
    const send = (type: WatchEvent, stored: Stored) => {
      if (!permitted(stored)) return
      const json = stored.once(`${type} ${cut.fields}`, () =>
        cut.fields === ''
          ? `{"result":{"type":"${type}","application":${stored.json}}}`
          : stringify(cut.apply({ result: { type, application: stored.app } })),
      )
      if (lastByName.get(stored.name) === json) return
      // Not even the headers come before the first message, and keep-alives count from there.
      if (sse && lastByName.size === 0) keepAlive()
      lastByName.set(stored.name, json)
      writer.message(sse ? `data: ${json} \n\n\n` : `${json}\n`)
    }
    const keepAlive = () =>
      exchange.later(this.#options.keepAliveMs ?? 15_000, () => {
        writer.keepAlive(':\n')
        keepAlive()
      })

    if (since === '' || name !== '') {
      const initial = [...this.#cache.values()].sort((a, b) =>
        `${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1,
      )
      for (const stored of initial) send('ADDED', stored)
    }
    this.#subscribers.add(send)
    exchange.whenClosed(() => this.#subscribers.delete(send))
  }

  #metadata(source: JsonObject, revision: string): JsonObject {
    if (!COMMIT_SHA.test(revision)) throw new ApiError(2, `revision ${revision} must be resolved`)
    for (const [known, commits] of this.#commits) {
      if (!known.startsWith(revision)) continue
      const commit = commits.find(({ repoURL }) => repoURL === undefined || repoURL === source.repoURL)
      if (commit === undefined) continue
      const { author = 'Ada Lovelace <ada@example.com>', message = '', tags = [] } = commit
      const { date = timestamp(new Date()) } = commit
      return tags.length === 0 ? { author, date, message } : { author, date, tags, message }
    }
    const fetch = `git fetch origin ${revision} --tags --force --prune`
    throw new ApiError(
      2,
      'error acquiring repo lock: rpc error: code = Internal desc = ' +
        `Failed to checkout revision ${revision}: \`${fetch}\` failed exit status 128: ` +
        `fatal: remote error: upload-pack: not our ref ${revision}`,
    )
  }

  #chart(source: JsonObject, name: string, version: string): JsonObject {
    if (!source.chart) throw new ApiError(2, `no chart found for application: ${name}`)
    const details = this.#charts.get(version)
    if (details !== undefined) return details
    const pull = `helm pull --destination /tmp/helm --version ${version} ${source.chart}`
    const failed = `\`${pull}\` failed exit status 1`
    throw new ApiError(2, `error extracting chart: ${failed}: Error: chart "${source.chart}" not found`)
  }

  #tree(stored: Stored): JsonObject {
    const given = this.#trees.get(`${stored.namespace}/${stored.name}`)
    if (given !== undefined) return given
    const nodes = array(at(stored.app, 'status', 'resources')).map((entry, index) => {
      const { group, version, kind, namespace, name, health } = object(entry)
      const number = index.toString(16).padStart(12, '0')
      const uid = `00000000-0000-4000-8000-${number}`
      const createdAt = at(stored.app, 'metadata', 'creationTimestamp')
      return { group, version, kind, namespace, name, uid, resourceVersion: '1', health, createdAt }
    })
    return nodes.length === 0 ? {} : { nodes }
  }

  #eventsOf(stored: Stored, query: URLSearchParams): JsonObject {
    const name = query.get('resourceName') ?? ''
    const uid = query.get('resourceUID') ?? ''
    const namespace = query.get('resourceNamespace') ?? ''
    const own = name === '' && uid === ''
    const tree = this.#tree(stored)
    const nodes = [...array(tree.nodes), ...array(tree.orphanedNodes)].map(object)
    const known = nodes.some(
      (node) => node.uid === uid && node.name === name && (node.namespace ?? '') === namespace,
    )
    if (!own && !known) throw new ApiError(3, `${name} not found as part of application ${stored.name}`)
    const about = own ? { name: stored.name, uid: at(stored.app, 'metadata', 'uid') } : { name, uid }
    const items = (this.#events.get(`${stored.namespace}/${stored.name}`) ?? []).filter((event) => {
      const involved = object(event.involvedObject)
      return involved.name === about.name && (involved.uid ?? about.uid) === about.uid
    })
    return { metadata: { resourceVersion: String(this.#resourceVersion) }, items }
  }
}

const WEB_PAGE =
  '<!doctype html><html lang="en"><head><meta charset="UTF-8"><title>Argo CD</title></head>' +
  '<body><noscript>Your browser does not support JavaScript.</noscript><div id="app"></div></body></html>'

type Target = { readonly route: Route; readonly name?: string; readonly revision?: string }

/** Which part of the API a path names: none if it cannot be decoded, or has a verb after a colon. */
function routeOf(path: string): Target {
  let parts: string[]
  try {
    parts = decodeURIComponent(path).split('/').slice(1)
  } catch {
    return { route: 'other' }
  }
  const [api, version, ...rest] = parts
  if (api !== 'api' || version !== 'v1' || rest.at(-1)?.includes(':')) return { route: 'other' }
  const [first, name = '', part, revision = '', last, ...more] = rest
  switch (first) {
    case 'session':
      if (rest.length === 1) return { route: 'session' }
      break
    case 'stream':
      if (rest.length === 2 && name === 'applications') return { route: 'stream' }
      break
    case 'applications':
      if (rest.length === 1) return { route: 'applications' }
      if (rest.length === 2) return { route: 'application', name }
      if (rest.length === 3 && (part === 'resource-tree' || part === 'events' || part === 'syncwindows')) {
        return { route: part, name }
      }
      if (part === 'revisions' && (last === 'metadata' || last === 'chartdetails') && more.length === 0) {
        return { route: last, name, revision }
      }
      break
  }
  return { route: 'other' }
}

/** The older parameter wins over the newer one. */
function projectsOf(query: URLSearchParams): string[] {
  return query.has('project') ? query.getAll('project') : query.getAll('projects')
}

function sourcesOf(app: JsonObject): JsonObject[] {
  const spec = object(app.spec)
  if (spec.sourceHydrator) {
    const { drySource, syncSource } = object(spec.sourceHydrator)
    const { repoURL, path, targetBranch } = object(syncSource)
    return [{ repoURL: repoURL ?? object(drySource).repoURL, path, targetRevision: targetBranch }]
  }
  if (Array.isArray(spec.sources) && spec.sources.length > 0) return spec.sources.map(object)
  return spec.source ? [object(spec.source)] : []
}

function sourceAt(app: JsonObject, index: string | null): JsonObject {
  const sources = sourcesOf(app)
  if (index !== null && !/^[+-]?\d+$/.test(index)) {
    throw new ApiError(3, `strconv.ParseInt: parsing "${index}": invalid syntax`)
  }
  const source = sources[Number(index ?? 0)]
  if (source !== undefined) return source
  const only = sources.length === 1 ? 'is only 1 source' : `are only ${sources.length} sources`
  throw new ApiError(
    2,
    'error getting app source by source index and version ID: ' +
      `source index ${index} not found because there ${only}`,
  )
}

/** The fields that a list can be cut down to, each with what stands there when the application has none. */
const LIST_FIELDS: Readonly<Record<string, Json>> = {
  'metadata.name': '',
  'metadata.namespace': '',
  'metadata.annotations': null,
  'metadata.labels': null,
  'metadata.creationTimestamp': null,
  'metadata.deletionTimestamp': null,
  spec: {},
  'spec.destination': {},
  'spec.project': '',
  'spec.source': null,
  'spec.sources': null,
  'spec.sourceHydrator': null,
  'spec.syncPolicy': null,
  'status.sourceHydrator': {},
  'status.summary': {},
  'status.sync.status': '',
  'status.sync.revision': '',
  'status.health': {},
  'status.operationState.startedAt': null,
  'status.operationState.finishedAt': null,
  'status.resources': [],
  'operation.sync': null,
  'status.operationState.phase': '',
  'status.operationState.operation.sync': null,
}

/** What a list's `fields` selects. What is not in the set is ignored, also where it holds one that is. */
function selectListFields(fields: string): string[] {
  const exclude = fields.startsWith('-')
  const asked = new Set((exclude ? fields.slice(1) : fields).split(','))
  const selected = Object.keys(LIST_FIELDS).filter((field) => asked.has(`items.${field}`) !== exclude)
  return selected.filter(
    (field) => field === 'spec' || !field.startsWith('spec.') || !selected.includes('spec'),
  )
}

function listItem(app: JsonObject, fields: readonly string[]): JsonObject {
  const item: JsonObject = {}
  for (const field of fields) {
    const parts = field.split('.')
    if (parts[1] === 'operationState' && !at(app, 'status', 'operationState')) continue
    if (parts[0] === 'operation' && !app.operation) continue
    // The field is named after the operation, but holds the result.
    const wrong = field === 'status.operationState.operation.sync'
    const value =
      at(app, ...(wrong ? ['status', 'operationState', 'syncResult'] : parts)) ?? LIST_FIELDS[field]
    if (field === 'status.resources' && array(value).length === 0) continue
    let parent = item
    for (const part of parts.slice(0, -1)) {
      const child = object(parent[part])
      parent[part] = child
      parent = child
    }
    parent[parts.at(-1) ?? ''] = value
  }
  return item
}

/**
 * The cut that `fields` makes of a stream's messages. It compares the beginnings of paths as text, not part
 * by part: who asks for `spec.sourceHydrator` also gets an empty `spec.source`.
 */
class FieldCut {
  readonly fields: string
  readonly #asked: ReadonlySet<string>
  readonly #exclude: boolean
  readonly #decisions = new Map<string, 'whole' | 'inside' | 'nothing'>()

  constructor(fields: string) {
    this.fields = fields
    this.#exclude = fields.startsWith('-')
    this.#asked = new Set((this.#exclude ? fields.slice(1) : fields).split(','))
  }

  apply(message: JsonObject): Json {
    return this.fields === '' ? message : this.#cut('', message)
  }

  #cut(path: string, value: Json | undefined): Json {
    if (Array.isArray(value)) return value.map((item) => this.#cut(path, item))
    if (typeof value !== 'object' || value === null) return value ?? null
    const kept: JsonObject = {}
    for (const [key, member] of Object.entries(value)) {
      const memberPath = path === '' ? key : `${path}.${key}`
      const decision = this.#decide(memberPath)
      if (decision === 'whole') kept[key] = member
      else if (decision === 'inside') kept[key] = this.#cut(memberPath, member)
    }
    return kept
  }

  #decide(path: string): 'whole' | 'inside' | 'nothing' {
    let decision = this.#decisions.get(path)
    if (decision === undefined) {
      const asked = this.#asked.has(path)
      if (this.#exclude) decision = asked ? 'nothing' : 'inside'
      else if (asked) decision = 'whole'
      else decision = [...this.#asked].some((field) => field.startsWith(path)) ? 'inside' : 'nothing'
      this.#decisions.set(path, decision)
    }
    return decision
  }
}

/** The grammar of Kubernetes label selectors: `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1`. */
function parseSelector(selector: string): (labels: JsonObject) => boolean {
  const tokens = [...selector.matchAll(/==|!=|[=!(),<>]|[^\s=!(),<>]+/g)].map(([token]) => token)
  const isWord = (token: string | undefined) =>
    token !== undefined && !/^(?:[=!(),<>]+|in|notin)$/.test(token)
  const expect = (expected: string, wanted: string): never => {
    throw new Error(`found '${expected}', expected: ${wanted}`)
  }
  const requirements: ((labels: JsonObject) => boolean)[] = []
  let next = 0
  const key = (): string => {
    const token = tokens[next++]
    if (token === undefined || !isWord(token)) return expect(token ?? '', "!, identifier, or ','")
    if (!/^(?:[\w.-]{1,253}\/)?[a-z0-9](?:[\w.-]{0,61}[a-z0-9])?$/i.test(token)) {
      throw new Error(`key: Invalid value: "${token}": name part must consist of alphanumeric characters`)
    }
    return token
  }
  const value = (): string => {
    const token = tokens[next]
    if (token === undefined || token === ',' || token === ')') return ''
    next += 1
    if (!/^[a-z0-9](?:[\w.-]{0,61}[a-z0-9])?$/i.test(token)) {
      throw new Error(
        `values[0]: Invalid value: "${token}": a valid label must be an empty string or consist of`,
      )
    }
    return token
  }
  const values = (): string[] => {
    if (tokens[next++] !== '(') return expect(tokens[next - 1] ?? '', "'('")
    if (tokens[next] === ')') throw new Error("for 'in', 'notin' operators, values set can't be empty")
    const list = [value()]
    while (tokens[next] === ',') {
      next += 1
      list.push(value())
    }
    if (tokens[next++] !== ')') return expect(tokens[next - 1] ?? '', "',' or ')'")
    return list
  }
  while (next < tokens.length) {
    if (tokens[next] === '!') {
      next += 1
      const name = key()
      requirements.push((labels) => !(name in labels))
    } else {
      const name = key()
      const operator = tokens[next]
      if (operator === undefined || operator === ',') {
        requirements.push((labels) => name in labels)
      } else {
        next += 1
        if (operator === 'in' || operator === 'notin') {
          const list = values()
          const wanted = operator === 'in'
          requirements.push((labels) => (name in labels && list.includes(String(labels[name]))) === wanted)
        } else if (operator === '=' || operator === '==' || operator === '!=') {
          const one = value()
          const wanted = operator !== '!='
          requirements.push((labels) => (name in labels && labels[name] === one) === wanted)
        } else if (operator === '<' || operator === '>') {
          const limit = Number(value() || Number.NaN)
          if (!Number.isInteger(limit)) {
            throw new Error("for 'Gt', 'Lt' operators, the value must be an integer")
          }
          requirements.push((labels) => {
            const number = /^-?\d+$/.test(String(labels[name])) ? Number(labels[name]) : Number.NaN
            return operator === '<' ? number < limit : number > limit
          })
        } else {
          expect(operator, 'in, notin, =, ==, !=, gt, lt')
        }
      }
    }
    if (next < tokens.length) {
      if (tokens[next] !== ',') expect(tokens[next] ?? '', "',' or 'end of string'")
      next += 1
      if (next === tokens.length) expect('', "identifier after ','")
    }
  }
  return (labels) => requirements.every((holds) => holds(labels))
}

/** The globs of Argo CD's policies, in which a star also crosses slashes. */
function globMatches(pattern: string, text: string): boolean {
  const source = pattern.replace(/[\\^$+.()|*?{},]/g, (character) => GLOB[character] ?? `\\${character}`)
  return new RegExp(`^(?:${source})$`, 's').test(text)
}

const GLOB: Readonly<Record<string, string>> = { '*': '.*', '?': '.', '{': '(?:', '}': ')', ',': '|' }

/** A point in time as Kubernetes writes it: whole seconds. */
export function timestamp(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`
}

/** Merges members into a copy of an object, deeply. Lists are replaced; what is undefined is removed. */
export function merge(target: JsonObject, members: JsonObject): JsonObject {
  const merged: JsonObject = { ...target }
  for (const [key, value] of Object.entries(members)) {
    if (value === undefined) delete merged[key]
    else if (isObject(value)) merged[key] = merge(object(merged[key]), value)
    else merged[key] = value
  }
  return merged
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function object(value: Json | undefined): JsonObject {
  return isObject(value) ? value : {}
}

function array(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : []
}

/** The value at a path, if there is one. */
function at(value: Json | undefined, ...path: string[]): Json | undefined {
  let found = value
  for (const key of path) found = object(found)[key]
  return found
}

/** Ten times as fast as structuredClone, which counts with a thousand large applications. */
function copy<T extends Json | undefined>(value: T): T
function copy(value: Json | undefined): Json | undefined {
  if (Array.isArray(value)) return value.map((item) => copy(item))
  if (!isObject(value)) return value
  const made: JsonObject = {}
  for (const key in value) made[key] = copy(value[key])
  return made
}

/** JSON as Go writes it: safe to put into HTML. */
function stringify(value: Json): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

function base64url(value: Json): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function claimsOf(token: string): JsonObject | undefined {
  try {
    return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
  } catch {
    return undefined
  }
}

/** Splits at the first separator only. */
function split(text: string, separator: string): [string, string?] {
  const index = text.indexOf(separator)
  return index === -1 ? [text] : [text.slice(0, index), text.slice(index + 1)]
}

/** A plain answer, as Go's HTTP library words its errors. */
function sendText(exchange: Exchange, status: number, text: string): void {
  const headers = { 'Content-Type': 'text/plain; charset=utf-8', 'X-Content-Type-Options': 'nosniff' }
  exchange.send(status, headers, status === 200 ? text : `${text}\n`)
}

/** What {@link application} is to build. */
export type ApplicationOptions = {
  /** @default 'guestbook' */
  readonly name?: string
  /** @default 'argocd' */
  readonly namespace?: string
  /** @default 'default' */
  readonly project?: string
  /** What is synced. @default forty times the letter a */
  readonly revision?: string
  /** @default 'https://git.example.com/deployments.git' */
  readonly repoURL?: string
  /** @default the name */
  readonly path?: string
  /** A Helm chart instead of a path; the revision is its version. */
  readonly chart?: string
  /** @default 'main'; of a chart, the revision */
  readonly targetRevision?: string
  /** Several sources instead of one, each with the revision that is synced. */
  readonly sources?: readonly (Source & { readonly revision: string })[]
  /** Hydrated: the dry commit that a person promotes. `revision` is then the hydrated one. */
  readonly drySHA?: string
  /** The images of the live Pods. @default one of the application's name */
  readonly images?: readonly string[]
  /** How many resources it has. @default 3: a Deployment, a Service and a ConfigMap */
  readonly resources?: number
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  /** When it was last compared; the last operation ended some seconds before. @default now */
  readonly at?: Date
}

const DAY_SECONDS = 86_400
const KINDS = [
  { group: 'apps', version: 'v1', kind: 'Deployment', health: { status: 'Healthy' } },
  { version: 'v1', kind: 'Service', health: { status: 'Healthy' } },
  { version: 'v1', kind: 'ConfigMap' },
]

/**
 * An application where everything is as it should be: synced at its revision, healthy, the last operation
 * succeeded, and looked at since. Empty members are those that Argo CD writes, too.
 *
 * @param overrides merged over it, see {@link merge}
 *
 * @example
 * application({ name: 'shop', revision }, { status: { health: { status: 'Progressing' } } })
 */
export function application(options: ApplicationOptions = {}, overrides: JsonObject = {}): Application {
  const { name = 'guestbook', namespace = 'argocd', project = 'default' } = options
  const { revision = 'a'.repeat(40), drySHA, chart } = options
  const { repoURL = 'https://git.example.com/deployments.git', path = name } = options
  const { labels = { 'app.kubernetes.io/part-of': name }, images = [`registry.example.com/${name}:1.0.0`] } =
    options
  const { annotations = { 'argocd.argoproj.io/manifest-generate-paths': '.' } } = options
  const now = Math.floor((options.at ?? new Date()).getTime() / 1000)
  const ago = (seconds: number) => timestamp(new Date((now - seconds) * 1000))

  const destination = { server: 'https://kubernetes.default.svc', namespace: name }
  const several = options.sources?.map(({ revision: _, ...source }) => source)
  const revisions = options.sources?.map((source) => source.revision)
  const hydrator = {
    drySource: { repoURL, targetRevision: options.targetRevision ?? 'main', path },
    syncSource: { targetBranch: 'environments/prod', path },
  }
  const source: Source =
    drySHA !== undefined
      ? { repoURL, path, targetRevision: hydrator.syncSource.targetBranch }
      : chart !== undefined
        ? { repoURL, chart, targetRevision: options.targetRevision ?? revision }
        : { repoURL, path, targetRevision: options.targetRevision ?? 'main' }

  // With several sources the one source is still written, empty but for its required member.
  const sources = several === undefined ? { source } : { source: { repoURL: '' }, sources: several }
  const synced = revisions === undefined ? { revision } : { revisions }
  const typeOf = (from: Source) => (from.chart === undefined ? 'Kustomize' : 'Helm')
  const previous = (from: Source) => (from.chart === undefined ? '0'.repeat(40) : '0.0.1')

  const resources: Resource[] = Array.from({ length: options.resources ?? KINDS.length }, (_, index) => {
    const kind = KINDS[index % KINDS.length] ?? { version: 'v1', kind: 'ConfigMap' }
    const number = Math.floor(index / KINDS.length)
    return { ...kind, namespace: name, name: number === 0 ? name : `${name}-${number}`, status: 'Synced' }
  })
  const operation = {
    sync: { ...synced, syncStrategy: { hook: {} } },
    initiatedBy: { automated: true },
    retry: { limit: 5 },
  }

  const app: Application = {
    metadata: {
      name,
      namespace,
      creationTimestamp: ago(30 * DAY_SECONDS),
      labels: { ...labels },
      annotations: { ...annotations },
      finalizers: ['resources-finalizer.argocd.argoproj.io'],
    },
    spec: {
      ...(drySHA !== undefined ? { sourceHydrator: hydrator } : several ? { sources: several } : { source }),
      destination,
      project,
      syncPolicy: { automated: { prune: true, selfHeal: true } },
    },
    status: {
      resources,
      sync: { status: 'Synced', comparedTo: { ...sources, destination }, ...synced },
      health: { status: 'Healthy', lastTransitionTime: ago(10) },
      history: [
        {
          ...(several === undefined ? { revision: previous(source) } : { revisions: several.map(previous) }),
          deployStartedAt: ago(DAY_SECONDS + 10),
          deployedAt: ago(DAY_SECONDS),
          id: 0,
          ...sources,
          initiatedBy: { automated: true },
        },
        {
          ...synced,
          deployStartedAt: ago(30),
          deployedAt: ago(20),
          id: 1,
          ...sources,
          initiatedBy: { automated: true },
        },
      ],
      reconciledAt: ago(0),
      operationState: {
        operation,
        phase: 'Succeeded',
        message: 'successfully synced (all tasks run)',
        syncResult: {
          resources: resources.map(({ group = '', version, kind, namespace: where = '', name: of }) => ({
            group,
            version,
            kind,
            namespace: where,
            name: of,
            status: 'Synced',
            message: `${kind.toLowerCase()}${group && `.${group}`}/${of} configured`,
            hookPhase: 'Running',
            syncPhase: 'Sync',
          })),
          revision: revisions === undefined ? revision : '',
          ...(revisions === undefined ? {} : { revisions }),
          ...sources,
        },
        startedAt: ago(30),
        finishedAt: ago(20),
      },
      ...(several === undefined ? { sourceType: typeOf(source) } : { sourceTypes: several.map(typeOf) }),
      summary: { images: [...images] },
      resourceHealthSource: 'appTree',
      controllerNamespace: 'argocd',
      sourceHydrator:
        drySHA === undefined
          ? {}
          : {
              lastSuccessfulOperation: { drySHA, hydratedSHA: revision, sourceHydrator: hydrator },
              currentOperation: {
                startedAt: ago(45),
                finishedAt: ago(40),
                phase: 'Hydrated',
                message: '',
                drySHA,
                hydratedSHA: revision,
                sourceHydrator: hydrator,
              },
              lastComparedDryRevision: drySHA,
            },
    },
  }
  // Built from shared parts, which a test that changes one place does not want to change elsewhere.
  return copy(merge(app as JsonObject, overrides)) as unknown as Application
}
