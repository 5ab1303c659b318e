/** What a run is asked to verify, in words. Pure. */

import { applicationKey } from './application.ts'
import { formatImage } from './image.ts'
import { formatWantedRevision } from './revision.ts'
import type { NamedApplication, Target, Wanted } from './wanted.ts'

/** More applications than this are told of as a count. */
export const FEW = 10

/** What every application must be, as parts of a sentence; revisions that differ stand behind the names instead. */
export function wantedOfAll(target: Target): readonly string[] {
  const [first] = wantedBy(target)
  if (first === undefined) return []
  const { revision, images, commitMessage } = first
  return [
    ...(revision === undefined || haveOwnRevisions(target)
      ? []
      : [`revision ${formatWantedRevision(revision)}`]),
    ...(commitMessage === undefined ? [] : [`a commit message with ${JSON.stringify(commitMessage)}`]),
    ...images.map((image) => `image ${formatImage(image)}`),
  ]
}

/** Which applications, each with its revision where that is not the same for all: `web@main, api@1.2.0`. */
export function formatTarget(target: Target): string {
  if (target.kind === 'selector') return `applications with ${target.selector}`
  const { applications } = target
  const isOwn = haveOwnRevisions(target)
  if (applications.length > FEW)
    return `${applications.length} applications${isOwn ? ', each at a revision of its own' : ''}`
  return applications.map((one) => `${formatName(one)}${isOwn ? formatRevision(one) : ''}`).join(', ')
}

function wantedBy(target: Target): readonly Wanted[] {
  return target.kind === 'selector' ? [target.wanted] : target.applications.map(({ wanted }) => wanted)
}

function haveOwnRevisions(target: Target): boolean {
  const revisions = wantedBy(target).map(({ revision }) =>
    revision === undefined ? '' : formatWantedRevision(revision),
  )
  return new Set(revisions).size > 1
}

function formatName({ name, namespace }: NamedApplication): string {
  return applicationKey(name, namespace)
}

function formatRevision({ wanted: { revision } }: NamedApplication): string {
  return revision === undefined ? '' : `@${formatWantedRevision(revision)}`
}
