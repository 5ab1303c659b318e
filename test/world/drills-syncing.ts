/** Drills of a gate that syncs: what somebody else has begun, and what is not to be taken for its own. */

import type { Policy, Sync } from '../../lib/wanted.ts'
import type { Drills, Setting } from './drill.ts'
import { shaOf } from './scenario.ts'

const OURS: Sync = { prune: undefined, stage: undefined, id: undefined }

/** Nobody syncs it by itself. */
const MANUAL = { automated: false, selfHeals: false, retries: 0 } as const

/** What `--sync` is for, with an id or without. */
function syncing({ random }: Setting): Partial<Policy> {
  const id = random.chance(0.5) ? 'promotion' : undefined
  return { timeout: 150_000, interval: 1000, sync: { ...OURS, id } }
}

export const DRILLS_OF_SYNCING: Drills = {
  /** Somebody has begun a sync to the same commit, and its hook fails. */
  'sync of somebody else that fails': (setting) => {
    const { random, startsAt } = setting
    return {
      plan: {
        ...MANUAL,
        beginning: 'out-of-sync',
        content: { hook: 'fails', hookTakes: random.integer(7000, 10_000) },
      },
      wanted: shaOf(0),
      policy: syncing(setting),
      steps: [{ at: startsAt + random.integer(-2500, 300), kind: 'sync', application: 0, how: 'plain' }],
    }
  },

  /** All that somebody's sync was to bring is there and Synced when the run begins, and then its hook fails. */
  'sync of somebody else of which only a hook is left': (setting) => {
    const { random, startsAt } = setting
    return {
      plan: {
        ...MANUAL,
        beginning: 'out-of-sync',
        content: {
          rolloutTakes: random.integer(300, 900),
          hook: 'fails',
          hookTakes: random.integer(9000, 12_000),
        },
      },
      wanted: shaOf(0),
      policy: syncing(setting),
      steps: [
        { at: startsAt - random.integer(4000, 5000), kind: 'sync', application: 0, how: 'plain' },
        { at: startsAt - random.integer(1500, 2000), kind: 'webhook' },
      ],
    }
  },

  /** Somebody has begun a dry run, or a sync of some resources, or of local manifests. */
  'sync of somebody else that is another': (setting) => {
    const { random, startsAt } = setting
    const how = random.pick<'dry run' | 'some resources' | 'local'>(['dry run', 'some resources', 'local'])
    return {
      plan: { ...MANUAL, beginning: 'out-of-sync' },
      wanted: random.pick(['main', shaOf(0)]),
      policy: syncing(setting),
      pace: 4,
      steps: [{ at: startsAt - random.integer(0, 900), kind: 'sync', application: 0, how }],
    }
  },

  /** Somebody has begun a sync to what is tracked, which is ahead of what is wanted. */
  'sync of somebody else to another commit': (setting) => {
    const { random, startsAt, push } = setting
    return {
      plan: { ...MANUAL, beginning: 'out-of-sync' },
      wanted: shaOf(0),
      policy: syncing(setting),
      steps: [
        push(1, 300, { hook: 'passes', hookTakes: random.integer(3000, 6000) }),
        { at: 400, kind: 'webhook' },
        { at: startsAt - random.integer(-200, 2500), kind: 'sync', application: 0, how: 'plain' },
      ],
    }
  },

  /** An owner who lets other Stages change it, or writes what lets nobody. */
  'owner who does not let everybody': (setting) => {
    const { random } = setting
    const stages = random.pick([undefined, 'shop:test', 'shop:*', 'shop:prod,*:prod', 'shop:prod,shop'])
    const owner = { stages, authorizes: false, isPermitted: true, prunes: false, closed: [] }
    const { sync = OURS, ...policy } = syncing(setting)
    return {
      plan: { ...MANUAL, beginning: 'out-of-sync', owner },
      wanted: shaOf(0),
      policy: { ...policy, sync: { ...OURS, ...sync, stage: { project: 'shop', name: 'prod' } } },
    }
  },

  /** Deleted and created anew between two polls, and in error before and after. */
  'application that is another by the next poll': ({ random, startsAt }) => ({
    plan: MANUAL,
    policy: {
      timeout: 40_000,
      interval: 5000,
      watch: false,
      refresh: 'normal',
      failAfter: random.integer(8000, 11_000),
      sync: OURS,
    },
    steps: [
      { at: startsAt - random.integer(100, 900), kind: 'invalid', application: 0, takes: 60_000 },
      { at: startsAt + random.integer(500, 2500), kind: 'delete', application: 0, takes: 300 },
      { at: startsAt + random.integer(3000, 4500), kind: 'create', application: 0 },
    ],
  }),

  /** Many, whose syncs end and are compared within one second, and nothing changes after that. */
  'many that nothing more happens to': ({ random }) => ({
    count: random.integer(21, 24),
    plan: {
      ...MANUAL,
      beginning: 'out-of-sync',
      content: { rolloutTakes: 300, hook: 'passes', hookTakes: random.integer(22_000, 26_000) },
    },
    wanted: shaOf(0),
    policy: { timeout: 150_000, interval: 5000, watch: true, refresh: 'none', sync: OURS },
  }),

  /** An operation ends while the gate looks, and what was compared is from before its end. */
  'sync of somebody else that has just ended': (setting) => {
    const { random, startsAt, push } = setting
    return {
      plan: { ...MANUAL },
      policy: syncing(setting),
      pace: random.integer(1, 4),
      steps: [
        push(1, startsAt - 3000, { rolloutTakes: random.integer(300, 3000) }),
        { at: startsAt - 2900, kind: 'webhook' },
        { at: startsAt - random.integer(-300, 1200), kind: 'sync', application: 0, how: 'plain' },
      ],
    }
  },
}
