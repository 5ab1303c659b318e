/** Texts that came from elsewhere, made fit to be shown. */

/** White space and control characters: in a message they could forge lines of a log, or steer a terminal. */
const BLANK = /[\s\p{Cc}]+/gu

/** What has no shape of its own: it hides, joins, or turns the direction of writing around. */
const SHAPELESS = /\p{Cf}+/gu

/** A text as one line, without what nobody can see. */
export function oneLine(text: string): string {
  return text.replace(SHAPELESS, '').replace(BLANK, ' ').trim()
}

/** Messages of servers can be long; the beginning is what a person reads. In characters. */
export const LONGEST_MESSAGE = 1500

/** A line of the program's, which holds some messages and its own words. In characters. */
export const LONGEST_LINE = 4096

/** What stands at the end of a text that was cut, whoever cut it. */
export const ELLIPSIS = '…'

/**
 * A text cut to a length, never inside a character. Whatever of others is cut is cut by this: where a secret is cut
 * in two, the ellipsis tells those that look for it.
 *
 * @param most characters, the ellipsis not counted
 */
export function cut(text: string, most: number): string {
  if (text.length <= most) return text
  const isInside = /[\ud800-\udbff]/.test(text.charAt(most - 1))
  return `${text.slice(0, isInside ? most - 1 : most)}${ELLIPSIS}`
}

/** A path without slashes at its end. Step by step: a pattern would begin anew at each of many slashes. */
export function withoutSlashesBehind(path: string): string {
  let end = path.length
  while (path[end - 1] === '/') end--
  return path.slice(0, end)
}
