/** Who is asking: a token, or a login that is repeated when its session ends. */

import * as z from 'zod/mini'
import type { Connection, Credentials } from './access.ts'
import { parseAnswer, RefusedToken, readJson, refuse } from './answer.ts'
import { asFailure, networkFailure, RequestFailure, wasNeverSent } from './failure.ts'
import { lazily } from './lazily.ts'
import { LARGEST_FILE } from './limit.ts'
import type { Secrets } from './secrets.ts'
import type { Transport } from './transport.ts'

const sessionSchema = lazily(() => z.object({ token: z.string().check(z.minLength(1)) }))

/** How long a login may take, in milliseconds: Argo CD takes up to a second over each, against guessing. */
const LOGIN_TIMEOUT = 15_000

/** How often a login is sent in a run without bringing a token: five wrong ones lock an account of Argo CD. */
const MOST_LOGINS = 3

/** The shortest pause before a login is sent again, in milliseconds; it grows. */
const LOGIN_PAUSE = 1000

/** Answers that say that it may be sent again. */
const LATER: ReadonlySet<number> = new Set([429, 503])

/** Proves who is asking, and does so again where the server no longer believes it. */
export interface Session {
  /** Runs a request with a token; after a 401 once more with a new one, where there can be a new one. */
  authorized<T>(request: (token: string) => Promise<T>, signal: AbortSignal): Promise<T>
}

/** What a session works with. */
export interface SessionTools {
  readonly transport: Transport
  /** The server as a person wrote it. */
  readonly host: string
  readonly readFile: (path: string, most: number) => string
  readonly secrets: Secrets
}

/** The session of a connection. Nothing is sent before the first request. */
export function createSession(
  connection: Connection,
  { transport, host, readFile, secrets }: SessionTools,
): Session {
  const { mask } = secrets
  const { credentials } = connection
  let token = credentials.mode === 'TOKEN' ? Promise.resolve(credentials.token) : undefined
  /** Why no login is sent any more. */
  let refused: RequestFailure | undefined
  let failures = 0
  let notBefore = 0
  let postponed = ''

  async function logIn(username: string, password: string, signal: AbortSignal): Promise<string> {
    if (refused !== undefined) throw refused
    const pause = notBefore - performance.now()
    if (pause > 0) throw new RequestFailure('Unreachable', postponed, { retryAfter: pause })
    let response: Response
    try {
      response = await transport.send('post', 'session', {
        json: { username, password },
        signal: AbortSignal.any([signal, AbortSignal.timeout(LOGIN_TIMEOUT)]),
      })
    } catch (error) {
      throw unanswered(error)
    }
    if (!response.ok) throw await refusedLogin(response, username)
    let fresh: string
    try {
      fresh = parseAnswer(await readJson(response, host, mask), sessionSchema(), host).token
    } catch (error) {
      throw error instanceof RequestFailure ? final(error) : unanswered(error)
    }
    secrets.add(fresh)
    return fresh
  }

  /** Sent once more where nothing was answered, but not for ever: each time it may have been heard. */
  function unanswered(error: unknown): unknown {
    return wasNeverSent(error) ? error : later(networkFailure(error, host, connection))
  }

  /** A failure after which the login may be sent once more, in a while. */
  function later(failure: RequestFailure): RequestFailure {
    if (++failures >= MOST_LOGINS) return final(failure, `, and was sent the login ${MOST_LOGINS} times`)
    const retryAfter = Math.max(failure.retryAfter ?? 0, LOGIN_PAUSE * failures)
    notBefore = performance.now() + retryAfter
    postponed = failure.message
    return new RequestFailure(failure.reason, failure.message, { retryAfter })
  }

  /** Why a login brought no token. */
  async function refusedLogin(response: Response, username: string): Promise<RequestFailure> {
    const error = await refuse(response, host, mask).then(
      () => new RefusedToken(`${response.status}`),
      (thrown: unknown) => thrown,
    )
    if (error instanceof RefusedToken) {
      const check =
        'check ARGOCD_API_USERNAME and ARGOCD_API_PASSWORD (too many wrong passwords lock an account for a while)'
      const message = `${host} refused the login of ${username} (${error.message}); ${check}`
      refused = new RequestFailure('Unauthorized', message, { fatal: true })
      return refused
    }
    const failure = asFailure(error)
    return LATER.has(response.status) ? later(failure) : final(failure)
  }

  /** A proxy may show a refused password as anything, and some of those lock the account: no other try. */
  function final({ reason, message }: RequestFailure, why = ''): RequestFailure {
    refused = new RequestFailure(
      reason,
      `${message}${why}; a login is not tried again, which could lock the account`,
      {
        fatal: true,
      },
    )
    return refused
  }

  function currentToken(signal: AbortSignal): Promise<string> {
    if (token === undefined && credentials.mode === 'LOGIN') {
      const login = logIn(credentials.username, credentials.password, signal)
      token = login
      login.catch(() => {
        if (token === login) token = undefined
      })
    }
    return token ?? Promise.reject(new RequestFailure('Unauthorized', 'there is no token', { fatal: true }))
  }

  /** Another token than the one that was refused, where there is one. */
  async function anotherToken(old: string, signal: AbortSignal): Promise<string | undefined> {
    const present = await currentToken(signal)
    if (present !== old) return present
    if (credentials.mode === 'LOGIN') {
      token = undefined
      return currentToken(signal)
    }
    if (credentials.tokenFile === undefined) return undefined
    try {
      const fresh = readFile(credentials.tokenFile, LARGEST_FILE.secret).trim()
      if (fresh === old || fresh === '') return undefined
      secrets.add(fresh)
      token = Promise.resolve(fresh)
      return fresh
    } catch {
      return undefined
    }
  }

  return {
    async authorized(request, signal) {
      const first = await currentToken(signal)
      try {
        return await request(first)
      } catch (error) {
        if (!(error instanceof RefusedToken)) throw error
        const second = await anotherToken(first, signal)
        if (second === undefined) throw unauthorized(error, host, credentials)
        try {
          return await request(second)
        } catch (again) {
          throw again instanceof RefusedToken ? unauthorized(again, host, credentials) : again
        }
      }
    },
  }
}

function unauthorized(refusal: RefusedToken, host: string, credentials: Credentials): RequestFailure {
  return new RequestFailure(
    'Unauthorized',
    `${host} refused ${whatWasRefused(credentials, refusal.message, host)}`,
    {
      fatal: true,
    },
  )
}

function whatWasRefused(credentials: Credentials, said: string, host: string): string {
  if (credentials.mode === 'LOGIN') return `the session of a new login (${said})`
  const { context, tokenFile } = credentials
  if (context !== undefined)
    return `the token of context ${context} of the argocd CLI (${said}); run argocd login ${host}`
  const where =
    tokenFile === undefined ? 'ARGOCD_API_TOKEN' : `the file in ARGOCD_API_TOKEN_FILE (--token-file)`
  return `the token (${said}); check that ${where} holds a token of this server that has not expired or been deleted`
}
