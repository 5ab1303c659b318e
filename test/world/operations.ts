/** Syncs: what is applied when, hooks, retries, and what is on record of it. Facts from `controller/sync.go`. */

import { isFaulty } from './faults.ts'
import { contentAt, contentOf, headOf } from './git.ts'
import { apply, liveHealth } from './live.ts'
import { write } from './store.ts'
import {
  isClosed,
  later,
  type Operation,
  type OperationState,
  refOf,
  type Subject,
  serverTime,
  syncedSource,
  type World,
} from './world.ts'

/** Asks for an operation; the controller picks it up a little later. */
export function requestOperation(world: World, subject: Subject, operation: Operation): void {
  subject.operation = operation
  subject.begun.push(operation.id ?? '')
  subject.operations.push(operation)
  world.journal.count(
    operation.isLocal
      ? 'local sync'
      : operation.isDryRun
        ? 'dry run'
        : operation.isPartial === true
          ? 'sync of some resources'
          : operation.isAutomated
            ? 'automated sync'
            : 'manual sync',
  )
  write(world, subject)
  later(world, subject, world.random.between(10, 400), () => begin(world, subject, operation, 0))
}

function begin(world: World, subject: Subject, operation: Operation, retryCount: number): void {
  if (isFaulty(world, 'controller down')) {
    later(world, subject, 500, () => begin(world, subject, operation, retryCount))
    return
  }
  subject.controller.isTerminating = false
  hideFailure(world, subject)
  const operationState: OperationState = {
    phase: 'Running',
    message: undefined,
    startedAt:
      subject.status.operationState?.operation === operation
        ? subject.status.operationState.startedAt
        : serverTime(world),
    finishedAt: undefined,
    retryCount,
    operation,
    synced: undefined,
    failed: undefined,
  }
  record(world, subject, operationState)
  later(world, subject, world.random.between(20, 600), () => sync(world, subject, operationState))
}

function record(world: World, subject: Subject, operationState: OperationState): void {
  const { isDryRun, isPartial = false } = operationState.operation
  if (isDryRun || isPartial) hideResults(world, subject)
  else subject.live.resultsWereThereFor = undefined
  // A sync of some resources runs no hooks, so it makes up for none that failed, wherever that was to be deployed.
  const hasFailedHook = subject.live.hasFailedHook || subject.lastReal?.failed === 'hook'
  if (!isDryRun && !(isPartial && hasFailedHook)) subject.lastReal = operationState
  subject.status.operationState = operationState
  world.journal.tell(
    () => `${subject.plan.name}: operation ${operationState.phase} (attempt ${operationState.retryCount})`,
  )
  write(world, subject)
}

/** Whatever begins takes the place of what is on record; who has not seen that before cannot know of it any more. */
function hideFailure({ time }: World, { live }: Subject): void {
  if (live.hasFailedHook) live.failureHiddenAt ??= time.now()
}

/** What did not make an operation fail, nobody can tell any more either. */
function hideResults(world: World, { live, status: { operationState: state } }: Subject): void {
  const { time, scenario } = world
  const { isDryRun = false, isPartial = false } = state?.operation ?? {}
  if (live.hasFailedHook || isDryRun || isPartial) return
  if ((state?.phase !== 'Failed' && state?.phase !== 'Error') || time.now() < scenario.startsAt) return
  const failedAt = (state.finishedAt ?? 0) - (serverTime(world) - time.now())
  live.resultsWereThereFor = time.now() - Math.max(failedAt, scenario.startsAt)
}

const BLOCKED = 'Sync operation blocked by sync window'

function sync(world: World, subject: Subject, operationState: OperationState): void {
  if (isClosed(world, subject)) {
    // It was accepted before the window closed, and is Running until that opens.
    const blocked = { ...operationState, message: BLOCKED }
    if (operationState.message !== BLOCKED) {
      world.journal.count('operation blocked by a window')
      record(world, subject, blocked)
    }
    later(world, subject, 1000, () => sync(world, subject, blocked))
    return
  }
  const { git, random } = world
  const { spec } = subject
  const { operation } = operationState
  if (operation.isLocal && subject.live.contents === undefined) {
    fail(world, subject, { ...operationState, phase: 'Error', message: 'nothing to begin with' })
    return
  }
  if (operation.isLocal) {
    const [id] = localContents(world, subject)
    apply(world, subject, [id, ...(subject.live.contents ?? []).slice(1)])
    const synced = spec.sources.map(({ targetRevision }) => targetRevision)
    later(world, subject, random.between(20, 300), () =>
      succeed(world, subject, { ...operationState, synced }),
    )
    return
  }
  const revisions = spec.sources.map((_, i) => {
    const source = syncedSource(subject, spec, i)
    const asked = operation.revisions[i]
    if (asked !== undefined) return asked
    if (source === undefined) return ''
    return source.chart === undefined
      ? (headOf(git, refOf(source, source.targetRevision)) ?? '')
      : source.targetRevision
  })
  const contents = spec.sources.map((_, i) =>
    contentAt(git, revisions[i] ?? '', syncedSource(subject, spec, i)?.path),
  )
  if (isFaulty(world, 'comparison error') || contents.includes(undefined)) {
    fail(world, subject, { ...operationState, phase: 'Error', message: 'failed to generate manifests' })
    return
  }
  const content = contentOf(git, contents[0] ?? 0)
  const state = { ...operationState, synced: revisions }
  if (operation.isDryRun || operation.isPartial === true) {
    later(world, subject, random.between(20, 300), () =>
      content.applies
        ? succeed(world, subject, state)
        : fail(world, subject, { ...state, phase: 'Failed', failed: 'resource' }),
    )
    return
  }
  if (!content.applies) {
    fail(world, subject, {
      ...state,
      phase: 'Failed',
      message: 'one or more objects failed to apply',
      failed: 'resource',
    })
    return
  }
  subject.live.hadFailedHook ||= subject.live.hasFailedHook
  subject.live.hasFailedHook = false
  apply(world, subject, contents as number[])
  if (content.hook === 'none') {
    later(world, subject, random.between(20, 300), () => succeed(world, subject, state))
    return
  }
  // Which commit it is for is on record as soon as that is known, whatever the operation says.
  record(world, subject, state)
  awaitHealth(world, subject, state)
}

/** A PostSync hook begins when what was applied is healthy. */
function awaitHealth(world: World, subject: Subject, state: OperationState): void {
  later(world, subject, 500, () => {
    if (subject.controller.isTerminating) {
      fail(world, subject, { ...state, phase: 'Failed', message: 'Operation terminated' })
      return
    }
    const health = liveHealth(subject.live)
    if (health === 'Degraded') {
      fail(world, subject, {
        ...state,
        phase: 'Failed',
        message: 'one or more synchronization tasks are not valid',
      })
      return
    }
    if (health !== 'Healthy') {
      awaitHealth(world, subject, state)
      return
    }
    const content = contentOf(world.git, subject.live.contents?.[0] ?? 0)
    later(world, subject, content.hookTakes, () => {
      const isBad = content.hook === 'fails' || (content.hook === 'fails once' && state.retryCount === 0)
      world.journal.count(isBad ? 'hook failed' : 'hook passed')
      if (!isBad) succeed(world, subject, state)
      else {
        subject.live.hasFailedHook = true
        subject.live.failedAt = world.time.now()
        subject.live.failureHiddenAt = undefined
        world.changed(subject)
        fail(world, subject, {
          ...state,
          phase: 'Failed',
          message: 'one or more synchronization tasks completed unsuccessfully',
          failed: 'hook',
        })
      }
    })
  })
}

function succeed(world: World, subject: Subject, state: OperationState): void {
  const { status, plan } = subject
  const { operation, synced = [] } = state
  if (!operation.isDryRun && !operation.isLocal && operation.isPartial !== true) {
    subject.deployments.push(synced)
    subject.live.hadFailedHook = false
    const id = (status.history.at(-1)?.id ?? -1) + 1
    status.history = [...status.history, { id, revisions: synced }].slice(-plan.historyLimit)
  }
  end(world, subject, { ...state, phase: 'Succeeded' })
}

const FIRST_PAUSE = 5000

function fail(world: World, subject: Subject, state: OperationState): void {
  const { operation, retryCount } = state
  if (subject.controller.isTerminating || retryCount >= operation.retries) {
    end(world, subject, state)
    return
  }
  const attempt = retryCount + 1
  world.journal.count('retry')
  record(world, subject, {
    ...state,
    phase: 'Running',
    finishedAt: serverTime(world),
    retryCount: attempt,
    message: `${state.message ?? ''}. Retrying attempt #${attempt} at 2:21AM.`,
  })
  const { life } = subject
  later(world, subject, FIRST_PAUSE * 2 ** retryCount, () => {
    if (subject.operation === operation && subject.life === life) begin(world, subject, operation, attempt)
  })
}

/** The end is written, and a comparison asked for. */
function end(world: World, subject: Subject, state: OperationState): void {
  subject.operation = undefined
  world.journal.count(`operation ${state.phase}`)
  record(world, subject, { ...state, finishedAt: serverTime(world) })
  if (!state.operation.isDryRun) world.requestComparison(subject, 2, world.random.between(1, 300))
}

/** Somebody ends an operation that runs or waits to retry. */
export function terminate(world: World, subject: Subject): void {
  const { operationState } = subject.status
  // One that has not begun yet is none that could be ended.
  if (operationState === undefined || subject.operation !== operationState.operation) return
  subject.controller.isTerminating = true
  if (operationState.finishedAt !== undefined)
    end(world, subject, { ...operationState, phase: 'Failed', message: 'Operation terminated' })
}

const LOCAL = 100_000

/** Manifests that are in no commit. */
function localContents({ git }: World, subject: Subject): [number] {
  const id = LOCAL + git.contents.size
  git.contents.set(id, {
    ...contentOf(git, subject.live.contents?.[0] ?? 0),
    id,
    rollout: 'smooth',
    hook: 'none',
    applies: true,
  })
  return [id]
}
