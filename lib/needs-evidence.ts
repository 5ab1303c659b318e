/** Why commits, renderings and resource trees are asked for. Pure. */

import { isMet } from './check.ts'
import { type CommitRequest, type Comparison, isKnown } from './evidence.ts'
import { failsAt } from './failing.ts'
import { type Knowledge, type Known, lastFailure, NEVER } from './knowledge.ts'
import { type Moment, treeLackedFrom } from './moment.ts'
import { hedgesOf, type Need, NOTHING, needOf, union } from './need.ts'
import { treeNeeded } from './predicates.ts'
import {
  LONGEST_HEDGE,
  MOST_DIAGNOSES,
  MOST_TREES,
  REQUEST_TIMEOUT,
  SHORTEST_PAUSE,
  TREE_INTERVAL,
} from './promises.ts'
import { commitsNeeded, comparisonsNeeded } from './revision-needs.ts'
import { hasOwnSyncFailed } from './sync-operation.ts'

const NOT = Number.POSITIVE_INFINITY

/** Commits, renderings and trees that could decide. */
export function evidenceNeeded(moment: Moment): Need {
  const asking: Known[] = []
  const concerned: Known[] = []
  for (const known of moment.knowledge.applications.values()) {
    const found = needs(known)
    if (found.commits.length > 0 || found.comparisons.length > 0) asking.push(known)
    if (found.tree || found.isIll || known.treeAskedAt !== NEVER) concerned.push(known)
  }
  const questions = asking.length === 0 ? [] : [commits(asking, moment), comparisons(asking, moment)]
  return union([...questions, concerned.length === 0 ? NOTHING : trees(concerned, moment)])
}

const NO_NEEDS: Needs = { commits: [], comparisons: [], tree: false, isIll: false }

interface Needs {
  readonly commits: readonly CommitRequest[]
  readonly comparisons: readonly Comparison[]
  readonly tree: boolean
  /** Whether a tree may say why. */
  readonly isIll: boolean
}

/** What follows from the same as the checks do, for as long as those are known. */
const remembered = new WeakMap<Known['checks'], Needs>()

function needs({ sighting, wanted, evidence, checks }: Known): Needs {
  const application = sighting?.application
  if (application === undefined) return NO_NEEDS
  const before = remembered.get(checks)
  if (before !== undefined) return before
  const found = {
    commits: commitsNeeded(application, wanted, evidence),
    comparisons: comparisonsNeeded(application, wanted, evidence),
    tree: treeNeeded(application, wanted),
    isIll: isIll(checks),
  }
  const isNothing =
    found.commits.length === 0 && found.comparisons.length === 0 && !found.tree && !found.isIll
  remembered.set(checks, isNothing ? NO_NEEDS : found)
  return found
}

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

/** Something that is asked of an application, and may be known already. */
interface Asked<T> {
  readonly known: Known
  readonly one: T
  readonly key: string
}

/** What is asked of the applications and not known yet. */
function unanswered<T extends { readonly key: string }>(
  applications: readonly Known[],
  kind: string,
  askedOf: (known: Known) => readonly T[],
  answers: (evidence: Known['evidence']) => ReadonlyMap<string, object>,
): readonly Asked<T>[] {
  const asked: Asked<T>[] = []
  for (const known of applications)
    for (const one of askedOf(known))
      if (!isKnown(answers(known.evidence).get(one.key)))
        asked.push({ known, one, key: `${kind}:${known.key}:${one.key}` })
  return asked
}

/** Each commit once, and again after a failure. */
function commits(asking: readonly Known[], { knowledge, now, isOneLook }: Moment): Need {
  const asked = unanswered(
    asking,
    'commit',
    (known) => needs(known).commits,
    (evidence) => evidence.commits,
  )
  return needOf(
    asked,
    ({ key }) => retryAt(knowledge, key, isOneLook),
    ({ known, one, key }) => ({
      key,
      kind: 'commit',
      lane: 'commit',
      timeout: REQUEST_TIMEOUT,
      hedges: hedgesOf(knowledge),
      application: known.key,
      ref: known.ref,
      commit: one,
    }),
    now,
  )
}

/** Each pair of revisions once, and again after a failure. */
function comparisons(asking: readonly Known[], { knowledge, now, isOneLook }: Moment): Need {
  const asked = unanswered(
    asking,
    'compare',
    (known) => needs(known).comparisons,
    (evidence) => evidence.renderings,
  )
  return needOf(
    asked,
    ({ key }) => retryAt(knowledge, key, isOneLook),
    ({ known, one, key }) => ({
      key,
      kind: 'compare',
      lane: 'compare',
      timeout: REQUEST_TIMEOUT,
      // Rendering takes its time, twice.
      hedges: [LONGEST_HEDGE],
      application: known.key,
      ref: known.ref,
      comparison: one,
    }),
    now,
  )
}

/**
 * The trees of a few applications in ten seconds, each no more often than that, but for the one that proves a yes.
 * Where there are more, those come first on which a streak of failing rests, then those that were read first.
 */
function trees(concerned: readonly Known[], moment: Moment): Need {
  const { knowledge, now, isOneLook, provableAt } = moment
  const deciding: Known[] = []
  const others: Known[] = []
  let room = MOST_TREES
  let roomAt = NOT
  let ill = 0
  for (const known of concerned) {
    const { treeAskedAt } = known
    const isOfTheFew = now < treeAskedAt + TREE_INTERVAL
    if (isOfTheFew) {
      room--
      roomAt = Math.min(roomAt, treeAskedAt + TREE_INTERVAL)
    }
    const { isIll, tree } = needs(known)
    // Beyond what decides, a tree explains a no: of the first few, once.
    const isExplaining = isIll && isEnding(known, moment) && ++ill <= MOST_DIAGNOSES
    if (isExplaining && known.treeAsOf === NEVER) others.push(known)
    else if (tree) {
      // What was read to become met is read once more when all is, without waiting for its turn again.
      const isLast = isOfTheFew && treeLackedFrom(known, provableAt) !== undefined
      ;(isUnderWay(known, knowledge) || isLast ? others : deciding).push(known)
    }
  }
  if (deciding.length + others.length === 0) return NOTHING
  const isFirst = ({ failing }: Known) => (failing === undefined ? 1 : 0)
  const turn =
    deciding.length <= room
      ? deciding
      : room <= 0
        ? []
        : deciding.sort((a, b) => isFirst(a) - isFirst(b) || a.treeAsOf - b.treeAsOf).slice(0, room)
  const need = needOf(
    [...others, ...turn],
    (known) => {
      if (isOneLook && known.treeAsOf !== NEVER && treeLackedFrom(known, provableAt) === undefined) return NOT
      return Math.max(treeDueAt(known, moment), retryAt(knowledge, `tree:${known.key}`, isOneLook))
    },
    ({ key, ref }) => ({
      key: `tree:${key}`,
      kind: 'tree',
      lane: 'tree',
      timeout: REQUEST_TIMEOUT,
      hedges: hedgesOf(knowledge),
      application: key,
      ref,
    }),
    now,
  )
  return turn.length < deciding.length ? { ...need, wakeAt: Math.min(need.wakeAt, roomAt) } : need
}

/** Whether a tree was asked for and nothing has come of it yet. */
function isUnderWay(known: Known, knowledge: Knowledge): boolean {
  const { treeAsOf, treeAskedAt } = known
  return treeAskedAt > treeAsOf && (lastFailure(knowledge, 'tree', known)?.at ?? NEVER) < treeAskedAt
}

function isIll(checks: Known['checks']): boolean {
  return checks.some(
    ({ code, state }) => state !== 'met' && (code === 'NotHealthy' || code === 'OperationFailed'),
  )
}

function treeDueAt(known: Known, { knowledge, provableAt, isOneLook }: Moment): number {
  const { key, treeAsOf, paused, suspended } = known
  const due = treeAsOf + TREE_INTERVAL
  const lackedFrom = treeLackedFrom(known, provableAt)
  // Sooner than each ten seconds only where a yes could come of it, however often it changes; one look ends with it.
  if (lackedFrom !== undefined) {
    const soonest = Math.max(provableAt ?? NOT, treeAsOf + SHORTEST_PAUSE)
    return Math.min(due, Math.max(lackedFrom, isOneLook ? NEVER : soonest))
  }
  // Without a look it proves no no; and where nothing else tells of the application, each begins another streak.
  if (knowledge.failures.has(`look:${key}`)) return due
  // What was met or failing goes on, or does not, by a tree of what was just seen.
  if (treeAsOf < ((suspended ?? paused)?.treeFrom ?? NEVER)) return treeAsOf + SHORTEST_PAUSE
  // An early no rests on what was seen when *fail after* had passed.
  const dueAt = failsAt(known, knowledge.policy)
  return dueAt > treeAsOf ? Math.min(due, Math.max(dueAt, treeAsOf + SHORTEST_PAUSE)) : due
}

/** Whether a no is near: its deadline, or *fail after*. */
function isEnding(known: Known, { knowledge, now, diagnosisAt, isOneLook }: Moment): boolean {
  if (isOneLook || now >= diagnosisAt || hasOwnSyncFailed(known)) return true
  return now >= failsAt(known, knowledge.policy)
}

function retryAt({ failures }: Knowledge, key: string, isOneLook: boolean): number {
  const failure = failures.get(key)
  return failure === undefined ? NEVER : isOneLook ? NOT : failure.retryAt
}
