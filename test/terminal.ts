/** Runs a command on a terminal of its own, as somebody at a keyboard would. */

import { buildExecutable, type Environment, emptyDirectory } from './executable.ts'

/** A command on a terminal. */
export interface OnTerminal {
  /** Everything that was written to it so far, with the codes that steer it. */
  said(): string
  /** Presses keys. */
  press(keys: string): void
  /** Resolves when the command has ended. */
  readonly ended: Promise<{
    readonly code: number
    readonly signal: NodeJS.Signals | number | null
    readonly said: string
  }>
}

/** Starts a command. Whatever goes wrong, it is killed after a minute. */
export function onTerminal(
  command: readonly string[],
  env: Environment,
  size = { cols: 80, rows: 24 },
): OnTerminal {
  buildExecutable()
  let said = ''
  const child = Bun.spawn([...command], {
    cwd: emptyDirectory,
    env: Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined)),
    terminal: {
      ...size,
      data(_, data) {
        said += Buffer.from(data).toString('utf8')
      },
    },
    timeout: 60_000,
    killSignal: 'SIGKILL',
  })
  const ended = child.exited.then(async (code) => {
    // What was written last is read a little later than the end is known.
    for (let before = -1; before !== said.length; await Bun.sleep(50)) before = said.length
    child.terminal?.close()
    return { code, signal: child.signalCode, said }
  })
  return { said: () => said, press: (keys) => void child.terminal?.write(keys), ended }
}

/** A text as a terminal shows it, without colours and the like; lines end in a newline. */
export function plainText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is to go
  return text.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, '').replaceAll('\r\n', '\n')
}

/** How many rows a text takes on a terminal that is so wide. */
export function rowsOf(text: string, columns: number): number {
  const lines = plainText(text).replace(/\n$/, '').split('\n')
  return lines.reduce((sum, line) => sum + Math.max(1, Math.ceil([...line].length / columns)), 0)
}

/** What a person sees on a terminal after something was written to it: the rows of its screen, blank ones at the end left out. */
export function screenOf(written: string, { cols, rows }: { cols: number; rows: number }): readonly string[] {
  const lines: string[][] = [[]]
  let [row, column] = [0, 0]
  const below = () => {
    row++
    while (lines.length <= row) lines.push([])
    while (lines.length > rows) {
      lines.shift()
      row--
    }
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is read
  const codes = /\u001b\[([0-9;?]*)([A-Za-z])|[^\u001b]/gu
  for (const [text, parameter = '', code] of written.matchAll(codes)) {
    const count = Number(parameter) || 1
    if (code === 'A') row = Math.max(row - count, 0)
    else if (code === 'J') {
      lines.splice(row + 1)
      lines[row]?.splice(column)
    } else if (code !== undefined) continue
    else if (text === '\r') column = 0
    else if (text === '\n') below()
    else {
      const width = Bun.stringWidth(text)
      if (column + width > cols) {
        below()
        column = 0
      }
      const line = lines[row]
      if (line !== undefined) {
        while (line.length < column) line.push(' ')
        line[column] = text
        for (let i = 1; i < width; i++) line[column + i] = ''
      }
      column += width
    }
  }
  return lines
    .map((line) => line.join('').trimEnd())
    .filter((line, i, all) => line !== '' || i < all.length - 1)
}
