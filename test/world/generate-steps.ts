/** What people do in a scenario: the promotion's own steps, and others at moments that may hurt. */

import { generateContent } from './generate-content.ts'
import type { Random } from './random.ts'
import type { ApplicationPlan, Content, Step, StepKind } from './scenario.ts'

/** What steps are made for. */
export interface Promotion {
  readonly applications: readonly ApplicationPlan[]
  /** The commit that is promoted; 0 is there from the beginning. */
  readonly commit: number
  readonly content: Content | undefined
  readonly isTag: boolean
  /** Steps come just before and just after the begin. */
  readonly isTrap: boolean
  readonly startsAt: number
  readonly length: number
}

/** After the begin of a run, when its refreshes and looks are due. */
const INTERESTING = [0, 0, 500, 5000, 15_000, 30_000, 45_000, 60_000, 120_000]

/**
 * What has to fall together to hurt, and seldom does by itself: a refresh of somebody else that has begun when the
 * push comes, a push between the resolving of two sources, a push that is not hydrated yet.
 */
function pushTime(random: Random, { startsAt, applications }: Promotion, steps: Step[]): number | undefined {
  const [first] = applications
  if (first === undefined || !random.chance(0.3)) return undefined
  if (first.hasSeveralSources) return startsAt + random.integer(20, 900)
  if (first.hydration !== 'none') return Math.max(0, startsAt - random.integer(0, 3000))
  const before = Math.min(startsAt, random.integer(50, 2500))
  for (const i of applications.keys())
    if (i < 3) steps.push({ at: startsAt - before, kind: 'refresh', application: i, old: random.chance(0.6) })
  return startsAt - Math.floor(before * random.next())
}

/** The steps of a scenario, by their times. */
export function generateSteps(random: Random, promotion: Promotion): Step[] {
  const { applications, commit, content, isTag, isTrap, startsAt, length } = promotion
  const steps: Step[] = []
  const all = applications.map((_, i) => i)
  const near = (time: number, spread: number) =>
    Math.max(0, Math.round(time + spread * (random.next() - 0.3)))
  const moment = () => {
    if (isTrap) return Math.max(0, startsAt + random.integer(-700, 200))
    const other = steps.length > 0 && random.chance(0.4) ? random.pick(steps).at : undefined
    if (other !== undefined) return near(other, random.pick([300, 3000, 15_000]))
    // Just before a run begins, what the first look shows may be about to change.
    if (random.chance(0.25)) return Math.max(0, startsAt - random.integer(1, 600))
    if (random.chance(0.5)) return near(startsAt + random.pick(INTERESTING), random.pick([200, 3000]))
    return Math.round(startsAt + random.next() * length)
  }
  if (isTag || applications[0]?.sources[0]?.targetRevision === 'v1')
    steps.push({ at: 0, kind: 'tag', name: 'v1', commit: 0 })
  if (commit > 0 && content !== undefined) {
    const at =
      pushTime(random, promotion, steps) ??
      (random.chance(0.5) ? near(startsAt, 8000) : Math.round(startsAt + random.next() * length * 0.6))
    steps.push({
      at,
      kind: 'push',
      commit,
      branch: 'main',
      touches: all,
      part: random.pick(['first', 'first', 'both', 'second']),
      content,
      message: `release ${commit}`,
    })
    if (isTag || applications[0]?.sources[0]?.targetRevision === 'v1')
      steps.push({ at: near(at + 500, 1000), kind: 'tag', name: 'v1', commit })
    if (random.chance(0.4)) steps.push({ at: near(at + 300, 600), kind: 'webhook' })
    for (const i of all.slice(0, 3))
      if (applications[i]?.automated === false)
        steps.push({
          at: near(at + random.integer(500, 20_000), 100),
          kind: 'sync',
          application: i,
          how: 'plain',
        })
  }
  for (const [i, { beginning }] of applications.entries())
    if (beginning === 'absent' && random.chance(0.9))
      steps.push({ at: near(startsAt + 3000 * (i + 1), 8000), kind: 'create', application: i })
  let next = 2
  const more = isTrap ? random.integer(1, 3) : random.integer(0, 8)
  for (let i = 0; i < more; i++) {
    const step = generateStep(random, promotion, moment(), () => next++)
    if (step !== undefined) steps.push(step)
  }
  return steps.sort((a, b) => a.at - b.at)
}

/** What takes more than chance is for drills. */
const KINDS: readonly Exclude<StepKind, 'evict' | 'restart'>[] = [
  'push',
  'push',
  'push',
  'push',
  'tag',
  'webhook',
  'webhook',
  'sync',
  'sync',
  'sync',
  'rollback',
  'terminate',
  'refresh',
  'refresh',
  'refresh',
  'respec',
  'degrade',
  'degrade',
  'drift',
  'cronjob',
  'delete',
  'create',
  'relabel',
  'invalid',
]

function generateStep(
  random: Random,
  { applications, commit, content }: Promotion,
  at: number,
  newCommit: () => number,
): Step | undefined {
  const application = random.integer(0, Math.min(applications.length - 1, 2))
  const kind = random.pick(KINDS)
  switch (kind) {
    case 'push': {
      const number = newCommit()
      // One that touches nothing of ours, a fix, a worse one, or a revert of what was promoted.
      const what = random.pick(['unrelated', 'unrelated', 'other', 'revert'])
      const first = applications[application]?.content
      const changed =
        what === 'revert'
          ? first
          : what === 'other'
            ? generateContent(random, 100 + number)
            : (content ?? first)
      if (changed === undefined) return undefined
      const touches = what === 'unrelated' ? [] : [application]
      const part = random.pick(['first', 'both'] as const)
      return {
        at,
        kind,
        commit: number,
        branch: random.chance(0.9) ? 'main' : 'release',
        touches,
        part,
        content: changed,
        message: `${what} ${number}`,
      }
    }
    case 'tag':
      return { at, kind, name: 'v1', commit: random.pick([0, commit, 2]) }
    case 'webhook':
      return { at, kind }
    case 'sync':
      return {
        at,
        kind,
        application,
        how: random.pick(['plain', 'plain', at % 2 === 0 ? 'dry run' : 'some resources', 'local']),
      }
    case 'refresh':
      return { at, kind, application, old: random.chance(0.6) }
    case 'respec':
      return { at, kind, application, change: random.pick(['path', 'destination', 'branch']) }
    case 'degrade':
      return { at, kind, application, takes: random.integer(1000, 60_000) }
    case 'delete':
      return { at, kind, application, takes: random.integer(200, 20_000) }
    case 'invalid':
      return { at, kind, application, takes: random.chance(0.3) ? 600_000 : random.integer(1000, 60_000) }
    default:
      return { at, kind, application }
  }
}
