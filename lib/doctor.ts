/** Would a verification work? Looks at the way to Argo CD, the account and the applications, and only reads. */

import * as z from 'zod/mini'
import { formatServerAddress } from './address.ts'
import { parseAnswer, readJson, refuse } from './answer.ts'
import { type Application, applicationKey, sourcesOf } from './application.ts'
import { createArgoCD } from './argocd.ts'
import type { Config } from './config.ts'
import { formatDuration } from './duration.ts'
import { asFailure, type FailureReason, networkFailure, RequestFailure } from './failure.ts'
import { nearest } from './nearest.ts'
import { addressesOf, certificateOf, endpointOf, tryConnection } from './network.ts'
import type { ApplicationRef } from './requests.ts'
import type { Secrets } from './secrets.ts'
import { createSession } from './session.ts'
import { isAuthorized, policyLine, policyObject, STAGE_ANNOTATION } from './sync-rules.ts'
import { createTransport } from './transport.ts'
import { describePeer, describeToken, few, wholeMinutes } from './validity.ts'

/** What is looked at. */
export type Subject =
  | 'name'
  | 'proxy'
  | 'connection'
  | 'TLS'
  | 'Argo CD'
  | 'account'
  | 'applications'
  | 'application'
  | 'stream'

/** One thing that works, or does not. */
export interface Finding {
  readonly subject: Subject
  readonly ok: boolean
  /** What was found, and what to do about it where it does not work. */
  readonly message: string
  /** Why, where the server could not be asked. */
  readonly reason?: FailureReason | undefined
}

/** What a doctor works with. */
export interface DoctorTools {
  readonly version: string
  readonly readFile: (path: string, most: number) => string
  readonly secrets: Secrets
  /** What the account must be allowed to do with an application, besides reading it. */
  readonly actions: readonly string[]
  /** The value of an environment variable that names a proxy. */
  readonly proxyUrl: string | undefined
  readonly now: () => Date
}

/** How long a request may take, in milliseconds. */
const REQUEST_TIMEOUT = 10_000
/** How long a stream may take to say what it knows, in milliseconds. */
const STREAM_TIMEOUT = 5000
/** A request that may take so long. */
const within = () => ({ signal: AbortSignal.timeout(REQUEST_TIMEOUT) })
/** So many applications of a selector are looked at one by one. */
const MOST_APPLICATIONS = 20
/** Argo CD compares every few minutes; what it has not compared for so long, nobody compares. In milliseconds. */
const LONGEST_SILENCE = 3_600_000

const versionSchema = z.object({ Version: z.string() })
const userSchema = z.object({ loggedIn: z.nullish(z.boolean()), username: z.nullish(z.string()) })
const answerSchema = z.object({ value: z.nullish(z.string()) })

/** Examines what a run with these settings would need, from the near to the far; ends where nothing more can work. */
export async function* examine(
  { connection, target, policy }: Config,
  tools: DoctorTools,
): AsyncGenerator<Finding> {
  const { server, credentials, proxyVariable, proxyAddress } = connection
  const { host } = new URL(server.origin)
  const { mask } = tools.secrets
  const transport = createTransport(connection, tools.version)
  const session = createSession(connection, {
    transport,
    host,
    readFile: tools.readFile,
    secrets: tools.secrets,
  })
  const client = createArgoCD(connection, tools)
  const works = (subject: Subject, message: string): Finding => ({ subject, ok: true, message })
  const fails = (subject: Subject, error: unknown): Finding => {
    const { reason, message } = asFailure(networkFailure(error, host, connection))
    return { subject, ok: false, message, reason }
  }

  const hop = endpointOf(proxyAddress ?? server.origin)
  try {
    const addresses = await addressesOf(hop.host)
    yield works(
      'name',
      addresses === undefined
        ? `${hop.host} is an address, so no name is looked up`
        : `${hop.host} is ${few(addresses)}`,
    )
  } catch (error) {
    yield fails('name', error)
    return
  }
  yield works(
    'proxy',
    proxyVariable === undefined ? `none is set for ${host}` : `${proxyAddress}, from ${proxyVariable}`,
  )
  try {
    const began = performance.now()
    await tryConnection(hop)
    yield works(
      'connection',
      `${hop.host}:${hop.port} accepts it after ${formatDuration(performance.now() - began)}`,
    )
  } catch (error) {
    yield fails('connection', error)
    return
  }

  let serverTime = tools.now()
  let version: string | undefined
  let failure: RequestFailure | undefined
  try {
    // Below the root path, beside /api/v1.
    const response = await transport.send('get', '../version', {
      signal: AbortSignal.timeout(REQUEST_TIMEOUT),
    })
    serverTime = new Date(response.headers.get('date') ?? serverTime)
    if (!response.ok) await refuse(response, host, mask)
    version = response.ok
      ? parseAnswer(await readJson(response, host, mask), versionSchema, host).Version
      : undefined
  } catch (error) {
    failure = networkFailure(error, host, connection)
  }
  const isSecure = server.origin.startsWith('https:')
  const certificate = isSecure
    ? await certificateOf(endpointOf(server.origin), proxyFor(tools.proxyUrl))
    : undefined
  const described = certificate === undefined ? '' : describePeer(certificate, tools.now())
  // Where the handshake went well, what failed came after it.
  const isOfTls = isSecure && failure?.reason === 'Unreachable' && certificate === undefined
  if (failure !== undefined && (failure.certificateCode !== undefined || isOfTls)) {
    const message = `${failure.message}${described === '' ? '' : ` (${described})`}`
    yield { subject: 'TLS', ok: false, message, reason: failure.reason }
    return
  }
  if (!isSecure) yield works('TLS', 'none: plain HTTP, so the credentials can be read on the way')
  else if (connection.insecure)
    yield works(
      'TLS',
      `${described || 'a certificate'}; it is NOT verified (KPCEA_INSECURE), so anybody in between can read the credentials`,
    )
  else yield works('TLS', described || 'the certificate is verified')

  if (failure !== undefined || version === undefined) {
    yield failure === undefined
      ? {
          subject: 'Argo CD',
          ok: false,
          message: `${host} does not say which version of Argo CD it is`,
          reason: 'NotArgoCD',
        }
      : { subject: 'Argo CD', ok: false, message: failure.message, reason: failure.reason }
    return
  }
  yield works('Argo CD', `${version} at ${formatServerAddress(server)}`)

  const ask = <T>(path: string, schema: z.ZodMiniType<T>): Promise<T | undefined> =>
    session.authorized(async (token) => {
      const response = await transport.send('get', path, {
        signal: AbortSignal.timeout(REQUEST_TIMEOUT),
        headers: { authorization: `Bearer ${token}` },
      })
      if (response.ok) return parseAnswer(await readJson(response, host, mask), schema, host)
      return refuse(response, host, mask)
    }, AbortSignal.timeout(REQUEST_TIMEOUT))
  const canI = async (action: string, object: string) =>
    (
      await ask(
        `account/can-i/applications/${action}/${object.split('/').map(encodeURIComponent).join('/')}`,
        answerSchema,
      )
    )?.value === 'yes'

  let account: string
  try {
    // Anybody may ask who they are; a token that is refused shows where something else is asked.
    await canI('get', '*/*')
    const user = await ask('session/userinfo', userSchema)
    if (user?.loggedIn !== true)
      throw new RequestFailure('Unauthorized', `${host} does not know who is asking; check the credentials`)
    account = user.username || 'without a name'
    yield works('account', `${account}; ${await lifeOfToken(account)}`)
  } catch (error) {
    const found = fails('account', error)
    const life = credentials.mode === 'TOKEN' ? ` (${describeToken(credentials.token, tools.now())})` : ''
    yield { ...found, message: `${found.message}${life}` }
    return
  }

  async function lifeOfToken(name: string): Promise<string> {
    const token = await session.authorized(
      (present) => Promise.resolve(present),
      AbortSignal.timeout(REQUEST_TIMEOUT),
    )
    return describeToken(token, tools.now(), name)
  }

  const seen: ApplicationRef[] = []
  const asked: ApplicationRef[] = []
  try {
    if (target.kind === 'names') {
      asked.push(
        ...target.applications.map(({ name, namespace }) => ({ name, namespace, project: target.project })),
      )
    } else {
      const { selector, namespace, project, min } = target
      const matching = await client.names({ selector, namespace, project }, within())
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
      const application = await client.look(ref, within())
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
    const { length } = await client.names({}, within())
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
      project === undefined ? undefined : await client.look({ name, namespace, project: undefined }, within())
    if (anywhere !== undefined)
      return not(
        `it is in project ${anywhere.spec.project}, not in ${project}; check KPCEA_PROJECT (--project)`,
      )
    const names = await client.names({}, within())
    if (names.length === 0) return { ...noneAtAll(), subject: 'application' }
    const elsewhere = names.find((one) => one.name === name)
    if (elsewhere?.namespace !== undefined && elsewhere.namespace !== namespace)
      return not(
        `one of that name is in namespace ${elsewhere.namespace}; write --app ${elsewhere.namespace}/${name}`,
      )
    if (project !== undefined) {
      const object = namespace === undefined ? `${project}/${name}` : `${project}/${namespace}/${name}`
      if (!(await canI('get', object)))
        return not(
          `${account} may not get it; give it the policy line: p, ${account}, applications, get, ${object}, allow`,
        )
    }
    const likely = nearest(
      name,
      names.map((one) => one.name),
    )
    return not(
      likely === undefined
        ? `it does not exist, or ${account} may not get it; it may see ${few(names.map((one) => one.name))}`
        : `did you mean ${likely}?`,
    )
  }

  async function present(application: Application): Promise<Finding> {
    const { metadata, status } = application
    const key = applicationKey(metadata.name, metadata.namespace)
    const refused: string[] = []
    const object = policyObject(application, undefined)
    for (const action of tools.actions) if (!(await canI(action, object))) refused.push(action)
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
    if (stage !== undefined && !isAuthorized(application, stage))
      return bad(
        `the Stage ${stage.project}:${stage.name} may not sync it; add the annotation ${STAGE_ANNOTATION}: ${stage.project}:${stage.name}`,
      )
    if (status.reconciledAt === undefined)
      return bad("it was never compared with Git: does Argo CD's application controller run?")
    if (age > LONGEST_SILENCE)
      return bad(
        `it was last compared with Git ${formatDuration(wholeMinutes(age))} ago: does Argo CD's application controller run?`,
      )
    const permitted =
      tools.actions.length === 0 ? '' : `, and ${account} may ${tools.actions.join(' and ')} it`
    return works(
      'application',
      `${found}${permitted}, compared ${formatDuration(Math.max(0, Math.round(age / 1000) * 1000))} ago`,
    )
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

/** The proxy whose tunnel can be looked through. */
function proxyFor(text: string | undefined): URL | undefined {
  if (text === undefined) return undefined
  const url = URL.parse(/^\w+:\/\//.test(text) ? text : `http://${text}`)
  return url?.protocol === 'http:' ? url : undefined
}
