/** The Argo CD API over ky: the only module that talks to the server. Every answer is parsed before it is trusted. */

import ky, { type KyInstance, type Options } from 'ky'
import { z } from 'zod'
import { formatServerAddress } from './address.ts'
import { type Application, applicationSchema, type Commit, commitSchema } from './application.ts'
import type { Connection } from './config.ts'
import { networkFailure, RequestFailure } from './failure.ts'
import { readEvents, type WatchEvent } from './stream.ts'
import { WATCH_FIELDS } from './watch-fields.ts'

/** An application as requests name it. */
export interface ApplicationRef {
  readonly name: string
  readonly namespace: string | undefined
  readonly project: string | undefined
}

/** Which applications a list or a stream is about. */
export interface ApplicationQuery {
  readonly name?: string | undefined
  readonly namespace?: string | undefined
  readonly project?: string | undefined
  readonly selector?: string | undefined
}

/** A node of the resource tree, as far as a diagnosis reads it. */
export type TreeNode = z.output<typeof treeNodeSchema>

/** What the gate asks of Argo CD. Every call rejects with a {@link RequestFailure}, or as the signal says. */
export interface ArgoCD {
  /** @returns `undefined`: it does not exist, or may not be seen; Argo CD does not tell which */
  application(ref: ApplicationRef, signal: AbortSignal): Promise<Application | undefined>
  /** Asks for a refresh and answers with the application after it, which may take as long as the controller does. */
  refresh(ref: ApplicationRef, type: 'normal' | 'hard', signal: AbortSignal): Promise<Application | undefined>
  /** As {@link refresh}, for those who learn of the application otherwise: its body is not read. */
  requestRefresh(ref: ApplicationRef, type: 'normal' | 'hard', signal: AbortSignal): Promise<void>
  /** What may not be seen is not in it. */
  applications(query: ApplicationQuery, signal: AbortSignal): Promise<readonly Application[]>
  /** The names of what {@link applications} would bring, for a fraction of the bytes. */
  applicationNames(query: ApplicationQuery, signal: AbortSignal): Promise<readonly ApplicationRef[]>
  /** Changes as they happen, in batches as they arrive, from the present state on. An empty batch says: still alive. */
  watch(query: ApplicationQuery, signal: AbortSignal): AsyncGenerator<readonly WatchEvent[]>
  commit(
    ref: ApplicationRef,
    revision: string,
    sourceIndex: number | undefined,
    signal: AbortSignal,
  ): Promise<Commit>
  resourceTree(ref: ApplicationRef, signal: AbortSignal): Promise<readonly TreeNode[]>
}

/** How long one request may take, in milliseconds; a refresh waits for Git and the application controller. */
const REQUEST_TIMEOUT = 15_000
const REFRESH_TIMEOUT = 60_000

/** An answer larger than this is not held in memory: ten thousand resources take a tenth of it. */
const LARGEST_BODY = 64 * 1024 * 1024

const sessionSchema = z.object({ token: z.string().min(1) })
const listSchema = z.object({ items: z.array(z.unknown()).nullish() })
const nameSchema = z.object({
  metadata: z.object({ name: z.string().min(1), namespace: z.string().nullish() }),
})
const errorSchema = z.object({
  message: z.string().nullish(),
  error: z.string().nullish(),
  code: z.number().nullish(),
})
const treeNodeSchema = z.object({
  group: z.string().nullish(),
  kind: z.string().nullish(),
  namespace: z.string().nullish(),
  name: z.string().nullish(),
  health: z.object({ status: z.string().nullish(), message: z.string().nullish() }).nullish(),
})
const treeSchema = z.object({ nodes: z.array(treeNodeSchema).nullish() })

/** gRPC codes in the bodies of Argo CD's errors. */
const PERMISSION_DENIED = 7
const NOT_FOUND = 5

/** What a client needs besides the connection. */
export interface ClientOptions {
  readonly version: string
  /** Reads a text file; used where a mounted token may have been rotated. */
  readonly readFile: (path: string) => string
}

/** A client of the server that the connection describes. Nothing is sent before the first call. */
export function createArgoCD(connection: Connection, { version, readFile }: ClientOptions): ArgoCD {
  const host = new URL(connection.server.origin).host
  const api = createApi(connection, version)
  const session = createSession(connection, api, host, readFile)
  const mask = masker(connection)

  /** Sends a request and hands the successful answer on; not found and not permitted are `undefined`. */
  async function send<T>(
    path: string,
    options: Options,
    signal: AbortSignal,
    read: (response: Response) => T | Promise<T>,
  ) {
    try {
      return await session.authorized(async (token) => {
        const response = await api.get(path, {
          ...options,
          signal,
          headers: { ...options.headers, authorization: `Bearer ${token}` },
        })
        if (response.ok) return await read(response)
        return await refuse(response, host, mask)
      }, signal)
    } catch (error) {
      if (signal.aborted && !isTimeout(signal.reason)) throw signal.reason
      throw networkFailure(isTimeout(signal.reason) ? signal.reason : error, host)
    }
  }

  const within = (signal: AbortSignal, milliseconds: number) =>
    AbortSignal.any([signal, AbortSignal.timeout(milliseconds)])

  async function getJson<T>(
    path: string,
    searchParams: SearchParams,
    schema: z.ZodType<T>,
    signal: AbortSignal,
    timeout = REQUEST_TIMEOUT,
  ) {
    return send(path, { searchParams }, within(signal, timeout), async (response) =>
      parse(await readJson(response, host), schema, host),
    )
  }

  async function getApplication(
    ref: ApplicationRef,
    refresh: string | undefined,
    signal: AbortSignal,
    timeout?: number,
  ) {
    const searchParams = { ...identity(ref), refresh }
    const application = await getJson(pathOf(ref), searchParams, applicationSchema, signal, timeout)
    if (application !== undefined && !isAbout(application, ref))
      throw new RequestFailure(
        'NotArgoCD',
        `${host} answered about another application (${application.metadata.name}) than ${ref.name}`,
      )
    return application
  }

  return {
    application: (ref, signal) => getApplication(ref, undefined, signal),
    refresh: (ref, type, signal) => getApplication(ref, type, signal, REFRESH_TIMEOUT),
    async requestRefresh(ref, type, signal) {
      const searchParams = { ...identity(ref), refresh: type }
      await send(pathOf(ref), { searchParams }, within(signal, REFRESH_TIMEOUT), (response) =>
        response.body?.cancel(),
      )
    },
    async applications(query, signal) {
      const list = await getJson('applications', listParams(query), listSchema, signal)
      return (list?.items ?? []).map((item) => parse(item, applicationSchema, host))
    },
    async applicationNames(query, signal) {
      const searchParams = { ...listParams(query), fields: 'items.metadata.name,items.metadata.namespace' }
      const list = await getJson('applications', searchParams, listSchema, signal)
      return (list?.items ?? []).map((item) => {
        const { name, namespace } = parse(item, nameSchema, host).metadata
        return { name, namespace: namespace ?? undefined, project: query.project }
      })
    },
    async *watch(query, signal) {
      const searchParams = { ...listParams(query), fields: WATCH_FIELDS.join(',') }
      const headers = { accept: 'text/event-stream' }
      const response = await send(
        'stream/applications',
        { searchParams, headers },
        signal,
        (answer) => answer,
      )
      if (response === undefined)
        throw new RequestFailure('NotArgoCD', `${host} does not let this account watch applications`)
      yield* readEvents(response, host, LARGEST_BODY)
    },
    async commit(ref, revision, sourceIndex, signal) {
      const path = `${pathOf(ref)}/revisions/${encodeURIComponent(revision)}/metadata`
      const commit = await getJson(path, { ...identity(ref), sourceIndex }, commitSchema, signal)
      if (commit === undefined)
        throw new RequestFailure('Unreachable', `${host} does not know revision ${revision}`)
      return commit
    },
    async resourceTree(ref, signal) {
      const tree = await getJson(`${pathOf(ref)}/resource-tree`, identity(ref), treeSchema, signal)
      return tree?.nodes ?? []
    },
  }
}

type SearchParams = Record<string, string | number | undefined>

/** Encoded, so that no name can reach another path. */
function pathOf({ name }: ApplicationRef): string {
  return `applications/${encodeURIComponent(name)}`
}

function identity({ namespace, project }: ApplicationRef): SearchParams {
  return { appNamespace: namespace, project }
}

function listParams({ name, namespace, project, selector }: ApplicationQuery): SearchParams {
  return { name, appNamespace: namespace, projects: project, selector }
}

function isAbout({ metadata }: Application, { name, namespace }: ApplicationRef): boolean {
  return (
    metadata.name === name &&
    (namespace === undefined || metadata.namespace === undefined || metadata.namespace === namespace)
  )
}

/**
 * Bun hands `tls` to its own fetch. A certificate authority of one's own is trusted besides the public ones;
 * redirects are never followed, so credentials go nowhere else.
 */
function createApi(
  { server, insecure, ca, clientCertificate, headers }: Connection,
  version: string,
): KyInstance {
  const tls = {
    ...(insecure ? { rejectUnauthorized: false } : {}),
    ...(ca === undefined ? {} : { ca: [...rootCertificates(), ca] }),
    ...clientCertificate,
  }
  return ky.create({
    prefix: `${formatServerAddress(server)}/api/v1`,
    headers: [
      ...headers.map(([name, value]): [string, string] => [name, value]),
      ['user-agent', `kpcea/${version}`],
    ],
    retry: 0,
    timeout: false,
    throwHttpErrors: false,
    redirect: 'manual',
    ...(Object.keys(tls).length > 0 ? { tls } : {}),
  } as Options)
}

function rootCertificates(): readonly string[] {
  // Loaded only where it is needed: it costs a run without a CA file nothing.
  const { rootCertificates: roots } = require('node:tls') as typeof import('node:tls')
  return roots
}

/** Proves who is asking, and does so again where the server no longer believes it. */
interface Session {
  /** Runs a request with a token; after a 401 once more with a new one, where there can be a new one. */
  authorized<T>(request: (token: string) => Promise<T>, signal: AbortSignal): Promise<T>
}

/** A 401, before it is known whether another token could help. */
class RefusedToken extends Error {}

function createSession(
  connection: Connection,
  api: KyInstance,
  host: string,
  readFile: (path: string) => string,
): Session {
  const { credentials } = connection
  const mask = masker(connection)
  let token = credentials.mode === 'TOKEN' ? Promise.resolve(credentials.token) : undefined
  let refused: RequestFailure | undefined

  async function logIn(username: string, password: string, signal: AbortSignal): Promise<string> {
    // A refused login counts towards the lock of the account, so it is never repeated.
    if (refused !== undefined) throw refused
    const response = await api.post('session', {
      json: { username, password },
      signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT)]),
    })
    if (response.ok) return parse(await readJson(response, host), sessionSchema, host).token
    try {
      await refuse(response, host, mask)
    } catch (error) {
      if (!(error instanceof RefusedToken)) throw error
      refused = new RequestFailure(
        'Unauthorized',
        `${host} refused the login of ${username} (${error.message}); check ARGOCD_API_USERNAME and ARGOCD_API_PASSWORD ` +
          '(too many wrong passwords lock an account for a while)',
        { fatal: true },
      )
      throw refused
    }
    throw new RequestFailure('Unauthorized', `${host} does not let ${username} log in`, { fatal: true })
  }

  function currentToken(signal: AbortSignal): Promise<string> {
    if (token === undefined && credentials.mode === 'LOGIN') {
      const login = logIn(credentials.username, credentials.password, signal)
      token = login
      login.catch(() => {
        if (token === login) token = undefined
      })
    }
    return token ?? Promise.reject(new RequestFailure('Unauthorized', 'there is no token', { fatal: true }))
  }

  /** Another token than the one that was refused, where there is one. */
  async function anotherToken(old: string, signal: AbortSignal): Promise<string | undefined> {
    const present = await currentToken(signal)
    if (present !== old) return present
    if (credentials.mode === 'LOGIN') {
      token = undefined
      return currentToken(signal)
    }
    if (credentials.tokenFile === undefined) return undefined
    try {
      const fresh = readFile(credentials.tokenFile).trim()
      if (fresh === old || fresh === '') return undefined
      token = Promise.resolve(fresh)
      return fresh
    } catch {
      return undefined
    }
  }

  return {
    async authorized(request, signal) {
      const first = await currentToken(signal)
      try {
        return await request(first)
      } catch (error) {
        if (!(error instanceof RefusedToken)) throw error
        const second = await anotherToken(first, signal)
        if (second === undefined) throw unauthorized(error, host, credentials.mode)
        try {
          return await request(second)
        } catch (again) {
          throw again instanceof RefusedToken ? unauthorized(again, host, credentials.mode) : again
        }
      }
    },
  }
}

function unauthorized(refusal: RefusedToken, host: string, mode: 'TOKEN' | 'LOGIN'): RequestFailure {
  const what = mode === 'TOKEN' ? 'the token' : 'the session of a new login'
  const check =
    mode === 'TOKEN'
      ? '; check that ARGOCD_API_TOKEN is a token of this server and has not expired or been deleted'
      : ''
  return new RequestFailure('Unauthorized', `${host} refused ${what} (${refusal.message})${check}`, {
    fatal: true,
  })
}

/**
 * Sorts an answer that is not a success.
 *
 * @returns `undefined` where Argo CD says that the thing does not exist or may not be seen
 */
async function refuse(response: Response, host: string, mask: (text: string) => string): Promise<undefined> {
  const { status, headers } = response
  if (status >= 300 && status < 400) {
    await response.body?.cancel()
    throw new RequestFailure(
      'NotArgoCD',
      `${host} redirects to ${mask(destination(headers.get('location')))}, which is not followed; ` +
        'check the scheme, host and root path in ARGOCD_SERVER (--server), and whether a sign-in page is in front',
    )
  }
  const body = await readText(response, host).catch(() => '')
  const error = errorSchema.safeParse(tryJson(body)).data
  const isArgoCD = error?.code !== undefined && error.code !== null
  const said = mask(cut(error?.message ?? error?.error ?? textOf(body)))
  const answer = `${status}${said === '' ? '' : ` ${said}`}`
  if (status === 401) throw new RefusedToken(answer)
  if (
    isArgoCD &&
    ((status === 403 && error.code === PERMISSION_DENIED) || (status === 404 && error.code === NOT_FOUND))
  )
    return undefined
  if (status === 400)
    throw new RequestFailure('InvalidSettings', `${host} rejected the request (${answer})`, { fatal: true })
  if (status === 408 || status === 429 || status >= 500)
    throw new RequestFailure('Unreachable', `${host} cannot answer (${answer})`, {
      retryAfter: retryAfterOf(headers),
    })
  const hint =
    status === 404
      ? '; check the root path in ARGOCD_SERVER (--server)'
      : '; is something else in front of it?'
  throw new RequestFailure('NotArgoCD', `${host} did not answer as Argo CD does (${answer})${hint}`)
}

/**
 * Retry-After in seconds or as a date (RFC 9110, 10.2.3). A date is compared with the server's own Date, never
 * with this machine's clock.
 *
 * @returns milliseconds
 */
function retryAfterOf(headers: Headers): number | undefined {
  const value = headers.get('retry-after')?.trim() ?? ''
  if (/^\d+$/.test(value)) return Number(value) * 1000
  const wait = Date.parse(value) - Date.parse(headers.get('date') ?? '')
  return wait > 0 ? wait : undefined
}

/** Where a redirect leads, without the query, which may hold anything. */
function destination(location: string | null): string {
  const url = URL.parse(location ?? '')
  return url === null ? (location ?? 'nowhere').split('?', 1)[0] || 'nowhere' : `${url.origin}${url.pathname}`
}

async function readJson(response: Response, host: string): Promise<unknown> {
  const body = await readText(response, host)
  const value = tryJson(body)
  if (value !== undefined) return value
  const what = looksLikeHtml(body)
    ? `a web page${titleOf(body)}`
    : body.trim() === ''
      ? 'nothing'
      : 'something that is no JSON'
  throw new RequestFailure(
    'NotArgoCD',
    `${host} answered with ${what}, not as Argo CD does; is a sign-in page in front, or the root path in ARGOCD_SERVER (--server) missing?`,
  )
}

/** Reads a body as UTF-8, and no more of it than is sane. */
async function readText(response: Response, host: string): Promise<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let size = 0
  let text = ''
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength
    if (size > LARGEST_BODY) {
      throw new RequestFailure(
        'NotArgoCD',
        `${host} answered with more than ${LARGEST_BODY / 1024 / 1024} MiB, which no answer of Argo CD takes`,
      )
    }
    text += decode(decoder, chunk, host)
  }
  return text + decode(decoder, undefined, host)
}

function decode(decoder: TextDecoder, chunk: Uint8Array | undefined, host: string): string {
  try {
    return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true })
  } catch {
    throw new RequestFailure('NotArgoCD', `${host} answered with bytes that are no text`)
  }
}

function parse<T>(value: unknown, schema: z.ZodType<T>, host: string): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const { path, message } = parsed.error.issues[0] ?? { path: [], message: 'unreadable' }
  throw new RequestFailure(
    'NotArgoCD',
    `${host} did not answer as Argo CD does (${path.join('.') || 'answer'}: ${message})`,
  )
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function looksLikeHtml(body: string): boolean {
  return /^\s*<(?:!doctype|html|head|body|\?xml)/i.test(body)
}

function titleOf(html: string): string {
  const title = /<title[^>]*>([^<]{1,100})/i.exec(html)?.[1]?.trim()
  return title === undefined ? '' : ` ("${title}")`
}

function textOf(body: string): string {
  return looksLikeHtml(body) ? `a web page${titleOf(body)}` : body
}

const LONGEST_QUOTE = 300

function cut(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim()
  return line.length > LONGEST_QUOTE ? `${line.slice(0, LONGEST_QUOTE)}…` : line
}

function isTimeout(reason: unknown): boolean {
  return reason instanceof Error && reason.name === 'TimeoutError'
}

/** The shortest text that is masked: shorter ones are no secrets, and would turn up in any sentence. */
const SHORTEST_SECRET = 4

/** Replaces the secrets of a connection wherever a text of the server echoes them. */
export function masker({
  credentials,
  headers,
}: Pick<Connection, 'credentials' | 'headers'>): (text: string) => string {
  const secrets = [
    credentials.mode === 'TOKEN' ? credentials.token : credentials.password,
    ...headers.map(([, value]) => value),
  ]
    .filter((secret) => secret.length >= SHORTEST_SECRET)
    .sort((a, b) => b.length - a.length)
  return (text) => secrets.reduce((masked, secret) => masked.replaceAll(secret, '***'), text)
}
