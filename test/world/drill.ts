/** What drills are made of. */

import type { Policy, RevisionPolicy } from '../../lib/wanted.ts'
import type { Random } from './random.ts'
import type { ApplicationPlan, Content, Fault, Step, Version } from './scenario.ts'

/** What is rolled out at once. */
export const SMOOTH: Content = {
  id: 1,
  image: 'registry.test/web:t0',
  hook: 'none',
  hookTakes: 1000,
  rollout: 'smooth',
  rolloutTakes: 1000,
  progressDeadline: 600_000,
  hasSecret: false,
  applies: true,
}
/** Longer than any history. */
export const FOR_EVER = 1e12

/** What a drill changes of a plain promotion; its steps and faults come beside. */
export interface Drill {
  readonly count?: number
  readonly plan?: Partial<Omit<ApplicationPlan, 'content'>> & { readonly content?: Partial<Content> }
  readonly policy?: Partial<Policy>
  readonly steps?: readonly Step[]
  readonly faults?: readonly Fault[]
  /** What is wanted. @default commit 1 */
  readonly wanted?: string
  readonly wantedImage?: string
  readonly revisionPolicy?: RevisionPolicy
  readonly selector?: boolean
  readonly min?: number
  readonly version?: Version
  readonly pace?: number
  readonly hydratorWaits?: number
}

/** When the run begins, and what pushes a commit. */
export interface Setting {
  readonly random: Random
  readonly startsAt: number
  readonly push: (commit: number, at: number, content: Partial<Content> | undefined, message?: string) => Step
}

/** Drills by what they are of. */
export type Drills = Readonly<Record<string, (setting: Setting) => Drill>>
