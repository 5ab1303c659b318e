/** Argo CD's stream of changes, as server-sent events. */

import { createParser } from 'eventsource-parser'
import * as z from 'zod/mini'
import { applicationSchema } from './application.ts'
import { RequestFailure } from './failure.ts'
import type { WatchEvent } from './requests.ts'

const messageSchema = z.object({
  result: z.nullish(z.object({ type: z.string(), application: z.unknown() })),
  error: z.nullish(
    z.object({
      message: z.nullish(z.string()),
      http_code: z.nullish(z.number()),
      grpc_code: z.nullish(z.number()),
    }),
  ),
})

const CHANGES: ReadonlySet<string> = new Set(['ADDED', 'MODIFIED', 'DELETED'])

/**
 * Reads a stream to its end, in batches as they arrive; an empty batch is a keep-alive, or the beginning.
 *
 * @param largestMessage the size in bytes from which a message that does not end is given up
 * @throws RequestFailure where the stream is no stream of Argo CD's, or ends in an error of its own
 */
export async function* readEvents(
  response: Response,
  host: string,
  largestMessage: number,
): AsyncGenerator<readonly WatchEvent[]> {
  const type = response.headers.get('content-type') ?? ''
  if (!type.startsWith('text/event-stream')) {
    await response.body?.cancel()
    throw new RequestFailure(
      'NotArgoCD',
      `${host} answered the stream of changes with ${type || 'no content type'}`,
    )
  }
  yield []
  let batch: WatchEvent[] = []
  let keptAlive = false
  let pending = 0
  const parser = createParser({
    onEvent({ data }) {
      pending = 0
      const event = parseMessage(data, host)
      if (event !== undefined) batch.push(event)
    },
    onComment() {
      pending = 0
      keptAlive = true
    },
  })
  const decoder = new TextDecoder('utf-8', { fatal: true })
  for await (const chunk of response.body ?? []) {
    pending += chunk.byteLength
    feed(parser, decoder, chunk, host)
    if (pending > largestMessage)
      throw new RequestFailure('NotArgoCD', `${host} sent a message that does not end`)
    // A part of a message says nothing yet, not even that nothing has changed.
    if (batch.length > 0 || keptAlive) yield batch
    batch = []
    keptAlive = false
  }
}

function feed(
  parser: { feed(text: string): void },
  decoder: TextDecoder,
  chunk: Uint8Array,
  host: string,
): void {
  let text: string
  try {
    text = decoder.decode(chunk, { stream: true })
  } catch {
    throw new RequestFailure('NotArgoCD', `${host} sent bytes that are no text in the stream of changes`)
  }
  parser.feed(text)
}

function parseMessage(data: string, host: string): WatchEvent | undefined {
  const unreadable = () =>
    new RequestFailure('NotArgoCD', `${host} sent a message in the stream of changes that is not Argo CD's`)
  let json: unknown
  try {
    json = JSON.parse(data)
  } catch {
    throw unreadable()
  }
  const message = messageSchema.safeParse(json)
  if (!message.success) throw unreadable()
  const { error, result } = message.data
  if (error !== null && error !== undefined)
    throw new RequestFailure(
      'Unreachable',
      `${host} ended the stream of changes (${error.message ?? 'without a reason'})`,
    )
  // What is neither a change nor an error is an error whose words were cut away.
  if (result === null || result === undefined) throw unreadable()
  // A kind of change that nobody knows says nothing; the application's state comes with the next one.
  if (!CHANGES.has(result.type)) return undefined
  const application = applicationSchema.safeParse(result.application)
  if (!application.success) throw unreadable()
  return { type: result.type as WatchEvent['type'], application: application.data }
}
