/** Whether an application needs a sync, and to which revisions. Pure; docs/sync.md in words. */

import { type Application, hasMultipleSources } from './application.ts'
import { type Check, type Code, isFailing, isMet } from './check.ts'
import type { Evidence } from './evidence.ts'
import { imagesRun } from './image-rules.ts'
import { isSha } from './revision.ts'
import { matchSource } from './revision-match.ts'
import { commitsNeeded, comparisonsNeeded } from './revision-needs.ts'
import {
  describeSource,
  isGit,
  isNamed,
  isTwin,
  type ObservedSource,
  type RevisionContext,
  revisionContext,
  tracks,
} from './sources.ts'
import { isAutomated, isUnderWay } from './sync-operation.ts'
import type { SyncTarget } from './syncs.ts'
import type { Wanted } from './wanted.ts'

/** Whether a sync is needed, as far as one Application tells. */
export type Judgement =
  /** It cannot be told yet: the status is about something else, or what decides is being asked for. */
  | { readonly kind: 'unclear'; readonly message: string }
  /** Everything that a sync could bring is there. */
  | { readonly kind: 'nothing' }
  /** Automated sync does it; Argo CD refuses another revision there. */
  | { readonly kind: 'automated' }
  | { readonly kind: 'needed'; readonly target: SyncTarget; readonly isUnderWay: boolean }
  /** What is wanted fits none of its sources, or more than one. */
  | { readonly kind: 'misfit'; readonly message: string }

/**
 * Judges an Application that a request has brought whole: streams leave out its sync policy.
 *
 * @param checks its checks by the same evidence
 */
export function judge(
  application: Application,
  wanted: Wanted,
  evidence: Evidence,
  checks: readonly Check[],
): Judgement {
  const unmet = (code: Code): Check | undefined =>
    checks.find((check) => check.code === code && !isMet(check))
  if (unmet('Deleting') !== undefined) return { kind: 'nothing' }
  const causes: readonly Code[] = [
    'OutOfSync',
    'RevisionMismatch',
    'CommitMessageMismatch',
    'ImageMismatch',
    'OperationFailed',
  ]
  const isLocal = isLocalSync(application)
  if (!isLocal && causes.every((code) => unmet(code) === undefined)) return { kind: 'nothing' }
  if (isAutomated(application)) return { kind: 'automated' }
  const isMatched = unmet('RevisionMismatch') === undefined
  const target = targetOf(application, wanted, evidence, isMatched)
  if ('misfit' in target) return { kind: 'misfit', message: target.misfit }
  if (isUnderWay(application)) return { kind: 'needed', target, isUnderWay: true }
  const needed: Judgement = { kind: 'needed', target, isUnderWay: false }
  const condition = unmet('Conditions')
  // What Argo CD cannot compare it cannot sync either.
  if (condition !== undefined && isFailing(condition)) return { kind: 'unclear', message: condition.message }
  if (isLocal) return needed
  const obstacle = unmet('StatusStale') ?? unmet('Hydrating')
  if (obstacle !== undefined) return { kind: 'unclear', message: obstacle.message }
  const { status } = application.status.sync
  if (status !== 'Synced' && status !== 'OutOfSync')
    return { kind: 'unclear', message: `sync status is ${status ?? 'not known yet'}` }
  if (isAwaited(application, wanted, evidence))
    return { kind: 'unclear', message: 'what decides about the revision is being asked for' }
  // What a person promotes is a dry commit, and there is nothing to sync before it is hydrated.
  if (!isMatched && application.spec.sourceHydrator !== undefined)
    return { kind: 'unclear', message: 'the wanted revision has not been hydrated' }
  if (status === 'OutOfSync' || unmet('OperationFailed') !== undefined) return needed
  if (wanted.revision !== undefined) {
    if (isMatched) return { kind: 'nothing' }
    if (target.revisions.length > 0) return needed
    return evidence.refreshed
      ? { kind: 'nothing' }
      : { kind: 'unclear', message: 'where the wanted revision points is being asked for' }
  }
  // Old Pods beside new ones, or none yet, are a rollout under way.
  const isRollingOut =
    wanted.commitMessage === undefined &&
    (imagesRun(application, wanted) || application.status.health.status === 'Progressing')
  return isRollingOut ? { kind: 'nothing' } : needed
}

/**
 * What a sync that is under way has to be for, to be as good as one that a run would start: what is needed, or, where
 * all that a sync brings is there already and only hooks still run, what has been brought. `undefined`: nothing is.
 *
 * @param checks its checks by the same evidence
 */
export function targetUnderWay(
  application: Application,
  wanted: Wanted,
  evidence: Evidence,
  checks: readonly Check[],
): SyncTarget | undefined {
  if (isAutomated(application)) return undefined
  const judgement = judge(application, wanted, evidence, checks)
  if (judgement.kind === 'needed') return judgement.target
  const isDeleting = checks.some((check) => check.code === 'Deleting' && !isMet(check))
  if (judgement.kind !== 'nothing' || isDeleting) return undefined
  const target = targetOf(application, wanted, evidence, true)
  return 'misfit' in target ? undefined : target
}

/** Whether commits or renderings that decide are not known yet. */
function isAwaited(application: Application, wanted: Wanted, evidence: Evidence): boolean {
  return (
    commitsNeeded(application, wanted, evidence).some(({ key }) => !evidence.commits.has(key)) ||
    comparisonsNeeded(application, wanted, evidence).some(({ key }) => !evidence.renderings.has(key))
  )
}

function isLocalSync({ status: { operationState } }: Application): boolean {
  return (operationState?.operation.sync?.manifests ?? 0) > 0
}

/**
 * The revisions that a sync is to bring: where the revision is as wanted already, those that were compared, so that
 * nothing can move between; otherwise the wanted ones; and none for a source that tracks what is wanted.
 */
function targetOf(
  application: Application,
  wanted: Wanted,
  evidence: Evidence,
  isMatched: boolean,
): SyncTarget | { readonly misfit: string } {
  const several = hasMultipleSources(application)
  const { revision } = wanted
  if (revision === undefined) return { revisions: [], several }
  const context = revisionContext(application, wanted.revisionPolicy, evidence)
  const meant =
    revision.kind === 'any-source'
      ? meantByOne(context, revision.revision, isMatched)
      : revision.entries.flatMap((entry) =>
          context.observed
            .filter((one) => isNamed(one, entry.source))
            .map((one) => ({ one, wanted: entry.revision })),
        )
  if (meant === undefined)
    return {
      misfit: `${revision.kind === 'any-source' ? revision.revision : ''} could be meant for each of the sources ${context.observed.map(describeSource).join(', ')}; write SOURCE=REVISION into KPCEA_TARGET_REVISION (--revision)`,
    }
  if (revision.kind === 'per-source') {
    const stranger = revision.entries.find(({ source }) =>
      context.observed.every((one) => !isNamed(one, source)),
    )
    if (stranger !== undefined)
      return {
        misfit: `no source is called "${stranger.source}"; the sources are ${context.observed.map(describeSource).join(', ') || 'none'}`,
      }
  }
  const revisions = meant.flatMap(({ one, wanted: name }) => {
    if (tracks(one.source, name)) return []
    const isThere = isMatched || matchSource(context, one, name) !== undefined
    return { index: one.index, revision: isThere && one.revision !== '' ? one.revision : name }
  })
  return { revisions, several }
}

/** Which source a plain revision is meant for; `undefined` where it could be several. */
function meantByOne(context: RevisionContext, wanted: string, isMatched: boolean) {
  const { observed } = context
  const of = (sources: readonly ObservedSource[]) => sources.map((one) => ({ one, wanted }))
  if (observed.length === 1) return of(observed)
  const running = observed.filter((one) => matchSource(context, one, wanted) !== undefined)
  if (isMatched) return of(running.length > 0 ? running : observed)
  const tracking = observed.filter(({ source }) => tracks(source, wanted))
  const candidates =
    tracking.length > 0 ? tracking : isSha(wanted) ? observed.filter(({ source }) => isGit(source)) : observed
  const [first] = running.length > 0 ? running : candidates
  if (first === undefined) return undefined
  const isOne = (running.length > 0 ? running : candidates).every(
    (one) => one === first || isTwin(one, first),
  )
  return isOne ? of(observed.filter((one) => one === first || isTwin(one, first))) : undefined
}
