/** What a run holds of what a stream has said: never more than there is room for, whatever that says. */

/**
 * All that is held of applications a stream has told of, in bytes as {@link weightOf} estimates them: about three times
 * their JSON, so that 5,000 applications may have 1.8 kB each of what a stream is asked for, 2,000 of them 6 kB.
 */
export const MOST_HELD = 32 * 1024 * 1024

/** What is held, by names of its own. */
export interface Holdings {
  /**
   * Holds something, in place of what was held by that name.
   *
   * @returns whether there is room for it; where not, all is as before
   */
  readonly hold: (name: string, value: unknown) => boolean
  readonly release: (name: string) => void
}

/** Holds nothing yet. */
export function createHoldings(most = MOST_HELD): Holdings {
  const weights = new Map<string, number>()
  let all = 0
  return {
    hold: (name, value) => {
      const weight = weightOf(value)
      const then = all - (weights.get(name) ?? 0) + weight
      if (then > most) return false
      all = then
      weights.set(name, weight)
      return true
    },
    release: (name) => {
      all -= weights.get(name) ?? 0
      weights.delete(name)
    },
  }
}

/** A string has a cell and a buffer, an object a cell and some room, each of its properties a place there. */
const STRING = 40
const OBJECT = 64
const PLACE = 16

/** Objects share the names of their properties, which are shorter than this, where they are Argo CD's own. */
const LONGEST_NAME = 32

/** About how much memory a value of JSON takes, in bytes: a little more rather than less. */
export function weightOf(value: unknown): number {
  if (typeof value === 'string') return value === '' ? 0 : STRING + value.length
  if (typeof value !== 'object' || value === null) return 0
  if (Array.isArray(value)) {
    let weight = value.length === 0 ? 0 : OBJECT
    for (const item of value) weight += PLACE + weightOf(item)
    return weight
  }
  let weight = OBJECT
  for (const [name, item] of Object.entries(value))
    weight += PLACE + weightOf(item) + (name.length > LONGEST_NAME ? weightOf(name) : 0)
  return weight
}
