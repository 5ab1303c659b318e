/** Goes to the root of a no: which resources are not healthy, down to the Pod. It changes no verdict. */

import type { Application } from './application.ts'
import type { ArgoCD, TreeNode } from './argocd.ts'
import { failedResults } from './operation-rules.ts'
import { applicationOf, type Subject } from './subject.ts'

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

/** A person reads the first few applications; for more, each would cost the server two requests. */
const MOST_APPLICATIONS = 5

/**
 * Asks for the trees of applications that are not healthy, or whose operation failed; and, where a stream brought
 * such an application without the results of that operation, once for the whole of it. What cannot be had is left.
 */
export async function diagnose(
  subjects: readonly Subject[],
  client: Pick<ArgoCD, 'application' | 'resourceTree'>,
  signal: AbortSignal,
): Promise<void> {
  const ill = subjects.filter((subject) => {
    const application = applicationOf(subject)
    return application !== undefined && isIll(application, subject)
  })
  await Promise.all(
    ill.slice(0, MOST_APPLICATIONS).flatMap((subject) => [
      client.resourceTree(subject.ref, signal).then(
        (tree) => {
          subject.tree = tree
        },
        () => {},
      ),
      subject.origin === 'request' || !operationFailed(applicationOf(subject))
        ? undefined
        : client.application(subject.ref, signal).then(
            (detail) => {
              subject.detail = detail
            },
            () => {},
          ),
    ]),
  )
}

function isIll(application: Application, { wanted }: Subject): boolean {
  const { status } = application
  return !wanted.health.includes(status.health.status ?? '') || operationFailed(application)
}

function operationFailed(application: Application | undefined): boolean {
  const phase = application?.status.operationState?.phase
  return phase === 'Failed' || phase === 'Error'
}

/** Statuses of health that need no explanation. */
const WELL: ReadonlySet<string> = new Set(['', 'Healthy'])

/**
 * The resources that are not healthy, or failed to sync, from the Application and its resource tree, each once:
 * failed ones first, then by what they are.
 */
export function unhealthyResources(subject: Subject): readonly UnhealthyResource[] {
  const last = applicationOf(subject)
  if (last === undefined || !isIll(last, subject)) return []
  const application = subject.detail ?? last
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
    const explained = WELL.has(health) || subject.wanted.health.includes(health)
    if (!explained) add({ ...names(r), health, status: r.status ?? '', message: r.health?.message ?? '' })
  }
  for (const node of subject.tree) {
    const health = node.health?.status ?? ''
    const explained = WELL.has(health) || subject.wanted.health.includes(health)
    if (!explained) add({ ...names(node), health, status: '', message: node.health?.message ?? '' })
  }
  return [...found.values()].sort((a, b) => rank(a) - rank(b))
}

function names({ group, kind, namespace, name }: TreeNode) {
  return { group: group ?? '', kind: kind ?? '', namespace: namespace ?? '', name: name ?? '' }
}

function merge(a: UnhealthyResource, b: UnhealthyResource): UnhealthyResource {
  return { ...a, health: a.health || b.health, status: a.status || b.status, message: a.message || b.message }
}

function rank({ health, status }: UnhealthyResource): number {
  if (status === 'Failed' || status === 'Error' || status === 'SyncFailed') return 0
  return health === 'Degraded' ? 1 : 2
}
