/** What ought to be under way, and when to think again: `(knowledge, now) → plan`. A union of needs. Pure. */

import type { Knowledge } from './knowledge.ts'
import { momentOf } from './moment.ts'
import { type Need, union } from './need.ts'
import { evidenceNeeded } from './needs-evidence.ts'
import { looksNeeded } from './needs-looks.ts'
import { membersNeeded } from './needs-members.ts'
import { overviewNeeded } from './needs-overview.ts'
import { refreshesNeeded } from './needs-refreshes.ts'
import { streamNeeded } from './needs-stream.ts'
import { syncsNeeded } from './needs-syncs.ts'
import { decidableAt } from './verdict.ts'

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
