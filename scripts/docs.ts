/** Writes the README's table of settings from the one table there is. */

import { formatSettingsTable } from '../lib/help.ts'

const README = `${import.meta.dir}/../README.md`
const BETWEEN_MARKS = /(<!-- settings[^>]*-->\n)[\s\S]*?(\n?<!-- \/settings -->)/

const text = await Bun.file(README).text()
await Bun.write(
  README,
  text.replace(
    BETWEEN_MARKS,
    (_, begin, end: string) => `${begin}${formatSettingsTable()}\n${end.trimStart()}`,
  ),
)
