/** A sync as Argo CD's API takes it, and what it says where it does not start one: refusals, and sync windows. Pure. */

import * as z from 'zod/mini'

import type { Refusal } from './answer.ts'
import { lazily } from './lazily.ts'
import type { ApplicationRef } from './requests.ts'
import { INFO_NAME } from './sync-operation.ts'
import type { SyncAnswer, SyncOrder, SyncWindow, SyncWindows } from './syncs.ts'

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

const windowSchema = lazily(() => {
  const text = z.nullish(z.string())
  return z.object({
    kind: text,
    schedule: text,
    duration: text,
    manualSync: z.nullish(z.boolean()),
    timeZone: text,
  })
})

/** The answer to `GET /api/v1/applications/{name}/syncwindows`. */
export const windowsSchema = lazily(() => {
  const windows = z.nullish(z.array(windowSchema()))
  return z.object({ canSync: z.nullish(z.boolean()), activeWindows: windows, assignedWindows: windows })
})

/** What is read of the answer to `GET /api/v1/projects/{name}`. */
export const projectSchema = lazily(() =>
  z.object({ spec: z.nullish(z.object({ syncWindows: z.nullish(z.array(windowSchema())) })) }),
)

/** @param at when it was told, by the server's clock, in milliseconds since 1970 */
export function readWindows(
  { canSync, activeWindows, assignedWindows }: z.output<ReturnType<typeof windowsSchema>>,
  at: number,
): SyncWindows {
  return {
    canSync: canSync ?? false,
    active: (activeWindows ?? []).map(readWindow),
    assigned: (assignedWindows ?? []).map(readWindow),
    at,
  }
}

/** The windows of a project; one without a time zone is in UTC. */
export function readProject({ spec }: z.output<ReturnType<typeof projectSchema>>): readonly SyncWindow[] {
  return (spec?.syncWindows ?? []).map((window) => ({
    ...readWindow(window),
    timeZone: window.timeZone ?? '',
  }))
}

function readWindow({
  kind,
  schedule,
  duration,
  manualSync,
  timeZone,
}: z.output<ReturnType<typeof windowSchema>>): SyncWindow {
  return {
    kind: kind ?? '',
    schedule: schedule ?? '',
    duration: duration ?? '',
    isManual: manualSync ?? false,
    timeZone: timeZone ?? undefined,
  }
}
