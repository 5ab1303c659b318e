/** Keeps secrets out of whatever is shown. */

import type { Connection } from './config.ts'

/** The shortest text that is masked: shorter ones are no secrets, and would turn up in any sentence. */
const SHORTEST_SECRET = 4
/** Likewise for a part of a header's value, such as what follows `Bearer`. */
const SHORTEST_PART = 8

/** The secrets of a run: those of its settings, and those that it is given while it lasts. */
export class Secrets {
  /** Longer ones first, so that one that holds another is masked whole. */
  #texts: readonly string[] = []

  constructor({ credentials, headers }: Pick<Connection, 'credentials' | 'headers'>) {
    this.add(credentials.mode === 'TOKEN' ? credentials.token : credentials.password)
    for (const [, value] of headers) {
      this.add(value)
      for (const part of value.split(/\s+/)) if (part.length >= SHORTEST_PART) this.add(part)
    }
  }

  /** Adds a secret that was learnt later: the token of a session, or of a Secret that was rotated. */
  add(secret: string): void {
    if (secret.length < SHORTEST_SECRET) return
    // As it is, with its white space joined, and as it stands in JSON.
    const forms = [secret, secret.replace(/\s+/g, ' '), JSON.stringify(secret).slice(1, -1)]
    this.#texts = [...new Set([...this.#texts, ...forms])].sort((a, b) => b.length - a.length)
  }

  /** Replaces the secrets in a text. Texts are cut after this, or the beginning of a secret would be left. */
  readonly mask = (text: string): string =>
    this.#texts.reduce((masked, secret) => masked.replaceAll(secret, '***'), text)
}
