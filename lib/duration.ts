/** Durations as people write them in manifests: seconds, or Go's notation. */

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const

const PLAIN_SECONDS = /^\+?\d+(?:\.\d+)?$/
// So many digits and no more: looked for anywhere, a number without an end would be begun at each of its digits.
const GO_DURATION = /^(?:\d{1,20}(?:\.\d{1,20})?(?:ms|s|m|h))+$/
const GO_DURATION_PART = /(\d{1,20}(?:\.\d{1,20})?)(ms|s|m|h)/g

/** A year: longer than any run, and short enough that sums of times stay exact. */
const LONGEST_MS = 365 * 24 * UNITS.h

/**
 * Reads a duration: a number of seconds (`90`, `0.5`) or Go's notation (`90s`, `5m`, `1h30m`, `500ms`).
 *
 * @returns milliseconds, or `undefined` where the text is no duration or is longer than a year
 */
export function parseDuration(text: string): number | undefined {
  const milliseconds = PLAIN_SECONDS.test(text)
    ? Number(text) * UNITS.s
    : GO_DURATION.test(text)
      ? [...text.matchAll(GO_DURATION_PART)].reduce(
          (sum, [, amount, unit]) => sum + Number(amount) * UNITS[unit as keyof typeof UNITS],
          0,
        )
      : Number.NaN
  return milliseconds <= LONGEST_MS ? Math.round(milliseconds) : undefined
}

/**
 * Writes a duration for a person: `40ms`, `2.5s`, `12s`, `1m30s`, `2h5m`.
 *
 * @param milliseconds not negative
 */
export function formatDuration(milliseconds: number): string {
  if (milliseconds > 0 && milliseconds < 1000) return `${Math.round(milliseconds)}ms`
  const seconds = milliseconds / 1000
  if (seconds < 9.95) return `${Number(seconds.toFixed(1))}s`
  const whole = Math.round(seconds)
  const hours = Math.floor(whole / 3600)
  const minutes = Math.floor((whole % 3600) / 60)
  const rest = whole % 60
  if (hours > 0) return minutes > 0 ? `${hours}h${minutes}m` : `${hours}h`
  if (minutes > 0) return rest > 0 ? `${minutes}m${rest}s` : `${minutes}m`
  return `${whole}s`
}
