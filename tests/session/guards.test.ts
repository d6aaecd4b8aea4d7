import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { MemoryStore } from '../../src/index.js'
import { processWarnings } from '../support/process-events.js'
import { SECRET, serveApp } from '../support/serve.js'
import { gate, turns } from '../support/turns.js'
import { WatchedStore } from '../support/watched-store.js'

const DAY = 24 * 3_600_000

const watched = () => new WatchedStore(new MemoryStore())

const codeOf = (error: { code: string }) => error.code

describe('a save() or destroy() that failed and was caught', () => {
  const routes: Parameters<typeof serveApp>[0] = (app, sessions) => {
    app.get('/set', (req, res) => {
      sessions.of(req).session.before = true
      res.end()
    })
    app.get('/save/:how', async (req, res) => {
      const { session } = sessions.of(req)
      session.mine = true
      const code = await session.save().catch(codeOf)
      const { how } = req.params
      if (how === 'ok') res.end('stored, it says')
      else if (how === 'redirect') res.redirect('/')
      else if (how === 'status') res.status(503).end(`busy: ${code}`)
      else if (how === 'head') res.writeHead(503).end(`busy: ${code}`)
    })
    app.get('/destroy', async (req, res) => {
      await sessions
        .of(req)
        .session.destroy()
        .catch(() => {})
      res.end('signed out, it says')
    })
  }

  it.each(['/save/ok', '/save/redirect', '/destroy'])(
    'fails the response that says nothing of it: %s',
    async (page) => {
      const store = watched()
      const { browser } = await serveApp(routes, { store })
      const visitor = browser()
      await visitor.get('/set')
      store.fail('replace')
      const answer = await visitor.get(page)
      expect(answer).toMatchObject({ status: 500, setCookies: [] })
      expect(answer.json()).toMatchObject({ code: 'ERR_STORE' })
      store.recover()
      expect((await visitor.get('/')).json()).toEqual({ before: true })
    },
  )

  it.each(['status', 'head'])('lets an error page pass as it is, by %s', async (how) => {
    const store = watched()
    const { browser } = await serveApp(routes, { store })
    store.fail('create')
    const answer = await browser().get(`/save/${how}`)
    expect(answer).toMatchObject({ status: 503, setCookies: [] })
    expect(answer.text()).toBe('busy: ERR_STORE')
    // The page does not try again.
    expect(store.count('create')).toBe(1)
  })

  it('is made good by a later one that succeeds', async () => {
    const store = watched()
    const { browser } = await serveApp(
      (app, sessions) => {
        app.get('/twice', async (req, res) => {
          const { session } = sessions.of(req)
          session.mine = true
          store.fail('create')
          const code = await session.save().catch(codeOf)
          store.recover()
          await session.save()
          res.end(code)
        })
      },
      { store },
    )
    const visitor = browser()
    expect((await visitor.get('/twice')).text()).toBe('ERR_STORE')
    expect((await visitor.get('/')).json()).toEqual({ mine: true })
  })

  it('is not tried again at the end of a response whose headers had left', async () => {
    const store = watched()
    const { browser } = await serveApp(
      (app, sessions) => {
        routes(app, sessions)
        app.get('/stream', async (req, res) => {
          const { session } = sessions.of(req)
          res.write('begun')
          session.mine = true
          store.fail('replace')
          await session.save().catch(() => {})
          store.recover()
          res.end()
        })
      },
      { store },
    )
    const visitor = browser()
    await visitor.get('/set')
    await visitor.get('/stream')
    expect(store.count('replace')).toBe(1)
    expect((await visitor.get('/')).json()).toEqual({ before: true })
  })

  it.each(['update', 'touch', 'reload'] as const)(
    'is another matter than a failed %s(), after which the response goes on',
    async (method) => {
      const store = watched()
      const { browser } = await serveApp(
        (app, sessions) => {
          routes(app, sessions)
          app.get('/call', async (req, res) => {
            const { session } = sessions.of(req)
            for (const operation of ['load', 'replace', 'touch'] as const) store.fail(operation)
            const call =
              method === 'update'
                ? session.update((data) => {
                    data.n = 1
                  })
                : session[method]()
            res.end(await call.catch(codeOf))
          })
        },
        { store },
      )
      const visitor = browser()
      await visitor.get('/set')
      const answer = await visitor.get('/call')
      expect(answer.status).toBe(200)
    },
  )
})

describe('a commit that loses every race', () => {
  class Busy extends MemoryStore {
    override replace(): 'changed' {
      return 'changed'
    }
  }

  it('is a 409 without a cookie, and what is stored stays', async () => {
    const { browser } = await serveApp(
      (app, sessions) => {
        app.get('/set/:key', (req, res) => {
          sessions.of(req).session[req.params.key] = true
          res.end()
        })
      },
      { store: new Busy() },
    )
    // Pauses between the tries as short as they get.
    const random = vi.spyOn(Math, 'random').mockReturnValue(0)
    onTestFinished(() => random.mockRestore())
    const visitor = browser()
    await visitor.get('/set/a')
    const answer = await visitor.get('/set/b')
    expect(answer).toMatchObject({ status: 409, setCookies: [] })
    expect(answer.json()).toMatchObject({ code: 'ERR_CONFLICT' })
    expect((await visitor.get('/')).json()).toEqual({ a: true })
  })

  it('is ERR_CONFLICT to update() too, after a bounded number of runs of its function', async () => {
    let runs = 0
    const { browser } = await serveApp(
      (app, sessions) => {
        app.get('/set', (req, res) => {
          sessions.of(req).session.n = 1
          res.end()
        })
        app.get('/add', async (req, res) => {
          const added = sessions.of(req).session.update((data) => {
            runs++
            data.n = 2
          })
          res.json(await added.catch(codeOf))
        })
      },
      { store: new Busy() },
    )
    const visitor = browser()
    await visitor.get('/set')
    expect((await visitor.get('/add')).json()).toBe('ERR_CONFLICT')
    expect(runs).toBe(60)
    expect((await visitor.get('/')).json()).toEqual({ n: 1 })
  })
})

describe('cookie.maxAge', () => {
  const routes: Parameters<typeof serveApp>[0] = (app, sessions) => {
    app.get('/remember/:days', (req, res) => {
      const { session } = sessions.of(req)
      session.userId = 1
      session.cookie.maxAge = Number(req.params.days) * DAY
      res.json(session.cookie.maxAge)
    })
    app.get('/own', (req, res) => void res.json(sessions.of(req).session.cookie.maxAge))
  }

  it('beyond the absolute timeout is cut to it, with one warning', async () => {
    const { browser, sessions } = await serveApp(routes, { absoluteTimeout: 30 * DAY })
    const codes: unknown[] = []
    sessions.on('warning', ({ code }) => codes.push(code))
    for (const days of [31, 400]) {
      const visitor = browser()
      expect((await visitor.get(`/remember/${days}`)).json()).toBe(30 * DAY)
      expect((await visitor.get('/own')).json()).toBe(30 * DAY)
    }
    expect(codes).toEqual(['WARN_LIFETIME_CAPPED'])
  })

  it('of up to the absolute timeout, or without one, is taken as it is', async () => {
    const both = [
      await serveApp(routes, { absoluteTimeout: 30 * DAY }),
      await serveApp(routes, { absoluteTimeout: false }),
    ] as const
    const codes: unknown[] = []
    for (const { sessions } of both) sessions.on('warning', ({ code }) => codes.push(code))
    expect((await both[0].browser().get('/remember/30')).json()).toBe(30 * DAY)
    expect((await both[1].browser().get('/remember/400')).json()).toBe(400 * DAY)
    expect(codes).toEqual([])
  })
})

describe('a cookie that is sent again by itself', () => {
  /** A visitor whose persistent cookie has used up half of its 400 days. */
  async function ageing() {
    const store = watched()
    const [inside, go] = [gate(), gate()]
    const made = await serveApp(
      (app, sessions) => {
        app.get('/set', (req, res) => {
          sessions.of(req).session.cart = true
          res.end()
        })
        app.get('/slow', async (_req, res) => {
          inside.open()
          await go.opened
          res.end('page')
        })
      },
      { store, cookie: { persistent: true }, absoluteTimeout: false, idleTimeout: 300 * DAY },
    )
    const visitor = made.browser()
    await visitor.get('/set')
    await made.clock.advance(201 * DAY)
    return { ...made, store, visitor, inside, go }
  }

  it('past half of its 400 days is sent once, and not with each response', async () => {
    const { visitor, clock } = await ageing()
    expect((await visitor.get('/')).setCookies).toEqual([
      expect.stringContaining(`Max-Age=${(400 * DAY) / 1000};`),
    ])
    expect((await visitor.get('/')).setCookies).toEqual([])
    await clock.advance(199 * DAY)
    expect((await visitor.get('/')).setCookies).toEqual([])
  })

  it('is not, if its session has ended meanwhile', async () => {
    const { visitor, sessions, inside, go, store } = await ageing()
    const slow = visitor.get('/slow')
    await inside.opened
    const found = await sessions.read({
      headers: { cookie: `sid=${visitor.jar.get('sid')?.value}` },
    })
    await found!.destroy()
    store.calls.length = 0
    go.open()
    expect(await slow).toMatchObject({ status: 200, setCookies: [] })
  })

  it('is not, if the store fails to confirm; the response is as ever, and an event tells', async () => {
    const { visitor, sessions, store } = await ageing()
    const errors: unknown[] = []
    sessions.on('error', ({ error }) => errors.push(error))
    store.fail('replace')
    expect(await visitor.get('/')).toMatchObject({ status: 200, setCookies: [] })
    await sessions.settled()
    expect(errors).toEqual([expect.objectContaining({ code: 'ERR_STORE' })])
    store.recover()
    expect((await visitor.get('/')).setCookies).toHaveLength(1)
  })

  it('after a rotation of the secret is so only if the store can be reached', async () => {
    const { visitor, origin, clock, store } = await ageing()
    const rotated = await serveApp(() => {}, {
      store,
      clock,
      idleTimeout: 300 * DAY,
      absoluteTimeout: false,
      secret: ['another secret of these tests, 32 bytes', SECRET],
    })
    const cookie = { headers: { cookie: visitor.jar.header(`${origin}/`)! } }
    let loads = 0
    const load = store.load.bind(store)
    store.load = (key) => {
      loads++
      if (loads === 2) throw new Error('connection lost')
      return load(key)
    }
    expect(await rotated.browser().get('/', cookie)).toMatchObject({ status: 200, setCookies: [] })
    expect((await rotated.browser().get('/', cookie)).setCookies).toHaveLength(1)
  })
})

describe('first data after the headers', () => {
  it('is not stored, starts no session, and is one warning of the manager', async () => {
    const store = watched()
    const told = processWarnings()
    const made = () =>
      serveApp(
        (app, sessions) => {
          app.get('/late', (req, res) => {
            res.write('begun')
            sessions.of(req).session.late = true
            res.end()
          })
        },
        { store },
      )
    const [first, second] = [await made(), await made()]
    const codes: unknown[] = []
    first.sessions.on('warning', ({ code, message }) => codes.push(code, typeof message))
    for (const { browser } of [first, first, second]) {
      expect((await browser().get('/late')).setCookies).toEqual([])
    }
    await turns()
    expect(store.calls).toEqual([])
    expect(codes).toEqual(['WARN_TOO_LATE', 'string'])
    expect(told).toEqual(['WARN_TOO_LATE', 'WARN_TOO_LATE'])
  })
})
