/**
 * Drills: scenarios in which what a rule is for falls together, which by chance alone it does once in ten thousand
 * histories. Each is a promotion of one commit with little else, at times that chance moves about the one that hurts.
 */

import { parseWantedRevision } from '../../lib/revision.ts'
import type { Target } from '../../lib/wanted.ts'
import { type Drill, type Drills, FOR_EVER, type Setting, SMOOTH } from './drill.ts'
import { DRILLS_OF_EVIDENCE } from './drills-evidence.ts'
import { createRandom, type Random } from './random.ts'
import {
  type ApplicationPlan,
  type Fault,
  REPOSITORY,
  type Scenario,
  SERVER_NAMESPACE,
  type Step,
  shaOf,
  type Version,
} from './scenario.ts'

const DRILLS: Drills = {
  ...DRILLS_OF_EVIDENCE,

  /** A hook that fails again and again: failing from its first attempt on, also during the next. */
  'hook that is retried': ({ random, startsAt, push }) => ({
    plan: { retries: 5 },
    policy: { failAfter: random.integer(3000, 75_000), timeout: 500_000 },
    steps: [push(1, startsAt - 1000, { hook: 'fails', hookTakes: random.integer(1000, 8000) })],
  }),

  /** A sync is asked for, and nobody begins it. */
  'operation that is not begun': ({ random, startsAt }) => {
    const at = startsAt - random.integer(700, 3000)
    return {
      plan: { automated: false, selfHeals: false },
      wanted: shaOf(0),
      policy: { refresh: 'none' },
      steps: [{ at, kind: 'sync', application: 0, how: 'plain' }],
      faults: [{ kind: 'controller down', from: at - 10, until: startsAt + random.integer(3000, 10_000) }],
    }
  },

  /** What is wanted was deployed, and what was before it was deployed again; the history may hold no more than that. */
  'rollback by the branch': ({ random, startsAt, push }) => ({
    plan: { automated: false, selfHeals: false, historyLimit: random.pick([2, 2, 3, 10]) },
    revisionPolicy: 'at-least',
    steps: [
      push(1, 500, {}),
      { at: 600, kind: 'webhook' },
      { at: 1500, kind: 'sync', application: 0, how: 'plain' },
      push(0, startsAt - 4500, { ...SMOOTH }),
      { at: startsAt - 4400, kind: 'webhook' },
      { at: startsAt - random.integer(1000, 3500), kind: 'sync', application: 0, how: 'plain' },
    ],
  }),

  /** Git cannot be read at the moment of the first refresh. */
  'error at the first refresh': ({ random, startsAt, push }) => ({
    policy: { failAfter: random.integer(2000, 10_000) },
    steps: [push(1, startsAt - random.integer(50, 2000), {})],
    faults: [{ kind: 'comparison error', from: startsAt - 20, until: startsAt + random.integer(300, 1900) }],
  }),

  /** The release is Degraded for good, and Git cannot be read now and then. */
  'errors while it is broken': ({ random, startsAt }) => {
    const times = Array.from({ length: 16 }, (_, i) => startsAt + 10_000 + 25_000 * i)
    return {
      wanted: shaOf(0),
      policy: { failAfter: random.integer(30_000, 60_000), timeout: 600_000 },
      steps: [
        { at: startsAt - 2000, kind: 'degrade', application: 0, takes: 900_000 },
        ...times.flatMap((at): Step[] => [
          { at, kind: 'refresh', application: 0, old: false },
          { at: at + 4000, kind: 'refresh', application: 0, old: false },
        ]),
      ],
      faults: times.map((at) => ({ kind: 'comparison error', from: at - 100, until: at + 2500 })),
    }
  },

  /** A hook fails, and then a dry run takes its place on record. */
  'dry run after a failed hook': ({ random, startsAt, push }) => ({
    plan: { automated: false, selfHeals: false, retries: 0 },
    policy: { failAfter: Number.POSITIVE_INFINITY, interval: random.integer(1000, 5000) },
    steps: [
      push(1, startsAt - 3000, { hook: 'fails' }),
      { at: startsAt, kind: 'webhook' },
      { at: startsAt + 1500, kind: 'sync', application: 0, how: 'plain' },
      { at: startsAt + random.integer(60_000, 90_000), kind: 'sync', application: 0, how: 'dry run' },
    ],
  }),

  /** A hook fails, and then a sync to another commit that cannot be applied, and is taken back. */
  'failed sync after a failed hook': ({ random, startsAt, push }) => {
    const at = startsAt + random.integer(60_000, 90_000)
    return {
      plan: { automated: false, selfHeals: false, retries: 0 },
      wanted: 'main',
      policy: { failAfter: Number.POSITIVE_INFINITY, interval: random.integer(1000, 5000) },
      steps: [
        push(1, startsAt - 3000, { hook: 'fails' }),
        { at: startsAt, kind: 'webhook' },
        { at: startsAt + 1500, kind: 'sync', application: 0, how: 'plain' },
        push(2, at, { applies: false }),
        { at: at + 100, kind: 'sync', application: 0, how: 'plain' },
        push(3, at + random.integer(2000, 5000), { id: 101, image: 'registry.test/web:t101', hook: 'fails' }),
      ],
    }
  },

  /** A hook fails in each attempt but the last, which does not even come to it, and another commit changes nothing. */
  'last attempt that came to no hook': ({ random, startsAt, push }) => ({
    plan: { retries: 4 },
    wanted: 'main',
    policy: {
      failAfter: Number.POSITIVE_INFINITY,
      timeout: 300_000,
      interval: 1000,
      watch: random.chance(0.5),
    },
    steps: [
      push(1, startsAt - 1000, { hook: 'fails' }),
      push(2, startsAt + random.integer(105_000, 115_000), undefined),
    ],
    faults: [{ kind: 'comparison error', from: startsAt + 60_000, until: startsAt + 102_000 }],
  }),

  /** The release before could not be applied, and the fix comes. */
  'what was given up before the fix': ({ random, startsAt, push }) => ({
    plan: { retries: 0, content: SMOOTH },
    policy: { failAfter: random.integer(0, 15_000) },
    steps: [
      push(2, 100, { id: 102, applies: false }),
      { at: 200, kind: 'webhook' },
      push(1, startsAt + random.integer(20_000, 40_000), {}),
    ],
  }),

  /** What the hydrator renders is changed, and its branch still holds what it rendered before. */
  'another dry path': ({ random, startsAt }) => ({
    plan: { hydration: random.pick(['always', 'skips']) },
    wanted: shaOf(0),
    steps: [{ at: startsAt + random.integer(-2500, 100), kind: 'respec', application: 0, change: 'path' }],
  }),

  /** Somebody asks for refreshes while it is hydrated from elsewhere, and one of them answers the hydrator's own. */
  'hydration in the middle of a comparison': ({ random, startsAt }) => ({
    plan: { hydration: 'always' },
    wanted: '',
    wantedImage: 'registry.test/web:t0',
    version: random.pick(['3.4', '3.5']),
    pace: 12,
    policy: { watch: true, stableFor: random.pick([0, 0, 5000]) },
    steps: [
      { at: startsAt - 500, kind: 'respec', application: 0, change: 'path' },
      ...[0, 1, 2, 3, 4].map(
        (i): Step => ({
          at: startsAt + 3000 * i + random.integer(0, 2000),
          kind: 'refresh',
          application: 0,
          old: false,
        }),
      ),
    ],
  }),

  /** What is wanted cannot be rendered, or what came after it. */
  'hydration that fails': ({ random, startsAt, push }) => {
    const at = startsAt + random.integer(-3000, 1000)
    return {
      plan: { hydration: 'always' },
      policy: { failAfter: random.integer(1000, 8000) },
      wanted: shaOf(random.pick([0, 1])),
      steps: [push(1, at - 50, { renders: false }), { at, kind: 'webhook' }],
    }
  },

  /** A Job of a CronJob fails while a rollout goes on. */
  'nightly job that fails': ({ random, startsAt, push }) => ({
    policy: { failAfter: random.integer(0, 10_000) },
    steps: [
      push(1, startsAt - 1000, { rolloutTakes: random.integer(20_000, 40_000) }),
      { at: startsAt - 900, kind: 'webhook' },
      { at: startsAt + random.integer(1000, 8000), kind: 'cronjob', application: 0, how: 'fails' },
    ],
  }),

  /** A Pod is evicted, and another one takes its place. */
  'Pod that is evicted': ({ random, startsAt, push }) => ({
    policy: { failAfter: random.integer(0, 8000) },
    steps: [
      push(1, startsAt - 1000, { rolloutTakes: random.integer(300, 2000) }),
      { at: startsAt - 900, kind: 'webhook' },
      {
        at: startsAt + random.integer(100, 6000),
        kind: 'evict',
        application: 0,
        takes: random.integer(20_000, 40_000),
      },
    ],
  }),

  /** No Pod may be made at first; then somebody restarts the rollout, and another ReplicaSet takes over. */
  'rollout that is begun anew': ({ random, startsAt, push }) => ({
    policy: { failAfter: random.integer(9000, 12_000) },
    steps: [
      push(1, startsAt - 1000, { rollout: 'no quota' }),
      { at: startsAt - 900, kind: 'webhook' },
      {
        at: startsAt + random.integer(2000, 5000),
        kind: 'restart',
        application: 0,
        takes: random.integer(30_000, 50_000),
      },
    ],
  }),

  /** A Pod of a CronJob has ended with the image that the old Pods still run. */
  'ended Pod beside old ones': ({ random, startsAt, push }) => ({
    wanted: '',
    wantedImage: 'registry.test/web:t101',
    steps: [
      { at: 500, kind: 'cronjob', application: 0, how: 'as what runs' },
      push(1, startsAt - 1000, { rolloutTakes: random.integer(300, 15_000) }),
      { at: startsAt - 900, kind: 'webhook' },
    ],
  }),

  /** A comparison that has read Git before the push answers the refresh of a gate whose cache is behind. */
  'refresh that is absorbed': ({ random, startsAt, push }) => {
    const lag = random.integer(1000, 3000)
    const pushedAt = startsAt - random.integer(20, 400)
    const old = random.chance(0.7)
    return {
      count: random.pick([1, 2, 3]),
      selector: random.chance(0.5),
      wanted: 'main',
      version: random.pick(['3.4', '3.5', '3.5', '3.6']),
      pace: 12,
      steps: [
        ...[0, 1, 2].map(
          (application): Step => ({
            at: pushedAt - random.integer(200, 2000),
            kind: 'refresh',
            application,
            old,
          }),
        ),
        push(1, pushedAt, {}),
      ],
      faults: [{ kind: 'lag', from: 0, until: startsAt + 4000, by: lag }],
    }
  },

  /** The gate's only refresh is lost, refused for a moment, or comes before the push; nobody else asks for one. */
  'refresh that comes to nothing': ({ random, startsAt, push }) => {
    const fault = random.pick<Fault | undefined>([
      { kind: 'hang', from: 0, until: FOR_EVER, requests: 1, only: 'refresh' },
      { kind: 'refresh refused', from: 0, until: startsAt + 3000, status: random.pick([400, 401, 403]) },
      undefined,
    ])
    const at = fault === undefined ? random.integer(1000, 30_000) : -random.integer(500, 4000)
    return {
      policy: { timeout: 110_000, refresh: 'normal' },
      steps: [push(1, startsAt + at, {})],
      faults: fault === undefined ? [] : [fault],
    }
  },

  /** A proxy holds the stream back for as long as the run lasts, and what is waited for comes late in it. */
  'stream that is held back': ({ random, startsAt, push }) => ({
    policy: { watch: true, interval: random.integer(1000, 2000), refresh: 'none', timeout: 200_000 },
    steps: pushedLate(random, startsAt, push),
    faults: [{ kind: 'buffered', from: 0, until: FOR_EVER }],
  }),

  /** The stream of many falls silent, and what is waited for comes late. */
  'silent stream of many': ({ random, startsAt, push }) => ({
    count: 24,
    selector: random.chance(0.5),
    policy: { watch: true, refresh: 'none', timeout: 300_000, interval: 2000 },
    steps: pushedLate(random, startsAt, push, 24),
    faults: [{ kind: random.pick(['silent', 'lost']), from: startsAt + 3000, until: FOR_EVER }],
  }),

  /** Of many, one becomes bad and the stream loses it, and then the last one becomes good. */
  'one of many that turns bad': ({ random, startsAt }) => {
    const at = startsAt + random.integer(2000, 60_000)
    return {
      count: 24,
      selector: random.chance(0.5),
      wanted: shaOf(0),
      policy: { watch: random.chance(0.8), refresh: 'none' },
      steps: [
        { at: startsAt - 3000, kind: 'degrade', application: 0, takes: at - startsAt + 3000 },
        { at: at - random.integer(1500, 4000), kind: 'degrade', application: 1, takes: 100_000 },
      ],
      faults: [{ kind: 'lost', from: at - 4500, until: at - random.integer(0, 200) }],
    }
  },

  /** Of many, some change while a stream is being opened. */
  'many that change at the opening': ({ random, startsAt }) => ({
    count: 24,
    selector: random.chance(0.5),
    wanted: shaOf(0),
    policy: { watch: true, refresh: 'none' },
    steps: Array.from({ length: random.integer(1, 4) }, (): Step => {
      const at = startsAt + random.integer(-1200, 400)
      return { at, kind: 'degrade', application: random.integer(0, 23), takes: random.integer(300, 20_000) }
    }),
    faults: random.chance(0.7)
      ? [{ kind: 'gap', from: 0, until: FOR_EVER, by: random.integer(200, 3000) }]
      : [],
  }),

  /** A long soak that is broken while the stream loses it, or while nobody can be asked. */
  'soak that is broken unseen': ({ random, startsAt }) => {
    const from = startsAt + random.integer(10_000, 40_000)
    const takes = random.integer(80_000, 100_000)
    const kind = random.pick<'lost' | 'outage'>(['lost', 'outage'])
    return {
      wanted: shaOf(0),
      policy: {
        stableFor: random.integer(200_000, 240_000),
        timeout: 600_000,
        failAfter: Number.POSITIVE_INFINITY,
      },
      steps: [{ at: from, kind: 'degrade', application: 0, takes }],
      faults: [{ kind, from: from - 3000, until: from + takes + 4000 }],
    }
  },

  /** While it is soaked, Argo CD finds a commit by itself that changes nothing. */
  'soak that another commit falls into': ({ random, startsAt, push }) => ({
    wanted: shaOf(0),
    revisionPolicy: 'equivalent',
    policy: {
      // One of the run's own would break it.
      refresh: random.pick(['none', 'normal']),
      stableFor: random.integer(190_000, 240_000),
      timeout: 600_000,
      watch: random.chance(0.5),
    },
    steps: [push(2, startsAt + random.integer(100, 100_000), undefined, 'unrelated 2')],
  }),

  /** Requests take their time while health comes and goes. */
  'late answers about what flaps': ({ random, startsAt }) => {
    const at = () => startsAt + random.pick([0, 0, 250, 5000]) + random.integer(-1500, 1500)
    return {
      count: random.pick([1, 2, 3]),
      wanted: shaOf(0),
      policy: { watch: random.chance(0.8), failAfter: random.pick([0, 2000, 120_000]), refresh: 'none' },
      steps: Array.from({ length: random.integer(2, 6) }, (): Step => {
        const application = random.integer(0, 2)
        return { at: at(), kind: 'degrade', application, takes: random.integer(300, 4000) }
      }),
      faults: [
        {
          kind: 'late',
          from: 0,
          until: FOR_EVER,
          requests: random.integer(1, 4),
          by: random.integer(500, 3000),
          readsLate: random.chance(0.2),
        },
      ],
    }
  },

  /** One request hangs, when it decides. */
  'look that hangs': ({ random, startsAt, push }) => ({
    wanted: shaOf(random.pick([0, 1])),
    policy: { watch: random.chance(0.5), refresh: 'none', interval: random.integer(1000, 5000) },
    steps: pushedLate(random, startsAt, push).map((step) => ({ ...step, at: step.at - 30_000 })),
    faults: [
      {
        kind: 'hang',
        from: random.pick([0, startsAt + random.integer(1000, 30_000)]),
        until: FOR_EVER,
        requests: 1,
        only: 'look',
      },
    ],
  }),

  /** A token that is refused for good, or a server that was never there. */
  'nobody to ask': ({ random, startsAt, push }) => ({
    policy: { timeout: 300_000, failAfter: random.integer(1000, 40_000), watch: random.chance(0.5) },
    steps: [push(1, startsAt + 250_000, {})],
    faults: [
      random.pick<Fault>([
        { kind: 'unauthorized', from: startsAt + random.integer(3000, 30_000), until: FOR_EVER },
        { kind: 'hopeless', from: 0, until: FOR_EVER, code: random.pick(['ENOTFOUND', 'ECONNREFUSED']) },
      ]),
    ],
  }),

  /** The one that is not as wanted loses its label, which no stream tells. */
  'label that is taken away': ({ random, startsAt }) => {
    const at = startsAt + random.integer(1000, 60_000)
    return {
      count: random.integer(2, 4),
      selector: true,
      wanted: shaOf(0),
      policy: { watch: random.chance(0.8), refresh: 'none', failAfter: Number.POSITIVE_INFINITY },
      steps: [
        { at: startsAt - 3000, kind: 'degrade', application: 1, takes: 900_000 },
        { at, kind: 'relabel', application: 1 },
      ],
    }
  },

  /** Labels change, and applications come and go, where a selector is asked for. */
  'selector that matches others': ({ random, startsAt }) => {
    const count = random.integer(2, 5)
    const any = () => random.integer(0, count - 1)
    const at = () => startsAt + random.pick([0, 0, 15_000, 30_000]) + random.integer(-1500, 3000)
    return {
      count,
      selector: true,
      min: random.integer(1, count),
      wanted: shaOf(0),
      policy: { watch: random.chance(0.7), refresh: 'none' },
      steps: [
        { at: at(), kind: 'degrade', application: any(), takes: random.integer(1000, 40_000) },
        { at: at(), kind: 'delete', application: any(), takes: random.integer(200, 3000) },
        { at: at(), kind: 'create', application: any() },
        { at: at(), kind: 'create', application: any() },
      ],
      faults: random.chance(0.5)
        ? [
            {
              kind: random.pick(['cut', 'lost']),
              from: startsAt + 1000,
              until: startsAt + random.integer(2000, 20_000),
            },
          ]
        : [],
    }
  },

  /** A CronJob's Pod ends near the end of a soak, and only the tree tells that it runs no more. */
  'CronJob that ends during a soak': ({ random, startsAt }) => {
    const stableFor = random.integer(30_000, 45_000)
    return {
      wanted: shaOf(0),
      wantedImage: SMOOTH.image,
      policy: { stableFor },
      steps: [{ at: startsAt + stableFor - random.integer(200, 8000), kind: 'cronjob', application: 0 }],
    }
  },

  /** What is broken is synced once more, and broken again: Progressing at first, as a tree tells. */
  'next attempt that is broken as well': ({ random, startsAt, push }) => ({
    policy: { failAfter: 120_000, refresh: 'none', timeout: 500_000 },
    steps: [
      push(1, startsAt - 3000, {
        rollout: random.pick(['no image', 'no quota']),
        progressDeadline: random.integer(8000, 20_000),
      }),
      { at: startsAt - 2000, kind: 'webhook' },
      { at: startsAt + random.integer(60_000, 110_000), kind: 'drift', application: 0 },
    ],
  }),

  /** No refresh may confirm an error, and fail after is short. */
  'error that nothing confirms': ({ random, startsAt }) => ({
    wanted: shaOf(0),
    policy: {
      failAfter: random.integer(0, 6000),
      interval: random.integer(1000, 3000),
      refresh: 'none',
      watch: random.chance(0.8),
      timeout: 400_000,
    },
    steps: [{ at: startsAt - random.integer(10, 3000), kind: 'invalid', application: 0, takes: 900_000 }],
  }),

  /** A stream is held back, and what is asked for is created meanwhile. */
  'created behind a proxy that buffers': ({ random, startsAt }) => ({
    plan: { beginning: 'absent' },
    count: random.integer(1, 2),
    selector: random.chance(0.5),
    wanted: shaOf(0),
    policy: { watch: true, refresh: 'none', interval: random.integer(2000, 5000) },
    steps: [0, 1].map((number) => ({
      at: startsAt + random.integer(2000, 16_000),
      kind: 'create',
      application: number,
    })),
    faults: [{ kind: 'buffered', from: startsAt - 1000, until: startsAt + random.integer(1000, 3000) }],
  }),

  /** One of many is met later than the others, and then nothing is told for the whole of a soak. */
  'soak of many that is told of nothing': ({ random, startsAt }) => ({
    count: 21 + random.integer(0, 3),
    plan: { automated: false, selfHeals: false },
    selector: random.chance(0.5),
    wanted: shaOf(0),
    policy: {
      watch: true,
      refresh: 'none',
      interval: 1000,
      stableFor: random.integer(4000, 9000),
      timeout: 30_000,
    },
    steps: [{ at: startsAt - random.integer(100, 400), kind: 'sync', application: 1, how: 'plain' }],
  }),
}

/** A commit that is pushed and told of, some time after the gate has settled. */
function pushedLate(random: Random, startsAt: number, push: Setting['push'], count = 1): Step[] {
  const at = startsAt + random.integer(45_000, 110_000)
  const content = { rolloutTakes: random.integer(300, 2000) }
  const pushed = push(1, at, content)
  const touches = Array.from({ length: count }, (_, i) => i)
  return [pushed.kind === 'push' ? { ...pushed, touches } : pushed, { at: at + 50, kind: 'webhook' }]
}

/** What there are drills of. */
export const DRILL_NAMES: readonly string[] = Object.keys(DRILLS)

/** A drill from its seed. */
export function generateDrill(seed: number): Scenario {
  return drillOf(DRILLS, seed, createRandom(seed, 11))
}

/** One of some drills, as chance has it. */
export function drillOf(drills: Drills, seed: number, random: Random): Scenario {
  const startsAt = random.integer(8000, 20_000)
  const push: Setting['push'] = (commit, at, content, message = `release ${commit}`) => ({
    at: Math.max(at, 1),
    kind: 'push',
    commit,
    branch: 'main',
    touches: content === undefined ? [] : [0, 1, 2],
    part: 'first',
    content: { ...SMOOTH, id: 100 + commit, image: `registry.test/web:t${100 + commit}`, ...content },
    message,
  })
  const name = random.pick(Object.keys(drills))
  const drill = drills[name]?.({ random, startsAt, push }) ?? {}
  const { count = 1, plan, policy, steps = [], faults = [], version, pace, hydratorWaits } = drill
  const applications = Array.from({ length: count }, (_, i) => applicationOf(i, plan))
  return {
    seed,
    version: version ?? random.pick<Version>(['3.4', '3.5', '3.6']),
    startsAt,
    interruptedAt: undefined,
    policy: {
      timeout: 240_000,
      interval: 5000,
      stableFor: 0,
      failAfter: 120_000,
      refresh: 'normal',
      watch: random.chance(0.6),
      ...policy,
    },
    target: targetOf(applications, drill),
    applications,
    skew: random.pick([0, 3_600_000, -3_600_000]),
    pace: pace ?? 1,
    steps: [...steps].sort((a, b) => a.at - b.at),
    faults,
    drill: name,
    hydratorWaits,
  }
}

function applicationOf(i: number, plan: Drill['plan'] = {}): ApplicationPlan {
  const name = `web-${i}`
  return {
    name,
    namespace: SERVER_NAMESPACE,
    labels: { team: 'a' },
    sources: [{ repoURL: REPOSITORY, path: name, chart: undefined, targetRevision: 'main', name: undefined }],
    hasSeveralSources: false,
    hydration: 'none',
    automated: true,
    selfHeals: true,
    retries: 0,
    historyLimit: 10,
    beginning: 'settled',
    ...plan,
    content: { ...SMOOTH, ...plan.content, id: i + 1 },
  }
}

function targetOf(
  applications: readonly ApplicationPlan[],
  { wanted: text = shaOf(1), wantedImage, revisionPolicy = 'exact', selector = false, min = 1 }: Drill,
): Target {
  const images =
    wantedImage === undefined
      ? []
      : [
          {
            repository: wantedImage.slice(0, wantedImage.lastIndexOf(':')),
            tag: wantedImage.split(':')[1],
            digest: undefined,
          },
        ]
  const wanted = {
    revision: text === '' ? undefined : parseWantedRevision(text),
    revisionPolicy,
    images,
    commitMessage: undefined,
    health: ['Healthy'],
  } as const
  if (selector)
    return { kind: 'selector', project: undefined, selector: 'team=a', min, namespace: undefined, wanted }
  return {
    kind: 'names',
    project: undefined,
    applications: applications.map(({ name, namespace }) => ({ name, namespace, wanted })),
  }
}
