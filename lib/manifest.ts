/** The manifests that run a verification in Kubernetes, from the settings it was tried with. */

import type { Kind } from './commands.ts'
import type { Config } from './config.ts'
import {
  BACKOFF_LIMIT,
  CONTAINER,
  comment,
  IMAGE,
  type ManifestExtras,
  type ManifestInput,
  needs,
  POD_SECURITY,
  START,
  seconds,
  type Variables,
  variable,
  variables,
} from './pod.ts'
import type { SettingName } from './settings.ts'
import { ours, type Shown } from './shown.ts'
import { indent, item, scalar } from './yaml.ts'

export type { ManifestExtras, ManifestInput } from './pod.ts'

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

/** The text of a manifest; what it has of the settings is in printable ASCII, or escaped ({@link scalar}). */
export function formatManifest(kind: Kind, input: ManifestInput, extras: ManifestExtras = {}): Shown {
  const make = { job, 'analysis-template': analysisTemplate, 'workflow-template': workflowTemplate }[kind]
  return ours(`${make(input, extras).join('\n')}\n`)
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

function namespaceLines({ namespace }: ManifestExtras): string[] {
  return namespace === undefined ? [] : [`  namespace: ${namespace}`]
}
