/** What a run has learnt of one application besides the Application itself: what the checks may rely on. */

import type { Commit } from './application.ts'

/** Why something that was asked for could not be had. */
export interface Problem {
  readonly problem: string
}

/** A node of the resource tree, as far as the checks and a result read it. Everything may be absent. */
export interface TreeNode {
  readonly group: string | undefined
  readonly kind: string | undefined
  readonly namespace: string | undefined
  readonly name: string | undefined
  readonly uid: string | undefined
  readonly parentUids: readonly string[]
  readonly health: { readonly status: string | undefined; readonly message: string | undefined } | undefined
  readonly images: readonly string[]
  /** `info` of the node by name, such as `Status Reason` and `Containers` of a Pod. */
  readonly info: Readonly<Record<string, string>>
  /** A time of the server (RFC 3339). */
  readonly createdAt: string | undefined
}

/** Whether two sets of revisions render the same manifests, as far as Argo CD shows them. */
export type Rendering =
  | { readonly kind: 'same' }
  /** They differ; the sentence names what does. */
  | { readonly kind: 'different'; readonly message: string }
  /** It cannot be shown: Secrets, which come with their data blanked, or a manifest that cannot be read. */
  | { readonly kind: 'unknown'; readonly message: string }

/** What the checks may rely on. */
export interface Evidence {
  /** There is fresh evidence of where a tracked revision points, and the Application is from after it; or refreshing is off. */
  readonly refreshed: boolean
  /** Since then the hydrator, where there is one, has looked as well, which takes it longer. */
  readonly hydratorLooked: boolean
  /** No refresh tells, and nothing has changed for so long that the application controller has looked since. */
  readonly controllerLooked: boolean
  /** Commits by `commitKey`, as far as they were asked for. */
  readonly commits: ReadonlyMap<string, Commit | Problem>
  /** By the key of a {@link Comparison}. */
  readonly renderings: ReadonlyMap<string, Rendering | Problem>
  /** The resource tree, where it was read; `undefined`: not read, or not since the last operation began. */
  readonly tree: readonly TreeNode[] | undefined
  /** Hydrated revisions that this run has seen, by the dry commit they came of (lower case). */
  readonly hydrations: ReadonlyMap<string, string>
}

/** Nothing learnt besides the Application. */
export const NO_EVIDENCE: Evidence = {
  refreshed: false,
  hydratorLooked: false,
  controllerLooked: false,
  commits: new Map(),
  renderings: new Map(),
  tree: undefined,
  hydrations: new Map(),
}

/** A commit to ask the server for. */
export interface CommitRequest {
  readonly key: string
  readonly revision: string
  /** Place in `spec.sources`, where the application has several. */
  readonly sourceIndex: number | undefined
}

/** Two renderings of an application's manifests to compare. */
export interface Comparison {
  /** Unique within an application, and another one where the spec that is rendered is another. */
  readonly key: string
  /** The revision of each source; one, without positions, where the application has one source or is hydrated. */
  readonly wanted: readonly string[]
  readonly observed: readonly string[]
  /** Whether `sourcePositions` must be given: the application has several sources. */
  readonly several: boolean
}

/** Whether something was answered, and could be had. */
export function isKnown(found: object | undefined): boolean {
  return found !== undefined && !('problem' in found)
}
