/** The examples: valid where there is a schema to say so, sound in what it cannot say, and each of them run. */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { loadConfig, type NamedApplication, type Target, type Wanted } from '../lib/config.ts'
import { parseDuration } from '../lib/duration.ts'
import { formatImage } from '../lib/image.ts'
import { version } from '../package.json'
import { array, at, type JsonObject, object } from './argocd/json.ts'
import { type Application, type ApplicationOptions, ArgoCDServer, application } from './argocd/server.ts'
import { createAuthority } from './certificates.ts'
import {
  exampleManifest,
  exampleManifests,
  FLAGS,
  flagsIn,
  type GateContainer,
  gateContainers,
  IMAGE,
  KUSTOMIZATION,
  VARIABLES,
  variablesIn,
  yamlBlocks,
} from './examples-manifests.ts'
import {
  type Freight,
  fleetFiles,
  type Promoted,
  PUSHED_COMMIT,
  promote,
  resolveMetrics,
  resolveTemplate,
  rolloutArguments,
  type Values,
  verification,
} from './examples-platforms.ts'
import {
  builtInViolations,
  haveSchemas,
  loadSchemas,
  metadataViolations,
  violations,
} from './examples-schema.ts'
import { buildExecutable, EXECUTABLE, type Finished, run, temporaryDirectory } from './executable.ts'

const manifests = [
  ...exampleManifests(),
  ...yamlBlocks().filter(({ manifest }) => manifest.kind !== undefined),
]
const gates = manifests.flatMap(gateContainers)

/** The variables of a container that have their value in the manifest. */
function plainVariables({ container }: Pick<GateContainer, 'container'>): Values {
  return Object.fromEntries(
    array(container.env).flatMap((entry) => {
      const { name, value } = object(entry)
      return typeof value === 'string' ? [[String(name), value] as const] : []
    }),
  )
}

describe('every manifest', () => {
  const schemas = loadSchemas()
  const job = object(
    at(
      schemas.get('argoproj.io/v1alpha1 AnalysisTemplate'),
      ...'properties.spec.properties.metrics.items.properties.provider.properties.job.properties.spec'.split(
        '.',
      ),
    ),
  )

  test('there are some', () => {
    expect(exampleManifests().length).toBeGreaterThan(15)
    expect(gates.length).toBeGreaterThan(5)
  })

  for (const { where, manifest } of manifests) {
    test(`${where}: metadata is as Kubernetes has it`, () => {
      expect(metadataViolations(manifest)).toEqual([])
    })

    const schema = schemas.get(`${manifest.apiVersion} ${manifest.kind}`)
    if (schema !== undefined)
      test(`${where}: fits the definition of ${manifest.kind}`, () => {
        expect(violations(manifest, schema)).toEqual([])
      })
    else if (haveSchemas || /^(?:v1|(?:batch|[\w.]+\.k8s\.io)\/v1)$/.test(String(manifest.apiVersion)))
      test(`${where}: ${manifest.kind} is as far right as this test knows it`, () => {
        expect(builtInViolations(manifest)).toEqual([])
        if (manifest.kind === 'Job' && haveSchemas) expect(violations(manifest.spec, job, 'spec')).toEqual([])
      })
    else test.skip(`${where}: NOT CHECKED, the definition of ${manifest.kind} is not at hand`, () => {})

    test(`${where}: sets only variables that exist`, () => {
      expect(variablesIn(manifest).filter((name) => !VARIABLES.has(name))).toEqual([])
    })
  }

  test('of Argo and Kargo has a definition that it was checked against, or is counted', () => {
    const theirs = manifests
      .map(({ manifest }) => `${manifest.apiVersion} ${manifest.kind}`)
      .filter((kind) => /^(argoproj|kargo)/.test(kind))
    const unchecked = theirs.filter((kind) => !schemas.has(kind))
    if (unchecked.length > 0)
      console.log(
        `${unchecked.length} of ${theirs.length} manifests of Argo and Kargo were NOT CHECKED against their ` +
          `definitions (${[...new Set(unchecked)].sort().join(', ')}); \`bun run definitions\` fetches them`,
      )
    // Of these two only the shape is looked at where definitions are at hand, and not theirs.
    const shapeOnly = ['argoproj.io/v1alpha1 ApplicationSet', 'argoproj.io/v1alpha1 Rollout']
    if (haveSchemas) expect(unchecked.filter((kind) => !shapeOnly.includes(kind))).toEqual([])
  })

  test('Secrets hold no token that looks real', () => {
    const tokens = manifests.flatMap(({ manifest }) => Object.values(object(manifest.stringData)))
    expect(new Set(tokens)).toEqual(new Set(['paste-the-token-here']))
  })
})

test('a definition that is not the pinned one is not taken', async () => {
  const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response('kind: Other\n') })
  const child = Bun.spawn([process.execPath, join(import.meta.dir, '../scripts/definitions.ts')], {
    env: { DEFINITIONS_FROM: server.url.origin, PATH: process.env.PATH },
    stderr: 'pipe',
    stdout: 'ignore',
    timeout: 30_000,
  })
  const [code, said] = await Promise.all([child.exited, child.stderr.text()])
  await server.stop(true)
  expect(code).toBe(1)
  expect(said).toMatch(/has the checksum [0-9a-f]{64}, not [0-9a-f]{64}/)
})

describe('the check against a definition finds', () => {
  const schema = loadSchemas().get('argoproj.io/v1alpha1 AnalysisTemplate') ?? {}
  const broken = (from: string, to: string) =>
    violations(
      JSON.parse(
        JSON.stringify(exampleManifest('analysis-template.yaml', 'AnalysisTemplate')).replace(from, to),
      ),
      schema,
    )

  test.skipIf(!haveSchemas)('what is misspelt, of a wrong type, or missing', () => {
    expect(broken('"x"', '"x"')).toEqual([])
    expect(broken('backoffLimit', 'backofLimit').join()).toContain('spec.backofLimit is not known')
    expect(broken('readOnlyRootFilesystem', 'readOnlyRootFileSystem').join()).toContain('is not known')
    expect(broken('"value":"true"', '"value":true').join()).toContain('should be of type string')
    expect(broken('"backoffLimit":1', '"backoffLimit":"1"').join()).toContain('should be of type integer')
    expect(broken('"containers":', '"initContainers":').join()).toContain('lacks containers')
    expect(broken('"action":"Ignore",', '').join()).toContain('lacks action')
  })
})

describe('every container that runs the gate', () => {
  for (const gate of gates) {
    const isScript = gate.container.source !== undefined
    test(`${gate.where}: runs this version`, () => {
      // A script runs in an image of somebody's own.
      if (!isScript) expect(gate.container.image).toBe(`${IMAGE}:${version}`)
    })

    test(`${gate.where}: gives only flags that exist`, () => {
      const shell = `kpcea ${array(gate.container.args).join(' ')}\n${gate.container.source ?? ''}`
      expect(flagsIn(shell).filter((flag) => !FLAGS.has(flag))).toEqual([])
    })
  }
})

describe('every Stage, in examples/ and on the pages', () => {
  const stages = [...exampleManifests(), ...yamlBlocks()].filter(({ manifest }) => manifest.kind === 'Stage')

  test('there are some', () => {
    expect(stages.length).toBeGreaterThan(5)
  })

  for (const { where, manifest } of stages)
    test(`${where}: has promotion steps, without which Kargo never looks at its verification`, () => {
      expect(array(at(manifest, 'spec', 'promotionTemplate', 'spec', 'steps')).length).toBeGreaterThan(0)
    })

  test.each(['README.md', 'docs/kubernetes.md'])('%s says so in bold', (page) => {
    const text = readFileSync(join(import.meta.dir, '..', page), 'utf8')
    expect(text).toMatch(/\*\*[^*]*A Stage without promotion steps [^*]*never runs the gate\.\*\*/)
  })
})

describe('examples/kustomization.yaml', () => {
  const [{ manifest } = { manifest: {} as JsonObject }] = exampleManifests(KUSTOMIZATION)
  const resources = array(manifest.resources).map(String)

  test('puts another name in the place of the one that stands everywhere', () => {
    const images = array(manifest.images).map(object)
    expect(images).toEqual([{ name: IMAGE, newName: expect.any(String), newTag: version }])
  })

  test('applies what the pipeline needs, and no token that is none', () => {
    const kinds = resources.flatMap((path) => exampleManifests(path).map(({ manifest }) => manifest.kind))
    expect(kinds).toEqual(['ClusterAnalysisTemplate', 'Warehouse', 'Stage', 'Stage', 'Stage'])
  })
})

test('the image has one name, that of docs/image.md, which nobody can mistake for a real one', () => {
  const files = [...new Bun.Glob('{examples,docs}/**/*.{yaml,md}').scanSync(join(import.meta.dir, '..'))]
  const images = [...files, 'README.md'].flatMap((file) =>
    [
      ...readFileSync(join(import.meta.dir, '..', file), 'utf8').matchAll(
        /[\w.-]+\.[\w.-]+(?:\/[\w.-]+)*\/kpcea(?=:\d)/g,
      ),
    ].map(([name]) => name),
  )
  expect([...new Set(images)].sort()).toEqual([IMAGE, 'your-registry.example/kpcea'])
  expect(IMAGE).toContain('.example.')
})

// A page shows the short form.
describe('every container of examples/ that runs the gate', () => {
  for (const gate of gates.filter(({ where }) => where.startsWith('examples/'))) {
    const { where, container, pod, job } = gate
    const env = plainVariables(gate)
    // A script may write where it likes.
    const isScript = container.source !== undefined

    test(`${where}: is locked down`, () => {
      expect(pod.securityContext).toMatchObject({
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
      })
      expect(container.securityContext).toMatchObject({
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'] },
        ...(isScript ? {} : { readOnlyRootFilesystem: true }),
      })
      expect(container.resources).toMatchObject({
        requests: { cpu: expect.anything(), memory: expect.anything() },
        limits: { memory: expect.anything() },
      })
      // The executor of Argo Workflows needs the account of the Pod.
      if (job !== undefined) expect(pod.automountServiceAccountToken).toBe(false)
    })

    test(`${where}: has the label that the NetworkPolicy selects`, () => {
      const policy = exampleManifest('network-policy.yaml', 'NetworkPolicy')
      const labels = at(job?.template ?? pod, 'metadata', 'labels')
      expect(labels).toEqual(object(at(policy, 'spec', 'podSelector', 'matchLabels')))
    })

    test(`${where}: takes its token from a Secret`, () => {
      const token = array(container.env).find((entry) => at(entry, 'name') === 'ARGOCD_API_TOKEN')
      expect(at(token, 'value')).toBeUndefined()
      if (token !== undefined) expect(at(token, 'valueFrom', 'secretKeyRef', 'key')).toBe('token')
      else expect(env.ARGOCD_API_TOKEN_FILE).toBeDefined()
    })

    if (job === undefined) continue
    test(`${where}: repeats what a repetition can mend, and nothing else`, () => {
      expect(pod.restartPolicy).toBe('Never')
      expect(env.KPCEA_DETAILED_EXITCODE).toBe('true')
      expect(Number(job.backoffLimit)).toBeGreaterThan(0)
      const [disrupted, answered, ...more] = array(at(job, 'podFailurePolicy', 'rules')).map(object)
      expect(more).toEqual([])
      expect(disrupted).toEqual({
        action: 'Ignore',
        onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }],
      })
      expect(answered).toEqual({
        action: 'FailJob',
        onExitCodes: { containerName: String(container.name), operator: 'In', values: [1, 2] },
      })
    })
  }
})

describe('every Job and step, in examples/ and on the pages', () => {
  for (const gate of gates) {
    const { where, container, pod, job } = gate
    if (job === undefined && pod.activeDeadlineSeconds === undefined) continue
    test(`${where}: has time for every try to end by itself`, () => {
      const timeout = (parseDuration(plainVariables(gate).KPCEA_TIMEOUT ?? '') ?? 0) / 1000
      expect(timeout).toBeGreaterThan(0)
      expect(Number((job ?? pod).activeDeadlineSeconds)).toBe(tries(container, pod, job) * timeout + 120)
    })
  }

  /** How often the gate may run one after the other until the deadline. Each try of a workflow has one of its own. */
  function tries(container: JsonObject, pod: JsonObject, job: JsonObject | undefined): number {
    if (job !== undefined) return Number(job.backoffLimit) + 1
    if (container.source === undefined) return 1
    const apps = array(at(pod, 'inputs', 'parameters')).find((input) => at(input, 'name') === 'apps')
    return String(at(apps, 'value')).split(' ').length
  }

  test('docs/kubernetes.md has the formula', () => {
    const page = readFileSync(join(import.meta.dir, '../docs/kubernetes.md'), 'utf8')
    expect(page).toContain('activeDeadlineSeconds = (backoffLimit + 1) × KPCEA_TIMEOUT + 120')
  })
})

// ---- Running them

/** A run that is to say yes says it at once, however busy the machine is; one that is to say no looks once. */
const PATIENT = '30'
const ONE_LOOK = '0'
setDefaultTimeout(60_000)

const servers: ArgoCDServer[] = []
beforeAll(buildExecutable, 120_000)
afterAll(() => Promise.all(servers.map((server) => server.stop())))

async function startServer(): Promise<ArgoCDServer> {
  const server = await ArgoCDServer.start()
  servers.push(server)
  return server
}

/** ConfigMaps by name. */
type ConfigMaps = Readonly<Record<string, Values>>

/** The environment that the kubelet makes for a container, but with the simulated server. */
function environment(
  container: JsonObject,
  server: ArgoCDServer,
  secrets: string[] = [],
  configMaps: ConfigMaps = {},
): Values {
  const env = array(container.env).map((entry) => {
    const { name, value, valueFrom } = object(entry)
    if (valueFrom === undefined) return [String(name), String(value ?? '')] as const
    const fromConfigMap = object(at(valueFrom, 'configMapKeyRef'))
    if (fromConfigMap.name !== undefined) {
      const found = configMaps[String(fromConfigMap.name)]?.[String(fromConfigMap.key)]
      if (found === undefined && fromConfigMap.optional !== true) throw new Error(`no ${fromConfigMap.name}`)
      return [String(name), found ?? ''] as const
    }
    const secret = object(at(valueFrom, 'secretKeyRef'))
    expect(secret.key).toBe('token')
    secrets.push(String(secret.name))
    return [String(name), server.token] as const
  })
  const found = Object.fromEntries(env)
  expect(found.ARGOCD_SERVER).toMatch(/^argocd\.\w+\.example\.com$/)
  return { ...found, ARGOCD_SERVER: server.url }
}

/** The target that an environment describes. Settings that the gate would complain about are none for an example. */
function targetOf(env: Values): Target {
  const loaded = loadConfig({ args: [], env, readFile: (path) => readFileSync(path, 'utf8') })
  if (!loaded.ok) throw new Error(loaded.problems.join('; '))
  expect(loaded.warnings).toEqual([])
  return loaded.config.target
}

const OTHER_REVISION = '9'.repeat(40)

/** What the server must have for a run to be verified, and what it has as long as nothing has arrived. */
function optionsFor(target: Target, arrived: boolean): readonly ApplicationOptions[] {
  const state = ({ revision, images }: Wanted) => ({
    revision: arrived && revision?.kind === 'any-source' ? revision.revision : OTHER_REVISION,
    ...(images.length === 0
      ? {}
      : { images: images.map((image) => formatImage(arrived ? image : { ...image, tag: '0.0.0' })) }),
  })
  if (target.kind === 'names')
    return target.applications.map(({ name, wanted }: NamedApplication) => ({ name, ...state(wanted) }))
  const [key = '', value = ''] = target.selector.split('=')
  return ['one', 'two'].map((name) => ({ name, labels: { [key]: value }, ...state(target.wanted) }))
}

/** Expects a yes of everything that has arrived, and a no of everything that has not. */
async function expectGate(container: JsonObject, script?: string): Promise<void> {
  for (const arrived of [true, false]) {
    const server = await startServer()
    const env = environment(container, server)
    const names = script === undefined ? [undefined] : (env.APPS ?? '').split(' ')
    for (const name of names) {
      const target = targetOf(name === undefined ? env : { ...env, ARGOCD_APP_NAME: name })
      for (const options of optionsFor(target, arrived)) server.apply(application(options))
      if (target.kind === 'names' && target.applications[0]?.wanted.commitMessage !== undefined)
        server.commit(OTHER_REVISION, {
          message: arrived ? `text before ${target.applications[0].wanted.commitMessage}` : 'another',
        })
    }
    // The timeout and nothing else is not as in the example.
    const timed = { ...env, KPCEA_TIMEOUT: arrived ? PATIENT : ONE_LOOK }
    const finished = script === undefined ? await run(timed) : await runScript(script, timed)
    expect(finished, finished.stdout).toMatchObject({ code: arrived ? 0 : 1 })
    expect(finished.stdout).toStartWith(arrived ? 'VERIFIED' : 'NOT VERIFIED')
  }
}

async function runScript(source: string, env: Values): Promise<Finished> {
  const child = Bun.spawn(['sh', '-c', source], {
    env: { PATH: `${dirname(EXECUTABLE)}:${process.env.PATH}`, ...env },
    stdout: 'pipe',
    stderr: 'pipe',
    timeout: 30_000,
  })
  const [code, stdout, stderr] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()])
  return { code, stdout, stderr, elapsed: 0 }
}

/** The container of a template's metric with these arguments. */
function containerOf(template: JsonObject, given: Values): JsonObject {
  const containers = resolveMetrics(template, given).flatMap((metric) =>
    array(at(metric, 'provider', 'job', 'spec', 'template', 'spec', 'containers')),
  )
  expect(containers.length).toBe(1)
  return object(containers[0])
}

const REVISION = '4f2a9c1be07d35a8c6e1f94b2d7083a5c9e6b1d0'
const SERVER = 'argocd.staging.example.com'

describe('the executable with the environment of', () => {
  const template = exampleManifest('analysis-template.yaml', 'AnalysisTemplate')
  const cluster = exampleManifest('cluster-analysis-template.yaml', 'ClusterAnalysisTemplate')
  const image = 'ghcr.io/example/web:1.4.0'
  const on = { server: SERVER, 'token-secret': 'argocd-staging' }
  const cases: readonly (readonly [string, JsonObject, Values])[] = [
    ['analysis-template.yaml', template, { server: SERVER, app: 'web', revision: REVISION, images: image }],
    ['cluster-analysis-template.yaml, by revision', cluster, { ...on, app: 'web', revision: REVISION }],
    [
      'cluster-analysis-template.yaml, by selector',
      cluster,
      { ...on, selector: 'team=web', revision: REVISION, 'revision-policy': 'at-least' },
    ],
    [
      'cluster-analysis-template.yaml, by commit message',
      cluster,
      { ...on, app: 'web', 'verify-mode': 'SEARCH_COMMIT_MSG', 'commit-message': 'Freight 1234' },
    ],
  ]
  for (const [name, from, given] of cases)
    test(`examples/${name} says yes and no`, () => expectGate(containerOf(from, given)))

  test('examples/analysis-template.yaml without one of its arguments, or with one misspelt, is never run', () => {
    const all = { server: SERVER, app: 'web', revision: REVISION, images: image }
    for (const name of Object.keys(all)) {
      const { [name as 'app']: value, ...others } = all
      expect(() => resolveMetrics(template, others)).toThrow(`argument "${name}" was not supplied`)
      expect(() => resolveMetrics(template, { ...others, [`${name}x`]: value })).toThrow()
    }
  })

  test('examples/cluster-analysis-template.yaml needs a server and a Secret', () => {
    for (const name of Object.keys(on)) {
      const { [name as 'server']: _, ...others } = on
      expect(() => resolveMetrics(cluster, others)).toThrow(`argument "${name}" was not supplied`)
    }
  })

  test('examples/cluster-analysis-template.yaml with nothing to verify exits with 2, which is not repeated', async () => {
    const server = await startServer()
    const container = containerOf(cluster, { ...on, app: 'web' })
    expect(await run(environment(container, server))).toMatchObject({ code: 2 })
  })

  test('examples/analysis-template.yaml without a network exits with 3, which is repeated', async () => {
    const server = await startServer()
    const container = containerOf(template, { server: SERVER, app: 'web', revision: REVISION, images: image })
    const env = { ...environment(container, server), KPCEA_TIMEOUT: ONE_LOOK }
    expect(await run({ ...env, ARGOCD_SERVER: 'http://127.0.0.1:9' })).toMatchObject({ code: 3 })
  })

  test('examples/rollouts-canary.yaml says yes and no, with what the Rollout needs', async () => {
    const rollout = exampleManifest('rollouts-canary.yaml', 'Rollout')
    const steps = array(at(rollout, 'spec', 'strategy', 'canary', 'steps'))
    const analyses = steps.flatMap((step) => at(step, 'analysis') ?? []).map(object)
    expect(analyses.length).toBe(1)
    const [analysis = {}] = analyses
    const from = exampleManifest('rollouts-canary.yaml', 'AnalysisTemplate')
    expect(analysis.templates).toEqual([{ templateName: String(at(from, 'metadata', 'name')) }])
    const given = rolloutArguments(rollout, analysis)
    await expectGate(containerOf(from, given))
    const [, web] = resolveMetrics(from, given)
    expect(at(web, 'provider', 'web', 'url')).toContain('web-canary.web.svc')
    const services = exampleManifests('rollouts-canary.yaml').filter(
      ({ manifest }) => manifest.kind === 'Service',
    )
    expect(services.map(({ manifest }) => at(manifest, 'metadata', 'name'))).toContain(
      given['canary-service'],
    )
  })

  test('examples/job.yaml says yes and no, over TLS with an authority of its own', async () => {
    const job = exampleManifest('job.yaml', 'Job')
    const pod = object(at(job, 'spec', 'template', 'spec'))
    const container = object(array(pod.containers)[0])
    const authority = await createAuthority()
    for (const arrived of [true, false]) {
      const server = await ArgoCDServer.start({ tls: await authority.server() })
      servers.push(server)
      // The volumes, as the kubelet would mount them.
      const root = temporaryDirectory()
      const contents: Values = { token: `${server.token}\n`, ca: authority.cert }
      const known = { 'argocd-ca': { file: '/etc/kpcea/ca/ca.crt' } }
      const mounts = array(container.volumeMounts).map(object)
      expect(mounts.map(({ name }) => name)).toEqual(
        array(pod.volumes).map((volume) => at(volume, 'name') ?? ''),
      )
      const mounted = Object.entries(environment(container, server, [], known)).map(([name, value]) => {
        const mount = mounts.find(({ mountPath }) => value.startsWith(`${mountPath}/`))
        if (mount === undefined) return [name, value]
        const path = join(root, value)
        mkdirSync(dirname(path), { recursive: true })
        writeFileSync(path, contents[String(mount.name)] ?? '')
        return [name, path]
      })
      const env: Values = Object.fromEntries(mounted)
      for (const options of optionsFor(targetOf(env), arrived)) server.apply(application(options))
      const finished = await run({ ...env, KPCEA_TIMEOUT: arrived ? PATIENT : ONE_LOOK })
      expect(finished, finished.stdout).toMatchObject({ code: arrived ? 0 : 1 })
    }
  })

  test('examples/job.yaml runs without a ConfigMap of authorities, for a certificate that everybody trusts', async () => {
    const job = exampleManifest('job.yaml', 'Job')
    const pod = object(at(job, 'spec', 'template', 'spec'))
    expect(array(pod.volumes).find((volume) => at(volume, 'name') === 'ca')).toMatchObject({
      configMap: { optional: true },
    })
    const server = await startServer()
    const env = environment(object(array(pod.containers)[0]), server)
    expect(env.KPCEA_CA_FILE).toBe('')
    server.apply(application({ name: 'web', revision: String(env.KPCEA_TARGET_REVISION) }))
    const token = join(temporaryDirectory(), 'token')
    writeFileSync(token, server.token)
    expect(await run({ ...env, ARGOCD_API_TOKEN_FILE: token })).toMatchObject({ code: 0 })
  })

  test('examples/argo-workflow.yaml, the container step, is tried again by exit code 3 alone', async () => {
    const workflow = exampleManifest('argo-workflow.yaml', 'WorkflowTemplate')
    const template = resolveTemplate(workflow, 'verify', { server: SERVER, app: 'web', revision: REVISION })
    expect(at(template, 'retryStrategy')).toEqual({ limit: '1', expression: 'lastRetry.exitCode == "3"' })
    const server = await startServer()
    const env = { ...environment(object(template.container), server), KPCEA_TIMEOUT: ONE_LOOK }
    const nowhere = { KPCEA_RESULT_FILE: '', KPCEA_TERMINATION_LOG: '' }
    const unreachable = { ...env, ...nowhere, ARGOCD_SERVER: 'http://127.0.0.1:9' }
    expect(await run(unreachable)).toMatchObject({ code: 3 })
    const account = exampleManifest('argo-workflow.yaml', 'ServiceAccount')
    expect(at(workflow, 'spec', 'serviceAccountName')).toBe(at(account, 'metadata', 'name') ?? '')
  })

  test('examples/argo-workflow.yaml, the container step, says yes and no and leaves its outputs', async () => {
    const workflow = exampleManifest('argo-workflow.yaml', 'WorkflowTemplate')
    const given = { server: SERVER, app: 'web', revision: REVISION }
    const template = resolveTemplate(workflow, 'verify', given)
    const container = object(template.container)
    expect(container.command).toEqual(['/app/kpcea'])
    for (const arrived of [true, false]) {
      const server = await startServer()
      const env = environment(container, server)
      for (const options of optionsFor(targetOf(env), arrived)) server.apply(application(options))
      const root = temporaryDirectory()
      mkdirSync(join(root, 'out'))
      const inside = Object.fromEntries(
        Object.entries(env).map(([name, value]) => [
          name,
          value.startsWith('/out/') ? join(root, value) : value,
        ]),
      )
      const { code } = await run({ ...inside, KPCEA_TIMEOUT: arrived ? PATIENT : ONE_LOOK })
      expect(code).toBe(arrived ? 0 : 1)
      const outputs = new Map<string, string>()
      for (const output of array(at(template, 'outputs', 'parameters'))) {
        const path = String(at(output, 'valueFrom', 'path'))
        outputs.set(String(at(output, 'name')), await Bun.file(join(root, path)).text())
      }
      const result = JSON.parse(outputs.get('result') ?? '')
      expect(result).toMatchObject({ verified: arrived })
      expect(outputs.get('message')).toStartWith(arrived ? 'VERIFIED' : 'NOT VERIFIED (RevisionMismatch)')
      // What the later steps read of them is there, in the result as in its default.
      const steps = JSON.stringify(at(workflow, 'spec', 'templates'))
      const paths = [
        ...steps.matchAll(/jsonpath\(steps\.verify\.outputs\.parameters\.result, '\$\.(\w+)'\)/g),
      ]
      expect(paths.length).toBeGreaterThan(0)
      for (const [, member = ''] of paths) {
        expect(result).toHaveProperty(member)
        const [output] = array(at(template, 'outputs', 'parameters'))
        expect(JSON.parse(String(at(output, 'valueFrom', 'default')))).toHaveProperty(member)
      }
      for (const [, output = ''] of steps.matchAll(/steps\.verify\.outputs\.parameters\.(\w+)/g))
        expect([...outputs.keys()]).toContain(output)
    }
  })

  test('examples/argo-workflow.yaml, the script step, says yes and no', async () => {
    const workflow = exampleManifest('argo-workflow.yaml', 'WorkflowTemplate')
    const given = { server: SERVER, app: 'web', revision: REVISION }
    const script = object(resolveTemplate(workflow, 'verify-in-order', given).script)
    expect(String(script.source)).not.toContain(REVISION)
    await expectGate(script, String(script.source))
  })

  const inPages = yamlBlocks()
    .filter(({ manifest }) => manifest.kind !== undefined)
    .flatMap((page) => gateContainers(page).map((gate) => ({ ...gate, page })))
  for (const { where, container, page } of inPages)
    test(`${where} says yes and no`, () => {
      const args = array(at(page.manifest, 'spec', 'args'))
      if (args.length === 0) return expectGate(container)
      const values: Values = { server: SERVER, app: 'web', revision: REVISION, images: image }
      const given = Object.fromEntries(
        args.flatMap((arg) => {
          const name = String(at(arg, 'name'))
          return values[name] === undefined ? [] : [[name, values[name]]]
        }),
      )
      const metric = where.split(', metric ')[1]
      const metrics = array(at(page.manifest, 'spec', 'metrics'))
      const only = {
        ...page.manifest,
        spec: { ...object(page.manifest.spec), metrics: metrics.filter((one) => at(one, 'name') === metric) },
      }
      return expectGate(containerOf(only, given))
    })
})

// ---- The pipeline

/** A tag that looks like a number, so that Kargo would take it for one where it is not quoted. */
const FREIGHT: Freight = {
  commits: {
    'https://github.com/example/web.git': 'b'.repeat(40),
    'https://github.com/example/shop.git': 'c'.repeat(40),
  },
  images: { 'ghcr.io/example/web': '1.10' },
}

/** The Applications that the external Argo CD has once it has synced what is in these files. */
function synced(file: JsonObject): readonly Application[] {
  const isSet = file.kind === 'ApplicationSet'
  const elements = isSet
    ? array(file.spec === undefined ? [] : at(array(at(file, 'spec', 'generators'))[0], 'list', 'elements'))
    : [{}]
  return elements.map((element) => {
    const text = JSON.stringify(isSet ? at(file, 'spec', 'template') : file)
    const manifest = JSON.parse(text.replace(/\{\{\.(\w+)\}\}/g, (_, name) => String(at(element, name))))
    const source = object(at(manifest, 'spec', 'source'))
    const images = array(at(source, 'kustomize', 'images')).map(String)
    const revision = String(source.targetRevision)
    return application({
      name: String(at(manifest, 'metadata', 'name')),
      labels: object(at(manifest, 'metadata', 'labels')) as Record<string, string>,
      repoURL: String(source.repoURL),
      path: String(source.path),
      targetRevision: revision,
      revision,
      ...(images.length === 0 ? {} : { images }),
    })
  })
}

/** Verifies as a Stage does, on an Argo CD that has these applications. */
async function verifyStage(
  stage: JsonObject,
  promoted: Pick<Promoted, 'metadata'>,
  applications: readonly Application[],
  timeout: string,
  beside: readonly JsonObject[] = [],
): Promise<Finished & { env: Values; secrets: readonly string[] }> {
  const { template, given } = verification(stage, FREIGHT, promoted, beside)
  const server = await startServer()
  for (const app of applications) server.apply(app)
  const secrets: string[] = []
  // As it stands it is a run that the gate would begin; then with less patience.
  const env = environment(containerOf(template, given), server, secrets)
  targetOf(env)
  const soak = given['stable-for'] === undefined ? {} : { 'stable-for': timeout === ONE_LOOK ? '0' : '1s' }
  const hasty = environment(containerOf(template, { ...given, ...soak }), server)
  return { ...(await run({ ...hasty, KPCEA_TIMEOUT: timeout })), env, secrets }
}

describe('the verification of the Stage', () => {
  const stages = [
    ['kargo/stage-staging.yaml', 'staging/web.yaml'],
    ['kargo/stage-prod.yaml', 'prod/web.yaml'],
    ['kargo/variants/many-services.yaml', 'staging/shop.yaml'],
  ] as const
  for (const [path, file] of stages) {
    const stage = exampleManifest(path, 'Stage')
    const before = fleetFiles().get(file) ?? {}

    test(`${path} says yes to what its promotion makes Argo CD deploy`, async () => {
      const promoted = promote(stage, FREIGHT)
      const applications = synced(promoted.fleet.get(file) ?? {})
      expect(applications.length).toBe(path.includes('services') ? 3 : 1)
      const { code, stdout, secrets } = await verifyStage(stage, promoted, applications, PATIENT)
      expect(stdout).toStartWith('VERIFIED')
      expect(code).toBe(0)
      const known = exampleManifests('kargo/tokens.yaml').filter(({ manifest }) => manifest.kind === 'Secret')
      expect(known.map(({ manifest }) => at(manifest, 'metadata', 'name'))).toContain(String(secrets[0]))
    })

    test(`${path} says no as long as Argo CD has not synced the promotion`, async () => {
      const { code, stdout } = await verifyStage(stage, promote(stage, FREIGHT), synced(before), ONE_LOOK)
      expect(stdout).toStartWith('NOT VERIFIED (RevisionMismatch)')
      expect(code).toBe(1)
    })

    test(`${path} says no where one application is left behind, or there is none`, async () => {
      const promoted = promote(stage, FREIGHT)
      const [, ...others] = synced(promoted.fleet.get(file) ?? {})
      const [old] = synced(before)
      const left = old === undefined ? [] : [old]
      expect(await verifyStage(stage, promoted, [...left, ...others], ONE_LOOK)).toMatchObject({ code: 1 })
      expect(await verifyStage(stage, promoted, [], ONE_LOOK)).toMatchObject({ code: 1 })
    })
  }

  for (const [path, file] of stages.slice(0, 2))
    test(`${path} says no to the old image at the Freight's commit`, async () => {
      const stage = exampleManifest(path, 'Stage')
      const promoted = promote(stage, FREIGHT)
      const applications = synced(promoted.fleet.get(file) ?? {}).map((app) => ({
        ...app,
        status: { ...app.status, summary: { images: ['ghcr.io/example/web:1.9'] } },
      }))
      const { code, stdout } = await verifyStage(stage, promoted, applications, ONE_LOOK)
      expect(stdout).toStartWith('NOT VERIFIED (ImageMismatch)')
      expect(code).toBe(1)
    })

  test('README.md says yes to what its promotion makes Argo CD deploy, with the template that it shows', async () => {
    const shown = yamlBlocks()
      .filter(({ where }) => where.startsWith('README.md'))
      .map(({ manifest }) => manifest)
    const stage = shown.find(({ kind }) => kind === 'Stage') ?? {}
    const promoted = promote(stage, FREIGHT)
    const applications = synced(promoted.fleet.get('staging/web.yaml') ?? {})
    expect(await verifyStage(stage, promoted, applications, PATIENT, shown)).toMatchObject({ code: 0 })
    const before = synced(fleetFiles().get('staging/web.yaml') ?? {})
    expect(await verifyStage(stage, promoted, before, ONE_LOOK, shown)).toMatchObject({ code: 1 })
  })

  test('kargo/stage-staging.yaml soaks', async () => {
    const stage = exampleManifest('kargo/stage-staging.yaml', 'Stage')
    const { env } = await verifyStage(stage, promote(stage, FREIGHT), [], ONE_LOOK)
    expect(env.KPCEA_STABLE_FOR).toBe('5m')
  })

  test('kargo/variants/rendered-branch.yaml is about the commit that was pushed', async () => {
    const stage = exampleManifest('kargo/variants/rendered-branch.yaml', 'Stage')
    const promoted = promote(stage, FREIGHT)
    expect(promoted.pushed).toBe(PUSHED_COMMIT)
    const at = (revision: string) => [
      application({
        name: 'web-rendered',
        revision,
        targetRevision: 'stage/staging-rendered',
        images: ['ghcr.io/example/web:1.10'],
      }),
    ]
    expect(await verifyStage(stage, promoted, at(PUSHED_COMMIT), PATIENT)).toMatchObject({ code: 0 })
    expect(await verifyStage(stage, promoted, at(OTHER_REVISION), ONE_LOOK)).toMatchObject({ code: 1 })
    // Nothing was noted: an error in Kargo, and no gate that verifies nothing.
    expect(() => verification(stage, FREIGHT, { metadata: {} })).toThrow()
  })

  test('kargo/stage-dev.yaml needs no gate, and its promotion runs', () => {
    const stage = exampleManifest('kargo/stage-dev.yaml', 'Stage')
    expect(at(stage, 'spec', 'verification')).toBeUndefined()
    promote(stage, FREIGHT)
  })

  test('of the pipeline follows the one before, and prod is promoted by hand', () => {
    const sources = ['dev', 'staging', 'prod'].map((name) => {
      const stage = exampleManifest(`kargo/stage-${name}.yaml`, 'Stage')
      expect(at(stage, 'metadata', 'name')).toBe(name)
      return at(array(at(stage, 'spec', 'requestedFreight'))[0], 'sources')
    })
    expect(sources).toEqual([{ direct: true }, { stages: ['dev'] }, { stages: ['staging'] }])
    const config = exampleManifest('kargo/project.yaml', 'ProjectConfig')
    const policies = array(at(config, 'spec', 'promotionPolicies')).map(object)
    expect(policies.map(({ stageSelector }) => at(stageSelector, 'name') ?? '')).toEqual(['dev', 'staging'])
  })
})

describe('the account', () => {
  const [account, policy] = exampleManifests('argocd-account.yaml').map(({ manifest }) =>
    object(manifest.data),
  )

  test('has a token, and may read applications and nothing else', () => {
    expect(account).toEqual({ 'accounts.kpcea': 'apiKey' })
    const lines = String(policy?.['policy.kpcea.csv']).trim().split('\n')
    expect(lines).toEqual(['p, role:kpcea, applications, get, */*, allow', 'g, kpcea, role:kpcea'])
  })

  test('leaves the policies that are there alone', () => {
    expect(Object.keys(policy ?? {})).toEqual(['policy.kpcea.csv'])
  })
})
