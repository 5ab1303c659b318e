/** Keeps secrets out of whatever is shown. */

import type { Connection } from './config.ts'

/** The shortest text that is masked: shorter ones are no secrets, and would turn up in any sentence. */
const SHORTEST_SECRET = 4

/** Replaces the secrets of a connection wherever a text of the server echoes them. */
export function masker({
  credentials,
  headers,
}: Pick<Connection, 'credentials' | 'headers'>): (text: string) => string {
  const secrets = [
    credentials.mode === 'TOKEN' ? credentials.token : credentials.password,
    ...headers.map(([, value]) => value),
  ]
    .filter((secret) => secret.length >= SHORTEST_SECRET)
    .sort((a, b) => b.length - a.length)
  return (text) => secrets.reduce((masked, secret) => masked.replaceAll(secret, '***'), text)
}
