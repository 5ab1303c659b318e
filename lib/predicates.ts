/**
 * When an application is what was asked for: one pure function a check, of one snapshot of the Application,
 * what is wanted, and what else this run has learnt. No clock, no network. docs/verification.md tells the rules
 * in words; where it and this file disagree, one of them has a defect.
 */

import { type Application, hasMultipleSources, observedRevisions, sourcesOf } from './application.ts'
import type { Wanted } from './config.ts'
import { formatImage, type ImageReference, isWantedImage, parseImage } from './image.ts'
import { isFullSha } from './revision.ts'
import { commitOf, matchRevisions, type RevisionEvidence } from './revision-rules.ts'
import { oneLine } from './text.ts'

/** The codes of the checks, in the order in which they name a verdict. */
export const CODES = [
  'NotFound',
  'Deleting',
  'OperationInProgress',
  'OperationFailed',
  'StatusStale',
  'Conditions',
  'Hydrating',
  'OutOfSync',
  'RevisionMismatch',
  'CommitMessageMismatch',
  'ImageMismatch',
  'NotHealthy',
  'NotStable',
] as const

/** The code of a check: what an application is called where the check is not met. */
export type Code = (typeof CODES)[number]

/** `pending`: time may mend it. `failing`: time alone will hardly mend it. */
export type CheckState = 'met' | 'pending' | 'failing'

/** What a check says of an application, in one sentence for a person. */
export interface Finding {
  readonly state: CheckState
  readonly message: string
}

/** A finding under the code of its check. */
export interface Check extends Finding {
  readonly code: Code
}

const met = (message: string): Finding => ({ state: 'met', message })
const pending = (message: string): Finding => ({ state: 'pending', message })
const failing = (message: string): Finding => ({ state: 'failing', message })

/** Deleting: an application on its way out verifies nothing, however healthy it still is. */
export function notDeleting({ metadata }: Application): Finding {
  if (metadata.deletionTimestamp === undefined) return met('the application is not being deleted')
  return failing(`the application is being deleted (since ${metadata.deletionTimestamp})`)
}

/** Phases of an operation that has ended. Any other, known or not, is still in progress. */
const ENDED_PHASES: ReadonlySet<string> = new Set(['Succeeded', 'Failed', 'Error'])

/**
 * OperationInProgress: a sync that runs, or is asked for, is about to change what is seen. While Argo CD waits
 * to retry a failed operation its phase is Running and `finishedAt` is set, so only the phase tells.
 */
export function noOperationInProgress({ operation, status: { operationState } }: Application): Finding {
  const phase = operationState?.phase
  if (operationState !== undefined && !ENDED_PHASES.has(phase ?? ''))
    return pending(`an operation is ${phase ?? 'in an unknown phase'}${because(operationState.message)}`)
  if (operation !== undefined) return pending('an operation is asked for and has not begun')
  return met('no operation is in progress')
}

/**
 * OperationFailed: a failed hook (PostSync, say) fails the operation while every resource is Synced and Healthy.
 * A failed operation for other revisions than those observed now tells nothing about these.
 */
export function operationSucceeded(application: Application): Finding {
  const { operationState } = application.status
  if (operationState === undefined) return met('no operation is on record')
  if (operationState.phase === 'Succeeded') return met('the last operation succeeded')
  if (!ENDED_PHASES.has(operationState.phase ?? '')) return met('the operation in progress has not failed')
  if (operationState.operation.sync?.dryRun === true) return met('the last operation was a dry run')
  if (operationIsForOtherRevisions(application))
    return met('the last operation failed, but for another revision')
  const resources = failedResults(application).map(
    (r) =>
      `${r.kind ?? 'resource'} ${r.name ?? '?'}${r.hookType === undefined ? '' : ` (${r.hookType} hook)`}${because(r.message)}`,
  )
  const phase = operationState.phase === 'Error' ? 'ended in an error' : 'failed'
  return failing(`the last operation ${phase}${because(operationState.message)}${some(resources, '; ')}`)
}

/** The results of the last operation that made it fail: hooks that failed, resources that could not be applied. */
export function failedResults({ status: { operationState } }: Application) {
  return (operationState?.syncResult?.resources ?? []).filter(
    ({ status, hookPhase }) => status === 'SyncFailed' || hookPhase === 'Failed' || hookPhase === 'Error',
  )
}

/** Only revisions of one kind can be told apart: a branch name says nothing about a SHA. */
function operationIsForOtherRevisions(application: Application): boolean {
  const { operationState } = application.status
  const done = operationState?.syncResult ?? operationState?.operation.sync
  if (done === undefined) return false
  const observed = observedRevisions(application)
  const operated = hasMultipleSources(application) ? done.revisions : [done.revision ?? '']
  return observed.some((revision, i) => {
    const other = operated[i] ?? ''
    if (revision === '' || other === '' || isFullSha(revision) !== isFullSha(other)) return false
    return revision.toLowerCase() !== other.toLowerCase()
  })
}

/** The annotation by which a refresh is asked for; the controller removes it when it is done. */
const REFRESH_ANNOTATION = 'argocd.argoproj.io/refresh'

/** Likewise for hydration: it stays until the hydration that it led to has ended. */
const HYDRATE_ANNOTATION = 'argocd.argoproj.io/hydrate'

/**
 * StatusStale: whether the status can be trusted to be about the present spec, and its health to be from after
 * the last operation. Argo CD assesses health in another loop than the one that syncs, so straight after a sync
 * health can still be the health from before it. Equal seconds count: the reconcile is queued after the end of
 * the operation is written (as in Kargo's own health checker). A dry run queues none, and changes nothing.
 */
export function statusIsFresh(application: Application): Finding {
  const { metadata, spec, status } = application
  if (REFRESH_ANNOTATION in metadata.annotations)
    return pending('a refresh is asked for and the application controller has not done it yet')
  const { comparedTo } = status.sync
  const multiple = hasMultipleSources(application)
  const same = multiple
    ? equivalent(spec.sources, comparedTo.sources)
    : equivalent(sourcesOf(application)[0], comparedTo.source)
  if (!same)
    return pending(
      `the status is about an older spec: ${multiple ? 'spec.sources' : 'the source'} changed since it was compared`,
    )
  if (!equivalent(spec.destination, comparedTo.destination))
    return pending('the status is about an older spec: spec.destination changed since it was compared')
  if (staleOperation(application) !== undefined)
    return pending(
      `health is from before the end of the last operation (${status.operationState?.finishedAt ?? 'end unknown'}; ` +
        `last reconciled ${status.reconciledAt ?? 'never'})`,
    )
  return met('the status is about the present spec and the last operation')
}

/**
 * The operation that ended after the last reconciliation, by when it finished; `undefined` where there is none.
 * Both times are the server's, so its clock may be off by hours.
 */
export function staleOperation({ status }: Application): string | undefined {
  const { operationState, reconciledAt } = status
  if (operationState === undefined || !ENDED_PHASES.has(operationState.phase ?? '')) return undefined
  if (operationState.operation.sync?.dryRun === true) return undefined
  const finished = parseTime(operationState.finishedAt)
  const reconciled = parseTime(reconciledAt)
  return reconciled >= finished ? undefined : (operationState.finishedAt ?? 'unknown')
}

/** RFC 3339, as Kubernetes writes times; `Date.parse` alone takes almost anything for a time. */
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/

/** Reads a time of the server, in milliseconds; NaN, which compares with nothing, where it is none. */
export function parseTime(text: string | undefined): number {
  return text !== undefined && TIME.test(text) ? Date.parse(text) : Number.NaN
}

/** Whether two values are the same where absent, null and empty (text, list, object) are one, at any depth. */
export function equivalent(a: unknown, b: unknown): boolean {
  return same(withoutEmpties(a), withoutEmpties(b))
}

function same(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((value, i) => same(value, b[i]))
  if (!isObject(a) || !isObject(b)) return false
  const keys = Object.keys(a)
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && same(a[key], b[key]))
  )
}

/** Elements of a list keep their places, empty or not. */
function withoutEmpties(value: unknown): unknown {
  if (value === null || value === '') return undefined
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map(withoutEmpties)
  if (!isObject(value)) return value
  const entries = Object.entries(value).flatMap(([key, inner]): [string, unknown][] => {
    const kept = withoutEmpties(inner)
    return kept === undefined ? [] : [[key, kept]]
  })
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const ERROR_CONDITIONS: ReadonlySet<string> = new Set(['ComparisonError', 'InvalidSpecError', 'UnknownError'])

/** Conditions that are judged elsewhere (SyncError by OutOfSync, DeletionError by Deleting), or only warn. */
const OTHER_CONDITIONS: ReadonlySet<string> = new Set(['SyncError', 'DeletionError'])
const WARNING = /Warning$/

/** Conditions: what Argo CD could not compare or compute, it cannot vouch for. */
export function noErrorConditions({ status: { conditions } }: Application): Finding {
  const errors = conditions.filter(({ type }) => ERROR_CONDITIONS.has(type ?? ''))
  if (errors.length > 0)
    return failing(errors.map(({ type, message }) => `${type}${because(message)}`).join('; '))
  const unknown = conditions.find(({ type = '' }) => !OTHER_CONDITIONS.has(type) && !WARNING.test(type))
  if (unknown !== undefined)
    return pending(
      `the condition ${unknown.type ?? 'without a type'} is not known to be harmless${because(unknown.message)}`,
    )
  return met('no condition reports an error')
}

/** Hydrating: manifests that are being rendered anew are not the ones that run. */
export function notHydrating({ metadata, spec, status: { sourceHydrator } }: Application): Finding {
  if (spec.sourceHydrator === undefined) return met('the source is not hydrated')
  const operation = sourceHydrator.currentOperation
  if (operation?.phase === 'Failed')
    return failing(`the hydration of ${dry(operation.drySHA)} failed${because(operation.message)}`)
  if (operation !== undefined && operation.phase !== 'Hydrated')
    return pending(`the hydration of ${dry(operation.drySHA)} is ${operation.phase ?? 'in an unknown phase'}`)
  if (HYDRATE_ANNOTATION in metadata.annotations) return pending('a hydration is asked for and has not ended')
  return met('no hydration is in progress')
}

function dry(sha: string | undefined): string {
  return sha === undefined ? 'the source' : sha
}

/** OutOfSync: a SyncError condition is what auto-sync leaves when it will not try this revision again. */
export function synced({ status: { sync, conditions, resources } }: Application): Finding {
  if (sync.status === 'Synced') return met('sync status is Synced')
  const found = `sync status is ${sync.status ?? 'not known yet'}`
  const gaveUp = conditions.find(({ type }) => type === 'SyncError')
  if (gaveUp !== undefined) return failing(`${found}, and auto-sync gave up${because(gaveUp.message)}`)
  const differing = resources
    .filter(({ status }) => status === 'OutOfSync')
    .map(({ kind, name }) => `${kind ?? 'resource'} ${name ?? '?'}`)
  return pending(`${found}${some(differing, ', ')}`)
}

/** RevisionMismatch: the rules are in revision-rules.ts. */
export function revisionMatches(
  application: Application,
  wanted: Wanted,
  evidence: RevisionEvidence,
): Finding {
  if (wanted.revision === undefined) return met('no revision is asked for')
  return matchRevisions(application, wanted.revision, wanted.revisionPolicy, evidence)
}

/** CommitMessageMismatch: with several sources, the message of any of them will do. */
export function commitMessageMatches(
  application: Application,
  wanted: Wanted,
  evidence: RevisionEvidence,
): Finding {
  const { commitMessage } = wanted
  if (commitMessage === undefined) return met('no commit message is asked for')
  const wantedText = JSON.stringify(commitMessage)
  const observed = observedRevisions(application).flatMap((revision, index) =>
    revision === '' ? [] : [{ revision, commit: commitOf(evidence, index, revision) }],
  )
  if (observed.length === 0)
    return pending(`no synced revision is known whose commit message could contain ${wantedText}`)
  const found: string[] = []
  for (const { revision, commit } of observed) {
    if (commit === undefined) found.push(`the message of ${revision} is not known yet`)
    else if ('problem' in commit) found.push(`the message of ${revision} cannot be had (${commit.problem})`)
    else if (commit.message?.includes(commitMessage) === true)
      return met(`the commit message of ${revision} contains ${wantedText}`)
    else found.push(`the message of ${revision} is ${JSON.stringify(firstLine(commit.message ?? ''))}`)
  }
  return pending(`no synced commit's message contains ${wantedText}: ${found.join('; ')}`)
}

/**
 * ImageMismatch: an old tag that still runs beside the new one means that a rollout is under way; Argo CD's
 * summary lists the images of the live Pods, so both are seen.
 */
export function imagesMatch({ status: { summary } }: Application, wanted: Wanted): Finding {
  if (wanted.images.length === 0) return met('no image is asked for')
  const running = summary.images.flatMap((text) => parseImage(text) ?? [])
  const complaints = wanted.images.flatMap((image) => imageComplaint(image, wanted.images, running) ?? [])
  if (complaints.length === 0)
    return met(`${wanted.images.map(formatImage).join(', ')} ${wanted.images.length === 1 ? 'runs' : 'run'}`)
  return pending([...new Set(complaints)].join('; '))
}

function imageComplaint(
  image: ImageReference,
  wanted: readonly ImageReference[],
  running: readonly ImageReference[],
): string | undefined {
  const sameRepository = running.filter(({ repository }) => repository === image.repository)
  if (sameRepository.length === 0)
    return `${formatImage(image)} does not run, nor any other image of its repository`
  const others = sameRepository
    .filter((one) => !wanted.some((any) => isWantedImage(any, one)))
    .map(formatImage)
  if (!sameRepository.some((one) => isWantedImage(image, one)))
    return `${formatImage(image)} does not run; found ${sameRepository.map(formatImage).join(', ')}`
  return others.length > 0 ? `${others.join(', ')} still runs beside ${formatImage(image)}` : undefined
}

/** NotHealthy: Degraded is failing, because it seldom mends itself; a rolling update may pass through it. */
export function healthy({ status: { health, resources } }: Application, wanted: Wanted): Finding {
  if (health.status !== undefined && wanted.health.includes(health.status))
    return met(`health is ${health.status}`)
  const accepted = wanted.health.join(' or ')
  const unhealthy = resources
    .filter(
      (r) =>
        r.health?.status !== undefined &&
        !wanted.health.includes(r.health.status) &&
        r.health.status !== 'Healthy',
    )
    .map(
      (r) => `${r.kind ?? 'resource'} ${r.name ?? '?'} is ${r.health?.status}${because(r.health?.message)}`,
    )
  const message = `health is ${health.status ?? 'not known yet'}, not ${accepted}${because(health.message)}${some(unhealthy, '; ')}`
  return health.status === 'Degraded' ? failing(message) : pending(message)
}

/** The checks of a snapshot in the order in which they name a verdict, each with what decides that it applies. */
const CHECKS: readonly {
  readonly code: Code
  readonly asked?: (wanted: Wanted) => boolean
  readonly find: (application: Application, wanted: Wanted, evidence: RevisionEvidence) => Finding
}[] = [
  { code: 'Deleting', find: notDeleting },
  { code: 'OperationInProgress', find: noOperationInProgress },
  { code: 'OperationFailed', find: operationSucceeded },
  { code: 'StatusStale', find: statusIsFresh },
  { code: 'Conditions', find: noErrorConditions },
  { code: 'Hydrating', find: notHydrating },
  { code: 'OutOfSync', find: synced },
  { code: 'RevisionMismatch', asked: (wanted) => wanted.revision !== undefined, find: revisionMatches },
  {
    code: 'CommitMessageMismatch',
    asked: (wanted) => wanted.commitMessage !== undefined,
    find: commitMessageMatches,
  },
  { code: 'ImageMismatch', asked: (wanted) => wanted.images.length > 0, find: imagesMatch },
  { code: 'NotHealthy', find: healthy },
]

/**
 * All checks of an application's snapshot, in order; the ones for what is not asked are left out.
 *
 * @param application `undefined`: it cannot be seen
 */
export function checkApplication(
  application: Application | undefined,
  wanted: Wanted,
  evidence: RevisionEvidence,
): readonly Check[] {
  if (application === undefined) {
    const message =
      'the application does not exist, or this account may not see it: Argo CD does not tell which'
    return [{ code: 'NotFound', ...pending(message) }]
  }
  const found: Check = { code: 'NotFound', ...met('the application is there') }
  const checks = CHECKS.filter(({ asked }) => asked?.(wanted) ?? true)
  return [found, ...checks.map(({ code, find }) => ({ code, ...find(application, wanted, evidence) }))]
}

const SHOWN = 3

/** A few of many, in parentheses: ` (a; b; c and 4 more)`. */
function some(items: readonly string[], separator: string): string {
  if (items.length === 0) return ''
  const more = items.length > SHOWN ? ` and ${items.length - SHOWN} more` : ''
  return ` (${items.slice(0, SHOWN).join(separator)}${more})`
}

function because(message: string | undefined): string {
  return message === undefined ? '' : `: ${oneLine(message)}`
}

function firstLine(message: string): string {
  return message.split('\n', 1)[0] ?? ''
}
