/** Peak memory, in the runs that take most of it. */

import type { Environment } from '../executable.ts'
import { limited, mebibytes, median, type Row } from './numbers.ts'
import { canReadMemory, idleMemory, type Programs, spendMemory, target } from './process.ts'
import { RemoteServer } from './remote.ts'
import type { Scene } from './server.ts'

const RUNS = 3
const MEBIBYTE = 1024 * 1024

interface Case {
  readonly what: string
  readonly scene: Scene
  readonly env: Environment
  readonly limit: number
  /** What happens while it runs, and how it has to end. */
  readonly during: (server: RemoteServer) => Promise<void>
  readonly code: 0 | 1
}

const LARGE = { applications: 1, unready: 1, resources: 500 }
const MANY = { applications: 1000, unready: 1000 }

/** Until everything is refreshed, and then until everything is healthy, with two changes each. */
const rollOut = async (server: RemoteServer, applications: number) => {
  await server.untilWaiting(applications)
  await server.call('rollOut', 1000)
}

const CASES: readonly Case[] = [
  {
    what: '500 resources, waited for until it is a yes',
    scene: LARGE,
    env: target('names', 1),
    limit: 64,
    during: (server) => rollOut(server, 1),
    code: 0,
  },
  {
    what: '500 resources, all changing, until it is a no with its diagnosis',
    scene: LARGE,
    env: { ...target('names', 1), KPCEA_TIMEOUT: '3' },
    limit: 64,
    during: (server) => server.call('churn', 'operation', 50),
    code: 1,
  },
  {
    what: '500 resources, polled (`--no-watch`) until it is a no',
    scene: LARGE,
    env: { ...target('names', 1), KPCEA_TIMEOUT: '3', KPCEA_WATCH: 'false', KPCEA_INTERVAL: '200ms' },
    limit: 64,
    during: (server) => server.call('churn', 'operation', 50),
    code: 1,
  },
  ...(['selector', 'names'] as const).map(
    (by): Case => ({
      what: `1,000 applications by ${by}, all refreshed, waited for until it is a yes`,
      scene: MANY,
      env: { ...target(by, 1000), KPCEA_TIMEOUT: '60' },
      limit: 128,
      during: (server) => rollOut(server, 1000),
      code: 0,
    }),
  ),
]

/** The most that a process held at any time, mapped files included; beside it, a program that prints a word. */
export async function measureMemory({ kpcea, idle }: Programs): Promise<readonly Row[]> {
  if (!canReadMemory) return [{ what: 'peak memory', measured: 'not measured: only Linux tells it' }]
  using server = new RemoteServer()
  const bare = await idleMemory(idle)
  const rows: Row[] = []
  for (const { what, scene, env, limit, during, code } of CASES) {
    const peaks: number[] = []
    for (let i = 0; i < RUNS; i++) {
      await server.set(scene)
      const spent = await spendMemory(kpcea, { ...server.connection, ...env }, () => during(server))
      if (spent.code !== code) throw new Error(`${what}: the exit code is ${spent.code}`)
      peaks.push(spent.peak)
    }
    rows.push(
      limited(`peak memory, ${what}`, median(peaks), limit * MEBIBYTE, mebibytes, {
        beside: `prints a word: ${mebibytes(bare)}`,
        ratio: median(peaks) / bare,
        target: `at most ${limit} MiB`,
      }),
    )
  }
  return rows
}
