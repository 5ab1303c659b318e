/** Knows the truth at each instant of a history, and what the gate has promised about it. */

import {
  FEW,
  LONGEST_DISTRUST,
  MEMBERSHIP_INTERVAL,
  OWN_COMPARISON,
  REFRESH_LOST,
  SYNC_SETTLE,
  SYNC_TIMEOUT,
} from '../../lib/promises.ts'
import type { Sync, Wanted } from '../../lib/wanted.ts'
import { isSelected } from './matching.ts'
import {
  CONTROLLER_LAG,
  delayBy,
  evidenceAge,
  evidenceAgeOfNo,
  lostInGap,
  mostRequests,
  noWithin,
  ONE_LOOK,
  refreshWithin,
  resolutionOf,
  yesWithin,
} from './promises.ts'
import { type Fault, SERVER_NAMESPACE } from './scenario.ts'
import { createSyncOracle } from './syncing.ts'
import { ABSENT, isKnowable, type Truth, truthOf } from './truth.ts'
import type { Failing } from './truth-failing.ts'
import { lastTrue, longestGap, type Turn } from './turns.ts'
import { type Subject, serverTime, type World } from './world.ts'

/** A promise that was broken. */
export interface Breach {
  readonly promise:
    | 'never wrong'
    | 'never late'
    | 'never early'
    | 'on time'
    | 'never greedy'
    | 'no busy loop'
    | 'never twice'
    | 'never unasked'
    | 'no crash'
  readonly at: number
  readonly what: string
}

/** How a run has ended, as far as the oracle cares. */
export type Ending =
  | { readonly kind: 'verified' | 'timed-out' | 'looked' | 'interrupted' }
  | { readonly kind: 'failed'; readonly key: string }
  | { readonly kind: 'refused' }

export interface Oracle {
  /** Takes in what has changed by now. */
  readonly look: () => Breach | undefined
  readonly sent: () => Breach | undefined
  /** What was so of an application up to now. */
  readonly lived: (subject: Subject) => Lived | undefined
  /** The server has answered something. */
  readonly answered: () => void
  /** Judges how the run has ended, now. */
  readonly judge: (ending: Ending) => Breach | undefined
  /** The figures that promises are about, as they have come out. */
  readonly figures: () => Figures
}

/** What a history has come to, in milliseconds and requests. */
export interface Figures {
  /** How long after everything had become true and visible the yes came, *stable for* aside. */
  readonly yesAfter: number | undefined
  readonly requestsInAMinute: number
}

/** What was so of an application, whatever run asks. */
interface Lived {
  /** When it really was as wanted. */
  readonly real: Turn<boolean>[]
  readonly realBesidesHook: Turn<boolean>[]
  /** When what runs was read for its status. */
  readonly reads: Turn<number>[]
}

interface Asked {
  readonly subject: Subject
  readonly wanted: Wanted
  truth: Truth
  /** When the store said that it was as wanted. */
  readonly stored: Turn<boolean>[]
  /** The last that a stream has told the run of it: when that came, and when it had been written. */
  told: { readonly at: number; readonly writtenAt: number } | undefined
  /** The revisions that were observed, as far as they were known. */
  readonly revisions: Turn<string>[]
  readonly lived: Lived
  /** Since when, and why, it is failing; another observed revision begins anew. */
  readonly failings: Turn<Failing | undefined>[]
  /** Since when its revision has not been what was asked for. */
  unidentifiedSince: number | undefined
  /** When it was failing for something beside an error of comparison. */
  readonly besides: Turn<boolean>[]
  /** Since when there is no doubt about it. */
  hopelessSince: number | undefined
  failingOf: string
  /** When the run could first see it at each revision. */
  readonly seenAt: Map<string, number>
  /** When the target meant it. */
  readonly meant: Turn<boolean>[]
}

/**
 * An oracle of a world whose run begins now.
 *
 * @param before of the run that was killed before it: a status that was read then is still of what ran then
 */
export function createOracle(world: World, startsAt = world.scenario.startsAt, before?: Oracle): Oracle {
  const { scenario, time } = world
  const { policy, target } = scenario
  const dirty = new Set<Subject>()
  const asked = new Map<Subject, Asked>()
  // Each holds where it turns, the latest last.
  const stored: Turn<boolean>[] = []
  let visibleSince: number | undefined
  // When a selector last ceased to match something: no stream tells of that.
  let leftAt = Number.NEGATIVE_INFINITY
  const requests: number[] = []
  let first = 0
  let hasAnswered = false
  let mostInAMinute = 0

  const wantedOf = ({ plan }: Subject): Wanted | undefined => {
    if (target.kind === 'selector')
      return target.namespace === undefined || plan.namespace === target.namespace ? target.wanted : undefined
    return target.applications.find(
      ({ name, namespace }) => name === plan.name && (namespace ?? SERVER_NAMESPACE) === plan.namespace,
    )?.wanted
  }
  for (const subject of world.applications) {
    const wanted = wantedOf(subject)
    if (wanted === undefined) continue
    asked.set(subject, {
      subject,
      wanted,
      truth: ABSENT,
      stored: [],
      told: undefined,
      revisions: [],
      lived: before?.lived(subject) ?? { real: [], realBesidesHook: [], reads: [] },
      besides: [],
      failings: [],
      hopelessSince: undefined,
      unidentifiedSince: undefined,
      failingOf: '',
      seenAt: new Map(),
      meant: [],
    })
    dirty.add(subject)
  }
  world.changed = (subject) => {
    if (asked.has(subject)) dirty.add(subject)
  }
  world.told = (subject, writtenAt) => {
    const one = asked.get(subject)
    if (one !== undefined) one.told = { at: time.now(), writtenAt }
  }
  /** Whether something has been so at some time since what a stream had told the run before this instant was written. */
  const sinceTold = (turns: readonly Turn<boolean>[], { told }: Asked): boolean => {
    const now = time.now()
    return (
      told === undefined || told.at >= now || lastTrue(turns, told.writtenAt + INSTANT, now) !== undefined
    )
  }
  // Where a plain revision could be meant for several sources, nothing may be synced.
  const isAmbiguous = scenario.applications.some(({ hasSeveralSources }) => hasSeveralSources)
  const least = target.kind === 'names' ? target.applications.length : target.min
  // What a selector matches only lists and streams tell, and both tell what the API server's cache holds.
  const isMember = ({ number }: Subject) => {
    if (target.kind === 'names') return true
    const cached = world.store.cached.get(number)
    return cached !== undefined && isSelected(target.selector, cached.labels)
  }
  const syncs = createSyncOracle(world, startsAt, { includes: isMember, least })
  // A refresh of another run, or the wait for the next, is part of what a branch or a hydration takes.
  const needs = needsOf(world)

  const turn = <T>(turns: Turn<T>[], value: T) => {
    if (turns.at(-1)?.value !== value) turns.push({ at: time.now(), value })
  }
  const allowedFrom = (since: number, to: number) => {
    let allowed = policy.stableFor + yesWithin(policy, needs, Math.max(since - startsAt, 0))
    for (const fault of scenario.faults) allowed += delayBy(fault, policy, needs, since, to)
    if (world.lostInGapAt > since - lostInGap(asked.size)) allowed += lostInGap(asked.size)
    if (policy.watch) allowed += Math.max(leftAt + Math.max(MEMBERSHIP_INTERVAL, policy.interval) - since, 0)
    // A stream that does not tell of one that a selector has left is taken for deaf where a look shows it.
    if (policy.watch && leftAt > startsAt - LONGEST_DISTRUST) allowed += policy.interval + 3000
    // A sync whose answer is lost is waited for, and looked for.
    if (policy.sync !== undefined) allowed += SYNC_TIMEOUT + 2 * SYNC_SETTLE
    return allowed
  }
  const late = (): Breach | undefined => {
    const now = time.now()
    if (visibleSince === undefined || now - visibleSince <= policy.stableFor) return undefined
    const allowed = allowedFrom(visibleSince, now)
    if (now - visibleSince <= allowed) return undefined
    return breach('never late', `true and visible since ${visibleSince} ms, and no yes within ${allowed} ms`)
  }
  /** An application has been failing for longer than anybody waits. */
  const overdue = ({ failings, hopelessSince, subject }: Asked): Breach | undefined => {
    const { failAfter, timeout } = policy
    if (hopelessSince === undefined || !Number.isFinite(failAfter) || timeout === 0) return undefined
    const now = time.now()
    const failedFor = now - hopelessSince
    if (failedFor <= failAfter || !isMember(subject)) return undefined
    const isError = failings.some(
      ({ value }, i) => value === 'Conditions' && (failings[i + 1]?.at ?? now) >= hopelessSince,
    )
    // Where refreshes are refused, or answered by nobody, Argo CD's own next comparison confirms an error.
    const canRefresh = !scenario.faults.some(
      ({ kind, from, until }) => kind === 'refresh refused' && from <= now && until >= hopelessSince,
    )
    let allowed = failAfter + noWithin(policy, isError, canRefresh)
    // What nobody could see for too long counts anew, as with stable for.
    const counted = { ...policy, stableFor: failAfter }
    for (const fault of scenario.faults) allowed += delayBy(fault, counted, needs, hopelessSince, now)
    if (failedFor <= allowed) return undefined
    const reason = failings.at(-1)?.value
    return breach(
      'never late',
      `${subject.plan.name}: ${reason} since ${hopelessSince} ms, and no no within ${allowed} ms`,
    )
  }
  /** Git holds something else for longer than a refresh may take to be asked for, and nobody has looked. */
  const unseen = ({ subject, truth, unidentifiedSince }: Asked): Breach | undefined => {
    const { unseenSince, isComparing } = subject.controller
    if (unseenSince === undefined || unidentifiedSince === undefined || isComparing || !isMember(subject))
      return undefined
    // With local manifests the controller does not look into Git.
    const { operationState } = subject.status
    const isLocal = operationState?.operation.isLocal === true
    // One that has been asked for takes the place of what was on record, which may have been a local one.
    if (operationState === undefined && subject.operation !== undefined) return undefined
    const { hydration } = subject.plan
    const isQuiet =
      scenario.faults.every(isAboutOneRefresh) && hydration === 'none' && !subject.isInvalid && !isLocal
    if (
      !isQuiet ||
      policy.refresh === 'none' ||
      policy.timeout === 0 ||
      asked.size > FEW ||
      truth.isIdentified
    )
      return undefined
    // An operation that takes the place of a local one is where looking into Git begins again.
    const { startedAt } = subject.status.operationState ?? {}
    const operatesSince = startedAt === undefined ? 0 : startedAt - (serverTime(world) - time.now())
    const since = Math.max(unseenSince, unidentifiedSince, operatesSince, startsAt)
    let allowed = refreshWithin(since - startsAt) + policy.interval + CONTROLLER_LAG
    // One that came to nothing is asked for again, once that is known.
    for (const { kind, until } of scenario.faults)
      allowed +=
        kind === 'refresh refused'
          ? Math.max(until - since, 0) + refreshWithin(Math.max(until - startsAt, 0))
          : REFRESH_LOST + 3000
    if (time.now() - since <= allowed) return undefined
    return breach('never late', `pushed at ${unseenSince} ms, and not looked for within ${allowed} ms`)
  }
  /** Who refuses the token for good, or was never there, is not waited for to the deadline. */
  const unanswered = (now: number): Breach | undefined => {
    const [fault, ...more] = scenario.faults
    if (fault === undefined || more.length > 0 || fault.until < now || policy.timeout === 0) return undefined
    const since = Math.max(fault.from, startsAt)
    const patience =
      fault.kind === 'unauthorized' ? 0 : fault.kind === 'hopeless' ? policy.failAfter : undefined
    if (patience === undefined || (fault.kind === 'hopeless' && hasAnswered)) return undefined
    const allowed = patience + GIVEN_UP + policy.interval
    return now - since <= allowed
      ? undefined
      : breach('never late', `${fault.kind} since ${since} ms, and not given up within ${allowed} ms`)
  }
  const breach = (promise: Breach['promise'], what: string): Breach => ({ promise, at: time.now(), what })

  const look = () => {
    if (dirty.size === 0) return undefined
    // Branches move under all of them.
    for (const subject of dirty) {
      const one = asked.get(subject)
      if (one === undefined) continue
      const found = overdue(one) ?? unseen(one)
      if (found !== undefined) return found
      // What is no longer there when the run begins it has not seen.
      if (time.now() < startsAt) one.seenAt.clear()
      for (const revision of subject.status.revisions)
        if (!one.seenAt.has(revision)) one.seenAt.set(revision, Math.max(time.now(), startsAt))
      one.truth = truthOf(world, subject, one.wanted, startsAt, one.seenAt)
      // While a comparison fails, the revision is not known, which is not another one.
      const isKnown = one.truth.observed === '' || !one.truth.failing || one.truth.failing !== 'Conditions'
      if (isKnown && one.failingOf !== one.truth.observed) {
        one.failingOf = one.truth.observed
        one.hopelessSince = undefined
        if (one.failings.at(-1)?.value !== undefined) one.failings.push({ at: time.now(), value: undefined })
      }
      // What a selector no longer matches is held against nobody.
      const isMeant = isMember(subject)
      if (one.meant.at(-1)?.value === true && !isMeant) leftAt = time.now()
      turn(one.meant, isMeant)
      turn(one.stored, one.truth.isStored)
      if (showsRevisions(subject)) turn(one.revisions, one.truth.observed)
      const { real, realBesidesHook, reads } = one.lived
      // What was read was held against the revision before, until that was written with it: it was so for an instant.
      if (reads.at(-1)?.value !== subject.status.readAt) {
        turn(real, one.truth.wasReal)
        turn(realBesidesHook, one.truth.wasRealBesidesHook)
      }
      turn(real, one.truth.isReal)
      turn(realBesidesHook, one.truth.isRealBesidesHook)
      turn(reads, subject.status.readAt)
      turn(one.besides, one.truth.failing !== undefined && !one.truth.isOnlyError)
      turn(one.failings, isMeant ? one.truth.failing : undefined)
      if (one.truth.isIdentified || !subject.exists) one.unidentifiedSince = undefined
      else one.unidentifiedSince ??= time.now()
      if (!one.truth.isHopeless || !isMeant) one.hopelessSince = undefined
      else one.hopelessSince ??= Math.max(time.now(), startsAt)
    }
    const mistake = syncs.look()
    for (const subject of dirty) {
      const one = asked.get(subject)
      if (one !== undefined) syncs.seen(subject, one.wanted, one.truth)
    }
    dirty.clear()
    syncs.look()
    if (mistake !== undefined) return { at: time.now(), ...mistake }
    let members = 0
    let isStored = true
    let isVisible = true
    for (const { subject, truth } of asked.values()) {
      if (!isMember(subject)) continue
      members++
      isStored &&= truth.isStored
      isVisible &&= truth.isVisible && !syncs.isOvertaken(subject)
    }
    const isEnough = members >= least
    turn(stored, isEnough && isStored)
    if (isEnough && isVisible) {
      visibleSince ??= Math.max(time.now(), startsAt)
      return undefined
    }
    const breach = late()
    visibleSince = undefined
    return breach
  }

  const sent = () => {
    const now = time.now()
    requests.push(now)
    while ((requests[first] ?? now) < now - 60_000) first++
    const count = requests.length - first
    mostInAMinute = Math.max(mostInAMinute, count)
    const most = mostRequests(Math.max(asked.size, 1), scenario)
    return count > most + (policy.sync === undefined ? 0 : 20 + 12 * asked.size)
      ? breach('never greedy', `${count} requests within a minute, more than ${most}`)
      : undefined
  }

  const judge = (ending: Ending): Breach | undefined => {
    const now = time.now()
    const deadline = startsAt + policy.timeout
    const mistake = syncs.look()
    if (mistake !== undefined) return { at: now, ...mistake }
    if (policy.timeout > 0 && now > deadline)
      return breach('on time', `ended ${now - deadline} ms after the deadline`)
    switch (ending.kind) {
      case 'verified':
        return judgeYes(now) ?? late()
      case 'timed-out':
        if (now !== deadline) return breach('on time', `timed out ${deadline - now} ms before the deadline`)
        return (
          late() ??
          [...asked.values()]
            .map((one) => overdue(one) ?? unseen(one))
            .find((found) => found !== undefined) ??
          unanswered(now)
        )
      case 'looked':
        if (policy.timeout > 0) return breach('on time', 'ended as one look, and was to wait')
        return now - startsAt > ONE_LOOK ? breach('on time', 'one look took too long') : undefined
      case 'failed':
        return (
          late() ??
          [...asked.values()].map(overdue).find((found) => found !== undefined) ??
          judgeNo(ending.key, now)
        )
      case 'refused':
        if (policy.sync !== undefined && (isAmbiguous || syncs.isRefusalRight())) return undefined
        return isHopeless(world, now, hasAnswered, startsAt)
          ? undefined
          : breach('never early', 'refused, and the server was there')
      case 'interrupted':
        return scenario.interruptedAt === now ? undefined : breach('on time', 'interrupted, and nobody did')
    }
  }

  const judgeYes = (now: number): Breach | undefined => {
    const oldest = evidenceAge(scenario)
    const ends = lastTrue(stored, now - oldest, now)
    if (ends === undefined) return breach('never wrong', `the store has not said so for ${oldest} ms`)
    // The store has said it of all at one instant, each status of what ran when it was read.
    for (const one of asked.values()) {
      const { subject, lived, meant } = one
      const { real, realBesidesHook, reads } = lived
      const from = reads.findLast(({ at }) => at <= ends.from)?.value ?? ends.from
      const wasMeant = (meant.findLast(({ at }) => at < ends.to) ?? meant[0])?.value === true
      const turns = isKnowable(subject.live, policy, startsAt) ? real : realBesidesHook
      if (wasMeant && lastTrue(turns, from, ends.to) === undefined)
        return breach('never wrong', `it was not so of ${subject.plan.name}`)
      if (wasMeant && isMember(subject) && !sinceTold(one.stored, one))
        return breach('never wrong', `a stream had told otherwise of ${subject.plan.name}`)
    }
    if (policy.stableFor === 0) return undefined
    const gap = longestGap(stored, Math.max(now - policy.stableFor, 0), now)
    const most = resolutionOf(policy) + oldest
    return gap > most ? breach('never wrong', `it was not so for ${gap} ms of stable for`) : undefined
  }

  const judgeNo = (key: string, now: number): Breach | undefined => {
    const one = [...asked.values()].find(
      ({ subject: { plan } }) => key === plan.name || key === `${plan.namespace}/${plan.name}`,
    )
    if (one === undefined) return breach('never early', `nobody asked for ${key}`)
    const { failAfter } = policy
    // The end of what the gate ordered, or adopted, is waited for and no longer.
    if (policy.sync !== undefined && hasFailedSync(one.subject, policy.sync)) return undefined
    if (syncs.hasFailedUnseen(one.subject)) return undefined
    // One error may be a blip: another comparison must have come to it.
    const { errors, erringSince } = one.subject.controller
    const isFailingBesides = lastTrue(one.besides, now - evidenceAgeOfNo(scenario, now), now) !== undefined
    const isOneError = one.truth.isOnlyError && !isFailingBesides && errors === 1
    if (isOneError && now - erringSince < OWN_COMPARISON)
      return breach('never early', 'one comparison has failed, and none has confirmed it')
    if (!Number.isFinite(failAfter)) return breach('never early', 'it was to wait for ever')
    const failings: Turn<boolean>[] = one.failings.map(({ at, value }) => ({
      at,
      value: value !== undefined,
    }))
    // What was so when the run began counts from then on.
    const needed = failAfter - resolutionOf(policy)
    if (now - startsAt < failAfter) return breach('never early', `after ${now - startsAt} ms`)
    if (lastTrue(failings, now - evidenceAgeOfNo(scenario, now), now) === undefined)
      return breach('never early', 'it was not failing')
    if (!sinceTold(failings, one)) return breach('never early', 'a stream had told otherwise')
    const revisedAt = lastsSince(one.revisions, resolutionOf(policy))
    if (revisedAt < now - evidenceAgeOfNo(scenario, now) && now - revisedAt < failAfter)
      return breach('never early', `it is at another revision since ${revisedAt} ms`)
    const gap = longestGap(failings, now - failAfter, now)
    return gap > Math.max(resolutionOf(policy), 0) && needed > 0
      ? breach('never early', `it was not failing for ${gap} ms of the last ${failAfter}`)
      : undefined
  }

  return {
    look,
    sent,
    lived: (subject) => asked.get(subject)?.lived,
    answered: () => {
      hasAnswered = true
    },
    judge,
    figures: () => ({
      yesAfter: visibleSince === undefined ? undefined : time.now() - visibleSince - policy.stableFor,
      requestsInAMinute: mostInAMinute,
    }),
  }
}

/** Less than lies between anything that happens. */
const INSTANT = 1e-6

/** Since when the last value has been there, but for others that were there for less than some time. */
function lastsSince<T>(turns: readonly Turn<T>[], least: number): number {
  const last = turns.at(-1)
  let since = last?.at ?? Number.NEGATIVE_INFINITY
  for (let i = turns.length - 2; i >= 0; i--) {
    const { at, value } = turns[i] ?? {}
    if (at === undefined) break
    if (value === last?.value) since = at
    else if ((turns[i + 1]?.at ?? at) - at > least) break
  }
  return since
}

/**
 * Whether a commit or a version of each source is observed: on an error, and of local manifests, a branch's name is. What
 * is not there is at none, which is not another one.
 */
function showsRevisions({ exists, spec: { sources }, status: { revisions } }: Subject): boolean {
  return (
    exists &&
    revisions.length > 0 &&
    revisions.every((one, i) => sources[i]?.chart !== undefined || /^[0-9a-f]{40}$/.test(one))
  )
}

/** Whether who asks at this server is right to give up: it refuses the token for good, or nobody is there. */
function isHopeless(
  { scenario: { faults, policy } }: World,
  now: number,
  hasAnswered: boolean,
  startsAt: number,
): boolean {
  // One refusal may be a mistake; a second one is believed.
  const refusals = faults.filter(({ kind }) => kind === 'unauthorized').length
  return faults.some(({ kind, from, until }) => {
    const isRecent = from <= now && now < until + REFUSAL_AGE
    if (kind === 'unauthorized')
      return isRecent && (!hasAnswered || refusals > 1 || until - from > LONGEST_BLIP)
    return kind === 'hopeless' && isRecent && !hasAnswered && now - startsAt >= policy.failAfter
  })
}

/** Whether the gate's own sync, or one that it may have adopted, has failed for good, or is no longer on record. */
function hasFailedSync({ status: { operationState }, begun }: Subject, { id }: Sync): boolean {
  if (id !== undefined && !begun.includes(id)) return false
  const phase = operationState?.phase
  const isOwn = id === undefined || operationState?.operation.id !== undefined
  const isGone = begun.some((one) => one !== '') && begun.at(-1) === ''
  return (isOwn && (phase === 'Failed' || phase === 'Error')) || isGone
}

/** What comes to nothing are refreshes, and not for long. */
function isAboutOneRefresh(fault: Fault): boolean {
  if (fault.kind === 'hang') return fault.only === 'refresh' && fault.requests === 1
  return fault.kind === 'refresh refused' && fault.until < 60_000
}

/** A stream that lives is looked beside so seldom. */
const GIVEN_UP = 45_000

/** How old a refusal may be that ends a run. */
const REFUSAL_AGE = 5000

/** So long a token may be refused by mistake, once it has worked. */
const LONGEST_BLIP = 1000

function needsOf({ scenario: { target, applications, policy } }: World) {
  const wanted = target.kind === 'names' ? target.applications.map((one) => one.wanted) : [target.wanted]
  const refreshes =
    policy.refresh !== 'none' &&
    (applications.some(({ hydration }) => hydration !== 'none') ||
      wanted.some(({ revision }) => revision !== undefined && !/[0-9a-f]{7}/.test(JSON.stringify(revision))))
  return {
    refreshes,
    trees: wanted.some(({ images }) => images.length > 0),
    renderings: wanted.some(({ revisionPolicy }) => revisionPolicy === 'equivalent'),
    isMany: applications.length > FEW,
  }
}
