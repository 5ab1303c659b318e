/** What more applications cost: each one more at most as much as each of the first hundred. */

import type { Environment } from '../executable.ts'
import { kilobytes, mebibytes, median, milliseconds, type Row } from './numbers.ts'
import { canReadMemory, type Programs, spend, spendMemory, target } from './process.ts'
import { RemoteServer } from './remote.ts'

const SIZES = [1, 10, 100, 1000] as const
const RUNS = 5
/** They are short, and it is small differences of theirs that are compared. */
const YES_RUNS = 15
/** A noisy machine must not make a straight line look bent. */
const NOISE = 1.1

/** What a run about so many applications cost, in numbers that are to grow no faster than their count. */
interface Cost {
  readonly size: number
  /** Of the whole process, where all are already there. */
  readonly yes: number
  /** Likewise, of processors. */
  readonly yesCpu: number
  /** Of processors, where all change twice before they are ready. */
  readonly cpu: number
  readonly memory: number
  readonly bytes: number
  readonly requests: number
  /** Requests between the moment when the run began to wait and its end. */
  readonly whileWaiting: number
}

async function measure(
  program: string,
  server: RemoteServer,
  size: number,
  by: 'selector' | 'names',
): Promise<Cost> {
  const which = target(by, size)
  await server.set({ applications: size, unready: 0 })
  const once = () => spend(program, { ...server.connection, ...which })
  // For the first, the server makes what it has ready for all the others.
  once()
  const yes = Array.from({ length: YES_RUNS }, once)

  const roll = async (env: Environment) => {
    await server.set({ applications: size, unready: size })
    let before = 0
    const { peak, cpu, code } = await spendMemory(
      program,
      { ...server.connection, ...which, KPCEA_TIMEOUT: '60', ...env },
      async () => {
        await server.untilWaiting(0)
        before = (await server.call('requests')).length
        await server.call('rollOut', 500)
      },
    )
    if (code !== 0) throw new Error(`${size} applications by ${by}: the exit code is ${code}`)
    const requests = await server.call('requests')
    return {
      peak,
      cpu,
      bytes: requests.reduce((sum, { bytes }) => sum + bytes, 0),
      requests: requests.length,
      whileWaiting: requests.length - before,
    }
  }
  const rolls: Awaited<ReturnType<typeof roll>>[] = []
  for (let i = 0; i < RUNS; i++) rolls.push(await roll({ KPCEA_REFRESH: 'none' }))
  const middle = (pick: (one: (typeof rolls)[number]) => number) => median(rolls.map(pick))
  return {
    size,
    yes: median(yes.map(({ elapsed }) => elapsed)),
    yesCpu: median(yes.map(({ cpu }) => cpu)),
    cpu: middle(({ cpu }) => cpu),
    memory: middle(({ peak }) => peak),
    bytes: middle(({ bytes }) => bytes),
    requests: Math.max(...rolls.map(({ requests }) => requests)),
    whileWaiting: Math.max(...rolls.map(({ whileWaiting }) => whileWaiting)),
  }
}

/** How much more each application from the hundredth on costs than each before it; 1 is a straight line. */
function growth(costs: readonly Cost[], pick: (cost: Cost) => number): number {
  const [one, , hundred, thousand] = costs
  if (one === undefined || hundred === undefined || thousand === undefined) throw new Error('nothing was run')
  const slope = (from: Cost, to: Cost) => (pick(to) - pick(from)) / (to.size - from.size)
  return slope(hundred, thousand) / slope(one, hundred)
}

/** By selector and by names. */
export async function measureGrowth({ kpcea }: Programs): Promise<readonly Row[]> {
  if (!canReadMemory) return [{ what: 'growth', measured: 'not measured: only on Linux' }]
  using server = new RemoteServer()
  const rows: Row[] = []
  for (const by of ['selector', 'names'] as const) {
    const costs: Cost[] = []
    for (const size of SIZES) costs.push(await measure(kpcea, server, size, by))
    const all = (pick: (cost: Cost) => number, show: (value: number) => string) =>
      costs.map((cost) => show(pick(cost))).join(', ')
    const grows = (what: string, pick: (cost: Cost) => number, show: (value: number) => string): Row => {
      const ratio = growth(costs, pick)
      return {
        what: `1, 10, 100, 1,000 applications by ${by}: ${what}`,
        measured: all(pick, show),
        beside: 'one more beyond 100, to one more before',
        ratio,
        target: 'at most linear',
        met: ratio <= NOISE,
      }
    }
    const most = by === 'selector' ? 'the stream and one list' : 'the stream and one name'
    rows.push(
      {
        what: `1, 10, 100, 1,000 applications by ${by}: a yes at once`,
        measured: all(({ yes }) => yes, milliseconds),
      },
      // Of the two times it is this one that others on the machine disturb less.
      grows('… processor time', ({ yesCpu }) => yesCpu, milliseconds),
      grows('a release waited for, processor time', ({ cpu }) => cpu, milliseconds),
      grows('… peak memory', ({ memory }) => memory, mebibytes),
      grows('… bytes received', ({ bytes }) => bytes, kilobytes),
      {
        what: `1, 10, 100, 1,000 applications by ${by}: … requests`,
        measured: all(({ requests }) => requests, String),
        beside: `while waiting: ${all(({ whileWaiting }) => whileWaiting, String)}`,
        target: `${most}, none while waiting`,
        met: costs.every(({ requests, whileWaiting }) => requests <= 2 && whileWaiting === 0),
      },
    )
  }
  return rows
}
