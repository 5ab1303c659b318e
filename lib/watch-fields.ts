/**
 * The fields of an Application that a stream is asked for: what the predicates read, and not the lists of
 * resources, which only a diagnosis reads and which make an Application large. A test compares this list with
 * lib/application.ts.
 */

const APPLICATION_FIELDS = [
  'metadata.name',
  'metadata.namespace',
  'metadata.deletionTimestamp',
  'metadata.annotations',
  'operation',
  'spec.project',
  'spec.source',
  'spec.sources',
  'spec.sourceHydrator',
  'spec.destination',
  'status.sync',
  'status.health',
  'status.reconciledAt',
  'status.operationState.phase',
  'status.operationState.message',
  'status.operationState.finishedAt',
  'status.operationState.operation.sync',
  'status.operationState.syncResult.revision',
  'status.operationState.syncResult.revisions',
  'status.conditions',
  'status.history.revision',
  'status.history.revisions',
  'status.summary.images',
  'status.sourceHydrator',
] as const

/** What an Application holds and a stream is not asked for. */
export const UNWATCHED_FIELDS = ['status.resources', 'status.operationState.syncResult.resources'] as const

/** The value of the stream's `fields`. A list's elements are cut like objects, and so are errors. */
export const WATCH_FIELDS: readonly string[] = [
  'error',
  'result.type',
  ...APPLICATION_FIELDS.map((field) => `result.application.${field}`),
]
