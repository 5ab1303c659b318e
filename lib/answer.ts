/** Answers of the server, read with care: what they say, what they may not be, and how large they may get. */

import * as z from 'zod/mini'
import { readBeginning, readText } from './body.ts'
import { RequestFailure } from './failure.ts'
import { lazily } from './lazily.ts'
import { cut, oneLine } from './text.ts'

/** An error says what it says in its first bytes. */
const LARGEST_ERROR = 64 * 1024

const errorSchema = lazily(() =>
  z.object({
    message: z.nullish(z.string()),
    error: z.nullish(z.string()),
    code: z.nullish(z.number()),
  }),
)

/** What servers answer to plain HTTP on a port of TLS: Go's, nginx, Apache, Envoy. */
const TLS_EXPECTED = /plain HTTP|HTTP request to an HTTPS server|HTTP request was sent to HTTPS/i

/**
 * What Argo CD answers to every question about an application whose project is not there, or does not take it
 * (`getAppProject`). Where both are created together that passes, and no setting is wrong.
 */
const NO_PROJECT = /^app is not allowed in project .*, or the project does not exist$/

/** gRPC codes in the bodies of Argo CD's errors. */
const PERMISSION_DENIED = 7
const NOT_FOUND = 5

/** A 401, before it is known whether another token could help. */
export class RefusedToken extends Error {
  override readonly name = 'RefusedToken'
}

/** What an answer that is not a success says: its status, the gRPC code where Argo CD gave it, and its words. */
export interface Refusal {
  readonly status: number
  readonly code: number | undefined
  readonly said: string
}

/**
 * Sorts an answer that is not a success.
 *
 * @param take sorts what it knows better; `undefined`: it does not
 * @returns `undefined` where Argo CD says that the thing does not exist or may not be seen
 */
export async function refuse<T = undefined>(
  response: Response,
  host: string,
  mask: (text: string) => string,
  take: (refusal: Refusal) => T | undefined = () => undefined,
): Promise<T | undefined> {
  const { status, headers } = response
  if (status >= 300 && status < 400) {
    await response.body?.cancel()
    const location = URL.parse(headers.get('location') ?? '')
    if (
      location?.protocol === 'https:' &&
      location.hostname === hostname(host) &&
      response.url.startsWith('http:')
    )
      throw new RequestFailure(
        'NotArgoCD',
        `${host} redirects to https://, so it speaks TLS; use https:// in ARGOCD_SERVER (--server), without KPCEA_PLAINTEXT (--plaintext)`,
      )
    throw new RequestFailure(
      'NotArgoCD',
      `${host} redirects to ${cut(oneLine(destination(mask(headers.get('location') ?? ''))), LONGEST_QUOTE)}, which is not followed; ` +
        'check the scheme, host and root path in ARGOCD_SERVER (--server), and whether a sign-in page is in front',
    )
  }
  const body = await readBeginning(response, host, LARGEST_ERROR)
  const error = errorSchema().safeParse(tryJson(body)).data
  const isArgoCD = error?.code !== undefined && error.code !== null
  const said = cut(oneLine(mask(error?.message ?? error?.error ?? textOf(body, mask))), LONGEST_QUOTE)
  const answer = `${status}${said === '' ? '' : ` ${said}`}`
  if (status === 401) throw new RefusedToken(answer)
  const taken = take({ status, code: error?.code ?? undefined, said })
  if (taken !== undefined) return taken
  if (
    isArgoCD &&
    ((status === 403 && error.code === PERMISSION_DENIED) || (status === 404 && error.code === NOT_FOUND))
  )
    return undefined
  if (status === 400 && TLS_EXPECTED.test(said))
    throw new RequestFailure(
      'NotArgoCD',
      `${host} speaks TLS on this port; use https:// in ARGOCD_SERVER (--server), without KPCEA_PLAINTEXT (--plaintext)`,
    )
  if (status === 400 && isArgoCD && NO_PROJECT.test(said))
    throw new RequestFailure('Unreachable', `${host} cannot answer (${answer})`)
  if (status === 400)
    throw new RequestFailure('InvalidSettings', `${host} rejected the request (${answer})`, { fatal: true })
  if (status === 408 || status === 429 || status >= 500)
    throw new RequestFailure('Unreachable', `${host} cannot answer (${answer})`, {
      retryAfter: retryAfterOf(headers),
    })
  const hint =
    status === 404
      ? '; check the root path in ARGOCD_SERVER (--server)'
      : '; is something else in front of it?'
  throw new RequestFailure('NotArgoCD', `${host} did not answer as Argo CD does (${answer})${hint}`)
}

/**
 * Retry-After in seconds or as a date (RFC 9110, 10.2.3). A date is compared with the server's own Date, never
 * with this machine's clock.
 *
 * @returns milliseconds
 */
function retryAfterOf(headers: Headers): number | undefined {
  const value = headers.get('retry-after')?.trim() ?? ''
  if (/^\d+$/.test(value)) return Number(value) * 1000
  const wait = Date.parse(value) - Date.parse(headers.get('date') ?? '')
  return wait > 0 ? wait : undefined
}

function hostname(host: string): string | undefined {
  return URL.parse(`https://${host}`)?.hostname
}

/** Where a redirect leads, without the query, which may hold anything. */
function destination(location: string): string {
  const url = URL.parse(location)
  if (url === null) return location.split('?', 1)[0] || 'nowhere'
  const { protocol, host, pathname } = url
  return `${protocol}${host === '' && !pathname.startsWith('/') ? '' : '//'}${host}${pathname}`
}

export async function readJson(
  response: Response,
  host: string,
  mask: (text: string) => string,
): Promise<unknown> {
  const body = await readText(response, host)
  const value = tryJson(body)
  if (value !== undefined) return value
  const what = looksLikeHtml(body)
    ? cut(oneLine(mask(`a web page${titleOf(body, mask)}`)), LONGEST_QUOTE)
    : body.trim() === ''
      ? 'nothing'
      : 'something that is no JSON'
  throw new RequestFailure(
    'NotArgoCD',
    `${host} answered with ${what}, not as Argo CD does; is a sign-in page in front, or the root path in ARGOCD_SERVER (--server) missing?`,
  )
}

/** Reads a value as the schema says, or fails in a sentence. */
export function parseAnswer<T>(value: unknown, schema: z.ZodMiniType<T>, host: string): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const { path, message } = explain(value, schema)
  throw new RequestFailure(
    'NotArgoCD',
    `${host} did not answer as Argo CD does (${cut(oneLine(path.join('.')), LONGEST_QUOTE) || 'answer'}: ${cut(oneLine(message), LONGEST_QUOTE)})`,
  )
}

/** What is wrong first. The words for it are loaded only here: zod's small build comes without. */
function explain(value: unknown, schema: z.ZodMiniType): { path: readonly PropertyKey[]; message: string } {
  z.config((require('zod/v4/locales/en.js') as typeof import('zod/v4/locales/en.js')).default())
  return schema.safeParse(value).error?.issues[0] ?? { path: [], message: 'unreadable' }
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function looksLikeHtml(body: string): boolean {
  return /^\s*<(?:!doctype|html|head|body|\?xml)/i.test(body)
}

/** Where a page has its title, if it has one. In characters. */
const HEAD_OF_PAGE = 16 * 1024

/** Looked for step by step: a pattern for all of it would begin anew at each of many titles that do not end. */
function titleOf(html: string, mask: (text: string) => string): string {
  // Masked first: a secret may hold what ends a title.
  const head = mask(cut(html, HEAD_OF_PAGE))
  const tag = head.search(/<title/i)
  const start = tag < 0 ? -1 : head.indexOf('>', tag)
  if (start < 0) return ''
  return ` ("${(head.slice(start + 1).split('<', 1)[0] ?? '').trim()}")`
}

function textOf(body: string, mask: (text: string) => string): string {
  return looksLikeHtml(body) ? `a web page${titleOf(body, mask)}` : body
}

const LONGEST_QUOTE = 300
