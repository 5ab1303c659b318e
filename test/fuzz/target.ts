/** What is fuzzed, and what fuzzing is: properties of a parser that hold for any input, and the inputs themselves. */

import fc from 'fast-check'
import { RequestFailure } from '../../lib/failure.ts'
import { SHA } from '../fixtures.ts'

export const HOST = 'argocd.example.com'

/** Something that parses, and what must hold for any input. */
export interface Target {
  readonly name: string
  /** Inputs of a round: fewer where one costs more. */
  readonly share: number
  /** Rejects with the input for which the property does not hold. */
  readonly run: (seed: number, inputs: number) => Promise<void>
}

/** An input that takes longer than this, in milliseconds of a processor, is as bad as one that crashes. */
const SLOW = 500

/** A property of whatever takes such inputs. */
export function target<T>(
  name: string,
  share: number,
  inputs: fc.Arbitrary<T>,
  check: (input: T) => void | Promise<void>,
): Target {
  const property = fc.asyncProperty(inputs, async (input) => {
    const took = await timed(check, input)
    // Whatever is loaded, compiled or collected with the first is not with the second.
    if (took > SLOW && (await timed(check, input)) > SLOW) throw new Error(`takes ${Math.round(took)} ms`)
  })
  return { name, share, run: (seed, numRuns) => fc.assert(property, { seed, numRuns }) }
}

async function timed<T>(check: (input: T) => void | Promise<void>, input: T): Promise<number> {
  // A machine that is busy with something else takes nothing of these.
  const began = process.cpuUsage()
  await check(input)
  const { user, system } = process.cpuUsage(began)
  return (user + system) / 1000
}

/** As in a test, and a tenth of its time. */
export function expect(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`it does not hold that ${what}`)
}

/**
 * Runs what may fail in its own words only: a crash is an error of another kind.
 *
 * @returns `undefined` where it failed
 */
export function failsInWords<T>(run: () => T): T | undefined {
  try {
    return run()
  } catch (error) {
    expect(error instanceof Error && error.constructor === Error, `it fails in its own words (${error})`)
    return undefined
  }
}

/** @returns whether it was refused, which has to be in a sentence about the server */
export async function isRefused(run: () => Promise<void>): Promise<boolean> {
  try {
    await run()
    return false
  } catch (error) {
    expect(error instanceof RequestFailure, `it is refused in a sentence (${error})`)
    expect(error.message.startsWith(HOST), 'the sentence says who it is about')
    return true
  }
}

/** Pieces that break parsers, or lead them astray. */
const PIECES = [
  ...['', ' ', '  ', '\t', '\n', '\r\n', '\n\n', '\0', '\u001b[31m', '\u2028', '\u00a0', '\ufeff', '\ud800'],
  ...['é', '漢', '💥', '"', "'", '\\', '\\u0000', '\\ud800', '/', '../', '%2f', '?', '#', '@', ':', '::'],
  ...['=', '==', '!=', '!', ',', ',,', ';', '*', '(', ')', '[', ']', '{', '}', '<', '>', '|', '&', '$', '`'],
  ...['null', 'true', 'false', '0', '-0', '-1', '1e999', '1e-999', '9'.repeat(30), '0x10', 'NaN', 'Infinity'],
  ...['""', '[]', '{}', '[null]', '{"a":1}', '"__proto__"', '"constructor"', '"toString"', '<!doctype html>'],
  ...['data: ', 'data', 'event: ', 'id: ', 'retry: ', ':', ': keep-alive', '\n\ndata: {}\n\n', '\r'],
  ...[
    '"Synced"',
    '"Healthy"',
    '"Succeeded"',
    '"OutOfSync"',
    '"Degraded"',
    '"Failed"',
    '"Running"',
    `"${SHA.a}"`,
    `"${SHA.b}"`,
    SHA.c,
  ],
  ...[
    'sha256:',
    'latest',
    'localhost',
    '127.0.0.1',
    '[::1]',
    'http://',
    'https://',
    'HTTPS://',
    'in',
    'notin',
  ],
  ...[
    '--',
    '-',
    '-o',
    '--no-watch',
    '1h',
    '90s',
    '5m',
    'ms',
    '.',
    '..',
    '~',
    '^1.2',
    '>=1.2, <2',
    'a'.repeat(300),
  ],
  ...['['.repeat(2000), '{"a":'.repeat(500), '"a":'.repeat(3), `${'['.repeat(500)}${']'.repeat(500)}`],
]

const piece = fc.constantFrom(...PIECES)
const text = fc.oneof(
  piece,
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.array(piece).map((all) => all.join('')),
)

/** Words that steer a terminal, command a CI, or try to. */
export const words = fc
  .array(
    fc.oneof(
      fc.constantFrom('##', '#', 'vso', '[', ']', '::', ':', 'error', 'add-mask', ' ', '\n', '\r', '\t', 'x'),
      fc.constantFrom(
        '\u001b[2J',
        '\u009b',
        '\u202e',
        '\u200b',
        '\ufeff',
        '\u2028',
        '\u{e0041}',
        '\ud800',
        '\0',
      ),
      piece,
      fc.string({ unit: 'binary', maxLength: 3 }),
    ),
  )
  .map((parts) => parts.join(''))

/** Where in some bytes, as a part of their length: anywhere alike, and not mostly at the ends as numbers would be. */
export const place = fc.noBias(fc.nat(999_999)).map((part) => part / 1_000_000)

/** A change somewhere; where exactly depends on what is changed. */
export const edit = fc.record({
  at: place,
  kind: fc.constantFrom('insert', 'insert', 'replace', 'replace', 'delete', 'double', 'flip', 'end'),
  length: fc.oneof(fc.nat(3), fc.nat(40), fc.nat(2000)),
  piece: fc.oneof(piece, fc.string({ maxLength: 5 })),
})
export type Edit = typeof edit extends fc.Arbitrary<infer T> ? T : never

/** Makes one change. */
export function changed(bytes: Buffer, { at, kind, length, piece }: Edit): Buffer {
  const from = Math.floor(at * bytes.length)
  const [before, rest] = [bytes.subarray(0, from), bytes.subarray(from)]
  switch (kind) {
    case 'insert':
      return Buffer.concat([before, Buffer.from(piece), rest])
    case 'replace':
      return Buffer.concat([before, Buffer.from(piece), rest.subarray(length)])
    case 'delete':
      return Buffer.concat([before, rest.subarray(length)])
    case 'double':
      return Buffer.concat([before, rest.subarray(0, length), rest])
    case 'flip':
      return Buffer.concat([
        before,
        rest.subarray(0, length).map((byte) => byte ^ (1 << (length % 8))),
        rest.subarray(length),
      ])
    default:
      return Buffer.from(before)
  }
}

/** Replaces a whole token of JSON, so that what comes out is JSON still, and mostly of the same type. */
function retyped(json: string, { at, kind, piece }: Edit): string {
  const tokens = [...json.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|true|false|null|-?\d+(?:\.\d+)?/g)]
  const token = tokens[Math.floor(at * tokens.length)]
  if (token === undefined) return json
  const isText = token[0].startsWith('"') && kind !== 'end'
  const by = token[1] === undefined ? asValue(piece, isText) : `${JSON.stringify(piece)}:`
  return `${json.slice(0, token.index)}${by}${json.slice(token.index + token[0].length)}`
}

/** A piece as a value: as it is where it is one that will do, or as a string. */
function asValue(piece: string, isText: boolean): string {
  try {
    if (!isText || typeof JSON.parse(piece) === 'string') return JSON.stringify(JSON.parse(piece))
  } catch {
    // No JSON.
  }
  return JSON.stringify(piece)
}

const edits = fc.array(edit, { maxLength: 5 })

/** Bytes that were right before some changes, which leave most of them in the form that they had. */
export function mutated(...originals: readonly string[]): fc.Arbitrary<Buffer> {
  return fc
    .record({
      original: fc.constantFrom(...originals),
      tokens: fc.array(edit, { maxLength: 4 }),
      changes: fc.oneof({ weight: 2, arbitrary: fc.constant<Edit[]>([]) }, { weight: 1, arbitrary: edits }),
    })
    .map(({ original, tokens, changes }) =>
      changes.reduce(changed, Buffer.from(tokens.reduce(retyped, original))),
    )
}

/** Text that was right before some changes, or never was. */
export function nearly(...originals: readonly string[]): fc.Arbitrary<string> {
  const near = fc
    .tuple(fc.constantFrom(...originals), edits)
    .map(([original, changes]) => changes.reduce(changed, Buffer.from(original)).toString())
  return fc.oneof({ weight: 3, arbitrary: near }, { weight: 1, arbitrary: text })
}
