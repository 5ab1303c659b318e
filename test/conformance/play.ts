/** Plays a situation: brings it about, asks everybody at once, changes something, and judges what they say. */

import { join } from 'node:path'
import { Branch } from './repository.ts'
import { Scene, type World } from './scene.ts'
import type { Asked, Situation } from './situations.ts'
import type { Answer, Tool } from './tools.ts'

/** Long enough that everybody has looked once. */
const FIRST_LOOK_MS = 1500
const LOOK_MS = 100
/** A yes that comes so long after it was so is late. The Go tool looks every five seconds. */
const LATE_MS = 6000

/** What an answer is worth. */
export type Judgement =
  | 'right'
  | 'wrong yes'
  | 'early yes'
  | 'late yes'
  | 'wrong no'
  | 'late no'
  | 'not asked'

/** What one of them said in a situation. */
export interface Told {
  readonly tool: string
  readonly judgement: Judgement
  readonly reason: string
  /** Milliseconds from the change to its end. */
  readonly after: number | undefined
}

/** A row of the table. */
export interface Row {
  readonly situation: string
  readonly expected: 'yes' | 'no'
  /** Milliseconds from the change until it was so; `undefined` where it never was. */
  readonly truth: number | undefined
  readonly told: readonly Told[]
  /** Why it could not be played. */
  readonly problem?: string
}

/** A situation's name as part of a Kubernetes name, short enough that more may follow. */
export function slugOf(name: string): string {
  const words = name.toLowerCase().replace(/[^a-z0-9]+/g, '-')
  return words.slice(0, 40).replace(/^-+|-+$/g, '')
}

/** Plays a situation, and removes what it made. */
export async function play(
  situation: Situation,
  world: World,
  tools: readonly Tool[],
  directory: string,
): Promise<Row> {
  const slug = slugOf(situation.name)
  const name = `kc-${world.run}-${slug}`
  const branch = await Branch.begin(
    `conformance/${world.run}/${slug}`,
    join(directory, slug),
    world.repository,
  )
  const scene = new Scene(world, name, branch)
  try {
    return await ask(situation, scene, await situation.play(scene), tools)
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error)
    return { situation: situation.name, expected: situation.expected, truth: undefined, told: [], problem }
  } finally {
    await scene.remove()
    await branch.remove()
  }
}

async function ask(situation: Situation, scene: Scene, asked: Asked, tools: readonly Tool[]): Promise<Row> {
  const { expected } = situation
  let changed = performance.now()
  const answers = tools.map((tool) => ({ tool: tool.name, answer: tool.ask(asked, scene.name) }))
  let over = false
  const everybody = Promise.all(answers.map(({ answer }) => answer)).finally(() => {
    over = true
  })
  const seen = watchTruth(scene, asked, () => over)
  if (asked.change !== undefined) {
    await Bun.sleep(FIRST_LOOK_MS)
    await asked.change()
    changed = performance.now()
  }
  await everybody
  const stretches = await seen
  const told = await Promise.all(
    answers.map(async ({ tool, answer: pending }): Promise<Told> => {
      const answer = await pending
      if (answer === undefined) return { tool, judgement: 'not asked', reason: '', after: undefined }
      const late = changed + (asked.by ?? Number.POSITIVE_INFINITY) * 1000
      const judgement = judge(expected, answer, { stretches, soak: (asked.soak ?? 0) * 1000, late })
      return { tool, judgement, reason: answer.reason, after: answer.ended - changed }
    }),
  )
  const [first] = stretches
  const truth = first === undefined ? undefined : Math.max(0, first.seen - changed)
  return { situation: situation.name, expected, truth, told }
}

/** A stretch in which it was so, on the clock of `performance.now()`. */
export interface Stretch {
  /** The last look that did not see it began then: it may have been so from here on. */
  readonly earliest: number
  /** The first look that saw it ended then. */
  readonly seen: number
  /** The last look that saw it ended then. */
  to: number
}

/** Looks at the Applications until everybody has answered, and once more. */
async function watchTruth(
  scene: Scene,
  { truth, of = [scene.name] }: Asked,
  over: () => boolean,
): Promise<readonly Stretch[]> {
  const stretches: Stretch[] = []
  if (truth === undefined) return stretches
  let open: Stretch | undefined
  let earliest = performance.now() - LOOK_MS
  for (let last = false; ; last = over()) {
    const began = performance.now()
    const found = await Promise.all(of.map((name) => scene.read(name)))
    if (!found.every(truth)) {
      open = undefined
      earliest = began
    } else if (open === undefined) {
      open = { earliest, seen: performance.now(), to: performance.now() }
      stretches.push(open)
    } else open.to = performance.now()
    if (last) return stretches
    await Bun.sleep(LOOK_MS)
  }
}

/** What an answer is held against. */
export interface Facts {
  readonly stretches: readonly Stretch[]
  /** Milliseconds that it must have been so. */
  readonly soak: number
  /** When a no is late, on the clock of `performance.now()`. */
  readonly late: number
}

/**
 * Judges an answer. A yes is early where nothing was so when it came, or not for as long as the soak; it is late some
 * seconds after it was so for all of the soak.
 */
export function judge(
  expected: 'yes' | 'no',
  { yes, ended }: Pick<Answer, 'yes' | 'ended'>,
  { stretches, soak, late }: Facts,
): Judgement {
  if (expected === 'no' && yes) return 'wrong yes'
  if (expected === 'no') return ended > late ? 'late no' : 'right'
  if (!yes) return 'wrong no'
  const at = stretches.find(({ earliest, to }) => earliest <= ended && ended <= to + 3 * LOOK_MS)
  if (at === undefined || ended - at.earliest < soak) return 'early yes'
  return ended > at.seen + soak + LATE_MS ? 'late yes' : 'right'
}
