/** No regular expression takes more than linear time: a text of others could stop the program for good. */

import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Secrets } from '../lib/secrets.ts'
import { TOKEN } from './faults.ts'
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
  // None is made while the program runs.
  const made = allPatterns()
    .map(({ file }) => file)
    .filter((file, i, all) => all.indexOf(file) === i)
    .filter((file) => /new RegExp\((?!\s*`)/.test(readFileSync(join(import.meta.dir, '..', file), 'utf8')))
  expect(made).toEqual([])
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
    [/<title[^>]*>([^<]*)/i, 4000],
    [/\/+$/, 4000],
    [/^\s*$|\s+x/, 4000],
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

test('what looks for secrets takes linear time, too', () => {
  const secrets = [
    '  a  b  c  d!',
    '&&&&&&&&"',
    `${'<'.repeat(50)}x`,
    'a b'.repeat(100),
    'aaaaaaaaaaaab',
    TOKEN,
  ]
  for (const secret of secrets) {
    const all = new Secrets()
    all.add(secret)
    const pieces = [' ', '&', '<', '%20', '%25', '\\', '&amp;', 'a b', '…', 'aaaa…', 'aaaa%…', '%C3', '\\u00']
    for (const piece of [...pieces, secret.slice(0, -1), `${secret.slice(0, -1)}…`]) {
      const took = (length: number) => {
        const text = piece.repeat(Math.ceil(length / piece.length))
        const began = process.cpuUsage()
        all.mask(text)
        const { user, system } = process.cpuUsage(began)
        return (user + system) / 1000
      }
      const once = Math.max(Math.min(took(10_000), took(10_000)), 5)
      expect(Math.min(took(40_000), took(40_000)) / once).toBeLessThan(9)
    }
  }
})
