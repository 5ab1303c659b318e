/**
 * How an Argo CD Application is read. Loaded where there is one to read: a run makes this while it waits for the first.
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
/** One step where zod's own would be five: most of what there is of a thousand applications is text. */
const text = z.transform((value: unknown, context): string | undefined => {
  if (typeof value === 'string') return value || undefined
  if (value !== null && value !== undefined)
    context.issues.push({ code: 'invalid_type', expected: 'string', input: value })
  return undefined
})
const list = <T extends z.ZodMiniType>(schema: T) =>
  z.pipe(
    z.nullish(z.array(schema)),
    z.transform((value: z.output<T>[] | null | undefined): readonly z.output<T>[] => value ?? NOTHING),
  )
/** One for all of thousands of applications. */
const NOTHING: readonly never[] = []
/** A whole number that Argo CD leaves out where it is 0. */
const count = z.pipe(
  z.nullish(z.number()),
  z.transform((value: number | null | undefined) => value ?? 0),
)
/** The part in front of annotations that are read. Others may hold anything, such as all of the application once more. */
const ANNOTATIONS = ['argocd.argoproj.io/', 'mrp-controller.argoproj.io/', 'kargo.akuity.io/'] as const

const annotations = z.pipe(
  z.transform((value: unknown) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value ?? {}
    const read: Record<string, unknown> = {}
    for (const [name, text] of Object.entries(value))
      if (ANNOTATIONS.some((prefix) => name.startsWith(prefix))) read[name] = text
    return read
  }),
  z.record(z.string(), z.nullable(z.string())),
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

/** Of thousands of resources those that there is something to say of: nothing is asked of the others. */
const telling = z.pipe(
  list(resource),
  z.transform((value: readonly z.output<typeof resource>[]) => some(value, isTelling)),
)

function isTelling({ status, health }: z.output<typeof resource>): boolean {
  return status === 'OutOfSync' || (health?.status !== undefined && health.status !== 'Healthy')
}

/** All, some or none of them, the latter without anything of its own. */
function some<T>(values: readonly T[], isWanted: (value: T) => boolean): readonly T[] {
  if (values.length === 0 || values.every(isWanted)) return values
  const wanted = values.filter(isWanted)
  return wanted.length === 0 ? NOTHING : wanted
}

/** What a sync made of the resources that failed; `undefined`: it is not known, see {@link completed}. */
const results = z.pipe(
  list(resourceResult),
  z.transform((value: readonly z.output<typeof resourceResult>[]): typeof value | undefined =>
    some(value, hasFailed),
  ),
)

function hasFailed({ status, hookPhase }: z.output<typeof resourceResult>): boolean {
  return status === 'SyncFailed' || hookPhase === 'Failed' || hookPhase === 'Error'
}

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

/** An Application as the gate sees it. */
export const applicationSchema = z.object({
  metadata: z.object({
    name: z.string().check(z.minLength(1)),
    namespace: text,
    uid: text,
    deletionTimestamp: text,
    annotations,
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
    resources: telling,
    history: list(z.object({ id: optional(z.number()), ...revisions, sources: list(sourceName) })),
    summary: object({ images: list(z.string()) }),
    sourceHydrator: object({
      currentOperation: optionalObject(
        z.object({
          phase: text,
          drySHA: text,
          hydratedSHA: text,
          message: text,
          finishedAt: text,
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

/** One source of an Application. */
export const sourceSchema = source

/** What tells a source from others. */
export const sourceNameSchema = sourceName

/** A commit, as Argo CD's revision metadata tells of it. */
export const commitSchema = z.object({ message: text, author: text, tags: list(z.string()) })
