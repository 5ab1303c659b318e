/** The applications of a benchmark, and what happens to them while it runs. */

import { type Application, type ArgoCDServer, application, type JsonObject } from '../argocd/server.ts'

export const REVISION = '9e8d7c6b5a493827160f1e2d3c4b5a6978877665'

/** What selects all applications of a benchmark. */
export const SELECTOR = 'tier=bench'

const LABELS = { tier: 'bench' }
export const HEALTHY: JsonObject = { status: { health: { status: 'Healthy' } } }
export const PROGRESSING: JsonObject = { status: { health: { status: 'Progressing' } } }

export function nameOf(index: number): string {
  return `app-${index}`
}

/** An application at the wanted revision, with everything as it should be but, where `ready` is false, its health. */
export function benchApplication(index: number, ready: boolean, resources = 3): Application {
  const options = { name: nameOf(index), revision: REVISION, resources, labels: LABELS }
  return renamed(application(options, ready ? {} : PROGRESSING))
}

const SERVICES = 'catalogue checkout payment invoice customer shipping search review stock price mail audit'
const PARTS = 'api worker web cron cache queue proxy sync export import report hook stream index'

/** Kustomize's suffix of a generated ConfigMap has so many characters. */
const HASH_LENGTH = 10

/**
 * Gives the resources names as releases have them: `web-1`, `web-2`, … would compress ten times better than any
 * real application, which would flatter whoever sends all of them.
 */
function renamed(app: Application): Application {
  const services = SERVICES.split(' ')
  const parts = PARTS.split(' ')
  const rename = <T extends { kind: string; name: string }>(resource: T, index: number): T => {
    const number = Math.floor(index / 3)
    const service = services[number % services.length]
    const part = parts[Math.floor(number / services.length) % parts.length]
    const base = `${service}-${part}${number < 168 ? '' : `-${number}`}`
    const name =
      resource.kind === 'ConfigMap' ? `${base}-${Bun.hash(base).toString(36).slice(0, HASH_LENGTH)}` : base
    return { ...resource, name }
  }
  app.status.resources = app.status.resources.map(rename)
  const { syncResult } = app.status.operationState
  syncResult.resources = (syncResult.resources ?? []).map((result, index) => {
    const { name } = rename(result, index)
    const kind = `${result.kind.toLowerCase()}${result.group && `.${result.group}`}`
    return { ...result, name, message: `${kind}/${name} configured` }
  })
  return app
}

/**
 * How an application changes without becoming ready: `resources`, as its resources become healthy one by one, which
 * its own state does not show; `operation`, as a running sync also tells which of them it waits for, which it does.
 */
export type Churn = 'resources' | 'operation'

/** Begins to change an application that is not ready; each call of what this returns is one change. */
export function churn(server: ArgoCDServer, name: string, kind: Churn): () => void {
  server.update(name, (app) => {
    for (const resource of app.status.resources) resource.health = { status: 'Progressing' }
    if (kind === 'resources') return
    app.status.operationState.phase = 'Running'
    delete app.status.operationState.finishedAt
  })
  let turn = 0
  return () =>
    server.update(name, (app) => {
      const resource = app.status.resources[turn++ % app.status.resources.length]
      if (resource === undefined) return
      resource.health = { status: resource.health?.status === 'Healthy' ? 'Progressing' : 'Healthy' }
      if (kind === 'operation')
        app.status.operationState.message = `waiting for healthy state of ${resource.kind}/${resource.name}`
    })
}
