/** From events and results to text: for a terminal, for a log, for Kubernetes. Pure. */

import { applicationKey } from './application.ts'
import type { Config } from './config.ts'
import { formatDuration } from './duration.ts'
import { formatImage } from './image.ts'
import { FEW } from './progress.ts'
import type { ApplicationResult, Result } from './result-schema.ts'
import { formatWantedRevision } from './revision.ts'
import { joined, ours, type Paint, padded, part, type Shown, type ShownDeep, told } from './shown.ts'

type ShownResult = ShownDeep<Result>
type ShownApplication = ShownDeep<ApplicationResult>

/** No colours. */
export const plain: Paint = (_, text) => text

const MOST_RESOURCES = 10

/**
 * The human summary of a result: the verdict first, then the cause, then what to try.
 *
 * @param advice the next step, where there is one
 */
export function formatResult(result: ShownResult, paint: Paint, advice?: Shown): Shown {
  const verdict = result.verified
    ? paint('green', told`VERIFIED`)
    : paint('red', told`NOT VERIFIED (${result.reason})`)
  const head = told`${verdict} after ${elapsed(result)}: ${result.message}`
  const body = formatApplications(result, paint)
  const next = advice === undefined ? [] : [NOTHING, told`${paint('bold', told`Next:`)} ${advice}`]
  // What a person sees of a long summary is its end.
  const again = body.length > SCREENFUL ? [NOTHING, head] : []
  return joined([head, ...body, ...next, ...again, NOTHING], '\n')
}

const NOTHING = told``

/** How long a run took, as a person would say it. */
export function elapsed({ durationSeconds }: Pick<Result, 'durationSeconds'>): Shown {
  return ours(formatDuration(durationSeconds * 1000))
}

/** Lines that fit on the smallest usual terminal beside the verdict and a prompt. */
const SCREENFUL = 18

/** So many applications that are not verified are shown in full, and so many more in a line. */
const MOST_DETAILED = 5
const MOST_LISTED = 50

function formatApplications({ applications }: ShownResult, paint: Paint): readonly Shown[] {
  if (applications.length <= FEW && applications.filter(({ verified }) => !verified).length <= MOST_DETAILED)
    return applications.flatMap((application) => formatApplication(application, paint))
  // Of many applications, those that are not verified are what a person looks for.
  const unverified = applications.filter(({ verified }) => !verified)
  const listed = unverified.slice(MOST_DETAILED, MOST_DETAILED + MOST_LISTED)
  const more = unverified.length - MOST_DETAILED - listed.length
  const verified = applications.length - unverified.length
  return [
    ...unverified.slice(0, MOST_DETAILED).flatMap((application) => formatApplication(application, paint)),
    ...(listed.length > 0 ? [NOTHING] : []),
    ...listed.map((one) => told`${paint('red', told`no `)} ${keyOf(one)}  ${one.reason}: ${one.message}`),
    ...(more > 0 ? [told`    and ${more} more that are not verified`] : []),
    ...(verified > 0 && unverified.length > 0
      ? [NOTHING, told`${paint('green', told`yes`)} ${verified} of ${applications.length} applications`]
      : []),
  ]
}

/** An application as a person would write it. */
export function keyOf({ name, namespace }: Pick<ShownApplication, 'name' | 'namespace'>): Shown {
  return namespace === null ? name : told`${namespace}/${name}`
}

function formatApplication(application: ShownApplication, paint: Paint): readonly Shown[] {
  const { sync, health, checks } = application
  const mark = application.verified ? paint('green', told`yes`) : paint('red', told`no `)
  const state = joined(
    [
      sync.status ?? told`sync unknown`,
      health.status ?? told`health unknown`,
      sync.revisions.length === 0 ? told`no revision` : joined(sync.revisions, ' '),
    ],
    '  ',
  )
  const unmet = checks.filter(({ state }) => state !== 'met')
  return [
    NOTHING,
    told`${mark} ${paint('bold', keyOf(application))}  ${checks.length === 0 ? application.message : state}`,
    ...unmet.map(
      ({ code, state, message }) =>
        told`      ${paint(state === 'failing' ? 'red' : 'yellow', told`${code}`)} (${state}): ${message}`,
    ),
    ...formatSync(application),
    ...formatResources(application),
    told`    ${paint('dim', application.url)}`,
  ]
}

function formatSync({ started, wouldStart }: ShownApplication): readonly Shown[] {
  if (wouldStart !== undefined)
    return [
      told`      would be synced to ${namesOf(wouldStart.revisions)}${wouldStart.prune ? ', with pruning' : ''}`,
    ]
  if (started === undefined) return []
  const { adopted, revisions, at, id, phase, message } = started
  const what = adopted ? told`sync adopted` : told`sync started`
  const carried = id === null ? NOTHING : told` (id ${id})`
  const came = message === null ? NOTHING : told`: ${message}`
  return [
    told`      ${what}: to ${namesOf(revisions)} at ${at}${carried}, ${phase ?? told`not seen under way`}${came}`,
  ]
}

function namesOf(revisions: readonly Shown[]): Shown {
  return revisions.length === 0 ? told`what it tracks` : joined(revisions, ', ')
}

function formatResources({ unhealthyResources }: ShownApplication): readonly Shown[] {
  if (unhealthyResources.length === 0) return []
  const shown = unhealthyResources.slice(0, MOST_RESOURCES)
  const rows = shown.map(
    ({ kind, name, health, status, message }) =>
      [told`${kind} ${name}`, health === '' ? status : health, message] as const,
  )
  const width = Math.max(...rows.map(([what]) => what.length))
  const stateWidth = Math.max(...rows.map(([, state]) => state.length))
  const more = unhealthyResources.length - shown.length
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

/** Yes or no and why, short enough for Kubernetes to keep all of it. */
export function formatTerminationMessage(result: ShownResult): Shown {
  const verdict = result.verified ? told`VERIFIED` : told`NOT VERIFIED (${result.reason})`
  const rest = result.applications
    .filter(({ verified, started }) => !verified || started !== undefined)
    .map(
      (application) =>
        told`${keyOf(application)}: ${application.reason}: ${application.message} ${application.url}`,
    )
  return cutBytes(
    joined([told`${verdict}: ${result.message}`, ...(isToldAlready(result, rest.length) ? [] : rest)], '\n'),
    LONGEST_TERMINATION_MESSAGE,
  )
}

/** Whether the message tells all that the lines of single applications would. */
function isToldAlready({ applications, reason }: ShownResult, lines: number): boolean {
  const [only, ...more] = applications
  if (applications.every(({ started }) => started === undefined)) return lines <= 1
  return only !== undefined && more.length === 0 && only.reason === reason
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
  const [first] = target.kind === 'names' ? target.applications : [target]
  const what =
    target.kind === 'names'
      ? target.applications.length > FEW
        ? `${target.applications.length} applications`
        : target.applications.map(({ name, namespace }) => applicationKey(name, namespace)).join(', ')
      : `applications with ${target.selector}`
  const { revision, images, commitMessage } = first?.wanted ?? {
    revision: undefined,
    images: [],
    commitMessage: undefined,
  }
  const wanted = [
    ...(revision === undefined ? [] : [`revision ${formatWantedRevision(revision)}`]),
    ...(commitMessage === undefined ? [] : [`a commit message with ${JSON.stringify(commitMessage)}`]),
    ...images.map((image) => `image ${formatImage(image)}`),
  ]
  const { sync } = policy
  const syncing =
    sync === undefined
      ? ''
      : policy.timeout === 0
        ? ', saying what --sync would start'
        : `, starting syncs where they are needed${sync.id === undefined ? '' : ` (id ${sync.id})`}`
  const mode = connection.insecure ? '; the certificate is NOT verified (KPCEA_INSECURE)' : ''
  return (
    `verifying ${what} on ${connection.server.origin}${connection.server.rootPath} for ${wanted.join(' and ') || 'what each must run'}` +
    `, ${policy.timeout === 0 ? 'with one look' : `for at most ${formatDuration(policy.timeout)}`}${syncing} (${connection.credentials.mode} mode)${mode}`
  )
}
