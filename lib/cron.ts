/**
 * Schedules of sync windows: cron with five fields, read as Argo CD reads them (robfig/cron v3, `NewParser` of minute,
 * hour, day of month, month and day of week). Times are milliseconds by the clock of the schedule, as if that were UTC.
 */

/** A schedule: which minutes, hours, days and months it holds. */
export interface Schedule {
  readonly minutes: ReadonlySet<number>
  readonly hours: ReadonlySet<number>
  readonly days: ReadonlySet<number>
  readonly months: ReadonlySet<number>
  readonly weekdays: ReadonlySet<number>
  /** Where one of the two fields of days is a star, a day has to be in both; otherwise in one of them. */
  readonly isBothDays: boolean
}

interface Field {
  readonly least: number
  readonly most: number
  /** Names of values, from the least on. */
  readonly names?: readonly string[]
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const MINUTE: Field = { least: 0, most: 59 }
const HOUR: Field = { least: 0, most: 23 }
const DAY: Field = { least: 1, most: 31 }
const MONTH: Field = { least: 1, most: 12, names: MONTHS }
const WEEKDAY: Field = { least: 0, most: 6, names: WEEKDAYS }

/** A whole number, and no longer than any that a field takes with zeros before it. */
const NUMBER = /^\d{1,9}$/

/**
 * Reads a schedule.
 *
 * @returns `undefined` where Argo CD would not take it either, and where it names a time zone of its own
 */
export function parseSchedule(text: string): Schedule | undefined {
  const [minute, hour, day, month, weekday, ...more] = text.trim().split(/\s+/)
  if (weekday === undefined || more.length > 0) return undefined
  const minutes = parseField(minute, MINUTE)
  const hours = parseField(hour, HOUR)
  const days = parseField(day, DAY)
  const months = parseField(month, MONTH)
  const weekdays = parseField(weekday, WEEKDAY)
  if (!minutes || !hours || !days || !months || !weekdays) return undefined
  return { minutes, hours, days, months, weekdays, isBothDays: hasStar(day) || hasStar(weekday) }
}

/** A star with a step greater than one is none: it is a list of values. */
function hasStar(field: string | undefined): boolean {
  return (field ?? '').split(',').some((part) => /^[*?](?:-[^/]*)?(?:\/0*1)?$/.test(part))
}

function parseField(text: string | undefined, field: Field): ReadonlySet<number> | undefined {
  const values = new Set<number>()
  for (const part of (text ?? '').split(',')) {
    if (part === '') continue
    const [range = '', stepText, ...more] = part.split('/')
    const [low = '', high, ...others] = range.split('-')
    if (more.length > 0) return undefined
    const step = stepText === undefined ? 1 : parseNumber(stepText)
    const isStar = low === '*' || low === '?'
    if (!isStar && others.length > 0) return undefined
    const first = isStar ? field.least : parseValue(low, field)
    if (step === undefined || step === 0 || first === undefined) return undefined
    const last = lastOf(high, first, field, { isStar, hasStep: stepText !== undefined })
    if (last === undefined || first < field.least || last > field.most || first > last) return undefined
    for (let value = first; value <= last; value += step) values.add(value)
  }
  return values
}

/** `N/step` goes on to the last value, and a lone `N` is itself. */
function lastOf(
  high: string | undefined,
  first: number,
  field: Field,
  { isStar, hasStep }: { readonly isStar: boolean; readonly hasStep: boolean },
): number | undefined {
  if (isStar) return field.most
  if (high !== undefined) return parseValue(high, field)
  return hasStep ? field.most : first
}

function parseValue(text: string, { least, names }: Field): number | undefined {
  const place = names?.indexOf(text.toLowerCase()) ?? -1
  return place >= 0 ? least + place : parseNumber(text)
}

function parseNumber(text: string): number | undefined {
  return NUMBER.test(text) ? Number(text) : undefined
}

const A_MINUTE = 60_000
const A_DAY = 24 * 60 * A_MINUTE

/** Further ahead nobody looks who waits for it. */
const MOST_DAYS = 366

/** The first time of a schedule after a time; `undefined`: there is none within a year. */
export function nextTime(schedule: Schedule, after: number): number | undefined {
  const from = (Math.floor(after / A_MINUTE) + 1) * A_MINUTE
  const today = Math.floor(from / A_DAY) * A_DAY
  for (let day = 0; day <= MOST_DAYS; day++) {
    const midnight = today + day * A_DAY
    if (!holdsDay(schedule, new Date(midnight))) continue
    const minute = nextMinute(schedule, Math.max(from - midnight, 0) / A_MINUTE)
    if (minute !== undefined) return midnight + minute * A_MINUTE
  }
  return undefined
}

function holdsDay({ days, months, weekdays, isBothDays }: Schedule, date: Date): boolean {
  if (!months.has(date.getUTCMonth() + 1)) return false
  const [inDays, inWeekdays] = [days.has(date.getUTCDate()), weekdays.has(date.getUTCDay())]
  return isBothDays ? inDays && inWeekdays : inDays || inWeekdays
}

/** The first minute of a day, of those that the schedule holds, that is not before another. */
function nextMinute({ hours, minutes }: Schedule, from: number): number | undefined {
  for (let hour = Math.floor(from / 60); hour < 24; hour++) {
    if (!hours.has(hour)) continue
    for (let minute = 0; minute < 60; minute++)
      if (minutes.has(minute) && hour * 60 + minute >= from) return hour * 60 + minute
  }
  return undefined
}
