/** How a run ends, and what names the verdict of an application. */

import { type Check, isFailing, isMet } from './check.ts'
import { formatDuration } from './duration.ts'
import type { RequestFailure } from './failure.ts'
import { type Knowledge, type Known, NEVER } from './knowledge.ts'
import type { Ended } from './run.ts'
import type { Policy } from './wanted.ts'

/** Why a run ended. */
export type Ending =
  | { readonly kind: 'verified' }
  /** An application was failing for longer than *fail after*. */
  | { readonly kind: 'failed'; readonly key: string }
  /** The deadline came. */
  | { readonly kind: 'timed-out' }
  /** The one look of a timeout of 0 said no. */
  | { readonly kind: 'looked' }
  /** The server cannot be asked, and trying again would not help. */
  | { readonly kind: 'refused'; readonly failure: RequestFailure }
  | { readonly kind: 'interrupted' }

/** How a run ended and what it knew then. */
export type Outcome = Ended<Knowledge, Ending>

/**
 * The checks of an application with NotStable, where *stable for* is asked, as the last of them.
 *
 * @param from everything has not held before, whatever this application did
 */
export function checksOf(
  { checks, met, provenAt }: Known,
  { stableFor }: Policy,
  from = NEVER,
): readonly Check[] {
  if (stableFor === 0 || checks.length === 0) return checks
  const held = met === undefined ? 0 : Math.max(met.until, provenAt) - Math.max(met.since, from)
  const stable = met !== undefined && held >= stableFor
  const message = stable
    ? `everything has held for ${formatDuration(stableFor)}`
    : met === undefined
      ? `everything must hold for ${formatDuration(stableFor)}, and something does not hold yet`
      : `everything has held for ${formatDuration(Math.max(held, 0))} of ${formatDuration(stableFor)}`
  return [...checks, { code: 'NotStable', state: stable ? 'met' : 'pending', message }]
}

/**
 * The check that names the verdict of an application: the first that is unmet; where the run ends because
 * something is failing, the first that is failing.
 *
 * @returns `undefined`: all are met
 */
export function namingCheck(checks: readonly Check[], endedByFailing: boolean): Check | undefined {
  return (endedByFailing ? checks.find(isFailing) : undefined) ?? checks.find((check) => !isMet(check))
}
