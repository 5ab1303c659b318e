/** What a run's own operation does to the checks: a yes needs it to have succeeded. Pure. */

import type { Application } from './application.ts'
import { type Check, type Code, failing, isMet, pending } from './check.ts'
import type { Known } from './knowledge.ts'
import { because } from './phrase.ts'
import { hasEnded, isAfterOwn, isDoneByOther } from './sync-operation.ts'

/** The checks of an application of which a run may have started, or adopted, an operation. */
export function withOwnSync(
  checks: readonly Check[],
  application: Application | undefined,
  known: Known,
  now: number,
): readonly Check[] {
  const { syncing } = known
  const { own, isOrdering, isInDoubt } = syncing
  if (application === undefined) return checks
  if (own === undefined) {
    if (isInDoubt)
      return replaced(checks, 'OperationInProgress', pending('a sync was asked for, and the answer was lost'))
    return isOrdering ? replaced(checks, 'OperationInProgress', pending('a sync is being asked for')) : checks
  }
  const what = own.isAdopted ? 'the sync that was adopted' : 'the sync that was started'
  if (own.phase === 'Succeeded')
    return isAfterOwn(known, now)
      ? checks
      : replaced(checks, 'StatusStale', pending(`health may be from before the end of ${what}`))
  if (own.isFollowed && isDoneByOther(own, application)) return checks
  if (hasEnded(own.phase)) {
    const said = checks.find(({ code }) => code === 'OperationFailed')
    // On record, it names the resources and hooks that failed.
    const why =
      !own.isFollowed && said !== undefined && !isMet(said) ? `: ${said.message}` : because(own.message)
    return replaced(checks, 'OperationFailed', failing(`${what} ended as ${own.phase}${why}`))
  }
  // What is on record has failed, whoever began it.
  if (own.isFollowed && checks.some(({ code, state }) => code === 'OperationFailed' && state === 'failing'))
    return checks
  if (own.isFollowed)
    return replaced(
      checks,
      'OperationFailed',
      pending(`another operation took the place of ${what} before it was seen how that ended`),
    )
  if (own.phase !== undefined) return checks
  const before = checks.find(({ code }) => code === 'OperationInProgress')
  return before !== undefined && !isMet(before)
    ? checks
    : replaced(checks, 'OperationInProgress', pending(`${what} has not been seen under way yet`))
}

function replaced(
  checks: readonly Check[],
  code: Code,
  finding: ReturnType<typeof pending>,
): readonly Check[] {
  return checks.map((check) => (check.code === code ? { code, ...finding } : check))
}
