/** The applications of a run: those that were named, or those that a selector matches at the moment. */

import { type Application, applicationKey } from './application.ts'
import type { ApplicationQuery, ApplicationRef } from './argocd.ts'
import type { Target } from './config.ts'
import type { WatchEvent } from './stream.ts'
import { createSubject, type Subject } from './subject.ts'

/** The applications of a run. */
export class Roster {
  readonly #target: Target
  readonly #subjects = new Map<string, Subject>()
  /** Where Argo CD looks for applications that are named without a namespace; learnt from an answer. */
  #serverNamespace: string | undefined
  /** Streamed applications that may be meant by a name without a namespace, until that is known. */
  readonly #undecided = new Map<string, WatchEvent>()

  constructor(target: Target) {
    this.#target = target
    if (target.kind === 'selector') return
    for (const { name, namespace, wanted } of target.applications) {
      const subject = createSubject({ name, namespace, project: target.project }, wanted)
      this.#subjects.set(subject.key, subject)
    }
  }

  /** Whether a selector decides which applications they are. */
  get isSelected(): boolean {
    return this.#target.kind === 'selector'
  }

  /** The applications that are known now. */
  get subjects(): readonly Subject[] {
    return [...this.#subjects.values()]
  }

  /** What to ask a list or a stream for: by selector, by the one name, or for all that several names may mean. */
  get query(): ApplicationQuery {
    const { project } = this.#target
    if (this.#target.kind === 'selector')
      return { selector: this.#target.selector, namespace: this.#target.namespace, project }
    const [only, ...more] = this.#target.applications
    return only !== undefined && more.length === 0
      ? { name: only.name, namespace: only.namespace, project }
      : { project }
  }

  /** Whether a stream can tell the applications of the run from others: it does not say what its namespace is. */
  get needsServerNamespace(): boolean {
    return (
      this.#serverNamespace === undefined &&
      this.query.name === undefined &&
      this.subjects.some(({ ref }) => isUnqualified(ref))
    )
  }

  /**
   * Learns from the answer to a request for a name without a namespace which namespace that means.
   *
   * @returns streamed applications that are now known to be meant
   */
  learnServerNamespace(subject: Subject, application: Application): readonly WatchEvent[] {
    if (
      !isUnqualified(subject.ref) ||
      application.metadata.namespace === undefined ||
      !this.needsServerNamespace
    )
      return []
    this.#serverNamespace = application.metadata.namespace
    const meant = [...this.#undecided.values()].filter(
      ({ application: { metadata } }) => metadata.namespace === this.#serverNamespace,
    )
    this.#undecided.clear()
    return meant
  }

  /** The subject that a streamed or listed application is; with a selector, a new one where it is new. */
  find(application: Application, type: WatchEvent['type'] = 'ADDED'): Subject | undefined {
    const { name, namespace } = application.metadata
    if (this.#target.kind === 'selector') return this.add({ name, namespace, project: this.#target.project })
    const qualified = this.#subjects.get(`${namespace ?? ''}/${name}`)
    if (qualified !== undefined) return qualified
    const unqualified = this.#subjects.get(name)
    if (unqualified === undefined) return undefined
    if (this.query.name !== undefined || namespace === this.#serverNamespace) return unqualified
    if (this.#serverNamespace === undefined)
      this.#undecided.set(`${namespace ?? ''}/${name}`, { type, application })
    return undefined
  }

  /** The subject of a listed name, with a selector; `undefined` where it is not in the namespace that is asked for. */
  add(ref: ApplicationRef): Subject | undefined {
    if (this.#target.kind !== 'selector') return undefined
    const { namespace, wanted } = this.#target
    // A stream is filtered by namespace only where it is filtered by name (Argo CD, `isApplicationPermitted`).
    if (namespace !== undefined && ref.namespace !== undefined && ref.namespace !== namespace)
      return undefined
    const known = this.#subjects.get(applicationKey(ref.name, ref.namespace))
    if (known !== undefined) return known
    const subject = createSubject(ref, wanted)
    this.#subjects.set(subject.key, subject)
    return subject
  }

  /** An application of a selector that is no longer there, or no longer matches. */
  remove({ key }: Subject): void {
    this.#subjects.delete(key)
  }
}

function isUnqualified({ namespace }: ApplicationRef): boolean {
  return namespace === undefined
}
