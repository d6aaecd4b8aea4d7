import express from 'express'
import { describe, expect, it } from 'vitest'
import { keyOf } from '../../src/crypto/session-id.js'
import {
  LegacyStore,
  MemoryStore,
  type SessionOptions,
  session,
} from '../../src/express-session/index.js'
import { MemoryStore as TextMemoryStore } from '../../src/stores/memory.js'
import { CookieClient, FakeClock } from '../../src/testing/index.js'
import { serve } from '../support/serve.js'

/** A program that asks for what does not happen by itself. */
async function app(options: SessionOptions) {
  const sessions = session({
    secret: 'keyboard cat',
    resave: false,
    saveUninitialized: false,
    ...options,
  })
  const events: string[] = []
  for (const name of ['renew', 'expire', 'destroy', 'stale-write'] as const) {
    sessions.on(name, (event) => void events.push(`${name} ${'reason' in event && event.reason}`))
  }
  const host = express()
  host.use(sessions)
  // biome-ignore lint/suspicious/noExplicitAny: data as a test wants it
  const of = (req: express.Request) => req as any
  const waiting: (() => void)[] = []
  host.get('/set/:key/:value', (req, res) => {
    of(req).session[req.params.key] = req.params.value
    res.json(of(req).sessionID)
  })
  host.get('/slowly/:key/:value', (req, res) => {
    of(req).session[req.params.key] = req.params.value
    waiting.push(() => res.end())
  })
  host.get('/out', (req, res) => {
    delete of(req).session.user
    res.end()
  })
  host.get('/', (req, res) => res.json({ ...of(req).session, cookie: undefined }))
  const onError: express.ErrorRequestHandler = (error, _req, res, _next) => {
    res.status(500).json({ code: error.code ?? 'of the store' })
  }
  host.use(onError)
  const { origin } = await serve(host)
  const browser = (jar?: CookieClient['jar']) => new CookieClient(origin, jar ? { jar } : {})
  return { sessions, events, waiting, browser }
}

function idOf({ jar }: CookieClient): string {
  return decodeURIComponent(jar.get('connect.sid')?.value ?? '')
    .slice(2)
    .split('.')[0]!
}

const user = (data: Record<string, unknown>) => data.user

describe('with hashIds', () => {
  it('no id is in the store', async () => {
    const store = new MemoryStore()
    const { browser } = await app({ store, hashIds: true })
    const ada = browser()
    await ada.get('/set/a/1')
    expect(Object.keys(store.sessions)).toEqual([keyOf(idOf(ada))])
    expect(JSON.stringify(store.sessions)).not.toContain(idOf(ada))
    expect((await ada.get('/')).json()).toEqual({ a: '1' })
  })

  it('a record from before is found and moved, by two requests at once too', async () => {
    const store = new MemoryStore()
    const before = await app({ store })
    const after = await app({ store, hashIds: true })
    const ada = before.browser()
    await ada.get('/set/a/1')
    const later = after.browser(ada.jar)
    const both = await Promise.all([later.get('/set/b/2'), later.get('/set/c/3')])
    expect(both.map(({ status }) => status)).toEqual([200, 200])
    expect((await later.get('/')).json()).toEqual({ a: '1', b: '2', c: '3' })
    expect(Object.keys(store.sessions)).toEqual([keyOf(idOf(ada))])
  })

  it('a stolen key opens nothing, signed as an id', async () => {
    const store = new MemoryStore()
    let ids = ['victim']
    const { browser } = await app({ store, hashIds: true, genid: () => ids.shift() ?? 'none' })
    const victim = browser()
    await victim.get('/set/a/1')
    ids = [Object.keys(store.sessions)[0]!]
    const thief = browser()
    // A cookie that nobody but this server can sign.
    await thief.get('/set/b/2')
    delete store.sessions[keyOf(idOf(thief))]
    expect((await thief.get('/')).json()).toEqual({})
    expect((await victim.get('/')).json()).toEqual({ a: '1' })
  })
})

describe('with user', () => {
  it('a sign-in and a sign-out have a new id, and the old one is dead', async () => {
    const { browser, events } = await app({ user })
    const ada = browser()
    await ada.get('/set/cart/full')
    const planted = ada.jar.get('connect.sid')!
    await ada.get('/set/user/ada')
    expect((await ada.get('/')).json()).toEqual({ cart: 'full', user: 'ada' })
    const signedIn = ada.jar.get('connect.sid')!
    expect(signedIn.value).not.toBe(planted.value)
    const attacker = browser()
    attacker.jar.set(planted)
    expect((await attacker.get('/')).json()).toEqual({})
    await ada.get('/out')
    attacker.jar.set(signedIn)
    expect((await attacker.get('/')).json()).toEqual({})
    expect((await ada.get('/')).json()).toEqual({ cart: 'full' })
    expect(events).toEqual(['renew login', 'renew logout'])
  })

  it('the same user keeps the id', async () => {
    const { browser, events } = await app({ user })
    const ada = browser()
    await ada.get('/set/user/ada')
    const { value } = ada.jar.get('connect.sid')!
    await ada.get('/set/cart/full')
    expect(ada.jar.get('connect.sid')?.value).toBe(value)
    expect(events).toEqual([])
  })

  it('a sign-in does not succeed while the old session cannot be ended', async () => {
    const store = new MemoryStore()
    const { browser } = await app({ store, user })
    const ada = browser()
    await ada.get('/set/cart/full')
    const { value } = ada.jar.get('connect.sid')!
    const { destroy } = store
    let failing = 1
    store.destroy = ((sid: string, callback: (error?: unknown) => void) => {
      if (failing-- > 0) callback(new Error('no'))
      else destroy.call(store, sid, callback)
    }) as typeof destroy
    const again = await app({ store, user })
    const later = again.browser(ada.jar)
    expect((await later.get('/set/user/ada')).status).toBe(500)
    expect(ada.jar.get('connect.sid')?.value).toBe(value)
    await again.sessions.settled()
    expect(Object.keys(store.sessions)).toHaveLength(1)
  })

  it('a sign-in in a session that has ended meanwhile goes nowhere', async () => {
    const store = new MemoryStore()
    const { browser, waiting, events } = await app({ store, user })
    const ada = browser()
    await ada.get('/set/cart/full')
    const slow = ada.get('/slowly/user/ada')
    while (waiting.length === 0) await new Promise(setImmediate)
    store.sessions = Object.create(null)
    waiting[0]!()
    expect((await slow).setCookies).toEqual([])
    expect(Object.keys(store.sessions)).toEqual([])
    expect(events).toEqual(['stale-write gone'])
  })
})

describe('with user and hashIds, over a store of this package', () => {
  const store = () => new LegacyStore(new TextMemoryStore())

  it('the sessions of a user can be listed, and ended but one', async () => {
    const { sessions, browser, events } = await app({ store: store(), user, hashIds: true })
    const phone = browser()
    const laptop = browser()
    const bob = browser()
    await phone.get('/set/user/ada')
    await laptop.get('/set/user/ada')
    await laptop.get('/set/at/home')
    await bob.get('/set/user/bob')
    const listed = await sessions.list('ada')
    expect(listed.map(({ data }) => data)).toContainEqual({ user: 'ada', at: 'home' })
    expect(listed.map(({ id }) => id).sort()).toEqual(
      [keyOf(idOf(phone)), keyOf(idOf(laptop))].sort(),
    )
    expect(await sessions.revokeUser('ada', { except: idOf(laptop) })).toBe(1)
    expect((await phone.get('/')).json()).toEqual({})
    expect((await laptop.get('/')).json()).toEqual({ user: 'ada', at: 'home' })
    expect(await sessions.revoke(keyOf(idOf(laptop)))).toBe(true)
    expect(await sessions.revoke(keyOf(idOf(laptop)))).toBe(false)
    expect((await laptop.get('/')).json()).toEqual({})
    expect((await bob.get('/')).json()).toEqual({ user: 'bob' })
    expect(events).toEqual(['destroy revoked', 'destroy revoked'])
  })

  it('and a session of somebody else stays, though an index names it', async () => {
    class Behind extends TextMemoryStore {
      override async keysOfUser() {
        return [...(await super.keysOfUser('ada')), ...(await super.keysOfUser('bob'))]
      }
    }
    const store = new LegacyStore(new Behind())
    const { sessions, browser } = await app({ store, user, hashIds: true })
    const ada = browser()
    const bob = browser()
    await ada.get('/set/user/ada')
    await bob.get('/set/user/bob')
    expect((await sessions.list('ada')).map(({ data }) => data)).toEqual([{ user: 'ada' }])
    expect(await sessions.revokeUser('ada')).toBe(1)
    expect((await bob.get('/')).json()).toEqual({ user: 'bob' })
  })

  it('and are not loaded all at once, so that requests get their turn', async () => {
    let [loading, most] = [0, 0]
    class Counting extends TextMemoryStore {
      override load(key: string) {
        most = Math.max(most, ++loading)
        return Promise.resolve(super.load(key)).finally(() => loading--) as never
      }
    }
    const inner = new Counting()
    const entry = { text: '{"user":"ada"}', expiresAt: Date.now() + 60_000, user: 'ada' }
    for (let n = 0; n < 100; n++) inner.create(`${n}`, entry)
    const { sessions } = await app({ store: new LegacyStore(inner), user, hashIds: true })
    expect(await sessions.list('ada')).toHaveLength(100)
    expect(most).toBeLessThan(50)
  })

  it.each([
    ['hashIds', { user }],
    ['user', { hashIds: true }],
    ['a store', { user, hashIds: true, store: new MemoryStore() }],
  ] as const)('that needs %s', async (_need, options) => {
    const { sessions } = await app({ store: store(), ...options })
    const refused = { code: 'ERR_UNSUPPORTED' }
    await expect(sessions.list('ada')).rejects.toMatchObject(refused)
    await expect(sessions.revokeUser('ada')).rejects.toMatchObject(refused)
  })
})

describe.each([
  ['MemoryStore', () => new MemoryStore()],
  ['a store of this package', () => new LegacyStore(new TextMemoryStore())],
])('with timeouts, over %s', (_name, makeStore) => {
  it('a session ends after its last use, however long its cookie lives', async () => {
    const clock = new FakeClock(Date.now())
    const { browser, events } = await app({
      store: makeStore(),
      clock,
      idleTimeout: 600_000,
      cookie: { maxAge: 86_400_000 },
    })
    const ada = browser()
    await ada.get('/set/a/1')
    for (let use = 0; use < 5; use++) {
      clock.advance(500_000)
      expect((await ada.get('/')).json()).toEqual({ a: '1' })
    }
    clock.advance(600_000)
    expect((await ada.get('/')).json()).toEqual({})
    expect(events).toEqual(['expire idle'])
  })

  it('a session ends after its beginning, however much it is used', async () => {
    const clock = new FakeClock(Date.now())
    const { browser, events } = await app({ store: makeStore(), clock, absoluteTimeout: 1_000_000 })
    const ada = browser()
    await ada.get('/set/a/1')
    clock.advance(999_999)
    expect((await ada.get('/set/b/2')).status).toBe(200)
    expect((await ada.get('/')).json()).toEqual({ a: '1', b: '2' })
    clock.advance(1)
    expect((await ada.get('/')).json()).toEqual({})
    expect(events).toEqual(['expire absolute'])
  })
})
