/** How a result calls its applications. */

import { applicationKey } from './application.ts'
import type { ApplicationResult } from './result-schema.ts'

/** The name of an application, with its namespace where another one has the same. */
export function labelOf(
  one: Pick<ApplicationResult, 'name' | 'namespace'>,
  applications: readonly Pick<ApplicationResult, 'name' | 'namespace'>[],
): string {
  const isUnique = applications.filter(({ name }) => name === one.name).length < 2
  return isUnique ? one.name : applicationKey(one.name, one.namespace ?? undefined)
}

/** The application that a no names in its sentence; `undefined` where it is about none. */
export function namedIn<A extends Pick<ApplicationResult, 'name' | 'namespace' | 'verified'>>({
  message,
  applications,
}: {
  readonly message: string
  readonly applications: readonly A[]
}): A | undefined {
  // What comes before the name says that the run was interrupted.
  return applications.find((one) => {
    const words = `${labelOf(one, applications)} is not verified`
    return !one.verified && (message.startsWith(words) || message.includes(`; ${words}`))
  })
}
