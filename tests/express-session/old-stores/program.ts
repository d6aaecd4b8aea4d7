import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { FakeClock } from '../../../src/testing/index.js'
import { pass, sharedClock } from '../../support/old-stores.js'
import { hasServer } from '../../support/servers/server.js'
import { meeting } from '../../support/turns.js'
import { dropIn, implementations, real } from '../implementations.js'
import { cookieOf, DAY, idOf, oldApp, sessionOf, user } from './app.js'
import type { OldRecords, OldStoreKind } from './old-store.js'

const MINUTE = 60_000

/** What everybody takes for granted of sessions, on one store, under each middleware. */
export function oldStoreProgram(kind: OldStoreKind): void {
  const isHere = kind.server === undefined || hasServer(kind.server)
  describe.skipIf(!isHere)(kind.name, () => {
    let records: OldRecords
    beforeAll(async () => {
      records = await kind.open()
    })
    afterAll(() => records?.close())

    for (const implementation of implementations) {
      describe(`under ${implementation.name}`, () => {
        programUnder(implementation, kind, () => records)
      })
    }
  })
}

function programUnder(
  implementation: (typeof implementations)[number],
  kind: OldStoreKind,
  opened: () => OldRecords,
): void {
  const { session } = implementation
  const isOurs = implementation === dropIn
  const appWith = (options = {}, routes?: Parameters<typeof oldApp>[3]) =>
    oldApp(implementation, opened().store(session), options, routes)

  /** An app whose time can be moved, and what moves it for the records of these ids. */
  const appInTime = async (options = {}) => {
    const clock: FakeClock | undefined = kind.endsBy === 'app' ? sharedClock() : undefined
    const app = await appWith({ ...options, ...(clock && { clock }) })
    const later = async (ms: number, ids: readonly string[]) => {
      if (clock !== undefined) return pass(clock, ms)
      for (const id of ids) await opened().age?.(id, ms)
    }
    return { ...app, later }
  }

  it('counts the visits of one browser, and not those of another', async () => {
    const app = await appWith()
    const [ada, bob] = [app.browser(), app.browser()]
    for (const views of [1, 2, 3]) expect((await ada.get('/count')).json()).toEqual({ views })
    expect((await bob.get('/count')).json()).toEqual({ views: 1 })
  })

  it('keeps what is changed deep inside', async () => {
    const app = await appWith()
    const ada = app.browser()
    for (const item of ['coat', 'h%C3%BCt', 'scarf']) await ada.get(`/cart/${item}`)
    expect((await ada.get('/')).json()).toEqual({
      cart: { items: [{ name: 'coat' }, { name: 'hüt' }, { name: 'scarf' }] },
    })
  })

  it('stores nothing for a visitor without data', async () => {
    const app = await appWith()
    expect(await app.browser().get('/')).toMatchObject({ status: 200, setCookies: [] })
  })

  it('gives a new id at the sign-in, and the old one opens nothing', async () => {
    const app = await appWith()
    const ada = app.browser()
    await ada.get('/cart/coat')
    const [before, old] = [idOf(ada), cookieOf(ada)]
    expect(await ada.get('/login/ada')).toMatchObject({ status: 200 })
    expect(idOf(ada)).not.toBe(before)
    expect((await ada.get('/')).json()).toEqual({
      user: user('ada'),
      cart: { items: [{ name: 'coat' }] },
    })
    expect(await opened().textOf(before)).toBeUndefined()
    expect((await app.browser().get('/', old)).json()).toEqual({})
  })

  it('ends a session at the sign-out', async () => {
    const app = await appWith()
    const ada = app.browser()
    await ada.get('/login/ada')
    const [id, old] = [idOf(ada), cookieOf(ada)]
    const text = await opened().textOf(id)
    if (kind.isEncrypted) expect(text).not.toContain('ada')
    else expect(text).toContain('ada')
    expect(await ada.get('/logout')).toMatchObject({ status: 200 })
    expect(await opened().textOf(id)).toBeUndefined()
    expect((await app.browser().get('/', old)).json()).toEqual({})
  })

  it('takes an id that it does not know for a visitor without a session', async () => {
    const app = await appWith()
    const ada = app.browser()
    await ada.get('/login/ada')
    const old = cookieOf(ada)
    await ada.get('/logout')
    expect(await ada.get('/', old)).toMatchObject({ status: 200, setCookies: [] })
    // Data starts a session under an id of the server.
    const bob = app.browser()
    expect((await bob.get('/count', old)).json()).toEqual({ views: 1 })
    expect(cookieOf(bob)).not.toEqual(old)
  })

  it('goes on with a session that express-session has stored', async () => {
    const before = await oldApp(real, opened().store(real.session))
    const ada = before.browser()
    await ada.get('/cart/coat')
    await ada.get('/login/ada')
    await ada.get('/count')
    const app = await appWith()
    expect((await app.browser().get('/count', cookieOf(ada))).json()).toEqual({ views: 2 })
    expect((await app.browser().get('/', cookieOf(ada))).json()).toEqual({
      user: user('ada'),
      cart: { items: [{ name: 'coat' }] },
      views: 2,
    })
  })

  it('keeps a session as long as it is used, and no longer', async () => {
    const app = await appInTime()
    const [ada, idle] = [app.browser(), app.browser()]
    await ada.get('/login/ada')
    await idle.get('/login/idle')
    const ids = [idOf(ada), idOf(idle)]
    const [used, unused] = [cookieOf(ada), cookieOf(idle)]
    for (let visits = 0; visits < 4; visits++) {
      await app.later(45 * MINUTE, ids)
      expect((await ada.get('/', used)).json()).toMatchObject({ user: { name: 'ada' } })
      await app.settled()
    }
    expect((await idle.get('/', unused)).json()).toEqual({})
    await app.later(61 * MINUTE, ids)
    expect((await ada.get('/', used)).json()).toEqual({})
  })

  it('keeps a session for as long as its own cookie says', async () => {
    const app = await appInTime()
    const ada = app.browser()
    await ada.get('/login/ada')
    await ada.get('/remember')
    await app.settled()
    const [id, old] = [idOf(ada), cookieOf(ada)]
    for (let visits = 0; visits < 2; visits++) {
      await app.later(10 * DAY, [id])
      const data = (await ada.get('/', old)).json()
      expect(data).toEqual({ user: user('ada'), remembered: true })
      await app.settled()
    }
    await app.later(15 * DAY, [id])
    expect((await ada.get('/', old)).json()).toEqual({})
  })

  it('keeps a session whose cookie ends with the browser', async () => {
    const app = await appInTime({ cookie: {} })
    const ada = app.browser()
    const { setCookies } = await ada.get('/login/ada')
    expect(setCookies).toEqual([expect.not.stringContaining('Expires')])
    for (const views of [1, 2, 3]) {
      await app.later(30 * MINUTE, [idOf(ada)])
      expect(await ada.get('/count')).toMatchObject({ setCookies: [] })
      expect((await ada.get('/')).json()).toEqual({ user: user('ada'), views })
      await app.settled()
    }
  })

  it('sends the cookie with every response of a rolling session', async () => {
    const app = await appInTime({ rolling: true })
    const ada = app.browser()
    const first = await ada.get('/login/ada')
    await app.later(30 * MINUTE, [idOf(ada)])
    const second = await ada.get('/')
    expect(second.json()).toMatchObject({ user: { name: 'ada' } })
    const ends = [first, second].map(({ setCookies }) => {
      expect(setCookies).toEqual([expect.stringMatching(/^connect\.sid=.*; Expires=/)])
      return Date.parse(/Expires=([^;]*)/.exec(setCookies[0]!)![1]!)
    })
    if (kind.endsBy === 'app') expect(ends[1]! - ends[0]!).toBe(30 * MINUTE)
    await app.settled()
    await app.later(45 * MINUTE, [idOf(ada)])
    expect((await ada.get('/')).json()).toMatchObject({ user: { name: 'ada' } })
  })

  // Of whole seconds, the first may be over at once; and what is below one may be for ever.
  if (kind.endsBy === 'server') {
    it('ends a session by the time of the server', async () => {
      const app = await appWith({ cookie: { maxAge: 2100 } })
      const ada = app.browser()
      await ada.get('/count')
      const [id, old] = [idOf(ada), cookieOf(ada)]
      expect(await opened().textOf(id)).toBeDefined()
      await vi.waitUntil(async () => (await opened().textOf(id)) === undefined, { timeout: 10_000 })
      expect((await app.browser().get('/', old)).json()).toEqual({})
    })
  }

  if (!isOurs) return

  it('keeps the keys of all parallel requests', async () => {
    const keys = Array.from({ length: 8 }, (_, index) => `k${index}`)
    const meet = meeting(keys.length)
    const app = await appWith({}, (routes) => {
      routes.get('/set/:key', async (req, res) => {
        const session = sessionOf(req)
        await meet()
        session[req.params.key] = true
        res.end()
      })
    })
    const ada = app.browser()
    await ada.get('/login/ada')
    await Promise.all(keys.map((key) => ada.get(`/set/${key}`)))
    const data = (await ada.get('/')).json<object>()
    expect(Object.keys(data).sort()).toEqual([...keys, 'user'])
  })

  it.each(['writer', 'reader'])('stays signed out when a slow %s ends later', async (who) => {
    const app = await appWith()
    const ada = app.browser()
    await ada.get('/login/ada')
    const [id, old] = [idOf(ada), cookieOf(ada)]
    const slow = app.browser().get(`/slow/${who}`, old)
    await app.inside
    await ada.get('/logout')
    app.go()
    expect(await slow).toMatchObject({ status: 200, setCookies: [] })
    await app.settled()
    expect(await opened().textOf(id)).toBeUndefined()
    expect((await app.browser().get('/', old)).json()).toEqual({})
  })

  for (const who of ['writer', 'reader']) {
    it(`keeps what is stored during a slow ${who}`, async () => {
      const app = await appWith()
      const ada = app.browser()
      await ada.get('/cart/coat')
      const slow = app.browser().get(`/slow/${who}`, cookieOf(ada))
      await app.inside
      await ada.get('/cart/hat')
      await ada.get('/count')
      app.go()
      await slow
      await app.settled()
      expect((await ada.get('/')).json()).toEqual({
        cart: { items: [{ name: 'coat' }, { name: 'hat' }] },
        views: 1,
        ...(who === 'writer' && { late: true }),
      })
    })
  }
}
