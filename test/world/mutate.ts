/** Plays the gate without one of its rules after the other: a world that finds nothing wrong then has a hole. */

import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Mutant } from './mutant.ts'
import { MUTANTS } from './mutants.ts'

const USAGE = `bun run mutants [--only TEXT] [--unseen] [--count N] [--workers N]

  --only     the rules whose names hold the text
  --unseen   those that are known not to be found
  --count    how many histories of each kind to play at most, 20000 by default
  --workers  how many processes play
`

const ROOT = join(import.meta.dir, '../..')
/** Drills are made for it. */
const OPPONENTS = ['gate:drills', 'gate'] as const

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    unseen: { type: 'boolean', default: false },
    count: { type: 'string', default: '20000' },
    workers: { type: 'string', default: '2' },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) console.log(USAGE)
else process.exitCode = await mutate()

async function mutate(): Promise<number> {
  const tree = mkdtempSync(join(tmpdir(), 'kpcea-mutants-'))
  process.on('SIGINT', () => process.exit(130))
  process.on('exit', () => rmSync(tree, { recursive: true, force: true }))
  for (const path of ['lib', 'test/world', 'package.json', 'tsconfig.json'])
    cpSync(join(ROOT, path), join(tree, path), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(tree, 'node_modules'))
  let holes = 0
  for (const mutant of MUTANTS.filter(isMeant)) {
    const found = await without(mutant, tree)
    if (found === undefined && mutant.unseen === undefined) holes++
    console.log(
      `${mutant.rule}: ${found ?? `not found${mutant.unseen === undefined ? '' : `, as ${mutant.unseen}`}`}`,
    )
  }
  if (holes > 0) console.error(`${holes} that no history finds`)
  return holes > 0 ? 1 : 0
}

function isMeant({ rule, unseen }: Mutant): boolean {
  return rule.includes(values.only) && (!values.unseen || unseen !== undefined)
}

/** What is found without the rule; `undefined`: nothing. */
async function without(mutant: Mutant, tree: string): Promise<string | undefined> {
  const { also = [], opponents = OPPONENTS } = mutant
  const wholes = new Map<string, string>()
  try {
    for (const { file, find, replace } of [mutant, ...also]) {
      const path = join(tree, 'lib', file)
      const text = readFileSync(path, 'utf8')
      if (!wholes.has(path)) wholes.set(path, text)
      writeFileSync(
        path,
        text.replace(find, () => replace),
      )
    }
    for (const opponent of opponents) {
      const breach = await firstBreach(tree, opponent)
      if (breach !== undefined) return `${breach} (${opponent})`
    }
    return undefined
  } finally {
    for (const [path, text] of wholes) writeFileSync(path, text)
  }
}

/** The first breach in a history that the gate with all its rules gets right. */
async function firstBreach(tree: string, opponent: string): Promise<string | undefined> {
  const end = 1 + Number(values.count)
  for (let seed = 1; seed < end; ) {
    const { played, broken } = await play(tree, opponent, seed, end - seed)
    for (const one of broken) {
      const whole = await play(ROOT, opponent, one.seed, 1)
      if (whole.broken.length === 0) return `${one.promise}, seed ${one.seed}`
    }
    if (broken.length === 0) return undefined
    seed += played
  }
  return undefined
}

interface Played {
  readonly played: number
  readonly broken: readonly { readonly promise: string; readonly seed: number }[]
}

async function play(root: string, opponent: string, seed: number, count: number): Promise<Played> {
  const options = ['--opponent', opponent, '--seed', `${seed}`, '--count', `${count}`]
  const child = Bun.spawn(
    [process.execPath, 'test/world/simulate.ts', ...options, '--until-failure', '--workers', values.workers],
    { cwd: root, stdout: 'pipe', stderr: 'pipe' },
  )
  const [said, complained] = await Promise.all([child.stdout.text(), child.stderr.text()])
  const [, played, list = ''] = /^(\d+) histories in .* broke a promise(?:: (.*))?$/m.exec(said) ?? []
  if (played === undefined) throw new Error(`the world does not end: ${complained.slice(-500)}`)
  const broken = [...list.matchAll(/([a-z ]+) \d+ \(([\d, ]+)\)/g)].flatMap(([, promise = '', seeds = '']) =>
    seeds.split(', ').map((one) => ({ promise: promise.trim(), seed: Number(one) })),
  )
  return { played: Number(played), broken: broken.sort((a, b) => a.seed - b.seed) }
}
