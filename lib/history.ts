/** What `status.history` says of the order in which revisions were deployed. */

import { type Application, type SourceName, sourcesOf } from './application.ts'
import { sameRevision } from './revision.ts'
import { sameRepository } from './sources.ts'

/** The revisions of one source that were deployed, oldest first; `''`: it was not among the sources then. */
function deployed(application: Application, index: number): readonly string[] {
  return application.status.history.map(({ revision, revisions, sources }) => {
    if (revisions.length === 0) return index === 0 ? (revision ?? '') : ''
    const place = sources.length === 0 ? index : placeOf(sourcesOf(application)[index], index, sources)
    return revisions[place] ?? ''
  })
}

/** Where a source stood among those that were deployed, which may have been in another order; -1: nowhere. */
function placeOf(source: SourceName | undefined, index: number, then: readonly SourceName[]): number {
  if (source === undefined) return index
  let places = then.flatMap((one, place) => (isSame(one, source) ? [place] : []))
  for (const part of ['name', 'path', 'ref'] as const) {
    const closer = places.filter((place) => then[place]?.[part] === source[part])
    if (closer.length > 0) places = closer
  }
  return places.includes(index) ? index : (places[0] ?? -1)
}

function isSame(a: SourceName, b: SourceName): boolean {
  return sameRepository(a.repoURL, b.repoURL) && a.chart === b.chart
}

/** Whether a source's revision stands in the history under one of its names. */
export function wasDeployed(application: Application, index: number, names: readonly string[]): boolean {
  return deployed(application, index).some((one) => names.some((name) => sameRevision(name, one)))
}

/**
 * Whether the observed revision of a source was deployed after the wanted one. A revision that was also deployed
 * before the wanted one is a rollback, and no later commit. The history is cut at its beginning
 * (`revisionHistoryLimit`), and ids count from 0, so where the wanted one is the first that is left and not the
 * first that ever was, that rollback may have been cut away.
 *
 * @param names the wanted revision, and the hydrated revision that came of it
 */
export function deployedAfter(
  application: Application,
  index: number,
  observed: string,
  names: readonly string[],
): boolean {
  const revisions = deployed(application, index)
  const wantedAt = revisions.findIndex((one) => names.some((name) => sameRevision(name, one)))
  if (wantedAt < 0 || revisions.findIndex((one) => sameRevision(observed, one)) <= wantedAt) return false
  return wantedAt > 0 || application.status.history[0]?.id === 0
}

/**
 * The number of the last deployment; -Infinity: there is none. Only a sync of all resources that succeeded and was no dry
 * run is one (Argo CD, `persistRevisionHistory`).
 */
export function lastDeployment({ status: { history } }: Application): number {
  return history.at(-1)?.id ?? Number.NEGATIVE_INFINITY
}
