/** The gate as an opponent. */

import { isMet } from '../../lib/check.ts'
import { initialKnowledge, type Knowledge } from '../../lib/knowledge.ts'
import { gate as machine } from '../../lib/machine.ts'
import type { Opponent } from './opponent.ts'

/** The gate itself: the core that the executable runs. */
export const gate: Opponent<Knowledge> = {
  machine,
  explain: ({ applications }) =>
    [...applications.values()]
      .map(({ key, checks }) => {
        const unmet = checks.filter((check) => !isMet(check))
        return `${key}: ${unmet.map(({ code, state, message }) => `${code} (${state}: ${message})`).join(', ') || 'all is met'}`
      })
      .join('; '),
  initial: (target, policy, now, seed) =>
    initialKnowledge(target, policy, { silence: 'argocd.test did not answer in time', seed, now }),
}
