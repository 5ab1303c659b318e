/** What people do in a world, at the time that the scenario says. */

import { annotateRefresh } from './controller.ts'
import { emptyStatus } from './create.ts'
import { changedContents, headOf, point } from './git.ts'
import { armHydrator, requestHydration } from './hydrator.ts'
import { degrade, evict, nothingLive, onLive, restart } from './live.ts'
import { requestOperation, terminate } from './operations.ts'
import { createSpec, otherPath } from './render.ts'
import { REPOSITORY, type Step, shaOf } from './scenario.ts'
import { write } from './store.ts'
import { later, refOf, type Subject, serverTime, type World } from './world.ts'

/** Puts all steps of a scenario on the timetable. */
export function scheduleSteps(world: World): void {
  for (const step of world.scenario.steps)
    world.time.at(step.at, () => {
      world.journal.count(`step ${step.kind}`)
      world.journal.tell(() => `step: ${JSON.stringify(step)}`)
      take(world, step)
    })
}

function take(world: World, step: Step): void {
  switch (step.kind) {
    case 'push':
      push(world, step)
      return
    case 'tag':
      tag(world, step.name, shaOf(step.commit))
      return
    case 'webhook':
      for (const subject of world.applications)
        if (subject.exists) annotateRefresh(world, subject, `webhook-${world.time.now()}`, true)
      for (const subject of world.applications) if (subject.exists) requestHydration(world, subject, 20)
      return
    case 'create':
      create(world, world.applications[step.application])
      return
  }
  const subject = world.applications[step.application]
  if (subject === undefined || !subject.exists) return
  switch (step.kind) {
    case 'sync':
      sync(world, subject, step.how)
      return
    case 'rollback':
      rollBack(world, subject)
      return
    case 'terminate':
      terminate(world, subject)
      return
    case 'refresh':
      annotateRefresh(world, subject, step.old ? undefined : `other-${world.time.now()}`, !step.old)
      if (!step.old) requestHydration(world, subject, 20)
      return
    case 'respec':
      respec(world, subject, step.change)
      return
    case 'degrade':
      degrade(world, subject, step.takes)
      return
    case 'drift':
      if (subject.live.contents === undefined) return
      subject.live.hasDrifted = true
      onLive(world, subject)
      return
    case 'cronjob': {
      const { how } = step
      const running = how === 'as what runs' ? subject.live.pods.at(-1)?.image : undefined
      const image = running ?? `${subject.plan.content.image.split(':')[0]}:ended`
      const pod = {
        name: `${subject.plan.name}-cron`,
        image,
        createdAt: serverTime(world),
        state: how === 'fails' ? 'failed' : 'ended',
      } as const
      subject.live.pods = [...subject.live.pods, pod]
      onLive(world, subject)
      return
    }
    case 'evict':
      evict(world, subject, step.takes)
      return
    case 'restart':
      restart(world, subject, step.takes)
      return
    case 'delete':
      remove(world, subject, step.takes)
      return
    case 'relabel':
      subject.labels = { team: step.team ?? 'other' }
      write(world, subject)
      return
    case 'invalid':
      subject.isInvalid = true
      world.requestComparison(subject, 2, 5)
      later(world, subject, step.takes, () => {
        subject.isInvalid = false
        // Until now no refresh could make the controller look into Git.
        const { controller } = subject
        if (controller.unseenSince !== undefined) controller.unseenSince = world.time.now()
        world.requestComparison(subject, 2, 5)
      })
  }
}

function push(world: World, step: Step & { kind: 'push' }): void {
  const { git, applications, time } = world
  const ref = refOf({ repoURL: REPOSITORY }, step.branch)
  const parent = git.commits.get(headOf(git, ref) ?? '')?.contents ?? new Map<string, number>()
  const changes: [string, number][] = []
  for (const number of step.touches) {
    const { content, part } = step
    for (const [i, { path, repoURL }] of (applications[number]?.plan.sources ?? []).entries())
      if (
        path !== undefined &&
        repoURL === REPOSITORY &&
        (part === 'both' || (part === 'first') === (i === 0))
      )
        changes.push([path, content.id + 1000 * i])
  }
  const sha = shaOf(step.commit)
  const contents = changedContents(parent, changes)
  git.commits.set(sha, { sha, message: step.message, contents, hydratedFrom: undefined })
  point(git, ref, sha, time.now())
  moved(world, step.branch)
}

/** A branch or tag points elsewhere. */
function moved(world: World, name: string): void {
  for (const subject of world.applications) {
    const isTracked = subject.spec.sources.some(({ targetRevision }) => targetRevision === name)
    if (isTracked) subject.controller.unseenSince ??= world.time.now()
    world.changed(subject)
  }
}

function tag(world: World, name: string, sha: string): void {
  const { git, time } = world
  if (!git.commits.has(sha)) return
  git.tags.set(name, sha)
  point(git, refOf({ repoURL: REPOSITORY }, name), sha, time.now())
  moved(world, name)
}

function isBusy({ operation, deletingSince }: Subject): boolean {
  return operation !== undefined || deletingSince !== undefined
}

function sync(world: World, subject: Subject, how: 'plain' | 'dry run' | 'some resources' | 'local'): void {
  if (isBusy(subject) || (how === 'local' && (subject.plan.automated || subject.live.contents === undefined)))
    return
  const isDryRun = how === 'dry run'
  requestOperation(world, subject, {
    revisions: [],
    isDryRun,
    isPartial: how === 'some resources',
    isLocal: how === 'local',
    retries: 0,
    isAutomated: false,
  })
}

/** Argo CD refuses a rollback where the application is synced automatically. */
function rollBack(world: World, subject: Subject): void {
  const before = subject.status.history.at(-2)
  if (isBusy(subject) || subject.plan.automated || before === undefined) return
  const { revisions } = before
  requestOperation(world, subject, {
    revisions,
    isDryRun: false,
    isLocal: false,
    retries: 0,
    isAutomated: false,
  })
}

function respec(world: World, subject: Subject, change: 'path' | 'destination' | 'branch'): void {
  const { plan, spec } = subject
  const sources =
    change === 'path'
      ? otherPath(spec.sources)
      : change === 'branch'
        ? spec.sources.map((source) =>
            source.repoURL === REPOSITORY && source.chart === undefined
              ? { ...source, targetRevision: source.targetRevision === 'release' ? 'main' : 'release' }
              : source,
          )
        : spec.sources
  const destination = change === 'destination' ? `${spec.destination}2` : spec.destination
  subject.spec = createSpec(spec.number + 1, plan, sources, destination)
  // At another destination nothing runs yet.
  if (change === 'destination') subject.live = nothingLive()
  write(world, subject)
  world.requestComparison(subject, 2, world.random.between(2, 100))
  requestHydration(world, subject, 50)
}

function remove(world: World, subject: Subject, takes: number): void {
  subject.deletingSince = serverTime(world)
  write(world, subject)
  later(world, subject, takes, () => {
    subject.exists = false
    write(world, subject)
  })
}

function create(world: World, subject: Subject | undefined): void {
  if (subject === undefined || subject.exists) return
  subject.life++
  subject.exists = true
  subject.deletingSince = undefined
  subject.annotations = {}
  subject.operation = undefined
  subject.status = emptyStatus()
  subject.lastReal = undefined
  subject.live = nothingLive()
  subject.deployments.length = 0
  subject.begun.length = 0
  subject.operations.length = 0
  subject.orderedBy.clear()
  Object.assign(subject.controller, {
    isComparing: false,
    wanted: 0,
    isTerminating: false,
    isHydrating: false,
    errors: 0,
    erringSince: 0,
    wellSince: undefined,
    unseenSince: undefined,
  })
  write(world, subject)
  world.requestComparison(subject, 2, world.random.between(5, 500))
  requestHydration(world, subject, 100)
  armHydrator(world, subject)
}
