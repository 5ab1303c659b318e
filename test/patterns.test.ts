/** No regular expression takes more than linear time: a text of others could stop the program for good. */

import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Secrets } from '../lib/secrets.ts'
import { allPatterns, patternsOf, worstOf } from './patterns.ts'

test('all of them are found', () => {
  const found = allPatterns().map(({ file, pattern }) => `${file} ${pattern}`)
  for (const one of [
    'lib/shown.ts /##(?=\\w{0,40}\\[)/g',
    'lib/text.ts /\\p{Cf}+/gu',
    'lib/address.ts /[\\s\\\\]/',
  ])
    expect(found).toContain(one)
  expect(found.some((one) => one.startsWith('lib/settings.ts /^[A-Za-z0-9](?:'))).toBe(true)
  expect(found.length).toBeGreaterThan(50)
  // Those that are made while the program runs: of secrets, which are tried below.
  const made = allPatterns()
    .map(({ file }) => file)
    .filter((file, i, all) => all.indexOf(file) === i)
    .filter((file) => /new RegExp\((?!\s*`)/.test(readFileSync(join(import.meta.dir, '..', file), 'utf8')))
  expect(made).toEqual(['lib/secrets.ts'])
})

test('none takes more than linear time for long repetitions of its own parts', () => {
  const { exitCode, stdout } = Bun.spawnSync([process.execPath, join(import.meta.dir, 'patterns.ts')], {
    timeout: 55_000,
    killSignal: 'SIGKILL',
  })
  const said = stdout.toString().trim().split('\n')
  expect(exitCode === 0 ? 'linear' : said.slice(-2).join(' ')).toBe('linear')
}, 60_000)

describe('one that does is found', () => {
  test.each([
    [/<title[^>]*>([^<]*)/i, 8000],
    [/\/+$/, 8000],
    [/^\s*$|\s+x/, 8000],
    [/::(?=\w+.*::)/g, 8000],
    // Short enough for what is worse than quadratic.
    [/a+a+b/, 600],
  ] as const)('%p', (pattern, length) => {
    expect(worstOf(pattern, length)).toBeDefined()
  })

  test('in a source, whatever is around it', () => {
    const source = [
      'const a = b / c / d // /no/',
      "const e = x.replace(/a[/]\\/b/g, '/no/') /* /no/ */",
      `return /c/.test(\`$\{y.match(/d/u)} /no/\`)`,
    ].join('\n')
    expect(patternsOf('x', source).map(({ pattern }) => `${pattern}`)).toEqual(['/a[/]\\/b/g', '/c/', '/d/u'])
  })
})

test('those that are made of secrets are linear, too', () => {
  for (const secret of ['  a  b  c  d!', '&&&&&&&&"', `${'<'.repeat(50)}x`, 'a b'.repeat(100)]) {
    const secrets = new Secrets()
    secrets.add(secret)
    const took = (length: number) => {
      let cpu = Number.POSITIVE_INFINITY
      for (const piece of [' ', '&', '<', '%20', 'a b', secret.slice(0, -1)]) {
        const text = piece.repeat(Math.ceil(length / piece.length))
        const began = process.cpuUsage()
        secrets.mask(text)
        const { user, system } = process.cpuUsage(began)
        cpu = Math.min(cpu, (user + system) / 1000)
      }
      return cpu
    }
    const once = Math.max(took(20_000), 5)
    expect(took(80_000) / once).toBeLessThan(9)
  }
})
