/** The fields that a stream is asked for, and what lib/application.ts reads, cannot drift apart. */

import { expect, test } from 'bun:test'
import { applicationSchema } from '../lib/application-schema.ts'
import { UNWATCHED_FIELDS, WATCH_FIELDS } from '../lib/watch-fields.ts'

const PREFIX = 'result.application.'
const watched = WATCH_FIELDS.filter((field) => field.startsWith(PREFIX)).map((field) =>
  field.slice(PREFIX.length),
)

const source = { repoURL: 'a', path: 'a', chart: 'a', targetRevision: 'a', ref: 'a', name: 'a' }
const revisions = { revision: 'a', revisions: ['a'] }
const object = { group: 'a', kind: 'a', namespace: 'a', name: 'a', status: 'a', message: 'a' }

/** An Application in which everything is there that could be read. */
const FULL = {
  metadata: { name: 'a', namespace: 'a', uid: 'a', deletionTimestamp: 'a', annotations: { a: 'a' } },
  operation: {
    info: [{ name: 'a', value: 'a' }],
    sync: { ...revisions, dryRun: true, manifests: ['a'], resources: ['a'] },
  },
  spec: {
    project: 'a',
    source,
    sources: [source],
    sourceHydrator: { drySource: source, syncSource: { repoURL: 'a', targetBranch: 'a', path: 'a' } },
    destination: { server: 'a' },
    syncPolicy: { automated: { prune: true, enabled: true } },
  },
  status: {
    controllerNamespace: 'a',
    sync: {
      status: 'a',
      ...revisions,
      comparedTo: { source, sources: [source], destination: { server: 'a' } },
    },
    health: { status: 'a', message: 'a' },
    reconciledAt: 'a',
    operationState: {
      phase: 'a',
      message: 'a',
      startedAt: 'a',
      finishedAt: 'a',
      retryCount: 1,
      operation: {
        info: [{ name: 'a', value: 'a' }],
        sync: { ...revisions, dryRun: true, manifests: ['a'], resources: ['a'] },
        retry: { limit: 5 },
      },
      syncResult: { ...revisions, resources: [{ ...object, hookType: 'a', hookPhase: 'a' }] },
    },
    conditions: [{ type: 'a', message: 'a' }],
    resources: [{ ...object, health: { status: 'a', message: 'a' } }],
    history: [{ id: 1, ...revisions, sources: [source] }],
    summary: { images: ['a'] },
    sourceHydrator: {
      currentOperation: {
        phase: 'a',
        drySHA: 'a',
        hydratedSHA: 'a',
        message: 'a',
        finishedAt: 'a',
        sourceHydrator: { drySource: source },
      },
      lastSuccessfulOperation: { drySHA: 'a', hydratedSHA: 'a', sourceHydrator: { drySource: source } },
      lastComparedDryRevision: 'a',
    },
  },
}

/** Notes every path that is read; what is asked for and not there would be a gap in {@link FULL}. */
function recording(value: unknown, path: string, read: Set<string>, gaps: Set<string>): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item) => recording(item, path, read, gaps))
  return new Proxy(value, {
    get(target, key) {
      if (typeof key !== 'string' || key === 'constructor' || key === 'toJSON' || key === '__proto__')
        return Reflect.get(target, key)
      const inner = path === '' ? key : `${path}.${key}`
      read.add(inner)
      if (!(key in target)) gaps.add(inner)
      return recording(Reflect.get(target, key), inner, read, gaps)
    },
  })
}

const isWithin = (path: string, field: string) => path === field || path.startsWith(`${field}.`)

function readPaths(): { leaves: readonly string[]; gaps: ReadonlySet<string> } {
  const read = new Set<string>()
  const gaps = new Set<string>()
  applicationSchema.parse(recording(FULL, '', read, gaps))
  const leaves = [...read].filter((path) => ![...read].some((other) => other.startsWith(`${path}.`)))
  return { leaves, gaps }
}

test('the full Application has everything that is read', () => {
  expect([...readPaths().gaps]).toEqual([])
})

test('everything that is read is streamed, but for the lists of resources', () => {
  const missing = readPaths().leaves.filter(
    (path) => ![...watched, ...UNWATCHED_FIELDS].some((field) => isWithin(path, field)),
  )
  expect(missing).toEqual([])
})

test('nothing is streamed that is not read', () => {
  const { leaves } = readPaths()
  expect(watched.filter((field) => !leaves.some((path) => isWithin(path, field)))).toEqual([])
})

test('the lists of resources are not streamed', () => {
  expect(UNWATCHED_FIELDS.filter((field) => watched.some((other) => isWithin(field, other)))).toEqual([])
})
