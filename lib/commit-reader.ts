/** Asks for the commits that could decide, once for each revision of each source. */

import type { ArgoCD } from './argocd.ts'
import { backoff } from './backoff.ts'
import type { Clock } from './clock.ts'
import type { CommitRequest } from './evidence.ts'
import { asFailure, type RequestFailure } from './failure.ts'
import { Limit, REQUESTS_AT_ONCE } from './limit.ts'
import { commitsNeeded } from './revision-needs.ts'
import { applicationOf, evidenceOf, type Subject } from './subject.ts'

/** Whom a reader tells. */
export interface CommitListener {
  /** A commit is known now, or why it is not. */
  commitRead(subject: Subject): void
  /** Asking is of no use to anybody in this run: refused credentials, a bad certificate. */
  commitRefused(failure: RequestFailure): void
}

/** What a reader works with. */
export interface CommitTools {
  readonly client: Pick<ArgoCD, 'commit'>
  readonly clock: Clock
  readonly refreshIsOff: boolean
  /** The longest wait before a failed request is repeated, in milliseconds; `undefined`: it is not repeated. */
  readonly retryInterval: number | undefined
  readonly random: () => number
  readonly signal: AbortSignal
}

/** Reads commits, and remembers them with the application they belong to. */
export class CommitReader {
  readonly #listener: CommitListener
  readonly #tools: CommitTools
  readonly #tasks = new Set<Promise<void>>()
  readonly #limit = new Limit(REQUESTS_AT_ONCE)

  constructor(listener: CommitListener, tools: CommitTools) {
    this.#listener = listener
    this.#tools = tools
  }

  /** Asks for what is needed and was not asked for yet. */
  pursue(subject: Subject): void {
    for (const request of this.#needed(subject)) {
      if (subject.commitsAsked.has(request.key)) continue
      subject.commitsAsked.add(request.key)
      const task = this.#read(subject, request).finally(() => this.#tasks.delete(task))
      this.#tasks.add(task)
    }
  }

  /** Whether the first answer about a commit of an application is still to come. */
  isReading({ commits, commitsAsked }: Subject): boolean {
    return [...commitsAsked].some((key) => !commits.has(key))
  }

  /** Resolves when nothing is being asked for. */
  async idle(): Promise<void> {
    while (this.#tasks.size > 0) await Promise.all(this.#tasks)
  }

  #needed(subject: Subject): readonly CommitRequest[] {
    const application = applicationOf(subject)
    if (application === undefined) return []
    return commitsNeeded(application, subject.wanted, evidenceOf(subject, this.#tools.refreshIsOff))
  }

  async #read(subject: Subject, { key, revision, sourceIndex }: CommitRequest): Promise<void> {
    const { client, clock, random, retryInterval, signal } = this.#tools
    for (let failures = 1; !signal.aborted; failures++) {
      try {
        subject.commits.set(
          key,
          await this.#limit.run(() => client.commit(subject.ref, revision, sourceIndex, signal)),
        )
        this.#listener.commitRead(subject)
        return
      } catch (error) {
        if (signal.aborted) return
        const failure = asFailure(error)
        // A rejected request says something about this revision, not about the run.
        if (failure.fatal && failure.reason !== 'InvalidSettings')
          return this.#listener.commitRefused(failure)
        const isNews = !subject.commits.has(key)
        subject.commits.set(key, { problem: failure.message })
        if (isNews) this.#listener.commitRead(subject)
        if (retryInterval === undefined) return
        await clock.sleep(backoff(failures, retryInterval, failure.retryAfter, random()), signal)
        if (!this.#needed(subject).some((request) => request.key === key)) break
      }
    }
    subject.commitsAsked.delete(key)
  }
}
