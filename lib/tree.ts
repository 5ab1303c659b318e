/** What the resource tree says that an Application's status does not: which Pods have ended, and which are broken. */

import type { Application } from './application.ts'
import type { TreeNode } from './evidence.ts'
import { remembered } from './remembered.ts'
import { parseTime } from './time.ts'

const isPod = ({ group, kind }: TreeNode): boolean => group === undefined && kind === 'Pod'
const isReplicaSet = ({ group, kind }: TreeNode): boolean => group === 'apps' && kind === 'ReplicaSet'
const isJob = ({ group, kind }: TreeNode): boolean => group === 'batch' && kind === 'Job'

/** The nodes by their uid. */
type Index = ReadonlyMap<string, TreeNode>

const indexed = remembered(
  (tree: readonly TreeNode[]): Index =>
    new Map(tree.flatMap((node) => (node.uid === undefined ? [] : [[node.uid, node] as const]))),
)

function parentsOf(node: TreeNode, index: Index): readonly TreeNode[] {
  return node.parentUids.flatMap((uid) => index.get(uid) ?? [])
}

/**
 * `Status Reason` of a Pod that is in phase Failed: the phase itself, or what the kubelet and the scheduler write into
 * `status.reason`, which they do of Pods that have ended only. (`Error`, `OOMKilled` and the like are reasons of a
 * container, which may be about to start anew.)
 */
const FAILED_REASONS: ReadonlySet<string> = new Set([
  'Failed',
  'Evicted',
  'DeadlineExceeded',
  'NodeAffinity',
  'NodeShutdown',
  'Preempting',
  'Shutdown',
  'Terminated',
  'UnexpectedAdmissionError',
])
const OUT_OF = /^OutOf[a-z]/

/** Of a Pod in phase Succeeded: the phase, or what each of its containers has come to. */
const SUCCEEDED_REASONS: ReadonlySet<string> = new Set(['Succeeded', 'Completed', 'ExitCode:0'])

/**
 * The Pods of a tree that have ended (phase Succeeded or Failed) and will not run again. A node does not hold the
 * phase; what Argo CD makes of it does tell (`populatePodInfo`, `getCorev1PodHealth`):
 * - from 3.2 on it writes what a Pod requests (`cpu`) of each Pod that has not ended, and of no other;
 * - before, a Pod none of whose containers is ready is Healthy only in phase Succeeded, and Degraded with a reason of
 *   {@link FAILED_REASONS} only in phase Failed. The Pods of a Job are never restarted whole, so these are Degraded in
 *   that phase only, whatever the reason.
 *
 * Where in doubt, and while it is being deleted, a Pod has not ended.
 */
export const endedPods = remembered((tree: readonly TreeNode[]): ReadonlySet<TreeNode> => {
  const pods = tree.filter(isPod)
  const index = indexed(tree)
  const writesRequests = pods.some(({ info }) => info.cpu !== undefined)
  return new Set(
    pods.filter((pod) => {
      const { info, health } = pod
      const reason = info['Status Reason'] ?? ''
      if (reason === '' || reason === 'Terminating' || reason === 'Unknown') return false
      if (!/^0\/\d+$/.test(info.Containers ?? '') || info.cpu !== undefined) return false
      if (writesRequests) return true
      if (health?.status === 'Healthy') return SUCCEEDED_REASONS.has(reason)
      if (health?.status !== 'Degraded') return false
      return FAILED_REASONS.has(reason) || OUT_OF.test(reason) || parentsOf(pod, index).some(isJob)
    }),
  )
})

/**
 * Images that no Pod runs that is still there to run: only Pods that have ended do.
 *
 * @returns the images as the nodes write them, which is how `status.summary.images` does
 */
export const endedImages = remembered((tree: readonly TreeNode[]): ReadonlySet<string> => {
  const ended = endedPods(tree)
  const running = new Set(tree.filter((node) => !ended.has(node)).flatMap(({ images }) => images))
  return new Set([...ended].flatMap(({ images }) => images).filter((image) => !running.has(image)))
})

/**
 * `Status Reason` of a Pod with a container that cannot be made. Argo CD calls it Progressing where it is of an init
 * container, or the Pod is not restarted (a Job's), or the name of the image is none (`getCorev1PodHealth`).
 */
const UNMADE =
  /^(?:Init:)?(?:ErrImage[A-Z]\w*|ImagePullBackOff|ImageInspectError|InvalidImageName|CreateContainer(?:Config)?Error|RunContainerError)$/
/** Likewise of one whose init container fails again and again. */
const INIT_FAILED = /^Init:(?:CrashLoopBackOff|Error|OOMKilled|ExitCode:\d+|Signal:\d+)$/

/**
 * A Pod, ReplicaSet or Job of this release that is Degraded, or a Pod of it that cannot start, while the application is
 * still Progressing: created since the last operation began; any, where no operation is on record.
 *
 * Not held against the release: Pods that have ended, for whoever owns them has another one or says itself that it
 * failed (so do Jobs, whose attempts are Pods); Jobs of a CronJob, which come and go without any operation; Pods of a
 * ReplicaSet that a later one has taken over from (`Rev:` in their info), which may be replaced while a rollout runs.
 */
export function brokenNode(
  { status: { operationState } }: Application,
  tree: readonly TreeNode[],
): TreeNode | undefined {
  const began = parseTime(operationState?.startedAt)
  const isNew = ({ createdAt }: TreeNode): boolean =>
    operationState === undefined || parseTime(createdAt) >= began
  const index = indexed(tree)
  const ended = endedPods(tree)
  return tree.find((node) => {
    const reason = node.info['Status Reason'] ?? ''
    const isDegraded = node.health?.status === 'Degraded'
    const isStuck = isPod(node) && (UNMADE.test(reason) || INIT_FAILED.test(reason))
    if ((!isDegraded && !isStuck) || !isNew(node)) return false
    const parents = parentsOf(node, index)
    const isOfCronJob = (job: TreeNode) => parentsOf(job, index).some(({ kind }) => kind === 'CronJob')
    if (isJob(node)) return !isOfCronJob(node)
    if (isReplicaSet(node)) return !isReplaced(node, tree)
    if (!isPod(node) || ended.has(node)) return false
    const jobs = parents.filter(isJob)
    if (jobs.length > 0) return UNMADE.test(reason) && !jobs.some(isOfCronJob)
    return !parents.some((parent) => isReplicaSet(parent) && isReplaced(parent, tree))
  })
}

/** Whether another ReplicaSet of the same owner has a later revision: a rollback makes an old one the latest. */
function isReplaced(replicaSet: TreeNode, tree: readonly TreeNode[]): boolean {
  const revision = revisionOf(replicaSet)
  return tree.some(
    (other) =>
      isReplicaSet(other) &&
      other.parentUids.some((uid) => replicaSet.parentUids.includes(uid)) &&
      revisionOf(other) > revision,
  )
}

/** NaN, which compares with nothing, where it is not said. */
function revisionOf({ info }: TreeNode): number {
  return Number(/^Rev:(\d+)$/.exec(info.Revision ?? '')?.[1] ?? Number.NaN)
}
