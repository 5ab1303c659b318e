/**
 * The schema of the JSON result. Apart from what makes a result, because making one needs only its types: a run
 * does not load this.
 */

import { z } from 'zod'
import { CODES } from './check.ts'

const reason = z.enum([
  'Verified',
  ...CODES,
  'Unreachable',
  'Unauthorized',
  'InvalidSettings',
  'NotArgoCD',
  'StageNotAuthorized',
  'Interrupted',
])

/** Why the verdict is what it is. */
export type Reason = z.output<typeof reason>

const resultResource = z.strictObject({
  group: z.string(),
  kind: z.string(),
  namespace: z.string(),
  name: z.string(),
  health: z.string().describe('health status; empty where Argo CD assesses none'),
  status: z.string().describe('sync status, or the result of the last sync where that failed'),
  message: z.string(),
})

const resultApplication = z.strictObject({
  name: z.string(),
  namespace: z.string().nullable(),
  project: z.string().nullable(),
  verified: z.boolean(),
  reason,
  message: z.string().describe('one sentence'),
  url: z.string().describe('the page of the application in Argo CD'),
  sync: z.strictObject({
    status: z.string().nullable(),
    revisions: z.array(z.string()).describe('one for each source'),
  }),
  health: z.strictObject({ status: z.string().nullable(), message: z.string().nullable() }),
  operation: z.strictObject({
    phase: z.string().nullable(),
    message: z.string().nullable(),
    finishedAt: z.string().nullable(),
  }),
  images: z.array(z.string()),
  checks: z.array(
    z.strictObject({
      code: z.enum(CODES),
      state: z.enum(['met', 'pending', 'failing']),
      message: z.string(),
    }),
  ),
  unhealthyResources: z.array(resultResource),
  started: z.optional(
    z
      .strictObject({
        id: z
          .string()
          .nullable()
          .describe('stands in the info of the operation; null where it was adopted without one'),
        revisions: z.array(z.string()).describe('empty: what is tracked'),
        at: z.string().describe('when it began, by the clock of Argo CD'),
        adopted: z.boolean().describe('true: somebody else, or an earlier run, had started it'),
        phase: z.string().nullable().describe('null: it has not been seen under way'),
        message: z.string().nullable(),
      })
      .describe('with --sync: the operation that this run started or adopted'),
  ),
  wouldStart: z.optional(
    z
      .strictObject({ revisions: z.array(z.string()).describe('empty: what is tracked'), prune: z.boolean() })
      .describe('with --sync and --timeout 0: what it would start'),
  ),
})

/** The JSON result. Fields are only ever added within a `schemaVersion`. */
export const resultSchema = z.strictObject({
  schemaVersion: z.literal(1),
  verified: z.boolean(),
  reason,
  message: z.string().describe('one sentence'),
  timedOut: z.boolean(),
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime(),
  durationSeconds: z.number().nonnegative(),
  server: z.string().nullable().describe('null where the settings do not say which'),
  applications: z.array(resultApplication),
})

/** The JSON Schema of the result. */
export function resultJsonSchema(): object {
  return {
    ...z.toJSONSchema(resultSchema),
    title: 'The result of kpcea',
    description: 'Printed by kpcea -o json',
  }
}

/** The JSON result. */
export type Result = z.output<typeof resultSchema>

/** One application of the result. */
export type ApplicationResult = z.output<typeof resultApplication>
