/** Which images the Pods of an application run: the check ImageMismatch. */

import type { Application } from './application.ts'
import { type Finding, met, pending } from './check.ts'
import type { Evidence } from './evidence.ts'
import { formatImage, type ImageReference, isWantedImage, parseImage } from './image.ts'
import { remembered } from './remembered.ts'
import { endedImages } from './tree.ts'
import type { Wanted } from './wanted.ts'

/** A running image as Argo CD writes it, and as it is read. */
interface RunningImage {
  readonly text: string
  readonly reference: ImageReference
}

const runningImages = remembered(({ status: { summary } }: Application): readonly RunningImage[] =>
  summary.images.flatMap((text) => {
    const reference = parseImage(text)
    return reference === undefined ? [] : [{ text, reference }]
  }),
)

/** Whether each wanted image runs, whatever runs beside it. */
export function imagesRun(application: Application, { images }: Wanted): boolean {
  return images.every((image) =>
    runningImages(application).some(({ reference }) => isWantedImage(image, reference)),
  )
}

/** The running images of a wanted repository that are not wanted. */
function besideImages(application: Application, { images }: Wanted): readonly RunningImage[] {
  if (images.length === 0) return []
  return runningImages(application).filter(
    ({ reference }) =>
      images.some(({ repository }) => repository === reference.repository) &&
      !images.some((image) => isWantedImage(image, reference)),
  )
}

/** Whether Pods that have ended could be all that is in the way: the resource tree tells. */
export function imagesInQuestion(application: Application, wanted: Wanted): boolean {
  return imagesRun(application, wanted) && besideImages(application, wanted).length > 0
}

/**
 * ImageMismatch: an old tag that still runs beside the new one means that a rollout is under way; Argo CD's summary
 * lists the images of all Pods, so both are seen. It lists those of Pods that have ended, too, which the resource
 * tree can tell (a CronJob's completed one, an evicted one: they stay for days).
 */
export function imagesMatch(application: Application, wanted: Wanted, { tree }: Evidence): Finding {
  const { images } = wanted
  if (images.length === 0) return met('no image is asked for')
  const running = runningImages(application)
  const ended = tree === undefined ? new Set<string>() : endedImages(tree)
  const beside = besideImages(application, wanted)
  const inTheWay = beside.filter(({ text }) => !ended.has(text))
  const complaints = images.flatMap((image) => {
    const { repository } = image
    const same = running.filter(({ reference }) => reference.repository === repository)
    if (same.length === 0)
      return `${formatImage(image)} does not run, nor any other image of its repository${meant(application, image)}`
    if (!same.some(({ reference }) => isWantedImage(image, reference)))
      return `${formatImage(image)} does not run; found ${formatAll(same)}`
    const others = inTheWay.filter(({ reference }) => reference.repository === repository)
    return others.length > 0 ? `${formatAll(others)} still runs beside ${formatImage(image)}` : []
  })
  if (complaints.length > 0) {
    const finding = pending([...new Set(complaints)].join('; '))
    const alike = images.flatMap((image) =>
      running.some(({ reference }) => reference.repository === image.repository)
        ? []
        : (alikeOf(application, image) ?? []),
    )
    return alike[0] === undefined ? finding : { ...finding, next: `did you mean --image ${alike[0]}?` }
  }
  const gone = beside.length > 0 ? `; ${formatAll(beside)} only in Pods that have ended` : ''
  return met(`${images.map(formatImage).join(', ')} ${images.length === 1 ? 'runs' : 'run'}${gone}`)
}

function formatAll(images: readonly RunningImage[]): string {
  return images.map(({ reference }) => formatImage(reference)).join(', ')
}

/** Asks whether another registry, or another case, was meant; nothing where nothing of that name runs. */
function meant(application: Application, wanted: ImageReference): string {
  const alike = alikeOf(application, wanted)
  if (alike === undefined) return ''
  return `; ${alike} does, which differs by its registry or by case only: was that meant?`
}

/** A running image that differs from a wanted one by its registry or case only, tag aside. */
function alikeOf({ status: { summary } }: Application, wanted: ImageReference): string | undefined {
  const path = pathOf(wanted)
  return summary.images.find((text) => {
    const reference = parseImage(text.toLowerCase())
    return reference !== undefined && pathOf(reference) === path
  })
}

/** A repository without its registry; Docker Hub's own ones are written without `library/`. */
function pathOf({ repository }: ImageReference): string {
  const path = repository.slice(repository.indexOf('/') + 1)
  return (repository.startsWith('docker.io/library/') ? path.slice('library/'.length) : path).toLowerCase()
}
