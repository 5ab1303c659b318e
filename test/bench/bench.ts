/**
 * What the gate costs, measured with the executable against the simulated Argo CD: `bun run bench` prints one table
 * of medians. Times depend on the machine and on what else it does, so they are compared with those of other
 * programs in the same minutes; nothing fails here, and what is counted is asserted in `scale.test.ts`.
 */

import { availableParallelism, cpus, loadavg } from 'node:os'
import { measureGrowth } from './growth.ts'
import { measureLatency } from './latency.ts'
import { measureMemory } from './memory.ts'
import { formatTable, type Row } from './numbers.ts'
import { buildPrograms } from './process.ts'
import { measureSize } from './size.ts'
import { measureStart } from './start.ts'
import { measureWaiting } from './waiting.ts'

const PARTS = {
  start: measureStart,
  latency: measureLatency,
  memory: measureMemory,
  waiting: measureWaiting,
  growth: measureGrowth,
  size: measureSize,
}

const began = performance.now()
const say = (text: string) => console.error(`${((performance.now() - began) / 1000).toFixed(0)} s: ${text}`)

say('building')
const programs = buildPrograms()
const rows: Row[] = []
const asked = process.argv.slice(2)
for (const [name, measure] of Object.entries(PARTS)) {
  if (asked.length > 0 && !asked.includes(name)) continue
  say(name)
  rows.push(...(await measure(programs)))
}
say('done')

const model = cpus()[0]?.model ?? 'an unknown processor'
const load = loadavg().map((value) => value.toFixed(1))
console.log(
  `Bun ${Bun.version}, ${process.platform} ${process.arch}, ${availableParallelism()} × ${model}, load ${load.join(' ')}\n`,
)
console.log(formatTable(rows))
process.exit(0)
