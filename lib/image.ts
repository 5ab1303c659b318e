/** Container image references: `[registry/]repository[:tag][@digest]`. */

/** A parsed reference; `repository` is fully qualified, with Docker Hub's short names expanded. */
export interface ImageReference {
  readonly repository: string
  readonly tag: string | undefined
  readonly digest: string | undefined
}

// The grammar of github.com/distribution/reference: what container runtimes accept.
const DOMAIN = '(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\\[[0-9a-fA-F:]+\\])(?::[0-9]+)?'
const PATH = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*'
const REFERENCE = new RegExp(
  `^((?:${DOMAIN}/)?${PATH}(?:/${PATH})*)(?::([\\w][\\w.-]{0,127}))?(?:@([a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-fA-F]{32,}))?$`,
)

const DOCKER_HUB = 'docker.io'
const DOCKER_HUB_ALIASES = new Set(['index.docker.io', 'registry-1.docker.io'])

/**
 * Reads an image reference. `nginx`, `library/nginx` and `docker.io/library/nginx` are the same repository.
 *
 * @returns `undefined` where the text is no image reference
 */
export function parseImage(text: string): ImageReference | undefined {
  const match = REFERENCE.exec(text.trim())
  if (match === null) return undefined
  const [, name = '', tag, digest] = match
  return { repository: qualify(name), tag, digest: digest?.toLowerCase() }
}

/** A first part is a registry only where it has a dot or a port, or is `localhost` (the runtimes' rule). */
function qualify(name: string): string {
  const slash = name.indexOf('/')
  const first = name.slice(0, Math.max(slash, 0))
  const isRegistry = /[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase()
  const registry = isRegistry ? first.toLowerCase() : DOCKER_HUB
  const path = isRegistry ? name.slice(slash + 1) : name
  if (registry !== DOCKER_HUB && !DOCKER_HUB_ALIASES.has(registry)) return `${registry}/${path}`
  return `${DOCKER_HUB}/${path.includes('/') ? path : `library/${path}`}`
}

/**
 * Whether a running image is the wanted one. What is wanted and not said (no tag, no digest) is free; what is
 * said must be seen. A digest identifies the content, so a running image that names the wanted digest and no
 * tag is the wanted one even where a tag is wanted as well.
 */
export function isWantedImage(wanted: ImageReference, running: ImageReference): boolean {
  if (wanted.repository !== running.repository) return false
  if (wanted.digest !== undefined) {
    if (wanted.digest !== running.digest) return false
    return wanted.tag === undefined || running.tag === undefined || wanted.tag === running.tag
  }
  return wanted.tag === undefined || wanted.tag === effectiveTag(running)
}

/** A reference with neither tag nor digest means `latest` to every runtime. */
function effectiveTag({ tag, digest }: ImageReference): string | undefined {
  return tag ?? (digest === undefined ? 'latest' : undefined)
}

/** Writes a reference with its repository in full. */
export function formatImage({ repository, tag, digest }: ImageReference): string {
  return `${repository}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`
}
