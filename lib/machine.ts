/** The gate as a machine without I/O: what is learnt, what is planned, what is decided. */

import type { Ending } from './ending.ts'
import { isOneLook, type Knowledge } from './knowledge.ts'
import { learn } from './learn.ts'
import { momentOf } from './moment.ts'
import { type Need, union } from './need.ts'
import { evidenceNeeded } from './needs-evidence.ts'
import { looksNeeded } from './needs-looks.ts'
import { membersNeeded } from './needs-members.ts'
import { overviewNeeded } from './needs-overview.ts'
import { refreshesNeeded } from './needs-refreshes.ts'
import { streamNeeded } from './needs-stream.ts'
import { syncsNeeded } from './needs-syncs.ts'
import { LIMITS } from './promises.ts'
import type { News, Request } from './requests.ts'
import type { Machine } from './run.ts'
import { decidableAt, decide } from './verdict.ts'

/** What ought to be under way now. */
export function plan(knowledge: Knowledge, now: number): Need {
  const moment = momentOf(knowledge, now)
  const needs = union([
    streamNeeded(moment),
    membersNeeded(moment),
    looksNeeded(moment),
    refreshesNeeded(moment),
    evidenceNeeded(moment),
    syncsNeeded(moment),
    overviewNeeded(moment),
  ])
  return { tasks: needs.tasks, wakeAt: Math.min(needs.wakeAt, decidableAt(moment)) }
}

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
