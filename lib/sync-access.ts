/** Who lets an application be synced: the Stages of Kargo that its owner authorized, and Argo CD's policies. Pure. */

import type { Application } from './application.ts'
import type { Stage } from './wanted.ts'

/** By this annotation the owner of an application lets Stages of Kargo change it. */
export const STAGE_ANNOTATION = 'kargo.akuity.io/authorized-stage'

/**
 * Whether an application's annotation lets a Stage change it, exactly as Kargo reads it (pkg/api/stage.go): entries
 * `project:stage` with commas between them, spaces ignored; where one is malformed or has a `*`, it lets nobody.
 */
export function isAuthorized({ metadata }: Application, stage: Stage): boolean {
  const value = metadata.annotations[STAGE_ANNOTATION] ?? ''
  const entries = value
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
  const stages = entries.map((entry) => {
    const at = entry.indexOf(':')
    const [project, name] = [entry.slice(0, Math.max(at, 0)).trim(), entry.slice(at + 1).trim()]
    const isWellFormed = at > 0 && project !== '' && name !== '' && !entry.includes('*')
    return isWellFormed ? { project, name } : undefined
  })
  return (
    stages.every((one) => one !== undefined) &&
    stages.some((one) => one?.project === stage.project && one.name === stage.name)
  )
}

/**
 * An application as Argo CD's policies name it: `project/name`, and in another namespace than the control plane's
 * `project/namespace/name` (Argo CD, `security.RBACName`).
 *
 * @param serverNamespace where the control plane is, as far as it is known besides what the application tells
 */
export function policyObject(
  { metadata: { name, namespace }, spec, status }: Application,
  serverNamespace: string | undefined,
): string {
  const project = spec.project ?? 'default'
  const home = status.controllerNamespace ?? serverNamespace
  const isElsewhere = namespace !== undefined && home !== undefined && namespace !== home
  return isElsewhere ? `${project}/${namespace}/${name}` : `${project}/${name}`
}

/**
 * The line that a policy of Argo CD needs for something that an account may not do yet.
 *
 * @param subject an account or a role
 */
export function policyLine(action: string, object: string, subject = 'role:kpcea'): string {
  return `p, ${subject}, applications, ${action}, ${object}, allow`
}
