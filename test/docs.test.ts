/** The pages: what they say about settings, reasons, checks and modules is held against the code. */

import { describe, expect, test } from 'bun:test'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { resultSchema } from '../lib/result-schema.ts'
import { type Setting, settingEntries } from '../lib/settings.ts'
import definitions from './definitions.json'
import { blocks, FLAGS, flagsIn, pages, VARIABLES } from './examples-manifests.ts'

const ROOT = join(import.meta.dir, '..')
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8')

/** The parts of a page by their headings of one level, in order. */
function sections(text: string, level: number): ReadonlyMap<string, string> {
  const mark = `\n${'#'.repeat(level)} `
  const parts = `\n${withoutBlocks(text)}`.split(mark).slice(1)
  return new Map(
    parts.map((part): [string, string] => {
      const [heading = '', ...body] = part.split('\n')
      return [heading.replaceAll('`', ''), body.join('\n').split(/\n#{1,6} /)[0] ?? '']
    }),
  )
}

function withoutBlocks(text: string): string {
  return text.replace(/^ *```[\s\S]*?^ *```$/gm, '')
}

/** The first cells of the rows of a table, below a heading. */
function firstColumn(section: string): readonly string[] {
  return [...section.matchAll(/^\| (.*?) \|/gm)].map(([, cell = '']) => cell.trim()).slice(2)
}

describe('docs/settings.md', () => {
  const page = read('docs/settings.md')
  const found = sections(page, 3)

  test('has one section for each setting, in the order of the table', () => {
    expect([...found.keys()]).toEqual(settingEntries.map(([, { variables }]) => variables[0] ?? ''))
  })

  test('has the groups of the table', () => {
    const groups = [...new Set(settingEntries.map(([, { group }]) => group as string))]
    expect([...sections(page, 2).keys()].filter((heading) => groups.includes(heading))).toEqual(groups)
  })

  for (const [name, setting] of settingEntries as readonly (readonly [string, Setting])[]) {
    const { variables, flag, short, kind, secret } = setting
    const section = found.get(variables[0] ?? '') ?? ''
    test(`says of ${name} how it is given, and what it is where it is not`, () => {
      for (const variable of variables.slice(1)) expect(section).toContain(`\`${variable}\``)
      if (flag === undefined) expect(section.trim()).toStartWith('No flag.')
      else expect(section.trim()).toStartWith(`\`--${flag}`)
      if (short !== undefined) expect(section).toContain(`\`-${short}\``)
      if (setting.default !== undefined) expect(section).toContain(`default \`${setting.default}\``)
      if (kind === 'list') expect(section).toContain('repeatable')
      if (secret === true && flag !== undefined) expect(section).toContain('secret')
    })
  }
})

/** Messages that are put together of parts. */
const COMPOSED: Readonly<Record<string, readonly string[]>> = {
  'answered with a web page': [' answered with $', '`a web page$'],
  'redirects to https://…': [' redirects to $'],
  'refused the token': [' refused $', '`the token ('],
}

describe('docs/troubleshooting.md', () => {
  const page = read('docs/troubleshooting.md')

  test('has one section for each reason but Verified', () => {
    const reasons: readonly string[] = resultSchema.shape.reason.options
    expect([...sections(page, 3).keys()]).toEqual(
      reasons.filter((reason) => reason !== 'Verified').sort(inPage),
    )
    function inPage(a: string, b: string): number {
      return page.indexOf(`### \`${a}\``) - page.indexOf(`### \`${b}\``)
    }
  })

  test('quotes only messages that the gate can give', () => {
    const sources = readdirSync(join(ROOT, 'lib'))
      .map((file) => read(`lib/${file}`))
      .join('\n')
      .replace(/' \+\s+[`']/g, '')
    const reasons: readonly string[] = resultSchema.shape.reason.options
    const quotes = firstColumn(sections(page, 2).get('First run') ?? '')
      .flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, quote = '']) => quote))
      .filter((quote) => !reasons.includes(quote) && !/^[A-Z_]+=/.test(quote))
    const inReasons = [...sections(page, 3).values()].flatMap((section) =>
      [...section.matchAll(/^- `([^`]+)`:/gm)].map(([, quote = '']) => quote),
    )
    expect(quotes.length + inReasons.length).toBeGreaterThan(15)
    const missing: string[] = []
    for (const quote of [...quotes, ...inReasons])
      for (const piece of COMPOSED[quote] ?? quote.split('…').map((text) => text.trim()))
        if (!sources.includes(piece)) missing.push(quote)
    expect(missing).toEqual([])
  })
})

describe('what a stranger is told', () => {
  /** Where it stands, and words that only a sentence about it has. */
  const told: readonly (readonly [page: string, ...words: readonly string[]])[] = [
    ['docs/kubernetes.md', 'integrationEnabled', 'Kubernetes 1.26', 'podFailurePolicy'],
    ['docs/kubernetes.md', 'duplicate metric name', 'misspelt is dropped', 'No other promotion to the Stage'],
    ['docs/kubernetes.md', 'kargo verify stage', '_Reverify_', 'api.rollouts.logs.urlTemplate'],
    ['docs/kubernetes.md', '--expires-in', 'delete-token', "Changing the account's password revokes"],
    ['docs/kubernetes.md', 'kubectl create -f', 'NodeLocal', 'OpenShift', "parent's health says nothing"],
    ['docs/kubernetes.md', 'is Successful up to Argo Rollouts 1.9', 'Apply it in this order'],
    ['docs/argo-workflows.md', 'lastRetry.exitCode == "3"', 'workflowtaskresults'],
    ['docs/comparison.md', '`web` metric', '`http` step', 'It misses'],
    ['docs/comparison.md', '3.5.1', 'Once, in November 2026', 'bun run conformance'],
    ['docs/costs.md', 'Measured once: Argo CD 3.5.1', 'Trees of resources'],
    [
      'docs/image.md',
      'docker build',
      'docker push',
      'gh attestation verify',
      'SHA256SUMS',
      'imagePullSecrets',
    ],
  ]
  test.each(told)('%s: %s', (page, ...words) => {
    const text = read(page)
    for (const word of words) expect(text).toContain(word)
  })
})

describe('docs/kubernetes.md', () => {
  test('names the versions whose definitions the examples are checked against', () => {
    const names: Readonly<Record<string, string>> = {
      'akuity/kargo': 'Kargo',
      'argoproj/argo-cd': 'Argo CD',
      'argoproj/argo-rollouts': 'Argo Rollouts',
      'argoproj/argo-workflows': 'Argo Workflows',
    }
    const page = read('docs/kubernetes.md')
    for (const { repository, version } of definitions)
      expect(page).toContain(`${names[repository]} ${/^v(\d+\.\d+)/.exec(version)?.[1]}`)
  })
})

describe('docs/verification.md', () => {
  test('has a row for each check, in the order in which they name a verdict', () => {
    const codes: readonly string[] =
      resultSchema.shape.applications.element.shape.checks.element.shape.code.options
    const rows = firstColumn(sections(read('docs/verification.md'), 2).get('The checks') ?? '')
    expect(rows.map((row) => row.replaceAll('`', ''))).toEqual([...codes])
  })
})

describe('CONTRIBUTING.md', () => {
  const map = sections(read('CONTRIBUTING.md'), 2).get('The map') ?? ''

  test('has every module on its map, and none that does not exist', () => {
    const rows = map.split('\n').filter((line) => /^\|.*\| `[a-z-]+\.ts`/.test(line))
    const modules = rows.flatMap((row) => [...(row.split('|')[2] ?? '').matchAll(/`([a-z-]+\.ts)`/g)])
    expect(modules.map(([, file = '']) => file).sort()).toEqual(readdirSync(join(ROOT, 'lib')).sort())
  })
})

describe('every page', () => {
  /** Variables of others, which a page may name. */
  const others = new Set(['ARGOCD_CONFIG_DIR'])

  for (const { file, text } of pages()) {
    test(`${file} names only variables and flags that exist`, () => {
      const names = text.match(/\b(?:KPCEA|ARGOCD)_[A-Z_]*[A-Z]\b/g) ?? []
      expect(names.filter((name) => !VARIABLES.has(name) && !others.has(name))).toEqual([])
      const shells = blocks().filter(
        ({ where, language }) => where.startsWith(`${file}:`) && language !== 'dockerfile',
      )
      const flags = shells.flatMap(({ text: shell }) => flagsIn(shell))
      expect(flags.filter((flag) => !FLAGS.has(flag))).toEqual([])
      const inline = [...withoutBlocks(text).matchAll(/`--([a-z][a-z-]*)/g)].map(([, flag]) => `--${flag}`)
      const foreign = ['--expires-in', '--platform', '--rootpath', '--signer-workflow']
      expect(inline.filter((flag) => !FLAGS.has(flag) && !foreign.includes(flag))).toEqual([])
    })

    test(`${file} links to what is there`, () => {
      for (const [, target = ''] of withoutBlocks(text).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^https?:/.test(target)) continue
        const [path = '', anchor] = target.split('#')
        const linked = path === '' ? file : join(dirname(file), path)
        expect(existsSync(join(ROOT, linked)), `${file} → ${target}`).toBe(true)
        if (anchor === undefined) continue
        const anchors = [...withoutBlocks(read(linked)).matchAll(/^#{1,6} (.*)$/gm)].map(([, heading = '']) =>
          heading
            .toLowerCase()
            .replace(/[^\p{L}\p{N} _-]/gu, '')
            .replaceAll(' ', '-'),
        )
        expect(anchors, `${file} → ${target}`).toContain(anchor)
      }
    })
  }

  test('can be read in ten minutes', () => {
    const words = pages().map(({ file, text }) => [file, withoutBlocks(text).split(/\s+/).length] as const)
    expect(words.filter(([, count]) => count > 2500)).toEqual([])
  })
})
