/**
 * The loop: a watcher, a poller, a refresher and a commit reader learn of the applications; what they learn is fed
 * to the reducer until that decides or the deadline comes. Clock and client are passed in.
 */

import type { Application } from './application.ts'
import type { ArgoCD } from './argocd.ts'
import { type Clock, sleepUntil } from './clock.ts'
import { CommitReader } from './commit-reader.ts'
import type { Policy, Target } from './config.ts'
import { diagnose } from './diagnosis.ts'
import { asFailure, type RequestFailure } from './failure.ts'
import { Poller } from './poller.ts'
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
  /** The server could not be asked; it is tried again, unless there was one look only. */
  | { readonly type: 'failure'; readonly failure: RequestFailure; readonly isLast: boolean }
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
  /** Called after each poll, when there is time before the next: what it brought is garbage by then. */
  readonly tidy?: () => void
}

/** How long the one look of a timeout of 0 may take, in milliseconds. */
export const ONE_LOOK_LIMIT = 10_000

/** Time before the deadline for the diagnosis of a no: a part of the timeout, and at most so many milliseconds. */
const DIAGNOSIS_SHARE = 0.2
const LONGEST_DIAGNOSIS = 3000

/** How old a polled application may be when the commit that decides comes, in milliseconds. */
const STALE = 1000

/** Runs a verification to its end. Never rejects for what the server does. */
export function verify(target: Target, policy: Policy, tools: Tools): Promise<Outcome> {
  return new Run(target, policy, tools).run()
}

class Run {
  readonly #policy: Policy
  readonly #tools: Tools
  readonly #roster: Roster
  readonly #watcher: Watcher | undefined
  readonly #poller: Poller
  readonly #refresher: Refresher | undefined
  readonly #commits: CommitReader
  readonly #stop = new AbortController()
  readonly #ended = Promise.withResolvers<Ending>()
  readonly #deadline: number

  #state: State = INITIAL
  #lastFailure: RequestFailure | undefined
  /** An ending is certain, and only its diagnosis is awaited. */
  #concluding: Ending | undefined
  #diagnosis: Promise<void> | undefined

  constructor(target: Target, policy: Policy, tools: Tools) {
    const { client, clock, random } = tools
    this.#policy = policy
    this.#tools = tools
    this.#roster = new Roster(target)
    this.#deadline = clock.now() + (policy.timeout === 0 ? ONE_LOOK_LIMIT : policy.timeout)
    const waits = policy.timeout > 0
    const { signal } = this.#stop
    if (waits && policy.watch) {
      const listener = {
        changed: (events: readonly WatchEvent[]) => this.#heard(events),
        stateChanged: () => this.#poller.streamChanged(),
        refused: (failure: RequestFailure) => this.#failed(failure),
      }
      this.#watcher = new Watcher(this.#roster.query, listener, { client, clock, random, signal })
    }
    this.#poller = new Poller(
      {
        looked: (sightings, origin) => this.#observe(sightings, origin),
        unselected: (subjects) => this.#remove(subjects),
        nothingSelected: () => tools.emit({ type: 'nothing-selected' }),
        succeeded: () => this.#succeeded(),
        failed: (error) => this.#failed(error),
      },
      {
        client,
        clock,
        policy,
        random,
        roster: this.#roster,
        signal,
        watcher: this.#watcher,
        tidy: tools.tidy,
        deadline: this.#deadline,
      },
    )
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
          ended: (subject) => this.#refresher?.pursue(subject, checkSubject(subject, this.#refreshIsOff)),
          isStreamed: () => this.#watcher?.aliveSince !== undefined,
        },
        { client, clock, policy, random, signal },
      )
    }
    this.#commits = new CommitReader(
      {
        // What was polled has had the time to change while the commit was asked for.
        commitRead: (subject) => {
          const polls = waits && this.#watcher?.aliveSince === undefined
          if (polls && clock.now() - subject.seenAt > STALE) void this.#poller.lookAt([subject])
          else this.#check([subject])
        },
        commitRefused: (failure) => this.#failed(failure),
      },
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
      void this.#poller.run()
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
    await sleepUntil(this.#tools.clock, this.#deadline, this.#stop.signal)
    this.#end(this.#concluding ?? { kind: this.#policy.timeout === 0 ? 'looked' : 'timed-out' })
  }

  /** A timeout of 0: everything is asked once, and the answer is the verdict. */
  async #lookOnce(): Promise<void> {
    await this.#poller.lookAtAll()
    await this.#commits.idle()
    if (this.#lastFailure === undefined) await this.#diagnose()
    this.#end({ kind: 'looked' })
  }

  async #diagnoseBeforeDeadline(): Promise<void> {
    const reserve = Math.min(this.#policy.timeout * DIAGNOSIS_SHARE, LONGEST_DIAGNOSIS)
    await sleepUntil(this.#tools.clock, this.#deadline - reserve, this.#stop.signal)
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
    if (this.#concluding !== undefined) return
    const decision = decide(this.#state, this.#policy)
    switch (decision.kind) {
      case 'verified':
        if (this.#poller.isComplete) this.#end({ kind: 'verified' })
        break
      case 'failed':
        // The one look of a timeout of 0 ends by itself, as a no.
        if (this.#policy.timeout === 0) break
        this.#concluding = decision
        void this.#diagnose().then(() => this.#end(decision))
        break
      case 'waiting':
        this.#poller.decided(decision)
    }
  }

  // ---- Learning

  #observe(sightings: readonly (readonly [Subject, Application | undefined])[], origin: Origin): void {
    const now = this.#tools.clock.now()
    for (const [subject, snapshot] of sightings) {
      // An application that comes back is a new one: it gets its own refresh.
      if (snapshot === undefined) {
        subject.refreshReasons.clear()
        subject.refreshedBy = undefined
      }
      subject.snapshot = snapshot ?? 'missing'
      subject.origin = origin
      subject.seenAt = now
      subject.failure = undefined
    }
    this.#check(sightings.map(([subject]) => subject))
    for (const [subject, snapshot] of sightings) {
      if (origin !== 'request' || snapshot === undefined) continue
      const meant = this.#roster.learnServerNamespace(subject, snapshot)
      if (meant.length > 0) this.#heard(meant)
    }
  }

  /** Judges applications as they were last seen, and goes after what could still make them verified. */
  #check(subjects: readonly Subject[]): void {
    const checked = subjects.map((subject) => [subject, checkSubject(subject, this.#refreshIsOff)] as const)
    this.#dispatch({ type: 'observed', checks: checked.map(([{ key }, checks]) => [key, checks]) })
    for (const [subject, checks] of checked) {
      this.#tools.emit({ type: 'observed', subject, checks })
      this.#commits.pursue(subject)
      // What only waits for a commit to be known is not out of date.
      const waitsForCommit = this.#commits.isReading(subject) && checks.every(isMetButForCommit)
      if (!waitsForCommit) this.#refresher?.pursue(subject, checks)
      if (snapshotAge(subject) === 'unknown' && !subject.looking) void this.#poller.lookAt([subject])
    }
    this.#settle()
  }

  #dispatch(event: Event): void {
    this.#state = reduce(this.#state, event, this.#tools.clock.now(), this.#policy)
  }

  #remove(subjects: readonly Subject[]): void {
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
    const failure = asFailure(error)
    this.#lastFailure = failure
    if (failure.fatal) this.#end({ kind: 'refused', failure })
    else this.#tools.emit({ type: 'failure', failure, isLast: this.#policy.timeout === 0 })
  }

  #succeeded(): void {
    if (this.#lastFailure === undefined) return
    this.#lastFailure = undefined
    this.#tools.emit({ type: 'recovered' })
  }

  // ---- Watching

  #heard(events: readonly WatchEvent[]): void {
    this.#succeeded()
    this.#poller.heard()
    if (events.length === 0) {
      const since = this.#watcher?.aliveSince ?? Number.POSITIVE_INFINITY
      const mentioned = this.#roster.subjects.filter(({ seenAt }) => seenAt >= since)
      this.#dispatch({ type: 'confirmed', keys: mentioned.map(({ key }) => key) })
      return
    }
    // Only the last change of an application in a batch is its state.
    const last = new Map<Subject, WatchEvent>()
    for (const event of events) {
      const subject = this.#roster.find(event.application, event.type)
      if (subject !== undefined) last.set(subject, event)
    }
    const deleted = [...last].flatMap(([subject, { type }]) => (type === 'DELETED' ? [subject] : []))
    const present = [...last].flatMap(([subject, { type, application }]) =>
      type === 'DELETED' ? [] : [[subject, application] as const],
    )
    if (deleted.length > 0 && this.#roster.isSelected) this.#remove(deleted)
    else if (deleted.length > 0)
      this.#observe(
        deleted.map((subject) => [subject, undefined]),
        'stream',
      )
    if (present.length > 0) this.#observe(present, 'stream')
    this.#poller.mentioned()
  }
}

function isMetButForCommit({ code, state }: Check): boolean {
  return state === 'met' || code === 'RevisionMismatch' || code === 'CommitMessageMismatch'
}
