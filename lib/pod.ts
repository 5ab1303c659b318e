/** What manifests have in common: the settings as the environment of a container, and how a Pod is kept small. */

import { type Setting, type SettingName, settingEntries } from './settings.ts'
import { item, scalar } from './yaml.ts'

/** What a manifest is made of. */
export interface ManifestInput {
  /** The settings that differ from their defaults, as text. */
  readonly texts: ReadonlyMap<SettingName, string>
  /** How long a verification may take, in milliseconds. */
  readonly timeout: number
  /** Whether somebody logs in; otherwise there is a token. */
  readonly logsIn: boolean
  /** Whether certificates of an authority of one's own are to be trusted. */
  readonly trustsOwn: boolean
  /** Of the executable, and of the image. */
  readonly version: string
}

/** What only an example says: whoever prints a manifest says it when they apply it. */
export interface ManifestExtras {
  readonly namespace?: string
  /** What stands above it. */
  readonly heading?: readonly string[]
  /** A command of the executable, instead of a verification. */
  readonly command?: string
  /** What stands instead of the text of a setting. */
  readonly placeholders?: Placeholders
  /** What stands above the variable of a setting. */
  readonly notes?: Readonly<Partial<Record<SettingName, readonly string[]>>>
  /** The Secret with the credentials. */
  readonly secret?: string
  /** Arguments that have no value of their own, besides those that come with the Freight. */
  readonly requires?: readonly SettingName[]
}

/** What stands instead of the texts of settings: what the platform fills in. */
export type Placeholders = Readonly<Partial<Record<SettingName, string>>>
/** The one placeholder for where the image is. */
export const IMAGE = 'registry.example.com/kpcea'

const SECRET = 'kpcea'
const AUTHORITIES = 'argocd-ca'
const AUTHORITY_FILE = '/etc/kpcea/ca/ca.crt'
const CLIENT_CERTIFICATE = 'kpcea-client'

/** Tries beyond the first, for a server that could not be asked. */
export const BACKOFF_LIMIT = 1
/** What a Pod may take to start, in seconds. */
export const START = 120
/** One look takes at most so long, in seconds. */
const ONE_LOOK = 10

/** Settings that a manifest says in its own way, or that name files of this machine. */
const OWN: ReadonlySet<SettingName> = new Set([
  'token',
  'tokenFile',
  'username',
  'password',
  'passwordFile',
  'context',
  'caFile',
  'clientCertFile',
  'clientKeyFile',
  'headers',
  'headersFile',
  'resultFile',
  'terminationLog',
  'detailedExitCode',
])
/** The security context of a Pod: nobody, with no more than the runtime's own system calls. */
export const POD_SECURITY = [
  'runAsNonRoot: true',
  'runAsUser: 65532',
  'runAsGroup: 65532',
  'seccompProfile:',
  '  type: RuntimeDefault',
]

/** Resources and security context of the container; docs/costs.md has where the numbers are from. */
export const CONTAINER = [
  'resources:',
  '  requests:',
  '    cpu: 20m',
  '    memory: 96Mi',
  '  limits:',
  '    memory: 256Mi',
  'securityContext:',
  '  allowPrivilegeEscalation: false',
  '  readOnlyRootFilesystem: true',
  '  capabilities:',
  '    drop: [ALL]',
]

/** The environment of a container, and the files that it refers to. */
export interface Variables {
  readonly env: readonly string[]
  readonly volumes: readonly string[]
  readonly mounts: readonly string[]
}

/**
 * The settings as variables.
 *
 * @param placeholders what stands instead of a text
 * @param mountsToken whether the token is a file, which may be rotated while the gate waits
 */
export function variables(
  { texts, logsIn, trustsOwn }: ManifestInput,
  placeholders: Placeholders,
  mountsToken: boolean,
  { notes, secret = SECRET }: ManifestExtras,
): Variables {
  const env: string[] = []
  const volumes: string[] = []
  const mounts: string[] = []
  const mount = (name: string, path: string, source: readonly string[]) => {
    volumes.push(...item([`name: ${name}`, ...source]))
    mounts.push(...item([`name: ${name}`, `mountPath: ${path}`, 'readOnly: true']))
  }
  for (const [name, setting] of settingEntries) {
    const text = texts.get(name)
    const shown = placeholders[name] ?? text
    if (!OWN.has(name) && shown !== undefined)
      env.push(...comment(notes?.[name] ?? []), ...variable(variableOf(setting), shown))
    if (name === 'server') credentials()
  }
  if (texts.has('clientCertFile')) {
    env.push(...variable('KPCEA_CLIENT_CERT_FILE', '/etc/kpcea/client/tls.crt'))
    env.push(...variable('KPCEA_CLIENT_KEY_FILE', '/etc/kpcea/client/tls.key'))
    mount('client', '/etc/kpcea/client', ['secret:', `  secretName: ${CLIENT_CERTIFICATE}`])
  }
  if (hasHeaders(texts)) env.push(...fromSecret(secret, 'KPCEA_HEADERS', 'headers'))
  return { env, volumes, mounts }

  function credentials(): void {
    if (logsIn) {
      env.push(...variable('ARGOCD_API_USERNAME', texts.get('username') ?? ''))
      env.push(...fromSecret(secret, 'ARGOCD_API_PASSWORD', 'password'))
    } else if (mountsToken) {
      env.push('# Read anew where the server refuses it, so the token may be rotated while the gate waits.')
      env.push(...variable('ARGOCD_API_TOKEN_FILE', '/etc/kpcea/token/token'))
      mount('token', '/etc/kpcea/token', ['secret:', `  secretName: ${scalar(secret)}`])
    } else {
      env.push('# No argument: its value would stand in the Pod for everybody to read.')
      env.push(...fromSecret(secret, 'ARGOCD_API_TOKEN', 'token'))
    }
    if (!trustsOwn) return
    env.push(
      '# Only for a certificate that is signed by an authority of your own; without the ConfigMap it is unset.',
    )
    env.push(
      ...item([
        'name: KPCEA_CA_FILE',
        'valueFrom:',
        '  configMapKeyRef:',
        `    name: ${AUTHORITIES}`,
        '    key: file',
        '    optional: true',
      ]),
    )
    mount('ca', '/etc/kpcea/ca', ['configMap:', `  name: ${AUTHORITIES}`, '  optional: true'])
  }
}

function hasHeaders(texts: ManifestInput['texts']): boolean {
  return texts.has('headers') || texts.has('headersFile')
}

function variableOf({ variables: [name = ''] }: Setting): string {
  return name
}

/** Kubernetes would take `$(…)` for a reference to another variable. */
export function variable(name: string, value: string): string[] {
  return item([`name: ${name}`, `value: ${scalar(value.replaceAll('$(', '$$$$('))}`])
}

function fromSecret(secret: string, name: string, key: string): string[] {
  return item([
    `name: ${name}`,
    'valueFrom:',
    '  secretKeyRef:',
    `    name: ${scalar(secret)}`,
    `    key: ${key}`,
  ])
}

/** How what has to be there beside it is made. */
export function needs({ texts, logsIn, trustsOwn }: ManifestInput): string[] {
  const headers = hasHeaders(texts) ? ' --from-literal=headers="$KPCEA_HEADERS"' : ''
  const credentials = logsIn ? 'password="$ARGOCD_API_PASSWORD"' : 'token="$ARGOCD_API_TOKEN"'
  return [
    `  kubectl create secret generic ${SECRET} --from-literal=${credentials}${headers}`,
    ...(trustsOwn
      ? [`  kubectl create configmap ${AUTHORITIES} --from-file=ca.crt --from-literal=file=${AUTHORITY_FILE}`]
      : []),
    ...(texts.has('clientCertFile')
      ? [`  kubectl create secret tls ${CLIENT_CERTIFICATE} --cert=FILE --key=FILE`]
      : []),
  ]
}

/** How long one try may take. */
export function seconds({ timeout }: ManifestInput): number {
  return timeout === 0 ? ONE_LOOK : Math.ceil(timeout / 1000)
}

/** Lines as a comment. */
export function comment(lines: readonly string[]): string[] {
  return lines.map((line) => `# ${line}`.trimEnd())
}
