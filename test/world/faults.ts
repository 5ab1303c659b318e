/** Which faults there are at an instant. */

import type { Fault } from './scenario.ts'
import type { World } from './world.ts'

const NONE: readonly Fault[] = []

/** The faults that are there now. */
export function activeFaults({ scenario: { faults }, time }: World): readonly Fault[] {
  if (faults.length === 0) return NONE
  const now = time.now()
  return faults.filter(({ from, until }) => from <= now && now < until)
}

export function isFaulty(world: World, kind: Fault['kind']): boolean {
  return activeFaults(world).some((fault) => fault.kind === kind)
}
