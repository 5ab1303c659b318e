/** What the gate reads of an Argo CD Application. How it reads it: {@link file://./application-schema.ts}. */

import type * as z from 'zod/mini'
import type { applicationSchema, commitSchema, sourceNameSchema, sourceSchema } from './application-schema.ts'

/** By this a refresh is asked for; the controller removes it when it is done. */
export const REFRESH_ANNOTATION = 'argocd.argoproj.io/refresh'

/** When it was asked for, where the server (3.6 and later) tells; it goes when that very refresh was done. */
export const REFRESH_TIMESTAMP_ANNOTATION = 'argocd.argoproj.io/refresh-timestamp'

/** Likewise for hydration. Without `spec.sourceHydrator` nobody ever removes it. */
export const HYDRATE_ANNOTATION = 'argocd.argoproj.io/hydrate'

/** An Application as the gate sees it: parsed, with lists and groups that are always there. */
export type Application = z.output<typeof applicationSchema>

/** One source of an Application. */
export type Source = z.output<typeof sourceSchema>

/** What tells a source from others. */
export type SourceName = z.output<typeof sourceNameSchema>

/** A source of which nothing is known. */
export const NO_SOURCE: Source = {
  repoURL: undefined,
  path: undefined,
  chart: undefined,
  targetRevision: undefined,
  ref: undefined,
  name: undefined,
}

/** A commit, as Argo CD's revision metadata tells of it. */
export type Commit = z.output<typeof commitSchema>

/** The names of an application in messages, results and maps: `namespace/name`, or `name`. */
export function applicationKey(name: string, namespace: string | undefined): string {
  return namespace === undefined ? name : `${namespace}/${name}`
}

/**
 * The sources that are synced, in the order of `status.sync.revisions`. A hydrated application syncs from where
 * the hydrator writes; several sources take precedence over one (Argo CD, `ApplicationSpec.GetSources`).
 */
export function sourcesOf({ spec }: Application): readonly Source[] {
  if (spec.sourceHydrator !== undefined) {
    const { drySource, syncSource } = spec.sourceHydrator
    return [
      {
        ...NO_SOURCE,
        repoURL: syncSource.repoURL ?? drySource.repoURL,
        path: syncSource.path,
        targetRevision: syncSource.targetBranch,
      },
    ]
  }
  if (spec.sources.length > 0) return spec.sources
  return spec.source === undefined ? [] : [spec.source]
}

/** Whether the application has several sources in Argo CD's sense, so that `sync.revisions` counts. */
export function hasMultipleSources({ spec }: Application): boolean {
  return spec.sourceHydrator === undefined && spec.sources.length > 0
}

/** The observed revision of each source, in the order of {@link sourcesOf}; `''` where there is none. */
export function observedRevisions(application: Application): readonly string[] {
  const { sync } = application.status
  if (!hasMultipleSources(application)) return [sync.revision ?? '']
  return sourcesOf(application).map((_, i) => sync.revisions[i] ?? '')
}

/**
 * A streamed Application, with what a stream is not asked for (`UNWATCHED_FIELDS`) taken over from a whole one where
 * that is about the same thing: the results of the same attempt of the same operation, the resources of the same sync
 * status and health. Of other results nothing is known, which is not the same as none.
 *
 * @param whole what a request for the application brought, earlier or later
 */
export function completed(streamed: Application, whole: Application | undefined): Application {
  const { status } = streamed
  const { operationState: state } = status
  const resources =
    whole !== undefined && isOfOneComparison(streamed, whole) ? whole.status.resources : status.resources
  if (state?.syncResult === undefined) return { ...streamed, status: { ...status, resources } }
  const other = whole?.status.operationState
  const results = isOneAttempt(state, other) ? other?.syncResult?.resources : undefined
  const operationState = { ...state, syncResult: { ...state.syncResult, resources: results } }
  return { ...streamed, status: { ...status, resources, operationState } }
}

type OperationState = Application['status']['operationState']

/** Whether two are the same attempt of the same operation, whatever is known of its results. */
export function isOneAttempt(a: OperationState, b: OperationState): boolean {
  return (
    a?.phase === b?.phase &&
    a?.startedAt === b?.startedAt &&
    a?.finishedAt === b?.finishedAt &&
    a?.retryCount === b?.retryCount &&
    a?.message === b?.message
  )
}

function isOfOneComparison(a: Application, b: Application): boolean {
  const [{ sync, health }, other] = [a.status, b.status]
  return (
    sync.status === other.sync.status &&
    sync.revision === other.sync.revision &&
    sync.revisions.length === other.sync.revisions.length &&
    sync.revisions.every((revision, i) => revision === other.sync.revisions[i]) &&
    health.status === other.health.status &&
    health.message === other.health.message
  )
}
