/**
 * Completion scripts for shells, made from the table of settings. They are whole: a shell asks the executable for
 * nothing but the contexts of the argocd CLI, which only it can know.
 */

import { type CliSources, listContexts } from './cli-context.ts'
import { COMMANDS, CONTEXTS, KINDS, PAGES, SHELLS, type Shell } from './commands.ts'
import { type Setting, settingEntries } from './settings.ts'
import { type Gate, joined, ours, type Shown, told } from './shown.ts'

const ASK_CONTEXTS = `kpcea completion ${CONTEXTS}`

/** The words behind a command. */
const CHOICES: readonly (readonly [command: string, words: readonly string[]])[] = [
  ['completion', SHELLS],
  ['manifest', KINDS],
  ['docs', PAGES],
]

interface Flag {
  readonly flag: string
  readonly setting: Setting
}

const FLAGS: readonly Flag[] = settingEntries.flatMap(([, setting]) =>
  setting.flag === undefined ? [] : [{ flag: setting.flag, setting }],
)

const takesFile = ({ flag }: Flag): boolean => flag.endsWith('-file') || flag === 'termination-log'
const takesContext = ({ flag }: Flag): boolean => flag === 'context'

/** What `kpcea completion` prints for a word that it takes. */
export function complete(word: string, sources: CliSources, gate: Gate): Shown {
  if (word === CONTEXTS)
    return joined(
      listContexts(sources).map((name) => told`${gate(name)}\n`),
      '',
    )
  const shell = SHELLS.find((one) => one === word)
  return ours(shell === undefined ? '' : completionScript(shell))
}

/** The script for a shell, to be sourced by it. */
export function completionScript(shell: Shell): string {
  return { bash, zsh, fish, powershell }[shell]()
}

function words({ flag, setting }: Flag): readonly string[] {
  if (setting.kind === 'boolean') return [`--${flag}`, `--no-${flag}`]
  return setting.short === undefined ? [`--${flag}`] : [`--${flag}`, `-${setting.short}`]
}

const allFlags = [
  ...FLAGS.flatMap((one) => words(one).filter((word) => word.startsWith('--'))),
  '--help',
  '--version',
]

function bash(): string {
  const cases = FLAGS.filter(({ setting }) => setting.kind !== 'boolean').map((one) => {
    const reply = takesFile(one) ? '-f' : `-W "${(one.setting.values ?? []).join(' ')}"`
    // Names from a file of the user's are compared as they are: compgen would run what looks like a command.
    const complete = takesContext(one)
      ? `while IFS= read -r name; do [[ "$name" != "$current"* ]] || COMPREPLY+=("$name"); done < <(${ASK_CONTEXTS} 2>/dev/null)`
      : `COMPREPLY=($(compgen ${reply} -- "$current"))`
    return `    ${words(one).join('|')}) ${complete}; return ;;`
  })
  return [
    '# kpcea completion bash',
    '_kpcea() {',
    '  local current="$2" previous="$3" name',
    // Bash takes --flag=value for three words.
    '  if [[ "$previous" == "=" ]]; then previous="$' + '{COMP_WORDS[COMP_CWORD-2]}"; fi',
    '  if [[ "$current" == "=" ]]; then current=""; fi',
    '  COMPREPLY=()',
    '  case "$previous" in',
    ...cases,
    '  esac',
    '  case "$' + '{COMP_WORDS[1]}" in',
    ...CHOICES.map(
      ([command, choices]) =>
        `    ${command}) if [[ "$previous" == "${command}" ]]; then COMPREPLY=($(compgen -W "${choices.join(' ')}" -- "$current")); return; fi ;;`,
    ),
    '  esac',
    `  local flags="${allFlags.join(' ')}"`,
    `  if [[ "$previous" == "$1" ]]; then flags="$flags ${COMMANDS.join(' ')}"; fi`,
    '  COMPREPLY=($(compgen -W "$flags" -- "$current"))',
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
      : takesContext(one)
        ? '_kpcea_contexts'
        : setting.values === undefined
          ? ' '
          : `(${setting.values.join(' ')})`
    return words(one).map(
      (word) =>
        `'${repeat}${word}${word.startsWith('--') ? '=' : '+'}[${quote(setting.help)}]:${flag}:${action}'`,
    )
  })
  return [
    '#compdef kpcea',
    '# kpcea completion zsh',
    '_kpcea_contexts() {',
    `  compadd -- \${(f)"$(${ASK_CONTEXTS} 2>/dev/null)"}`,
    '}',
    '_kpcea_words() {',
    '  case "$words[2]" in',
    ...CHOICES.map(([command, choices]) => `    ${command}) compadd -- ${choices.join(' ')} ;;`),
    '  esac',
    '}',
    '_kpcea() {',
    '  _arguments \\',
    ...specs.map((spec) => `    ${spec} \\`),
    "    '(-h --help)'{-h,--help}'[show help]' \\",
    "    '(-V --version)'{-V,--version}'[show the version]' \\",
    `    '1:command:(${COMMANDS.join(' ')})' \\`,
    "    '2:word:_kpcea_words'",
    '}',
    // From a directory of functions the file itself is the function; from a profile it defines one.
    'if [ "$funcstack[1]" = "_kpcea" ]; then _kpcea "$@"; else compdef _kpcea kpcea; fi',
    '',
  ].join('\n')
}

function fish(): string {
  const quote = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
  return [
    '# kpcea completion fish',
    'complete -c kpcea -f',
    `complete -c kpcea -n __fish_use_subcommand -a ${quote(COMMANDS.join(' '))}`,
    ...CHOICES.map(
      ([command, choices]) =>
        `complete -c kpcea -n '__fish_seen_subcommand_from ${command}' -a ${quote(choices.join(' '))}`,
    ),
    ...FLAGS.flatMap((one) => {
      const { flag, setting } = one
      const description = `-d ${quote(setting.help)}`
      if (setting.kind === 'boolean')
        return words(one).map((word) => `complete -c kpcea -l ${word.slice(2)} ${description}`)
      const short = setting.short === undefined ? '' : ` -s ${setting.short}`
      const values = takesFile(one)
        ? '-r -F'
        : takesContext(one)
          ? `-x -a '(${ASK_CONTEXTS} 2>/dev/null)'`
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

function powershell(): string {
  const quote = (text: string) => `'${text.replaceAll("'", "''")}'`
  const list = (values: readonly string[]) => `@(${values.map(quote).join(', ')})`
  const valued = FLAGS.filter((one) => one.setting.values !== undefined).flatMap((one) =>
    words(one).map((word) => `    ${quote(word)} = ${list(one.setting.values ?? [])}`),
  )
  const free = FLAGS.filter(({ setting }) => setting.kind !== 'boolean' && setting.values === undefined)
  const files = free.filter(takesFile).flatMap(words)
  const others = free.filter((one) => !takesFile(one) && !takesContext(one)).flatMap(words)
  return [
    '# kpcea completion powershell',
    'Register-ArgumentCompleter -Native -CommandName kpcea -ScriptBlock {',
    '  param($wordToComplete, $commandAst, $cursorPosition)',
    '  $values = @{',
    ...valued,
    ...CHOICES.map(([command, choices]) => `    ${quote(command)} = ${list(choices)}`),
    '  }',
    '  $words = @($commandAst.CommandElements | ForEach-Object { $_.ToString() })',
    '  $before = if ($wordToComplete) { $words.Count - 2 } else { $words.Count - 1 }',
    '  $previous = $words[$before]',
    // What is returned as nothing lets PowerShell complete file names.
    `  if (${list(files)} -ccontains $previous) { return }`,
    `  $words = if ($values.ContainsKey($previous)) { $values[$previous] }`,
    `    elseif ($previous -ceq '--context') { @(& kpcea completion ${CONTEXTS} 2>$null) }`,
    `    elseif (${list(others)} -ccontains $previous) { @() }`,
    `    elseif ($before -eq 0) { ${list([...COMMANDS, ...allFlags])} }`,
    `    else { ${list(allFlags)} }`,
    '  $words | Where-Object { $_ -like "$wordToComplete*" } | ForEach-Object {',
    "    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)",
    '  }',
    '}',
    '',
  ].join('\n')
}
