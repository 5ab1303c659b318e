/** Whether two renderings of an application are the same set of manifests. */

import type { Rendering } from './evidence.ts'

/** Compares two renderings. */
export function compareManifests(_wanted: readonly string[], _observed: readonly string[]): Rendering {
  return { kind: 'unknown', message: 'not compared' }
}
