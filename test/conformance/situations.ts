/** The situations: what there is, what is asked, what happens a moment later, and what the answer has to be. */

import { at, type JsonObject } from '../argocd/json.ts'
import { KINDS } from './kubernetes.ts'
import { BROKEN_IMAGE, configMap, deployment, hook, IMAGES } from './manifests.ts'
import { all, arrived, type Condition, ELSEWHERE, PATH, type Scene, syncedAt } from './scene.ts'

/** What a situation needs of the cluster or of the executable. */
export type Need = 'pods' | 'hydrator' | 'sync' | 'equivalent' | 'selector-min'

/** What is asked, and what happens once it was. */
export interface Asked {
  readonly revision?: string
  /** More flags of the gate. With any, the others are not asked: they know none of it. */
  readonly flags?: readonly string[]
  /** By a selector instead of the Application's name. */
  readonly selector?: string
  /** What happens a moment after everybody was asked. The time is counted from its end. */
  readonly change?: () => Promise<unknown>
  /** Whether the answer is yes, by what Kubernetes has stored of each of these Applications. */
  readonly truth?: Condition
  /** Names of the Applications that are asked about; the scene's own by default. */
  readonly of?: readonly string[]
  /** Seconds that the truth must have held. */
  readonly soak?: number
  /** Seconds of failing until the gate gives up, 5 by default, so that a no comes soon. */
  readonly failAfter?: number
  /** Seconds until everybody gives up. */
  readonly timeout?: number
  /** Seconds in which a no can be said with reason, so that one at the timeout is late. */
  readonly by?: number
}

/** One of them. */
export interface Situation {
  readonly name: string
  readonly expected: 'yes' | 'no'
  readonly needs?: readonly Need[]
  /** Brings about what there is before anybody is asked. */
  readonly play: (scene: Scene) => Promise<Asked>
}

const FILE = 'main.yaml'
const NOTHING_THERE = '0123456789abcdef0123456789abcdef01234567'
const SHORT = 12
/** Long enough that whoever watches has seen what there is. */
const LOOKED_MS = 1000
/** Seconds in which a no that has a reason is due: what is failing must have been so for five. */
const SOON = 15
/** Likewise, of what only a tree shows, which is read each ten seconds. */
const SOON_BY_TREE = SOON + 10

/** A first commit of a ConfigMap, deployed. */
async function deployed(scene: Scene, change: JsonObject = {}): Promise<string> {
  const commit = await scene.commit({ [FILE]: configMap(scene.name, 'one') })
  await scene.settle(commit, change)
  return commit
}

const next = (scene: Scene, value = 'two') => scene.commit({ [FILE]: configMap(scene.name, value) })
const unrelated = (scene: Scene) => scene.branch.commit({ [`${ELSEWHERE}/${FILE}`]: `${Math.random()}\n` })
const retrying = (limit: number): JsonObject => ({
  spec: { syncPolicy: { retry: { limit, backoff: { duration: '2s', factor: 1 } } } },
})

/** Starts a sync as argocd-server does (`SetAppOperation`): what there was of an operation is gone. */
const start = (scene: Scene, sync: JsonObject) =>
  scene.patch({ operation: { sync }, status: { operationState: null } })

/** The last operation has ended so. */
const ended =
  (phase: string): Condition =>
  (application) =>
    application.operation === undefined && at(application, 'status', 'operationState', 'phase') === phase

/** An image runs, and no other. */
const runs = (application: JsonObject, image: string) =>
  JSON.stringify(at(application, 'status', 'summary', 'images')) === JSON.stringify([image]) &&
  at(application, 'status', 'health', 'status') === 'Healthy'

/** A second source, on the same branch but of another path. */
const TWO_SOURCES = ({ world, branch }: Scene): JsonObject => ({
  spec: {
    source: undefined,
    sources: [PATH, ELSEWHERE].map((path) => ({
      name: path,
      repoURL: world.repository,
      path,
      targetRevision: branch.name,
    })),
  },
})

async function twoSources(scene: Scene): Promise<string> {
  await scene.branch.commit({ [`${ELSEWHERE}/${FILE}`]: configMap(`${scene.name}-beside`, 'one') })
  const commit = await next(scene, 'one')
  await scene.branch.push()
  await scene.deploy(TWO_SOURCES(scene))
  await scene.until(arrived(commit))
  return commit
}

/** Deploys one commit that has something for a second Application as well. @returns that one's name */
async function besides(scene: Scene): Promise<string> {
  const second = `${scene.name}-second`
  await scene.branch.commit({ [`${ELSEWHERE}/${FILE}`]: configMap(second, 'one') })
  await deployed(scene)
  return second
}

/** Deploys a commit whose hook fails, and waits until it has. */
async function withFailedHook(scene: Scene, limit: number, phases: readonly string[]): Promise<string> {
  const commit = await scene.commit({
    [FILE]: configMap(scene.name, 'one'),
    'hook.yaml': hook(`${scene.name}-hook`, 'PostSync', scene.world.failingImage, false),
  })
  await scene.branch.push()
  await scene.deploy(retrying(limit))
  await scene.until(
    (application) =>
      phases.includes(String(at(application, 'status', 'operationState', 'phase'))) &&
      JSON.stringify(at(application, 'status', 'operationState', 'syncResult') ?? '').includes(
        '"hookPhase":"Failed"',
      ),
  )
  return commit
}

/** All of them, in the order of the table. */
export const SITUATIONS: readonly Situation[] = [
  {
    name: 'already there',
    expected: 'yes',
    play: async (scene) => {
      const revision = await deployed(scene)
      return { revision, truth: arrived(revision) }
    },
  },
  {
    name: 'just pushed',
    expected: 'yes',
    play: async (scene) => {
      await deployed(scene)
      const revision = await next(scene)
      await scene.branch.push()
      return { revision, truth: arrived(revision) }
    },
  },
  {
    name: 'pushed a moment later',
    expected: 'yes',
    play: async (scene) => {
      await deployed(scene)
      const revision = await next(scene)
      return { revision, change: () => scene.branch.push(), truth: arrived(revision) }
    },
  },
  {
    name: 'never pushed',
    expected: 'no',
    play: async (scene) => {
      await deployed(scene)
      return { revision: await next(scene), timeout: SHORT }
    },
  },
  {
    name: 'a commit that nobody has',
    expected: 'no',
    play: async (scene) => {
      await deployed(scene)
      return { revision: NOTHING_THERE, timeout: SHORT }
    },
  },
  {
    name: 'short SHA, just pushed',
    expected: 'yes',
    play: async (scene) => {
      await deployed(scene)
      const commit = await next(scene)
      await scene.branch.push()
      return { revision: commit.slice(0, 8), truth: arrived(commit) }
    },
  },
  {
    name: 'a tag of the commit',
    expected: 'yes',
    play: async (scene) => {
      await deployed(scene)
      const commit = await next(scene)
      const tag = await scene.branch.tag('release')
      await scene.branch.push()
      return { revision: tag, truth: arrived(commit) }
    },
  },
  {
    name: 'the tracked branch, just pushed',
    expected: 'yes',
    play: async (scene) => {
      await deployed(scene)
      const commit = await next(scene)
      await scene.branch.push()
      return { revision: scene.branch.name, truth: arrived(commit) }
    },
  },
  {
    name: 'the tracked tag, just moved',
    expected: 'yes',
    play: async (scene) => {
      await next(scene, 'one')
      const tag = await scene.branch.tag('moving')
      await scene.branch.push()
      await scene.deploy({ spec: { source: { targetRevision: tag } } })
      await scene.until((application) => at(application, 'status', 'health', 'status') === 'Healthy')
      const commit = await next(scene)
      await scene.branch.tag('moving')
      return { revision: tag, truth: arrived(commit) }
    },
  },
  {
    name: 'several sources',
    expected: 'yes',
    play: async (scene) => {
      await twoSources(scene)
      const revision = await next(scene)
      await scene.branch.push()
      return { revision, truth: arrived(revision) }
    },
  },
  {
    name: 'several sources, each by name',
    expected: 'yes',
    play: async (scene) => {
      const commit = await twoSources(scene)
      const flags = ['--revision', `${PATH}=${commit},${ELSEWHERE}=${commit}`]
      return { flags, truth: arrived(commit) }
    },
  },
  {
    name: 'several sources, one at another commit',
    expected: 'no',
    play: async (scene) => {
      const commit = await twoSources(scene)
      return { flags: ['--revision', `${PATH}=${commit},${ELSEWHERE}=${NOTHING_THERE}`], timeout: SHORT }
    },
  },
  {
    name: 'a hook that fails, all Synced and Healthy',
    expected: 'no',
    needs: ['pods'],
    play: async (scene) => ({ revision: await withFailedHook(scene, 0, ['Failed']), timeout: 30, by: SOON }),
  },
  {
    name: 'a hook that fails, and is retried',
    expected: 'no',
    needs: ['pods'],
    play: async (scene) => ({
      revision: await withFailedHook(scene, 20, ['Running']),
      timeout: 30,
      by: SOON,
    }),
  },
  {
    name: 'a hook that failed, then an unrelated commit',
    expected: 'no',
    needs: ['pods'],
    play: async (scene) => {
      await withFailedHook(scene, 0, ['Failed'])
      const revision = await unrelated(scene)
      await scene.branch.push()
      return { revision, timeout: 30, by: SOON }
    },
  },
  {
    name: 'a hook that failed, then a sync of some resources',
    expected: 'no',
    needs: ['pods'],
    play: async (scene) => {
      await deployed(scene, retrying(0))
      const revision = await scene.commit({
        [FILE]: configMap(scene.name, 'two'),
        'hook.yaml': hook(`${scene.name}-hook`, 'PostSync', scene.world.failingImage, false),
      })
      await scene.branch.push()
      const resources = [{ kind: 'ConfigMap', name: scene.name }]
      const change = async () => {
        await scene.until(ended('Failed'))
        await Bun.sleep(LOOKED_MS)
        await start(scene, { revision, resources })
        await scene.until(ended('Succeeded'))
      }
      return { revision, change, timeout: 60, by: SOON }
    },
  },
  {
    name: 'a hook that takes its time',
    expected: 'yes',
    needs: ['pods'],
    play: async (scene) => {
      await deployed(scene)
      const revision = await scene.commit({
        [FILE]: configMap(scene.name, 'two'),
        'hook.yaml': hook(`${scene.name}-hook`, 'PostSync', IMAGES[0], true),
      })
      await scene.branch.push()
      return { revision, truth: arrived(revision) }
    },
  },
  {
    name: 'the same commit synced once more, hooks running',
    expected: 'yes',
    needs: ['pods'],
    play: async (scene) => {
      const revision = await scene.commit({
        [FILE]: configMap(scene.name, 'one'),
        'hook.yaml': hook(`${scene.name}-hook`, 'PostSync', IMAGES[0], true),
      })
      await scene.settle(revision)
      await scene.patch({ operation: { sync: { revision } } })
      await scene.until((application) => at(application, 'status', 'operationState', 'phase') === 'Running')
      return { revision, truth: arrived(revision) }
    },
  },
  {
    name: 'overtaken by an unrelated commit, exact',
    expected: 'no',
    play: async (scene) => {
      const revision = await deployed(scene)
      const later = await unrelated(scene)
      await scene.branch.push()
      await scene.refresh()
      await scene.until(syncedAt(later))
      return { revision, timeout: SHORT }
    },
  },
  {
    name: 'overtaken by an unrelated commit, equivalent',
    expected: 'yes',
    needs: ['equivalent'],
    play: async (scene) => {
      const wanted = await deployed(scene)
      const later = await unrelated(scene)
      await scene.branch.push()
      await scene.refresh()
      await scene.until(syncedAt(later))
      return { flags: ['--revision', wanted, '--revision-policy', 'equivalent'], truth: arrived(later) }
    },
  },
  {
    name: 'overtaken by a change, equivalent',
    expected: 'no',
    needs: ['equivalent'],
    play: async (scene) => {
      const wanted = await deployed(scene)
      const later = await next(scene)
      await scene.branch.push()
      await scene.refresh()
      await scene.until(arrived(later))
      return { flags: ['--revision', wanted, '--revision-policy', 'equivalent'], timeout: SHORT }
    },
  },
  {
    name: 'overtaken by a change, at least',
    expected: 'yes',
    play: async (scene) => {
      const wanted = await deployed(scene)
      const later = await next(scene)
      await scene.branch.push()
      await scene.refresh()
      await scene.until(arrived(later))
      return { flags: ['--revision', wanted, '--revision-policy', 'at-least'], truth: arrived(later) }
    },
  },
  {
    name: 'rolled back, at least',
    expected: 'no',
    play: async (scene) => {
      const before = await deployed(scene)
      const wanted = await next(scene)
      await scene.branch.push()
      await scene.refresh()
      await scene.until(arrived(wanted))
      await scene.patch({ spec: { source: { targetRevision: before } } })
      await scene.until(arrived(before))
      return { flags: ['--revision', wanted, '--revision-policy', 'at-least'], timeout: SHORT }
    },
  },
  {
    name: 'a revert, just pushed',
    expected: 'yes',
    play: async (scene) => {
      await deployed(scene)
      const changed = await next(scene)
      await scene.branch.push()
      await scene.refresh()
      await scene.until(arrived(changed))
      const revision = await scene.branch.revert()
      await scene.branch.push()
      return { revision, truth: arrived(revision) }
    },
  },
  {
    name: 'the fix of a release that was broken for long',
    expected: 'yes',
    needs: ['pods'],
    play: async (scene) => {
      const broken = await scene.commit({
        [FILE]: deployment(scene.name, BROKEN_IMAGE, { progressDeadlineSeconds: 3 }),
      })
      await scene.branch.push()
      await scene.deploy()
      await scene.until((application) => at(application, 'status', 'health', 'status') === 'Degraded')
      const fix = await scene.commit({ [FILE]: deployment(scene.name, IMAGES[0]) })
      return {
        revision: fix,
        change: async () => {
          await Bun.sleep(8000)
          await scene.branch.push()
          await scene.refresh()
        },
        truth: arrived(fix),
        timeout: broken === fix ? 0 : 60,
      }
    },
  },
  {
    name: 'a Pod that never starts, long before its deadline',
    expected: 'no',
    needs: ['pods'],
    play: async (scene) => {
      const first = await scene.commit({ [FILE]: deployment(scene.name, IMAGES[0]) })
      await scene.settle(first)
      const revision = await scene.commit({ [FILE]: deployment(scene.name, BROKEN_IMAGE) })
      await scene.branch.push()
      return { revision, timeout: 30, by: SOON_BY_TREE }
    },
  },
  {
    name: 'a rolling update',
    expected: 'yes',
    needs: ['pods'],
    play: async (scene) => {
      await scene.settle(await scene.commit({ [FILE]: deployment(scene.name, IMAGES[0]) }))
      const revision = await scene.commit({
        [FILE]: deployment(scene.name, IMAGES[1], { minReadySeconds: 4 }),
      })
      await scene.branch.push()
      return { revision, truth: arrived(revision) }
    },
  },
  {
    name: 'an image, in a rolling update',
    expected: 'yes',
    needs: ['pods'],
    play: async (scene) => {
      await scene.settle(await scene.commit({ [FILE]: deployment(scene.name, IMAGES[0]) }))
      const commit = await scene.commit({ [FILE]: deployment(scene.name, IMAGES[1]) })
      await scene.branch.push()
      return { flags: ['--image', IMAGES[1]], truth: arrived(commit) }
    },
  },
  {
    name: 'an image that does not run',
    expected: 'no',
    needs: ['pods'],
    play: async (scene) => {
      await scene.settle(await scene.commit({ [FILE]: deployment(scene.name, IMAGES[0]) }))
      return { flags: ['--image', IMAGES[1]], timeout: SHORT }
    },
  },
  {
    name: 'an image of local manifests, then a dry run',
    expected: 'no',
    needs: ['pods'],
    play: async (scene) => {
      await scene.settle(await scene.commit({ [FILE]: deployment(scene.name, IMAGES[0]) }))
      await scene.patch({ spec: { syncPolicy: { automated: null } } })
      await start(scene, { manifests: [deployment(scene.name, IMAGES[1])] })
      await scene.until(all(ended('Succeeded'), (application) => runs(application, IMAGES[1])))
      await start(scene, { dryRun: true })
      await scene.until(
        (application) =>
          application.operation === undefined &&
          at(application, 'status', 'operationState', 'operation', 'sync', 'dryRun') === true,
      )
      return { flags: ['--image', IMAGES[1]], timeout: SHORT }
    },
  },
  {
    name: 'created late',
    expected: 'yes',
    play: async (scene) => {
      const revision = await next(scene, 'one')
      await scene.branch.push()
      return { revision, change: () => scene.deploy(), truth: arrived(revision) }
    },
  },
  {
    name: 'being deleted',
    expected: 'no',
    play: async (scene) => {
      const hold = { metadata: { finalizers: ['kpcea-conformance/hold'] } }
      const revision = await deployed(scene, hold)
      await scene.world.kubernetes.delete(KINDS.application, scene.name, scene.world.argocd)
      return { revision, timeout: 30, by: SOON }
    },
  },
  {
    name: 'nothing syncs it',
    expected: 'no',
    play: async (scene) => {
      await deployed(scene)
      await scene.patch({ spec: { syncPolicy: { automated: null } } })
      const revision = await next(scene)
      await scene.branch.push()
      return { revision, timeout: SHORT }
    },
  },
  {
    name: 'nothing syncs it but the gate',
    expected: 'yes',
    needs: ['sync'],
    play: async (scene) => {
      await deployed(scene)
      await scene.patch({ spec: { syncPolicy: { automated: null } } })
      const revision = await next(scene)
      await scene.branch.push()
      return { flags: ['--revision', revision, '--sync'], truth: arrived(revision) }
    },
  },
  {
    name: 'changed by hand',
    expected: 'no',
    play: async (scene) => {
      const revision = await deployed(scene)
      const { kubernetes, namespace } = scene.world
      await kubernetes.patch(KINDS.configMap, scene.name, namespace, { data: { value: 'by hand' } })
      await scene.until((application) => at(application, 'status', 'sync', 'status') === 'OutOfSync')
      return { revision, timeout: SHORT }
    },
  },
  {
    name: 'the spec just changed',
    expected: 'yes',
    play: async (scene) => {
      const revision = await deployed(scene)
      await scene.patch({ spec: { source: { directory: { recurse: true } } } })
      return { revision, truth: arrived(revision) }
    },
  },
  {
    name: 'manifests that cannot be rendered',
    expected: 'no',
    play: async (scene) => {
      await deployed(scene)
      const revision = await scene.commit({ [FILE]: 'kind: [\n' })
      await scene.branch.push()
      return { revision, timeout: 30, by: SOON }
    },
  },
  {
    name: 'a path that is there only later',
    expected: 'yes',
    play: async (scene) => {
      await unrelated(scene)
      await scene.branch.push()
      await scene.deploy()
      await scene.until((application) => at(application, 'status', 'conditions') !== undefined)
      const revision = await next(scene, 'one')
      return {
        revision,
        change: async () => {
          await scene.branch.push()
          await scene.refresh()
        },
        truth: arrived(revision),
        failAfter: 20,
      }
    },
  },
  {
    name: 'suspended',
    expected: 'no',
    play: async (scene) => {
      const revision = await scene.commit({ [FILE]: deployment(scene.name, IMAGES[0], { paused: true }) })
      await scene.branch.push()
      await scene.deploy()
      await scene.until(arrived(revision, ['Suspended']))
      return { revision, timeout: SHORT }
    },
  },
  {
    name: 'suspended, and accepted so',
    expected: 'yes',
    play: async (scene) => {
      const commit = await scene.commit({ [FILE]: deployment(scene.name, IMAGES[0], { paused: true }) })
      await scene.branch.push()
      await scene.deploy()
      const truth = arrived(commit, ['Suspended'])
      await scene.until(truth)
      return { flags: ['--revision', commit, '--health', 'Healthy,Suspended'], truth }
    },
  },
  {
    name: 'a selector, one of two behind',
    expected: 'yes',
    play: async (scene) => {
      const second = await besides(scene)
      await scene.deploy({ spec: { source: { path: ELSEWHERE } } }, second)
      const behind = await next(scene)
      await scene.until(syncedAt(await scene.branch.at('HEAD~1')), second)
      await scene.branch.push()
      return {
        selector: scene.selector,
        flags: ['--revision', behind],
        truth: arrived(behind),
        of: [scene.name, second],
      }
    },
  },
  {
    name: 'a selector that matches nothing',
    expected: 'no',
    play: async (scene) => {
      const revision = await deployed(scene)
      return { selector: 'situation=nobody', flags: ['--revision', revision], timeout: SHORT }
    },
  },
  {
    name: 'a selector, applications created one by one',
    expected: 'yes',
    needs: ['selector-min'],
    play: async (scene) => {
      const second = await besides(scene)
      const commit = await scene.branch.at('HEAD')
      return {
        selector: scene.selector,
        flags: ['--revision', commit, '--selector-min', '2'],
        change: async () => {
          await Bun.sleep(3000)
          await scene.deploy({ spec: { source: { path: ELSEWHERE } } }, second)
        },
        truth: arrived(commit),
        of: [scene.name, second],
      }
    },
  },
  {
    name: 'a soak of four seconds',
    expected: 'yes',
    play: async (scene) => {
      await deployed(scene)
      const commit = await next(scene)
      await scene.branch.push()
      return {
        flags: ['--revision', commit, '--stable-for', '4'],
        truth: arrived(commit),
        soak: 4,
      }
    },
  },
  {
    name: 'a commit message, just pushed',
    expected: 'yes',
    play: async (scene) => {
      await deployed(scene)
      const commit = await scene.commit(
        { [FILE]: configMap(scene.name, 'two') },
        'Freight 0815\n\nfor staging',
      )
      await scene.branch.push()
      return {
        flags: ['--verify-mode', 'SEARCH_COMMIT_MSG', '--commit-message', '0815'],
        truth: arrived(commit),
      }
    },
  },
  {
    name: 'a commit message that nobody wrote',
    expected: 'no',
    play: async (scene) => {
      await deployed(scene)
      return { flags: ['--verify-mode', 'SEARCH_COMMIT_MSG', '--commit-message', '0815'], timeout: SHORT }
    },
  },
  {
    name: 'a dry commit, just pushed',
    expected: 'yes',
    needs: ['hydrator'],
    play: async (scene) => {
      const dry = await hydrating(scene)
      const commit = await next(scene)
      await scene.branch.push()
      return {
        flags: ['--revision', commit],
        truth: (application) =>
          commit !== dry &&
          at(application, 'status', 'sourceHydrator', 'lastSuccessfulOperation', 'drySHA') === commit &&
          syncedAt(
            String(at(application, 'status', 'sourceHydrator', 'lastSuccessfulOperation', 'hydratedSHA')),
          )(application),
      }
    },
  },
]

/** An Application whose branch is hydrated to another one. @returns the dry commit that is there */
async function hydrating(scene: Scene): Promise<string> {
  const dry = await next(scene, 'one')
  await scene.branch.push()
  const { repository } = scene.world
  await scene.deploy({
    spec: {
      source: undefined,
      sourceHydrator: {
        drySource: { repoURL: repository, path: PATH, targetRevision: scene.branch.name },
        syncSource: { targetBranch: scene.branch.beside('hydrated'), path: PATH },
      },
    },
  })
  await scene.until(
    (application) =>
      at(application, 'status', 'sourceHydrator', 'lastSuccessfulOperation', 'drySHA') === dry &&
      at(application, 'status', 'sync', 'status') === 'Synced' &&
      at(application, 'status', 'health', 'status') === 'Healthy',
  )
  return dry
}
