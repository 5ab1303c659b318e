/** From events and results to text: for a terminal, for a log, for Kubernetes. Pure. */

import { applicationKey } from './application.ts'
import type { Config } from './config.ts'
import { formatDuration } from './duration.ts'
import { formatImage } from './image.ts'
import type { ApplicationResult, Result } from './result.ts'
import { formatWantedRevision } from './revision.ts'
import { applicationOf, type Subject } from './subject.ts'
import { namingCheck } from './verdict.ts'
import type { Progress } from './verify.ts'

/** Colours a text, or leaves it as it is. */
export type Paint = (style: 'green' | 'red' | 'yellow' | 'dim' | 'bold', text: string) => string

/** No colours. */
export const plain: Paint = (_, text) => text

const MOST_RESOURCES = 10

/** The human summary of a result: the verdict first, then the cause. */
export function formatResult(result: Result, paint: Paint): string {
  const verdict = result.verified
    ? paint('green', 'VERIFIED')
    : paint('red', `NOT VERIFIED (${result.reason})`)
  const head = `${verdict} after ${formatDuration(result.durationSeconds * 1000)}: ${result.message}`
  return [
    head,
    ...result.applications.flatMap((application) => formatApplication(application, result, paint)),
    '',
  ].join('\n')
}

function formatApplication(
  application: ApplicationResult,
  { applications }: Result,
  paint: Paint,
): readonly string[] {
  // Of many applications, those that are not verified are what a person looks for.
  if (application.verified && applications.length > FEW) return []
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
    `${mark} ${paint('bold', applicationKey(application.name, application.namespace ?? undefined))}  ${checks.length === 0 ? application.message : state}`,
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

/** More applications than this are reported as a count. */
const FEW = 10

/** Turns the progress of a run into log lines: one when something changes, none while nothing does. */
export function createLog(): (progress: Progress) => string | undefined {
  const last = new Map<string, string>()
  const verified = new Map<string, boolean>()
  let said: string | undefined
  const once = (key: string, line: string): string | undefined => {
    if (last.get(key) === line) return undefined
    last.set(key, line)
    return line
  }
  return (progress) => {
    switch (progress.type) {
      case 'observed': {
        const { subject, checks } = progress
        const naming = namingCheck(checks, false)
        verified.set(subject.key, naming === undefined)
        // That the refresh of this run is under way was said when it was asked for.
        if (subject.refreshing && naming?.code === 'StatusStale') return undefined
        if (verified.size <= FEW) return once(subject.key, describe(subject, checks))
        const done = [...verified.values()].filter(Boolean).length
        const step = Math.max(1, Math.floor(verified.size / FEW))
        return done % step === 0 || done === verified.size
          ? once('', `${done} of ${verified.size} applications are as wanted`)
          : undefined
      }
      case 'gone':
        verified.delete(progress.subject.key)
        last.delete(progress.subject.key)
        return `${nameOf(progress.subject)}: no longer selected`
      case 'refreshing':
        return verified.size <= FEW ? `${nameOf(progress.subject)}: asking Argo CD for a refresh` : undefined
      case 'nothing-selected':
        return once('', 'the selector matches no application so far')
      case 'failure': {
        // A reason is shown once, not with every try.
        const { message } = progress.failure
        if (said === message) return undefined
        said = message
        return `${message}; trying again`
      }
      case 'recovered':
        if (said === undefined) return undefined
        said = undefined
        return 'Argo CD answers again'
    }
  }
}

function nameOf(subject: Subject): string {
  const application = applicationOf(subject)
  return applicationKey(subject.ref.name, application?.metadata.namespace ?? subject.ref.namespace)
}

function describe(subject: Subject, checks: Extract<Progress, { type: 'observed' }>['checks']): string {
  const naming = namingCheck(checks, false)
  const application = applicationOf(subject)
  const { sync, health, operationState } = application?.status ?? {}
  const state = [
    sync?.status,
    health?.status,
    operationState?.phase === undefined || operationState.phase === 'Succeeded'
      ? undefined
      : `operation ${operationState.phase}`,
  ].filter((part) => part !== undefined)
  const seen = state.length === 0 ? '' : `${state.join(', ')}; `
  const waiting = naming === undefined ? 'as wanted' : `${naming.code} (${naming.state}): ${naming.message}`
  return `${nameOf(subject)}: ${seen}${waiting}`
}
