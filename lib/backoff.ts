/** How long to wait before trying again: exponential with jitter, honouring what the server asks for. */

const FIRST = 250

/**
 * @param failures how many tries in a row have failed, at least 1
 * @param longest the cap, in milliseconds: of polls their interval, so that a failing server is asked about as often
 *   as a working one
 * @param retryAfter how long the server asked to be left alone, in milliseconds
 * @param random from 0 to 1
 * @returns milliseconds, between half of the step and all of it, never less than the server asked for
 */
export function backoff(
  failures: number,
  longest: number,
  retryAfter: number | undefined,
  random: number,
): number {
  const step = Math.min(longest, FIRST * 2 ** Math.min(failures - 1, 20))
  return Math.max(step * (0.5 + random / 2), retryAfter ?? 0)
}
