/** Cases on the executable that take their time, some of them at once: a server each, and runs that ask it. */

import { test } from 'bun:test'
import type { RequestRecord, ServerOptions } from './argocd/server.ts'
import { type ApplicationOptions, ArgoCDServer, application, type JsonObject } from './argocd/server.ts'
import { connect, type Environment, start } from './executable.ts'
import { SHA } from './fixtures.ts'
import { Limit } from './limit.ts'

export const OLD = SHA.a
export const NEW = SHA.b
export const LONG_AGO = new Date(Date.now() - 3_600_000)
export const DEGRADED = { status: { health: { status: 'Degraded' } } }
export const PROGRESSING = { status: { health: { status: 'Progressing' } } }

/** All of an answer, so many milliseconds after it was made. */
export const late = (ms: number) => ({ kind: 'drip', ms, bytes: 1_000_000 }) as const

/** Applies `web`, or another application of its team. */
export function put(server: ArgoCDServer, options: ApplicationOptions, change: JsonObject = {}): void {
  server.apply(application({ name: 'web', labels: { team: 'web' }, ...options }, change))
}

/** A run that waits for `web` to be at {@link NEW}, refreshes nothing, and gives up at its timeout only. */
export function begin(server: ArgoCDServer, env: Environment = {}) {
  const running = start(
    connect(server, {
      ARGOCD_APP_NAME: 'argocd/web',
      KPCEA_TARGET_REVISION: NEW,
      KPCEA_TIMEOUT: '6',
      KPCEA_FAIL_AFTER: 'never',
      KPCEA_REFRESH: 'none',
      KPCEA_OUTPUT: 'json',
      ...env,
    }),
  )
  return {
    said: running.said,
    interrupt: () => running.process.kill('SIGTERM'),
    result: async () => JSON.parse((await running.finished).stdout),
  }
}

/** What a server was asked by a route, and of an application. */
export function asked(
  server: ArgoCDServer,
  route: RequestRecord['route'],
  name?: string,
): readonly RequestRecord[] {
  return server.requests.filter((one) => one.route === route && (name === undefined || one.name === name))
}

const several = new Limit(6)

/** A test beside others, with a server of its own. */
export function withServer(
  name: string,
  body: (server: ArgoCDServer) => Promise<void>,
  options: ServerOptions = {},
): void {
  test.concurrent(name, () =>
    several.run(async () => {
      await using server = await ArgoCDServer.start(options)
      await body(server)
    }),
  )
}
