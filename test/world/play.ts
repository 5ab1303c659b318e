/** Plays one history: a scenario's world, and a machine in it, from the beginning to the end of the run. */

import { SYNC_SETTLE } from '../../lib/promises.ts'
import type { Request } from '../../lib/requests.ts'
import { run } from '../../lib/run.ts'
import { createWorld } from './create.ts'
import { createJournal, type Line } from './journal.ts'
import type { Opponent } from './opponent.ts'
import { type Breach, createOracle, type Ending, type Figures, type Oracle } from './oracle.ts'
import type { Kill, Scenario } from './scenario.ts'
import { createSurroundings } from './server.ts'
import { scheduleSteps } from './steps.ts'
import { createTimetable } from './timetable.ts'

/** How a history went. */
export interface History {
  readonly ending: Ending | undefined
  readonly endedAt: number
  readonly breach: Breach | undefined
  readonly figures: Figures
}

/** More turns than this, and than this for each application, in one and the same millisecond are a loop that waits for nothing. */
const MOST_TURNS_AT_ONCE = 500
const MOST_TURNS_OF_ONE = 20

/** More wake-ups than this, and than this for each application, in a second, by the clock alone, are a loop that waits for next to nothing. */
const MOST_WAKES_A_SECOND = 60
const MOST_WAKES_OF_ONE = 8

/** So many syncs are asked for at once, and no more. */
const MOST_SYNCS = 8

/** More things than this do not happen in a history. */
const MOST_EVENTS = 2_000_000

/**
 * Plays a history.
 *
 * @param counts where it is counted what happened
 * @param lines where it is written down for a person, where somebody wants to read it
 */
export function play<K>(
  scenario: Scenario,
  opponent: Opponent<K>,
  counts: Map<string, number>,
  lines?: Line[],
): History {
  const time = createTimetable()
  const journal = createJournal(counts, time.now, lines)
  const world = createWorld(scenario, time, journal)
  if (scenario.drill !== undefined) journal.count(`drill ${scenario.drill}`)
  const { machine } = opponent
  const { policy, startsAt, target } = scenario
  let oracle: Oracle = createOracle(world)
  const kills = [...(scenario.kills ?? [])]
  let ending: Ending | undefined
  let breach: Breach | undefined
  let underWay = 0
  let syncsUnderWay = 0
  // Those that the server has not heard, and until when they may be on their way.
  let orders = new Map<string, number>()
  const tooMany = (count: number): Breach => ({
    promise: 'never greedy',
    at: time.now(),
    what: `${count} syncs are asked for at once`,
  })
  let turns = 0
  let turnedAt = -1
  let begunAt = startsAt

  const begin = () => {
    const number = ++world.runs
    const isDead = () => world.runs !== number
    const aborts: (() => void)[] = []
    begunAt = time.now()
    orders = new Map()
    const kill = () => {
      if (isDead() || ending !== undefined) return
      world.runs++
      journal.count('killed')
      journal.tell(() => 'killed; another run begins')
      for (const abort of aborts) abort()
      // The deadline of the one that is no more is nobody's.
      begunAt = time.now()
      time.after(1000, () => {
        oracle = createOracle(world, time.now(), oracle)
        oracle.look()
        begin()
      })
    }
    const killOn = (what: Kill) => {
      const place = kills.indexOf(what)
      if (place < 0) return
      kills.splice(place, 1)
      journal.count(`killed, ${what}`)
      time.soon(kill)
    }
    const [after] = kills
    if (typeof after === 'number') {
      kills.shift()
      time.after(after, kill)
    }
    const surroundings = createSurroundings(world, {
      sent: (request: Request) => {
        underWay++
        journal.count(`asked ${request.kind}`)
        if (request.kind === 'sync') {
          killOn('sync sent')
          syncsUnderWay++
          orders.set(request.application, Number.POSITIVE_INFINITY)
          if (syncsUnderWay > MOST_SYNCS) breach ??= tooMany(syncsUnderWay)
        }
        breach ??= oracle.sent()
      },
      ended: (request) => {
        underWay--
        if (request.kind !== 'sync') return
        syncsUnderWay--
        if (orders.has(request.application)) orders.set(request.application, time.now() + SYNC_SETTLE)
      },
      answered: () => oracle.answered(),
      heard: (request) => {
        if (request.kind !== 'sync') return
        orders.delete(request.application)
        killOn('sync heard')
      },
    })
    const interruption = scenario.interruptedAt === undefined ? undefined : new AbortController()
    time.at(scenario.interruptedAt ?? Number.POSITIVE_INFINITY, () => interruption?.abort())
    const guard = (now: number) => {
      turns = turnedAt === now ? turns + 1 : 0
      turnedAt = now
      if (turns > MOST_TURNS_AT_ONCE + MOST_TURNS_OF_ONE * world.applications.length) throw new BusyLoop()
    }
    const watched = {
      ...machine,
      plan: (knowledge: K, now: number) => {
        guard(now)
        return machine.plan(knowledge, now)
      },
      decide: (knowledge: K, now: number) => {
        guard(now)
        ending = machine.decide(knowledge, now)
        return ending
      },
    }
    const wakes: number[] = []
    const mostWakes = MOST_WAKES_A_SECOND + MOST_WAKES_OF_ONE * world.applications.length
    const at = (due: number, wake: () => void) =>
      surroundings.at(due, () => {
        if (isDead()) return
        wakes.push(time.now())
        if ((wakes.at(-mostWakes) ?? Number.NEGATIVE_INFINITY) > time.now() - 1000) throw new BusyLoop()
        wake()
      })
    const start: typeof surroundings.start = (task, attempt, report) => {
      const abort = surroundings.start(task, attempt, {
        brought: (news) => {
          if (isDead()) return
          report.brought(news)
          if (news.kind === 'ordered') killOn('sync answered')
          if (news.kind === 'permission') killOn('permission answered')
        },
        ended: (failure) => {
          if (!isDead()) report.ended(failure)
        },
      })
      aborts.push(abort)
      return abort
    }
    const soon = (wake: () => void) =>
      surroundings.soon(() => {
        if (!isDead()) wake()
      })
    const initial = opponent.initial(target, policy, time.now(), scenario.seed + number - 1)
    let explained = ''
    const explain = (_: K, knowledge: K) => {
      const explanation = opponent.explain?.(knowledge) ?? ''
      if (explanation !== explained) journal.tell(() => `thinks: ${explanation.slice(0, 200)}`)
      explained = explanation
    }
    const onTurn = lines === undefined ? undefined : explain
    void run(watched, initial, { ...surroundings, at, soon, start }, interruption?.signal, onTurn)
  }

  oracle.look()
  scheduleSteps(world)
  time.at(startsAt, begin)
  try {
    for (let events = 0; ending === undefined && breach === undefined; events++) {
      if (
        !time.advance() ||
        time.now() > begunAt + Math.max(policy.timeout, 60_000) ||
        events > MOST_EVENTS
      ) {
        breach = { promise: 'on time', at: time.now(), what: 'no end' }
        break
      }
      breach ??= oracle.look()
      if (world.mistake !== undefined) breach ??= { at: time.now(), ...world.mistake }
    }
    if (ending !== undefined) breach ??= oracle.judge(ending)
    const isPending = [...orders.values()].some((until) => until > time.now())
    if (ending?.kind === 'verified' && isPending)
      breach ??= { promise: 'never wrong', at: time.now(), what: 'a sync was asked for, and may begin' }
    if (ending !== undefined && underWay > 0)
      breach ??= { promise: 'no crash', at: time.now(), what: `${underWay} requests are left under way` }
  } catch (error) {
    const isBusy = error instanceof BusyLoop
    const what = isBusy
      ? `more than ${MOST_TURNS_AT_ONCE} turns at once`
      : error instanceof Error
        ? (error.stack ?? error.message)
        : String(error)
    breach = { promise: isBusy ? 'no busy loop' : 'no crash', at: time.now(), what }
  }
  const name = ending === undefined ? 'none' : ending.kind
  journal.count(`ending ${name}`)
  journal.tell(() => `concluded: ${JSON.stringify(ending)}`)
  if (breach !== undefined) journal.tell(() => `broken: ${breach?.promise}: ${breach?.what}`)
  return { ending, endedAt: time.now(), breach, figures: oracle.figures() }
}

class BusyLoop extends Error {}
