/** Looks at the applications by requests: polls while there is no living stream, and what a stream cannot tell. */

import type { Application } from './application.ts'
import type { ArgoCD } from './argocd.ts'
import { backoff } from './backoff.ts'
import { type Clock, sleepUntil } from './clock.ts'
import type { Policy } from './config.ts'
import { RequestFailure, retryAfterOf } from './failure.ts'
import { Limit, REQUESTS_AT_ONCE } from './limit.ts'
import type { Roster } from './roster.ts'
import type { Origin, Subject } from './subject.ts'
import type { Watcher } from './watcher.ts'

/** Whom a poller tells. */
export interface PollListener {
  /** Applications were looked at; `undefined`: not there, or not to be seen. */
  looked(sightings: readonly (readonly [Subject, Application | undefined])[], origin: Origin): void
  /** Applications are no longer selected. */
  unselected(subjects: readonly Subject[]): void
  /** The selector matches nothing. */
  nothingSelected(): void
  /** All requests of a look were answered. */
  succeeded(): void
  failed(error: unknown): void
}

/** What a poller works with. */
export interface PollTools {
  readonly client: Pick<ArgoCD, 'application' | 'applications' | 'applicationNames'>
  readonly clock: Clock
  readonly roster: Roster
  readonly watcher: Watcher | undefined
  readonly policy: Pick<Policy, 'interval'>
  /** In milliseconds of the clock. */
  readonly deadline: number
  readonly random: () => number
  readonly tidy: (() => void) | undefined
  readonly signal: AbortSignal
}

/** How long a stream may take to begin before the applications are polled, in milliseconds. */
const STREAM_GRACE = 500
/** How long a living stream may be silent before an application that it has not mentioned is asked for by name. */
const MENTION_GRACE = 250
/** Likewise, where it goes on mentioning others meanwhile. */
const LONGEST_MENTION_GRACE = 3000
/** A stream does not tell that labels changed so that an application is no longer selected; a list does. */
const MEMBERSHIP_INTERVAL = 30_000
/** Names that do not exist are asked for less and less often while a stream would tell of them. */
const LONGEST_MISSING_INTERVAL = 60_000

/** How long a stream is trusted to lose nothing, in milliseconds. */
const LONGEST_TRUST = 120_000
/**
 * A stream that has died without a word is only noticed after a long silence; so before the deadline, the present
 * state is asked for once more: a part of the timeout before it, and at most so many milliseconds.
 */
const LAST_LOOK_SHARE = 0.3
const LONGEST_LAST_LOOK = 5000

/** Looks when that is due: see {@link PollTools}. */
export class Poller {
  readonly #listener: PollListener
  readonly #tools: PollTools
  readonly #limit = new Limit(REQUESTS_AT_ONCE)

  /** Looks in a row that failed, and how long the server asked to be left alone at the last of them. */
  #failures = 0
  #retryAfter: number | undefined
  /** When another look could decide something, as the reducer says, and the last such time that was acted upon. */
  #decisiveAt: number | undefined
  #confirmedFor: number | undefined
  #isSoaking = false
  /** When the stream last brought something. */
  #heardAt = Number.NEGATIVE_INFINITY
  /** Whether a stream has ever brought something, and when polls take over from one that has ended. */
  #hasMentioned = false
  #takeOverAt: number | undefined
  /** When the last poll began. */
  #polledAt = Number.NEGATIVE_INFINITY
  /** The next poll, where there is no living stream. */
  #pollAt: number
  /** When everything is looked at for the last time, where a stream lives; `Infinity` once that was done. */
  #lastLookAt: number
  /** When the present poll began: what it has not seen is not known any more. */
  #presentLook: number
  /** The next look at what a living stream has not mentioned. */
  #missingAt = 0
  #missingLooks = 0
  /** Whether there was a living stream before. */
  #hasLived = false
  /** The next list of what a selector matches; `#membershipKnown` once there was one. */
  #membershipAt: number
  #membershipKnown: boolean
  #wake = new AbortController()

  constructor(listener: PollListener, tools: PollTools) {
    this.#listener = listener
    this.#tools = tools
    this.#membershipKnown = !tools.roster.isSelected
    const now = tools.clock.now()
    this.#pollAt = now
    this.#lastLookAt = tools.deadline - Math.min((tools.deadline - now) * LAST_LOOK_SHARE, LONGEST_LAST_LOOK)
    this.#presentLook = now
    this.#membershipAt = now
  }

  /** Whether everything that was asked for was seen, and not so long ago that it may have changed since. */
  get isComplete(): boolean {
    const since = this.#tools.watcher?.aliveSince ?? this.#presentLook
    return this.#membershipKnown && this.#tools.roster.subjects.every(({ seenAt }) => seenAt >= since)
  }

  /** What follows from what is known: when another look could decide, and whether all of it must go on to hold. */
  decided({ lookAt, isSoaking }: { readonly lookAt: number | undefined; readonly isSoaking: boolean }): void {
    this.#decisiveAt = lookAt
    this.#isSoaking = isSoaking
    this.#wake.abort()
  }

  /** The stream has brought something, be it a keep-alive. */
  heard(): void {
    this.#heardAt = this.#tools.clock.now()
  }

  /** The stream began to live, or ended. */
  streamChanged(): void {
    const { clock, policy, roster, watcher } = this.#tools
    if (watcher?.aliveSince !== undefined) {
      this.#missingLooks = 0
      this.#missingAt = clock.now() + (roster.needsServerNamespace ? 0 : MENTION_GRACE)
      // What began to match while there was no stream may be in a message that is still to come.
      if (roster.isSelected && this.#hasLived) {
        this.#membershipKnown = false
        this.#membershipAt = clock.now()
      }
      this.#hasLived = true
    } else {
      // A stream that has brought something is opened again at once, and brings what a poll would.
      const grace = this.#hasMentioned ? STREAM_GRACE : 0
      this.#takeOverAt ??= Math.max(clock.now() + grace, this.#polledAt + policy.interval)
      this.#forgetLooks(this.#takeOverAt)
    }
    this.#wake.abort()
  }

  /** Looks until the deadline, or until the signal aborts. */
  async run(): Promise<void> {
    const { clock, deadline, roster, signal, watcher } = this.#tools
    const grace = clock.now() + STREAM_GRACE
    if (watcher !== undefined && roster.isSelected) void this.#listNames()
    while (watcher?.tried === false && clock.now() < grace && !signal.aborted)
      await this.#sleepUntil(grace, this.#wakeSignal())
    // Not past the deadline: what is due later would be waited for without a pause, and nothing else could run.
    while (!signal.aborted && clock.now() < deadline) {
      const wake = this.#wakeSignal()
      const at = this.#nextLookAt()
      if (clock.now() < at) await this.#sleepUntil(Math.min(at, deadline), wake)
      else await this.#lookAsDue()
    }
  }

  #nextLookAt(): number {
    const decisive = this.#confirmAt
    if (this.#tools.watcher?.aliveSince === undefined)
      return Math.min(this.#pollAt, Math.max(decisive, this.#failures > 0 ? this.#pollAt : 0))
    const membership = this.#tools.roster.isSelected ? this.#membershipAt : Number.POSITIVE_INFINITY
    const missing = this.#unmentioned.length > 0 ? this.#missingAt : Number.POSITIVE_INFINITY
    return Math.min(decisive, membership, missing, this.#lastLookAt, this.#reopenAt)
  }

  /** When another look could decide something, and none was made for that yet. */
  get #confirmAt(): number {
    if (this.#decisiveAt === undefined || this.#decisiveAt === this.#confirmedFor)
      return Number.POSITIVE_INFINITY
    return this.#decisiveAt
  }

  /**
   * When a living stream is opened anew. Argo CD drops changes for a client that is slow, and misses those between
   * its list and its watch, so no stream is trusted for ever; and what must hold without a break is looked at as
   * often as without a stream, unless the stream says by a keep-alive that nothing has changed.
   */
  get #reopenAt(): number {
    const { policy, watcher } = this.#tools
    const since = watcher?.aliveSince ?? Number.POSITIVE_INFINITY
    return Math.min(
      since + LONGEST_TRUST,
      this.#isSoaking ? Math.max(since, this.#heardAt) + policy.interval : Number.POSITIVE_INFINITY,
    )
  }

  async #lookAsDue(): Promise<void> {
    const { clock } = this.#tools
    const now = clock.now()
    const isConfirmation = this.#confirmAt <= now
    if (isConfirmation) this.#confirmedFor = this.#decisiveAt
    if (this.#tools.watcher?.aliveSince === undefined) {
      this.#presentLook = now
      this.#polledAt = now
      this.#takeOverAt = undefined
      if (await this.lookAtAll()) this.#pollAt = clock.now() + this.#tools.policy.interval
      if (!this.#tools.signal.aborted) this.#tools.tidy?.()
    } else if (isConfirmation || this.#reopenAt <= now) this.#lookByStream()
    else if (this.#lastLookAt <= now) {
      this.#lastLookAt = Number.POSITIVE_INFINITY
      if (this.#tools.roster.isSelected) this.#membershipAt = now
      this.#lookByStream()
    } else if (this.#tools.roster.isSelected && this.#membershipAt <= now) void this.#listNames()
    else void this.#lookAtUnmentioned()
  }

  /** A new stream brings the present state of all applications in one request; where it does not begin, polls do. */
  #lookByStream(): void {
    this.#forgetLooks(this.#tools.clock.now() + STREAM_GRACE)
    this.#tools.watcher?.restart()
  }

  /** What a living stream has said nothing of since it began, or said that it is gone. */
  get #unmentioned(): readonly Subject[] {
    const since = this.#tools.watcher?.aliveSince ?? Number.POSITIVE_INFINITY
    return this.#tools.roster.subjects.filter(
      ({ snapshot, seenAt }) => seenAt < since || snapshot === 'missing',
    )
  }

  /** A stream is silent about what does not exist and about what may not be seen. */
  async #lookAtUnmentioned(): Promise<void> {
    const { clock, policy, roster, signal, watcher } = this.#tools
    const isFirst = this.#missingLooks === 0
    this.#missingAt =
      clock.now() + Math.min(policy.interval * 2 ** this.#missingLooks++, LONGEST_MISSING_INTERVAL)
    if (!roster.needsServerNamespace) {
      const since = watcher?.aliveSince ?? 0
      // What was just found missing is asked for again only with the next look.
      const looked = await this.lookAt(this.#unmentioned.filter(({ seenAt }) => seenAt < since || !isFirst))
      if (!looked) this.#missingAt = this.#pollAt
      return
    }
    // One name that is found says which namespace the others are in, so that the stream's words can be understood.
    for (const subject of this.#unmentioned) {
      if (signal.aborted) return
      await this.lookAt([subject])
      if (roster.needsServerNamespace) continue
      this.#missingLooks = 0
      this.mentioned()
      return
    }
  }

  /** The stream has brought something; what it has not mentioned may be on its way. */
  mentioned(): void {
    const { clock, watcher } = this.#tools
    this.#hasMentioned = true
    this.#takeOverAt = undefined
    if (watcher?.aliveSince === undefined || this.#missingLooks > 0) return
    this.#missingAt = Math.min(clock.now() + MENTION_GRACE, watcher.aliveSince + LONGEST_MENTION_GRACE)
    this.#wake.abort()
  }

  /** @returns whether all requests succeeded */
  lookAtAll(): Promise<boolean> {
    return this.#tools.roster.isSelected ? this.#list() : this.lookAt(this.#tools.roster.subjects)
  }

  /**
   * Asks for applications by their names.
   *
   * @returns whether all requests succeeded
   */
  lookAt(subjects: readonly Subject[]): Promise<boolean> {
    const { client, signal } = this.#tools
    const look = async (subject: Subject) => {
      if (signal.aborted || subject.looking) return
      subject.looking = true
      const asked = this.#tools.clock.now()
      const application = await client
        .application(subject.ref, signal)
        .catch((error: unknown) => {
          if (error instanceof RequestFailure) subject.failure = error
          throw error
        })
        .finally(() => {
          subject.looking = false
        })
      // What was learnt since the request was sent is newer than its answer.
      if (subject.seenAt <= asked) this.#listener.looked([[subject, application]], 'request')
    }
    return this.#ask(async () => {
      const looks = await Promise.allSettled(subjects.map((subject) => this.#limit.run(() => look(subject))))
      const failed = looks.find((result) => result.status === 'rejected')
      if (failed !== undefined) throw failed.reason
    })
  }

  /** Asks for all that the selector matches. */
  #list(): Promise<boolean> {
    return this.#ask(async () => {
      const asked = this.#tools.clock.now()
      const applications = await this.#tools.client.applications(this.#tools.roster.query, this.#tools.signal)
      const sightings = applications.flatMap((application) => {
        const subject = this.#tools.roster.find(application)
        return subject === undefined ? [] : [[subject, application] as const]
      })
      // What a stream has brought since the request was sent is newer than the list.
      const newer = this.#tools.roster.subjects.filter(({ seenAt }) => seenAt > asked)
      this.#keepOnly(new Set([...sightings.map(([subject]) => subject), ...newer]))
      const older = sightings.filter(([{ seenAt }]) => seenAt <= asked)
      if (older.length > 0) this.#listener.looked(older, 'stream')
    })
  }

  /** Asks for the names of all that the selector matches; their state comes from the stream. */
  async #listNames(): Promise<void> {
    this.#membershipAt = Number.POSITIVE_INFINITY
    const before = new Set(this.#tools.roster.subjects)
    const listed = await this.#ask(async () => {
      const names = await this.#tools.client.applicationNames(this.#tools.roster.query, this.#tools.signal)
      const members = new Set(names.flatMap((name) => this.#tools.roster.add(name) ?? []))
      // What a stream has brought since the request was sent is newer than the list.
      for (const subject of this.#tools.roster.subjects) if (!before.has(subject)) members.add(subject)
      this.#keepOnly(members)
    })
    this.#membershipAt =
      this.#tools.clock.now() +
      (listed ? Math.max(MEMBERSHIP_INTERVAL, this.#tools.policy.interval) : this.#waitAfterFailure())
    this.#wake.abort()
  }

  #keepOnly(members: ReadonlySet<Subject>): void {
    this.#membershipKnown = true
    this.#listener.unselected(this.#tools.roster.subjects.filter((subject) => !members.has(subject)))
    if (members.size === 0) this.#listener.nothingSelected()
  }

  /**
   * Runs requests and takes note of how that went.
   *
   * @returns whether all succeeded; otherwise the next poll is set to when they may be tried again
   */
  async #ask(requests: () => Promise<unknown>): Promise<boolean> {
    try {
      await requests()
      this.#failures = 0
      this.#listener.succeeded()
      return true
    } catch (error) {
      this.#failures++
      this.#retryAfter = retryAfterOf(error)
      this.#listener.failed(error)
      this.#pollAt = this.#tools.clock.now() + this.#waitAfterFailure()
      return false
    }
  }

  #waitAfterFailure(): number {
    return backoff(
      Math.max(this.#failures, 1),
      this.#tools.policy.interval,
      this.#retryAfter,
      this.#tools.random(),
    )
  }

  /** What was seen by a stream that has ended counts no more; polls take over at some time. */
  #forgetLooks(pollAt: number): void {
    this.#pollAt = pollAt
    this.#presentLook = this.#tools.clock.now()
  }

  #wakeSignal(): AbortSignal {
    if (this.#wake.signal.aborted) this.#wake = new AbortController()
    return this.#wake.signal
  }

  #sleepUntil(time: number, signal: AbortSignal): Promise<void> {
    return sleepUntil(this.#tools.clock, time, AbortSignal.any([this.#tools.signal, signal]))
  }
}
