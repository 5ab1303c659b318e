/** Writes the examples from what `kpcea manifest` prints, so that neither can say something else. */

import { formatManifest, jobOfTemplate, type ManifestInput, workflowStep } from '../lib/manifest.ts'
import type { SettingName } from '../lib/settings.ts'
import { indent, item } from '../lib/yaml.ts'
import { version } from '../package.json'

const DIRECTORY = `${import.meta.dir}/../examples`
const MINUTE = 60_000

const SERVER = 'argocd.staging.example.com'
const REVISION = '4f2a9c1be07d35a8c6e1f94b2d7083a5c9e6b1d0'

function input(minutes: number, texts: Partial<Record<SettingName, string>>): ManifestInput {
  const entries = Object.entries({ ...texts, timeout: `${minutes}m` }) as [SettingName, string][]
  return { texts: new Map(entries), timeout: minutes * MINUTE, logsIn: false, trustsOwn: false, version }
}

const job = formatManifest(
  'job',
  { ...input(5, { server: SERVER, applications: 'web', revision: REVISION }), trustsOwn: true },
  {
    namespace: 'releases',
    heading: [
      'The gate as a plain Job, for whatever runs Jobs. It fails where the application is not verified, and',
      '`kubectl describe pod` shows why. `kpcea manifest job` prints it for your settings.',
      '',
      '  kubectl -n releases create secret generic kpcea --from-literal=token="$TOKEN"',
      '  kubectl -n releases create configmap argocd-ca --from-file=ca.crt \\',
      '    --from-literal=file=/etc/kpcea/ca/ca.crt',
      '  kubectl create -f job.yaml      # not apply, which wants a name',
    ],
  },
)

const doctor = formatManifest(
  'job',
  { ...input(1, { server: SERVER, applications: 'web' }), trustsOwn: true },
  {
    namespace: 'releases',
    command: 'doctor',
    heading: [
      'Would a verification work from here? A Job to run before the first promotion: its log says in a line each what',
      'works, and what to do about the rest. It only reads.',
      '',
      '  kubectl -n releases create secret generic kpcea --from-literal=token="$TOKEN"',
      '  kubectl create -f doctor-job.yaml',
      '  kubectl -n releases logs -l app.kubernetes.io/name=kpcea --tail=-1',
    ],
  },
)

const analysisTemplate = formatManifest(
  'analysis-template',
  input(10, { server: SERVER, applications: 'web', revision: REVISION, images: 'web' }),
  {
    namespace: 'web',
    requires: ['server', 'applications'],
    heading: [
      "The gate as a verification of one Kargo Project. Put it into the Project's namespace; a Stage names it under",
      'spec.verification.analysisTemplates and passes its arguments with spec.verification.args. `kpcea manifest',
      'analysis-template` prints it for your settings.',
      '',
      'It needs a Secret `kpcea` beside it, with the token of the account in argocd-account.yaml:',
      '',
      '  kubectl -n web create secret generic kpcea --from-literal=token="$TOKEN"',
      '',
      'Where there is no revision, or are no images, to verify, take out the argument and its variable.',
    ],
  },
)

/** The job of the template for all Projects, where each setting that may differ is an argument. */
const clusterJob = jobOfTemplate(input(20, {}), {
  secret: '{{args.token-secret}}',
  placeholders: {
    server: '{{args.server}}',
    applications: '{{args.app}}',
    selector: '{{args.selector}}',
    verifyMode: '{{args.verify-mode}}',
    revision: '{{args.revision}}',
    commitMessage: '{{args.commit-message}}',
    images: '{{args.images}}',
    revisionPolicy: '{{args.revision-policy}}',
    stableFor: '{{args.stable-for}}',
  },
})

const canaryJob = jobOfTemplate(input(10, { health: 'Healthy' }), {
  placeholders: { server: '{{args.server}}', applications: '{{args.app}}', images: '{{args.images}}' },
  notes: {
    health: [
      'api may be a canary as well: Argo CD calls it Suspended while it is paused, and its old',
      'image still runs then, so only Healthy will do here. That is the default.',
    ],
  },
})

const step = workflowStep(input(10, { server: SERVER, applications: 'web', revision: REVISION }))

/** Puts lines between the end of one line and the beginning of another. */
function between(text: string, after: string, before: string, lines: readonly string[]): string {
  const from = text.indexOf(after) + after.length
  const to = before === '' ? text.length : text.indexOf(before, from)
  if (from < after.length || to < 0) throw new Error(`there is no ${after} … ${before}`)
  return `${text.slice(0, from)}${lines.join('\n')}\n${text.slice(to)}`
}

const JOB = '        job:\n          spec:\n'

/**
 * The examples that are made, as they ought to be.
 *
 * @param read the text of one as it is: of some only a part is made
 */
export function madeExamples(read: (file: string) => string): ReadonlyMap<string, string> {
  return new Map([
    ['job.yaml', job],
    ['doctor-job.yaml', doctor],
    ['analysis-template.yaml', analysisTemplate],
    [
      'cluster-analysis-template.yaml',
      between(read('cluster-analysis-template.yaml'), JOB, '', indent(clusterJob, 12)),
    ],
    [
      'rollouts-canary.yaml',
      between(read('rollouts-canary.yaml'), JOB, '    - name: success-rate\n', indent(canaryJob, 12)),
    ],
    [
      'argo-workflow.yaml',
      between(
        read('argo-workflow.yaml'),
        '    # A container step. Its outputs are there whether it succeeds or fails.\n',
        '\n    # A script step.',
        indent(item(step), 4),
      ),
    ],
  ])
}

if (import.meta.main) {
  const texts = new Map<string, string>()
  for (const file of new Bun.Glob('*.yaml').scanSync(DIRECTORY))
    texts.set(file, await Bun.file(`${DIRECTORY}/${file}`).text())
  for (const [file, text] of madeExamples((name) => texts.get(name) ?? ''))
    await Bun.write(`${DIRECTORY}/${file}`, text)
}
