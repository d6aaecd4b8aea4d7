import { describe, expect, it } from 'vitest'
import { MemoryStore, session } from '../../src/index.js'
import { CookieClient, FakeClock } from '../../src/testing/index.js'
import { type AnyData, SECRET, serve, serveApp } from '../support/serve.js'
import { WatchedStore } from '../support/watched-store.js'

const DAY = 24 * 3_600_000

const routes: Parameters<typeof serveApp>[0] = (app, sessions) => {
  app.get('/login/:user/:device', (req, res) => {
    Object.assign(sessions.of(req).session, { userId: req.params.user, device: req.params.device })
    res.end()
  })
  app.get('/id', (req, res) => void res.end(sessions.of(req).session.id))
  app.get('/logout', async (req, res) => {
    await sessions.of(req).session.destroy()
    res.end()
  })
}

async function signIn(made: Awaited<ReturnType<typeof serveApp>>, user: string, device: string) {
  const browser = made.browser()
  await browser.get(`/login/${user}/${device}`)
  return { browser, id: (await browser.get('/id')).text() }
}

describe('the sessions of a user', () => {
  it('are listed exactly, the last seen first, without the ended ones and those of others', async () => {
    const made = await serveApp(routes)
    const expired = await signIn(made, 'ada', 'old phone')
    await made.clock.advance(DAY - 1000)
    const phone = await signIn(made, 'ada', 'phone')
    const out = await signIn(made, 'ada', 'library')
    await out.browser.get('/logout')
    await signIn(made, 'bob', 'laptop')
    await made.clock.advance(1000)
    const laptop = await signIn(made, 'ada', 'laptop')
    const listed = await made.sessions.list('ada')
    expect(listed.map(({ data }) => data.device)).toEqual(['laptop', 'phone'])
    expect(listed.map(({ id }) => id)).toEqual([laptop.id, phone.id])
    expect(listed[1]).toMatchObject({
      authenticatedAt: made.clock.now() - 1000,
      createdAt: made.clock.now() - 1000,
      lastSeenAt: made.clock.now() - 1000,
      expiresAt: made.clock.now() - 1000 + DAY,
    })
    expect((await expired.browser.get('/')).json()).toEqual({})
    expect(await made.sessions.list('nobody')).toEqual([])
  })

  it('are found by number and by string alike', async () => {
    const made = await serveApp(routes)
    await signIn(made, '7', 'phone')
    expect(await made.sessions.list(7)).toHaveLength(1)
  })

  it('can be ended one by one', async () => {
    const made = await serveApp(routes)
    const ended: unknown[] = []
    made.sessions.on('destroy', (event) => ended.push(event))
    const { browser, id } = await signIn(made, 'ada', 'phone')
    expect(await made.sessions.revoke(id)).toBe(true)
    expect(await made.sessions.revoke(id)).toBe(false)
    expect(await made.sessions.revoke('../../etc/passwd')).toBe(false)
    expect(ended).toEqual([{ id, user: 'ada', reason: 'revoked', at: made.clock.now() }])
    expect((await browser.get('/')).json()).toEqual({})
  })

  it('can all be ended but one, and none of another user', async () => {
    const made = await serveApp(routes)
    const devices = await Promise.all(['a', 'b', 'c'].map((name) => signIn(made, 'ada', name)))
    const bob = await signIn(made, 'bob', 'phone')
    expect(await made.sessions.revokeUser('ada', { except: devices[1]!.id })).toBe(2)
    const data = await Promise.all(
      devices.map(async ({ browser }) => (await browser.get('/')).json<AnyData>().device),
    )
    expect(data).toEqual([undefined, 'b', undefined])
    expect((await bob.browser.get('/')).json<AnyData>().device).toBe('phone')
  })

  it('that a clock ahead of ours has made are ended too', async () => {
    const store = new MemoryStore({ clock: new FakeClock() })
    const ahead = new FakeClock()
    ahead.set(ahead.now() + 5000)
    const made = await serveApp(routes, { store })
    const other = await serveApp(routes, { store, clock: ahead })
    const { id } = await signIn(other, 'ada', 'phone')
    expect(await made.sessions.revokeUser('ada')).toBe(1)
    expect(await made.sessions.revoke(id)).toBe(false)
  })

  it('need a store with an index', async () => {
    const { sessions } = await serveApp(routes, { store: new WatchedStore(new MemoryStore()) })
    expect(sessions.capabilities.byUser).toBe(false)
    await expect(sessions.list('ada')).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' })
    await expect(sessions.revokeUser('ada')).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' })
  })
})

describe('a session outside a request', () => {
  it('can be issued, and read from an upgrade without a response', async () => {
    const made = await serveApp(routes)
    const token = await made.sessions.issue({ userId: 'ada', n: 1 })
    const req = { headers: { cookie: `sid=${token}` } }
    const found = await made.sessions.read(req)
    expect({ ...found }).toEqual({ userId: 'ada', n: 1 })
    await found!.update((data) => {
      data.n = 2
    })
    expect((await made.browser().get('/', { headers: { cookie: `sid=${token}` } })).json()).toEqual(
      { userId: 'ada', n: 2 },
    )
    found!.userId = 'eve'
    await expect(found!.save()).rejects.toMatchObject({ code: 'ERR_NO_RESPONSE' })
    expect(await made.sessions.revoke(found!.id)).toBe(true)
    await expect(found!.reload()).rejects.toMatchObject({ code: 'ERR_GONE' })
    expect(await made.sessions.read(req)).toBeNull()
    expect(await made.sessions.read({ headers: {} })).toBeNull()
  })
})

describe('two managers', () => {
  it('live on one request and commit on their own; one mounted twice acts once', async () => {
    const clock = new FakeClock()
    const store = new WatchedStore(new MemoryStore({ clock }))
    const users = session<AnyData>({ secret: SECRET, clock, store })
    const admins = session<AnyData>({
      secret: SECRET,
      clock,
      store,
      property: 'admin',
      cookie: { name: 'admin', sameSite: 'strict' },
    })
    const { origin } = await serve((req, res) => {
      users(req, res, () =>
        users(req, res, () =>
          admins(req, res, (error) => {
            if (error) return res.end(String(error))
            if (req.url === '/set') {
              users.of(req).session.u = 1
              admins.of(req).session.a = 1
            }
            res.setHeader('Set-Cookie', 'own=1')
            res.end(JSON.stringify([users.of(req).session, admins.of(req).session]))
          }),
        ),
      )
    })
    const browser = new CookieClient(origin, { clock })
    const { setCookies } = await browser.get('/set')
    expect(setCookies.map((line) => line.split('=')[0])).toEqual(['own', 'admin', 'sid'])
    expect(store.calls).toEqual(['create', 'create'])
    expect((await browser.get('/')).json()).toEqual([{ u: 1 }, { a: 1 }])
  })

  it('on one property are an error that says so', async () => {
    const made = await serveApp((app) => {
      app.use(session({ secret: SECRET }))
    })
    expect((await made.browser().get('/')).json()).toMatchObject({
      code: 'ERR_OPTION',
      message: expect.stringContaining('req.session is taken'),
    })
  })
})
