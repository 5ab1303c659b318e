/** Those who are asked: the gate, and beside it the Go tool and the argocd CLI where they are there. */

import { at, type Json } from '../argocd/json.ts'
import type { Asked } from './situations.ts'

const GRACE_MS = 15_000

/** How Argo CD is reached, and as whom. */
export interface Access {
  /** Host, port and root path. */
  readonly server: string
  readonly token: string
  /** PEM file of the authority that signed its certificate. */
  readonly caFile: string | undefined
  /** The certificate is not verified. */
  readonly insecure: boolean
  /** A token of an account that may sync as well. */
  readonly syncToken: string | undefined
}

/** What somebody answered. */
export interface Answer {
  readonly yes: boolean
  /** Reason of a no, or what went wrong. */
  readonly reason: string
  /** When the process ended, on the clock of `performance.now()`. */
  readonly ended: number
}

/** One of them. */
export interface Tool {
  readonly name: string
  /** @returns `undefined` where it knows nothing of what is asked */
  readonly ask: (asked: Asked, application: string) => Promise<Answer> | undefined
}

/** The gate, as the executable at a path. */
export function gate(executable: string, access: Access): Tool {
  return {
    name: 'gate',
    ask: (asked, application) => {
      const { revision, selector, flags = [], failAfter = 5, timeout = 60 } = asked
      const args = [
        ...(selector === undefined ? ['--app', application] : ['--selector', selector]),
        ...(revision === undefined ? [] : ['--revision', revision]),
        ...flags,
        ...['--fail-after', String(failAfter), '--timeout', String(timeout), '--output', 'json'],
      ]
      const syncs = flags.includes('--sync')
      const env = {
        ARGOCD_SERVER: access.server,
        ARGOCD_API_TOKEN: syncs ? (access.syncToken ?? access.token) : access.token,
        KPCEA_CA_FILE: access.caFile,
        KPCEA_INSECURE: String(access.insecure),
      }
      return run([executable, ...args], env, timeout, (stdout) => {
        const result = parse(stdout)
        return String(at(result, 'reason') ?? 'no result')
      })
    },
  }
}

/** kargo-promotion-check-ext-argo, as the executable at a path. It knows one name and one revision. */
export function goTool(executable: string, access: Access): Tool {
  return {
    name: 'Go tool',
    ask: ({ revision, timeout = 60 }, application) => {
      if (revision === undefined) return undefined
      const env = {
        ARGOCD_SERVER: access.server,
        ARGOCD_API_TOKEN: access.token,
        ARGOCD_APP_NAME: application,
        KPCEA_TARGET_REVISION: revision,
        KPCEA_TIMEOUT: String(timeout),
        KPCEA_INTERVAL: '5',
        KPCEA_INSECURE: String(access.insecure),
        SSL_CERT_FILE: access.caFile,
      }
      return run([executable], env, timeout, () => '')
    },
  }
}

/** `argocd app wait`, which knows no revision. */
export function argocdCli(executable: string, access: Access): Tool {
  return {
    name: 'argocd app wait',
    ask: ({ selector, timeout = 60, flags = [] }, application) => {
      if (selector !== undefined || flags.includes('--sync')) return undefined
      const args = [
        ...['app', 'wait', application, '--sync', '--health', '--operation', '--timeout', String(timeout)],
        ...['--server', access.server, '--auth-token', access.token, '--grpc-web'],
        ...(access.caFile === undefined ? [] : ['--server-crt', access.caFile]),
        ...(access.insecure ? ['--insecure'] : []),
      ]
      return run([executable, ...args], { ARGOCD_BINARY_NAME: 'argocd' }, timeout, () => '')
    },
  }
}

async function run(
  command: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  timeout: number,
  reasonOf: (stdout: string) => string,
): Promise<Answer> {
  const child = Bun.spawn([...command], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    timeout: timeout * 1000 + GRACE_MS,
    killSignal: 'SIGKILL',
  })
  const output = Promise.all([child.stdout.text(), child.stderr.text()])
  const code = await child.exited
  const ended = performance.now()
  const [stdout] = await output
  return { yes: code === 0, reason: child.signalCode === null ? reasonOf(stdout) : 'had to be killed', ended }
}

function parse(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    return null
  }
}

/** The names of the flags that an executable of the gate knows, by its help. */
export function knownWords(executable: string): string {
  return Bun.spawnSync([executable, '--help'], { env: {} }).stdout.toString()
}

/** Where a program is: at the path that was given, or by its name; `undefined` where there is none. */
export function findProgram(given: string | undefined, name: string): string | undefined {
  return given ?? Bun.which(name) ?? undefined
}
