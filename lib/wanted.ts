/** What a run is asked to verify, where, and by which policy: parsed once from the settings, and trusted inside. */

import type { ImageReference } from './image.ts'
import type { WantedRevision } from './revision.ts'

/** `at-least` also takes what was deployed after the wanted revision, `equivalent` what renders the same manifests. */
export type RevisionPolicy = 'exact' | 'at-least' | 'equivalent'

/** What an application must be to be verified. */
export interface Wanted {
  readonly revision: WantedRevision | undefined
  readonly revisionPolicy: RevisionPolicy
  readonly images: readonly ImageReference[]
  /** Text that the synced commit's message must contain. */
  readonly commitMessage: string | undefined
  /** Accepted health statuses. */
  readonly health: readonly string[]
}

/** An application that was asked for by its name. */
export interface NamedApplication {
  readonly name: string
  readonly namespace: string | undefined
  readonly wanted: Wanted
}

/** Which applications are verified. */
export type Target = { readonly project: string | undefined } & (
  | { readonly kind: 'names'; readonly applications: readonly NamedApplication[] }
  | {
      readonly kind: 'selector'
      readonly selector: string
      /** How many applications it must match at least, 1 or more. */
      readonly min: number
      readonly namespace: string | undefined
      readonly wanted: Wanted
    }
)

/** A Stage of Kargo. */
export interface Stage {
  readonly project: string
  readonly name: string
}

/** What a run may start, beyond reading. */
export interface Sync {
  /** `undefined`: as the application's own `automated.prune` says. */
  readonly prune: boolean | undefined
  /** Names the promotion: an operation that carries it is adopted, and never repeated. */
  readonly id: string | undefined
  /** The Stage that an application must have authorized. */
  readonly stage: Stage | undefined
}

/** Times in milliseconds. */
export interface Policy {
  /** 0: one look. */
  readonly timeout: number
  readonly interval: number
  readonly stableFor: number
  /** `Infinity`: never give up before the deadline. */
  readonly failAfter: number
  readonly refresh: 'none' | 'normal' | 'hard'
  readonly watch: boolean
  /** `undefined`: nothing is ever started. */
  readonly sync?: Sync | undefined
}
