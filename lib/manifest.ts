/** The manifests that run a verification in Kubernetes, from the settings it was tried with. */

import type { Kind } from './commands.ts'
import type { Config } from './config.ts'
import { type Setting, type SettingName, settingEntries } from './settings.ts'
import { indent, item, scalar } from './yaml.ts'

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

type Placeholders = Readonly<Partial<Record<SettingName, string>>>

/** The one placeholder for where the image is. */
export const IMAGE = 'registry.example.com/kpcea'

const SECRET = 'kpcea'
const AUTHORITIES = 'argocd-ca'
const AUTHORITY_FILE = '/etc/kpcea/ca/ca.crt'
const CLIENT_CERTIFICATE = 'kpcea-client'

/** Tries beyond the first, for a server that could not be asked. */
const BACKOFF_LIMIT = 1
/** What a Pod may take to start, in seconds. */
const START = 120
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
  'resultFile',
  'terminationLog',
  'detailedExitCode',
])

/** What a manifest is made of, from settings as they were tried. */
export function manifestInput(
  { config, texts }: { readonly config: Config; readonly texts: ReadonlyMap<SettingName, string> },
  version: string,
): ManifestInput {
  const { connection, policy } = config
  return {
    texts,
    timeout: policy.timeout,
    logsIn: connection.credentials.mode === 'LOGIN',
    trustsOwn: connection.ca !== undefined,
    version,
  }
}

/** The text of a manifest. */
export function formatManifest(kind: Kind, input: ManifestInput, extras: ManifestExtras = {}): string {
  const make = { job, 'analysis-template': analysisTemplate, 'workflow-template': workflowTemplate }[kind]
  return `${[...make(input, extras)].join('\n')}\n`
}

function job(input: ManifestInput, extras: ManifestExtras): readonly string[] {
  const name = extras.command === undefined ? 'kpcea' : `kpcea-${extras.command}`
  return [
    ...comment(
      extras.heading ?? [
        'The gate as a Job. It fails where the application is not verified, and kubectl describe pod shows why.',
        '',
        ...needs(input),
        '  kubectl create -f FILE      # not apply, which wants a name',
      ],
    ),
    'apiVersion: batch/v1',
    'kind: Job',
    'metadata:',
    `  generateName: ${name}-`,
    ...namespaceLines(extras),
    'spec:',
    ...indent(
      jobSpec(input, variables(input, {}, true, extras), extras, ['ttlSecondsAfterFinished: 86400']),
      2,
    ),
  ]
}

/** What Kargo, or a workflow, says anew each time: the setting, and what its argument is called. */
const ARGUMENTS: readonly (readonly [SettingName, string])[] = [
  ['server', 'server'],
  ['applications', 'app'],
  ['selector', 'selector'],
  ['revision', 'revision'],
  ['images', 'images'],
  ['commitMessage', 'commit-message'],
]

/** What comes with each piece of Freight has no default: one that is misspelt must not pass unnoticed. */
const REQUIRED: ReadonlySet<SettingName> = new Set(['revision', 'images', 'commitMessage'])

function argumentsOf({ texts }: ManifestInput) {
  return ARGUMENTS.flatMap(([setting, name]) => {
    const text = texts.get(setting)
    return text === undefined ? [] : [{ setting, name, text }]
  })
}

function argumentLines(input: ManifestInput, { requires = [] }: ManifestExtras): string[] {
  return argumentsOf(input).flatMap(({ setting, name, text }) =>
    item([
      `name: ${name}`,
      ...(REQUIRED.has(setting) || requires.includes(setting) ? [] : [`value: ${scalar(text)}`]),
    ]),
  )
}

function analysisTemplate(input: ManifestInput, extras: ManifestExtras): readonly string[] {
  const placeholders = Object.fromEntries(
    argumentsOf(input).map(({ setting, name }) => [setting, `{{args.${name}}}`]),
  )
  return [
    ...comment(
      extras.heading ?? [
        "The gate as a verification of a Kargo Project. Put it into the Project's namespace; a Stage names it under",
        'spec.verification.analysisTemplates and passes its arguments with spec.verification.args.',
        '',
        ...needs(input),
      ],
    ),
    'apiVersion: argoproj.io/v1alpha1',
    'kind: AnalysisTemplate',
    'metadata:',
    '  name: kpcea',
    ...namespaceLines(extras),
    'spec:',
    '  args:',
    '    # What comes with the Freight has no default: Kargo drops an argument that is misspelt in a Stage without a word,',
    '    # so it says that one is missing.',
    ...indent(argumentLines(input, extras), 4),
    '  metrics:',
    '    - name: kpcea',
    '      provider:',
    '        job:',
    '          spec:',
    ...indent(jobSpec(input, variables(input, placeholders, false, extras), extras), 12),
  ]
}

function workflowTemplate(input: ManifestInput, extras: ManifestExtras): readonly string[] {
  return [
    ...comment(
      extras.heading ?? [
        'The gate as a step of Argo Workflows. Its outputs are there whether it succeeds or fails (continueOn.failed).',
        'The ServiceAccount of its Pods must be allowed to create and patch workflowtaskresults.',
        '',
        ...needs(input),
      ],
    ),
    'apiVersion: argoproj.io/v1alpha1',
    'kind: WorkflowTemplate',
    'metadata:',
    '  name: kpcea',
    ...namespaceLines(extras),
    'spec:',
    '  entrypoint: verify',
    '  arguments:',
    '    parameters:',
    ...indent(argumentLines(input, extras), 6),
    '  securityContext:',
    ...indent(POD_SECURITY, 4),
    '  templates:',
    ...indent(item(workflowStep(input)), 4),
  ]
}

/** What stands below `job.spec` in a template whose other parts are written by hand. */
export function jobOfTemplate(input: ManifestInput, extras: ManifestExtras): readonly string[] {
  return jobSpec(input, variables(input, extras.placeholders ?? {}, false, extras), extras)
}

/** The template of Argo Workflows that verifies. */
export function workflowStep(input: ManifestInput): readonly string[] {
  const named = argumentsOf(input)
  const placeholders = Object.fromEntries(
    named.map(({ setting, name }) => [setting, `{{inputs.parameters.${name}}}`]),
  )
  const { env, volumes, mounts } = variables(input, placeholders, false, {})
  return [
    'name: verify',
    'inputs:',
    '  parameters:',
    ...named.flatMap(({ name }) =>
      indent(item([`name: ${name}`, `value: "{{workflow.parameters.${name}}}"`]), 4),
    ),
    'outputs:',
    '  parameters:',
    '    # The JSON result, and the same in a sentence or two.',
    '    - name: result',
    '      valueFrom:',
    '        path: /out/result.json',
    `        default: '{"schemaVersion":1,"verified":false,"finishedAt":""}'`,
    '    - name: message',
    '      valueFrom:',
    '        path: /out/message',
    '        default: the gate ended before it had a verdict',
    'metadata:',
    '  labels:',
    '    app.kubernetes.io/name: kpcea',
    '# Of each try: KPCEA_TIMEOUT and two minutes for the Pod to start.',
    `activeDeadlineSeconds: ${seconds(input) + START}`,
    '# 1 is an answer, and unusable settings (2) stay unusable. 3: the server could not be asked.',
    'retryStrategy:',
    '  limit: "1"',
    '  expression: lastRetry.exitCode == "3"',
    'volumes:',
    '  - name: out',
    '    emptyDir: {}',
    ...indent(volumes, 2),
    'container:',
    `  image: ${IMAGE}:${input.version}`,
    "  # Spares the workflow controller a look into the registry for the image's entrypoint.",
    '  command: [/app/kpcea]',
    '  env:',
    ...indent(
      [
        ...env,
        ...variable('KPCEA_DETAILED_EXITCODE', 'true'),
        ...variable('KPCEA_RESULT_FILE', '/out/result.json'),
        ...variable('KPCEA_TERMINATION_LOG', '/out/message'),
      ],
      4,
    ),
    '  volumeMounts:',
    '    - name: out',
    '      mountPath: /out',
    ...indent(mounts, 4),
    ...indent(CONTAINER, 2),
  ]
}

/** The part of a Job that AnalysisTemplates have as well. */
function jobSpec(
  input: ManifestInput,
  { env, volumes, mounts }: Variables,
  { command }: ManifestExtras,
  more: readonly string[] = [],
): readonly string[] {
  const formula = command === undefined ? 'KPCEA_TIMEOUT' : 'a minute'
  const each = command === undefined ? seconds(input) : 60
  return [
    `# Time for every try to reach its own end and to say why, and two minutes for Pods to start:`,
    `# (backoffLimit + 1) x ${formula} + ${START}.`,
    `backoffLimit: ${BACKOFF_LIMIT}`,
    `activeDeadlineSeconds: ${(BACKOFF_LIMIT + 1) * each + START}`,
    ...more,
    'podFailurePolicy:',
    '  rules:',
    '    # A drained node says nothing about the application, so the Pod is replaced. This rule',
    '    # comes first: a gate that is told to stop exits with 1.',
    '    - action: Ignore',
    '      onPodConditions:',
    '        - type: DisruptionTarget',
    '          status: "True"',
    '    # 1 is an answer, and unusable settings (2) stay unusable. 3, the server could not be',
    '    # asked, is in no rule, so it is tried again as backoffLimit says.',
    '    - action: FailJob',
    '      onExitCodes:',
    '        containerName: kpcea',
    '        operator: In',
    '        values: [1, 2]',
    'template:',
    '  metadata:',
    '    labels:',
    '      app.kubernetes.io/name: kpcea',
    '  spec:',
    '    restartPolicy: Never # podFailurePolicy needs it',
    '    automountServiceAccountToken: false',
    '    enableServiceLinks: false',
    '    securityContext:',
    ...indent(POD_SECURITY, 6),
    '    containers:',
    '      - name: kpcea',
    `        image: ${IMAGE}:${input.version}`,
    ...(command === undefined ? [] : [`        args: [${command}]`]),
    '        # The reason of a no is the termination message, shown by kubectl describe pod.',
    '        terminationMessagePolicy: FallbackToLogsOnError',
    '        env:',
    ...indent([...env, ...variable('KPCEA_DETAILED_EXITCODE', 'true')], 10),
    ...(mounts.length === 0 ? [] : ['        volumeMounts:', ...indent(mounts, 10)]),
    ...indent(CONTAINER, 8),
    ...(volumes.length === 0 ? [] : ['    volumes:', ...indent(volumes, 6)]),
  ]
}

const POD_SECURITY = [
  'runAsNonRoot: true',
  'runAsUser: 65532',
  'runAsGroup: 65532',
  'seccompProfile:',
  '  type: RuntimeDefault',
]

const CONTAINER = [
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
interface Variables {
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
function variables(
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
  if (texts.has('headers')) env.push(...fromSecret(secret, 'KPCEA_HEADERS', 'headers'))
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

function variableOf({ variables: [name = ''] }: Setting): string {
  return name
}

/** Kubernetes would take `$(…)` for a reference to another variable. */
function variable(name: string, value: string): string[] {
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
function needs({ texts, logsIn, trustsOwn }: ManifestInput): string[] {
  const headers = texts.has('headers') ? ' --from-literal=headers="$KPCEA_HEADERS"' : ''
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
function seconds({ timeout }: ManifestInput): number {
  return timeout === 0 ? ONE_LOOK : Math.ceil(timeout / 1000)
}

function comment(lines: readonly string[]): string[] {
  return lines.map((line) => `# ${line}`.trimEnd())
}

function namespaceLines({ namespace }: ManifestExtras): string[] {
  return namespace === undefined ? [] : [`  namespace: ${namespace}`]
}
