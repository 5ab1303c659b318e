/** What a run started, or would start, and what came of it: for results, sentences and the log. Pure. */

import { formatDuration } from './duration.ts'
import { applicationOf, type Known, lastFailure } from './knowledge.ts'
import type { Moment } from './moment.ts'
import { orderOf, standOf } from './needs-syncs.ts'
import { SYNC_SETTLE } from './promises.ts'
import { hasEnded, revisionsOf } from './sync-operation.ts'
import { describeClosed } from './sync-windows.ts'
import type { OwnSync, SyncTarget } from './syncs.ts'

/** The operation that a run started or adopted, as the result tells of it. */
export interface StartedSync {
  readonly id: string | null
  readonly revisions: readonly string[]
  /** RFC 3339: when it began, by Argo CD's clock; before that is known, when it was asked for, by the local one. */
  readonly at: string
  readonly adopted: boolean
  readonly phase: string | null
  readonly message: string | null
}

/** The sync that a run would start. */
export interface PlannedSync {
  readonly revisions: readonly string[]
  readonly prune: boolean
}

/**
 * The operation of a run; one that was asked for without an answer may have begun, and is told of as well.
 *
 * @param dateOf the local time of a time of the run's clock
 */
export function startedSync(known: Known, dateOf: (time: number) => Date): StartedSync | undefined {
  const { own, order, orderedAt, isOrdering, isInDoubt } = known.syncing
  if (own !== undefined)
    return {
      id: own.id ?? null,
      revisions: revisionsOf(own, applicationOf(known)),
      at: own.startedAt ?? dateOf(own.isAdopted ? own.since : orderedAt).toISOString(),
      adopted: own.isAdopted,
      phase: own.phase ?? null,
      message: own.message ?? null,
    }
  if (order === undefined || !(isOrdering || isInDoubt)) return undefined
  return {
    id: order.id,
    revisions: namesOf(order),
    at: dateOf(orderedAt).toISOString(),
    adopted: false,
    phase: null,
    message: 'it was asked for and not answered, so it is not known whether it began',
  }
}

/** What a run would start, where it was to have one look only. */
export function plannedSync(known: Known, moment: Moment): PlannedSync | undefined {
  const stand = standOf(known, moment)
  if (!moment.isOneLook || stand.kind !== 'needed') return undefined
  const { prune } = orderOf(known, stand.target, moment)
  return { revisions: namesOf(stand.target), prune }
}

/** A clause about syncing an application, to stand behind what is said of it; `undefined`: there is nothing to say. */
export function syncClause(known: Known, moment: Moment): string | undefined {
  const { policy } = moment.knowledge
  if (policy.sync === undefined) return undefined
  const { own, isOrdering, isInDoubt, order, refusal, windows } = known.syncing
  if (own !== undefined) return ownClause(own, known)
  if (order !== undefined && (isOrdering || isInDoubt))
    return `a sync to ${describe(order)} was asked for (id ${order.id}), and it is not known whether it began`
  const stand = standOf(known, moment)
  if (stand.kind === 'automated')
    return 'it is left to automated sync, which Argo CD does not let be synced to another revision'
  if (stand.kind === 'unclear' && known.met === undefined)
    return `whether a sync is needed is not known: ${stand.message}`
  if (stand.kind !== 'needed') return undefined
  const what = `a sync to ${describe(stand.target)}`
  const after = stand.isUnderWay ? ', once the operation under way has ended' : ''
  if (moment.isOneLook)
    return `--sync would start ${what}${orderOf(known, stand.target, moment).prune ? ', which prunes' : ''}${after}`
  if (stand.isUnderWay) return `${what} is needed${after}`
  if (refusal?.kind === 'closed') return `${what} is needed, and ${describeClosed(windows, refusal.message)}`
  if (refusal?.kind === 'refused')
    return `${what} is needed, and Argo CD did not start it: ${refusal.message}`
  if (refusal?.kind === 'busy') return `${what} is needed, once the operation under way has ended`
  const unknown = lastFailure(moment.knowledge, 'permission', known)
  if (unknown !== undefined)
    return `${what} is needed, and whether this account may start it is not known: ${unknown.failure.message}`
  const failed = lastFailure(moment.knowledge, 'sync', known)
  if (failed !== undefined) return `${what} is needed, and asking for it failed: ${failed.failure.message}`
  return `${what} is needed, and nothing is started before all applications have been seen and may be synced`
}

function ownClause(own: OwnSync, known: Known): string {
  const application = applicationOf(known)
  const revisions = revisionsOf(own, application)
  const to = revisions.length === 0 ? '' : ` to ${revisions.join(', ')}`
  const when = own.startedAt === undefined ? '' : ` at ${own.startedAt}`
  const id = own.id === undefined ? '' : ` (id ${own.id})`
  const what = own.isAdopted
    ? `the sync${to} that began${when}${id} was adopted`
    : `a sync${to} was started${when}${id}`
  const ended = own.phase === undefined ? 'has not been seen under way yet' : `is ${own.phase}`
  const tracked = known.met === undefined && own.phase === 'Succeeded' ? overtaken(revisions, known) : ''
  return `${what} and ${hasEnded(own.phase) ? `${own.phase}` : ended}${tracked}`
}

/** What was synced is what runs; Argo CD compares with what is tracked all the same. */
function overtaken(revisions: readonly string[], known: Known): string {
  const { spec, status } = applicationOf(known) ?? {}
  const tracked = spec?.source?.targetRevision ?? 'HEAD'
  const observed = status?.sync.revision
  if (revisions.length !== 1 || observed === undefined || observed === revisions[0]) return ''
  return `; Argo CD compares with what the application tracks (${tracked}), which is ${observed} by now`
}

/** Revisions that a sync is to bring, as a person reads them. */
export function describe(target: SyncTarget): string {
  return namesOf(target).join(', ') || 'what it tracks'
}

function namesOf({ revisions }: SyncTarget): readonly string[] {
  return revisions.map(({ revision }) => revision)
}

/** What happened to the syncing of an application: sentences without its name, the newest last. */
export function syncNews(was: Known | undefined, known: Known): readonly SyncNews[] {
  const [before, now] = [was?.syncing, known.syncing]
  if (before === now) return []
  const news: SyncNews[] = []
  const say = (message: string, level: SyncNews['level'] = 'info') => void news.push({ level, message })
  if (now.orders > (before?.orders ?? 0) && now.order !== undefined)
    say(
      `starting a sync to ${describe(now.order)}${now.order.prune ? ', which prunes' : ''} (id ${now.order.id})`,
    )
  if (now.isInDoubt && before?.isInDoubt !== true)
    say(
      `the sync was asked for, and the answer was lost; looking in ${formatDuration(SYNC_SETTLE)} whether it began`,
      'warning',
    )
  if (now.refusal !== before?.refusal && now.refusal?.kind === 'refused')
    say(`Argo CD did not start the sync: ${now.refusal.message}`, 'warning')
  if (now.refusal?.kind === 'closed' && now.windows !== undefined && now.windows !== before?.windows)
    if (!now.windows.canSync) say(`waiting: ${describeClosed(now.windows, now.refusal.message)}`)
  const { own } = now
  if (own === undefined) return news
  if (own.isAdopted && before?.own === undefined) say(`adopted: ${ownClause(own, known)}`)
  if (hasEnded(own.phase) && before?.own !== undefined && !hasEnded(before.own.phase))
    say(
      `the sync ended: ${own.phase}${own.message === undefined ? '' : `: ${own.message}`}`,
      own.phase === 'Succeeded' ? 'info' : 'warning',
    )
  return news
}

/** One sentence about the syncing of an application. */
export interface SyncNews {
  readonly level: 'info' | 'warning'
  readonly message: string
}
