/** What an Application's own status says of it, whatever is wanted: Deleting, StatusStale, Conditions, Hydrating, OutOfSync. */

import {
  type Application,
  HYDRATE_ANNOTATION,
  hasMultipleSources,
  observedRevisions,
  REFRESH_ANNOTATION,
  sourcesOf,
} from './application.ts'
import { type Finding, failing, met, pending } from './check.ts'
import { equivalent } from './equality.ts'
import type { Evidence } from './evidence.ts'
import type { ReleaseContext } from './operation-rules.ts'
import { because, nameOf, some } from './phrase.ts'
import { type ObservedSource, observedSources } from './sources.ts'
import { unreconciled } from './staleness.ts'

/** Deleting: an application on its way out verifies nothing, however healthy it still is. */
export function notDeleting({ metadata }: Application): Finding {
  if (metadata.deletionTimestamp === undefined) return met('the application is not being deleted')
  return failing(`the application is being deleted (since ${metadata.deletionTimestamp})`)
}

/**
 * StatusStale: whether the status can be trusted to be about what is in Git and in the present spec, and its health
 * to be from after the last operation. Argo CD assesses health in another loop than the one that syncs, so straight
 * after a sync health can still be the health from before it. Equal seconds count: the reconcile is queued after
 * the end of the operation is written (as in Kargo's own health checker), unless another revision was found than the
 * one synced, and no time has passed. A dry run queues none, and changes nothing. So it is with what is hydrated, which is another loop's.
 */
export function statusIsFresh(application: Application, { controllerLooked }: Evidence): Finding {
  const { metadata, spec, status } = application
  if (REFRESH_ANNOTATION in metadata.annotations)
    return pending('a refresh is asked for and the application controller has not done it yet')
  const { comparedTo } = status.sync
  const multiple = hasMultipleSources(application)
  const same = multiple
    ? equivalent(spec.sources, comparedTo.sources)
    : equivalent(sourcesOf(application)[0], comparedTo.source)
  if (!same)
    return pending(
      `the status is about an older spec: ${multiple ? 'spec.sources' : 'the source'} changed since it was compared`,
    )
  if (!equivalent(spec.destination, comparedTo.destination))
    return pending('the status is about an older spec: spec.destination changed since it was compared')
  const hydration = status.sourceHydrator.currentOperation
  if (spec.sourceHydrator !== undefined && !equivalent(spec.sourceHydrator, hydration?.sourceHydrator))
    return pending(
      hydration === undefined
        ? 'the source has not been hydrated yet'
        : 'the status is about an older spec: spec.sourceHydrator changed since it was hydrated',
    )
  // The controller goes on comparing with these until another operation is on record, whether it was a dry run or not.
  if ((status.operationState?.operation.sync?.manifests ?? 0) > 0)
    return pending(
      'the last operation synced manifests from a local directory (argocd app sync --local), so Synced says ' +
        'nothing about what is in Git; sync the application from Git',
    )
  const uncompared =
    status.sync.status === 'Synced' ? observedSources(application).find(isUnknown) : undefined
  if (uncompared !== undefined)
    return pending(
      `Argo CD shows the revision ${uncompared.shown}, which is no commit, as ` +
        'after a sync of local manifests (argocd app sync --local), so Synced says nothing about what is in Git',
    )
  const ended = unreconciled(application)
  if (ended !== undefined && !(ended.settles && controllerLooked))
    return pending(
      `${ended.what === 'operation' ? 'health' : 'the status'} ${ended.isOfOneSecond ? 'may be' : 'is'} from before ` +
        `the end of the last ${ended.what} (${ended.finishedAt === 'unknown' ? 'end unknown' : ended.finishedAt}; ` +
        `last reconciled ${status.reconciledAt ?? 'never'})`,
    )
  return met('the status is about the present spec and the last operation')
}

/** What is in Git is compared at a commit; of anything else the comparison was not with Git. */
const isUnknown = ({ revision, shown }: ObservedSource): boolean => revision === '' && shown !== ''

const ERROR_CONDITIONS: ReadonlySet<string> = new Set(['ComparisonError', 'InvalidSpecError', 'UnknownError'])

/** Conditions that are judged elsewhere (SyncError by OutOfSync, DeletionError by Deleting), or only warn. */
const OTHER_CONDITIONS: ReadonlySet<string> = new Set(['SyncError', 'DeletionError'])
const WARNING = /Warning$/

/** Conditions: what Argo CD could not compare or compute, it cannot vouch for. */
export function noErrorConditions({ status: { conditions } }: Application): Finding {
  const errors = conditions.filter(({ type }) => ERROR_CONDITIONS.has(type ?? ''))
  if (errors.length > 0)
    return failing(errors.map(({ type, message }) => `${type}${because(message)}`).join('; '))
  const unknown = conditions.find(({ type = '' }) => !OTHER_CONDITIONS.has(type) && !WARNING.test(type))
  if (unknown !== undefined)
    return pending(
      `the condition ${unknown.type ?? 'without a type'} is not known to be harmless${because(unknown.message)}`,
    )
  return met('no condition reports an error')
}

/** Hydrating: manifests that are being rendered anew are not the ones that run. */
export function notHydrating({ metadata, spec, status: { sourceHydrator } }: Application): Finding {
  if (spec.sourceHydrator === undefined) return met('the source is not hydrated')
  const operation = sourceHydrator.currentOperation
  const what = operation?.drySHA ?? 'the source'
  if (operation?.phase === 'Failed')
    return failing(`the hydration of ${what} failed${because(operation.message)}`)
  if (operation !== undefined && operation.phase !== 'Hydrated')
    return pending(`the hydration of ${what} is ${operation.phase ?? 'in an unknown phase'}`)
  if (HYDRATE_ANNOTATION in metadata.annotations) return pending('a hydration is asked for and has not ended')
  return met('no hydration is in progress')
}

/**
 * OutOfSync: a SyncError condition is what auto-sync leaves when it will not try this revision again. As with a
 * failed operation, what it gave up of an older release is not held against the one that is waited for. What it gave up
 * is what it has compared (`autoSync`), whatever operation has been asked for since.
 */
export function synced(application: Application, { identified, isWanted }: ReleaseContext): Finding {
  const { sync, conditions, resources } = application.status
  if (sync.status === 'Synced') return met('sync status is Synced')
  const found = `sync status is ${sync.status ?? 'not known yet'}`
  const gaveUp = conditions.find(({ type }) => type === 'SyncError')
  if (gaveUp !== undefined) {
    const message = `${found}, and auto-sync gave up${because(gaveUp.message)}`
    return identified || isWanted(observedRevisions(application)) ? failing(message) : pending(message)
  }
  const differing = resources.filter(({ status }) => status === 'OutOfSync').map(nameOf)
  return pending(`${found}${some(differing, ', ')}`)
}
