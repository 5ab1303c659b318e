/** The argocd CLI's own configuration, for a workstation where `argocd login` has been done. */

import * as z from 'zod/mini'
import { sameServer } from './address.ts'
import { lazily } from './lazily.ts'
import { LARGEST_FILE } from './limit.ts'

/** What a context of the argocd CLI says of how to reach a server. */
export interface CliContext {
  readonly name: string
  /** The file it is from. */
  readonly file: string
  /** `host[:port]`, with the root path that gRPC-Web was given. */
  readonly server: string
  readonly token: string | undefined
  readonly insecure: boolean
  readonly plaintext: boolean
  /** PEM texts. */
  readonly ca: string | undefined
  readonly clientCertificate: { readonly cert: string; readonly key: string } | undefined
}

// Argo CD, util/localconfig.
const configSchema = lazily(() => {
  const text = z.nullish(z.string())
  const flag = z.nullish(z.boolean())
  return z.object({
    'current-context': text,
    contexts: z.nullish(z.array(z.object({ name: text, server: text, user: text }))),
    servers: z.nullish(
      z.array(
        z.object({
          server: text,
          insecure: flag,
          'plain-text': flag,
          core: flag,
          'grpc-web-root-path': text,
          'certificate-authority-data': text,
          'client-certificate-data': text,
          'client-certificate-key-data': text,
        }),
      ),
    ),
    users: z.nullish(z.array(z.object({ name: text, 'auth-token': text }))),
  })
})

type CliConfiguration = z.output<ReturnType<typeof configSchema>>

/** What the configuration is read from. */
export interface CliSources {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Reads a text file of at most so many bytes; throws where it can't. */
  readonly readFile: (path: string, most: number) => string
}

/**
 * Reads a context.
 *
 * @param name `undefined`: the current one
 * @returns `undefined` where there is no configuration, or no current context in it
 * @throws Error with a sentence for a person, where a context was asked for or is current, and cannot be used
 */
export function readCliContext(
  name: string | undefined,
  { env, readFile }: CliSources,
): CliContext | undefined {
  const found = firstReadable(configFiles(env), readFile)
  if (found === undefined) {
    if (name === undefined) return undefined
    throw new Error(
      `there is no configuration of the argocd CLI (looked for ${configFiles(env).join(', ') || 'none'})`,
    )
  }
  const { file, content } = found
  const config = parseConfig(file, content)
  const wanted = name ?? config['current-context']
  if (wanted === null || wanted === undefined || wanted === '') return undefined
  return contextOf(config, file, wanted)
}

/**
 * The context that is logged in at a server: the current one, or else the first.
 *
 * @returns `undefined` where there is none, or no configuration that can be read
 */
export function contextFor(server: string, sources: CliSources): CliContext | undefined {
  return readAll(sources)?.find((context) => sameServer(context.server, server))
}

/** The names of the contexts that can be used, the current one first. Never throws. */
export function listContexts(sources: CliSources): readonly string[] {
  return (readAll(sources) ?? []).map(({ name }) => name)
}

function readAll({ env, readFile }: CliSources): readonly CliContext[] | undefined {
  const found = firstReadable(configFiles(env), readFile)
  if (found === undefined) return undefined
  try {
    const config = parseConfig(found.file, found.content)
    const current = config['current-context']
    const names = (config.contexts ?? []).flatMap(({ name }) => name || [])
    return [...new Set([...names.filter((name) => name === current), ...names])].flatMap((name) => {
      try {
        return [contextOf(config, found.file, name)]
      } catch {
        return []
      }
    })
  } catch {
    return undefined
  }
}

function contextOf(config: CliConfiguration, file: string, wanted: string): CliContext {
  const context = config.contexts?.find((one) => one.name === wanted)
  if (context === undefined) {
    const known = (config.contexts ?? []).map((one) => one.name).join(', ')
    throw new Error(`${file} has no context ${JSON.stringify(wanted)}; it has ${known || 'none'}`)
  }
  const server = config.servers?.find((one) => one.server === context.server)
  if (server?.server === null || server?.server === undefined || server.core === true)
    throw new Error(
      `context ${JSON.stringify(wanted)} in ${file} has no server that speaks the API of Argo CD; run argocd login`,
    )
  const token = config.users?.find((one) => one.name === context.user)?.['auth-token']
  const cert = decode(server['client-certificate-data'])
  const key = decode(server['client-certificate-key-data'])
  const rootPath = server['grpc-web-root-path']?.split('/').filter(Boolean).join('/') ?? ''
  return {
    name: wanted,
    file,
    server: rootPath === '' || server.server.includes('/') ? server.server : `${server.server}/${rootPath}`,
    token: token || undefined,
    insecure: server.insecure ?? false,
    plaintext: server['plain-text'] ?? false,
    ca: decode(server['certificate-authority-data']),
    clientCertificate: cert !== undefined && key !== undefined ? { cert, key } : undefined,
  }
}

/** Where the argocd CLI looks: the first of these that exists. */
function configFiles(env: CliSources['env']): readonly string[] {
  const { ARGOCD_CONFIG_DIR: own, HOME: home, USERPROFILE: profile, XDG_CONFIG_HOME: xdg } = env
  if (own) return [`${own}/config`]
  const user = home || profile
  return [
    ...(user ? [`${user}/.argocd/config`] : []),
    ...(xdg ? [`${xdg}/argocd/config`] : user ? [`${user}/.config/argocd/config`] : []),
  ]
}

function firstReadable(files: readonly string[], readFile: CliSources['readFile']) {
  for (const file of files) {
    try {
      return { file, content: readFile(file, LARGEST_FILE.configuration) }
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
      // The next one may be there.
      if (code !== 'ENOENT' && code !== 'ENOTDIR') throw new Error(`${file} cannot be read (${code})`)
    }
  }
  return undefined
}

function parseConfig(file: string, content: string): CliConfiguration {
  try {
    return configSchema().parse(Bun.YAML.parse(content) ?? {})
  } catch {
    throw new Error(`${file} is no configuration of the argocd CLI`)
  }
}

function decode(base64: string | null | undefined): string | undefined {
  return base64 ? Buffer.from(base64, 'base64').toString('utf8') : undefined
}
