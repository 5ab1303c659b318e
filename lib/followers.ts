/** Those who follow a run on stderr: a live view on a terminal, log lines elsewhere. */

import type { Clock } from './clock.ts'
import type { Knowledge } from './knowledge.ts'
import { eraseLines, renderLive, type Size } from './live.ts'
import { formatEntry, type LogEntry, ProgressLog } from './progress.ts'
import type { Paint } from './report.ts'
import { cut, LONGEST_MESSAGE, oneLine } from './text.ts'

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
  readonly write: (text: string) => void
  /** Keeps secrets out of what the server said. */
  readonly mask: (text: string) => string
}

/** A message as it may be shown: masked before it is cut. */
function shown(message: string, { mask }: FollowerTools): string {
  return cut(oneLine(mask(message)), LONGEST_MESSAGE)
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
    const { clock, write } = this.#tools
    this.#saidAt = clock.now()
    const message = shown(entry.message, this.#tools)
    write(`${formatEntry({ ...entry, message }, clock.date(), this.#format)}\n`)
  }

  turned(before: Knowledge, now: Knowledge): void {
    for (const entry of this.#log.entries(before, now)) this.say(entry)
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
  #knowledge: Knowledge | undefined
  #drawn: readonly string[] = []
  #changed = new AbortController()

  constructor(paint: Paint, size: () => Size, tools: FollowerTools) {
    this.#paint = paint
    this.#size = size
    this.#tools = tools
  }

  say({ message, level }: LogEntry): void {
    const text = shown(message, this.#tools)
    this.#tools.write(
      `${this.#erased()}${level === 'warning' ? this.#paint('yellow', `warning: ${text}`) : text}\n`,
    )
  }

  turned(before: Knowledge, now: Knowledge): void {
    const isSame = before.applications === now.applications && before.server.failure === now.server.failure
    this.#knowledge = now
    if (!isSame) this.#changed.abort()
  }

  async follow(_: number, signal: AbortSignal): Promise<void> {
    const { clock, mask, write } = this.#tools
    while (!signal.aborted) {
      const known = this.#knowledge
      const lines = known === undefined ? [] : renderLive(known, clock.now(), this.#size(), this.#paint, mask)
      const erase = this.#erased()
      this.#drawn = lines
      write(erase + lines.map((line) => `${line}\n`).join(''))
      this.#changed = new AbortController()
      // A burst of changes is one frame, and while nothing changes the clock still moves.
      await clock.sleep(FRAME, signal)
      if (!this.#changed.signal.aborted)
        await clock.sleep(TICK - FRAME, AbortSignal.any([signal, this.#changed.signal]))
    }
    write(this.#erased())
  }

  /** What clears the last frame, which then counts as gone. */
  #erased(): string {
    const text = eraseLines(this.#drawn, this.#size().columns)
    this.#drawn = []
    return text
  }
}
