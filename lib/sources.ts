/** The sources of an application as the gate compares them: what each is seen at, and by which names it goes. */

import { type Application, NO_SOURCE, observedRevisions, type Source, sourcesOf } from './application.ts'
import type { Evidence } from './evidence.ts'
import { remembered } from './remembered.ts'
import { isFullSha } from './revision.ts'
import { withoutSlashesBehind } from './text.ts'
import type { RevisionPolicy } from './wanted.ts'

/** One source with the revision it was seen at. */
export interface ObservedSource {
  /** Place in `spec.sources`. */
  readonly index: number
  readonly source: Source
  /** `''`: not known yet. */
  readonly revision: string
  /** What Argo CD shows, also where that is no revision yet. */
  readonly shown: string
  /** Where the dry source of a hydrated application is. */
  readonly dryRepoURL: string | undefined
}

/** What the revision rules go by. */
export interface RevisionContext {
  readonly application: Application
  readonly observed: readonly ObservedSource[]
  readonly policy: RevisionPolicy
  readonly evidence: Evidence
}

/** What the revision rules go by, with the sources read once. */
export function revisionContext(
  application: Application,
  policy: RevisionPolicy,
  evidence: Evidence,
): RevisionContext {
  return { application, observed: observedSources(application), policy, evidence }
}

/**
 * The sources with what they were seen at. Of a Git source that is a full SHA; on a ComparisonError, and after a
 * sync of local manifests, Argo CD shows the raw `targetRevision` instead, which says nothing. An application
 * without a spec still has a revision; there is just no source that could be named or tracked.
 */
export const observedSources = remembered((application: Application): readonly ObservedSource[] => {
  const sources = sourcesOf(application)
  const dryRepoURL = application.spec.sourceHydrator?.drySource.repoURL
  return observedRevisions(application).map((shown, index) => {
    const source = sources[index] ?? NO_SOURCE
    const revision = isGit(source) && !isFullSha(shown) ? '' : shown
    return { index, source, revision, shown, dryRepoURL }
  })
})

/** A chart is known by its version, an OCI artifact by its digest; the rest is Git. */
export function isGit({ chart, repoURL }: Source): boolean {
  return chart === undefined && !isOci({ repoURL })
}

/** Argo CD's own test (`ApplicationSource.IsOCI`). */
export function isOci({ repoURL }: Pick<Source, 'repoURL'>): boolean {
  return repoURL?.startsWith('oci://') === true
}

/**
 * Whether wanted is the branch, tag or version range that a source tracks; a branch or tag also by its short name.
 * A full SHA tracks nothing, it is.
 */
export function tracks(
  {
    chart,
    targetRevision,
  }: { readonly chart?: string | undefined; readonly targetRevision: string | undefined },
  wanted: string,
): boolean {
  const tracked = targetRevision ?? (chart === undefined ? 'HEAD' : undefined)
  const isTracked =
    tracked === wanted || tracked === `refs/heads/${wanted}` || tracked === `refs/tags/${wanted}`
  return isTracked && !isFullSha(wanted)
}

/** Whether two addresses are one repository: in any case, and with or without `.git`, as Argo CD itself sees it. */
export function sameRepository(a: string | undefined, b: string | undefined): boolean {
  return a !== undefined && b !== undefined && normalized(a) === normalized(b)
}

function normalized(repoURL: string): string {
  const url = withoutSlashesBehind(repoURL.trim().toLowerCase())
  // git@host:path is ssh://git@host/path.
  const scp = /^([^/:@]+@[^/:]+):(?!\/\/)(.*)$/.exec(url)
  const address = scp === null ? url.replace(/^ssh:\/\//, '') : `${scp[1]}/${scp[2]}`
  return address.replace(/\.git$/, '')
}

/** Whether a person means the source by SOURCE: its `name`, its `repoURL`, or `repoURL#chart`. */
export function isNamed({ source, dryRepoURL }: ObservedSource, name: string): boolean {
  const { chart, repoURL } = source
  if (name === source.name || sameRepository(name, repoURL) || sameRepository(name, dryRepoURL)) return true
  const hash = name.lastIndexOf('#')
  return hash > 0 && chart === name.slice(hash + 1) && sameRepository(name.slice(0, hash), repoURL)
}

/** Whether two sources are one repository at one `targetRevision` (one chart), so that they run one revision. */
export function isTwin({ source: a }: ObservedSource, { source: b }: ObservedSource): boolean {
  return sameRepository(a.repoURL, b.repoURL) && a.chart === b.chart && a.targetRevision === b.targetRevision
}

/** A source as a message names it. */
export function describeSource({ source: { name, repoURL, chart } }: ObservedSource): string {
  const where = `${repoURL ?? 'no repoURL'}${chart === undefined ? '' : `#${chart}`}`
  return name === undefined ? where : `${name} (${where})`
}
