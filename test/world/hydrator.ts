/**
 * The source hydrator: renders dry commits into commits of another branch. Facts from `controller/hydrator`; what an
 * older one does differently from 3.5 is told where it happens.
 */

import { annotateRefresh } from './controller.ts'
import { isFaulty } from './faults.ts'
import { contentAt, contentOf, headOf, point } from './git.ts'
import { HYDRATED, shaOf } from './scenario.ts'
import { write } from './store.ts'
import { hydratedBranch, later, refOf, type Subject, sameSources, serverTime, type World } from './world.ts'

/** By itself the hydrator looks every two to three minutes. */
export function armHydrator(world: World, subject: Subject): void {
  if (subject.plan.hydration === 'none') return
  later(world, subject, world.random.between(120_000, 180_000), () => {
    look(world, subject)
    armHydrator(world, subject)
  })
}

/** The hydrator has a look at an application, where it has none under way. */
export function requestHydration(world: World, subject: Subject, delay: number): void {
  if (subject.plan.hydration === 'none') return
  later(world, subject, delay, () => look(world, subject))
}

function look(world: World, subject: Subject): void {
  const { controller, spec, status, plan } = subject
  const [source] = spec.sources
  if (source === undefined) return
  if (controller.isHydrating) {
    lookMeanwhile(world, subject)
    return
  }
  if (isFaulty(world, 'comparison error') || isFaulty(world, 'controller down')) {
    later(world, subject, 2000, () => look(world, subject))
    return
  }
  const { version } = world.scenario
  const dry = headOf(world.git, refOf(source, source.targetRevision))
  if (dry === undefined) return
  const { current, last } = status.hydrator
  const isNew = last?.drySHA !== dry || !sameSources(current?.spec.sources, spec.sources)
  const isNeeded = isNew && !(plan.hydration === 'skips' && isUnchanged(world, subject, dry))
  if (version !== '3.4' && status.hydrator.lastComparedDryRevision !== dry)
    status.hydrator = { ...status.hydrator, lastComparedDryRevision: dry }
  if (!isNeeded || version === '3.5') dropAnnotation(subject)
  if (!isNeeded) {
    write(world, subject)
    return
  }
  controller.isHydrating = true
  world.journal.count('hydration')
  if (version === '3.4') {
    // The phase comes first.
    dropAnnotation(subject)
    hydrate(world, subject, dry)
    return
  }
  // The look is on record now; the hydration begins when a worker is free.
  write(world, subject)
  later(world, subject, world.random.between(50, 300) + 8000 * world.random.next() ** 2, () =>
    hydrate(world, subject, dry),
  )
}

/**
 * Whoever asks while a hydration goes on is answered by that one, though it may have read Git before: up to 3.5 the
 * annotation is taken away all the same (`appNeedsHydration`, "already in progress"; `PersistHydrationStatus`). From
 * 3.6 on it stays until one that began later has ended.
 */
function lookMeanwhile(world: World, subject: Subject): void {
  const { spec, status } = subject
  if (world.scenario.version === '3.6' || subject.annotations.hydrate === undefined) return
  const [source] = spec.sources
  // One that waits for a worker reads Git when it begins.
  const isQueued = status.hydrator.current?.phase !== 'Hydrating' && !isFaulty(world, 'comparison error')
  const dry = source && headOf(world.git, refOf(source, source.targetRevision))
  if (isQueued && dry !== undefined) status.hydrator = { ...status.hydrator, lastComparedDryRevision: dry }
  if (!isQueued) world.journal.count('hydration absorbed')
  dropAnnotation(subject)
  write(world, subject)
}

function dropAnnotation(subject: Subject): void {
  const { hydrate: _, hydrateTimestamp: __, ...others } = subject.annotations
  subject.annotations = others
}

/** Whether a dry commit holds the same manifests as the last one that was hydrated, under the same spec. */
function isUnchanged({ git }: World, { spec, status }: Subject, dry: string): boolean {
  const { last } = status.hydrator
  const path = spec.sources[0]?.path
  if (last === undefined || path === undefined || !sameSources(last.spec.sources, spec.sources)) return false
  return git.commits.get(dry)?.contents.get(path) === git.commits.get(last.drySHA)?.contents.get(path)
}

function hydrate(world: World, subject: Subject, looked: string): void {
  const { spec, status, plan, controller } = subject
  const [dryAt] = spec.sources
  const { version } = world.scenario
  const dry = (dryAt && headOf(world.git, refOf(dryAt, dryAt.targetRevision))) ?? looked
  const { hydrate: asked, hydrateTimestamp } = subject.annotations
  const current = { drySHA: dry, hydratedSHA: undefined, message: undefined, spec }
  status.hydrator = { ...status.hydrator, current: { ...current, phase: 'Hydrating' } }
  write(world, subject)
  later(world, subject, world.random.between(300, 6000), () => {
    controller.isHydrating = false
    // What was asked for meanwhile has another time, and is looked at next.
    if (asked !== undefined && subject.annotations.hydrateTimestamp === hydrateTimestamp)
      dropAnnotation(subject)
    if (isFaulty(world, 'comparison error') || !renders(world, subject, dry)) {
      world.journal.count('hydration failed')
      status.hydrator = {
        ...status.hydrator,
        current: {
          ...current,
          phase: 'Failed',
          message: 'failed to push',
          finishedAt: serverTime(world),
        },
      }
      write(world, subject)
      later(world, subject, 120_000, () => look(world, subject))
      return
    }
    const [source] = spec.sources
    const contents = new Map(world.git.commits.get(dry)?.contents)
    // What the dry path renders is written where the application is synced from.
    const rendered = source?.path === undefined ? undefined : contents.get(source.path)
    const syncedFrom = plan.sources[0]?.path
    if (rendered !== undefined && syncedFrom !== undefined) contents.set(syncedFrom, rendered)
    const hydratedSHA = shaOf(HYDRATED + world.git.commits.size)
    const commit = {
      sha: hydratedSHA,
      message: `hydrate ${dry}`,
      contents,
      hydratedFrom: { dry, sources: spec.sources },
    }
    world.git.commits.set(hydratedSHA, commit)
    if (source !== undefined)
      point(world.git, refOf(source, hydratedBranch(plan)), hydratedSHA, world.time.now())
    status.hydrator = {
      ...status.hydrator,
      current: { ...current, phase: 'Hydrated', hydratedSHA, finishedAt: serverTime(world) },
      last: { drySHA: dry, hydratedSHA, spec },
      ...(version === '3.4' ? {} : { lastComparedDryRevision: dry }),
    }
    world.journal.tell(() => `${plan.name}: hydrated ${dry.slice(0, 7)} as ${hydratedSHA.slice(0, 7)}`)
    write(world, subject)
    annotateRefresh(world, subject, `hydrator-${hydratedSHA}`, false)
    // What came meanwhile and nobody has asked for, the repository server's cache keeps from being seen.
    if (subject.annotations.hydrate !== undefined) later(world, subject, 20, () => look(world, subject))
  })
}

function renders({ git }: World, { spec }: Subject, dry: string): boolean {
  const id = contentAt(git, dry, spec.sources[0]?.path)
  return id === undefined || contentOf(git, id).renders !== false
}
