/** Makes a failing history short enough to be read: what may be left out while the same promise is broken, is. */

import type { Line } from './journal.ts'
import type { Opponent } from './opponent.ts'
import type { Breach } from './oracle.ts'
import { play } from './play.ts'
import type { Scenario } from './scenario.ts'

/** The same failure with fewer steps, faults and applications' troubles. */
export function shrink<K>(scenario: Scenario, opponent: Opponent<K>, { promise }: Breach): Scenario {
  let smallest = scenario
  for (;;) {
    const smaller = smallerOnes(smallest).find(
      (one) => play(one, opponent, new Map()).breach?.promise === promise,
    )
    if (smaller === undefined) return smallest
    smallest = smaller
  }
}

function smallerOnes(scenario: Scenario): Scenario[] {
  const { steps, faults, policy, applications } = scenario
  const without = <T>(items: readonly T[], i: number) => items.filter((_, j) => j !== i)
  const ones: Scenario[] = [
    ...faults.map((_, i) => ({ ...scenario, faults: without(faults, i) })),
    ...steps.map((_, i) => ({ ...scenario, steps: without(steps, i) })),
  ]
  if (scenario.skew !== 0) ones.push({ ...scenario, skew: 0 })
  if (policy.stableFor > 0) ones.push({ ...scenario, policy: { ...policy, stableFor: 0 } })
  if (policy.watch) ones.push({ ...scenario, policy: { ...policy, watch: false } })
  if (scenario.interruptedAt !== undefined) ones.push({ ...scenario, interruptedAt: undefined })
  if (
    applications.length > 1 &&
    scenario.target.kind === 'names' &&
    scenario.target.applications.length > 1
  ) {
    const target = { ...scenario.target, applications: scenario.target.applications.slice(0, 1) }
    ones.push({ ...scenario, target })
  }
  return ones
}

/** A history as a person reads it: what was asked and what is there, and then line by line what happened. */
export function narrate<K>(scenario: Scenario, opponent: Opponent<K>): string {
  const lines: Line[] = []
  play(scenario, opponent, new Map(), lines)
  const { seed, version, startsAt, policy, target, applications, faults } = scenario
  const wanted = target.kind === 'selector' ? target.wanted : target.applications[0]?.wanted
  const asked =
    target.kind === 'selector'
      ? `${target.selector}, at least ${target.min}`
      : target.applications.map(({ name, namespace }) => `${namespace ?? ''}/${name}`).join(', ')
  const seconds = (time: number) => ((time - startsAt) / 1000).toFixed(3).padStart(9)
  return [
    `seed ${seed}, Argo CD ${version}; times in seconds of the run`,
    `asked: ${asked}; ${JSON.stringify(wanted)}`,
    `policy: ${JSON.stringify(policy)}`,
    ...applications
      .map(
        ({ name, namespace, beginning, automated, hydration, sources }) =>
          `there: ${namespace}/${name} ${beginning}${automated ? ', automated' : ''}${hydration === 'none' ? '' : `, hydrated ${hydration}`}; ${sources.map(({ repoURL, path, chart, targetRevision }) => `${repoURL}#${path ?? chart}@${targetRevision}`).join(', ')}`,
      )
      .slice(0, 5),
    ...faults.map(
      ({ from, until, ...fault }) => `fault: ${seconds(from)} to ${seconds(until)}: ${JSON.stringify(fault)}`,
    ),
    ...lines.map(({ time, text }) => `${seconds(time)}  ${text}`),
  ].join('\n')
}
