import { afterEach, describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { call, login, start, stopServers, watch } from './client.ts'
import type { Json } from './server.ts'

afterEach(stopServers)

describe('the answers are what the OpenAPI document promises', () => {
  const path = '../shared/schemas/argocd-swagger.json'
  const document = new URL(`../../${path}`, import.meta.url)
  const present = existsSync(document)
  if (!present) console.warn(`skipped: the OpenAPI document ${path} is not there to check answers against`)

  test.skipIf(!present)('each of them', async () => {
    const { definitions } = await Bun.file(document).json()
    const server = await start(
      { accounts: { ada: 'secret' } },
      { name: 'git', resources: 7 },
      { name: 'chart', chart: 'nginx', revision: '1.2.3' },
      { name: 'several', sources: [{ repoURL: 'https://a', path: 'x', revision: 'a'.repeat(40) }] },
      { name: 'hydrated', drySHA: 'd'.repeat(40) },
    )
    server.commit('a'.repeat(40), { message: 'Promote', tags: ['v1'] })
    server.manifests('a'.repeat(40), [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'git' } }])
    server.chart('1.2.3', { description: 'A web server' })
    const conforms = (json: Json, definition: string) =>
      expect(problems(json, { $ref: `#/definitions/${definition}` }, definitions)).toEqual([])

    for (const name of ['git', 'chart', 'several', 'hydrated']) {
      conforms((await call(server, `/applications/${name}`)).json, 'v1alpha1Application')
      conforms((await call(server, `/applications/${name}?refresh=hard`)).json, 'v1alpha1Application')
      conforms((await call(server, `/applications/${name}/resource-tree`)).json, 'v1alpha1ApplicationTree')
      conforms((await call(server, `/applications/${name}/events`)).json, 'eventsEventList')
      const manifests = (await call(server, `/applications/${name}/manifests`)).json
      if (name === 'git') conforms(manifests, 'repositoryManifestResponse')
      const windows = (await call(server, `/applications/${name}/syncwindows`)).json
      conforms(windows, 'applicationApplicationSyncWindowsResponse')
    }
    conforms((await call(server, '/applications')).json, 'v1alpha1ApplicationList')
    // The real server contradicts its document in this field, where it puts the result.
    const every = '-items.status.operationState.operation.sync'
    conforms((await call(server, `/applications?fields=${every}`)).json, 'v1alpha1ApplicationList')
    const revisions = '/applications/git/revisions'
    conforms((await call(server, `${revisions}/${'a'.repeat(40)}/metadata`)).json, 'v1alpha1RevisionMetadata')
    const details = await call(server, '/applications/chart/revisions/1.2.3/chartdetails')
    conforms(details.json, 'v1alpha1ChartDetails')
    conforms((await login(server, 'ada', 'secret')).json, 'sessionSessionResponse')
    conforms((await login(server, 'ada', 'wrong')).json, 'runtimeError')
    conforms((await call(server, '/applications/none')).json, 'runtimeError')
    for (const query of ['', 'fields=result.application.status.sync']) {
      const stream = await watch(server, query, query === '' ? 4 : 1)
      for (const { result } of stream.messages) conforms(result ?? null, 'v1alpha1ApplicationWatchEvent')
    }
    const { json } = await call(server, '/stream/applications', { headers: { authorization: '' } })
    conforms(json.error ?? null, 'runtimeStreamError')
  })

  test('and the validator finds what is not', () => {
    const definitions = {
      leaf: {
        type: 'object',
        properties: { n: { type: 'integer' }, t: { type: 'array', items: { type: 'string' } } },
      },
      open: { type: 'object', additionalProperties: { type: 'string' } },
    }
    const of = (json: Json, name: string) => problems(json, { $ref: `#/definitions/${name}` }, definitions)
    expect(of({ n: 1, t: ['a'] }, 'leaf')).toEqual([])
    expect(of({ n: '1', t: [2], x: 0 }, 'leaf')).toHaveLength(3)
    expect(of({ a: 'b' }, 'open')).toEqual([])
    expect(of({ a: 1 }, 'open')).toHaveLength(1)
  })
})

type Schema = {
  $ref?: string
  type?: string
  properties?: Record<string, Schema>
  items?: Schema
  additionalProperties?: Schema
  allOf?: Schema[]
}

/** What in a value contradicts a schema. A null stands for an absent value, as Go writes it. */
function problems(
  value: Json | undefined,
  schema: Schema,
  definitions: Record<string, Schema>,
  path = '$',
): string[] {
  if (value === null || value === undefined) return []
  if (schema.$ref !== undefined) {
    const definition = definitions[schema.$ref.replace('#/definitions/', '')]
    if (definition === undefined) return [`${path}: no definition ${schema.$ref}`]
    return problems(value, definition, definitions, path)
  }
  if (schema.type === 'array') {
    if (!Array.isArray(value)) return [`${path}: not an array`]
    return value.flatMap((item, index) =>
      problems(item, schema.items ?? {}, definitions, `${path}[${index}]`),
    )
  }
  if (schema.type === 'object' || schema.properties !== undefined) {
    if (typeof value !== 'object' || Array.isArray(value)) return [`${path}: not an object`]
    return Object.entries(value).flatMap(([key, member]) => {
      const known = propertyOf(schema, key, definitions)
      return known ? problems(member, known, definitions, `${path}.${key}`) : [`${path}.${key}: not known`]
    })
  }
  if (schema.type === 'integer') return Number.isInteger(value) ? [] : [`${path}: not an integer`]
  return schema.type === undefined || schema.type === typeof value ? [] : [`${path}: not a ${schema.type}`]
}

function propertyOf(schema: Schema, key: string, definitions: Record<string, Schema>): Schema | undefined {
  const own = schema.properties?.[key] ?? schema.additionalProperties
  if (own !== undefined) return own
  for (const part of schema.allOf ?? []) {
    const resolved = part.$ref === undefined ? part : definitions[part.$ref.replace('#/definitions/', '')]
    const found = resolved && propertyOf(resolved, key, definitions)
    if (found !== undefined) return found
  }
  return undefined
}
