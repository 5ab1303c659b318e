/** What a run waits for, in the words for those who follow it: the log, and the live view. Pure. */

import { applicationKey } from './application.ts'
import type { Check } from './check.ts'
import { describeResource, tellingResource, unhealthyResources } from './diagnosis.ts'
import { formatDuration } from './duration.ts'
import { namingCheck } from './ending.ts'
import { applicationOf, type Knowledge, type Known } from './knowledge.ts'
import { remembered } from './remembered.ts'

/** A server that has not answered for so long is said to be silent, in milliseconds: within a second. */
const SILENT = 900

/** What an application waits for: a check that is failing before one that is pending; `undefined`: it is as wanted. */
export function awaitedCheck({ checks }: Known): Check | undefined {
  return namingCheck(checks, true)
}

/** Applications in the order in which a person wants to see them: failing, waiting, as wanted. */
export function byUrgency(applications: Iterable<Known>): readonly Known[] {
  const [failing, waiting, ready]: [Known[], Known[], Known[]] = [[], [], []]
  for (const known of applications)
    if (known.checks.length > 0)
      (known.met !== undefined ? ready : known.failing !== undefined ? failing : waiting).push(known)
  return [...failing, ...waiting, ...ready]
}

/** The name of an application as a person would write it. */
export function nameOf(known: Known): string {
  const application = applicationOf(known)
  return applicationKey(known.ref.name, application?.metadata.namespace ?? known.ref.namespace)
}

/** How an application stands in time: how long it has held, or when it is given up. */
export function timing(known: Known, { policy }: Knowledge, now: number): string | undefined {
  const { met, failing, waitingSince } = known
  if (met !== undefined) {
    if (policy.stableFor === 0) return undefined
    return `stable ${seconds(Math.min(now - met.since, policy.stableFor))} of ${formatDuration(policy.stableFor)}`
  }
  return failing === undefined || !Number.isFinite(policy.failAfter)
    ? seconds(now - (failing?.since ?? waitingSince))
    : `gives up in ${seconds(Math.max(failing.since + policy.failAfter - now, 0))}`
}

/** Why an application is not as wanted, in the words of the resource that knows. */
export const causeOf = remembered((known: Known): string | undefined => {
  const resource = tellingResource(unhealthyResources(known))
  return resource === undefined ? undefined : describeResource(resource)
})

/** When Argo CD tries again what failed, in its own words. */
export function retryOf(known: Known): string | undefined {
  const message = applicationOf(known)?.status.operationState?.message
  return message === undefined ? undefined : RETRYING.exec(message.slice(-200))?.[0]
}

/** Cause and retry, as far as what the application waits for does not say them. */
export function unsaidReasons(known: Known): readonly (readonly ['cause' | 'retry', string])[] {
  const said = awaitedCheck(known)?.message ?? ''
  const resource = tellingResource(unhealthyResources(known))
  const [cause, retry] = [causeOf(known), retryOf(known)]
  return [
    ...(cause === undefined || (resource !== undefined && said.includes(resource.message))
      ? []
      : [['cause', cause] as const]),
    ...(retry === undefined || said.includes(retry) ? [] : [['retry', retry] as const]),
  ]
}

const RETRYING = /Retrying attempt #\d{1,6} at \d{1,2}:\d{2}[AP]M/

/** When the server counts as silent where it goes on like that; `undefined` where it is asked for nothing. */
export function silentAt({ server: { askedAt } }: Knowledge): number | undefined {
  return askedAt === undefined ? undefined : askedAt + SILENT
}

/** How long the server has not answered what it was asked; `undefined` where that is not worth a word. */
export function silentFor({ server }: Knowledge, now: number): number | undefined {
  if (server.askedAt === undefined || now - server.askedAt < SILENT) return undefined
  return now - server.askedAt
}

/** A duration in whole seconds. */
export function seconds(milliseconds: number): string {
  return formatDuration(Math.round(milliseconds / 1000) * 1000)
}
