import { describe, expect, it } from 'vitest'
import { MemoryStore } from '../../src/index.js'
import { FakeClock } from '../../src/testing/index.js'
import { SECRET, serveApp } from '../support/serve.js'
import { gate } from '../support/turns.js'
import { WatchedStore } from '../support/watched-store.js'

const BEFORE = 'the secret before that one, 32 bytes too'

const routes: NonNullable<Parameters<typeof serveApp>[0]> = (app, all) => {
  app.get('/login/:user', (req, res) => {
    all.of(req).session.userId = req.params.user
    res.end()
  })
  app.get('/logout', async (req, res) => {
    await all.of(req).session.destroy()
    res.end()
  })
  app.get('/regenerate', async (req, res) => {
    await all.of(req).session.regenerate({ keep: true })
    res.end()
  })
}

/** One browser, and a request of it that is answered when the test lets it. */
async function slowApp(
  secret: string[] = [SECRET],
  store = new MemoryStore(),
  clock = new FakeClock(),
) {
  const [inside, go] = [gate(), gate()]
  const made = await serveApp(
    (app, all) => {
      routes(app, all)
      app.get('/slow/:what', async (req, res) => {
        const { session } = all.of(req)
        const { what } = req.params
        void session.userId
        if (what === 'regenerating') {
          await session.regenerate({ keep: true })
          await all.of(req).session.save()
        }
        if (what === 'saving') await session.save()
        inside.open()
        await go.opened
        if (what === 'writing') session.late = true
        res.status(what === 'answering 500' ? 500 : 200).end()
      })
    },
    { secret, store, clock },
  )
  return { ...made, inside, go }
}

describe('a slow response that arrives after a logout and a new login', () => {
  it.each([
    ['clean', [SECRET]],
    ['writing', [SECRET]],
    ['answering 500', [SECRET]],
    ['clean', [SECRET, BEFORE]],
    ['writing', [SECRET, BEFORE]],
    ['saving', [SECRET, BEFORE]],
    ['regenerating', [SECRET]],
  ])('leaves the jar its new cookie: %s, with %j secrets', async (what, secret) => {
    const store = new MemoryStore()
    const old = await serveApp(routes, { secret: secret.at(-1)!, store })
    const { browser, origin, clock, inside, go } = await slowApp(secret, store, old.clock)
    const before = old.browser()
    await before.get('/login/ada')
    const visitor = browser()
    const cookie = before.jar.header(`${old.origin}/`)!
    const slow = visitor.get(`/slow/${what}`, { headers: { cookie } })
    await inside.opened
    await browser().get('/logout', { headers: { cookie } })
    await visitor.get('/login/bob')
    const jar = visitor.jar.header(`${origin}/`)
    await clock.advance(1000)
    go.open()
    expect((await slow).setCookies).toEqual([])
    expect(visitor.jar.header(`${origin}/`)).toBe(jar)
    expect((await visitor.get('/')).json()).toEqual({ userId: 'bob' })
  })

  it('has its cookie confirmed by the store, if it is due again, and sends none without', async () => {
    const inner = new MemoryStore()
    const old = await serveApp(routes, { secret: BEFORE, store: inner })
    const visitor = old.browser()
    await visitor.get('/login/ada')
    const cookie = { headers: { cookie: visitor.jar.header(`${old.origin}/`)! } }
    const store = new WatchedStore(inner)
    const { browser } = await serveApp(routes, {
      secret: [SECRET, BEFORE],
      store,
      clock: old.clock,
    })
    const due = await browser().get('/', cookie)
    expect(due.setCookies).toHaveLength(1)
    expect(store.calls).toEqual(['load', 'load'])
  })
})

describe('an old id, just after its session was renewed in another process', () => {
  it('starts nothing for ordinary data, and a login with it works', async () => {
    const store = new MemoryStore()
    const here = await slowApp([SECRET], store)
    const there = await slowApp([SECRET], store, here.clock)
    here.go.open()
    const visitor = there.browser()
    await visitor.get('/login/ada')
    const old = { headers: { cookie: visitor.jar.header(`${there.origin}/`)! } }
    await visitor.get('/regenerate')
    const reasons: string[] = []
    here.sessions.on('stale-write', ({ reason }) => reasons.push(reason))
    expect((await here.browser().get('/slow/writing', old)).setCookies).toEqual([])
    expect(reasons).toEqual(['superseded'])
    expect((await visitor.get('/')).json()).toEqual({ userId: 'ada' })
    expect((await here.browser().get('/login/eve', old)).setCookies).toHaveLength(1)
    expect((await visitor.get('/')).json()).toEqual({ userId: 'ada' })
  })
})

describe('a new id that was stored long before its response leaves', () => {
  it.each([
    ['is sent while its session lives', false],
    ['is not sent after a revoke', true],
  ])('%s', async (_name, isRevoked) => {
    const { browser, sessions, clock, inside, go } = await slowApp()
    const visitor = browser()
    await visitor.get('/login/ada')
    const slow = visitor.get('/slow/regenerating')
    await inside.opened
    if (isRevoked) await sessions.revokeUser('ada')
    await clock.advance(1000)
    go.open()
    expect((await slow).setCookies).toHaveLength(isRevoked ? 0 : 1)
    expect((await visitor.get('/')).json()).toEqual(isRevoked ? {} : { userId: 'ada' })
  })

  it('is sent although the store fails to confirm it: nobody else has it', async () => {
    const store = new WatchedStore(new MemoryStore())
    const [inside, go] = [gate(), gate()]
    const { browser, clock } = await serveApp(
      (app, all) => {
        app.get('/login', async (req, res) => {
          all.of(req).session.userId = 'ada'
          await all.of(req).session.save()
          inside.open()
          await go.opened
          res.end()
        })
      },
      { store },
    )
    const visitor = browser()
    const login = visitor.get('/login')
    await inside.opened
    await clock.advance(1000)
    store.fail('load')
    go.open()
    expect((await login).setCookies).toHaveLength(1)
    store.recover()
    expect((await visitor.get('/')).json()).toEqual({ userId: 'ada' })
  })
})
