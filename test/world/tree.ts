/** The resource tree of an application, as Argo CD makes it of what runs: Deployment, ReplicaSets, Pods. */

import type { TreeNode } from '../../lib/evidence.ts'
import { hasEnded, type Pod } from './live.ts'
import { rfc3339, type Subject, type World } from './world.ts'

/** The tree at this moment. */
export function treeOf({ scenario: { version } }: World, { live, plan }: Subject): TreeNode[] {
  if (live.contents === undefined) return []
  const deployment = `Deployment/${plan.name}`
  const node = (kind: string, name: string, createdAt: number, rest: Partial<TreeNode>): TreeNode => ({
    group: kind === 'Pod' ? undefined : kind.endsWith('Job') ? 'batch' : 'apps',
    kind,
    namespace: 'default',
    name,
    uid: `${kind}/${name}`,
    parentUids: [],
    health: undefined,
    images: [],
    info: {},
    createdAt: rfc3339(createdAt),
    ...rest,
  })
  const nodes = [node('Deployment', plan.name, 0, { health: health(ROLLOUT[live.rollout]) })]
  const replicaSet = (name: string, createdAt: number, revision: number, isBlocked: boolean) =>
    node('ReplicaSet', name, createdAt, {
      parentUids: [deployment],
      health: health(isBlocked ? 'Degraded' : 'Healthy'),
      info: { Revision: `Rev:${revision}` },
    })
  if (live.blockedSince !== undefined)
    nodes.push(replicaSet(`${plan.name}-rs-blocked`, live.blockedSince, live.generation + 2, true))
  if (live.replaced !== undefined) {
    const { since, revision } = live.replaced
    nodes.push(replicaSet(`${plan.name}-rs-replaced`, since, revision, true))
  }
  const cronJob = `${plan.name}-nightly`
  const jobs = ({ name, createdAt, state }: Pod) => [
    node('CronJob', cronJob, 0, {}),
    node('Job', name, createdAt, {
      parentUids: [`CronJob/${cronJob}`],
      health: health(state === 'failed' ? 'Degraded' : 'Healthy'),
    }),
  ]
  for (const pod of live.pods) {
    const isEnded = hasEnded(pod)
    const isOfJob = pod.state === 'ended' || pod.state === 'failed'
    const parent = isOfJob ? `Job/${pod.name}` : `ReplicaSet/${pod.name}-rs`
    // A Pod that replaces another is of a ReplicaSet with a later revision.
    if (isOfJob) nodes.push(...jobs(pod))
    else if (!nodes.some(({ uid }) => uid === parent))
      nodes.push(replicaSet(`${pod.name}-rs`, pod.createdAt, Number(pod.name.split('-').at(-1)) + 1, false))
    nodes.push(
      node('Pod', pod.name, pod.createdAt, {
        parentUids: [parent],
        health: health(HEALTH[pod.state]),
        images: [pod.image],
        info: {
          'Status Reason': REASON[pod.state],
          Containers: pod.state === 'running' ? '1/1' : '0/1',
          // Newer servers tell what a Pod requests that has not ended.
          ...(version === '3.4' || isEnded ? {} : { cpu: '100' }),
        },
      }),
    )
  }
  return nodes
}

const health = (status: string) => ({ status, message: undefined })

const ROLLOUT = { done: 'Healthy', progressing: 'Progressing', degraded: 'Degraded' } as const

const HEALTH: Readonly<Record<Pod['state'], string>> = {
  starting: 'Progressing',
  running: 'Healthy',
  broken: 'Degraded',
  ended: 'Healthy',
  failed: 'Degraded',
  evicted: 'Degraded',
}

const REASON: Readonly<Record<Pod['state'], string>> = {
  starting: 'ContainerCreating',
  running: 'Running',
  broken: 'ImagePullBackOff',
  ended: 'Completed',
  failed: 'Error',
  evicted: 'Evicted',
}
