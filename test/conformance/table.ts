/** The table that the suite prints, in Markdown. */

import { formatDuration } from '../../lib/duration.ts'
import type { Row, Told } from './play.ts'

/** All rows, and a line with what each of those asked was worth. */
export function formatTable(rows: readonly Row[], tools: readonly string[]): string {
  const header = ['situation', 'expected', 'so after', ...tools]
  return [
    line(header),
    line(header.map(() => '---')),
    ...rows.map((row) => line(formatRow(row, tools))),
    '',
    ...tools.map((tool) => `${tool}: ${summary(rows, tool)}`),
  ].join('\n')
}

/** One row, as it is printed while the suite runs. */
export function formatRow(row: Row, tools: readonly string[]): readonly string[] {
  if (row.problem !== undefined)
    return [
      row.situation,
      row.expected,
      '',
      ...tools.map((_, i) => (i === 0 ? `not played: ${row.problem}` : '')),
    ]
  const so = row.truth === undefined ? 'never' : formatDuration(row.truth)
  return [
    row.situation,
    row.expected,
    so,
    ...tools.map((tool) => cell(row.told.find((told) => told.tool === tool))),
  ]
}

function cell(told: Told | undefined): string {
  if (told === undefined || told.after === undefined) return ''
  const time = `${told.after < 0 ? '−' : ''}${formatDuration(Math.abs(told.after))}`
  const said = [
    told.judgement,
    ...(told.reason === '' || told.reason === 'Verified' ? [] : [told.reason]),
  ].join(', ')
  return told.judgement === 'right' ? `${said}, ${time}` : `**${said}**, ${time}`
}

/** How often each judgement was passed. */
function summary(rows: readonly Row[], tool: string): string {
  const told = rows.flatMap((row) => row.told.filter((one) => one.tool === tool && one.after !== undefined))
  const counts = Map.groupBy(told, ({ judgement }) => judgement)
  return [...counts].map(([judgement, { length }]) => `${length} ${judgement}`).join(', ') || 'not asked'
}

function line(cells: readonly string[]): string {
  return `| ${cells.map((text) => text.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`
}
