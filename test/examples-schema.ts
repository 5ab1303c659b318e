/** Checks manifests against the CustomResourceDefinitions of Argo and Kargo, as far as their OpenAPI schemas go. */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { array, at, type Json, type JsonObject, object } from './argocd/json.ts'

/** Where the definitions may be; they are not part of the project. `bun run definitions` fetches them to the first. */
const DIRECTORIES = ['../.definitions', '../../shared/schemas'].map((path) => join(import.meta.dir, path))

/** Whether definitions are at hand. */
export const haveSchemas = DIRECTORIES.some(existsSync)

/** The schemas by kind, such as `kargo.akuity.io/v1alpha1 Stage`. */
export function loadSchemas(): ReadonlyMap<string, JsonObject> {
  const schemas = new Map<string, JsonObject>()
  const files = DIRECTORIES.filter(existsSync).flatMap((directory) =>
    readdirSync(directory).flatMap((name) => (name.endsWith('.yaml') ? [join(directory, name)] : [])),
  )
  for (const file of files) {
    const definition = Bun.YAML.parse(readFileSync(file, 'utf8')) as Json
    const group = at(definition, 'spec', 'group')
    const kind = at(definition, 'spec', 'names', 'kind')
    for (const version of array(at(definition, 'spec', 'versions'))) {
      const name = `${group}/${at(version, 'name')} ${kind}`
      if (!schemas.has(name)) schemas.set(name, object(at(version, 'schema', 'openAPIV3Schema')))
    }
  }
  return schemas
}

/**
 * What is wrong with a value, a line each. Knows what the API server would: types, required, unknown and
 * enumerated values, patterns, lengths. It does not evaluate CEL rules.
 */
export function violations(value: Json | undefined, schema: JsonObject, path = ''): readonly string[] {
  const say = (what: string) => `${path || 'the manifest'} ${what}`
  if (value === undefined || value === null) return schema.nullable === true ? [] : [say('is null')]
  const isInteger = typeof value === 'number' && Number.isInteger(value)
  if (schema['x-kubernetes-int-or-string'] === true)
    return isInteger || typeof value === 'string' ? [] : [say('is neither an integer nor a string')]
  const found: string[] = []
  const type = Array.isArray(value)
    ? 'array'
    : isInteger && schema.type === 'integer'
      ? 'integer'
      : typeof value
  if (schema.type !== undefined && schema.type !== type)
    return [say(`is ${JSON.stringify(value)}, and should be of type ${schema.type}`)]
  if (Array.isArray(schema.enum) && !schema.enum.includes(value))
    found.push(say(`is ${JSON.stringify(value)}, and should be one of ${schema.enum.join(', ')}`))
  if (typeof value === 'string') {
    if (typeof schema.pattern === 'string' && !new RegExp(schema.pattern).test(value))
      found.push(say(`is ${JSON.stringify(value)}, which does not match ${schema.pattern}`))
    if (value.length < Number(schema.minLength ?? 0)) found.push(say('is too short'))
    if (value.length > Number(schema.maxLength ?? Number.POSITIVE_INFINITY)) found.push(say('is too long'))
  }
  if (typeof value === 'number') {
    if (value < Number(schema.minimum ?? Number.NEGATIVE_INFINITY)) found.push(say('is too small'))
    if (value > Number(schema.maximum ?? Number.POSITIVE_INFINITY)) found.push(say('is too large'))
  }
  if (Array.isArray(value)) {
    if (value.length < Number(schema.minItems ?? 0)) found.push(say('has too few items'))
    if (value.length > Number(schema.maxItems ?? Number.POSITIVE_INFINITY))
      found.push(say('has too many items'))
    const { items } = schema
    if (items !== undefined)
      found.push(...value.flatMap((item, i) => violations(item, object(items), `${path}[${i}]`)))
  } else if (typeof value === 'object') found.push(...memberViolations(value, schema, path))
  return found
}

function memberViolations(value: JsonObject, schema: JsonObject, path: string): readonly string[] {
  const found: string[] = []
  const properties = object(schema.properties)
  // Defaults are filled in before anything is checked.
  for (const name of array(schema.required).map(String))
    if (value[name] === undefined && object(properties[name]).default === undefined)
      found.push(`${path || 'the manifest'} lacks ${name}`)
  const { additionalProperties } = schema
  // A top-level metadata, and what is preserved, is described nowhere.
  const isOpen =
    schema['x-kubernetes-preserve-unknown-fields'] === true ||
    additionalProperties === true ||
    (schema.properties === undefined && additionalProperties === undefined)
  for (const [name, member] of Object.entries(value)) {
    const where = path === '' ? name : `${path}.${name}`
    const known = properties[name]
    if (known !== undefined) found.push(...violations(member, object(known), where))
    else if (typeof additionalProperties === 'object')
      found.push(...violations(member, object(additionalProperties), where))
    else if (!isOpen) found.push(`${where} is not known; known are ${Object.keys(properties).join(', ')}`)
  }
  return found
}

const METADATA = ['name', 'generateName', 'namespace', 'labels', 'annotations', 'finalizers']

/** The members of an object's own metadata, which no definition describes. */
export function metadataViolations(manifest: JsonObject): readonly string[] {
  const metadata = object(manifest.metadata)
  const found = Object.keys(metadata).flatMap((name) =>
    METADATA.includes(name) ? [] : [`metadata.${name} is not known`],
  )
  if (metadata.name === undefined && metadata.generateName === undefined) found.push('metadata lacks name')
  for (const part of ['labels', 'annotations'])
    for (const [name, value] of Object.entries(object(metadata[part])))
      if (typeof value !== 'string') found.push(`metadata.${part}.${name} is not a string`)
  return found
}

/** What an object of Kubernetes itself must and may hold at its top, for kinds that no definition describes. */
const BUILT_IN: Readonly<
  Record<string, { readonly required: readonly string[]; readonly optional?: readonly string[] }>
> = {
  'v1 ConfigMap': { required: ['data'] },
  'v1 Secret': { required: ['type', 'stringData'] },
  'v1 Service': { required: ['spec'] },
  'v1 ServiceAccount': { required: [] },
  'rbac.authorization.k8s.io/v1 Role': { required: ['rules'] },
  'rbac.authorization.k8s.io/v1 RoleBinding': { required: ['roleRef', 'subjects'] },
  'batch/v1 Job': { required: ['spec'] },
  'networking.k8s.io/v1 NetworkPolicy': { required: ['spec'] },
  'argoproj.io/v1alpha1 Rollout': { required: ['spec'] },
  // Its definition is not public.
  'ee.kargo.akuity.io/v1alpha1 CustomPromotionStep': { required: ['spec'] },
  'argoproj.io/v1alpha1 ApplicationSet': { required: ['spec'] },
}

/** What is wrong with the top of an object whose kind no definition describes. */
export function builtInViolations(manifest: JsonObject): readonly string[] {
  const kind = `${manifest.apiVersion} ${manifest.kind}`
  const known = BUILT_IN[kind]
  if (known === undefined) return [`${kind} is a kind that this test does not know`]
  const allowed = ['apiVersion', 'kind', 'metadata', ...known.required, ...(known.optional ?? [])]
  return [
    ...known.required.filter((name) => manifest[name] === undefined).map((name) => `${kind} lacks ${name}`),
    ...Object.keys(manifest)
      .filter((name) => !allowed.includes(name))
      .map((name) => `${name} is not known in ${kind}`),
    ...['data', 'stringData'].flatMap((part) =>
      Object.entries(object(manifest[part]))
        .filter(([, value]) => typeof value !== 'string')
        .map(([name]) => `${part}.${name} is not a string`),
    ),
  ]
}
