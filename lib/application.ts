/**
 * What the gate reads of an Argo CD Application, and how it reads it.
 *
 * On the wire everything is optional: absent, null and empty mean the same, and whatever else an Application
 * holds is passed over. But a field that the gate reads and that has the wrong type makes the whole answer
 * unreadable, because guessing could turn a bad word into a good one. Values of enumerations stay plain
 * strings: Argo CD may add to any of them, and the predicates never take a value they do not know for a good one.
 */

import * as z from 'zod/mini'

/** An optional field: null and an empty string are the same as no field. */
const optional = <T extends z.ZodMiniType>(schema: T) =>
  z.pipe(
    z.nullish(schema),
    z.transform((value: z.output<T> | null | undefined) => value ?? undefined),
  )
const text = z.pipe(
  z.nullish(z.string()),
  z.transform((value: string | null | undefined) => value || undefined),
)
const list = <T extends z.ZodMiniType>(schema: T) =>
  z.pipe(
    z.nullish(z.array(schema)),
    z.transform((value: z.output<T>[] | null | undefined) => value ?? []),
  )
/** A whole number that Argo CD leaves out where it is 0. */
const count = z.pipe(
  z.nullish(z.number()),
  z.transform((value: number | null | undefined) => value ?? 0),
)
const textMap = z.pipe(
  z.nullish(z.record(z.string(), z.nullable(z.string()))),
  z.transform((value: Record<string, string | null> | null | undefined) => value ?? {}),
)

const orEmpty = z.transform((value: unknown) => (value === null || value === undefined ? {} : value))

/** An object whose absence is the same as an empty one. */
const object = <T extends z.core.$ZodShape>(shape: T) => z.pipe(orEmpty, z.object(shape))

/** The same, kept whole. */
const wholeObject = <T extends z.core.$ZodShape>(shape: T) => z.pipe(orEmpty, z.looseObject(shape))

/** An object whose emptiness is the same as its absence. */
const optionalObject = <T extends z.ZodMiniType>(schema: T) =>
  z.pipe(
    z.transform((value: unknown) => (isEmpty(value) ? undefined : value)),
    z.optional(schema),
  )

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined) return true
  return typeof value === 'object' && !Array.isArray(value) && Object.values(value).every((v) => v === null)
}

/** A source, kept whole: StatusStale compares all of it. */
const source = z.looseObject({
  repoURL: text,
  path: text,
  chart: text,
  targetRevision: text,
  ref: text,
  name: text,
})

/** What tells a source from others, whatever else changes of it. */
const sourceName = z.object({ repoURL: text, path: text, chart: text, ref: text, name: text })

const anyObject = z.record(z.string(), z.unknown())

/** What an operation was asked to do, or did. */
const revisions = {
  revision: text,
  revisions: list(
    z.pipe(
      z.nullable(z.string()),
      z.transform((value) => value ?? ''),
    ),
  ),
}

const resource = z.object({
  group: text,
  kind: text,
  namespace: text,
  name: text,
  status: text,
  health: optionalObject(z.object({ status: text, message: text })),
})

const resourceResult = z.object({
  group: text,
  kind: text,
  namespace: text,
  name: text,
  status: text,
  message: text,
  hookType: text,
  hookPhase: text,
})

/** What a sync made of each resource; `undefined`: it is not known, see {@link completed}. */
const results = z.pipe(
  list(resourceResult),
  z.transform((value: z.output<typeof resourceResult>[]): typeof value | undefined => value),
)

/** How many there are: manifests of a developer's machine may be large, and only whether there are any matters. */
const length = z.pipe(
  z.nullish(z.array(z.unknown())),
  z.transform((value: unknown[] | null | undefined) => value?.length ?? 0),
)

const sync = z.object({
  ...revisions,
  dryRun: optional(z.boolean()),
  manifests: length,
  /** Of a sync of some resources only, how many. */
  resources: length,
})

/** What whoever asked for an operation has written into it. */
const info = list(z.object({ name: text, value: text }))

/** Of `spec.sourceHydrator`, kept whole: StatusStale compares all of it. */
const sourceHydrator = z.looseObject({
  drySource: wholeObject({ repoURL: text, targetRevision: text, path: text }),
  syncSource: wholeObject({ repoURL: text, targetBranch: text, path: text }),
})

/** By this a refresh is asked for; the controller removes it when it is done. */
export const REFRESH_ANNOTATION = 'argocd.argoproj.io/refresh'

/** When it was asked for, where the server (3.6 and later) tells; it goes when that very refresh was done. */
export const REFRESH_TIMESTAMP_ANNOTATION = 'argocd.argoproj.io/refresh-timestamp'

/** Likewise for hydration. Without `spec.sourceHydrator` nobody ever removes it. */
export const HYDRATE_ANNOTATION = 'argocd.argoproj.io/hydrate'

/** An Application as the gate sees it. */
export const applicationSchema = z.object({
  metadata: z.object({
    name: z.string().check(z.minLength(1)),
    namespace: text,
    deletionTimestamp: text,
    annotations: textMap,
  }),
  operation: optionalObject(z.looseObject({ info, sync: optionalObject(sync) })),
  spec: object({
    project: text,
    source: optionalObject(source),
    sources: list(source),
    sourceHydrator: optionalObject(sourceHydrator),
    destination: optional(anyObject),
    syncPolicy: object({
      // Empty, it is on (Argo CD, `IsAutomatedSyncEnabled`).
      automated: optional(z.object({ prune: optional(z.boolean()), enabled: optional(z.boolean()) })),
    }),
  }),
  status: object({
    controllerNamespace: text,
    sync: object({
      status: text,
      ...revisions,
      comparedTo: object({
        source: optional(anyObject),
        sources: list(anyObject),
        destination: optional(anyObject),
      }),
    }),
    health: object({ status: text, message: text }),
    reconciledAt: text,
    operationState: optionalObject(
      z.object({
        phase: text,
        message: text,
        startedAt: text,
        finishedAt: text,
        retryCount: count,
        operation: object({ info, sync: optionalObject(sync), retry: object({ limit: count }) }),
        syncResult: optionalObject(z.object({ ...revisions, resources: results })),
      }),
    ),
    conditions: list(z.object({ type: text, message: text })),
    resources: list(resource),
    history: list(z.object({ id: optional(z.number()), ...revisions, sources: list(sourceName) })),
    summary: object({ images: list(z.string()) }),
    sourceHydrator: object({
      currentOperation: optionalObject(
        z.object({
          phase: text,
          drySHA: text,
          hydratedSHA: text,
          message: text,
          sourceHydrator: optional(anyObject),
        }),
      ),
      lastSuccessfulOperation: optionalObject(
        z.object({ drySHA: text, hydratedSHA: text, sourceHydrator: optional(anyObject) }),
      ),
      lastComparedDryRevision: text,
    }),
  }),
})

/** An Application as the gate sees it: parsed, with lists and groups that are always there. */
export type Application = z.output<typeof applicationSchema>

/** One source of an Application. */
export type Source = z.output<typeof source>

/** What tells a source from others. */
export type SourceName = z.output<typeof sourceName>

const NO_SOURCE: Source = source.parse({})

/** A commit, as Argo CD's revision metadata tells of it. */
export const commitSchema = z.object({ message: text, author: text, tags: list(z.string()) })

/** A commit, as Argo CD's revision metadata tells of it. */
export type Commit = z.output<typeof commitSchema>

/** The names of an application in messages, results and maps: `namespace/name`, or `name`. */
export function applicationKey(name: string, namespace: string | undefined): string {
  return namespace === undefined ? name : `${namespace}/${name}`
}

/**
 * The sources that are synced, in the order of `status.sync.revisions`. A hydrated application syncs from where
 * the hydrator writes; several sources take precedence over one (Argo CD, `ApplicationSpec.GetSources`).
 */
export function sourcesOf({ spec }: Application): readonly Source[] {
  if (spec.sourceHydrator !== undefined) {
    const { drySource, syncSource } = spec.sourceHydrator
    return [
      {
        ...NO_SOURCE,
        repoURL: syncSource.repoURL ?? drySource.repoURL,
        path: syncSource.path,
        targetRevision: syncSource.targetBranch,
      },
    ]
  }
  if (spec.sources.length > 0) return spec.sources
  return spec.source === undefined ? [] : [spec.source]
}

/** Whether the application has several sources in Argo CD's sense, so that `sync.revisions` counts. */
export function hasMultipleSources({ spec }: Application): boolean {
  return spec.sourceHydrator === undefined && spec.sources.length > 0
}

/** The observed revision of each source, in the order of {@link sourcesOf}; `''` where there is none. */
export function observedRevisions(application: Application): readonly string[] {
  const { sync } = application.status
  if (!hasMultipleSources(application)) return [sync.revision ?? '']
  return sourcesOf(application).map((_, i) => sync.revisions[i] ?? '')
}

/**
 * A streamed Application, with what a stream is not asked for (`UNWATCHED_FIELDS`) taken over from a whole one where
 * that is about the same thing: the results of the same attempt of the same operation, the resources of the same sync
 * status and health. Of other results nothing is known, which is not the same as none.
 *
 * @param whole what a request for the application brought, earlier or later
 */
export function completed(streamed: Application, whole: Application | undefined): Application {
  const { status } = streamed
  const { operationState: state } = status
  const resources =
    whole !== undefined && isOfOneComparison(streamed, whole) ? whole.status.resources : status.resources
  if (state?.syncResult === undefined) return { ...streamed, status: { ...status, resources } }
  const other = whole?.status.operationState
  const results = isOneAttempt(state, other) ? other?.syncResult?.resources : undefined
  const operationState = { ...state, syncResult: { ...state.syncResult, resources: results } }
  return { ...streamed, status: { ...status, resources, operationState } }
}

type OperationState = Application['status']['operationState']

function isOneAttempt(a: OperationState, b: OperationState): boolean {
  return (
    a?.phase === b?.phase &&
    a?.startedAt === b?.startedAt &&
    a?.finishedAt === b?.finishedAt &&
    a?.retryCount === b?.retryCount &&
    a?.message === b?.message
  )
}

function isOfOneComparison(a: Application, b: Application): boolean {
  const [{ sync, health }, other] = [a.status, b.status]
  return (
    sync.status === other.sync.status &&
    sync.revision === other.sync.revision &&
    sync.revisions.length === other.sync.revisions.length &&
    sync.revisions.every((revision, i) => revision === other.sync.revisions[i]) &&
    health.status === other.health.status &&
    health.message === other.health.message
  )
}
