/** Where an application that cannot be seen may be: what the names of those that can be seen tell. Pure. */

import { applicationKey } from './application.ts'
import { nearest } from './nearest.ts'
import type { ApplicationRef } from './requests.ts'

/** What is known of an application that cannot be seen. */
export type Whereabouts =
  /** The account sees no application at all. */
  | { readonly kind: 'nothing-seen' }
  /** One of that name is in another namespace. */
  | { readonly kind: 'elsewhere'; readonly namespace: string }
  /** One of that name can be seen, so it is the project that is another. */
  | { readonly kind: 'another-project'; readonly project: string }
  /** One is called almost so. */
  | { readonly kind: 'near'; readonly name: string }
  /** Others can be seen, by names as they would be written. */
  | { readonly kind: 'others'; readonly names: readonly string[] }

/**
 * Looks for an application among those that can be seen.
 *
 * @param visible all of them
 */
export function whereabouts(
  { name, namespace, project }: ApplicationRef,
  visible: readonly ApplicationRef[],
): Whereabouts {
  if (visible.length === 0) return { kind: 'nothing-seen' }
  const alike = visible.filter((one) => one.name === name)
  const isHere = alike.some((one) => namespace === undefined || one.namespace === namespace)
  if (project !== undefined && isHere) return { kind: 'another-project', project }
  const elsewhere = alike.find((one) => one.namespace !== namespace)?.namespace
  if (elsewhere !== undefined) return { kind: 'elsewhere', namespace: elsewhere }
  const near = nearest(
    name,
    visible.map((one) => one.name),
  )
  if (near !== undefined && near !== name) return { kind: 'near', name: near }
  return { kind: 'others', names: namesOf(visible) }
}

/** Names as they would be written: with the namespace where there are several. */
export function namesOf(visible: readonly ApplicationRef[]): readonly string[] {
  const isOneNamespace = new Set(visible.map(({ namespace }) => namespace)).size === 1
  return visible
    .map(({ name, namespace }) => (isOneNamespace ? name : applicationKey(name, namespace)))
    .sort()
}
