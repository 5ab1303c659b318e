/** A world as it is when a history begins. */

import { onLook } from './controller.ts'
import { changedContents, createGit, type Git, point } from './git.ts'
import { armHydrator } from './hydrator.ts'
import type { Journal } from './journal.ts'
import { nothingLive } from './live.ts'
import { createRandom } from './random.ts'
import { createSpec, render } from './render.ts'
import {
  type ApplicationPlan,
  type Content,
  HYDRATED,
  REPOSITORY,
  type Scenario,
  SECOND_REPOSITORY,
  shaOf,
} from './scenario.ts'
import { createStore } from './store.ts'
import type { Timetable } from './timetable.ts'
import {
  hydratedBranch,
  later,
  type Operation,
  refOf,
  type Status,
  type Subject,
  serverTime,
  type World,
} from './world.ts'

/** Commits that are there from the beginning: of the second repository, and one that was deployed before the first. */
const SECOND = 900
const EARLIER = 950

/** Contents that nobody pushes in a history, by where they begin. */
const VALUES = 50_000
const SECOND_VALUES = 60_000
const OLDER = 70_000

/** Creates a world from its scenario, on a clock that stands at 0. */
export function createWorld(scenario: Scenario, time: Timetable, journal: Journal): World {
  const random = createRandom(scenario.seed, 1)
  const git = createGit()
  const applications: Subject[] = []
  const world: World = {
    scenario,
    time,
    random,
    journal,
    git,
    store: createStore(),
    applications,
    runs: 0,
    mistake: undefined,
    ordered: () => {},
    rivals: 0,
    lostInGapAt: Number.NEGATIVE_INFINITY,
    changed: () => {},
    told: () => {},
    requestComparison: () => {},
  }
  world.requestComparison = onLook(world)
  seedGit(git, scenario)
  for (const [number, plan] of scenario.applications.entries()) {
    const subject = createSubject(number, plan)
    applications.push(subject)
    if (plan.beginning !== 'absent') {
      subject.exists = true
      settle(world, subject)
      subject.stored = render(subject)
      subject.version = ++world.store.version
      world.store.cached.set(number, {
        subject,
        application: subject.stored,
        labels: subject.labels,
        version: subject.version,
        writtenAt: 0,
      })
      later(world, subject, random.between(0, 170_000), () => world.requestComparison(subject, 2, 0))
      armHydrator(world, subject)
    }
  }
  return world
}

function seedGit(git: Git, { applications, steps }: Scenario): void {
  const first: [string, number][] = []
  const second: [string, number][] = []
  const older: [string, number][] = []
  for (const [number, { sources, content }] of applications.entries()) {
    register(git, content)
    register(git, {
      ...content,
      id: OLDER + number,
      image: `${imageName(content.image)}:old`,
      rollout: 'smooth',
    })
    for (const [i, { path, repoURL }] of sources.entries()) {
      if (path === undefined) continue
      if (repoURL === SECOND_REPOSITORY) second.push([path, SECOND_VALUES + number])
      else {
        first.push([path, i === 0 ? content.id : VALUES + number])
        older.push([path, i === 0 ? OLDER + number : VALUES + number])
      }
    }
  }
  for (const step of steps) if (step.kind === 'push') register(git, step.content)
  const commit = (number: number, message: string, contents: [string, number][]) => {
    const sha = shaOf(number)
    git.commits.set(sha, {
      sha,
      message,
      contents: changedContents(new Map(), contents),
      hydratedFrom: undefined,
    })
    git.fetched.add(sha)
    return sha
  }
  commit(EARLIER, 'earlier', older)
  const sha = commit(0, 'first', first)
  point(git, refOf({ repoURL: REPOSITORY }, 'main'), sha, 0)
  point(git, refOf({ repoURL: REPOSITORY }, 'release'), sha, 0)
  point(git, refOf({ repoURL: SECOND_REPOSITORY }, 'main'), commit(SECOND, 'second', second), 0)
}

function register({ contents }: Git, content: Content): void {
  contents.set(content.id, content)
}

/** An image's name without its tag. */
export function imageName(image: string): string {
  return image.slice(0, image.lastIndexOf(':'))
}

function createSubject(number: number, plan: ApplicationPlan): Subject {
  return {
    number,
    plan,
    exists: false,
    life: 0,
    deletingSince: undefined,
    labels: plan.labels,
    spec: createSpec(0, plan, plan.sources, 'default'),
    annotations: {},
    operation: undefined,
    status: emptyStatus(),
    lastReal: undefined,
    live: nothingLive(),
    deployments: [],
    isInvalid: false,
    begun: [],
    operations: [],
    orderedBy: new Map(),
    controller: {
      isComparing: false,
      wanted: 0,
      isTerminating: false,
      isHydrating: false,
      errors: 0,
      erringSince: 0,
      wellSince: undefined,
      unseenSince: undefined,
    },
    stored: undefined,
    version: 0,
  }
}

export function emptyStatus(): Status {
  return {
    syncStatus: undefined,
    revisions: [],
    comparedTo: undefined,
    health: undefined,
    reconciledAt: undefined,
    readAt: 0,
    read: undefined,
    operationState: undefined,
    conditions: [],
    history: [],
    images: [],
    hydrator: {},
  }
}

/** It has been there for long. */
function settle(world: World, subject: Subject): void {
  const { plan, spec, status, live } = subject
  const { git, random } = world
  const now = serverTime(world)
  const long = now - 600_000
  const isHydrated = plan.hydration !== 'none'
  const hydrate = (dry: string, number: number) => {
    const hydratedSHA = shaOf(HYDRATED + number)
    const contents = git.commits.get(dry)?.contents ?? new Map<string, number>()
    git.commits.set(hydratedSHA, {
      sha: hydratedSHA,
      message: `hydrate ${dry}`,
      contents,
      hydratedFrom: { dry, sources: spec.sources },
    })
    git.fetched.add(hydratedSHA)
    const [source] = spec.sources
    if (source !== undefined) point(git, refOf(source, hydratedBranch(plan)), hydratedSHA, 0)
    status.hydrator = {
      current: { phase: 'Hydrated', drySHA: dry, hydratedSHA, message: undefined, spec },
      last: { drySHA: dry, hydratedSHA, spec },
      ...(world.scenario.version === '3.4' ? {} : { lastComparedDryRevision: dry }),
    }
    return hydratedSHA
  }
  const revisionsAt = (dry: string, number: number) => {
    const first = isHydrated ? hydrate(dry, number) : dry
    return spec.sources.map(({ chart, repoURL, targetRevision }) => {
      if (chart !== undefined) return targetRevision
      return repoURL === SECOND_REPOSITORY ? shaOf(SECOND) : first
    })
  }
  const number = subject.number * 2
  const earlier = revisionsAt(shaOf(EARLIER), 500 + number)
  const revisions = revisionsAt(shaOf(0), 501 + number)
  const contentsAt = (at: readonly string[]) =>
    spec.sources.map(({ path }, i) =>
      path === undefined ? -1 : (git.commits.get(at[i] ?? '')?.contents.get(path) ?? 0),
    )
  const isBehind = plan.beginning === 'out-of-sync'
  const deployed = isBehind ? earlier : revisions
  const isBroken = plan.beginning === 'broken'
  const isFailed = plan.beginning === 'hook-failed'
  subject.deployments.push(earlier, ...(isBehind || isFailed ? [] : [revisions]))
  live.contents = contentsAt(deployed)
  live.hasFailedHook = isFailed
  live.rollout = isBroken ? 'degraded' : 'done'
  const image = git.contents.get(live.contents[0] ?? 0)?.image ?? ''
  live.pods = [
    { name: `${plan.name}-0`, image, createdAt: long + 1000, state: isBroken ? 'broken' : 'running' },
  ]
  const operation: Operation = {
    revisions: deployed,
    isDryRun: false,
    isLocal: false,
    retries: plan.retries,
    isAutomated: plan.automated,
  }
  Object.assign(status, {
    syncStatus: isBehind ? 'OutOfSync' : 'Synced',
    revisions,
    comparedTo: spec,
    health: isBroken ? 'Degraded' : 'Healthy',
    reconciledAt: now - random.integer(0, 120) * 1000,
    operationState: {
      phase: isFailed ? 'Failed' : 'Succeeded',
      message: undefined,
      startedAt: long,
      finishedAt: long + 5000,
      retryCount: 0,
      operation,
      synced: deployed,
      failed: isFailed ? 'hook' : undefined,
    },
    history: subject.deployments.map((one, id) => ({ id, revisions: one })).slice(-plan.historyLimit),
    images: [image],
  } satisfies Partial<Status>)
  subject.lastReal = status.operationState
}
