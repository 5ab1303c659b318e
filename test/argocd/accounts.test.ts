import { afterEach, describe, expect, test } from 'bun:test'
import { as, call, login, start, stopServers } from './client.ts'

afterEach(stopServers)

describe('login and tokens', () => {
  const accounts = { ada: 'secret', eve: { password: 'hidden', applications: ['shop/*'] } }

  test('a login gives a token that works', async () => {
    const server = await start({ accounts }, { name: 'shop' })
    const { status, json } = await login(server, 'ada', 'secret')
    expect(status).toBe(200)
    expect((await call(server, '/applications/shop', as(String(json.token)))).status).toBe(200)
  })

  test('a wrong password, an unknown account and no password at all are 401', async () => {
    const server = await start({ accounts })
    const refused = {
      error: 'Invalid username or password',
      code: 16,
      message: 'Invalid username or password',
    }
    expect(await login(server, 'ada', 'wrong')).toMatchObject({ status: 401, json: refused })
    expect(await login(server, 'nobody', 'secret')).toMatchObject({ status: 401, json: refused })
    expect(await login(server, 'ada', '')).toMatchObject({ status: 401, json: { code: 16 } })
  })

  test('five failures lock the account, even for the right password', async () => {
    const server = await start({ accounts })
    for (let failure = 0; failure < 4; failure += 1) await login(server, 'ada', 'wrong')
    expect((await login(server, 'ada', 'secret')).status).toBe(200)
    for (let failure = 0; failure < 5; failure += 1) await login(server, 'ada', 'wrong')
    expect((await login(server, 'ada', 'secret')).status).toBe(401)
    expect((await login(server, 'eve', 'hidden')).status).toBe(200)
  })

  test('a login has to be sent as JSON and nothing else', async () => {
    const server = await start({ accounts })
    const send = (type: string, body: string) =>
      call(server, '/session', { method: 'POST', body, headers: { 'content-type': type } })
    const body = JSON.stringify({ username: 'ada', password: 'secret' })
    expect((await send('application/json', body)).status).toBe(200)
    expect(await send('application/json; charset=utf-8', body)).toMatchObject({
      status: 415,
      text: 'Invalid content type\n',
    })
    expect(await send('application/json', '{')).toMatchObject({ status: 400, json: { code: 3 } })
    expect((await call(server, '/session')).status).toBe(405)
  })

  test('what is no token, or none of this server, is told apart', async () => {
    const server = await start()
    const other = await start()
    const message = async (authorization: string) => {
      const { status, json } = await call(server, '/applications', { headers: { authorization } })
      expect([status, json.code]).toEqual([401, 16])
      return json.message
    }
    expect(await message('')).toBe('no session information')
    expect(await message('Bearer nonsense')).toBe('no session information')
    expect(await message(`Basic ${server.token}`)).toBe('no session information')
    expect(await message('Bearer a.b.c')).toStartWith('invalid session: token is malformed')
    expect(await message(`Bearer ${other.token}`)).toBe(
      'invalid session: token signature is invalid: signature is invalid',
    )
    const short = server.createToken({ seconds: -1 })
    expect(await message(`Bearer ${short}`)).toBe(
      'invalid session: token has invalid claims: token is expired',
    )
    const revoked = server.createToken({ account: 'robot' })
    server.revoke(revoked)
    expect(await message(`Bearer ${revoked}`)).toStartWith(
      'invalid session: account robot does not have token',
    )
  })

  test('the end of all sessions leaves the tokens that are none', async () => {
    const server = await start({ accounts })
    const token = String((await login(server, 'ada', 'secret')).json.token)
    server.endSessions()
    expect(await call(server, '/applications', as(token))).toMatchObject({
      status: 401,
      json: { message: 'invalid session: token is revoked, please re-login' },
    })
    expect((await call(server, '/applications')).status).toBe(200)
  })
})
