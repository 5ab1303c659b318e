/** What follows from how an application was seen: its checks, and since when they have been met or failing. Pure. */

import { type Application, completed, observedRevisions, REFRESH_ANNOTATION } from './application.ts'
import { type Check, isFailing, isMet } from './check.ts'
import { digest } from './digest.ts'
import { NO_EVIDENCE } from './evidence.ts'
import { restsOnTree } from './failing.ts'
import { lastDeployment } from './history.ts'
import { hasHydratorLooked } from './hydration.ts'
import { type Failing, type Knowledge, type Known, NEVER, NO_REFRESHES, type Sighting } from './knowledge.ts'
import {
  failedOperation,
  isSameFailure,
  withHiddenFailure,
  withResultsOf,
  withUnexcusedFailure,
} from './operation-rules.ts'
import { checkApplication, treeNeeded } from './predicates.ts'
import { remembered } from './remembered.ts'
import { controllerLooksBy } from './staleness.ts'
import {
  extended,
  failingOf,
  longestGap,
  metSince,
  pausedBy,
  provenAt,
  resumed,
  suspendedBy,
} from './streaks.ts'
import { withOwnSync } from './sync-checks.ts'
import { syncObserved } from './sync-learn.ts'
import { isOwnOnRecord } from './sync-operation.ts'
import { parseTime } from './time.ts'

/** What a stream tells again of many, and nothing more is known of, is the same again. */
const alone = remembered((streamed: Application) => completed(streamed, undefined))

type Context = Pick<Knowledge, 'policy' | 'applications' | 'seed'>

/** An application that comes back is a new one: nothing that was learnt of the old one counts. */
const NOTHING_LEARNT = {
  whole: undefined,
  failedOperation: undefined,
  evidence: NO_EVIDENCE,
  treeAsOf: NEVER,
  treeAskedAt: NEVER,
  refreshes: NO_REFRESHES,
} as const

/** And one that has been replaced while nobody looked has not been seen in any state yet. */
const NOTHING_SEEN = {
  ...NOTHING_LEARNT,
  failedAfter: NEVER,
  judged: undefined,
  met: undefined,
  suspended: undefined,
  failing: undefined,
  paused: undefined,
  provenAt: NEVER,
} as const

/** Whether another application stands under the name by now; one that does not tell its `uid` is the same. */
function isReplaced({ sighting }: Known, { application }: Sighting): boolean {
  const [was, is] = [sighting?.application?.metadata.uid, application?.metadata.uid]
  return was !== undefined && is !== undefined && was !== is
}

/** Takes in that an application was seen, by whichever way that came last. */
export function sighted(was: Known, seen: Sighting, now: number, context: Context): Known {
  if (seen.application === undefined)
    return assessed({ ...was, ...NOTHING_LEARNT, sighting: seen }, now, context)
  const known = isReplaced(was, seen) ? { ...was, ...NOTHING_SEEN } : was
  const isWhole = isRequested(seen)
  const told = isWhole
    ? seen.application
    : known.whole === undefined
      ? alone(seen.application)
      : completed(seen.application, known.whole)
  const deployed = lastDeployment(told)
  // A sync that succeeded may have come and gone while nobody looked.
  const before = deployed > known.failedAfter ? undefined : known.failedOperation
  const failed = failedOperation(told, before)
  const shown = withHiddenFailure(told, failed)
  const after: Known = {
    ...known,
    evidence: withHydration(known.evidence, told),
    sighting: { ...seen, application: shown },
    whole: isWhole ? told : known.whole,
    failedOperation: failed,
    failedAfter: isSameFailure(failed, before) ? known.failedAfter : deployed,
    isDoubtful: false,
  }
  const checks = () => checkApplication(shown, after.wanted, after.evidence)
  const syncing = syncObserved(after, seen, checks, context)
  // How the run's own sync has ended counts, whatever there was before it.
  const application = isOwnOnRecord(syncing) ? shown : withUnexcusedFailure(shown, failed)
  // What was judged is compared with what was: an older failure stands in both for the operation on record.
  const earlier = known.sighting?.application
  const changedAt = digest(application) === digest(earlier) ? known.changedAt : now
  const judged = { ...withoutOldTree(after, application, earlier), changedAt, syncing }
  return assessed({ ...judged, sighting: { ...seen, application } }, now, context)
}

/**
 * What a stream says again, in the same words, of an application that is met and of which nothing else has been read:
 * it still is, as {@link sighted} would find. Of thousands, that is nearly all that the stream begins with which
 * proves a yes, and the run's end waits for it.
 *
 * @returns `undefined` where that takes a closer look
 */
export function sightedAgain(known: Known, seen: Sighting, now: number, context: Context): Known | undefined {
  const { sighting, told, met, whole, isDoubtful, refreshes, failedOperation: failed } = known
  const { policy, applications } = context
  if (met === undefined || told === undefined || told !== seen.application) return undefined
  if (sighting?.source !== 'stream' || whole !== undefined || isDoubtful) return undefined
  if (failed !== undefined || refreshes.isUnderWay || policy.sync !== undefined) return undefined
  return {
    ...known,
    sighting: { ...seen, application: sighting.application },
    met: {
      ...extended(met, now, seen.asOf, longestGap(policy, policy.stableFor, applications.size)),
      resumedAt: met.resumedAt,
    },
  }
}

/** Which Pods have ended, the tree of an earlier operation does not tell. */
function withoutOldTree(known: Known, application: Application, was: Application | undefined): Known {
  const { evidence } = known
  const before = was?.status.operationState?.startedAt
  const isSame = (application.status.operationState?.startedAt ?? before) === before
  return isSame ? known : { ...known, evidence: { ...evidence, tree: undefined }, treeAsOf: NEVER }
}

/**
 * Takes in the answer to a request for the one application. What a stream brought since the request was sent came
 * later, but from a cache: where the two agree that all is met, or that something is not, nothing is in doubt; where
 * they don't, the one that says no counts until another look.
 */
export function looked(known: Known, seen: Sighting, now: number, context: Context): Known {
  const { sighting } = known
  const after = sighted(known, seen, now, context)
  const isNews = digest(after.sighting?.application) !== digest(sighting?.application)
  const counted = { lookedAt: seen.asOf, idleLooks: isNews ? 1 : known.idleLooks + 1 }
  if (sighting === undefined || sighting.at <= seen.asOf) return { ...after, ...counted }
  // Which of two was there first, another look tells.
  if (isReplaced(known, seen)) return { ...after, ...counted, isDoubtful: true }
  const [was, is] = [known.met !== undefined, after.met !== undefined]
  const { whole, provenAt, syncing } = after
  if (was !== is) {
    const doubted = is ? assessed({ ...known, whole, syncing }, now, context) : after
    return { ...doubted, ...counted, isDoubtful: true }
  }
  const told = sighting.application
  const application = told && withResultsOf(completed(told, whole), known.failedOperation)
  const detailed = { ...sighting, application }
  const both = assessed({ ...known, whole, syncing, sighting: detailed }, now, context)
  return {
    ...both,
    ...counted,
    failing: both.failing && after.failing && shownBy(both.failing, after.failing),
    provenAt: is ? Math.max(known.provenAt, provenAt) : NEVER,
    isDoubtful: false,
  }
}

/** Of one and the same streak, what a look has shown, though the stream has told something since. */
function shownBy(told: Failing, looked: Failing): Failing {
  return told.since === looked.since ? { ...told, shownAt: Math.max(told.shownAt, looked.shownAt) } : told
}

/**
 * Takes in the answer to a refresh. The stream tells of a refresh while it is under way, so what it has told since then
 * without the annotation may be from after the answer, which takes its time on the way: where one of them says that
 * all is met and the other does not, the one that says no counts until a look.
 */
export function refreshed(known: Known, seen: Sighting, now: number, context: Context): Known {
  const { sighting } = known
  const after = sighted(known, seen, now, context)
  if (sighting === undefined || sighting.at <= seen.asOf) return after
  if (isReplaced(known, seen)) return { ...after, isDoubtful: true }
  if (REFRESH_ANNOTATION in (sighting.application?.metadata.annotations ?? {})) return after
  const { whole, syncing } = after
  const told = assessed({ ...known, whole, syncing }, now, context)
  if ((told.met === undefined) === (after.met === undefined)) return after
  return { ...(after.met === undefined ? after : told), isDoubtful: true }
}

/** The checks of an application anew, because it was seen or because something else was learnt of it. */
export function assessed(known: Known, now: number, { policy, applications }: Context): Known {
  const { sighting, wanted, treeAsOf } = known
  if (sighting === undefined) return known
  const { application, asOf, at } = sighting
  const age = ageOf(known)
  const refreshes = withCompared(known, age)
  const refreshed = policy.refresh === 'none' || age === 'after'
  const before = known.evidence
  const hydratorLooked =
    before.hydratorLooked || (refreshed && application !== undefined && hasHydratorLooked(application))
  const controllerLooked = now >= controllerLooksBy(known)
  const isKnown =
    refreshed === before.refreshed &&
    hydratorLooked === before.hydratorLooked &&
    controllerLooked === before.controllerLooked
  const evidence = isKnown ? before : { ...before, refreshed, hydratorLooked, controllerLooked }
  // The same of the same, as most of what a stream begins with anew.
  const { judged, syncing } = known
  const isSame =
    judged !== undefined &&
    judged.application === application &&
    judged.evidence === evidence &&
    judged.syncing === syncing &&
    // What was compared after the end of the run's own sync, refreshes and time tell.
    syncing.own?.endedAt === undefined
  const checks = isSame
    ? known.checks
    : withOwnSync(checkApplication(application, wanted, evidence), application, known, now)
  const isMetNow = checks.every(isMet)
  const gap = longestGap(policy, policy.stableFor, applications.size)
  const met = isMetNow ? metSince(known, application, { now, asOf, gap }) : undefined
  const suspended =
    isMetNow || policy.stableFor === 0 ? undefined : suspendedBy({ ...known, checks, evidence }, gap)
  // What rests on the tree is as old as the tree.
  const failed = checks.filter(isFailing)
  const isOfTree = failed.every(({ basis }) => basis === 'tree')
  const until = isOfTree ? Math.min(asOf, treeAsOf) : asOf
  const isAnswer = at === now && sighting.source === 'look'
  const failing =
    failed.length === 0
      ? undefined
      : failingOf(
          { ...known, failing: known.failing ?? resumed(known, failed) },
          failed,
          { now, until, isAnswer, isOfTree },
          { policy, applications },
        )
  return {
    ...known,
    evidence,
    age,
    refreshes,
    checks,
    judged: { application, evidence, syncing },
    met,
    isMetByTree: met !== undefined && application !== undefined && treeNeeded(application, wanted),
    suspended,
    failing,
    paused: failing !== undefined || isMetNow ? undefined : pausedBy({ ...known, checks, evidence }),
    provenAt: provenAt(known, met, isAnswer, applications.size === 1),
    waitingSince: unmetCode(checks) === unmetCode(known.checks) ? known.waitingSince : now,
  }
}

/** It was seen at this time that nothing had changed. */
export function confirmed(known: Known, at: number): Known {
  const { met, failing, treeAsOf } = known
  if (met === undefined && failing === undefined) return known
  return {
    ...known,
    met: met && { ...met, until: Math.max(met.until, at) },
    failing: failing && {
      ...failing,
      until: Math.max(failing.until, restsOnTree(known) ? Math.min(at, treeAsOf) : at),
    },
  }
}

/**
 * Whether the application was seen after the fresh evidence of where tracked revisions point. A request is answered
 * from the cluster, so what was asked for after that is newer. Streams and lists are fed by a cache: what they bring
 * may be older than what has come back already, and only `reconciledAt`, in whole seconds, tells; within a second, that
 * it is what a request has shown.
 */
function ageOf({ sighting, refreshes: { fresh, comparedAfter } }: Known): Known['age'] {
  const application = sighting?.application
  if (fresh === undefined || sighting === undefined || application === undefined) return 'before'
  if (application === fresh.application || (isRequested(sighting) && sighting.asOf >= fresh.at))
    return 'after'
  const then = parseTime(fresh.application.status.reconciledAt)
  const now = parseTime(application.status.reconciledAt)
  if (now > then) return 'after'
  if (now < then) return 'before'
  const compared = comparedIn(application)
  return compared === comparedIn(fresh.application) || compared === comparedAfter ? 'after' : 'unknown'
}

/** What a request has shown after the fresh evidence, a list or a stream may tell again. */
function withCompared({ sighting, refreshes }: Known, age: Known['age']): Known['refreshes'] {
  const application = sighting?.application
  if (age !== 'after' || sighting === undefined || application === undefined || !isRequested(sighting))
    return refreshes
  const comparedAfter = comparedIn(application)
  return comparedAfter === refreshes.comparedAfter ? refreshes : { ...refreshes, comparedAfter }
}

function comparedIn(application: Application): string {
  return `${application.status.reconciledAt ?? ''} ${observedRevisions(application).join(' ')}`
}

/** Whether it is the answer to a request for the one application, which tells all of it. */
export function isRequested({ source }: Sighting): boolean {
  return source === 'look' || source === 'refresh'
}

/** What a hydrated revision came of is remembered: the status only tells it of the last. */
function withHydration(evidence: Known['evidence'], { status }: Application): Known['evidence'] {
  const { drySHA, hydratedSHA } = status.sourceHydrator.lastSuccessfulOperation ?? {}
  if (drySHA === undefined || hydratedSHA === undefined) return evidence
  const dry = drySHA.toLowerCase()
  if (evidence.hydrations.get(dry) === hydratedSHA) return evidence
  return { ...evidence, hydrations: new Map([...evidence.hydrations, [dry, hydratedSHA]]) }
}

function unmetCode(checks: readonly Check[]): string | undefined {
  return checks.find((check) => !isMet(check))?.code
}
