/** The conformance suite itself, as far as it can be looked at without an Argo CD. */

import { describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EXECUTABLE, temporaryDirectory } from '../executable.ts'
import { Kubernetes } from './kubernetes.ts'
import { judge, type Row, slugOf } from './play.ts'
import { Branch, removeRun } from './repository.ts'
import { serveRepository } from './serve.ts'
import { SITUATIONS } from './situations.ts'
import { formatTable } from './table.ts'

const suite = async (...args: readonly string[]) => {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, 'conformance.ts'), ...args], {
    env: { PATH: process.env.PATH, ARGOCD_API_TOKEN: 'a-token' },
    stdout: 'ignore',
    stderr: 'pipe',
    timeout: 30_000,
  })
  const [code, said] = await Promise.all([child.exited, child.stderr.text()])
  return { code, said }
}

/** A kubeconfig for a server. */
function kubeconfig(server: string): string {
  const file = join(temporaryDirectory(), 'config')
  const config = {
    'current-context': 'c',
    clusters: [{ name: 'c', cluster: { server } }],
    users: [{ name: 'u', user: { token: 'a-token' } }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
  }
  writeFileSync(file, JSON.stringify(config))
  return file
}

describe('it refuses', () => {
  const common = ['--repository', 'http://127.0.0.1:1/x.git', '--executable', EXECUTABLE]

  test('an Argo CD that is not this machine, unless it is named', async () => {
    const config = kubeconfig('https://203.0.113.1:6443')
    const args = ['--server', 'argocd.example.com', '--kubeconfig', config, ...common]
    expect(await suite(...args)).toEqual({
      code: 2,
      said: 'the Argo CD is argocd.example.com, which is not this machine: name it with --yes-on argocd.example.com to have Applications made there\n',
    })
    // Named, and then it is the cluster that is not.
    const { code, said } = await suite(...args, '--yes-on', 'argocd.example.com')
    expect({ code, said }).toMatchObject({
      code: 2,
      said: expect.stringContaining('--yes-on 203.0.113.1:6443'),
    })
  })

  test('to begin without a server, a repository, or a kubeconfig', async () => {
    expect(await suite(...common)).toMatchObject({ code: 2, said: '--server names no Argo CD\n' })
    expect(await suite('--server', 'localhost:1')).toMatchObject({
      code: 2,
      said: expect.stringContaining('--repository'),
    })
    const none = await suite('--server', 'localhost:1', '--kubeconfig', '/nowhere', ...common)
    expect(none).toMatchObject({ code: 2, said: expect.stringContaining('no kubeconfig at /nowhere') })
  })
})

describe('situations', () => {
  test('there are at least twenty-five, each with a name of its own, yes and no', () => {
    const names = SITUATIONS.map(({ name }) => slugOf(name))
    expect(new Set(names).size).toBe(SITUATIONS.length)
    expect(SITUATIONS.length).toBeGreaterThanOrEqual(25)
    for (const expected of ['yes', 'no'])
      expect(SITUATIONS.filter((one) => one.expected === expected).length).toBeGreaterThan(10)
  })
})

describe('an answer', () => {
  const stretches = [{ earliest: 900, seen: 1000, to: 20_000 }]
  const facts = { stretches, soak: 0, late: Number.POSITIVE_INFINITY }
  test.each([
    ['yes', { yes: true, ended: 1005 }, facts, 'right'],
    ['yes', { yes: true, ended: 899 }, facts, 'early yes'],
    ['yes', { yes: true, ended: 1005 }, { ...facts, stretches: [] }, 'early yes'],
    ['yes', { yes: true, ended: 3000 }, { ...facts, soak: 4000 }, 'early yes'],
    ['yes', { yes: true, ended: 5000 }, { ...facts, soak: 4000 }, 'right'],
    ['yes', { yes: true, ended: 9000 }, facts, 'late yes'],
    ['yes', { yes: false, ended: 1005 }, facts, 'wrong no'],
    ['no', { yes: false, ended: 1005 }, facts, 'right'],
    ['no', { yes: false, ended: 1005 }, { ...facts, late: 1000 }, 'late no'],
    ['no', { yes: true, ended: 1005 }, facts, 'wrong yes'],
  ] as const)(
    'where %s is expected and %o was said is judged by %o: %s',
    (expected, answer, given, judgement) => {
      expect(judge(expected, answer, given)).toBe(judgement)
    },
  )
})

test('the table has what each of those asked was worth', () => {
  const rows: readonly Row[] = [
    {
      situation: 'a',
      expected: 'no',
      truth: undefined,
      told: [
        { tool: 'gate', judgement: 'right', reason: 'NotHealthy', after: 12_000 },
        { tool: 'other', judgement: 'wrong yes', reason: '', after: -1400 },
      ],
    },
    { situation: 'b', expected: 'yes', truth: undefined, told: [], problem: 'it broke' },
  ]
  expect(formatTable(rows, ['gate', 'other'])).toBe(
    [
      '| situation | expected | so after | gate | other |',
      '| --- | --- | --- | --- | --- |',
      '| a | no | never | right, NotHealthy, 12s | **wrong yes**, −1.4s |',
      '| b | yes |  | not played: it broke |  |',
      '',
      'gate: 1 right',
      'other: 1 wrong yes',
    ].join('\n'),
  )
})

test('a kubeconfig that runs a program for its credentials is refused', () => {
  const file = join(temporaryDirectory(), 'config')
  const config = {
    'current-context': 'c',
    clusters: [{ name: 'c', cluster: { server: 'https://localhost' } }],
  }
  const users = [{ name: 'u', user: { exec: { command: 'aws' } } }]
  const contexts = [{ name: 'c', context: { cluster: 'c', user: 'u' } }]
  writeFileSync(file, JSON.stringify({ ...config, users, contexts }))
  expect(() => Kubernetes.fromConfig(file)).toThrow('runs a program')
})

test.skipIf(Bun.which('git') === null)(
  'a repository that it serves can be pushed to, and cleaned',
  async () => {
    const directory = temporaryDirectory()
    const served = await serveRepository('127.0.0.1:0', directory)
    const heads = async () => Bun.spawn(['git', 'ls-remote', served.url], { stdout: 'pipe' }).stdout.text()
    const branch = await Branch.begin('conformance/x/y', join(directory, 'y'), served.url)
    const commit = await branch.commit({ 'app/main.yaml': 'kind: ConfigMap\n' }, 'first')
    await branch.push()
    const tag = await branch.tag('release')
    expect(await heads()).toBe(`${commit}\trefs/heads/conformance/x/y\n${commit}\trefs/tags/${tag}\n`)
    const reverted = await branch.revert()
    expect(await branch.at('HEAD')).toBe(reverted)
    const other = await Branch.begin('conformance/x/y-and-more', join(directory, 'more'), served.url)
    const theirs = await other.commit({ 'app/main.yaml': 'kind: Secret\n' })
    await other.push()
    const theirTag = await other.tag('release')
    await branch.remove()
    expect(await heads()).toBe(`${theirs}\trefs/heads/${other.name}\n${theirs}\trefs/tags/${theirTag}\n`)
    await removeRun(served.url, 'x', join(directory, 'rest'))
    expect(await heads()).toBe('')
    await served.stop()
  },
)
