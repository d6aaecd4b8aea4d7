import { describe, expect, it } from 'vitest'
import { MemoryStore } from '../../src/index.js'
import { FakeClock } from '../../src/testing/index.js'
import { serveApp } from '../support/serve.js'
import { gate } from '../support/turns.js'
import { WatchedStore } from '../support/watched-store.js'

const HOUR = 3_600_000
const DAY = 24 * HOUR

/** A store that deletes nothing and hides nothing: it believes that it is 1970. */
const forgetful = () => new MemoryStore({ clock: new FakeClock(0) })

const routes: NonNullable<Parameters<typeof serveApp>[0]> = (app, sessions) => {
  app.get('/set/:key', (req, res) => {
    sessions.of(req).session[req.params.key] = true
    res.end()
  })
  app.get('/login/:user', (req, res) => {
    sessions.of(req).session.userId = req.params.user
    res.end()
  })
  app.get('/logout', (req, res) => {
    delete sessions.of(req).session.userId
    res.end()
  })
  app.get('/renew', async (req, res) => {
    await sessions.of(req).session.regenerate({ keep: true })
    res.end()
  })
  app.get('/authenticated', async (req, res) => {
    await sessions.of(req).authenticated()
    res.end()
  })
  app.get('/end', (req, res) => void res.json(sessions.of(req).expiresAt))
}

/** An app of whose sessions the ends are noted, on a store that deletes nothing. */
async function watched(
  options: Parameters<typeof serveApp>[1] = {},
  more: typeof routes = () => {},
) {
  const store = forgetful()
  const made = await serveApp(
    (app, sessions) => {
      routes(app, sessions)
      more(app, sessions)
    },
    { store, ...options },
  )
  const ended: unknown[] = []
  made.sessions.on('expire', ({ reason }) => ended.push(reason))
  const visitor = made.browser()
  return { ...made, store, ended, visitor, start: made.clock.now() }
}

/** Uses the session every 20 hours, and a last time a minute before `moment`. */
async function useUntil(moment: number, { clock, visitor }: Awaited<ReturnType<typeof watched>>) {
  while (clock.now() < moment - 60_000) {
    await clock.advance(Math.min(20 * HOUR, moment - 60_000 - clock.now()))
    expect((await visitor.get('/')).json()).not.toEqual({})
  }
}

const OFFSETS = [
  [-1, { a: true }, []],
  [0, {}, 'told'],
  [1, {}, 'told'],
] as const

describe('a session of which the store still has the record', () => {
  it.each(OFFSETS)('is at its idle end %i ms: %j', async (offset, data, told) => {
    const { visitor, clock, ended } = await watched()
    await visitor.get('/set/a')
    await clock.advance(DAY + offset)
    expect((await visitor.get('/')).json()).toEqual(data)
    expect(ended).toEqual(told === 'told' ? ['idle'] : [])
  })

  it.each(OFFSETS)(
    'is at its absolute end %i ms: %j, although it was used a minute ago',
    async (offset, data, told) => {
      const made = await watched()
      const { visitor, clock, ended, start } = made
      await visitor.get('/set/a')
      await useUntil(start + 30 * DAY, made)
      await clock.advance(60_000 + offset)
      expect((await visitor.get('/')).json()).toEqual(data)
      expect(ended).toEqual(told === 'told' ? ['absolute'] : [])
    },
  )

  it.each([
    [-1, { a: true, b: true }],
    [0, {}],
    [1, {}],
  ])('that reaches its idle end %i ms within a request keeps %j', async (offset, data) => {
    const [inside, go] = [gate(), gate()]
    const { visitor, clock, sessions } = await watched({}, (app, all) => {
      app.get('/slow', async (req, res) => {
        inside.open()
        await go.opened
        all.of(req).session.b = true
        res.end()
      })
    })
    const stale: unknown[] = []
    sessions.on('stale-write', ({ reason }) => stale.push(reason))
    await visitor.get('/set/a')
    const slow = visitor.get('/slow')
    await inside.opened
    await clock.advance(DAY + offset)
    go.open()
    expect(await slow).toMatchObject({ status: 200, setCookies: [] })
    expect((await visitor.get('/')).json()).toEqual(data)
    expect(stale).toEqual(offset < 0 ? [] : ['gone'])
  })

  it('is not brought back by a touch() after its end', async () => {
    const [inside, go] = [gate(), gate()]
    const { visitor, clock } = await watched({}, (app, all) => {
      app.get('/slow', async (req, res) => {
        inside.open()
        await go.opened
        await all.of(req).session.touch()
        res.end()
      })
    })
    await visitor.get('/set/a')
    const slow = visitor.get('/slow')
    await inside.opened
    await clock.advance(DAY)
    go.open()
    await slow
    expect((await visitor.get('/')).json()).toEqual({})
  })

  it('is refused to a client that ignores the end of its cookie', async () => {
    const { visitor, clock, origin, browser } = await watched({ cookie: { persistent: true } })
    await visitor.get('/set/a')
    const cookie = visitor.jar.header(`${origin}/`)!
    await clock.advance(30 * DAY)
    expect(visitor.jar.header(`${origin}/`)).toBeUndefined()
    expect((await browser().get('/', { headers: { cookie } })).json()).toEqual({})
  })
})

describe('a shortened setting', () => {
  it.each([
    ['idleTimeout', -1, [], { a: true }],
    ['idleTimeout', 0, ['idle'], {}],
    ['absoluteTimeout', -1, [], { a: true }],
    ['absoluteTimeout', 0, ['absolute'], {}],
  ])('of %s applies to live sessions at once: %i ms, %j', async (name, offset, ended, data) => {
    const before = await watched()
    await before.visitor.get('/set/a')
    const { store, clock, origin, visitor } = before
    const cookie = { headers: { cookie: visitor.jar.header(`${origin}/`)! } }
    const after = await watched({ store, clock, [name]: HOUR })
    await clock.advance(HOUR + offset)
    expect((await after.browser().get('/', cookie)).json()).toEqual(data)
    await after.sessions.settled()
    expect(after.ended).toEqual(ended)
  })
})

describe('the absolute end', () => {
  it.each(['/set/b', '/renew'])('is not moved by %s', async (page) => {
    const made = await watched()
    const { visitor, clock, start, ended } = made
    await visitor.get('/set/a')
    await useUntil(start + 29 * DAY, made)
    await visitor.get(page)
    await useUntil(start + 30 * DAY, made)
    await clock.advance(60_000)
    expect((await visitor.get('/')).json()).toEqual({})
    expect(ended).toEqual(['absolute'])
  })

  it.each(['/login/2', '/logout', '/authenticated'])('starts again by %s', async (page) => {
    const made = await watched()
    const { visitor, start } = made
    await visitor.get('/set/a')
    await visitor.get('/login/1')
    await useUntil(start + 29 * DAY, made)
    await visitor.get(page)
    await useUntil(start + 58 * DAY, made)
    expect((await visitor.get('/')).json()).toMatchObject({ a: true })
  })
})

describe('the clock of the machine', () => {
  it('set back ends no session, and its end is right again with the next request', async () => {
    const { visitor, clock, sessions, start } = await watched()
    await visitor.get('/set/a')
    clock.set(start - 10 * DAY)
    expect((await visitor.get('/')).json()).toEqual({ a: true })
    await sessions.settled()
    expect((await visitor.get('/end')).json()).toBe(start - 9 * DAY)
    await clock.advance(DAY)
    expect((await visitor.get('/')).json()).toEqual({})
  })

  it('that starts in 1970 makes sessions, and no more when it is set right', async () => {
    const clock = new FakeClock(0)
    const { visitor } = await watched({ clock, cookie: { persistent: true } })
    await visitor.get('/set/a')
    expect((await visitor.get('/')).json()).toEqual({ a: true })
    clock.set(Date.UTC(2030, 0, 1))
    expect((await visitor.get('/')).json()).toEqual({})
    await visitor.get('/set/b')
    expect((await visitor.get('/')).json()).toEqual({ b: true })
  })

  it('may be wrong for a browser: no date in a cookie is trusted', async () => {
    const { visitor, clock, origin } = await watched({ cookie: { persistent: true } })
    await visitor.get('/set/a')
    const [line] = (await visitor.get('/renew')).setCookies
    expect(line).toMatch(/Max-Age=2592000;/)
    await clock.advance(DAY - 1)
    const cookie = visitor.jar.header(`${origin}/`)!
    expect((await visitor.get('/', { headers: { cookie } })).json()).toEqual({ a: true })
  })

  it.each([
    [{ idleTimeout: 36_500 * DAY, absoluteTimeout: 36_500 * DAY }, 36_499],
    [{ idleTimeout: false, absoluteTimeout: 36_500 * DAY }, 36_499],
    [{ idleTimeout: 36_500 * DAY, absoluteTimeout: false }, 36_499],
  ] as const)('may go on for a hundred years with %j', async (options, days) => {
    const { visitor, clock, origin } = await watched({ ...options, cookie: { persistent: true } })
    const { setCookies } = await visitor.get('/set/a')
    expect(setCookies[0]).toMatch(/Max-Age=34560000; .*Expires=Wed, 05 Feb 2031 00:00:00 GMT/)
    const headers = { cookie: visitor.jar.header(`${origin}/`)! }
    const start = clock.now()
    clock.set(start + days * DAY)
    expect((await visitor.get('/', { headers })).json()).toEqual({ a: true })
    clock.set(start + 36_500 * DAY * 2)
    expect((await visitor.get('/', { headers })).json()).toEqual({})
  })
})

describe('an expiry in the store', () => {
  it('is the full idle time after ten touches and a save', async () => {
    const clock = new FakeClock()
    const inner = new MemoryStore({ clock })
    const store = new WatchedStore(inner)
    const { browser, sessions } = await serveApp(routes, { store, clock, idleTimeout: 2 * HOUR })
    const visitor = browser()
    await visitor.get('/set/a')
    for (let touch = 1; touch <= 10; touch++) {
      await clock.advance(HOUR)
      await visitor.get('/')
      await sessions.settled()
      expect(store.count('touch')).toBe(touch)
    }
    await clock.advance(HOUR)
    await visitor.get('/set/b')
    await sessions.settled()
    for await (const { expiresAt } of inner.entries()) {
      expect(expiresAt).toBe(clock.now() + 2 * HOUR)
    }
  })
})

it('a session that two requests find ended is told of once', async () => {
  const store = new WatchedStore(forgetful())
  const { ended, visitor, clock, sessions } = await watched({ store })
  await visitor.get('/set/a')
  await clock.advance(DAY)
  // Both have loaded it before either can remove it.
  const replace = store.pause('replace')
  await Promise.all([visitor.get('/'), visitor.get('/')])
  replace.resume()
  await sessions.settled()
  expect(ended).toEqual(['idle'])
})
