/** A sync as Argo CD's API takes it, and what it says where it does not start one. Pure. */

import type { Refusal } from './answer.ts'
import type { ApplicationRef } from './requests.ts'
import { INFO_NAME } from './sync-operation.ts'
import type { SyncAnswer, SyncOrder } from './syncs.ts'

/** For a person who looks at the operation in Argo CD. */
const REASON = 'a promotion, started and verified by kpcea'

/**
 * The body of `POST /api/v1/applications/{name}/sync`. Sync options, strategy and retries are left out, so that they
 * are the application's own.
 */
export function syncBody({ name, namespace, project }: ApplicationRef, order: SyncOrder) {
  const { revisions, several, prune, id } = order
  const [only] = revisions
  return {
    name,
    ...(namespace === undefined ? {} : { appNamespace: namespace }),
    ...(project === undefined ? {} : { project }),
    ...(several && only !== undefined
      ? {
          sourcePositions: revisions.map(({ index }) => index + 1),
          revisions: revisions.map(({ revision }) => revision),
        }
      : {}),
    ...(!several && only !== undefined ? { revision: only.revision } : {}),
    prune,
    infos: [
      { name: 'Reason', value: REASON },
      { name: INFO_NAME, value: id },
    ],
  }
}

/** gRPC codes in the bodies of Argo CD's errors. */
const PERMISSION_DENIED = 7

/** Sorts what Argo CD says where it does not start a sync; `undefined`: it is not known whether it did. */
export function sortSyncRefusal({ status, code, said }: Refusal): SyncAnswer | undefined {
  // An old server wraps it into an error without a code of its own.
  if (/another operation is already in progress/i.test(said)) return { kind: 'busy' }
  if (code === PERMISSION_DENIED) {
    if (/^cannot sync\b/i.test(said)) return { kind: 'closed', message: said }
    const action = /permission denied: applications, ([a-z]+)/i.exec(said)?.[1]
    return action === undefined ? undefined : { kind: 'denied', action, message: said }
  }
  return status === 400 && code !== undefined ? { kind: 'refused', message: said } : undefined
}
