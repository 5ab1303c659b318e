/**
 * A gate as one writes it on a Friday: it polls, and believes what it reads. The oracle must find what is wrong with
 * it; what is not wrong yet can be made so.
 */

import type { Application } from '../../lib/application.ts'
import { applicationKey } from '../../lib/application.ts'
import { RequestFailure } from '../../lib/failure.ts'
import type { ApplicationRef, News, Request } from '../../lib/requests.ts'
import type { Machine } from '../../lib/run.ts'
import type { Policy, Target, Wanted } from '../../lib/wanted.ts'
import type { Opponent } from './opponent.ts'
import type { Ending } from './oracle.ts'

/** What can be wrong with it. */
export type Defect =
  /** Says yes at the first sight of the application. */
  | 'hasty'
  /** Passes over failed operations. */
  | 'blind to hooks'
  /** Takes an answer for one of now, however old it is. */
  | 'forgetful'
  /** Says no at the first sight of something that is Degraded. */
  | 'nervous'
  /** Says no only some time after the deadline. */
  | 'unpunctual'
  /** Polls ever more seldom. */
  | 'lazy'
  /** Polls without a pause. */
  | 'greedy'
  /** Gives up at the first refused request. */
  | 'easily offended'
  /** Wakes up over and over for nothing. */
  | 'restless'

export const DEFECTS = [
  'hasty',
  'blind to hooks',
  'forgetful',
  'nervous',
  'unpunctual',
  'lazy',
  'greedy',
  'easily offended',
  'restless',
] as const satisfies readonly Defect[]

interface Subject {
  readonly ref: ApplicationRef
  readonly wanted: Wanted
  readonly application: Application | undefined
}

interface State {
  readonly target: Target
  readonly policy: Policy
  readonly deadline: number
  readonly subjects: ReadonlyMap<string, Subject>
  readonly round: number
  readonly roundAt: number
  readonly answered: ReadonlySet<string>
  readonly refusal: boolean
}

/** The naive gate, with a defect more. */
export function naive(defect?: Defect): Opponent<State> {
  const learnAnswer = (
    state: State,
    key: string,
    application: Application | undefined,
    now: number,
  ): State => {
    const subject = state.subjects.get(key)
    if (subject === undefined) return state
    const kept =
      defect === 'forgetful' && subject.application !== undefined && isGood(subject, defect)
        ? subject.application
        : application
    return answered(
      { ...state, subjects: new Map(state.subjects).set(key, { ...subject, application: kept }) },
      key,
      now,
    )
  }
  const answered = (state: State, key: string, now: number): State => {
    const done = new Set(state.answered).add(key)
    if (done.size < Math.max(state.subjects.size, 1)) return { ...state, answered: done }
    const pause =
      defect === 'lazy'
        ? state.policy.interval * (10 + state.round)
        : defect === 'greedy'
          ? 20
          : state.policy.interval
    return { ...state, answered: new Set(), round: state.round + 1, roundAt: now + pause }
  }
  const machine: Machine<State, Request, News, Ending> = {
    limits: { look: 8 },
    learn: (state, event, now) => {
      if (event.type === 'brought' && event.news.kind === 'application' && event.task.kind === 'look')
        return learnAnswer(state, event.task.application, event.news.application, now)
      if (event.type === 'brought' && event.news.kind === 'list' && state.target.kind === 'selector') {
        const { wanted } = state.target
        const subjects = new Map<string, Subject>()
        for (const application of event.news.applications) {
          const { name, namespace } = application.metadata
          subjects.set(applicationKey(name, namespace), {
            ref: { name, namespace, project: undefined },
            wanted,
            application,
          })
        }
        return { ...state, subjects, round: state.round + 1, roundAt: now + state.policy.interval }
      }
      if (event.type !== 'ended' || event.failure === undefined) return state
      const isRefused = event.failure instanceof RequestFailure && event.failure.fatal
      const after = isRefused && defect === 'easily offended' ? { ...state, refusal: true } : state
      if (event.task.kind === 'look') return answered(after, event.task.application, now)
      return { ...after, round: state.round + 1, roundAt: now + state.policy.interval }
    },
    plan: (state, now) => {
      const { round, roundAt, subjects, target, deadline } = state
      if (now < roundAt) return { tasks: [], wakeAt: Math.min(roundAt, deadline) }
      const common = { lane: 'look', timeout: 10_000, hedges: [2000] }
      const tasks: Request[] =
        target.kind === 'selector'
          ? [{ ...common, key: `list ${round}`, kind: 'list', query: { selector: target.selector } }]
          : [...subjects].flatMap(([application, { ref }]) =>
              state.answered.has(application)
                ? []
                : [{ ...common, key: `look ${application} ${round}`, kind: 'look', application, ref }],
            )
      return { tasks, wakeAt: defect === 'restless' ? now : deadline }
    },
    decide: (state, now) => {
      const { target, subjects, policy, deadline, round } = state
      if (state.refusal) return { kind: 'refused' }
      const all = [...subjects.values()]
      const least = target.kind === 'selector' ? target.min : 1
      if (all.length >= least && all.every((one) => isGood(one, defect))) return { kind: 'verified' }
      if (policy.timeout === 0) return round > 0 || now >= deadline ? { kind: 'looked' } : undefined
      const degraded = [...subjects].find(
        ([, { application }]) => application?.status.health.status === 'Degraded',
      )
      if (defect === 'nervous' && degraded !== undefined) return { kind: 'failed', key: degraded[0] }
      return now >= deadline + (defect === 'unpunctual' ? 1 : 0) ? { kind: 'timed-out' } : undefined
    },
  }
  return {
    machine,
    initial: (target, policy, now) => ({
      target,
      policy,
      deadline: now + (policy.timeout === 0 ? 10_000 : policy.timeout),
      subjects: new Map(
        target.kind === 'selector'
          ? []
          : target.applications.map(({ name, namespace, wanted }) => [
              applicationKey(name, namespace),
              { ref: { name, namespace, project: target.project }, wanted, application: undefined },
            ]),
      ),
      round: 0,
      roundAt: now,
      answered: new Set(),
      refusal: false,
    }),
  }
}

function isGood({ application, wanted }: Subject, defect: Defect | undefined): boolean {
  if (application === undefined) return false
  if (defect === 'hasty') return true
  const { metadata, operation, status, spec } = application
  const { operationState, sync, health } = status
  const { revision } = wanted
  const revisions = sync.revision === undefined ? sync.revisions : [sync.revision]
  return (
    metadata.deletionTimestamp === undefined &&
    operation === undefined &&
    operationState?.phase !== 'Running' &&
    (defect === 'blind to hooks' || operationState?.phase === 'Succeeded') &&
    sync.status === 'Synced' &&
    health.status === 'Healthy' &&
    status.conditions.length === 0 &&
    sync.comparedTo.destination === spec.destination &&
    (status.reconciledAt ?? '') >= (operationState?.finishedAt ?? '') &&
    wanted.images.every(({ tag }) => status.summary.images.every((image) => image.endsWith(`:${tag}`))) &&
    (revision?.kind !== 'any-source' || revisions.includes(revision.revision.toLowerCase()))
  )
}
