/** Runs a verification: the gate, on a clock, against an Argo CD. */

import type { ArgoCD } from './argocd.ts'
import type { Clock } from './clock.ts'
import type { Outcome } from './ending.ts'
import { initialKnowledge, type Knowledge } from './knowledge.ts'
import { gate } from './machine.ts'
import { perform } from './perform.ts'
import { run } from './run.ts'
import type { Policy, Target } from './wanted.ts'

/** What a run works with. */
export interface Tools {
  readonly client: ArgoCD
  readonly clock: Clock
  /** What is said of a request that took too long. */
  readonly silence: string
  /** From which all jitter of the run comes. */
  readonly seed: number
  /** Aborts when the run is told to end. */
  readonly interrupted: AbortSignal
  /** Told after each turn what was known before it and what is known now. */
  readonly onTurn?: ((before: Knowledge, now: Knowledge, time: number) => void) | undefined
}

/** Runs a verification to its end. Never rejects for what the server does. */
export function verify(target: Target, policy: Policy, tools: Tools): Promise<Outcome> {
  const { client, clock, silence, seed, interrupted, onTurn } = tools
  return run(
    gate,
    initialKnowledge(target, policy, { silence, seed, now: clock.now() }),
    {
      now: clock.now,
      at: clock.at,
      // What has come at the same time is thought about once.
      soon: setImmediate,
      start: (request, attempt, reporter) => perform(client, request, attempt, reporter),
    },
    interrupted,
    onTurn,
  )
}
