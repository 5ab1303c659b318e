/** Makes a scenario from a seed: a promotion, and around it what may happen and break, where it hurts. */

import { parseImage } from '../../lib/image.ts'
import { parseWantedRevision } from '../../lib/revision.ts'
import type { Policy, Target, Wanted } from '../../lib/wanted.ts'
import { generateContent } from './generate-content.ts'
import { generateFaults } from './generate-faults.ts'
import { generateSteps } from './generate-steps.ts'
import { createRandom, type Random } from './random.ts'
import {
  type ApplicationPlan,
  type Content,
  REPOSITORY,
  type Scenario,
  SECOND_REPOSITORY,
  SERVER_NAMESPACE,
  type SourcePlan,
  shaOf,
  type Version,
} from './scenario.ts'

/** A scenario from its seed. */
export function generate(seed: number): Scenario {
  const random = createRandom(seed, 2)
  const policy = generatePolicy(random)
  const startsAt = random.integer(0, 20_000)
  // A trap: all is well, and something is about to change when the first look says so.
  const isTrap = random.chance(0.25)
  const applications = generateApplications(random, isTrap)
  // The promotion: a commit that is there, or one that comes.
  const commit = isTrap || random.chance(0.2) ? 0 : 1
  const content = commit === 0 ? applications[0]?.content : generateContent(random, 101)
  const isTag = random.chance(0.12)
  const target = generateTarget(random, applications, commit, content, isTag)
  const length = policy.timeout === 0 ? 5000 : policy.timeout
  const promotion = { applications, commit, content, isTag, isTrap, startsAt, length }
  const steps = generateSteps(random, promotion)
  const version = random.pick<Version>(['3.4', '3.5', '3.5', '3.6'])
  return {
    seed,
    version,
    startsAt,
    interruptedAt: random.chance(0.01) ? startsAt + random.integer(0, length) : undefined,
    policy,
    target,
    applications,
    skew: random.pick([0, 0, 3_600_000, -3_600_000, random.integer(-5000, 5000)]),
    pace: random.pick([1, 1, 1, 4, 12]),
    steps,
    faults: generateFaults(random, { startsAt, length, times: steps.map(({ at }) => at) }),
  }
}

function generatePolicy(random: Random): Policy {
  const timeout = random.chance(0.04)
    ? 0
    : random.chance(0.4)
      ? random.integer(5000, 30_000)
      : random.chance(0.75)
        ? random.integer(30_000, 90_000)
        : random.chance(0.8)
          ? random.integer(90_000, 300_000)
          : random.integer(300_000, 600_000)
  return {
    timeout,
    interval: random.chance(0.6) ? 5000 : random.integer(1000, 15_000),
    stableFor: random.chance(0.75) ? 0 : random.integer(1000, 60_000),
    failAfter: random.chance(0.15)
      ? Number.POSITIVE_INFINITY
      : random.chance(0.15)
        ? 0
        : random.chance(0.5)
          ? random.integer(2000, 60_000)
          : 120_000,
    refresh: random.chance(0.15) ? 'none' : random.chance(0.15) ? 'hard' : 'normal',
    watch: random.chance(0.7),
  }
}

function generateApplications(random: Random, isSettled: boolean): ApplicationPlan[] {
  const count = random.chance(0.6)
    ? 1
    : random.chance(0.92)
      ? random.integer(2, 3)
      : random.chance(0.95)
        ? random.integer(4, 30)
        : random.integer(31, 120)
  const hasOtherNamespace = random.chance(0.2)
  const kind = count > 3 ? 'plain' : random.pick(['plain', 'plain', 'plain', 'several', 'hydrated'])
  const tracksTag = kind !== 'hydrated' && random.chance(0.08)
  const plans: ApplicationPlan[] = []
  const begin =
    isSettled || random.chance(0.6)
      ? 'settled'
      : random.pick<ApplicationPlan['beginning']>(['out-of-sync', 'broken', 'hook-failed', 'absent'])
  for (let i = 0; i < count; i++) {
    const name = `web-${i}`
    const sources = generateSources(random, kind, name, tracksTag ? 'v1' : 'main')
    const automated = random.chance(0.7)
    plans.push({
      name,
      namespace: hasOtherNamespace && i > 0 ? 'team' : SERVER_NAMESPACE,
      labels: { team: 'a' },
      sources,
      hasSeveralSources: kind === 'several',
      hydration: kind !== 'hydrated' ? 'none' : random.chance(0.7) ? 'always' : 'skips',
      automated,
      selfHeals: automated && random.chance(0.5),
      retries: automated ? random.pick([5, 5, 2, 0]) : 0,
      historyLimit: random.pick([10, 10, 3, 2]),
      beginning: i === 0 || random.chance(0.3) ? begin : 'settled',
      content: { ...generateContent(random, i + 1), image: 'registry.test/web:t0', applies: true },
    })
  }
  if (random.chance(0.15)) plans.push(decoy(plans[0]))
  return plans
}

/** An application of the same name in another namespace, which nobody asks for by its name. */
function decoy(plan: ApplicationPlan | undefined): ApplicationPlan {
  if (plan === undefined) throw new Error('nothing to be taken for')
  return { ...plan, namespace: 'elsewhere', labels: {} }
}

function generateSources(random: Random, kind: string, name: string, targetRevision: string): SourcePlan[] {
  const first = { repoURL: REPOSITORY, path: name, chart: undefined, targetRevision, name: undefined }
  if (kind !== 'several') return [first]
  const second = random.pick<Partial<SourcePlan>>([
    { path: `${name}-values` },
    { path: `${name}-values` },
    { path: name, repoURL: SECOND_REPOSITORY, targetRevision: 'main' },
    { path: undefined, repoURL: 'https://charts.test', chart: 'web', targetRevision: '1.4.0' },
  ])
  return [
    { ...first, name: random.chance(0.5) ? 'app' : undefined },
    { ...first, ...second, name: undefined },
  ]
}

function generateTarget(
  random: Random,
  applications: readonly ApplicationPlan[],
  commit: number,
  content: Content | undefined,
  isTag: boolean,
): Target {
  const wanted = generateWanted(random, applications[0], commit, content, isTag)
  const members = applications.filter(({ labels }) => labels.team === 'a')
  if (members.length > 3 ? random.chance(0.8) : random.chance(0.2))
    return {
      kind: 'selector',
      project: random.chance(0.2) ? 'default' : undefined,
      selector: 'team=a',
      min: random.chance(0.5) ? 1 : random.integer(1, members.length),
      namespace: undefined,
      wanted,
    }
  return {
    kind: 'names',
    project: random.chance(0.2) ? 'default' : undefined,
    applications: members.map(({ name, namespace }) => ({
      name,
      namespace: namespace === SERVER_NAMESPACE && random.chance(0.6) ? undefined : namespace,
      wanted,
    })),
  }
}

function generateWanted(
  random: Random,
  plan: ApplicationPlan | undefined,
  commit: number,
  content: Content | undefined,
  isTag: boolean,
): Wanted {
  const sha = shaOf(commit)
  const text = random.chance(0.4)
    ? sha
    : isTag
      ? 'v1'
      : random.pick([sha.toUpperCase(), sha.slice(0, 8), sha.slice(0, 7), 'main', 'main', 'main', undefined])
  const [first, second] = plan?.sources ?? []
  const isPerSource = second !== undefined && text !== undefined && random.chance(0.4)
  const entry = first?.name ?? (second?.repoURL === REPOSITORY ? REPOSITORY : REPOSITORY.replace('.git', ''))
  const revision = isPerSource
    ? `${random.chance(0.95) ? entry : 'nothing'}=${text}${second.chart === undefined ? '' : `,${second.repoURL}#web=1.4.0`}`
    : text
  const wantsImage = revision === undefined || random.chance(0.2)
  const image = parseImage(content?.image ?? '')
  return {
    revision: revision === undefined ? undefined : parseWantedRevision(revision),
    revisionPolicy: random.chance(0.6) ? 'exact' : random.pick(['at-least', 'equivalent']),
    images: wantsImage && image !== undefined ? [image] : [],
    commitMessage: plan?.hydration === 'none' && random.chance(0.08) ? `release ${commit}` : undefined,
    health: random.chance(0.93) ? ['Healthy'] : ['Healthy', 'Progressing'],
  }
}
