/** What the situations deploy, as text of files. JSON is YAML. */

import type { JsonObject } from '../argocd/json.ts'

/** An image that starts anywhere, in two versions. */
export const IMAGES = ['registry.k8s.io/pause:3.9', 'registry.k8s.io/pause:3.10'] as const

/** One that never starts: its tag is not there. */
export const BROKEN_IMAGE = 'registry.k8s.io/pause:broken'

const text = (manifest: JsonObject): string => `${JSON.stringify(manifest, null, 2)}\n`

/** The least that can be deployed, which is healthy at once. */
export function configMap(name: string, value: string): string {
  return text({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { value } })
}

/** What is special about a Deployment. */
export interface DeploymentOptions {
  /** Seconds until a Pod counts as available, so long is it Progressing. */
  readonly minReadySeconds?: number
  /** Seconds until it is called Degraded. */
  readonly progressDeadlineSeconds?: number
  readonly paused?: boolean
}

/** A Deployment of one Pod. */
export function deployment(name: string, image: string, options: DeploymentOptions = {}): string {
  const labels = { app: name }
  return text({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas: 1,
      ...options,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { terminationGracePeriodSeconds: 1, containers: [{ name: 'main', image }] },
      },
    },
  })
}

/** A Job that is a hook. It fails where it cannot even start its command. */
export function hook(name: string, phase: string, image: string, succeeds: boolean): string {
  return text({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name,
      annotations: {
        'argocd.argoproj.io/hook': phase,
        'argocd.argoproj.io/hook-delete-policy': 'BeforeHookCreation',
      },
    },
    spec: {
      backoffLimit: 0,
      template: {
        spec: {
          restartPolicy: 'Never',
          containers: [
            { name: 'main', image, command: succeeds ? ['/pause', '-v'] : ['/there-is-no-such-program'] },
          ],
        },
      },
    },
  })
}
