/** What a doctor finds: one thing that works, or does not. */

import type { FailureReason } from './failure.ts'

/** What is looked at. */
export type Subject =
  | 'name'
  | 'proxy'
  | 'connection'
  | 'TLS'
  | 'Argo CD'
  | 'account'
  | 'applications'
  | 'application'
  | 'stream'

/** One thing that works, or does not. */
export interface Finding {
  readonly subject: Subject
  readonly ok: boolean
  /** What was found, and what to do about it where it does not work. */
  readonly message: string
  /** Why, where the server could not be asked. */
  readonly reason?: FailureReason | undefined
}

/** Something that works. */
export function works(subject: Subject, message: string): Finding {
  return { subject, ok: true, message }
}
