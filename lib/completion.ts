/** Completion scripts for shells, made from the table of settings. */

import { type Setting, settingEntries } from './settings.ts'

/** The shells that there are scripts for. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const

/** A shell that there is a script for. */
export type Shell = (typeof SHELLS)[number]

const COMMANDS = ['schema', 'completion'] as const

interface Flag {
  readonly flag: string
  readonly setting: Setting
}

const FLAGS: readonly Flag[] = settingEntries.flatMap(([, setting]) =>
  setting.flag === undefined ? [] : [{ flag: setting.flag, setting }],
)

const takesFile = ({ flag }: Flag): boolean => flag.endsWith('-file') || flag === 'termination-log'

/** The script for a shell, to be sourced by it. */
export function completionScript(shell: Shell): string {
  return { bash, zsh, fish }[shell]()
}

function words({ flag, setting }: Flag): readonly string[] {
  if (setting.kind === 'boolean') return [`--${flag}`, `--no-${flag}`]
  return setting.short === undefined ? [`--${flag}`] : [`--${flag}`, `-${setting.short}`]
}

function bash(): string {
  const cases = FLAGS.filter(({ setting }) => setting.kind !== 'boolean').map((one) => {
    const reply = takesFile(one)
      ? 'COMPREPLY=($(compgen -f -- "$current"))'
      : `COMPREPLY=($(compgen -W "${(one.setting.values ?? []).join(' ')}" -- "$current"))`
    return `    ${words(one).join('|')}) ${reply}; return ;;`
  })
  return [
    '# kpcea completion bash',
    '_kpcea() {',
    '  local current="$2" previous="$3"',
    '  case "$previous" in',
    ...cases,
    `    completion) COMPREPLY=($(compgen -W "${SHELLS.join(' ')}" -- "$current")); return ;;`,
    '  esac',
    `  COMPREPLY=($(compgen -W "${[...FLAGS.flatMap((one) => words(one).filter((word) => word.startsWith('--'))), '--help', '--version', ...COMMANDS].join(' ')}" -- "$current"))`,
    '}',
    'complete -F _kpcea kpcea',
    '',
  ].join('\n')
}

function zsh(): string {
  const quote = (text: string) =>
    text.replaceAll("'", "'\\''").replaceAll('[', '\\[').replaceAll(']', '\\]').replaceAll(':', '\\:')
  const specs = FLAGS.flatMap((one) => {
    const { flag, setting } = one
    const repeat = setting.kind === 'list' ? '*' : ''
    if (setting.kind === 'boolean') return words(one).map((word) => `'${word}[${quote(setting.help)}]'`)
    const action = takesFile(one)
      ? '_files'
      : setting.values === undefined
        ? ' '
        : `(${setting.values.join(' ')})`
    return words(one).map((word) => `'${repeat}${word}[${quote(setting.help)}]:${flag}:${action}'`)
  })
  return [
    '#compdef kpcea',
    '# kpcea completion zsh',
    '_kpcea() {',
    '  _arguments \\',
    ...specs.map((spec) => `    ${spec} \\`),
    "    '(-h --help)'{-h,--help}'[show help]' \\",
    "    '(-V --version)'{-V,--version}'[show the version]' \\",
    `    '1:command:(${COMMANDS.join(' ')})' \\`,
    `    '2:shell:(${SHELLS.join(' ')})'`,
    '}',
    'compdef _kpcea kpcea',
    '',
  ].join('\n')
}

function fish(): string {
  const quote = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
  return [
    '# kpcea completion fish',
    'complete -c kpcea -f',
    `complete -c kpcea -n __fish_use_subcommand -a ${quote(COMMANDS.join(' '))}`,
    `complete -c kpcea -n '__fish_seen_subcommand_from completion' -a ${quote(SHELLS.join(' '))}`,
    ...FLAGS.flatMap((one) => {
      const { flag, setting } = one
      const description = `-d ${quote(setting.help)}`
      if (setting.kind === 'boolean')
        return words(one).map((word) => `complete -c kpcea -l ${word.slice(2)} ${description}`)
      const short = setting.short === undefined ? '' : ` -s ${setting.short}`
      const values = takesFile(one)
        ? '-r -F'
        : setting.values === undefined
          ? '-x'
          : `-x -a ${quote(setting.values.join(' '))}`
      return [`complete -c kpcea -l ${flag}${short} ${values} ${description}`]
    }),
    "complete -c kpcea -s h -l help -d 'show help'",
    "complete -c kpcea -s V -l version -d 'show the version'",
    '',
  ].join('\n')
}
