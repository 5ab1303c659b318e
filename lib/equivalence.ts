/**
 * The policy `equivalent`: in a repository that several pipelines push to, a commit that touches nothing of this
 * application moves the observed revision on, and never stands in the history. Whether the wanted one is deployed
 * all the same, Argo CD can show: it renders both.
 */

import type { Application } from './application.ts'
import type { Comparison, Problem, Rendering } from './evidence.ts'
import { dryCommitOf } from './hydration.ts'
import { changedLastBy } from './monorepo.ts'
import { isFullSha, isSha, type SourceRevision } from './revision.ts'
import {
  isGit,
  isNamed,
  isOci,
  isTwin,
  type ObservedSource,
  type RevisionContext,
  tracks,
} from './sources.ts'

/** A version of a chart, and no range of them. */
const EXACT_VERSION = /^v?\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?$/
const DIGEST = /^sha\d+:[0-9a-f]{32,}$/

/**
 * Whether wanted names one state of a source for good. A branch or a tag can move, and Argo CD may answer from where
 * it pointed minutes ago.
 */
function isFixed({ source }: ObservedSource, wanted: string): boolean {
  if (isGit(source)) return isSha(wanted) && !tracks(source, wanted)
  return isOci(source) ? DIGEST.test(wanted) : EXACT_VERSION.test(wanted)
}

/** The comparisons of which one could show that some source runs what renders the same as a plain revision. */
export function anyComparisons(context: RevisionContext, wanted: string): readonly Comparison[] {
  const { application, observed, policy } = context
  if (policy !== 'equivalent') return []
  if (application.spec.sourceHydrator !== undefined) return dryComparison(context, wanted)
  const firstOfTwins = observed.filter(
    (one, i) => isFixed(one, wanted) && observed.findIndex((other) => isTwin(one, other)) === i,
  )
  return firstOfTwins.flatMap((one) =>
    comparison(context, (other) => (other === one || isTwin(one, other) ? wanted : undefined)),
  )
}

/** The comparison that could show it of all sources that are named with a revision they do not run, if there is one. */
export function eachComparison(
  context: RevisionContext,
  unmet: readonly SourceRevision[],
): readonly Comparison[] {
  const { application, observed, policy } = context
  if (policy !== 'equivalent') return []
  const [first, ...more] = unmet
  if (application.spec.sourceHydrator !== undefined)
    return first === undefined || more.length > 0 ? [] : dryComparison(context, first.revision)
  const revisionFor = (one: ObservedSource) => unmet.find(({ source }) => isNamed(one, source))?.revision
  const areFixed = observed.every((one) => {
    const revision = revisionFor(one)
    return revision === undefined || isFixed(one, revision)
  })
  return areFixed ? comparison(context, revisionFor) : []
}

/** The observed revisions against the same with some of them replaced. */
function comparison(
  { application, observed }: RevisionContext,
  replacement: (source: ObservedSource) => string | undefined,
): readonly Comparison[] {
  if (observed.some(({ revision }) => revision === '')) return []
  const several = observed.length > 1 || application.spec.sources.length > 0
  return keyed(
    application,
    observed.map((one) => replacement(one) ?? one.revision),
    observed.map(({ revision }) => revision),
    several,
  )
}

/**
 * What a hydrated application renders is its dry source. Servers that render the synced one instead (up to 3.3) are
 * not asked: it has no parameters of the dry one, and they write no `lastComparedDryRevision`, which 3.5 does.
 */
function dryComparison({ application, observed }: RevisionContext, wanted: string): readonly Comparison[] {
  const dry = dryCommitOf(application, observed[0]?.revision ?? '')
  if (dry === undefined || !isFullSha(dry) || !isSha(wanted) || !rendersDrySource(application)) return []
  return keyed(application, [wanted], [dry], false)
}

function rendersDrySource({ status }: Application): boolean {
  return status.sourceHydrator.lastComparedDryRevision !== undefined
}

function keyed(
  { spec: { source, sources, sourceHydrator, destination } }: Application,
  wanted: readonly string[],
  observed: readonly string[],
  several: boolean,
): readonly Comparison[] {
  const rendered = sourceHydrator?.drySource ?? (several ? sources : source)
  return [{ key: JSON.stringify([wanted, observed, rendered, destination]), wanted, observed, several }]
}

/**
 * Whether one of the comparisons has shown it. The message leads to what is wanted where one has, and goes on from it
 * where none has.
 *
 * @param unmet the sources that do not run what is wanted of them, each with that
 */
export function judge(
  { application, evidence, observed, policy }: RevisionContext,
  comparisons: readonly Comparison[],
  unmet: readonly (readonly [source: ObservedSource, wanted: string])[],
): { readonly same: boolean; readonly message: string } {
  if (policy !== 'equivalent') return { same: false, message: '' }
  const [first] = comparisons
  if (first === undefined) {
    const isKnown = observed.every(({ revision }) => revision !== '')
    const isOld = application.spec.sourceHydrator !== undefined && !rendersDrySource(application)
    const why = isOld
      ? '; of a hydrated application, revisions can be compared by what they render from Argo CD 3.5 on'
      : '; only commits by their SHA and charts by their version can be compared by what they render'
    return { same: false, message: isKnown ? why : '' }
  }
  const results = comparisons.map(({ key }) => evidence.renderings.get(key))
  const telling = results.toSorted((a, b) => rank(a) - rank(b))[0]
  const isNoted =
    unmet.length > 0 && unmet.every(([source, wanted]) => changedLastBy(application, source, wanted))
  if (kindOf(telling) === 'unknown' && isNoted)
    return {
      same: true,
      message: 'by its mrp-controller annotations, the last one to change this application is',
    }
  return { same: kindOf(telling) === 'same', message: sentence(telling) }
}

type Result = Rendering | Problem | undefined

const RANKS = ['same', 'different', 'unknown', 'problem', 'missing'] as const

function kindOf(result: Result): (typeof RANKS)[number] {
  if (result === undefined) return 'missing'
  return 'problem' in result ? 'problem' : result.kind
}

function rank(result: Result): number {
  return RANKS.indexOf(kindOf(result))
}

function sentence(result: Result): string {
  if (result === undefined) return '; whether they render the same manifests is not known yet'
  if ('problem' in result) return `; whether they render the same manifests cannot be had (${result.problem})`
  if (result.kind === 'same') return 'which renders the same manifests as'
  return result.kind === 'different'
    ? `; they render different manifests (${result.message})`
    : `; whether they render the same manifests cannot be shown (${result.message})`
}
