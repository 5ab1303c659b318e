/** What unit tests build on: parsed applications, what is wanted of them, and what a run has learnt. */

import type { Application } from '../lib/application.ts'
import { applicationSchema } from '../lib/application-schema.ts'
import type { Check, Code } from '../lib/check.ts'
import { type Evidence, NO_EVIDENCE, type TreeNode } from '../lib/evidence.ts'
import { parseImage } from '../lib/image.ts'
import { checkApplication } from '../lib/predicates.ts'
import { parseWantedRevision } from '../lib/revision.ts'
import type { Wanted } from '../lib/wanted.ts'
import { type ApplicationOptions, application, type JsonObject } from './argocd/server.ts'

/** Full SHAs that are easy to tell apart. */
export const SHA = {
  a: 'a1'.repeat(20),
  b: 'b2'.repeat(20),
  c: 'c3'.repeat(20),
  d: 'd4'.repeat(20),
} as const

/** When that happened which the status of a parsed application tells of: at one time, whenever it is made. */
const HAPPENED = new Date('2026-01-01T00:00:00Z')

/** A verified application at {@link SHA}.a as the gate sees it, with changes. */
export function parsed(options: ApplicationOptions = {}, overrides: JsonObject = {}): Application {
  return applicationSchema.parse(application({ revision: SHA.a, at: HAPPENED, ...options }, overrides))
}

/** What is wanted, as it would be written in settings. */
export function wanting({
  revision,
  images = [],
  ...rest
}: Partial<Omit<Wanted, 'revision' | 'images'>> & {
  revision?: string
  images?: readonly string[]
} = {}): Wanted {
  return {
    revision: revision === undefined ? undefined : parseWantedRevision(revision),
    revisionPolicy: 'exact',
    images: images.flatMap((image) => parseImage(image) ?? []),
    commitMessage: undefined,
    health: ['Healthy'],
    ...rest,
  }
}

export { NO_EVIDENCE } from '../lib/evidence.ts'

/** There is fresh evidence of where a tracked revision points. */
export const REFRESHED: Evidence = { ...NO_EVIDENCE, refreshed: true, hydratorLooked: true }

/** What a run has learnt, with what differs from nothing. */
export function knowing(learnt: Partial<Evidence>): Evidence {
  return { ...NO_EVIDENCE, ...learnt }
}

/** A node of a resource tree, with what differs from one of which nothing is known. */
export function node(known: Partial<TreeNode>): TreeNode {
  return {
    group: undefined,
    kind: undefined,
    namespace: undefined,
    name: undefined,
    uid: undefined,
    parentUids: [],
    health: undefined,
    images: [],
    info: {},
    createdAt: undefined,
    ...known,
  }
}

/** The check with a code, of an application as wanted. */
export function checkOf(
  code: Code,
  subject: Application | undefined,
  wanted: Wanted = wanting(),
  evidence: Evidence = NO_EVIDENCE,
): Check {
  const found = checkApplication(subject, wanted, evidence).find((check) => check.code === code)
  if (found === undefined) throw new Error(`no check ${code}`)
  return found
}

/** A Pod of one container in a resource tree, that runs an image (`Running`) or has ended. */
export function podOf(image: string, reason: string): TreeNode {
  return node({
    kind: 'Pod',
    name: image,
    images: [image],
    health: { status: 'Healthy', message: undefined },
    info: {
      'Status Reason': reason,
      ...(reason === 'Running' ? { Containers: '1/1', cpu: '0' } : { Containers: '0/1' }),
    },
  })
}
