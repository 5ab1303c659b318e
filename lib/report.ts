/** From events and results to text: for a terminal, for a log, for Kubernetes. Pure. */

import { formatTarget, wantedOfAll } from './asked.ts'
import type { Config } from './config.ts'
import { formatDuration } from './duration.ts'
import { namedIn } from './label.ts'
import type { Reading } from './result.ts'
import type { ApplicationResult, Result } from './result-schema.ts'
import { joined, ours, type Paint, padded, part, type Shown, type ShownDeep, told } from './shown.ts'

/** A result, or a {@link Reading} of it. */
type ShownResult = ShownDeep<Result> & Partial<Pick<Reading, 'others'>>
type ShownApplication = ShownDeep<ApplicationResult>

/** No colours. */
export const plain: Paint = (_, text) => text

/**
 * The human summary of a result: the verdict and its cause first; then of each application what was not said yet, in
 * as much detail as fits on a screen; then what to try.
 *
 * @param advice the next step, where there is one
 */
export function formatResult(result: ShownResult, paint: Paint, advice?: Shown): Shown {
  const verdict = result.verified
    ? paint('green', told`VERIFIED`)
    : paint('red', told`NOT VERIFIED (${result.reason})`)
  const head = told`${verdict} after ${elapsed(result)}: ${result.message}`
  const next = advice === undefined ? [] : [told`${paint('bold', told`Next:`)} ${advice}`]
  const isMany = countOf(result) > MOST_IN_FULL
  for (const layout of isMany ? [MANY] : [FULL, DENSE, LINES]) {
    const body = formatApplications(result, paint, layout)
    const gap = layout.isSpaced ? [NOTHING] : []
    const lines = [
      head,
      ...(layout === DENSE ? [NOTHING] : []),
      ...body,
      ...(next.length > 0 ? gap : []),
      ...next,
    ]
    if (layout === LINES || rowsOf(lines) <= SCREENFUL) return joined([...lines, NOTHING], '\n')
  }
  // What a person sees of a long summary is its end.
  const body = formatApplications(result, paint, MANY)
  return joined([head, ...body, NOTHING, ...next, head, NOTHING], '\n')
}

const NOTHING = told``

function countOf({ applications, others = 0 }: ShownResult): number {
  return applications.length + others
}

/** A result without what its summary does not show: of many applications those that are verified are only counted. */
export function forSummary(result: Reading): Reading {
  const { applications } = result
  if (applications.length <= MOST_IN_FULL) return result
  const nothing = { message: '', url: '', images: [], checks: [], unhealthyResources: [] }
  return { ...result, applications: applications.map((one) => (one.verified ? { ...one, ...nothing } : one)) }
}

/** How long a run took, as a person would say it. */
export function elapsed({ durationSeconds }: Pick<Result, 'durationSeconds'>): Shown {
  return ours(formatDuration(durationSeconds * 1000))
}

/** The smallest usual terminal, less the rows of a prompt and of the line that began the run. */
const COLUMNS = 80
const SCREENFUL = 21

function rowsOf(lines: readonly Shown[]): number {
  return lines.reduce((rows, line) => rows + Math.max(1, Math.ceil(Bun.stringWidth(line) / COLUMNS)), 0)
}

/** So many applications are shown one by one, and all of them fit on a screen. */
export const MOST_IN_FULL = 15
/** Of more, so many that are not verified are shown in full, and so many in a line. */
const MOST_DETAILED = 5
const MOST_LISTED = 50

/** How much is told of each application. */
interface Layout {
  readonly isSpaced: boolean
  /** How many resources at most; `undefined`: the application has one line that is no wider than the screen. */
  readonly resources: number | undefined
  /** Whether the address of each that is not verified is told, or of the first only. */
  readonly allAddresses: boolean
}

const FULL: Layout = { isSpaced: true, resources: 10, allAddresses: true }
const DENSE: Layout = { isSpaced: false, resources: 2, allAddresses: false }
const LINES: Layout = { isSpaced: false, resources: undefined, allAddresses: false }
const MANY: Layout = { isSpaced: true, resources: 10, allAddresses: true }

/** Failing ones, others that are not verified, verified ones. */
function byUrgency(applications: readonly ShownApplication[]): readonly ShownApplication[] {
  const rank = ({ verified, checks }: ShownApplication) =>
    verified ? 2 : checks.some(({ state }) => state === 'failing') ? 0 : 1
  return [...applications].sort((a, b) => rank(a) - rank(b))
}

function formatApplications(result: ShownResult, paint: Paint, layout: Layout): readonly Shown[] {
  const all = byUrgency(result.applications)
  const named = namedIn(result)
  // What stands on the screen already, by which nothing is said twice.
  const said: Shown[] = [result.message]
  const widths = widthsOf(layout === MANY ? all.slice(0, MOST_DETAILED) : all)
  let before: number | undefined
  const format = (application: ShownApplication) => {
    const isNamed = application === named || all.length === 1
    const lines = formatApplication(application, isNamed, { said, widths, paint, layout })
    // What has more than a row stands by itself.
    const isApart = layout.isSpaced && lines.length > 0 && (before !== 1 || lines.length > 1)
    before = lines.length
    return isApart ? [NOTHING, ...lines] : lines
  }
  if (layout !== MANY) return all.flatMap(format)
  // Of many applications, those that are not verified are what a person looks for.
  const unverified = all.filter(({ verified }) => !verified)
  const listed = unverified.slice(MOST_DETAILED, MOST_DETAILED + MOST_LISTED)
  const more = unverified.length - MOST_DETAILED - listed.length
  const verified = all.length - unverified.length
  return [
    ...unverified.slice(0, MOST_DETAILED).flatMap(format),
    ...(listed.length > 0 ? [NOTHING] : []),
    ...listed.map((one) => told`${paint('red', told`no `)} ${keyOf(one)}  ${one.reason}${unsaid(one, said)}`),
    ...(more > 0 ? [told`    and ${more} more that are not verified`] : []),
    ...(verified > 0 && unverified.length > 0
      ? [NOTHING, told`${paint('green', told`yes`)} ${verified} of ${all.length} applications`]
      : []),
  ]
}

/** A message, unless it was said, of another application or of this one. */
function unsaid({ message }: { readonly message: Shown }, said: Shown[]): Shown {
  if (said.some((text) => text.includes(message))) return told`, as above`
  said.push(message)
  return told`: ${message}`
}

/** An application as a person would write it. */
export function keyOf({ name, namespace }: Pick<ShownApplication, 'name' | 'namespace'>): Shown {
  return namespace === null ? name : told`${namespace}/${name}`
}

function statesOf({ sync, health }: ShownApplication): readonly [Shown, Shown, Shown] {
  const unknown = told`-`
  return [
    sync.status ?? unknown,
    health.status ?? unknown,
    sync.revisions.length === 0 ? unknown : joined(sync.revisions, ' '),
  ]
}

/** How wide the columns of the table are: name, sync, health. */
function widthsOf(applications: readonly ShownApplication[]): readonly [number, number, number] {
  const widest = (texts: readonly Shown[]) => Math.max(0, ...texts.map((text) => text.length))
  const states = applications.map(statesOf)
  return [
    widest(applications.map(keyOf)),
    widest(states.map(([sync]) => sync)),
    widest(states.map(([, health]) => health)),
  ]
}

interface Telling {
  /** What was said before; what is said is added. */
  readonly said: Shown[]
  readonly widths: readonly [number, number, number]
  readonly paint: Paint
  readonly layout: Layout
}

function formatApplication(
  application: ShownApplication,
  isNamed: boolean,
  { said, widths, paint, layout }: Telling,
): readonly Shown[] {
  const { verified, checks, reason, message, url } = application
  const isSeen = application.health.status !== null || application.sync.status !== null
  const mark = verified ? paint('green', told`yes`) : paint('red', told`no `)
  const [sync, health, revision] = statesOf(application)
  const name = paint('bold', padded(keyOf(application), widths[0]))
  const row = told`${mark} ${name}  ${padded(sync, widths[1])}  ${padded(health, widths[2])}  ${revision}`
  if (layout.resources === undefined) {
    if (verified) return [row]
    const why = isNamed ? told`${reason}` : told`${reason}${unsaid({ message }, said)}`
    return [narrowed(told`no  ${padded(keyOf(application), widths[0])}  ${why}`)]
  }
  const address = layout.allAddresses || isNamed ? [told`    ${paint('dim', url)}`] : []
  // Where there is one, all of it was said with the verdict.
  if (verified) return isNamed ? [...formatSync(application), ...address] : [row, ...formatSync(application)]
  if (!isSeen && isNamed) return []
  const isSaid = (text: Shown) => said.some((one) => one.includes(text))
  const unmet = checks.filter(({ state, code }) => state !== 'met' && code !== 'NotStable')
  const complaints = (unmet.length === 0 ? ([{ code: reason, state: 'pending', message }] as const) : unmet)
    .filter((check) => !isNamed || !isSaid(check.message))
    .map(
      (check) =>
        told`      ${paint(check.state === 'failing' ? 'red' : 'yellow', told`${check.code}`)}${unsaid(check, said)}`,
    )
  return [
    row,
    ...complaints,
    ...formatSync(application),
    ...formatResources(application, said, layout.resources),
    ...(isSeen ? address : []),
  ]
}

function formatSync({ started, wouldStart }: ShownApplication): readonly Shown[] {
  if (wouldStart !== undefined)
    return [
      told`      would be synced to ${revisionNames(wouldStart.revisions)}${wouldStart.prune ? ', with pruning' : ''}`,
    ]
  if (started === undefined) return []
  const { adopted, revisions, at, id, phase, message } = started
  const what = adopted ? told`sync adopted` : told`sync started`
  const carried = id === null ? NOTHING : told` (id ${id})`
  const came = message === null ? NOTHING : told`: ${message}`
  return [
    told`      ${what}: to ${revisionNames(revisions)} at ${at}${carried}, ${phase ?? told`not seen under way`}${came}`,
  ]
}

function revisionNames(revisions: readonly Shown[]): Shown {
  return revisions.length === 0 ? told`what it tracks` : joined(revisions, ', ')
}

/** A line that takes one row, leaving the last column free. */
function narrowed(line: Shown): Shown {
  return line.length < COLUMNS ? line : told`${part(line, 0, COLUMNS - 2)}…`
}

/** Resources, but for what was said of them; several that say the same say it once. */
function formatResources(
  { unhealthyResources }: ShownApplication,
  said: Shown[],
  most: number,
): readonly Shown[] {
  const isSaid = (text: Shown) => said.some((one) => one.includes(text))
  const unsaidOnes = unhealthyResources.filter(
    ({ kind, name, message }) => !(isSaid(told`${kind} ${name}`) && isSaid(message)),
  )
  const shown = unsaidOnes.slice(0, most)
  const rows = shown.map(({ kind, name, health, status, message }) => {
    const news = message === '' || isSaid(message) ? NOTHING : message
    said.push(message)
    return [told`${kind} ${name}`, health === '' ? status : health, news] as const
  })
  const width = Math.max(...rows.map(([what]) => what.length))
  const stateWidth = Math.max(...rows.map(([, state]) => state.length))
  const more = unsaidOnes.length - shown.length
  return [
    ...rows.map(([what, state, message]) =>
      message === ''
        ? told`      ${padded(what, width)}  ${state}`
        : told`      ${padded(what, width)}  ${padded(state, stateWidth)}  ${message}`,
    ),
    ...(more > 0 ? [told`      and ${more} more resources`] : []),
  ]
}

/** Problems with the settings, one a line. */
export function formatProblems(problems: readonly Shown[]): Shown {
  const lines = problems.map((problem) => told`  ${problem}\n`)
  return told`NOT VERIFIED (InvalidSettings): kpcea cannot run with these settings\n${joined(lines, '')}Try kpcea --help\n`
}

/** Kubernetes keeps so many bytes of a termination message. */
const LONGEST_TERMINATION_MESSAGE = 4096

/**
 * Yes or no and why, short enough for Kubernetes to keep all of it. It may be all that is left of a run, so revisions
 * are whole.
 *
 * @param advice the next step, where there is one
 */
export function formatTerminationMessage(result: ShownResult, advice?: Shown): Shown {
  const verdict = result.verified ? told`VERIFIED` : told`NOT VERIFIED (${result.reason})`
  const named = namedIn(result)
  const next = advice === undefined ? [] : [told`Next: ${advice}`]
  const others = byUrgency(result.applications)
    .filter(
      (application) =>
        (!application.verified && application !== named) ||
        (application.started !== undefined && countOf(result) > 1),
    )
    .map(
      (application) =>
        told`${keyOf(application)}: ${application.reason}: ${application.message} ${application.url}`,
    )
  const lines = [
    told`${verdict}: ${result.message}`,
    ...(named === undefined ? [] : [named.url]),
    ...next,
    ...others,
  ]
  return cutBytes(joined(lines, '\n'), LONGEST_TERMINATION_MESSAGE)
}

/** Cuts a text to so many bytes of UTF-8, never inside a character. */
export function cutBytes(text: Shown, most: number): Shown {
  const bytes = new TextEncoder().encode(text)
  if (bytes.length <= most) return text
  const ellipsis = '…'
  let end = most - new TextEncoder().encode(ellipsis).length
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--
  return told`${part(text, 0, new TextDecoder().decode(bytes.subarray(0, end)).length)}${ellipsis}`
}

/** What the run is about to do, in one line. */
export function formatStart({ target, policy, connection }: Config): string {
  const { server, insecure, credentials } = connection
  const wanted = wantedOfAll(target)
  const soak = policy.stableFor === 0 ? '' : `, stable for ${formatDuration(policy.stableFor)}`
  const time = policy.timeout === 0 ? 'with one look' : `for at most ${formatDuration(policy.timeout)}`
  const { sync } = policy
  const syncing =
    sync === undefined
      ? ''
      : policy.timeout === 0
        ? ', saying what --sync would start'
        : `, starting syncs where they are needed${sync.id === undefined ? '' : ` (id ${sync.id})`}`
  const warning = insecure ? '; the certificate is NOT verified (KPCEA_INSECURE)' : ''
  return (
    `verifying ${formatTarget(target)} on ${server.origin}${server.rootPath}` +
    `${wanted.length === 0 ? '' : ` for ${wanted.join(' and ')}`}${soak}, ${time}${syncing} (${credentials.mode} mode)${warning}`
  )
}
