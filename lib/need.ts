/** What a need is: requests that ought to be under way now, and when to think again. Pure. */

import type { Failure, Knowledge } from './knowledge.ts'
import { LONGEST_HEDGE, SHORTEST_HEDGE, SHORTEST_PAUSE, USUAL_TIMES } from './promises.ts'
import type { Request } from './requests.ts'
import type { Plan } from './run.ts'

/** What ought to be under way now for one kind of reason, and when there will be more. */
export type Need = Plan<Request>

/** Nothing, now or later. */
export const NOTHING: Need = { tasks: [], wakeAt: Number.POSITIVE_INFINITY }

/**
 * The requests for those of some things for which one is due, those that have been due for longest first, so that
 * each has its turn where a lane is full; and the time of the next that will be.
 *
 * @param most how many more there is a point in asking for, where that is known: of thousands that are due, a lane
 * takes a few. Those that are under way, which only `isUnderWay` tells then, are asked for whatever their number
 */
export function needOf<T>(
  things: Iterable<T>,
  dueAt: (thing: T) => number,
  request: (thing: T) => Request,
  now: number,
  most?: { readonly count: number; readonly isUnderWay: (thing: T) => boolean },
): Need {
  const due: { readonly at: number; readonly thing: T }[] = []
  let wakeAt = Number.POSITIVE_INFINITY
  for (const thing of things) {
    const at = dueAt(thing)
    if (at <= now) due.push({ at, thing })
    else if (at < wakeAt) wakeAt = at
  }
  if (due.length === 0) return { tasks: NOTHING.tasks, wakeAt }
  due.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
  let others = 0
  const wanted =
    most === undefined ? due : due.filter(({ thing }) => most.isUnderWay(thing) || others++ < most.count)
  return { tasks: wanted.map(({ thing }) => request(thing)), wakeAt }
}

/** All of several needs, the most urgent first. */
export function union(needs: readonly Need[]): Need {
  const all: Request[] = []
  let next = Number.POSITIVE_INFINITY
  for (const { tasks, wakeAt } of needs) {
    for (const task of tasks) all.push(task)
    next = Math.min(next, wakeAt)
  }
  return { tasks: all, wakeAt: next }
}

/** When a question that is not answered is asked again elsewhere: after some times of what is usual, and then later. */
export function hedgesOf({ server }: Knowledge): readonly number[] {
  const first = Math.min(Math.max(server.usual * USUAL_TIMES, SHORTEST_HEDGE), LONGEST_HEDGE)
  return [first, first * 3]
}

/** When a last look is due before the deadline: at its time, and a little after each try of it that failed. */
export function lastTry(lastLookAt: number, failure: Failure | undefined): number {
  return failure === undefined || failure.at < lastLookAt ? lastLookAt : failure.at + SHORTEST_PAUSE
}
