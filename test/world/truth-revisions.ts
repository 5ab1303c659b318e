/** Which revision an application really is at: by where refs really pointed, and what really was deployed. */

import type { Wanted } from '../../lib/wanted.ts'
import { contentAt, contentOf, headOf, pointedAt, pointedBetween, wasTagged } from './git.ts'
import { REPOSITORY } from './scenario.ts'
import { refOf, type Subject, syncedSource, type World } from './world.ts'

/** Whether the status's revisions are what is wanted, by where refs really pointed and what really was deployed. */
export function claims(world: World, subject: Subject, wanted: Wanted, since: number): boolean {
  const { commitMessage } = wanted
  if (commitMessage !== undefined) {
    const { commits } = world.git
    const { revisions } = subject.status
    if (!revisions.some((one) => commits.get(one)?.message.includes(commitMessage) === true)) return false
  }
  return claimsRevision(world, subject, wanted, since)
}

export function claimsRevision(world: World, subject: Subject, wanted: Wanted, since: number): boolean {
  const { spec } = subject
  const { revision } = wanted
  if (revision === undefined) return true
  if (revision.kind === 'per-source')
    return revision.entries.every((entry) => {
      const named = spec.sources.flatMap((source, i) => (isNamed(source, entry.source) ? [i] : []))
      return named.length > 0 && named.every((i) => matches(world, subject, i, entry.revision, wanted, since))
    })
  return spec.sources.some(
    (source, i) =>
      matches(world, subject, i, revision.revision, wanted, since) &&
      spec.sources.every(
        (other, j) =>
          other.repoURL !== source.repoURL ||
          other.targetRevision !== source.targetRevision ||
          other.chart !== source.chart ||
          // What one commit of a branch is after, it is after in each source of it, though the history of one is torn.
          (wanted.revisionPolicy === 'at-least' &&
            subject.status.revisions[j] === subject.status.revisions[i]) ||
          matches(world, subject, j, revision.revision, wanted, since),
      ),
  )
}

export function isNamed({ name, repoURL, chart }: Subject['spec']['sources'][number], text: string): boolean {
  const plain = (url: string) => url.replace(/\.git$/, '')
  return text === name || plain(text) === plain(repoURL) || text === `${repoURL}#${chart}`
}

const FULL = /^[0-9a-f]{40}$/
const SHORT = /^[0-9a-f]{7,40}$/

export function isSame(wanted: string, revision: string): boolean {
  const lower = wanted.toLowerCase()
  return wanted === revision || (FULL.test(revision) && SHORT.test(lower) && revision.startsWith(lower))
}

function matches(
  world: World,
  subject: Subject,
  i: number,
  wanted: string,
  { revision: asked, revisionPolicy }: Wanted,
  since: number,
): boolean {
  const { git, time, scenario } = world
  const { spec, status, plan, deployments } = subject
  const revision = status.revisions[i] ?? ''
  const source = spec.sources[i]
  const synced = syncedSource(subject, spec, i)
  if (source === undefined || synced === undefined) return false
  if (source.chart !== undefined) return isSame(wanted, revision)
  if (!FULL.test(revision)) return false
  if (isSame(wanted, revision)) return true
  const pointed = (ref: string, sha: string) =>
    scenario.policy.refresh === 'none' || pointedAt(git, ref, sha, since, time.now())
  if (wanted === synced.targetRevision) return pointed(refOf(source, wanted), revision)
  const dry = plan.hydration === 'none' ? undefined : git.commits.get(revision)?.hydratedFrom?.dry
  if (dry !== undefined) {
    if (isSame(wanted, dry)) return true
    if (wanted === source.targetRevision && pointed(refOf(source, wanted), dry)) return true
    if (wanted === source.targetRevision && plan.hydration === 'skips') {
      // Where a dry commit is skipped that changes nothing, the branch may be ahead of what was hydrated. As
      // everywhere, what it pointed at during the run is what was asked for, though it points elsewhere by now.
      const heads = pointedBetween(git, refOf(source, wanted), since, time.now())
      return heads.some((head) => contentAt(git, head, source.path) === contentAt(git, dry, source.path))
    }
  }
  // By the Git host, or by Argo CD's clone, which may not have learnt yet that a tag was made or has moved.
  if (wasTagged(git, wanted, revision, since, time.now())) return true
  const isTag = git.tags.has(wanted) && source.repoURL === REPOSITORY
  if (isTag && pointedAt(git, refOf(source, wanted), revision, since, time.now())) return true
  if (revisionPolicy === 'at-least') return isDeployedAfter(world, deployments, i, revision, wanted)
  if (revisionPolicy !== 'equivalent') return false
  const other = [...git.commits.keys()].find((sha) => isSame(wanted, sha)) ?? wanted
  if (spec.sources.length > 1 && contentAt(git, other, source.path) === undefined) return false
  // A plain revision takes the place of every source of one repository and branch, a named one that of its own.
  return spec.sources.every(
    ({ repoURL, targetRevision, path }, j) =>
      (j !== i && asked?.kind === 'per-source') ||
      repoURL !== source.repoURL ||
      targetRevision !== source.targetRevision ||
      contentAt(git, other, path) === contentAt(git, status.revisions[j] ?? '', path),
  )
}

/** In the whole of its history: wanted was deployed, and the revision after it and nowhere before. */
function isDeployedAfter(
  { git }: World,
  deployments: Subject['deployments'],
  i: number,
  revision: string,
  wanted: string,
): boolean {
  const deployed = deployments.map((revisions) => revisions[i] ?? '')
  const dry = (one: string) => git.commits.get(one)?.hydratedFrom?.dry ?? ''
  const wantedAt = deployed.findIndex((one) => isSame(wanted, one) || isSame(wanted, dry(one)))
  return wantedAt >= 0 && deployed.indexOf(revision) > wantedAt
}

/** When a run could first see an application at each revision. */
export type SeenAt = ReadonlyMap<string, number>

/**
 * Whether what makes the revision the wanted one can be seen: of a Secret nobody sees whether it is the same, a history
 * is cut, and without refreshes nobody tells where the branch of a dry source points.
 */
export function shows(world: World, subject: Subject, wanted: Wanted, seenAt: SeenAt): boolean {
  const { git, scenario } = world
  const { status, spec, plan } = subject
  const { revision, revisionPolicy } = wanted
  if (revision === undefined) return true
  const texts =
    revision.kind === 'any-source' ? [revision.revision] : revision.entries.map((entry) => entry.revision)
  const tracked = spec.sources.map(({ targetRevision }) => targetRevision)
  // The tags of a commit are asked for once: one that Argo CD's clone learns of later is not seen (rule 4).
  const isUnseenTag = (text: string) =>
    git.tags.has(text) &&
    !tracked.includes(text) &&
    !status.revisions.some((one) => wasTagged(git, text, one, seenAt.get(one) ?? 0, seenAt.get(one) ?? 0))
  if (texts.some(isUnseenTag)) return false
  // Where a branch points that is not tracked, nobody tells: it happens to be the commit that runs.
  const isOtherBranch = (text: string) =>
    !tracked.includes(text) && !git.tags.has(text) && !SHORT.test(text.toLowerCase())
  if (texts.some(isOtherBranch)) return false
  if (
    plan.hydration !== 'none' &&
    scenario.policy.refresh === 'none' &&
    texts.some((text) => tracked.includes(text))
  )
    return false
  // Where a dry commit is skipped that changes nothing, the branch is ahead of what was hydrated, for good.
  // Sources of one branch that were resolved around a push: the next comparison finds one commit for them.
  const isTorn = spec.sources.some((source, i) =>
    spec.sources.some(
      (other, j) =>
        j < i &&
        other.chart === source.chart &&
        other.repoURL === source.repoURL &&
        other.targetRevision === source.targetRevision &&
        status.revisions[i] !== status.revisions[j],
    ),
  )
  if (isTorn) return false
  // What an observed commit was hydrated from is told of the last hydration only (rule 5); the next comparison follows.
  const [observed = ''] = status.revisions
  const isLast = status.hydrator.last?.hydratedSHA === observed
  if (plan.hydration !== 'none' && !isLast && !texts.some((text) => isSame(text, observed))) return false
  const [source] = spec.sources
  const dry = git.commits.get(status.revisions[0] ?? '')?.hydratedFrom?.dry
  if (plan.hydration === 'skips' && source !== undefined && texts.includes(source.targetRevision))
    if (headOf(git, refOf(source, source.targetRevision)) !== dry) return false
  if (revisionPolicy === 'exact') return true
  const names = [...status.revisions, ...tracked].map((one) => git.commits.get(one)?.hydratedFrom?.dry ?? one)
  const isNamedSo = texts.every((text) => names.some((one) => isSame(text, one)))
  if (isNamedSo) return true
  // Older servers render what was hydrated, so dry commits cannot be compared.
  if (revisionPolicy === 'equivalent' && plan.hydration !== 'none' && scenario.version === '3.4') return false
  // What is rendered is what is observed, which may be another than what runs.
  const id = contentAt(git, observed, source?.path)
  if (revisionPolicy === 'equivalent') return id !== undefined && !contentOf(git, id).hasSecret
  return showsHistory(subject, wanted)
}

/** Whether the history that is left shows that what is observed was deployed after what is wanted. */
function showsHistory({ status }: Subject, { revision }: Wanted): boolean {
  const [first] = status.history
  const wantedAt = status.history.findIndex(({ revisions }) =>
    revision?.kind === 'any-source' ? revisions.some((one) => isSame(revision.revision, one)) : false,
  )
  // What was synced once more is what is wanted, and what is observed stands before it: nobody can tell.
  const observedAt = status.history.findIndex(({ revisions }) =>
    revisions.some((one) => status.revisions.includes(one)),
  )
  return (wantedAt > 0 || (wantedAt === 0 && first?.id === 0)) && observedAt > wantedAt
}
