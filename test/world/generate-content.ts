/** Releases, and what they do. */

import type { Random } from './random.ts'
import type { Content } from './scenario.ts'

/** What a release does when it is rolled out. */
export function generateContent(random: Random, id: number): Content {
  return {
    id,
    image: `registry.test/web:t${id}`,
    hook: random.chance(0.6) ? 'none' : random.pick(['passes', 'fails', 'fails once']),
    hookTakes: random.integer(500, 8000),
    rollout: random.chance(0.65)
      ? 'smooth'
      : random.pick(['no image', 'no quota', 'degraded at first', 'degraded later']),
    rolloutTakes: random.chance(0.5) ? random.integer(300, 5000) : random.integer(5000, 40_000),
    progressDeadline: random.chance(0.5) ? 600_000 : random.integer(10_000, 60_000),
    hasSecret: random.chance(0.1),
    applies: random.chance(0.95),
  }
}
