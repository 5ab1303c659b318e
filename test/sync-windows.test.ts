/** When sync windows open: schedules as robfig/cron reads them, time zones, and Argo CD's own rule. */

import { describe, expect, test } from 'bun:test'
import { nextTime, parseSchedule } from '../lib/cron.ts'
import { describeClosed, offsetOf, openingOf, withKnownZones } from '../lib/sync-windows.ts'
import type { SyncWindow, SyncWindows } from '../lib/syncs.ts'

const at = (text: string) => Date.parse(`${text}Z`)
const said = (time: number | undefined) =>
  time === undefined ? undefined : new Date(time).toISOString().slice(0, 16)

describe('a schedule', () => {
  // What robfig/cron v3 answered.
  test.each([
    ['0 22 * * *', '2026-11-24T22:00', '2026-11-25T22:00'],
    ['*/15 8-17 * * MON-fri', '2026-11-27T17:45', '2026-11-30T08:00'],
    ['30 9 29 2 ?', '2027-06-01T00:00', '2028-02-29T09:30'],
    ['0 0 13 * 5', '2026-11-24T00:00', '2026-11-27T00:00'],
    ['0 0 */2 * 5', '2026-11-24T00:00', '2026-11-25T00:00'],
    ['0 0 13 * */1', '2026-11-24T00:00', '2026-12-13T00:00'],
    ['5/20 * * dec *', '2026-11-24T00:00', '2026-12-01T00:05'],
    ['0,30 23 1,31 * *', '2026-11-24T00:00', '2026-12-01T23:00'],
    ['0 0 31 2 *', '2026-11-24T00:00', undefined],
  ] as const)('%s comes after %s at %s', (text, after, next) => {
    const schedule = parseSchedule(text)
    expect(schedule).toBeDefined()
    if (schedule !== undefined) expect(said(nextTime(schedule, at(after)))).toBe(next)
  })

  test.each(['', '* * * *', '* * * * * *', '@daily', 'TZ=UTC 0 0 * * *', '60 * * * *', '* 24 * * *'])(
    '%p is none',
    (text) => expect(parseSchedule(text)).toBeUndefined(),
  )

  test.each([
    '* * 0 * *',
    '* * * 13 *',
    '* * * * 7',
    '5-1 * * * *',
    '*/0 * * * *',
    '1-2-3 * * * *',
    'x * * * *',
  ])('nor is %p', (text) => expect(parseSchedule(text)).toBeUndefined())
})

test.each([
  ['Europe/Berlin', '2026-07-01T00:00', 2],
  ['Europe/Berlin', '2026-12-01T00:00', 1],
  ['Asia/Kolkata', '2026-12-01T00:00', 5.5],
  ['America/New_York', '2026-12-01T00:00', -5],
  ['UTC', '2026-12-01T00:00', 0],
  ['', '2026-12-01T00:00', 0],
  ['Not/AZone', '2026-12-01T00:00', 0],
])('clocks in %p are at %s ahead of UTC by %d hours', (zone, time, hours) => {
  expect(offsetOf(zone, at(time))).toBe(hours * 3_600_000)
})

const window = (kind: string, schedule: string, duration: string, more: Partial<SyncWindow> = {}) => ({
  kind,
  schedule,
  duration,
  isManual: false,
  timeZone: '',
  ...more,
})
const windows = (told: string, active: SyncWindow[], others: SyncWindow[] = []): SyncWindows => ({
  canSync: false,
  active,
  assigned: [...active, ...others],
  at: at(told),
})
const opens = (one: SyncWindows) =>
  said(openingOf(one, ({ timeZone }, time) => offsetOf(timeZone ?? '', time)))

describe('closed sync windows open', () => {
  const night = window('deny', '0 22 * * *', '8h')
  const morning = window('allow', '0 6 * * *', '2h')
  const evening = window('allow', '0 18 * * *', '30m')

  test.each([
    ['when the deny window ends', windows('2026-11-24T23:30', [night]), '2026-11-25T06:00'],
    [
      'when the last of several ends, also of one that begins meanwhile',
      windows('2026-11-24T23:30', [night], [window('deny', '30 5 * * *', '1h')]),
      '2026-11-25T06:30',
    ],
    [
      'when one ends that permits no manual sync, though another goes on that does',
      windows('2026-11-24T23:30', [night, window('deny', '0 20 * * *', '12h', { isManual: true })]),
      '2026-11-25T06:00',
    ],
    ['when an allow window begins', windows('2026-11-24T12:00', [], [morning, evening]), '2026-11-24T18:00'],
    [
      'when an allow window is there and no deny window',
      windows('2026-11-24T23:30', [night], [window('allow', '0 5 * * *', '30m'), evening]),
      '2026-11-25T18:00',
    ],
    [
      'by the clock of its time zone',
      windows('2026-11-24T22:30', [{ ...night, timeZone: 'Europe/Berlin' }]),
      '2026-11-25T05:00',
    ],
    [
      'also where clocks are put back before that',
      windows('2026-10-24T22:30', [{ ...night, timeZone: 'Europe/Berlin' }]),
      '2026-10-25T05:00',
    ],
    [
      'never, where they are always closed',
      windows('2026-11-24T23:30', [window('deny', '0 * * * *', '2h')]),
      undefined,
    ],
    [
      'at no time that is known, where a schedule is none',
      windows('2026-11-24T23:30', [window('deny', 'x', '2h')]),
      undefined,
    ],
    [
      'nor where there are more than anybody reads',
      windows(
        '2026-11-24T23:30',
        Array.from({ length: 11 }, () => night),
      ),
      undefined,
    ],
    ['nor where the server says otherwise', windows('2026-11-24T12:00', [night]), undefined],
  ])('%s', (_, told, expected) => {
    expect(opens(told)).toBe(expected)
  })
})

describe('what is said of them', () => {
  const night = window('deny', '0 22 * * *', '8h', { timeZone: undefined })

  test('without its time zone: what the clock shows there, and what that is in UTC', () => {
    expect(describeClosed(windows('2026-11-24T23:30', [night]), '')).toBe(
      'a closed sync window is in the way: it opens when the deny window "0 22 * * *" for 8h ends, ' +
        'at 06:00 in its time zone (2026-11-25T06:00:00Z if that is UTC; an account that may get the project is told which that is)',
    )
  })

  test('where it cannot be UTC: what the clock shows there', () => {
    const told = describeClosed(windows('2026-11-24T12:00', [night]), '')
    expect(told).toContain('at 06:00 in its time zone (an account')
  })

  test('where the clock could show several times: none', () => {
    const twice = window('deny', '0 10,22 * * *', '8h', { timeZone: undefined })
    expect(describeClosed(windows('2026-11-24T23:30', [twice]), '')).toBe(
      'a closed sync window is in the way: it opens when the deny window "0 10,22 * * *" for 8h ends',
    )
  })

  test('time zones of the project are those of the windows that are the same in all else, unless they differ', () => {
    const told = windows('2026-11-24T23:30', [night])
    const berlin = { ...night, timeZone: 'Europe/Berlin' }
    expect(withKnownZones(told, [berlin]).active).toEqual([berlin])
    expect(withKnownZones(told, [{ ...berlin, schedule: '0 21 * * *' }]).active).toEqual([night])
    expect(withKnownZones(told, [berlin, { ...night, timeZone: '' }]).active).toEqual([night])
  })
})
