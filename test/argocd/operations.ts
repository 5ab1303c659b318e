/** Syncs of the simulated Argo CD: who may start one, what it takes over from the request, and how it goes. */
import type { Application } from './application.ts'
import { sourcesOf } from './details.ts'
import { ApiError, Code } from './errors.ts'
import { array, at, copy, type Json, type JsonObject, merge, object, timestamp } from './json.ts'
import type { ServerOptions } from './options.ts'
import type { Store, Stored } from './store.ts'
import type { Timers } from './timers.ts'

/** A sync that was asked for: the body of the request. */
export type SyncRequest = { readonly name: string; readonly at: number; readonly body: JsonObject }

/** How an attempt of an operation goes; what is left out is a success. */
export type Outcome = {
  /** @default 'Succeeded' */
  readonly phase?: 'Succeeded' | 'Failed' | 'Error'
  readonly message?: string
  readonly resources?: JsonObject[]
}

const SHA = /^[0-9a-f]{40}$/i
const SHORT_SHA = /^[0-9a-f]{7,39}$/i

/** Operations, carried out one attempt after the other. */
export class Operations {
  /** Every sync that was accepted. */
  readonly syncs: SyncRequest[] = []
  /** What becomes of an attempt. It may change the application it is given, or take its time. */
  onSync: (app: Application, attempt: number) => Outcome | Promise<Outcome> = () => ({})
  /** Where a branch or a tag points; what is a SHA, or is not there, stays as it is. */
  readonly refs = new Map<string, string>()
  /** The commits that are found by the beginning of their SHA. */
  readonly commits = new Set<string>()
  /** Syncs to another revision than the tracked one need `override`. */
  requiresOverride = false
  /** A sync leaves `status.sync` and `history` to {@link onSync}. */
  keepsSync = false
  /** How long the controller takes to begin. */
  pickUpMs: number
  readonly #store: Store
  readonly #timers: Timers
  readonly #syncMs: number

  constructor({ syncMs = 50, pickUpMs = 20 }: ServerOptions, store: Store, timers: Timers) {
    this.#store = store
    this.#timers = timers
    this.#syncMs = syncMs
    this.pickUpMs = pickUpMs
  }

  /** Sets an operation as `POST …/sync` does (server/application, Sync), after its permissions were looked at. */
  start({ key, name, app }: Stored, body: JsonObject, username: string, mayOverride: () => boolean): Stored {
    const spec = object(app.spec)
    const several = Array.isArray(spec.sources) && spec.sources.length > 0
    const sources = sourcesOf(app)
    const wanted = several ? sources.map(() => '') : [String(body.revision ?? '')]
    if (several)
      array(body.sourcePositions).forEach((position, i) => {
        const place = Number(position)
        if (!(place >= 1 && place <= sources.length))
          throw new ApiError(Code.unknown, 'source position is out of range')
        wanted[place - 1] = String(array(body.revisions)[i])
      })
    const resolved = wanted.map((revision, i) => {
      const tracked = String(sources[i]?.targetRevision || 'HEAD')
      if (revision !== '' && revision !== tracked) {
        if (this.requiresOverride && !mayOverride())
          throw new ApiError(
            Code.permissionDenied,
            `permission denied: applications, override, ${String(spec.project)}/${name}, sub: ${username}`,
          )
        if (isAutomated(app) && body.dryRun !== true)
          throw new ApiError(
            Code.failedPrecondition,
            `Cannot sync to ${revision}: auto-sync currently set to ${tracked}`,
          )
      }
      return this.#resolve(revision || tracked)
    })
    if (object(app.metadata).deletionTimestamp)
      throw new ApiError(Code.failedPrecondition, 'application is deleting')
    if (app.operation !== undefined)
      throw new ApiError(
        Code.failedPrecondition,
        'error setting app operation: rpc error: code = FailedPrecondition desc = another operation is already in progress',
      )
    const policy = object(spec.syncPolicy)
    const operation: JsonObject = {
      sync: {
        ...(several ? { revisions: resolved } : { revision: resolved[0] ?? '' }),
        ...(body.prune === true ? { prune: true } : {}),
        ...(policy.syncOptions === undefined ? {} : { syncOptions: policy.syncOptions }),
      },
      initiatedBy: { username },
      ...(body.infos === undefined ? {} : { info: body.infos }),
      ...(policy.retry === undefined ? {} : { retry: policy.retry }),
    }
    const next = merge(app, { status: { operationState: undefined } })
    next.operation = operation
    const stored = this.#store.save(next)
    this.syncs.push({ name, at: Date.now(), body })
    this.#timers.later(this.pickUpMs, () => this.#attempt(key, operation, timestamp(new Date()), 0))
    return stored
  }

  #resolve(revision: string): string {
    return SHA.test(revision) ? revision : (this.refs.get(revision) ?? revision)
  }

  /**
   * The commit that Git checks out for a revision: the beginning of a SHA stays in the operation as it was sent, and
   * the result has the whole of it (seen on 3.5.1).
   */
  #checkedOut(revision: Json | undefined): string | undefined {
    const text = String(revision ?? '')
    if (!SHORT_SHA.test(text)) return text
    const [commit, ...more] = [...this.commits].filter((sha) => sha.startsWith(text.toLowerCase()))
    return more.length > 0 ? undefined : commit
  }

  async #attempt(key: string, operation: JsonObject, startedAt: string, attempt: number): Promise<void> {
    const running = this.#write(key, (app) =>
      merge(app, {
        status: { operationState: { operation, phase: 'Running', startedAt, finishedAt: undefined } },
      }),
    )
    if (running === undefined) return
    await new Promise<void>((resolve) => this.#timers.later(this.#syncMs, resolve))
    const seen = this.#store.live.get(key)
    if (seen === undefined) return
    const changed = copy(seen.app) as unknown as Application
    const { revision: asked, revisions } = object(operation.sync)
    const revision = this.#checkedOut(asked)
    const {
      phase = 'Succeeded',
      message = 'successfully synced (all tasks run)',
      resources = [],
    } = revision === undefined && revisions === undefined
      ? notFound(asked)
      : await this.onSync(changed, attempt)
    const finishedAt = timestamp(new Date())
    const limit = Number(at(operation, 'retry', 'limit') ?? 0)
    const syncResult = {
      ...(revisions === undefined ? { revision: revision ?? asked } : { revision: '', revisions }),
      resources,
    } as JsonObject
    if (phase !== 'Succeeded' && (attempt < limit || limit < 0)) {
      this.#write(key, (app) =>
        merge(app, {
          status: {
            operationState: {
              finishedAt,
              retryCount: attempt + 1,
              message: `${message}. Retrying attempt #${attempt + 1} at 2:21AM.`,
              syncResult,
            },
          },
        }),
      )
      this.#timers.later(this.#syncMs, () => void this.#attempt(key, operation, startedAt, attempt + 1))
      return
    }
    this.#write(key, () => {
      const app = copy(changed as unknown as JsonObject)
      const { operation: _, ...rest } = app
      const history = array(at(app, 'status', 'history'))
      const id = Number(at(object(history.at(-1)), 'id') ?? -1) + 1
      const entry: JsonObject = {
        ...(revisions === undefined ? { revision: revision ?? '' } : { revisions }),
        id,
        deployStartedAt: startedAt,
        deployedAt: finishedAt,
      } as JsonObject
      // What was synced is what is compared with next, unless the test has it otherwise.
      const synced =
        phase === 'Succeeded'
          ? {
              sync: {
                ...object(at(app, 'status', 'sync')),
                status: 'Synced',
                ...(revisions === undefined ? { revision: revision ?? '' } : { revisions }),
              },
              history: [...history, entry],
            }
          : {}
      const times = attempt === 0 ? '' : ` (retried ${attempt} times).`
      return merge(rest, {
        status: {
          ...(this.keepsSync ? {} : synced),
          reconciledAt: finishedAt,
          operationState: {
            operation,
            phase,
            message: `${message}${times}`,
            startedAt,
            finishedAt,
            syncResult,
          },
        },
      } as JsonObject)
    })
  }

  #write(key: string, change: (app: JsonObject) => JsonObject): Stored | undefined {
    const stored = this.#store.live.get(key)
    return stored === undefined ? undefined : this.#store.save(copy(change(stored.app)))
  }
}

function notFound(revision: Json | undefined): Outcome {
  const message = `ComparisonError: Failed to load target state: failed to generate manifest for source 1 of 1: rpc error: code = Unknown desc = failed to initialize repository resources: rpc error: code = Internal desc = Failed to checkout revision ${String(revision)}: \`git fetch origin ${String(revision)} --tags --force --prune\` failed exit status 128: fatal: couldn't find remote ref ${String(revision)}`
  return { phase: 'Error', message }
}

function isAutomated(app: JsonObject): boolean {
  const automated = at(app, 'spec', 'syncPolicy', 'automated')
  return typeof automated === 'object' && automated !== null && object(automated).enabled !== false
}
