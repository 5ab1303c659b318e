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

/** What the last message of each application said, as text and as it was read. */
export interface Repeats {
  /** What a message says, where it says it in the same words as the last one of its application. */
  readonly find: (
    data: string,
  ) => { readonly type: 'ADDED' | 'MODIFIED'; readonly application: Application } | undefined
  readonly keep: (data: string, application: Application) => void
}

/** Nothing has been said yet. */
export function createRepeats(): Repeats {
  const applications = new Map<string, Application>()
  const texts = new Map<string, string>()
  let held = 0
  const forget = (key: string) => {
    const text = texts.get(key)
    if (text === undefined) return
    texts.delete(key)
    applications.delete(text)
    held -= text.length
  }
  return {
    find: (data) => {
      const said = split(data)
      const application = said === undefined ? undefined : applications.get(said.text)
      return said === undefined || application === undefined ? undefined : { type: said.type, application }
    },
    keep: (data, application) => {
      const { name, namespace } = application.metadata
      const key = applicationKey(name, namespace)
      forget(key)
      const text = split(data)?.text
      if (text === undefined || held + text.length > MOST_HELD) return
      texts.set(key, text)
      applications.set(text, application)
      held += text.length
    },
  }
}

/** A message without its type, of which the rest says nothing. */
function split(data: string): { readonly type: 'ADDED' | 'MODIFIED'; readonly text: string } | undefined {
  for (const form of FORMS) {
    const match = form.exec(form === FORMS[0] ? data.slice(0, LONGEST_FORM) : data.slice(-LONGEST_FORM))
    if (match === null) continue
    const [found, type] = match
    const rest =
      form === FORMS[0] ? `>${data.slice(found.length)}` : data.slice(0, data.length - found.length)
    return { type: type as 'ADDED' | 'MODIFIED', text: rest }
  }
  return undefined
}

/** All that is held for comparison, in characters: a thousand applications of a usual size. */
const MOST_HELD = 4 * 1024 * 1024

/** Longer than either form, in characters. */
const LONGEST_FORM = 60
