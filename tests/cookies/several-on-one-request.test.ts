import { describe, expect, it, vi } from 'vitest'
import { MemoryStore, type SessionManager, session } from '../../src/index.js'
import { CookieClient, FakeClock } from '../../src/testing/index.js'
import { type AnyData, SECRET, serve, serveApp } from '../support/serve.js'
import { WatchedStore } from '../support/watched-store.js'

/** Users and admins on every request, each with a property, a cookie and a store of its own. */
async function usersAndAdmins(
  handle: (of: {
    users: AnyData & { destroy(): Promise<void> }
    admins: AnyData & { destroy(): Promise<void> }
    url: string
  }) => unknown,
) {
  const clock = new FakeClock()
  const stores = {
    users: new WatchedStore(new MemoryStore({ clock })),
    admins: new WatchedStore(new MemoryStore({ clock })),
  }
  const managers: Record<'users' | 'admins', SessionManager<AnyData>> = {
    users: session<AnyData>({ secret: SECRET, clock, store: stores.users }),
    admins: session<AnyData>({
      secret: SECRET,
      clock,
      store: stores.admins,
      property: 'admin',
      cookie: { name: 'admin', path: '/', sameSite: 'strict' },
    }),
  }
  const { users, admins } = managers
  const { origin } = await serve((req, res) =>
    users(req, res, () =>
      admins(req, res, async () => {
        const of = { users: users.of(req).session, admins: admins.of(req).session }
        expect(Reflect.get(req, 'session')).toBe(of.users)
        expect(Reflect.get(req, 'admin')).toBe(of.admins)
        await handle({ ...of, url: req.url ?? '' })
        res.end(JSON.stringify(of))
      }),
    ),
  )
  return { browser: new CookieClient(origin, { clock }), stores }
}

const namesOf = (lines: readonly string[]) => lines.map((line) => line.split('=')[0]).sort()

describe('cookies of secure requests that lead nowhere, where nobody knows of TLS', () => {
  it.each([1, 2])(
    'have a new session sent as they came, with Secure: %d of them',
    async (count) => {
      const quiet = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
      const { browser, sessions } = await serveApp((app, all) => {
        app.get('/set', (req, res) => {
          all.of(req).session.cart = 1
          res.end()
        })
      })
      const dead: string[] = []
      for (let n = 0; n < count; n++) {
        const token = await sessions.issue({ n })
        await (await sessions.read({ headers: { cookie: `sid=${token}` } }))!.destroy()
        dead.push(`__Host-sid=${token}`)
      }
      const { setCookies } = await browser().get('/set', { headers: { cookie: dead.join('; ') } })
      expect(setCookies).toEqual([expect.stringMatching(/^__Host-sid=.*; Secure/)])
      quiet.mockRestore()
    },
  )
})

describe('two managers on one request', () => {
  it('commit on their own: one changes, renews or ends, and the other is not written', async () => {
    const { browser, stores } = await usersAndAdmins(async ({ users, admins, url }) => {
      if (url === '/both') users.u = admins.a = 1
      if (url === '/user') users.u = 2
      if (url === '/admin-login') admins.userId = 'root'
      if (url === '/user-logout') await users.destroy()
    })
    expect(namesOf((await browser.get('/both')).setCookies)).toEqual(['admin', 'sid'])
    const written = async (path: string) => {
      stores.users.calls.length = stores.admins.calls.length = 0
      const { setCookies } = await browser.get(path)
      const { users, admins } = stores
      return { users: users.calls, admins: admins.calls, cookies: namesOf(setCookies) }
    }
    expect(await written('/user')).toEqual({
      users: ['load', 'replace'],
      admins: ['load'],
      cookies: [],
    })
    expect(await written('/admin-login')).toEqual({
      users: ['load'],
      admins: ['load', 'create', 'replace'],
      cookies: ['admin'],
    })
    expect(await written('/user-logout')).toEqual({
      users: ['load', 'replace', 'destroy'],
      admins: ['load'],
      cookies: ['sid'],
    })
    expect((await browser.get('/')).json()).toEqual({ users: {}, admins: { a: 1, userId: 'root' } })
  })
})

describe('a manager that is mounted twice', () => {
  it('acts once, and keeps the object that handlers already hold', async () => {
    const store = new WatchedStore(new MemoryStore())
    const { browser } = await serveApp(
      (app, sessions) => {
        app.use((req, _res, next) => {
          sessions.of(req).session.first = true
          next()
        })
        app.use(sessions, sessions)
        app.get('/', (req, res) => {
          sessions.of(req).session.second = true
          res.json(sessions.of(req).session)
        })
      },
      { store },
    )
    const visitor = browser()
    const first = await visitor.get('/')
    expect(first.json()).toEqual({ first: true, second: true })
    expect(first.setCookies).toHaveLength(1)
    expect(store.calls).toEqual(['create'])
    await visitor.get('/')
    expect(store.calls).toEqual(['create', 'load'])
  })
})

describe('a property that somebody else has taken', () => {
  it.each<[string, unknown]>([
    ['an object', { mine: true }],
    ['an empty text', ''],
    ['null', null],
  ])('by %s is an error that names it, and what it held stays', async (_name, value) => {
    const clock = new FakeClock()
    const store = new WatchedStore(new MemoryStore({ clock }))
    const sessions = session<AnyData>({ secret: SECRET, clock, store, property: 'visit' })
    const seen: unknown[] = []
    const { origin } = await serve((req, res) => {
      Object.assign(req, { visit: value })
      sessions(req, res, (error) => {
        seen.push(error, Reflect.get(req, 'visit'))
        res.end()
      })
    })
    await new CookieClient(origin, { clock }).get('/', { headers: { cookie: 'sid=x' } })
    expect(seen).toEqual([
      expect.objectContaining({
        code: 'ERR_OPTION',
        message: expect.stringContaining('req.visit is taken'),
      }),
      value,
    ])
    expect(store.calls).toEqual([])
  })
})

describe('cookies that the handler sets', () => {
  const own = ['a=1; Path=/a', 'sidx=2', 'a=3; HttpOnly']

  it.each<[string, (res: Sender) => unknown]>([
    ['as an array', (res) => void res.setHeader('Set-Cookie', own)],
    ['one by one', (res) => own.forEach((line) => void res.appendHeader('Set-Cookie', line))],
    ['with writeHead', (res) => res.writeHead(200, { 'set-cookie': own })],
  ])('%s stay in their order, before the one of the session', async (_name, set) => {
    const { browser } = await serveApp((app, sessions) => {
      app.get('/set', (req, res) => {
        sessions.of(req).session.cart = true
        set(res)
        res.end()
      })
      app.get('/logout', async (req, res) => {
        await sessions.of(req).session.destroy()
        set(res)
        res.end()
      })
    })
    const visitor = browser()
    for (const page of ['/set', '/logout']) {
      const { setCookies } = await visitor.get(page)
      expect(setCookies).toEqual([...own, expect.stringMatching(/^sid=/)])
    }
  })

  it('are all that is sent when the session has nothing to say', async () => {
    const { browser } = await serveApp((app, sessions) => {
      app.get('/read', (req, res) => {
        Object.keys(sessions.of(req).session)
        res.setHeader('Set-Cookie', own)
        res.end()
      })
    })
    expect((await browser().get('/read')).setCookies).toEqual(own)
  })

  it('need no cookie parser, and one that is there is not in the way', async () => {
    const { browser } = await serveApp((app, sessions) => {
      app.get('/set', (req, res) => {
        // What a parser would have left there.
        Object.assign(req, { cookies: { sid: 'wrong' }, signedCookies: {} })
        sessions.of(req).session.n = Number(sessions.of(req).session.n ?? 0) + 1
        res.end()
      })
    })
    const visitor = browser()
    for (const _ of [1, 2]) await visitor.get('/set')
    expect((await visitor.get('/')).json()).toEqual({ n: 2 })
  })
})

interface Sender {
  setHeader(name: string, value: string[]): unknown
  appendHeader(name: string, value: string): unknown
  writeHead(status: number, headers: Record<string, string[]>): unknown
}
