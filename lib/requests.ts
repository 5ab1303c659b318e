/** What can be asked of an Argo CD, as data with a key, and what can come of it. */

import type { Application, Commit } from './application.ts'
import type { CommitRequest, Comparison, Rendering, TreeNode } from './evidence.ts'
import type { Occurrence, Task } from './run.ts'
import type { SyncAnswer, SyncOrder, SyncWindows } from './syncs.ts'

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
  /** Of all that it brings, only those with these names are meant; Argo CD cannot be asked for several. */
  readonly names?: ReadonlySet<string> | undefined
}

/** A change of one application; ADDED also begins each stream, once for every application that matches. */
export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly application: Application
}

/** What is asked; `application` is the key of the one that is meant. */
export type Question =
  /** The Application itself, from the cluster. */
  | { readonly kind: 'look'; readonly application: string; readonly ref: ApplicationRef }
  /** The Application after a refresh. */
  | {
      readonly kind: 'refresh'
      readonly application: string
      readonly ref: ApplicationRef
      readonly type: 'normal' | 'hard'
      /** Whether the answer is wanted, or a stream tells of the application. */
      readonly isRead: boolean
    }
  /** All that match, from the cache. */
  | { readonly kind: 'list'; readonly query: ApplicationQuery }
  /** The names of all that match, from the cache. */
  | { readonly kind: 'names'; readonly query: ApplicationQuery }
  /** The names of all that the account may see. */
  | { readonly kind: 'overview' }
  /** The stream of changes; a number tells those of a run apart. */
  | { readonly kind: 'watch'; readonly number: number; readonly query: ApplicationQuery }
  | {
      readonly kind: 'commit'
      readonly application: string
      readonly ref: ApplicationRef
      readonly commit: CommitRequest
    }
  | { readonly kind: 'tree'; readonly application: string; readonly ref: ApplicationRef }
  | {
      readonly kind: 'compare'
      readonly application: string
      readonly ref: ApplicationRef
      readonly comparison: Comparison
    }
  /** The one thing that is started, and never asked twice at once. */
  | {
      readonly kind: 'sync'
      readonly application: string
      readonly ref: ApplicationRef
      readonly order: SyncOrder
    }
  /** Whether the account may sync the application; `object` is its name in policies. */
  | {
      readonly kind: 'permission'
      readonly application: string
      readonly object: string
    }
  /** Whether sync windows let it be synced at the moment. */
  | {
      readonly kind: 'windows'
      readonly application: string
      readonly ref: ApplicationRef
      /** The project to ask for their time zones; `undefined`: these have been asked for. */
      readonly zonesOf: string | undefined
    }

/** A question that ought to be under way. */
export type Request = Task & Question

/** What a request brings; a stream brings many things, any other request one. */
export type News =
  /** Of `look` and `refresh`; `undefined`: it does not exist, or may not be seen; Argo CD does not tell which. */
  | { readonly kind: 'application'; readonly application: Application | undefined }
  /** Of a `refresh` whose answer was not read. */
  | { readonly kind: 'refreshed' }
  | { readonly kind: 'list'; readonly applications: readonly Application[] }
  | { readonly kind: 'names'; readonly refs: readonly ApplicationRef[] }
  | { readonly kind: 'overview'; readonly refs: readonly ApplicationRef[] }
  /** The stream's headers have come; that says nothing yet about any application. */
  | { readonly kind: 'opened' }
  /** Changes; none: the stream is alive and nothing has changed. */
  | { readonly kind: 'changes'; readonly events: readonly WatchEvent[] }
  | { readonly kind: 'commit'; readonly commit: Commit }
  | { readonly kind: 'tree'; readonly nodes: readonly TreeNode[] }
  | { readonly kind: 'rendering'; readonly rendering: Rendering }
  | { readonly kind: 'ordered'; readonly answer: SyncAnswer }
  | { readonly kind: 'permission'; readonly isPermitted: boolean }
  | { readonly kind: 'windows'; readonly windows: SyncWindows }

/** What happens in a run. */
export type Event = Occurrence<Request, News>
