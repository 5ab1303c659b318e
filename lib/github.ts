/** A result as GitHub Actions shows it: a summary of the job in Markdown, and an annotation. */

import { elapsed, keyOf } from './report.ts'
import type { ApplicationResult, Result } from './result-schema.ts'
import { escaped, joined, type Shown, type ShownDeep, told } from './shown.ts'

const MOST_ROWS = 100

/** The summary of the job. */
export function formatJobSummary(result: ShownDeep<Result>): Shown {
  const { verified, reason, message, applications } = result
  const shown = [...applications].sort((a, b) => Number(a.verified) - Number(b.verified)).slice(0, MOST_ROWS)
  const resources = applications.flatMap(({ unhealthyResources }) => unhealthyResources).slice(0, MOST_ROWS)
  const lines = [
    verified ? told`### ✅ Verified` : told`### ❌ Not verified: ${reason}`,
    NOTHING,
    told`${text(message)} (after ${elapsed(result)})`,
    ...(shown.length === 0
      ? []
      : [
          NOTHING,
          told`| application | verified | sync | revision | health | why |`,
          told`| --- | --- | --- | --- | --- | --- |`,
          ...shown.map(row),
        ]),
    ...(applications.length > shown.length
      ? [NOTHING, told`… and ${applications.length - shown.length} more`]
      : []),
    ...(resources.length === 0
      ? []
      : [
          NOTHING,
          told`| resource | state | message |`,
          told`| --- | --- | --- |`,
          ...resources.map(
            ({ kind, name, health, status, message: why }) =>
              told`| ${joined([told`${kind} ${name}`, health === '' ? status : health, why].map(text), ' | ')} |`,
          ),
        ]),
    NOTHING,
  ]
  return joined(lines, '\n')
}

const NOTHING = told``

function row(application: ShownDeep<ApplicationResult>): Shown {
  const { url, verified, reason, message, sync, health } = application
  const cells = [
    verified ? told`yes` : told`no: ${reason}`,
    sync.status ?? NOTHING,
    joined(sync.revisions, ' '),
    health.status ?? NOTHING,
    message,
  ]
  // Brackets are what ends a link, and no part of a page's address that was encoded.
  const link = escaped(url, /[()]/g, encodeBracket)
  return told`| [${text(keyOf(application))}](${link}) | ${joined(cells.map(text), ' | ')} |`
}

/** Text of a server's must not become markup. */
function text(raw: Shown): Shown {
  return escaped(raw, /[\\`*_{}[\]<>|#~]/g, (character) => `\\${character}`)
}

function encodeBracket(bracket: string): string {
  return bracket === '(' ? '%28' : '%29'
}

/** The workflow command that marks the step with the reason. */
export function formatAnnotation({
  verified,
  reason,
  message,
}: Pick<ShownDeep<Result>, 'verified' | 'reason' | 'message'>): Shown {
  // Of what is escaped in a command's data, one line has only this.
  const data = escaped(message, /%/g, () => '%25')
  return verified
    ? told`::notice title=kpcea (Verified)::${data}\n`
    : told`::error title=kpcea (Not verified%3A ${reason})::${data}\n`
}
