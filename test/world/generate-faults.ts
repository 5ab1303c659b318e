/** What breaks in a scenario. */

import type { Random } from './random.ts'
import type { Fault, FaultKind } from './scenario.ts'

/** When there is something to break. */
export interface Occasion {
  readonly startsAt: number
  readonly length: number
  /** When something happens that a fault may hide. */
  readonly times: readonly number[]
}

const KINDS: readonly FaultKind[] = [
  'hang',
  'hang',
  'hang',
  'late',
  'late',
  'outage',
  'reset',
  'unavailable',
  'unavailable',
  'unauthorized',
  'hopeless',
  'refresh refused',
  'cut',
  'cut',
  'buffered',
  'silent',
  'lost',
  'lost',
  'gap',
  'gap',
  'lag',
  'lag',
  'controller down',
  'controller slow',
  'comparison error',
  'comparison error',
]

/** None, one, two or three faults. */
export function generateFaults(random: Random, occasion: Occasion): Fault[] {
  const count = random.pick([0, 0, 0, 1, 1, 1, 2, 3])
  return Array.from({ length: count }, () => generateFault(random, occasion))
}

const FOR_EVER = 1e12

function generateFault(random: Random, { startsAt, length, times }: Occasion): Fault {
  const kind = random.pick(KINDS)
  const near =
    times.length > 0 && random.chance(0.5) ? random.pick(times) : startsAt + random.next() ** 2 * length
  const from = Math.max(0, Math.round(near + random.between(-2000, 2000)))
  const lasts = Math.round(random.chance(0.6) ? random.between(300, 5000) : random.between(5000, 40_000))
  const until = from + lasts
  switch (kind) {
    case 'hang':
      return { kind, from, until: FOR_EVER, requests: random.integer(1, 2) }
    case 'late':
      return {
        kind,
        from,
        until: FOR_EVER,
        requests: random.integer(1, 2),
        by: random.integer(1000, 13_000),
        readsLate: random.chance(0.5),
      }
    case 'unavailable':
      return { kind, from, until, retryAfter: random.pick([undefined, undefined, 0, 5000, 30_000, 600_000]) }
    case 'unauthorized':
      return random.chance(0.85)
        ? { kind, from, until: from + random.integer(100, 1000) }
        : { kind, from, until: FOR_EVER }
    case 'hopeless':
      return {
        kind,
        from: 0,
        until: random.chance(0.5) ? FOR_EVER : startsAt + lasts,
        code: random.pick(['ENOTFOUND', 'ECONNREFUSED']),
      }
    case 'refresh refused':
      return {
        kind,
        from: 0,
        until: random.chance(0.5) ? FOR_EVER : until,
        status: random.pick([400, 401, 403]),
      }
    case 'gap':
      return { kind, from: 0, until: FOR_EVER, by: random.integer(50, 3000) }
    case 'lag':
      return { kind, from, until, by: random.integer(300, 3000) }
    case 'controller slow':
      return { kind, from, until: from + 4 * lasts, by: random.integer(300, 2000) }
    case 'comparison error':
      return { kind, from, until: random.chance(0.3) ? FOR_EVER : until }
    default:
      return { kind, from, until }
  }
}
