/** `--help` and the table of docs/settings.md, both from the one table. */

import { COMMANDS, type Command, KINDS, PAGES, SHELLS } from './commands.ts'
import { type Setting, settingEntries } from './settings.ts'

/** The usage text, at most eighty columns wide. */
export function formatHelp(version: string): string {
  const groups = Map.groupBy(settingEntries, ([, { group }]) => group)
  return [
    `kpcea ${version}: has the release arrived on an Argo CD that Kargo cannot see?`,
    '',
    'Usage: kpcea [flags]            verifies; exit code 0: verified, else 1',
    ...COMMANDS.map((command) => `       kpcea ${USAGE[command].padEnd(19)}${SUMMARY[command]}`),
    '       kpcea --version',
    '',
    'On a workstation, after argocd login:',
    '  kpcea --app web --revision 1a2b3c4',
    '  kpcea --app https://argocd.example.com/applications/argocd/web --image web:2',
    'As a Job of Kargo, by its variables (kpcea manifest job … prints one):',
    '  ARGOCD_SERVER, ARGOCD_API_TOKEN, ARGOCD_APP_NAME, KPCEA_TARGET_REVISION',
    '',
    'A flag wins over its variable, which stands below it; [its default].',
    ...[...groups].flatMap(([group, entries]) => [
      '',
      `${group}:`,
      ...entries.flatMap(([, setting]) => helpLines(setting)),
    ]),
    '',
    'More, from this program itself: kpcea docs PAGE, and PAGE is one of',
    `  ${PAGES.join(', ')}`,
    '',
  ].join('\n')
}

/** How a command is written, in the words behind the program's name. */
const USAGE: Readonly<Record<Command, string>> = {
  doctor: 'doctor [flags]',
  manifest: 'manifest KIND …',
  docs: 'docs PAGE',
  schema: 'schema',
  completion: 'completion SHELL',
}

const SUMMARY: Readonly<Record<Command, string>> = {
  doctor: 'would it work? only reads',
  manifest: 'prints what runs the same in Kubernetes',
  docs: 'shows a page of the documentation',
  schema: 'the JSON Schema of the result',
  completion: 'the completions of a shell',
}

const DETAILS: Readonly<Record<Command, readonly string[]>> = {
  doctor: [
    'Takes the flags and variables of a verification, needs neither applications nor',
    'a revision, and says in a line each what works and what to do about the rest.',
    'Exit code 0: everything works.',
  ],
  manifest: [
    `KIND is ${KINDS.slice(0, -1).join(', ')} or ${KINDS.at(-1)}.`,
    'Takes the flags and variables of a verification, and prints the manifest that',
    'runs the same. Secrets are not in it; it names the Secret that has to hold them.',
  ],
  docs: wrap(`PAGE is ${PAGES.slice(0, -1).join(', ')} or ${PAGES.at(-1)}.`, 80),
  schema: [],
  completion: [
    `SHELL is ${SHELLS.slice(0, -1).join(', ')} or ${SHELLS.at(-1)}. To load them:`,
    '  bash         source <(kpcea completion bash)',
    '  zsh          source <(kpcea completion zsh)',
    '  fish         kpcea completion fish | source',
    '  powershell   kpcea completion powershell | Out-String | Invoke-Expression',
  ],
}

/** The usage of one command. */
export function formatCommandHelp(command: Command): string {
  return [
    `Usage: kpcea ${USAGE[command]}`,
    '',
    `${sentenceCase(SUMMARY[command])}.`,
    ...DETAILS[command],
    '',
    'All flags: kpcea --help',
    '',
  ].join('\n')
}

function sentenceCase(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

const FLAG_COLUMN = 33
const TEXT_WIDTH = 80 - FLAG_COLUMN

function helpLines(setting: Setting): readonly string[] {
  const { variables, kind, short, placeholder, default: fallback } = setting
  const flag = flagText(setting)
  const text = `${setting.help}${fallback === undefined || kind === 'boolean' ? '' : ` [${fallback}]`}`
  const lines = [...wrap(text, TEXT_WIDTH), ...variables]
  // A secret has no flag: a command line can be read by others.
  if (flag === undefined)
    return [
      `  ${variables[0]}`.padEnd(FLAG_COLUMN) + lines[0],
      ...variables.slice(1).map((name) => `  ${name}`),
    ]
  const spelt = `  ${short === undefined ? '' : `-${short}, `}${flag}${placeholder === undefined ? '' : ` ${placeholder}`}`
  const first = spelt.length < FLAG_COLUMN ? [spelt.padEnd(FLAG_COLUMN) + lines.shift()] : [spelt]
  return [...first, ...lines.map((line) => ' '.repeat(FLAG_COLUMN) + line)]
}

function wrap(text: string, width: number): string[] {
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
