import { describe, expect, it } from 'vitest'
import { MemoryStore, type SessionOptions } from '../../src/index.js'
import { type AnyData, serveApp } from '../support/serve.js'
import { WatchedStore } from '../support/watched-store.js'

type Routes = NonNullable<Parameters<typeof serveApp>[0]>

/** Runs `/go` on a stored `{ cart: { n: 1 } }`, while another process stores `other`. */
async function whileOthersWrite(routes: Routes, options: Partial<SessionOptions<AnyData>> = {}) {
  const inner = new MemoryStore()
  const store = new WatchedStore(inner)
  const first = await serveApp(
    (app, sessions) => {
      app.get('/start', (req, res) => {
        sessions.of(req).session.cart = { n: 1 }
        res.end()
      })
      routes(app, sessions)
    },
    { store, ...options },
  )
  const second = await serveApp(
    (app, sessions) => {
      app.get('/other', (req, res) => {
        sessions.of(req).session.other = 1
        res.end()
      })
    },
    { store: inner, clock: first.clock },
  )
  const visitor = first.browser()
  await visitor.get('/start')
  const copy = { headers: { cookie: visitor.jar.header(`${first.origin}/`)! } }
  const replace = store.pause('replace')
  const going = visitor.get('/go')
  await replace.reached
  await second.browser().get('/other', copy)
  replace.resume()
  return { visitor, answer: await going }
}

describe('an object that a handler holds', () => {
  it('still is the session’s after a save() that took in what another request stored', async () => {
    const { visitor } = await whileOthersWrite((app, sessions) => {
      app.get('/go', async (req, res) => {
        const { session } = sessions.of(req)
        const cart = session.cart as { n: number }
        session.mine = 1
        await session.save()
        cart.n = 2
        res.end()
      })
    })
    expect((await visitor.get('/')).json()).toEqual({ cart: { n: 2 }, mine: 1, other: 1 })
  })
})

describe('under concurrency strict', () => {
  it('a key that only regenerate() and this request have touched is no conflict', async () => {
    const { answer } = await whileOthersWrite(
      (app, sessions) => {
        app.get('/go', async (req, res) => {
          await sessions.of(req).session.regenerate()
          sessions.of(req).session.cart = { n: 2 }
          res.end()
        })
      },
      { concurrency: 'strict' },
    )
    expect(answer.status).toBe(200)
  })
})

describe('cookie.maxAge', () => {
  it('set while a save() is under way is stored at the end', async () => {
    const store = new WatchedStore(new MemoryStore())
    let reached = Promise.resolve()
    const { browser } = await serveApp(
      (app, sessions) => {
        app.get('/start', (req, res) => {
          sessions.of(req).session.a = 1
          res.end()
        })
        app.get('/go', async (req, res) => {
          const { session } = sessions.of(req)
          session.a = 2
          const saved = session.save()
          await reached
          session.cookie.maxAge = 60_000
          await saved
          res.json(session.cookie.maxAge ?? null)
        })
      },
      { store },
    )
    const visitor = browser()
    await visitor.get('/start')
    const replace = store.pause('replace')
    reached = replace.reached
    const going = visitor.get('/go')
    await replace.reached
    await new Promise((resolve) => setImmediate(resolve))
    replace.resume()
    expect((await going).json()).toBe(60_000)
  })

  it('set by the function of update() reaches the cookie', async () => {
    const { browser } = await serveApp((app, sessions) => {
      app.get('/start', (req, res) => {
        sessions.of(req).session.a = 1
        res.end()
      })
      app.get('/remember', async (req, res) => {
        const { session } = sessions.of(req)
        await session.update((data) => {
          data.a = 2
          session.cookie.maxAge = 60_000
        })
        res.end()
      })
    })
    const visitor = browser()
    await visitor.get('/start')
    const { headers } = await visitor.get('/remember')
    expect(headers['set-cookie']).toEqual([expect.stringContaining('Max-Age=')])
  })
})

describe('reload() after regenerate()', () => {
  it('drops what this request has set since, also under a key that the record has', async () => {
    const { browser } = await serveApp((app, sessions) => {
      app.get('/start', (req, res) => {
        sessions.of(req).session.a = 1
        res.end()
      })
      app.get('/go', async (req, res) => {
        await sessions.of(req).session.regenerate()
        sessions.of(req).session.a = 2
        await sessions.of(req).session.reload()
        res.json(sessions.of(req).session)
      })
    })
    const visitor = browser()
    await visitor.get('/start')
    expect((await visitor.get('/go')).json()).toEqual({})
  })
})

describe('save() of an unchanged session', () => {
  it('tells that the session has ended when the store was asked about its cookie', async () => {
    const store = new MemoryStore()
    const older = 'an older secret of these tests, of 32 bytes and more'
    const routes: Routes = (app, sessions) => {
      app.get('/start', (req, res) => {
        sessions.of(req).session.a = 1
        res.end()
      })
      app.get('/go', async (req, res) => {
        const { session } = sessions.of(req)
        await sessions.revoke(session.id)
        await session.save()
        res.end()
      })
    }
    const before = await serveApp(routes, { store, secret: older })
    const rotated = ['a newer secret of these tests, of 32 bytes and more', older]
    const after = await serveApp(routes, { store, secret: rotated, clock: before.clock })
    const visitor = before.browser()
    await visitor.get('/start')
    const copy = { headers: { cookie: visitor.jar.header(`${before.origin}/`)! } }
    expect((await after.browser().get('/go', copy)).json()).toMatchObject({ code: 'ERR_GONE' })
  })
})
