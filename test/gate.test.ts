/** The gate that all text of others passes, and that there is no way around it. */

import { describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { Secrets } from '../lib/secrets.ts'
import { createGate } from '../lib/shown.ts'
import { gate, gateWith, offence } from './gate.ts'

describe('the gate', () => {
  test.each([
    ['plain words', 'plain words'],
    [' a\n b\r\n\tc ', 'a b c'],
    ['\u001b[31mred\u001b[0m', '[31mred [0m'],
    ['a\u202eb\u2066c\u200bd\ufeffe\u00adf', 'abcdef'],
    ['a\u2028b\u2029c\u0085d', 'a b c d'],
    ['##vso[task.complete]', '# #vso[task.complete]'],
    ['x ##[error]y ###[z]', 'x # #[error]y ## #[z]'],
    ['#\u200b#[error]', '# #[error]'],
    ['::error file=a::b', ': :error file=a::b'],
    ['see ::add-mask::x', 'see : :add-mask::x'],
    ['x::stop-commands::y', 'x: :stop-commands::y'],
    // What is none stays as it is.
    ['[::1]:8443', '[::1]:8443'],
    ['[::ffff:7f00:1]:8443', '[::ffff:7f00:1]:8443'],
    ['[::error]x', '[: :error]x'],
    ['std::bad_alloc', 'std::bad_alloc'],
    ['arn:aws:s3:::bucket', 'arn:aws:s3:::bucket'],
    ['issue ##12, C##', 'issue ##12, C##'],
    ['日本語 💥 é', '日本語 💥 é'],
  ])('%j', (text, passed) => {
    expect<string>(gate(text)).toBe(passed)
  })

  test('cuts, never inside a character', () => {
    expect<string>(gate('a'.repeat(10), 4)).toBe('aaaa…')
    expect<string>(gate('💥'.repeat(10), 3)).toBe('💥…')
    expect(gate('a'.repeat(100_000_000)).length).toBeLessThan(5000)
  })

  test.each([4000, 60_000, 65_500, 65_536, 70_000])('cuts after it masks, also %d blanks in', (blanks) => {
    const secret = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJrcGNlYSJ9'
    const passed = gateWith(secret)(`${' '.repeat(blanks)}${secret}`)
    for (let i = 0; i + 8 <= secret.length; i++) expect(passed).not.toContain(secret.slice(i, i + 8))
  })

  const anything = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc
      .array(
        fc.oneof(
          fc.constantFrom(
            '#',
            '##',
            '[',
            'vso[',
            '::',
            ':',
            'error',
            'add-mask',
            ' ',
            '\n',
            '\u200b',
            '\u001b',
            'x',
          ),
          fc.string({ unit: 'binary', maxLength: 2 }),
        ),
      )
      .map((parts) => parts.join('')),
  )

  test('whatever passes it can do nothing, and passes it again as it is', () => {
    fc.assert(
      fc.property(anything, (text) => {
        const passed = gate(text)
        expect(offence(passed)).toBeUndefined()
        expect(gate(passed)).toBe(passed)
      }),
      { numRuns: 5000, seed: 20_260_101 },
    )
  })

  test('a secret does not, in whatever way it is written', () => {
    const escapes = [
      (text: string) => text,
      (text: string) => JSON.stringify(text).slice(1, -1),
      encodeURIComponent,
      (text: string) => new URLSearchParams({ x: text }).toString().slice(2),
      Bun.escapeHTML,
    ]
    fc.assert(
      fc.property(
        fc.stringMatching(/^[!-~é][ -~é]{6,30}[!-~é]$/),
        fc.constantFrom(...escapes),
        (secret, written) => {
          const secrets = new Secrets()
          secrets.add(secret)
          const passed = createGate(secrets)(`you sent |${written(secret)}|`)
          expect<string>(passed).toBe('you sent |***|')
        },
      ),
      { numRuns: 2000, seed: 20_260_101 },
    )
  })
})

describe('there is no way around it', () => {
  const sources = [
    'main.ts',
    ...readdirSync(join(import.meta.dir, '../lib')).map((file) => `lib/${file}`),
  ].map((file) => ({ file, source: readFileSync(join(import.meta.dir, '..', file), 'utf8') }))
  const filesWith = (pattern: RegExp) =>
    sources.filter(({ source }) => pattern.test(source)).map(({ file }) => file)

  test('text becomes fit to be shown in one module only', () => {
    expect(filesWith(/\bas (?:unknown as )?Shown|<Shown>/)).toEqual(['lib/shown.ts'])
  })
  test('what the program claims to be its own is little', () => {
    const claims = sources.flatMap(({ file, source }) =>
      [...source.matchAll(/\bours\(.*/g)].map(([claim]) => `${file} ${claim.replace(/`.*/, '`')}`),
    )
    expect(claims.filter((claim) => !claim.startsWith('lib/shown.ts')).sort()).toEqual([
      "lib/completion.ts ours(shell === undefined ? '' : completionScript(shell))",
      'lib/manifest.ts ours(`',
      "lib/pages.ts ours(readFileSync(PAGE_FILES[page], 'utf8'))",
      'lib/progress.ts ours(date.toISOString())',
      'lib/report.ts ours(formatDuration(durationSeconds * 1000))',
      'main.ts ours(`',
      'main.ts ours(`',
      'main.ts ours(help().formatCommandHelp(command)), rest.length === 1))',
      'main.ts ours(help().formatHelp(version)), rest.length === 0))',
      'main.ts ours(styleText(style, text, { validateStream: false }))',
    ])
  })
  test('nothing writes but what takes such text only', () => {
    const writers =
      /\bwrite(?:File)?Sync\b|\bappendFile|\bconsole\.|process\.std(?:out|err)\.write|Bun\.write\b|\bcreateWriteStream/
    expect(filesWith(writers).sort()).toEqual(['lib/files.ts', 'lib/output.ts'])
    for (const { file, source } of sources.filter(({ file }) => /files|output/.test(file)))
      for (const [signature] of source.matchAll(/^export function (?:print|toStderr|write\w+)\([^)]*\)/gm))
        expect(`${file} ${signature}`).toContain('text: Shown')
  })
})
