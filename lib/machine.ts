/** The gate as a machine without I/O: what is learnt, what is planned, what is decided. */

import { isOneLook, type Knowledge } from './knowledge.ts'
import { learn } from './learn.ts'
import { plan } from './plan.ts'
import { LIMITS } from './promises.ts'
import type { News, Request } from './requests.ts'
import type { Machine } from './run.ts'
import { decide, type Ending } from './verdict.ts'

/** The gate. Its state begins with `initialKnowledge`. */
export const gate: Machine<Knowledge, Request, News, Ending> = {
  learn,
  plan,
  limits: LIMITS,
  decide: (knowledge, now) => {
    const ending = decide(knowledge, now)
    if (ending !== undefined || !isOneLook(knowledge)) return ending
    // The one look is over when there is nothing left to ask.
    return plan(knowledge, now).tasks.length === 0 ? { kind: 'looked' } : undefined
  },
}
