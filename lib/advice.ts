/** What to try next: one sentence for the usual causes of a no. */

import type { ApplicationResult, Result } from './result-schema.ts'
import type { Policy } from './wanted.ts'

/**
 * The next step for somebody who reads a no for the first time.
 *
 * @returns `undefined` where the message itself says it
 */
export function adviceFor(result: Result, policy: Pick<Policy, 'timeout' | 'refresh'>): string | undefined {
  if (result.verified) return undefined
  const application = result.applications.find(({ reason }) => reason === result.reason)
  const waited = policy.timeout === 0 ? 'a KPCEA_TIMEOUT' : 'a longer KPCEA_TIMEOUT'
  switch (result.reason) {
    case 'NotFound':
      return `check the name and the namespace; and, as the account of the token, argocd account can-i get applications ${permission(application)}`
    case 'RevisionMismatch':
      return policy.refresh === 'none'
        ? 'without a webhook Argo CD looks at Git every two to three minutes: set KPCEA_REFRESH=normal, or wait longer'
        : `is this the repository that the application tracks, and has it been pushed there? compare: argocd app get ${word(application?.name) ?? 'NAME'}`
    case 'OutOfSync':
      return `does it sync by itself, is a sync window closed, or is its sync still to come? argocd app sync ${word(application?.name) ?? 'NAME'}, or ${waited}`
    case 'OperationInProgress':
    case 'Hydrating':
    case 'NotStable':
    case 'ImageMismatch':
      return `it was still under way: try ${waited}`
    case 'StatusStale':
      return "does Argo CD's application controller run? it has not looked at the application since"
    case 'NotHealthy':
    case 'OperationFailed':
    case 'Conditions':
      return application === undefined ? undefined : `see ${application.url}`
    default:
      return undefined
  }
}

function permission(application: ApplicationResult | undefined): string {
  return `'${word(application?.project) ?? '*'}/${word(application?.name) ?? '*'}'`
}

/** What is to be copied into a shell is a word, and no command of whoever chose the name. */
function word(name: string | null | undefined): string | undefined {
  return name !== null && name !== undefined && /^[\w.-]+$/.test(name) ? name : undefined
}
