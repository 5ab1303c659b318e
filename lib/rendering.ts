/**
 * Whether two renderings of an application are the same set of manifests. Argo CD renders both with the same settings
 * and writes keys in order, so what is the same is nearly always the same text.
 */

import { isObject } from './equality.ts'
import type { Rendering } from './evidence.ts'
import { some } from './phrase.ts'
import { cut, oneLine } from './text.ts'

/** A manifest, read: what it is, and all of it in one way of writing. */
interface Manifest {
  /** Group, version, kind, namespace and name: unique, but for hooks with a generated name. */
  readonly id: string
  /** For a person. */
  readonly name: string
  readonly text: string
  readonly hidesSecrets: boolean
}

/** The longest name in a message, in characters. */
const LONGEST_NAME = 100

/**
 * Compares two renderings: the same set of manifests, hooks included, whatever their order. Where they differ, that is
 * the answer. Where they don't, and a core `Secret` is among them, it is unknown: Argo CD blanks its data. So it is
 * where a manifest cannot be read, or none came: nothing is no evidence.
 *
 * @param wanted manifests as JSON texts
 */
export function compareManifests(wanted: readonly string[], observed: readonly string[]): Rendering {
  if (wanted.length === 0 || observed.length === 0) {
    const which = wanted.length === 0 ? 'wanted' : 'observed'
    return { kind: 'unknown', message: `Argo CD shows no manifests of the ${which} revision` }
  }
  let before: ReadonlyMap<string, readonly Manifest[]>
  let after: ReadonlyMap<string, readonly Manifest[]>
  try {
    before = byId(wanted.map(readManifest))
    after = byId(observed.map(readManifest))
  } catch (error) {
    const why = error instanceof Unreadable ? error.message : 'it is nested too deeply'
    return { kind: 'unknown', message: `a manifest cannot be read: ${why}` }
  }
  const differences = [...new Set([...before.keys(), ...after.keys()])].flatMap((id) =>
    difference(before.get(id) ?? [], after.get(id) ?? []),
  )
  if (differences.length > 0)
    return { kind: 'different', message: `${differences.length} of them${some(differences, ', ')}` }
  const secrets = [...after.values()].flat().filter(({ hidesSecrets }) => hidesSecrets)
  if (secrets.length === 0) return { kind: 'same' }
  const names = secrets.map(({ name }) => name)
  return {
    kind: 'unknown',
    message: `Argo CD hides the data of Secrets, so these may differ${some(names, ', ')}`,
  }
}

/** What differs between the manifests of one id, in a few words. */
function difference(wanted: readonly Manifest[], observed: readonly Manifest[]): readonly string[] {
  const name = (wanted[0] ?? observed[0])?.name ?? ''
  if (observed.length === 0) return [`${name} is only in the wanted one`]
  if (wanted.length === 0) return [`${name} is only in the observed one`]
  // Of several manifests of one id the last one applied wins, so there their order does count.
  const isSame =
    wanted.length === observed.length && wanted.every(({ text }, i) => text === observed[i]?.text)
  return isSame ? [] : [name]
}

function byId(manifests: readonly Manifest[]): ReadonlyMap<string, readonly Manifest[]> {
  const grouped = new Map<string, Manifest[]>()
  for (const manifest of manifests) {
    const others = grouped.get(manifest.id)
    if (others === undefined) grouped.set(manifest.id, [manifest])
    else others.push(manifest)
  }
  return grouped
}

/** Why a manifest cannot be compared. */
class Unreadable extends Error {}

function readManifest(json: string): Manifest {
  const value = parse(json)
  if (!isObject(value) || typeof value.kind !== 'string' || typeof value.apiVersion !== 'string')
    throw new Unreadable('it has no kind and apiVersion')
  const metadata = isObject(value.metadata) ? value.metadata : {}
  const name = textOf(metadata.name) || textOf(metadata.generateName)
  const id = JSON.stringify([value.apiVersion, value.kind, textOf(metadata.namespace), name])
  return {
    id,
    name: cut(oneLine(`${value.kind} ${name || '?'}`), LONGEST_NAME),
    text: canonical(value),
    hidesSecrets: isSecret(value) || (Array.isArray(value.items) && value.items.some(isSecret)),
  }
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    throw new Unreadable('it is no JSON')
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** A `Secret` of the core group, of whatever version. */
function isSecret(value: unknown): boolean {
  return isObject(value) && value.kind === 'Secret' && !String(value.apiVersion).includes('/')
}

/** The value as JSON with its keys in order; the order of a list counts. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (isObject(value)) {
    const keys = Object.keys(value).sort()
    return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(',')}}`
  }
  if (
    typeof value === 'number' &&
    (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value)))
  )
    throw new Unreadable('it holds a number that is too large to compare')
  return JSON.stringify(value)
}
