/** What the simulated Argo CD tells about an application besides itself: commits, charts, tree, events. */
import { ApiError, Code } from './errors.ts'
import { array, at, type JsonObject, object, timestamp } from './json.ts'
import type { Store, Stored } from './store.ts'

/** What is said about a commit. */
export type Commit = {
  author?: string
  date?: string
  message?: string
  tags?: string[]
  /** Only this repository has the commit. @default every one has it */
  repoURL?: string
}

const COMMIT_SHA = /^[0-9a-f]{7,}$/i

/** All that a test has told about commits, charts and applications, the latter by namespace and name. */
export class Details {
  readonly charts = new Map<string, JsonObject>()
  readonly trees = new Map<string, JsonObject>()
  /** The manifests that a revision renders. */
  readonly manifests = new Map<string, readonly string[]>()
  readonly events = new Map<string, JsonObject[]>()
  readonly syncWindows = new Map<string, JsonObject>()
  /** The sync windows of projects, with their time zones. */
  readonly projects = new Map<string, JsonObject[]>()
  readonly #commits = new Map<string, Commit[]>()
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  addCommit(revision: string, commit: Commit): void {
    this.#commits.set(revision, [...(this.#commits.get(revision) ?? []), commit])
  }

  metadataOf({ app }: Stored, revision: string, query: URLSearchParams): JsonObject {
    const source = sourceAt(app, query.get('sourceIndex'))
    if (!COMMIT_SHA.test(revision)) {
      throw new ApiError(Code.unknown, `revision ${revision} must be resolved`)
    }
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
      Code.unknown,
      'error acquiring repo lock: rpc error: code = Internal desc = ' +
        `Failed to checkout revision ${revision}: \`${fetch}\` failed exit status 128: ` +
        `fatal: remote error: upload-pack: not our ref ${revision}`,
    )
  }

  chartOf({ app, name }: Stored, version: string, query: URLSearchParams): JsonObject {
    const { chart } = sourceAt(app, query.get('sourceIndex'))
    if (!chart) throw new ApiError(Code.unknown, `no chart found for application: ${name}`)
    const details = this.charts.get(version)
    if (details !== undefined) return details
    const pull = `helm pull --destination /tmp/helm --version ${version} ${chart}`
    const failed = `\`${pull}\` failed exit status 1`
    throw new ApiError(Code.unknown, `error extracting chart: ${failed}: Error: chart "${chart}" not found`)
  }

  treeOf({ app, key }: Stored): JsonObject {
    const given = this.trees.get(key)
    if (given !== undefined) return given
    const nodes = array(at(app, 'status', 'resources')).map((entry, index) => {
      const { group, version, kind, namespace, name, health } = object(entry)
      const number = index.toString(16).padStart(12, '0')
      const uid = `00000000-0000-4000-8000-${number}`
      const createdAt = at(app, 'metadata', 'creationTimestamp')
      return { group, version, kind, namespace, name, uid, resourceVersion: '1', health, createdAt }
    })
    return nodes.length === 0 ? {} : { nodes }
  }

  /**
   * What it renders: at `revision`, or with several sources at one of `revisions` for each of `sourcePositions`, which
   * count from 1. Sources that are left out, and a plain `revision` of several, mean what is synced.
   */
  manifestsOf({ app }: Stored, query: URLSearchParams): JsonObject {
    const several = array(at(app, 'spec', 'sources'))
    const synced = object(at(app, 'status', 'sync'))
    const positions = query.getAll('sourcePositions').map(Number)
    const revisions = query.getAll('revisions')
    if (positions.some((position) => position < 1 || position > several.length))
      throw new ApiError(Code.unknown, 'source position is out of range')
    const asked =
      several.length === 0
        ? [query.get('revision') || String(synced.revision ?? '')]
        : several.map((_, i) => {
            const place = positions.indexOf(i + 1)
            return String((place < 0 ? array(synced.revisions)[i] : revisions[place]) ?? '')
          })
    const manifests = asked.flatMap((revision) => {
      const rendered = this.manifests.get(revision)
      if (rendered !== undefined) return rendered
      throw new ApiError(
        Code.unknown,
        `failed to generate manifests: unable to resolve '${revision}' to a commit SHA`,
      )
    })
    return manifests.length === 0 ? {} : { manifests: [...manifests] }
  }

  /** The events of the application itself, or of one resource in its tree. */
  eventsOf(stored: Stored, query: URLSearchParams): JsonObject {
    const name = query.get('resourceName') ?? ''
    const uid = query.get('resourceUID') ?? ''
    const namespace = query.get('resourceNamespace') ?? ''
    const own = name === '' && uid === ''
    const tree = this.treeOf(stored)
    const nodes = [...array(tree.nodes), ...array(tree.orphanedNodes)].map(object)
    const known = nodes.some(
      (node) => node.uid === uid && node.name === name && (node.namespace ?? '') === namespace,
    )
    if (!own && !known) {
      throw new ApiError(Code.invalidArgument, `${name} not found as part of application ${stored.name}`)
    }
    const about = own ? { name: stored.name, uid: at(stored.app, 'metadata', 'uid') } : { name, uid }
    const items = (this.events.get(stored.key) ?? []).filter((event) => {
      const involved = object(event.involvedObject)
      return involved.name === about.name && (involved.uid ?? about.uid) === about.uid
    })
    return { metadata: { resourceVersion: String(this.#store.version) }, items }
  }

  syncWindowsOf({ key }: Stored): JsonObject {
    return this.syncWindows.get(key) ?? { canSync: true }
  }
}

/** The sources that are synced: of a hydrated application, the one that the hydrator writes. */
export function sourcesOf(app: JsonObject): JsonObject[] {
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
  if (index !== null && !/^[+-]?\d+$/.test(index)) {
    throw new ApiError(Code.invalidArgument, `strconv.ParseInt: parsing "${index}": invalid syntax`)
  }
  const sources = sourcesOf(app)
  const source = sources[Number(index ?? 0)]
  if (source !== undefined) return source
  const only = sources.length === 1 ? 'is only 1 source' : `are only ${sources.length} sources`
  throw new ApiError(
    Code.unknown,
    'error getting app source by source index and version ID: ' +
      `source index ${index} not found because there ${only}`,
  )
}
