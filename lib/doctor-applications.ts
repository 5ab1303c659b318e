/** What a doctor finds of the applications: whether they are there, may be seen, are looked at, and tell of changes. */

import { type Application, applicationKey, sourcesOf } from './application.ts'
import type { ArgoCD } from './argocd.ts'
import type { Config } from './config.ts'
import { formatDuration } from './duration.ts'
import { asFailure, RequestFailure } from './failure.ts'
import { type Finding, type Subject, works } from './finding.ts'
import { few } from './phrase.ts'
import type { ApplicationRef } from './requests.ts'
import { isAuthorized, policyLine, policyObject, STAGE_ANNOTATION } from './sync-access.ts'
import { isAutomated } from './sync-operation.ts'
import { describeClosed } from './sync-windows.ts'
import { wholeMinutes } from './validity.ts'
import { namesOf, whereabouts } from './whereabouts.ts'

/** How long a request may take, in milliseconds. */
export const REQUEST_TIMEOUT = 10_000
/** How long a stream may take to say what it knows, in milliseconds. */
const STREAM_TIMEOUT = 5000
/** So many applications of a selector are looked at one by one. */
const MOST_APPLICATIONS = 20
/** Argo CD compares every few minutes; what it has not compared for so long, nobody compares. In milliseconds. */
const LONGEST_SILENCE = 3_600_000

/** What is known by the time that the applications are looked at. */
export interface Acquaintance {
  /** Who is asking, as the server says. */
  readonly account: string
  readonly client: Pick<ArgoCD, 'look' | 'names' | 'syncWindows' | 'watch'>
  /** Whether the account may do something with `project/name`, or `project/namespace/name`. */
  readonly canI: (action: string, object: string) => Promise<boolean>
  readonly fails: (subject: Subject, error: unknown) => Finding
  /** What the account must be allowed to do with an application, besides reading it. */
  readonly actions: readonly string[]
  /** The time by the server's clock, with which its other times are compared. */
  readonly serverTime: Date
}

/** Looks at each application that a run with these settings would verify. */
export async function* examineApplications(
  { target, policy }: Pick<Config, 'target' | 'policy'>,
  { account, client, canI, fails, actions, serverTime }: Acquaintance,
): AsyncGenerator<Finding> {
  const seen: ApplicationRef[] = []
  const asked: ApplicationRef[] = []
  try {
    if (target.kind === 'names') {
      asked.push(
        ...target.applications.map(({ name, namespace }) => ({ name, namespace, project: target.project })),
      )
    } else {
      const { selector, namespace, project, min } = target
      const matching = await client.names(
        { selector, namespace, project },
        { signal: AbortSignal.timeout(REQUEST_TIMEOUT) },
      )
      const enough = matching.length >= min
      yield {
        subject: 'applications',
        ok: enough,
        message: `${matching.length} match ${selector}${enough ? '' : `, and at least ${min} must; ${matching.length === 0 ? 'check the labels, and what the account may see' : 'are the others still to come?'}`}`,
      }
      asked.push(...matching.slice(0, MOST_APPLICATIONS).map((ref) => ({ ...ref, project })))
    }
    if (asked.length === 0) yield await overview()
  } catch (error) {
    yield fails('applications', error)
    return
  }
  for (const ref of asked) {
    try {
      const application = await client.look(ref, { signal: AbortSignal.timeout(REQUEST_TIMEOUT) })
      if (application !== undefined) seen.push(ref)
      yield application === undefined ? await missing(ref) : await present(application)
    } catch (error) {
      yield fails('application', error)
    }
  }
  const [first] = seen
  if (first !== undefined && policy.watch) yield await stream(first)

  /** What the account may see at all, where no application was named. */
  async function overview(): Promise<Finding> {
    const { length } = await client.names({}, { signal: AbortSignal.timeout(REQUEST_TIMEOUT) })
    return length === 0
      ? noneAtAll()
      : works(
          'applications',
          `${account} may see ${length}; name those to verify (--app) to have them looked at`,
        )
  }

  function noneAtAll(): Finding {
    return {
      subject: 'applications',
      ok: false,
      message: `${account} sees no application at all; give it the policy line: p, ${account}, applications, get, */*, allow`,
    }
  }

  /** Argo CD gives the same answer for what is not there and what may not be seen; what else may be seen tells more. */
  async function missing({ name, namespace, project }: ApplicationRef): Promise<Finding> {
    const key = applicationKey(name, namespace)
    const not = (why: string): Finding => ({
      subject: 'application',
      ok: false,
      message: `${key} cannot be seen: ${why}`,
    })
    const anywhere =
      project === undefined
        ? undefined
        : await client.look(
            { name, namespace, project: undefined },
            { signal: AbortSignal.timeout(REQUEST_TIMEOUT) },
          )
    if (anywhere !== undefined)
      return not(
        `it is in project ${anywhere.spec.project}, not in ${project}; check KPCEA_PROJECT (--project)`,
      )
    const names = await client.names({}, { signal: AbortSignal.timeout(REQUEST_TIMEOUT) })
    // Which project it is in was looked up above.
    const where = whereabouts({ name, namespace, project: undefined }, names)
    if (where.kind === 'nothing-seen') return { ...noneAtAll(), subject: 'application' }
    if (where.kind === 'elsewhere')
      return not(
        `one of that name is in namespace ${where.namespace}; write --app ${where.namespace}/${name}`,
      )
    if (project !== undefined) {
      const object = namespace === undefined ? `${project}/${name}` : `${project}/${namespace}/${name}`
      if (!(await canI('get', object)))
        return not(
          `${account} may not get it; give it the policy line: p, ${account}, applications, get, ${object}, allow`,
        )
    }
    return not(
      where.kind === 'near'
        ? `did you mean ${where.name}?`
        : `it does not exist, or ${account} may not get it; it may see ${few(namesOf(names))}`,
    )
  }

  async function present(application: Application): Promise<Finding> {
    const { metadata, status } = application
    const key = applicationKey(metadata.name, metadata.namespace)
    const refused: string[] = []
    const object = policyObject(application, undefined)
    // Nothing is started there, so nobody has to let it.
    const isLeft = policy.sync !== undefined && isAutomated(application)
    const needed = isLeft ? [] : actions
    for (const action of needed) if (!(await canI(action, object))) refused.push(action)
    const stage = policy.sync?.stage
    const tracks = sourcesOf(application).map(
      ({ repoURL, targetRevision, chart }) =>
        `${targetRevision ?? 'HEAD'} of ${repoURL ?? 'nowhere'}${chart === undefined ? '' : `#${chart}`}`,
    )
    const age = serverTime.getTime() - Date.parse(status.reconciledAt ?? '')
    const state = `${status.sync.status ?? 'sync unknown'}, ${status.health.status ?? 'health unknown'}`
    const found = `${key} is there (${state}), tracks ${tracks.join(' and ') || 'nothing'}`
    const bad = (why: string): Finding => ({ subject: 'application', ok: false, message: `${found}; ${why}` })
    if (refused.length > 0)
      return bad(
        `${account} may not ${refused.join(' and ')} it; give it the policy line: ${policyLine(refused[0] ?? 'get', object, account)}`,
      )
    if (stage !== undefined && !isLeft && !isAuthorized(application, stage))
      return bad(
        `the Stage ${stage.project}:${stage.name} may not sync it; add the annotation ${STAGE_ANNOTATION}: ${stage.project}:${stage.name}`,
      )
    if (status.reconciledAt === undefined)
      return bad("it was never compared with Git: does Argo CD's application controller run?")
    if (age > LONGEST_SILENCE)
      return bad(
        `it was last compared with Git ${formatDuration(wholeMinutes(age))} ago: does Argo CD's application controller run?`,
      )
    const permitted = needed.length === 0 ? '' : `, and ${account} may ${needed.join(' and ')} it`
    const syncing = isLeft
      ? ', and is left to automated sync'
      : policy.sync === undefined
        ? ''
        : await closedWindow(application)
    return works(
      'application',
      `${found}${permitted}${syncing}, compared ${formatDuration(Math.max(0, Math.round(age / 1000) * 1000))} ago`,
    )
  }

  /** That nothing can be started now: which is no fault, and passes. */
  async function closedWindow({ metadata: { name, namespace }, spec }: Application): Promise<string> {
    try {
      const ref = { name, namespace, project: undefined }
      const windows = await client.syncWindows(ref, spec.project ?? 'default', {
        signal: AbortSignal.timeout(REQUEST_TIMEOUT),
      })
      return windows.canSync ? '' : `, though ${describeClosed(windows, 'now')}`
    } catch {
      return ''
    }
  }

  /** Whether changes arrive as they happen, or something in between keeps them back. */
  async function stream(ref: ApplicationRef): Promise<Finding> {
    const began = performance.now()
    const ended = new AbortController()
    const timer = setTimeout(() => ended.abort(), STREAM_TIMEOUT)
    const polls = `verifications poll each ${formatDuration(policy.interval)} then`
    try {
      for await (const events of client.watch(ref, { signal: ended.signal })) {
        if (events.length > 0)
          return works(
            'stream',
            `changes arrive, the first after ${formatDuration(performance.now() - began)}`,
          )
      }
      throw new RequestFailure('NotArgoCD', 'it ended before it said anything')
    } catch (error) {
      const why = ended.signal.aborted
        ? `it brings nothing for ${formatDuration(STREAM_TIMEOUT)}: something in between buffers it (nginx: proxy_buffering off)`
        : asFailure(error).message
      return { subject: 'stream', ok: false, message: `${why}; ${polls}, and --no-watch spares the attempt` }
    } finally {
      clearTimeout(timer)
      ended.abort()
    }
  }
}
