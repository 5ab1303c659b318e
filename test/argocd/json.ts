/** JSON values, and how the simulated Argo CD reads, changes and writes them. */
import { gzipSync } from 'node:zlib'

/** Any JSON value. */
export type Json = null | boolean | number | string | Json[] | JsonObject
/** A JSON object; an undefined member is an absent one. */
export type JsonObject = { [key: string]: Json | undefined }

/** A point in time as Kubernetes writes it: whole seconds. */
export function timestamp(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`
}

/** Merges members into a copy of an object, deeply. Lists are replaced; what is undefined is removed. */
export function merge(target: JsonObject, members: JsonObject): JsonObject {
  const merged: JsonObject = { ...target }
  for (const [key, value] of Object.entries(members)) {
    if (value === undefined) delete merged[key]
    else if (isObject(value)) merged[key] = merge(object(merged[key]), value)
    else merged[key] = value
  }
  return merged
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function object(value: Json | undefined): JsonObject {
  return isObject(value) ? value : {}
}

export function array(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : []
}

/** The value at a path, if there is one. */
export function at(value: Json | undefined, ...path: string[]): Json | undefined {
  let found = value
  for (const key of path) found = object(found)[key]
  return found
}

/** Ten times as fast as structuredClone, which counts with a thousand large applications. */
export function copy<T extends Json | undefined>(value: T): T
export function copy(value: Json | undefined): Json | undefined {
  if (Array.isArray(value)) return value.map((item) => copy(item))
  if (!isObject(value)) return value
  const made: JsonObject = {}
  for (const key in value) made[key] = copy(value[key])
  return made
}

/** JSON as Go writes it: safe to put into HTML. */
export function stringify(value: Json): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** A text to send as JSON, compressed once at most. */
export class JsonText {
  readonly text: string
  readonly #level: number
  #compressed: Uint8Array | undefined

  constructor(text: string, level = 6) {
    this.text = text
    this.#level = level
  }

  get compressed(): Uint8Array {
    this.#compressed ??= gzipSync(this.text, { level: this.#level })
    return this.#compressed
  }
}
