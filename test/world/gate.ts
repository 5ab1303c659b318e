/** The gate as an opponent. */

import { initialKnowledge, type Knowledge } from '../../lib/knowledge.ts'
import { gate as machine } from '../../lib/machine.ts'
import type { Opponent } from './opponent.ts'

/** The gate itself: the core that the executable runs. */
export const gate: Opponent<Knowledge> = {
  machine,
  initial: (target, policy, now, seed) =>
    initialKnowledge(target, policy, { silence: 'argocd.test did not answer in time', seed, now }),
}
