/** The pages of the documentation that the executable holds, for somebody who has nothing else of it. */

import { readFileSync } from 'node:fs'
import kubernetes from '../docs/kubernetes.md' with { type: 'file' }
import output from '../docs/output.md' with { type: 'file' }
import settings from '../docs/settings.md' with { type: 'file' }
import sync from '../docs/sync.md' with { type: 'file' }
import troubleshooting from '../docs/troubleshooting.md' with { type: 'file' }
import verification from '../docs/verification.md' with { type: 'file' }
import workstation from '../docs/workstation.md' with { type: 'file' }
import type { Page } from './commands.ts'
import { ours, type Shown } from './shown.ts'

/** Where each page is, inside the executable or beside the source. */
const PAGE_FILES: Readonly<Record<Page, string>> = {
  settings,
  verification,
  troubleshooting,
  output,
  kubernetes,
  workstation,
  sync,
}

/** The text of a page. */
export function readPage(page: Page): Shown {
  return ours(readFileSync(PAGE_FILES[page], 'utf8'))
}
