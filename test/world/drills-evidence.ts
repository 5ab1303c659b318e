/** Drills of what is known, and how well: what a cache tells, answers on their way, and what was true a moment ago. */

import { type Drills, FOR_EVER, SMOOTH } from './drill.ts'
import { REPOSITORY, shaOf } from './scenario.ts'

export const DRILLS_OF_EVIDENCE: Drills = {
  /** The answer to a refresh comes from a cache that is behind, and what it tells is over. */
  'refresh by a cache that is behind': ({ random, startsAt, push }) => ({
    policy: { watch: false, interval: 30_000, failAfter: Number.POSITIVE_INFINITY },
    steps: [
      push(1, startsAt - random.integer(50, 300), undefined),
      { at: startsAt + random.integer(300, 2000), kind: 'degrade', application: 0, takes: 100_000 },
    ],
    faults: [{ kind: 'lag', from: 0, until: FOR_EVER, by: random.integer(2500, 4500) }],
  }),

  /** One turns bad while the answer that shows it good is on its way, and then the other turns good. */
  'two that are good one after the other': ({ random, startsAt }) => ({
    count: 2,
    wanted: shaOf(0),
    policy: { watch: false, interval: 1000, refresh: 'none', failAfter: Number.POSITIVE_INFINITY },
    steps: [
      { at: startsAt + random.integer(30, 150), kind: 'degrade', application: 0, takes: 100_000 },
      { at: startsAt - 5000, kind: 'degrade', application: 1, takes: 5000 + random.integer(200, 600) },
    ],
    faults: [
      {
        kind: 'late',
        from: 0,
        until: FOR_EVER,
        requests: random.integer(2, 4),
        only: 'look',
        by: random.integer(1500, 3000),
        readsLate: false,
      },
    ],
  }),

  /** It has recovered just before *fail after* passes, the stream has lost that, and answers are late. */
  'recovery that nobody tells of': ({ random, startsAt }) => {
    const failAfter = random.integer(13_000, 14_900)
    return {
      wanted: shaOf(0),
      policy: { watch: true, refresh: 'none', failAfter },
      steps: [
        { at: startsAt - 3000, kind: 'degrade', application: 0, takes: 3000 + random.integer(6000, 10_000) },
      ],
      faults: [
        { kind: 'lost', from: startsAt + 2000, until: FOR_EVER },
        {
          kind: 'late',
          from: startsAt + failAfter - 300,
          until: FOR_EVER,
          requests: 3,
          only: 'look',
          by: random.integer(1500, 2500),
          readsLate: false,
        },
      ],
    }
  },

  /** The release is Degraded, and a commit that touches nothing of it comes before *fail after* has passed. */
  'another release that is broken too': ({ random, startsAt, push }) => {
    const failAfter = random.integer(20_000, 40_000)
    const at = startsAt + failAfter * random.between(0.3, 0.9)
    return {
      wanted: '',
      wantedImage: 'registry.test/web:t0',
      policy: { failAfter, interval: 1000 },
      steps: [
        { at: startsAt - 3000, kind: 'degrade', application: 0, takes: 200_000 },
        push(1, at, undefined),
        { at: at + 20, kind: 'webhook' },
      ],
    }
  },

  /** A tag is tracked, and it has moved: the commit that is observed had it, and Argo CD's clone has not learnt more. */
  'tag that has moved': ({ random, startsAt, push }) => {
    const at = startsAt - random.integer(20, 1000)
    return {
      wanted: 'v1',
      plan: {
        sources: [
          { repoURL: REPOSITORY, path: 'web-0', chart: undefined, targetRevision: 'v1', name: undefined },
        ],
      },
      steps: [
        { at: 1, kind: 'tag', name: 'v1', commit: 0 },
        push(1, 500, {}),
        { at: 510, kind: 'tag', name: 'v1', commit: 1 },
        { at: 600, kind: 'webhook' },
        push(2, at - 2, {}),
        { at, kind: 'tag', name: 'v1', commit: 2 },
      ],
    }
  },

  /** An old image that only an ended Pod ran is rolled out again. */
  'old image that comes back': ({ random, startsAt, push }) => {
    const at = startsAt + random.integer(500, 6000)
    return {
      wanted: shaOf(2),
      wantedImage: 'registry.test/web:t101',
      policy: { watch: true, failAfter: Number.POSITIVE_INFINITY },
      steps: [
        { at: 300, kind: 'cronjob', application: 0, how: 'as what runs' },
        push(1, 500, {}),
        { at: 600, kind: 'webhook' },
        push(2, at, { image: SMOOTH.image, rolloutTakes: random.integer(300, 1500) }),
        { at: at + 20, kind: 'webhook' },
      ],
    }
  },

  /** What is broken is the release before, and where the branch of its dry source points the hydrator has not looked. */
  'hydrator that is busy': ({ random, startsAt, push }) => ({
    plan: { hydration: 'always' },
    wanted: 'main',
    policy: { failAfter: random.integer(0, 2000) },
    hydratorWaits: random.integer(3000, 12_000),
    steps: [
      { at: startsAt - 4000, kind: 'degrade', application: 0, takes: random.integer(20_000, 60_000) },
      push(1, startsAt - random.integer(20, 1000), {}),
    ],
  }),

  /** An error of comparison that somebody else's refresh has found, long before the next of the gate is usual. */
  'error between refreshes': ({ random, startsAt }) => {
    const at = startsAt + random.integer(128_000, 134_000)
    const failAfter = random.integer(3000, 8000)
    return {
      policy: { watch: false, failAfter, timeout: 500_000 },
      steps: [{ at, kind: 'refresh', application: 0, old: false }],
      faults: [{ kind: 'comparison error', from: at - 1500, until: at + failAfter + 7000 }],
    }
  },

  /** The one that is failing loses its label when *fail after* is about to pass. */
  'label that is taken away before a no': ({ random, startsAt }) => {
    const failAfter = random.integer(4000, 20_000)
    return {
      count: random.integer(2, 4),
      selector: true,
      wanted: shaOf(0),
      policy: { refresh: 'none', failAfter, watch: random.chance(0.8) },
      steps: [
        { at: startsAt - 3000, kind: 'degrade', application: 1, takes: 900_000 },
        { at: startsAt + failAfter - random.integer(100, 3000), kind: 'relabel', application: 1 },
      ],
    }
  },

  /** One of those that there must be gets its label while what matches is being listed. */
  'one that comes while all are listed': ({ random, startsAt }) => ({
    count: 2,
    selector: true,
    min: 2,
    wanted: shaOf(0),
    policy: { refresh: 'none', watch: true, interval: 1000 },
    steps: [
      { at: 100, kind: 'relabel', application: 1 },
      { at: startsAt + random.integer(0, 900), kind: 'relabel', application: 1, team: 'a' },
    ],
    faults: random.chance(0.8)
      ? [
          {
            kind: 'late',
            from: startsAt + random.pick([0, 0, 15, 60, 200]),
            until: FOR_EVER,
            requests: 1,
            by: random.integer(300, 900),
            readsLate: false,
          },
        ]
      : [],
  }),

  /** What was hydrated is compared in the second of the answer that was fresh evidence, and a list tells of it. */
  'list of what was compared in one second': ({ random, startsAt, push }) => ({
    plan: { hydration: 'always' },
    selector: true,
    wanted: 'main',
    policy: { watch: false, interval: 5000, failAfter: Number.POSITIVE_INFINITY },
    version: random.pick(['3.4', '3.5']),
    hydratorWaits: random.integer(0, 1200),
    steps: [push(1, startsAt - random.integer(20, 500), undefined)],
  }),

  /** Of many, a refresh hangs, and a stream tells of all of them. */
  'refresh of one of many that hangs': ({ random, startsAt }) => ({
    count: random.integer(21, 26),
    selector: true,
    wanted: 'main',
    policy: { watch: true, failAfter: Number.POSITIVE_INFINITY, timeout: 200_000 },
    faults: [
      {
        kind: 'hang',
        from: startsAt + random.integer(0, 2500),
        until: FOR_EVER,
        requests: 1,
        only: 'refresh',
      },
    ],
  }),

  /** It is Degraded for a moment, and the look that tells is late. */
  'late look at what has recovered': ({ random, startsAt }) => ({
    wanted: shaOf(0),
    wantedImage: 'registry.test/web:t0',
    policy: { watch: true, refresh: 'none', failAfter: 0, stableFor: 60_000 },
    steps: [
      {
        at: startsAt + random.integer(14_300, 15_300),
        kind: 'degrade',
        application: 0,
        takes: random.integer(200, 1500),
      },
    ],
    faults: [
      {
        kind: 'late',
        from: startsAt + 14_000,
        until: FOR_EVER,
        requests: 3,
        only: 'look',
        by: random.integer(600, 3000),
        readsLate: false,
      },
    ],
  }),
}
