/** One run of the loop against an Argo CD and a clock that only the test moves. */

import type { Application } from '../lib/application.ts'
import type { Ending, Outcome } from '../lib/ending.ts'
import { type LogEntry, ProgressLog } from '../lib/progress.ts'
import { verify } from '../lib/verify.ts'
import type { Policy, Target } from '../lib/wanted.ts'
import { FakeArgoCD } from './fake-argocd.ts'
import { FakeClock, settled } from './fake-clock.ts'
import { parsed, SHA, wanting } from './fixtures.ts'

export const SECOND = 1000

export const POLICY: Policy = {
  timeout: 60 * SECOND,
  interval: 5 * SECOND,
  stableFor: 0,
  failAfter: 30 * SECOND,
  refresh: 'none',
  watch: false,
}

export function named(...names: string[]): Target {
  const applications = names.map((name) => ({
    name,
    namespace: 'argocd',
    wanted: wanting({ revision: SHA.b }),
  }))
  return { kind: 'names', project: undefined, applications }
}

export const SELECTED: Target = {
  kind: 'selector',
  selector: 'a=b',
  min: 1,
  namespace: undefined,
  project: undefined,
  wanted: wanting({ revision: SHA.b }),
}

export class Scene {
  readonly clock: FakeClock
  readonly argocd = new FakeArgoCD()
  readonly progress: LogEntry[] = []
  readonly interrupt = new AbortController()
  outcome: Outcome | undefined

  constructor(clock = new FakeClock()) {
    this.clock = clock
  }

  start(policy: Partial<Policy> = {}, target: Target = named('web')): this {
    const log = new ProgressLog()
    const tools = {
      client: this.argocd,
      clock: this.clock,
      silence: 'argocd did not answer in time',
      seed: 1,
      interrupted: this.interrupt.signal,
      onTurn: (...[before, now]: Parameters<ProgressLog['entries']>) =>
        void this.progress.push(...log.entries(before, now)),
    }
    void verify(target, { ...POLICY, ...policy }, tools).then((outcome) => {
      this.outcome = outcome
    })
    return this
  }

  put(name: string, revision: string, change: Parameters<typeof parsed>[1] = {}): Application {
    const application = parsed({ name, revision }, change)
    this.argocd.present.set(name, application)
    return application
  }

  get ending(): Ending | undefined {
    return this.outcome?.decision
  }

  /** Lets seconds pass one by one, with keep-alives on the last stream as Argo CD sends them. */
  async pass(seconds: number): Promise<void> {
    for (let i = 0; i < seconds; i++) {
      await this.clock.advance(SECOND)
      if (this.clock.now() % (15 * SECOND) === 0) this.argocd.streams.at(-1)?.keepAlive()
    }
    await settled()
  }
}
