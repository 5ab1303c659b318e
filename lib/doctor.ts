/** Would a verification work? Looks at the way to Argo CD, the account and the applications, and only reads. */

import * as z from 'zod/mini'
import { formatServerAddress } from './address.ts'
import { parseAnswer, readJson, refuse } from './answer.ts'
import { createArgoCD, segments } from './argocd.ts'
import type { Config } from './config.ts'
import { examineApplications, REQUEST_TIMEOUT } from './doctor-applications.ts'
import { formatDuration } from './duration.ts'
import { asFailure, networkFailure, RequestFailure } from './failure.ts'
import { type Finding, type Subject, works } from './finding.ts'
import { addressesOf, certificateOf, endpointOf, tryConnection } from './network.ts'
import { few } from './phrase.ts'
import type { Secrets } from './secrets.ts'
import { createSession } from './session.ts'
import { createTransport } from './transport.ts'
import { describePeer, describeToken } from './validity.ts'

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
    (await ask(`account/can-i/applications/${action}/${segments(object)}`, answerSchema))?.value === 'yes'

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

  yield* examineApplications(
    { target, policy },
    { account, client, canI, fails, actions: tools.actions, serverTime },
  )
}

/** The proxy whose tunnel can be looked through. */
function proxyFor(text: string | undefined): URL | undefined {
  if (text === undefined) return undefined
  const url = URL.parse(/^\w+:\/\//.test(text) ? text : `http://${text}`)
  return url?.protocol === 'http:' ? url : undefined
}
