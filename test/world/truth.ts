/**
 * What is true of an application at an instant, told from the world itself: what really runs, which commit it came of,
 * whether its hook really failed. Written from docs/verification.md, and on purpose with nothing of `lib/` that judges.
 */

import type { ImageReference } from '../../lib/image.ts'
import { parseImage } from '../../lib/image.ts'
import type { Policy, Wanted } from '../../lib/wanted.ts'
import { contentAt, contentOf, headOf, knownTags, pointedAt, sameContents } from './git.ts'
import { liveHealth } from './live.ts'
import { refOf, type Subject, syncedSource, type World } from './world.ts'

/** What is true of an application, or is not. */
export interface Truth {
  /** The store says that it is all that was asked for. */
  readonly isStored: boolean
  /** It really is: what runs is what the commit holds, it is healthy, and its hook has not failed. */
  readonly isReal: boolean
  /** Both, and nothing in the way of seeing it by the documented rules. */
  readonly isVisible: boolean
  /** Something is so that time alone will hardly mend, and that is held against this release. */
  readonly failing: Failing | undefined
  /** A streak of failing begins anew where this changes. */
  readonly observed: string
}

/** Why it is failing. */
export type Failing =
  | 'Deleting'
  | 'OperationFailed'
  | 'Conditions'
  | 'Hydrating'
  | 'OutOfSync'
  | 'RevisionMismatch'
  | 'NotHealthy'

export const ABSENT: Truth = {
  isStored: false,
  isReal: false,
  isVisible: false,
  failing: undefined,
  observed: '',
}

/**
 * Judges an application.
 *
 * @param since when the run began: a branch that pointed somewhere before it and no more is not what was asked for
 */
export function truthOf(world: World, subject: Subject, wanted: Wanted, since: number): Truth {
  if (!subject.exists) return ABSENT
  const { status, live, spec, operation, deletingSince } = subject
  const { scenario } = world
  const { operationState } = status
  const observed = status.revisions.join()
  const isOperating = operation !== undefined || isRunning(subject)
  const isIdentified = claims(world, subject, wanted, since)
  const isHealthy = wanted.health.includes(liveHealth(live))
  const isStored =
    deletingSince === undefined &&
    !isOperating &&
    status.syncStatus === 'Synced' &&
    isIdentified &&
    status.health !== undefined &&
    wanted.health.includes(status.health)
  const isReal =
    deletingSince === undefined &&
    !isOperating &&
    !(live.hasFailedHook && isKnowable(live, scenario.policy)) &&
    !live.hasDrifted &&
    sameContents(contentsOf(world, subject), live.contents) &&
    isHealthy &&
    runsImages(wanted.images, subject) &&
    (subject.plan.hydration === 'none' ||
      world.git.commits.get(status.revisions[0] ?? '')?.hydratedFrom?.spec === spec.number)
  const isVisible =
    isStored &&
    isReal &&
    shows(world, subject, wanted) &&
    subject.annotations.refresh === undefined &&
    status.conditions.length === 0 &&
    status.comparedTo === spec &&
    !hasFailed(subject) &&
    operationState?.operation.isLocal !== true &&
    isSettled(subject) &&
    isHydrated(subject) &&
    showsImages(wanted.images, subject)
  return {
    isStored,
    isReal,
    isVisible,
    failing: failing(world, subject, wanted, isIdentified, since),
    observed,
  }
}

/** Whether a run could know of a failed hook that a dry run has taken the place of. */
function isKnowable({ failureWasSeenFor }: Subject['live'], { interval }: Policy): boolean {
  return failureWasSeenFor === undefined || failureWasSeenFor > 3 * interval + 30_000
}

function isRunning({ status: { operationState } }: Subject): boolean {
  return (
    operationState !== undefined &&
    (operationState.phase === 'Running' || operationState.phase === 'Terminating')
  )
}

/** What the observed revisions hold under the present spec. */
function contentsOf({ git }: World, { spec, status }: Subject): number[] {
  return spec.sources.map(({ path }, i) => contentAt(git, status.revisions[i] ?? '', path) ?? Number.NaN)
}

/** Whether the status's revisions are what is wanted, by where refs really pointed and what really was deployed. */
function claims(world: World, subject: Subject, wanted: Wanted, since: number): boolean {
  const { commitMessage } = wanted
  if (commitMessage !== undefined) {
    const { commits } = world.git
    const { revisions } = subject.status
    if (!revisions.some((one) => commits.get(one)?.message.includes(commitMessage) === true)) return false
  }
  return claimsRevision(world, subject, wanted, since)
}

function claimsRevision(world: World, subject: Subject, wanted: Wanted, since: number): boolean {
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
          matches(world, subject, j, revision.revision, wanted, since),
      ),
  )
}

function isNamed({ name, repoURL, chart }: Subject['spec']['sources'][number], text: string): boolean {
  const plain = (url: string) => url.replace(/\.git$/, '')
  return text === name || plain(text) === plain(repoURL) || text === `${repoURL}#${chart}`
}

const FULL = /^[0-9a-f]{40}$/
const SHORT = /^[0-9a-f]{7,40}$/

function isSame(wanted: string, revision: string): boolean {
  const lower = wanted.toLowerCase()
  return wanted === revision || (FULL.test(revision) && SHORT.test(lower) && revision.startsWith(lower))
}

function matches(
  world: World,
  subject: Subject,
  i: number,
  wanted: string,
  { revisionPolicy }: Wanted,
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
      // Where a dry commit is skipped that changes nothing, the branch may be ahead of what was hydrated.
      const head = headOf(git, refOf(source, wanted)) ?? ''
      return contentAt(git, head, source.path) === contentAt(git, dry, source.path)
    }
  }
  if (knownTags(git, revision).includes(wanted)) return true
  if (revisionPolicy === 'at-least') return isDeployedAfter(world, deployments, i, revision, wanted)
  if (revisionPolicy !== 'equivalent') return false
  const other = [...git.commits.keys()].find((sha) => isSame(wanted, sha)) ?? wanted
  return spec.sources.length === 1
    ? contentAt(git, other, source.path) === contentAt(git, revision, source.path)
    : contentAt(git, other, source.path) === contentAt(git, revision, source.path) &&
        contentAt(git, other, source.path) !== undefined
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

function runsImages(images: readonly ImageReference[], { live }: Subject): boolean {
  return sees(
    images,
    live.pods.filter(({ state }) => state !== 'ended').map(({ image }) => image),
  )
}

/** The summary, but for the images of Pods that have ended, which the resource tree tells. */
function showsImages(images: readonly ImageReference[], { status, live }: Subject): boolean {
  if (images.length === 0) return true
  const ended = new Set(live.pods.flatMap(({ image, state }) => (state === 'ended' ? [image] : [])))
  return sees(
    images,
    status.images.filter((image) => !ended.has(image)),
  )
}

function sees(images: readonly ImageReference[], running: readonly string[]): boolean {
  return images.every(({ repository, tag }) => {
    const same = running
      .flatMap((text) => parseImage(text) ?? [])
      .filter((one) => one.repository === repository)
    return same.length > 0 && (tag === undefined || same.every((one) => one.tag === tag))
  })
}

/** Health is from after the end of the last operation, as far as whole seconds tell. */
function isSettled({ status: { operationState, reconciledAt } }: Subject): boolean {
  if (operationState === undefined || operationState.operation.isDryRun) return true
  return Math.floor((reconciledAt ?? 0) / 1000) >= Math.floor((operationState.finishedAt ?? 0) / 1000)
}

function isHydrated({ plan, spec, status: { hydrator }, annotations }: Subject): boolean {
  if (plan.hydration === 'none') return true
  return (
    annotations.hydrate === undefined &&
    hydrator.current?.phase === 'Hydrated' &&
    hydrator.current.spec === spec
  )
}

/** The last operation that was no dry run has failed, or an attempt of one that goes on. */
function hasFailed({ status: { operationState }, live }: Subject): boolean {
  if (live.hasFailedHook) return true
  if (operationState === undefined || operationState.operation.isDryRun) return false
  const { phase, retryCount, finishedAt } = operationState
  return (
    phase === 'Failed' ||
    phase === 'Error' ||
    (phase === 'Running' && (retryCount > 0 || finishedAt !== undefined))
  )
}

/** What is held against this release; what an older one did is not. */
function failing(
  world: World,
  subject: Subject,
  wanted: Wanted,
  isIdentified: boolean,
  since: number,
): Failing | undefined {
  const { status, live, deletingSince, spec } = subject
  const { operationState } = status
  if (deletingSince !== undefined) return 'Deleting'
  if (hasFailed(subject) && (isIdentified || isOperationWanted(world, subject, wanted, since)))
    return 'OperationFailed'
  if (status.conditions.some(({ type }) => type !== 'SyncError')) return 'Conditions'
  if (status.hydrator.current?.phase === 'Failed') return 'Hydrating'
  if (status.syncStatus === 'OutOfSync' && status.conditions.length > 0) return 'OutOfSync'
  if (
    wanted.revision?.kind === 'per-source' &&
    wanted.revision.entries.some((entry) => !spec.sources.some((source) => isNamed(source, entry.source)))
  )
    return 'RevisionMismatch'
  if (!isIdentified || !showsSome(wanted.images, subject)) return undefined
  if (status.health === 'Degraded') return 'NotHealthy'
  if (status.health !== 'Progressing') return undefined
  const began = Math.floor((operationState?.startedAt ?? 0) / 1000) * 1000
  const isStuck =
    live.pods.some(({ state, createdAt }) => state === 'broken' && createdAt >= began) ||
    (live.blockedSince !== undefined && live.blockedSince >= began)
  return isStuck ? 'NotHealthy' : undefined
}

/** Whether the last operation was for what is wanted: by its name, or because it is what is observed now. */
function isOperationWanted(world: World, subject: Subject, wanted: Wanted, since: number): boolean {
  const { revision } = wanted
  const { operationState, revisions } = subject.status
  if (revision === undefined) return false
  const synced = operationState?.synced ?? operationState?.operation.revisions ?? []
  if (synced.join() === revisions.join() && claimsRevision(world, subject, wanted, since)) return true
  const texts =
    revision.kind === 'any-source' ? [revision.revision] : revision.entries.map((entry) => entry.revision)
  const dryOf = (one: string) => world.git.commits.get(one)?.hydratedFrom?.dry ?? ''
  return texts.some((text) => synced.some((one) => isSame(text, one) || isSame(text, dryOf(one))))
}

function showsSome(images: readonly ImageReference[], { status }: Subject): boolean {
  return images.every(({ repository, tag }) =>
    status.images.some((text) => {
      const one = parseImage(text)
      return one !== undefined && one.repository === repository && (tag === undefined || one.tag === tag)
    }),
  )
}

/**
 * Whether what makes the revision the wanted one can be seen: of a Secret nobody sees whether it is the same, a history
 * is cut, and without refreshes nobody tells where the branch of a dry source points.
 */
function shows(world: World, subject: Subject, wanted: Wanted): boolean {
  const { git, scenario } = world
  const { status, spec, plan, live } = subject
  const { revision, revisionPolicy } = wanted
  if (revision === undefined) return true
  const texts =
    revision.kind === 'any-source' ? [revision.revision] : revision.entries.map((entry) => entry.revision)
  const tracked = spec.sources.map(({ targetRevision }) => targetRevision)
  if (
    plan.hydration !== 'none' &&
    scenario.policy.refresh === 'none' &&
    texts.some((text) => tracked.includes(text))
  )
    return false
  if (revisionPolicy === 'exact') return true
  const names = [...status.revisions, ...tracked].map((one) => git.commits.get(one)?.hydratedFrom?.dry ?? one)
  const isNamedSo = texts.some((text) => names.some((one) => isSame(text, one)))
  if (isNamedSo) return true
  // Older servers render what was hydrated, so dry commits cannot be compared.
  if (revisionPolicy === 'equivalent' && plan.hydration !== 'none' && scenario.version === '3.4') return false
  if (revisionPolicy === 'equivalent') return !contentOf(git, live.contents?.[0] ?? 0).hasSecret
  return showsHistory(subject, wanted)
}

/** Whether the history that is left shows that what is observed was deployed after what is wanted. */
function showsHistory({ status }: Subject, { revision }: Wanted): boolean {
  const [first] = status.history
  const wantedAt = status.history.findIndex(({ revisions }) =>
    revision?.kind === 'any-source' ? revisions.some((one) => isSame(revision.revision, one)) : false,
  )
  return wantedAt > 0 || (wantedAt === 0 && first?.id === 0)
}
