import { describe, expect, it } from 'vitest'
import { MemoryStore } from '../../src/index.js'
import { type AnyData, serveApp } from '../support/serve.js'
import { WatchedStore } from '../support/watched-store.js'

const turn = () => new Promise((resolve) => setImmediate(resolve))

const routes: NonNullable<Parameters<typeof serveApp>[0]> = (app, sessions) => {
  app.get('/set/:key', (req, res) => {
    sessions.of(req).session[req.params.key] = true
    res.end()
  })
  app.get('/login', (req, res) => {
    sessions.of(req).session.userId = 1
    res.end()
  })
  app.get('/count', async (req, res) => {
    await sessions.of(req).session.update((data) => {
      data.n = ((data.n as number | undefined) ?? 0) + 1
    })
    res.end()
  })
}

/** One store and two processes: what the first writes waits where the test says so. */
async function twoProcesses(more: NonNullable<Parameters<typeof serveApp>[0]>) {
  const inner = new MemoryStore()
  const store = new WatchedStore(inner)
  const first = await serveApp(
    (app, sessions) => {
      routes(app, sessions)
      more(app, sessions)
    },
    { store },
  )
  const second = await serveApp(routes, { store: inner, clock: first.clock })
  const visitor = first.browser()
  await visitor.get('/set/start')
  const copy = { headers: { cookie: visitor.jar.header(`${first.origin}/`)! } }
  return { store, first, second, visitor, copy }
}

describe('what a handler sets', () => {
  it('while its first bytes wait for a commit that has to merge is stored at the end', async () => {
    let go = () => {}
    const gate = new Promise<void>((resolve) => {
      go = resolve
    })
    const { store, first, second, visitor, copy } = await twoProcesses((app, sessions) => {
      app.get('/stream', async (req, res) => {
        const { session } = sessions.of(req)
        session.before = true
        res.write('begun')
        session.meanwhile = true
        await gate
        res.end()
      })
    })
    const replace = store.pause('replace')
    const streaming = first.browser().get('/stream', copy)
    await replace.reached
    await second.browser().get('/set/other', copy)
    replace.resume()
    await turn()
    await turn()
    go()
    await streaming
    expect((await visitor.get('/')).json()).toEqual({
      start: true,
      before: true,
      meanwhile: true,
      other: true,
    })
  })

  it('while its update() is under way is stored at the end', async () => {
    const { browser } = await serveApp((app, sessions) => {
      routes(app, sessions)
      app.get('/go', async (req, res) => {
        const { session } = sessions.of(req)
        let entered = () => {}
        const inside = new Promise<void>((resolve) => {
          entered = resolve
        })
        const updated = session.update(async (data) => {
          entered()
          await turn()
          data.n = 1
        })
        await inside
        session.flash = 'hello'
        await updated
        res.end()
      })
    })
    const visitor = browser()
    await visitor.get('/set/start')
    await visitor.get('/go')
    expect((await visitor.get('/')).json()).toEqual({ start: true, n: 1, flash: 'hello' })
  })

  it('and cannot be taken, because of a reserved name, takes nothing away either', async () => {
    const { browser } = await serveApp((app, sessions) => {
      routes(app, sessions)
      app.get('/bad', (req, res) => {
        const request = req as unknown as { session: unknown }
        request.session = { name: 'Ada', id: 5 }
        res.end()
      })
    })
    const visitor = browser()
    await visitor.get('/login')
    expect((await visitor.get('/bad')).json()).toMatchObject({ code: 'ERR_RESERVED_KEY' })
    expect((await visitor.get('/')).json()).toEqual({ userId: 1 })
  })

  it.each<[string, unknown]>([
    ['a promise', Promise.resolve({ a: 1 })],
    ['a Map', new Map([['a', 1]])],
  ])('in place of the session and is %s is refused, and empties nothing', async (_name, value) => {
    const { browser } = await serveApp((app, sessions) => {
      routes(app, sessions)
      app.get('/bad', (req, res) => {
        const request = req as unknown as { session: unknown }
        request.session = value
        res.end()
      })
    })
    const visitor = browser()
    await visitor.get('/login')
    expect((await visitor.get('/bad')).status).toBe(500)
    expect((await visitor.get('/')).json()).toEqual({ userId: 1 })
  })

  it('is not changed by an extractor that edits what it is given', async () => {
    const { browser } = await serveApp(
      (app, sessions) => {
        routes(app, sessions)
        app.get('/sign-in', (req, res) => {
          sessions.of(req).session.user = { id: 1 }
          res.end()
        })
      },
      {
        user: ({ user }) => {
          const { id } = (user ?? {}) as AnyData
          if (user !== undefined) delete (user as AnyData).id
          return id
        },
      },
    )
    const visitor = browser()
    await visitor.get('/sign-in')
    await visitor.get('/set/more')
    expect((await visitor.get('/')).json()).toEqual({ user: { id: 1 }, more: true })
  })
})

describe('update', () => {
  it('that signs in is atomic too', async () => {
    const { store, second, visitor, copy } = await twoProcesses((app, sessions) => {
      app.get('/count-in', async (req, res) => {
        await sessions.of(req).session.update((data) => {
          data.n = ((data.n as number | undefined) ?? 0) + 1
          data.userId = 1
        })
        res.end()
      })
    })
    const create = store.pause('create')
    const login = visitor.get('/count-in')
    await create.reached
    await second.browser().get('/count', copy)
    create.resume()
    await login
    expect((await visitor.get('/')).json()).toEqual({ start: true, n: 2, userId: 1 })
  })

  it('refuses a reserved name, as an assignment does', async () => {
    const { browser } = await serveApp((app, sessions) => {
      routes(app, sessions)
      app.get('/bad', async (req, res) => {
        const code = await sessions
          .of(req)
          .session.update((data) => {
            Object.assign(data, { id: 5 })
          })
          .catch((error: { code: string }) => error.code)
        res.json(code ?? 'stored')
      })
    })
    const visitor = browser()
    await visitor.get('/set/start')
    expect((await visitor.get('/bad')).json()).toBe('ERR_RESERVED_KEY')
  })
})

describe('regenerate', () => {
  it('followed by save() stores the new session, also an empty one', async () => {
    const { browser } = await serveApp((app, sessions) => {
      routes(app, sessions)
      app.get('/go', async (req, res) => {
        await sessions.of(req).session.regenerate()
        await sessions.of(req).session.save()
        res.json(sessions.of(req).session.isNew)
      })
    })
    const visitor = browser()
    await visitor.get('/set/start')
    const answer = await visitor.get('/go')
    expect(answer.json()).toBe(false)
    expect(answer.setCookies).toEqual([expect.not.stringContaining('Max-Age=0')])
  })

  it('after authenticated() still starts the clocks again', async () => {
    const { browser, clock } = await serveApp((app, sessions) => {
      routes(app, sessions)
      app.get('/go', async (req, res) => {
        await sessions.of(req).authenticated()
        await sessions.of(req).session.regenerate({ keep: true })
        res.end()
      })
      app.get('/at', (req, res) => void res.json(sessions.of(req).authenticatedAt))
    })
    const visitor = browser()
    await visitor.get('/login')
    await clock.advance(3_600_000)
    await visitor.get('/go')
    expect((await visitor.get('/at')).json()).toBe(clock.now())
  })

  it('is not undone by reload()', async () => {
    const { browser } = await serveApp((app, sessions) => {
      routes(app, sessions)
      app.get('/go', async (req, res) => {
        const before = sessions.of(req).session.id
        await sessions.of(req).session.regenerate({ keep: true })
        await sessions
          .of(req)
          .session.reload()
          .catch(() => {})
        await sessions.of(req).session.save()
        res.json(before === sessions.of(req).session.id)
      })
    })
    const visitor = browser()
    await visitor.get('/set/start')
    expect((await visitor.get('/go')).json()).toBe(false)
  })

  it('keeps exactly the named keys: one name without a list is refused or is that key', async () => {
    const { browser } = await serveApp((app, sessions) => {
      app.get('/start', (req, res) => {
        Object.assign(sessions.of(req).session, { art: 1, cart: 1 })
        res.end()
      })
      app.get('/go', async (req, res) => {
        await sessions.of(req).session.regenerate({ keep: 'cart' as never })
        res.end()
      })
    })
    const visitor = browser()
    await visitor.get('/start')
    const { status } = await visitor.get('/go')
    const data = (await visitor.get('/')).json<AnyData>()
    expect(data).toEqual(status === 200 ? { cart: 1 } : { art: 1, cart: 1 })
  })
})
