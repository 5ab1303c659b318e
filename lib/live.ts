/** The live view of a run on a terminal: one line an application, those that are not ready first. Pure. */

import { formatDuration } from './duration.ts'
import { applicationOf, type Knowledge, type Known } from './knowledge.ts'
import { nameOf } from './progress.ts'
import type { Paint } from './report.ts'
import { isFullSha } from './revision.ts'
import { namingCheck } from './verdict.ts'

/** The terminal's size, in characters. */
export interface Size {
  readonly columns: number
  readonly rows: number
}

const SHORT_SHA = 8
const NARROW = 90

/** The lines of the view: never more than fit on the screen, and none wider than it. */
export function renderLive(
  { applications, startedAt, deadline, server }: Knowledge,
  now: number,
  { columns, rows }: Size,
  paint: Paint,
  mask: (text: string) => string,
): readonly string[] {
  const all = [...applications.values()].filter(({ checks }) => checks.length > 0)
  const waiting = all.filter(({ met }) => met === undefined)
  const ready = all.filter(({ met }) => met !== undefined)
  const left = Math.max(deadline - now, 0)
  const failure = server.failure?.message
  const count = all.length > 1 ? `${ready.length} of ${all.length} verified, ` : ''
  const head = `${count}waited ${formatDuration(wholeSeconds(now - startedAt))}, ${formatDuration(wholeSeconds(left))} left`
  const room = Math.max(rows - 3 - (failure === undefined ? 0 : 1), 1)
  const ordered = [...waiting, ...ready]
  const shown = ordered.slice(0, ordered.length > room ? Math.max(room - 1, 1) : room)
  const names = Math.min(Math.max(4, ...shown.map((known) => nameOf(known).length)), Math.floor(columns / 3))
  const hidden = ordered.length - shown.length
  return [
    paint('dim', fit(head, columns)),
    ...shown.map((known) => line(known, now, names, columns, paint, mask)),
    ...(hidden > 0 ? [paint('dim', fit(`  … and ${hidden} more`, columns))] : []),
    ...(failure === undefined ? [] : [paint('yellow', fit(mask(`! ${failure}`), columns))]),
  ]
}

function line(
  known: Known,
  now: number,
  names: number,
  columns: number,
  paint: Paint,
  mask: (text: string) => string,
): string {
  const naming = namingCheck(known.checks, false)
  const { sync, health, operationState } = applicationOf(known)?.status ?? {}
  const revisions = sync === undefined ? [] : sync.revision === undefined ? sync.revisions : [sync.revision]
  const cells = [
    fit(nameOf(known), names + 1).padEnd(names),
    (sync?.status ?? '-').padEnd(9),
    ...(columns < NARROW ? [] : [(revisions.map(short).join(' ') || '-').padEnd(SHORT_SHA)]),
    (health?.status ?? '-').padEnd(11),
    ...(columns < NARROW ? [] : [(operationState?.phase ?? '-').padEnd(9)]),
  ]
  const mark = naming === undefined ? '✓' : naming.state === 'failing' ? '✗' : '…'
  const style = naming === undefined ? 'green' : naming.state === 'failing' ? 'red' : 'yellow'
  const rest =
    naming === undefined
      ? 'as wanted'
      : `${formatDuration(wholeSeconds(now - known.waitingSince))} ${naming.code}: ${naming.message}`
  const text = fit(mask(`${mark} ${cells.join('  ')}  ${rest}`), columns)
  return paint(style, text.slice(0, 1)) + text.slice(1)
}

function short(revision: string): string {
  return isFullSha(revision) ? revision.slice(0, SHORT_SHA) : revision
}

function wholeSeconds(milliseconds: number): number {
  return Math.round(milliseconds / 1000) * 1000
}

/** White space and control characters, one for one, so that columns stay where they are. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is to go
const UNSHOWABLE = /[\s\u0000-\u001f\u007f-\u009f]/g

/** Cuts a text to a width, leaving the last column free: some terminals break the line on it. */
function fit(text: string, columns: number): string {
  const width = Math.max(columns - 1, 1)
  const flat = text.replace(UNSHOWABLE, ' ')
  if (Bun.stringWidth(flat) <= width) return flat
  let cut = ''
  for (const { segment } of new Intl.Segmenter().segment(flat)) {
    if (Bun.stringWidth(cut + segment) > width - 1) break
    cut += segment
  }
  return `${cut}…`
}

/**
 * What moves the cursor back over lines that were drawn before and clears them.
 *
 * @param columns the width now: lines that were drawn on a wider screen take several rows of a narrower one
 */
export function eraseLines(lines: readonly string[], columns: number): string {
  const rows = lines.reduce(
    (sum, text) => sum + Math.max(Math.ceil(Bun.stringWidth(text) / Math.max(columns, 1)), 1),
    0,
  )
  return rows === 0 ? '' : `\r\x1b[${rows}A\x1b[J`
}
