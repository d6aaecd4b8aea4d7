import { createHmac, createSecretKey } from 'node:crypto'
import { sign } from 'cookie-signature'
import express from 'express'
import expressSession from 'express-session'
import { describe, expect, it, vi } from 'vitest'
import { LegacyStore } from '../../src/express-session/index.js'
import {
  type ExpressSessionStore,
  type FromExpressSession,
  MemoryStore,
  OptionError,
  type SessionOptions,
  type Store,
} from '../../src/index.js'
import { CookieStore } from '../../src/stores/cookie.js'
import { JwtStore } from '../../src/stores/jwt.js'
import { CookieClient, CookieJar, type FakeClock } from '../../src/testing/index.js'
import { ExpiringOldStore, PlainOldStore, pass, sharedClock } from '../support/old-stores.js'
import { type AnyData, SECRET, serve, serveApp } from '../support/serve.js'
import { gate, meeting } from '../support/turns.js'

vi.mock('node:crypto', { spy: true })

const OLD_SECRET = 'keyboard cat'
const SID = 'cOaTcHeCkExAmPlE0123456789_-AbCd'
const HOUR = 3_600_000
const DAY = 24 * HOUR

interface Options extends Partial<SessionOptions<AnyData>> {
  old?: Partial<FromExpressSession>
  meet?: () => Promise<void>
}

/** A native app whose visitors come from express-session. */
async function newApp({ old, meet, ...options }: Options = {}) {
  const clock = (options.clock as FakeClock | undefined) ?? sharedClock()
  const store = options.store ?? new MemoryStore({ clock })
  const app = await serveApp(
    (app, sessions) => {
      app.get('/set/:key', async (req, res) => {
        const { session } = sessions.of(req)
        await meet?.()
        session[req.params.key] = true
        res.end()
      })
      app.get('/login/:user', (req, res) => {
        sessions.of(req).session.userId = req.params.user
        res.end()
      })
      app.get('/logout', async (req, res) => {
        await sessions.of(req).session.destroy()
        res.end()
      })
      app.get('/facts', (req, res) => {
        const { createdAt, authenticatedAt, lastSeenAt, expiresAt } = sessions.of(req)
        const { maxAge } = sessions.of(req).session.cookie
        res.json({ createdAt, authenticatedAt, lastSeenAt, expiresAt, maxAge })
      })
      app.get('/explain', (req, res) => {
        res.on('finish', () => explained.push(sessions.explain(req)))
        res.end()
      })
    },
    { ...options, store, clock, from: { expressSession: { secret: OLD_SECRET, ...old } } },
  )
  const explained: unknown[] = []
  const events: string[] = []
  for (const name of ['create', 'renew', 'destroy', 'reject', 'corrupt', 'stale-write'] as const) {
    app.sessions.on(name, () => events.push(name))
  }
  return { ...app, clock, store, events, explained }
}

/** What express-session sends for an id. */
function oldCookie(sid = SID, secret = OLD_SECRET, name = 'connect.sid') {
  return { headers: { cookie: `${name}=${encodeURIComponent(`s:${sign(sid, secret)}`)}` } }
}

/** A browser that has the cookie of express-session. */
function oldBrowser(origin: string, sid = SID, attributes = '; Path=/; HttpOnly') {
  const jar = new CookieJar()
  const { cookie } = oldCookie(sid).headers
  jar.take(`${cookie}${attributes}`, `${origin}/`)
  return new CookieClient(origin, { jar })
}

function oldSession(data: object, cookie: object = {}) {
  return {
    cookie: { originalMaxAge: null, expires: null, httpOnly: true, path: '/', ...cookie },
    ...data,
  }
}

async function keep(store: Store, sid: string, session: object): Promise<void> {
  const entry = { text: JSON.stringify(session), expiresAt: Date.now() + 30 * DAY }
  expect(await store.create(sid, entry)).toBe(true)
}

describe('an app that was on express-session', () => {
  it('keeps its visitors signed in, whatever they do first', async () => {
    for (const path of ['/', '/set/x', '/login/bob', '/explain', '/facts']) {
      const clock = sharedClock()
      const old = new expressSession.MemoryStore()
      const before = express()
      before.use(
        expressSession({ secret: OLD_SECRET, store: old, resave: false, saveUninitialized: false }),
      )
      before.get('/login', (req, res) => {
        Object.assign(req.session, { userId: 'ada', cart: [{ name: 'Zoë' }] })
        res.end()
      })
      const jar = new CookieJar()
      const { origin } = await serve(before)
      await new CookieClient(origin, { jar }).get('/login')

      const app = await newApp({ clock, old: { store: old } })
      const visitor = new CookieClient(app.origin, { jar })
      const first = await visitor.get(path)
      expect(first.status).toBe(200)
      expect(first.setCookies).toEqual([
        expect.stringMatching(/^sid=[\w-]{32}\.[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/),
        'connect.sid=; Max-Age=0; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly',
      ])
      expect(first.headers['cache-control']).toBe('no-store')
      const userId = path === '/login/bob' ? 'bob' : 'ada'
      const data = { userId, cart: [{ name: 'Zoë' }], ...(path === '/set/x' && { x: true }) }
      const second = await visitor.get('/')
      expect(second.json()).toEqual(data)
      expect(second.setCookies).toEqual([])
      expect(jar.get('connect.sid')).toBeUndefined()
      expect(Reflect.get(old, 'sessions')).toEqual({})
      vi.useRealTimers()
    }
  })

  it('has the session in its own store under a hashed key, with its user', async () => {
    const old = new PlainOldStore()
    old.kept.set(SID, oldSession({ userId: 'ada', n: 1 }))
    const app = await newApp({ old: { store: old } })
    expect((await oldBrowser(app.origin).get('/')).json()).toEqual({ userId: 'ada', n: 1 })
    const list = await app.sessions.list('ada')
    expect(list).toMatchObject([{ data: { userId: 'ada', n: 1 } }])
    const kept = (await (app.store as Store).load(list[0]!.id))!.text
    expect(kept).not.toContain(SID)
    expect(kept).not.toContain('cookie')
    expect(old.kept.size).toBe(0)
    expect(app.events).toEqual(['create'])
  })

  it.each([
    ['a store made for express-session', () => new PlainOldStore()],
    ['one that keeps texts with an expiry', (clock: FakeClock) => new ExpiringOldStore(clock)],
  ])('may have its own store in common with its past: %s', async (_, make) => {
    const clock = sharedClock()
    const store: ExpressSessionStore = make(clock)
    await new Promise<void>((resolve) => {
      const session = oldSession({ userId: 'ada' }, { expires: new Date(Date.now() + DAY) })
      store.set(SID, session, () => resolve())
    })
    const app = await newApp({ clock, store })
    const visitor = oldBrowser(app.origin)
    expect((await visitor.get('/')).json()).toEqual({ userId: 'ada' })
    expect((await visitor.get('/set/x')).status).toBe(200)
    expect((await visitor.get('/')).json()).toEqual({ userId: 'ada', x: true })
    const kept = (store as PlainOldStore | ExpiringOldStore).kept
    expect([...kept.keys()]).toEqual([expect.stringMatching(/^[\w-]{43}$/)])
  })

  it('may have had the drop-in on the same store of texts', async () => {
    const app = await newApp()
    await keep(app.store as Store, SID, oldSession({ userId: 'ada' }))
    const visitor = oldBrowser(app.origin)
    expect((await visitor.get('/')).json()).toEqual({ userId: 'ada' })
    expect(await (app.store as Store).load(SID)).toBeUndefined()
  })

  it('may have had the drop-in under a prefix', async () => {
    const texts = new MemoryStore()
    const store = new LegacyStore(texts, { prefix: 'sess:' })
    await store.set(SID, oldSession({ userId: 'ada' }))
    const app = await newApp({ old: { store } })
    expect((await oldBrowser(app.origin).get('/')).json()).toEqual({ userId: 'ada' })
    expect(await store.get(SID)).toBeUndefined()
  })

  it('takes over by any of several secrets, and by the name that the cookie had', async () => {
    const app = await newApp({ old: { name: 'app.sid', secret: ['new one', OLD_SECRET] } })
    await keep(app.store as Store, SID, oldSession({ n: 1 }))
    const ignored = await app.browser().get('/', oldCookie())
    expect(ignored.json()).toEqual({})
    const visitor = app.browser()
    const answer = await visitor.get('/', oldCookie(SID, OLD_SECRET, 'app.sid'))
    expect(answer.json()).toEqual({ n: 1 })
    expect(answer.setCookies[1]).toMatch(/^app\.sid=; /)
  })

  it('may call its cookie as the old one was called', async () => {
    const app = await newApp({ cookie: { name: 'connect.sid' } })
    await keep(app.store as Store, SID, oldSession({ n: 1 }))
    const visitor = oldBrowser(app.origin)
    const answer = await visitor.get('/')
    expect(answer.json()).toEqual({ n: 1 })
    expect(answer.setCookies).toHaveLength(1)
    const second = await visitor.get('/')
    expect([second.json(), second.setCookies]).toEqual([{ n: 1 }, []])
  })

  it('clears the old cookie where it was set', async () => {
    const app = await newApp()
    const attributes = { path: '/app', domain: '127.0.0.1', secure: true, partitioned: true }
    await keep(app.store as Store, SID, oldSession({ n: 1 }, attributes))
    const answer = await app.browser().get('/', oldCookie())
    expect(answer.setCookies[1]).toBe(
      'connect.sid=; Max-Age=0; Domain=127.0.0.1; Path=/app; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; Partitioned',
    )
  })
})

it('junk under the name of the old cookie costs a few signatures and no more', async () => {
  const hmac = vi.mocked(createHmac)
  const app = await newApp()
  hmac.mockClear()
  const junk = Array.from({ length: 500 }, (_, n) => `connect.sid=s:abc.${n}`).join('; ')
  expect((await app.browser().get('/', { headers: { cookie: junk } })).json()).toEqual({})
  expect(hmac).toHaveBeenCalledTimes(20)
})

describe('a session of express-session that goes on in its token', () => {
  const KEY = 'a key of the token stores, of 32 bytes and more'

  async function tokenApp(
    data: object,
    token: unknown = new CookieStore({ keys: KEY }),
    more = {},
  ) {
    const clock = sharedClock()
    const records = new ExpiringOldStore(clock)
    const app = await newApp({
      clock,
      store: token,
      secret: undefined,
      old: { store: records },
      ...more,
    } as object)
    records.kept.set(SID, { session: JSON.stringify(oldSession(data)), ends: Infinity })
    return { ...app, records }
  }

  it('is found again by a socket, by a browser that never got its cookie, and by parallel requests', async () => {
    const app = await tokenApp({ userId: 'ada' })
    expect(await app.sessions.read(oldCookie())).toEqual({ userId: 'ada' })
    const answers = await Promise.all([1, 2, 3].map(() => app.browser().get('/', oldCookie())))
    for (const answer of answers) {
      expect(answer.json()).toEqual({ userId: 'ada' })
      expect(answer.setCookies.map((line) => line.split('=')[0])).toEqual(['sid', 'connect.sid'])
    }
    const visitor = oldBrowser(app.origin)
    await visitor.get('/')
    expect((await visitor.get('/')).json()).toEqual({ userId: 'ada' })
    expect([...visitor.jar].map(({ name }) => name)).toEqual(['sid'])
  })

  it('gets no cookie by a handshake, whose headers could not clear the old one', async () => {
    const app = await tokenApp({ n: 1 })
    const headers: Record<string, unknown> = {}
    const res = {
      setHeader: (name: string, value: unknown) => void Object.assign(headers, { [name]: value }),
      writeHead() {},
      end() {},
    }
    const req = oldCookie()
    const enter = app.sessions as (...given: unknown[]) => void
    await new Promise((resolve) => enter(req, res, resolve))
    expect(app.sessions.of(req).session.n).toBe(1)
    res.writeHead()
    expect(headers['Set-Cookie']).toBeUndefined()
    expect((await app.browser().get('/', oldCookie())).setCookies).toHaveLength(2)
  })

  it('is not lost where it does not fit', async () => {
    const app = await tokenApp({ text: 'x'.repeat(4000) })
    for (const _ of [1, 2]) {
      const refused = await app.browser().get('/', oldCookie())
      expect(refused.json()).toMatchObject({ code: 'ERR_COOKIE_TOO_LARGE' })
      expect(refused.setCookies).toEqual([])
    }
  })

  it.each(['/logout', '/login/bob'])('is over for the old cookie with %s', async (path) => {
    const app = await tokenApp({ userId: 'ada' })
    const visitor = oldBrowser(app.origin)
    await visitor.get(path)
    expect(app.records.kept.size).toBe(0)
    expect((await app.browser().get('/', oldCookie())).json()).toEqual({})
    const left = path === '/logout' ? {} : { userId: 'bob' }
    expect((await visitor.get('/')).json()).toEqual(left)
  })

  it('is over for a copy of the old cookie with a later sign-out, where that is listed', async () => {
    const app = await tokenApp({ userId: 'ada' }, undefined, { revocations: new MemoryStore() })
    const visitor = oldBrowser(app.origin)
    await visitor.get('/')
    expect((await app.browser().get('/', oldCookie())).json()).toEqual({ userId: 'ada' })
    await visitor.get('/logout')
    expect(app.records.kept.size).toBe(1)
    expect((await app.browser().get('/', oldCookie())).json()).toEqual({})
  })

  it.each(['/logout', '/login/bob'])(
    'stands where its old record cannot be ended: %s',
    async (path) => {
      const app = await tokenApp({ userId: 'ada' })
      app.records.destroy = (_sid, callback) => callback?.(new Error('the store is down'))
      const visitor = oldBrowser(app.origin)
      expect(await visitor.get(path)).toMatchObject({ status: 503, setCookies: [] })
      expect((await visitor.get('/')).json()).toEqual({ userId: 'ada' })
    },
  )

  it('ends in time where the old store does not answer', async () => {
    const app = await tokenApp({ userId: 'ada' })
    const asked = gate()
    app.records.destroy = () => asked.open()
    const answer = app.browser().get('/logout', oldCookie())
    await asked.opened
    await pass(app.clock, 2000)
    expect(await answer).toMatchObject({ status: 503, setCookies: [] })
  })

  it('is none where its data has keys that the tokens have another meaning for', async () => {
    const app = await tokenApp({ sub: 1 }, new JwtStore({ keys: KEY }))
    const answer = await app.browser().get('/', oldCookie())
    expect([answer.status, answer.json(), answer.setCookies]).toEqual([200, {}, []])
    expect(app.events).toEqual(['corrupt'])
    expect(app.records.kept.size).toBe(1)
  })
})

describe('a session that is taken over', () => {
  it('brings its data, and not what belongs to its old store', async () => {
    const noting = Object.assign(new PlainOldStore(), { options: { touchAfter: 60 } })
    const session = { __lastAccess: 5, lastModified: '2026-01-01', isNew: 'data', n: null, d: [1] }
    for (const [store, kept] of [
      [noting, { isNew: 'data', n: null, d: [1] }],
      [new PlainOldStore(), { isNew: 'data', n: null, d: [1], lastModified: '2026-01-01' }],
    ] as const) {
      store.kept.set(SID, oldSession(session))
      const app = await newApp({ old: { store } })
      const { isNew: _, ...shown } = kept
      const visitor = oldBrowser(app.origin)
      expect((await visitor.get('/')).json()).toEqual(shown)
      await visitor.get('/login/ada')
      const [{ id } = { id: '' }] = await app.sessions.list('ada')
      const text = (await (app.store as Store).load(id))!.text
      expect(JSON.parse(text).data).toEqual({ ...kept, userId: 'ada' })
    }
  })

  it('keeps a life of its own, and starts its clocks; when its user signed in nobody knows', async () => {
    const clock = sharedClock()
    const app = await newApp({ clock, idleTimeout: HOUR, absoluteTimeout: 10 * DAY })
    const now = clock.now()
    await keep(app.store as Store, SID, oldSession({ userId: 'ada' }))
    await keep(app.store as Store, `${SID}7`, oldSession({ n: 1 }, { originalMaxAge: 7 * DAY }))
    await keep(app.store as Store, `${SID}99`, oldSession({ n: 1 }, { originalMaxAge: 99 * DAY }))
    const facts = { createdAt: now, lastSeenAt: now }
    const [usual, week, long] = [SID, `${SID}7`, `${SID}99`].map((id) => oldBrowser(app.origin, id))
    expect((await usual!.get('/facts')).json()).toEqual({ ...facts, expiresAt: now + HOUR })
    const weekly = await week!.get('/facts')
    expect(weekly.json()).toEqual({ ...facts, expiresAt: now + 7 * DAY, maxAge: 7 * DAY })
    expect(weekly.setCookies[0]).toMatch(/Max-Age=864000/)
    const longest = { ...facts, expiresAt: now + 10 * DAY, maxAge: 10 * DAY }
    expect((await long!.get('/facts')).json()).toEqual(longest)
    await pass(clock, 6 * DAY)
    expect((await week!.get('/')).json()).toEqual({ n: 1 })
    expect((await usual!.get('/')).json()).toEqual({})
  })

  it('is one session for all requests that bring the old cookie at once, on any node', async () => {
    const clock = sharedClock()
    const store = new MemoryStore({ clock })
    const old = new ExpiringOldStore(clock)
    const meet = meeting(12)
    const options = { clock, store, old: { store: old }, meet }
    const apps = [await newApp(options), await newApp(options)]
    old.kept.set(SID, { session: JSON.stringify(oldSession({ userId: 'ada' })), ends: Infinity })
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, k) => apps[k % 2]!.browser().get(`/set/k${k}`, oldCookie())),
    )
    const cookies = new Set(answers.map(({ setCookies }) => setCookies[0]))
    expect(cookies.size).toBe(1)
    const list = await apps[0]!.sessions.list('ada')
    expect(list).toHaveLength(1)
    expect(Object.keys(list[0]!.data)).toHaveLength(13)
    expect([...apps[0]!.events, ...apps[1]!.events].filter((name) => name === 'create')).toEqual([
      'create',
    ])
    expect(old.kept.size).toBe(0)
  })

  it('is found again by a browser that never got its new cookie', async () => {
    const app = await newApp()
    await keep(app.store as Store, SID, oldSession({ n: 1 }))
    const first = await app.browser().get('/set/x', oldCookie())
    await pass(app.clock, HOUR)
    const again = await app.browser().get('/', oldCookie())
    expect(again.json()).toEqual({ n: 1, x: true })
    expect(again.setCookies[0]).toBe(first.setCookies[0])
    expect(again.setCookies[1]).toMatch(/^connect\.sid=; /)
  })

  it('is over for the old cookie with the sign-out', async () => {
    const app = await newApp()
    await keep(app.store as Store, SID, oldSession({ userId: 'ada' }))
    const visitor = oldBrowser(app.origin)
    await visitor.get('/')
    const out = await visitor.get('/logout')
    expect(out.setCookies).toEqual([expect.stringMatching(/^sid=;/)])
    const late = await app.browser().get('/set/x', oldCookie())
    expect((await app.browser().get('/', oldCookie())).json()).toEqual({})
    // Data starts another one.
    expect(late.setCookies).toEqual([expect.stringMatching(/^sid=[^;]/)])
  })

  it('is over in the very request that brings it, if that is the sign-out', async () => {
    const app = await newApp()
    await keep(app.store as Store, SID, oldSession({ userId: 'ada' }))
    const visitor = oldBrowser(app.origin)
    const { setCookies } = await visitor.get('/logout')
    expect(setCookies.map((line) => line.split(';')[0])).toEqual(['sid=', 'connect.sid='])
    expect(visitor.jar.size).toBe(0)
    expect(await app.sessions.list('ada')).toEqual([])
    expect((await app.browser().get('/', oldCookie())).json()).toEqual({})
  })

  it('is out of reach of the old cookie once somebody has signed in', async () => {
    const app = await newApp()
    await keep(app.store as Store, SID, oldSession({ n: 1 }))
    const visitor = oldBrowser(app.origin)
    await visitor.get('/login/ada')
    expect((await visitor.get('/')).json()).toEqual({ n: 1, userId: 'ada' })
    // A moment later, and for good.
    for (const ms of [0, HOUR]) {
      await pass(app.clock, ms)
      expect((await app.browser().get('/', oldCookie())).json()).toEqual({})
    }
  })

  it('does not come back when its user has signed out in an old process meanwhile', async () => {
    const clock = sharedClock()
    const old = new ExpiringOldStore(clock)
    const [inside, door] = [gate(), gate()]
    const store = new MemoryStore({ clock })
    const create = store.create.bind(store)
    const slow = Object.assign(store, {
      create: async (...given: Parameters<typeof create>) => {
        inside.open()
        await door.opened
        return create(...given)
      },
    })
    const app = await newApp({ clock, store: slow, old: { store: old } })
    old.kept.set(SID, { session: JSON.stringify(oldSession({ userId: 'ada' })), ends: Infinity })
    const request = app.browser().get('/', oldCookie())
    await inside.opened
    old.kept.clear()
    door.open()
    const answer = await request
    expect([answer.json(), answer.setCookies]).toEqual([{}, []])
    expect(await app.sessions.list('ada')).toEqual([])
  })

  it('is known to sockets, which have no response to send its cookie with', async () => {
    const app = await newApp()
    await keep(app.store as Store, SID, oldSession({ n: 1 }))
    const session = await app.sessions.read(oldCookie())
    expect(session).toEqual({ n: 1 })
    const answer = await app.browser().get('/', oldCookie())
    expect([answer.json(), answer.setCookies.length]).toEqual([{ n: 1 }, 2])
  })

  it('gets one cookie by a handshake, whose headers cannot carry two', async () => {
    const app = await newApp()
    await keep(app.store as Store, SID, oldSession({ n: 1 }))
    const headers: Record<string, unknown> = {}
    const res = {
      setHeader: (name: string, value: unknown) => void Object.assign(headers, { [name]: value }),
      writeHead() {},
      end() {},
    }
    const enter = app.sessions as (...given: unknown[]) => void
    await new Promise((resolve) => enter(oldCookie(), res, resolve))
    res.writeHead()
    expect(String(headers['Set-Cookie'])).toMatch(/^sid=[\w-]{32}\.[\w-]{43}; [^,]*$/)
  })

  it('may hold data that looks like a record of ours', async () => {
    const app = await newApp()
    const data = { v: 1, ended: 5, facts: { created: 1, started: 1, idle: 1 }, data: {} }
    await keep(app.store as Store, SID, oldSession(data))
    expect((await app.browser().get('/', oldCookie())).json()).toEqual(data)
  })

  it('costs no look at the old store while a live session of ours is there', async () => {
    const old = new PlainOldStore()
    const app = await newApp({ old: { store: old } })
    const visitor = oldBrowser(app.origin)
    await visitor.get('/set/x')
    old.calls.length = 0
    await visitor.get('/')
    expect(old.calls).toEqual([])
  })

  it('is taken over although cookies of ours lead nowhere', async () => {
    const app = await newApp()
    await keep(app.store as Store, SID, oldSession({ n: 1 }))
    const visitor = oldBrowser(app.origin)
    visitor.jar.take('sid=of-another-app; Path=/', `${app.origin}/`)
    expect((await visitor.get('/')).json()).toEqual({ n: 1 })
    expect((await visitor.get('/explain')).status).toBe(200)
  })

  it('is left alone while the visitor has a live session of ours', async () => {
    const app = await newApp()
    await keep(app.store as Store, SID, oldSession({ n: 1 }))
    const visitor = oldBrowser(app.origin)
    const own = app.browser()
    await own.get('/set/own')
    visitor.jar.take(`sid=${own.jar.get('sid')!.value}; Path=/`, `${app.origin}/`)
    expect((await visitor.get('/')).json()).toEqual({ own: true })
    expect(await (app.store as Store).load(SID)).toBeDefined()
  })

  it('is explained as any other', async () => {
    const app = await newApp()
    await keep(app.store as Store, SID, oldSession({ n: 1 }))
    await oldBrowser(app.origin).get('/explain')
    expect(app.explained).toMatchObject([
      { session: 'loaded', received: { count: 1, rejected: 0 }, cookie: { action: 'set' } },
    ])
  })
})

describe('an old cookie opens nothing', () => {
  const forged: Record<string, (handle: string) => string> = {
    'without a signature': () => `s%3A${SID}`,
    'that is not signed': () => SID,
    'signed with another secret': () => oldCookie(SID, 'keyboard dog').headers.cookie.slice(12),
    'signed with the secret of ours': () => oldCookie(SID, SECRET).headers.cookie.slice(12),
    'with another id than was signed': () =>
      oldCookie().headers.cookie.slice(12).replace('cO', 'CO'),
    'with the handle of a session as its id': (handle) =>
      oldCookie(handle).headers.cookie.slice(12),
    'with the handle alone': (handle) => handle,
    'that is empty': () => '',
    'that is no percent-encoding': () => 's%3A%E0%A4%A.x',
    'with an empty id': () => oldCookie('').headers.cookie.slice(12),
    'with an id that nobody has': () => oldCookie(`${SID}x`).headers.cookie.slice(12),
  }

  it.each(Object.keys(forged))('%s', async (name) => {
    const app = await newApp()
    await keep(app.store as Store, SID, oldSession({ n: 1 }))
    await app.browser().get('/login/ada')
    const [{ id } = { id: '' }] = await app.sessions.list('ada')
    const answer = await app
      .browser()
      .get('/', { headers: { cookie: `connect.sid=${forged[name]!(id)}` } })
    expect([answer.status, answer.json(), answer.setCookies]).toEqual([200, {}, []])
    expect(await app.sessions.list('ada')).toHaveLength(1)
    expect(await (app.store as Store).load(SID)).toBeDefined()
  })

  it('while the one behind it does', async () => {
    const app = await newApp()
    await keep(app.store as Store, SID, oldSession({ n: 1 }))
    const first = oldCookie(SID, 'keyboard dog').headers.cookie
    const cookie = `connect.sid=junk; ${first}; ${oldCookie().headers.cookie}`
    expect((await app.browser().get('/', { headers: { cookie } })).json()).toEqual({ n: 1 })
  })

  it('with the key of a native session in a store made for express-session', async () => {
    const store = new PlainOldStore()
    const app = await newApp({ store })
    await app.browser().get('/login/ada')
    const [key] = [...store.kept.keys()]
    const answer = await app.browser().get('/', oldCookie(key))
    expect([answer.json(), store.kept.size]).toEqual([{}, 1])
  })

  it.each([
    ['no JSON', '{"cookie":'],
    ['a list', '[]'],
    ['deeper than any record', `{"cookie":{},"a":${'['.repeat(2000)}${']'.repeat(2000)}}`],
  ])('if its record is %s, which stays where it is', async (_, text) => {
    const app = await newApp()
    const store = app.store as Store
    await store.create(SID, { text, expiresAt: Date.now() + DAY })
    expect((await app.browser().get('/', oldCookie())).json()).toEqual({})
    expect(app.events).toEqual(['corrupt'])
    expect((await store.load(SID))?.text).toBe(text)
  })

  it('if its record holds what JSON cannot', async () => {
    const old = new PlainOldStore()
    old.kept.set(SID, oldSession({ n: 2n }))
    const app = await newApp({ old: { store: old } })
    expect((await app.browser().get('/', oldCookie())).json()).toEqual({})
    expect([app.events, old.kept.size]).toEqual([['corrupt'], 1])
  })

  it('but does if its record lacks the cookie', async () => {
    const app = await newApp()
    await keep(app.store as Store, SID, { n: 1 })
    expect((await app.browser().get('/', oldCookie())).json()).toEqual({ n: 1 })
  })
})

describe('a failure while a session is taken over', () => {
  /** Fails at one call of one store, once. */
  async function failing(where: 'old' | 'new', method: string) {
    const old = new PlainOldStore()
    old.kept.set(SID, oldSession({ userId: 'ada' }))
    const store = new MemoryStore()
    const target = where === 'old' ? old : store
    const original = Reflect.get(target, method) as (...given: unknown[]) => unknown
    let isDown = true
    Object.assign(target, {
      [method](...given: unknown[]) {
        if (!isDown) return original.apply(target, given)
        isDown = false
        const done = given.at(-1)
        if (where === 'old') (done as (error: Error) => void)(new Error('the old store is down'))
        else throw new Error('the new store is down')
      },
    })
    return { old, ...(await newApp({ store, old: { store: old } })) }
  }

  it.each([
    ['old', 'get'],
    ['old', 'destroy'],
    ['new', 'create'],
    ['new', 'load'],
  ] as const)('of the %s store at %s signs nobody out', async (where, method) => {
    const app = await failing(where, method)
    const visitor = oldBrowser(app.origin)
    const failed = await visitor.get('/')
    expect(failed).toMatchObject({ status: 503, setCookies: [] })
    expect((await visitor.get('/')).json()).toEqual({ userId: 'ada' })
    expect(app.old.kept.size).toBe(0)
    expect(await app.sessions.list('ada')).toHaveLength(1)
  })

  it('of the old store to answer at all ends with the time of a store', async () => {
    const old = Object.assign(new PlainOldStore(), { get() {} })
    const app = await newApp({ old: { store: old }, storeTimeout: 500 })
    const asked = app.browser().get('/', oldCookie())
    await vi.waitUntil(() => app.clock.pending > 0)
    await app.clock.advance(500)
    expect(await asked).toMatchObject({ status: 503 })
    expect((await asked).json()).toMatchObject({ code: 'ERR_STORE_TIMEOUT' })
  })

  it('of a process between the two steps leaves no second session behind', async () => {
    const app = await newApp()
    const store = app.store as Store
    await keep(store, SID, oldSession({ userId: 'ada' }))
    const visitor = app.browser()
    await visitor.get('/', oldCookie())
    // As if the old record had outlived its takeover.
    await keep(store, SID, oldSession({ userId: 'ada' }))
    await pass(app.clock, 15_000)
    await app.browser().get('/', oldCookie())
    expect(await store.load(SID)).toBeUndefined()
    await visitor.get('/logout')
    expect((await app.browser().get('/', oldCookie())).json()).toEqual({})
  })
})

describe('the option from', () => {
  it.each([
    [null, /from is null/],
    [[], /from is an array/],
    [{}, /from\.expressSession is undefined/],
    [{ expressSession: { secret: 'x' }, cookieSession: {} }, /from\.cookieSession/],
    [{ expressSession: {} }, /from\.expressSession\.secret/],
    [{ expressSession: { secret: '' } }, /from\.expressSession\.secret/],
    [{ expressSession: { secret: [] } }, /from\.expressSession\.secret/],
    [{ expressSession: { secret: ['x', 1] } }, /from\.expressSession\.secret/],
    [{ expressSession: { secret: 'x', name: 1 } }, /from\.expressSession\.name/],
    [{ expressSession: { secret: 'x', store: {} } }, /store/],
    [{ expressSession: { secret: 'x', key: 'y' } }, /from\.expressSession\.key/],
  ])('is refused if it is %j', async (from, message) => {
    const { session } = await import('../../src/index.js')
    const make = () => session({ secret: SECRET, from: from as never })
    expect(make).toThrow(OptionError)
    expect(make).toThrow(message)
  })

  it('takes secrets as express-session does: texts of any length, bytes, keys', async () => {
    const bytes = Buffer.from(OLD_SECRET)
    for (const secret of [OLD_SECRET, bytes, createSecretKey(bytes)]) {
      const app = await newApp({ old: { secret } })
      await keep(app.store as Store, SID, oldSession({ n: 1 }))
      expect((await app.browser().get('/', oldCookie())).json()).toEqual({ n: 1 })
      vi.useRealTimers()
    }
  })
})
