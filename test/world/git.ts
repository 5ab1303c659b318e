/** Git hosts as Argo CD meets them: commits, where branches and tags point, and Argo CD's clone, which may be behind. */

import type { Content, SourcePlan } from './scenario.ts'

/** What the manifests of a path are, by the id of their content. */
export interface GitCommit {
  readonly sha: string
  readonly message: string
  /** By path. */
  readonly contents: ReadonlyMap<string, number>
  /** What it was hydrated from: the dry commit, and the sources of the spec that it was rendered by. */
  readonly hydratedFrom: { readonly dry: string; readonly sources: readonly SourcePlan[] } | undefined
}

interface Pointed {
  readonly sha: string
  readonly since: number
}

export interface Git {
  readonly commits: Map<string, GitCommit>
  /** Where each branch and tag points and has pointed, the latest last. */
  readonly refs: Map<string, Pointed[]>
  /** The commits that Argo CD has fetched, and where tags pointed when it last fetched. */
  readonly fetched: Set<string>
  fetchedTags: ReadonlyMap<string, string>
  readonly tags: Map<string, string>
  readonly contents: Map<number, Content>
}

export function createGit(): Git {
  return {
    commits: new Map(),
    refs: new Map(),
    fetched: new Set(),
    fetchedTags: new Map(),
    tags: new Map(),
    contents: new Map(),
  }
}

/** Where a branch or tag points now. */
export function headOf(git: Git, ref: string): string | undefined {
  return git.refs.get(ref)?.at(-1)?.sha
}

export function point(git: Git, ref: string, sha: string, since: number): void {
  const pointed = git.refs.get(ref)
  if (pointed === undefined) git.refs.set(ref, [{ sha, since }])
  else pointed.push({ sha, since })
}

/** Whether a branch or tag pointed at a commit at some instant between two. */
export function pointedAt(git: Git, ref: string, sha: string, from: number, to: number): boolean {
  const pointed = git.refs.get(ref) ?? []
  return pointed.some(
    (one, i) =>
      one.sha === sha && one.since <= to && (pointed[i + 1]?.since ?? Number.POSITIVE_INFINITY) > from,
  )
}

/** All that a branch or tag pointed at between two instants. */
export function pointedBetween(git: Git, ref: string, from: number, to: number): string[] {
  const pointed = git.refs.get(ref) ?? []
  return pointed
    .filter((one, i) => one.since <= to && (pointed[i + 1]?.since ?? Number.POSITIVE_INFINITY) > from)
    .map(({ sha }) => sha)
}

/**
 * Argo CD fetches where it meets a commit that it does not have, and tags come with it.
 *
 * @returns whether it has fetched
 */
export function fetchCommit(git: Git, sha: string, now: number): boolean {
  if (git.fetched.has(sha)) return false
  git.fetched.add(sha)
  git.fetchedTags = new Map(git.tags)
  for (const [tag, at] of git.tags) if (headOf(git, FETCHED + tag) !== at) point(git, FETCHED + tag, at, now)
  return true
}

const FETCHED = 'fetched@'

/** Whether Argo CD's clone had a tag at a commit at some instant since a time. */
export function wasTagged(git: Git, tag: string, sha: string, since: number, now: number): boolean {
  return pointedAt(git, FETCHED + tag, sha, since, now)
}

/** The tags of a commit as Argo CD tells them, from its clone. */
export function knownTags(git: Git, sha: string): string[] {
  const tags: string[] = []
  for (const [tag, at] of git.fetchedTags) if (at === sha) tags.push(tag)
  return tags
}

/** The commit that a person means: a SHA in either case, the beginning of one, or a branch or tag. */
export function findCommit({ commits, refs }: Git, repoURL: string, text: string): string {
  const lower = text.toLowerCase()
  if (commits.has(lower)) return lower
  const pointed = refs.get(`${repoURL}@${text}`)?.at(-1)?.sha
  if (pointed !== undefined) return pointed
  if (/^[0-9a-f]{7,40}$/.test(lower)) for (const sha of commits.keys()) if (sha.startsWith(lower)) return sha
  return text
}

/** What a path holds at a revision: manifests by their id; a chart's are the same for each version. */
export function contentAt(git: Git, revision: string, path: string | undefined): number | undefined {
  return path === undefined ? CHART : git.commits.get(revision)?.contents.get(path)
}

const CHART = -1

/** Another path of the same application renders other manifests that do the same. */
export const OTHER_PATH = '/next'
const OTHER_CONTENT = 0.5

/** A commit's contents: those of its parent but for what it changes, under the path and its other one. */
export function changedContents(
  parent: ReadonlyMap<string, number>,
  changes: Iterable<readonly [path: string, id: number]>,
): ReadonlyMap<string, number> {
  const contents = new Map(parent)
  for (const [path, id] of changes) {
    contents.set(path, id)
    contents.set(path + OTHER_PATH, id + OTHER_CONTENT)
  }
  return contents
}

/** What manifests make happen, by the id of their content. */
export function contentOf(git: Git, id: number): Content {
  const content = git.contents.get(Math.floor(id))
  if (content === undefined) throw new Error(`no content ${id}`)
  return content
}

/** Whether the manifests of each source are the same. */
export function sameContents(a: readonly number[], b: readonly number[] | undefined): boolean {
  return b !== undefined && a.length === b.length && a.every((id, i) => id === b[i])
}
