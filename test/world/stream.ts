/**
 * A stream of changes as Argo CD serves it: it lists first and subscribes after, and lives through what is between.
 * Fact from `server/application/application.go`, Watch.
 */

import { RequestFailure } from '../../lib/failure.ts'
import type { ApplicationQuery, News, WatchEvent } from '../../lib/requests.ts'
import type { Reporter } from '../../lib/run.ts'
import { activeFaults, isFaulty } from './faults.ts'
import { isAbout, matching } from './matching.ts'
import type { Network } from './network.ts'
import { cut } from './render.ts'
import type { Cached, Change } from './store.ts'
import type { World } from './world.ts'

const KEEP_ALIVE = 15_000

/** Between the list and the subscription. */
const USUAL_GAP = 10

/** The failure of a stream that was cut. */
const CUT = new RequestFailure('Unreachable', 'argocd.test closed the connection')

/**
 * Opens a stream.
 *
 * @returns what closes it
 */
export function openStream(
  world: World,
  network: Network,
  query: ApplicationQuery,
  passage: { readonly readAfter: number; readonly arrivesAfter: number },
  report: Reporter<News>,
): () => void {
  const { time, store, journal, random, scenario } = world
  let isClosed = false
  let arrivesAt = 0
  const isBuffered = isFaulty(world, 'buffered')
  if (isBuffered) journal.count('fault buffered')

  /** Messages arrive in their order. */
  const deliver = (action: () => void) => {
    arrivesAt = Math.max(arrivesAt, time.now() + network.delay())
    time.at(arrivesAt, () => {
      if (!isClosed) action()
    })
  }
  const isSilent = () => {
    if (isBuffered || !isFaulty(world, 'silent')) return isBuffered
    journal.count('fault silent')
    return true
  }
  const send = (events: readonly WatchEvent[], told: readonly Cached[] = []) => {
    if (isSilent()) return
    deliver(() => {
      for (const { subject, writtenAt } of told) world.told(subject, writtenAt)
      report.brought({ kind: 'changes', events })
    })
  }
  const subscriber = ({ type, cached }: Change) => {
    if (!isAbout(query, cached, true)) return
    if (isFaulty(world, 'lost')) {
      journal.count('fault lost')
      return
    }
    send([{ type, application: cut(cached.application) }], type === 'DELETED' ? [] : [cached])
  }
  const close = () => {
    isClosed = true
    store.subscribers.delete(subscriber)
  }
  const keepAlive = () => {
    time.after(KEEP_ALIVE, () => {
      if (isClosed) return
      send([])
      keepAlive()
    })
  }

  time.after(passage.readAfter, () => {
    if (isClosed) return
    deliver(() => report.brought({ kind: 'opened' }))
    const present = matching(world, query, true)
    const events = present.map(
      ({ application }): WatchEvent => ({ type: 'ADDED', application: cut(application) }),
    )
    if (events.length > 0) send(events, present)
    let gap = USUAL_GAP * random.next()
    for (const fault of activeFaults(world)) if (fault.kind === 'gap') gap += fault.by
    const { version, published } = store
    time.after(gap, () => {
      if (isClosed) return
      if (gap > USUAL_GAP && store.version !== version) journal.count('fault gap')
      if (store.published !== published) world.lostInGapAt = time.now()
      store.subscribers.add(subscriber)
    })
    keepAlive()
  })
  for (const fault of scenario.faults)
    if (fault.kind === 'cut' && fault.from > time.now())
      time.at(fault.from, () => {
        if (isClosed) return
        journal.count('fault cut')
        close()
        deliverEnd()
      })
  const deliverEnd = () => report.ended(CUT)
  return close
}
