/** Whether an Application says something else than before. */

import type { Application } from './application.ts'
import { remembered } from './remembered.ts'

/** What a stream tells of at once when it changes, as a hash of it: two differ where something that matters has changed. */
export function digest(application: Application | undefined): string {
  return application === undefined ? '' : digestOf(application)
}

const digestOf = remembered((application: Application): string => {
  const { metadata, spec, operation, status } = application
  const { sync, health, operationState, conditions, summary, sourceHydrator } = status
  const last = operationState
  const telling = [
    metadata.deletionTimestamp,
    sync.status,
    sync.revision,
    sync.revisions.join(' '),
    health.status,
    operation === undefined ? '' : 'asked',
    last?.phase,
    last?.startedAt,
    last?.finishedAt,
    last?.retryCount,
    conditions.map(({ type }) => type).join(' '),
    summary.images.join(' '),
    sourceHydrator.currentOperation?.phase,
    sourceHydrator.lastSuccessfulOperation?.drySHA,
    spec.source?.targetRevision,
  ].join('|')
  // Of thousands of applications with hundreds of images, the texts would be much of what a run holds.
  return Bun.hash(telling).toString(36)
})
