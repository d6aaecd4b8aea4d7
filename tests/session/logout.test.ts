import { describe, expect, it } from 'vitest'
import { MemoryStore } from '../../src/index.js'
import type { CookieClient } from '../../src/testing/index.js'
import { serveApp } from '../support/serve.js'
import { WatchedStore } from '../support/watched-store.js'

/** An app with a login, a logout, and a request `/slow?…` that waits until the test lets it go. */
async function slowApp(store?: WatchedStore) {
  let entered = () => {}
  let go = () => {}
  const inside = new Promise<void>((resolve) => {
    entered = resolve
  })
  const gate = new Promise<void>((resolve) => {
    go = resolve
  })
  const made = await serveApp(
    (app, sessions) => {
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
      app.get('/slow/:what', async (req, res) => {
        const { session } = sessions.of(req)
        entered()
        await gate
        if (req.params.what === 'write') session.late = true
        if (req.params.what === 'regenerate') await session.regenerate({ keep: true })
        if (req.params.what === 'touch') await session.touch()
        if (req.params.what === 'switch') session.userId = 'eve'
        if (req.params.what === 'save') {
          session.late = true
          const code = await session.save().catch((error: { code: string }) => error.code)
          return void res.json(code)
        }
        if (req.params.what === 'error') return void res.status(500).end()
        res.end()
      })
    },
    store === undefined ? {} : { store },
  )
  const stale: { reason: string }[] = []
  made.sessions.on('stale-write', (event) => stale.push(event))
  return { ...made, inside, go, stale }
}

const copyOf = (browser: CookieClient, origin: string) => ({
  headers: { cookie: browser.jar.header(`${origin}/`)! },
})

describe('a logout during a slow request', () => {
  it.each([
    ['write', 1],
    ['regenerate', 1],
    ['switch', 1],
    ['touch', 0],
    ['nothing', 0],
  ])('stays a logout when that one ends with: %s', async (what, dropped) => {
    const { browser, origin, inside, go, stale } = await slowApp()
    const visitor = browser()
    await visitor.get('/login/ada')
    const old = copyOf(visitor, origin)
    const slow = browser().get(`/slow/${what}`, old)
    await inside
    const logout = await visitor.get('/logout')
    expect(logout.setCookies).toEqual([expect.stringMatching(/^sid=;.*Max-Age=0/)])
    go()
    const late = await slow
    expect(late.status).toBe(200)
    expect(late.setCookies).toEqual([])
    expect((await browser().get('/', old)).json()).toEqual({})
    expect(stale).toHaveLength(dropped)
    if (dropped) expect(stale[0]).toMatchObject({ reason: 'gone', user: 'ada' })
  })

  it('stays a logout when only a touch of the store is pending', async () => {
    const store = new WatchedStore(new MemoryStore())
    const { browser, origin, clock, sessions } = await slowApp(store)
    const visitor = browser()
    await visitor.get('/login/ada')
    const old = copyOf(visitor, origin)
    await clock.advance(61_000)
    const touch = store.pause('touch')
    expect((await browser().get('/', old)).status).toBe(200)
    await touch.reached
    await visitor.get('/logout')
    touch.resume()
    await sessions.settled()
    expect((await browser().get('/', old)).json()).toEqual({})
  })

  it('tells code that asks: save() rejects with ERR_GONE', async () => {
    const { browser, origin, inside, go } = await slowApp()
    const visitor = browser()
    await visitor.get('/login/ada')
    const slow = browser().get('/slow/save', copyOf(visitor, origin))
    await inside
    await visitor.get('/logout')
    go()
    const late = await slow
    expect(late.json()).toBe('ERR_GONE')
    expect(late.setCookies).toEqual([])
  })
})

describe('a late response to an old id', () => {
  it.each(['write', 'nothing', 'error'])('touches no cookie of a later login: %s', async (what) => {
    const { browser, inside, go } = await slowApp()
    const visitor = browser()
    await visitor.get('/login/ada')
    const slow = visitor.get(`/slow/${what}`)
    await inside
    await visitor.get('/logout')
    await visitor.get('/login/bob')
    go()
    expect((await slow).setCookies).toEqual([])
    expect((await visitor.get('/')).json()).toEqual({ userId: 'bob' })
  })

  it('of a session renewed by a login starts nothing and merges nothing', async () => {
    const { browser, origin, inside, go, stale } = await slowApp()
    const visitor = browser()
    await visitor.get('/login/ada')
    const old = copyOf(visitor, origin)
    const slow = browser().get('/slow/write', old)
    await inside
    await visitor.get('/login/bob')
    go()
    expect((await slow).setCookies).toEqual([])
    expect(stale).toEqual([expect.objectContaining({ reason: 'superseded' })])
    expect((await visitor.get('/')).json()).toEqual({ userId: 'bob' })
  })

  it('that arrives after the renewal finds no session, and its data starts none', async () => {
    const { browser, origin, inside, go, stale, clock } = await slowApp()
    go()
    void inside
    const visitor = browser()
    await visitor.get('/login/ada')
    const old = copyOf(visitor, origin)
    await visitor.get('/login/bob')
    const late = await browser().get('/slow/write', old)
    expect(late.setCookies).toEqual([])
    expect(stale).toEqual([expect.objectContaining({ reason: 'superseded' })])
    expect((await browser().get('/', old)).json()).toEqual({})
    // A login with it works, and so does anything once the tombstone is over.
    expect((await browser().get('/login/eve', old)).setCookies).toHaveLength(1)
    await clock.advance(10_000)
    expect((await browser().get('/slow/write', old)).setCookies).toHaveLength(1)
  })
})

describe('destroy', () => {
  it('may be repeated, and clears the cookie each time', async () => {
    const { browser, origin } = await slowApp()
    const visitor = browser()
    await visitor.get('/login/ada')
    const old = copyOf(visitor, origin)
    expect((await visitor.get('/logout')).setCookies).toHaveLength(1)
    expect((await visitor.get('/logout', old)).setCookies).toHaveLength(1)
    expect((await browser().get('/logout')).setCookies).toHaveLength(1)
  })

  it('that the store refuses is an error, and leaves record and cookie for another try', async () => {
    const store = new WatchedStore(new MemoryStore())
    const { browser } = await slowApp(store)
    const visitor = browser()
    await visitor.get('/login/ada')
    store.fail('replace')
    const failed = await visitor.get('/logout')
    expect(failed.status).toBe(500)
    expect(failed.json()).toMatchObject({ code: 'ERR_STORE' })
    expect(failed.setCookies).toEqual([])
    expect((await visitor.get('/')).json()).toEqual({ userId: 'ada' })
    store.recover()
    expect((await visitor.get('/logout')).status).toBe(200)
    expect((await visitor.get('/')).json()).toEqual({})
  })

  it('holds although the store cannot remove what is left, and that is an event', async () => {
    const store = new WatchedStore(new MemoryStore())
    const { browser, sessions } = await slowApp(store)
    const errors: unknown[] = []
    sessions.on('error', ({ error }) => errors.push(error))
    const visitor = browser()
    await visitor.get('/login/ada')
    store.fail('destroy')
    expect((await visitor.get('/logout')).status).toBe(200)
    expect((await visitor.get('/')).json()).toEqual({})
    expect(errors).toEqual([expect.objectContaining({ code: 'ERR_STORE', op: 'destroy' })])
  })

  it.each(['null', 'undefined', 'delete'])('is also req.session = %s', async (how) => {
    const store = new WatchedStore(new MemoryStore())
    const { browser } = await serveApp(
      (app, sessions) => {
        app.get('/login', (req, res) => {
          sessions.of(req).session.userId = 1
          res.end()
        })
        app.get('/out', (req, res) => {
          const request = req as { session?: unknown }
          if (how === 'null') request.session = null
          else if (how === 'undefined') request.session = undefined
          else delete request.session
          res.end()
        })
      },
      { store },
    )
    const visitor = browser()
    await visitor.get('/login')
    expect((await visitor.get('/out')).setCookies).toEqual([expect.stringContaining('Max-Age=0')])
    expect(store.count('destroy')).toBe(1)
    expect(visitor.jar.get('sid')).toBeUndefined()
  })

  it('leaves an empty object whose data goes nowhere, and regenerate starts anew', async () => {
    const { browser } = await serveApp((app, sessions) => {
      app.get('/login', (req, res) => {
        sessions.of(req).session.userId = 1
        res.end()
      })
      app.get('/out', async (req, res) => {
        const { session } = sessions.of(req)
        await session.destroy()
        session.after = true
        const code = await session.save().catch((error: { code: string }) => error.code)
        res.json({ code, data: { ...session } })
      })
      app.get('/again', async (req, res) => {
        await sessions.of(req).session.destroy()
        await sessions.of(req).session.regenerate()
        sessions.of(req).session.fresh = true
        res.end()
      })
    })
    const visitor = browser()
    await visitor.get('/login')
    expect((await visitor.get('/out')).json()).toEqual({ code: 'ERR_GONE', data: { after: true } })
    await visitor.get('/login')
    const again = await visitor.get('/again')
    expect(again.setCookies).toEqual([expect.not.stringContaining('Max-Age=0')])
    expect((await visitor.get('/')).json()).toEqual({ fresh: true })
  })

  it('leaves what is set after it behind, which is told, also if regenerate is to keep it', async () => {
    const { browser, sessions } = await serveApp((app, sessions) => {
      app.get('/login', (req, res) => {
        sessions.of(req).session.userId = 1
        res.end()
      })
      app.get('/again', async (req, res) => {
        await sessions.of(req).session.destroy()
        sessions.of(req).session.between = true
        await sessions.of(req).session.regenerate({ keep: true })
        sessions.of(req).session.fresh = true
        res.end()
      })
    })
    const told: string[] = []
    sessions.on('stale-write', ({ reason }) => told.push(reason))
    const visitor = browser()
    await visitor.get('/login')
    await visitor.get('/again')
    expect((await visitor.get('/')).json()).toEqual({ fresh: true })
    expect(told).toEqual(['destroyed'])
  })
})
