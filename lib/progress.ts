/** From what is known before and after something to what a log says of it: an entry when something changes, none while nothing does. */

import { REFRESH_ANNOTATION } from './application.ts'
import { FEW } from './asked.ts'
import type { Check } from './check.ts'
import { formatDuration } from './duration.ts'
import { applicationOf, type Knowledge, type Known } from './knowledge.ts'
import { refreshDecides } from './revision-needs.ts'
import { asJson, ours, type Shown, type ShownDeep, told } from './shown.ts'
import { syncNews } from './sync-telling.ts'
import {
  awaitedCheck,
  byUrgency,
  nameOf,
  seconds,
  silentAt,
  silentFor,
  timing,
  unsaidReasons,
} from './waiting.ts'
import type { Policy } from './wanted.ts'

/** One entry of the log. */
export interface LogEntry {
  readonly level: 'info' | 'warning'
  readonly event:
    | 'start'
    | 'warning'
    | 'observed'
    | 'gone'
    | 'refreshing'
    | 'syncing'
    | 'nothing-selected'
    | 'failure'
    | 'recovered'
    | 'waiting'
  readonly message: string
  /** `namespace/name` of the application that it is about. */
  readonly application?: string
  /** The check that is not met. */
  readonly code?: Check['code']
  readonly state?: Check['state']
}

/** The pauses after which a log that has nothing to say says what is waited for: they grow. */
const FIRST_SILENCE = 15_000
const LONGEST_SILENCE = 600_000

function isBeingRefreshed(known: Known): boolean {
  return REFRESH_ANNOTATION in (applicationOf(known)?.metadata.annotations ?? {})
}

/** Turns what is learnt into log entries. */
export class ProgressLog {
  readonly #last = new Map<string, string>()
  #knowledge: Knowledge | undefined
  #failure: string | undefined
  #silentSince: number | undefined
  /** Of many applications, those whose failing was told of. */
  readonly #told = new Set<string>()
  /** How many applications are as wanted, as last said of many. */
  #done = -1
  #silence = FIRST_SILENCE

  /** When the next word is due where nothing happens, in milliseconds after the last. */
  get silence(): number {
    return this.#silence
  }

  /** What there is to say of a turn. */
  entries(before: Knowledge, now: Knowledge): readonly LogEntry[] {
    this.#knowledge = now
    const entries = [...this.#applications(before, now), ...this.#members(before, now), ...this.#server(now)]
    if (entries.length > 0) this.#silence = FIRST_SILENCE
    return entries
  }

  /** What is said when nothing has been said for a while; the next time it takes longer. */
  stillWaiting(now: number, remaining: number): LogEntry {
    this.#silence = Math.min(this.#silence * 2, LONGEST_SILENCE)
    return {
      level: 'info',
      event: 'waiting',
      message: `still waiting for ${this.#awaited(now)} (${formatDuration(remaining)} left)`,
    }
  }

  #awaited(now: number): string {
    const knowledge = this.#knowledge
    if (this.#failure !== undefined) return `an answer (${this.#failure})`
    if (knowledge === undefined) return 'the first answer'
    const silence = silentFor(knowledge, now)
    if (silence !== undefined) return `an answer from Argo CD, which has said nothing for ${seconds(silence)}`
    const all = [...knowledge.applications.values()]
    const unmet = all.filter(({ met }) => met === undefined)
    if (unmet.length === 0) return `what was seen to last${times(all[0], knowledge, now)}`
    const [first] = byUrgency(unmet)
    const check = first === undefined ? undefined : awaitedCheck(first)
    if (first === undefined || check === undefined) return 'the first answer'
    const what = `${check.code}: ${check.message}${times(first, knowledge, now)}`
    return unmet.length === 1
      ? what
      : `${unmet.length} of ${all.length} applications, such as ${nameOf(first)}: ${what}`
  }

  /** When the server is to be said to be silent, where it goes on like that. */
  get silentAt(): number | undefined {
    const knowledge = this.#knowledge
    if (knowledge === undefined || this.#silentSince === knowledge.server.askedAt) return undefined
    return silentAt(knowledge)
  }

  /** Said once of each silence of the server, after a second of it; `undefined` where there is none, or it was said. */
  serverIsSilent(now: number): LogEntry | undefined {
    const knowledge = this.#knowledge
    const silence = knowledge === undefined ? undefined : silentFor(knowledge, now)
    if (knowledge === undefined || silence === undefined || this.#silentSince === knowledge.server.askedAt)
      return undefined
    this.#silentSince = knowledge.server.askedAt
    return {
      level: 'warning',
      event: 'failure',
      message: `no answer from Argo CD for ${seconds(silence)}; waiting for it`,
    }
  }

  *#applications(before: Knowledge, now: Knowledge): Iterable<LogEntry> {
    if (before.applications === now.applications) return
    const isFew = now.applications.size <= FEW
    for (const [key, known] of now.applications) {
      const was = before.applications.get(key)
      if (was === known) continue
      for (const { level, message } of now.policy.sync === undefined ? [] : syncNews(was, known))
        yield { ...about(known, { event: 'syncing', message }), level }
      if (isFew) yield* this.#application(was, known, now)
      else yield* this.#failing(known, now)
    }
    if (!isFew) yield* this.#count(before, now)
  }

  *#application(was: Known | undefined, known: Known, { policy }: Knowledge): Iterable<LogEntry> {
    const application = applicationOf(known)
    if (policy.refresh === 'none' && application !== undefined && refreshDecides(application, known.wanted))
      yield* this.#once(`${known.key} refresh`, {
        ...about(known, {
          event: 'warning',
          message:
            'the wanted revision is a branch or a tag that it tracks, and refreshing is off (KPCEA_REFRESH, --refresh): whatever it runs is taken for that, however old, so this is no gate',
        }),
        level: 'warning',
      })
    if (known.refreshes.asked > (was?.refreshes.asked ?? 0) && known.refreshes.asked === 1)
      yield about(known, { event: 'refreshing', message: 'asking Argo CD for a refresh' })
    if (known.checks.length === 0) return
    const awaited = awaitedCheck(known)
    // That the refresh of this run is under way was said when it was asked for; any other reason is news.
    if (known.refreshes.isUnderWay && awaited?.code === 'StatusStale' && isBeingRefreshed(known)) return
    yield* this.#state(known, awaited, policy)
  }

  /** How an application is, and why. */
  *#state(known: Known, awaited: Check | undefined, policy: Policy): Iterable<LogEntry> {
    const entry = about(known, { event: 'observed', message: describe(known, awaited, policy) })
    yield* this.#once(
      known.key,
      awaited === undefined ? entry : { ...entry, code: awaited.code, state: awaited.state },
    )
    if (awaited === undefined) return
    for (const [what, text] of unsaidReasons(known))
      yield* this.#once(`${known.key} ${what}`, about(known, { event: 'observed', message: text }))
  }

  /** Of many, the first few that are failing are told of one by one. */
  *#failing(known: Known, { policy }: Knowledge): Iterable<LogEntry> {
    if (known.failing === undefined || (!this.#told.has(known.key) && this.#told.size >= FEW)) return
    this.#told.add(known.key)
    yield* this.#state(known, awaitedCheck(known), policy)
  }

  /** Of many, how many are as wanted, in ten steps. */
  *#count(before: Knowledge, now: Knowledge): Iterable<LogEntry> {
    // While the first state of all comes in, each of them changes the total, which is no progress.
    if (before.applications.size !== now.applications.size) return
    const total = now.applications.size
    let done = 0
    for (const { met, checks } of now.applications.values()) {
      if (checks.length === 0) return
      if (met !== undefined) done++
    }
    const step = Math.ceil(total / FEW)
    if (done === this.#done || (Math.floor(done / step) === Math.floor(this.#done / step) && done !== total))
      return
    this.#done = done
    yield* this.#once('', {
      level: 'info',
      event: 'observed',
      message: `${done} of ${total} applications are as wanted`,
    })
  }

  *#members(before: Knowledge, now: Knowledge): Iterable<LogEntry> {
    if (now.target.kind !== 'selector') return
    if (before.applications !== now.applications)
      for (const [key, known] of before.applications)
        if (!now.applications.has(key)) {
          this.#last.delete(key)
          if (now.applications.size <= FEW)
            yield about(known, { event: 'gone', message: 'no longer selected' })
        }
    const { size } = now.applications
    if (now.listedAt === before.listedAt || size >= now.target.min) return
    const message =
      size === 0
        ? 'the selector matches no application so far'
        : `the selector matches ${size} of at least ${now.target.min} applications so far`
    yield* this.#once('', { level: 'info', event: 'nothing-selected', message })
  }

  *#server({ server, policy }: Knowledge): Iterable<LogEntry> {
    const message = server.failure?.message
    const hasAnswered = this.#silentSince !== undefined && this.#silentSince !== server.askedAt
    if (hasAnswered) this.#silentSince = undefined
    if (message === this.#failure) {
      if (hasAnswered && message === undefined) yield ANSWERS_AGAIN
      return
    }
    this.#failure = message
    if (message === undefined) yield ANSWERS_AGAIN
    // A reason is shown once, not with every try.
    else if (server.refusal === undefined)
      yield {
        level: 'warning',
        event: 'failure',
        message: policy.timeout === 0 ? message : `${message}; trying again`,
      }
  }

  *#once(key: string, entry: LogEntry): Iterable<LogEntry> {
    if (this.#last.get(key) === entry.message) return
    this.#last.set(key, entry.message)
    yield entry
  }
}

const ANSWERS_AGAIN: LogEntry = { level: 'info', event: 'recovered', message: 'Argo CD answers again' }

function about(known: Known, { event, message }: Pick<LogEntry, 'event' | 'message'>): LogEntry {
  const application = nameOf(known)
  return { level: 'info', event, application, message: `${application}: ${message}` }
}

/** How what is waited for stands in time, in parentheses. */
function times(known: Known | undefined, knowledge: Knowledge, now: number): string {
  const text = known === undefined ? undefined : timing(known, knowledge, now)
  return text === undefined ? '' : ` (${text})`
}

function describe(known: Known, awaited: Check | undefined, { stableFor, failAfter }: Policy): string {
  const { sync, health, operationState } = applicationOf(known)?.status ?? {}
  const phase = operationState?.phase
  const state = [
    sync?.status,
    health?.status,
    ...(phase === undefined || phase === 'Succeeded' ? [] : [`operation ${phase}`]),
  ]
  const seen = state.filter((part) => part !== undefined).join(', ')
  const givesUp =
    awaited?.state === 'failing' && Number.isFinite(failAfter) && failAfter > 0
      ? `; gives up after ${formatDuration(failAfter)}`
      : ''
  const waiting =
    awaited !== undefined
      ? `${awaited.code} (${awaited.state}${givesUp}): ${awaited.message}`
      : stableFor === 0
        ? 'as wanted'
        : `as wanted, and to stay so for ${formatDuration(stableFor)}`
  return seen === '' ? waiting : `${seen}; ${waiting}`
}

/** An entry as a line of text, or as one JSON object, without a line end. */
export function formatEntry(entry: ShownDeep<LogEntry>, date: Date, format: 'text' | 'json'): Shown {
  const time = ours(date.toISOString())
  if (format === 'json') return asJson({ time, ...entry })
  return told`${time} ${entry.level === 'warning' ? 'warning: ' : ''}${entry.message}`
}
