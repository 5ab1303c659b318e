/** What lasts: since when all has been met, or something failing, and what puts an end to that, or does not yet. */

import type { Application } from './application.ts'
import { asksTree, isAwaited, mayFail } from './awaited.ts'
import type { Check } from './check.ts'
import { digest } from './digest.ts'
import {
  type Failing,
  type Knowledge,
  type Known,
  type Met,
  NEVER,
  type Paused,
  type Streak,
  type Suspended,
} from './knowledge.ts'
import { FEW, LONGEST_SILENCE, OWN_COMPARISON, TOLERATED_INTERVALS, TREE_INTERVAL } from './promises.ts'
import { type ObservedSource, observedSources } from './sources.ts'
import type { Policy } from './wanted.ts'

/** All is met, and has been since, where it was before, or where an answer has shown that what was seen then was. */
export function metSince(
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
export function suspendedBy(known: Known, gap: number): Suspended | undefined {
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
export function pausedBy(known: Known): Paused | undefined {
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
export function resumed({ paused, treeAsOf }: Known, failed: readonly Check[]): Failing | undefined {
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
export function failingOf(
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
  { policy, applications }: Pick<Knowledge, 'policy' | 'applications'>,
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
export function provenAt(known: Known, met: Streak | undefined, isAnswer: boolean, isOnly: boolean): number {
  if (met === undefined) return NEVER
  const begins = met.since !== known.met?.since
  if (!isAnswer) return begins ? NEVER : known.provenAt
  // Of the only application, the answer that shows it met is the proof; others must be so at the same time.
  if (begins) return isOnly ? met.since : (known.sighting?.asOf ?? NEVER)
  return Math.max(known.provenAt, known.sighting?.asOf ?? NEVER)
}

/**
 * Nobody knows what happened while nobody looked, so a streak that was not seen for longer than this begins anew:
 * some missed polls, or the silence that a living stream may keep, but not all of the time that is asked for.
 */
export function longestGap({ interval }: Policy, asked: number, count: number): number {
  // A round of polls of many takes longer than an interval, and a yes must not wait for a quicker server.
  if (asked === 0 && count > FEW) return Math.max(TOLERATED_INTERVALS * interval, LONGEST_SILENCE)
  return Math.max(TOLERATED_INTERVALS * interval, Math.min(LONGEST_SILENCE, asked + interval))
}

/** A streak that goes on, or, where nobody looked for longer than the gap (milliseconds), one that begins. */
export function extended(streak: Streak | undefined, now: number, asOf: number, gap: number): Streak {
  return streak !== undefined && now - streak.until <= gap
    ? { since: streak.since, until: Math.max(streak.until, asOf) }
    : { since: now, until: asOf }
}
