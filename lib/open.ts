/** Which checks nobody can answer yet, because what they rest on is still to be asked or answered. Pure. */

import type { Application } from './application.ts'
import { type Code, isMet } from './check.ts'
import type { Evidence } from './evidence.ts'
import { imagesInQuestion } from './image-rules.ts'
import type { Known } from './knowledge.ts'
import { commitsNeeded, comparisonsNeeded, refreshDecides } from './revision-needs.ts'
import type { Wanted } from './wanted.ts'

/** What something unmet leaves open: whether all is met all the same, and whether something is failing. */
export interface Open {
  readonly met: boolean
  readonly failing: boolean
}

const NOTHING: Open = { met: false, failing: false }

/** What identifies the release; without it, nobody knows whether what is wrong is held against it. */
const IDENTITY: ReadonlySet<Code> = new Set(['RevisionMismatch', 'CommitMessageMismatch'])
const HELD_AGAINST_RELEASE: ReadonlySet<Code> = new Set(['OperationFailed', 'OutOfSync', 'NotHealthy'])

/**
 * What is open of an application of which something is unmet and nothing is failing: an answer that is still to come
 * may show that all is met, or that something is failing. Until then neither has ended, and neither goes on.
 */
export function openOf({
  sighting,
  checks,
  wanted,
  evidence,
  treeAsOf,
}: Pick<Known, 'sighting' | 'checks' | 'wanted' | 'evidence' | 'treeAsOf'>): Open {
  const application = sighting?.application
  if (sighting === undefined || application === undefined) return NOTHING
  // A tree that was asked for before the application was seen says nothing of what is new in it.
  const isTreeAwaited = treeAsOf < sighting.at
  const isIdentityOpen = isIdentityAwaited(application, wanted, evidence)
  const isOpen = (code: Code) =>
    (isIdentityOpen && IDENTITY.has(code)) ||
    (isTreeAwaited && code === 'ImageMismatch' && imagesInQuestion(application, wanted))
  const unmet = checks.filter((check) => !isMet(check)).map(({ code }) => code)
  const isUnidentified = unmet.some((code) => IDENTITY.has(code))
  const mayFail = (code: Code) =>
    isUnidentified
      ? isIdentityOpen && HELD_AGAINST_RELEASE.has(code)
      : isTreeAwaited && code === 'NotHealthy' && application.status.health.status === 'Progressing'
  return { met: unmet.every(isOpen), failing: unmet.some(mayFail) }
}

/** Whether a refresh, a commit or a rendering may still show that the observed revision is the wanted one. */
function isIdentityAwaited(application: Application, wanted: Wanted, evidence: Evidence): boolean {
  if (!evidence.refreshed && refreshDecides(application, wanted)) return true
  const isUnknown = (found: object | undefined) => found === undefined || 'problem' in found
  return (
    commitsNeeded(application, wanted, evidence).some(({ key }) => isUnknown(evidence.commits.get(key))) ||
    comparisonsNeeded(application, wanted, evidence).some(({ key }) =>
      isUnknown(evidence.renderings.get(key)),
    )
  )
}
