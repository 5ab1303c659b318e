/**
 * The one table of settings. The parser, `--help` and the table of docs/settings.md are made from it, so that none
 * of them can say something else.
 */

import * as z from 'zod/mini'
import { OBJECT_NAME, parseApplication } from './application-name.ts'
import { parseDuration } from './duration.ts'
import { parseImage } from './image.ts'
import { lazily } from './lazily.ts'
import { MOST_APPLICATIONS } from './promises.ts'
import { parseWantedRevision } from './revision.ts'
import { isLabelSelector } from './selector.ts'
import type { Stage } from './wanted.ts'

/** The heading a setting stands under in `--help`. */
export type Group = 'Target' | 'What to verify' | 'Waiting' | 'Syncing' | 'Connection' | 'Output'

/** A setting: where its text comes from, what it means, and the schema that reads it. */
export interface Setting<T = unknown> {
  readonly group: Group
  /** Environment variables, the first that is not empty counts. */
  readonly variables: readonly string[]
  /** Long flag without the dashes; secrets have none. */
  readonly flag?: string
  /** One-letter flag without the dash. */
  readonly short?: string
  /** `list` may be repeated; `boolean` takes no value, and has a `--no-` form. */
  readonly kind: 'text' | 'list' | 'boolean'
  /** What stands for the value in `--help`. */
  readonly placeholder?: string
  /** The words that it takes, where there are few; a shell completes them. */
  readonly values?: readonly string[]
  /** The text that is read when nothing is given. */
  readonly default?: string
  /** A few words for `--help` and docs/settings.md. */
  readonly help: string
  /** What docs/settings.md adds, in Markdown. */
  readonly note?: string
  /** Its value must never be shown. */
  readonly secret?: boolean
  /** Made when it is first asked for: a run pays only for the settings that it is given. */
  readonly schema: () => z.ZodMiniType<T, string>
}

const text = lazily(() => z.string())
const trimmed = lazily(() => z.string().check(z.trim()))

/** A schema that reads text with `read`; what that throws, or `undefined`, is the complaint. */
function reads<T>(read: (raw: string) => T | undefined, complaint: string): () => z.ZodMiniType<T, string> {
  return lazily(() =>
    z.pipe(
      trimmed(),
      z.transform((raw: string, context): T => {
        let message = complaint
        try {
          const value = read(raw)
          if (value !== undefined) return value
        } catch (error) {
          message = error instanceof Error ? error.message : String(error)
        }
        context.issues.push({ code: 'custom', message, input: raw })
        return z.NEVER
      }),
    ),
  )
}

/** A schema for text that is never refused. */
function takes<T>(read: (raw: string) => T): () => z.ZodMiniType<T, string> {
  return lazily(() => z.pipe(trimmed(), z.transform(read)))
}

const duration = reads(
  parseDuration,
  'is no duration; write seconds (90) or a duration such as 90s, 5m or 1h30m',
)

const oneOf = <T extends string>(values: readonly T[]) =>
  reads<T>(
    (raw) => values.find((value) => value === raw),
    `must be ${values.slice(0, -1).join(', ')} or ${values.at(-1)}`,
  )

const VERIFY_MODES = ['EXACT', 'SEARCH_COMMIT_MSG'] as const
const REVISION_POLICIES = ['exact', 'at-least', 'equivalent'] as const
const REFRESH_TYPES = ['none', 'normal', 'hard'] as const
const FORMATS = ['text', 'json'] as const

/** How many applications there are: of more than one run verifies it could never be as many. */
const positiveInteger = reads((raw) => {
  const value = /^\d+$/.test(raw) ? Number(raw) : 0
  return value >= 1 && value <= MOST_APPLICATIONS ? value : undefined
}, `is no whole number from 1 to ${MOST_APPLICATIONS}`)

const strictBoolean = reads((raw) => ({ true: true, false: false })[raw], 'must be true or false')

/** Only the word `true` means true, as in the tool before; any other word warns, in config.ts. */
const onlyTrue = takes((raw) => raw === 'true')

/** Health statuses of Argo CD (gitops-engine, pkg/health). */
export const HEALTH_STATUSES = [
  'Healthy',
  'Progressing',
  'Suspended',
  'Degraded',
  'Missing',
  'Unknown',
] as const

/** Whether it would be an image in lower case. */
function isLowerCaseOne(text: string): boolean {
  return parseImage(text.toLowerCase()) !== undefined
}

/** Non-empty entries of a comma- or newline-separated list. */
const entries = (raw: string) =>
  raw
    .split(/[,\n]/)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')

const healthStatuses = reads((raw) => {
  const statuses = entries(raw)
  const unknown = statuses.filter((status) => !HEALTH_STATUSES.some((known) => known === status))
  if (unknown.length > 0)
    throw new Error(
      `has ${quoteAll(unknown)}, which Argo CD does not know; use ${HEALTH_STATUSES.join(', ')}`,
    )
  return statuses.length === 0 ? undefined : statuses
}, 'names no health status')

const images = reads((raw) => {
  const references = entries(raw)
  const bad = references.filter((reference) => parseImage(reference) === undefined)
  if (bad.length > 0)
    throw new Error(
      `${bad[0] === raw ? 'is' : `has ${quoteAll(bad)}, which is`} no image; ${bad.every(isLowerCaseOne) ? 'repositories are in lower case' : 'write repository[:tag][@digest]'}`,
    )
  return references.flatMap((reference) => parseImage(reference) ?? [])
}, 'names no image')

const BARE_NAME = new RegExp(`^${OBJECT_NAME}$`)

const objectName = reads(
  (raw) => (BARE_NAME.test(raw) ? raw : undefined),
  'is no name that Kubernetes allows',
)

const applications = reads((raw) => {
  const complaints = new Set<string>()
  const named = entries(raw).flatMap((entry) => {
    try {
      return [parseApplication(entry)]
    } catch (error) {
      complaints.add(error instanceof Error ? error.message : String(error))
      return []
    }
  })
  if (complaints.size > 0) throw new Error([...complaints].join('; '))
  if (named.length > MOST_APPLICATIONS)
    throw new Error(
      `names ${named.length} applications, and one run verifies ${MOST_APPLICATIONS} at most; verify the rest in runs of their own`,
    )
  return named.length === 0 ? undefined : named
}, 'names no application')

// RFC 9110: a field name is a token; a value holds no control characters.
const HEADER = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)$/
const RESERVED_HEADERS = new Set([
  'proxy-authorization',
  'authorization',
  'host',
  'accept-encoding',
  'content-length',
  'transfer-encoding',
  'te',
  'upgrade',
  'connection',
])

const headers = reads((raw) => {
  const lines = raw
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  return lines.map((line, index): readonly [name: string, value: string] => {
    const [, name, value] = HEADER.exec(line) ?? []
    if (name === undefined || value === undefined)
      throw new Error(`line ${index + 1} is no header; write Name: value, one a line`)
    if (RESERVED_HEADERS.has(name.toLowerCase()))
      throw new Error(
        /^proxy-/i.test(name)
          ? `may not set ${name}; put the proxy's user and password into HTTPS_PROXY`
          : `may not set ${name}, which the tool sets itself`,
      )
    return [name, value]
  })
}, 'names no header')

/** Where it stands, in an Application, it is read by people and by other programs. */
const SYNC_ID = /^[\x21-\x7e]{1,253}$/

function parseStage(raw: string): Stage | undefined {
  const [project = '', name = '', ...more] = raw.split(':').map((part) => part.trim())
  return more.length === 0 && BARE_NAME.test(project) && BARE_NAME.test(name) ? { project, name } : undefined
}

function quoteAll(values: readonly string[]): string {
  return values.map((value) => JSON.stringify(value)).join(', ')
}

/** Every setting there is, in the order of `--help` and docs/settings.md. */
export const settings = {
  server: {
    group: 'Target',
    variables: ['ARGOCD_SERVER'],
    flag: 'server',
    kind: 'text',
    placeholder: 'HOST[:PORT][/PATH]',
    help: 'Argo CD server',
    note: 'required, unless `argocd login` was done; `https://` in front is accepted, `http://` for loopback or with `KPCEA_PLAINTEXT`',
    schema: trimmed,
  },
  applications: {
    group: 'Target',
    variables: ['ARGOCD_APP_NAME'],
    flag: 'app',
    kind: 'list',
    placeholder: '[NS/]NAME[@REV]',
    help: 'applications, by name or address',
    note: 'required, unless a selector is given; comma-separated; each `[namespace/]name[@revision]`, or the address that a browser shows, which names the server as well',
    schema: applications,
  },
  selector: {
    group: 'Target',
    variables: ['KPCEA_SELECTOR'],
    flag: 'selector',
    short: 'l',
    kind: 'text',
    placeholder: 'LABELS',
    help: 'label selector instead of names',
    note: 'matching nothing is never a yes',
    schema: reads(
      (raw) => (isLabelSelector(raw) ? raw : undefined),
      'is no label selector; write for example team=web,tier!=cache,env in (acc, prod)',
    ),
  },
  selectorMin: {
    group: 'Target',
    variables: ['KPCEA_SELECTOR_MIN'],
    flag: 'selector-min',
    kind: 'text',
    placeholder: 'NUMBER',
    default: '1',
    help: 'how many the selector must match',
    note: 'at least; for an ApplicationSet, which creates its applications one after the other',
    schema: positiveInteger,
  },
  appNamespace: {
    group: 'Target',
    variables: ['KPCEA_APP_NAMESPACE'],
    flag: 'app-namespace',
    short: 'N',
    kind: 'text',
    placeholder: 'NAMESPACE',
    help: 'namespace of the Applications',
    note: "the server's own where it is not given",
    schema: objectName,
  },
  project: {
    group: 'Target',
    variables: ['KPCEA_PROJECT'],
    flag: 'project',
    kind: 'text',
    placeholder: 'PROJECT',
    help: 'Argo CD project of the applications',
    schema: objectName,
  },
  verifyMode: {
    group: 'What to verify',
    variables: ['KPCEA_VERIFY_MODE'],
    flag: 'verify-mode',
    kind: 'text',
    placeholder: 'MODE',
    default: 'EXACT',
    help: 'EXACT or SEARCH_COMMIT_MSG',
    note: 'another value warns and means EXACT',
    values: VERIFY_MODES,
    schema: takes((raw) => (raw === 'SEARCH_COMMIT_MSG' ? raw : 'EXACT')),
  },
  revision: {
    group: 'What to verify',
    variables: ['KPCEA_TARGET_REVISION'],
    flag: 'revision',
    kind: 'text',
    placeholder: 'REVISION',
    help: 'revision, or SOURCE=REVISION[,…]',
    note: 'required in EXACT unless images are given; a SHA (short or full), tag, branch or chart version; SOURCE is a `name`, `repoURL` or `repoURL#chart`',
    schema: reads(parseWantedRevision, 'is no revision'),
  },
  commitMessage: {
    group: 'What to verify',
    variables: ['KPCEA_SEARCH_COMMIT_MSG'],
    flag: 'commit-message',
    kind: 'text',
    placeholder: 'TEXT',
    help: "text in the synced commit's message",
    note: 'required in SEARCH_COMMIT_MSG; case-sensitive; not used in EXACT',
    schema: text,
  },
  images: {
    group: 'What to verify',
    variables: ['KPCEA_TARGET_IMAGES'],
    flag: 'image',
    kind: 'list',
    placeholder: 'REPO[:TAG][@DIGEST]',
    help: 'images that must run',
    note: 'comma-separated; `repository[:tag][@digest]`',
    schema: images,
  },
  revisionPolicy: {
    group: 'What to verify',
    variables: ['KPCEA_REVISION_POLICY'],
    flag: 'revision-policy',
    kind: 'text',
    placeholder: 'POLICY',
    default: 'exact',
    help: 'exact; at-least: or deployed later; equivalent: or with the same manifests',
    values: REVISION_POLICIES,
    schema: oneOf(REVISION_POLICIES),
  },
  health: {
    group: 'What to verify',
    variables: ['KPCEA_HEALTH'],
    flag: 'health',
    kind: 'text',
    placeholder: 'STATUS[,…]',
    default: 'Healthy',
    help: 'accepted health statuses',
    note: 'comma-separated',
    values: HEALTH_STATUSES,
    schema: healthStatuses,
  },
  timeout: {
    group: 'Waiting',
    variables: ['KPCEA_TIMEOUT'],
    flag: 'timeout',
    kind: 'text',
    placeholder: 'DURATION',
    default: '30',
    help: 'seconds, 90s, 1h30m; 0: one look',
    note: 'the run never lasts longer',
    schema: duration,
  },
  interval: {
    group: 'Waiting',
    variables: ['KPCEA_INTERVAL'],
    flag: 'interval',
    kind: 'text',
    placeholder: 'DURATION',
    default: '5',
    help: 'poll interval, where there is no watch',
    note: 'less than 100ms means 100ms',
    schema: duration,
  },
  stableFor: {
    group: 'Waiting',
    variables: ['KPCEA_STABLE_FOR'],
    flag: 'stable-for',
    kind: 'text',
    placeholder: 'DURATION',
    default: '0',
    help: 'how long all must hold unbroken',
    note: 'must fit in the timeout',
    schema: duration,
  },
  failAfter: {
    group: 'Waiting',
    variables: ['KPCEA_FAIL_AFTER'],
    flag: 'fail-after',
    kind: 'text',
    placeholder: 'DURATION',
    default: '120',
    help: 'give up what failed for so long',
    note: '`never`: always wait; a recovery starts the count anew; 0: at once',
    schema: reads(
      (raw) => (raw === 'never' ? Number.POSITIVE_INFINITY : parseDuration(raw)),
      'is neither a duration nor "never"; write seconds (90), 90s, 5m, 1h30m or never',
    ),
  },
  refresh: {
    group: 'Waiting',
    variables: ['KPCEA_REFRESH'],
    flag: 'refresh',
    kind: 'text',
    placeholder: 'TYPE',
    default: 'normal',
    help: 'refresh: none, normal, hard',
    note: 'at once for each application that is not verified yet, then more and more seldom while one could mend it',
    values: REFRESH_TYPES,
    schema: oneOf(REFRESH_TYPES),
  },
  watch: {
    group: 'Waiting',
    variables: ['KPCEA_WATCH'],
    flag: 'watch',
    kind: 'boolean',
    default: 'true',
    help: 'stream changes rather than poll',
    note: '`--no-watch` polls only',
    schema: strictBoolean,
  },
  sync: {
    group: 'Syncing',
    variables: ['KPCEA_SYNC'],
    flag: 'sync',
    kind: 'boolean',
    default: 'false',
    help: 'start a sync where one is needed',
    note: 'needs `applications, sync`; without it, nothing is ever changed',
    schema: strictBoolean,
  },
  syncPrune: {
    group: 'Syncing',
    variables: ['KPCEA_SYNC_PRUNE'],
    flag: 'sync-prune',
    kind: 'boolean',
    help: 'whether the sync prunes',
    note: "the application's own `automated.prune` where it is not given",
    schema: strictBoolean,
  },
  syncId: {
    group: 'Syncing',
    variables: ['KPCEA_SYNC_ID'],
    flag: 'sync-id',
    kind: 'text',
    placeholder: 'ID',
    help: 'names the promotion: never synced twice',
    note: 'stands in the `info` of the operation; an operation that carries it is adopted, not repeated',
    schema: reads(
      (raw) => (SYNC_ID.test(raw) ? raw : undefined),
      'is no id; write up to 253 printable characters without spaces, a name of a promotion say',
    ),
  },
  kargoStage: {
    group: 'Syncing',
    variables: ['KPCEA_KARGO_STAGE'],
    flag: 'kargo-stage',
    kind: 'text',
    placeholder: 'PROJECT:STAGE',
    help: 'sync only what this Stage may',
    note: 'by the annotation `kargo.akuity.io/authorized-stage` of the application',
    schema: reads(parseStage, 'is no Stage of Kargo; write project:stage'),
  },
  token: {
    group: 'Connection',
    variables: ['ARGOCD_API_TOKEN', 'ARGOCD_AUTH_TOKEN'],
    kind: 'text',
    help: 'API token (TOKEN mode)',
    note: 'wins over a username',
    secret: true,
    schema: trimmed,
  },
  tokenFile: {
    group: 'Connection',
    variables: ['ARGOCD_API_TOKEN_FILE'],
    flag: 'token-file',
    kind: 'text',
    placeholder: 'FILE',
    help: 'file with the token',
    note: 'such as a mounted Secret; read again where the token is refused',
    schema: text,
  },
  username: {
    group: 'Connection',
    variables: ['ARGOCD_API_USERNAME'],
    flag: 'username',
    kind: 'text',
    placeholder: 'NAME',
    help: 'account to log in with (LOGIN mode)',
    schema: trimmed,
  },
  password: {
    group: 'Connection',
    variables: ['ARGOCD_API_PASSWORD'],
    kind: 'text',
    help: 'its password',
    secret: true,
    schema: lazily(() =>
      z.pipe(
        text(),
        z.transform((raw) => raw.replace(/\r?\n$/, '')),
      ),
    ),
  },
  passwordFile: {
    group: 'Connection',
    variables: ['ARGOCD_API_PASSWORD_FILE'],
    flag: 'password-file',
    kind: 'text',
    placeholder: 'FILE',
    help: 'file with the password',
    schema: text,
  },
  context: {
    group: 'Connection',
    variables: ['KPCEA_CONTEXT'],
    flag: 'context',
    kind: 'text',
    placeholder: 'NAME',
    help: 'context of the argocd CLI to use',
    note: 'its current one where no server is set',
    schema: trimmed,
  },
  insecure: {
    group: 'Connection',
    variables: ['KPCEA_INSECURE'],
    flag: 'insecure',
    kind: 'boolean',
    default: 'false',
    help: 'do not verify the certificate',
    note: 'only `true` means true; anything else warns',
    schema: onlyTrue,
  },
  plaintext: {
    group: 'Connection',
    variables: ['KPCEA_PLAINTEXT'],
    flag: 'plaintext',
    kind: 'boolean',
    default: 'false',
    help: 'plain HTTP',
    note: 'loopback needs no asking',
    schema: strictBoolean,
  },
  caFile: {
    group: 'Connection',
    variables: ['KPCEA_CA_FILE'],
    flag: 'ca-file',
    kind: 'text',
    placeholder: 'FILE',
    help: 'PEM certificates to trust as well',
    note: 'added to the public authorities',
    schema: text,
  },
  clientCertFile: {
    group: 'Connection',
    variables: ['KPCEA_CLIENT_CERT_FILE'],
    flag: 'client-cert-file',
    kind: 'text',
    placeholder: 'FILE',
    help: 'PEM client certificate',
    schema: text,
  },
  clientKeyFile: {
    group: 'Connection',
    variables: ['KPCEA_CLIENT_KEY_FILE'],
    flag: 'client-key-file',
    kind: 'text',
    placeholder: 'FILE',
    help: 'PEM key of the client certificate',
    schema: text,
  },
  headers: {
    group: 'Connection',
    variables: ['KPCEA_HEADERS'],
    flag: 'header',
    kind: 'list',
    placeholder: "'NAME: VALUE'",
    help: 'extra header, for a proxy in front',
    note: '`Name: value`, one a line',
    secret: true,
    schema: headers,
  },
  headersFile: {
    group: 'Connection',
    variables: ['KPCEA_HEADERS_FILE'],
    flag: 'headers-file',
    kind: 'text',
    placeholder: 'FILE',
    help: 'file with extra headers',
    note: '`Name: value`, one a line; sent beside the others',
    schema: text,
  },
  output: {
    group: 'Output',
    variables: ['KPCEA_OUTPUT'],
    flag: 'output',
    short: 'o',
    kind: 'text',
    placeholder: 'FORMAT',
    default: 'text',
    help: 'result on stdout: text, json',
    values: FORMATS,
    schema: oneOf(FORMATS),
  },
  logFormat: {
    group: 'Output',
    variables: ['KPCEA_LOG_FORMAT'],
    flag: 'log-format',
    kind: 'text',
    placeholder: 'FORMAT',
    default: 'text',
    help: 'log on stderr: text, json',
    values: FORMATS,
    schema: oneOf(FORMATS),
  },
  resultFile: {
    group: 'Output',
    variables: ['KPCEA_RESULT_FILE'],
    flag: 'result-file',
    kind: 'text',
    placeholder: 'FILE',
    help: 'write the JSON result here as well',
    schema: text,
  },
  terminationLog: {
    group: 'Output',
    variables: ['KPCEA_TERMINATION_LOG'],
    flag: 'termination-log',
    kind: 'text',
    placeholder: 'FILE',
    help: 'termination message',
    note: '`/dev/termination-log`, where that exists and can be written',
    schema: text,
  },
  detailedExitCode: {
    group: 'Output',
    variables: ['KPCEA_DETAILED_EXITCODE'],
    flag: 'detailed-exitcode',
    kind: 'boolean',
    default: 'false',
    help: '2: bad settings, 3: could not ask',
    note: '0 verified, 1 not verified, 2 unusable settings, 3 could not ask',
    schema: strictBoolean,
  },
} as const satisfies Record<string, Setting>

/** The name of a setting inside the program. */
export type SettingName = keyof typeof settings

/** What the settings hold once read; a setting without a default may be absent. */
export type SettingValues = {
  readonly [K in SettingName]:
    | z.output<ReturnType<(typeof settings)[K]['schema']>>
    | ((typeof settings)[K] extends { default: string } ? never : undefined)
}

/** The settings as pairs, typed alike. */
export const settingEntries = Object.entries(settings) as readonly (readonly [SettingName, Setting])[]

/** Names a setting for a message: its variable, and its flag where it has one. */
export function settingLabel(name: SettingName): string {
  const { variables, flag }: Setting = settings[name]
  return flag === undefined ? `${variables[0]}` : `${variables[0]} (--${flag})`
}
