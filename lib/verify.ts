/**
 * The loop: watches the applications, polls where there is no living stream, asks for refreshes, and feeds what it
 * learns to the reducer until that decides or the deadline comes. Clock and client are passed in.
 */

import type { Application } from './application.ts'
import type { ArgoCD } from './argocd.ts'
import { backoff } from './backoff.ts'
import type { Clock } from './clock.ts'
import { CommitReader } from './commit-reader.ts'
import type { Policy, Target } from './config.ts'
import { diagnose } from './diagnosis.ts'
import { RequestFailure } from './failure.ts'
import { Limit } from './limit.ts'
import type { Check } from './predicates.ts'
import { Refresher } from './refresher.ts'
import { Roster } from './roster.ts'
import type { WatchEvent } from './stream.ts'
import { checkSubject, type Origin, type Subject, snapshotAge } from './subject.ts'
import { decide, type Event, INITIAL, reduce, type State } from './verdict.ts'
import { Watcher } from './watcher.ts'

/** Why a run ended. */
export type Ending =
  | { readonly kind: 'verified' }
  /** An application was failing for longer than *fail after*. */
  | { readonly kind: 'failed'; readonly key: string }
  /** The deadline came. */
  | { readonly kind: 'timed-out' }
  /** The one look of a timeout of 0 said no. */
  | { readonly kind: 'looked' }
  /** The server cannot be asked, and trying again would not help. */
  | { readonly kind: 'refused'; readonly failure: RequestFailure }
  | { readonly kind: 'interrupted' }

/** Something that a person who follows the run may want to know. */
export type Progress =
  /** An application was looked at, by a request or by its stream. */
  | { readonly type: 'observed'; readonly subject: Subject; readonly checks: readonly Check[] }
  /** An application is no longer selected. */
  | { readonly type: 'gone'; readonly subject: Subject }
  /** Argo CD is asked to refresh an application. */
  | { readonly type: 'refreshing'; readonly subject: Subject }
  /** A selector matches nothing. */
  | { readonly type: 'nothing-selected' }
  /** The server could not be asked; it is tried again. */
  | { readonly type: 'failure'; readonly failure: RequestFailure }
  /** The server answers again. */
  | { readonly type: 'recovered' }

/** How a run ended and what it knew then. */
export interface Outcome {
  readonly ending: Ending
  readonly subjects: readonly Subject[]
  readonly state: State
  /** The last request that failed, where none has succeeded since. */
  readonly lastFailure: RequestFailure | undefined
  /** Milliseconds of the run's clock. */
  readonly endedAt: number
}

/** What a run works with. */
export interface Tools {
  readonly client: ArgoCD
  readonly clock: Clock
  readonly emit: (progress: Progress) => void
  /** Aborts when the run is told to end. */
  readonly interrupted: AbortSignal
  /** From 0 to 1, for jitter. */
  readonly random: () => number
}

/** How long the one look of a timeout of 0 may take, in milliseconds. */
export const ONE_LOOK_LIMIT = 10_000

/** How long a stream may take to begin before the applications are polled, in milliseconds. */
const STREAM_GRACE = 500
/** How long a living stream may take to mention an application before it is asked for by name. */
const MENTION_GRACE = 250
/** A stream does not tell that labels changed so that an application is no longer selected; a list does. */
const MEMBERSHIP_INTERVAL = 30_000
/** Names that do not exist are asked for less and less often while a stream would tell of them. */
const LONGEST_MISSING_INTERVAL = 60_000

const REQUESTS_AT_ONCE = 8

/** Time before the deadline for the diagnosis of a no: a part of the timeout, and at most so many milliseconds. */
const DIAGNOSIS_SHARE = 0.2
const LONGEST_DIAGNOSIS = 3000

/** Runs a verification to its end. Never rejects for what the server does. */
export function verify(target: Target, policy: Policy, tools: Tools): Promise<Outcome> {
  return new Run(target, policy, tools).run()
}

class Run {
  readonly #policy: Policy
  readonly #tools: Tools
  readonly #roster: Roster
  readonly #bySelector: boolean
  readonly #watcher: Watcher | undefined
  readonly #refresher: Refresher | undefined
  readonly #commits: CommitReader
  readonly #limit = new Limit(REQUESTS_AT_ONCE)
  readonly #stop = new AbortController()
  readonly #ended = Promise.withResolvers<Ending>()
  readonly #deadline: number

  #state: State = INITIAL
  #lastFailure: RequestFailure | undefined
  #failures = 0
  /** An ending is certain, and only its diagnosis is awaited. */
  #concluding = false
  #diagnosis: Promise<void> | undefined
  /** When another look could decide something, as the reducer says, and the last such time that was acted upon. */
  #decisiveAt: number | undefined
  #confirmedFor: number | undefined
  /** The next poll, where there is no living stream. */
  #pollAt: number
  /** When the present poll and the one before it began: what both failed to see is not known any more. */
  #presentLook: number
  #previousLook: number
  /** The next look at what a living stream has not mentioned. */
  #missingAt: number | undefined
  #missingLooks = 0
  /** The next list of what a selector matches; `#membershipKnown` once there was one. */
  #membershipAt: number
  #membershipKnown: boolean
  #wake = new AbortController()

  constructor(target: Target, policy: Policy, tools: Tools) {
    const { client, clock, random } = tools
    this.#policy = policy
    this.#tools = tools
    this.#roster = new Roster(target)
    this.#bySelector = target.kind === 'selector'
    this.#membershipKnown = !this.#bySelector
    const now = clock.now()
    this.#deadline = now + (policy.timeout === 0 ? ONE_LOOK_LIMIT : policy.timeout)
    this.#pollAt = now
    this.#presentLook = now
    this.#previousLook = now
    this.#membershipAt = now
    const waits = policy.timeout > 0
    const { signal } = this.#stop
    if (waits && policy.watch) {
      const listener = {
        changed: (events: readonly WatchEvent[]) => this.#heard(events),
        stateChanged: () => this.#streamChanged(),
      }
      this.#watcher = new Watcher(this.#roster.query, listener, { client, clock, random, signal })
    }
    if (waits) {
      this.#refresher = new Refresher(
        {
          refreshing: (subject) => tools.emit({ type: 'refreshing', subject }),
          refreshed: (subject, answer) => {
            this.#succeeded()
            subject.refreshedBy = answer
            this.#observe([[subject, answer]], 'request')
          },
          refreshFailed: (error) => this.#failed(error),
          isStreamed: () => this.#watcher?.aliveSince !== undefined,
        },
        { client, clock, policy, random, signal },
      )
    }
    this.#commits = new CommitReader(
      { commitRead: (subject) => this.#check([subject]), commitRefused: (failure) => this.#failed(failure) },
      {
        client,
        clock,
        random,
        signal,
        refreshIsOff: this.#refreshIsOff,
        retryInterval: waits ? policy.interval : undefined,
      },
    )
  }

  async run(): Promise<Outcome> {
    const { clock, interrupted } = this.#tools
    const interrupt = () => this.#end({ kind: 'interrupted' })
    interrupted.addEventListener('abort', interrupt)
    if (interrupted.aborted) interrupt()
    void this.#endAtDeadline()
    if (this.#policy.timeout === 0) void this.#lookOnce()
    else {
      void this.#watcher?.run()
      void this.#poll()
      void this.#diagnoseBeforeDeadline()
    }
    const ending = await this.#ended.promise
    interrupted.removeEventListener('abort', interrupt)
    this.#stop.abort()
    return {
      ending,
      subjects: this.#roster.subjects,
      state: this.#state,
      lastFailure: this.#lastFailure,
      endedAt: clock.now(),
    }
  }

  // ---- Ending

  #end(ending: Ending): void {
    this.#ended.resolve(ending)
  }

  async #endAtDeadline(): Promise<void> {
    await this.#sleepUntil(this.#deadline)
    this.#end({ kind: this.#policy.timeout === 0 ? 'looked' : 'timed-out' })
  }

  /** A timeout of 0: everything is asked once, and the answer is the verdict. */
  async #lookOnce(): Promise<void> {
    await this.#lookAtAll()
    await this.#commits.idle()
    if (this.#lastFailure === undefined) await this.#diagnose()
    this.#end({ kind: 'looked' })
  }

  async #diagnoseBeforeDeadline(): Promise<void> {
    await this.#sleepUntil(
      this.#deadline - Math.min(this.#policy.timeout * DIAGNOSIS_SHARE, LONGEST_DIAGNOSIS),
    )
    await this.#diagnose()
  }

  /** Once in a run. */
  #diagnose(): Promise<void> {
    this.#diagnosis ??= this.#askForCauses()
    return this.#diagnosis
  }

  async #askForCauses(): Promise<void> {
    const { client, clock } = this.#tools
    if (this.#stop.signal.aborted) return
    const enough = new AbortController()
    const done = new AbortController()
    void clock.sleep(LONGEST_DIAGNOSIS, done.signal).then(() => enough.abort())
    await diagnose(this.#roster.subjects, client, AbortSignal.any([this.#stop.signal, enough.signal]))
    done.abort()
  }

  /** Ends the run where the reducer has decided. */
  #settle(): void {
    if (this.#concluding) return
    const decision = decide(this.#state, this.#policy)
    switch (decision.kind) {
      case 'verified':
        if (this.#isComplete) this.#end({ kind: 'verified' })
        break
      case 'failed':
        // The one look of a timeout of 0 ends by itself, as a no.
        if (this.#policy.timeout === 0) break
        this.#concluding = true
        void this.#diagnose().then(() => this.#end({ kind: 'failed', key: decision.key }))
        break
      case 'waiting':
        this.#decisiveAt = decision.lookAt
        this.#wakePoller()
    }
  }

  /** No yes before everything that was asked for was seen, and not so long ago that it may have changed since. */
  get #isComplete(): boolean {
    const since = this.#watcher?.aliveSince ?? this.#previousLook
    return this.#membershipKnown && this.#roster.subjects.every(({ seenAt }) => seenAt >= since)
  }

  // ---- Learning

  #observe(sightings: readonly (readonly [Subject, Application | undefined])[], origin: Origin): void {
    const now = this.#tools.clock.now()
    for (const [subject, snapshot] of sightings) {
      // An application that comes back is a new one: it gets its own refresh.
      if (snapshot === undefined) subject.refreshReasons.clear()
      subject.snapshot = snapshot ?? 'missing'
      subject.origin = origin
      subject.seenAt = now
    }
    this.#check(sightings.map(([subject]) => subject))
    for (const [subject, snapshot] of sightings) {
      if (origin !== 'request' || snapshot === undefined) continue
      const meant = this.#roster.learnServerNamespace(subject, snapshot)
      if (meant.length > 0) this.#heard(meant.map((application) => ({ type: 'ADDED', application })))
    }
  }

  /** Judges applications as they were last seen, and goes after what could still make them verified. */
  #check(subjects: readonly Subject[]): void {
    const checked = subjects.map((subject) => [subject, checkSubject(subject, this.#refreshIsOff)] as const)
    this.#dispatch({ type: 'observed', checks: checked.map(([{ key }, checks]) => [key, checks]) })
    for (const [subject, checks] of checked) {
      this.#tools.emit({ type: 'observed', subject, checks })
      this.#commits.pursue(subject)
      this.#refresher?.pursue(subject, checks)
      if (snapshotAge(subject) === 'unknown' && !subject.looking) void this.#lookAt([subject])
    }
    this.#settle()
  }

  #dispatch(event: Event): void {
    this.#state = reduce(this.#state, event, this.#tools.clock.now(), this.#policy)
  }

  #remove(subjects: readonly Subject[]): void {
    if (subjects.length === 0) return
    for (const subject of subjects) {
      this.#roster.remove(subject)
      this.#tools.emit({ type: 'gone', subject })
    }
    this.#dispatch({ type: 'gone', keys: subjects.map(({ key }) => key) })
    this.#settle()
  }

  get #refreshIsOff(): boolean {
    return this.#policy.refresh === 'none'
  }

  #failed(error: unknown): void {
    if (this.#stop.signal.aborted) return
    const failure = error instanceof RequestFailure ? error : new RequestFailure('Unreachable', String(error))
    this.#lastFailure = failure
    if (failure.fatal) this.#end({ kind: 'refused', failure })
    else this.#tools.emit({ type: 'failure', failure })
  }

  #succeeded(): void {
    this.#failures = 0
    if (this.#lastFailure === undefined) return
    this.#lastFailure = undefined
    this.#tools.emit({ type: 'recovered' })
  }

  // ---- Watching

  #heard(events: readonly WatchEvent[]): void {
    this.#succeeded()
    if (events.length === 0) {
      const since = this.#watcher?.aliveSince ?? Number.POSITIVE_INFINITY
      const mentioned = this.#roster.subjects.filter(({ seenAt }) => seenAt >= since)
      this.#dispatch({ type: 'confirmed', keys: mentioned.map(({ key }) => key) })
      return
    }
    // Only the last change of an application in a batch is its state.
    const last = new Map<Subject, WatchEvent>()
    for (const event of events) {
      const subject = this.#roster.find(event.application)
      if (subject !== undefined) last.set(subject, event)
    }
    const deleted = [...last].flatMap(([subject, { type }]) => (type === 'DELETED' ? [subject] : []))
    const present = [...last].flatMap(([subject, { type, application }]) =>
      type === 'DELETED' ? [] : [[subject, application] as const],
    )
    if (this.#bySelector) this.#remove(deleted)
    else if (deleted.length > 0)
      this.#observe(
        deleted.map((subject) => [subject, undefined]),
        'stream',
      )
    if (present.length > 0) this.#observe(present, 'stream')
  }

  #streamChanged(): void {
    const now = this.#tools.clock.now()
    if (this.#watcher?.aliveSince !== undefined) {
      this.#missingLooks = 0
      this.#missingAt = now + (this.#roster.needsServerNamespace ? 0 : MENTION_GRACE)
    } else this.#forgetLooks(now)
    this.#wakePoller()
  }

  /** What was seen by a stream that has ended counts no more; polls take over at some time. */
  #forgetLooks(pollAt: number): void {
    const now = this.#tools.clock.now()
    this.#pollAt = pollAt
    this.#previousLook = now
    this.#presentLook = now
  }

  // ---- Looking

  /** Polls where there is no living stream, and looks after what a stream cannot tell. */
  async #poll(): Promise<void> {
    const { clock } = this.#tools
    const { signal } = this.#stop
    const grace = clock.now() + STREAM_GRACE
    if (this.#watcher !== undefined && this.#bySelector) void this.#listNames()
    while (this.#watcher?.tried === false && clock.now() < grace && !signal.aborted)
      await this.#sleepUntil(grace, this.#wakeSignal())
    // Not past the deadline: what is due later would be waited for without a pause, and nothing else could run.
    while (!signal.aborted && clock.now() < this.#deadline) {
      const wake = this.#wakeSignal()
      const at = this.#nextLookAt()
      if (clock.now() < at) await this.#sleepUntil(Math.min(at, this.#deadline), wake)
      else await this.#lookAsDue()
    }
  }

  #nextLookAt(): number {
    const decisive =
      this.#decisiveAt !== undefined && this.#decisiveAt !== this.#confirmedFor
        ? this.#decisiveAt
        : Number.POSITIVE_INFINITY
    if (this.#watcher?.aliveSince === undefined)
      return Math.min(this.#pollAt, Math.max(decisive, this.#failures > 0 ? this.#pollAt : 0))
    const membership = this.#bySelector ? this.#membershipAt : Number.POSITIVE_INFINITY
    const missing = this.#unmentioned.length > 0 ? (this.#missingAt ?? 0) : Number.POSITIVE_INFINITY
    return Math.min(decisive, membership, missing)
  }

  async #lookAsDue(): Promise<void> {
    const { clock } = this.#tools
    const now = clock.now()
    const decisive = this.#decisiveAt
    if (this.#watcher?.aliveSince === undefined) {
      this.#confirmedFor = decisive !== undefined && decisive <= now ? decisive : this.#confirmedFor
      this.#previousLook = this.#presentLook
      this.#presentLook = now
      if (await this.#lookAtAll()) this.#pollAt = clock.now() + this.#policy.interval
    } else if (decisive !== undefined && decisive <= now && decisive !== this.#confirmedFor) {
      this.#confirmedFor = decisive
      this.#forgetLooks(now + STREAM_GRACE)
      this.#watcher.restart()
    } else if (this.#bySelector && this.#membershipAt <= now) await this.#listNames()
    else await this.#lookAtUnmentioned()
  }

  /** What a living stream has said nothing of since it began, or said that it is gone. */
  get #unmentioned(): readonly Subject[] {
    const since = this.#watcher?.aliveSince ?? Number.POSITIVE_INFINITY
    return this.#roster.subjects.filter(({ snapshot, seenAt }) => seenAt < since || snapshot === 'missing')
  }

  /** A stream is silent about what does not exist and about what may not be seen. */
  async #lookAtUnmentioned(): Promise<void> {
    this.#missingAt =
      this.#tools.clock.now() +
      Math.min(this.#policy.interval * 2 ** this.#missingLooks++, LONGEST_MISSING_INTERVAL)
    for (const subject of this.#unmentioned) {
      if (!this.#roster.needsServerNamespace || this.#stop.signal.aborted) break
      await this.#lookAt([subject])
    }
    await this.#lookAt(
      this.#unmentioned.filter(
        ({ seenAt }) => seenAt < (this.#watcher?.aliveSince ?? 0) || this.#missingLooks > 1,
      ),
    )
  }

  #lookAtAll(): Promise<boolean> {
    return this.#bySelector ? this.#list() : this.#lookAt(this.#roster.subjects)
  }

  /** Asks for applications by their names. */
  #lookAt(subjects: readonly Subject[]): Promise<boolean> {
    const { client } = this.#tools
    const { signal } = this.#stop
    const look = async (subject: Subject) => {
      if (signal.aborted || subject.looking) return
      subject.looking = true
      const application = await client.application(subject.ref, signal).finally(() => {
        subject.looking = false
      })
      this.#observe([[subject, application]], 'request')
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
      const applications = await this.#tools.client.applications(this.#roster.query, this.#stop.signal)
      const sightings = applications.flatMap((application) => {
        const subject = this.#roster.find(application)
        return subject === undefined ? [] : [[subject, application] as const]
      })
      this.#keepOnly(new Set(sightings.map(([subject]) => subject)))
      if (sightings.length > 0) this.#observe(sightings, 'request')
    })
  }

  /** Asks for the names of all that the selector matches; their state comes from the stream. */
  async #listNames(): Promise<void> {
    this.#membershipAt = Number.POSITIVE_INFINITY
    const before = new Set(this.#roster.subjects)
    const listed = await this.#ask(async () => {
      const names = await this.#tools.client.applicationNames(this.#roster.query, this.#stop.signal)
      const members = new Set(names.flatMap((name) => this.#roster.add(name) ?? []))
      // What a stream has brought since the request was sent is newer than the list.
      for (const subject of this.#roster.subjects) if (!before.has(subject)) members.add(subject)
      this.#keepOnly(members)
      this.#settle()
    })
    this.#membershipAt =
      this.#tools.clock.now() +
      (listed ? Math.max(MEMBERSHIP_INTERVAL, this.#policy.interval) : this.#waitAfterFailure())
    this.#wakePoller()
  }

  #keepOnly(members: ReadonlySet<Subject>): void {
    this.#membershipKnown = true
    this.#remove(this.#roster.subjects.filter((subject) => !members.has(subject)))
    if (members.size === 0) this.#tools.emit({ type: 'nothing-selected' })
  }

  /**
   * Runs requests and takes note of how that went.
   *
   * @returns whether all succeeded; otherwise the next poll is set to when they may be tried again
   */
  async #ask(requests: () => Promise<unknown>): Promise<boolean> {
    try {
      await requests()
      this.#succeeded()
      return true
    } catch (error) {
      this.#failures++
      this.#failed(error)
      this.#pollAt = this.#tools.clock.now() + this.#waitAfterFailure()
      return false
    }
  }

  #waitAfterFailure(): number {
    return backoff(
      Math.max(this.#failures, 1),
      this.#policy.interval,
      this.#lastFailure?.retryAfter,
      this.#tools.random(),
    )
  }

  // ---- Sleeping

  #wakeSignal(): AbortSignal {
    if (this.#wake.signal.aborted) this.#wake = new AbortController()
    return this.#wake.signal
  }

  #wakePoller(): void {
    this.#wake.abort()
  }

  /** Sleeps until a time, unless the run ends or the signal aborts before. */
  async #sleepUntil(time: number, signal?: AbortSignal): Promise<void> {
    const { clock } = this.#tools
    const either = signal === undefined ? this.#stop.signal : AbortSignal.any([this.#stop.signal, signal])
    while (!either.aborted && clock.now() < time) await clock.sleep(time - clock.now(), either)
  }
}
