/** Those who follow a run on stderr: a live view on a terminal, log lines elsewhere. */

import type { Clock } from './clock.ts'
import type { Knowledge } from './knowledge.ts'
import { eraseLines, renderLive, type Size } from './live.ts'
import { formatEntry, type LogEntry, ProgressLog } from './progress.ts'
import { forPeople, type Gate, joined, type Paint, type Shown, shownDeep, told } from './shown.ts'
import { LONGEST_MESSAGE } from './text.ts'
import { silentAt } from './waiting.ts'

/** Somebody who is told of a run. */
export interface Follower {
  say(entry: LogEntry): void
  /** Told after each turn what was known before it and what is known now. */
  turned(before: Knowledge, now: Knowledge): void
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

/**
 * So many changes are told at once, and then one a second: twenty applications that come up take a few lines each, and
 * a server whose every message is another change would fill a disk.
 */
const MOST_AT_ONCE = 200

/** Writes a line when something changes, and at growing distances what is waited for. */
export class LogFollower implements Follower {
  readonly #log = new ProgressLog()
  readonly #tools: FollowerTools
  readonly #format: 'text' | 'json'
  #saidAt: number
  /** How many changes may be told now, as it was at a time. */
  #room = { changes: MOST_AT_ONCE, at: 0 }
  #untold = 0

  constructor(format: 'text' | 'json', tools: FollowerTools) {
    this.#format = format
    this.#tools = format === 'text' ? { ...tools, gate: forPeople(tools.gate) } : tools
    this.#saidAt = tools.clock.now()
  }

  say(entry: LogEntry): void {
    const { clock, write, gate } = this.#tools
    this.#saidAt = clock.now()
    const shown = { ...shownDeep(entry, gate), message: gate(entry.message, LONGEST_MESSAGE) }
    write(told`${formatEntry(shown, clock.date(), this.#format)}\n`)
  }

  turned(before: Knowledge, now: Knowledge): void {
    for (const entry of this.#log.entries(before, now)) {
      if (this.#hasRoom()) this.say(entry)
      else this.#untold++
    }
  }

  /** Takes room for a change, where there is some, and says what was not told before. */
  #hasRoom(): boolean {
    const now = this.#tools.clock.now()
    const { changes, at } = this.#room
    const room = Math.min(changes + (now - at) / 1000, MOST_AT_ONCE)
    const isFree = room >= 1
    this.#room = { changes: isFree ? room - 1 : room, at: now }
    if (isFree && this.#untold > 0) {
      this.say({
        level: 'warning',
        event: 'warning',
        message: `${this.#untold} changes came too fast to be told`,
      })
      this.#untold = 0
    }
    return isFree
  }

  async follow(deadline: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#tools
    while (!signal.aborted) {
      const now = clock.now()
      const silence = this.#log.serverIsSilent(now)
      if (silence !== undefined) this.say(silence)
      const due = this.#saidAt + this.#log.silence
      const silentAt = this.#log.silentAt ?? Number.POSITIVE_INFINITY
      if (now < due) await clock.sleep(Math.max(Math.min(due - now, TICK, silentAt - now), 1), signal)
      else this.say(this.#log.stillWaiting(now, Math.max(deadline - now, 0)))
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
  #knowledge: Knowledge | undefined
  #drawn: readonly Shown[] = []
  #changed = new AbortController()

  constructor(paint: Paint, size: () => Size, tools: FollowerTools) {
    this.#paint = paint
    this.#size = size
    this.#tools = { ...tools, gate: forPeople(tools.gate) }
  }

  say({ message, level }: LogEntry): void {
    const text = this.#tools.gate(message, LONGEST_MESSAGE)
    const line = level === 'warning' ? this.#paint('yellow', told`warning: ${text}`) : text
    this.#tools.write(told`${this.#erased()}${line}\n`)
  }

  turned(before: Knowledge, now: Knowledge): void {
    const isSame = before.applications === now.applications && before.server.failure === now.server.failure
    this.#knowledge = now
    if (!isSame) this.#changed.abort()
  }

  async follow(_: number, signal: AbortSignal): Promise<void> {
    const { clock, gate, write } = this.#tools
    while (!signal.aborted) {
      const known = this.#knowledge
      const lines = known === undefined ? [] : renderLive(known, clock.now(), this.#size(), this.#paint, gate)
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
      if (!this.#changed.signal.aborted) {
        const silent = this.#knowledge === undefined ? undefined : silentAt(this.#knowledge)
        const left = silent === undefined || silent <= clock.now() ? TICK - FRAME : silent - clock.now()
        await clock.sleep(Math.min(TICK - FRAME, left), AbortSignal.any([signal, this.#changed.signal]))
      }
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
