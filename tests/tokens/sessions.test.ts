import express from 'express'
import { describe, expect, it } from 'vitest'
import { type CommonOptions, session, type TokenStore } from '../../src/index.js'
import { CookieStore } from '../../src/stores/cookie.js'
import { JwtStore } from '../../src/stores/jwt.js'
import { CookieClient, FakeClock } from '../../src/testing/index.js'
import { type AnyData, serve } from '../support/serve.js'

const KEY = 'a key of the token stores, of 32 bytes and more'
const OLD_KEY = 'an older key of the token stores, of 32 bytes'
const HOUR = 3_600_000

const kinds = [
  { name: 'CookieStore', make: (keys: string[] = [KEY]): TokenStore => new CookieStore({ keys }) },
  { name: 'JwtStore', make: (keys: string[] = [KEY]): TokenStore => new JwtStore({ keys }) },
]

/** An app whose clients have the sessions. */
async function appWith(store: TokenStore, options: CommonOptions<AnyData> = {}) {
  const clock = new FakeClock(Date.UTC(2030, 0, 1))
  const sessions = session<AnyData>({ store, clock, ...options })
  const events: string[] = []
  for (const name of ['create', 'commit', 'renew', 'destroy', 'reject', 'expire'] as const) {
    sessions.on(
      name,
      (event) => void events.push('reason' in event ? `${name} ${event.reason}` : name),
    )
  }
  const app = express()
  app.use(sessions)
  const of = (req: object) => sessions.of(req).session
  app.get('/set/:key/:value', (req, res) => {
    of(req)[req.params.key] = req.params.value
    res.json(of(req).id)
  })
  app.get('/large/:bytes', (req, res) => {
    of(req).large = 'x'.repeat(Number(req.params.bytes))
    res.end('stored')
  })
  app.get('/count', async (req, res) => {
    res.json(await of(req).update((data) => (data.count = Number(data.count ?? 0) + 1)))
  })
  app.get('/late', (req, res) => {
    res.write('begun')
    of(req).late = true
    res.end()
  })
  app.get('/out', async (req, res) => {
    await of(req).destroy()
    res.end()
  })
  app.get('/regenerate', async (req, res) => {
    await of(req).regenerate({ keep: true })
    res.end()
  })
  app.get('/', (req, res) => void res.json(of(req)))
  app.get('/unread', (_req, res) => void res.end())
  const onError: express.ErrorRequestHandler = (error, _req, res, _next) => {
    res.status(error.status).json({ code: error.code, message: error.message })
  }
  app.use(onError)
  const { origin } = await serve(app)
  return { sessions, clock, events, browser: () => new CookieClient(origin, { clock }) }
}

describe.each(kinds)('a session in its own cookie: $name', ({ make }) => {
  it('is kept from request to request, and sends nothing while it is the same', async () => {
    const { browser, events } = await appWith(make())
    const ada = browser()
    expect((await ada.get('/')).setCookies).toEqual([])
    await ada.get('/set/a/1')
    await ada.get('/set/b/2')
    const read = await ada.get('/')
    expect(read.json()).toEqual({ a: '1', b: '2' })
    expect(read.setCookies).toEqual([])
    expect(events).toEqual(['create', 'commit'])
  })

  it('is renewed at a sign-in', async () => {
    const { browser, events } = await appWith(make())
    const ada = browser()
    const before = (await ada.get('/set/a/1')).json()
    await ada.get('/set/userId/ada')
    const after = (await ada.get('/set/b/2')).json()
    expect(after).not.toBe(before)
    expect((await ada.get('/')).json()).toEqual({ a: '1', b: '2', userId: 'ada' })
    expect(events).toEqual(['create', 'renew login', 'commit'])
  })

  it('counts by update', async () => {
    const { browser } = await appWith(make())
    const ada = browser()
    const counts = []
    for (let n = 0; n < 3; n++) counts.push((await ada.get('/count')).json())
    expect(counts).toEqual([1, 2, 3])
  })

  it('is forgotten by the client that signs out, and by no copy', async () => {
    const { browser } = await appWith(make())
    const ada = browser()
    await ada.get('/set/userId/ada')
    const copy = ada.jar.get('sid')!
    await ada.get('/out')
    expect(ada.jar.size).toBe(0)
    const thief = browser()
    thief.jar.set(copy)
    expect((await thief.get('/')).json()).toEqual({ userId: 'ada' })
  })

  it('ends after its idle time and after its absolute time, whatever the client keeps', async () => {
    const { browser, clock, events } = await appWith(make(), {
      idleTimeout: HOUR,
      absoluteTimeout: 3 * HOUR,
    })
    const ada = browser()
    await ada.get('/set/a/1')
    clock.advance(HOUR)
    expect((await ada.get('/')).json()).toEqual({})
    await ada.get('/set/a/1')
    for (let n = 0; n < 5; n++) {
      clock.advance(0.59 * HOUR)
      expect((await ada.get('/')).json()).toEqual({ a: '1' })
    }
    clock.advance(0.1 * HOUR)
    expect((await ada.get('/')).json()).toEqual({})
    expect(events.filter((event) => event.startsWith('expire'))).toEqual([
      'expire idle',
      'expire absolute',
    ])
  })

  it('sends its cookie again when half of its idle time is over, and not before', async () => {
    const { browser, clock } = await appWith(make(), { idleTimeout: HOUR })
    const ada = browser()
    await ada.get('/set/a/1')
    clock.advance(HOUR / 2)
    expect((await ada.get('/unread')).setCookies).toEqual([])
    clock.advance(1)
    expect((await ada.get('/unread')).setCookies).toHaveLength(1)
    clock.advance(HOUR - 1000)
    expect((await ada.get('/')).json()).toEqual({ a: '1' })
  })

  it('takes an older key, and comes back under the newest', async () => {
    const before = await appWith(make([OLD_KEY]))
    const ada = before.browser()
    await ada.get('/set/a/1')
    const cookie = `sid=${ada.jar.get('sid')!.value}`
    const both = (await appWith(make([KEY, OLD_KEY]))).browser()
    const read = await both.get('/', { headers: { cookie } })
    expect(read.json()).toEqual({ a: '1' })
    const now = (await appWith(make([KEY]))).browser()
    expect((await now.get('/', { headers: { cookie } })).json()).toEqual({})
    const renewed = read.setCookies[0]!.split(';')[0]!
    expect((await now.get('/', { headers: { cookie: renewed } })).json()).toEqual({ a: '1' })
  })

  it('is an error before the headers when no browser would keep it', async () => {
    const { browser } = await appWith(make())
    const ada = browser()
    await ada.get('/set/a/1')
    const refused = await ada.get('/large/5000')
    expect(refused.status).toBe(500)
    expect(refused.json()).toMatchObject({
      code: 'ERR_COOKIE_TOO_LARGE',
      message: expect.stringMatching(
        /would have \d+ bytes, and browsers keep 4096.*large \(5002\)/,
      ),
    })
    expect(refused.setCookies).toEqual([])
    expect((await ada.get('/')).json()).toEqual({ a: '1' })
  })

  it('is not stored when its headers have left', async () => {
    const { browser } = await appWith(make())
    const ada = browser()
    await ada.get('/set/a/1')
    await ada.get('/late')
    expect((await ada.get('/')).json()).toEqual({ a: '1' })
  })

  it('cannot be listed or revoked', async () => {
    const { sessions } = await appWith(make())
    expect(sessions.capabilities).toEqual({
      byUser: false,
      revokeUser: false,
      revoke: false,
      sweep: false,
      atomic: 'none',
    })
    const refused = { code: 'ERR_UNSUPPORTED' }
    await expect(sessions.list('ada')).rejects.toMatchObject(refused)
    await expect(sessions.revokeUser('ada')).rejects.toMatchObject(refused)
    await expect(sessions.revoke('handle')).rejects.toMatchObject(refused)
  })

  it('opens under no other name of a cookie', async () => {
    const mine = await appWith(make(), { cookie: { name: 'mine' } })
    const other = await appWith(make(), { cookie: { name: 'other' } })
    const ada = mine.browser()
    await ada.get('/set/a/1')
    const cookie = `other=${ada.jar.get('mine')!.value}`
    expect((await other.browser().get('/', { headers: { cookie } })).json()).toEqual({})
    expect(other.events).toEqual(['reject format'])
  })
})
