/** From events and results to text: for a terminal, for a log, for Kubernetes. Pure. */

import { applicationKey } from './application.ts'
import type { Config } from './config.ts'
import { formatDuration } from './duration.ts'
import { formatImage } from './image.ts'
import { FEW } from './progress.ts'
import type { ApplicationResult, Result } from './result-schema.ts'
import { formatWantedRevision } from './revision.ts'

/** Colours a text, or leaves it as it is. */
export type Paint = (style: 'green' | 'red' | 'yellow' | 'dim' | 'bold', text: string) => string

/** No colours. */
export const plain: Paint = (_, text) => text

const MOST_RESOURCES = 10

/**
 * The human summary of a result: the verdict first, then the cause, then what to try.
 *
 * @param advice the next step, where there is one
 */
export function formatResult(result: Result, paint: Paint, advice?: string): string {
  const verdict = result.verified
    ? paint('green', 'VERIFIED')
    : paint('red', `NOT VERIFIED (${result.reason})`)
  const head = `${verdict} after ${formatDuration(result.durationSeconds * 1000)}: ${result.message}`
  const body = formatApplications(result, paint)
  const next = advice === undefined ? [] : ['', `${paint('bold', 'Next:')} ${advice}`]
  // What a person sees of a long summary is its end.
  const again = body.length > SCREENFUL ? ['', head] : []
  return [head, ...body, ...next, ...again, ''].join('\n')
}

/** Lines that fit on the smallest usual terminal beside the verdict and a prompt. */
const SCREENFUL = 18

/** So many applications that are not verified are shown in full, and so many more in a line. */
const MOST_DETAILED = 5
const MOST_LISTED = 50

function formatApplications({ applications }: Result, paint: Paint): readonly string[] {
  if (applications.length <= FEW && applications.filter(({ verified }) => !verified).length <= MOST_DETAILED)
    return applications.flatMap((application) => formatApplication(application, paint))
  // Of many applications, those that are not verified are what a person looks for.
  const unverified = applications.filter(({ verified }) => !verified)
  const listed = unverified.slice(MOST_DETAILED, MOST_DETAILED + MOST_LISTED)
  const more = unverified.length - MOST_DETAILED - listed.length
  const verified = applications.length - unverified.length
  return [
    ...unverified.slice(0, MOST_DETAILED).flatMap((application) => formatApplication(application, paint)),
    ...(listed.length > 0 ? [''] : []),
    ...listed.map((one) => `${paint('red', 'no ')} ${keyOf(one)}  ${one.reason}: ${one.message}`),
    ...(more > 0 ? [`    and ${more} more that are not verified`] : []),
    ...(verified > 0 && unverified.length > 0
      ? ['', `${paint('green', 'yes')} ${verified} of ${applications.length} applications`]
      : []),
  ]
}

const keyOf = ({ name, namespace }: ApplicationResult): string => applicationKey(name, namespace ?? undefined)

function formatApplication(application: ApplicationResult, paint: Paint): readonly string[] {
  const { sync, health, checks } = application
  const mark = application.verified ? paint('green', 'yes') : paint('red', 'no ')
  const state = [
    sync.status ?? 'sync unknown',
    health.status ?? 'health unknown',
    sync.revisions.join(' ') || 'no revision',
  ].join('  ')
  const unmet = checks.filter(({ state }) => state !== 'met')
  return [
    '',
    `${mark} ${paint('bold', keyOf(application))}  ${checks.length === 0 ? application.message : state}`,
    ...unmet.map(
      ({ code, state, message }) =>
        `      ${paint(state === 'failing' ? 'red' : 'yellow', code)} (${state}): ${message}`,
    ),
    ...formatResources(application),
    `    ${paint('dim', application.url)}`,
  ]
}

function formatResources({ unhealthyResources }: ApplicationResult): readonly string[] {
  if (unhealthyResources.length === 0) return []
  const shown = unhealthyResources.slice(0, MOST_RESOURCES)
  const rows = shown.map(
    ({ kind, name, health, status, message }) => [`${kind} ${name}`, health || status, message] as const,
  )
  const width = Math.max(...rows.map(([what]) => what.length))
  const stateWidth = Math.max(...rows.map(([, state]) => state.length))
  const more = unhealthyResources.length - shown.length
  return [
    ...rows.map(([what, state, message]) =>
      `      ${what.padEnd(width)}  ${state.padEnd(stateWidth)}  ${message.replace(/\s+/g, ' ')}`.trimEnd(),
    ),
    ...(more > 0 ? [`      and ${more} more resources`] : []),
  ]
}

/** Problems with the settings, one a line. */
export function formatProblems(problems: readonly string[]): string {
  return `NOT VERIFIED (InvalidSettings): kpcea cannot run with these settings\n${problems.map((problem) => `  ${problem}\n`).join('')}Try kpcea --help\n`
}

/** Kubernetes keeps so many bytes of a termination message. */
const LONGEST_TERMINATION_MESSAGE = 4096

/** Yes or no and why, short enough for Kubernetes to keep all of it. */
export function formatTerminationMessage(result: Result): string {
  const verdict = result.verified ? 'VERIFIED' : `NOT VERIFIED (${result.reason})`
  const rest = result.applications
    .filter(({ verified }) => !verified)
    .map(
      ({ name, namespace, reason, message, url }) =>
        `${applicationKey(name, namespace ?? undefined)}: ${reason}: ${message} ${url}`,
    )
  return cutBytes(
    [`${verdict}: ${result.message}`, ...(rest.length > 1 ? rest : [])].join('\n'),
    LONGEST_TERMINATION_MESSAGE,
  )
}

/** Cuts a text to so many bytes of UTF-8, never inside a character. */
export function cutBytes(text: string, most: number): string {
  const bytes = new TextEncoder().encode(text)
  if (bytes.length <= most) return text
  const ellipsis = '…'
  let end = most - new TextEncoder().encode(ellipsis).length
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--
  return new TextDecoder().decode(bytes.subarray(0, end)) + ellipsis
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
  const mode = connection.insecure ? '; the certificate is NOT verified (KPCEA_INSECURE)' : ''
  return (
    `verifying ${what} on ${connection.server.origin}${connection.server.rootPath} for ${wanted.join(' and ') || 'what each must run'}` +
    `, ${policy.timeout === 0 ? 'with one look' : `for at most ${formatDuration(policy.timeout)}`} (${connection.credentials.mode} mode)${mode}`
  )
}
