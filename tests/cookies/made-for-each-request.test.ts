import { describe, expect, it } from 'vitest'
import { type CookieOptions, MemoryStore, type SessionOptions, session } from '../../src/index.js'
import { CookieClient, FakeClock } from '../../src/testing/index.js'
import { type AnyData, SECRET, serve, serveApp } from '../support/serve.js'
import { WatchedStore } from '../support/watched-store.js'

const routes: Parameters<typeof serveApp>[0] = (app, sessions) => {
  app.get('/set/:key', (req, res) => {
    sessions.of(req).session[req.params.key!] = true
    res.end()
  })
  app.get('/login', (req, res) => {
    sessions.of(req).session.userId = 'ada'
    res.end()
  })
  app.get('/logout', async (req, res) => {
    await sessions.of(req).session.destroy()
    res.end()
  })
}

describe('tenants on one store', () => {
  it('get the cookie of their own domain, and nothing of the other tenant', async () => {
    const store = new MemoryStore({ clock: new FakeClock() })
    const asked: unknown[] = []
    const { origin } = await serveApp(routes, {
      store,
      cookie: ({ headers }) => {
        const host = String(headers.host).replace(/:\d+$/, '')
        asked.push(host)
        return { domain: host.split('.').slice(-2).join('.'), secure: false }
      },
    })
    const tenant = (host: string) =>
      new CookieClient(`http://${host}`, { connect: origin, clock: new FakeClock() })
    const [red, blue] = [tenant('www.red.example'), tenant('www.blue.example')]
    expect((await red.get('/set/red')).setCookies[0]).toContain('; Domain=red.example; Path=/;')
    expect((await blue.get('/set/blue')).setCookies[0]).toContain('; Domain=blue.example; Path=/;')
    expect((await red.get('/')).json()).toEqual({ red: true })
    expect((await blue.get('/')).json()).toEqual({ blue: true })
    // Once for each request, whatever that did.
    expect(asked).toEqual(['red', 'blue', 'red', 'blue'].map((name) => `www.${name}.example`))
    // A cookie of all sub-domains, deleted for all of them.
    expect((await red.get('/logout')).setCookies[0]).toMatch(
      /^sid=; Max-Age=0; Domain=red\.example/,
    )
    expect(red.jar.size).toBe(0)
  })
})

describe('two mounts with paths of their own on one store', () => {
  it('keep a session and a cookie each, and end it alone', async () => {
    const clock = new FakeClock()
    const store = new MemoryStore({ clock })
    const made = await serveApp((app) => {
      for (const path of ['/shop', '/admin']) {
        const sessions = session<AnyData>({
          secret: SECRET,
          clock,
          store,
          property: 'own',
          cookie: { path },
        })
        app.use(path, sessions)
        app.get(`${path}/set`, (req, res) => {
          sessions.of(req).session[path] = true
          res.end()
        })
        app.get(`${path}/end`, async (req, res) => {
          await sessions.of(req).session.destroy()
          res.end()
        })
        app.get(path, (req, res) => void res.json(sessions.of(req).session))
      }
    })
    const visitor = made.browser()
    expect((await visitor.get('/shop/set')).setCookies[0]).toContain('; Path=/shop;')
    expect((await visitor.get('/admin/set')).setCookies[0]).toContain('; Path=/admin;')
    expect((await visitor.get('/shop')).json()).toEqual({ '/shop': true })
    expect((await visitor.get('/admin')).json()).toEqual({ '/admin': true })
    expect((await visitor.get('/shop/end')).setCookies[0]).toContain('; Path=/shop;')
    expect((await visitor.get('/shop')).json()).toEqual({})
    expect((await visitor.get('/admin')).json()).toEqual({ '/admin': true })
  })
})

describe('another setting', () => {
  it('shows in the next cookie of a session that lives on, and nothing of it is stored', async () => {
    const clock = new FakeClock()
    const store = new MemoryStore({ clock })
    const cookie = { sameSite: 'lax', httpOnly: true, priority: 'low' } as const
    const before = await serveApp(routes, { store, clock, cookie })
    const visitor = before.browser()
    await visitor.get('/set/cart')
    for await (const { text } of store.entries()) {
      expect(text).not.toMatch(/lax|httpOnly|priority|path|secure/i)
    }
    const header = visitor.jar.header(`${before.origin}/`)!
    const after = await serveApp(routes, {
      store,
      clock,
      cookie: { sameSite: 'strict', httpOnly: false, priority: 'high' },
    })
    const login = await after.browser().get('/login', { headers: { cookie: header } })
    expect(login.setCookies).toEqual([
      expect.stringMatching(/^sid=[^;]+; Path=\/; Priority=High; SameSite=Strict$/),
    ])
    const renewed = { headers: { cookie: login.setCookies[0]!.split(';')[0]! } }
    expect((await after.browser().get('/', renewed)).json()).toEqual({ cart: true, userId: 'ada' })
  })
})

type CookieOption = NonNullable<SessionOptions<AnyData>['cookie']>

describe('a function for the cookie', () => {
  it.each<[string, CookieOption]>([
    ['at once', () => ({ sameSite: 'strict' })],
    ['by a promise', async () => ({ sameSite: 'strict' })],
  ])('answers %s, before the handler, and auto is decided after it', async (_name, cookie) => {
    const { origin } = await serveApp(routes, { cookie, trustProxy: true })
    const visitor = new CookieClient('https://coats.example', {
      connect: origin,
      clock: new FakeClock(),
      headers: { 'X-Forwarded-Proto': 'https' },
    })
    expect((await visitor.get('/set/cart')).setCookies).toEqual([
      expect.stringMatching(/^__Host-sid=.*; Secure; SameSite=Strict$/),
    ])
    expect((await visitor.get('/')).json()).toEqual({ cart: true })
  })

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new TypeError('no such tenant')
      },
    ],
    ['rejects', () => Promise.reject(new TypeError('no such tenant'))],
    ['gives what no browser keeps', () => ({ sameSite: 'none', secure: false })],
    ['gives nothing', () => undefined],
    ['gives a word', () => 'sid'],
  ])(
    'that %s is an error of this request, with no store call and no handler',
    async (name, cookie) => {
      const store = new WatchedStore(new MemoryStore())
      let handled = 0
      const { browser } = await serveApp(
        (app) => {
          app.get('/', (_req, res) => {
            handled++
            res.end()
          })
        },
        { store, cookie: cookie as () => CookieOptions },
      )
      const answer = await browser().get('/', { headers: { cookie: 'sid=x' } })
      expect(answer.status).toBe(500)
      expect(answer.json()).toMatchObject(
        name.startsWith('gives') ? { code: 'ERR_OPTION' } : { message: 'no such tenant' },
      )
      expect(answer.setCookies).toEqual([])
      expect(handled).toBe(0)
      expect(store.calls).toEqual([])
    },
  )

  it('that fails once leaves the next request alone', async () => {
    let fails = true
    const { browser } = await serveApp(routes, {
      cookie: async () => {
        if (fails) throw new Error('for a moment')
        return {}
      },
    })
    expect((await browser().get('/set/cart')).status).toBe(500)
    fails = false
    expect((await browser().get('/set/cart')).setCookies).toHaveLength(1)
  })

  it('is waited for by the reading without a response, and by whoever enters twice', async () => {
    const clock = new FakeClock()
    let asked = 0
    const sessions = session<AnyData>({
      secret: SECRET,
      clock,
      cookie: async () => {
        asked++
        return { name: 'tenant' }
      },
    })
    const { origin } = await serve((req, res) => {
      let entered = 0
      const both = () => {
        entered++
        if (entered === 1) return
        sessions.of(req).session.cart = true
        res.end()
      }
      sessions(req, res, both)
      sessions(req, res, both)
    })
    const visitor = new CookieClient(origin, { clock })
    const { setCookies } = await visitor.get('/')
    expect(setCookies).toHaveLength(1)
    expect(asked).toBe(1)
    const cookie = setCookies[0]!.split(';')[0]!
    expect({ ...(await sessions.read({ headers: { cookie } })) }).toEqual({ cart: true })
  })
})
