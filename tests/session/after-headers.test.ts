import { describe, expect, it } from 'vitest'
import { MemoryStore } from '../../src/index.js'
import { serveApp } from '../support/serve.js'
import { WatchedStore } from '../support/watched-store.js'

const turn = () => new Promise((resolve) => setImmediate(resolve))

const set: Parameters<typeof serveApp>[0] = (app, sessions) => {
  app.get('/set', (req, res) => {
    sessions.of(req).session.cart = true
    res.end()
  })
}

describe('once the headers have left', () => {
  it('another user leaves the record unchanged, also one that this response has signed in', async () => {
    const { browser, sessions } = await serveApp((app, all) => {
      app.get('/events', async (req, res) => {
        const { session } = all.of(req)
        session.userId = 'ada'
        res.write('first event')
        while (!res.headersSent || all.explain(req).cookie.action !== 'set') await turn()
        await turn()
        session.userId = 'eve'
        res.end()
      })
    })
    const warnings: unknown[] = []
    sessions.on('warning', ({ code }) => warnings.push(code))
    const visitor = browser()
    await visitor.get('/events')
    expect((await visitor.get('/')).json()).toEqual({ userId: 'ada' })
    expect(warnings).toEqual(['WARN_TOO_LATE'])
  })

  it('regenerate() can send no id, so it ends no session', async () => {
    const { browser } = await serveApp((app, sessions) => {
      set(app, sessions)
      app.get('/late', async (req, res) => {
        res.write('begun')
        await sessions
          .of(req)
          .session.regenerate()
          .catch(() => {})
        res.end()
      })
    })
    const visitor = browser()
    await visitor.get('/set')
    await visitor.get('/late')
    expect((await visitor.get('/')).json()).toEqual({ cart: true })
  })

  it('explain() names them as the reason why first data got no cookie', async () => {
    const reasons: unknown[] = []
    const { browser } = await serveApp((app, sessions) => {
      app.get('/late', (req, res) => {
        res.write('begun')
        sessions.of(req).session.late = true
        res.end()
        reasons.push(sessions.explain(req).cookie.reason)
      })
    })
    await browser().get('/late')
    expect(reasons).toEqual(['headers-sent'])
  })

  it('a save() that fails and that nobody awaits is an error event', async () => {
    const store = new WatchedStore(new MemoryStore())
    let done = () => {}
    const finished = new Promise<void>((resolve) => {
      done = resolve
    })
    const { browser, sessions } = await serveApp(
      (app, all) => {
        set(app, all)
        app.get('/job', (req, res) => {
          const { session } = all.of(req)
          res.end()
          setImmediate(() => {
            session.job = 'done'
            session.save(() => done())
          })
        })
      },
      { store },
    )
    const errors: unknown[] = []
    sessions.on('error', ({ error }) => errors.push(error))
    const visitor = browser()
    await visitor.get('/set')
    store.fail('replace')
    await visitor.get('/job')
    await finished
    expect(errors).toEqual([expect.objectContaining({ code: 'ERR_STORE' })])
  })
})

describe('a session read without a response', () => {
  it('refuses regenerate(), which would need a cookie, and lives on', async () => {
    const { browser, origin, sessions } = await serveApp(set)
    const visitor = browser()
    await visitor.get('/set')
    const session = await sessions.read({ headers: { cookie: visitor.jar.header(`${origin}/`) } })
    const code = await session!
      .regenerate()
      .then(() => session!.save())
      .catch((error: { code: string }) => error.code)
    expect(code).toBe('ERR_NO_RESPONSE')
    expect((await visitor.get('/')).json()).toEqual({ cart: true })
  })
})
