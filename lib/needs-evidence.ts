/** Why commits, renderings and resource trees are asked for. Pure. */

import { isMet } from './check.ts'
import { applicationOf, type Knowledge, type Known, NEVER } from './knowledge.ts'
import type { Moment } from './moment.ts'
import { type Need, NOTHING, needOf, union } from './need.ts'
import { treeNeeded } from './predicates.ts'
import { MOST_DIAGNOSES, MOST_TREES, REQUEST_TIMEOUT, TREE_INTERVAL } from './promises.ts'
import { remembered } from './remembered.ts'
import { commitsNeeded, comparisonsNeeded } from './revision-needs.ts'
import { hasOwnSyncFailed } from './sync-checks.ts'

const NOT = Number.POSITIVE_INFINITY

/** Commits, renderings and trees that could decide. */
export function evidenceNeeded(moment: Moment): Need {
  return union([commits(moment), comparisons(moment), trees(moment)])
}

const needs = remembered(({ sighting, wanted, evidence }: Known) => {
  const application = sighting?.application
  if (application === undefined) return { commits: [], comparisons: [], tree: false }
  return {
    commits: commitsNeeded(application, wanted, evidence),
    comparisons: comparisonsNeeded(application, wanted, evidence),
    tree: treeNeeded(application, wanted),
  }
})

/** Whether nothing but a commit that is being asked for decides: that is no reason for a refresh. */
export function isCommitAwaited(known: Known): boolean {
  const isRead = needs(known).commits.every(({ key }) => known.evidence.commits.has(key))
  return (
    !isRead &&
    known.checks.every(
      (check) => isMet(check) || check.code === 'RevisionMismatch' || check.code === 'CommitMessageMismatch',
    )
  )
}

/** Each commit once, and again after a failure. */
function commits({ knowledge, now, isOneLook }: Moment): Need {
  const wanted = [...knowledge.applications.values()].flatMap((known) =>
    needs(known)
      .commits.filter(({ key }) => !isKnown(known.evidence.commits.get(key)))
      .map((commit) => ({ known, commit })),
  )
  const keyOf = ({ known, commit }: (typeof wanted)[number]) => `commit:${known.key}:${commit.key}`
  return needOf(
    wanted,
    (one) => retryAt(knowledge, keyOf(one), isOneLook),
    (one) => ({
      key: keyOf(one),
      kind: 'commit',
      lane: 'commit',
      timeout: REQUEST_TIMEOUT,
      hedges: [],
      application: one.known.key,
      ref: one.known.ref,
      commit: one.commit,
    }),
    now,
  )
}

/** Each pair of revisions once, and again after a failure. */
function comparisons({ knowledge, now, isOneLook }: Moment): Need {
  const wanted = [...knowledge.applications.values()].flatMap((known) =>
    needs(known)
      .comparisons.filter(({ key }) => !isKnown(known.evidence.renderings.get(key)))
      .map((comparison) => ({ known, comparison })),
  )
  const keyOf = ({ known, comparison }: (typeof wanted)[number]) => `compare:${known.key}:${comparison.key}`
  return needOf(
    wanted,
    (one) => retryAt(knowledge, keyOf(one), isOneLook),
    (one) => ({
      key: keyOf(one),
      kind: 'compare',
      lane: 'compare',
      timeout: REQUEST_TIMEOUT,
      hedges: [],
      application: one.known.key,
      ref: one.known.ref,
      comparison: one.comparison,
    }),
    now,
  )
}

/** A few trees at a time, each no more often than every ten seconds. */
function trees(moment: Moment): Need {
  const { knowledge, now, isOneLook } = moment
  const asked: Known[] = []
  let ill = 0
  for (const known of knowledge.applications.values()) {
    if (applicationOf(known) === undefined) continue
    const isIll = known.checks.some(
      ({ code, state }) => state !== 'met' && (code === 'NotHealthy' || code === 'OperationFailed'),
    )
    // Beyond what decides, a tree explains a no: of the first few, once.
    const explains = isIll && known.treeAsOf === NEVER && ++ill <= MOST_DIAGNOSES && isEnding(known, moment)
    if (needs(known).tree || explains) asked.push(known)
  }
  if (asked.length === 0) return NOTHING
  // Those whose tree was read first come first; the rest wait their turn.
  const turn = asked.sort((a, b) => a.treeAsOf - b.treeAsOf).slice(0, MOST_TREES)
  return needOf(
    turn,
    (known) => {
      if (isOneLook && known.treeAsOf !== NEVER) return NOT
      return Math.max(treeDueAt(known, moment), retryAt(knowledge, `tree:${known.key}`, isOneLook))
    },
    ({ key, ref }) => ({
      key: `tree:${key}`,
      kind: 'tree',
      lane: 'tree',
      timeout: REQUEST_TIMEOUT,
      hedges: [],
      application: key,
      ref,
    }),
    now,
  )
}

function treeDueAt({ treeAsOf, failing }: Known, { knowledge }: Moment): number {
  const due = treeAsOf + TREE_INTERVAL
  // An early no rests on what was seen when *fail after* had passed.
  const failsAt = failing === undefined ? NOT : failing.since + knowledge.policy.failAfter
  return failsAt > treeAsOf ? Math.min(due, Math.max(failsAt, NEVER)) : due
}

/** Whether a no is near: its deadline, or *fail after*. */
function isEnding(known: Known, { knowledge, now, diagnosisAt, isOneLook }: Moment): boolean {
  const { failing } = known
  if (isOneLook || now >= diagnosisAt || hasOwnSyncFailed(known)) return true
  return failing !== undefined && now >= failing.since + knowledge.policy.failAfter
}

function isKnown(found: object | undefined): boolean {
  return found !== undefined && !('problem' in found)
}

function retryAt({ failures }: Knowledge, key: string, isOneLook: boolean): number {
  const failure = failures.get(key)
  return failure === undefined ? NEVER : isOneLook ? NOT : failure.retryAt
}
