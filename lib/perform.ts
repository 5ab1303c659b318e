/** Puts what is planned to Argo CD, and reports what comes of it. */

import type { ArgoCD, How } from './argocd.ts'
import type { News, Request } from './requests.ts'
import type { Reporter } from './run.ts'

/**
 * Starts a request.
 *
 * @param attempt more than 0: asked once more, on a connection of its own
 * @returns what aborts it, after which nothing is reported
 */
export function perform(
  client: ArgoCD,
  request: Request,
  attempt: number,
  { brought, ended }: Reporter<News>,
): () => void {
  const controller = new AbortController()
  const { signal } = controller
  const report = async () => {
    try {
      for await (const news of ask(client, request, { signal, isAnotherConnection: attempt > 0 })) {
        if (signal.aborted) return
        brought(news)
      }
      if (!signal.aborted) ended()
    } catch (error) {
      if (!signal.aborted) ended(error)
    }
  }
  void report()
  return () => controller.abort()
}

async function* ask(client: ArgoCD, request: Request, how: How): AsyncGenerator<News> {
  switch (request.kind) {
    case 'look':
      yield { kind: 'application', application: await client.look(request.ref, how) }
      return
    case 'refresh':
      if (request.isRead)
        yield { kind: 'application', application: await client.refresh(request.ref, request.type, true, how) }
      else {
        await client.refresh(request.ref, request.type, false, how)
        yield { kind: 'refreshed' }
      }
      return
    case 'list':
      yield { kind: 'list', applications: await client.list(request.query, how) }
      return
    case 'names':
      yield { kind: 'names', refs: await client.names(request.query, how) }
      return
    case 'overview':
      yield { kind: 'overview', refs: await client.names({}, how) }
      return
    case 'watch': {
      let hasOpened = false
      for await (const events of client.watch(request.query, how)) {
        yield hasOpened ? { kind: 'changes', events } : { kind: 'opened' }
        hasOpened = true
      }
      return
    }
    case 'commit':
      yield { kind: 'commit', commit: await client.commit(request.ref, request.commit, how) }
      return
    case 'tree':
      yield { kind: 'tree', nodes: await client.tree(request.ref, how) }
      return
    case 'compare':
      yield { kind: 'rendering', rendering: await client.compare(request.ref, request.comparison, how) }
      return
    case 'sync':
      yield { kind: 'ordered', answer: await client.sync(request.ref, request.order, how) }
      return
    case 'permission':
      yield { kind: 'permission', isPermitted: await client.maySync(request.object, how) }
      return
    case 'windows':
      yield { kind: 'windows', windows: await client.syncWindows(request.ref, request.zonesOf, how) }
      return
  }
}
