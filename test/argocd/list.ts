/** How the simulated Argo CD lists applications. */
import type { Account, Accounts } from './accounts.ts'
import { sourcesOf } from './details.ts'
import { ApiError, Code } from './errors.ts'
import { listItem, selectListFields } from './fields.ts'
import { at, JsonText, stringify } from './json.ts'
import { projectsOf } from './routes.ts'
import { parseSelector } from './selector.ts'
import type { Store, Stored } from './store.ts'

/** The lists that were asked for, each kept until an application changes. */
export class Lists {
  readonly #store: Store
  readonly #accounts: Accounts
  readonly #version36: boolean
  readonly #made = new Map<string, JsonText>()

  constructor(store: Store, accounts: Accounts, version36: boolean) {
    this.#store = store
    this.#accounts = accounts
    this.#version36 = version36
    store.subscribe(() => this.#made.clear())
  }

  get(account: Account, query: URLSearchParams, accept: string | null): JsonText {
    const key = `${account.applications.join()} ${accept} ${query}`
    let list = this.#made.get(key)
    if (list === undefined) {
      const json = this.#write(this.#find(account, query), query.get('fields') ?? '', accept)
      // A whole installation takes a second at the best compression.
      list = new JsonText(json, json.length > 1_000_000 ? 1 : 6)
      this.#made.set(key, list)
    }
    return list
  }

  #find(account: Account, query: URLSearchParams): Stored[] {
    const matches = selectorOf(query)
    const namespace = query.get('appNamespace') ?? ''
    const name = query.get('name') ?? ''
    const projects = projectsOf(query)
    const repo = query.get('repo') ?? ''
    let found = [...this.#store.cache.values()].filter(
      (stored) => (namespace === '' || stored.namespace === namespace) && matches(stored.labels),
    )
    // The real server takes the first of that name, in whatever namespace it comes upon it.
    if (name !== '') found = found.filter((stored) => stored.name === name).slice(0, 1)
    return found
      .filter(
        (stored) =>
          (projects.length === 0 || projects.includes(stored.project)) &&
          (repo === '' || at(sourcesOf(stored.app)[0], 'repoURL') === repo) &&
          this.#accounts.isEnabled(stored.namespace) &&
          this.#accounts.mayGet(account, stored.project, stored.namespace, stored.name),
      )
      .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  }

  #write(found: readonly Stored[], fields: string, accept: string | null): string {
    const names = selectListFields(fields)
    const items = found.map((stored) =>
      stored.once(`list ${fields}`, () =>
        stringify(fields === '' ? stored.listed : listItem(stored.listed, names)),
      ),
    )
    const metadata = `"metadata":{"resourceVersion":"${this.#store.cacheVersion}"}`
    const old = !this.#version36 || accept === 'text/event-stream'
    if (old && fields !== '') {
      const list = items.length === 0 ? 'null' : `[${items.join(',')}]`
      return `{"items":${list},${metadata}}`
    }
    return `{${metadata}\n,"items":[${items.map((item) => `${item}\n`).join(',')}]}`
  }
}

function selectorOf(query: URLSearchParams) {
  try {
    return parseSelector(query.get('selector') ?? '')
  } catch (error) {
    throw new ApiError(Code.unknown, `error parsing the selector: ${(error as Error).message}`)
  }
}
