/** How large the executable is, and the image beyond it. */

import { lstatSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { layOut, PackagesUnavailable } from '../../scripts/rootfs.ts'
import { temporaryDirectory } from '../executable.ts'
import { limited, megabytes, type Row } from './numbers.ts'
import type { Programs } from './process.ts'

const MOST_BEYOND = 4e6

/** The image is laid out as the Dockerfile does it, which needs Debian's archive. */
export async function measureSize({ kpcea, word }: Programs): Promise<readonly Row[]> {
  const executable = statSync(kpcea).size
  const bare = statSync(word).size
  const what = 'image beyond the executable'
  return [
    {
      what: 'executable',
      measured: megabytes(executable),
      beside: `prints a word: ${megabytes(bare)}`,
      ratio: executable / bare,
    },
    await imageSize(kpcea).then(
      (image) => limited(what, image - executable, MOST_BEYOND, megabytes),
      (error: unknown) => {
        if (!(error instanceof PackagesUnavailable)) throw error
        return { what, measured: 'not measured: Debian’s packages cannot be had here' }
      },
    ),
  ]
}

async function imageSize(executable: string): Promise<number> {
  const root = join(temporaryDirectory(), 'rootfs')
  await layOut(process.arch === 'arm64' ? 'arm64' : 'amd64', executable, root)
  // Not `readdir`, which goes through the links to directories and so counts everything below them twice.
  const files = new Bun.Glob('**').scanSync({ cwd: root, dot: true, onlyFiles: true })
  return [...files].reduce((sum, file) => sum + lstatSync(join(root, file)).size, 0)
}
