/**
 * What Kargo, Argo Rollouts and Argo Workflows make of the examples before a container starts: expressions,
 * arguments, promotion steps. As much of it as the examples use, and strict: whatever is not known is an error.
 */

import { array, at, copy, type Json, type JsonObject, object } from './argocd/json.ts'
import { exampleManifest, exampleManifests } from './examples-manifests.ts'

/** Values by name. */
export type Values = Readonly<Record<string, string>>

// ---- Argo Rollouts

/**
 * The metrics of an AnalysisTemplate with its arguments put in, as the controller does it: in the JSON text. An
 * argument that nobody supplies is an error there. One that the template does not declare is dropped by Kargo
 * without a word, which no example should rely on: it is an error here.
 */
export function resolveMetrics(template: JsonObject, given: Values): readonly JsonObject[] {
  const declared = array(at(template, 'spec', 'args')).map(object)
  const names = declared.map(({ name }) => String(name))
  for (const name of Object.keys(given))
    if (!names.includes(name)) throw new Error(`the template declares no argument ${name}`)
  const values = new Map(
    declared.map(({ name, value }) => {
      const actual = given[String(name)] ?? value
      if (typeof actual !== 'string') throw new Error(`argument "${name}" was not supplied`)
      return [`args.${name}`, actual]
    }),
  )
  return array(at(template, 'spec', 'metrics')).map((metric) =>
    object(
      JSON.parse(
        JSON.stringify(metric).replace(/\{\{(.*?)\}\}/g, (_, tag: string) => {
          const value = values.get(tag.trim())
          if (value === undefined) throw new Error(`failed to resolve {{${tag}}}`)
          return JSON.stringify(value).slice(1, -1)
        }),
      ) as Json,
    ),
  )
}

/** The arguments that an analysis step of a Rollout passes, with its `fieldRef`s resolved. */
export function rolloutArguments(rollout: JsonObject, analysis: JsonObject): Values {
  return Object.fromEntries(
    array(analysis.args).map((argument) => {
      const { name, value, valueFrom } = object(argument)
      if (value !== undefined) return [String(name), String(value)]
      const path = String(at(valueFrom, 'fieldRef', 'fieldPath'))
      const [, key] = /^metadata\.annotations\['([^']+)'\]$/.exec(path) ?? []
      const found = key === undefined ? undefined : object(at(rollout, 'metadata', 'annotations'))[key]
      if (typeof found !== 'string') throw new Error(`the Rollout has nothing at ${path}`)
      return [String(name), found]
    }),
  )
}

// ---- Kargo

/** One piece of Freight: what each repository is at. */
export interface Freight {
  readonly commits: Values
  readonly images: Values
}

/** What a promotion has left behind. */
export interface Promoted {
  /** Files of the repository fleet after the push, by their path in it. */
  readonly fleet: ReadonlyMap<string, JsonObject>
  /** What was pushed last, where anything was. */
  readonly pushed: string | undefined
  readonly metadata: JsonObject
}

/** The steps that the examples use: what their configuration must hold, and what else it may. */
const STEPS: Readonly<Record<string, readonly [required: readonly string[], optional: readonly string[]]>> = {
  'argocd-update': [['apps'], []],
  'git-clear': [['path'], []],
  'git-clone': [
    ['repoURL', 'checkout'],
    ['author', 'blobless'],
  ],
  'git-commit': [['path', 'message'], []],
  'git-push': [['path'], ['targetBranch', 'force']],
  'kustomize-build': [['path', 'outPath'], ['outputFormat']],
  'kustomize-set-image': [['path'], ['images']],
  'set-metadata': [['updates'], []],
  'yaml-update': [['path', 'updates'], []],
}

/** The repository that promotions write to, which examples/kargo/fleet is a copy of. */
const FLEET = 'https://github.com/example/fleet.git'

/** The commit that a push makes in these tests. */
export const PUSHED_COMMIT = 'd'.repeat(40)

/** The files of examples/kargo/fleet by their path in that repository. */
export function fleetFiles(): ReadonlyMap<string, JsonObject> {
  return new Map(
    exampleManifests()
      .map(({ where, manifest }) => [where.replace('examples/kargo/fleet/', ''), manifest] as const)
      .filter(([path]) => !path.startsWith('examples/')),
  )
}

/** Runs the steps of a Stage's promotion as far as they leave something that can be observed. */
export function promote(stage: JsonObject, freight: Freight): Promoted {
  const template = object(at(stage, 'spec', 'promotionTemplate', 'spec'))
  const outputs: JsonObject = {}
  const metadata: JsonObject = {}
  const fleet = new Map([...fleetFiles()].map(([path, file]) => [path, copy(file)] as const))
  const trees = new Map<string, string>()
  let pushed: string | undefined
  const context = () =>
    expressionContext(stage, freight, { outputs, vars: [...variables(stage), ...array(template.vars)] })
  for (const step of array(template.steps).map(object)) {
    const uses = String(step.uses)
    const known = STEPS[uses]
    if (known === undefined) throw new Error(`step ${uses} is not known`)
    const config = object(evaluateAll(step.config ?? {}, context()))
    const [required, optional] = known
    for (const name of required) if (config[name] === undefined) throw new Error(`${uses} lacks ${name}`)
    for (const name of Object.keys(config))
      if (!required.includes(name) && !optional.includes(name)) throw new Error(`${uses} has no ${name}`)
    let output: JsonObject = {}
    if (uses === 'git-clone')
      for (const checkout of array(config.checkout))
        trees.set(String(at(checkout, 'path')), String(config.repoURL))
    if (uses === 'yaml-update') {
      const tree = [...trees].find(([path]) => String(config.path).startsWith(`${path}/`))
      if (tree?.[1] !== FLEET) throw new Error(`${config.path} is in no checkout of ${FLEET}`)
      const file = String(config.path).slice(tree[0].length + 1)
      const content = fleet.get(file)
      if (content === undefined) throw new Error(`examples/kargo/fleet/${file} does not exist`)
      for (const update of array(config.updates))
        replaceScalar(content, String(at(update, 'key')), at(update, 'value'))
      output = { commitMessage: `Updated ${file}` }
    }
    if (uses === 'kustomize-set-image') {
      for (const image of array(config.images).map(object))
        if (typeof (image.tag ?? image.digest) !== 'string') throw new Error('tag or digest is not a string')
      output = { commitMessage: 'Updated an image' }
    }
    if (uses === 'argocd-update')
      for (const app of array(config.apps))
        for (const source of array(at(app, 'sources')))
          for (const image of array(at(source, 'kustomize', 'images')))
            if (typeof at(image, 'tag') !== 'string') throw new Error('tag is not a string')
    if (uses === 'git-commit' || uses === 'git-push') {
      if (!trees.has(String(config.path))) throw new Error(`${config.path} is no checkout`)
      if (typeof (config.message ?? '') !== 'string') throw new Error('message is not a string')
      output = { commit: PUSHED_COMMIT }
      pushed = PUSHED_COMMIT
    }
    if (uses === 'set-metadata')
      for (const update of array(config.updates).map(object)) {
        if (update.kind !== 'Stage' || update.name !== at(stage, 'metadata', 'name'))
          throw new Error(`metadata of ${update.kind} ${update.name} is not that of this Stage`)
        Object.assign(metadata, object(update.values))
      }
    if (step.as !== undefined) outputs[String(step.as)] = output
  }
  return { fleet, pushed, metadata }
}

/** The arguments of a Stage's verification, and the template that they go to: one of `beside`, or of examples/. */
export function verification(
  stage: JsonObject,
  freight: Freight,
  { metadata }: Pick<Promoted, 'metadata'>,
  beside: readonly JsonObject[] = [],
): { readonly template: JsonObject; readonly given: Values } {
  const spec = object(at(stage, 'spec', 'verification'))
  // Promotion variables and outputs are not there any more, only those of the Stage.
  const context = expressionContext(stage, freight, { vars: variables(stage), metadata })
  const given = array(spec.args).map((argument) => {
    const { name, value } = object(argument)
    const evaluated = evaluate(String(value), context)
    if (typeof evaluated !== 'string')
      throw new Error(`evaluated argument "${name}" value is not a string but ${JSON.stringify(evaluated)}`)
    return [String(name), evaluated] as const
  })
  const [reference, ...more] = array(spec.analysisTemplates).map(object)
  if (more.length > 0) throw new Error('more than one template')
  const template = [
    ...beside,
    exampleManifest('cluster-analysis-template.yaml', 'ClusterAnalysisTemplate'),
    exampleManifest('analysis-template.yaml', 'AnalysisTemplate'),
  ].find(
    (one) =>
      one.kind === (reference?.kind ?? 'AnalysisTemplate') && at(one, 'metadata', 'name') === reference?.name,
  )
  if (template === undefined) throw new Error(`no template is called ${reference?.name}`)
  return { template, given: Object.fromEntries(given) }
}

function variables(stage: JsonObject): readonly Json[] {
  return array(at(stage, 'spec', 'vars'))
}

/** Names that an expression may use. */
type Context = Readonly<Record<string, unknown>>

function expressionContext(
  stage: JsonObject,
  freight: Freight,
  scope: { readonly vars: readonly Json[]; readonly outputs?: JsonObject; readonly metadata?: JsonObject },
): Context {
  const name = at(stage, 'metadata', 'name')
  const subscribed = subscriptions(stage)
  const from = (kind: 'git' | 'image', found: Values) => (repository: string) => {
    if (!subscribed[kind].includes(repository))
      throw new Error(`Freight of ${name} holds no ${kind} ${repository}`)
    return found[repository]
  }
  const vars: JsonObject = {}
  const context: Context = {
    ctx: { project: at(stage, 'metadata', 'namespace'), stage: name },
    vars,
    commitFrom: (repository: string) => ({ ID: from('git', freight.commits)(repository) }),
    imageFrom: (repository: string) => ({ Tag: from('image', freight.images)(repository) }),
    quote: (value: unknown) => `"${value}"`,
    ...(scope.outputs === undefined ? {} : { outputs: scope.outputs }),
    ...(scope.metadata === undefined
      ? {}
      : { stageMetadata: (of: string) => (of === name ? scope.metadata : null) }),
  }
  for (const { name: variable, value } of scope.vars.map(object))
    vars[String(variable)] = evaluate(String(value), context)
  return context
}

/** What the Warehouses that a Stage asks for subscribe to. */
function subscriptions(stage: JsonObject): {
  readonly git: readonly string[]
  readonly image: readonly string[]
} {
  const origins = array(at(stage, 'spec', 'requestedFreight')).map((request) => at(request, 'origin', 'name'))
  const warehouses = exampleManifests().filter(
    ({ manifest }) => manifest.kind === 'Warehouse' && origins.includes(at(manifest, 'metadata', 'name')),
  )
  const of = (kind: string) =>
    warehouses
      .flatMap(({ manifest }) => array(at(manifest, 'spec', 'subscriptions')))
      .flatMap((subscription) => at(subscription, kind, 'repoURL') ?? [])
      .map(String)
  return { git: of('git'), image: of('image') }
}

function evaluateAll(value: Json, context: Context): Json {
  if (typeof value === 'string') return evaluate(value, context)
  if (Array.isArray(value)) return value.map((item) => evaluateAll(item, context))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, evaluateAll(member ?? null, context)]),
  )
}

/**
 * Evaluates `${{ … }}`. What the examples write is the same in JavaScript as in Kargo's expression language. As in
 * Kargo, a result that looks like a number or a boolean becomes one, unless it is quoted.
 */
export function evaluate(template: string, context: Context): Json {
  if (!template.includes('${{')) return template
  const text = template.replace(/\$\{\{(.*?)\}\}/g, (_, expression: string) => {
    const value = new Function(...Object.keys(context), `return (${expression})`)(...Object.values(context))
    if (typeof value !== 'string') throw new Error(`${expression.trim()} is ${JSON.stringify(value)}`)
    return value
  })
  const [, quoted] = /^"(.*)"$/s.exec(text) ?? []
  if (quoted !== undefined) return quoted
  if (text.trim() !== '' && Number.isFinite(Number(text))) return Number(text)
  try {
    return JSON.parse(text) as Json
  } catch {
    return text
  }
}

/** As `yaml-update`: a scalar that exists becomes another scalar. */
function replaceScalar(file: JsonObject, key: string, value: Json | undefined): void {
  const path = key.split('.')
  const last = path.pop() ?? ''
  let inner: Json | undefined = file
  for (const part of path) inner = Array.isArray(inner) ? inner[Number(part)] : at(inner, part)
  const before = Array.isArray(inner) ? inner[Number(last)] : at(inner, last)
  if (before === undefined || typeof before === 'object') throw new Error(`there is no scalar at ${key}`)
  if (value === undefined || typeof value === 'object') throw new Error(`${key} gets no scalar`)
  if (Array.isArray(inner)) inner[Number(last)] = value
  else object(inner)[last] = value
}

// ---- Argo Workflows

/** A template of a WorkflowTemplate with the values of its inputs and of the workflow put in. */
export function resolveTemplate(workflow: JsonObject, name: string, given: Values): JsonObject {
  const template = array(at(workflow, 'spec', 'templates')).find((one) => at(one, 'name') === name)
  if (template === undefined) throw new Error(`no template is called ${name}`)
  const parameters = new Map(
    array(at(workflow, 'spec', 'arguments', 'parameters')).map((parameter) => {
      const value = given[String(at(parameter, 'name'))] ?? at(parameter, 'value')
      return [`workflow.parameters.${at(parameter, 'name')}`, value]
    }),
  )
  for (const input of array(at(template, 'inputs', 'parameters')))
    parameters.set(
      `inputs.parameters.${at(input, 'name')}`,
      substitute(given[String(at(input, 'name'))] ?? at(input, 'value') ?? '', parameters),
    )
  return object(substitute(template, parameters))
}

function substitute(value: Json, parameters: ReadonlyMap<string, Json | undefined>): Json {
  return JSON.parse(
    JSON.stringify(value).replace(/\{\{([^=].*?)\}\}/g, (_, tag: string) => {
      const found = parameters.get(tag.trim())
      if (typeof found !== 'string') throw new Error(`failed to resolve {{${tag}}}`)
      return JSON.stringify(found).slice(1, -1)
    }),
  ) as Json
}
