/** Times of the server. They are compared with each other only, never with this machine's clock. */

/** RFC 3339, as Kubernetes writes times; `Date.parse` alone takes almost anything for a time. */
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/

/** Reads a time of the server, in milliseconds; NaN, which compares with nothing, where it is none. */
export function parseTime(text: string | undefined): number {
  return text !== undefined && TIME.test(text) ? Date.parse(text) : Number.NaN
}
