/** The words that stand first on the command line, and what may stand behind them. */

/** All commands; without one, a verification is run. */
export const COMMANDS = ['doctor', 'manifest', 'docs', 'schema', 'completion'] as const

/** A word that stands first, and is followed by what that command takes. */
export type Command = (typeof COMMANDS)[number]

/** The manifests that can be printed. */
export const KINDS = ['job', 'analysis-template', 'workflow-template'] as const

/** A kind of manifest. */
export type Kind = (typeof KINDS)[number]

/** The pages that the executable holds. */
export const PAGES = [
  'settings',
  'verification',
  'troubleshooting',
  'output',
  'kubernetes',
  'workstation',
  'sync',
] as const

/** A page that the executable holds. */
export type Page = (typeof PAGES)[number]

/** The shells that there are completions for. */
export const SHELLS = ['bash', 'zsh', 'fish', 'powershell'] as const

/** A shell that there are completions for. */
export type Shell = (typeof SHELLS)[number]

/** The word behind `kpcea completion` that prints the contexts of the argocd CLI, a line each: for the scripts. */
export const CONTEXTS = 'contexts'

const CHOICES: Readonly<Partial<Record<Command, readonly string[]>>> = {
  manifest: KINDS,
  docs: PAGES,
  completion: SHELLS,
}

/**
 * What is wrong with the words behind a command, where they are not what it takes: what stands there in vain would
 * be a mistake that nobody hears of. Flags are not looked at.
 */
export function wordsProblem(command: Command, words: readonly string[]): string | undefined {
  if (command === 'doctor') return undefined
  const [word, next] = words
  const alone = (what: string, more: string | undefined) =>
    more === undefined ? undefined : `kpcea ${what} stands alone; leave out ${JSON.stringify(more)}`
  const choices = CHOICES[command]
  if (choices === undefined) return alone(command, word)
  const way = `write kpcea ${command} ${choices.slice(0, -1).join(', ')} or ${choices.at(-1)}`
  if (word === undefined) return `kpcea ${command} needs another word; ${way}`
  const isKnown = choices.includes(word) || (command === 'completion' && word === CONTEXTS)
  if (!isKnown) return `kpcea ${command} does not know ${JSON.stringify(word)}; ${way}`
  return command === 'manifest' ? undefined : alone(`${command} ${word}`, next)
}
