/** What can be played, by a name that a command line holds. */

import { gate } from './gate.ts'
import { generate } from './generate.ts'
import { generateDrill } from './generate-drills.ts'
import { generateSyncing } from './generate-syncing.ts'
import { DEFECTS, type Defect, naive } from './naive.ts'
import type { Opponent } from './opponent.ts'
import type { Scenario } from './scenario.ts'

/** The gate, where it syncs. */
const SYNCING = 'gate:syncing'

/** The gate, in scenarios that are made for what its rules are for. */
const DRILLS = 'gate:drills'

/** The scenario that an opponent of a name is played in. */
export function scenarioOf(name: string, seed: number): Scenario {
  if (name === DRILLS) return generateDrill(seed)
  return name === SYNCING ? generateSyncing(seed) : generate(seed)
}

/** Calls back with the opponent of a name: `gate`, `naive`, or `naive:DEFECT`. */
export function withOpponent<R>(name: string, call: <K>(opponent: Opponent<K>) => R): R {
  if (name === 'gate' || name === SYNCING || name === DRILLS) return call(gate)
  const [kind, defect] = name.split(':')
  if (kind !== 'naive' || !isDefect(defect)) throw new Error(`no opponent is called ${name}`)
  return call(naive(defect))
}

function isDefect(text: string | undefined): text is Defect | undefined {
  return text === undefined || DEFECTS.some((defect) => defect === text)
}
