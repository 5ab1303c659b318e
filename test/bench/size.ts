/** How large the executable is. What the image holds beyond it is its base, which is not ours. */

import { statSync } from 'node:fs'
import { megabytes, type Row } from './numbers.ts'
import type { Programs } from './process.ts'

/** Sizes on disk, beside a compiled program that does nothing. */
export async function measureSize({ kpcea, word }: Programs): Promise<readonly Row[]> {
  const executable = statSync(kpcea).size
  const bare = statSync(word).size
  return [
    {
      what: 'executable',
      measured: megabytes(executable),
      beside: `prints a word: ${megabytes(bare)}`,
      ratio: executable / bare,
    },
  ]
}
