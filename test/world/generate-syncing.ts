/**
 * Scenarios of a gate that syncs: applications that nobody syncs by themselves, owners that do not let everybody, closed
 * windows, others who sync at the same time, answers that are lost, runs that are killed.
 */

import { DRILLS_OF_SYNCING } from './drills-syncing.ts'
import { generate } from './generate.ts'
import { drillOf } from './generate-drills.ts'
import { createRandom, type Random } from './random.ts'
import type { Fault, Kill, Owner, Scenario } from './scenario.ts'

const STAGE = { project: 'shop', name: 'prod' }

/** Annotations, and whether they authorize the Stage: as Kargo reads them. */
const AUTHORIZING = ['shop:prod', 'shop:prod', 'shop:test, shop:prod', 'shop:test,shop:prod,other:prod']
const STRANGE = [undefined, '', 'shop:test', 'shop:*', 'shop:prod,*:prod', 'shop:prod,shop', 'prod:shop']

/** A scenario from its seed: the one without syncing, and what syncing adds; now and then a drill. */
export function generateSyncing(seed: number): Scenario {
  if (createRandom(seed, 12).chance(0.1)) return drillOf(DRILLS_OF_SYNCING, seed, createRandom(seed, 13))
  const scenario = withSyncing(seed)
  return createRandom(seed, 8).chance(0.06) ? drill(scenario, seed) : scenario
}

/** Nothing but a window that is closed, and opens while there is time. */
function drill(scenario: Scenario, seed: number): Scenario {
  const random = createRandom(seed, 9)
  const { startsAt, policy } = scenario
  const closed = [{ from: 0, until: startsAt + random.integer(5000, 40_000) }]
  const owner: Owner = { stages: 'shop:prod', authorizes: true, isPermitted: true, prunes: false, closed }
  return {
    ...scenario,
    interruptedAt: undefined,
    pace: 1,
    policy: { ...policy, timeout: Math.max(policy.timeout, 150_000) },
    applications: scenario.applications.map((plan) => ({
      ...plan,
      automated: false,
      selfHeals: false,
      beginning: 'out-of-sync',
      owner,
    })),
    steps: scenario.steps.filter(({ kind }) => kind === 'push' || kind === 'tag' || kind === 'webhook'),
    faults: [],
    kills: [],
    rivals: 0,
  }
}

function withSyncing(seed: number): Scenario {
  const scenario = generate(seed)
  const random = createRandom(seed, 7)
  const { startsAt, policy, faults } = scenario
  // Without faults it shows best whether something is started too late, or never.
  const isQuiet = random.chance(0.3)
  const stage = random.chance(0.4) ? STAGE : undefined
  const isForbidding = random.chance(0.12)
  const closed = random.chance(0.2) ? closedSpans(random, startsAt, policy.timeout) : []
  const applications = scenario.applications.map((plan) => {
    const automated = plan.automated && random.chance(0.15)
    const owner: Owner = {
      ...authorized(random, !(isForbidding && random.chance(0.4))),
      isPermitted: !(isForbidding && random.chance(0.4)),
      prunes: random.chance(0.3),
      closed: random.chance(0.8) ? closed : [],
    }
    return {
      ...plan,
      automated,
      selfHeals: automated && plan.selfHeals,
      retries: automated ? plan.retries : random.pick([0, 0, 0, 1, 2]),
      owner,
    }
  })
  const id = random.chance(0.7) ? 'promotion' : undefined
  const kills = random.chance(0.4) ? [killOf(random), ...(random.chance(0.3) ? [killOf(random)] : [])] : []
  return {
    ...scenario,
    interruptedAt: kills.length > 0 ? undefined : scenario.interruptedAt,
    applications,
    policy: {
      ...policy,
      sync: {
        prune: random.chance(0.8) ? undefined : random.chance(0.5),
        id,
        stage,
      },
    },
    faults: isQuiet ? [] : random.chance(0.3) ? [...faults, lost(random)] : faults,
    kills,
    // Without an id, one for the same revisions is adopted.
    rivals: random.chance(id === undefined ? 0.3 : 0.1) ? random.integer(1, 2) : 0,
  }
}

function authorized(random: Random, authorizes: boolean): Pick<Owner, 'stages' | 'authorizes'> {
  return { stages: random.pick<string | undefined>(authorizes ? AUTHORIZING : STRANGE), authorizes }
}

/** Closed when the run begins, or soon; open again while it waits, or not. */
function closedSpans(random: Random, startsAt: number, timeout: number): Owner['closed'] {
  const from = random.chance(0.6) ? 0 : startsAt + random.integer(0, 10_000)
  const until = random.chance(0.2)
    ? Number.MAX_SAFE_INTEGER
    : Math.max(from, startsAt) + random.integer(1000, Math.max(timeout * random.pick([0.2, 0.7]), 2000))
  return [{ from, until }]
}

function killOf(random: Random): Kill {
  return random.pick<Kill>([
    'permission answered',
    'sync sent',
    'sync heard',
    'sync answered',
    random.integer(0, 20_000),
  ])
}

/** The answer to a sync comes late, or never. */
function lost(random: Random): Fault {
  return {
    kind: 'late',
    from: 0,
    until: Number.MAX_SAFE_INTEGER,
    requests: 1,
    only: 'sync',
    by: random.pick([20, 2000, 40_000]),
    readsLate: random.chance(0.3),
    breaks: random.chance(0.5),
  }
}
