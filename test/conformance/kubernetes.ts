/** As much of a client of the Kubernetes API as the suite needs, from a kubeconfig. */

import { existsSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { array, at, type Json, type JsonObject, object } from '../argocd/json.ts'

const PATIENCE_MS = 15_000

/** A kind of object: where the API has it. */
export interface Kind {
  readonly apiVersion: string
  readonly kind: string
  /** As it stands in paths. */
  readonly plural: string
  readonly namespaced: boolean
}

/** The kinds that the suite makes. */
export const KINDS = {
  application: {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    plural: 'applications',
    namespaced: true,
  },
  project: {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'AppProject',
    plural: 'appprojects',
    namespaced: true,
  },
  namespace: { apiVersion: 'v1', kind: 'Namespace', plural: 'namespaces', namespaced: false },
  configMap: { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true },
  job: { apiVersion: 'batch/v1', kind: 'Job', plural: 'jobs', namespaced: true },
  node: { apiVersion: 'v1', kind: 'Node', plural: 'nodes', namespaced: false },
} as const satisfies Record<string, Kind>

/** An answer of the API that is no success. */
export class KubernetesError extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** The API server of a kubeconfig's current context. */
export class Kubernetes {
  /** Address of the API server, without a path of its own. */
  readonly server: string
  readonly #headers: Readonly<Record<string, string>>
  readonly #tls: Bun.TLSOptions

  constructor(server: string, headers: Readonly<Record<string, string>>, tls: Bun.TLSOptions) {
    this.server = server.replace(/\/+$/, '')
    this.#headers = headers
    this.#tls = tls
  }

  /**
   * Reads a kubeconfig: a server, its authority, and a token or a client certificate, in files or in the text.
   *
   * @throws Error where the file has no current context, or wants a program to be run for credentials
   */
  static fromConfig(path: string): Kubernetes {
    if (!existsSync(path)) throw new Error(`there is no kubeconfig at ${path}`)
    const config = Bun.YAML.parse(readFileSync(path, 'utf8')) as Json
    const named = (list: string, name: Json | undefined, part: string): JsonObject =>
      object(
        at(
          array(at(config, list)).find((entry) => at(entry, 'name') === name),
          part,
        ),
      )
    const context = named('contexts', at(config, 'current-context'), 'context')
    const cluster = named('clusters', context.cluster, 'cluster')
    const user = named('users', context.user, 'user')
    if (typeof cluster.server !== 'string') throw new Error(`${path} has no current context with a server`)
    if (user.exec !== undefined || user['auth-provider'] !== undefined)
      throw new Error(`${path} runs a program for its credentials; use a token or a client certificate`)
    const read = (from: JsonObject, name: string): string | undefined => {
      const data = from[`${name}-data`]
      if (typeof data === 'string') return Buffer.from(data, 'base64').toString()
      const file = from[name]
      return typeof file === 'string' ? readFileSync(resolve(dirname(path), file), 'utf8') : undefined
    }
    const token = user.token ?? (typeof user.tokenFile === 'string' ? read(user, 'tokenFile') : undefined)
    const ca = read(cluster, 'certificate-authority')
    const cert = read(user, 'client-certificate')
    const key = read(user, 'client-key')
    return new Kubernetes(
      cluster.server,
      typeof token === 'string' ? { authorization: `Bearer ${token.trim()}` } : {},
      {
        ...(ca === undefined ? {} : { ca }),
        ...(cert === undefined || key === undefined ? {} : { cert, key }),
        ...(cluster['insecure-skip-tls-verify'] === true ? { rejectUnauthorized: false } : {}),
      },
    )
  }

  /** @returns `undefined` where there is none */
  async get(kind: Kind, name: string, namespace = ''): Promise<JsonObject | undefined> {
    try {
      return await this.#ask('GET', path(kind, namespace, name))
    } catch (error) {
      if (error instanceof KubernetesError && error.status === 404) return undefined
      throw error
    }
  }

  async list(kind: Kind, namespace = '', labels = ''): Promise<readonly JsonObject[]> {
    const query = labels === '' ? '' : `?labelSelector=${encodeURIComponent(labels)}`
    return array((await this.#ask('GET', path(kind, namespace) + query)).items).map(object)
  }

  /** Makes an object, or changes it to be so. */
  async apply(kind: Kind, manifest: JsonObject): Promise<void> {
    const name = String(at(manifest, 'metadata', 'name'))
    const namespace = String(at(manifest, 'metadata', 'namespace') ?? '')
    const query = '?fieldManager=kpcea-conformance&force=true'
    await this.#ask('PATCH', path(kind, namespace, name) + query, 'application/apply-patch+yaml', {
      apiVersion: kind.apiVersion,
      kind: kind.kind,
      ...manifest,
    })
  }

  /** Merges members into an object; `null` removes one. */
  async patch(kind: Kind, name: string, namespace: string, members: JsonObject): Promise<void> {
    await this.#ask('PATCH', path(kind, namespace, name), 'application/merge-patch+json', members)
  }

  /** Asks for an object to be deleted, and does not wait for it. */
  async delete(kind: Kind, name: string, namespace = ''): Promise<void> {
    try {
      await this.#ask('DELETE', path(kind, namespace, name))
    } catch (error) {
      if (!(error instanceof KubernetesError && error.status === 404)) throw error
    }
  }

  async #ask(method: string, path: string, type?: string, body?: JsonObject): Promise<JsonObject> {
    const response = await fetch(this.server + path, {
      method,
      headers: {
        ...this.#headers,
        accept: 'application/json',
        ...(type === undefined ? {} : { 'content-type': type }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      tls: this.#tls,
      signal: AbortSignal.timeout(PATIENCE_MS),
    })
    const text = await response.text()
    if (!response.ok)
      throw new KubernetesError(
        response.status,
        `${method} ${path}: ${response.status} ${text.slice(0, 300)}`,
      )
    return object(JSON.parse(text) as Json)
  }
}

function path({ apiVersion, plural, namespaced }: Kind, namespace: string, name = ''): string {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
  const within = namespaced && namespace !== '' ? `/namespaces/${namespace}` : ''
  return `${root}${within}/${plural}${name === '' ? '' : `/${name}`}`
}
