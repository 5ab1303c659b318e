/** Whether an application is healthy: the check NotHealthy. */

import type { Application } from './application.ts'
import { type Finding, failing, met, pending } from './check.ts'
import type { Evidence } from './evidence.ts'
import { because, nameOf, some } from './phrase.ts'
import { brokenNode } from './tree.ts'
import type { Wanted } from './wanted.ts'

/**
 * NotHealthy: Degraded is failing, because it seldom mends itself; a rolling update may pass through it. Progressing
 * is failing where the resource tree has a Pod, ReplicaSet or Job of this release that is broken: an image that
 * cannot be pulled keeps a Deployment Progressing for ten minutes (`progressDeadlineSeconds`), and its Pod says so at
 * once. Both only where the release is there: what an older one did is not held against the one that is waited for.
 *
 * @param identified what identifies the release is met
 */
export function healthy(
  application: Application,
  wanted: Wanted,
  { tree }: Evidence,
  identified: boolean,
): Finding {
  const { health, resources } = application.status
  if (health.status !== undefined && wanted.health.includes(health.status))
    return met(`health is ${health.status}`)
  const found = `health is ${health.status ?? 'not known yet'}, not ${wanted.health.join(' or ')}${because(health.message)}`
  const broken =
    health.status === 'Progressing' && tree !== undefined ? brokenNode(application, tree) : undefined
  if (broken !== undefined) {
    const message = `${found} (${nameOf(broken)} is ${broken.health?.status}${because(broken.health?.message || broken.info['Status Reason'])})`
    return identified ? { ...failing(message), basis: 'tree' } : pending(message)
  }
  const unhealthy = resources
    .filter(
      (r) =>
        r.health?.status !== undefined &&
        !wanted.health.includes(r.health.status) &&
        r.health.status !== 'Healthy',
    )
    .map((r) => `${nameOf(r)} is ${r.health?.status}${because(r.health?.message)}`)
  const message = `${found}${some(unhealthy, '; ')}`
  return health.status === 'Degraded' && identified ? failing(message) : pending(message)
}
