/** What somebody may have meant by a word that is none. */

/** More letters than this make it another word. */
const MOST_LETTERS = 2

/**
 * The word with the fewest letters to change, the first among equals.
 *
 * @returns `undefined` where all are more than two letters away, or as many as the word has
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const bare = (text: string) => text.replace(/^--?/, '').toLowerCase()
  const own = bare(word)
  let best: string | undefined
  let fewest = Math.min(MOST_LETTERS + 1, own.length)
  for (const candidate of candidates) {
    const letters = distance(own, bare(candidate))
    if (letters >= fewest) continue
    best = candidate
    fewest = letters
  }
  return best
}

/** Levenshtein's distance: how many letters to insert, delete or replace. */
function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > MOST_LETTERS) return MOST_LETTERS + 1
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
