/** Those who follow a run on stderr: a live view on a terminal, log lines elsewhere. */

import type { Clock } from './clock.ts'
import { eraseLines, type LiveApplication, renderLive, type Size } from './live.ts'
import { formatEntry, type LogEntry, ProgressLog } from './progress.ts'
import { type Gate, joined, type Paint, type Shown, shownDeep, told } from './shown.ts'
import { LONGEST_MESSAGE } from './text.ts'
import { namingCheck } from './verdict.ts'
import type { Progress } from './verify.ts'

/** Somebody who is told of a run. */
export interface Follower {
  say(entry: LogEntry): void
  progress(progress: Progress): void
  /** Follows until the signal aborts. */
  follow(deadline: number, signal: AbortSignal): Promise<void>
}

/** Where a follower writes, and by which clock. */
export interface FollowerTools {
  readonly clock: Clock
  readonly write: (text: Shown) => void
  /** What everything passes that is written. */
  readonly gate: Gate
}

/** Writes a line when something changes, and at growing distances what is waited for. */
export class LogFollower implements Follower {
  readonly #log = new ProgressLog()
  readonly #tools: FollowerTools
  readonly #format: 'text' | 'json'
  #saidAt: number

  constructor(format: 'text' | 'json', tools: FollowerTools) {
    this.#format = format
    this.#tools = tools
    this.#saidAt = tools.clock.now()
  }

  say(entry: LogEntry): void {
    const { clock, write, gate } = this.#tools
    this.#saidAt = clock.now()
    const shown = { ...shownDeep(entry, gate), message: gate(entry.message, LONGEST_MESSAGE) }
    write(told`${formatEntry(shown, clock.date(), this.#format)}\n`)
  }

  progress(progress: Progress): void {
    const entry = this.#log.entry(progress)
    if (entry !== undefined) this.say(entry)
  }

  async follow(deadline: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#tools
    while (!signal.aborted) {
      const due = this.#saidAt + this.#log.silence
      if (clock.now() < due) await clock.sleep(due - clock.now(), signal)
      else this.say(this.#log.stillWaiting(Math.max(deadline - clock.now(), 0)))
    }
  }
}

const FRAME = 100
const TICK = 1000

/** Draws the present state over itself, in one write a frame, so that nothing flickers or scrolls away. */
export class LiveFollower implements Follower {
  readonly #tools: FollowerTools
  readonly #paint: Paint
  readonly #size: () => Size
  readonly #applications = new Map<string, LiveApplication>()
  readonly #startedAt: number
  #failure: string | undefined
  #drawn: readonly Shown[] = []
  #changed = new AbortController()

  constructor(paint: Paint, size: () => Size, tools: FollowerTools) {
    this.#paint = paint
    this.#size = size
    this.#tools = tools
    this.#startedAt = tools.clock.now()
  }

  say({ message, level }: LogEntry): void {
    const text = this.#tools.gate(message, LONGEST_MESSAGE)
    const line = level === 'warning' ? this.#paint('yellow', told`warning: ${text}`) : text
    this.#tools.write(told`${this.#erased()}${line}\n`)
  }

  progress(progress: Progress): void {
    switch (progress.type) {
      case 'observed': {
        const { subject, checks } = progress
        const before = this.#applications.get(subject.key)
        const same =
          before !== undefined && namingCheck(before.checks, false)?.code === namingCheck(checks, false)?.code
        this.#applications.set(subject.key, {
          subject,
          checks,
          since: same ? before.since : this.#tools.clock.now(),
        })
        break
      }
      case 'gone':
        this.#applications.delete(progress.subject.key)
        break
      case 'failure':
        this.#failure = progress.failure.message
        break
      case 'recovered':
        this.#failure = undefined
        break
      case 'refreshing':
      case 'nothing-selected':
        break
    }
    this.#changed.abort()
  }

  async follow(deadline: number, signal: AbortSignal): Promise<void> {
    const { clock, gate, write } = this.#tools
    while (!signal.aborted) {
      const view = {
        applications: [...this.#applications.values()],
        now: clock.now(),
        startedAt: this.#startedAt,
        deadline,
        failure: this.#failure,
      }
      const lines = renderLive(view, this.#size(), this.#paint, gate)
      const erase = this.#erased()
      this.#drawn = lines
      write(
        told`${erase}${joined(
          lines.map((line) => told`${line}\n`),
          '',
        )}`,
      )
      this.#changed = new AbortController()
      // A burst of changes is one frame, and while nothing changes the clock still moves.
      await clock.sleep(FRAME, signal)
      if (!this.#changed.signal.aborted)
        await clock.sleep(TICK - FRAME, AbortSignal.any([signal, this.#changed.signal]))
    }
    write(this.#erased())
  }

  /** What clears the last frame, which then counts as gone. */
  #erased(): Shown {
    const text = eraseLines(this.#drawn, this.#size().columns)
    this.#drawn = []
    return text
  }
}
