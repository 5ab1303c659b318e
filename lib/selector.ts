/** Kubernetes label selectors, checked before they are sent: Argo CD answers a bad one with a 500. */

const NAME = '[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?'
const DNS = '[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?'
const KEY = `(?:${DNS}/)?${NAME}`
const VALUE = `(?:${NAME})?`
const VALUES = `\\(\\s*${VALUE}(?:\\s*,\\s*${VALUE})*\\s*\\)`
const REQUIREMENT = `\\s*(?:${KEY}\\s*(?:=|==|!=)\\s*${VALUE}|${KEY}\\s+(?:in|notin)\\s*${VALUES}|!?\\s*${KEY}|${KEY}\\s*[<>]\\s*-?[0-9]+)\\s*`
const SELECTOR = new RegExp(`^${REQUIREMENT}(?:,${REQUIREMENT})*$`)

/** Whether the text is a label selector as Kubernetes reads it (`a=b,c!=d,e in (f,g),h,!i`). */
export function isLabelSelector(text: string): boolean {
  return SELECTOR.test(text)
}
