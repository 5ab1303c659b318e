/** What is made of the parts in which a stream comes. */

import { describe, expect, test } from 'bun:test'
import { gathered } from '../lib/stream.ts'

/** Parts that come one after the other, with turns of the event loop between them. */
async function* inTurns(...parts: readonly (readonly number[])[]) {
  for (const part of parts) {
    yield part
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
  }
}

/** No test depends on being quick. */
const PATIENT = { pause: 60_000, whole: 60_000 } as const

async function all(batches: AsyncGenerator<readonly number[]>): Promise<readonly (readonly number[])[]> {
  return Array.fromAsync(batches)
}

describe('what a stream brings is gathered', () => {
  test('not at all: a change is handed on at once, and so is that the stream has begun', async () => {
    expect(await all(gathered(inTurns([], [1], [2, 3], [])))).toEqual([[], [1], [2, 3], []])
  })
  test('as far as it is known what it begins with: one that is opened anew tells of as much as the last', async () => {
    expect(await all(gathered(inTurns([], [1], [2], [3, 4], [5]), 4, PATIENT))).toEqual([
      [],
      [1, 2, 3, 4],
      [5],
    ])
  })
  test('unless there is a pause: what is missing may be gone', async () => {
    const handedOn = Promise.withResolvers<void>()
    async function* parts() {
      yield []
      yield [1]
      yield [2]
      await handedOn.promise
      yield [3]
    }
    const batches: (readonly number[])[] = []
    for await (const batch of gathered(parts(), 4)) {
      batches.push(batch)
      if (batch.includes(2)) handedOn.resolve()
    }
    expect(batches).toEqual([[], [1, 2], [3]])
  })
  test('for a while only: a server may take its time for each', async () => {
    async function* parts() {
      yield []
      for (let i = 0; i < 600; i++) {
        yield [i]
        await Bun.sleep(1)
      }
    }
    const batches = gathered(parts(), 600, { ...PATIENT, whole: 50 })
    await batches.next()
    const { value } = await batches.next()
    await batches.return(undefined)
    expect(value?.length).toBeWithin(1, 600)
  })
  test('up to a thousand: more is not held back', async () => {
    const part = Array.from({ length: 600 }, (_, i) => i)
    const batches = await all(gathered(inTurns([], part, part, part), 1800, PATIENT))
    expect(batches.map(({ length }) => length)).toEqual([0, 1200, 600])
  })
})
