/** Plays histories of the simulated world on all processors, and tells what was met and what was broken. */

import { parseArgs } from 'node:util'
import type { Failed, Result } from './batch.ts'
import { scenarioOf, withOpponent } from './opponents.ts'
import { createPlayers } from './players.ts'
import { narrate, shrink } from './shrink.ts'

const USAGE = `bun run simulate [--seed N] [--count N] [--until-failure] [--show] [--opponent gate|gate:syncing|gate:drills|naive|naive:DEFECT]

  --seed           the first history; a fresh one where it is not given
  --count          how many, 20000 by default
  --until-failure  stop at the first history that breaks a promise
  --show           tell the first history line by line though it breaks none
`

const SHOWN = 3

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    count: { type: 'string', default: '20000' },
    opponent: { type: 'string', default: 'gate' },
    workers: { type: 'string' },
    'until-failure': { type: 'boolean', default: false },
    show: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) console.log(USAGE)
else process.exitCode = await simulate()

async function simulate(): Promise<number> {
  const seed = number('seed', values.seed ?? String(Math.floor(Math.random() * 1e9)))
  const count = number('count', values.count)
  const { opponent } = values
  if (values.show) {
    console.log(withOpponent(opponent, (one) => narrate(scenarioOf(opponent, seed), one)))
    return 0
  }
  console.error(`${count} histories of ${opponent} from seed ${seed}`)
  const began = performance.now()
  using players = createPlayers(values.workers === undefined ? undefined : number('workers', values.workers))
  const result = await players.play({ opponent, seed, count }, { untilFailure: values['until-failure'] })
  const seconds = (performance.now() - began) / 1000
  console.log(summary(result))
  for (const failed of result.failed.slice(0, SHOWN)) console.log(tell(failed, opponent))
  console.log(
    `${result.played} histories in ${seconds.toFixed(1)} s, ${Math.round(result.played / seconds)} a second; ` +
      `${result.failed.length} broke a promise${seeds(result.failed)}`,
  )
  return result.failed.length === 0 ? 0 : 1
}

function number(name: string, text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0)
    throw new Error(`--${name} takes a whole number, not ${text}`)
  return value
}

/** What was met, so that it shows what was really played. */
function summary({ met, most }: Result): string {
  const figures = [...most]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([kind, { value, seed }]) =>
        `${kind.padEnd(70)} ${String(Math.round(value)).padStart(9)} at most, seed ${seed}`,
    )
  const counts = [...met]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([kind, { times, histories }]) =>
        `${kind.padEnd(28)} ${String(times).padStart(9)} times in ${String(histories).padStart(8)} histories`,
    )
  return [...counts, ...figures].join('\n')
}
/** A failure as short as it can be made. */
function tell({ seed, breach }: Failed, opponent: string): string {
  const scenario = scenarioOf(opponent, seed)
  return `\n${withOpponent(opponent, (one) => narrate(shrink(scenario, one, breach), one))}\n`
}

function seeds(failed: readonly Failed[]): string {
  if (failed.length === 0) return ''
  const by = new Map<string, number[]>()
  for (const { seed, breach } of failed) by.set(breach.promise, [...(by.get(breach.promise) ?? []), seed])
  return `: ${[...by].map(([promise, all]) => `${promise} ${all.length} (${all.slice(0, 8).join(', ')})`).join('; ')}`
}
