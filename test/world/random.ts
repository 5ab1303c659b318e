/** Chance, from a seed: every choice of a world and of a scenario comes from here, so that a seed is a whole history. */

/** A stream of random numbers. */
export interface Random {
  /** From 0, never 1. */
  readonly next: () => number
  /** A number from `least` to `most`. */
  readonly between: (least: number, most: number) => number
  /** A whole number, `least` and `most` among them. */
  readonly integer: (least: number, most: number) => number
  readonly chance: (probability: number) => boolean
  readonly pick: <T>(items: readonly T[]) => T
}

/** The generator sfc32 (Chris Doty-Humphrey's PractRand), seeded by one number and what the stream is for. */
export function createRandom(seed: number, purpose = 0): Random {
  let a = seed | 0
  let b = Math.imul(purpose + 1, 0x9e3779b9)
  let c = Math.floor(seed / 2 ** 32) | 0
  let counter = 1
  const next = () => {
    const t = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + t) | 0
    return (t >>> 0) / 2 ** 32
  }
  for (let i = 0; i < 12; i++) next()
  return {
    next,
    between: (least, most) => least + (most - least) * next(),
    integer: (least, most) => least + Math.floor((most - least + 1) * next()),
    chance: (probability) => next() < probability,
    pick: (items) => {
      if (items.length === 0) throw new Error('nothing to pick from')
      return items[Math.floor(items.length * next())] as (typeof items)[number]
    },
  }
}
