/** One run of the loop against an Argo CD and a clock that only the test moves. */

import type { Application } from '../lib/application.ts'
import type { Policy, Target } from '../lib/config.ts'
import { type Outcome, type Progress, verify } from '../lib/verify.ts'
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
  readonly progress: Progress[] = []
  readonly interrupt = new AbortController()
  outcome: Outcome | undefined

  constructor(clock = new FakeClock()) {
    this.clock = clock
  }

  start(policy: Partial<Policy> = {}, target: Target = named('web')): this {
    const tools = {
      client: this.argocd,
      clock: this.clock,
      emit: (event: Progress) => void this.progress.push(event),
      interrupted: this.interrupt.signal,
      random: () => 1,
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

  get ending(): Outcome['ending'] | undefined {
    return this.outcome?.ending
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
