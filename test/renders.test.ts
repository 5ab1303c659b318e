/** The policy `equivalent` on the executable: Argo CD is asked what two revisions render, and what it says decides. */

import { expect, test } from 'bun:test'
import { type ApplicationOptions, ArgoCDServer, application, type JsonObject } from './argocd/server.ts'
import { connect, type Environment, runJson } from './executable.ts'
import { SHA } from './fixtures.ts'

/** What is observed, and what was promoted before an unrelated commit moved that on. */
const OBSERVED = SHA.b
const WANTED = SHA.a

const config = (value: string, name = 'web'): JsonObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'web' },
  data: { value },
})
const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', namespace: 'web' } }
const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'keys', namespace: 'web' } }

/** What the renderings of both come to. */
async function compare(
  rendered: Readonly<Record<string, readonly (JsonObject | string)[]>>,
  {
    options = {},
    env = {},
    change = {},
  }: {
    readonly options?: ApplicationOptions
    readonly env?: Environment
    readonly change?: JsonObject
  } = {},
) {
  await using server = await ArgoCDServer.start()
  server.apply(application({ name: 'web', revision: OBSERVED, ...options }, change))
  for (const [revision, manifests] of Object.entries(rendered)) server.manifests(revision, manifests)
  const { result } = await runJson(
    connect(server, {
      ARGOCD_APP_NAME: 'web',
      KPCEA_TARGET_REVISION: WANTED,
      KPCEA_REVISION_POLICY: 'equivalent',
      KPCEA_REFRESH: 'none',
      KPCEA_TIMEOUT: '6',
      ...env,
    }),
  )
  const asked = server.requests.filter(({ route }) => route === 'manifests').map(({ query }) => query)
  return { ...result, asked }
}

const REFUSED = { verified: false, reason: 'RevisionMismatch' }

test.concurrent('the same manifests, whatever their order: yes, for two requests', async () => {
  const result = await compare({
    [WANTED]: [config('1'), service],
    [OBSERVED]: [service, { ...config('1'), metadata: { namespace: 'web', name: 'web' } }],
  })
  expect(result).toMatchObject({ verified: true })
  expect(result.asked.map((query) => query.get('revision')).sort()).toEqual([WANTED, OBSERVED])
})

test.concurrent('not where another policy is asked for, and the message names this one', async () => {
  const rendered = { [WANTED]: [service], [OBSERVED]: [service] }
  // The last sync was to the wanted one, and the observed one has moved on by itself.
  const change = { status: { history: [{ id: 0, revision: WANTED }] } }
  const result = await compare(rendered, { change, env: { KPCEA_REVISION_POLICY: 'exact' } })
  expect(result).toMatchObject({ ...REFUSED, asked: [] })
  expect(result.message).toContain('equivalent')
})

test.concurrent('other manifests: no, asked once for each pair, with their names', async () => {
  const result = await compare({ [WANTED]: [config('1'), service], [OBSERVED]: [config('2')] })
  expect(result).toMatchObject(REFUSED)
  expect(result.message).toContain('they render different manifests')
  expect(result.message).toContain('ConfigMap web')
  expect(result.message).toContain('Service web is only in the wanted one')
  expect(result.asked).toHaveLength(2)
})

test.concurrent('a hook that differs', async () => {
  const hook = (image: string) => ({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { generateName: 'smoke-', annotations: { 'argocd.argoproj.io/hook': 'PostSync' } },
    spec: { image },
  })
  expect(await compare({ [WANTED]: [service, hook('1')], [OBSERVED]: [service, hook('2')] })).toMatchObject(
    REFUSED,
  )
})

test.concurrent('a Secret among them, whose data Argo CD hides: no, and why', async () => {
  const result = await compare({ [WANTED]: [secret], [OBSERVED]: [secret] })
  expect(result).toMatchObject(REFUSED)
  expect(result.message).toContain('Argo CD hides the data of Secrets')
})

test.concurrent('a revision that cannot be rendered: no, and why', async () => {
  const result = await compare({ [OBSERVED]: [service] })
  expect(result).toMatchObject(REFUSED)
  expect(result.message).toContain('cannot be had')
})

test.concurrent('nothing rendered of both is no evidence', async () => {
  expect(await compare({ [WANTED]: [], [OBSERVED]: [] })).toMatchObject(REFUSED)
})

test.concurrent.each([
  ['no JSON', '{"apiVersion":'],
  ['no manifest', '[]'],
  ['one without a kind', '{"apiVersion":"v1"}'],
  ['a number that is too large to compare', '{"apiVersion":"v1","kind":"X","n":12345678901234567890}'],
])('a manifest that cannot be read (%s): no, and that is said', async (_, text) => {
  const result = await compare({ [WANTED]: [service, text], [OBSERVED]: [service, text] })
  expect(result).toMatchObject(REFUSED)
  expect(result.message).toContain('a manifest cannot be read')
})

test.concurrent('several sources: each takes its place, and all positions are given', async () => {
  const sources = [
    { repoURL: 'https://git.example.com/app.git', path: 'a', revision: OBSERVED },
    { repoURL: 'https://charts.example.com', chart: 'web', targetRevision: '1.0.0', revision: '1.0.0' },
  ]
  const rendered = { [WANTED]: [service], [OBSERVED]: [service], '1.0.0': [config('1', 'chart')] }
  const result = await compare(rendered, { options: { sources } })
  expect(result).toMatchObject({ verified: true })
  for (const query of result.asked) {
    expect(query.getAll('sourcePositions')).toEqual(['1', '2'])
    expect(query.getAll('revisions')).toContain('1.0.0')
  }
})

test.concurrent('a hydrated application: by its dry commits', async () => {
  const rendered = { [WANTED]: [service], [SHA.c]: [service], [OBSERVED]: [config('hydrated')] }
  const result = await compare(rendered, { options: { drySHA: SHA.c } })
  expect(result).toMatchObject({ verified: true })
  expect(result.asked.map((query) => query.get('revision')).sort()).toEqual([WANTED, SHA.c].sort())
})

test.concurrent('a hydrated application before Argo CD 3.5, which renders what was hydrated: not asked, and why', async () => {
  const rendered = { [WANTED]: [service], [SHA.c]: [service] }
  const change = { status: { sourceHydrator: { lastComparedDryRevision: null } } }
  const result = await compare(rendered, { options: { drySHA: SHA.c }, change })
  expect(result).toMatchObject({ ...REFUSED, asked: [] })
  expect(result.message).toContain('from Argo CD 3.5 on')
})

test.concurrent('a branch is never compared: it may point elsewhere by now', async () => {
  const rendered = { main: [service], [OBSERVED]: [service] }
  const env = { KPCEA_TARGET_REVISION: 'other-branch' }
  const result = await compare({ ...rendered, 'other-branch': [service] }, { env })
  expect(result).toMatchObject({ ...REFUSED, asked: [] })
})

test.concurrent('what the monorepo controller has noted counts where a Secret hides the answer', async () => {
  const noted = (looked: string) => ({
    annotations: {
      'mrp-controller.argoproj.io/git-revision': looked,
      'mrp-controller.argoproj.io/change-revision': WANTED,
    },
  })
  const rendered = { [WANTED]: [secret], [OBSERVED]: [secret] }
  expect(await compare(rendered, { options: noted(OBSERVED) })).toMatchObject({ verified: true })
  // Not where it has not looked at what is observed, nor against the manifests.
  expect(await compare(rendered, { options: noted(SHA.d) })).toMatchObject(REFUSED)
  const different = { [WANTED]: [config('1')], [OBSERVED]: [config('2')] }
  expect(await compare(different, { options: noted(OBSERVED) })).toMatchObject(REFUSED)
})
