/**
 * The fields of an Application that a stream is asked for: what the predicates read, and not the lists of
 * resources, which make an Application large, and of which one request tells where they count. A test compares this list with
 * lib/application.ts.
 */

const APPLICATION_FIELDS = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
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
  'status.operationState.startedAt',
  'status.operationState.finishedAt',
  'status.operationState.retryCount',
  'status.operationState.operation.retry.limit',
  'status.operationState.operation.sync.revision',
  'status.operationState.operation.sync.revisions',
  'status.operationState.operation.sync.dryRun',
  // The manifests of a sync from a developer's machine come whole: there is no asking whether there are any.
  'status.operationState.operation.sync.manifests',
  'status.operationState.operation.sync.resources',
  'status.operationState.operation.info',
  'status.operationState.syncResult.revision',
  'status.operationState.syncResult.revisions',
  'status.conditions',
  'status.history.id',
  'status.history.revision',
  'status.history.revisions',
  'status.history.sources.repoURL',
  'status.history.sources.path',
  'status.history.sources.chart',
  'status.history.sources.ref',
  'status.history.sources.name',
  'status.summary.images',
  'status.sourceHydrator',
] as const

/**
 * What an Application holds and a stream is not asked for. `completed` takes lists over from a whole one; of the rest
 * a whole one tells, before anything is started.
 */
export const UNWATCHED_FIELDS = [
  'spec.syncPolicy',
  'status.controllerNamespace',
  'status.resources',
  'status.operationState.syncResult.resources',
] as const

/** The value of the stream's `fields`. A list's elements are cut like objects, and so are errors. */
export const WATCH_FIELDS: readonly string[] = [
  'error',
  'result.type',
  ...APPLICATION_FIELDS.map((field) => `result.application.${field}`),
]
