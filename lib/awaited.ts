/** What is not met only because something was asked for and is not known yet. Pure. */

import type { Application } from './application.ts'
import { type Check, type Code, isMet } from './check.ts'
import { isKnown } from './evidence.ts'
import { imagesInQuestion } from './image-rules.ts'
import type { Known } from './knowledge.ts'
import { commitsNeeded, comparisonsNeeded, refreshDecides } from './revision-needs.ts'

type Part = Pick<Known, 'sighting' | 'wanted' | 'evidence' | 'checks' | 'treeAsOf'>

/**
 * Whether only an answer is awaited to what was seen: which tags or message a commit has, whether it renders the same,
 * whether the Pods of an image have ended.
 *
 * @param since when it was seen first: an older tree is no answer
 */
export function isAwaited(known: Part, since: number): boolean {
  const application = known.sighting?.application
  if (application === undefined) return false
  return known.checks.every((check) => isMet(check) || awaits(check, application, known, since))
}

function awaits(
  { code }: Check,
  application: Application,
  { wanted, evidence, treeAsOf }: Part,
  since: number,
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
      return imagesInQuestion(application, wanted) && treeAsOf < since
    default:
      return false
  }
}

/** What identifies the release; without it, nobody knows whether what is wrong is held against it. */
const IDENTITY: ReadonlySet<Code> = new Set(['RevisionMismatch', 'CommitMessageMismatch'])
const HELD_AGAINST_RELEASE: ReadonlySet<Code> = new Set(['OperationFailed', 'OutOfSync', 'NotHealthy'])

/**
 * Whether an answer that is awaited may show that something is failing, where nothing is known to be: where a branch
 * points, and what is asked about a commit, whether a failure is held against the release; the tree, what is broken.
 */
export function mayFail(known: Part): boolean {
  const { sighting, wanted, evidence, checks, treeAsOf } = known
  const application = sighting?.application
  if (sighting === undefined || application === undefined) return false
  const unmet = checks.filter((check) => !isMet(check))
  const unidentified = unmet.filter(({ code }) => IDENTITY.has(code))
  if (unidentified.length > 0)
    return (
      unmet.some(({ code }) => HELD_AGAINST_RELEASE.has(code)) &&
      ((!evidence.refreshed && refreshDecides(application, wanted)) ||
        unidentified.every((check) => awaits(check, application, known, sighting.at)))
    )
  // A tree that was asked for before the application was seen says nothing of what is new in it.
  const isRollingOut = application.status.health.status === 'Progressing' && treeAsOf < sighting.at
  return isRollingOut && unmet.some(({ code }) => code === 'NotHealthy')
}
