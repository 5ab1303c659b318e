/** What Argo CD Labs' monorepo controller writes beside an application. Pure. */

import type { Application } from './application.ts'
import { isFullSha, sameRevision } from './revision.ts'
import type { ObservedSource } from './sources.ts'

/**
 * Argo CD Labs' monorepo controller notes which commit was the last to change an application, and for which observed
 * one it has looked that up (argoproj-labs/argocd-monorepo-controller, docs/architecture.md). The annotations without
 * an s are those of the first source. Where it fails to look it up it notes the observed commit beside the older
 * answer, so its word counts only where the manifests cannot be compared, and never against them.
 */
export function changedLastBy(
  { metadata: { annotations } }: Application,
  { index, revision }: ObservedSource,
  wanted: string,
): boolean {
  const note = (name: string) => annotations[`mrp-controller.argoproj.io/${name}`] ?? undefined
  if (note('git-revision') === undefined && note('git-revisions') === undefined) return false
  const plain: readonly (readonly [looked: string | undefined, changed: string | undefined])[] =
    index === 0 ? [[note('git-revision'), note('change-revision')]] : []
  const notes = [...plain, [listed(note('git-revisions'))[index], listed(note('change-revisions'))[index]]]
  return notes.some(
    ([looked = '', changed = '']) =>
      isFullSha(changed) &&
      isFullSha(looked) &&
      sameRevision(looked, revision) &&
      sameRevision(wanted, changed),
  )
}

/** A JSON list of texts; an annotation may hold anything. */
function listed(json: string | undefined): readonly string[] {
  if (json === undefined) return []
  try {
    const list: unknown = JSON.parse(json)
    return Array.isArray(list) ? list.map((one) => (typeof one === 'string' ? one : '')) : []
  } catch {
    return []
  }
}
