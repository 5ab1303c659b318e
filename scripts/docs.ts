/** Writes the table of docs/settings.md from the one table there is. */

import { formatSettingsTable } from '../lib/help.ts'

const PAGE = `${import.meta.dir}/../docs/settings.md`
const BETWEEN_MARKS = /(<!-- settings[^>]*-->\n)[\s\S]*?(\n?<!-- \/settings -->)/

const text = await Bun.file(PAGE).text()
await Bun.write(
  PAGE,
  text.replace(
    BETWEEN_MARKS,
    (_, begin, end: string) => `${begin}${formatSettingsTable()}\n${end.trimStart()}`,
  ),
)
