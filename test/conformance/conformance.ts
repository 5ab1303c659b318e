/**
 * Plays the situations of docs/verification.md on a real Argo CD, and prints what the gate said of each, when, and
 * what others said. README.md beside this file says how to run it.
 */

import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { at } from '../argocd/json.ts'
import { KINDS, Kubernetes } from './kubernetes.ts'
import { play, type Row } from './play.ts'
import { removeRun } from './repository.ts'
import type { World } from './scene.ts'
import { type Served, serveRepository } from './serve.ts'
import { type Need, SITUATIONS } from './situations.ts'
import { formatRow, formatTable } from './table.ts'
import { type Access, argocdCli, findProgram, gate, goTool, knownWords, type Tool } from './tools.ts'

const ROOT = join(import.meta.dir, '../..')
const CLEANUP_MS = 90_000

const { values } = parseArgs({
  options: {
    kubeconfig: { type: 'string', default: process.env.KUBECONFIG ?? join(homedir(), '.kube/config') },
    server: { type: 'string', default: process.env.ARGOCD_SERVER ?? '' },
    'token-file': { type: 'string' },
    'sync-token-file': { type: 'string' },
    'ca-file': { type: 'string' },
    insecure: { type: 'boolean', default: false },
    repository: { type: 'string' },
    serve: { type: 'string' },
    'yes-on': { type: 'string', multiple: true, default: [] },
    namespace: { type: 'string', default: 'argocd' },
    executable: { type: 'string', default: join(ROOT, 'dist/kpcea') },
    'go-tool': { type: 'string' },
    argocd: { type: 'string' },
    'failing-image': { type: 'string', default: 'registry.k8s.io/pause:3.9' },
    hydrator: { type: 'boolean', default: false },
    only: { type: 'string' },
    'at-once': { type: 'string', default: '4' },
    minutes: { type: 'string', default: '25' },
    output: { type: 'string' },
  },
})

/** What is wrong with how the suite was started. */
class Refused extends Error {}

/** @throws Refused where a host is neither this machine nor named */
function mayTouch(address: string, what: string): void {
  const url = new URL(address.includes('://') ? address : `https://${address}`)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (/^(?:localhost|127(?:\.\d+){3}|::1)$/.test(host)) return
  if (values['yes-on'].some((named) => named === url.host || named === host)) return
  throw new Refused(
    `${what} is ${url.host}, which is not this machine: name it with --yes-on ${url.host} to have Applications made there`,
  )
}

async function main(): Promise<number> {
  const token = await secret(
    values['token-file'] ?? process.env.ARGOCD_API_TOKEN_FILE,
    process.env.ARGOCD_API_TOKEN,
  )
  if (values.server === '') throw new Refused('--server names no Argo CD')
  if (token === undefined)
    throw new Refused('--token-file names no token of an account that may get applications')
  if (values.repository === undefined && values.serve === undefined)
    throw new Refused(
      '--repository names no Git repository to push to, and --serve no address to serve one at',
    )
  if (!existsSync(values.executable)) throw new Refused(`${values.executable} does not exist; run the build`)
  mayTouch(values.server, 'the Argo CD')
  const kubernetes = Kubernetes.fromConfig(values.kubeconfig)
  mayTouch(kubernetes.server, 'the Kubernetes API')

  const limit = new AbortController()
  const timer = setTimeout(
    () => limit.abort(new Error('the suite ran out of time')),
    Number(values.minutes) * 60_000,
  )
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => limit.abort(new Error(`the suite was stopped by ${signal}`)))

  const directory = await mkdtemp(join(tmpdir(), 'conformance-'))
  const served: Served | undefined =
    values.serve === undefined ? undefined : await serveRepository(values.serve, directory)
  const run = Math.random().toString(36).slice(2, 7)
  const world: World = {
    kubernetes,
    argocd: values.namespace,
    namespace: `kpcea-conformance-${run}`,
    project: `kpcea-conformance-${run}`,
    repository: values.repository ?? served?.url ?? '',
    run,
    failingImage: values['failing-image'],
    signal: limit.signal,
  }
  const access: Access = {
    server: values.server,
    token,
    caFile: values['ca-file'],
    insecure: values.insecure,
    syncToken: await secret(values['sync-token-file'], undefined),
  }
  const tools = findTools(access)
  try {
    await prepare(world)
    const rows = await playAll(world, tools, directory, await unmet(kubernetes, access))
    const table = formatTable(
      rows,
      tools.map(({ name }) => name),
    )
    console.log(`\n${table}`)
    if (values.output !== undefined) await writeFile(values.output, `${table}\n`)
    const right = rows.every((row) => row.problem === undefined && row.told[0]?.judgement === 'right')
    return right && !limit.signal.aborted ? 0 : 1
  } finally {
    clearTimeout(timer)
    await clean(world)
    await removeRun(world.repository, run, join(directory, 'rest'))
    await served?.stop()
    await rm(directory, { recursive: true, force: true })
  }
}

/** A secret of a file, or else of a variable. */
async function secret(file: string | undefined, value: string | undefined): Promise<string | undefined> {
  return file === undefined ? value : (await readFile(file, 'utf8')).trim()
}

/** The gate first. */
function findTools(access: Access): readonly Tool[] {
  const argocd = findProgram(values.argocd, 'argocd')
  const other = findProgram(values['go-tool'], 'kargo-promotion-check-ext-argo')
  return [
    gate(values.executable, access),
    ...(other === undefined ? [] : [goTool(other, access)]),
    ...(argocd === undefined ? [] : [argocdCli(argocd, access)]),
  ]
}

/** What situations may need and is not there, with the reason. */
async function unmet(kubernetes: Kubernetes, access: Access): Promise<ReadonlyMap<Need, string>> {
  const nodes = await kubernetes.list(KINDS.node)
  const help = knownWords(values.executable)
  const missing = new Map<Need, string>()
  if (nodes.length === 0) missing.set('pods', 'no node runs Pods')
  if (!values.hydrator) missing.set('hydrator', 'without --hydrator')
  if (!help.includes('equivalent')) missing.set('equivalent', 'this executable does not know it')
  if (!help.includes('--selector-min')) missing.set('selector-min', 'this executable does not know it')
  if (!help.includes('--sync')) missing.set('sync', 'this executable does not know it')
  else if (access.syncToken === undefined) missing.set('sync', 'without --sync-token-file')
  return missing
}

/** The namespace and the project. */
async function prepare({ kubernetes, namespace, project, argocd, run }: World): Promise<void> {
  const labels = { 'kpcea-conformance': run }
  await kubernetes.apply(KINDS.namespace, { metadata: { name: namespace, labels } })
  await kubernetes.apply(KINDS.project, {
    metadata: { name: project, namespace: argocd, labels },
    spec: {
      description: 'made by the conformance suite of kpcea, which removes it at its end',
      sourceRepos: ['*'],
      destinations: [{ server: 'https://kubernetes.default.svc', namespace }],
    },
  })
}

/** Plays what was asked for, some at once, and tells of each as it ends. */
async function playAll(
  world: World,
  tools: readonly Tool[],
  directory: string,
  missing: ReadonlyMap<Need, string>,
): Promise<readonly Row[]> {
  const only = values.only?.split(',').map((name) => name.trim())
  const wanted = SITUATIONS.filter(
    ({ name }) => only === undefined || only.some((part) => name.includes(part)),
  )
  const chosen = wanted.filter(({ needs = [] }) => !needs.some((need) => missing.has(need)))
  for (const { name, needs = [] } of wanted.filter((one) => !chosen.includes(one)))
    console.log(`${name}: left out, ${needs.flatMap((need) => missing.get(need) ?? []).join(', ')}`)
  const rows = new Map<string, Row>()
  const waiting = [...chosen]
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      if (world.signal.aborted) return
      const row = await play(next, world, tools, directory)
      rows.set(next.name, row)
      console.log(
        formatRow(
          row,
          tools.map(({ name }) => name),
        ).join(' · '),
      )
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, Number(values['at-once'])) }, worker))
  if (world.signal.aborted)
    console.log(`\n${world.signal.reason}: ${rows.size} of ${chosen.length} were played`)
  return chosen.flatMap(({ name }) => rows.get(name) ?? [])
}

/** Removes everything, whatever of it there is, and says what could not be removed in time. */
async function clean({ kubernetes, namespace, project, argocd, run }: World): Promise<void> {
  const end = performance.now() + CLEANUP_MS
  for (;;) {
    const left = await kubernetes.list(KINDS.application, argocd, `kpcea-conformance=${run}`)
    if (left.length === 0) break
    if (performance.now() > end) {
      // The namespace takes what they deployed with it.
      for (const name of left.map((one) => String(at(one, 'metadata', 'name'))))
        await kubernetes
          .patch(KINDS.application, name, argocd, { metadata: { finalizers: [] } })
          .catch(() => {})
      break
    }
    for (const one of left)
      if (at(one, 'metadata', 'deletionTimestamp') === undefined)
        await kubernetes.delete(KINDS.application, String(at(one, 'metadata', 'name')), argocd)
    await Bun.sleep(500)
  }
  await kubernetes.delete(KINDS.project, project, argocd)
  await kubernetes.delete(KINDS.namespace, namespace)
  // Argo CD holds on to the Jobs of hooks, and may have forgotten those of an operation that was cut off.
  for (const job of await kubernetes.list(KINDS.job, namespace))
    await kubernetes
      .patch(KINDS.job, String(at(job, 'metadata', 'name')), namespace, { metadata: { finalizers: [] } })
      .catch(() => {})
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(error instanceof Refused ? error.message : error)
  process.exitCode = 2
}
