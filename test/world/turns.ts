/** When something has held, written down as where it turns, the latest last. */

/** What holds from an instant on. */
export interface Turn<T> {
  readonly at: number
  readonly value: T
}

/** The last span within two instants in which it was true. */
export function lastTrue(
  turns: readonly Turn<boolean>[],
  from: number,
  to: number,
): { from: number; to: number } | undefined {
  let end = Number.POSITIVE_INFINITY
  for (let i = turns.length - 1; i >= 0; i--) {
    const turn = turns[i]
    if (turn === undefined || end < from) return undefined
    if (turn.value && turn.at <= to) return { from: Math.max(turn.at, from), to: Math.min(end, to) }
    end = turn.at
  }
  return undefined
}

/** The longest span within two instants in which it was not true. */
export function longestGap(turns: readonly Turn<boolean>[], from: number, to: number): number {
  let longest = 0
  let end = to
  for (let i = turns.length - 1; i >= 0 && end > from; i--) {
    const turn = turns[i]
    if (turn === undefined) break
    const begin = Math.max(turn.at, from)
    if (!turn.value && turn.at < end) longest = Math.max(longest, end - begin)
    end = Math.min(end, turn.at)
  }
  return longest
}

/** Whether all were true at one instant within two. */
export function wereTrue(all: readonly (readonly Turn<boolean>[])[], from: number, to: number): boolean {
  // What holds turns at its turns only.
  const instants = [from, ...all.flat().map(({ at }) => at)].filter((at) => from <= at && at <= to)
  return instants.some((at) => all.every((turns) => turns.findLast((turn) => turn.at <= at)?.value === true))
}
