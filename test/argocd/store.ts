/** Where the simulated Argo CD keeps its applications. */
import { randomUUID } from 'node:crypto'
import { array, at, type JsonObject, JsonText, merge, object, stringify, timestamp } from './json.ts'
import type { Timers } from './timers.ts'

export type WatchEvent = 'ADDED' | 'MODIFIED' | 'DELETED'
export type Subscriber = (type: WatchEvent, stored: Stored) => void

/** One version of an application, with what was made of it, so that no request makes it again. */
export class Stored {
  readonly app: JsonObject
  readonly name: string
  readonly namespace: string
  /** Namespace and name. */
  readonly key: string
  readonly version: number
  readonly project: string
  readonly labels: JsonObject
  readonly #texts = new Map<string, string>()
  #json: JsonText | undefined

  constructor(app: JsonObject, version: number) {
    this.app = app
    this.version = version
    this.name = String(at(app, 'metadata', 'name'))
    this.namespace = String(at(app, 'metadata', 'namespace'))
    this.key = `${this.namespace}/${this.name}`
    this.project = String(at(app, 'spec', 'project') || 'default')
    this.labels = object(at(app, 'metadata', 'labels'))
  }

  /** The text of a name, made once. */
  once(name: string, make: () => string): string {
    let text = this.#texts.get(name)
    if (text === undefined) {
      text = make()
      this.#texts.set(name, text)
    }
    return text
  }

  get json(): JsonText {
    this.#json ??= new JsonText(stringify(this.app))
    return this.#json
  }

  /** As a list shows it: resource health that is kept in the tree is added to a GET and a watch only. */
  get listed(): JsonObject {
    if (at(this.app, 'status', 'resourceHealthSource') !== 'appTree') return this.app
    const resources = array(at(this.app, 'status', 'resources')).map((resource) => {
      const { health: _, ...rest } = object(resource)
      return rest
    })
    return { ...this.app, status: { ...object(this.app.status), resources } }
  }
}

/** What Kubernetes has, and what the API server's cache has of it, by namespace and name. */
export class Store {
  readonly #namespace: string
  readonly #cacheDelayMs: number
  readonly #timers: Timers
  readonly #live = new Map<string, Stored>()
  readonly #cache = new Map<string, Stored>()
  readonly #subscribers = new Set<Subscriber>()
  /** What changes does not come into the cache. */
  losesChanges = false
  #version = 100_000
  #cacheVersion = this.#version

  constructor(namespace: string, cacheDelayMs: number, timers: Timers) {
    this.#namespace = namespace
    this.#cacheDelayMs = cacheDelayMs
    this.#timers = timers
  }

  get live(): ReadonlyMap<string, Stored> {
    return this.#live
  }

  get cache(): ReadonlyMap<string, Stored> {
    return this.#cache
  }

  /** The resource version of Kubernetes. */
  get version(): number {
    return this.#version
  }

  /** The resource version that the cache has come to. */
  get cacheVersion(): number {
    return this.#cacheVersion
  }

  /** Creates or replaces an application. It is changed, not copied. */
  save(app: JsonObject): Stored {
    const metadata = object(app.metadata)
    const { name } = metadata
    if (typeof name !== 'string' || name === '') throw new Error('an application needs a metadata.name')
    const namespace = typeof metadata.namespace === 'string' ? metadata.namespace : this.#namespace
    const key = `${namespace}/${name}`
    const before = object(this.#live.get(key)?.app.metadata)
    this.#version += 1
    app.metadata = {
      ...metadata,
      namespace,
      uid: metadata.uid ?? before.uid ?? randomUUID(),
      resourceVersion: String(this.#version),
      generation: Number(before.generation ?? 0) + 1,
      creationTimestamp: metadata.creationTimestamp ?? before.creationTimestamp ?? timestamp(new Date()),
    }
    const stored = new Stored(app, this.#version)
    const type = this.#live.has(key) ? 'MODIFIED' : 'ADDED'
    this.#live.set(key, stored)
    this.#publish(type, stored)
    return stored
  }

  delete(key: string): void {
    const stored = this.#live.get(key)
    if (stored === undefined) return
    this.#version += 1
    const app = merge(stored.app, { metadata: { resourceVersion: String(this.#version) } })
    this.#live.delete(key)
    this.#publish('DELETED', new Stored(app, this.#version))
  }

  /** Calls with every change that comes into the cache, until the function that it returns is called. */
  subscribe(subscriber: Subscriber): () => void {
    this.#subscribers.add(subscriber)
    return () => {
      this.#subscribers.delete(subscriber)
    }
  }

  stop(): void {
    this.#subscribers.clear()
  }

  #publish(type: WatchEvent, stored: Stored): void {
    if (this.losesChanges) return
    const publish = () => {
      if (type === 'DELETED') this.#cache.delete(stored.key)
      else this.#cache.set(stored.key, stored)
      this.#cacheVersion = stored.version
      for (const tell of [...this.#subscribers]) tell(type, stored)
    }
    if (this.#cacheDelayMs > 0) this.#timers.later(this.#cacheDelayMs, publish)
    else publish()
  }
}
