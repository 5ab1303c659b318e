/** What reading leaves behind in memory, cleared away in time. */

const MIB = 1024 * 1024

/** Below so many bytes in use, all told, nothing needs to be cleared away: a run of a thousand applications is. */
const PLENTY = 120 * MIB

/**
 * So many bytes more than there were after it was last cleared are cleared away. By itself that waits until there is as
 * much to clear away as is kept, which of thousands of applications is the most that a run takes.
 */
const MOST_LEFT = 12 * MIB

/** So many characters are read between two looks at how much is in use, which take some microseconds. */
const MOST_UNSEEN = MIB / 4

/** What each answer counts for besides its own size: it is thought about, with thousands of applications in mind. */
const ONE_ANSWER = MOST_UNSEEN / 4

/** A value of JSON takes memory of its own, however short it is written: as much as so many characters. */
export const CHARACTERS_OF_A_VALUE = 32

/** There is one memory in a process, whoever reads. */
let unseen = 0
let least = 0

/** Says that a whole answer was read; see {@link haveRead}. */
export function haveReadAnswer(characters: number): void {
  haveRead(characters + ONE_ANSWER)
}

/**
 * Says that something was read, of a body or a stream. Where much is in use, this takes some milliseconds now and then.
 *
 * @param characters how much it was, {@link CHARACTERS_OF_A_VALUE} for each value included where there are many
 */
export function haveRead(characters: number): void {
  unseen += characters
  if (unseen < MOST_UNSEEN) return
  unseen = 0
  clear(least + MOST_LEFT)
}

/** Clears away what is of no use any more, where much is in use: the result of a run takes as much again as the run. */
export function clearAway(): void {
  clear(0)
}

function clear(most: number): void {
  if (process.memoryUsage.rss() < Math.max(PLENTY, most)) return
  // What the first has found to be of no use is given back by the second.
  Bun.gc(true)
  Bun.gc(true)
  least = process.memoryUsage.rss()
}
