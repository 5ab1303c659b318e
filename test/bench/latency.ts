/** How long after the change on the server the process ends. */

import { instant, limited, median, milliseconds, quantile, type Row } from './numbers.ts'
import { launch, type Programs, target } from './process.ts'
import { RemoteServer } from './remote.ts'

const RUNS = 11
const MOST = 25

const CASES = [
  { applications: 1, by: 'names' },
  { applications: 100, by: 'names' },
  { applications: 100, by: 'selector' },
  { applications: 1000, by: 'names' },
  { applications: 1000, by: 'selector' },
] as const

/** All applications but the last are ready; it becomes so when the run does nothing any more but wait. */
export async function measureLatency({ kpcea }: Programs): Promise<readonly Row[]> {
  using server = new RemoteServer()
  const rows: Row[] = []
  for (const { applications, by } of CASES) {
    const times: number[] = []
    for (let i = 0; i < RUNS; i++) {
      await server.set({ applications, unready: 1 })
      const { child, said } = launch(kpcea, { ...server.connection, ...target(by, applications) })
      const ended = child.exited.then((code) => ({ code, at: instant() }))
      await server.untilWaiting(1)
      const changed = await server.call('finish')
      const { code, at } = await ended
      if (code !== 0) throw new Error(`a run did not end as a yes: ${await said}`)
      times.push(at - changed)
    }
    const what = applications === 1 ? 'an application' : `the last of ${applications.toLocaleString('en')}`
    rows.push(
      limited(`${what}, by ${by}, becomes healthy: until the end`, median(times), MOST, milliseconds, {
        beside: `nine of ten within ${milliseconds(quantile(times, 0.9))}`,
      }),
    )
  }
  return rows
}
