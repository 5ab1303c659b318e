/** What is not met only because something was asked for and is not known yet. Pure. */

import type { Application } from './application.ts'
import { type Check, type Code, isMet } from './check.ts'
import { isKnown } from './evidence.ts'
import { imagesInQuestion, imagesRun } from './image-rules.ts'
import type { Known } from './knowledge.ts'
import { commitsNeeded, comparisonsNeeded, refreshDecides } from './revision-needs.ts'
import { brokenNode } from './tree.ts'

type Part = Pick<Known, 'sighting' | 'wanted' | 'evidence' | 'checks' | 'treeAsOf'>

/**
 * Whether only an answer is awaited to what was seen: which tags or message a commit has, whether it renders the same,
 * whether the Pods of an image have ended.
 *
 * @param treeFrom when it was seen first: an older tree is no answer
 */
export function isAwaited(known: Part, treeFrom: number): boolean {
  const application = known.sighting?.application
  if (application === undefined) return false
  return known.checks.every((check) => isMet(check) || awaits(check, application, known, treeFrom))
}

function awaits(
  { code }: Check,
  application: Application,
  { wanted, evidence, treeAsOf }: Part,
  treeFrom: number,
): boolean {
  const isCommitAwaited = () =>
    commitsNeeded(application, wanted, evidence).some(({ key }) => !isKnown(evidence.commits.get(key)))
  switch (code) {
    case 'CommitMessageMismatch':
      return isCommitAwaited()
    case 'RevisionMismatch':
      return (
        isCommitAwaited() ||
        comparisonsNeeded(application, wanted, evidence).some(
          ({ key }) => !isKnown(evidence.renderings.get(key)),
        )
      )
    case 'ImageMismatch':
      return imagesInQuestion(application, wanted) && treeAsOf < treeFrom
    default:
      return false
  }
}

/** What identifies the release; without it, nobody knows whether what is wrong is held against it. */
const IDENTITY: ReadonlySet<Code> = new Set(['RevisionMismatch', 'CommitMessageMismatch'])

/** Whether a tree would tell of something that is failing, and those that were read do not. */
export function asksTree({ sighting, wanted, evidence: { tree } }: Part): boolean {
  const application = sighting?.application
  return (
    application?.status.health.status === 'Progressing' &&
    !wanted.health.includes('Progressing') &&
    imagesRun(application, wanted) &&
    (tree === undefined || brokenNode(application, tree) === undefined)
  )
}

/** Whether health may be held against the release, once that is identified. */
function mayBeIll(application: Application, known: Part, treeFrom: number): boolean {
  if (!imagesRun(application, known.wanted)) return false
  const { status } = application.status.health
  if (status === 'Progressing') return !asksTree(known) || known.treeAsOf < treeFrom
  return status === 'Degraded'
}

/**
 * Whether an answer that is awaited may show that something is failing, where nothing is known to be: where a branch
 * points, and what is asked about a commit, whether a failure is held against the release; the tree, what is broken.
 *
 * @param treeFrom an older tree says nothing
 */
export function mayFail(known: Part, treeFrom: number): boolean {
  const { sighting, wanted, evidence, checks } = known
  const application = sighting?.application
  if (application === undefined) return false
  const unmet = checks.filter((check) => !isMet(check))
  const mayBe = ({ code }: Check) =>
    code === 'OperationFailed' ||
    code === 'OutOfSync' ||
    (code === 'NotHealthy' && mayBeIll(application, known, treeFrom))
  if (!unmet.some(mayBe)) return false
  const unidentified = unmet.filter(({ code }) => IDENTITY.has(code))
  if (unidentified.length === 0) return asksTree(known) && known.treeAsOf < treeFrom
  return (
    (!evidence.refreshed && refreshDecides(application, wanted)) ||
    unidentified.every((check) => awaits(check, application, known, treeFrom))
  )
}
