/** Which applications a query is about. */

import type { ApplicationQuery } from '../../lib/requests.ts'
import { SERVER_NAMESPACE } from './scenario.ts'
import type { Cached } from './store.ts'
import type { World } from './world.ts'

/** Those in the cache that a query is about. */
export function matching({ store }: World, query: ApplicationQuery, isStream = false): Cached[] {
  return [...store.cached.values()].filter((cached) => isAbout(query, cached, isStream))
}

/**
 * @param isStream a stream heeds the namespace only beside a name (`server/application`, isApplicationPermitted)
 */
export function isAbout(
  query: ApplicationQuery,
  { labels, subject: { plan } }: Cached,
  isStream: boolean,
): boolean {
  // A name is one of the server's own namespace unless another is given; no name means all of them.
  const namespace =
    query.name === undefined
      ? isStream
        ? undefined
        : query.namespace
      : (query.namespace ?? SERVER_NAMESPACE)
  return (
    (query.name === undefined || plan.name === query.name) &&
    (namespace === undefined || plan.namespace === namespace) &&
    (query.project === undefined || query.project === 'default') &&
    isSelected(query.selector, labels)
  )
}

/** Selectors here are `key=value`. */
export function isSelected(selector: string | undefined, labels: Readonly<Record<string, string>>): boolean {
  if (selector === undefined || selector === '') return true
  return termsOf(selector).every(([key, value]) => labels[key] === value)
}

/** The same few selectors come again and again. */
const TERMS = new Map<string, readonly (readonly [key: string, value: string | undefined])[]>()

function termsOf(selector: string) {
  const before = TERMS.get(selector)
  if (before !== undefined) return before
  const terms = selector.split(',').map((one) => {
    const [key = '', value] = one.split('=')
    return [key, value] as const
  })
  TERMS.set(selector, terms)
  return terms
}
