import { describe, expect, it } from 'vitest'
import { MemoryStore } from '../../src/index.js'
import { type AnyData, serveApp } from '../support/serve.js'
import { WatchedStore } from '../support/watched-store.js'

const watched = () => new WatchedStore(new MemoryStore())

const routes: Parameters<typeof serveApp>[0] = (app, sessions) => {
  app.get('/login', (req, res) => {
    sessions.of(req).session.userId = 1
    res.redirect('/')
  })
  app.get('/set/:key', (req, res) => {
    sessions.of(req).session[req.params.key] = true
    res.end('done')
  })
  app.get('/read', (req, res) => void res.json(Object.keys(sessions.of(req).session)))
  app.get('/nothing', (_req, res) => void res.end('public'))
}

describe('a response', () => {
  it('with a redirect leaves only after the session is stored, however slow the store', async () => {
    const store = watched()
    const { browser } = await serveApp(routes, { store })
    store.delay(300)
    const followed = await browser().request('/login', { redirect: 'follow' })
    expect(followed.json()).toEqual({ userId: 1 })
  })

  it('does not arrive while the store has not answered', async () => {
    const store = watched()
    const { browser } = await serveApp(routes, { store })
    const create = store.pause('create')
    let arrived = false
    const answer = browser()
      .get('/login')
      .then((response) => {
        arrived = true
        return response
      })
    await create.reached
    await new Promise((resolve) => setImmediate(resolve))
    expect(arrived).toBe(false)
    create.resume()
    expect((await answer).status).toBe(302)
  })

  it('of a clean session costs one load, no write and no cookie', async () => {
    const store = watched()
    const { browser } = await serveApp(routes, { store })
    const visitor = browser()
    await visitor.get('/set/a')
    store.calls.length = 0
    for (let visit = 0; visit < 100; visit++) {
      const { setCookies, headers } = await visitor.get('/')
      expect(setCookies).toEqual([])
      expect(headers.vary).toBe('Cookie')
      expect(headers['cache-control']).toBeUndefined()
    }
    expect(store.calls).toEqual(Array(100).fill('load'))
  })

  it('of a clean session is Node’s in the same turn, and one of a changed session is not', async () => {
    const given: unknown[] = []
    const { browser } = await serveApp(
      (app, sessions) => {
        routes(app, sessions)
        app.get('/end/:what', (req, res) => {
          const { session } = sessions.of(req)
          if (req.params.what === 'changed') session.b = true
          res.end(`${session.a}`)
          // While it is held, Node itself has not been told of the end.
          given.push(res.finished)
        })
      },
      { store: watched() },
    )
    const visitor = browser()
    await visitor.get('/set/a')
    for (const what of ['clean', 'changed', 'clean']) {
      expect((await visitor.get(`/end/${what}`)).text()).toBe('true')
    }
    expect(given).toEqual([true, false, true])
  })

  it('says Vary: Cookie only if the handler looked at the session', async () => {
    const { browser } = await serveApp(routes)
    expect((await browser().get('/nothing')).headers.vary).toBeUndefined()
    expect((await browser().get('/read')).headers.vary).toBe('Cookie')
    expect((await browser().get('/set/a')).headers).toMatchObject({
      vary: 'Cookie',
      'cache-control': 'no-store',
    })
  })
})

describe('requests without a cookie', () => {
  it('that set no data store nothing: 50 of them, no call, no id, no cookie', async () => {
    const store = watched()
    const { browser, sessions } = await serveApp(
      (app, all) => {
        routes(app, all)
        app.get('/undone', (req, res) => {
          const { session } = all.of(req)
          session.a = 1
          delete session.a
          res.end()
        })
      },
      { store },
    )
    for (const path of ['/', '/read', '/nothing', '/undone', '/missing']) {
      for (let visit = 0; visit < 5; visit++) {
        const seen = await browser().get(path)
        const head = await browser().request(path, { method: 'HEAD' })
        expect([...seen.setCookies, ...head.setCookies]).toEqual([])
      }
    }
    expect(store.calls).toEqual([])
    expect(sessions.capabilities.atomic).toBe('everywhere')
  })
})

describe('a store that fails', () => {
  it('at load gives 503, sets no cookie, and the next request is still signed in', async () => {
    const store = watched()
    const { browser } = await serveApp(routes, { store })
    const visitor = browser()
    await visitor.get('/login')
    store.fail('load')
    const failed = await visitor.get('/read')
    expect(failed.status).toBe(503)
    expect(failed.json()).toMatchObject({
      code: 'ERR_STORE',
      message: 'WatchedStore failed to load.',
    })
    expect(failed.setCookies).toEqual([])
    store.recover()
    expect((await visitor.get('/')).json()).toEqual({ userId: 1 })
  })

  it('at load with onStoreError anonymous serves public pages and refuses logins', async () => {
    const store = watched()
    const { browser } = await serveApp(routes, { store, onStoreError: 'anonymous' })
    const visitor = browser()
    await visitor.get('/set/a')
    store.fail('load')
    expect(await visitor.get('/')).toMatchObject({ status: 200, setCookies: [] })
    expect(await visitor.get('/set/b')).toMatchObject({ status: 200, setCookies: [] })
    const login = await visitor.get('/login')
    expect(login).toMatchObject({ status: 503, setCookies: [] })
    expect(login.json()).toMatchObject({ code: 'ERR_READ_ONLY' })
    store.recover()
    expect((await visitor.get('/')).json()).toEqual({ a: true })
  })

  it.each(['create', 'replace'] as const)('at %s gives 500 and no cookie', async (operation) => {
    const store = watched()
    const { browser } = await serveApp(routes, { store })
    const visitor = browser()
    if (operation === 'replace') await visitor.get('/set/before')
    store.fail(operation)
    const failed = await visitor.get('/set/a')
    expect(failed.status).toBe(500)
    expect(failed.json()).toMatchObject({ code: 'ERR_STORE' })
    expect(failed.setCookies).toEqual([])
    store.recover()
    expect((await visitor.get('/')).json()).toEqual(operation === 'replace' ? { before: true } : {})
  })

  it.each(['create', 'replace'] as const)(
    'in the middle of a login, at %s, signs nobody in',
    async (operation) => {
      const store = watched()
      const { browser } = await serveApp(routes, { store })
      const visitor = browser()
      await visitor.get('/set/before')
      store.fail(operation)
      expect(await visitor.get('/login')).toMatchObject({ status: 500, setCookies: [] })
      store.recover()
      expect((await visitor.get('/')).json()).toEqual({ before: true })
    },
  )

  it.each([
    ['load', 503],
    ['create', 500],
  ] as const)(
    'to answer to %s gives an error at the time limit and no cookie',
    async (operation, status) => {
      const store = watched()
      const { browser, clock } = await serveApp(routes, { store, storeTimeout: 2000 })
      const visitor = browser()
      if (operation === 'load') await visitor.get('/set/a')
      const { reached } = store.pause(operation)
      const answer = visitor.get(operation === 'load' ? '/' : '/login')
      await reached
      await clock.advance(1999)
      store.silence(operation)
      await clock.advance(1)
      const late = await answer
      expect(late.status).toBe(status)
      expect(late.json()).toMatchObject({ code: 'ERR_STORE_TIMEOUT' })
      expect(late.setCookies).toEqual([])
    },
  )

  it('to answer to one commit holds up no later one for ever', async () => {
    const store = watched()
    const { browser, clock } = await serveApp(routes, { store })
    const visitor = browser()
    await visitor.get('/set/a')
    const { reached } = store.pause('replace')
    const stuck = visitor.get('/set/b')
    await reached
    await clock.advance(2000)
    expect((await stuck).status).toBe(500)
    store.recover()
    expect((await visitor.get('/set/c')).status).toBe(200)
    expect((await visitor.get('/')).json()).toEqual({ a: true, c: true })
  })
})

describe('a value that cannot be stored', () => {
  const cycle: { self?: unknown } = {}
  cycle.self = cycle
  it.each<[string, unknown, string]>([
    ['a BigInt', [{ price: 1n }], 'cart[0].price'],
    ['a cycle', cycle, 'cart.self'],
    ['a function', { total: () => 1 }, 'cart.total'],
  ])(
    '%s is an error before the headers that names its key, and loses nothing',
    async (_name, value, path) => {
      const { browser } = await serveApp((app, sessions) => {
        routes(app, sessions)
        app.get('/bad', (req, res) => {
          const { session } = sessions.of(req)
          session.other = 'changed'
          session.cart = value
          res.send('never seen')
        })
        app.get('/save', async (req, res) => {
          sessions.of(req).session.cart = value
          await sessions.of(req).session.save()
          res.send('never seen')
        })
      })
      const visitor = browser()
      await visitor.get('/set/before')
      for (const page of ['/bad', '/save']) {
        const failed = await visitor.get(page)
        expect(failed.status).toBe(500)
        const { code, message } = failed.json<AnyData>()
        expect(code).toBe('ERR_NOT_SERIALIZABLE')
        expect(message).toContain(path)
        expect((await visitor.get('/')).json()).toEqual({ before: true })
      }
    },
  )

  it('is a key named like a member, too', async () => {
    const { browser } = await serveApp((app, sessions) => {
      app.get('/bad', (req, res) => {
        Object.assign(sessions.of(req).session, { save: 1 })
        res.end()
      })
    })
    const failed = await browser().get('/bad')
    expect(failed.status).toBe(500)
    expect(failed.json()).toMatchObject({ code: 'ERR_RESERVED_KEY' })
  })
})

describe('save', () => {
  it('and the end of the request write once', async () => {
    const store = watched()
    const { browser } = await serveApp(
      (app, sessions) => {
        app.get('/save', async (req, res) => {
          sessions.of(req).session.a = 1
          await sessions.of(req).session.save()
          res.end()
        })
      },
      { store },
    )
    expect((await browser().get('/save')).setCookies).toHaveLength(1)
    expect(store.calls).toEqual(['create'])
  })

  it('serves a callback as well, once', async () => {
    const { browser } = await serveApp((app, sessions) => {
      app.get('/save', (req, res) => {
        sessions.of(req).session.a = 1
        sessions.of(req).session.save((error) => void res.json({ error }))
      })
    })
    expect((await browser().get('/save')).json()).toEqual({ error: null })
  })

  it('that fails and that nobody awaits fails the response, and ends no process', async () => {
    const store = watched()
    const { browser } = await serveApp(
      (app, sessions) => {
        app.get('/save', (req, res) => {
          sessions.of(req).session.a = 1
          sessions.of(req).session.save()
          res.end('stored?')
        })
      },
      { store },
    )
    store.fail('create')
    expect(await browser().get('/save')).toMatchObject({ status: 500, setCookies: [] })
  })

  it('after the response stores under the present id, and cannot start a session any more', async () => {
    let done = (_value: unknown) => {}
    const later = () =>
      new Promise<unknown>((resolve) => {
        done = resolve
      })
    const { browser } = await serveApp((app, sessions) => {
      app.get('/job', (req, res) => {
        const { session } = sessions.of(req)
        res.end(session.id)
        setImmediate(() => {
          session.job = 'done'
          session.save().then(
            () => done('stored'),
            (error: { code: string }) => done(error.code),
          )
        })
      })
      app.get('/set', (req, res) => {
        sessions.of(req).session.a = 1
        res.end()
      })
    })
    const visitor = browser()
    let result = later()
    await visitor.get('/job')
    expect(await result).toBe('ERR_HEADERS_SENT')
    await visitor.get('/set')
    result = later()
    await visitor.get('/job')
    expect(await result).toBe('stored')
    expect((await visitor.get('/')).json()).toEqual({ a: 1, job: 'done' })
  })
})
