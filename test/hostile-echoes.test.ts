/** What was sent comes back: on no way out is it shown, however it is written, and wherever it is cut. */

import { describe, expect, test } from 'bun:test'
import { application } from './argocd/server.ts'
import { answers, http, says, TOKEN, WireServer } from './faults.ts'
import { SHA } from './fixtures.ts'
import { everything } from './ways-out.ts'

const PASSWORD = 'c0rrect "h<o>r&e"  \\battery\'s+staple/é%20'
const LOGIN = { ARGOCD_API_TOKEN: '', ARGOCD_API_USERNAME: 'kargo', ARGOCD_API_PASSWORD: PASSWORD }

const json = (text: string) => JSON.stringify(text).slice(1, -1)
/** As Go writes JSON. */
const goJson = (text: string) =>
  json(text).replace(/[<>&]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`)
const url = encodeURIComponent
const form = (text: string) => new URLSearchParams({ p: text }).toString().slice(2)
const html = Bun.escapeHTML
const goHtml = (text: string) => html(text).replaceAll('&quot;', '&#34;').replaceAll('&#x27;', '&#39;')
const base64 = (text: string) => Buffer.from(text).toString('base64')
/** Each of its bytes, in a way of writing. */
const bytes = (write: (byte: number) => string) => (text: string) =>
  [...Buffer.from(text)].map(write).join('')
const hex = (byte: number) => byte.toString(16).padStart(2, '0')
/** Only what has to be written otherwise, as nginx does it in its log. */
const nginx = (text: string) =>
  [...Buffer.from(text)]
    .map((byte) =>
      byte < 0x20 || byte > 0x7e || byte === 0x22 || byte === 0x5c
        ? `\\x${hex(byte)}`
        : String.fromCharCode(byte),
    )
    .join('')

type Way = (text: string) => string

/** What servers and proxies do to a text that they quote, once and twice. */
const WAYS: Readonly<Record<string, Way>> = {
  'as it is': (text) => text,
  'in JSON': json,
  'in JSON of Go': goJson,
  'in a URL': url,
  'in a form': form,
  'in HTML': html,
  'in HTML of Go': goHtml,
  'in one line': (text) => text.replaceAll(/\s+/g, ' '),
  'in a log of nginx': nginx,
  'in a URL, twice': (text) => url(url(text)),
  'in HTML, twice': (text) => html(goHtml(text)),
  'in JSON in JSON': (text) => goJson(json(text)),
  'in a form in HTML': (text) => goHtml(form(text)),
  'in HTML in a URL': (text) => url(html(text)),
  'in HTML in JSON': (text) => goJson(html(text)),
  'in JSON in HTML in a URL': (text) => url(html(json(text))),
  'in a URL in JSON in a log of nginx': (text) => nginx(json(url(text))),
  'as escapes of a URL': bytes((byte) => `%${hex(byte)}`),
  'as escapes of C': bytes((byte) => `\\x${hex(byte)}`),
  'as octal escapes': bytes((byte) => `\\${byte.toString(8).padStart(3, '0')}`),
  'as escapes of JSON': (text) =>
    [...text].map((character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`).join(''),
  'as numbers of HTML': (text) => [...text].map((character) => `&#${character.charCodeAt(0)};`).join(''),
  'in Base64': base64,
  'in Base64 of a URL': (text) => Buffer.from(text).toString('base64url'),
  'in Base64 behind a name': (text) => base64(`me:${text}`),
  'in Base64 with a line': (text) => base64(`x${text}\n`),
  'in Base64 in a URL': (text) => url(base64(text)),
}

/** So many characters of a secret are a leak. */
const TRACE = 8

/** What a text shows of a secret in a way of writing, or as it is. */
function traceOf(secret: string, way: Way, text: string): string | undefined {
  const shown = text.toLowerCase()
  return [secret, way(secret)]
    .flatMap((whole) => {
      const length = Math.ceil((TRACE * whole.length) / secret.length)
      return Array.from({ length: whole.length - length }, (_, i) => whole.slice(i, i + length))
    })
    .find((part) => shown.includes(part.toLowerCase()))
}

describe.each(Object.entries(WAYS))('a secret that is echoed %s is masked', (_, way) => {
  test.concurrent('a password', async () => {
    for (const status of [401, 500]) {
      await using server = await WireServer.start(
        answers(() => http(`${status} No`, [], `you sent ${way(PASSWORD)}!`)),
      )
      for (const { text } of await everything({ ...LOGIN, ARGOCD_SERVER: server.url, KPCEA_TIMEOUT: '0' }))
        expect(traceOf(PASSWORD, way, text)).toBeUndefined()
    }
  })

  test.concurrent('a token', async () => {
    await using server = await WireServer.start(
      answers(() => http('500 No', [], `you sent ${way(TOKEN)}, as ${way(`Bearer ${TOKEN}`)}`)),
    )
    const env = { ARGOCD_SERVER: server.url, ARGOCD_API_TOKEN: TOKEN, KPCEA_TIMEOUT: '0' }
    const all = await everything(env)
    for (const { text } of all) expect(traceOf(TOKEN, way, text)).toBeUndefined()
    expect(all.map(({ text }) => text).join('\n')).toMatch(/you sent \S{0,6}\*\*\*/)
  })
})

describe('a secret is masked however it is echoed', () => {
  /** So many characters of it would stand before the cut. */
  const LEFT = 20
  const upTo = (length: number, character = 'x') => character.repeat(length - LEFT)
  const notJson = (head: string, body: string) => http('200 OK', [head], body)
  const asJson = (value: unknown) => notJson('Content-Type: application/json', JSON.stringify(value))
  const stream = (head: string, body = '') =>
    `HTTP/1.1 200 OK\r\n${head}\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`

  /** By the length to which each is cut: what a server answers to a look, and to the stream. */
  const CUTS: Readonly<Record<string, readonly [look: string, stream?: string]>> = {
    'an error': [http('500 No', [], `${upTo(65_536, ' ')}${TOKEN}`)],
    'an error in escapes': [
      http('500 No', [], `${upTo(65_536, ' ')}${url(url(TOKEN)).replaceAll('.', '%2E')}`),
    ],
    'a title': [notJson('X: y', `<html>${upTo(16_384 - 13, ' ')}<title>${TOKEN}</title>`)],
    'a kind of compression': [notJson(`Content-Encoding: ${'x'.repeat(10)}${TOKEN}`, 'x')],
    'a key': [asJson({ metadata: { name: 'web', annotations: { [`${upTo(300 - 21)}${TOKEN}`]: 5 } } })],
    'a name': [asJson(application({ name: `${upTo(100)}${TOKEN}`, revision: SHA.a }))],
    'a place': [http('302 Found', [`Location: https://sso.example.com/${upTo(300)}${TOKEN}`])],
    'a content type': [http('503 No', []), stream(`Content-Type: text/plain; ${upTo(100 - 12)}${TOKEN}`)],
    'an error of the stream': [
      http('503 No', []),
      stream(
        'Content-Type: text/event-stream',
        `data: ${JSON.stringify({ error: { message: `${upTo(1500)}${TOKEN}` } })}\n\n`,
      ),
    ],
    'a message of an application': [
      asJson(
        application(
          { name: 'web', revision: SHA.a },
          { status: { health: { status: 'Degraded', message: `${upTo(3000, ' ')}${TOKEN}` } } },
        ),
      ),
    ],
  }
  test.concurrent.each(Object.entries(CUTS))(
    'where %s is cut inside it',
    async (_, [look, events = look]) => {
      await using server = await WireServer.start(
        answers((head) => (head.startsWith('GET /api/v1/stream/') ? events : look)),
      )
      const env = { ARGOCD_SERVER: server.url, ARGOCD_API_TOKEN: TOKEN, KPCEA_LOG_LEVEL: 'debug' }
      const all = await everything(env, ['text', 'json'])
      for (const { where, text } of all)
        expect([where, traceOf(TOKEN, url, text)]).toEqual([where, undefined])
    },
  )

  test.concurrent('where it ends a title, or what of a place is told', async () => {
    const secret = 'kingfisher<over?the#glass'
    const login = { ...LOGIN, ARGOCD_API_PASSWORD: secret, KPCEA_TIMEOUT: '0' }
    const pages = ['200 OK', '500 No'].map((status) => http(status, [], `<html><title>${secret}</title>`))
    for (const answer of [...pages, http('302 Found', [`Location: /login/${secret}`])]) {
      await using server = await WireServer.start(answers(() => answer))
      const all = await everything({ ...login, ARGOCD_SERVER: server.url })
      expect(all.map(({ text }) => text).join('\n')).toMatch(/web page|redirects to/)
      for (const { text } of all) expect(traceOf(secret, url, text)).toBeUndefined()
    }
  })

  test.concurrent('where an error breaks off inside it', async () => {
    const body = `you sent ${TOKEN.slice(0, LEFT)}`
    await using server = await WireServer.start(
      says(`HTTP/1.1 500 No\r\nContent-Length: ${2 * body.length}\r\n\r\n${body}`, 'close'),
    )
    const env = { ARGOCD_SERVER: server.url, ARGOCD_API_TOKEN: TOKEN, KPCEA_TIMEOUT: '0' }
    const all = await everything(env)
    // What came with the end of the connection may be lost with it.
    expect(all.map(({ text }) => text).join('\n')).toMatch(/\(500 (?:you sent \*\*\*)?…/)
    for (const { text } of all) expect(traceOf(TOKEN, url, text)).toBeUndefined()
  })

  test.concurrent('a password in a header, and a cookie', async () => {
    const headers = `X-Gate: Basic ${base64('me:s3cret-of-basic')}\nCookie: a=kingfisher-1; b="kingfisher-2"`
    await using server = await WireServer.start(
      answers(() => http('500 No', [], 'you are me with s3cret-of-basic, kingfisher-1 and kingfisher-2')),
    )
    const env = {
      ARGOCD_SERVER: server.url,
      ARGOCD_API_TOKEN: TOKEN,
      KPCEA_HEADERS: headers,
      KPCEA_TIMEOUT: '0',
    }
    const all = await everything(env)
    expect(all.map(({ text }) => text).join('\n')).toContain('you are me with ***, *** and ***')
    for (const { text } of all) for (const part of ['s3cret', 'kingfisher']) expect(text).not.toContain(part)
  })

  test.concurrent('in the place where it leads', async () => {
    const location = `/login?a=b#${TOKEN}`
    const path = `https://sso.example.com/${encodeURIComponent(TOKEN)}/x`
    for (const Location of [location, path]) {
      await using server = await WireServer.start(answers(() => http('302 Found', [`Location: ${Location}`])))
      const env = { ARGOCD_SERVER: server.url, ARGOCD_API_TOKEN: TOKEN, KPCEA_TIMEOUT: '0' }
      for (const { text } of await everything(env)) expect(text).not.toContain(TOKEN)
    }
  })

  test.concurrent('in names, and in the address that is made of them', async () => {
    const one = application({ name: `a${TOKEN}`, revision: SHA.b })
    await using server = await WireServer.start(
      answers((head) =>
        head.includes('/stream/') ? http('503 No', []) : http('200 OK', [], JSON.stringify({ items: [one] })),
      ),
    )
    const env = {
      ARGOCD_SERVER: server.url,
      ARGOCD_API_TOKEN: TOKEN,
      KPCEA_SELECTOR: 'a=b',
      ARGOCD_APP_NAME: '',
      KPCEA_TIMEOUT: '0',
    }
    for (const { text } of await everything(env)) expect(text).not.toContain(TOKEN)
  })

  test.concurrent('where it stands in the wrong setting', async () => {
    const env = { ARGOCD_SERVER: 'http://127.0.0.1:1', ARGOCD_API_TOKEN: TOKEN, KPCEA_TIMEOUT: '0' }
    for (const wrong of [{ ARGOCD_APP_NAME: `${TOKEN}!` }, { KPCEA_TIMEOUT: TOKEN }])
      for (const { text } of await everything({ ...env, ...wrong })) expect(text).not.toContain(TOKEN)
  })

  test.concurrent('of a proxy', async () => {
    const basic = btoa('me:pr0xy-secret')
    await using proxy = await WireServer.start(
      answers(() => http('500 No', [], `not you, me:pr0xy-secret, with ${basic}`)),
    )
    const env = {
      ARGOCD_SERVER: 'http://argocd.example.com',
      KPCEA_PLAINTEXT: 'true',
      ARGOCD_API_TOKEN: TOKEN,
      HTTP_PROXY: proxy.url.replace('//', '//me:pr0xy-secret@'),
      KPCEA_TIMEOUT: '0',
    }
    const all = await everything(env)
    expect(all.map(({ text }) => text).join('\n')).toContain('not you')
    for (const { text } of all) {
      expect(text).not.toContain('pr0xy-secret')
      expect(text).not.toContain(basic)
    }
  })
})
