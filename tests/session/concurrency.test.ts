import { describe, expect, it } from 'vitest'
import { MemoryStore } from '../../src/index.js'
import { type AnyData, serveApp } from '../support/serve.js'
import { WatchedStore } from '../support/watched-store.js'

/** Lets `count` requests meet inside their handlers, so that all have loaded before one commits. */
function meeting(count: number): () => Promise<void> {
  let here = 0
  let open = () => {}
  const everybody = new Promise<void>((resolve) => {
    open = resolve
  })
  return () => {
    here++
    if (here === count) open()
    return everybody
  }
}

describe('parallel requests', () => {
  it('that each set a key of their own keep all four', async () => {
    const meet = meeting(4)
    const { browser } = await serveApp((app, sessions) => {
      app.get('/start', (req, res) => {
        sessions.of(req).session.start = true
        res.end()
      })
      app.get('/set/:key', async (req, res) => {
        await meet()
        sessions.of(req).session[req.params.key] = true
        res.end()
      })
    })
    const visitor = browser()
    await visitor.get('/start')
    await Promise.all(['a', 'b', 'c', 'd'].map((key) => visitor.get(`/set/${key}`)))
    expect((await visitor.get('/')).json()).toEqual({
      start: true,
      a: true,
      b: true,
      c: true,
      d: true,
    })
  })

  it('of two processes keep every key too', async () => {
    const store = new MemoryStore()
    const routes: Parameters<typeof serveApp>[0] = (app, sessions) => {
      app.get('/set/:key', async (req, res) => {
        await new Promise((resolve) => setImmediate(resolve))
        sessions.of(req).session[req.params.key as string] = true
        res.end()
      })
    }
    const first = await serveApp(routes, { store })
    const second = await serveApp(routes, { store, clock: first.clock })
    const visitor = first.browser()
    await visitor.get('/set/start')
    const cookie = visitor.jar.header(`${first.origin}/`)!
    const keys = Array.from({ length: 40 }, (_, index) => `k${index}`)
    await Promise.all(
      keys.map((key, index) =>
        (index % 2 ? first : second).browser().get(`/set/${key}`, { headers: { cookie } }),
      ),
    )
    const data = (await visitor.get('/')).json<AnyData>()
    expect(Object.keys(data).sort()).toEqual(['start', ...keys].sort())
  })

  it('that set the same key: the later one wins, and one conflict is told', async () => {
    const meet = meeting(2)
    const { browser, sessions } = await serveApp((app, all) => {
      app.get('/set/:value', async (req, res) => {
        if (req.params.value !== '0') await meet()
        all.of(req).session.value = req.params.value
        res.end()
      })
    })
    const conflicts: unknown[] = []
    sessions.on('conflict', (event) => conflicts.push(event))
    const visitor = browser()
    await visitor.get('/set/0')
    await Promise.all([visitor.get('/set/1'), visitor.get('/set/2')])
    expect(['1', '2']).toContain((await visitor.get('/')).json<AnyData>().value)
    expect(conflicts).toEqual([expect.objectContaining({ keys: ['value'] })])
  })

  it.each([
    ['strict', 409],
    ['overwrite', 200],
  ] as const)(
    'with concurrency %s: the second of the same key gets %i',
    async (concurrency, status) => {
      const meet = meeting(2)
      const { browser } = await serveApp(
        (app, all) => {
          app.get('/set/:value', async (req, res) => {
            const { session } = all.of(req)
            if (req.params.value !== '0') await meet()
            session[`own${req.params.value}`] = true
            session.value = req.params.value
            res.end()
          })
        },
        { concurrency },
      )
      const visitor = browser()
      await visitor.get('/set/0')
      const answers = await Promise.all([visitor.get('/set/1'), visitor.get('/set/2')])
      expect(answers.map((answer) => answer.status).sort()).toEqual([200, status])
      const data = (await visitor.get('/')).json<AnyData>()
      expect([data.own1, data.own2].filter(Boolean)).toHaveLength(1)
    },
  )
})

describe('update', () => {
  const counting: Parameters<typeof serveApp>[0] = (app, sessions) => {
    app.get('/start', (req, res) => {
      sessions.of(req).session.n = 0
      res.end()
    })
    app.get('/add', async (req, res) => {
      const n = await sessions.of(req).session.update(async (data) => {
        const before = data.n as number
        await new Promise((resolve) => setImmediate(resolve))
        data.n = before + 1
        return data.n
      })
      res.json(n)
    })
  }

  it('counts exactly, in parallel and in two processes', async () => {
    const store = new MemoryStore()
    const first = await serveApp(counting, { store })
    const second = await serveApp(counting, { store, clock: first.clock })
    const visitor = first.browser()
    await visitor.get('/start')
    const cookie = visitor.jar.header(`${first.origin}/`)!
    const results = await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        (index % 2 ? first : second).browser().get('/add', { headers: { cookie } }),
      ),
    )
    expect(results.map((result) => result.status)).toEqual(Array(100).fill(200))
    expect(new Set(results.map((result) => result.json<number>())).size).toBe(100)
    expect((await visitor.get('/')).json()).toEqual({ n: 100 })
  })

  it('puts its function on top of this request’s own changes, and shows what is stored', async () => {
    const { browser } = await serveApp((app, sessions) => {
      app.get('/go', async (req, res) => {
        const { session } = sessions.of(req)
        session.own = 1
        await session.update((data) => {
          data.seen = data.own
        })
        res.json({ ...session })
      })
    })
    const visitor = browser()
    expect((await visitor.get('/go')).json()).toEqual({ own: 1, seen: 1 })
    expect((await visitor.get('/')).json()).toEqual({ own: 1, seen: 1 })
  })

  it('that throws leaves the record as it was and passes the error through', async () => {
    const store = new WatchedStore(new MemoryStore())
    const { browser } = await serveApp(
      (app, sessions) => {
        app.get('/start', (req, res) => {
          sessions.of(req).session.n = 1
          res.end()
        })
        app.get('/throw', async (req, res) => {
          const { session } = sessions.of(req)
          const error = await session
            .update((data) => {
              data.n = 2
              throw new Error('mine')
            })
            .catch((caught: Error) => caught.message)
          res.json(error)
        })
      },
      { store },
    )
    const visitor = browser()
    await visitor.get('/start')
    expect((await visitor.get('/throw')).json()).toBe('mine')
    expect(store.count('replace')).toBe(0)
    expect((await visitor.get('/')).json()).toEqual({ n: 1 })
  })

  it('after a logout elsewhere rejects with ERR_GONE and brings nothing back', async () => {
    const { browser } = await serveApp((app, sessions) => {
      app.get('/start', (req, res) => {
        sessions.of(req).session.n = 1
        res.end()
      })
      app.get('/late', async (req, res) => {
        const { session } = sessions.of(req)
        await sessions.revoke(session.id)
        const code = await session.update(() => {}).catch((error: { code: string }) => error.code)
        res.json(code)
      })
    })
    const visitor = browser()
    await visitor.get('/start')
    expect((await visitor.get('/late')).json()).toBe('ERR_GONE')
    expect((await visitor.get('/')).json()).toEqual({})
  })

  it('refuses a session call inside its own function, and lets overlapping calls wait', async () => {
    const { browser } = await serveApp((app, sessions) => {
      app.get('/go', async (req, res) => {
        const { session } = sessions.of(req)
        session.n = 0
        const inside = await session.update(async () =>
          session.save().catch((error: { code: string }) => error.code),
        )
        const add = (data: AnyData) => {
          data.n = (data.n as number) + 1
        }
        await Promise.all([session.update(add), session.save(), session.update(add)])
        res.json({ inside, n: session.n })
      })
    })
    expect((await browser().get('/go')).json()).toEqual({ inside: 'ERR_UNSUPPORTED', n: 2 })
  })

  it('that signs in renews the id', async () => {
    const { browser } = await serveApp((app, sessions) => {
      app.get('/start', (req, res) => {
        sessions.of(req).session.cart = 1
        res.end(sessions.of(req).session.id)
      })
      app.get('/login', async (req, res) => {
        const { session } = sessions.of(req)
        await session.update((data) => {
          data.userId = 7
        })
        res.end(session.id)
      })
    })
    const visitor = browser()
    const before = (await visitor.get('/start')).text()
    const login = await visitor.get('/login')
    expect(login.text()).not.toBe(before)
    expect(login.setCookies).toHaveLength(1)
    expect((await visitor.get('/')).json()).toEqual({ cart: 1, userId: 7 })
  })
})
