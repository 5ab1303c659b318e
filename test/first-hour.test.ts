/**
 * Mistakes of a first hour, each made at a terminal of 80×24 with the executable: the next step is on the screen, it is
 * the right one, and nothing has scrolled away.
 */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ArgoCDServer, application } from './argocd/server.ts'
import { selfSigned } from './certificates.ts'
import { type Environment, EXECUTABLE, temporaryDirectory } from './executable.ts'
import { answers, forwardProxy, http, says, WireServer } from './faults.ts'
import { SHA } from './fixtures.ts'
import { onTerminal, screenOf } from './terminal.ts'

const SCREEN = { cols: 80, rows: 24 }
const SECRET = 'k1ngf1sher.under.glass'

let server: ArgoCDServer
let secure: ArgoCDServer
beforeAll(async () => {
  server = await ArgoCDServer.start({ rootPath: '/argo', enabledNamespaces: ['team'] })
  const images = ['registry.example.com/team/web:1.0.0']
  server.apply(application({ name: 'web', revision: SHA.a, images }))
  server.apply(application({ name: 'elsewhere', namespace: 'team', revision: SHA.a }))
  server.apply(application({ name: 'rollout', revision: SHA.a }, PROGRESSING))
  server.apply(application({ name: 'migration', revision: SHA.a }, RETRYING))
  server.apply(
    application({ name: 'crash', revision: SHA.a }, { status: { health: { status: 'Degraded' } } }),
  )
  server.resourceTree('crash', { nodes: [CRASHING] })
  secure = await ArgoCDServer.start({ tls: await selfSigned() })
  secure.apply(application({ name: 'web', revision: SHA.a }))
})
afterAll(() => Promise.all([server.stop(), secure.stop()]))

const PROGRESSING = {
  status: {
    health: {
      status: 'Progressing',
      message: 'waiting for rollout to finish: 1 of 3 updated replicas are available',
    },
  },
}
const CRASHING = {
  kind: 'Pod',
  version: 'v1',
  namespace: 'crash',
  name: 'crash-6d5f7c9b8-x2x4q',
  health: { status: 'Degraded', message: 'back-off 5m0s restarting failed container=crash' },
}
const RETRYING = {
  status: {
    operationState: {
      phase: 'Running',
      retryCount: 1,
      message: 'one or more synchronization tasks completed unsuccessfully. Retrying attempt #1 at 2:21AM.',
      syncResult: {
        resources: [
          {
            group: 'batch',
            version: 'v1',
            kind: 'Job',
            namespace: 'migration',
            name: 'migrate',
            status: '',
            message: 'Job has reached the specified backoff limit',
            hookType: 'PreSync',
            hookPhase: 'Failed',
            syncPhase: 'PreSync',
          },
        ],
        revision: SHA.a,
      },
    },
  },
}

/** What is right unless a mistake is made of it. */
const right = (): Environment => ({
  ARGOCD_SERVER: server.url,
  ARGOCD_API_TOKEN: server.token,
  ARGOCD_APP_NAME: 'web',
  KPCEA_TARGET_REVISION: SHA.a,
  KPCEA_TIMEOUT: '1',
  TERM: 'xterm-256color',
  HOME: temporaryDirectory(),
})

/** Makes a mistake, and reads the screen as a person would. */
async function mistake(env: Environment, args: readonly string[] = []): Promise<string> {
  const { code, said } = await onTerminal([EXECUTABLE, ...args], { ...right(), ...env }, SCREEN).ended
  expect(code).toBe(1)
  // Whatever was drawn over is gone; the prompt takes a row, too, and nothing has scrolled away.
  const rows = screenOf(said, { ...SCREEN, rows: 1000 })
  expect(rows.length).toBeLessThan(SCREEN.rows)
  expect(said).not.toContain(SECRET)
  expect(said).not.toMatch(/\n\s+at .*:\d+/)
  // A terminal breaks a line in the middle of a word.
  return rows
    .map((row) => row.padEnd(SCREEN.cols))
    .join('')
    .replace(/\s+/g, ' ')
}

interface Mistake {
  readonly what: string
  readonly env?: () => Environment
  readonly args?: readonly string[]
  /** The next step. */
  readonly next: string
  /** What must not be on the screen: consequences, and wrong advice. */
  readonly not?: readonly string[]
}

const MISTAKES: readonly Mistake[] = [
  {
    what: 'nothing is set',
    env: () => ({
      ARGOCD_SERVER: undefined,
      ARGOCD_API_TOKEN: undefined,
      ARGOCD_APP_NAME: undefined,
      KPCEA_TARGET_REVISION: undefined,
    }),
    next: 'ARGOCD_SERVER (--server) is missing; ARGOCD_APP_NAME (--app), or KPCEA_SELECTOR (--selector), is missing',
  },
  {
    what: 'a mistyped flag',
    env: () => ({ ARGOCD_SERVER: undefined, ARGOCD_API_TOKEN: undefined }),
    args: ['--sever', 'argocd.example.com'],
    next: 'unknown flag --sever; did you mean --server?',
    not: ['is missing', 'LOGIN mode'],
  },
  {
    what: 'a flag of another tool',
    args: ['--grpc-web'],
    next: 'unknown flag --grpc-web; kpcea --help lists those that there are',
    not: ['did you mean'],
  },
  {
    what: 'the application as a word',
    env: () => ({ ARGOCD_APP_NAME: undefined }),
    args: ['web'],
    next: 'unexpected word "web"; did you mean --app web?',
    not: ['is missing'],
  },
  {
    what: 'the token as a flag',
    env: () => ({ ARGOCD_API_TOKEN: undefined }),
    args: ['--token', SECRET],
    next: '--token is no flag, because command lines can be read by others; set ARGOCD_API_TOKEN (or --token-file)',
    not: ['LOGIN mode'],
  },
  {
    what: 'a value that was forgotten, or a variable of the shell that is empty',
    args: ['--revision', '--timeout', '5m'],
    next: '--revision needs a value',
    not: ['unexpected word'],
  },
  {
    what: 'a command behind the flags',
    args: ['--app', 'web', 'doctor'],
    next: 'a command stands first: kpcea doctor',
  },
  {
    what: 'a mistyped command',
    env: () => ({ ARGOCD_SERVER: undefined, ARGOCD_APP_NAME: undefined, KPCEA_TARGET_REVISION: undefined }),
    args: ['docter'],
    next: 'did you mean kpcea doctor?',
    not: ['is missing'],
  },
  {
    what: 'no revision',
    env: () => ({ KPCEA_TARGET_REVISION: '' }),
    next: 'give the promoted revision (--revision), or images (KPCEA_TARGET_IMAGES, --image)',
  },
  {
    what: 'a duration in words',
    env: () => ({ KPCEA_TIMEOUT: '5 minutes' }),
    next: 'write seconds (90) or a duration such as 90s, 5m or 1h30m',
  },
  {
    what: 'the page of an application as the server',
    env: () => ({ ARGOCD_SERVER: 'https://argocd.example.com/applications/argocd/web' }),
    next: 'give the page of an application as ARGOCD_APP_NAME (--app)',
  },
  {
    what: 'the page of another server as the application',
    env: () => ({ ARGOCD_APP_NAME: `https://other.example.com/applications/argocd/web?token=${SECRET}` }),
    next: 'says another server; leave one of them out',
  },
  {
    what: 'logged in with the argocd CLI, and no context is current',
    env: () => {
      const home = temporaryDirectory()
      mkdirSync(join(home, '.config/argocd'), { recursive: true })
      const contexts = [{ name: 'acc', server: 'acc.example.com', user: 'acc' }]
      const file = Bun.YAML.stringify({ contexts, servers: [{ server: 'acc.example.com' }] })
      writeFileSync(join(home, '.config/argocd/config'), file, { mode: 0o600 })
      return { HOME: home, ARGOCD_SERVER: undefined, ARGOCD_API_TOKEN: undefined }
    },
    next: 'or a context of the argocd CLI (--context acc)',
  },
  {
    what: 'a typo in the name of the server',
    env: () => ({ ARGOCD_SERVER: 'argocd.exmaple.invalid' }),
    next: 'argocd.exmaple.invalid is not a name that DNS knows; check ARGOCD_SERVER (--server)',
  },
  {
    what: 'a wrong port',
    env: () => ({ ARGOCD_SERVER: 'http://127.0.0.1:1' }),
    next: 'refuses connections; check the host and the port',
  },
  {
    what: 'https where http is spoken',
    env: () => ({ ARGOCD_SERVER: server.address }),
    next: 'KPCEA_PLAINTEXT=true',
  },
  {
    what: 'http where Argo CD speaks https',
    env: () => ({ ARGOCD_SERVER: `http://${secure.address}` }),
    next: 'speaks TLS; use https:// in ARGOCD_SERVER (--server)',
  },
  {
    what: 'a certificate of an authority of one’s own',
    env: () => ({ ARGOCD_SERVER: secure.address }),
    next: 'with KPCEA_CA_FILE (--ca-file)',
  },
  {
    what: 'a root path that is missing or wrong',
    env: () => ({ ARGOCD_SERVER: `${server.url}/other` }),
    next: 'root path in ARGOCD_SERVER (--server)',
  },
  {
    what: 'a proxy that is not there',
    env: () => ({ ARGOCD_SERVER: 'argocd.example.com', HTTPS_PROXY: `http://me:${SECRET}@127.0.0.1:1` }),
    next: 'the proxy in HTTPS_PROXY refuses connections, so argocd.example.com was not asked; check HTTPS_PROXY, or put argocd.example.com into NO_PROXY',
    not: ['check the host and the port'],
  },
  {
    what: 'a proxy that is none',
    env: () => ({ ARGOCD_SERVER: 'argocd.example.com', HTTPS_PROXY: `http://me:${SECRET}@` }),
    next: 'HTTPS_PROXY: is no address of a proxy; write http://[user:password@]host:port',
  },
  {
    what: 'a proxy of SOCKS',
    env: () => ({ ARGOCD_SERVER: 'argocd.example.com', ALL_PROXY: `socks5://me:${SECRET}@127.0.0.1:1` }),
    next: 'ALL_PROXY: names a socks5:// proxy, which cannot be used; name one that speaks HTTP',
  },
  {
    what: 'a token that was copied with a line break',
    env: () => ({ ARGOCD_API_TOKEN: `${SECRET}\n${SECRET}` }),
    next: 'holds white space or characters that no token has; check how it was copied',
  },
  {
    what: 'a file with the token that is not there',
    env: () => ({ ARGOCD_API_TOKEN: undefined, ARGOCD_API_TOKEN_FILE: '/run/secrets/nothing' }),
    next: 'ARGOCD_API_TOKEN_FILE (--token-file): "/run/secrets/nothing" cannot be read (ENOENT)',
    not: ['LOGIN mode'],
  },
  {
    what: 'a token that has expired',
    env: () => ({ ARGOCD_API_TOKEN: server.createToken({ seconds: -10 }) }),
    next: 'holds a token of this server that has not expired or been deleted',
  },
  {
    what: 'a typo in the name of the application',
    env: () => ({ ARGOCD_APP_NAME: 'wbe' }),
    next: 'Next: did you mean --app web?',
    not: ['can-i'],
  },
  {
    what: 'an application in another namespace',
    env: () => ({ ARGOCD_APP_NAME: 'elsewhere' }),
    next: 'Next: did you mean --app team/elsewhere?',
  },
  {
    what: 'an application of another Argo CD',
    env: () => ({ ARGOCD_APP_NAME: 'checkout-service' }),
    next: "it sees argocd/crash, argocd/migration, argocd/rollout, argocd/web and 1 more Next: check the name and the namespace; and, as the account of the token and with the project of the application, argocd account can-i get applications 'PROJECT/checkout-service'",
    not: ['*/'],
  },
  {
    what: 'another project than that of the application',
    env: () => ({ KPCEA_PROJECT: 'team' }),
    next: 'Next: leave KPCEA_PROJECT (--project) out, or give the one that it is in',
  },
  {
    what: 'an account that may see nothing',
    env: () => ({ ARGOCD_API_TOKEN: server.createToken({ applications: ['other/*'] }) }),
    next: "this account sees no application at all Next: Argo CD's argocd-rbac-cm needs the line p, ACCOUNT, applications, get, PROJECT/web, allow",
  },
  {
    what: 'labels that no application has',
    env: () => ({ ARGOCD_APP_NAME: undefined, KPCEA_SELECTOR: 'team=web' }),
    next: "Next: check the labels: argocd app list -l 'team=web'",
  },
  {
    what: 'a commit of another repository, or one that was not pushed',
    env: () => ({ KPCEA_TARGET_REVISION: SHA.d }),
    next: 'Next: is it in what the application tracks (main of https://git.example.com/deployments.git), and has it been pushed there?',
  },
  {
    what: 'too few digits of a commit',
    env: () => ({ KPCEA_TARGET_REVISION: SHA.a.slice(0, 6) }),
    next: 'Next: give more of it, if that is meant: --revision a1a1a1a1',
  },
  {
    what: 'a commit that a later one has overtaken',
    env: () => ({ KPCEA_TARGET_REVISION: '0'.repeat(40) }),
    next: 'Next: if a later revision will do, add --revision-policy at-least',
    not: ['is it in what'],
  },
  {
    what: 'one look at a branch',
    env: () => ({ KPCEA_TARGET_REVISION: 'main', KPCEA_TIMEOUT: '0' }),
    next: 'Next: one look (KPCEA_TIMEOUT=0) asks for no refresh, which a branch needs: give it some time (--timeout 30s), or verify a commit',
    // Said once: there is no log where the summary follows at once.
    not: ['RevisionMismatch (pending)'],
  },
  {
    what: 'an image of another registry',
    env: () => ({ KPCEA_TARGET_REVISION: undefined, KPCEA_TARGET_IMAGES: 'ghcr.io/team/web:1.0.0' }),
    next: 'Next: did you mean --image registry.example.com/team/web:1.0.0?',
    not: ['under way'],
  },
  {
    what: 'an image in capitals',
    env: () => ({
      KPCEA_TARGET_REVISION: undefined,
      KPCEA_TARGET_IMAGES: 'registry.example.com/Team/Web:1.0.0',
    }),
    next: '"registry.example.com/Team/Web:1.0.0" is no image; repositories are in lower case',
  },
  {
    what: 'too little time for a rollout',
    env: () => ({ ARGOCD_APP_NAME: 'rollout' }),
    next: 'Next: it was still under way: try a longer KPCEA_TIMEOUT',
  },
  {
    what: 'more time for a sync that fails and is tried again',
    env: () => ({ ARGOCD_APP_NAME: 'migration' }),
    next: 'Next: kubectl -n migration logs job/migrate says why, while it is there; mend it, and Argo CD tries again by itself',
    not: ['KPCEA_TIMEOUT'],
  },
  {
    what: 'an image that crashes',
    env: () => ({ ARGOCD_APP_NAME: 'crash' }),
    next: 'back-off 5m0s restarting failed container=crash no argocd/crash Synced Degraded a1a1a1a1 http://',
  },
]

describe('mistakes of a first hour', () => {
  for (const { what, env, args, next, not = [] } of MISTAKES)
    test(what, async () => {
      const screen = await mistake(env?.() ?? {}, args)
      expect(screen).toContain(next)
      for (const words of not) expect(screen).not.toContain(words)
    })

  test('a proxy that wants a password', async () => {
    await using proxy = await forwardProxy(secure, http('407 Proxy Authentication Required', []))
    const screen = await mistake({ ARGOCD_SERVER: 'argocd.example.com', HTTPS_PROXY: proxy.url })
    expect(screen).toContain('(407); put its user and password into HTTPS_PROXY')
  })

  test('http where something else speaks https', async () => {
    const answer = http('400 Bad Request', [], 'Client sent an HTTP request to an HTTPS server.\n')
    await using wire = await WireServer.start(answers(() => answer))
    expect(await mistake({ ARGOCD_SERVER: wire.url })).toContain('speaks TLS on this port; use https://')
    await using closing = await WireServer.start(says('', 'close'))
    expect(await mistake({ ARGOCD_SERVER: closing.url })).toContain(
      'use https:// in ARGOCD_SERVER (--server)',
    )
  })
})
