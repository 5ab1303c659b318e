/** YAML with comments, a line at a time: what a person reads has them, and no library writes them. */

/** Lines moved to the right. */
export function indent(lines: readonly string[], columns: number): string[] {
  return lines.map((line) => (line === '' ? '' : ' '.repeat(columns) + line))
}

/** An item of a list: the first line gets the dash. */
export function item(lines: readonly string[]): string[] {
  const first = lines.findIndex((line) => !line.startsWith('#'))
  return lines.map((line, i) => (i === first ? `- ${line}` : i < first ? line : `  ${line}`))
}

const PLAIN = /^[A-Za-z/][A-Za-z0-9._/@+-]*(?::[A-Za-z0-9._/@+-]+)*$/
const DURATION = /^\d+(?:ms|s|m|h)(?:\d+(?:ms|s|m))*$/
const SHA = /^(?=.*[a-df])[0-9a-f]{7,64}$/
const WORDS = /^(?:true|false|yes|no|on|off|null|y|n|~)$/i

/** In YAML's double quotes whatever a terminal or a log may take for something else is escaped. */
const UNPRINTABLE = /[^ -~]/g

/** A text as a value that every YAML parser takes for text. */
export function scalar(text: string): string {
  const isPlain = (PLAIN.test(text) && !WORDS.test(text)) || DURATION.test(text) || SHA.test(text)
  if (isPlain) return text
  return JSON.stringify(text).replace(
    UNPRINTABLE,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
