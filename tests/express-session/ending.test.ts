import { describe, expect, it } from 'vitest'
import { fatal } from '../support/process-events.js'
import { gate, turns } from '../support/turns.js'
import { failing, handStore, held } from './hand-store.js'
import { dropIn, type Implementation, implementations, real } from './implementations.js'
import { at, cookieOf, dataOf, idOf, keptFor, type Program, program, recordOf } from './program.js'

type Handler = NonNullable<Parameters<typeof program>[0]>[string]

/** Every way to end a session. */
const endings: [string, Handler, { [name: string]: unknown }][] = [
  ['destroy', (req, res) => void at(req).session.destroy(() => res.json({})), {}],
  ['regenerate', (req, res) => void at(req).session.regenerate(() => res.json({})), {}],
  [
    'req.session = null',
    (req, res) => {
      Object.assign(req, { session: null })
      res.json({})
    },
    { unset: 'destroy' },
  ],
  [
    'delete req.session',
    (req, res) => {
      Reflect.deleteProperty(req, 'session')
      res.json({})
    },
    { unset: 'destroy' },
  ],
]

/** A program in which a request is slow while the session ends. */
async function slowRequest(
  ending: Handler,
  options: { [name: string]: unknown } = {},
  implementation: Implementation = dropIn,
): Promise<Program & { inside: Promise<void>; go: () => void }> {
  const [inside, door] = [gate(), gate()]
  const slow = (change: (req: Parameters<Handler>[0]) => unknown): Handler => {
    return async (req, res) => {
      inside.open()
      await door.opened
      await change(req)
      res.json({})
    }
  }
  const made = await program(
    {
      '/end': ending,
      '/reads': slow(() => {}),
      '/writes': slow((req) => Object.assign(at(req).session, { late: true })),
      '/saves': slow((req) => {
        at(req).session.late = true
        return new Promise((resolve) => at(req).session.save(resolve))
      }),
    },
    options,
    implementation,
  )
  return { ...made, inside: inside.opened, go: door.open }
}

describe.each(endings)('a session that has ended by %s', (_, ending, options) => {
  it.each(['/reads', '/writes', '/saves'])(
    'stays ended when a slow request ends: %s',
    async (path) => {
      const store = handStore(dropIn, { touchWritesAll: true })
      const { visitor, inside, go, events, errors } = await slowRequest(ending, {
        ...options,
        store,
      })
      const ada = await visitor()
      const old = cookieOf(ada)
      const id = idOf(ada)
      const slow = ada.get(path)
      await inside
      await ada.get('/end')
      go()
      expect(await slow).toMatchObject({ status: 200, setCookies: [] })
      await turns()
      expect(store.kept.has(id)).toBe(false)
      expect((await ada.get('/', old)).json()).toEqual({})
      expect(errors).toEqual([])
      const stale = events.filter(({ name }) => name === 'stale-write')
      expect(stale.map(({ reason }) => reason)).toEqual(path === '/reads' ? [] : ['gone'])
    },
  )
})

it('the cookie of a session that has ended is not sent again, though it has a date', async () => {
  const options = { cookie: { maxAge: 60_000 }, rolling: true }
  const { visitor, inside, go } = await slowRequest(endings[0]![1], options)
  const ada = await visitor()
  const slow = ada.get('/writes')
  await inside
  await ada.get('/end')
  go()
  expect((await slow).setCookies).toEqual([])
})

it.each(['/reads', '/writes'])(
  'under express-session, a session comes back when a slow request ends: %s',
  async (path) => {
    const store = handStore(real, { touchWritesAll: true })
    const { visitor, inside, go } = await slowRequest(endings[0]![1], { store }, real)
    const ada = await visitor()
    const old = cookieOf(ada)
    const slow = ada.get(path)
    await inside
    await ada.get('/end')
    go()
    await slow
    expect((await ada.get('/', old)).json()).toMatchObject({ user: 'ada' })
  },
)

describe('a session that ends while another request writes it', () => {
  it('is written first, and then ended', async () => {
    const { store, visitor } = await program({ '/end': endings[0]![1] })
    const ada = await visitor()
    const slow = held()
    store.ways.set = slow.way
    const writing = ada.get('/set?late=1')
    await slow.reached
    const ending = ada.get('/end')
    await turns()
    expect(store.calls.some((call) => call.startsWith('destroy'))).toBe(false)
    slow.answer()
    await Promise.all([writing, ending])
    expect(store.kept.size).toBe(0)
  })

  it.each(['/reads', '/writes'])(
    'is not brought back by a middleware that shares the store: %s',
    async (path) => {
      const store = handStore(dropIn, { touchWritesAll: true })
      const one = await slowRequest(endings[0]![1], { store })
      const other = await program({ '/end': endings[0]![1] }, { store })
      const ada = await one.visitor()
      const slow = ada.get(path)
      await one.inside
      await other.browser().get('/end', cookieOf(ada))
      one.go()
      expect((await slow).status).toBe(200)
      expect(store.kept.size).toBe(0)
    },
  )
})

describe('a request that has ended its session', () => {
  it('has none from then on', async () => {
    const { visitor } = await program({
      '/end': (req, res) => {
        at(req).session.destroy()
        res.json([at(req).session === undefined, 'session' in req])
      },
    })
    expect((await (await visitor()).get('/end')).json()).toEqual([true, false])
  })

  it('does not write the object that it has kept', async () => {
    const { store, visitor, events } = await program({
      '/end': (req, res) => {
        const { session } = at(req)
        session.destroy(() => {
          session.user = 'again'
          session.save((error) => res.json({ failed: error !== undefined && error !== null }))
        })
      },
    })
    const ada = await visitor()
    expect((await ada.get('/end')).json()).toEqual({ failed: false })
    expect(store.taken()).toEqual(['get', 'destroy'])
    expect(events).toContainEqual(
      expect.objectContaining({ name: 'stale-write', reason: 'destroyed' }),
    )
  })

  it('does not write what is put in its place, and sends no cookie for it', async () => {
    const { store, visitor } = await program(
      {
        '/end': async (req, res) => {
          await at(req).session.destroy()
          Object.assign(req, { session: { user: 'bob' } })
          res.json({})
        },
      },
      { cookie: { maxAge: 60_000 } },
    )
    const ada = await visitor()
    expect(await ada.get('/end')).toMatchObject({ status: 200, setCookies: [] })
    expect(store.taken()).toEqual(['get', 'destroy'])
  })

  it.each(implementations)('destroys once with unset, on $name', async (implementation) => {
    const { store, visitor } = await program(
      { '/end': endings[0]![1] },
      { unset: 'destroy' },
      implementation,
    )
    await (await visitor()).get('/end')
    // express-session: once for the call, and once more at the end.
    expect(store.taken()).toEqual(
      implementation === dropIn ? ['get', 'destroy'] : ['get', 'destroy', 'destroy'],
    )
  })

  it('hands the store a callback where the program has given none', async () => {
    const given: unknown[] = []
    const { store, visitor } = await program({
      '/end': (req, res) => {
        at(req).session.destroy()
        res.json({})
      },
    })
    const ada = await visitor()
    Object.assign(store, {
      destroy: (_id: string, done: () => void) => {
        given.push(typeof done)
        done()
      },
    })
    await ada.get('/end')
    expect(given).toEqual(['function'])
  })

  it.each(implementations)(
    'keeps the record with unset: keep, on $name',
    async (implementation) => {
      const { store, visitor } = await program({ '/end': endings[2]![1] }, {}, implementation)
      const ada = await visitor()
      await ada.get('/end')
      expect(store.taken()).toEqual(['get'])
      expect(keptFor(store, ada)).toEqual({ user: 'ada' })
    },
  )
})

describe('reload and destroy', () => {
  const race =
    (first: 'reload' | 'destroy', second: 'reload' | 'destroy'): Handler =>
    (req, res) => {
      const { session } = at(req)
      const seen: string[] = []
      const done = (name: string) => (error?: Error) => {
        seen.push(`${name}${error ? ' failed' : ''}`)
        if (seen.length === 2) res.json(seen)
      }
      session[first](done(first))
      session[second](done(second))
    }

  it.each([
    ['reload', 'destroy'],
    ['destroy', 'reload'],
  ] as const)('at once, %s first, end no process', async (first, second) => {
    const crashes = fatal('uncaughtException')
    const { store, visitor, errors } = await program({ '/race': race(first, second) })
    const ada = await visitor()
    const answer = (await ada.get('/race')).json()
    expect(answer).toEqual(
      first === 'reload' ? ['reload', 'destroy'] : ['destroy', 'reload failed'],
    )
    expect(store.kept.size).toBe(0)
    expect([...crashes, ...errors]).toEqual([])
  })

  it('at once end the process under express-session', async () => {
    const crashes = fatal('uncaughtException')
    const { store, port, visitor } = await program({ '/race': race('destroy', 'reload') }, {}, real)
    const ada = await visitor()
    void ada.get('/race').catch(() => {})
    while (crashes.length === 0) await turns()
    expect(crashes).toEqual([expect.any(TypeError)])
    expect([store.kept.size, port > 0]).toEqual([0, true])
  })

  it('makes what was reloaded what changes are compared with', async () => {
    const { store, visitor } = await program({
      '/reload': async (req, res) => {
        at(req).session.views = 1
        store.kept.set(at(req).sessionID, recordOf({ user: 'bob' }))
        await at(req).session.reload()
        res.json(dataOf(req))
      },
    })
    const ada = await visitor()
    expect((await ada.get('/reload')).json()).toEqual({ user: 'bob' })
    expect(store.taken()).toEqual(['get', 'get', 'touch'])
  })

  it('takes in what others have changed, and writes it back no more', async () => {
    const [inside, door] = [gate(), gate()]
    const { store, visitor } = await program({
      '/reload': async (req, res) => {
        inside.open()
        await door.opened
        await at(req).session.reload()
        at(req).session.mine = true
        res.json(dataOf(req))
      },
    })
    const ada = await visitor()
    const slow = ada.get('/reload')
    await inside.opened
    await ada.get('/set?user=bob')
    door.open()
    expect((await slow).json()).toEqual({ user: 'bob', mine: true })
    expect(keptFor(store, ada)).toEqual({ user: 'bob', mine: true })
  })
})

describe('the cookie of a session that ends', () => {
  const cookie = { path: '/', domain: '127.0.0.1', sameSite: 'lax', httpOnly: false }

  it.each(endings.filter(([name]) => name !== 'regenerate'))(
    'stays in the browser by %s',
    async (_, ending, options) => {
      const { visitor } = await program({ '/end': ending }, options)
      expect((await (await visitor()).get('/end')).setCookies).toEqual([])
    },
  )

  it.each(endings.filter(([name]) => name !== 'regenerate'))(
    'is cleared by %s with clearOnDestroy, with its name and flags',
    async (_, ending, options) => {
      const { visitor, errors } = await program(
        { '/end': ending },
        { ...options, clearOnDestroy: true, name: 'sid', cookie: { ...cookie, maxAge: 60_000 } },
      )
      const ada = await visitor()
      expect(ada.jar.get('sid')).toBeDefined()
      const { setCookies } = await ada.get('/end')
      expect(setCookies).toEqual([
        'sid=; Domain=127.0.0.1; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; SameSite=Lax',
      ])
      expect(ada.jar.get('sid')).toBe(undefined)
      expect(errors).toEqual([])
    },
  )

  it('is cleared with the attributes that it was set with, whatever the options say now', async () => {
    const old = await program({}, { cookie: { ...cookie, path: '/', secure: false } })
    const ada = await old.visitor()
    const { browser } = await program(
      { '/end': endings[0]![1] },
      { store: old.store, clearOnDestroy: true, cookie: { sameSite: 'strict' } },
    )
    expect((await browser().get('/end', cookieOf(ada))).setCookies).toEqual([
      'connect.sid=; Domain=127.0.0.1; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; SameSite=Lax',
    ])
  })

  it('stays with clearOnDestroy where the store has failed', async () => {
    const { store, visitor } = await program({ '/end': endings[0]![1] }, { clearOnDestroy: true })
    const ada = await visitor()
    store.ways.destroy = failing
    expect((await ada.get('/end')).setCookies).toEqual([])
    expect(store.kept.size).toBe(1)
  })

  it('is replaced with clearOnDestroy where a new session follows', async () => {
    const { visitor } = await program(
      {
        '/renew': (req, res) =>
          void at(req).session.regenerate(() => {
            at(req).session.user = 'bob'
            res.json({})
          }),
      },
      { clearOnDestroy: true },
    )
    const ada = await visitor()
    const before = idOf(ada)
    const { setCookies } = await ada.get('/renew')
    expect(setCookies).toHaveLength(1)
    expect(idOf(ada)).not.toBe(before)
  })
})
