/**
 * Throws generated and mutated bytes at everything that parses. Whatever comes in, there is an answer or a clear
 * error, at once, and never a yes that the bytes do not bear out.
 *
 * @example
 * bun test/fuzz/fuzz.ts 30
 */

import { EXECUTABLE_TARGETS } from './executable.ts'
import { SERVER_TARGETS } from './server.ts'
import { SETTING_TARGETS } from './settings.ts'
import type { Target } from './target.ts'

/** Everything that parses. */
export const TARGETS: readonly Target[] = [...SETTING_TARGETS, ...SERVER_TARGETS, ...EXECUTABLE_TARGETS]

/** The same everywhere, so that what fails in CI fails at a desk. */
export const SEED = 20_260_101

/** The seed and the path of a failure bring its input back, so a long one need not be shown in full. */
const LONGEST_INPUT = 2000

async function main(seconds: number, seed: number): Promise<void> {
  const counts = new Map<string, number>()
  const began = performance.now()
  const elapsed = () => (performance.now() - began) / 1000
  for (let round = 0; elapsed() < seconds; round++) {
    for (const { name, share, run } of TARGETS) {
      if (elapsed() >= seconds) break
      try {
        await run(seed + round, share)
      } catch (error) {
        const { message, cause } = error instanceof Error ? error : new Error(String(error))
        console.error(`${name}: ${message.slice(0, LONGEST_INPUT)}\n`, cause)
        process.exit(1)
      }
      counts.set(name, (counts.get(name) ?? 0) + share)
    }
  }
  for (const [name, count] of counts) console.log(`${String(count).padStart(9)}  ${name}`)
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0)
  console.log(
    `${total} inputs in ${elapsed().toFixed(1)} s with seed ${seed}: no crash, no hang, no false yes`,
  )
}

if (import.meta.main) {
  const seconds = Number(process.argv[2] ?? 20)
  if (!(seconds > 0)) throw new Error('usage: bun test/fuzz/fuzz.ts [seconds]')
  await main(seconds, process.env.CI === 'true' ? SEED : Date.now() % 2 ** 31)
}
