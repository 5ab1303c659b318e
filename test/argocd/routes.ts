/** The paths of the API, and what its parameters have in common. */

/** The parts of the API; `other` is everything else, the web pages included. */
export type Route =
  | 'session'
  | 'application'
  | 'applications'
  | 'stream'
  | 'metadata'
  | 'chartdetails'
  | 'resource-tree'
  | 'manifests'
  | 'events'
  | 'syncwindows'
  | 'sync'
  | 'userinfo'
  | 'can-i'
  | 'project'
  | 'other'

/** What a path names. */
export type Target = {
  readonly route: Route
  readonly name?: string
  readonly revision?: string
  /** What `can-i` is about: resource, action, and the object. */
  readonly permission?: readonly string[]
}

/** Which part of the API a path names: none if it cannot be decoded, or has a verb after a colon. */
export function routeOf(path: string): Target {
  let parts: string[]
  try {
    parts = decodeURIComponent(path).split('/').slice(1)
  } catch {
    return { route: 'other' }
  }
  const [api, version, ...rest] = parts
  if (api !== 'api' || version !== 'v1' || rest.at(-1)?.includes(':')) return { route: 'other' }
  const [first, name = '', part, revision = '', last, ...more] = rest
  switch (first) {
    case 'session':
      if (rest.length === 1) return { route: 'session' }
      if (rest.length === 2 && name === 'userinfo') return { route: 'userinfo' }
      break
    case 'account':
      if (rest.length > 4 && name === 'can-i')
        return { route: 'can-i', permission: [part ?? '', revision, rest.slice(4).join('/')] }
      break
    case 'projects':
      if (rest.length === 2) return { route: 'project', name }
      break
    case 'stream':
      if (rest.length === 2 && name === 'applications') return { route: 'stream' }
      break
    case 'applications':
      if (rest.length === 1) return { route: 'applications' }
      if (rest.length === 2) return { route: 'application', name }
      if (
        rest.length === 3 &&
        (part === 'resource-tree' ||
          part === 'manifests' ||
          part === 'events' ||
          part === 'syncwindows' ||
          part === 'sync')
      ) {
        return { route: part, name }
      }
      if (part === 'revisions' && (last === 'metadata' || last === 'chartdetails') && more.length === 0) {
        return { route: last, name, revision }
      }
      break
  }
  return { route: 'other' }
}

/** The projects that a request is about. The older parameter wins over the newer one. */
export function projectsOf(query: URLSearchParams): string[] {
  return query.has('project') ? query.getAll('project') : query.getAll('projects')
}
