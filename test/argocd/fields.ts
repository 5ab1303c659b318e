/** What the `fields` of a list and of a watch leave of their answers. The two work quite differently. */
import { array, at, type Json, type JsonObject, object } from './json.ts'

/** The fields that a list can be cut down to, each with what stands there when the application has none. */
const LIST_FIELDS: Readonly<Record<string, Json>> = {
  'metadata.name': '',
  'metadata.namespace': '',
  'metadata.annotations': null,
  'metadata.labels': null,
  'metadata.creationTimestamp': null,
  'metadata.deletionTimestamp': null,
  spec: {},
  'spec.destination': {},
  'spec.project': '',
  'spec.source': null,
  'spec.sources': null,
  'spec.sourceHydrator': null,
  'spec.syncPolicy': null,
  'status.sourceHydrator': {},
  'status.summary': {},
  'status.sync.status': '',
  'status.sync.revision': '',
  'status.health': {},
  'status.operationState.startedAt': null,
  'status.operationState.finishedAt': null,
  'status.resources': [],
  'operation.sync': null,
  'status.operationState.phase': '',
  'status.operationState.operation.sync': null,
}

/** What a list's `fields` selects. What is not in the set is ignored, also where it holds one that is. */
export function selectListFields(fields: string): string[] {
  const exclude = fields.startsWith('-')
  const asked = new Set((exclude ? fields.slice(1) : fields).split(','))
  const selected = Object.keys(LIST_FIELDS).filter((field) => asked.has(`items.${field}`) !== exclude)
  return selected.filter(
    (field) => field === 'spec' || !field.startsWith('spec.') || !selected.includes('spec'),
  )
}

/** An application, cut down to those fields. */
export function listItem(app: JsonObject, fields: readonly string[]): JsonObject {
  const item: JsonObject = {}
  for (const field of fields) {
    const parts = field.split('.')
    if (parts[1] === 'operationState' && !at(app, 'status', 'operationState')) continue
    if (parts[0] === 'operation' && !app.operation) continue
    // The field is named after the operation, but holds the result.
    const wrong = field === 'status.operationState.operation.sync'
    const value =
      at(app, ...(wrong ? ['status', 'operationState', 'syncResult'] : parts)) ?? LIST_FIELDS[field]
    if (field === 'status.resources' && array(value).length === 0) continue
    let parent = item
    for (const part of parts.slice(0, -1)) {
      const child = object(parent[part])
      parent[part] = child
      parent = child
    }
    parent[parts.at(-1) ?? ''] = value
  }
  return item
}

/**
 * The cut that `fields` makes of a stream's messages. It compares the beginnings of paths as text, not part
 * by part: who asks for `spec.sourceHydrator` also gets an empty `spec.source`.
 */
export class FieldCut {
  readonly fields: string
  readonly #asked: ReadonlySet<string>
  readonly #exclude: boolean
  readonly #decisions = new Map<string, 'whole' | 'inside' | 'nothing'>()

  constructor(fields: string) {
    this.fields = fields
    this.#exclude = fields.startsWith('-')
    this.#asked = new Set((this.#exclude ? fields.slice(1) : fields).split(','))
  }

  apply(message: JsonObject): Json {
    return this.fields === '' ? message : this.#cut('', message)
  }

  #cut(path: string, value: Json | undefined): Json {
    if (Array.isArray(value)) return value.map((item) => this.#cut(path, item))
    if (typeof value !== 'object' || value === null) return value ?? null
    const kept: JsonObject = {}
    for (const [key, member] of Object.entries(value)) {
      const memberPath = path === '' ? key : `${path}.${key}`
      const decision = this.#decide(memberPath)
      if (decision === 'whole') kept[key] = member
      else if (decision === 'inside') kept[key] = this.#cut(memberPath, member)
    }
    return kept
  }

  #decide(path: string): 'whole' | 'inside' | 'nothing' {
    let decision = this.#decisions.get(path)
    if (decision === undefined) {
      const asked = this.#asked.has(path)
      if (this.#exclude) decision = asked ? 'nothing' : 'inside'
      else if (asked) decision = 'whole'
      else decision = [...this.#asked].some((field) => field.startsWith(path)) ? 'inside' : 'nothing'
      this.#decisions.set(path, decision)
    }
    return decision
  }
}
