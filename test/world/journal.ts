/** What happened in a history: counted always, told for a person where somebody wants to read it. */

export interface Journal {
  /** Counts one more of a kind, such as `step push`. */
  readonly count: (kind: string) => void
  /** Tells what happened; the text is made only where somebody reads it. */
  readonly tell: (text: () => string) => void
}

export interface Line {
  readonly time: number
  readonly text: string
}

/**
 * @param counts where kinds are counted
 * @param lines where what happened is written down, where it is
 */
export function createJournal(counts: Map<string, number>, now: () => number, lines?: Line[]): Journal {
  return {
    count: (kind) => counts.set(kind, (counts.get(kind) ?? 0) + 1),
    tell: (text) => lines?.push({ time: now(), text: text() }),
  }
}
