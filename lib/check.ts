/** What checks say: their codes, their states, and a sentence each. */

/** The codes of the checks, in the order in which they name a verdict. */
export const CODES = [
  'NotFound',
  'Deleting',
  'OperationInProgress',
  'OperationFailed',
  'StatusStale',
  'Conditions',
  'Hydrating',
  'OutOfSync',
  'RevisionMismatch',
  'CommitMessageMismatch',
  'ImageMismatch',
  'NotHealthy',
  'NotStable',
] as const

/** The code of a check: what an application is called where the check is not met. */
export type Code = (typeof CODES)[number]

/** `pending`: time may mend it. `failing`: time alone will hardly mend it. */
export type CheckState = 'met' | 'pending' | 'failing'

/** What a check says of an application, in one sentence for a person. */
export interface Finding {
  readonly state: CheckState
  readonly message: string
  /** `tree`: what the finding says rests on the resource tree, which may be older than the Application. */
  readonly basis?: 'tree'
  /** What would mend it, where the check knows; `null`: it knows that the usual would not. */
  readonly next?: string | null
}

/** A finding under the code of its check. */
export interface Check extends Finding {
  readonly code: Code
}

export const met = (message: string): Finding => ({ state: 'met', message })
export const pending = (message: string): Finding => ({ state: 'pending', message })
export const failing = (message: string): Finding => ({ state: 'failing', message })

export const isMet = ({ state }: Finding): boolean => state === 'met'
export const isFailing = ({ state }: Finding): boolean => state === 'failing'
