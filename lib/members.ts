/** Which applications are meant: those that were named, or those that a selector matches at the moment. */

import { type Application, applicationKey } from './application.ts'
import { type Knowledge, type Known, unknown } from './knowledge.ts'
import type { ApplicationQuery, ApplicationRef } from './requests.ts'
import type { Target } from './wanted.ts'

/** What to ask a list or a stream for: by selector, by the one name, or for all that several names may mean. */
export function queryOf(target: Target): ApplicationQuery {
  const { project } = target
  if (target.kind === 'selector') return { selector: target.selector, namespace: target.namespace, project }
  const [only, ...more] = target.applications
  return only !== undefined && more.length === 0
    ? { name: only.name, namespace: only.namespace, project }
    : { project, names: new Set(target.applications.map(({ name }) => name)) }
}

/** Whether a stream cannot tell the applications of the run from others: nothing says what the server's namespace is. */
export function needsServerNamespace({ target, serverNamespace, applications }: Knowledge): boolean {
  if (target.kind === 'selector' || serverNamespace !== undefined || target.applications.length === 1)
    return false
  for (const { ref } of applications.values()) if (ref.namespace === undefined) return true
  return false
}

/** The key of the application that a stream or a list tells of; `undefined` where none of the run is meant. */
export function keyOf(knowledge: Knowledge, application: Application): string | undefined {
  const { target, serverNamespace, applications } = knowledge
  const { name, namespace } = application.metadata
  if (target.kind === 'selector')
    // A stream is filtered by namespace only where it is filtered by name (Argo CD, `isApplicationPermitted`).
    return isInNamespace(target.namespace, namespace) ? applicationKey(name, namespace) : undefined
  const qualified = `${namespace ?? ''}/${name}`
  if (applications.has(qualified)) return qualified
  if (!applications.has(name)) return undefined
  return target.applications.length === 1 || namespace === serverNamespace ? name : undefined
}

/** Whether it may still turn out to be meant by a name without a namespace. */
export function isUndecided(knowledge: Knowledge, { metadata: { name } }: Application): boolean {
  return needsServerNamespace(knowledge) && knowledge.applications.has(name)
}

/** A member of a selector that is new; `undefined` where it is in another namespace than the one that is asked for. */
export function newMember(target: Target, ref: ApplicationRef, now: number): Known | undefined {
  if (target.kind !== 'selector' || !isInNamespace(target.namespace, ref.namespace)) return undefined
  return unknown(ref, target.wanted, now)
}

function isInNamespace(asked: string | undefined, namespace: string | undefined): boolean {
  return asked === undefined || namespace === undefined || namespace === asked
}
