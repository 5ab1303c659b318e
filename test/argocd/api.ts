/** The API of the simulated Argo CD: what it answers to a request. */
import type { Account, Accounts } from './accounts.ts'
import type { Controller } from './controller.ts'
import type { Details } from './details.ts'
import { ApiError, Code, permissionDenied } from './errors.ts'
import type { Exchange, HttpHeaders } from './exchange.ts'
import { type JsonObject, JsonText, object, stringify } from './json.ts'
import { Lists } from './list.ts'
import type { Operations } from './operations.ts'
import type { ServerOptions } from './options.ts'
import { projectsOf, type Target } from './routes.ts'
import type { Store, Stored } from './store.ts'
import { watch } from './watch.ts'

const WEB_PAGE =
  '<!doctype html><html lang="en"><head><meta charset="UTF-8"><title>Argo CD</title></head>' +
  '<body><noscript>Your browser does not support JavaScript.</noscript><div id="app"></div></body></html>'

/** What the API is about. */
export type Parts = {
  readonly options: ServerOptions
  /** The root path. */
  readonly root: string
  /** That of the control plane. */
  readonly namespace: string
  readonly store: Store
  readonly controller: Controller
  readonly accounts: Accounts
  readonly details: Details
  readonly operations: Operations
}

function bodyOf({ request }: Exchange): JsonObject {
  try {
    return object(JSON.parse(request.body))
  } catch (error) {
    throw new ApiError(Code.invalidArgument, (error as Error).message)
  }
}

export class Api {
  readonly #parts: Parts
  readonly #lists: Lists

  constructor(parts: Parts) {
    this.#parts = parts
    this.#lists = new Lists(parts.store, parts.accounts, parts.options.version !== '3.5')
  }

  /** Answers a request for a path below the root path. */
  async answer(exchange: Exchange, path: string, query: URLSearchParams, target: Target): Promise<void> {
    try {
      if (target.route === 'other') this.#other(exchange, path)
      else await this.#route(exchange, query, target)
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      const { code, message } = error
      this.#send(exchange, error.status, stringify({ error: message, code, message }))
    }
  }

  #other(exchange: Exchange, path: string): void {
    const Version = this.#parts.options.version === '3.5' ? 'v3.5.1+4f1eda3' : 'v3.6.0+37ee009'
    if (path === '/healthz') sendText(exchange, 200, 'ok')
    else if (path === '/api/version') this.#send(exchange, 200, stringify({ Version }))
    else if (path.startsWith('/api/')) sendText(exchange, 404, 'Not Found')
    else exchange.send(200, { 'Content-Type': 'text/html; charset=utf-8' }, WEB_PAGE)
  }

  async #route(exchange: Exchange, query: URLSearchParams, target: Target): Promise<void> {
    const { method, headers } = exchange.request
    const { route, name = '' } = target
    if (method !== 'GET' && headers.get('content-type')?.toLowerCase() !== 'application/json') {
      sendText(exchange, 415, 'Invalid content type')
      return
    }
    if (method !== (route === 'session' || route === 'sync' ? 'POST' : 'GET')) {
      sendText(exchange, 405, 'Method Not Allowed')
      return
    }
    const { store, accounts, namespace, options } = this.#parts
    if (route === 'session') {
      await this.#logIn(exchange)
      return
    }
    if (route === 'stream') {
      const { keepAliveMs = 15_000 } = options
      const compress = this.#compresses(exchange)
      watch(exchange, query, { store, accounts, namespace, keepAliveMs, compress })
      return
    }
    if (route === 'userinfo') {
      this.#send(exchange, 200, stringify(this.#userInfo(headers)))
      return
    }
    const account = accounts.authenticate(headers)
    if (route === 'can-i') {
      const [resource, action = '', subject = ''] = target.permission ?? []
      const may = resource === 'applications' && accounts.may(account, action, subject)
      this.#send(exchange, 200, stringify({ value: may ? 'yes' : 'no' }))
      return
    }
    if (route === 'project') {
      if (!accounts.mayGetProject(account, name))
        throw new ApiError(Code.permissionDenied, `permission denied: projects, get, ${name}`)
      const syncWindows = this.#parts.details.projects.get(name) ?? []
      this.#send(exchange, 200, stringify({ metadata: { name }, spec: { syncWindows } }))
      return
    }
    if (route === 'sync') {
      this.#send(exchange, 200, this.#sync(exchange, account, name).json)
      return
    }
    if (route === 'applications') {
      this.#send(exchange, 200, this.#lists.get(account, query, headers.get('accept')))
    } else if (route === 'application') {
      this.#getApplication(exchange, account, name, query)
    } else {
      const isLive = route === 'metadata' || route === 'manifests' || route === 'syncwindows'
      const applications = isLive ? store.live : store.cache
      const stored = this.#find(applications, account, name, query.get('project') ?? '', query)
      this.#send(exchange, 200, stringify(this.#detail(target, stored, query)))
    }
  }

  async #logIn(exchange: Exchange): Promise<void> {
    const { accounts, options, root } = this.#parts
    const token = await accounts.logIn(exchange.request.body)
    const secure = options.tls === undefined ? '' : '; Secure'
    this.#send(exchange, 200, stringify({ token }), {
      'Set-Cookie': `argocd.token=${token}; path=${root}/; SameSite=lax; httpOnly${secure}`,
    })
  }

  /** Anybody may ask who they are. */
  #userInfo(headers: Headers): JsonObject {
    try {
      return { loggedIn: true, username: this.#parts.accounts.authenticate(headers).name, iss: 'argocd' }
    } catch (error) {
      if (error instanceof ApiError) return { loggedIn: false }
      throw error
    }
  }

  #getApplication(exchange: Exchange, account: Account, name: string, query: URLSearchParams): void {
    const [project = '', ...more] = projectsOf(query)
    if (more.length > 0) {
      throw new ApiError(
        Code.invalidArgument,
        'multiple projects specified - the get endpoint accepts either zero or one project',
      )
    }
    const { store, controller } = this.#parts
    const stored = this.#find(store.live, account, name, project, query)
    const answer = (found: Stored) => this.#send(exchange, 200, found.json)
    const refresh = query.get('refresh')
    if (refresh === null) answer(stored)
    // Whatever is not hard is normal, even nothing.
    else exchange.whenClosed(controller.refresh(stored, refresh === 'hard' ? 'hard' : 'normal', answer))
  }

  /** In the order of the real one: may it be seen, is a window closed, may it be synced, what revision is it. */
  #sync(exchange: Exchange, account: Account, name: string): Stored {
    const { store, accounts, details, operations } = this.#parts
    const body = bodyOf(exchange)
    const query = new URLSearchParams({ appNamespace: String(body.appNamespace ?? '') })
    const stored = this.#find(store.live, account, name, String(body.project ?? ''), query)
    if (details.syncWindowsOf(stored).canSync !== true)
      throw new ApiError(Code.permissionDenied, 'cannot sync: blocked by sync window')
    const subject = accounts.objectOf(stored)
    if (!accounts.may(account, 'sync', subject))
      throw new ApiError(
        Code.permissionDenied,
        `permission denied: applications, sync, ${subject}, sub: ${account.name}, iat: 2026-11-24T12:00:00Z`,
      )
    return operations.start(stored, body, account.name, () => accounts.may(account, 'override', subject))
  }

  #detail({ route, revision = '' }: Target, stored: Stored, query: URLSearchParams): JsonObject {
    const { details } = this.#parts
    switch (route) {
      case 'metadata':
        return details.metadataOf(stored, revision, query)
      case 'chartdetails':
        return details.chartOf(stored, revision, query)
      case 'resource-tree':
        return details.treeOf(stored)
      case 'manifests':
        return details.manifestsOf(stored, query)
      case 'events':
        return details.eventsOf(stored, query)
      default:
        return details.syncWindowsOf(stored)
    }
  }

  /** Finds an application, telling no more about it than the account may know. */
  #find(
    applications: ReadonlyMap<string, Stored>,
    account: Account,
    name: string,
    project: string,
    query: URLSearchParams,
  ): Stored {
    const { accounts } = this.#parts
    const namespace = query.get('appNamespace') || this.#parts.namespace
    const notFound = () => new ApiError(Code.notFound, `applications.argoproj.io "${name}" not found`)
    if (project !== '' && !accounts.mayGet(account, project, namespace, name)) throw permissionDenied()
    if (!accounts.isEnabled(namespace)) throw permissionDenied()
    const stored = applications.get(`${namespace}/${name}`)
    if (stored === undefined || !accounts.mayGet(account, stored.project, namespace, name)) {
      throw project === '' ? permissionDenied() : notFound()
    }
    if (project !== '' && project !== stored.project) throw notFound()
    return stored
  }

  /** Sends JSON as the gateway does. */
  #send(exchange: Exchange, status: number, json: string | JsonText, more: HttpHeaders = {}): void {
    const body = typeof json === 'string' ? new JsonText(json) : json
    const headers: HttpHeaders = {
      'Content-Type': 'application/json',
      'Grpc-Metadata-Content-Type': 'application/grpc',
      ...more,
    }
    if (this.#compresses(exchange)) {
      headers['Content-Encoding'] = 'gzip'
      headers.Vary = 'Accept-Encoding'
      exchange.send(status, headers, body.compressed)
    } else {
      exchange.send(status, headers, body.text)
    }
  }

  /** A fault counts bytes of the JSON, so an answer that meets one is not compressed. */
  #compresses({ fault, request }: Exchange): boolean {
    const accepted = request.headers.get('accept-encoding')?.split(',') ?? []
    return (
      this.#parts.options.gzip !== false &&
      request.headers.get('accept') !== 'text/event-stream' &&
      (fault === undefined || fault.kind === 'delay') &&
      accepted.some((encoding) => encoding.trim() === 'gzip')
    )
  }
}

/** A plain answer, as Go's HTTP library words its errors. */
export function sendText(exchange: Exchange, status: number, text: string): void {
  const headers = { 'Content-Type': 'text/plain; charset=utf-8', 'X-Content-Type-Options': 'nosniff' }
  exchange.send(status, headers, status === 200 ? text : `${text}\n`)
}
