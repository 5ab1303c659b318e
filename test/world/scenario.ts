/** What a history is made of, as data: what is asked, what is there, what people do, and what breaks. */

import type { Policy, Target } from '../../lib/wanted.ts'

/** Everything that a history follows from, beside the machine that is played. Times in milliseconds. */
export interface Scenario {
  readonly seed: number
  readonly version: Version
  /** When the run begins. */
  readonly startsAt: number
  /** When somebody interrupts it. */
  readonly interruptedAt: number | undefined
  readonly policy: Policy
  readonly target: Target
  readonly applications: readonly ApplicationPlan[]
  /** How much the server's clock is ahead of the gate's. */
  readonly skew: number
  /** How slow the controller is: comparisons of large applications take seconds. */
  readonly pace: number
  readonly steps: readonly Step[]
  readonly faults: readonly Fault[]
  /** When the run is killed, and begun again a little later, by something that knows nothing of it. */
  readonly kills?: readonly Kill[]
  /** So many times somebody else begins a sync just before that of the gate arrives. */
  readonly rivals?: number
  /** How much later the hydrator is at what a refresh asks of it, where others keep it busy. */
  readonly hydratorWaits?: number | undefined
  /** What it is a drill of. */
  readonly drill?: string
}

/** So many milliseconds after the run began, or when it is known that it may be synced, when a sync is sent, has been heard, or was answered. */
export type Kill = number | 'permission answered' | 'sync sent' | 'sync heard' | 'sync answered'

/** Argo CD as far as versions differ: `3.4` stands for all that are older, `3.6` for the development head. */
export type Version = '3.4' | '3.5' | '3.6'

export interface SourcePlan {
  readonly repoURL: string
  readonly path: string | undefined
  readonly chart: string | undefined
  readonly targetRevision: string
  readonly name: string | undefined
}

export interface ApplicationPlan {
  readonly name: string
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
  readonly sources: readonly SourcePlan[]
  readonly hasSeveralSources: boolean
  /** Its one source is a dry one; `skips`: a dry commit that changes nothing is not hydrated. */
  readonly hydration: 'none' | 'always' | 'skips'
  readonly automated: boolean
  readonly selfHeals: boolean
  readonly retries: number
  readonly historyLimit: number
  /** How it is when the history begins; `absent`: it is created later, or never. */
  readonly beginning: 'settled' | 'out-of-sync' | 'broken' | 'hook-failed' | 'absent'
  /** What it was deployed from at the beginning. */
  readonly content: Content
  /** Where it is left out, it may be synced at any time, without pruning. */
  readonly owner?: Owner
}

/** What an application's owner, and Argo CD's policies, say of syncing it. */
export interface Owner {
  /** The account may sync it. */
  readonly isPermitted: boolean
  /** The annotation that authorizes Stages of Kargo, and whether it does that of the run. */
  readonly stages: string | undefined
  readonly authorizes: boolean
  /** Its `automated.prune`, which counts though automated sync is off. */
  readonly prunes: boolean
  /** When its sync windows are closed. */
  readonly closed: readonly { readonly from: number; readonly until: number }[]
}

/** What manifests make happen. */
export interface Content {
  /** Manifests are the same where this is the same. */
  readonly id: number
  readonly image: string
  readonly hook: 'none' | 'passes' | 'fails' | 'fails once'
  readonly hookTakes: number
  readonly rollout: 'smooth' | 'no image' | 'no quota' | 'degraded at first' | 'degraded later'
  readonly rolloutTakes: number
  /** How long a Deployment that makes no progress stays Progressing. */
  readonly progressDeadline: number
  readonly hasSecret: boolean
  /** Whether the API server takes the manifests. */
  readonly applies: boolean
  /** Whether the hydrator can render them. @default true */
  readonly renders?: boolean
}

/** What somebody does at some time; applications and commits by their numbers. */
export type Step = { readonly at: number } & (
  | {
      /** A commit on a branch; `content`: of the applications it touches, the others keep theirs. */
      readonly kind: 'push'
      readonly commit: number
      readonly branch: string
      readonly touches: readonly number[]
      /** Which of an application's sources it changes. */
      readonly part: 'first' | 'second' | 'both'
      readonly content: Content
      readonly message: string
    }
  | { readonly kind: 'tag'; readonly name: string; readonly commit: number }
  /** The Git host tells Argo CD of a push. */
  | { readonly kind: 'webhook' }
  | {
      readonly kind: 'sync'
      readonly application: number
      readonly how: 'plain' | 'dry run' | 'some resources' | 'local'
    }
  | { readonly kind: 'rollback'; readonly application: number }
  | { readonly kind: 'terminate'; readonly application: number }
  /** Somebody else asks for a refresh; `old`: by the annotation alone, without a timestamp. */
  | { readonly kind: 'refresh'; readonly application: number; readonly old: boolean }
  | {
      readonly kind: 'respec'
      readonly application: number
      readonly change: 'path' | 'destination' | 'branch'
    }
  /** What runs is Degraded for a while. */
  | { readonly kind: 'degrade'; readonly application: number; readonly takes: number }
  | { readonly kind: 'drift'; readonly application: number }
  /** A Pod of a CronJob has ended, with an older image, or that of what runs; or its Job has failed. */
  | {
      readonly kind: 'cronjob'
      readonly application: number
      readonly how?: 'fails' | 'as what runs'
    }
  /** A Pod is evicted, and another one takes so long to take its place. */
  | { readonly kind: 'evict'; readonly application: number; readonly takes: number }
  /** Somebody restarts a rollout for which no Pod may be made; now they may, and that takes so long. */
  | { readonly kind: 'restart'; readonly application: number; readonly takes: number }
  | { readonly kind: 'delete'; readonly application: number; readonly takes: number }
  | { readonly kind: 'create'; readonly application: number }
  /** Another team's from now on, unless it is given one. */
  | { readonly kind: 'relabel'; readonly application: number; readonly team?: string }
  /** The application's project is gone for a while. */
  | { readonly kind: 'invalid'; readonly application: number; readonly takes: number }
)

/** What breaks: in a span of time, or for the next so many requests. */
export type Fault = {
  readonly from: number
  readonly until: number
} /** Single requests hang; asked once more, they are answered. */ & (
  | {
      readonly kind: 'hang'
      readonly requests: number
      /** Hits requests of this kind only. */
      readonly only?: 'look' | 'refresh'
    }
  | {
      readonly kind: 'late'
      readonly requests: number
      readonly by: number
      readonly readsLate: boolean
      /** The connection breaks when the answer should come. */
      readonly breaks?: boolean
      /** Hits requests of this kind only. */
      readonly only?: 'sync' | 'look'
    }
  | { readonly kind: 'outage' }
  | { readonly kind: 'reset' }
  | { readonly kind: 'unavailable'; readonly retryAfter: number | undefined }
  | { readonly kind: 'unauthorized' }
  /** No server is there at all. */
  | { readonly kind: 'hopeless'; readonly code: 'ENOTFOUND' | 'ECONNREFUSED' }
  | { readonly kind: 'refresh refused'; readonly status: 400 | 401 | 403 }
  /** Every stream ends at `from`. */
  | { readonly kind: 'cut' }
  /** Streams open and bring nothing. */
  | { readonly kind: 'buffered' }
  /** Streams say nothing any more, not even that they live. */
  | { readonly kind: 'silent' }
  /** Streams live, and changes are lost. */
  | { readonly kind: 'lost' }
  /** Between a stream's list and its subscription there is more time than usual. */
  | { readonly kind: 'gap'; readonly by: number }
  | { readonly kind: 'lag'; readonly by: number }
  | { readonly kind: 'controller down' }
  | { readonly kind: 'controller slow'; readonly by: number }
  /** Git, or Argo CD's repository server, cannot be asked. */
  | { readonly kind: 'comparison error' }
)

export type StepKind = Step['kind']
export type FaultKind = Fault['kind']

/** The full SHA of a commit by its number; the hydrator's commits count from {@link HYDRATED}. */
export function shaOf(commit: number): string {
  let sha = SHAS[commit]
  if (sha === undefined) {
    // Digits that spread, so that commits differ in their first seven.
    const head = (Math.imul(commit + 1, 0x9e3779b1) >>> 0).toString(16).padStart(8, '0')
    sha = `${head}${commit.toString(16).padStart(4, '0')}${'0123456789abcdef0123456789ab'}`
    SHAS[commit] = sha
  }
  return sha
}

const SHAS: string[] = []

/** The first number of a commit that the hydrator makes. */
export const HYDRATED = 1000

/** The repository of all applications, and one for what some of them take beside it. */
export const REPOSITORY = 'https://git.test/apps.git'
export const SECOND_REPOSITORY = 'https://git.test/config.git'

/** Where an application is that is asked for without a namespace. */
export const SERVER_NAMESPACE = 'argocd'
