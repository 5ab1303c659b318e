/** The live view of a run on a terminal: one line an application, failing ones first, and why below it. Pure. */

import { applicationOf, type Knowledge, type Known } from './knowledge.ts'
import { type Gate, joined, type Paint, padded, part, type Shown, told } from './shown.ts'
import {
  awaitedCheck,
  byUrgency,
  causeOf,
  nameOf,
  retryOf,
  seconds,
  silentFor,
  timing,
  unsaidReasons,
} from './waiting.ts'

/** The terminal's size, in characters. */
export interface Size {
  readonly columns: number
  readonly rows: number
}

const NARROW = 90
/** Names take so much of the width at most. */
const NAME_SHARE = 0.4
const NOTHING = told``
/** Of several sources, the first revisions. */
const LONGEST_REVISION = 27

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
  const names = namesOf(
    shown.map((known) => gate(nameOf(known))),
    Math.floor(columns * NAME_SHARE),
  )
  const table = shown.map((known, i) => rowOf(known, names[i] ?? NOTHING, knowledge, now, columns, gate))
  const widths = [0, 1, 2, 3, 4].map((i) => Math.max(0, ...table.map(({ cells }) => cells[i]?.length ?? 0)))
  const lines = table.map(({ style, mark, cells, rest, brief }) => {
    const padding = cells.map((cell, i) => padded(cell, widths[i] ?? 0))
    const begins = told`${mark} ${joined(padding, '  ')}  `
    const text = told`${begins}${rest}`
    return { style, text, brief: told`${begins}${brief}`, isCut: Bun.stringWidth(text) >= columns }
  })
  // Each application has its line; as many rows as are left say why, the most urgent first.
  const spare = room - shown.length - (hidden > 0 ? 1 : 0)
  const below = reasons(
    shown.map((known, i) => reasonsOf(known, lines[i]?.isCut === true)),
    spare,
    Math.max(columns - INDENT.length - 1, 1),
    gate,
  )
  return [
    paint('dim', fit(gate(headline(knowledge, ordered, now)), columns)),
    ...lines.flatMap(({ style, text, brief, isCut }, i) => {
      const why = below[i] ?? []
      const line = fit(isCut && why.length > 0 ? brief : text, columns)
      return [
        told`${paint(style, part(line, 0, 1))}${part(line, 1)}`,
        ...why.map((reason) => paint('dim', fit(told`${INDENT}${reason}`, columns))),
      ]
    }),
    ...(hidden > 0 ? [paint('dim', fit(told`  … and ${hidden} more`, columns))] : []),
    ...(server === undefined ? [] : [paint('yellow', fit(server, columns))]),
  ]
}

const INDENT = '    '

/** A reason takes so many rows at most. */
const MOST_ROWS = 3

/** What there is to say below the line of an application, the most telling first. */
function reasonsOf(known: Known, isCut: boolean): readonly string[] {
  if (known.met !== undefined) return []
  if (!isCut) return unsaidReasons(known).map(([, text]) => text)
  // What is cut off stands below, unless something there says more.
  const [cause, retry] = [causeOf(known), retryOf(known)]
  const check = awaitedCheck(known)?.message
  return [cause ?? check, retry].filter((text) => text !== undefined)
}

/** The reasons of each application as rows: first one row of each, then more of them, while there is room. */
function reasons(
  texts: readonly (readonly string[])[],
  spare: number,
  width: number,
  gate: Gate,
): readonly (readonly Shown[])[] {
  const all = texts.map((those) => those.map((text) => ({ rows: wrapped(gate(text), width), taken: 0 })))
  let left = spare
  for (const most of [1, MOST_ROWS])
    for (const those of all)
      for (const reason of those) {
        const more = Math.max(Math.min(reason.rows.length, most, reason.taken + left) - reason.taken, 0)
        reason.taken += more
        left -= more
      }
  return all.map((those) =>
    those.flatMap(({ rows, taken }) =>
      rows
        .slice(0, taken)
        .map((row, i) => (i === taken - 1 && taken < rows.length ? told`${fit(row, width)}…` : row)),
    ),
  )
}

/** A text as lines of a width, broken between words where there are any. */
function wrapped(text: Shown, width: number): readonly Shown[] {
  const rows: Shown[] = []
  for (let from = 0; from < text.length; ) {
    const end = fitting(part(text, from), width)
    const blank = text.lastIndexOf(' ', from + end)
    const to = from + end >= text.length || blank <= from ? from + end : blank
    rows.push(part(text, from, to))
    from = text[to] === ' ' ? to + 1 : to
  }
  return rows
}

/** How many characters of a text fit in a width, at least one. */
function fitting(text: Shown, width: number): number {
  let end = 0
  for (const { segment } of new Intl.Segmenter().segment(part(text, 0, width * 4))) {
    if (end > 0 && Bun.stringWidth(text.slice(0, end + segment.length)) > width) return end
    end += segment.length
  }
  return end
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

/** The line of an application, before its cells are made as wide as those of others. */
interface Row {
  readonly style: 'green' | 'red' | 'yellow'
  readonly mark: '✓' | '✗' | '…'
  readonly cells: readonly Shown[]
  readonly rest: Shown
  /** The rest where what it says stands below. */
  readonly brief: Shown
}

/** Names that are no wider than this: without the namespace that all have, or with their middle left out. */
function namesOf(names: readonly Shown[], width: number): readonly Shown[] {
  if (names.every((name) => name.length <= width)) return names
  const start = (names[0]?.indexOf('/') ?? -1) + 1
  const isCommon = names.every((name) => name.slice(0, start) === names[0]?.slice(0, start))
  return names.map((name) => {
    const text = isCommon ? part(name, start) : name
    const kept = Math.max(width - 1, 1)
    const end = Math.floor(kept / 2)
    return text.length <= width ? text : told`${part(text, 0, kept - end)}…${part(text, text.length - end)}`
  })
}

function rowOf(
  known: Known,
  name: Shown,
  knowledge: Knowledge,
  now: number,
  columns: number,
  gate: Gate,
): Row {
  const awaited = awaitedCheck(known)
  const { sync, health, operationState } = applicationOf(known)?.status ?? {}
  const revisions = sync === undefined ? [] : sync.revision === undefined ? sync.revisions : [sync.revision]
  const cells = [
    name,
    gate(sync?.status ?? '-'),
    ...(columns < NARROW ? [] : [fit(gate(revisions.join(' ') || '-'), LONGEST_REVISION)]),
    gate(health?.status ?? '-'),
    ...(columns < NARROW ? [] : [gate(operationState?.phase ?? '-')]),
  ]
  const time = timing(known, knowledge, now)
  if (awaited === undefined) {
    const rest = gate(time ?? 'as wanted')
    return { style: 'green', mark: '✓', cells, rest, brief: rest }
  }
  const rest = gate(`${time} ${awaited.code}: ${awaited.message}`)
  const brief = gate(`${time} ${awaited.code}`)
  return awaited.state === 'failing'
    ? { style: 'red', mark: '✗', cells, rest, brief }
    : { style: 'yellow', mark: '…', cells, rest, brief }
}

/** Cuts a text to a width, leaving the last column free: some terminals break the line on it. */
function fit(text: Shown, columns: number): Shown {
  const width = Math.max(columns - 1, 1)
  if (Bun.stringWidth(text) <= width) return text
  return told`${part(text, 0, Math.min(fitting(text, width - 1), text.length))}…`
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
