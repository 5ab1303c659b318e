/** What is known of the commits that an application is at, and which of them could decide. */

import type { Commit } from './application.ts'
import type { Evidence, Problem } from './evidence.ts'
import { isFullSha } from './revision.ts'
import { isGit, type ObservedSource, type RevisionContext, sameRepository, tracks } from './sources.ts'

/** The place of a commit in {@link Evidence.commits}: sources may share a revision and not a repository. */
export function commitKey(sourceIndex: number, revision: string): string {
  return `${sourceIndex}:${revision}`
}

/** What is known of the commit that a source is at; `undefined`: it was not asked for. */
export function commitOf(
  { commits }: Evidence,
  { index, revision }: ObservedSource,
): Commit | Problem | undefined {
  return commits.get(commitKey(index, revision))
}

/**
 * Rule 4: whether wanted could be a tag of the commit that a source is at. What a source of the same repository
 * tracks is judged by rule 3 alone, because a tag can move, and Argo CD knows the tags of its clone only.
 */
export function canBeTag({ observed }: RevisionContext, { index, source }: ObservedSource, wanted: string) {
  if (isFullSha(wanted) || !isGit(source)) return false
  return !observed.some(
    (other) =>
      tracks(other.source, wanted) &&
      (other.index === index || sameRepository(other.source.repoURL, source.repoURL)),
  )
}
