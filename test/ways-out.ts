/** All ways out of the executable. */

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Environment, run, temporaryDirectory } from './executable.ts'
import { oneOfFew, WEB } from './faults.ts'

/** Everything that a run writes, by where; the result as text and the log as JSON, or the other way round. */
export async function everything(
  env: Environment,
  formats: readonly ('text' | 'json')[] = ['text'],
): Promise<readonly { readonly where: string; readonly text: string }[]> {
  const directory = temporaryDirectory()
  const files = {
    KPCEA_RESULT_FILE: 'result.json',
    KPCEA_TERMINATION_LOG: 'termination-log',
    GITHUB_STEP_SUMMARY: 'summary.md',
  }
  const paths = Object.entries(files).map(([name, file]) => [name, join(directory, file)] as const)
  const all: { where: string; text: string }[] = []
  for (const format of formats) {
    const both = { KPCEA_OUTPUT: format, KPCEA_LOG_FORMAT: format === 'text' ? 'json' : 'text' }
    const { stdout, stderr } = await oneOfFew(() =>
      run({ ...WEB, ...both, ...Object.fromEntries(paths), ...env }),
    )
    all.push({ where: `stdout (${format})`, text: stdout }, { where: `stderr (${format})`, text: stderr })
  }
  for (const [where, path] of paths)
    if (existsSync(path)) all.push({ where, text: readFileSync(path, 'utf8') })
  return all
}
