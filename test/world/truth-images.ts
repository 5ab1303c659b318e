/** Which images really run, and which of them the status shows. */

import { type ImageReference, parseImage as parse } from '../../lib/image.ts'
import { hasEnded, type Live } from './live.ts'
import type { Subject } from './world.ts'

/** The same few images come again and again. */
const IMAGES = new Map<string, ImageReference | undefined>()

function parseImage(text: string): ImageReference | undefined {
  let image = IMAGES.get(text)
  if (image === undefined) {
    image = parse(text)
    if (IMAGES.size > 10_000) IMAGES.clear()
    IMAGES.set(text, image)
  }
  return image
}

export function runsImages(images: readonly ImageReference[], { pods }: Live): boolean {
  return sees(
    images,
    pods.flatMap((pod) => (hasEnded(pod) ? [] : [pod.image])),
  )
}

/** The summary, but for the images of Pods that have ended, which the resource tree tells. */
export function showsImages(images: readonly ImageReference[], { status, live }: Subject): boolean {
  if (images.length === 0) return true
  const ended = new Set(live.pods.flatMap((pod) => (hasEnded(pod) ? [pod.image] : [])))
  const running = new Set(live.pods.flatMap((pod) => (hasEnded(pod) ? [] : [pod.image])))
  return sees(
    images,
    status.images.filter((image) => !ended.has(image) || running.has(image)),
  )
}

function sees(images: readonly ImageReference[], running: readonly string[]): boolean {
  return images.every(({ repository, tag }) => {
    const same = running
      .flatMap((text) => parseImage(text) ?? [])
      .filter((one) => one.repository === repository)
    return same.length > 0 && (tag === undefined || same.every((one) => one.tag === tag))
  })
}

export function showsSome(images: readonly ImageReference[], { status }: Subject): boolean {
  return images.every(({ repository, tag }) =>
    status.images.some((text) => {
      const one = parseImage(text)
      return one !== undefined && one.repository === repository && (tag === undefined || one.tag === tag)
    }),
  )
}
