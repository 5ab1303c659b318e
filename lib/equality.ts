/** Whether two values of the server are the same, however it writes what is not there. */

/** Whether two values are the same where absent, null and empty (text, list, object) are one, at any depth. */
export function equivalent(a: unknown, b: unknown): boolean {
  if (a === b) return true
  // Elements of a list keep their places, empty or not.
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((value, i) => equivalent(value, b[i]))
  if (isObject(a) && isObject(b)) {
    for (const key of Object.keys(a)) if (!equivalent(a[key], own(b, key))) return false
    for (const key of Object.keys(b)) if (!Object.hasOwn(a, key) && !isEmpty(b[key])) return false
    return true
  }
  return isEmpty(a) && isEmpty(b)
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return true
  if (Array.isArray(value)) return value.length === 0
  return isObject(value) && Object.values(value).every(isEmpty)
}

function own(object: Record<string, unknown>, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined
}

/** Whether a value is an object of JSON, and no list. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
