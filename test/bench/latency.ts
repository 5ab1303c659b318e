/** How long after the change on the server the process ends. */

import { WATCH_FIELDS } from '../../lib/watch-fields.ts'
import type { Environment } from '../executable.ts'
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
    const openings: number[] = []
    for (let i = 0; i < RUNS; i++) {
      await server.set({ applications, unready: 1 })
      const { child, said } = launch(kpcea, { ...server.connection, ...target(by, applications) })
      const ended = child.exited.then((code) => ({ code, at: instant() }))
      await server.untilWaiting(1)
      const changed = await server.call('finish')
      const { code, at } = await ended
      if (code !== 0) throw new Error(`a run did not end as a yes: ${await said}`)
      times.push(at - changed)
      openings.push(await openingOf(server.connection, applications))
    }
    const what = applications === 1 ? 'an application' : `the last of ${applications.toLocaleString('en')}`
    const most = `nine of ten within ${milliseconds(quantile(times, 0.9))}`
    // Of many, that all is so is proven by a stream that is opened then.
    const opening = `the server takes ${milliseconds(median(openings))} to tell of all`
    rows.push(
      limited(`${what}, by ${by}, becomes healthy: until the end`, median(times), MOST, milliseconds, {
        beside: applications === 1 ? most : `${most}; ${opening}`,
      }),
    )
  }
  return rows
}

/** How long it takes until a stream has told of so many applications, where nothing of it is read but how many. */
async function openingOf(
  { ARGOCD_SERVER, ARGOCD_API_TOKEN }: Environment,
  applications: number,
): Promise<number> {
  const began = performance.now()
  const controller = new AbortController()
  const url = `${ARGOCD_SERVER}/api/v1/stream/applications?fields=${WATCH_FIELDS.join(',')}`
  const headers = { accept: 'text/event-stream', authorization: `Bearer ${ARGOCD_API_TOKEN}` }
  const { body } = await fetch(url, { headers, signal: controller.signal })
  let told = 0
  let rest = ''
  for await (const chunk of body ?? []) {
    const messages = `${rest}${Buffer.from(chunk).toString('latin1')}`.split('\n\n\n')
    rest = messages.pop() ?? ''
    told += messages.length
    if (told >= applications) break
  }
  controller.abort()
  return performance.now() - began
}
