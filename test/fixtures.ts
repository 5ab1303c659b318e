/** What unit tests build on: parsed applications, what is wanted of them, and what a run has learnt. */

import { type Application, applicationSchema } from '../lib/application.ts'
import type { Wanted } from '../lib/config.ts'
import { parseImage } from '../lib/image.ts'
import { type Check, type Code, checkApplication } from '../lib/predicates.ts'
import { parseWantedRevision } from '../lib/revision.ts'
import type { RevisionEvidence } from '../lib/revision-rules.ts'
import { type ApplicationOptions, application, type JsonObject } from './argocd/server.ts'

/** Full SHAs that are easy to tell apart. */
export const SHA = {
  a: 'a1'.repeat(20),
  b: 'b2'.repeat(20),
  c: 'c3'.repeat(20),
  d: 'd4'.repeat(20),
} as const

/** A verified application at {@link SHA}.a as the gate sees it, with changes. */
export function parsed(options: ApplicationOptions = {}, overrides: JsonObject = {}): Application {
  return applicationSchema.parse(application({ revision: SHA.a, ...options }, overrides))
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

/** Nothing learnt besides the application. */
export const NO_EVIDENCE: RevisionEvidence = { refreshed: false, commits: new Map() }

/** A refresh of this run has come back. */
export const REFRESHED: RevisionEvidence = { refreshed: true, commits: new Map() }

/** The check with a code, of an application as wanted. */
export function checkOf(
  code: Code,
  subject: Application | undefined,
  wanted: Wanted = wanting(),
  evidence: RevisionEvidence = NO_EVIDENCE,
): Check {
  const found = checkApplication(subject, wanted, evidence).find((check) => check.code === code)
  if (found === undefined) throw new Error(`no check ${code}`)
  return found
}
