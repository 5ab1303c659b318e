/**
 * The application controller: when it compares an application, what it reads at which moment, and what it writes.
 * Facts from Argo CD's `controller/appcontroller.go` and `controller/state.go`.
 */

import { activeFaults, isFaulty } from './faults.ts'
import { contentAt, fetchCommit, headOf, sameContents } from './git.ts'
import { liveHealth, liveImages } from './live.ts'
import { requestOperation } from './operations.ts'
import { resolutionOf } from './promises.ts'
import { write } from './store.ts'
import {
  type Annotations,
  isClosed,
  later,
  type Revisions,
  refOf,
  type Spec,
  type Subject,
  sameSpec,
  serverTime,
  syncedSource,
  type World,
} from './world.ts'

/** How a world asks its controller for a comparison, as soon as none is under way. */
export function onLook(world: World): World['requestComparison'] {
  return (subject, level, delay) => requestComparison(world, subject, level, delay)
}

function requestComparison(world: World, subject: Subject, level: 1 | 2, delay: number): void {
  const { controller } = subject
  controller.wanted = Math.max(controller.wanted, level) as 1 | 2
  later(world, subject, delay, () => compareIfWanted(world, subject))
}

function compareIfWanted(world: World, subject: Subject): void {
  const { controller, annotations } = subject
  if (controller.isComparing || (controller.wanted === 0 && annotations.refresh === undefined)) return
  if (isFaulty(world, 'controller down')) {
    later(world, subject, 500, () => compareIfWanted(world, subject))
    return
  }
  controller.isComparing = true
  const isLatest =
    controller.wanted === 2 || annotations.refresh !== undefined || subject.status.reconciledAt === undefined
  controller.wanted = 0
  world.journal.tell(
    () =>
      `${subject.plan.name}: the controller begins to compare${annotations.refresh === undefined ? '' : ' (refresh)'}`,
  )
  compare(world, subject, { spec: subject.spec, annotations, isLatest, began: serverTime(world) })
}

/** What a comparison knows when it begins: its own copy, whatever happens meanwhile. */
interface Comparing {
  readonly spec: Spec
  readonly annotations: Annotations
  readonly isLatest: boolean
  readonly began: number
}

/** How long a part of a comparison takes. */
function pace(world: World, usual: number): number {
  const { random, scenario } = world
  let delay = scenario.pace * usual * (0.2 + 2 * random.next() ** 3)
  for (const fault of activeFaults(world)) if (fault.kind === 'controller slow') delay += fault.by
  return delay
}

function compare(world: World, subject: Subject, comparing: Comparing): void {
  const { status } = subject
  if (subject.isInvalid) {
    later(world, subject, pace(world, 30), () => {
      status.syncStatus = 'Unknown'
      status.health = 'Unknown'
      status.conditions = [{ type: 'InvalidSpecError', message: 'application project is gone' }]
      err(world, subject)
      finish(world, subject, comparing)
    })
    return
  }
  const isLocal = status.operationState?.operation.isLocal === true
  if (isLocal) {
    later(world, subject, pace(world, 100), () => {
      const raw = comparing.spec.sources.map(({ targetRevision }) => targetRevision)
      conclude(world, subject, comparing, raw, subject.live.contents)
    })
    return
  }
  // What was found last is good enough where Git has not been asked for.
  if (!comparing.isLatest && status.comparedTo === comparing.spec && status.conditions.length === 0) {
    readLive(world, subject, comparing, status.revisions)
    return
  }
  resolve(world, subject, comparing, [])
}

/** Each source is resolved by a call of its own, one after the other. */
function resolve(world: World, subject: Subject, comparing: Comparing, resolved: Revisions): void {
  const { spec } = comparing
  const source = syncedSource(subject, spec, resolved.length)
  if (source === undefined) {
    readLive(world, subject, comparing, resolved)
    return
  }
  if (resolved.length === 0) subject.controller.unseenSince = undefined
  later(world, subject, pace(world, 120), () => {
    const revision =
      source.chart === undefined
        ? headOf(world.git, refOf(source, source.targetRevision))
        : source.targetRevision
    if (revision === undefined || isFaulty(world, 'comparison error')) {
      failComparison(world, subject, comparing)
      return
    }
    if (source.chart === undefined && fetchCommit(world.git, revision, world.time.now()))
      for (const other of world.applications) world.changed(other)
    resolve(world, subject, comparing, [...resolved, revision])
  })
}

function failComparison(world: World, subject: Subject, comparing: Comparing): void {
  const { status } = subject
  world.journal.count('comparison failed')
  if (comparing.annotations.refresh === undefined) {
    // What nobody asked for has a time of grace, in which a failure of Git is passed over.
    subject.controller.isComparing = false
    armTimer(world, subject)
    // Deferred: whoever asked meanwhile is served next.
    later(world, subject, 2, () => compareIfWanted(world, subject))
    return
  }
  status.syncStatus = 'Unknown'
  status.revisions = comparing.spec.sources.map(
    (_, i) => syncedSource(subject, comparing.spec, i)?.targetRevision ?? '',
  )
  status.comparedTo = comparing.spec
  status.reconciledAt = comparing.began
  status.conditions = [{ type: 'ComparisonError', message: 'failed to list refs' }]
  err(world, subject)
  finish(world, subject, comparing)
}

/** Another comparison has come to an error; one that came to none shortly before, who looks now and then has not seen. */
function err({ time, scenario }: World, { controller }: Subject): void {
  const { wellSince = time.now() } = controller
  if (time.now() - wellSince > resolutionOf(scenario.policy)) controller.errors = 0
  if (controller.errors++ === 0) controller.erringSince = time.now()
  controller.wellSince = undefined
}

function readLive(world: World, subject: Subject, comparing: Comparing, revisions: Revisions): void {
  later(world, subject, pace(world, 60), () => {
    const contents = comparing.spec.sources.map((_, i) => {
      const path = syncedSource(subject, comparing.spec, i)?.path
      return contentAt(world.git, revisions[i] ?? '', path) ?? 0
    })
    conclude(world, subject, comparing, revisions, contents)
  })
}

/** Live state is read at this moment, and written a little later. */
function conclude(
  world: World,
  subject: Subject,
  comparing: Comparing,
  revisions: Revisions,
  contents: readonly number[] | undefined,
): void {
  const { live, status } = subject
  const isSynced = contents !== undefined && sameContents(contents, live.contents) && !live.hasDrifted
  const health = liveHealth(live)
  const images = liveImages(live)
  const readAt = world.time.now()
  const read = { ...live }
  later(world, subject, pace(world, 40), () => {
    const wasSynced = status.syncStatus === 'Synced'
    const conditions = isSynced ? [] : autoSync(world, subject, revisions)
    status.syncStatus = isSynced ? 'Synced' : 'OutOfSync'
    status.revisions = revisions
    status.comparedTo = comparing.spec
    status.health = health
    status.images = images
    status.readAt = readAt
    status.read = read
    if (comparing.isLatest) status.reconciledAt = comparing.began
    status.conditions = conditions
    subject.controller.wellSince ??= world.time.now()
    if (wasSynced !== isSynced) world.journal.count(isSynced ? 'synced' : 'out of sync')
    finish(world, subject, comparing)
  })
}

/** Begins a sync where the application's policy says so; else says why not. The operation is written first. */
function autoSync(world: World, subject: Subject, revisions: Revisions): Subject['status']['conditions'] {
  const { plan, status, operation } = subject
  if (!plan.automated || operation !== undefined || subject.deletingSince !== undefined) return []
  if (isClosed(world, subject)) return []
  const last = status.operationState
  if (last !== undefined && last.finishedAt === undefined) return []
  const attempted = last?.synced ?? last?.operation.revisions
  if (
    last !== undefined &&
    !last.operation.isDryRun &&
    attempted?.every((one, i) => one === revisions[i]) === true
  ) {
    if (last.phase !== 'Succeeded') {
      world.journal.count('auto-sync gave up')
      return [{ type: 'SyncError', message: `Failed sync attempt to ${revisions.join(', ')}` }]
    }
    if (!plan.selfHeals) return []
  }
  requestOperation(world, subject, {
    revisions,
    isDryRun: false,
    isLocal: false,
    retries: plan.retries,
    isAutomated: true,
  })
  return []
}

/** Writes the status, and takes the annotation away that asked for it. */
function finish(world: World, subject: Subject, comparing: Comparing): void {
  const { version } = world.scenario
  const { refresh, refreshTimestamp } = comparing.annotations
  const done = () => {
    subject.controller.isComparing = false
    if (comparing.isLatest) armTimer(world, subject)
    // Deferred: whoever asked meanwhile is served next.
    later(world, subject, 2, () => compareIfWanted(world, subject))
    const isOtherSpec = !sameSpec(subject.status.comparedTo, subject.spec) && !subject.isInvalid
    if (isOtherSpec) requestComparison(world, subject, 2, 5)
  }
  world.journal.tell(
    () =>
      `${subject.plan.name}: the controller writes ${subject.status.syncStatus} ${subject.status.health} at ${subject.status.revisions.map((one) => one.slice(0, 7)).join(', ')}${subject.status.conditions.map(({ type }) => ` ${type}`).join('')}`,
  )
  if (refresh === undefined) {
    write(world, subject)
    done()
    return
  }
  if (version !== '3.6') {
    // One patch, computed from the copy: a refresh that was asked for meanwhile is answered by this one.
    const { refresh: _, ...others } = subject.annotations
    subject.annotations = others
    write(world, subject)
    done()
    return
  }
  write(world, subject)
  later(world, subject, world.random.between(1, 20), () => {
    const { refresh: _, refreshTimestamp: asked, ...others } = subject.annotations
    const isNewer = refreshTimestamp !== undefined && asked !== refreshTimestamp
    if (!isNewer) {
      const leftOver =
        refreshTimestamp === undefined && asked !== undefined ? { refreshTimestamp: asked } : {}
      subject.annotations = { ...others, ...leftOver }
      write(world, subject)
    }
    done()
  })
}

/** By itself the controller looks into Git two to three minutes after it last did. */
export function armTimer(world: World, subject: Subject): void {
  const armed = subject.status.reconciledAt
  later(world, subject, world.random.between(120_000, 180_000), () => {
    if (subject.status.reconciledAt === armed) requestComparison(world, subject, 2, 0)
  })
}

/**
 * Somebody sets the annotation that asks for a refresh; the controller sees it a little later.
 *
 * @param stamp the timestamp that is written with it, where the server is one that does
 */
export function annotateRefresh(
  world: World,
  subject: Subject,
  stamp: string | undefined,
  hydrate: boolean,
): void {
  const isStamped = stamp !== undefined && world.scenario.version === '3.6'
  const { refresh, refreshTimestamp, hydrate: asked } = subject.annotations
  const isSame =
    refresh !== undefined && (!isStamped || stamp === refreshTimestamp) && (!hydrate || asked !== undefined)
  if (!isSame) {
    subject.annotations = {
      ...subject.annotations,
      refresh: 'normal',
      ...(hydrate ? { hydrate: 'normal' } : {}),
      ...(hydrate && isStamped ? { hydrateTimestamp: stamp } : {}),
      ...(isStamped ? { refreshTimestamp: stamp } : {}),
    }
    write(world, subject)
  }
  later(world, subject, world.random.between(1, 40), () => compareIfWanted(world, subject))
}
