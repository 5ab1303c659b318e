/** What a benchmark does with numbers: medians, units, and the one table that it prints. */

/** One line of the table. */
export interface Row {
  readonly what: string
  readonly measured: string
  /** What it is compared with, and that one's number. */
  readonly beside?: string
  readonly ratio?: number
  readonly target?: string
  /** Left out where there is no target. */
  readonly met?: boolean
}

/** The middle of the values: what one run in a busy moment took says nothing. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** The value below which this share of the values is. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
  if (value === undefined) throw new Error('nothing was measured')
  return value
}

/** The present moment in milliseconds, finer than `Date` tells it, and the same for all processes of the machine. */
export function instant(): number {
  return performance.timeOrigin + performance.now()
}

export function milliseconds(value: number): string {
  return value < 100 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}

export function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} kB`
}

export function count(value: number, noun: string): string {
  return `${value.toLocaleString('en')} ${noun}${value === 1 ? '' : 's'}`
}

/** A row whose number must not exceed a limit. */
export function limited(
  what: string,
  value: number,
  limit: number,
  show: (value: number) => string,
  more: Partial<Row> = {},
): Row {
  return { what, measured: show(value), target: `at most ${show(limit)}`, met: value <= limit, ...more }
}

/** The rows as a table of Markdown, in columns that are also lined up for those who read it as text. */
export function formatTable(rows: readonly Row[]): string {
  const head = ['what', 'median', 'beside', 'ratio', 'target', '']
  const cells = rows.map(({ what, measured, beside = '', ratio, target = '', met }) => [
    what,
    measured,
    beside,
    ratio === undefined ? '' : formatRatio(ratio),
    target,
    met === undefined ? '' : met ? 'met' : '**not met**',
  ])
  const widths = head.map((title, i) => Math.max(title.length, ...cells.map((row) => row[i]?.length ?? 0), 3))
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...cells.map(line), ''].join('\n')
}

/** Two digits that count; what is much smaller than what it is compared with reads better as a part of it. */
function formatRatio(ratio: number): string {
  if (ratio > 0 && ratio < 0.2) return `1/${Math.round(1 / ratio)}`
  return ratio.toFixed(ratio < 10 ? 2 : 1)
}
