/**
 * Fetches the CustomResourceDefinitions of Argo and Kargo (Apache 2.0) that test/definitions.json names, for the
 * tests that check every manifest against its definition. They are pinned by version and checksum, and not kept in
 * the repository. `--update` writes the checksums of what it finds, after a version was raised.
 *
 * @example
 * bun scripts/definitions.ts
 * DEFINITIONS_FROM=https://mirror.example.com bun scripts/definitions.ts
 */

import { join } from 'node:path'
import { parseArgs } from 'node:util'
import * as z from 'zod/mini'

const LIST = join(import.meta.dir, '../test/definitions.json')
const DIRECTORY = join(import.meta.dir, '../.definitions')
const PATIENCE_MS = 60_000

const listSchema = z.array(
  z.object({ repository: z.string(), version: z.string(), files: z.record(z.string(), z.string()) }),
)

const { values } = parseArgs({ options: { update: { type: 'boolean' } } })
const from = process.env.DEFINITIONS_FROM ?? 'https://raw.githubusercontent.com'
const list = listSchema.parse(await Bun.file(LIST).json())

let fetched = 0
for (const { repository, version, files } of list)
  for (const [path, checksum] of Object.entries(files)) {
    const url = `${from}/${repository}/${version}/${path}`
    const response = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS) })
    if (!response.ok) throw new Error(`${url} answers ${response.status}`)
    const text = await response.text()
    const found = new Bun.CryptoHasher('sha256').update(text).digest('hex')
    if (values.update === true) files[path] = found
    else if (found !== checksum) throw new Error(`${url} has the checksum ${found}, not ${checksum}`)
    await Bun.write(join(DIRECTORY, path.split('/').at(-1) ?? path), text)
    fetched++
  }
if (values.update === true) await Bun.write(LIST, `${JSON.stringify(list, null, 2)}\n`)
console.log(`fetched ${fetched} definitions`)
