/** The main job, shown: an application that is waited for becomes verified, and one that never will be. */

import { ArgoCDServer, application } from './argocd/server.ts'
import { buildExecutable, EXECUTABLE } from './executable.ts'

const OLD = '4f1c2ab9d0e35c7786b1f2a4c9d8e7f605142332'
const NEW = '9e8d7c6b5a493827160f1e2d3c4b5a6978877665'

async function kpcea(title: string, server: ArgoCDServer, env: Record<string, string>): Promise<number> {
  console.log(`\n── ${title}\n`)
  const shown = Object.entries(env).map(([name, value]) => `${name}=${value}`)
  console.log(`$ ${['ARGOCD_API_TOKEN=…', ...shown, 'kpcea'].join(' ')}\n`)
  const child = Bun.spawn([EXECUTABLE], {
    env: { ...env, ARGOCD_API_TOKEN: server.token },
    stdin: 'ignore',
    stdout: 'inherit',
    stderr: 'inherit',
    timeout: 60_000,
  })
  const code = await child.exited
  console.log(`exit code ${code}`)
  return code
}

/** Git has the new commit; Argo CD sees it, syncs it, and its Pods become ready one after the other. */
function rollOut(server: ArgoCDServer): void {
  const steps: readonly (() => void)[] = [
    () => server.update('web', { status: { sync: { status: 'OutOfSync', revision: NEW } } }),
    () =>
      server.update('web', {
        operation: { sync: { revision: NEW } },
        status: {
          operationState: {
            phase: 'Running',
            finishedAt: null,
            message: 'waiting for healthy state of apps/Deployment/web',
          },
        },
      }),
    () =>
      server.apply(
        application(
          { name: 'web', revision: NEW },
          {
            status: {
              health: {
                status: 'Progressing',
                message: 'waiting for rollout to finish: 1 of 3 updated replicas are available',
              },
            },
          },
        ),
      ),
    () => server.apply(application({ name: 'web', revision: NEW })),
  ]
  steps.forEach((step, i) => {
    setTimeout(step, 1000 * (i + 1))
  })
}

buildExecutable()
const server = await ArgoCDServer.start()
const wait = { ARGOCD_SERVER: server.url, ARGOCD_APP_NAME: 'web', KPCEA_TARGET_REVISION: NEW }

server.apply(application({ name: 'web', revision: OLD }))
rollOut(server)
const first = await kpcea('A release that arrives while it is waited for', server, wait)

const broken = {
  status: {
    health: { status: 'Degraded' },
    resources: [
      {
        group: 'apps',
        kind: 'Deployment',
        namespace: 'web',
        name: 'web',
        status: 'Synced',
        health: { status: 'Degraded', message: 'Deployment "web" exceeded its progress deadline' },
      },
    ],
  },
}
server.apply(application({ name: 'web', revision: NEW }, broken))
server.resourceTree('web', {
  nodes: [
    {
      kind: 'Pod',
      version: 'v1',
      namespace: 'web',
      name: 'web-6d5f7c9b8-x2x4q',
      health: { status: 'Degraded', message: 'back-off 5m0s restarting failed container=web' },
    },
  ],
})
const second = await kpcea('A release that is broken', server, { ...wait, KPCEA_FAIL_AFTER: '3' })

await server.stop()
if (first !== 0 || second !== 1) throw new Error('the demonstration did not go as it should')
console.log('\nThe first was verified, the second was not: as it should be.')
