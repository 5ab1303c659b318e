/** `--help` and the table of docs/settings.md, both from the one table. */

import { type Setting, settingEntries } from './settings.ts'

/** The usage text, at most a hundred columns wide. */
export function formatHelp(version: string): string {
  const groups = Map.groupBy(settingEntries, ([, { group }]) => group)
  return [
    `kpcea ${version} - has the release arrived on an Argo CD that Kargo cannot see?`,
    '',
    'Usage: kpcea [flags]                    each flag or its variable [default]; flags win; *: no flag',
    '       kpcea schema                     the JSON Schema of the result',
    '       kpcea completion bash|zsh|fish',
    '       kpcea --version',
    ...[...groups].flatMap(([group, entries]) => [
      '',
      `${group}:`,
      ...entries.flatMap(([, setting]) => helpLines(setting)),
    ]),
    '',
    'Exit code 0: verified; 1: anything else. More: README.md, docs/',
    '',
    'On a workstation, after argocd login:  kpcea --app web --revision 1a2b3c4',
    'As a Job of Kargo, by its variables:   ARGOCD_SERVER, ARGOCD_API_TOKEN, ARGOCD_APP_NAME,',
    '                                       KPCEA_TARGET_REVISION, KPCEA_TIMEOUT=10m',
    'As a step of Argo Workflows:           kpcea -l team=shop --image shop:1.2 --result-file /tmp/r.json',
    '',
  ].join('\n')
}

const FLAG_COLUMN = 32
const VARIABLE_COLUMN = 26
const TEXT_WIDTH = 100 - FLAG_COLUMN - VARIABLE_COLUMN

function helpLines(setting: Setting): readonly string[] {
  const { variables, kind, short, placeholder, default: fallback } = setting
  const flag = flagText(setting)
  const spelt =
    flag === undefined
      ? '*'
      : [
          ...(short === undefined ? [] : [`-${short},`]),
          flag,
          ...(placeholder === undefined ? [] : [placeholder]),
        ].join(' ')
  const text = `${setting.help}${fallback === undefined || kind === 'boolean' ? '' : ` [${fallback}]`}`
  const left = `  ${spelt}`
  const cells = left.length < FLAG_COLUMN ? [left] : [left, '']
  const names = [...variables]
  const texts = wrap(text, TEXT_WIDTH)
  const rows = Math.max(cells.length - 1 + Math.max(names.length, texts.length), 1)
  return Array.from({ length: rows }, (_, i) => {
    const at = i - (cells.length - 1)
    const row =
      (cells[i] ?? '').padEnd(FLAG_COLUMN) + (names[at] ?? '').padEnd(VARIABLE_COLUMN) + (texts[at] ?? '')
    return row.trimEnd()
  })
}

function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && `${last} ${word}`.length <= width) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}

function flagText({ flag, kind, default: fallback }: Setting): string | undefined {
  if (flag === undefined) return undefined
  return kind === 'boolean' && fallback !== 'false' ? `--[no-]${flag}` : `--${flag}`
}

/** The table of docs/settings.md, in Markdown. */
export function formatSettingsTable(): string {
  const rows = settingEntries.map(([, setting]) => {
    const { variables, kind, short, help, note, default: fallback } = setting
    const flag = flagText(setting)
    const flags =
      flag === undefined
        ? 'none: secrets are no flags'
        : [`\`${flag}\``, ...(short === undefined ? [] : [`\`-${short}\``])].join(', ')
    const repeatable = kind === 'list' ? ' (repeatable)' : ''
    const cell = (text: string) => text.replaceAll('|', '\\|')
    return `| ${variables.map((v) => `\`${v}\``).join(', ')} | ${flags}${repeatable} | ${fallback === undefined ? '' : `\`${fallback}\``} | ${cell(note === undefined ? help : `${help}; ${note}`)} |`
  })
  return ['| variable | flag | default | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n')
}
