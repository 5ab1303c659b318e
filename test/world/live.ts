/** What really runs: applied manifests, their rollout, and Pods. The truth that Argo CD's status is about. */

import { contentOf, sameContents } from './git.ts'
import { later, type Subject, serverTime, type World } from './world.ts'

export interface Live {
  /** The manifests that are applied, by source; `undefined`: none. */
  contents: readonly number[] | undefined
  /** Somebody has changed what was applied. */
  hasDrifted: boolean
  /** The last operation on what is applied has failed its hook. */
  hasFailedHook: boolean
  failedAt: number
  /** Since when nothing is on record of it any more. */
  failureHiddenAt: number | undefined
  /** An operation before the last one has failed its hook, and none has succeeded since. */
  hadFailedHook: boolean
  /** For how long a run could see that no hook made the last operation fail, where nothing is on record of it any more. */
  resultsWereThereFor: number | undefined
  rollout: 'done' | 'progressing' | 'degraded'
  /** Counts rollouts: what was begun for an earlier one ends with it. */
  generation: number
  pods: readonly Pod[]
  /** No Pod may be made: the ReplicaSet says so, since when by the server's clock. */
  blockedSince: number | undefined
  /** A ReplicaSet of which that was so, and another one has taken over. */
  replaced: { readonly since: number; readonly revision: number } | undefined
}

export interface Pod {
  readonly name: string
  readonly image: string
  /** By the server's clock. */
  readonly createdAt: number
  /** `ended` and `failed` are Pods of Jobs of a CronJob. */
  readonly state: 'starting' | 'running' | 'broken' | 'ended' | 'failed' | 'evicted'
}

/** Whether a Pod will not run again. */
export function hasEnded({ state }: Pod): boolean {
  return state === 'ended' || state === 'failed' || state === 'evicted'
}

export function nothingLive(): Live {
  return {
    contents: undefined,
    hasDrifted: false,
    hasFailedHook: false,
    failedAt: Number.NEGATIVE_INFINITY,
    failureHiddenAt: undefined,
    hadFailedHook: false,
    resultsWereThereFor: undefined,
    rollout: 'done',
    generation: 0,
    pods: [],
    blockedSince: undefined,
    replaced: undefined,
  }
}

/** Health as Argo CD would assess it now. */
export function liveHealth({ contents, rollout }: Live): string {
  if (contents === undefined) return 'Missing'
  if (rollout === 'done') return 'Healthy'
  return rollout === 'degraded' ? 'Degraded' : 'Progressing'
}

export function liveImages({ pods }: Live): string[] {
  return [...new Set(pods.map(({ image }) => image))]
}

/** Something that runs has become another: the controller assesses it anew, without a look into Git. */
export function onLive(world: World, subject: Subject): void {
  world.changed(subject)
  world.requestComparison(subject, 1, world.random.between(2, 60) + 1200 * world.random.next() ** 4)
}

/** Manifests are applied; where they are other ones, Pods are replaced. */
export function apply(world: World, subject: Subject, contents: readonly number[]): void {
  const { live } = subject
  const isSame = sameContents(contents, live.contents) && !live.hasDrifted
  live.contents = contents
  live.hasDrifted = false
  if (!isSame) rollOut(world, subject)
}

function rollOut(world: World, subject: Subject): void {
  const { live } = subject
  const { random, journal } = world
  const content = contentOf(world.git, live.contents?.[0] ?? 0)
  const generation = ++live.generation
  const { rollout, rolloutTakes, image } = content
  const change = (delay: number, action: () => void) =>
    later(world, subject, delay, () => {
      if (live.generation !== generation) return
      action()
      onLive(world, subject)
    })
  const old = live.pods
  const pod: Pod = {
    name: `${subject.plan.name}-${generation}`,
    image,
    createdAt: serverTime(world),
    state: 'starting',
  }
  live.rollout = 'progressing'
  live.blockedSince = undefined
  live.replaced = undefined
  journal.count(`rollout ${rollout}`)
  journal.tell(() => `${subject.plan.name}: rolls out ${image} (${rollout})`)
  onLive(world, subject)

  const finish = (delay: number) => {
    change(delay, () => {
      live.rollout = 'done'
      live.pods = [...old, { ...pod, state: 'running' }]
    })
    // Pods that terminate are still seen after the Deployment is done.
    change(delay + random.between(0, 3000), () => {
      live.pods = [...live.pods.filter(hasEnded), { ...pod, state: 'running' }]
    })
  }
  switch (rollout) {
    case 'no quota':
      live.blockedSince = serverTime(world)
      change(content.progressDeadline, () => {
        live.rollout = 'degraded'
      })
      return
    case 'no image':
      live.pods = [...old, pod]
      change(random.between(300, 2500), () => {
        live.pods = [...old, { ...pod, state: 'broken' }]
      })
      change(content.progressDeadline, () => {
        live.rollout = 'degraded'
      })
      return
    case 'degraded at first':
      live.pods = [...old, pod]
      // Not so quickly that nobody could have seen it.
      change(1500 + rolloutTakes * 0.3, () => {
        live.rollout = 'degraded'
      })
      change(3500 + rolloutTakes * 0.7, () => {
        live.rollout = 'progressing'
      })
      finish(5000 + rolloutTakes)
      return
    case 'degraded later': {
      live.pods = [...old, pod]
      finish(rolloutTakes)
      const after = rolloutTakes + 3000 + random.between(0, 20_000)
      change(after, () => {
        live.rollout = 'degraded'
      })
      change(after + random.between(3000, 60_000), () => {
        live.rollout = 'done'
      })
      return
    }
    case 'smooth':
      live.pods = [...old, pod]
      finish(rolloutTakes)
  }
}

/** What runs is Degraded for a while, whatever is being rolled out. */
export function degrade(world: World, subject: Subject, takes: number): void {
  const { live } = subject
  if (live.contents === undefined || live.rollout !== 'done') return
  const { generation } = live
  live.rollout = 'degraded'
  onLive(world, subject)
  later(world, subject, takes, () => {
    if (live.generation !== generation) return
    live.rollout = 'done'
    onLive(world, subject)
  })
}

/** A Pod is evicted: what is left of it stays beside the one that takes its place. */
export function evict(world: World, subject: Subject, takes: number): void {
  const { live } = subject
  const { generation } = live
  const evicted = live.pods.find(({ state }) => state === 'running')
  if (evicted === undefined || live.rollout !== 'done') return
  const next: Pod = { ...evicted, state: 'starting', createdAt: serverTime(world) }
  live.rollout = 'progressing'
  live.pods = [...live.pods.map((pod): Pod => (pod === evicted ? { ...pod, state: 'evicted' } : pod)), next]
  onLive(world, subject)
  later(world, subject, takes, () => {
    if (live.generation !== generation) return
    live.rollout = 'done'
    live.pods = live.pods.map((pod): Pod => (pod === next ? { ...pod, state: 'running' } : pod))
    onLive(world, subject)
  })
}

/** Another ReplicaSet takes over from one that may make no Pods, and may. */
export function restart(world: World, subject: Subject, takes: number): void {
  const { live, plan } = subject
  const { blockedSince: since } = live
  if (since === undefined || live.rollout !== 'progressing') return
  const generation = ++live.generation
  const old = live.pods
  const { image } = contentOf(world.git, live.contents?.[0] ?? 0)
  const name = `${plan.name}-${generation}`
  const pod: Pod = { name, image, createdAt: serverTime(world), state: 'starting' }
  live.blockedSince = undefined
  live.replaced = { since, revision: generation }
  live.pods = [...old, pod]
  onLive(world, subject)
  later(world, subject, takes, () => {
    if (live.generation !== generation) return
    live.rollout = 'done'
    live.replaced = undefined
    live.pods = [...old.filter(hasEnded), { ...pod, state: 'running' }]
    onLive(world, subject)
  })
}
