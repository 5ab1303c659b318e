/** The store (etcd), and the API server's cache of it, which lags behind and feeds lists and streams. */

import type { Application } from '../../lib/application.ts'
import { activeFaults } from './faults.ts'
import { render } from './render.ts'
import type { Subject, World } from './world.ts'

export interface Store {
  /** Grows with each change of anything. */
  version: number
  /** As the cache holds them, by number. */
  readonly cached: Map<number, Cached>
  cachedUntil: number
  /** How many changes the cache has learnt of. */
  published: number
  readonly subscribers: Set<(change: Change) => void>
}

export interface Cached {
  readonly subject: Subject
  readonly application: Application
  readonly labels: Readonly<Record<string, string>>
  readonly version: number
  readonly writtenAt: number
}

export interface Change {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly cached: Cached
}

export function createStore(): Store {
  return { version: 0, cached: new Map(), cachedUntil: 0, published: 0, subscribers: new Set() }
}

const USUAL_LAG = 150

/** Writes an application as its state now is; the cache learns of it a little later. */
export function write(world: World, subject: Subject): void {
  const { store } = world
  subject.version = ++store.version
  subject.stored = subject.exists ? render(subject) : undefined
  world.changed(subject)
  const { stored, labels, version } = subject
  const writtenAt = world.time.now()
  publish(world, () => {
    const before = store.cached.get(subject.number)
    if (stored === undefined) {
      if (before === undefined) return
      store.cached.delete(subject.number)
      world.changed(subject)
      tell(store, { type: 'DELETED', cached: before })
      return
    }
    const cached = { subject, application: stored, labels, version, writtenAt }
    store.cached.set(subject.number, cached)
    // What a selector matches is another.
    if (before?.labels !== labels) world.changed(subject)
    tell(store, { type: before === undefined ? 'ADDED' : 'MODIFIED', cached })
  })
}

/** Changes reach the cache in their order. */
function publish(world: World, action: () => void): void {
  const { store, time, random } = world
  let lag = 1 + USUAL_LAG * random.next() ** 3
  for (const fault of activeFaults(world)) if (fault.kind === 'lag') lag += fault.by
  store.cachedUntil = Math.max(store.cachedUntil, time.now() + lag)
  time.at(store.cachedUntil, action)
}

function tell(store: Store, change: Change): void {
  store.published++
  for (const subscriber of [...store.subscribers]) subscriber(change)
}
