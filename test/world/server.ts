/** The API server as the gate meets it: answers the questions of lib/requests.ts from the store and from the cache. */

import type { Application } from '../../lib/application.ts'
import { RequestFailure } from '../../lib/failure.ts'
import type { ApplicationRef, News, Request } from '../../lib/requests.ts'
import type { Reporter, Surroundings } from '../../lib/run.ts'
import type { SyncAnswer, SyncOrder } from '../../lib/syncs.ts'
import { annotateRefresh } from './controller.ts'
import { isFaulty } from './faults.ts'
import { contentAt, contentOf, findCommit, headOf, knownTags } from './git.ts'
import { requestHydration } from './hydrator.ts'
import { matching } from './matching.ts'
import { createNetwork } from './network.ts'
import { requestOperation } from './operations.ts'
import { SERVER_NAMESPACE } from './scenario.ts'
import type { Change } from './store.ts'
import { openStream } from './stream.ts'
import { treeOf } from './tree.ts'
import { isClosed, refOf, rfc3339, type Subject, serverTime, syncedSource, type World } from './world.ts'

/** Told of each request: that it is sent, and that it has ended, whichever way. */
export interface Watchdog {
  readonly sent: (request: Request, attempt: number) => void
  readonly ended: (request: Request) => void
  /** The server has answered. */
  readonly answered: () => void
  /** What is ordered has been done, and the answer is on its way. */
  readonly heard?: (request: Request) => void
}

/** What a machine runs in. */
export function createSurroundings(world: World, watchdog: Watchdog): Surroundings<Request, News> {
  const { time, journal } = world
  const network = createNetwork(world)
  return {
    now: time.now,
    at: time.at,
    soon: time.soon,
    start: (request, attempt, report) => {
      let isOver = false
      const end = () => {
        isOver = true
        watchdog.ended(request)
      }
      watchdog.sent(request, attempt)
      journal.tell(() => `asked: ${describe(request)}${attempt === 0 ? '' : ` (once more, ${attempt})`}`)
      const guarded: Reporter<News> = {
        brought: (news) => {
          watchdog.answered()
          if (!isOver) report.brought(news)
        },
        ended: (failure) => {
          if (isOver) return
          end()
          if (failure !== undefined) journal.tell(() => `failed: ${describe(request)}: ${String(failure)}`)
          report.ended(failure)
        },
      }
      const passage = network.send(request)
      let cancel = () => {}
      let isAborted = false
      if (passage.kind === 'fails') time.after(passage.after, () => guarded.ended(passage.failure))
      if (passage.kind === 'answered') {
        if (request.kind === 'watch') cancel = openStream(world, network, request.query, passage, guarded)
        else {
          // The connection breaks before the server has heard: something in between still hands on what it has.
          const isBroken = passage.failure !== undefined && passage.arrivesAfter < passage.readAfter
          if (isBroken) time.after(passage.arrivesAfter, () => guarded.ended(passage.failure))
          time.after(passage.readAfter, () => {
            if (isAborted || (isOver && request.kind !== 'refresh' && !isBroken)) return
            answer(
              world,
              request,
              (brought) => {
                watchdog.heard?.(request)
                time.after(Math.max(passage.arrivesAfter - passage.readAfter, 0), () => {
                  if (isOver) return
                  if (passage.failure !== undefined) {
                    guarded.ended(passage.failure)
                    return
                  }
                  if (brought instanceof RequestFailure) {
                    guarded.ended(brought)
                    return
                  }
                  guarded.brought(isUnread(request, brought) ? { kind: 'refreshed' } : brought)
                  guarded.ended()
                })
              },
              () => isOver,
            )
          })
        }
      }
      return () => {
        isAborted = request.kind !== 'refresh'
        if (!isOver) end()
        cancel()
      }
    },
  }
}

/** Whether a refresh is asked for, and its answer is not read; that it is refused its status tells. */
function isUnread(request: Request, brought: News): boolean {
  const isRefused = brought.kind === 'application' && brought.application === undefined
  return request.kind === 'refresh' && !request.isRead && !isRefused
}

/** Answers at this moment, or, a refresh, when it is done. */
function answer(
  world: World,
  request: Exclude<Request, { kind: 'watch' }>,
  bring: (brought: News | RequestFailure) => void,
  isOver: () => boolean,
): void {
  switch (request.kind) {
    case 'look':
      bring({ kind: 'application', application: find(world, request.ref)?.stored })
      return
    case 'refresh':
      refresh(world, request.ref, bring, isOver)
      return
    case 'list':
      bring({
        kind: 'list',
        applications: matching(world, request.query).map(({ application }) => application),
      })
      return
    case 'names':
      bring({
        kind: 'names',
        refs: matching(world, request.query).map(({ application }) => refTo(application)),
      })
      return
    case 'overview':
      bring({ kind: 'overview', refs: matching(world, {}).map(({ application }) => refTo(application)) })
      return
    case 'commit': {
      const { revision } = request.commit
      const commit = world.git.commits.get(revision)
      if (commit === undefined || find(world, request.ref) === undefined) bring(FAILED)
      else
        bring({
          kind: 'commit',
          commit: { message: commit.message, author: undefined, tags: knownTags(world.git, revision) },
        })
      return
    }
    case 'tree': {
      const subject = find(world, request.ref)
      bring(subject === undefined ? FAILED : { kind: 'tree', nodes: treeOf(world, subject) })
      return
    }
    case 'sync':
      bring({ kind: 'ordered', answer: order(world, find(world, request.ref), request.order) })
      return
    case 'permission':
      bring({ kind: 'permission', isPermitted: mayBeSynced(world, request.object) })
      return
    case 'windows':
      bring(windowsOf(world, find(world, request.ref)))
      return
    case 'compare':
      bring(compare(world, find(world, request.ref), request.comparison.wanted, request.comparison.observed))
  }
}

const FAILED = new RequestFailure('Unreachable', 'argocd.test cannot answer (500)')

/** The application that is meant, in the cluster itself. */
function find({ applications }: World, ref: ApplicationRef): Subject | undefined {
  const namespace = ref.namespace ?? SERVER_NAMESPACE
  return applications.find(
    ({ exists, plan }) =>
      exists &&
      plan.name === ref.name &&
      plan.namespace === namespace &&
      (ref.project === undefined || ref.project === 'default'),
  )
}

function refTo({ metadata: { name, namespace }, spec: { project } }: Application): ApplicationRef {
  return { name, namespace, project }
}

/** Sets the annotation, and answers with the first change without it. */
function refresh(
  world: World,
  ref: ApplicationRef,
  bring: (brought: News | RequestFailure) => void,
  isOver: () => boolean,
): void {
  const subject = find(world, ref)
  const isForbidden = world.scenario.faults.some(
    ({ kind, from, until, ...fault }) =>
      kind === 'refresh refused' &&
      'status' in fault &&
      fault.status === 403 &&
      from <= world.time.now() &&
      world.time.now() < until,
  )
  if (isForbidden) world.journal.count('fault refresh refused')
  if (subject === undefined || isForbidden) {
    bring({ kind: 'application', application: undefined })
    return
  }
  if (isFaulty(world, 'controller down')) world.journal.count('fault controller down')
  const { store, time } = world
  annotateRefresh(world, subject, `${rfc3339(time.now())}.${store.version}`, true)
  requestHydration(world, subject, world.random.between(1, 60) + (world.scenario.hydratorWaits ?? 0))
  const { version } = subject
  const subscriber = ({ type, cached }: Change) => {
    if (isOver()) store.subscribers.delete(subscriber)
    if (cached.subject !== subject || cached.version <= version || type === 'DELETED') return
    if (REFRESH in cached.application.metadata.annotations) return
    store.subscribers.delete(subscriber)
    bring({ kind: 'application', application: cached.application })
  }
  store.subscribers.add(subscriber)
}

const REFRESH = 'argocd.argoproj.io/refresh'

/** By the name that policies have for it. */
function mayBeSynced({ applications }: World, object: string): boolean {
  // A policy is about names, whether or not there is such an application (`server/account`, CanI).
  return applications.some(({ plan: { name, namespace, owner } }) => {
    const named = namespace === SERVER_NAMESPACE ? `default/${name}` : `default/${namespace}/${name}`
    return named === object && owner?.isPermitted !== false
  })
}

function windowsOf(world: World, subject: Subject | undefined): News | RequestFailure {
  if (subject === undefined) return FAILED
  const window = {
    kind: 'deny',
    schedule: '0 * * * *',
    duration: '30m',
    isManual: false,
    timeZone: undefined,
  }
  const active = isClosed(world, subject) ? [window] : []
  const canSync = active.length === 0
  return {
    kind: 'windows',
    windows: { canSync, active, assigned: [window], at: serverTime(world) },
  }
}

function order(world: World, subject: Subject | undefined, order: SyncOrder): SyncAnswer {
  if (subject === undefined) return { kind: 'refused', message: 'permission denied' }
  const { rivals = 0 } = world.scenario
  const answer = accept(world, subject, order, () => {
    if (world.rivals >= rivals || subject.operation !== undefined) return
    world.rivals++
    requestOperation(world, subject, {
      revisions: [],
      isDryRun: false,
      isLocal: false,
      retries: 0,
      isAutomated: false,
    })
  })
  world.journal.count(`order ${answer.kind}`)
  world.ordered(subject, order, answer)
  return answer
}

/** Argo CD's own order of doing things (`server/application`, Sync; `argo.SetAppOperation`). */
function accept(
  world: World,
  subject: Subject,
  { revisions, id }: SyncOrder,
  beforehand: () => void,
): SyncAnswer {
  const { spec, plan } = subject
  const { git } = world
  if (isClosed(world, subject)) return { kind: 'closed', message: 'cannot sync: blocked by sync window' }
  if (plan.owner?.isPermitted === false)
    return { kind: 'denied', action: 'sync', message: 'permission denied: applications, sync' }
  if (subject.deletingSince !== undefined) return { kind: 'refused', message: 'application is deleting' }
  if (plan.automated && revisions.length > 0) return { kind: 'refused', message: 'auto-sync currently set' }
  beforehand()
  if (subject.operation !== undefined) return { kind: 'busy' }
  const twice =
    subject.orderedBy.get(id) === world.runs
      ? `${plan.name} was ordered twice by one run`
      : subject.begun.at(-1) === id
        ? `${plan.name} was synced twice for ${id}`
        : undefined
  if (twice !== undefined) world.mistake ??= { promise: 'never twice', what: twice }
  subject.orderedBy.set(id, world.runs)
  const resolved = spec.sources.map((_, i) => {
    const source = syncedSource(subject, spec, i)
    const named = revisions.find(({ index }) => index === i)?.revision
    if (named !== undefined && /^[0-9a-f]{40}$/i.test(named)) return named.toLowerCase()
    if (source === undefined) return ''
    if (source.chart !== undefined) return named ?? source.targetRevision
    return headOf(git, refOf(source, named ?? source.targetRevision)) ?? named ?? ''
  })
  subject.status.operationState = undefined
  requestOperation(world, subject, {
    revisions: resolved,
    isDryRun: false,
    isLocal: false,
    retries: plan.retries,
    isAutomated: false,
    id,
  })
  return { kind: 'accepted' }
}

function compare(
  { git }: World,
  subject: Subject | undefined,
  wanted: readonly string[],
  observed: readonly string[],
): News | RequestFailure {
  if (subject === undefined) return FAILED
  const { sources } = subject.spec
  const render = (revisions: readonly string[]) =>
    sources.map(({ path, repoURL }, i) => contentAt(git, findCommit(git, repoURL, revisions[i] ?? ''), path))
  const [ours, theirs] = [render(wanted), render(observed)]
  if (ours.includes(undefined) || theirs.includes(undefined)) return FAILED
  const hasSecret = [ours[0], theirs[0]].some((id) => id !== undefined && contentOf(git, id).hasSecret)
  if (ours.some((id, i) => id !== theirs[i]) && !hasSecret)
    return { kind: 'rendering', rendering: { kind: 'different', message: 'Deployment web differs' } }
  if (hasSecret)
    return { kind: 'rendering', rendering: { kind: 'unknown', message: 'Secret web has its data blanked' } }
  return { kind: 'rendering', rendering: { kind: 'same' } }
}

/** A request as a person reads it. */
export function describe(request: Request): string {
  switch (request.kind) {
    case 'list':
    case 'names':
    case 'watch':
      return `${request.kind} ${request.query.name ?? request.query.selector ?? 'all'}`
    case 'overview':
      return 'overview'
    case 'compare':
      return `compare ${request.application} ${request.comparison.wanted} with ${request.comparison.observed}`
    case 'commit':
      return `commit ${request.commit.revision.slice(0, 7)} of ${request.application}`
    default:
      return `${request.kind} ${request.application}`
  }
}
