/**
 * Whatever else the gate asks for, beside the application: an answer that is no JSON, too large, a page, or lacks parts
 * is evidence of nothing. It never makes a yes, nor an early no, and where it was all that was missing it is said.
 */

import { describe, expect, test } from 'bun:test'
import { ArgoCDServer, application, type Fault, type JsonObject, type Route } from './argocd/server.ts'
import { connect, type Environment } from './executable.ts'
import { suffer } from './faults.ts'
import { SHA } from './fixtures.ts'

/** A scene in which the answer of an endpoint is all that a yes lacks. */
interface Scene {
  readonly route: Route
  readonly env: Environment
  readonly arrange: (server: ArgoCDServer) => void
  readonly reason: string
  /** Answers that are JSON and lack what would decide. */
  readonly partly: readonly unknown[]
}

const put = (server: ArgoCDServer, change: JsonObject = {}, images = ['acme/web:2']) =>
  server.apply(application({ name: 'web', revision: SHA.b, images }, change))

const pod = (tag: number, hasEnded: boolean) => ({
  kind: 'Pod',
  name: `web-${tag}`,
  uid: `${tag}`,
  images: [`acme/web:${tag}`],
  health: { status: 'Healthy' },
  info: [
    { name: 'Status Reason', value: hasEnded ? 'Completed' : 'Running' },
    { name: 'Containers', value: hasEnded ? '0/1' : '1/1' },
    ...(hasEnded ? [] : [{ name: 'cpu', value: '0' }]),
  ],
})
const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' } }

const SCENES: Readonly<Record<string, Scene>> = {
  'the resource tree': {
    route: 'resource-tree',
    env: { KPCEA_TARGET_REVISION: undefined, KPCEA_TARGET_IMAGES: 'acme/web:2' },
    arrange: (server) => {
      put(server, {}, ['acme/web:1', 'acme/web:2'])
      server.resourceTree('web', { nodes: [pod(1, true), pod(2, false)] })
    },
    reason: 'ImageMismatch',
    partly: [
      {},
      { nodes: null },
      { nodes: [] },
      { nodes: [{}] },
      { nodes: [{ ...pod(1, true), images: null }] },
      { nodes: [{ ...pod(1, true), info: [{}] }, pod(2, false)] },
    ],
  },
  'a commit': {
    route: 'metadata',
    env: { KPCEA_TARGET_REVISION: 'v1' },
    arrange: (server) => {
      put(server)
      server.commit(SHA.b, { message: 'm', tags: ['v1'] })
    },
    reason: 'RevisionMismatch',
    partly: [{}, { message: 'v1' }, { tags: null }, { tags: [] }],
  },
  manifests: {
    route: 'manifests',
    env: { KPCEA_TARGET_REVISION: SHA.a, KPCEA_REVISION_POLICY: 'equivalent' },
    arrange: (server) => {
      put(server)
      for (const revision of [SHA.a, SHA.b]) server.manifests(revision, [service])
    },
    reason: 'RevisionMismatch',
    partly: [{}, { manifests: null }, { manifests: [] }, { manifests: ['{}'] }, { manifests: [''] }],
  },
}

const page = '<!doctype html><title>Sign in</title>'
const BAD: Readonly<Record<string, Fault>> = {
  'no JSON': { kind: 'cut', json: true },
  'no text': { kind: 'garbage' },
  nothing: { kind: 'answer', status: 200 },
  null: { kind: 'answer', status: 200, body: 'null' },
  'a list': { kind: 'answer', status: 200, body: [] },
  'of another form': {
    kind: 'answer',
    status: 200,
    body: { nodes: 'all', manifests: 'all', tags: 'v1', message: 1 },
  },
  'another application': {
    kind: 'answer',
    status: 200,
    body: application({ name: 'other', revision: SHA.a }),
  },
  'a page': { kind: 'answer', status: 200, body: page, headers: { 'Content-Type': 'text/html' } },
  'too large': { kind: 'huge', megabytes: 33 },
  'cut off': { kind: 'cut', after: 10, declare: true },
  'a redirect': { kind: 'redirect', location: 'https://sso.example.com/' },
  'not permitted': { kind: 'answer', status: 403, body: { code: 7, message: 'permission denied' } },
  'a refused token': { kind: 'answer', status: 401, body: { code: 16, message: 'no session' } },
  'an error': { kind: 'answer', status: 500, body: { code: 2, message: 'so it is' } },
}

describe.each(Object.entries(SCENES))('%s', (_, { route, env, arrange, reason, partly }) => {
  const asking = (server: ArgoCDServer, more: Environment = {}) =>
    suffer(connect(server, { KPCEA_TIMEOUT: '4', KPCEA_REFRESH: 'none', ...env, ...more }))
  const bad: readonly (readonly [string, Fault])[] = [
    ...Object.entries(BAD),
    ...partly.map(
      (body) => [JSON.stringify(body).slice(0, 60), { kind: 'answer', status: 200, body }] as const,
    ),
  ]

  test.concurrent('as it should be: yes', async () => {
    await using server = await ArgoCDServer.start()
    arrange(server)
    expect((await asking(server, { KPCEA_TIMEOUT: '10' })).result).toMatchObject({ verified: true })
  })

  test.concurrent.each(bad)('%s: no, and only at the deadline', async (_, fault) => {
    await using server = await ArgoCDServer.start()
    arrange(server)
    server.fault({ route }, fault)
    const { result } = await asking(server, { KPCEA_FAIL_AFTER: '0' })
    expect(result).toMatchObject({ verified: false, reason, timedOut: true })
    expect(server.requests.some((request) => request.route === route && request.fault !== undefined)).toBe(
      true,
    )
  })

  test.concurrent('at first, and then as it should be: yes', async () => {
    await using server = await ArgoCDServer.start()
    arrange(server)
    server.fault({ route, times: 2 }, { kind: 'cut', json: true })
    expect((await asking(server, { KPCEA_TIMEOUT: '30' })).result).toMatchObject({ verified: true })
  })
})

describe('a tree that tells nothing', () => {
  test.concurrent.each(Object.entries(BAD))('%s: it is not held against a rollout', async (_, fault) => {
    await using server = await ArgoCDServer.start()
    put(server, { status: { health: { status: 'Progressing' } } })
    server.fault({ route: 'resource-tree' }, fault)
    const env = { KPCEA_TARGET_REVISION: SHA.b, KPCEA_FAIL_AFTER: '0', KPCEA_TIMEOUT: '4' }
    const { result } = await suffer(connect(server, env))
    expect(result).toMatchObject({ verified: false, reason: 'NotHealthy', timedOut: true })
  })
})
