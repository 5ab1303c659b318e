/** Bodies of answers: inflated as they are read, and counted as they come out. */

import { CHARACTERS_OF_A_VALUE, haveReadAnswer } from './clearing.ts'
import { RequestFailure } from './failure.ts'
import { cut, ELLIPSIS } from './text.ts'

/** An answer that is larger than this, in bytes, is not held in memory: ten thousand resources take a fifth of it. */
export const LARGEST_BODY = 32 * 1024 * 1024

/**
 * A message of a stream holds one application, which Kubernetes keeps in one object of some megabytes at most. In
 * characters.
 */
export const LARGEST_MESSAGE = LARGEST_BODY / 2

/**
 * Bytes say little of what JSON takes once it is read: a value takes up to a hundred bytes, and two in the body.
 * Ten thousand resources have a tenth of these.
 */
export const MOST_VALUES = 500_000

/** A body that is smaller than this, in bytes, takes no memory to speak of, whatever is in it. */
const SMALL_BODY = 1024 * 1024

/** What is asked for, and the one thing that is understood: Bun's own way of inflating has no limit. */
export const ACCEPTED_ENCODING = 'gzip'

/**
 * The body of an answer, as it comes.
 *
 * @throws RequestFailure where it is compressed otherwise than was asked for, or broken
 */
export async function* bytesOf(response: Response, host: string): AsyncGenerator<Uint8Array> {
  const { headers, body } = response
  if (body === null || headers.get('content-length') === '0') return
  const named = headers.get('content-encoding')?.trim() ?? ''
  const encoding = named.toLowerCase()
  if (encoding === '' || encoding === 'identity') {
    yield* body
    return
  }
  if (encoding !== 'gzip' && encoding !== 'x-gzip') {
    await body.cancel()
    throw new RequestFailure(
      'NotArgoCD',
      `${host} answered with a body that is compressed as ${JSON.stringify(cut(named, LONGEST_NAME))}, where only gzip was asked for; does a proxy in front do that?`,
    )
  }
  try {
    yield* body.pipeThrough(new DecompressionStream('gzip'))
  } catch (error) {
    // What the network does has a code.
    if (!(error instanceof TypeError) || 'code' in error) throw error
    throw new RequestFailure('NotArgoCD', `${host} answered with a compressed body that is broken`)
  }
}

const LONGEST_NAME = 30

/**
 * Reads a body as UTF-8, and refuses one that no answer of Argo CD is as large as, or has as many values as, while
 * it comes.
 *
 * @throws RequestFailure
 */
export async function readText(response: Response, host: string): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  let values = 0
  let counted = 0
  if (Number(response.headers.get('content-length') ?? 0) > LARGEST_BODY) {
    await response.body?.cancel()
    throw tooLarge(host, `${LARGEST_BODY / 1024 / 1024} MiB`)
  }
  for await (const chunk of bytesOf(response, host)) {
    size += chunk.byteLength
    if (size > LARGEST_BODY) throw tooLarge(host, `${LARGEST_BODY / 1024 / 1024} MiB`)
    chunks.push(chunk)
    if (size <= SMALL_BODY) continue
    for (; counted < chunks.length; counted++) values += valuesIn(chunks[counted])
    if (values > MOST_VALUES) throw tooLarge(host, `${MOST_VALUES} values`)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks.splice(0)))
  } catch {
    throw new RequestFailure('NotArgoCD', `${host} answered with bytes that are no text`)
  } finally {
    haveReadAnswer(size + CHARACTERS_OF_A_VALUE * values)
  }
}

/**
 * Refuses a message of a stream that, as JSON, would take more memory than any answer of Argo CD does, before it takes it.
 *
 * @throws RequestFailure
 */
export function checkValues(json: string, host: string): void {
  if (json.length < SMALL_BODY) return
  if (countValues(json) > MOST_VALUES) throw tooLarge(host, `${MOST_VALUES} values`)
}

/** How many values a text has at the most, as JSON; of more than {@link MOST_VALUES} it is not known how many. */
export function countValues(json: string): number {
  let values = 0
  for (const sign of SIGNS)
    for (let at = json.indexOf(sign); at >= 0 && values <= MOST_VALUES; at = json.indexOf(sign, at + 1))
      values++
  return values
}

/** One of these is in front of each value, or behind it. */
const SIGNS = [',', '[', '{'] as const

function valuesIn(chunk: Uint8Array | undefined): number {
  let values = 0
  for (let i = 0; i < (chunk?.length ?? 0); i++) if (beginsValue(chunk?.[i])) values++
  return values
}

function beginsValue(code: number | undefined): boolean {
  return code === COMMA || code === BRACKET || code === BRACE
}

const COMMA = ','.charCodeAt(0)
const BRACKET = '['.charCodeAt(0)
const BRACE = '{'.charCodeAt(0)

/** More than an answer of Argo CD takes. */
export function tooLarge(host: string, limit: string): RequestFailure {
  return new RequestFailure(
    'NotArgoCD',
    `${host} answered with more than ${limit}, which no answer of Argo CD takes`,
  )
}

/** Reads the beginning of an error's body; whatever is wrong with it, there is the status to go by. */
export async function readBeginning(response: Response, host: string, most: number): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  try {
    for await (const chunk of bytesOf(response, host)) {
      text += decoder.decode(chunk.subarray(0, most + 1 - text.length), { stream: true })
      if (text.length > most) break
    }
  } catch {
    // What came until then is what there is, and it may end inside something.
    text += ELLIPSIS
  }
  return cut(text, most)
}
