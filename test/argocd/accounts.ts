/** Who may call the API: logins, tokens, and which applications an account may get. */
import { createHmac, randomBytes, randomUUID } from 'node:crypto'
import { ApiError, Code, unauthenticated } from './errors.ts'
import { type Json, type JsonObject, object } from './json.ts'
import type { ServerOptions } from './options.ts'
import type { Timers } from './timers.ts'

export type TokenOptions = {
  /** The account that the token is of. @default 'kpcea' */
  readonly account?: string
  /** Globs over `project/name`, or `project/namespace/name` outside the control plane. @default ['*'] */
  readonly applications?: readonly string[]
  /** Which of them it may sync, and sync to another revision than the tracked one where that needs `override`. */
  readonly sync?: readonly string[]
  readonly override?: readonly string[]
  /** Globs over the projects that it may get. @default none */
  readonly projects?: readonly string[]
  /** @default it does not expire */
  readonly seconds?: number
}

/** Somebody whose token was accepted. */
export type Account = {
  readonly name: string
  readonly applications: readonly string[]
  readonly sync?: readonly string[] | undefined
  readonly override?: readonly string[] | undefined
  readonly projects?: readonly string[] | undefined
}

const MAX_LOGIN_FAILURES = 5
const LOGIN_FAILURE_WINDOW_MS = 300_000
const MAX_USERNAME_LENGTH = 32

/** All accounts with their tokens. */
export class Accounts {
  readonly #options: ServerOptions
  readonly #namespace: string
  readonly #timers: Timers
  readonly #secret = randomBytes(32)
  readonly #tokens = new Map<string, Account & { readonly session: boolean }>()
  readonly #loginFailures = new Map<string, { count: number; last: number }>()

  constructor(options: ServerOptions, namespace: string, timers: Timers) {
    this.#options = options
    this.#namespace = namespace
    this.#timers = timers
  }

  createToken({ account = 'kpcea', seconds, ...grants }: TokenOptions): string {
    return this.#sign({ applications: ['*'], ...grants, name: account }, 'apiKey', seconds)
  }

  revoke(token: string): void {
    const id = claimsOf(token)?.jti
    if (typeof id === 'string') this.#tokens.delete(id)
  }

  endSessions(): void {
    for (const [id, { session }] of this.#tokens) if (session) this.#tokens.delete(id)
  }

  /** Makes the token of a login. */
  async logIn(body: string): Promise<string> {
    const { username, password } = parseCredentials(body)
    if (typeof username !== 'string' || typeof password !== 'string' || username === '' || password === '') {
      throw unauthenticated('no credentials supplied')
    }
    if (username.length > MAX_USERNAME_LENGTH) {
      throw new ApiError(Code.invalidArgument, `Username is too long (${MAX_USERNAME_LENGTH} bytes max)`)
    }
    const { loginDelayMs, accounts, sessionSeconds = 86_400 } = this.#options
    if (loginDelayMs) await new Promise<void>((resolve) => this.#timers.later(loginDelayMs, resolve))

    const failures = this.#loginFailures.get(username) ?? { count: 0, last: 0 }
    const recent = Date.now() - failures.last <= LOGIN_FAILURE_WINDOW_MS
    const locked = failures.count >= MAX_LOGIN_FAILURES && recent
    const given = accounts?.[username]
    const account = typeof given === 'string' ? { password: given } : given
    if (locked || account?.password !== password) {
      // A locked account looks exactly like a wrong password, and a refused attempt does not prolong it.
      if (!locked) {
        this.#loginFailures.set(username, { count: recent ? failures.count + 1 : 1, last: Date.now() })
      }
      throw unauthenticated('Invalid username or password')
    }
    this.#loginFailures.delete(username)
    const { applications = ['*'] } = account
    return this.#sign({ name: username, applications }, 'login', sessionSeconds)
  }

  /** The account of a request's token. */
  authenticate(headers: Headers): Account {
    const [, bearer = ''] = /^Bearer (.*)$/.exec(headers.get('authorization') ?? '') ?? []
    const [, cookie = ''] = /(?:^|;\s*)argocd\.token=([^;]*)/.exec(headers.get('cookie') ?? '') ?? []
    // What does not even look like a token counts as none.
    const token = [bearer, cookie].find((candidate) => candidate.split('.').length >= 3)
    if (token === undefined) throw unauthenticated('no session information')
    const invalid = (why: string) => unauthenticated(`invalid session: ${why}`)

    const [header, payload, signature, ...more] = token.split('.')
    if (more.length > 0) throw invalid('token is malformed: token contains an invalid number of segments')
    const claims = claimsOf(token)
    if (claims === undefined) throw invalid('token is malformed: could not JSON decode claim')
    if (claims.iss !== 'argocd') throw invalid('SSO is not configured')
    if (signature !== this.#signatureOf(`${header}.${payload}`)) {
      throw invalid('token signature is invalid: signature is invalid')
    }
    if (typeof claims.exp === 'number' && claims.exp * 1000 <= Date.now()) {
      throw invalid('token has invalid claims: token is expired')
    }
    const account = this.#tokens.get(String(claims.jti))
    if (account !== undefined) return account
    const [subject, capability] = String(claims.sub).split(':')
    if (capability === 'login') throw invalid('token is revoked, please re-login')
    throw invalid(`account ${subject} does not have token with id ${claims.jti}`)
  }

  mayGet(account: Account, project: string, namespace: string, name: string): boolean {
    const outside = namespace !== '' && namespace !== this.#namespace
    return this.mayGetObject(account, outside ? `${project}/${namespace}/${name}` : `${project}/${name}`)
  }

  /** Whether an account may get `project/name`, or `project/namespace/name`. */
  mayGetObject(account: Account, object: string): boolean {
    return account.applications.some((pattern) => globMatches(pattern, object))
  }

  /** Whether an account may get a project. */
  mayGetProject({ projects }: Account, name: string): boolean {
    return (projects ?? []).some((pattern) => globMatches(pattern, name))
  }

  /** Whether an account may do something with `project/name`, or `project/namespace/name`. */
  may(account: Account, action: string, object: string): boolean {
    if (action === 'get') return this.mayGetObject(account, object)
    const patterns = action === 'sync' ? account.sync : action === 'override' ? account.override : undefined
    return (patterns ?? []).some((pattern) => globMatches(pattern, object))
  }

  /** An application as policies name it. */
  objectOf({ project, namespace, name }: { project: string; namespace: string; name: string }): string {
    return namespace === this.#namespace ? `${project}/${name}` : `${project}/${namespace}/${name}`
  }

  /** Whether Argo CD handles the applications of a namespace. */
  isEnabled(namespace: string): boolean {
    if (namespace === this.#namespace) return true
    return (this.#options.enabledNamespaces ?? []).some((pattern) => {
      const expression = /^\/.*\/$/.test(pattern) && new RegExp(pattern.slice(1, -1)).test(namespace)
      return expression || globMatches(pattern, namespace)
    })
  }

  #sign(account: Account, capability: 'login' | 'apiKey', seconds: number | undefined): string {
    const id = randomUUID()
    this.#tokens.set(id, { ...account, session: capability === 'login' })
    const now = Math.floor(Date.now() / 1000)
    const claims: JsonObject = {
      iss: 'argocd',
      sub: `${account.name}:${capability}`,
      nbf: now,
      iat: now,
      jti: id,
    }
    if (seconds !== undefined) claims.exp = now + seconds
    const signed = `${base64url({ alg: 'HS256', typ: 'JWT' })}.${base64url(claims)}`
    return `${signed}.${this.#signatureOf(signed)}`
  }

  #signatureOf(text: string): string {
    return createHmac('sha256', this.#secret).update(text).digest('base64url')
  }
}

function parseCredentials(body: string): JsonObject {
  try {
    return object(JSON.parse(body || '{}'))
  } catch (error) {
    throw new ApiError(Code.invalidArgument, `invalid character: ${(error as Error).message}`)
  }
}

function claimsOf(token: string): JsonObject | undefined {
  try {
    return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
  } catch {
    return undefined
  }
}

function base64url(value: Json): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

const GLOB: Readonly<Record<string, string>> = { '*': '.*', '?': '.', '{': '(?:', '}': ')', ',': '|' }

/** The globs of Argo CD's policies, in which a star also crosses slashes. */
function globMatches(pattern: string, text: string): boolean {
  const source = pattern.replace(/[\\^$+.()|*?{},]/g, (character) => GLOB[character] ?? `\\${character}`)
  return new RegExp(`^(?:${source})$`, 's').test(text)
}
