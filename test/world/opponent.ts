/** What is played in the world: a machine, and where it begins. */

import type { News, Request } from '../../lib/requests.ts'
import type { Machine } from '../../lib/run.ts'
import type { Policy, Target } from '../../lib/wanted.ts'
import type { Ending } from './oracle.ts'

/** A machine to play; what it knows is its own business. */
export interface Opponent<K> {
  readonly machine: Machine<K, Request, News, Ending>
  /** What it thinks is in the way of a yes, for a person. */
  readonly explain?: (knowledge: K) => string
  readonly initial: (target: Target, policy: Policy, now: number, seed: number) => K
}
