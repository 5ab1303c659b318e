/** A result as GitHub Actions shows it: a summary of the job in Markdown, and an annotation. */

import { applicationKey } from './application.ts'
import { formatDuration } from './duration.ts'
import type { ApplicationResult, Result } from './result-schema.ts'

const MOST_ROWS = 100

/** The summary of the job. */
export function formatJobSummary(result: Result): string {
  const { verified, reason, message, durationSeconds, applications } = result
  const shown = [...applications].sort((a, b) => Number(a.verified) - Number(b.verified)).slice(0, MOST_ROWS)
  const resources = applications.flatMap(({ unhealthyResources }) => unhealthyResources).slice(0, MOST_ROWS)
  return [
    `### ${verified ? '✅ Verified' : `❌ Not verified: ${reason}`}`,
    '',
    `${text(message)} (after ${formatDuration(durationSeconds * 1000)})`,
    ...(shown.length === 0
      ? []
      : [
          '',
          '| application | verified | sync | revision | health | why |',
          '| --- | --- | --- | --- | --- | --- |',
          ...shown.map(row),
        ]),
    ...(applications.length > shown.length ? ['', `… and ${applications.length - shown.length} more`] : []),
    ...(resources.length === 0
      ? []
      : [
          '',
          '| resource | state | message |',
          '| --- | --- | --- |',
          ...resources.map(
            ({ kind, name, health, status, message: why }) =>
              `| ${[`${kind} ${name}`, health || status, why].map(text).join(' | ')} |`,
          ),
        ]),
    '',
  ].join('\n')
}

function row({ name, namespace, url, verified, reason, message, sync, health }: ApplicationResult): string {
  const cells = [
    verified ? 'yes' : `no: ${reason}`,
    sync.status ?? '',
    sync.revisions.join(' '),
    health.status ?? '',
    message,
  ]
  return `| [${text(applicationKey(name, namespace ?? undefined))}](${url}) | ${cells.map(text).join(' | ')} |`
}

/** Text of a server's must not become markup. */
function text(raw: string): string {
  return raw.replace(/\s+/g, ' ').replace(/[\\`*_{}[\]<>|#~]/g, '\\$&')
}

/** The workflow command that marks the step with the reason. */
export function formatAnnotation({ verified, reason, message }: Result): string {
  const kind = verified ? 'notice' : 'error'
  const title = verified ? 'Verified' : `Not verified: ${reason}`
  return `::${kind} title=kpcea (${title})::${message.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')}\n`
}
