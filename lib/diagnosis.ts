/** Goes to the root of a no: which resources are not healthy, down to the Pod. Pure; it changes no verdict. */

import type { Application } from './application.ts'
import { isMet } from './check.ts'
import { applicationOf, type Known } from './knowledge.ts'
import { failedResults, mayHideFailure, resultsNeeded } from './operation-rules.ts'
import { remembered } from './remembered.ts'
import { parseTime } from './time.ts'

/** A resource that is not as it should be. */
export interface UnhealthyResource {
  readonly group: string
  readonly kind: string
  readonly namespace: string
  readonly name: string
  /** Its health status; `''` where Argo CD assesses none. */
  readonly health: string
  /** Its sync status, or the result of its last sync where that failed. */
  readonly status: string
  readonly message: string
}

/** Whether something of an application needs an explanation: its health, or an operation that failed. */
function isIll({ checks }: Known): boolean {
  return checks.some(
    (check) => !isMet(check) && (check.code === 'NotHealthy' || check.code === 'OperationFailed'),
  )
}

/** Statuses of health that need no explanation. */
const WELL: ReadonlySet<string> = new Set(['', 'Healthy'])

/**
 * The resources that are not healthy, or failed to sync, from the Application and its resource tree, each once:
 * failed ones first, then by what they are.
 */
export function unhealthyResources(known: Known): readonly UnhealthyResource[] {
  const application = applicationOf(known)
  if (application === undefined || !isIll(known)) return []
  const found = new Map<string, UnhealthyResource>()
  const add = (resource: UnhealthyResource) => {
    const key = [resource.group, resource.kind, resource.namespace, resource.name].join('/')
    const before = found.get(key)
    found.set(key, before === undefined ? resource : merge(before, resource))
  }
  for (const r of failedResults(application))
    add({ ...names(r), health: '', status: r.hookPhase ?? r.status ?? '', message: r.message ?? '' })
  for (const r of application.status.resources) {
    const health = r.health?.status ?? ''
    const explained = WELL.has(health) || known.wanted.health.includes(health)
    if (!explained) add({ ...names(r), health, status: r.status ?? '', message: r.health?.message ?? '' })
  }
  for (const node of known.evidence.tree ?? []) {
    const health = node.health?.status ?? ''
    const explained = WELL.has(health) || known.wanted.health.includes(health)
    if (!explained) add({ ...names(node), health, status: '', message: node.health?.message ?? '' })
  }
  return [...found.values()].sort((a, b) => rank(a) - rank(b))
}

function names({
  group,
  kind,
  namespace,
  name,
}: Partial<Record<'group' | 'kind' | 'namespace' | 'name', string | undefined>>) {
  return { group: group ?? '', kind: kind ?? '', namespace: namespace ?? '', name: name ?? '' }
}

function merge(a: UnhealthyResource, b: UnhealthyResource): UnhealthyResource {
  return { ...a, health: a.health || b.health, status: a.status || b.status, message: a.message || b.message }
}

function rank({ health, status }: UnhealthyResource): number {
  if (status === 'Failed' || status === 'Error' || status === 'SyncFailed') return 0
  return health === 'Degraded' ? 1 : 2
}

/** The resource that tells most of why an application is not healthy: a Pod, where one says something, or the first that does. */
export function tellingResource(resources: readonly UnhealthyResource[]): UnhealthyResource | undefined {
  const telling = resources.filter(({ message }) => message !== '')
  return telling.find(({ kind }) => kind === 'Pod') ?? telling[0]
}

/** A resource and what it says, as a sentence. */
export function describeResource({ kind, name, health, status, message }: UnhealthyResource): string {
  return `${kind} ${name} is ${health || status || 'not ready'}: ${message}`
}

/** Whether results of an operation count that only a request tells: a stream leaves them out. */
export function lacksResults(known: Known): boolean {
  const application = applicationOf(known)
  if (application === undefined || !areResultsNeeded(application)) return false
  const { whole } = known
  // What another operation has taken the place of, no request tells any more.
  const isGone = whole !== undefined && mayHideFailure(whole) && !(startOf(whole) < startOf(application))
  return !isGone
}

/** When its last operation began, by the server's clock. */
function startOf({ status: { operationState } }: Application): number {
  return parseTime(operationState?.startedAt)
}

/** Asked of each application, each time that something has happened to one of them. */
const areResultsNeeded = remembered(resultsNeeded)
