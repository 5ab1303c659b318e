/**
 * Messages of streams that say again what one has said before: a stream that is opened anew begins with all that is
 * there, most of which has not changed, and reading a thousand applications takes longer than comparing them.
 */

import { type Application, applicationKey } from './application.ts'

/** The two ways in which Argo CD writes a message: as it is, and cut down to some fields. */
const FORMS = [
  /^\{"result":\{"type":"(ADDED|MODIFIED)","application":/,
  /,"type":"(ADDED|MODIFIED)"\}\}$/,
] as const

/** What the last message of each application said, by a hash of its text, and as it was read. */
export interface Repeats {
  /** What a message says, where it says it in the same words as the last one of its application. */
  readonly find: (
    data: string,
  ) => { readonly type: 'ADDED' | 'MODIFIED'; readonly application: Application } | undefined
  /**
   * Keeps what a message said.
   *
   * @param weight how much that is, in whatever measure
   * @returns what all that is kept weighs
   */
  readonly keep: (data: string, application: Application, weight: number) => number
  /** Keeps nothing of an application that is gone. */
  readonly forget: (application: Application) => void
  /** Of how many applications something is kept. */
  readonly count: () => number
}

/** Nothing has been said yet. */
export function createRepeats(): Repeats {
  const applications = new Map<string, Application>()
  const kept = new Map<string, { readonly hash: string | undefined; readonly weight: number }>()
  let all = 0
  const forget = ({ metadata: { name, namespace } }: Application): string => {
    const key = applicationKey(name, namespace)
    const { hash, weight = 0 } = kept.get(key) ?? {}
    if (hash !== undefined) applications.delete(hash)
    kept.delete(key)
    all -= weight
    return key
  }
  return {
    find: (data) => {
      const said = split(data)
      const application = said === undefined ? undefined : applications.get(said.hash)
      return said === undefined || application === undefined ? undefined : { type: said.type, application }
    },
    keep: (data, application, weight) => {
      const key = forget(application)
      const hash = split(data)?.hash
      kept.set(key, { hash, weight })
      if (hash !== undefined) applications.set(hash, application)
      all += weight
      return all
    },
    forget,
    count: () => kept.size,
  }
}

/**
 * A message without its type, of which the rest says nothing. Of that rest there is a hash in 64 bits and its length,
 * where texts would be the most that a run about thousands of applications holds; two that are different have the same
 * once in more runs than there will be.
 */
function split(data: string): { readonly type: 'ADDED' | 'MODIFIED'; readonly hash: string } | undefined {
  for (const [number, form] of FORMS.entries()) {
    const isInFront = number === 0
    const match = form.exec(isInFront ? data.slice(0, LONGEST_FORM) : data.slice(-LONGEST_FORM))
    if (match === null) continue
    const [found, type] = match
    const rest = isInFront ? data.slice(found.length) : data.slice(0, data.length - found.length)
    return {
      type: type as 'ADDED' | 'MODIFIED',
      hash: `${number} ${rest.length} ${Bun.hash(rest).toString(36)}`,
    }
  }
  return undefined
}

/** Longer than either form, in characters. */
const LONGEST_FORM = 60
