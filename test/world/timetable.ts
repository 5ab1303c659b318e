/** Virtual time: what happens when, one thing after the other, as fast as the machine can. */

/** What is due at some time of the clock, in milliseconds. */
export interface Timetable {
  readonly now: () => number
  /** @returns what cancels it */
  readonly at: (time: number, action: () => void) => () => void
  readonly after: (delay: number, action: () => void) => () => void
  /** As soon as what happens at the moment is over. */
  readonly soon: (action: () => void) => void
  /** Lets the next thing happen, and the clock stand where it is due. `false`: there is none. */
  readonly advance: () => boolean
}

interface Entry {
  readonly time: number
  readonly order: number
  action: (() => void) | undefined
}

/** A clock of whole milliseconds that stands at 0; what is due at the same time happens in the order it was asked for. */
export function createTimetable(): Timetable {
  const heap: Entry[] = []
  let soonest: (() => void)[] = []
  let now = 0
  let order = 0

  const at = (time: number, action: () => void) => {
    if (time === Number.POSITIVE_INFINITY) return () => {}
    const entry: Entry = { time: Math.max(Math.ceil(time), now), order: order++, action }
    push(heap, entry)
    return () => {
      entry.action = undefined
    }
  }
  return {
    now: () => now,
    at,
    after: (delay, action) => at(now + delay, action),
    soon: (action) => {
      soonest.push(action)
    },
    advance: () => {
      if (soonest.length > 0) {
        const due = soonest
        soonest = []
        for (const action of due) action()
        return true
      }
      for (;;) {
        const entry = pop(heap)
        if (entry === undefined) return false
        if (entry.action === undefined) continue
        now = entry.time
        entry.action()
        return true
      }
    },
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.time < b.time || (a.time === b.time && a.order < b.order)
}

function push(heap: Entry[], entry: Entry): void {
  let i = heap.length
  heap.push(entry)
  while (i > 0) {
    const above = (i - 1) >> 1
    const parent = heap[above] as Entry
    if (!isBefore(entry, parent)) break
    heap[i] = parent
    i = above
  }
  heap[i] = entry
}

function pop(heap: Entry[]): Entry | undefined {
  const first = heap[0]
  const last = heap.pop()
  if (first === undefined || last === undefined || heap.length === 0) return first
  let i = 0
  for (;;) {
    let below = 2 * i + 1
    if (below >= heap.length) break
    if (below + 1 < heap.length && isBefore(heap[below + 1] as Entry, heap[below] as Entry)) below++
    const child = heap[below] as Entry
    if (!isBefore(child, last)) break
    heap[i] = child
    i = below
  }
  heap[i] = last
  return first
}
