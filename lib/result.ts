/** The result of a run, as machines read it: stable, versioned, described by the schema in result-schema.ts. */

import { formatServerAddress, type ServerAddress } from './address.ts'
import { type Application, hasMultipleSources } from './application.ts'
import { formatTarget, wantedOfAll } from './asked.ts'
import { type Check, isFailing } from './check.ts'
import { describeResource, tellingResource, type UnhealthyResource, unhealthyResources } from './diagnosis.ts'
import { formatDuration } from './duration.ts'
import type { Outcome } from './ending.ts'
import { checksOf, type Ending, namingCheck } from './ending.ts'
import type { FailureReason, RequestFailure } from './failure.ts'
import { formatImage } from './image.ts'
import { applicationOf, type Knowledge, type Known, lastFailure, NEVER } from './knowledge.ts'
import { labelOf } from './label.ts'
import { onceEach } from './lazily.ts'
import { type Moment, momentOf } from './moment.ts'
import { few } from './phrase.ts'
import type { ApplicationResult, Reason, Result } from './result-schema.ts'
import { plannedSync, startedSync, syncClause } from './sync-telling.ts'
import { cut, LONGEST_MESSAGE } from './text.ts'
import type { Policy } from './wanted.ts'
import { namesOf, whereabouts } from './whereabouts.ts'

/** When a run was, by the local clock. */
export interface Times {
  readonly startedAt: Date
  readonly finishedAt: Date
  /** By a monotonic clock. */
  readonly durationSeconds: number
}

/** What a result is made of. */
export interface ResultInput {
  readonly server: ServerAddress
  readonly outcome: Outcome
  readonly times: Times
  /** Replaces secrets in texts that came from the server. */
  readonly mask: (text: string) => string
}

/** A result for people, in which nothing stands of applications of which nothing would be told. */
export interface Reading extends Result {
  /** How many are verified and not among `applications`. */
  readonly others: number
}

/** The result of a run that could ask. */
export function createResult(input: ResultInput): Result {
  return resultOf(input, [...input.outcome.knowledge.applications.values()])
}

/**
 * The result of a run for those who read it: where it is a yes about many applications, only what was synced has more
 * to say than that, and who waits for the exit does not wait for what nobody reads.
 *
 * @param whole makes the result itself
 * @param many more applications than this are not told of one by one
 */
export function createReading(input: ResultInput, whole: () => Result, many: number): Reading {
  const { decision, knowledge } = input.outcome
  const { applications } = knowledge
  if (decision.kind !== 'verified' || applications.size <= many) return { ...whole(), others: 0 }
  const synced: Known[] = []
  for (const known of applications.values())
    if (known.syncing.own !== undefined || known.syncing.order !== undefined) synced.push(known)
  return { ...resultOf(input, synced), others: applications.size - synced.length }
}

function resultOf({ server, outcome, times, mask }: ResultInput, listed: readonly Known[]): Result {
  const { decision: ending, knowledge } = outcome
  const verified = ending.kind === 'verified'
  const moment = momentOf(knowledge, outcome.endedAt)
  // A thousand applications say mostly the same. What is masked gets shorter, hardly ever by half; and a fleet of long
  // messages would take its time.
  const shown = onceEach((text) => cut(mask(cut(text, 2 * LONGEST_MESSAGE)), LONGEST_MESSAGE))
  const byKey = new Map(
    listed.map((known) => [known.key, applicationResult(known, outcome, moment, { server, shown, times })]),
  )
  const applications = [...byKey.values()].sort(
    (a, b) => compare(a.namespace ?? '', b.namespace ?? '') || compare(a.name, b.name),
  )
  const culprit = ending.kind === 'failed' ? byKey.get(ending.key) : undefined
  const { reason, message } = verified
    ? { reason: 'Verified' as const, message: verifiedMessage(applications, knowledge) }
    : refusal(outcome, applications, culprit, mask)
  return {
    schemaVersion: 1,
    verified,
    reason,
    message,
    timedOut: ending.kind === 'timed-out',
    ...formatTimes(times),
    server: formatServerAddress(server),
    applications,
  }
}

/** The result of a run that did not begin, because of its settings. */
export function invalidSettingsResult(problems: readonly string[], times: Times): Result {
  return {
    schemaVersion: 1,
    verified: false,
    reason: 'InvalidSettings',
    message: problems.join('; '),
    timedOut: false,
    ...formatTimes(times),
    server: null,
    applications: [],
  }
}

function formatTimes({ startedAt, finishedAt, durationSeconds }: Times) {
  return {
    startedAt: startedAt.toISOString(),
    finishedAt: finishedAt.toISOString(),
    durationSeconds: Math.round(durationSeconds * 1000) / 1000,
  }
}

function applicationResult(
  known: Known,
  { decision: ending, knowledge }: Outcome,
  moment: Moment,
  {
    server,
    shown,
    times,
  }: Pick<ResultInput, 'server' | 'times'> & { readonly shown: (text: string) => string },
): ApplicationResult {
  const orNull = (text: string | undefined) => (text === undefined ? null : shown(text))
  const { ref, key } = known
  const application = applicationOf(known)
  const checks = checksOf(known, knowledge.policy, knowledge.leftUnmetAt)
  const naming = namingCheck(checks, ending.kind === 'failed' && ending.key === key)
  const verified = checks.length > 0 && naming === undefined
  const failure = lastFailure(knowledge, 'look', known)?.failure ?? knowledge.server.failure
  const name = application?.metadata.name ?? ref.name
  const namespace = application?.metadata.namespace ?? ref.namespace ?? null
  const status = application?.status
  const message = verified
    ? summary(known, knowledge.policy)
    : naming === undefined
      ? failureOf(ending, failure).message
      : whyNot(known, naming, checks, knowledge)
  // Why a run was refused is said once, and not of each application again.
  const clause =
    ending.kind === 'refused' && known.syncing.own === undefined ? undefined : syncClause(known, moment)
  const started = startedSync(
    known,
    (time) => new Date(times.startedAt.getTime() + Math.max(time - knowledge.startedAt, 0)),
  )
  const planned = plannedSync(known, moment)
  return {
    name,
    namespace,
    project: orNull(application?.spec.project ?? ref.project),
    verified,
    reason: verified ? 'Verified' : (naming?.code ?? failureOf(ending, failure).reason),
    message: shown(clause === undefined ? message : `${message}; ${clause}`),
    url: `${formatServerAddress(server)}/applications/${[namespace, name].flatMap((part) => (part === null ? [] : [encodeURIComponent(part)])).join('/')}`,
    sync: { status: orNull(status?.sync.status), revisions: revisionsOf(application).map(shown) },
    health: { status: orNull(status?.health.status), message: orNull(status?.health.message) },
    operation: {
      phase: orNull(status?.operationState?.phase),
      message: orNull(status?.operationState?.message),
      finishedAt: orNull(status?.operationState?.finishedAt),
    },
    images: (status?.summary.images ?? []).map(shown),
    checks: checks.map(({ code, state, message }) => ({ code, state, message: shown(message) })),
    unhealthyResources: unhealthyResources(known).map((resource) => mapTexts(resource, shown)),
    ...(started === undefined
      ? {}
      : {
          started: {
            ...started,
            id: orNull(started.id ?? undefined),
            revisions: started.revisions.map(shown),
            at: shown(started.at),
            phase: orNull(started.phase ?? undefined),
            message: orNull(started.message ?? undefined),
          },
        }),
    ...(planned === undefined ? {} : { wouldStart: { ...planned, revisions: planned.revisions.map(shown) } }),
  }
}

function mapTexts(resource: UnhealthyResource, change: (text: string) => string): UnhealthyResource {
  const { group, kind, namespace, name, health, status, message } = resource
  const texts = { group, kind, namespace, name, health, status, message }
  for (const key of Object.keys(texts) as (keyof UnhealthyResource)[]) texts[key] = change(texts[key])
  return texts
}

function revisionsOf(application: Application | undefined): string[] {
  if (application === undefined) return []
  const { revision, revisions } = application.status.sync
  if (hasMultipleSources(application)) return [...revisions]
  return revision === undefined ? [] : [revision]
}

/** The beginning of what the check of revisions says where it is met. */
const IS_AT = 'revision is '

/** All that was verified of an application, in one sentence. */
function summary(known: Known, { stableFor }: Policy): string {
  const application = applicationOf(known)
  const { sync, health } = application?.status ?? {}
  const { images, commitMessage } = known.wanted
  const observed = revisionsOf(application).join(', ')
  const rule = known.checks.find(({ code }) => code === 'RevisionMismatch')?.message
  const at = rule?.startsWith(IS_AT) ? rule.slice(IS_AT.length) : observed
  const parts = [
    `${sync?.status ?? 'Unknown'} and ${health?.status ?? 'Unknown'}${at === '' ? '' : ` at ${at}`}`,
    ...(images.length === 0 ? [] : [`running ${images.map(formatImage).join(', ')}`]),
    ...(commitMessage === undefined ? [] : [`its commit message contains ${JSON.stringify(commitMessage)}`]),
    ...held(stableFor),
  ]
  return parts.join('; ')
}

function held(stableFor: number): readonly string[] {
  return stableFor === 0 ? [] : [`held for ${formatDuration(stableFor)}`]
}

function verifiedMessage(
  applications: readonly ApplicationResult[],
  { target, policy, applications: all }: Pick<Knowledge, 'target' | 'policy' | 'applications'>,
): string {
  const [only] = applications
  if (only !== undefined && all.size === 1) return `${only.name} is verified: ${only.message}`
  const which = target.kind === 'selector' ? [] : [formatTarget(target)]
  const what = [...which, ...wantedOfAll(target), ...held(policy.stableFor), ...syncedOnes(applications)]
  return `all ${all.size} applications are verified: ${what.join('; ')}`
}

/** Which of them were synced, and as which id. */
function syncedOnes(applications: readonly ApplicationResult[]): readonly string[] {
  const synced = applications.filter(({ started }) => started !== undefined)
  if (synced.length === 0) return []
  const ids = new Set(synced.flatMap(({ started }) => started?.id ?? []))
  const id = ids.size === 0 ? '' : ` (id ${[...ids].join(', ')})`
  return [`synced${id}: ${few(synced.map(({ name }) => name))}`]
}

/** Why an application is not verified: the check that names it, what is failing besides, and what helps to find it. */
function whyNot(
  { ref }: Known,
  naming: Check,
  checks: readonly Check[],
  { visible, target }: Knowledge,
): string {
  const failing = isFailing(naming) ? undefined : checks.find(isFailing)
  if (failing !== undefined) return `${naming.message}; ${failing.message}`
  if (naming.code !== 'NotFound' || visible === undefined || target.kind === 'selector') return naming.message
  const where = whereabouts(ref, visible)
  switch (where.kind) {
    case 'nothing-seen':
      return NOTHING_SEEN
    case 'elsewhere':
      return `${naming.message}; one of that name is in namespace ${where.namespace}`
    case 'another-project':
      return `${naming.message}; one of that name is in another project than ${where.project}`
    case 'near':
      return `${naming.message}; it sees ${where.name}`
    case 'others':
      return `${naming.message}; it sees ${few(where.names)}`
  }
}

const NOTHING_SEEN = 'this account sees no application at all'

/** Why a run that did not end verified did not. */
function refusal(
  outcome: Outcome,
  applications: readonly ApplicationResult[],
  culprit: ApplicationResult | undefined,
  mask: (text: string) => string,
): { reason: Reason; message: string } {
  const { decision: ending, knowledge } = outcome
  const { target, policy, server, failures } = knowledge
  const when = ending.kind === 'timed-out' ? ` within ${formatDuration(policy.timeout)}` : ''
  if (ending.kind === 'refused')
    return { reason: ending.failure.reason, message: mask(ending.failure.message) }
  const failure =
    server.failure ?? [...failures].find(([subject]) => subject.startsWith('look:'))?.[1].failure
  const unmet = applications.filter(({ verified, checks }) => !verified && checks.length > 0)
  const isIll = ({ checks }: ApplicationResult) => checks.some(isFailing)
  const naming = ending.kind === 'failed' ? culprit : (unmet.find(isIll) ?? unmet[0])
  const still =
    failure === undefined ? '' : `; ${lookedAgo(outcome)}, and since then ${mask(failure.message)}`
  const failingFor =
    ending.kind === 'failed' && policy.failAfter > 0 && !isOwnSync(culprit)
      ? `; failing for ${formatDuration(policy.failAfter)}`
      : ''
  const more =
    unmet.length > 1 ? ` (${unmet.length} of ${applications.length} applications are not verified)` : ''
  const seen =
    naming === undefined
      ? undefined
      : {
          reason: naming.reason,
          message: `${labelOf(naming, applications)} is not verified${when}: ${naming.message}${rootCause(naming)}${failingFor}${more}${still}`,
        }
  if (ending.kind === 'interrupted') {
    const last = seen === undefined ? 'nothing was seen' : seen.message
    return { reason: 'Interrupted', message: `interrupted before there was a verdict; ${last}` }
  }
  if (seen !== undefined) return seen
  if (applications.length === 0 && failure === undefined && target.kind === 'selector') {
    const { visible } = knowledge
    const sees =
      visible === undefined
        ? ', or this account may not see any that does'
        : visible.length === 0
          ? `: ${NOTHING_SEEN}`
          : `; this account sees ${few(namesOf(visible))}`
    const message = `no application matches the selector ${JSON.stringify(target.selector)}${when}${sees}`
    return { reason: 'NotFound', message }
  }
  if (target.kind === 'selector' && failure === undefined && applications.length < target.min) {
    const names = applications.map(({ name }) => name)
    const what = `${names.length} of at least ${target.min} applications match the selector ${JSON.stringify(target.selector)}`
    const message = `only ${what}${when}: ${few(names)}; are the others still to come, or is KPCEA_SELECTOR_MIN (--selector-min) too high?`
    return { reason: 'NotFound', message }
  }
  const { reason, message } = failureOf(ending, failure)
  return { reason, message: mask(`not verified${when}: ${message}`) }
}

/** The run's own operation that failed is not waited for. */
function isOwnSync(culprit: ApplicationResult | undefined): boolean {
  const phase = culprit?.started?.phase
  return culprit?.reason === 'OperationFailed' && (phase === 'Failed' || phase === 'Error')
}

/** What tells most of why an application is not healthy, where its sentence does not say it. */
function rootCause({ reason, message, unhealthyResources }: ApplicationResult): string {
  const cause = reason === 'NotHealthy' ? tellingResource(unhealthyResources) : undefined
  return cause === undefined || message.includes(cause.message) ? '' : `; ${describeResource(cause)}`
}

function lookedAgo({ knowledge, endedAt }: Outcome): string {
  const last = Math.max(...[...knowledge.applications.values()].map(({ sighting }) => sighting?.at ?? NEVER))
  return `that was seen ${formatDuration(endedAt - last)} before the end`
}

function failureOf(
  ending: Ending,
  last: RequestFailure | undefined,
): { reason: FailureReason; message: string } {
  if (ending.kind === 'refused') return ending.failure
  return (
    last ?? {
      reason: 'Unreachable',
      message:
        'Argo CD did not answer in time; check host, port and scheme in ARGOCD_SERVER (--server), and proxies',
    }
  )
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** The exit code: 0 for yes; 1 for anything else, unless the detailed ones were asked for. */
export function exitCodeOf(
  { verified, reason }: Pick<Result, 'verified' | 'reason'>,
  detailed: boolean,
): 0 | 1 | 2 | 3 {
  if (verified) return 0
  if (!detailed) return 1
  switch (reason) {
    case 'InvalidSettings':
      return 2
    case 'Unreachable':
    case 'Unauthorized':
    case 'NotArgoCD':
      return 3
    default:
      return 1
  }
}
