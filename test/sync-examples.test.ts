/** The examples that sync: run against the simulated Argo CD, as their platforms would run them. */

import { afterAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { array, at, type JsonObject, object } from './argocd/json.ts'
import { type Application, ArgoCDServer, application } from './argocd/server.ts'
import { exampleManifest, exampleManifests } from './examples-manifests.ts'
import { type Freight, promote, resolveMetrics, resolveTemplate, verification } from './examples-platforms.ts'
import { type Environment, type Finished, run } from './executable.ts'

setDefaultTimeout(60_000)

const servers: ArgoCDServer[] = []
afterAll(() => Promise.all(servers.map((server) => server.stop())))

const OLD = '9'.repeat(40)
const FREIGHT: Freight = {
  commits: { 'https://github.com/example/web.git': 'b'.repeat(40) },
  images: { 'ghcr.io/example/web': '1.10' },
}

/** An Argo CD with the application of the examples, which nobody syncs by itself, and the account of the examples. */
async function production(stages: string): Promise<{ server: ArgoCDServer; token: string }> {
  const server = await ArgoCDServer.start()
  servers.push(server)
  const annotations = { 'kargo.akuity.io/authorized-stage': stages }
  const app = application({ name: 'web-synced', project: 'web', revision: OLD, annotations })
  app.spec.syncPolicy = {}
  server.apply(app)
  const [, policy] = exampleManifests('argocd-sync-account.yaml').map(({ manifest }) => object(manifest.data))
  const lines = String(policy?.['policy.kpcea-sync.csv']).split('\n')
  const may = (action: string) =>
    lines.flatMap((line) => {
      const [, , resource, what, subject = ''] = line.split(',').map((part) => part.trim())
      return resource === 'applications' && what === action ? [subject] : []
    })
  return { server, token: server.createToken({ applications: may('get'), sync: may('sync') }) }
}

/** The environment that the kubelet makes for a container. */
function environment(
  container: JsonObject,
  { server, token }: { server: ArgoCDServer; token: string },
): Environment {
  const env = array(container.env).map((entry) => {
    const { name, value, valueFrom } = object(entry)
    if (at(valueFrom, 'secretKeyRef', 'key') === 'token') return [String(name), token]
    const label = at(valueFrom, 'fieldRef', 'fieldPath')
    if (label === undefined) return [String(name), String(value)]
    expect(label).toBe("metadata.labels['job-name']")
    return [String(name), 'f0f9.kpcea.1']
  })
  return { ...Object.fromEntries(env), ARGOCD_SERVER: server.url, KPCEA_TIMEOUT: '20', KPCEA_RESULT_FILE: '' }
}

function containerOf(template: JsonObject, given: Record<string, string>): JsonObject {
  const [metric] = resolveMetrics(template, given)
  return object(array(at(metric, 'provider', 'job', 'spec', 'template', 'spec', 'containers'))[0])
}

const idOf = (app: Application | undefined): unknown =>
  array(app?.status.operationState.operation.info)
    .map(object)
    .find(({ name }) => name === 'kpcea')?.value

function expectSynced({ code, stdout }: Finished, server: ArgoCDServer, revision: string, id: string): void {
  expect(stdout).toStartWith('VERIFIED')
  expect(code).toBe(0)
  expect(server.operations.syncs).toHaveLength(1)
  const app = server.get('web-synced')
  expect(app?.status.sync.revision).toBe(revision)
  expect(idOf(app)).toBe(id)
}

describe('examples/kargo/variants/sync-prod.yaml with examples/sync-analysis-template.yaml', () => {
  const stage = exampleManifest('kargo/variants/sync-prod.yaml', 'Stage')
  const template = exampleManifest('sync-analysis-template.yaml', 'AnalysisTemplate')
  const promoted = promote(stage, FREIGHT)
  const { given } = verification(stage, FREIGHT, promoted, [template])

  test('syncs to the commit that the promotion pushed, and verifies it', async () => {
    const prod = await production('web:other, web:prod-synced')
    const finished = await run(environment(containerOf(template, given), prod))
    expectSynced(finished, prod.server, String(promoted.pushed), 'f0f9.kpcea.1')
  })

  test('syncs nothing that does not list the Stage', async () => {
    const prod = await production('web:other')
    const { code, stdout } = await run(environment(containerOf(template, given), prod))
    expect(code).toBe(1)
    expect(stdout).toContain('kargo.akuity.io/authorized-stage: web:prod-synced')
    expect(prod.server.operations.syncs).toEqual([])
  })
})

test('examples/sync-workflow.yaml syncs and verifies, with the id of the workflow', async () => {
  const workflow = exampleManifest('sync-workflow.yaml', 'WorkflowTemplate')
  const revision = '4f2a9c1be07d35a8c6e1f94b2d7083a5c9e6b1d0'
  const given = { server: 'argocd.prod.example.com', app: 'web-synced', revision, id: 'workflow-uid' }
  const { container } = resolveTemplate(workflow, 'sync', given)
  const parameters = array(at(workflow, 'spec', 'arguments', 'parameters')).map(object)
  expect(parameters.find(({ name }) => name === 'id')?.value).toBe('{{workflow.uid}}')
  const prod = await production('')
  expectSynced(await run(environment(object(container), prod)), prod.server, revision, 'workflow-uid')
})

test('examples/kargo/variants/custom-step.yaml gives flags that work, and its output is JSON', async () => {
  const step = exampleManifest('kargo/variants/custom-step.yaml', 'CustomPromotionStep')
  const prod = await production('web:prod-synced')
  const revision = 'c'.repeat(40)
  const values: Record<string, string> = {
    'ctx.promotion': 'prod.01h.abc',
    'ctx.project': 'web',
    'ctx.stage': 'prod-synced',
    'config.server': prod.server.url,
    'config.app': 'web-synced',
    'config.revision': revision,
    'config.token': prod.token,
  }
  const filled = (text: unknown) =>
    String(text).replace(/\$\{\{ (\S+) \}\}/g, (_, name) => values[name] ?? '?')
  const [program, ...args] = array(at(step, 'spec', 'command')).map(filled)
  expect(program).toBe('/app/kpcea')
  const env = Object.fromEntries(
    array(at(step, 'spec', 'env')).map((entry) => [String(at(entry, 'name')), filled(at(entry, 'value'))]),
  )
  const { code, stdout } = await run(env, args)
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ verified: true, message: expect.any(String) })
  expect(idOf(prod.server.get('web-synced'))).toBe('prod.01h.abc')
})

test('examples/argocd-sync-account.yaml may sync what is named, and nothing else', async () => {
  const { server, token } = await production('')
  const other = application({ name: 'other', project: 'web', revision: OLD })
  other.spec.syncPolicy = {}
  server.apply(other)
  const settings = {
    ARGOCD_SERVER: server.url,
    ARGOCD_API_TOKEN: token,
    KPCEA_TARGET_REVISION: 'd'.repeat(40),
  }
  const { code, stdout } = await run({ ...settings, ARGOCD_APP_NAME: 'other' }, ['--sync'])
  expect(code).toBe(1)
  expect(stdout).toContain('applications, sync, web/other, allow')
  expect(server.operations.syncs).toEqual([])
})
