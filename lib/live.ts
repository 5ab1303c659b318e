/** The live view of a run on a terminal: one line an application, failing ones first, and why below it. Pure. */

import { applicationOf, type Knowledge, type Known } from './knowledge.ts'
import { nameOf } from './progress.ts'
import { isFullSha } from './revision.ts'
import { type Gate, joined, type Paint, padded, part, type Shown, told } from './shown.ts'
import { awaitedCheck, byUrgency, causeOf, retryOf, seconds, silentFor, timing } from './waiting.ts'

/** The terminal's size, in characters. */
export interface Size {
  readonly columns: number
  readonly rows: number
}

const SHORT_SHA = 8
const NARROW = 90

/** The lines of the view: never more than fit on the screen, and none wider than it. */
export function renderLive(
  knowledge: Knowledge,
  now: number,
  { columns, rows }: Size,
  paint: Paint,
  gate: Gate,
): readonly Shown[] {
  const ordered = byUrgency(knowledge.applications.values())
  const server = serverLine(knowledge, now, gate)
  const room = Math.max(rows - 3 - (server === undefined ? 0 : 1), 1)
  const shown = ordered.slice(0, ordered.length > room ? Math.max(room - 1, 1) : room)
  const hidden = ordered.length - shown.length
  const names = Math.min(Math.max(4, ...shown.map((known) => nameOf(known).length)), Math.floor(columns / 3))
  // Each application has its line; the first have room for their causes.
  let spare = room - shown.length - (hidden > 0 ? 1 : 0)
  const lines = shown.flatMap((known) => {
    const causes = known.met === undefined ? [causeOf(known), retryOf(known)] : []
    const below = causes.filter((text) => text !== undefined).slice(0, Math.max(spare, 0))
    spare -= below.length
    return [
      line(known, knowledge, now, names, columns, paint, gate),
      ...below.map((text) => paint('dim', fit(told`    ${gate(text)}`, columns))),
    ]
  })
  return [
    paint('dim', fit(gate(headline(knowledge, ordered, now)), columns)),
    ...lines,
    ...(hidden > 0 ? [paint('dim', fit(told`  … and ${hidden} more`, columns))] : []),
    ...(server === undefined ? [] : [paint('yellow', fit(server, columns))]),
  ]
}

function headline({ startedAt, deadline }: Knowledge, ordered: readonly Known[], now: number): string {
  const ready = ordered.filter(({ met }) => met !== undefined).length
  const [first] = ordered
  const count = ordered.length > 1 ? `${ready} of ${ordered.length} verified, ` : ''
  const failing = ordered.length > 1 && first?.failing !== undefined ? `; ${nameOf(first)} is failing` : ''
  return `${count}waited ${seconds(now - startedAt)}, ${seconds(Math.max(deadline - now, 0))} left${failing}`
}

/** Why the server cannot be asked at the moment. */
function serverLine(knowledge: Knowledge, now: number, gate: Gate): Shown | undefined {
  const { failure } = knowledge.server
  if (failure !== undefined) return told`! ${gate(failure.message)}`
  const silence = silentFor(knowledge, now)
  return silence === undefined ? undefined : told`! no answer from Argo CD for ${gate(seconds(silence))}`
}

function line(
  known: Known,
  knowledge: Knowledge,
  now: number,
  names: number,
  columns: number,
  paint: Paint,
  gate: Gate,
): Shown {
  const awaited = awaitedCheck(known)
  const { sync, health, operationState } = applicationOf(known)?.status ?? {}
  const revisions = sync === undefined ? [] : sync.revision === undefined ? sync.revisions : [sync.revision]
  const cells = [
    padded(fit(gate(nameOf(known)), names + 1), names),
    padded(gate(sync?.status ?? '-'), 9),
    ...(columns < NARROW ? [] : [padded(gate(revisions.map(short).join(' ') || '-'), SHORT_SHA)]),
    padded(gate(health?.status ?? '-'), 11),
    ...(columns < NARROW ? [] : [padded(gate(operationState?.phase ?? '-'), 9)]),
  ]
  const mark = awaited === undefined ? '✓' : awaited.state === 'failing' ? '✗' : '…'
  const style = awaited === undefined ? 'green' : awaited.state === 'failing' ? 'red' : 'yellow'
  const time = timing(known, knowledge, now)
  const rest = awaited === undefined ? (time ?? 'as wanted') : `${time} ${awaited.code}: ${awaited.message}`
  const text = fit(told`${mark} ${joined(cells, '  ')}  ${gate(rest)}`, columns)
  return told`${paint(style, part(text, 0, 1))}${part(text, 1)}`
}

function short(revision: string): string {
  return isFullSha(revision) ? revision.slice(0, SHORT_SHA) : revision
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
