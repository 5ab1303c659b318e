/** Scenarios of a gate that syncs: applications that nobody syncs by themselves, answers that are lost, runs that are killed. */

import { generate } from './generate.ts'
import { createRandom } from './random.ts'
import type { Fault, Kill, Scenario } from './scenario.ts'

/** A scenario from its seed: the one without syncing, and what syncing adds. */
export function generateSyncing(seed: number): Scenario {
  const scenario = generate(seed)
  const random = createRandom(seed, 7)
  const applications = scenario.applications.map((plan) => {
    const automated = plan.automated && random.chance(0.15)
    return {
      ...plan,
      automated,
      selfHeals: automated && plan.selfHeals,
      retries: automated ? plan.retries : random.pick([0, 0, 0, 1, 2]),
    }
  })
  const kill = (): Kill =>
    random.pick<Kill>(['sync sent', 'sync heard', 'sync answered', random.integer(0, 20_000)])
  const lost: Fault = {
    kind: 'late',
    from: 0,
    until: Number.MAX_SAFE_INTEGER,
    requests: 1,
    only: 'sync',
    by: random.pick([2000, 40_000]),
    readsLate: random.chance(0.3),
  }
  const kills = random.chance(0.4) ? [kill(), ...(random.chance(0.3) ? [kill()] : [])] : []
  return {
    ...scenario,
    interruptedAt: kills.length > 0 ? undefined : scenario.interruptedAt,
    applications,
    policy: {
      ...scenario.policy,
      sync: { prune: undefined, id: random.chance(0.7) ? 'promotion' : undefined, stage: undefined },
    },
    faults: random.chance(0.3) ? [...scenario.faults, lost] : scenario.faults,
    kills,
  }
}
