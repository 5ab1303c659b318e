/**
 * Runs a machine that does no I/O of its own: starts what its plan says, aborts what its plan no longer says, tells it
 * whatever happens, and ends on its decision. The only module that waits, and it knows nothing of Argo CD.
 */

/** Something that ought to be under way; the same key is the same thing. */
export interface Task {
  readonly key: string
  /** Tasks of one lane share a limit of how many are under way at once. */
  readonly lane: string
  /** How long it may take to its end, in milliseconds; `Infinity` for what goes on until nobody wants it. */
  readonly timeout: number
  /**
   * When it is asked once more, elsewhere, where nothing has come: milliseconds after its start, ascending. The
   * attempt that first brings something counts, and the others are aborted.
   */
  readonly hedges: readonly number[]
}

/** What happens to a task. */
export type Occurrence<T, N> =
  | { readonly type: 'started'; readonly task: T }
  /** `startedAt`: when the attempt that brought this was started, by the clock of the run. */
  | { readonly type: 'brought'; readonly task: T; readonly startedAt: number; readonly news: N }
  /** It was no longer planned, and will bring nothing more. */
  | { readonly type: 'aborted'; readonly task: T }
  /** It brings nothing more. `failure`: why, {@link LATE} where it took too long; `undefined`: it came to its end. */
  | { readonly type: 'ended'; readonly task: T; readonly startedAt: number; readonly failure: unknown }
  /** The run was told to end. */
  | { readonly type: 'interrupted' }

/** The failure of a task that took longer than its timeout. */
export const LATE: unique symbol = Symbol('late')

/** What ought to be under way now, the most urgent first, and when to think again where nothing happens. */
export interface Plan<T> {
  readonly tasks: readonly T[]
  readonly wakeAt: number
}

/** What to do next and what to conclude, as pure functions of what is known and the time. */
export interface Machine<K, T extends Task, N, D> {
  readonly learn: (knowledge: K, occurrence: Occurrence<T, N>, now: number) => K
  readonly plan: (knowledge: K, now: number) => Plan<T>
  /** `undefined`: not yet. */
  readonly decide: (knowledge: K, now: number) => D | undefined
  /** How many tasks of a lane may be under way at once. */
  readonly limits: Readonly<Record<string, number>>
}

/** Where a machine runs: a clock, and somebody who does what is planned. */
export interface Surroundings<T, N> {
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
  /** Calls back at a time of the clock; returns what cancels that. */
  readonly at: (time: number, wake: () => void) => () => void
  /** Calls back as soon as what happens at the moment is over. */
  readonly soon: (wake: () => void) => void
  /**
   * Starts a task; it reports later, never before this has returned.
   *
   * @param attempt 0, and more where it is asked once more elsewhere
   * @returns what aborts it, after which it reports nothing
   */
  readonly start: (task: T, attempt: number, report: Reporter<N>) => () => void
}

/** By what a task reports. */
export interface Reporter<N> {
  readonly brought: (news: N) => void
  /** Once, at its end. */
  readonly ended: (failure?: unknown) => void
}

interface Attempt {
  readonly startedAt: number
  abort: () => void
}

interface UnderWay<T> {
  readonly task: T
  readonly startedAt: number
  readonly attempts: Set<Attempt>
  hedged: number
  hasBrought: boolean
}

/** How a run ended, and what was known then. */
export interface Ended<K, D> {
  readonly decision: D
  readonly knowledge: K
  readonly endedAt: number
}

/**
 * Runs a machine to its decision.
 *
 * @param onTurn told after each turn what was known before it and what is known now
 */
export function run<K, T extends Task, N, D>(
  machine: Machine<K, T, N, D>,
  initial: K,
  surroundings: Surroundings<T, N>,
  interrupted?: AbortSignal,
  onTurn?: (before: K, now: K, time: number) => void,
): Promise<Ended<K, D>> {
  const { now, at, soon, start } = surroundings
  const { promise, resolve } = Promise.withResolvers<Ended<K, D>>()
  const underWay = new Map<string, UnderWay<T>>()
  let knowledge = initial
  let happened: Occurrence<T, N>[] = []
  let isTurnDue = false
  let isOver = false
  let cancelWake = () => {}

  const happen = (occurrence: Occurrence<T, N>) => {
    if (isOver) return
    happened.push(occurrence)
    if (!isTurnDue) soon(turn)
    isTurnDue = true
  }

  /** Everything that has happened is learnt, and everything follows from what is known then. */
  function turn(): void {
    if (isOver) return
    isTurnDue = false
    const time = now()
    const before = knowledge
    endLateTasks(time)
    const occurrences = happened
    happened = []
    for (const occurrence of occurrences) knowledge = machine.learn(knowledge, occurrence, time)
    const decision = machine.decide(knowledge, time)
    cancelWake()
    if (decision === undefined) cancelWake = at(carryOut(time), turn)
    onTurn?.(before, knowledge, time)
    if (decision === undefined) return
    isOver = true
    interrupted?.removeEventListener('abort', interrupt)
    for (const { attempts } of underWay.values()) for (const { abort } of attempts) abort()
    resolve({ decision, knowledge, endedAt: time })
  }

  /** Starts and aborts until what is under way is what is planned. Returns when to look again. */
  function carryOut(time: number): number {
    for (;;) {
      const before = knowledge
      const { tasks, wakeAt } = machine.plan(knowledge, time)
      if (areUnderWay(tasks)) return nextTurn(wakeAt, time)
      const planned = new Set(tasks.map(({ key }) => key))
      const running = new Map<string, number>()
      for (const [key, { task, attempts }] of underWay) {
        if (planned.has(key)) running.set(task.lane, (running.get(task.lane) ?? 0) + 1)
        else {
          underWay.delete(key)
          for (const { abort } of attempts) abort()
          knowledge = machine.learn(knowledge, { type: 'aborted', task }, time)
        }
      }
      for (const task of tasks) {
        const inLane = running.get(task.lane) ?? 0
        if (underWay.has(task.key) || inLane >= (machine.limits[task.lane] ?? Number.POSITIVE_INFINITY))
          continue
        running.set(task.lane, inLane + 1)
        const entry = { task, startedAt: time, attempts: new Set<Attempt>(), hedged: 0, hasBrought: false }
        underWay.set(task.key, entry)
        attempt(entry, time)
        knowledge = machine.learn(knowledge, { type: 'started', task }, time)
      }
      // What was learnt by starting and aborting may call for more, or for less.
      if (knowledge === before) return nextTurn(wakeAt, time)
    }
  }

  /** Whether these are under way, and nothing else is. */
  function areUnderWay(tasks: readonly T[]): boolean {
    return tasks.length === underWay.size && tasks.every(({ key }) => underWay.has(key))
  }

  function nextTurn(wakeAt: number, time: number): number {
    return Math.max(Math.min(wakeAt, hedge(time)), time + 1)
  }

  function attempt(entry: UnderWay<T>, time: number): void {
    const { task, attempts } = entry
    const own: Attempt = { startedAt: time, abort: () => {} }
    attempts.add(own)
    own.abort = start(task, entry.hedged, {
      brought: (news) => {
        if (!attempts.has(own)) return
        entry.hasBrought = true
        for (const other of attempts) if (other !== own) other.abort()
        attempts.clear()
        attempts.add(own)
        happen({ type: 'brought', task, startedAt: time, news })
      },
      ended: (failure) => {
        if (!attempts.delete(own) || attempts.size > 0) return
        underWay.delete(task.key)
        happen({ type: 'ended', task, startedAt: time, failure })
      },
    })
  }

  /** Asks once more what has brought nothing for too long. Returns when that is due next, or something is late. */
  function hedge(time: number): number {
    let next = Number.POSITIVE_INFINITY
    for (const entry of underWay.values()) {
      const { task, startedAt, hasBrought } = entry
      if (!hasBrought && startedAt + (task.hedges[entry.hedged] ?? Number.POSITIVE_INFINITY) <= time) {
        entry.hedged++
        attempt(entry, time)
      }
      const hedgeAt = hasBrought
        ? Number.POSITIVE_INFINITY
        : (task.hedges[entry.hedged] ?? Number.POSITIVE_INFINITY)
      next = Math.min(next, startedAt + Math.min(task.timeout, hedgeAt))
    }
    return next
  }

  function endLateTasks(time: number): void {
    for (const [key, { task, startedAt, attempts }] of underWay) {
      if (startedAt + task.timeout > time) continue
      underWay.delete(key)
      for (const { abort } of attempts) abort()
      attempts.clear()
      happened.push({ type: 'ended', task, startedAt, failure: LATE })
    }
  }

  const interrupt = () => happen({ type: 'interrupted' })
  interrupted?.addEventListener('abort', interrupt)
  if (interrupted?.aborted === true) interrupt()
  soon(turn)
  return promise
}
