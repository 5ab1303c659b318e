/** The Argo CD API over ky: all that is asked of the server. Every answer is parsed before it is trusted. */

import type { Options } from 'ky'
import * as z from 'zod/mini'
import { parseAnswer, readJson, refuse } from './answer.ts'
import { type Application, applicationSchema, type Commit, commitSchema } from './application.ts'
import { LARGEST_BODY } from './body.ts'
import { describeCertificate, verifies } from './certificate.ts'
import type { Connection } from './config.ts'
import { certificateFailure, networkFailure, RequestFailure, TooManyApplications } from './failure.ts'
import { lazily } from './lazily.ts'
import { MOST_APPLICATIONS } from './limit.ts'
import type { Secrets } from './secrets.ts'
import { createSession } from './session.ts'
import { readEvents, type WatchEvent } from './stream.ts'
import { cut, oneLine } from './text.ts'
import { createTransport } from './transport.ts'
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
export type TreeNode = NonNullable<z.output<ReturnType<typeof treeSchema>>['nodes']>[number]

/** What the gate asks of Argo CD. Every call rejects with a {@link RequestFailure}, also where its signal aborts. */
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

const listSchema = lazily(() => z.object({ items: z.nullish(z.array(z.unknown())) }))
const nameSchema = lazily(() =>
  z.object({
    metadata: z.object({ name: z.string().check(z.minLength(1)), namespace: z.nullish(z.string()) }),
  }),
)
const treeSchema = lazily(() => {
  const text = z.nullish(z.string())
  const health = z.nullish(z.object({ status: text, message: text }))
  const node = z.object({ group: text, kind: text, namespace: text, name: text, health })
  return z.object({ nodes: z.nullish(z.array(node)) })
})

/** What a client needs besides the connection. */
export interface ClientOptions {
  readonly version: string
  /** Reads a text file of at most so many bytes; used where a mounted token may have been rotated. */
  readonly readFile: (path: string, most: number) => string
  /** Learns the tokens of sessions, and masks what the server says. */
  readonly secrets: Secrets
}

/** A client of the server that the connection describes. Nothing is sent before the first call. */
export function createArgoCD(connection: Connection, { version, readFile, secrets }: ClientOptions): ArgoCD {
  const host = new URL(connection.server.origin).host
  const transport = createTransport(connection, version)
  const session = createSession(connection, { transport, host, readFile, secrets })
  const { mask } = secrets

  /** Sends a request and hands the successful answer on; not found and not permitted are `undefined`. */
  async function send<T>(
    path: string,
    options: Options,
    signal: AbortSignal,
    read: (response: Response) => T | Promise<T>,
  ) {
    try {
      return await session.authorized(async (token) => {
        const response = await transport.send('get', path, {
          ...options,
          signal,
          headers: { ...options.headers, authorization: `Bearer ${token}` },
        })
        if (response.ok) return await read(response)
        return await refuse(response, host, mask)
      }, signal)
    } catch (error) {
      throw await explained(networkFailure(signal.aborted ? signal.reason : error, host, connection))
    }
  }

  async function explained(failure: RequestFailure): Promise<RequestFailure> {
    const { certificateCode: code } = failure
    if (code === undefined) return failure
    const { server, proxyVariable, secureProxy } = connection
    if (secureProxy !== undefined && !(await verifies(secureProxy, transport.authorities()))) {
      const what = await describeCertificate(secureProxy, code)
      const who = `the proxy in ${proxyVariable} (${new URL(secureProxy).host})`
      return certificateFailure({ who, address: `${proxyVariable}`, code, what })
    }
    // A look of its own would not go through the proxy.
    if (proxyVariable !== undefined) return failure
    const what = await describeCertificate(server.origin, code)
    const address = 'ARGOCD_SERVER (--server)'
    return what === undefined ? failure : certificateFailure({ who: host, address, code, what })
  }

  const within = (signal: AbortSignal, milliseconds: number) =>
    AbortSignal.any([signal, AbortSignal.timeout(milliseconds)])

  async function getJson<T>(
    path: string,
    searchParams: SearchParams,
    schema: z.ZodMiniType<T>,
    signal: AbortSignal,
    timeout = REQUEST_TIMEOUT,
  ) {
    return send(path, { searchParams }, within(signal, timeout), async (response) =>
      parseAnswer(await readJson(response, host, mask), schema, host),
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
        `${host} answered about another application (${cut(oneLine(application.metadata.name), 100)}) than ${ref.name}`,
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
      const list = await getJson('applications', listParams(query), listSchema(), signal)
      return itemsOf(list, query).map((item) => parseAnswer(item, applicationSchema, host))
    },
    async applicationNames(query, signal) {
      const searchParams = { ...listParams(query), fields: 'items.metadata.name,items.metadata.namespace' }
      const list = await getJson('applications', searchParams, listSchema(), signal)
      return itemsOf(list, query).map((item) => {
        const { name, namespace } = parseAnswer(item, nameSchema(), host).metadata
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
      // Without a selector it tells of all that the account may see.
      const mostApplications = query.selector === undefined ? Number.POSITIVE_INFINITY : MOST_APPLICATIONS
      yield* readEvents(response, host, { largestMessage: LARGEST_BODY, mostApplications })
    },
    async commit(ref, revision, sourceIndex, signal) {
      const path = `${pathOf(ref)}/revisions/${segment(revision)}/metadata`
      const commit = await getJson(path, { ...identity(ref), sourceIndex }, commitSchema, signal)
      if (commit === undefined)
        throw new RequestFailure('Unreachable', `${host} does not know revision ${revision}`)
      return commit
    },
    async resourceTree(ref, signal) {
      const tree = await getJson(`${pathOf(ref)}/resource-tree`, identity(ref), treeSchema(), signal)
      return tree?.nodes ?? []
    },
  }
}

/** The items of a list; of more than are verified in one run, a selector matches too many. */
function itemsOf(list: z.output<ReturnType<typeof listSchema>> | undefined, query: ApplicationQuery) {
  const items = list?.items ?? []
  if (query.selector !== undefined && items.length > MOST_APPLICATIONS) throw new TooManyApplications()
  return items
}

type SearchParams = Record<string, string | number | undefined>

function pathOf({ name }: ApplicationRef): string {
  return `applications/${segment(name)}`
}

/**
 * A part of a path, encoded, so that no name can reach another one. Two cannot be: they mean another path also where
 * their dots are encoded.
 */
function segment(text: string): string {
  if (text === '' || text === '.' || text === '..')
    throw new RequestFailure('NotArgoCD', `${JSON.stringify(text)} can be no name or revision of Argo CD's`)
  return encodeURIComponent(text)
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
