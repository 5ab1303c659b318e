/** When the revision that an application runs is the one that was asked for: the rules of docs/verification.md. */

import {
  type Application,
  type Commit,
  hasMultipleSources,
  observedRevisions,
  type Source,
  sourcesOf,
} from './application.ts'
import type { Wanted } from './config.ts'
import type { Finding } from './predicates.ts'
import { formatWantedRevision, isFullSha, sameRevision, type WantedRevision } from './revision.ts'

/** What a run has learnt of an application besides the application itself. */
export interface RevisionEvidence {
  /** A refresh that this run asked for has come back, or refreshing is turned off. */
  readonly refreshed: boolean
  /** Commits by {@link commitKey}, as far as they were asked for. */
  readonly commits: ReadonlyMap<string, Commit | CommitProblem>
}

/** Why a commit could not be had. */
export interface CommitProblem {
  readonly problem: string
}

/** A commit to ask the server for. */
export interface CommitRequest {
  readonly revision: string
  /** Place in `spec.sources`, where the application has several. */
  readonly sourceIndex: number | undefined
  readonly key: string
}

/** The place of a commit in {@link RevisionEvidence.commits}: sources may share a revision and not a repository. */
export function commitKey(sourceIndex: number, revision: string): string {
  return `${sourceIndex}:${revision}`
}

/** What is known of the commit that a source is at. */
export function commitOf(evidence: RevisionEvidence, sourceIndex: number, revision: string) {
  return evidence.commits.get(commitKey(sourceIndex, revision))
}

/** One source with the revision it was seen at. */
interface ObservedSource {
  readonly index: number
  readonly source: Source
  readonly revision: string
}

function observedSources(application: Application): readonly ObservedSource[] {
  const revisions = observedRevisions(application)
  return sourcesOf(application).map((source, index) => ({ index, source, revision: revisions[index] ?? '' }))
}

/** Whether each wanted revision is what its source, or any source, runs; the sentence says expected and found. */
export function matchRevisions(
  application: Application,
  wanted: WantedRevision,
  policy: Wanted['revisionPolicy'],
  evidence: RevisionEvidence,
): Finding {
  const observed = observedSources(application)
  const context = { application, policy, evidence }
  if (wanted.kind === 'any-source') {
    // An application without a spec still has a revision; there is just no source to apply the other rules to.
    const seen =
      observed.length > 0
        ? observed
        : observedRevisions(application).map((revision, index) => ({ index, source: {} as Source, revision }))
    const how = firstMatch(seen, (source) => matchSource(context, source, wanted.revision))
    if (how !== undefined) return { state: 'met', message: how }
    const found = seen.map(({ revision }) => shown(revision)).join(', ')
    return {
      state: 'pending',
      message: `revision is ${found}, not ${formatWantedRevision(wanted)}${hint(context, seen, wanted.revision)}`,
    }
  }
  const complaints: string[] = []
  for (const { source: name, revision } of wanted.entries) {
    const candidates = observed.filter(({ source }) => isNamed(source, name))
    if (candidates.length === 0) {
      const names = observed.map(({ source }) => sourceName(source)).join(', ')
      return {
        state: 'failing',
        message: `no source is called "${revision}"; the sources are ${names || 'none'}`,
      }
    }
    // Where a name fits several sources, each of them is meant.
    if (candidates.some((source) => matchSource(context, source, revision) === undefined)) {
      const found = candidates.map((source) => shown(source.revision)).join(', ')
      complaints.push(
        `revision of ${name} is ${found}, not ${revision}${hint(context, candidates, revision)}`,
      )
    }
  }
  if (complaints.length > 0) return { state: 'pending', message: complaints.join('; ') }
  return { state: 'met', message: `revisions are ${formatWantedRevision(wanted)}` }
}

function firstMatch<T>(items: readonly T[], match: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const found = match(item)
    if (found !== undefined) return found
  }
  return undefined
}

interface Context {
  readonly application: Application
  readonly policy: Wanted['revisionPolicy']
  readonly evidence: RevisionEvidence
}

/** By which rule a source runs the wanted revision, as a sentence; `undefined` where it does not. */
function matchSource(context: Context, observed: ObservedSource, wanted: string): string | undefined {
  const { application, policy, evidence } = context
  const { index, source, revision } = observed
  if (revision === '') return undefined
  if (sameRevision(wanted, revision)) return `revision is ${revision}`
  if (tracks(source, wanted) && evidence.refreshed)
    return `revision is ${revision}, where ${wanted} points after a refresh`
  if (hydratedFrom(application, revision, wanted, evidence))
    return `revision is ${revision}, hydrated from ${wanted}`
  const commit = commitOf(evidence, index, revision)
  if (commit !== undefined && 'tags' in commit && commit.tags.includes(wanted))
    return `revision is ${revision}, tagged ${wanted}`
  if (policy === 'at-least' && deployedAfter(application, index, revision, wanted))
    return `revision is ${revision}, deployed after ${wanted}`
  return undefined
}

/** Rule 3: wanted is the branch, tag or version range that the source tracks. */
function tracks({ targetRevision }: Source, wanted: string): boolean {
  return wanted === (targetRevision ?? 'HEAD')
}

/**
 * Rule 5: what a person promotes is the dry commit, what is synced is the commit hydrated from it.
 *
 * Argo CD writes `lastComparedDryRevision` when it has looked at a dry commit, before it queues the hydration that
 * may follow; the commit counts as hydrated only where none was needed. So the newer dry commit is believed only
 * after a refresh of this run, which also asks for hydration and leaves an annotation (check Hydrating) until that
 * has ended or was found needless, and only while the observed revision is the last one that was hydrated.
 */
function hydratedFrom(
  { spec, status }: Application,
  revision: string,
  wanted: string,
  evidence: RevisionEvidence,
): boolean {
  if (spec.sourceHydrator === undefined) return false
  const { lastSuccessfulOperation: last, currentOperation, lastComparedDryRevision } = status.sourceHydrator
  if (last?.hydratedSHA === revision && sameRevision(wanted, last.drySHA ?? '')) return true
  const underWay = currentOperation !== undefined && currentOperation.phase !== 'Hydrated'
  const hydrated = last?.hydratedSHA ?? currentOperation?.hydratedSHA ?? revision
  return (
    !underWay &&
    evidence.refreshed &&
    hydrated === revision &&
    sameRevision(wanted, lastComparedDryRevision ?? '')
  )
}

/**
 * `at-least`: the history (oldest first) holds the wanted revision before the observed one. A revision that was
 * also deployed before the wanted one is a rollback, and no later commit.
 */
function deployedAfter(
  { status: { history } }: Application,
  index: number,
  revision: string,
  wanted: string,
): boolean {
  const deployed = history.map(
    (entry) =>
      (entry.revisions.length > 0 ? entry.revisions[index] : index === 0 ? entry.revision : '') ?? '',
  )
  const wantedAt = deployed.findIndex((one) => sameRevision(wanted, one))
  return wantedAt >= 0 && deployed.indexOf(revision) > wantedAt
}

/**
 * The commits that could still decide, and have not been asked for: every synced Git commit where its message
 * counts, and where a wanted revision that no other rule finds could be one of its tags. A chart has no commit.
 */
export function commitsNeeded(
  application: Application,
  wanted: Wanted,
  evidence: RevisionEvidence,
): readonly CommitRequest[] {
  const context = { application, policy: wanted.revisionPolicy, evidence }
  const several = hasMultipleSources(application)
  return observedSources(application).flatMap((observed): CommitRequest[] => {
    const { index, source, revision } = observed
    if (revision === '' || source.chart !== undefined) return []
    const couldBeTag = wantedOf(wanted.revision, source).some(
      (one) => !isFullSha(one) && matchSource(context, observed, one) === undefined,
    )
    if (wanted.commitMessage === undefined && !couldBeTag) return []
    const key = commitKey(index, revision)
    return [{ revision, sourceIndex: several ? index : undefined, key }]
  })
}

/** Whether a refresh of this run could decide: a wanted revision is tracked, or hydrated (rules 3 and 5). */
export function refreshDecides(application: Application, wanted: Wanted): boolean {
  if (wanted.revision === undefined) return false
  if (application.spec.sourceHydrator !== undefined) return true
  return sourcesOf(application).some((source) =>
    wantedOf(wanted.revision, source).some((one) => tracks(source, one)),
  )
}

function wantedOf(wanted: WantedRevision | undefined, source: Source): readonly string[] {
  if (wanted === undefined) return []
  if (wanted.kind === 'any-source') return [wanted.revision]
  return wanted.entries.filter(({ source: name }) => isNamed(source, name)).map(({ revision }) => revision)
}

function isNamed(source: Source, name: string): boolean {
  const { chart, repoURL } = source
  return name === source.name || name === repoURL || (chart !== undefined && name === `${repoURL}#${chart}`)
}

function sourceName({ name, repoURL, chart }: Source): string {
  const where = `${repoURL ?? 'no repoURL'}${chart === undefined ? '' : `#${chart}`}`
  return name === undefined ? where : `${name} (${where})`
}

function shown(revision: string): string {
  return revision === '' ? 'not known yet' : revision
}

/** What a person would want to know of a mismatch that is not one by name. */
function hint(
  { application, evidence }: Context,
  observed: readonly ObservedSource[],
  wanted: string,
): string {
  if (
    !evidence.refreshed &&
    observed.some(({ source, revision }) => revision !== '' && tracks(source, wanted))
  )
    return ', because no refresh has shown yet where it points'
  const deployed = application.status.history.some(({ revision, revisions }) =>
    [revision ?? '', ...revisions].some((one) => sameRevision(wanted, one)),
  )
  if (deployed)
    return '; it was deployed before, so another revision has replaced it (at-least accepts later ones)'
  return ''
}
