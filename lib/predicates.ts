/**
 * When an application is what was asked for: all checks of one snapshot of the Application, what is wanted, and what
 * else this run has learnt. No clock, no network. Each check is a pure function of its own, in the modules that are
 * imported here. docs/verification.md tells the rules in words; where it and they disagree, one has a defect.
 */

import { type Application, observedRevisions } from './application.ts'
import { type Check, type Code, type Finding, isMet, met, pending } from './check.ts'
import { commitOf } from './commits.ts'
import type { Evidence } from './evidence.ts'
import { healthy } from './health-rules.ts'
import { hydratedOf } from './hydration.ts'
import { imagesInQuestion, imagesMatch, imagesRun } from './image-rules.ts'
import { noOperationInProgress, operationSucceeded } from './operation-rules.ts'
import { sameRevision } from './revision.ts'
import { matchRevisions } from './revision-rules.ts'
import { isGit, isNamed, observedSources, revisionContext } from './sources.ts'
import { noErrorConditions, notDeleting, notHydrating, statusIsFresh, synced } from './status-rules.ts'
import type { Wanted } from './wanted.ts'

/** RevisionMismatch: the rules are in revision-rules.ts. */
function revisionMatches(application: Application, wanted: Wanted, evidence: Evidence): Finding {
  if (wanted.revision === undefined) return met('no revision is asked for')
  return matchRevisions(revisionContext(application, wanted.revisionPolicy, evidence), wanted.revision)
}

/** CommitMessageMismatch: with several sources, the message of any of them will do. A chart has none. */
function commitMessageMatches(
  application: Application,
  { commitMessage }: Wanted,
  evidence: Evidence,
): Finding {
  if (commitMessage === undefined) return met('no commit message is asked for')
  const wantedText = JSON.stringify(commitMessage)
  const observed = observedSources(application).filter(
    ({ source, revision }) => revision !== '' && isGit(source),
  )
  if (observed.length === 0)
    return pending(`no synced commit is known whose message could contain ${wantedText}`)
  const found: string[] = []
  for (const source of observed) {
    const { revision } = source
    const commit = commitOf(evidence, source)
    if (commit === undefined) found.push(`the message of ${revision} is not known yet`)
    else if ('problem' in commit) found.push(`the message of ${revision} cannot be had (${commit.problem})`)
    else if (commit.message?.includes(commitMessage) === true)
      return met(`the commit message of ${revision} contains ${wantedText}`)
    else found.push(`the message of ${revision} is ${JSON.stringify(firstLine(commit.message ?? ''))}`)
  }
  return pending(`no synced commit's message contains ${wantedText}: ${found.join('; ')}`)
}

function firstLine(message: string): string {
  return message.split('\n', 1)[0] ?? ''
}

/**
 * All checks of an application's snapshot, in the order in which they name a verdict; the ones for what is not asked
 * are left out.
 *
 * @param application `undefined`: it cannot be seen
 */
export function checkApplication(
  application: Application | undefined,
  wanted: Wanted,
  evidence: Evidence,
): readonly Check[] {
  if (application === undefined) {
    const message =
      'the application does not exist, or this account may not see it: Argo CD does not tell which'
    return [{ code: 'NotFound', ...pending(message) }]
  }
  const revision = revisionMatches(application, wanted, evidence)
  const commitMessage = commitMessageMatches(application, wanted, evidence)
  const identified = isMet(revision) && isMet(commitMessage) && imagesRun(application, wanted)
  const isWanted = (operated: readonly string[]) =>
    (wanted.revision !== undefined && isMet(revision) && isObserved(application, operated)) ||
    areWanted(application, operated, wanted, evidence)
  const checks: Check[] = []
  const add = (code: Code, finding: Finding) => checks.push({ ...finding, code })
  add('NotFound', met('the application is there'))
  add('Deleting', notDeleting(application))
  add('OperationInProgress', noOperationInProgress(application))
  add('OperationFailed', operationSucceeded(application, { identified, isWanted }))
  add('StatusStale', statusIsFresh(application, evidence))
  add('Conditions', noErrorConditions(application))
  add('Hydrating', notHydrating(application))
  add('OutOfSync', synced(application, { identified, isWanted }))
  if (wanted.revision !== undefined) add('RevisionMismatch', revision)
  if (wanted.commitMessage !== undefined) add('CommitMessageMismatch', commitMessage)
  if (wanted.images.length > 0) add('ImageMismatch', imagesMatch(application, wanted, evidence))
  add('NotHealthy', healthy(application, wanted, evidence, identified))
  return checks
}

/** Whether an operation was for what is observed now. */
function isObserved(application: Application, operated: readonly string[]): boolean {
  return observedRevisions(application).every((revision, i) => sameRevision(operated[i] ?? '', revision))
}

/** Whether the revisions of an operation are the wanted ones by their names, which says nothing where they are not known. */
function areWanted(
  application: Application,
  operated: readonly string[],
  { revision: wanted }: Wanted,
  evidence: Evidence,
): boolean {
  if (wanted === undefined || operated.length === 0) return false
  const isOne = (one: string, name: string) =>
    [name, ...hydratedOf(application, name, evidence)].some((any) => sameRevision(any, one))
  if (wanted.kind === 'any-source') return operated.some((one) => isOne(one, wanted.revision))
  const sources = observedSources(application)
  return wanted.entries.every(({ source, revision }) =>
    sources
      .filter((one) => isNamed(one, source))
      .every(({ index }) => isOne(operated[index] ?? '', revision)),
  )
}

/** Whether the resource tree could decide: health is on its way or bad, or images of Pods that may have ended are in the way. */
export function treeNeeded(application: Application, wanted: Wanted): boolean {
  const health = application.status.health.status ?? ''
  const isIll = (health === 'Progressing' || health === 'Degraded') && !wanted.health.includes(health)
  return isIll || imagesInQuestion(application, wanted)
}
