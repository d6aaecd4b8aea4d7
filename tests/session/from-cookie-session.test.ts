import { createHmac, createSecretKey } from 'node:crypto'
import { createRequire } from 'node:module'
import express, { type RequestHandler } from 'express'
import Keygrip from 'keygrip'
import { describe, expect, it, vi } from 'vitest'
import { type CookieSessionOptions, cookieSession } from '../../src/cookie-session/index.js'
import {
  bearer,
  type FromCookieSession,
  MemoryStore,
  OptionError,
  type SessionOptions,
  type Store,
  session,
} from '../../src/index.js'
import { CookieStore } from '../../src/stores/cookie.js'
import { JwtStore } from '../../src/stores/jwt.js'
import { CookieClient, CookieJar, FakeClock } from '../../src/testing/index.js'
import { type AnyData, SECRET, serve, serveApp } from '../support/serve.js'

const require = createRequire(import.meta.url)
const realCookieSession = require('cookie-session') as (options: object) => RequestHandler

const OLD_KEY = 'keyboard cat'
const LONG_KEY = 'a key of the token stores, of 32 bytes and more'
const HOUR = 3_600_000

interface Options extends Partial<Omit<SessionOptions<AnyData>, 'from'>> {
  old?: FromCookieSession
  from?: SessionOptions['from']
}

/** A native app whose visitors come from cookie-session. */
async function newApp({ old, from, ...options }: Options = {}) {
  const clock = new FakeClock(Date.UTC(2030, 0, 1))
  const app = await serveApp(
    (app, sessions) => {
      const of = (req: object) => sessions.of(req).session
      app.get('/set/:key', (req, res) => {
        of(req)[req.params.key] = true
        res.end()
      })
      app.get('/login/:user', (req, res) => {
        of(req).userId = req.params.user
        res.end()
      })
      app.get('/logout', async (req, res) => {
        await of(req).destroy()
        res.end()
      })
      app.get('/facts', (req, res) => {
        const { createdAt, authenticatedAt } = sessions.of(req)
        res.json({ createdAt, authenticatedAt: authenticatedAt ?? null })
      })
    },
    { clock, ...options, from: { cookieSession: { keys: [OLD_KEY], ...old }, ...from } },
  )
  const events: unknown[] = []
  app.sessions.on('create', ({ takenFrom, user }) => events.push(['create', takenFrom, user]))
  app.sessions.on('reject', ({ reason }) => events.push(['reject', reason]))
  app.sessions.on('corrupt', ({ reason }) => events.push(['corrupt', reason]))
  return { ...app, clock, events }
}

/** The browser of a visitor of an app on cookie-session, real or not. */
async function oldBrowser(
  data: object,
  options: object = { keys: [OLD_KEY] },
  make: (options: CookieSessionOptions) => RequestHandler = realCookieSession,
): Promise<CookieJar> {
  const app = express()
  app.use(make(options))
  app.get('/', (req, res) => {
    Object.assign(req.session as object, data)
    res.end()
  })
  const { origin } = await serve(app)
  const jar = new CookieJar()
  expect((await new CookieClient(origin, { jar }).get('/')).setCookies).not.toEqual([])
  return jar
}

/** Its cookies as a header. */
const headerOf = (jar: CookieJar): string =>
  [...jar].map(({ name, value }) => `${name}=${value}`).join('; ')

/** Any text, signed as cookie-session does. */
function signed(text: string, name = 'session', key = OLD_KEY): string {
  const value = Buffer.from(text).toString('base64')
  const signature = createHmac('sha1', key).update(`${name}=${value}`).digest('base64url')
  return `${name}=${value}; ${name}.sig=${signature}`
}

const get = async (app: { browser(): CookieClient }, cookie: string, path = '/') =>
  await app.browser().get(path, { headers: { cookie } })

const GONE = 'Max-Age=0; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly'

describe('an app that was on cookie-session', () => {
  it.each([
    ['a store', {}],
    ['CookieStore', { store: new CookieStore({ keys: LONG_KEY }), secret: undefined }],
    ['JwtStore', { store: new JwtStore({ keys: LONG_KEY }), secret: undefined }],
  ])('keeps its visitors signed in, whatever they do first, with %s', async (_, options) => {
    for (const path of ['/', '/set/x', '/login/bob', '/facts']) {
      const jar = await oldBrowser({ userId: 'ada', cart: [{ name: 'Zoë' }] })
      const app = await newApp(options as object)
      const visitor = new CookieClient(app.origin, { jar })
      const first = await visitor.get(path)
      expect(first.status).toBe(200)
      expect(first.setCookies).toEqual([
        expect.stringMatching(/^sid=[\w.-]+; Path=\/; HttpOnly; SameSite=Lax$/),
        `session=; ${GONE}`,
        `session.sig=; ${GONE}`,
      ])
      const userId = path === '/login/bob' ? 'bob' : 'ada'
      const data = { userId, cart: [{ name: 'Zoë' }], ...(path === '/set/x' && { x: true }) }
      const second = await visitor.get('/')
      expect([second.json(), second.setCookies]).toEqual([data, []])
      expect([...jar].map(({ name }) => name)).toEqual(['sid'])
    }
  })

  it('has the session in its store with its user, and when that one signed in nobody knows', async () => {
    const app = await newApp()
    const cookie = headerOf(await oldBrowser({ userId: 'ada', n: 1 }))
    expect((await get(app, cookie, '/facts')).json()).toEqual({
      createdAt: app.clock.now(),
      authenticatedAt: null,
    })
    expect(await app.sessions.list('ada')).toMatchObject([{ data: { userId: 'ada', n: 1 } }])
    expect(app.events).toEqual([['create', 'cookieSession', 'ada']])
  })

  it('takes over under any name, and by keys of each kind', async () => {
    const bytes = Buffer.from(OLD_KEY)
    const strong = new Keygrip([OLD_KEY], 'sha512')
    for (const [before, keys] of [
      [[OLD_KEY], ['newer', OLD_KEY]],
      [[OLD_KEY], OLD_KEY],
      [[OLD_KEY], new Keygrip(['newer', OLD_KEY])],
      [[bytes], bytes],
      [[OLD_KEY], createSecretKey(bytes)],
      [strong, strong],
    ] as const) {
      const cookie = headerOf(await oldBrowser({ n: 1 }, { name: 'app', keys: before }))
      const app = await newApp({ old: { name: 'app', keys } })
      const answer = await get(app, cookie)
      expect(answer.json()).toEqual({ n: 1 })
      expect(answer.setCookies.slice(1)).toEqual([`app=; ${GONE}`, `app.sig=; ${GONE}`])
    }
  })

  it('deletes the old cookies where they were set', async () => {
    const app = await newApp({ old: { path: '/', domain: 'example.com', partitioned: true } })
    const { setCookies } = await get(app, signed('{"n":1}'))
    expect(setCookies[1]).toBe(
      'session=; Max-Age=0; Domain=example.com; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; Partitioned',
    )
  })

  it('may call its cookie as the old one was called', async () => {
    const app = await newApp({ cookie: { name: 'session' } })
    const jar = await oldBrowser({ n: 1 })
    const visitor = new CookieClient(app.origin, { jar })
    expect((await visitor.get('/')).json()).toEqual({ n: 1 })
    const second = await visitor.get('/')
    expect([second.json(), [...jar].map(({ name }) => name)]).toEqual([{ n: 1 }, ['session']])
  })

  it('gives visitors whose cookies are the same a session each', async () => {
    const app = await newApp()
    const cookie = signed('{"userId":"ada"}')
    const [one, other] = [app.browser(), app.browser()]
    await one.get('/set/one', { headers: { cookie } })
    await other.get('/set/other', { headers: { cookie } })
    expect((await one.get('/')).json()).toEqual({ userId: 'ada', one: true })
    expect((await other.get('/')).json()).toEqual({ userId: 'ada', other: true })
    expect(await app.sessions.list('ada')).toHaveLength(2)
  })

  it('has moved its visitors from express-session too', async () => {
    const old = new MemoryStore()
    const app = await newApp({ from: { expressSession: { secret: OLD_KEY, store: old } } })
    await old.create('an-id', { text: '{"cookie":{},"from":"express"}', expiresAt: 1e15 })
    const signature = createHmac('sha256', OLD_KEY).update('an-id').digest('base64')
    const express = `connect.sid=${encodeURIComponent(`s:an-id.${signature.replace(/=+$/, '')}`)}`
    const pair = signed('{"from":"cookie"}')
    const both = await get(app, `${pair}; ${express}`)
    // The one that a store knows comes first, and once.
    expect(both.json()).toEqual({ from: 'express' })
    expect(both.setCookies.map((line) => line.split('=')[0])).toEqual([
      'sid',
      'connect.sid',
      'session',
      'session.sig',
    ])
    expect((await get(app, pair)).json()).toEqual({ from: 'cookie' })
    expect(app.events).toEqual([
      ['create', 'expressSession', undefined],
      ['create', 'cookieSession', undefined],
    ])
  })

  it('needs chunks for what fitted a signed cookie, and no encrypted one', async () => {
    const store = new CookieStore({ keys: LONG_KEY })
    const cookie = signed(JSON.stringify({ text: 'x'.repeat(2900) }))
    const one = await newApp({ store, secret: undefined } as object)
    const refused = await get(one, cookie)
    expect(refused.json()).toMatchObject({ code: 'ERR_COOKIE_TOO_LARGE' })
    expect(refused.setCookies).toEqual([])
    const two = await newApp({ store, secret: undefined, chunks: 2 } as object)
    expect((await get(two, cookie)).setCookies.map((line) => line.split('=')[0])).toEqual([
      'sid.0',
      'sid.1',
      'session',
      'session.sig',
    ])
  })

  it('has used encrypt of the drop-in', async () => {
    const options = { keys: [LONG_KEY], encrypt: true }
    const cookie = headerOf(await oldBrowser({ n: 1 }, options, cookieSession))
    expect((await get(await newApp({ old: options }), cookie)).json()).toEqual({ n: 1 })
    const encrypt = { keys: LONG_KEY }
    expect((await get(await newApp({ old: { encrypt } }), cookie)).json()).toEqual({ n: 1 })
    const without = await newApp()
    const answer = await get(without, cookie)
    expect([answer.json(), answer.setCookies, without.events]).toEqual([{}, [], []])
  })
})

describe('an old pair of cookies', () => {
  it('goes with a sign-out, and with any cookie of ours', async () => {
    const app = await newApp()
    const jar = await oldBrowser({ userId: 'ada' })
    const visitor = new CookieClient(app.origin, { jar })
    const out = await visitor.get('/logout')
    expect(out.setCookies.map((line) => line.split(';')[0])).toEqual([
      'sid=',
      'session=',
      'session.sig=',
    ])
    expect((await visitor.get('/')).json()).toEqual({})
  })

  it('that is still beside a live session of ours is not read, and goes at once', async () => {
    const app = await newApp()
    const jar = await oldBrowser({ userId: 'ada' })
    const own = app.browser()
    await own.get('/set/own')
    jar.take(`sid=${own.jar.get('sid')!.value}; Path=/`, `${app.origin}/`)
    const visitor = new CookieClient(app.origin, { jar })
    const first = await visitor.get('/')
    expect(first.json()).toEqual({ own: true })
    expect([...jar].map(({ name }) => name)).toEqual(['sid'])
    expect((await visitor.get('/')).setCookies).toEqual([])
    // So that nothing brings it back when ours has ended.
    await app.clock.advance(25 * HOUR)
    expect((await visitor.get('/')).json()).toEqual({})
  })

  it('begins nothing for a request that is late for a sign-in', async () => {
    const app = await newApp()
    const pair = signed('{"n":1}')
    const visitor = app.browser()
    await visitor.get('/', { headers: { cookie: pair } })
    const late = `sid=${visitor.jar.get('sid')!.value}; ${pair}`
    await visitor.get('/login/ada')
    const answer = await get(app, late)
    expect([answer.json(), answer.setCookies]).toEqual([{}, []])
  })

  it('that somebody has kept works until the date that ends it, and each time is told', async () => {
    const cookie = headerOf(await oldBrowser({ userId: 'ada' }))
    const until = new Date(Date.UTC(2030, 0, 1) + HOUR)
    const app = await newApp({ old: { until } })
    for (let n = 0; n < 2; n++) expect((await get(app, cookie)).json()).toEqual({ userId: 'ada' })
    expect(app.events).toEqual(Array(2).fill(['create', 'cookieSession', 'ada']))
    // Those who took it over are found, and can be ended.
    expect(await app.sessions.revokeUser('ada')).toBe(2)
    await app.clock.advance(HOUR)
    expect((await get(app, cookie)).json()).toEqual({})
    expect(app.events).toHaveLength(2)
  })

  it('is known to sockets, which have no response to send its cookie with', async () => {
    const app = await newApp()
    const headers = { cookie: signed('{"n":1}') }
    expect(await app.sessions.read({ headers })).toEqual({ n: 1 })
  })

  it('with nothing in it begins no session', async () => {
    const app = await newApp()
    const answer = await get(app, signed('{}'))
    expect([answer.json(), answer.setCookies, app.events]).toEqual([{}, [], []])
  })

  it('is verified before it is parsed, as it came (CVE-2026-39324)', async () => {
    const parse = vi.spyOn(JSON, 'parse')
    const app = await newApp()
    const text = '{"userId":"eve","a":"?>?"}'
    const good = signed(text)
    const [value = '', signature = ''] = good.split('; ')
    // The same bytes in other spellings of their base64.
    const spelt = [value.replaceAll('/', '_'), value.replace(/=$/, ''), `${value}=`]
    expect(spelt).not.toContain(value)
    const forged = [
      value,
      `${value}; session.sig=`,
      `${value}; session.sig=junk`,
      `${good}x`,
      signed(text, 'session', 'keyboard dog'),
      signed(text, 'session', SECRET),
      signed(text, 'admin').replaceAll('admin', 'session'),
      good.replace('session=e', 'session=f'),
      good.replace('session=e', 'session=%65'),
      ...spelt.map((other) => `${other}; ${signature}`),
      `session=${encodeURIComponent(text)}; ${signature}`,
      `session=${text}; ${signature}`,
    ]
    for (const cookie of forged) {
      parse.mockClear()
      const answer = await app.browser().get('/', { headers: { cookie } })
      expect([cookie, parse.mock.calls.length]).toEqual([cookie, 0])
      expect([answer.status, answer.json(), answer.setCookies]).toEqual([200, {}, []])
    }
    parse.mockRestore()
    expect(app.events.length).toBeGreaterThan(5)
    expect(await app.sessions.list('eve')).toEqual([])
  })

  it.each([
    ['that is no JSON', 'garbage'],
    ['of a list', '[1,2]'],
    ['of null', 'null'],
    ['of a text', '"abc"'],
    ['deeper than any record', `{"a":${'['.repeat(2000)}${']'.repeat(2000)}}`],
  ])('is no session if it is well signed, but %s', async (_, text) => {
    const app = await newApp()
    const answer = await get(app, signed(text))
    expect([answer.status, answer.json(), answer.setCookies]).toEqual([200, {}, []])
    expect(app.events).toEqual([['corrupt', 'unreadable']])
  })

  it('with data that the tokens of a store have another meaning for is none', async () => {
    const store = new JwtStore({ keys: LONG_KEY })
    const app = await newApp({ store, secret: undefined } as object)
    const answer = await get(app, signed('{"sub":"eve"}'))
    expect([answer.status, answer.json()]).toEqual([200, {}])
    expect(app.events).toEqual([['corrupt', 'unreadable']])
  })

  it('pollutes nothing', async () => {
    const app = await newApp()
    const text = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"a":1}'
    const answer = await get(app, signed(text))
    expect(answer.json()).toMatchObject({ a: 1 })
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  })

  it('is found behind a stale one of the same name', async () => {
    const app = await newApp()
    const cookie = `${signed('{"n":1}', 'session', 'gone')}; ${signed('{"n":2}')}`
    expect((await get(app, cookie)).json()).toEqual({ n: 2 })
  })

  it('is looked for in a few cookies of the name, and junk costs no more', async () => {
    const signature = vi.fn<(text: string, given: string) => number>(() => -1)
    const keys = { sign: () => '', index: signature }
    const app = await newApp({ old: { keys } })
    const junk = Array.from({ length: 500 }, (_, n) => `session=${n}; session.sig=${n}`).join('; ')
    expect((await get(app, junk)).json()).toEqual({})
    expect(signature).toHaveBeenCalledTimes(80)
    expect(app.events).toHaveLength(20)
    const stale = Array.from({ length: 19 }, (_, n) => `session=${n}`).join('; ')
    const good = await newApp()
    expect((await get(good, `${stale}; ${signed('{"n":1}')}`)).json()).toEqual({ n: 1 })
  })

  it('signs nobody out where the store fails', async () => {
    const store: Store = new MemoryStore()
    const create = store.create.bind(store)
    let isDown = true
    store.create = async (...given) => {
      if (isDown) throw new Error('the store is down')
      return create(...given)
    }
    const app = await newApp({ store })
    const jar = await oldBrowser({ userId: 'ada' })
    const visitor = new CookieClient(app.origin, { jar })
    expect(await visitor.get('/')).toMatchObject({ status: 503, setCookies: [] })
    isDown = false
    expect((await visitor.get('/')).json()).toEqual({ userId: 'ada' })
  })
})

describe('the option from.cookieSession', () => {
  it.each([
    [null, /from\.cookieSession is null/],
    [[], /from\.cookieSession is an array/],
    [{}, /from\.cookieSession\.keys is undefined/],
    [{ keys: [] }, /from\.cookieSession\.keys/],
    [{ keys: [''] }, /from\.cookieSession\.keys/],
    [{ keys: [OLD_KEY, 1] }, /from\.cookieSession\.keys/],
    [{ keys: {} }, /from\.cookieSession\.keys/],
    [{ keys: OLD_KEY, name: 1 }, /from\.cookieSession\.name/],
    [{ keys: OLD_KEY, path: 1 }, /from\.cookieSession\.path/],
    [{ keys: OLD_KEY, domain: 1 }, /from\.cookieSession\.domain/],
    [{ keys: OLD_KEY, partitioned: 1 }, /from\.cookieSession\.partitioned/],
    [{ keys: OLD_KEY, until: '2030' }, /from\.cookieSession\.until/],
    [{ keys: OLD_KEY, until: new Date('x') }, /from\.cookieSession\.until/],
    [{ keys: OLD_KEY, secret: 'x' }, /from\.cookieSession\.secret/],
    [{ keys: OLD_KEY, encrypt: true }, /12 bytes; .*from\.cookieSession\.encrypt\.keys/],
  ])('is refused if it is %j', (old, message) => {
    const make = () => session({ secret: SECRET, from: { cookieSession: old as never } })
    expect(make).toThrow(OptionError)
    expect(make).toThrow(message)
  })
})

describe('the option from', () => {
  it('takes no cookies where tokens travel in Authorization', () => {
    for (const from of [
      { cookieSession: { keys: OLD_KEY } },
      { expressSession: { secret: OLD_KEY, store: new MemoryStore() } },
    ]) {
      const make = () => session({ secret: SECRET, transport: bearer(), from })
      expect(make).toThrow(/The option from does not go with transport/)
    }
  })
})

describe('the option from.expressSession', () => {
  it('needs a store of its own where sessions are in their tokens', () => {
    const from = { expressSession: { secret: OLD_KEY } }
    const make = () => session({ store: new CookieStore({ keys: LONG_KEY }), from })
    expect(make).toThrow(/from\.expressSession\.store is missing/)
  })
})
