/** What to try next: one sentence for the usual causes of a no. Pure. */

import { type Application, sourcesOf } from './application.ts'
import { isFailing } from './check.ts'
import { tellingResource, type UnhealthyResource, unhealthyResources } from './diagnosis.ts'
import { formatDuration } from './duration.ts'
import type { Outcome } from './ending.ts'
import { applicationOf, type Known } from './knowledge.ts'
import { namedIn } from './label.ts'
import { failedResults } from './operation-rules.ts'
import type { ApplicationRef } from './requests.ts'
import type { Result } from './result-schema.ts'
import { refreshDecides } from './revision-needs.ts'
import type { Policy } from './wanted.ts'
import { whereabouts } from './whereabouts.ts'

/** What is waited where nobody says otherwise, in milliseconds: short for a rollout. */
const DEFAULT_TIMEOUT = 30_000

/**
 * The next step for somebody who reads a no for the first time.
 *
 * @returns `undefined` where the message itself says it, or nobody knows
 */
export function adviceFor(
  result: Pick<Result, 'verified' | 'reason' | 'message' | 'applications'>,
  { knowledge }: Pick<Outcome, 'knowledge'>,
): string | undefined {
  if (result.verified || result.reason === 'Interrupted') return undefined
  const { applications, policy, target, visible } = knowledge
  if (result.reason === 'NotFound' && target.kind === 'selector')
    return applications.size === 0 ? selectorAdvice(target.selector, visible) : undefined
  const named = namedIn(result)
  const known = [...applications.values()].find((one) => isSame(one, named))
  if (known === undefined || named === undefined) return undefined
  if (result.reason === 'NotFound') return missingAdvice(known.ref, visible)
  // What is failing besides is why it does not go on.
  const check =
    known.checks.find(isFailing) ?? known.checks.find(({ code }) => code === result.reason) ?? undefined
  if (check?.next !== undefined) return check.next ?? unlessOneLook(known, policy)
  const application = applicationOf(known)
  const name = word(named.name) ?? 'NAME'
  switch (check?.code ?? result.reason) {
    case 'Deleting':
      return 'it does not come back by itself; where it does not go away, look at its finalizers'
    case 'RevisionMismatch':
      return revisionAdvice(known, policy)
    case 'CommitMessageMismatch':
      return `upper and lower case count; is the commit with that message in what the application tracks${trackedBy(application)}?`
    case 'OutOfSync':
      return check !== undefined && isFailing(check)
        ? `auto-sync does not try this revision again: mend the cause, then argocd app sync ${name}`
        : policy.sync !== undefined
          ? syncAdvice(known, policy)
          : `does it sync by itself, is a sync window closed, or is its sync still to come? argocd app sync ${name}, or ${longer(policy)}`
    case 'StatusStale':
      return (application?.status.operationState?.operation.sync?.manifests ?? 0) > 0
        ? `argocd app sync ${name}`
        : `that takes seconds where Argo CD's application controller runs: try ${longer(policy)}, or look at it`
    case 'Conditions':
      return 'mend what Argo CD says; it is also at the top of the page of the application'
    case 'Hydrating':
      return check !== undefined && isFailing(check)
        ? "the log of Argo CD's commit server says more"
        : `it was still under way: try ${longer(policy)}`
    case 'ImageMismatch':
      return imageAdvice(known, policy)
    case 'OperationInProgress':
      return `it was still under way: try ${longer(policy)}`
    case 'NotStable':
      return `it was still to prove itself: KPCEA_TIMEOUT must hold the way there and KPCEA_STABLE_FOR; try ${longer(policy)}`
    case 'OperationFailed':
      return operationAdvice(
        application,
        policy.sync === undefined ? `argocd app sync ${name}` : anew(policy),
      )
    case 'NotHealthy':
      return check !== undefined && !isFailing(check) && application?.status.health.status === 'Progressing'
        ? `it was still under way: try ${longer(policy)}`
        : logAdvice(tellingResource(unhealthyResources(known)))
    default:
      return undefined
  }
}

function isSame({ ref, sighting }: Known, named: Result['applications'][number] | undefined): boolean {
  const { name, namespace = ref.namespace } = sighting?.application?.metadata ?? ref
  return name === named?.name && (namespace ?? null) === named.namespace
}

/** A longer timeout, and what it was. */
function longer({ timeout }: Pick<Policy, 'timeout'>): string {
  if (timeout === 0) return 'a KPCEA_TIMEOUT (it was 0: one look)'
  if (timeout === DEFAULT_TIMEOUT)
    return `a longer KPCEA_TIMEOUT than ${formatDuration(timeout)}, which is the default`
  return 'a longer KPCEA_TIMEOUT'
}

// ---- What cannot be seen

function selectorAdvice(selector: string, visible: readonly ApplicationRef[] | undefined): string {
  if (visible?.length === 0) return policyLine('PROJECT/*')
  // As with words: what a shell takes as it is.
  const labels = /^[\w.,=!()/ -]+$/.test(selector) ? `'${selector}'` : 'LABELS'
  return `check the labels: argocd app list -l ${labels}`
}

function missingAdvice(ref: ApplicationRef, visible: readonly ApplicationRef[] | undefined): string {
  const name = word(ref.name) ?? 'NAME'
  const where = visible === undefined ? undefined : whereabouts(ref, visible)
  const object = [word(ref.project) ?? 'PROJECT', word(ref.namespace), name]
    .filter((part) => part !== undefined)
    .join('/')
  switch (where?.kind) {
    case 'nothing-seen':
      return policyLine(object)
    case 'elsewhere':
      return `did you mean --app ${word(where.namespace) ?? 'NAMESPACE'}/${name}?`
    case 'another-project':
      return 'leave KPCEA_PROJECT (--project) out, or give the one that it is in'
    case 'near':
      return `did you mean --app ${[word(ref.namespace), word(where.name) ?? 'NAME'].filter((part) => part !== undefined).join('/')}?`
    default:
      return `check the name and the namespace; and, as the account of the token${ref.project === undefined ? ' and with the project of the application' : ''}, argocd account can-i get applications '${object}'`
  }
}

function policyLine(object: string): string {
  return `Argo CD's argocd-rbac-cm needs the line p, ACCOUNT, applications, get, ${object}, allow; kpcea doctor says which account asks`
}

// ---- What is not what is wanted

function revisionAdvice(known: Known, policy: Policy): string | undefined {
  if (policy.refresh === 'none')
    return 'without a webhook Argo CD looks at Git every two to three minutes: set KPCEA_REFRESH=normal, or wait longer'
  const application = applicationOf(known)
  const tracked = trackedBy(application)
  return tracked === ''
    ? 'is this the repository that the application tracks, and has it been pushed there?'
    : `is it in what the application tracks${tracked}, and has it been pushed there?`
}

/** A branch points somewhere only after a refresh, and one look asks for none. */
function unlessOneLook(known: Known, policy: Policy): string | undefined {
  const application = applicationOf(known)
  if (application === undefined || !refreshDecides(application, known.wanted)) return undefined
  return policy.timeout === 0
    ? 'one look (KPCEA_TIMEOUT=0) asks for no refresh, which a branch needs: give it some time (--timeout 30s), or verify a commit'
    : `it takes a refresh: try ${longer(policy)}`
}

/** What an application tracks, in parentheses; nothing where that is not known. */
function trackedBy(application: Application | undefined): string {
  const [source] = application === undefined ? [] : sourcesOf(application)
  const { repoURL, targetRevision } = application?.spec.sourceHydrator?.drySource ?? source ?? {}
  if (repoURL === undefined) return ''
  return ` (${targetRevision || 'HEAD'} of ${repoURL.replace(/\/\/[^/@]*@/, '//')})`
}

/** Where nothing is under way, more time would not bring another image. */
function imageAdvice(known: Known, policy: Policy): string {
  const application = applicationOf(known)
  const isQuiet =
    application?.status.health.status === 'Healthy' && application.status.sync.status === 'Synced'
  return isQuiet && policy.timeout > 0
    ? `do the manifests of the application name it? if they do, its Pods are still to come: ${longer(policy)}`
    : `it was still under way: try ${longer(policy)}`
}

// ---- What has failed

function operationAdvice(application: Application | undefined, again: string): string {
  const hook =
    application === undefined ? undefined : failedResults(application).find(({ hookType }) => hookType)
  const isRetrying = application?.status.operationState?.phase === 'Running'
  const then = isRetrying ? 'Argo CD tries again by itself' : again
  const kind = hook?.kind === 'Job' ? 'job' : undefined
  const [jobName, namespace] = [word(hook?.name), word(hook?.namespace)]
  if (kind !== undefined && jobName !== undefined && namespace !== undefined)
    return `kubectl -n ${namespace} logs ${kind}/${jobName} says why, while it is there; mend it, and ${isRetrying ? then : `then ${then}`}`
  return `mend what failed, and ${isRetrying ? then : `then ${then}`}`
}

/** A run that is to sync goes by its id, and starts nothing anew for one that has failed. */
function anew({ sync }: Policy): string {
  return sync?.id === undefined
    ? 'start this again'
    : 'start this again with another KPCEA_SYNC_ID (--sync-id), which this one has used up'
}

function syncAdvice({ syncing: { refusal } }: Known, policy: Policy): string | undefined {
  return refusal?.kind === 'closed'
    ? `${longer(policy)}, or start this again when the window is open`
    : undefined
}

function logAdvice(resource: UnhealthyResource | undefined): string | undefined {
  const [name, namespace] = [word(resource?.name), word(resource?.namespace)]
  if (name === undefined || namespace === undefined || resource?.kind !== 'Pod') return undefined
  return `kubectl -n ${namespace} describe pod ${name}, or its log, says more`
}

/** What is to be copied into a shell is a word, and no command of whoever chose the name. */
function word(name: string | null | undefined): string | undefined {
  return name !== null && name !== undefined && /^[\w.-]+$/.test(name) ? name : undefined
}
