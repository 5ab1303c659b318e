/** What a token of Argo CD says of itself. It is not verified: that is the server's business. */

import * as z from 'zod/mini'

/** The claims of a token, as far as a person wants to know them. */
export interface TokenClaims {
  /** The account or project role that it is of. */
  readonly subject: string | undefined
  /** `apiKey`: made for machines; `login`: a session. */
  readonly capability: string | undefined
  readonly expiresAt: Date | undefined
}

const claimsSchema = z.object({
  sub: z.nullish(z.string()),
  exp: z.nullish(z.number()),
})

/**
 * Reads the claims of a JWT.
 *
 * @returns `undefined` where it is none
 */
export function readToken(token: string): TokenClaims | undefined {
  const [, payload, signature, ...more] = token.split('.')
  if (payload === undefined || signature === undefined || more.length > 0) return undefined
  try {
    const { sub, exp } = claimsSchema.parse(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')))
    // A project role is `proj:PROJECT:ROLE`, an account `NAME:CAPABILITY`, or `NAME` before Argo CD 2.
    const [, name = sub, capability] = /^(?!proj:)(.*):(\w+)$/.exec(sub ?? '') ?? []
    const time = new Date((exp ?? Number.NaN) * 1000)
    return {
      subject: name || undefined,
      capability,
      expiresAt: Number.isNaN(time.getTime()) ? undefined : time,
    }
  } catch {
    return undefined
  }
}
