import { describe, expect, it } from 'vitest'
import { MemoryStore } from '../../src/index.js'
import { serveApp } from '../support/serve.js'
import { WatchedStore } from '../support/watched-store.js'

const routes: NonNullable<Parameters<typeof serveApp>[0]> = (app, sessions) => {
  app.get('/login', (req, res) => {
    sessions.of(req).session.userId = 1
    res.end()
  })
}

describe('a logout', () => {
  it('that fails and that nobody awaits fails the response', async () => {
    const store = new WatchedStore(new MemoryStore())
    const { browser } = await serveApp(
      (app, sessions) => {
        routes(app, sessions)
        app.get('/leave', (req, res) => {
          void sessions.of(req).session.destroy()
          res.end('you are signed out')
        })
      },
      { store },
    )
    const visitor = browser()
    await visitor.get('/login')
    store.fail('replace')
    const answer = await visitor.get('/leave')
    expect([answer.status, answer.json()]).toMatchObject([500, { code: 'ERR_STORE' }])
  })

  it('that has failed is not carried out by a later save(), which stores what it is asked to', async () => {
    const store = new WatchedStore(new MemoryStore())
    const { browser } = await serveApp(
      (app, sessions) => {
        routes(app, sessions)
        app.get('/leave', async (req, res) => {
          const { session } = sessions.of(req)
          store.fail('replace')
          await session.destroy().catch(() => {})
          store.recover()
          session.tried = true
          await session.save()
          res.end()
        })
      },
      { store },
    )
    const visitor = browser()
    await visitor.get('/login')
    expect((await visitor.get('/leave')).setCookies).toEqual([])
    expect((await visitor.get('/')).json()).toEqual({ userId: 1, tried: true })
  })

  it('does not need the data that the handler has set to be storable', async () => {
    const { browser } = await serveApp((app, sessions) => {
      routes(app, sessions)
      app.get('/leave', async (req, res) => {
        const { session } = sessions.of(req)
        session.total = 10n
        await session.destroy()
        res.end()
      })
    })
    const visitor = browser()
    await visitor.get('/login')
    expect((await visitor.get('/leave')).status).toBe(200)
    expect((await visitor.get('/')).json()).toEqual({})
  })

  it('by null while a save() is under way ends the session, not only its data', async () => {
    const inner = new MemoryStore()
    const store = new WatchedStore(inner)
    let reached = Promise.resolve()
    const { browser } = await serveApp(
      (app, sessions) => {
        routes(app, sessions)
        app.get('/leave', async (req, res) => {
          const { session } = sessions.of(req)
          session.seen = true
          const saved = session.save()
          await reached
          Object.assign(req, { session: null })
          await saved
          res.end()
        })
      },
      { store },
    )
    const visitor = browser()
    await visitor.get('/login')
    const replace = store.pause('replace')
    reached = replace.reached
    const leaving = visitor.get('/leave')
    await replace.reached
    await new Promise((resolve) => setImmediate(resolve))
    replace.resume()
    expect((await leaving).headers['set-cookie']).toEqual([expect.stringContaining('Max-Age=0')])
  })

  it('by null takes all data along, whatever regenerate() is told to keep after it', async () => {
    const { browser } = await serveApp((app, sessions) => {
      routes(app, sessions)
      app.get('/leave', async (req, res) => {
        Object.assign(req, { session: null })
        await sessions.of(req).session.regenerate({ keep: true })
        sessions.of(req).session.flash = 'bye'
        res.end()
      })
    })
    const visitor = browser()
    await visitor.get('/login')
    await visitor.get('/leave')
    expect((await visitor.get('/')).json()).toEqual({ flash: 'bye' })
  })

  it('is not what another middleware means that puts its own accessor on req.session', async () => {
    const { browser } = await serveApp((app, sessions) => {
      routes(app, sessions)
      app.get('/other', (req, res) => {
        const get = () => ({})
        Object.defineProperty(req, 'session', { configurable: true, get })
        res.end()
      })
    })
    const visitor = browser()
    await visitor.get('/login')
    expect((await visitor.get('/other')).headers['set-cookie']).toBeUndefined()
    expect((await visitor.get('/')).json()).toEqual({ userId: 1 })
  })
})
