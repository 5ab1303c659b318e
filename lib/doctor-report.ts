/** What a doctor found: lines for people, JSON for machines, and the exit code. */

import { formatServerAddress, type ServerAddress } from './address.ts'
import type { FailureReason } from './failure.ts'
import type { Finding } from './finding.ts'
import { cutBytes } from './report.ts'
import { joined, type Paint, padded, type Shown, type ShownDeep, told } from './shown.ts'

/** What a doctor found, as machines read it: fields are added, never changed within a `schemaVersion`. */
export interface Diagnosis {
  readonly schemaVersion: 1
  /** Whether everything works. */
  readonly ok: boolean
  readonly server: string
  readonly findings: readonly { readonly subject: string; readonly ok: boolean; readonly message: string }[]
}

/** Width of the widest subject. */
const SUBJECT_WIDTH = 'applications'.length

/** A finding that has passed the gate. */
type ShownFinding = ShownDeep<Finding>

/** One line of a finding. */
export function formatFinding({ subject, ok, message }: ShownFinding, paint: Paint): Shown {
  const mark = ok ? paint('green', told`✓`) : paint('red', told`✗`)
  return told`${mark} ${padded(told`${subject}`, SUBJECT_WIDTH)}  ${message}\n`
}

/** The last line. */
export function formatConclusion(findings: readonly ShownFinding[], paint: Paint): Shown {
  const failed = findings.filter(({ ok }) => !ok).length
  if (failed === 0) return told`${paint('green', told`READY`)}: a verification with these settings can ask\n`
  const rest = isCutShort(findings) ? told`; what comes after it could not be looked at` : told``
  return told`${paint('red', told`NOT READY`)}: ${failed} to mend${rest}\n`
}

/** What was found, as JSON. */
export function createDiagnosis(findings: readonly ShownFinding[], server: ServerAddress): Diagnosis {
  return {
    schemaVersion: 1,
    ok: findings.every(({ ok }) => ok),
    server: formatServerAddress(server),
    findings: findings.map(({ subject, ok, message }) => ({ subject, ok, message })),
  }
}

/** What is to be mended, short enough for Kubernetes to keep all of it. */
export function formatDiagnosisTermination(findings: readonly ShownFinding[]): Shown {
  const failed = findings.filter(({ ok }) => !ok).map(({ subject, message }) => told`${subject}: ${message}`)
  return failed.length === 0 ? told`READY` : cutBytes(told`NOT READY: ${joined(failed, '\n')}`, 4096)
}

const COULD_NOT_ASK: ReadonlySet<FailureReason | undefined> = new Set([
  'Unreachable',
  'Unauthorized',
  'NotArgoCD',
])

/** 0 where everything works, 1 otherwise; with the detailed ones 3 where the server could not be asked. */
export function diagnosisExitCode(findings: readonly ShownFinding[], detailed: boolean): 0 | 1 | 3 {
  const failed = findings.filter(({ ok }) => !ok)
  if (failed.length === 0) return 0
  return detailed && failed.some(({ reason }) => COULD_NOT_ASK.has(reason)) ? 3 : 1
}

/** Whether the last thing that was looked at is one that everything else needs. */
function isCutShort(findings: readonly ShownFinding[]): boolean {
  const last = findings.at(-1)
  return last?.ok === false && !['application', 'applications', 'stream'].includes(last.subject)
}
