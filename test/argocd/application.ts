/** Applications as Argo CD shows them, and {@link application}, which builds one. */
import { copy, type JsonObject, merge, timestamp } from './json.ts'

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
  const {
    name = 'guestbook',
    namespace = 'argocd',
    project = 'default',
    revision = 'a'.repeat(40),
    repoURL = 'https://git.example.com/deployments.git',
    path = name,
    chart,
    drySHA,
    images = [`registry.example.com/${name}:1.0.0`],
    labels = { 'app.kubernetes.io/part-of': name },
    annotations = { 'argocd.argoproj.io/manifest-generate-paths': '.' },
  } = options
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
