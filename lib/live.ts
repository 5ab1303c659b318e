/** The live view of a run on a terminal: one line an application, those that are not ready first. Pure. */

import { formatDuration } from './duration.ts'
import type { Check } from './predicates.ts'
import { nameOf } from './progress.ts'
import { isFullSha } from './revision.ts'
import { type Gate, joined, type Paint, padded, part, type Shown, told } from './shown.ts'
import { applicationOf, type Subject } from './subject.ts'
import { namingCheck } from './verdict.ts'

/** An application as the view shows it. */
export interface LiveApplication {
  readonly subject: Subject
  readonly checks: readonly Check[]
  /** When what it waits for now began, in milliseconds of the run's clock. */
  readonly since: number
}

/** What the view shows. */
export interface LiveView {
  readonly applications: readonly LiveApplication[]
  /** Milliseconds of the run's clock. */
  readonly now: number
  readonly startedAt: number
  readonly deadline: number
  /** Why the server cannot be asked at the moment. */
  readonly failure: string | undefined
}

/** The terminal's size, in characters. */
export interface Size {
  readonly columns: number
  readonly rows: number
}

const SHORT_SHA = 8
const NARROW = 90

/** The lines of the view: never more than fit on the screen, and none wider than it. */
export function renderLive(
  view: LiveView,
  { columns, rows }: Size,
  paint: Paint,
  gate: Gate,
): readonly Shown[] {
  const { applications, now, startedAt, deadline, failure } = view
  const waiting = applications.filter(({ checks }) => namingCheck(checks, false) !== undefined)
  const ready = applications.filter(({ checks }) => namingCheck(checks, false) === undefined)
  const left = Math.max(deadline - now, 0)
  const count = applications.length > 1 ? `${ready.length} of ${applications.length} verified, ` : ''
  const head = `${count}waited ${formatDuration(wholeSeconds(now - startedAt))}, ${formatDuration(wholeSeconds(left))} left`
  const room = Math.max(rows - 3 - (failure === undefined ? 0 : 1), 1)
  const ordered = [...waiting, ...ready]
  const shown = ordered.slice(0, ordered.length > room ? Math.max(room - 1, 1) : room)
  const names = Math.min(
    Math.max(4, ...shown.map(({ subject }) => nameOf(subject).length)),
    Math.floor(columns / 3),
  )
  const hidden = ordered.length - shown.length
  return [
    paint('dim', fit(gate(head), columns)),
    ...shown.map((application) => line(application, now, names, columns, paint, gate)),
    ...(hidden > 0 ? [paint('dim', fit(told`  … and ${hidden} more`, columns))] : []),
    ...(failure === undefined ? [] : [paint('yellow', fit(told`! ${gate(failure)}`, columns))]),
  ]
}

function line(
  { subject, checks, since }: LiveApplication,
  now: number,
  names: number,
  columns: number,
  paint: Paint,
  gate: Gate,
): Shown {
  const naming = namingCheck(checks, false)
  const { sync, health, operationState } = applicationOf(subject)?.status ?? {}
  const revisions = sync === undefined ? [] : sync.revision === undefined ? sync.revisions : [sync.revision]
  const cells = [
    padded(fit(gate(nameOf(subject)), names + 1), names),
    padded(gate(sync?.status ?? '-'), 9),
    ...(columns < NARROW ? [] : [padded(gate(revisions.map(short).join(' ') || '-'), SHORT_SHA)]),
    padded(gate(health?.status ?? '-'), 11),
    ...(columns < NARROW ? [] : [padded(gate(operationState?.phase ?? '-'), 9)]),
  ]
  const mark = naming === undefined ? '✓' : naming.state === 'failing' ? '✗' : '…'
  const style = naming === undefined ? 'green' : naming.state === 'failing' ? 'red' : 'yellow'
  const rest =
    naming === undefined
      ? 'as wanted'
      : `${formatDuration(wholeSeconds(now - since))} ${naming.code}: ${naming.message}`
  const text = fit(told`${mark} ${joined(cells, '  ')}  ${gate(rest)}`, columns)
  return told`${paint(style, part(text, 0, 1))}${part(text, 1)}`
}

function short(revision: string): string {
  return isFullSha(revision) ? revision.slice(0, SHORT_SHA) : revision
}

function wholeSeconds(milliseconds: number): number {
  return Math.round(milliseconds / 1000) * 1000
}

/** Cuts a text to a width, leaving the last column free: some terminals break the line on it. */
function fit(text: Shown, columns: number): Shown {
  const width = Math.max(columns - 1, 1)
  if (Bun.stringWidth(text) <= width) return text
  let end = 0
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    if (Bun.stringWidth(text.slice(0, end + segment.length)) > width - 1) break
    end += segment.length
  }
  return told`${part(text, 0, end)}…`
}

/**
 * What moves the cursor back over lines that were drawn before and clears them.
 *
 * @param columns the width now: lines that were drawn on a wider screen take several rows of a narrower one
 */
export function eraseLines(lines: readonly Shown[], columns: number): Shown {
  const rows = lines.reduce(
    (sum, text) => sum + Math.max(Math.ceil(Bun.stringWidth(text) / Math.max(columns, 1)), 1),
    0,
  )
  return rows === 0 ? told`` : told`\r\x1b[${rows}A\x1b[J`
}
