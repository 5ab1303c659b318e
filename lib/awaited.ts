/** What is not met only because something was asked for and is not known yet. Pure. */

import type { Application } from './application.ts'
import { type Check, isMet } from './check.ts'
import { isKnown } from './evidence.ts'
import { imagesInQuestion } from './image-rules.ts'
import type { Known } from './knowledge.ts'
import { commitsNeeded, comparisonsNeeded } from './revision-needs.ts'

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
