/** How long a yes takes where everything is already there, beside what any compiled Bun program takes. */

import type { Environment } from '../executable.ts'
import { limited, median, milliseconds, type Row } from './numbers.ts'
import { type Programs, type Spent, spend, target } from './process.ts'
import { RemoteServer } from './remote.ts'

const RUNS = 60
const MOST_TIMES = 2

/** By turns, so that whatever else the machine does meets all of them alike. */
export async function measureStart({ kpcea, word, request }: Programs): Promise<readonly Row[]> {
  using server = new RemoteServer()
  await server.set({ applications: 1, unready: 0 })
  const env = { ...server.connection, ...target('names', 1) }
  const runs = { yes: runsOf(kpcea, env), word: runsOf(word, {}), request: runsOf(request, env) }
  for (let i = 0; i < RUNS; i++) for (const { spent, again } of Object.values(runs)) spent.push(again())

  const row = (what: string, pick: (spent: Spent) => number): Row => {
    const [yes, bare, least] = [runs.yes, runs.word, runs.request].map(({ spent }) => median(spent.map(pick)))
    if (yes === undefined || bare === undefined || least === undefined) throw new Error('nothing was run')
    return limited(what, yes, MOST_TIMES * bare, milliseconds, {
      beside: `prints a word: ${milliseconds(bare)}; makes one request: ${milliseconds(least)}`,
      ratio: yes / bare,
      target: `at most ${MOST_TIMES} times a word`,
    })
  }
  return [
    row('a yes for what is already there, the whole process', ({ elapsed }) => elapsed),
    row('… in time of processors', ({ cpu }) => cpu),
  ]
}

function runsOf(program: string, env: Environment): { readonly spent: Spent[]; readonly again: () => Spent } {
  const again = () => spend(program, env)
  // The first run reads the program from the disk.
  again()
  return { spent: [], again }
}
