/** The README and the pages that it leads to say what the program does. */

import { describe, expect, test } from 'bun:test'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { formatHelp, formatSettingsTable } from '../lib/help.ts'
import { resultSchema } from '../lib/result-schema.ts'
import { settingEntries } from '../lib/settings.ts'
import { devDependencies, scripts, version } from '../package.json'

const ROOT = join(import.meta.dir, '..')
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8')
const readme = read('README.md')

test('docs/settings.md has the table of the program (bun run docs writes it)', () => {
  expect(read('docs/settings.md')).toContain(`-->\n${formatSettingsTable()}\n<!-- /settings -->`)
})

test('the JSON result in docs/output.md is one that the schema takes', () => {
  const [, json = ''] = /```json\n([\s\S]*?)```/.exec(read('docs/output.md')) ?? []
  expect(() => resultSchema.parse(JSON.parse(json))).not.toThrow()
})

describe('README', () => {
  test('has a thousand words at most, as wc counts them', () => {
    expect(readme.split(/\s+/).filter((word) => word !== '').length).toBeLessThanOrEqual(1000)
  })

  test('leads to every page of docs/', () => {
    const pages = readdirSync(join(ROOT, 'docs')).filter((file) => file.endsWith('.md'))
    expect(pages.filter((file) => !readme.includes(`](docs/${file}`))).toEqual([])
  })

  test('names the checks that there are, in their order', () => {
    const section = readme.split('## What is verified')[1]?.split('\n### ')[0] ?? ''
    const codes: readonly string[] =
      resultSchema.shape.applications.element.shape.checks.element.shape.code.options
    expect([...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, code = '']) => code)).toEqual([...codes])
  })

  test('has a section on security: what is defended against, what is not, and what of the runtime runs code', () => {
    const section = readme.split('## Security')[1]?.split('\n## ')[0] ?? ''
    for (const part of ['**Defended against**', '**Not**', '`BUN_OPTIONS`', '`BUN_BE_BUN`', '`BUN_INSPECT*`'])
      expect(section).toContain(part)
    for (const part of ['`BUN_JSC_*`', 'docs/security.md#variables-that-the-runtime-obeys'])
      expect(section).toContain(part)
  })

  test('says that npx trusts npm for Bun itself', () => {
    expect(readme).toContain('for Bun itself, `npx` trusts npm')
  })

  test('its commands exist, with the version of Bun that is pinned', () => {
    const commands = [...readme.matchAll(/npx --yes bun@([\d.]+) run ([a-z:]+)/g)]
    expect(commands.length).toBeGreaterThanOrEqual(2)
    for (const [, bun, script = ''] of commands) {
      expect(bun).toBe(devDependencies.bun)
      expect(Object.keys(scripts)).toContain(script)
    }
    expect(read('.ci/run')).toContain(`npx --yes bun@${devDependencies.bun} run ci`)
  })

  test('the cases where other gates are wrong are tests of these names', () => {
    const section = readme.split('### Where other gates are wrong')[1]?.split('\n## ')[0] ?? ''
    const rows = [...section.matchAll(/^\|([^|]+)\|/gm)].slice(2)
    const cases = rows.map(([, name = '']) => name.replace(/ ✓$/, ''))
    const tests = read('test/peers.test.ts')
    expect(cases).toHaveLength(16)
    for (const name of cases) expect(tests).toContain(`'${name}`)
  })
})

test.each(['README.md', 'CONTRIBUTING.md'])('%s: its links to files lead somewhere', (page) => {
  const text = readFileSync(join(ROOT, page), 'utf8')
  for (const [, target = ''] of text.matchAll(/\]\((?!https?:|#)([^)#]+)/g))
    expect([target, existsSync(join(ROOT, dirname(page), target))]).toEqual([target, true])
})

describe('--help', () => {
  const help = formatHelp(version)
  test('names every variable and every flag', () => {
    for (const [, { variables, flag, short }] of settingEntries) {
      for (const variable of variables) expect(help).toContain(variable)
      if (flag !== undefined) expect(help).toMatch(new RegExp(`--(\\[no-\\])?${flag}\\b`))
      if (short !== undefined) expect(help).toContain(`-${short}, --`)
    }
  })
})
