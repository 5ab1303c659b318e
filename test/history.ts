/** What happens in a run as a list of events, for tests of what follows from it: no clock, no server, no runner. */

import type { Application } from '../lib/application.ts'
import type { Ending } from '../lib/ending.ts'
import type { TreeNode } from '../lib/evidence.ts'
import { initialKnowledge, type Knowledge, type Known } from '../lib/knowledge.ts'
import { learn } from '../lib/learn.ts'
import { plan } from '../lib/machine.ts'
import { queryOf } from '../lib/members.ts'
import type { News, Question, Request } from '../lib/requests.ts'
import { decide } from '../lib/verdict.ts'
import type { Policy, Target } from '../lib/wanted.ts'
import { named, POLICY } from './scene.ts'

/** A history that is written event by event; times are milliseconds since its beginning. */
export class History {
  knowledge: Knowledge
  readonly target: Target

  constructor(policy: Partial<Policy> = {}, target: Target = named('web')) {
    this.target = target
    this.knowledge = initialKnowledge(
      target,
      { ...POLICY, ...policy },
      { silence: 'argocd did not answer in time', seed: 1, now: 0 },
    )
  }

  /** One application of the namespace `argocd`. */
  known(name = 'web'): Known {
    const known = this.knowledge.applications.get(`argocd/${name}`)
    if (known === undefined) throw new Error(`no application ${name} in this history`)
    return known
  }

  /** What is decided at a time. */
  decide(now: number): Ending | undefined {
    return decide(this.knowledge, now)
  }

  /** The keys of what ought to be under way at a time, but for those of other kinds. */
  planned(now: number, kind?: Request['kind']): readonly string[] {
    return plan(this.knowledge, now)
      .tasks.filter((task) => kind === undefined || task.kind === kind)
      .map(({ key }) => key)
  }

  /** When it is thought again where nothing happens. */
  wakeAt(now: number): number {
    return plan(this.knowledge, now).wakeAt
  }

  /** A question is put. */
  started(now: number, question: Question): this {
    this.knowledge = learn(this.knowledge, { type: 'started', task: task(question) }, now)
    return this
  }

  /** Something comes of a question. */
  brought(now: number, question: Question, news: News, startedAt = now): this {
    const event = { type: 'brought', task: task(question), startedAt, news } as const
    this.knowledge = learn(this.knowledge, event, now)
    return this
  }

  /** A question comes to its end, or fails. */
  ended(now: number, question: Question, failure?: unknown, startedAt = now): this {
    const event = { type: 'ended', task: task(question), startedAt, failure } as const
    this.knowledge = learn(this.knowledge, event, now)
    return this
  }

  /** A look is answered; `undefined`: there is no such application. */
  look(now: number, name: string, application: Application | undefined, startedAt = now): this {
    return this.brought(now, lookAt(name), { kind: 'application', application }, startedAt)
  }

  /** A look fails. */
  lookFails(now: number, name: string, failure: unknown, startedAt = now): this {
    return this.ended(now, lookAt(name), failure, startedAt)
  }

  /** A refresh is asked for, and answered. */
  refresh(startedAt: number, now: number, name: string, application: Application | undefined): this {
    return this.refreshStarts(startedAt, name).refreshEnds(startedAt, now, name, application)
  }

  refreshStarts(now: number, name: string): this {
    return this.started(now, refreshOf(name))
  }

  refreshEnds(startedAt: number, now: number, name: string, application: Application | undefined): this {
    return this.brought(now, refreshOf(name), { kind: 'application', application }, startedAt)
  }

  refreshFails(startedAt: number, now: number, name: string, failure: unknown): this {
    return this.ended(now, refreshOf(name), failure, startedAt)
  }

  /** A stream is asked for, and its headers come. */
  stream(now: number, openedAt = now): this {
    return this.started(now, this.#watch(1)).brought(openedAt, this.#watch(), { kind: 'opened' }, now)
  }

  /** The stream tells of applications as they are now; of none: a keep-alive. */
  tells(now: number, ...applications: readonly Application[]): this {
    const events = applications.map((application) => ({ type: 'MODIFIED', application }) as const)
    return this.brought(now, this.#watch(), { kind: 'changes', events }, this.knowledge.streams.askedAt)
  }

  tellsOfDeletion(now: number, application: Application): this {
    const events = [{ type: 'DELETED', application }] as const
    return this.brought(now, this.#watch(), { kind: 'changes', events }, this.knowledge.streams.askedAt)
  }

  streamEnds(now: number, failure?: unknown): this {
    return this.ended(now, this.#watch(), failure, this.knowledge.streams.askedAt)
  }

  /** All that a selector matches is listed. */
  list(now: number, applications: readonly Application[], startedAt = now): this {
    return this.brought(now, { kind: 'list', query: {} }, { kind: 'list', applications }, startedAt)
  }

  tree(now: number, name: string, nodes: readonly TreeNode[], startedAt = now): this {
    const question = treeOf(name)
    return this.started(startedAt, question).brought(now, question, { kind: 'tree', nodes }, startedAt)
  }

  /** @param more 1 for the next stream */
  #watch(more = 0): Question {
    return { kind: 'watch', number: this.knowledge.streams.number + more, query: queryOf(this.target) }
  }
}

const refOf = (name: string) => ({ name, namespace: 'argocd', project: undefined })

/** A look at an application of the namespace `argocd`. */
export function lookAt(name: string): Question {
  return { kind: 'look', application: `argocd/${name}`, ref: refOf(name) }
}

/** Its resource tree. */
export function treeOf(name: string): Question {
  return { kind: 'tree', application: `argocd/${name}`, ref: refOf(name) }
}

/** A refresh of one. */
export function refreshOf(name: string): Question {
  return {
    kind: 'refresh',
    application: `argocd/${name}`,
    ref: refOf(name),
    type: 'normal',
    isRead: true,
  }
}

/** A question as a task; what is learnt of it does not depend on how it is asked. */
function task(question: Question): Request {
  const key = 'application' in question ? `${question.kind}:${question.application}` : question.kind
  return { ...question, key, lane: question.kind, timeout: Number.POSITIVE_INFINITY, hedges: [] }
}
