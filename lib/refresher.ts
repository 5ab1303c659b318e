/** Asks Argo CD to refresh applications: once at the start, and once for each operation that left the status stale. */

import type { Application } from './application.ts'
import type { ArgoCD } from './argocd.ts'
import { backoff } from './backoff.ts'
import type { Check } from './check.ts'
import type { Clock } from './clock.ts'
import type { Policy } from './config.ts'
import { retryAfterOf } from './failure.ts'
import { Limit, REQUESTS_AT_ONCE } from './limit.ts'
import { staleOperation } from './operation-rules.ts'
import { refreshDecides } from './revision-needs.ts'
import { applicationOf, type Subject } from './subject.ts'

/** Whom a refresher tells. */
export interface RefreshListener {
  /** A refresh was asked for. */
  refreshing(subject: Subject): void
  /** A refresh has come back with this answer. */
  refreshed(subject: Subject, answer: Application): void
  refreshFailed(error: unknown): void
  /** No refresh of the application is under way any more; it may have found another reason meanwhile. */
  ended(subject: Subject): void
  /** Whether the application's own answers are not needed, because a stream brings its state. */
  isStreamed(): boolean
}

/** What a refresher works with. */
export interface RefreshTools {
  readonly client: Pick<ArgoCD, 'refresh' | 'requestRefresh'>
  readonly clock: Clock
  readonly policy: Pick<Policy, 'refresh' | 'interval'>
  readonly random: () => number
  readonly signal: AbortSignal
}

/** Asks for refreshes, at most eight at once, and none twice for the same reason. */
export class Refresher {
  readonly #listener: RefreshListener
  readonly #tools: RefreshTools
  readonly #limit = new Limit(REQUESTS_AT_ONCE)

  constructor(listener: RefreshListener, tools: RefreshTools) {
    this.#listener = listener
    this.#tools = tools
  }

  /** Asks for a refresh where there is a reason to and none is under way. */
  pursue(subject: Subject, checks: readonly Check[]): void {
    const application = applicationOf(subject)
    if (application === undefined || subject.refreshing || checks.every(({ state }) => state === 'met'))
      return
    const { refresh } = this.#tools.policy
    if (refresh === 'none') return
    const reasons = reasonsFor(subject, application).filter((reason) => !subject.refreshReasons.has(reason))
    if (reasons.length === 0) return
    const type = reasons.includes(START) ? refresh : 'normal'
    for (const reason of reasons) subject.refreshReasons.add(reason)
    subject.refreshing = true
    void this.#ask(subject, type)
  }

  async #ask(subject: Subject, type: 'normal' | 'hard'): Promise<void> {
    const { client, clock, policy, random, signal } = this.#tools
    for (let failures = 0; !signal.aborted; ) {
      const application = applicationOf(subject)
      if (application === undefined) break
      try {
        this.#listener.refreshing(subject)
        // The answer is the whole application; it is read only where it decides, or where nothing else brings it.
        if (this.#listener.isStreamed() && !refreshDecides(application, subject.wanted)) {
          await this.#limit.run(() => client.requestRefresh(subject.ref, type, signal))
          break
        }
        const answer = await this.#limit.run(() => client.refresh(subject.ref, type, signal))
        subject.refreshing = false
        if (answer !== undefined) this.#listener.refreshed(subject, answer)
        break
      } catch (error) {
        if (signal.aborted) break
        this.#listener.refreshFailed(error)
        failures++
        await clock.sleep(backoff(failures, policy.interval, retryAfterOf(error), random()), signal)
      }
    }
    subject.refreshing = false
    this.#listener.ended(subject)
  }
}

const START = 'start'

/** Why an application should be refreshed; the same reason is the same text. */
function reasonsFor(subject: Subject, application: Application): readonly string[] {
  const stale = staleOperation(application)
  return [
    START,
    ...(stale === undefined ? [] : [`operation that finished ${stale}`]),
    ...(refreshDecides(application, subject.wanted) && subject.refreshedBy === undefined ? ['revision'] : []),
  ]
}
