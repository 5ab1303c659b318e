/** Messages that say again what one has said before are not read again, and nothing else is taken for one. */

import { describe, expect, test } from 'bun:test'
import { createRepeats } from '../lib/repeats.ts'
import { parsed, SHA } from './fixtures.ts'

const web = parsed({ name: 'web', revision: SHA.a })
const json = JSON.stringify({ metadata: { name: 'web', note: ',"type":"ADDED"}}' } })

const FORMS = {
  'as it is': (type: string, inner = json) => `{"result":{"type":"${type}","application":${inner}}}`,
  'cut down to fields': (type: string, inner = json) =>
    `{"result":{"application":${inner},"type":"${type}"}}`,
}

describe.each(Object.entries(FORMS))('a message %s', (_, message) => {
  test('that says the same again is what was read before, whatever its type', () => {
    const repeats = createRepeats()
    expect(repeats.find(message('ADDED'))).toBeUndefined()
    repeats.keep(message('ADDED'), web)
    expect(repeats.find(message('ADDED'))).toEqual({ type: 'ADDED', application: web })
    expect(repeats.find(message('MODIFIED'))?.type).toBe('MODIFIED')
    expect(repeats.find(message('MODIFIED'))?.application).toBe(web)
  })
  test('that says anything else, or that it is gone, is read', () => {
    const repeats = createRepeats()
    repeats.keep(message('ADDED'), web)
    expect(repeats.find(message('ADDED', json.replace('web', 'wet')))).toBeUndefined()
    expect(repeats.find(message('DELETED'))).toBeUndefined()
    expect(repeats.find(`${message('ADDED')} `)).toBeUndefined()
    expect(repeats.find(message('ADDED').slice(1))).toBeUndefined()
  })
  test('is forgotten when its application has said something else', () => {
    const repeats = createRepeats()
    repeats.keep(message('ADDED'), web)
    repeats.keep(message('MODIFIED', json.replace('note', 'more')), parsed({ name: 'web', revision: SHA.b }))
    expect(repeats.find(message('ADDED'))).toBeUndefined()
  })
})

test('the two forms are not taken for each other', () => {
  const repeats = createRepeats()
  repeats.keep(FORMS['as it is']('ADDED'), web)
  expect(repeats.find(FORMS['cut down to fields']('ADDED'))).toBeUndefined()
})

test('nothing is kept of an application that is gone', () => {
  const repeats = createRepeats()
  const said = FORMS['as it is']('ADDED')
  repeats.keep(said, web)
  repeats.forget(web)
  expect(repeats.find(said)).toBeUndefined()
})
