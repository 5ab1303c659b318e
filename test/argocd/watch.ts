/** How the simulated Argo CD streams the changes of applications. */
import { STATUS_CODES } from 'node:http'
import type { Account, Accounts } from './accounts.ts'
import { ApiError, Code, httpStatus } from './errors.ts'
import type { Exchange, HttpHeaders } from './exchange.ts'
import { FieldCut } from './fields.ts'
import { stringify } from './json.ts'
import { projectsOf } from './routes.ts'
import { parseSelector } from './selector.ts'
import type { Store, Stored, WatchEvent } from './store.ts'
import { StreamWriter } from './stream.ts'

export type WatchOptions = {
  readonly store: Store
  readonly accounts: Accounts
  readonly namespace: string
  readonly keepAliveMs: number
  readonly compress: boolean
}

/** So many messages leave in one go, as those of a server do that writes faster than its client reads. */
const SENT_TOGETHER = 100

/** Answers a watch: with what is there, and then with what changes until one side has enough. */
export function watch(exchange: Exchange, query: URLSearchParams, options: WatchOptions): void {
  const { store, accounts, keepAliveMs, compress } = options
  const sse = exchange.request.headers.get('accept') === 'text/event-stream'
  const cut = new FieldCut(query.get('fields') ?? '')
  const headers: HttpHeaders = sse
    ? { 'Content-Type': 'text/event-stream', 'X-Content-Type-Options': 'nosniff' }
    : { 'Content-Type': 'application/json' }
  const failure = (code: number, message: string) => {
    const http = httpStatus(code)
    const error = { grpc_code: code, http_code: http, message, http_status: STATUS_CODES[http] ?? '' }
    // The cut is made of errors, too: who does not ask for the error gets an empty object.
    const json = stringify(cut.apply({ error }))
    return sse ? `data: ${json} \n\n` : json
  }

  let isWatched: (stored: Stored) => boolean
  try {
    const account = accounts.authenticate(exchange.request.headers)
    isWatched = filterOf(account, query, options)
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    exchange.begin(error.status, headers)
    exchange.write(failure(error.code, error.message))
    exchange.end()
    return
  }

  const writer = new StreamWriter(exchange, headers, failure, compress)
  const lastByName = new Map<string, string>()
  const keepAlive = () =>
    exchange.later(keepAliveMs, () => {
      writer.keepAlive(':\n')
      keepAlive()
    })
  const names = {
    ADDED: `ADDED ${cut.fields}`,
    MODIFIED: `MODIFIED ${cut.fields}`,
    DELETED: `DELETED ${cut.fields}`,
  }
  const send = (type: WatchEvent, stored: Stored) => {
    if (!isWatched(stored)) return
    const json = stored.once(names[type], () =>
      cut.fields === ''
        ? `{"result":{"type":"${type}","application":${stored.json.text}}}`
        : stringify(cut.apply({ result: { type, application: stored.app } })),
    )
    if (lastByName.get(stored.name) === json) return
    // Not even the headers come before the first message, and keep-alives count from there.
    if (sse && lastByName.size === 0) keepAlive()
    lastByName.set(stored.name, json)
    writer.message(sse ? `data: ${json} \n\n\n` : `${json}\n`)
  }

  if (!query.get('resourceVersion') || query.get('name')) {
    const initial = [...store.cache.values()].sort((a, b) => (a.key < b.key ? -1 : 1))
    for (let from = 0; from < initial.length; from += SENT_TOGETHER)
      exchange.together(() => {
        for (const stored of initial.slice(from, from + SENT_TOGETHER)) send('ADDED', stored)
      })
  }
  exchange.whenClosed(store.subscribe(send))
}

/** Which applications a watch tells about. One that stops to match falls silent. */
function filterOf(
  account: Account,
  query: URLSearchParams,
  { accounts, namespace: controlPlane }: WatchOptions,
): (stored: Stored) => boolean {
  const matches = selectorOf(query)
  const name = query.get('name') ?? ''
  const namespace = query.get('appNamespace') || controlPlane
  const projects = projectsOf(query)
  const since = query.get('resourceVersion') ?? ''
  const minVersion = /^[+-]?\d+$/.test(since) ? Number(since) : 0
  return (stored) =>
    (projects.length === 0 || projects.includes(stored.project)) &&
    stored.version >= minVersion &&
    // The namespace counts only together with a name.
    (name === '' || (stored.name === name && stored.namespace === namespace)) &&
    matches(stored.labels) &&
    accounts.isEnabled(stored.namespace) &&
    accounts.mayGet(account, stored.project, stored.namespace, stored.name)
}

function selectorOf(query: URLSearchParams) {
  try {
    return parseSelector(query.get('selector') ?? '')
  } catch (error) {
    throw new ApiError(Code.unknown, `error parsing labels with selectors: ${(error as Error).message}`)
  }
}
