/**
 * When closed sync windows open, as far as it can be told from what Argo CD says of them: for messages only. The gate
 * asks again until it may, whatever is said here. Pure.
 */

import { nextTime, parseSchedule, type Schedule } from './cron.ts'
import { parseDuration } from './duration.ts'
import type { SyncWindow, SyncWindows } from './syncs.ts'

const A_SECOND = 1000
const A_MINUTE = 60 * A_SECOND

/** So many windows are looked at, and so many of their beginnings and ends: whoever sends more blocks nobody by it. */
const MOST_WINDOWS = 10
const MOST_TURNS = 200

/** Clocks of the world are at most so many hours behind UTC, or ahead of it. */
const BEHIND = 12
const AHEAD = 14

/**
 * What is said of windows that do not let an application be synced: which they are, and when that changes.
 *
 * @param said by Argo CD, where it does not tell of its windows
 */
export function describeClosed(windows: SyncWindows | undefined, said: string): string {
  const denying = windows?.active.filter(({ kind }) => kind === 'deny') ?? []
  const allowing = windows?.assigned.filter(({ kind }) => kind === 'allow') ?? []
  if (windows === undefined || (denying.length === 0 && allowing.length === 0))
    return `a closed sync window is in the way (${said})`
  const what =
    denying.length === 0
      ? `with ${listed(allowing, ' or ')}`
      : allowing.length === 0
        ? `when ${listed(denying, ' and ')} ${denying.length > 1 ? 'end' : 'ends'}`
        : `by ${listed([...denying, ...allowing], ' and ')}`
  return `a closed sync window is in the way: it opens ${timed(windows, what)}`
}

/** So many windows stand in one sentence. */
const MOST_NAMED = 3

function listed(windows: readonly SyncWindow[], between: string): string {
  const more = windows.length - MOST_NAMED
  const names = windows.slice(0, MOST_NAMED).map(describeWindow)
  return `${names.join(between)}${more > 0 ? `${between}${more} more` : ''}`
}

function describeWindow({ kind, schedule, duration, timeZone }: SyncWindow): string {
  const zone = timeZone === undefined ? '' : ` (${timeZone || 'UTC'})`
  return `the ${kind} window "${schedule}" for ${duration}${zone}`
}

/** What opens it, and the time of that: in UTC where the time zones are known, otherwise as the clock there shows it. */
function timed(windows: SyncWindows, what: string): string {
  if (windows.assigned.every(({ timeZone }) => timeZone !== undefined)) {
    const opensAt = openingOf(windows, ({ timeZone }, time) => offsetOf(timeZone ?? '', time))
    return opensAt === undefined ? what : `at ${timestamp(opensAt)}, ${what}`
  }
  const clock = clockOf(windows)
  if (clock === undefined) return what
  const inUtc = openingOf(windows, () => 0)
  const ifUtc = inUtc === undefined ? '' : `${timestamp(inUtc)} if that is UTC; `
  return `${what}, at ${clock} in its time zone (${ifUtc}an account that may get the project is told which that is)`
}

/**
 * What a clock shows, in the time zone that all windows have, when they open: of all zones in which Argo CD would say
 * of them what it does, where that is the same in each.
 */
function clockOf(windows: SyncWindows): string | undefined {
  const shown = new Set<string>()
  for (let half = -2 * BEHIND; half <= 2 * AHEAD; half++) {
    const offset = half * 30 * A_MINUTE
    const opensAt = openingOf(windows, () => offset)
    if (opensAt !== undefined) shown.add(timestamp(opensAt + offset).slice(11, 16))
  }
  const [clock, ...more] = shown
  return more.length > 0 ? undefined : clock
}

/** How far a window's clock is ahead of UTC at a time. */
type Offset = (window: SyncWindow, time: number) => number

interface Timed {
  readonly window: SyncWindow
  readonly duration: number
  /** The next beginning after a time of its clock, and the next of those that such a time may be within. */
  readonly begins: Next
  readonly began: Next
}

type Next = (after: number) => number | undefined

/** The next time of a schedule, which is the same until it has come. */
function nextOf(schedule: Schedule): Next {
  let [from, next]: [number, number | undefined] = [Number.POSITIVE_INFINITY, undefined]
  return (after) => {
    if (after < from || (next !== undefined && after >= next))
      [from, next] = [after, nextTime(schedule, after)]
    return next
  }
}

/**
 * When Argo CD will let the application be synced, by its own rule, from the time on at which it told of its windows.
 *
 * @returns milliseconds since 1970; `undefined` where that cannot be told, or where these windows would be open now
 */
export function openingOf(windows: SyncWindows, offset: Offset): number | undefined {
  if (windows.assigned.length > MOST_WINDOWS) return undefined
  const timed: Timed[] = []
  for (const window of windows.assigned) {
    const schedule = parseSchedule(window.schedule)
    const duration = parseDuration(window.duration)
    if (schedule === undefined || duration === undefined) return undefined
    timed.push({ window, duration, begins: nextOf(schedule), began: nextOf(schedule) })
  }
  const active = (time: number) => timed.filter((one) => isActive(one, time + offset(one.window, time)))
  // With other clocks than these windows have, others would be active.
  if (!areSame(active(windows.at), windows.active) || canSync(timed, active(windows.at))) return undefined
  let time = windows.at
  for (let turn = 0; turn < MOST_TURNS; turn++) {
    time = Math.min(...timed.map((one) => nextTurn(one, time, offset)))
    if (!Number.isFinite(time)) return undefined
    // At the very time of its beginning a window is not active yet.
    if (canSync(timed, active(time + 1))) return time
  }
  return undefined
}

function areSame(timed: readonly Timed[], windows: readonly SyncWindow[]): boolean {
  const keys = (of: readonly SyncWindow[]) => of.map(keyOf).sort().join('\n')
  return keys(timed.map(({ window }) => window)) === keys(windows)
}

/** What Argo CD tells of a window to whoever may see the application. */
function keyOf({ kind, schedule, duration, isManual }: SyncWindow): string {
  return JSON.stringify([kind, schedule, duration, isManual])
}

/** Whether a window's clock shows a time within it (Argo CD, `SyncWindow.active`). */
function isActive({ began, duration }: Timed, clock: number): boolean {
  const begins = began(clock - duration)
  return begins !== undefined && begins < clock
}

/** Argo CD's own rule for a sync that a person, or we, ask for (`SyncWindows.CanSync`). */
function canSync(assigned: readonly Timed[], active: readonly Timed[]): boolean {
  if (assigned.length === 0) return true
  const denying = active.filter(({ window }) => window.kind === 'deny')
  if (denying.length > 0) return denying.every(({ window }) => window.isManual)
  if (active.some(({ window }) => window.kind === 'allow')) return true
  const allowing = assigned.filter(({ window }) => window.kind === 'allow')
  return allowing.every(({ window }) => window.isManual)
}

/** When a window begins or ends next. */
function nextTurn({ window, begins: next, began, duration }: Timed, time: number, offset: Offset): number {
  const clock = time + offset(window, time)
  const never = Number.POSITIVE_INFINITY
  const begins = next(clock) ?? never
  const ends = (began(clock - duration) ?? never) + duration
  const shows = Math.min(begins, ends)
  if (!Number.isFinite(shows)) return never
  // Clocks may be put forward or back before then.
  const about = shows - offset(window, time)
  return Math.max(shows - offset(window, about), time + 1)
}

/** What was told of windows, with the time zones that are known of them from the project, or an earlier answer. */
export function withKnownZones(windows: SyncWindows, known: readonly SyncWindow[]): SyncWindows {
  const zoned = (window: SyncWindow): SyncWindow => {
    if (window.timeZone !== undefined) return window
    const same = known.filter((one) => keyOf(one) === keyOf(window))
    const [timeZone, ...more] = new Set(same.map((one) => one.timeZone))
    return more.length > 0 ? window : { ...window, timeZone }
  }
  return { ...windows, active: windows.active.map(zoned), assigned: windows.assigned.map(zoned) }
}

const CLOCKS = new Map<string, Intl.DateTimeFormat | undefined>()

/** How far clocks of a time zone are ahead of UTC at a time; a zone that nobody knows is UTC, as for Argo CD. */
export function offsetOf(timeZone: string, time: number): number {
  if (timeZone === '') return 0
  if (!CLOCKS.has(timeZone)) CLOCKS.set(timeZone, clockIn(timeZone))
  const text = CLOCKS.get(timeZone)?.format(time) ?? ''
  const [, sign, hours, minutes = '0', seconds = '0'] =
    /GMT([+-])(\d{1,2})(?::(\d{2}))?(?::(\d{2}))?/.exec(text) ?? []
  const ahead = Number(hours ?? 0) * 60 * A_MINUTE + Number(minutes) * A_MINUTE + Number(seconds) * A_SECOND
  return sign === '-' ? -ahead : ahead
}

function clockIn(timeZone: string): Intl.DateTimeFormat | undefined {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' })
  } catch {
    return undefined
  }
}

function timestamp(time: number): string {
  return `${new Date(time).toISOString().slice(0, 19)}Z`
}
