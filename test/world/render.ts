/** An application's state as the Application that the API serves, already parsed. */

import type { Application } from '../../lib/application.ts'
import { remembered } from '../../lib/remembered.ts'
import { OTHER_PATH } from './git.ts'
import { type ApplicationPlan, SERVER_NAMESPACE, type SourcePlan } from './scenario.ts'
import { hydratedBranch, type Operation, type Revisions, rfc3339, type Spec, type Subject } from './world.ts'

/** Renders what the store holds; a missing field is `undefined` or empty, as the gate's own parser leaves it. */
export function render(subject: Subject): Application {
  const { plan, spec, status, operation, annotations } = subject
  const { operationState, hydrator } = status
  const several = plan.hasSeveralSources
  const compared = status.comparedTo?.parsed
  const application = {
    metadata: {
      name: plan.name,
      namespace: plan.namespace,
      uid: `${plan.namespace}/${plan.name} ${subject.life}`,
      deletionTimestamp: subject.deletingSince === undefined ? undefined : rfc3339(subject.deletingSince),
      annotations: renderAnnotations(subject, annotations),
      labels: subject.labels,
    },
    operation:
      operation === undefined
        ? undefined
        : { info: renderInfo(operation), sync: renderSync(several, operation) },
    spec: spec.parsed,
    status: {
      controllerNamespace: SERVER_NAMESPACE,
      sync: {
        status: status.syncStatus,
        ...revisionFields(several, status.revisions),
        comparedTo: {
          source: compared === undefined || several ? undefined : comparedSource(plan, compared),
          sources: several ? (compared?.sources ?? []) : [],
          destination: compared?.destination,
        },
      },
      health: { status: status.health, message: undefined },
      reconciledAt: status.reconciledAt === undefined ? undefined : rfc3339(status.reconciledAt),
      operationState:
        operationState === undefined
          ? undefined
          : {
              phase: operationState.phase,
              message: operationState.message,
              startedAt: rfc3339(operationState.startedAt),
              finishedAt:
                operationState.finishedAt === undefined ? undefined : rfc3339(operationState.finishedAt),
              retryCount: operationState.retryCount,
              operation: {
                info: renderInfo(operationState.operation),
                sync: renderSync(several, operationState.operation),
                retry: { limit: operationState.operation.retries },
              },
              syncResult:
                operationState.synced === undefined
                  ? undefined
                  : {
                      ...revisionFields(several, operationState.synced),
                      resources: renderResults(operationState.failed),
                    },
            },
      conditions: status.conditions.map(({ type, message }) => ({ type, message })),
      resources:
        status.syncStatus === undefined
          ? []
          : [
              {
                group: 'apps',
                kind: 'Deployment',
                namespace: 'default',
                name: plan.name,
                status: status.syncStatus,
                health: { status: status.health, message: undefined },
              },
            ],
      history: status.history.map(({ id, revisions }) => ({
        id,
        ...revisionFields(several, revisions),
        sources: [],
      })),
      summary: { images: [...status.images] },
      sourceHydrator: {
        currentOperation:
          hydrator.current === undefined
            ? undefined
            : {
                phase: hydrator.current.phase,
                drySHA: hydrator.current.drySHA,
                hydratedSHA: hydrator.current.hydratedSHA,
                message: hydrator.current.message,
                finishedAt:
                  hydrator.current.finishedAt === undefined
                    ? undefined
                    : rfc3339(hydrator.current.finishedAt),
                sourceHydrator: hydrator.current.spec.parsed.sourceHydrator,
              },
        lastSuccessfulOperation:
          hydrator.last === undefined
            ? undefined
            : {
                drySHA: hydrator.last.drySHA,
                hydratedSHA: hydrator.last.hydratedSHA,
                sourceHydrator: hydrator.last.spec.parsed.sourceHydrator,
              },
        lastComparedDryRevision: hydrator.lastComparedDryRevision,
      },
    },
  }
  return application
}

/**
 * An application as a stream tells of it: without what the gate does not ask a stream for. What is said again in the
 * same words is the same, as the gate reads it.
 */
export const cut = remembered((application: Application): Application => {
  const { status } = application
  const { operationState } = status
  const syncResult = operationState?.syncResult
  if (operationState === undefined || syncResult === undefined)
    return { ...application, status: { ...status, resources: [] } }
  return {
    ...application,
    status: {
      ...status,
      resources: [],
      operationState: { ...operationState, syncResult: { ...syncResult, resources: [] } },
    },
  }
})

function renderAnnotations(
  { plan }: Subject,
  { refresh, refreshTimestamp, hydrate, hydrateTimestamp }: Subject['annotations'],
): Record<string, string> {
  const annotations: Record<string, string> = {}
  if (refresh !== undefined) annotations['argocd.argoproj.io/refresh'] = refresh
  if (refreshTimestamp !== undefined) annotations['argocd.argoproj.io/refresh-timestamp'] = refreshTimestamp
  if (hydrate !== undefined) annotations['argocd.argoproj.io/hydrate'] = hydrate
  if (hydrateTimestamp !== undefined) annotations['argocd.argoproj.io/hydrate-timestamp'] = hydrateTimestamp
  if (plan.owner?.stages !== undefined) annotations['kargo.akuity.io/authorized-stage'] = plan.owner.stages
  if (plan.hydration === 'skips') annotations['argocd.argoproj.io/manifest-generate-paths'] = '.'
  return annotations
}

function renderInfo({ id }: { id?: string }) {
  return id === undefined ? [] : [{ name: 'kpcea', value: id }]
}

function renderSync(
  several: boolean,
  {
    revisions,
    isDryRun,
    isLocal,
    isPartial,
  }: Pick<Operation, 'revisions' | 'isDryRun' | 'isLocal' | 'isPartial'>,
) {
  return {
    ...revisionFields(several, revisions),
    dryRun: isDryRun || undefined,
    manifests: isLocal ? 1 : 0,
    resources: isPartial === true ? 1 : 0,
  }
}

function revisionFields(several: boolean, revisions: Revisions) {
  return several
    ? { revision: undefined, revisions: [...revisions] }
    : { revision: revisions[0], revisions: [] }
}

function renderResults(failed: 'hook' | 'resource' | undefined) {
  const common = { group: undefined, namespace: 'default', message: undefined }
  const hook = { ...common, kind: 'Job', name: 'smoke', status: undefined, hookType: 'PostSync' }
  if (failed === 'hook') return [{ ...hook, hookPhase: 'Failed' }]
  if (failed === undefined) return []
  const deployment = { ...common, kind: 'Deployment', name: 'web' }
  return [{ ...deployment, status: 'SyncFailed', hookType: undefined, hookPhase: undefined }]
}

type ParsedSource = Application['spec']['sources'][number]

function parsedSource(source: SourcePlan): ParsedSource {
  const { repoURL, path, chart, targetRevision, name } = source
  return { repoURL, path, chart, targetRevision, ref: undefined, name }
}

/** A spec as the API serves it. */
export function createSpec(
  number: number,
  plan: ApplicationPlan,
  sources: readonly SourcePlan[],
  destination: string,
): Spec {
  const [first] = sources
  const isHydrated = plan.hydration !== 'none'
  const parsed = {
    project: 'default',
    source: isHydrated || plan.hasSeveralSources || first === undefined ? undefined : parsedSource(first),
    sources: plan.hasSeveralSources ? sources.map(parsedSource) : [],
    sourceHydrator:
      isHydrated && first !== undefined
        ? {
            drySource: { repoURL: first.repoURL, targetRevision: first.targetRevision, path: first.path },
            syncSource: {
              repoURL: undefined,
              targetBranch: hydratedBranch(plan),
              path: plan.sources[0]?.path,
            },
          }
        : undefined,
    destination: { server: 'https://kubernetes.default.svc', namespace: destination },
    syncPolicy: { automated: renderAutomated(plan) },
  }
  return { number, sources, destination, parsed }
}

/** What a hydrated application is compared with is where the hydrator writes. */
function comparedSource(plan: ApplicationPlan, { source, sourceHydrator }: Application['spec']) {
  if (sourceHydrator === undefined) return source
  const { drySource, syncSource } = sourceHydrator
  return { repoURL: drySource.repoURL, path: syncSource.path, targetRevision: hydratedBranch(plan) }
}

/** The same sources under another path or branch. */
export function otherPath(sources: readonly SourcePlan[]): SourcePlan[] {
  return sources.map((source) => {
    if (source.path === undefined) return source
    const isOther = source.path.endsWith(OTHER_PATH)
    const path = isOther ? source.path.slice(0, -OTHER_PATH.length) : source.path + OTHER_PATH
    return { ...source, path }
  })
}

/** Automated sync that is switched off still says whether to prune. */
function renderAutomated({ automated, owner }: ApplicationPlan) {
  if (automated) return { prune: undefined, enabled: undefined }
  return owner?.prunes === true ? { prune: true, enabled: false } : undefined
}
