import { describe, expect, it } from 'vitest'
import { MemoryStore } from '../../src/index.js'
import type { CookieClient } from '../../src/testing/index.js'
import { type AnyData, serveApp } from '../support/serve.js'
import { WatchedStore } from '../support/watched-store.js'

function gate(): { opened: Promise<void>; open: () => void } {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

const routes: Parameters<typeof serveApp>[0] = (app, sessions) => {
  app.get('/login', (req, res) => {
    sessions.of(req).session.userId = 1
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
  app.get('/id', (req, res) => void res.end(sessions.of(req).session.id))
}

const copyOf = (browser: CookieClient, origin: string) => ({
  headers: { cookie: browser.jar.header(`${origin}/`)! },
})

describe('a regenerate() in parallel that was faster', () => {
  it('does not make a logout miss the session', async () => {
    const inside = gate()
    const go = gate()
    const { browser, origin, sessions } = await serveApp((app, all) => {
      routes(app, all)
      app.get('/slow-logout', async (req, res) => {
        const { session } = all.of(req)
        inside.open()
        await go.opened
        await session.destroy()
        res.end()
      })
    })
    const visitor = browser()
    await visitor.get('/login')
    const logout = browser().get('/slow-logout', copyOf(visitor, origin))
    await inside.opened
    await visitor.get('/regenerate')
    go.open()
    await logout
    expect(await sessions.list(1)).toEqual([])
  })

  it('does not make a logout miss that comes with the old id, just after it', async () => {
    const { browser, origin, sessions } = await serveApp(routes)
    const visitor = browser()
    await visitor.get('/login')
    const old = copyOf(visitor, origin)
    await visitor.get('/regenerate')
    expect((await browser().get('/logout', old)).setCookies).toHaveLength(1)
    expect(await sessions.list(1)).toEqual([])
    expect((await visitor.get('/')).json()).toEqual({})
  })

  it.each(['reload', 'save', 'update'] as const)(
    'does not make a logout miss that has been told that its session goes on elsewhere: by %s()',
    async (how) => {
      const [inside, go] = [gate(), gate()]
      const { browser, origin, sessions } = await serveApp((app, all) => {
        routes(app, all)
        app.get('/slow-logout', async (req, res) => {
          const { session } = all.of(req)
          session.seen = true
          inside.open()
          await go.opened
          const asked = how === 'update' ? session.update(() => {}) : session[how]()
          const code = await asked.catch((error: { code: string }) => error.code)
          await session.destroy()
          res.json(code)
        })
      })
      const visitor = browser()
      await visitor.get('/login')
      const logout = browser().get('/slow-logout', copyOf(visitor, origin))
      await inside.opened
      await visitor.get('/regenerate')
      go.open()
      expect((await logout).json()).toBe('ERR_GONE')
      expect((await logout).setCookies).toEqual([expect.stringContaining('Max-Age=0')])
      expect(await sessions.list(1)).toEqual([])
    },
  )

  it('does not make revoke() say that it has ended what lives on', async () => {
    const inner = new MemoryStore()
    const store = new WatchedStore(inner)
    const revoking = await serveApp(routes, { store })
    const other = await serveApp(routes, { store: inner, clock: revoking.clock })
    const visitor = other.browser()
    await visitor.get('/login')
    const id = (await visitor.get('/id')).text()
    const destroy = store.pause('destroy')
    const revoked = revoking.sessions.revoke(id)
    await destroy.reached
    await visitor.get('/regenerate')
    destroy.resume()
    const isLive = Object.keys((await visitor.get('/')).json<AnyData>()).length > 0
    expect(await revoked).toBe(!isLive)
  })

  it('is one session to revokeUser(), not two', async () => {
    const inner = new MemoryStore()
    const store = Object.assign(new WatchedStore(inner), {
      keysOfUser: (user: string) => inner.keysOfUser(user),
    })
    const revoking = await serveApp(routes, { store })
    const other = await serveApp(routes, { store: inner, clock: revoking.clock })
    const events: unknown[] = []
    revoking.sessions.on('destroy', (event) => events.push(event))
    const visitor = other.browser()
    await visitor.get('/login')
    const destroy = store.pause('destroy')
    const revoked = revoking.sessions.revokeUser(1)
    await destroy.reached
    await visitor.get('/regenerate')
    destroy.resume()
    expect(await revoked).toBe(1)
    expect(events).toHaveLength(1)
  })
})

describe('the old id of somebody who has signed in since', () => {
  it('ends nothing of theirs: it may be in the hands of whoever planted it', async () => {
    const { browser, origin, sessions } = await serveApp((app, all) => {
      routes(app, all)
      app.get('/cart', (req, res) => {
        all.of(req).session.cart = true
        res.end()
      })
    })
    const visitor = browser()
    await visitor.get('/cart')
    const old = copyOf(visitor, origin)
    await visitor.get('/login')
    await browser().get('/logout', old)
    expect(await sessions.list(1)).toHaveLength(1)
    expect((await visitor.get('/')).json()).toEqual({ cart: true, userId: 1 })
  })
})

describe('revokeUser() with the id of the own session as the exception', () => {
  it('spares it right after regenerate(), as a change of password does', async () => {
    const { browser } = await serveApp((app, sessions) => {
      routes(app, sessions)
      app.get('/password', async (req, res) => {
        await sessions.of(req).session.regenerate({ keep: true })
        await sessions.revokeUser(1, { except: sessions.of(req).session.id })
        res.end()
      })
    })
    const [here, there] = [browser(), browser()]
    await here.get('/login')
    await there.get('/login')
    await here.get('/password')
    expect((await there.get('/')).json()).toEqual({})
    expect((await here.get('/')).json()).toEqual({ userId: 1 })
  })
})

describe('a session that has ended', () => {
  it('by `delete req.session` stays ended when something is assigned in its place', async () => {
    const { browser } = await serveApp((app, sessions) => {
      routes(app, sessions)
      app.get('/out', (req, res) => {
        const request = req as { session?: unknown }
        delete request.session
        request.session = {}
        res.end()
      })
    })
    const visitor = browser()
    await visitor.get('/login')
    await visitor.get('/out')
    expect((await visitor.get('/')).json()).toEqual({})
  })

  it('by `req.session = null` shows nothing from then on, and tells of data set on it', async () => {
    const { browser, sessions } = await serveApp((app, all) => {
      routes(app, all)
      app.get('/out', (req, res) => {
        const request = req as unknown as { session: AnyData | null }
        request.session = null
        const shown = { ...all.of(req).session }
        all.of(req).session.after = true
        res.json(shown)
      })
    })
    const stale: unknown[] = []
    sessions.on('stale-write', ({ reason }) => stale.push(reason))
    const visitor = browser()
    await visitor.get('/login')
    expect((await visitor.get('/out')).json()).toEqual({})
    expect(stale).toEqual(['destroyed'])
  })

  it('elsewhere gives its data to no new one, whatever regenerate() is told to keep', async () => {
    const { browser } = await serveApp((app, sessions) => {
      routes(app, sessions)
      app.get('/late', async (req, res) => {
        const { session } = sessions.of(req)
        await sessions.revoke(session.id)
        await session.reload().catch(() => {})
        await session.regenerate({ keep: true })
        res.end()
      })
    })
    const visitor = browser()
    await visitor.get('/login')
    await visitor.get('/late')
    expect((await visitor.get('/')).json()).toEqual({})
  })

  it.each(['streamed', 'saved'])('is one stale-write to a response that is %s', async (how) => {
    const { browser, sessions } = await serveApp((app, all) => {
      routes(app, all)
      app.get('/late', async (req, res) => {
        const { session } = all.of(req)
        session.late = true
        await all.revoke(session.id)
        if (how === 'streamed') res.write('begun')
        else await session.save().catch(() => {})
        res.end()
      })
    })
    const stale: unknown[] = []
    sessions.on('stale-write', (event) => stale.push(event))
    const visitor = browser()
    await visitor.get('/login')
    await visitor.get('/late')
    expect(stale).toEqual([expect.objectContaining({ id: expect.any(String), reason: 'gone' })])
  })

  it('by its absolute time while the handler ran is gone for the commit, and for new clocks', async () => {
    const [inside, go] = [gate(), gate()]
    const hour = 3_600_000
    const { browser, clock } = await serveApp(
      (app, sessions) => {
        routes(app, sessions)
        app.get('/slow', async (req, res) => {
          const { session } = sessions.of(req)
          inside.open()
          await go.opened
          session.late = true
          const saved = await session.save().catch((error: { code: string }) => error.code)
          await sessions.of(req).authenticated()
          res.json(saved ?? 'stored')
        })
      },
      { absoluteTimeout: hour },
    )
    const visitor = browser()
    await visitor.get('/login')
    await clock.advance(hour - 1)
    const slow = visitor.get('/slow')
    await inside.opened
    await clock.advance(1)
    go.open()
    expect((await slow).json()).toBe('ERR_GONE')
    expect((await slow).setCookies).toEqual([])
  })
})

describe('an idle session that the memory store has expired', () => {
  it('is one event to the request that finds it', async () => {
    const made = await serveApp()
    const store = new MemoryStore({ clock: made.clock })
    const { browser, clock, sessions } = await serveApp(routes, { store, clock: made.clock })
    const events: string[] = []
    sessions.on('expire', ({ reason }) => events.push(`expire ${reason}`))
    sessions.on('reject', ({ reason }) => events.push(`reject ${reason}`))
    const visitor = browser()
    await visitor.get('/login')
    await clock.advance(24 * 3_600_000)
    await visitor.get('/')
    expect(events).toEqual(['expire idle'])
  })
})
