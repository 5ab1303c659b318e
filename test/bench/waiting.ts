/** What waiting costs the server and the network, beside polling the whole object. */

import { READ_ANEW, TREE_INTERVAL } from '../../lib/promises.ts'
import type { Environment } from '../executable.ts'
import { count, kilobytes, limited, type Row } from './numbers.ts'
import { launch, type Programs, target } from './process.ts'
import { RemoteServer } from './remote.ts'
import type { Churn } from './scene.ts'

const WAIT = 30_000
const LEAST_PART = 1 / 20

/**
 * What the rules of docs/verification.md ask for meanwhile: a first look and the stream; the application read anew after
 * pauses that grow, since a stream may lose a change; and the resource tree at its interval, since a Progressing
 * application whose new Pods cannot start is failing, which its own status does not tell.
 */
const MOST_REQUESTS = 2 + looksWithin(WAIT) + Math.ceil(WAIT / TREE_INTERVAL)

function looksWithin(time: number): number {
  let looks = 0
  for (let at: number = READ_ANEW[0]; at < time; at += READ_ANEW[looks] ?? time) looks++
  return looks
}

/** What came over the wire in the time that was waited. */
interface Cost {
  readonly bytes: number
  readonly requests: number
}

/** One application of 500 resources changes each second, and is not ready in the end. */
async function wait(program: string, churn: Churn, env: Environment, gzip = true): Promise<Cost> {
  using server = new RemoteServer()
  await server.set({ applications: 1, unready: 1, resources: 500, gzip })
  await server.call('churn', churn, 1000)
  const { child } = launch(program, {
    ...server.connection,
    ...target('names', 1),
    KPCEA_REFRESH: 'none',
    KPCEA_TIMEOUT: '10m',
    ...env,
  })
  await Promise.race([child.exited, Bun.sleep(env.KPCEA_TIMEOUT === undefined ? WAIT : 2 * WAIT)])
  const requests = await server.call('requests')
  child.kill()
  await child.exited
  return { bytes: requests.reduce((sum, { bytes }) => sum + bytes, 0), requests: requests.length }
}

/** All cases at once: only bytes and requests are counted, no time. */
export async function measureWaiting({ kpcea }: Programs): Promise<readonly Row[]> {
  const POLLING = { KPCEA_WATCH: 'false' }
  const [quiet, loud, refreshed, ended, polled, polledWhole] = await Promise.all([
    wait(kpcea, 'resources', {}),
    wait(kpcea, 'operation', {}),
    wait(kpcea, 'operation', { KPCEA_REFRESH: 'normal' }),
    wait(kpcea, 'operation', { KPCEA_TIMEOUT: '30' }),
    wait(kpcea, 'operation', POLLING),
    wait(kpcea, 'operation', POLLING, false),
  ])
  const beside = (what: string, { bytes }: Cost, than: Cost, how: string): Row =>
    limited(what, bytes, than.bytes * LEAST_PART, kilobytes, {
      beside: `polled every 5 s, ${how}: ${kilobytes(than.bytes)}`,
      ratio: bytes / than.bytes,
      target: 'at most a twentieth',
    })
  const quietly = 'bytes in 30 s, 500 resources of which one changes each second'
  const loudly = 'bytes in 30 s, and a running sync tells each second what it waits for'
  const COMPRESSED = 'compressed'
  const WHOLE = 'not compressed'
  return [
    beside(quietly, quiet, polled, COMPRESSED),
    beside(quietly, quiet, polledWhole, WHOLE),
    beside(loudly, loud, polled, COMPRESSED),
    beside(loudly, loud, polledWhole, WHOLE),
    ...[
      { what: 'requests in 30 s', cost: loud, most: MOST_REQUESTS },
      { what: 'requests in 30 s, with the default refresh', cost: refreshed, most: MOST_REQUESTS + 1 },
      {
        what: 'requests of 30 s that end as a no, with a last look and the diagnosis',
        cost: ended,
        most: MOST_REQUESTS + 1,
      },
    ].map(({ what, cost, most }) =>
      limited(what, cost.requests, most, (value) => count(value, 'request'), {
        beside: `polled every 5 s: ${count(polled.requests, 'request')}`,
        ratio: cost.requests / polled.requests,
      }),
    ),
  ]
}
