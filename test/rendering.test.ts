/** Whether two renderings are the same set of manifests. */

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { Rendering } from '../lib/evidence.ts'
import { compareManifests } from '../lib/rendering.ts'

const manifest = (kind: string, name: string, more: object = {}, apiVersion = 'v1') =>
  JSON.stringify({ apiVersion, kind, metadata: { name, namespace: 'web' }, ...more })
const SERVICE = manifest('Service', 'web', { spec: { ports: [{ port: 80 }, { port: 443 }] } })
const DEPLOYMENT = manifest('Deployment', 'web', { spec: { replicas: 2 } }, 'apps/v1')
const HOOK = JSON.stringify({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { generateName: 'smoke-', annotations: { 'argocd.argoproj.io/hook': 'PostSync' } },
})
const SECRET = manifest('Secret', 'password', { data: { key: '++++++++' } })
const BOTH = [SERVICE, DEPLOYMENT]

const rows: readonly (readonly [
  name: string,
  wanted: readonly string[],
  observed: readonly string[],
  kind: Rendering['kind'],
  says?: string,
])[] = [
  ['the same', BOTH, BOTH, 'same'],
  ['in another order', BOTH, BOTH.toReversed(), 'same'],
  ['with hooks', [...BOTH, HOOK], [HOOK, ...BOTH], 'same'],
  ['keys in another order', ['{"kind":"A","apiVersion":"v1"}'], ['{"apiVersion":"v1","kind":"A"}'], 'same'],
  ['white space', [SERVICE], [JSON.stringify(JSON.parse(SERVICE), null, 2)], 'same'],
  [
    'a value',
    [DEPLOYMENT],
    [manifest('Deployment', 'web', { spec: { replicas: 3 } }, 'apps/v1')],
    'different',
    'Deployment web',
  ],
  [
    'the order of a list',
    [SERVICE],
    [manifest('Service', 'web', { spec: { ports: [{ port: 443 }, { port: 80 }] } })],
    'different',
    'Service web',
  ],
  [
    'null and absent are not one: the cluster may tell them apart',
    [SERVICE],
    [manifest('Service', 'web', { spec: { ports: [{ port: 80 }, { port: 443 }] }, status: null })],
    'different',
  ],
  ['text and number', [manifest('A', 'a', { v: 1 })], [manifest('A', 'a', { v: '1' })], 'different'],
  ['one more in the wanted one', BOTH, [SERVICE], 'different', 'Deployment web is only in the wanted one'],
  [
    'one more in the observed one',
    [SERVICE],
    BOTH,
    'different',
    'Deployment web is only in the observed one',
  ],
  ['a hook is missing', [...BOTH, HOOK], BOTH, 'different', 'Job smoke-'],
  ['another group', [manifest('A', 'a', {}, 'x/v1')], [manifest('A', 'a', {}, 'y/v1')], 'different'],
  ['another version', [manifest('A', 'a', {}, 'x/v1')], [manifest('A', 'a', {}, 'x/v2')], 'different'],
  [
    'one twice, in another order: the last wins',
    [manifest('A', 'a', { v: 1 }), manifest('A', 'a', { v: 2 })],
    [manifest('A', 'a', { v: 2 }), manifest('A', 'a', { v: 1 })],
    'different',
  ],
  ['one twice against once', [SERVICE, SERVICE], [SERVICE], 'different'],
  ['a Secret, whose data is blanked', [...BOTH, SECRET], [...BOTH, SECRET], 'unknown', 'Secret password'],
  ['a Secret and a difference', [...BOTH, SECRET], [SERVICE, SECRET], 'different'],
  [
    'a Secret that has another key',
    [SECRET],
    [manifest('Secret', 'password', { data: { other: '++++++++' } })],
    'different',
  ],
  [
    'a Secret in a List',
    [JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [JSON.parse(SECRET)] })],
    [JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [JSON.parse(SECRET)] })],
    'unknown',
  ],
  [
    'a Secret of another group is none',
    [manifest('Secret', 'a', {}, 'acme.io/v1')],
    [manifest('Secret', 'a', {}, 'acme.io/v1')],
    'same',
  ],
  ['no JSON', [SERVICE, '{'], BOTH, 'unknown', 'no JSON'],
  ['no JSON in the other', BOTH, ['no'], 'unknown', 'no JSON'],
  ['no object', ['[]'], ['[]'], 'unknown', 'no kind'],
  ['no kind', ['{"apiVersion":"v1"}'], ['{"apiVersion":"v1"}'], 'unknown', 'no kind'],
  [
    'a number that cannot be told from the next one',
    [manifest('A', 'a', { v: 1 }).replace(':1', ':9007199254740993')],
    [manifest('A', 'a', { v: 1 }).replace(':1', ':9007199254740992')],
    'unknown',
    'too large',
  ],
  [
    'nested too deeply',
    [`{"apiVersion":"v1","kind":"A","v":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
    [SERVICE],
    'unknown',
    'cannot be read',
  ],
  ['nothing at all', [], [], 'unknown', 'no manifests'],
  ['nothing of the wanted one', [], BOTH, 'unknown', 'of the wanted revision'],
  ['nothing of the observed one', BOTH, [], 'unknown', 'of the observed revision'],
]

describe('compareManifests', () => {
  test.each(rows.map(([name, wanted, observed, kind, says]) => ({ name, wanted, observed, kind, says })))(
    '$name: $kind',
    ({ wanted, observed, kind, says }) => {
      const rendering = compareManifests(wanted, observed)
      expect(rendering.kind).toBe(kind)
      if (says !== undefined) expect(JSON.stringify(rendering)).toContain(says)
    },
  )

  test('the message names a few, one line each', () => {
    const many = Array.from({ length: 50 }, (_, i) => manifest('A', `a${i}\nforged`))
    const rendering = compareManifests(many, [SERVICE])
    const message = rendering.kind === 'different' ? rendering.message : ''
    expect(message).toContain('and 48 more')
    expect(message.length).toBeLessThan(500)
    expect(message).not.toContain('\n')
  })

  test('any texts give an answer, the same from both sides, and never "same" for what differs', () => {
    const value = fc.oneof(fc.string(), fc.json(), fc.constantFrom(...BOTH, HOOK, SECRET))
    const manifests = fc.array(value, { maxLength: 4 })
    fc.assert(
      fc.property(manifests, manifests, (a, b) => {
        const forth = compareManifests(a, b)
        expect(compareManifests(b, a).kind).toBe(forth.kind)
        if (forth.kind !== 'same') return
        expect(a.map((one) => JSON.stringify(JSON.parse(one))).sort()).toEqual(
          b.map((one) => JSON.stringify(JSON.parse(one))).sort(),
        )
      }),
      { seed: 20_260_101, numRuns: 1000 },
    )
  })

  test('ten thousand manifests are compared', () => {
    const many = Array.from({ length: 10_000 }, (_, i) => manifest('ConfigMap', `a${i}`, { data: { i } }))
    expect(compareManifests(many, many.toReversed())).toEqual({ kind: 'same' })
  })
})
