/** Why it is asked what the account may see at all. Pure. */

import { NEVER } from './knowledge.ts'
import { type Moment, unsettled } from './moment.ts'
import { type Need, NOTHING } from './need.ts'
import { LONGEST_DIAGNOSIS } from './promises.ts'

/**
 * Once, before a no because of something that cannot be seen: Argo CD gives one answer for what is not there and what
 * may not be seen, and the names beside it tell more.
 */
export function overviewNeeded(moment: Moment): Need {
  const { knowledge, now, isOneLook, diagnosisAt } = moment
  const { visible, failures } = knowledge
  if (visible !== undefined || failures.has('overview') || !isSomethingUnseen(moment)) return NOTHING
  if (!isOneLook && now < diagnosisAt) return { tasks: [], wakeAt: diagnosisAt }
  const request = {
    key: 'overview',
    kind: 'overview',
    lane: 'overview',
    timeout: LONGEST_DIAGNOSIS,
    hedges: [],
  } as const
  return { tasks: [request], wakeAt: Number.POSITIVE_INFINITY }
}

function isSomethingUnseen({ knowledge: { applications, target, listedAt } }: Moment): boolean {
  if (target.kind === 'selector') return listedAt !== NEVER && applications.size === 0
  for (const { sighting } of unsettled(applications))
    if (sighting !== undefined && sighting.application === undefined) return true
  return false
}
