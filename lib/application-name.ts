/** Applications as people write them: by name, or as the address that their browser shows. */

import { formatWantedRevision, parseWantedRevision, type WantedRevision } from './revision.ts'
import { withoutSlashesBehind } from './text.ts'

/** An application as it was asked for. */
export interface AskedApplication {
  /** The server that an address names, as {@link file://./address.ts} reads it. */
  readonly server: string | undefined
  readonly namespace: string | undefined
  readonly name: string
  readonly revision: WantedRevision | undefined
}

/**
 * Kubernetes object names, a little more freely (upper case, underscores): the server is the judge of those, but
 * nothing that could mean another path gets through.
 */
export const OBJECT_NAME = '[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?'

const NAMED = `(?:(${OBJECT_NAME})/)?(${OBJECT_NAME})(?:@(.+))?`
const APPLICATION = new RegExp(`^${NAMED}$`)
const ADDRESS = new RegExp(`^(https?://[^/?#]+[^?#]*?)/applications/${NAMED}$`, 'i')
const LOOKS_LIKE_ADDRESS = /^[a-z][a-z0-9+.-]*:\/\//i

/**
 * Reads `[namespace/]name[@revision]`, or `http[s]://SERVER[/root]/applications/[namespace/]name[?…]`.
 *
 * @throws Error with a sentence for a person that never shows what an address may hold besides
 */
export function parseApplication(entry: string): AskedApplication {
  if (!LOOKS_LIKE_ADDRESS.test(entry)) {
    const found = APPLICATION.exec(entry)
    if (found === null)
      throw new Error(
        `has ${JSON.stringify(entry)}, which is no application; write [namespace/]name[@revision]`,
      )
    const [, namespace, name = '', revision] = found
    return { server: undefined, namespace, name, revision: revisionOf(revision) }
  }
  // What a browser adds says how the page is shown; it may hold anything, and is neither read nor shown.
  const address = entry.split(/[?#]/, 1)[0] ?? ''
  const found = ADDRESS.exec(withoutSlashesBehind(address))
  if (found === null || found[1]?.includes('@') === true)
    throw new Error(
      'has an address that is not the one of an application; write https://SERVER[/root]/applications/[namespace/]name',
    )
  const [, server, namespace, name = '', revision] = found
  return { server, namespace, name, revision: revisionOf(revision) }
}

/** An application as the setting takes it, without the server. */
export function formatApplication({ namespace, name, revision }: AskedApplication): string {
  const whose = namespace === undefined ? name : `${namespace}/${name}`
  return revision === undefined ? whose : `${whose}@${formatWantedRevision(revision)}`
}

function revisionOf(text: string | undefined): WantedRevision | undefined {
  return text === undefined ? undefined : parseWantedRevision(text)
}
