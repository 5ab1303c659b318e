/** What one situation plays on: an Application, a branch, and the time in which things are to happen. */

import { array, at, type Json, type JsonObject, merge, object } from '../argocd/json.ts'
import { KINDS, type Kubernetes } from './kubernetes.ts'
import type { Branch, Files } from './repository.ts'

const LOOK_MS = 100
const PATIENCE_MS = 60_000

/** Where all situations of a run take place. */
export interface World {
  readonly kubernetes: Kubernetes
  /** The namespace that Argo CD looks for Applications in. */
  readonly argocd: string
  /** The one namespace that everything is deployed to. */
  readonly namespace: string
  /** The Argo CD project of all Applications. */
  readonly project: string
  /** The repository, as Argo CD reaches it. */
  readonly repository: string
  /** Marks what the run has made. */
  readonly run: string
  /** The image of a Job that is to fail, for clusters whose kubelets only act. */
  readonly failingImage: string
  readonly signal: AbortSignal
}

/** Whether an Application is as a situation wants it. */
export type Condition = (application: JsonObject) => boolean

/** The path in the branch that Applications deploy, and one that they do not. */
export const PATH = 'app'
export const ELSEWHERE = 'elsewhere'

/** One situation's own things. */
export class Scene {
  readonly world: World
  readonly branch: Branch
  /** Name of the Application, and of what it deploys. */
  readonly name: string
  readonly #applications: string[] = []

  constructor(world: World, name: string, branch: Branch) {
    this.world = world
    this.name = name
    this.branch = branch
  }

  /** Commits files of the path that is deployed. @returns the full SHA; nothing is pushed */
  commit(files: Files, message?: string): Promise<string> {
    return this.branch.commit(
      Object.fromEntries(Object.entries(files).map(([file, text]) => [`${PATH}/${file}`, text])),
      message,
    )
  }

  /** Makes an Application that tracks the branch with automated sync, and changes it as told. */
  async deploy(change: JsonObject = {}, name = this.name): Promise<void> {
    const { argocd, namespace, project, repository, run } = this.world
    this.#applications.push(name)
    const manifest = {
      metadata: {
        name,
        namespace: argocd,
        labels: { 'kpcea-conformance': run, situation: this.name },
        finalizers: ['resources-finalizer.argocd.argoproj.io'],
      },
      spec: {
        project,
        source: { repoURL: repository, path: PATH, targetRevision: this.branch.name },
        destination: { server: 'https://kubernetes.default.svc', namespace },
        syncPolicy: { automated: { prune: true } },
      },
    }
    await this.world.kubernetes.apply(KINDS.application, merge(manifest, change))
  }

  /** The label selector of the situation's Applications. */
  get selector(): string {
    return `situation=${this.name},kpcea-conformance=${this.world.run}`
  }

  /** The Application as it is now; empty where there is none. */
  async read(name = this.name): Promise<JsonObject> {
    return (await this.world.kubernetes.get(KINDS.application, name, this.world.argocd)) ?? {}
  }

  patch(members: JsonObject, name = this.name): Promise<void> {
    return this.world.kubernetes.patch(KINDS.application, name, this.world.argocd, members)
  }

  /** Has Argo CD look at Git, as a webhook would. */
  refresh(name = this.name): Promise<void> {
    return this.patch({ metadata: { annotations: { 'argocd.argoproj.io/refresh': 'normal' } } }, name)
  }

  /** Deploys a commit and waits until it is there, whole. */
  async settle(commit: string, change: JsonObject = {}): Promise<void> {
    await this.branch.push(commit)
    await this.deploy(change)
    await this.until(arrived(commit))
  }

  /**
   * Waits for an Application to be so.
   *
   * @throws Error where it is not within a minute
   */
  async until(condition: Condition, name = this.name): Promise<void> {
    const end = performance.now() + PATIENCE_MS
    let found: JsonObject = {}
    while (performance.now() < end) {
      this.world.signal.throwIfAborted()
      found = await this.read(name)
      if (condition(found)) return
      await Bun.sleep(LOOK_MS)
    }
    throw new Error(`${name} never came to be as the situation needs it: ${JSON.stringify(brief(found))}`)
  }

  /** Removes the Applications, without waiting for what they deployed. */
  async remove(): Promise<void> {
    for (const name of this.#applications) {
      const found = await this.read(name)
      if (at(found, 'metadata', 'name') === undefined) continue
      // What is being deleted takes no new finalizer; what it deployed goes with the namespace.
      const deleting = at(found, 'metadata', 'deletionTimestamp') !== undefined
      const finalizers = deleting ? [] : ['resources-finalizer.argocd.argoproj.io']
      await this.patch({ metadata: { finalizers }, operation: null }, name)
      await this.world.kubernetes.delete(KINDS.application, name, this.world.argocd)
    }
  }
}

/** What of an Application says how far it is. */
function brief(application: JsonObject): JsonObject {
  return {
    sync: at(application, 'status', 'sync', 'status'),
    revision: at(application, 'status', 'sync', 'revision'),
    health: at(application, 'status', 'health', 'status'),
    phase: at(application, 'status', 'operationState', 'phase'),
    conditions: array(at(application, 'status', 'conditions')).map((one) => at(one, 'message') ?? null),
  }
}

const status = (application: JsonObject, ...path: string[]): Json | undefined =>
  at(application, 'status', ...path)

/** Synced at a commit, or at the first source's. */
export function syncedAt(commit: string): Condition {
  return (application) =>
    status(application, 'sync', 'status') === 'Synced' &&
    (status(application, 'sync', 'revision') === commit ||
      array(status(application, 'sync', 'revisions')).includes(commit))
}

/** No operation is under way, and the last one did not fail. */
const atRest: Condition = (application) =>
  application.operation === undefined &&
  ['Succeeded', undefined].includes(status(application, 'operationState', 'phase') as string)

/** Its health is from after its last operation. */
const assessed: Condition = (application) =>
  String(status(application, 'reconciledAt') ?? '') >=
  String(status(application, 'operationState', 'finishedAt') ?? '')

/** Its status is about its present spec. That somebody has asked for one more refresh changes nothing of that. */
const current: Condition = (application) => {
  const compared = object(status(application, 'sync', 'comparedTo'))
  const part = (value: Json | undefined) => JSON.stringify(value ?? null)
  return (
    at(compared, 'source', 'path') === at(application, 'spec', 'source', 'path') &&
    at(compared, 'source', 'targetRevision') === at(application, 'spec', 'source', 'targetRevision') &&
    part(at(compared, 'source', 'directory')) === part(at(application, 'spec', 'source', 'directory'))
  )
}

/** Healthy, or whatever else is accepted, at a commit, by what Kubernetes has stored and not by what anybody says. */
export function arrived(commit: string, health: readonly string[] = ['Healthy']): Condition {
  return all(syncedAt(commit), atRest, assessed, current, (application) =>
    health.includes(String(status(application, 'health', 'status'))),
  )
}

/** All of several conditions. */
export function all(...conditions: readonly Condition[]): Condition {
  return (application) => conditions.every((condition) => condition(application))
}
