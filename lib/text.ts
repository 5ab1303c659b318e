/** Texts that came from elsewhere, made fit to be shown. */

/** White space and control characters: in a message they could forge lines of a log, or steer a terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is to go
const UNSHOWABLE = /[\s\u0000-\u001f\u007f-\u009f]+/g

/** A text as one line. */
export function oneLine(text: string): string {
  return text.replace(UNSHOWABLE, ' ').trim()
}

/** Messages of servers can be long; the beginning is what a person reads. In characters. */
export const LONGEST_MESSAGE = 1500

/**
 * A text cut to a length.
 *
 * @param most characters, the ellipsis not counted
 */
export function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most)}…` : text
}
