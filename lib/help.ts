/** `--help` and the README's table of settings, both from the one table. */

import { type Setting, settingEntries } from './settings.ts'

/** The usage text. */
export function formatHelp(version: string): string {
  const groups = new Map<string, string[]>()
  for (const [, setting] of settingEntries) {
    const lines = groups.get(setting.group) ?? []
    groups.set(setting.group, [...lines, ...helpLines(setting)])
  }
  return [
    `kpcea ${version} - has the release arrived on an Argo CD that Kargo cannot see?`,
    '',
    'Usage: kpcea [flags]     Flags win over variables; secrets are variables or files, never flags.',
    '',
    '  ARGOCD_API_TOKEN=… kpcea --server argocd.example.com --app web --revision 1a2b3c4',
    ...[...groups].flatMap(([group, lines]) => ['', `${group}:`, ...lines]),
    '',
    'Others:',
    '  -h, --help                                       show this',
    '  -v, --version                                    show the version',
    '',
    'Exit code: 0 verified, 1 anything else.',
    '',
  ].join('\n')
}

const FLAG_COLUMN = 50

function helpLines(setting: Setting): readonly string[] {
  const { variables, kind } = setting
  const flag = flagText(setting)
  const left =
    flag === undefined
      ? `      ${variables.join(', ')}`
      : `${setting.short === undefined ? '      ' : `  -${setting.short}, `}${flag}${setting.placeholder === undefined ? '' : ` ${setting.placeholder}`}`
  const variable = flag === undefined ? '' : ` [${variables.join(', ')}]`
  const fallback = setting.default === undefined || kind === 'boolean' ? '' : ` (default ${setting.default})`
  const text = `${setting.help}${fallback}${variable}`
  return left.length < FLAG_COLUMN
    ? [`${left.padEnd(FLAG_COLUMN)} ${text}`]
    : [left, `${' '.repeat(FLAG_COLUMN)} ${text}`]
}

function flagText({ flag, kind, default: fallback }: Setting): string | undefined {
  if (flag === undefined) return undefined
  return kind === 'boolean' && fallback === 'true' ? `--[no-]${flag}` : `--${flag}`
}

/** The README's table of settings, in Markdown. */
export function formatSettingsTable(): string {
  const rows = settingEntries.map(([, setting]) => {
    const { variables, kind, short, help, default: fallback } = setting
    const flag = flagText(setting)
    const flags =
      flag === undefined
        ? 'none: secrets are no flags'
        : [`\`${flag}\``, ...(short === undefined ? [] : [`\`-${short}\``])].join(', ')
    const repeatable = kind === 'list' ? ' (repeatable)' : ''
    const cell = (text: string) => text.replaceAll('|', '\\|')
    return `| ${variables.map((v) => `\`${v}\``).join(', ')} | ${flags}${repeatable} | ${fallback === undefined ? '' : `\`${fallback}\``} | ${cell(help)} |`
  })
  return ['| variable | flag | default | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n')
}
