/** Argo CD's stream of changes, as server-sent events. */

import { createParser } from 'eventsource-parser'
import * as z from 'zod/mini'
import { applicationKey } from './application.ts'
import { bytesOf, checkValues, countValues } from './body.ts'
import { CHARACTERS_OF_A_VALUE, haveRead } from './clearing.ts'
import { systemClock } from './clock.ts'
import { RequestFailure, TooManyApplications } from './failure.ts'
import { type Holdings, MOST_HELD } from './holdings.ts'
import { lazily } from './lazily.ts'
import type { Repeats } from './repeats.ts'
import type { WatchEvent } from './requests.ts'
import { cut, LONGEST_MESSAGE, oneLine } from './text.ts'

const messageSchema = lazily(() =>
  z.object({
    result: z.nullish(z.object({ type: z.string(), application: z.unknown() })),
    error: z.nullish(
      z.object({
        message: z.nullish(z.string()),
        http_code: z.nullish(z.number()),
        grpc_code: z.nullish(z.number()),
      }),
    ),
  }),
)

/** Loaded where there is one to read. */
const applicationSchema = () =>
  (require('./application-schema.ts') as typeof import('./application-schema.ts')).applicationSchema

/** Types of content are short. */
const LONGEST_TYPE = 100

/**
 * So many lines without a message are no stream of Argo CD's, whose messages have one each: it keeps a quiet stream
 * alive with four lines a minute. The parser takes many times more memory for short lines than these are long.
 */
const MOST_LINES = 100_000

const CHANGES: ReadonlySet<string> = new Set(['ADDED', 'MODIFIED', 'DELETED'])

/** How much a stream may bring. */
export interface StreamLimits {
  /** In characters. */
  readonly largestMessage: number
  /** How many applications it may tell of that are still there; `Infinity` where it is about more than was asked. */
  readonly mostApplications: number
  /** Only applications with these names are told of; `undefined`: all. */
  readonly names: ReadonlySet<string> | undefined
  /** What earlier streams of the run have said. */
  readonly repeats: Repeats
  readonly holdings: Holdings
}

/**
 * Reads a stream to its end, in batches as they arrive; an empty batch is a keep-alive, or the beginning.
 *
 * @param limits the size in characters from which a message that does not end is given up, and how many
 * applications a stream may tell of
 * @throws RequestFailure where the stream is no stream of Argo CD's, or ends in an error of its own
 */
export async function* readEvents(
  response: Response,
  host: string,
  { largestMessage, mostApplications, names, repeats, holdings }: StreamLimits,
): AsyncGenerator<readonly WatchEvent[]> {
  const type = response.headers.get('content-type') ?? ''
  if (!type.startsWith('text/event-stream')) {
    await response.body?.cancel()
    throw new RequestFailure(
      'NotArgoCD',
      `${host} answered the stream of changes with ${cut(oneLine(type), LONGEST_TYPE) || 'no content type'}`,
    )
  }
  yield []
  let batch: WatchEvent[] = []
  let keptAlive = false
  const told = new Set<string>()
  let isTooLarge = false
  let lines = 0
  const parser = createParser({
    // Counted by the parser itself: comments may interrupt a message, and do not end it.
    maxBufferSize: largestMessage,
    onError({ type }) {
      isTooLarge ||= type === 'max-buffer-size-exceeded'
    },
    onEvent({ data }) {
      lines = 0
      const repeated = repeats.find(data)
      const event = repeated ?? parseMessage(data, host, names)
      // What has been said before leaves its text alone.
      haveRead(data.length + (repeated === undefined ? CHARACTERS_OF_A_VALUE * countValues(data) : 0))
      if (event === undefined) {
        // What is said of others shows that it lives.
        keptAlive = true
        return
      }
      const { name, namespace } = event.application.metadata
      const key = applicationKey(name, namespace)
      if (event.type === 'DELETED') {
        told.delete(key)
        repeats.forget(event.application)
        holdings.release(key)
      } else {
        told.add(key)
        if (told.size > mostApplications) throw new TooManyApplications()
        if (repeated === undefined) {
          if (!holdings.hold(key, event.application)) throw tooMuch(host, told.size)
          repeats.keep(data, event.application)
        }
      }
      batch.push(event)
    },
    onComment() {
      keptAlive = true
    },
  })
  const decoder = new TextDecoder('utf-8', { fatal: true })
  for await (const chunk of bytesOf(response, host)) {
    const text = decode(decoder, chunk, host)
    lines += linesIn(text)
    parser.feed(text)
    if (isTooLarge || lines > MOST_LINES)
      throw new RequestFailure('NotArgoCD', `${host} sent a message that does not end`)
    // A part of a message says nothing yet, not even that nothing has changed.
    if (batch.length > 0 || keptAlive) yield batch
    batch = []
    keptAlive = false
  }
}

/** So many changes are enough for one batch, whatever comes behind them. */
const MOST_GATHERED = 1000

/**
 * What a stream begins with may pause so long until what has come of it is handed on, and is gathered so long at the
 * most, since a server may take its time for each. In milliseconds.
 */
const PATIENCE = { pause: 5, whole: 250 } as const

/**
 * Batches of changes, in which all is that had come by the time at which one is asked for: what a stream of a thousand
 * applications begins with comes in dozens of parts, and each batch is thought about once. The first, which says that
 * the stream has begun, comes by itself.
 *
 * @param expected so many changes the stream begins with, as far as is known: one that is opened anew tells of what an
 * earlier one has told of. They are waited for, unless there is a pause
 * @param patience how long
 */
export async function* gathered<T>(
  parts: AsyncGenerator<readonly T[]>,
  expected = 0,
  patience: { readonly pause: number; readonly whole: number } = PATIENCE,
): AsyncGenerator<readonly T[]> {
  let missing = expected
  let coming = parts.next()
  try {
    for (let isFirst = true; ; isFirst = false) {
      const { value, done } = await coming
      if (done === true) return
      coming = parts.next()
      const batch = [...value]
      missing -= value.length
      const until = systemClock.now() + patience.whole
      while (!isFirst && batch.length > 0 && batch.length < MOST_GATHERED) {
        const isExpected = missing > 0 && systemClock.now() < until
        const more = await within(isExpected ? patience.pause : 0, coming)
        if (more === undefined || more.done === true) break
        coming = parts.next()
        batch.push(...more.value)
        missing -= more.value.length
      }
      yield batch
    }
  } finally {
    coming.catch(() => {})
    await parts.return(undefined)
  }
}

/** What comes within so many milliseconds; within 0: what has come already. */
async function within<T>(time: number, coming: Promise<T>): Promise<T | undefined> {
  const { promise: over, resolve } = Promise.withResolvers<undefined>()
  if (time === 0) {
    setImmediate(resolve, undefined)
    return Promise.race([coming, over])
  }
  const timer = setTimeout(resolve, time, undefined)
  try {
    return await Promise.race([coming, over])
  } finally {
    clearTimeout(timer)
  }
}

function decode(decoder: TextDecoder, chunk: Uint8Array, host: string): string {
  try {
    return decoder.decode(chunk, { stream: true })
  } catch {
    throw new RequestFailure('NotArgoCD', `${host} sent bytes that are no text in the stream of changes`)
  }
}

/** Lines may end in either character; those that end in both count twice. */
function linesIn(text: string): number {
  let lines = 0
  for (const end of ['\n', '\r'])
    for (let at = text.indexOf(end); at >= 0; at = text.indexOf(end, at + 1)) lines++
  return lines
}

/** A run that is told of more than it has room for goes on without a stream. */
function tooMuch(host: string, count: number): RequestFailure {
  const room = `${MOST_HELD / 1024 / 1024} MiB`
  return new RequestFailure(
    'Unreachable',
    `${host} tells in the stream of changes of ${count} applications, of which ${room} is all that is held; verify fewer in one run`,
  )
}

/** `undefined`: nothing that is meant. */
function parseMessage(
  data: string,
  host: string,
  names: ReadonlySet<string> | undefined,
): WatchEvent | undefined {
  const unreadable = () =>
    new RequestFailure('NotArgoCD', `${host} sent a message in the stream of changes that is not Argo CD's`)
  checkValues(data, host)
  let json: unknown
  try {
    json = JSON.parse(data)
  } catch {
    throw unreadable()
  }
  const message = messageSchema().safeParse(json)
  if (!message.success) throw unreadable()
  const { error, result } = message.data
  if (error !== null && error !== undefined)
    throw new RequestFailure(
      'Unreachable',
      `${host} ended the stream of changes (${cut(oneLine(error.message ?? 'without a reason'), LONGEST_MESSAGE)})`,
    )
  // What is neither a change nor an error is an error whose words were cut away.
  if (result === null || result === undefined) throw unreadable()
  // A kind of change that nobody knows says nothing; the application's state comes with the next one.
  if (!CHANGES.has(result.type)) return undefined
  if (names !== undefined && isStranger(result.application, names)) return undefined
  const application = applicationSchema().safeParse(result.application)
  if (!application.success) throw unreadable()
  return { type: result.type as WatchEvent['type'], application: application.data }
}

/** Whether it is readable as far as its name, and has another one. */
function isStranger(application: unknown, names: ReadonlySet<string>): boolean {
  const { metadata } = (application ?? {}) as { readonly metadata?: { readonly name?: unknown } | null }
  return typeof metadata?.name === 'string' && !names.has(metadata.name)
}
