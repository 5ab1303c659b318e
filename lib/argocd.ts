/** The Argo CD API over ky: all that is asked of the server. Every answer is parsed before it is trusted. */

import type { Options } from 'ky'
import * as z from 'zod/mini'
import type { Connection } from './access.ts'
import { parseAnswer, readJson, refuse } from './answer.ts'
import type { Application, Commit } from './application.ts'
import { LARGEST_MESSAGE } from './body.ts'
import { describeCertificate, verifies } from './certificate.ts'
import type { CommitRequest, Comparison, Rendering, TreeNode } from './evidence.ts'
import { certificateFailure, networkFailure, RequestFailure, TooManyApplications } from './failure.ts'
import { createHoldings } from './holdings.ts'
import { lazily } from './lazily.ts'
import { MOST_APPLICATIONS, ZONES_TIMEOUT } from './promises.ts'
import { compareManifests } from './rendering.ts'
import { createRepeats } from './repeats.ts'
import type { ApplicationQuery, ApplicationRef, WatchEvent } from './requests.ts'
import type { Secrets } from './secrets.ts'
import { createSession } from './session.ts'
import { gathered, readEvents } from './stream.ts'
import {
  projectSchema,
  readProject,
  readWindows,
  sortSyncRefusal,
  syncBody,
  windowsSchema,
} from './sync-request.ts'
import { withKnownZones } from './sync-windows.ts'
import type { SyncAnswer, SyncOrder, SyncWindow, SyncWindows } from './syncs.ts'
import { cut, oneLine } from './text.ts'
import { createTransport } from './transport.ts'
import { WATCH_FIELDS } from './watch-fields.ts'

/** How a request is sent. */
export interface How {
  readonly signal: AbortSignal
  /** On a connection of its own, because the answer to the same question is overdue on another one. */
  readonly isAnotherConnection?: boolean
}

/** What the gate asks of Argo CD. Every call rejects with a {@link RequestFailure}, also where its signal aborts. */
export interface ArgoCD {
  /** @returns `undefined`: it does not exist, or may not be seen; Argo CD does not tell which */
  look(ref: ApplicationRef, how: How): Promise<Application | undefined>
  /**
   * Asks for a refresh, which may take as long as the controller does.
   *
   * @param isRead whether the application after it is wanted; otherwise its body is not read
   */
  refresh(
    ref: ApplicationRef,
    type: 'normal' | 'hard',
    isRead: boolean,
    how: How,
  ): Promise<Application | undefined>
  /** What may not be seen is not in it. */
  list(query: ApplicationQuery, how: How): Promise<readonly Application[]>
  /** The names of what {@link list} would bring, for a fraction of the bytes. */
  names(query: ApplicationQuery, how: How): Promise<readonly ApplicationRef[]>
  /** Changes as they happen, in batches as they arrive, from the present state on. An empty batch says: still alive; the first one: it has begun. */
  watch(query: ApplicationQuery, how: How): AsyncGenerator<readonly WatchEvent[]>
  commit(ref: ApplicationRef, commit: CommitRequest, how: How): Promise<Commit>
  tree(ref: ApplicationRef, how: How): Promise<readonly TreeNode[]>
  /** Has Argo CD render both sets of revisions, and compares what comes. */
  compare(ref: ApplicationRef, comparison: Comparison, how: How): Promise<Rendering>
  /** Whether the account may sync what policies call by this name. */
  maySync(object: string, how: How): Promise<boolean>
  /**
   * @param zonesOf the project whose windows they are, to look into it for their time zones, where they are closed;
   * that takes another permission, and is done without where it is missing
   */
  syncWindows(ref: ApplicationRef, zonesOf: string | undefined, how: How): Promise<SyncWindows>
  /** Starts a sync: the one call that changes something. Where it rejects, it may have been heard all the same. */
  sync(ref: ApplicationRef, order: SyncOrder, how: How): Promise<SyncAnswer>
}

/** Loaded where there is one to read. */
const schemas = () => require('./application-schema.ts') as typeof import('./application-schema.ts')
const applicationSchema = () => schemas().applicationSchema
const commitSchema = () => schemas().commitSchema

const listSchema = lazily(() => z.object({ items: z.nullish(z.array(z.unknown())) }))
const nameSchema = lazily(() =>
  z.object({
    metadata: z.object({ name: z.string().check(z.minLength(1)), namespace: z.nullish(z.string()) }),
  }),
)
const treeSchema = lazily(() => {
  const text = z.nullish(z.string())
  const node = z.object({
    group: text,
    kind: text,
    namespace: text,
    name: text,
    uid: text,
    parentRefs: z.nullish(z.array(z.object({ uid: text }))),
    health: z.nullish(z.object({ status: text, message: text })),
    images: z.nullish(z.array(z.string())),
    info: z.nullish(z.array(z.object({ name: text, value: text }))),
    createdAt: text,
  })
  return z.object({ nodes: z.nullish(z.array(node)) })
})
const manifestsSchema = lazily(() => z.object({ manifests: z.nullish(z.array(z.string())) }))

const permissionSchema = lazily(() => z.object({ value: z.enum(['yes', 'no']) }))
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
  const repeats = createRepeats()
  const holdings = createHoldings()

  /** Sends a request and hands the successful answer on; not found and not permitted are `undefined`. */
  async function send<T>(
    path: string,
    options: Options,
    { signal, isAnotherConnection = false }: How,
    read: (response: Response) => T | Promise<T>,
  ) {
    try {
      return await session.authorized(async (token) => {
        const response = await transport.send('get', path, {
          ...options,
          signal,
          ...(isAnotherConnection ? { keepalive: false } : {}),
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

  async function getJson<T>(
    path: string,
    searchParams: SearchParams,
    schema: () => z.ZodMiniType<T>,
    how: How,
  ) {
    const answer = send(path, { searchParams }, how, async (response) =>
      parseAnswer(await readJson(response, host, mask), schema(), host),
    )
    // What reads the answer is made while that is on its way.
    setImmediate(schema)
    return answer
  }

  async function getApplication(ref: ApplicationRef, refresh: string | undefined, how: How) {
    const searchParams = { ...identity(ref), refresh }
    const application = await getJson(pathOf(ref), searchParams, applicationSchema, how)
    if (application !== undefined && !isAbout(application, ref))
      throw new RequestFailure(
        'NotArgoCD',
        `${host} answered about another application (${cut(oneLine(application.metadata.name), 100)}) than ${ref.name}`,
      )
    return application
  }

  async function manifests(
    ref: ApplicationRef,
    revisions: readonly string[],
    several: boolean,
    how: How,
  ): Promise<readonly string[]> {
    const searchParams = new URLSearchParams()
    for (const [name, value] of Object.entries(identity(ref)))
      if (value !== undefined) searchParams.set(name, String(value))
    if (several)
      for (const [index, revision] of revisions.entries()) {
        searchParams.append('sourcePositions', String(index + 1))
        searchParams.append('revisions', revision)
      }
    else searchParams.set('revision', revisions[0] ?? '')
    const answer = await send(`${pathOf(ref)}/manifests`, { searchParams }, how, async (response) =>
      parseAnswer(await readJson(response, host, mask), manifestsSchema(), host),
    )
    if (answer === undefined)
      throw new RequestFailure('Unreachable', `${host} does not show the manifests of ${ref.name}`)
    return answer.manifests ?? []
  }

  /** The windows of a project with their time zones; none where it may not be seen, or takes too long. */
  async function windowsOfProject(project: string, { signal }: How): Promise<readonly SyncWindow[]> {
    try {
      const how = { signal: AbortSignal.any([signal, AbortSignal.timeout(ZONES_TIMEOUT)]) }
      const answer = await getJson(`projects/${segment(project)}`, {}, projectSchema, how)
      return answer === undefined ? [] : readProject(answer)
    } catch {
      return []
    }
  }

  return {
    look: (ref, how) => getApplication(ref, undefined, how),
    async refresh(ref, type, isRead, how) {
      const searchParams = { ...identity(ref), refresh: type }
      const served = isRead
        ? await getApplication(ref, type, how)
        : await send(pathOf(ref), { searchParams }, how, async (response) => {
            await response.body?.cancel()
            return 'unread' as const
          })
      // Whether it is there, a request without a refresh tells: this one may just not be permitted.
      if (served === undefined)
        throw new RequestFailure(
          'Unauthorized',
          `${host} does not let ${ref.name} be refreshed, or it is gone`,
        )
      return served === 'unread' ? undefined : served
    },
    async list(query, how) {
      const list = await getJson('applications', listParams(query), listSchema, how)
      return itemsOf(list, query).map((item) => parseAnswer(item, applicationSchema(), host))
    },
    async names(query, how) {
      const searchParams = { ...listParams(query), fields: 'items.metadata.name,items.metadata.namespace' }
      const list = await getJson('applications', searchParams, listSchema, how)
      // Argo CD answers who may see nothing with an empty list; a refusal is somebody else's.
      if (list === undefined && query.selector === undefined)
        throw new RequestFailure('NotArgoCD', `${host} does not let this account list applications`)
      return itemsOf(list, query).map((item) => {
        const { name, namespace } = parseAnswer(item, nameSchema(), host).metadata
        return { name, namespace: namespace ?? undefined, project: query.project }
      })
    },
    async *watch(query, how) {
      const searchParams = { ...listParams(query), fields: WATCH_FIELDS.join(',') }
      const headers = { accept: 'text/event-stream' }
      const response = await send('stream/applications', { searchParams, headers }, how, (answer) => answer)
      if (response === undefined)
        throw new RequestFailure('NotArgoCD', `${host} does not let this account watch applications`)
      // Without a selector it tells of all that the account may see.
      const mostApplications = query.selector === undefined ? Number.POSITIVE_INFINITY : MOST_APPLICATIONS
      const { names } = query
      const limits = { largestMessage: LARGEST_MESSAGE, mostApplications, names, repeats, holdings }
      yield* gathered(readEvents(response, host, limits), repeats.count())
    },
    async commit(ref, { revision, sourceIndex }, how) {
      const path = `${pathOf(ref)}/revisions/${segment(revision)}/metadata`
      const commit = await getJson(path, { ...identity(ref), sourceIndex }, commitSchema, how)
      if (commit === undefined)
        throw new RequestFailure('Unreachable', `${host} does not know revision ${revision}`)
      return commit
    },
    async tree(ref, how) {
      const tree = await getJson(`${pathOf(ref)}/resource-tree`, identity(ref), treeSchema, how)
      return (tree?.nodes ?? []).map(
        ({ group, kind, namespace, name, uid, parentRefs, health, images, info, createdAt }) => ({
          group: group ?? undefined,
          kind: kind ?? undefined,
          namespace: namespace ?? undefined,
          name: name ?? undefined,
          uid: uid ?? undefined,
          parentUids: (parentRefs ?? []).flatMap((parent) => parent.uid ?? []),
          health:
            health === null || health === undefined
              ? undefined
              : { status: health.status ?? undefined, message: health.message ?? undefined },
          images: images ?? [],
          info: Object.fromEntries((info ?? []).map((entry) => [entry.name ?? '', entry.value ?? ''])),
          createdAt: createdAt ?? undefined,
        }),
      )
    },
    async compare(ref, { wanted, observed, several }, how) {
      const [one, other] = await Promise.all([
        manifests(ref, wanted, several, how),
        manifests(ref, observed, several, how),
      ])
      return compareManifests(one, other)
    },
    async maySync(object, how) {
      const path = `account/can-i/applications/sync/${segments(object)}`
      const answer = await getJson(path, {}, permissionSchema, how)
      if (answer === undefined)
        throw new RequestFailure('Unreachable', `${host} does not say whether ${object} may be synced`)
      return answer.value === 'yes'
    },
    async syncWindows(ref, zonesOf, how) {
      const searchParams = identity(ref)
      const answer = await send(`${pathOf(ref)}/syncwindows`, { searchParams }, how, async (response) => ({
        ...parseAnswer(await readJson(response, host, mask), windowsSchema(), host),
        at: Date.parse(response.headers.get('date') ?? ''),
      }))
      if (answer === undefined)
        throw new RequestFailure('Unreachable', `${host} does not show the sync windows of ${ref.name}`)
      const { at, ...told } = answer
      const windows = readWindows(told, Number.isNaN(at) ? Date.now() : at)
      if (windows.canSync || zonesOf === undefined) return windows
      return withKnownZones(windows, await windowsOfProject(zonesOf, how))
    },
    async sync(ref, order, { signal }) {
      try {
        return await session.authorized(async (token): Promise<SyncAnswer> => {
          const response = await transport.send('post', `${pathOf(ref)}/sync`, {
            json: syncBody(ref, order),
            signal,
            // Bun sends a request once more where a connection that was kept is closed in the face of it.
            // On a connection that was kept, the server may have hung up already, which looks like a lost answer.
            ...({ keepalive: false } as Options),
            headers: { authorization: `Bearer ${token}` },
          })
          if (!response.ok)
            return (
              (await refuse(response, host, mask, sortSyncRefusal)) ?? {
                kind: 'refused',
                message: 'the application does not exist, or this account may not see it',
              }
            )
          const answer = parseAnswer(await readJson(response, host, mask), applicationSchema(), host)
          if (isAbout(answer, ref)) return { kind: 'accepted' }
          throw new RequestFailure('NotArgoCD', `${host} answered about another application than ${ref.name}`)
        }, signal)
      } catch (error) {
        throw await explained(networkFailure(signal.aborted ? signal.reason : error, host, connection))
      }
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

/** The parts of a path, each as {@link segment} has it. */
export function segments(path: string): string {
  return path.split('/').map(segment).join('/')
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
