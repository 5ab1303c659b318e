/** The README says what the program does. */

import { describe, expect, test } from 'bun:test'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { formatHelp, formatSettingsTable } from '../lib/help.ts'
import { resultSchema } from '../lib/result-schema.ts'
import { settingEntries } from '../lib/settings.ts'
import { devDependencies, scripts, version } from '../package.json'

const ROOT = join(import.meta.dir, '..')
const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')

describe('README', () => {
  test('its table of settings is the one of the program (bun run docs writes it)', () => {
    expect(readme).toContain(`-->\n${formatSettingsTable()}\n<!-- /settings -->`)
  })

  test('its JSON result is one that the schema takes', () => {
    const [, json = ''] = /```json\n([\s\S]*?)```/.exec(readme) ?? []
    expect(() => resultSchema.parse(JSON.parse(json))).not.toThrow()
  })

  test('its commands exist, with the version of Bun that is pinned', () => {
    const commands = [...readme.matchAll(/npx --yes bun@([\d.]+) run ([a-z:]+)/g)]
    expect(commands.length).toBeGreaterThanOrEqual(2)
    for (const [, bun, script = ''] of commands) {
      expect(bun).toBe(devDependencies.bun)
      expect(Object.keys(scripts)).toContain(script)
    }
    expect(readFileSync(join(ROOT, '.ci/run'), 'utf8')).toContain(
      `npx --yes bun@${devDependencies.bun} run ci`,
    )
  })

  test('the cases where other gates are wrong are tests of these names', () => {
    const section = readme.split('### Where other gates are wrong')[1]?.split('\n## ')[0] ?? ''
    const cases = [...section.matchAll(/^\| ([^|]+?) \|/gm)].map(([, name = '']) => name).slice(2)
    const tests = readFileSync(join(ROOT, 'test/peers.test.ts'), 'utf8')
    expect(cases).toHaveLength(12)
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
