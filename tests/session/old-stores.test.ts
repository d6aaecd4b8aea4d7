import expressSession from 'express-session'
import memorystore from 'memorystore'
import { describe, expect, it } from 'vitest'
import { type ExpressSessionStore, OptionError, session } from '../../src/index.js'
import { FileStore } from '../../src/stores/file.js'
import type { CookieClient } from '../../src/testing/index.js'
import {
  ExpiringOldStore,
  PlainOldStore,
  packages,
  pass,
  sharedClock,
} from '../support/old-stores.js'
import { processWarnings } from '../support/process-events.js'
import { type AnyData, SECRET, serveApp } from '../support/serve.js'
import { gate, meeting, turns } from '../support/turns.js'

const HOUR = 3_600_000

/** An app with sign-in, sign-out and a slow request, on `store`. */
async function appOn(store: ExpressSessionStore, meet = meeting(1)) {
  const clock = sharedClock()
  const [inside, door] = [gate(), gate()]
  const made = await serveApp(
    (app, sessions) => {
      app.get('/set/:key', async (req, res) => {
        const { session } = sessions.of(req)
        await meet()
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
      app.get('/regenerate', async (req, res) => {
        await sessions.of(req).session.regenerate({ keep: true })
        res.end()
      })
      app.get('/count', async (req, res) => {
        const { session } = sessions.of(req)
        await session.update((data) => {
          data.n = Number(data.n ?? 0) + 1
        })
        res.end()
      })
      app.get('/slow', async (req, res) => {
        const { session } = sessions.of(req)
        inside.open()
        await door.opened
        session.late = true
        res.end()
      })
    },
    { store, clock, idleTimeout: HOUR, absoluteTimeout: 10 * HOUR },
  )
  const events: string[] = []
  for (const name of ['create', 'renew', 'destroy', 'stale-write', 'error'] as const) {
    made.sessions.on(name, () => events.push(name))
  }
  return { ...made, clock, events, inside: inside.opened, go: door.open }
}

const cookieOf = (browser: CookieClient, origin: string) => ({
  headers: { cookie: browser.jar.header(`${origin}/`)! },
})

describe.each(Object.keys(packages))('%s as the store', (name) => {
  const open = packages[name]!

  it('keeps a session, and gives it a new id at the sign-in', async () => {
    const { browser, origin, events } = await appOn(open())
    const visitor = browser()
    await visitor.get('/set/cart')
    const old = cookieOf(visitor, origin)
    expect((await visitor.get('/')).json()).toEqual({ cart: true })
    await visitor.get('/login/ada')
    expect(cookieOf(visitor, origin)).not.toEqual(old)
    expect((await visitor.get('/')).json()).toEqual({ cart: true, userId: 'ada' })
    expect((await browser().get('/', old)).json()).toEqual({})
    expect(events).toEqual(['create', 'renew'])
  })

  it('ends a session at the sign-out', async () => {
    const { browser, origin, events } = await appOn(open())
    const visitor = browser()
    await visitor.get('/login/ada')
    const old = cookieOf(visitor, origin)
    const answer = await visitor.get('/logout')
    expect(answer.setCookies).toEqual([expect.stringMatching(/^sid=;.*Max-Age=0/)])
    expect((await browser().get('/', old)).json()).toEqual({})
    expect(events).toEqual(['create', 'destroy'])
  })

  it('ends a session that is revoked by its handle', async () => {
    const { browser, sessions } = await appOn(open())
    const ids: string[] = []
    sessions.on('create', ({ id }) => ids.push(id))
    const visitor = browser()
    await visitor.get('/login/ada')
    expect(await sessions.revoke(ids[0]!)).toBe(true)
    expect(await sessions.revoke(ids[0]!)).toBe(false)
    expect((await visitor.get('/')).json()).toEqual({})
  })

  it('keeps a session under the new id of a regenerate, and not under the old one', async () => {
    const { browser, origin } = await appOn(open())
    const visitor = browser()
    await visitor.get('/set/cart')
    const old = cookieOf(visitor, origin)
    await visitor.get('/regenerate')
    expect((await visitor.get('/')).json()).toEqual({ cart: true })
    expect((await browser().get('/', old)).json()).toEqual({})
  })

  it('keeps a session as long as it is used, up to its absolute end', async () => {
    const { browser, clock, sessions, events } = await appOn(open())
    const visitor = browser()
    await visitor.get('/login/ada')
    const idle = browser()
    await idle.get('/login/bob')
    for (let minutes = 45; minutes < 600; minutes += 45) {
      await pass(clock, 45 * 60_000)
      expect((await visitor.get('/')).json()).toEqual({ userId: 'ada' })
      await sessions.settled()
    }
    expect((await idle.get('/')).json()).toEqual({})
    await pass(clock, 16 * 60_000)
    expect((await visitor.get('/')).json()).toEqual({})
    expect(events).not.toContain('error')
  })

  it('keeps the keys of all parallel requests', async () => {
    const { browser } = await appOn(open(), meeting(12))
    const keys = Array.from({ length: 12 }, (_, index) => `k${index}`)
    const visitor = browser()
    await visitor.get('/login/ada')
    await Promise.all(keys.map((key) => visitor.get(`/set/${key}`)))
    const data = (await visitor.get('/')).json<AnyData>()
    expect(Object.keys(data).sort()).toEqual([...keys, 'userId'].sort())
  })

  it('counts every one of parallel updates', async () => {
    const { browser } = await appOn(open())
    const visitor = browser()
    await visitor.get('/login/ada')
    await Promise.all(Array.from({ length: 12 }, () => visitor.get('/count')))
    expect((await visitor.get('/')).json()).toMatchObject({ n: 12 })
  })

  it('stays signed out when a slow request writes after the sign-out', async () => {
    const { browser, origin, inside, go, events } = await appOn(open())
    const visitor = browser()
    await visitor.get('/login/ada')
    const old = cookieOf(visitor, origin)
    const slow = browser().get('/slow', old)
    await inside
    await visitor.get('/logout')
    go()
    const late = await slow
    expect(late.status).toBe(200)
    expect(late.setCookies).toEqual([])
    expect((await browser().get('/', old)).json()).toEqual({})
    expect(events).toEqual(['create', 'destroy', 'stale-write'])
  })

  it('fails a request in time when it falls silent, and its late answer changes nothing', async () => {
    const old = open()
    const { browser, clock, origin } = await appOn(old)
    const visitor = browser()
    await visitor.get('/login/ada')
    const reached = gate()
    const { get } = old
    let answer = () => {}
    old.get = (key, callback) => {
      answer = () => void get.call(old, key, callback)
      reached.open()
    }
    const request = visitor.get('/')
    await reached.opened
    await clock.advance(2000)
    expect((await request).json()).toMatchObject({ code: 'ERR_STORE_TIMEOUT' })
    old.get = get
    answer()
    await turns()
    expect((await browser().get('/', cookieOf(visitor, origin))).json()).toEqual({ userId: 'ada' })
  })

  it('says what it cannot do', async () => {
    const { sessions } = await appOn(open())
    expect(sessions.capabilities).toEqual({
      byUser: false,
      revokeUser: false,
      revoke: true,
      sweep: false,
      atomic: 'process',
    })
    await expect(sessions.list('ada')).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' })
    await expect(sessions.revokeUser('ada')).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' })
    expect(await sessions.sweep()).toBe(0)
  })
})

describe('a store made for express-session', () => {
  it('is warned of once, with the first request', async () => {
    const warned = processWarnings()
    const { browser, sessions } = await appOn(new PlainOldStore())
    const told: string[] = []
    sessions.on('warning', ({ code, message }) => told.push(code, message))
    await turns()
    expect(warned).toEqual([])
    await browser().get('/')
    await browser().get('/')
    await turns()
    expect(warned).toEqual(['WARN_LEGACY_STORE'])
    expect(told).toEqual(['WARN_LEGACY_STORE', expect.stringContaining('PlainOldStore')])
  })

  it('is warned of too in a process that serves no request', async () => {
    const warned = processWarnings()
    const sessions = session<AnyData>({ secret: SECRET, store: new PlainOldStore() })
    await sessions.issue({ cart: 1 })
    await sessions.read({ headers: {} })
    await turns()
    expect(warned).toEqual(['WARN_LEGACY_STORE'])
    await sessions.close()
  })

  it('behind a gateway that answers by a page of its own fails a sign-out, and loses nobody', async () => {
    const store = new PlainOldStore()
    let isDown = false
    const get = store.get.bind(store)
    store.get = (key, callback) => {
      if (isDown) JSON.parse('<html>502 Bad Gateway')
      get(key, callback)
    }
    const { browser, sessions } = await serveApp(
      (app, all) => {
        app.get('/set', (req, res) => {
          all.of(req).session.cart = 1
          res.end()
        })
        app.get('/logout', async (req, res) => {
          isDown = true
          await all.of(req).session.destroy()
          res.end()
        })
      },
      { store },
    )
    const told: unknown[] = []
    sessions.on('corrupt', ({ reason }) => told.push(reason))
    const visitor = browser()
    await visitor.get('/set')
    expect(await visitor.get('/logout')).toMatchObject({ status: 500, setCookies: [] })
    // At load it is a miss: what cannot be parsed would else fail every request of its visitor.
    expect((await visitor.get('/')).json()).toEqual({})
    expect(told).toEqual(['unreadable'])
    isDown = false
    expect((await visitor.get('/')).json()).toEqual({ cart: 1 })
  })

  it('of another kind is not warned of', async () => {
    const warned = processWarnings()
    const { browser } = await serveApp()
    await browser().get('/')
    await turns()
    expect(warned).toEqual([])
  })

  it('is named in errors by its own class', async () => {
    const store = new PlainOldStore()
    store.get = (_key, callback) => callback(new Error('connection lost'))
    const { browser, sessions } = await appOn(store)
    const errors: unknown[] = []
    sessions.on('error', ({ error }) => errors.push(error))
    const visitor = browser()
    await visitor.get('/login/ada')
    const answer = await visitor.get('/')
    expect(answer.status).toBe(503)
    expect(answer.json()).toEqual({ code: 'ERR_STORE', message: 'PlainOldStore failed to load.' })
    expect(errors).toMatchObject([
      { store: 'PlainOldStore', cause: { message: 'connection lost' } },
    ])
  })

  it('keeps records under the hash of the id, with what it needs to expire them', async () => {
    const store = new PlainOldStore()
    const { browser, origin, clock } = await appOn(store)
    const visitor = browser()
    await visitor.get('/login/ada')
    const [key] = store.kept.keys()
    const [id] = visitor.jar.header(`${origin}/`)!.slice('sid='.length).split('.')
    expect(key).toMatch(/^[\w-]{43}$/)
    expect(JSON.stringify([...store.kept])).not.toContain(id)
    expect(store.kept.get(key!)).toMatchObject({
      cookie: { originalMaxAge: HOUR, expires: new Date(clock.now() + HOUR) },
    })
  })

  it('may keep the very objects that it gets: no handler can reach into them', async () => {
    const store = new PlainOldStore()
    const { browser } = await serveApp(
      (app, sessions) => {
        app.get('/fill', (req, res) => {
          sessions.of(req).session.cart = { items: ['coat'] }
          res.end()
        })
        app.get('/spoil', async (req, res) => {
          const cart = sessions.of(req).session.cart as { items: string[] }
          cart.items.push('hat')
          await sessions.of(req).session.reload()
          res.end()
        })
      },
      { store },
    )
    const visitor = browser()
    await visitor.get('/fill')
    await visitor.get('/spoil')
    expect((await visitor.get('/')).json()).toEqual({ cart: { items: ['coat'] } })
  })

  it('that answers twice, at once and by throwing, is a store all the same', async () => {
    const kept = new Map<string, object>()
    const store: ExpressSessionStore = {
      get(key, callback) {
        callback(null, kept.get(key))
        callback(new Error('the second answer'))
        throw new Error('thrown after the answers')
      },
      set(key, session, callback) {
        kept.set(key, session)
        callback()
        throw new Error('thrown after the answer')
      },
      async destroy(key, callback) {
        kept.delete(key)
        callback()
        throw new Error('rejected after the answer')
      },
    }
    const { browser, events } = await appOn(store)
    const visitor = browser()
    await visitor.get('/login/ada')
    await visitor.get('/set/cart')
    expect((await visitor.get('/')).json()).toEqual({ userId: 'ada', cart: true })
    await visitor.get('/logout')
    expect(events).toEqual(['create', 'destroy'])
    expect(kept.size).toBe(0)
  })

  it('that does not answer a write fails it in time, and the next request goes on', async () => {
    const store = new PlainOldStore()
    const { browser, clock, sessions } = await appOn(store)
    const visitor = browser()
    await visitor.get('/login/ada')
    const reached = gate()
    store.set = () => reached.open()
    const request = visitor.get('/set/cart')
    await reached.opened
    await clock.advance(2000)
    const answer = await request
    expect(answer.status).toBe(500)
    expect(answer.json()).toMatchObject({ code: 'ERR_STORE_TIMEOUT' })
    expect(answer.setCookies).toEqual([])
    store.set = PlainOldStore.prototype.set
    await visitor.get('/set/hat')
    expect((await visitor.get('/')).json()).toEqual({ userId: 'ada', hat: true })
    await sessions.settled()
  })

  it('that moves only its own expiry is touched once an interval, in each process', async () => {
    const clock = sharedClock()
    const store = new ExpiringOldStore(clock)
    const idleTimeout = HOUR
    const first = await serveApp(
      (app, sessions) => {
        app.get('/login', (req, res) => {
          sessions.of(req).session.userId = 'ada'
          res.end()
        })
      },
      { store, clock, idleTimeout },
    )
    const visitor = first.browser()
    await visitor.get('/login')
    for (let minutes = 0; minutes < 100; minutes += 20) {
      await pass(clock, 20 * 60_000)
      store.calls.length = 0
      for (let times = 0; times < 3; times++) {
        expect((await visitor.get('/')).json()).toEqual({ userId: 'ada' })
        await first.sessions.settled()
      }
      expect(store.calls).toEqual(['get', 'get', 'touch', 'get', 'get'])
    }
    await pass(clock, HOUR)
    expect((await visitor.get('/')).json()).toEqual({})
  })
})

describe('the option store', () => {
  const made = (store: unknown) => () => session({ secret: SECRET, store: store as never })

  it('takes an object with get, set and destroy', () => {
    expect(made(new PlainOldStore())).not.toThrow()
  })

  it.each([
    ['memorystore', memorystore(expressSession), 'new MemoryStore(…)'],
    ['express-session', expressSession.MemoryStore, 'new MemoryStore(…)'],
    ['this package', FileStore, 'new FileStore(…)'],
    [
      'nobody',
      class {
        get() {}
        set() {}
        destroy() {}
      },
      'new Store(…)',
    ],
  ])('refuses a class in place of a store, and says how to make one: %s', (_, Class, how) => {
    expect(made(Class)).toThrow(OptionError)
    expect(made(Class)).toThrow(`is a class: pass an instance, ${how}`)
  })

  it('refuses a package that has not been called, and says so', () => {
    expect(made(memorystore)).toThrow(OptionError)
    expect(made(memorystore)).toThrow('is called with express-session')
  })

  it.each([
    ['an object without set', { get() {}, destroy() {} }],
    ['an object without get', { set() {}, destroy() {} }],
    ['an object without destroy', { get() {}, set() {} }],
    ['a Map', new Map()],
    ['a promise of a store', Promise.resolve(new PlainOldStore())],
    ['null', null],
    ['a word', 'redis'],
  ])('refuses %s', (_, store) => {
    expect(made(store)).toThrow(OptionError)
    expect(made(store)).toThrow(/The option store is .*any store made for express-session/)
  })
})
