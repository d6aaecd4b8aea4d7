import type { IncomingMessage, ServerResponse } from 'node:http'
import { describe, expect, it, onTestFinished } from 'vitest'
import { MemoryStore, session } from '../../src/index.js'
import { type AnyData, SECRET, serve, serveApp } from '../support/serve.js'
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
        while (!res.headersSent || all.explain(req)?.cookie.action !== 'set') await turn()
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
        reasons.push(sessions.explain(req)?.cookie.reason)
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

describe.each<[string, (req: IncomingMessage, res: ServerResponse, pass: () => void) => void]>([
  [
    'before the middleware',
    (_req, res, pass) => {
      res.writeHead(200)
      pass()
    },
  ],
  [
    'by a writeHead that somebody has kept from before it',
    (_req, res, pass) => {
      const kept = res.writeHead.bind(res)
      pass()
      kept(200)
    },
  ],
])('headers that left %s', (_, around) => {
  async function served(data: AnyData) {
    const store = new WatchedStore(new MemoryStore())
    const sessions = session<AnyData>({ secret: SECRET, store })
    onTestFinished(() => sessions.close())
    const reasons: unknown[] = []
    const warnings: unknown[] = []
    sessions.on('warning', ({ code }) => warnings.push(code))
    const { origin } = await serve((req, res) => {
      around(req, res, () => sessions(req, res, () => {}))
      Object.assign(sessions.of(req).session, data)
      res.end()
      reasons.push(sessions.explain(req)?.cookie.reason)
    })
    return { store, sessions, origin, reasons, warnings }
  }

  it('let a sign-in end no session, and warn', async () => {
    const { sessions, store, origin, reasons, warnings } = await served({ userId: 'ada' })
    const headers = { cookie: `sid=${await sessions.issue({ cart: 1 })}` }
    store.calls.length = 0
    const answer = await fetch(origin, { headers })
    await sessions.settled()
    expect(answer.headers.getSetCookie()).toEqual([])
    expect(await sessions.read({ headers })).toEqual({ cart: 1 })
    expect(store.calls).toEqual(['load', 'load'])
    expect([reasons, warnings]).toEqual([['headers-sent'], ['WARN_TOO_LATE']])
  })

  it('let a new session be none that nobody has a cookie of, and warn', async () => {
    const { store, origin, reasons, warnings } = await served({ cart: 1 })
    await fetch(origin)
    expect(store.calls).toEqual([])
    expect([reasons, warnings]).toEqual([['headers-sent'], ['WARN_TOO_LATE']])
  })
})

describe('headers that left before the middleware', () => {
  it('refuse what a handler saves before it answers, and its session lives on', async () => {
    const sessions = session<AnyData>({ secret: SECRET })
    onTestFinished(() => sessions.close())
    const { origin } = await serve((req, res) => {
      res.writeHead(200)
      sessions(req, res, async () => {
        const current = sessions.of(req).session
        current.userId = 'ada'
        res.end(
          await current.save().then(
            () => 'saved',
            (error: { code: string }) => error.code,
          ),
        )
      })
    })
    const headers = { cookie: `sid=${await sessions.issue({ cart: 1 })}` }
    expect(await (await fetch(origin, { headers })).text()).toBe('ERR_HEADERS_SENT')
    expect(await sessions.read({ headers })).toEqual({ cart: 1 })
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
