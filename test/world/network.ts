/** The way between the gate and the server: how long it takes, and what goes wrong on it. */

import { networkFailure, RequestFailure } from '../../lib/failure.ts'
import type { Request } from '../../lib/requests.ts'
import type { Fault, FaultKind } from './scenario.ts'
import type { World } from './world.ts'

/** What becomes of a request; times in milliseconds after it is sent. */
export type Passage =
  | {
      readonly kind: 'answered'
      readonly readAfter: number
      readonly arrivesAfter: number
      /** What was heard is done, and this comes instead of its answer. */
      readonly failure?: unknown
    }
  /** It is heard of no more. */
  | { readonly kind: 'hangs' }
  | { readonly kind: 'fails'; readonly after: number; readonly failure: unknown }

export interface Network {
  /** What becomes of a request that is sent now. */
  readonly send: (request: Request) => Passage
  /** How long a message of a stream takes. */
  readonly delay: () => number
}

/** Usual times of a round trip, from which now and then one departs. */
const FASTEST = 2
const SPREAD = 40
const SELDOM = 400

/** So long something in between holds a request back whose sender is gone. */
const LONGEST_HELD = 2000

/**
 * The network of a world.
 *
 * @param count told of each fault that a request has met
 */
export function createNetwork({ scenario, time, random, journal }: World): Network {
  // How many more requests are hit by a fault that is about single ones.
  const left = new Map<Fault, number>()
  const takeOne = (fault: Fault & { readonly requests: number }) => {
    const requests = left.get(fault) ?? fault.requests
    if (requests <= 0) return false
    left.set(fault, requests - 1)
    return true
  }
  const roundTrip = () => FASTEST + SPREAD * random.next() ** 2 + SELDOM * random.next() ** 40
  const usual = (): Passage => {
    const takes = roundTrip()
    return { kind: 'answered', readAfter: takes / 2, arrivesAfter: takes }
  }
  const met = (kind: FaultKind, passage: Passage): Passage => {
    journal.count(`fault ${kind}`)
    return passage
  }
  const fails = (failure: unknown): Passage => ({ kind: 'fails', after: 1 + 20 * random.next(), failure })

  const send = (request: Request): Passage => {
    const now = time.now()
    for (const fault of scenario.faults) {
      if (now < fault.from || now >= fault.until) continue
      switch (fault.kind) {
        case 'hang':
          if (request.kind === 'watch' || (fault.only ?? request.kind) !== request.kind) break
          if (takeOne(fault)) return met(fault.kind, { kind: 'hangs' })
          break
        case 'late': {
          if (request.kind === 'watch' || (fault.only ?? request.kind) !== request.kind) break
          if (!takeOne(fault)) break
          const takes = roundTrip()
          const readAfter = fault.readsLate ? takes / 2 + fault.by : takes / 2
          if (fault.breaks !== true)
            return met(fault.kind, { kind: 'answered', readAfter, arrivesAfter: takes + fault.by })
          // Whoever holds a request back for longer than that has given it up.
          const heardAfter = Math.min(readAfter, LONGEST_HELD)
          return met(fault.kind, {
            kind: 'answered',
            readAfter: heardAfter,
            arrivesAfter: takes,
            failure: RESET,
          })
        }
        case 'outage':
          return met(fault.kind, { kind: 'hangs' })
        case 'reset':
          return met(fault.kind, fails(RESET))
        case 'hopeless':
          return met(fault.kind, fails(NOBODY[fault.code]))
        case 'unavailable':
          return met(fault.kind, fails(unavailable(fault.retryAfter)))
        case 'unauthorized':
          return met(fault.kind, fails(UNAUTHORIZED))
        case 'refresh refused':
          if (request.kind === 'refresh' && fault.status !== 403)
            return met(fault.kind, fails(REFUSED[fault.status]))
          break
      }
    }
    return usual()
  }
  return { send, delay: () => roundTrip() / 2 }
}

const coded = (code: string) => networkFailure(Object.assign(new Error(code), { code }), 'argocd.test')

const RESET = coded('ECONNRESET')
const NOBODY = { ENOTFOUND: coded('ENOTFOUND'), ECONNREFUSED: coded('ECONNREFUSED') }
const UNAUTHORIZED = new RequestFailure('Unauthorized', 'argocd.test refuses the token (401)', {
  fatal: true,
})
const REFUSED = {
  400: new RequestFailure('InvalidSettings', 'argocd.test rejected the request (400)', { fatal: true }),
  401: UNAUTHORIZED,
}

function unavailable(retryAfter: number | undefined): RequestFailure {
  return new RequestFailure('Unreachable', 'argocd.test cannot answer (503)', { retryAfter })
}
