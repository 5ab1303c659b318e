/** What follows from how an application was seen: its checks, and since when they have been met or failing. Pure. */

import { type Application, completed, observedRevisions, REFRESH_ANNOTATION } from './application.ts'
import { asksTree, isAwaited, mayFail } from './awaited.ts'
import { type Check, isFailing, isMet } from './check.ts'
import { digest } from './digest.ts'
import { NO_EVIDENCE } from './evidence.ts'
import { restsOnTree } from './failing.ts'
import { lastDeployment } from './history.ts'
import { hasHydratorLooked } from './hydration.ts'
import {
  type Failing,
  type Knowledge,
  type Known,
  type Met,
  NEVER,
  NO_REFRESHES,
  type Paused,
  type Sighting,
  type Streak,
  type Suspended,
} from './knowledge.ts'
import {
  failedOperation,
  isSameFailure,
  withHiddenFailure,
  withResultsOf,
  withUnexcusedFailure,
} from './operation-rules.ts'
import { checkApplication, treeNeeded } from './predicates.ts'
import { FEW, LONGEST_SILENCE, OWN_COMPARISON, TOLERATED_INTERVALS, TREE_INTERVAL } from './promises.ts'
import { remembered } from './remembered.ts'
import { type ObservedSource, observedSources } from './sources.ts'
import { controllerLooksBy } from './staleness.ts'
import { withOwnSync } from './sync-checks.ts'
import { syncObserved } from './sync-learn.ts'
import { isOwnOnRecord } from './sync-operation.ts'
import { parseTime } from './time.ts'
import type { Policy } from './wanted.ts'

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

/** All is met, and has been since, where it was before, or where an answer has shown that what was seen then was. */
function metSince(
  { met: before, suspended }: Known,
  application: Application | undefined,
  { now, asOf, gap }: { readonly now: number; readonly asOf: number; readonly gap: number },
): Met {
  const isAnswered = before === undefined && suspended?.seen === digest(application)
  const last = isAnswered ? suspended?.streak : before
  const resumedAt = isAnswered ? now : (before?.resumedAt ?? NEVER)
  return { ...extended(last, now, asOf, gap), resumedAt }
}

/**
 * A soak is not begun anew for what is asked about what was just seen: a commit of which only Argo CD can tell that it
 * changes nothing, the image of a Pod that has ended. Where something else is seen before the answer, nobody knows.
 */
function suspendedBy(known: Known, gap: number): Suspended | undefined {
  const { met, suspended: before, sighting, changedAt } = known
  const seen = digest(sighting?.application)
  const isSame = before?.seen === seen
  const streak = isSame ? before.streak : met
  const treeFrom = isSame ? before.treeFrom : changedAt
  if (streak === undefined || !isAwaited(known, treeFrom)) return undefined
  return { streak, treeFrom, seen, lapsesAt: streak.until + gap }
}

/**
 * Nor is *fail after*, where an answer that is still to come may show that what was failing is so still. What is seen
 * meanwhile may change, but whether it was broken then, only the first tree from after the change tells.
 */
function pausedBy(known: Known): Paused | undefined {
  const { failing, paused, sighting, changedAt } = known
  // A comparison without an error is the end of one that was found before it.
  const streak = failing === undefined ? paused?.streak : { ...failing, errorSince: undefined }
  if (streak === undefined || sighting === undefined || isOfAnother(streak, sighting.application))
    return undefined
  const before = paused?.treeFrom ?? NEVER
  const treeFrom = before === NEVER && asksTree(known) ? changedAt : before
  return mayFail(known, treeFrom) ? { streak, treeFrom } : undefined
}

/**
 * What goes on by such an answer: where that was to be a tree, only by what the tree itself shows, of a time after it
 * was last seen failing. What is broken is of the last operation, so that tells though the tree was asked for sooner.
 */
function resumed({ paused, treeAsOf }: Known, failed: readonly Check[]): Failing | undefined {
  if (paused === undefined || paused.treeFrom === NEVER) return paused?.streak
  const isShown = treeAsOf >= paused.streak.until && failed.some(({ basis }) => basis === 'tree')
  return isShown ? paused.streak : undefined
}

/** Whether another release is observed, where that is known. */
function isOfAnother({ revisions }: Failing, application: Application | undefined): boolean {
  const observed = sourcesIn(application)
  return observed.every(({ revision }) => revision !== '') && revisions !== revisionsOf(observed)
}

function sourcesIn(application: Application | undefined): readonly ObservedSource[] {
  return application === undefined ? [] : observedSources(application)
}

function revisionsOf(observed: readonly ObservedSource[]): string {
  return observed.map(({ revision }) => revision).join(' ')
}

/**
 * Another release begins another streak. While a comparison fails the revision is not known, which is not another one:
 * a repository server with a hiccup now and then would put off every no.
 */
function failingOf(
  { sighting, failing: last, refreshes }: Known,
  failed: readonly Check[],
  {
    now,
    until,
    isAnswer,
    isOfTree,
  }: {
    readonly now: number
    readonly until: number
    readonly isAnswer: boolean
    readonly isOfTree: boolean
  },
  { policy, applications }: Pick<Context, 'policy' | 'applications'>,
): Failing {
  const application = sighting?.application
  const before = last !== undefined && isOfAnother(last, application) ? undefined : last
  const hasError = failed.some(({ code }) => code === 'Conditions')
  const hasOther = failed.some(({ code }) => code !== 'Conditions')
  // An error alone that no refresh confirms has to last until Argo CD has compared again by itself.
  const isConfirmed = refreshes.servedAskedAt >= (before?.errorSince ?? now)
  const asked =
    hasError && !hasOther && !isConfirmed ? Math.max(policy.failAfter, OWN_COMPARISON) : policy.failAfter
  // Nor is a tree read more often than that, however short *fail after* is.
  const least = isOfTree ? TREE_INTERVAL + policy.interval : 0
  const gap = Math.max(longestGap(policy, asked, applications.size), least)
  const streak = extended(before, now, until, gap)
  const begins = before === undefined || before.since !== streak.since
  return {
    ...streak,
    revisions: before?.revisions ?? revisionsOf(sourcesIn(application)),
    errorSince: hasError ? Math.max(before?.errorSince ?? now, streak.since) : undefined,
    otherSince: (begins ? undefined : before.otherSince) ?? (hasOther ? now : undefined),
    shownAt: Math.max(
      begins ? NEVER : before.shownAt,
      isAnswer ? (begins ? now : (sighting?.asOf ?? NEVER)) : NEVER,
    ),
  }
}

/**
 * A look reads the cluster, so where all is met in its answer, that was so when it was sent or after it. A refresh is
 * answered with what the cache tells when it is done, so it proves nothing by itself.
 */
function provenAt(known: Known, met: Streak | undefined, isAnswer: boolean, isOnly: boolean): number {
  if (met === undefined) return NEVER
  const begins = met.since !== known.met?.since
  if (!isAnswer) return begins ? NEVER : known.provenAt
  // Of the only application, the answer that shows it met is the proof; others must be so at the same time.
  if (begins) return isOnly ? met.since : (known.sighting?.asOf ?? NEVER)
  return Math.max(known.provenAt, known.sighting?.asOf ?? NEVER)
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

/**
 * Nobody knows what happened while nobody looked, so a streak that was not seen for longer than this begins anew:
 * some missed polls, or the silence that a living stream may keep, but not all of the time that is asked for.
 */
function longestGap({ interval }: Policy, asked: number, count: number): number {
  // A round of polls of many takes longer than an interval, and a yes must not wait for a quicker server.
  if (asked === 0 && count > FEW) return Math.max(TOLERATED_INTERVALS * interval, LONGEST_SILENCE)
  return Math.max(TOLERATED_INTERVALS * interval, Math.min(LONGEST_SILENCE, asked + interval))
}

function extended(streak: Streak | undefined, now: number, asOf: number, gap: number): Streak {
  return streak !== undefined && now - streak.until <= gap
    ? { since: streak.since, until: Math.max(streak.until, asOf) }
    : { since: now, until: asOf }
}

function unmetCode(checks: readonly Check[]): string | undefined {
  return checks.find((check) => !isMet(check))?.code
}
