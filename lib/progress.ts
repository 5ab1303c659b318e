/** From the progress of a run to what a log says of it: an entry when something changes, none while nothing does. */

import { applicationKey } from './application.ts'
import { formatDuration } from './duration.ts'
import type { Check } from './predicates.ts'
import { asJson, ours, type Shown, type ShownDeep, told } from './shown.ts'
import { applicationOf, type Subject } from './subject.ts'
import { namingCheck } from './verdict.ts'
import type { Progress } from './verify.ts'

/** One entry of the log. */
export interface LogEntry {
  readonly level: 'info' | 'warning'
  readonly event: 'start' | 'warning' | Progress['type'] | 'waiting'
  readonly message: string
  /** `namespace/name` of the application that it is about. */
  readonly application?: string
  /** The check that is not met. */
  readonly code?: Check['code']
  readonly state?: Check['state']
}

/** More applications than this are reported as a count. */
export const FEW = 10

/** The pauses after which a log that has nothing to say says what is waited for: they grow. */
const FIRST_SILENCE = 15_000
const LONGEST_SILENCE = 600_000

/** Turns progress into log entries. */
export class ProgressLog {
  readonly #last = new Map<string, string>()
  readonly #waiting = new Map<string, Check | undefined>()
  /** How many of those wait for nothing; counted along, because it is asked with every message. */
  #done = 0
  #failure: string | undefined
  #silence = FIRST_SILENCE

  /** When the next word is due where nothing happens, in milliseconds after the last. */
  get silence(): number {
    return this.#silence
  }

  /** @returns `undefined` where there is nothing new to say */
  entry(progress: Progress): LogEntry | undefined {
    const entry = this.#entry(progress)
    if (entry !== undefined) this.#silence = FIRST_SILENCE
    return entry
  }

  #entry(progress: Progress): LogEntry | undefined {
    const { type } = progress
    switch (type) {
      case 'observed':
        return this.#observed(progress.subject, progress.checks)
      case 'gone': {
        const { key } = progress.subject
        this.#last.delete(key)
        if (this.#waiting.has(key) && this.#waiting.get(key) === undefined) this.#done--
        this.#waiting.delete(key)
        return this.#isFew
          ? about(progress.subject, { event: type, message: 'no longer selected' })
          : undefined
      }
      case 'refreshing':
        return this.#isFew
          ? about(progress.subject, { event: type, message: 'asking Argo CD for a refresh' })
          : undefined
      case 'nothing-selected':
        return this.#once('', {
          level: 'info',
          event: type,
          message: 'the selector matches no application so far',
        })
      case 'failure': {
        // A reason is shown once, not with every try.
        const { message } = progress.failure
        if (this.#failure === message) return undefined
        this.#failure = message
        return {
          level: 'warning',
          event: type,
          message: progress.isLast ? message : `${message}; trying again`,
        }
      }
      case 'recovered':
        if (this.#failure === undefined) return undefined
        this.#failure = undefined
        return { level: 'info', event: type, message: 'Argo CD answers again' }
    }
  }

  /** What is said when nothing has been said for a while; the next time it takes longer. */
  stillWaiting(remaining: number): LogEntry {
    this.#silence = Math.min(this.#silence * 2, LONGEST_SILENCE)
    const unmet = [...this.#waiting.values()].filter((check) => check !== undefined)
    const [only] = unmet
    const what =
      this.#failure !== undefined
        ? `an answer (${this.#failure})`
        : only === undefined
          ? 'what was seen to last'
          : unmet.length === 1
            ? `${only.code}: ${only.message}`
            : `${unmet.length} of ${this.#waiting.size} applications`
    return {
      level: 'info',
      event: 'waiting',
      message: `still waiting for ${what} (${formatDuration(remaining)} left)`,
    }
  }

  #observed(subject: Subject, checks: readonly Check[]): LogEntry | undefined {
    const naming = namingCheck(checks, false)
    const isNew = !this.#waiting.has(subject.key)
    if (!isNew && this.#waiting.get(subject.key) === undefined) this.#done--
    if (naming === undefined) this.#done++
    this.#waiting.set(subject.key, naming)
    // That the refresh of this run is under way was said when it was asked for.
    if (subject.refreshing && naming?.code === 'StatusStale') return undefined
    if (this.#isFew) {
      const entry = about(subject, { event: 'observed', message: describe(subject, naming) })
      return this.#once(
        subject.key,
        naming === undefined ? entry : { ...entry, code: naming.code, state: naming.state },
      )
    }
    const done = this.#done
    const total = this.#waiting.size
    const step = Math.ceil(total / FEW)
    // While the first state of all comes in, each of them changes the total, which is no progress.
    if (isNew || (done % step !== 0 && done !== total)) return undefined
    return this.#once('', {
      level: 'info',
      event: 'observed',
      message: `${done} of ${total} applications are as wanted`,
    })
  }

  get #isFew(): boolean {
    return this.#waiting.size <= FEW
  }

  #once(key: string, entry: LogEntry): LogEntry | undefined {
    if (this.#last.get(key) === entry.message) return undefined
    this.#last.set(key, entry.message)
    return entry
  }
}

function about(subject: Subject, { event, message }: Pick<LogEntry, 'event' | 'message'>): LogEntry {
  const application = nameOf(subject)
  return { level: 'info', event, application, message: `${application}: ${message}` }
}

/** The name of an application as a person would write it. */
export function nameOf(subject: Subject): string {
  const application = applicationOf(subject)
  return applicationKey(subject.ref.name, application?.metadata.namespace ?? subject.ref.namespace)
}

function describe(subject: Subject, naming: Check | undefined): string {
  const { sync, health, operationState } = applicationOf(subject)?.status ?? {}
  const phase = operationState?.phase
  const state = [
    sync?.status,
    health?.status,
    ...(phase === undefined || phase === 'Succeeded' ? [] : [`operation ${phase}`]),
  ]
  const seen = state.filter((part) => part !== undefined).join(', ')
  const waiting = naming === undefined ? 'as wanted' : `${naming.code} (${naming.state}): ${naming.message}`
  return seen === '' ? waiting : `${seen}; ${waiting}`
}

/** An entry as a line of text, or as one JSON object, without a line end. */
export function formatEntry(entry: ShownDeep<LogEntry>, date: Date, format: 'text' | 'json'): Shown {
  const time = ours(date.toISOString())
  if (format === 'json') return asJson({ time, ...entry })
  return told`${time} ${entry.level === 'warning' ? 'warning: ' : ''}${entry.message}`
}
