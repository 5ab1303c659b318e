/** What can be played, by a name that a command line holds. */

import { gate } from './gate.ts'
import { DEFECTS, type Defect, naive } from './naive.ts'
import type { Opponent } from './opponent.ts'

/** Calls back with the opponent of a name: `gate`, `naive`, or `naive:DEFECT`. */
export function withOpponent<R>(name: string, call: <K>(opponent: Opponent<K>) => R): R {
  if (name === 'gate') return call(gate)
  const [kind, defect] = name.split(':')
  if (kind !== 'naive' || !isDefect(defect)) throw new Error(`no opponent is called ${name}`)
  return call(naive(defect))
}

function isDefect(text: string | undefined): text is Defect | undefined {
  return text === undefined || DEFECTS.some((defect) => defect === text)
}
