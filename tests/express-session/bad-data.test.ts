import { describe, expect, it } from 'vitest'
import { get, RawClient } from '../http/raw-http.js'
import { fatal } from '../support/process-events.js'
import { turns } from '../support/turns.js'
import { handStore } from './hand-store.js'
import { dropIn, implementations, real } from './implementations.js'
import { at, cookieFor, cookieOf, idOf, keptFor, program, recordOf } from './program.js'

type Routes = NonNullable<Parameters<typeof program>[0]>

const cycle: { self?: unknown } = {}
cycle.self = cycle

const unstorable: [string, unknown][] = [
  ['a BigInt', 1n],
  ['a cycle', cycle],
  [
    'an object whose toJSON throws',
    {
      toJSON() {
        throw new Error('no text')
      },
    },
  ],
]

const routes = (value: unknown): Routes => ({
  '/put': (req, res) => {
    at(req).session.user = 'bob'
    at(req).session.bad = value
    res.json({})
  },
  '/save': (req, res) => {
    at(req).session.bad = value
    at(req).session.save((error) => {
      delete at(req).session.bad
      res.json({ failed: error?.name })
    })
  },
})

describe.each(unstorable)('a session with %s', (_, value) => {
  it('is an error page, and what was stored stays', async () => {
    const { store, visitor, errors } = await program(routes(value))
    const ada = await visitor()
    expect(await ada.get('/put')).toMatchObject({ status: 500, setCookies: [] })
    expect(errors).toHaveLength(1)
    expect(keptFor(store, ada)).toEqual({ user: 'ada' })
    expect((await ada.get('/')).json()).toEqual({ user: 'ada' })
  })

  it('starts none for a new visitor', async () => {
    const { store, browser } = await program(routes(value))
    expect(await browser().get('/put')).toMatchObject({ status: 500, setCookies: [] })
    expect(store.kept.size).toBe(0)
  })

  it('tells the callback of save, and goes on without the value', async () => {
    const { store, visitor, errors } = await program(routes(value))
    const ada = await visitor()
    expect((await ada.get('/save')).json()).toEqual({
      failed: expect.stringMatching(/Error$/),
    })
    expect(errors).toEqual([])
    expect(keptFor(store, ada)).toEqual({ user: 'ada' })
  })

  it('after the headers is told to next, and the response ends', async () => {
    const { store, visitor, errors } = await program({
      '/late': (req, res) => {
        res.write('a')
        at(req).session.bad = value
        res.end('b')
      },
    })
    const ada = await visitor()
    expect((await ada.get('/late')).text()).toBe('ab')
    await turns()
    expect(errors).toHaveLength(1)
    expect(keptFor(store, ada)).toEqual({ user: 'ada' })
  })
})

it('a BigInt under express-session is no answer at all', async () => {
  const crashes = fatal('uncaughtException')
  const { port, visitor, errors } = await program(
    {
      '/put': (req, res) => {
        at(req).session.bad = 1n
        setImmediate(() => res.end('x'))
      },
    },
    {},
    real,
  )
  const ada = await visitor()
  const client = new RawClient(port).send(get('/put', `Cookie: ${cookieFor(idOf(ada))}\n`))
  while (crashes.length === 0) await turns()
  expect(client.text).toBe('')
  expect([crashes, errors]).toEqual([[expect.any(TypeError)], []])
})

const records: [string, string][] = [
  ['{}', 'shape'],
  ['{"user":"ada"}', 'shape'],
  ['[]', 'shape'],
  ['{"cookie":null,"user":"ada"}', 'shape'],
  ['{"cookie":"connect.sid","user":"ada"}', 'shape'],
  ['{"cookie":1}', 'shape'],
  ['{"cookie"', 'unreadable'],
  ['', 'unreadable'],
]

describe.each(records)('the record %s', (text, reason) => {
  it('is a new session, which takes another id, and an event', async () => {
    const { store, browser, events, errors } = await program()
    store.kept.set('id', text)
    const ada = browser()
    const sent = { headers: { cookie: cookieFor('id') } }
    for (const _ of [1, 2]) expect((await ada.get('/', sent)).json()).toEqual({})
    expect(events.filter(({ name }) => name === 'corrupt')).toMatchObject([{ reason }, { reason }])
    await ada.get('/set?user=bob', sent)
    expect(idOf(ada)).not.toBe('id')
    expect(store.kept.get('id')).toBe(text)
    expect(store.kept.size).toBe(2)
    expect(errors).toEqual([])
  })
})

it.each(['1', '"text"', 'true', 'null', '0', '""'])(
  'the record %s counts as none, and stays where it is',
  async (text) => {
    const { store, browser } = await program()
    store.kept.set('id', text)
    const answer = await browser().get('/', { headers: { cookie: cookieFor('id') } })
    expect(answer.json()).toEqual({})
    expect(store.kept.get('id')).toBe(text)
  },
)

it.each(['{}', '{"cookie":null}', '1'])(
  'the record %s is an error for every request under express-session',
  async (text) => {
    const { store, browser, errors } = await program({}, {}, real)
    store.kept.set('id', text)
    const sent = { headers: { cookie: cookieFor('id') } }
    for (const _ of [1, 2]) expect((await browser().get('/', sent)).status).toBe(500)
    expect(errors).toHaveLength(2)
  },
)

describe('a record of another making', () => {
  it.each([
    ['without expires', {}],
    ['with expires: null', { expires: null }],
    ['with a date that is none', { expires: 'tomorrow' }],
    ['with a number', { expires: Date.now() + 60_000 }],
    ['with a text for originalMaxAge', { originalMaxAge: '60000' }],
    ['with a key that nobody knows', { color: 'red' }],
  ])('%s in its cookie is a session', async (_, cookie) => {
    const { store, visitor, browser, errors } = await program()
    expect((await (await visitor()).get('/')).status).toBe(200)
    store.kept.set('id', JSON.stringify({ cookie, user: 'ada' }))
    const sent = { headers: { cookie: cookieFor('id') } }
    expect((await browser().get('/', sent)).json()).toEqual({ user: 'ada' })
    expect((await browser().get('/set?user=bob', sent)).status).toBe(200)
    expect(JSON.parse(store.kept.get('id')!)).toMatchObject({ user: 'bob' })
    expect(errors).toEqual([])
  })

  it.each([
    ['a number', Date.now() + 60_000, 'a date'],
    ['a text', new Date(Date.now() + 60_000).toISOString(), 'a date'],
    ['a text that is no date', 'tomorrow', 'null'],
    ['false', false, 'false'],
  ])('with %s for expires has this in its cookie', async (_, expires, seen) => {
    const { store, browser } = await program({
      '/cookie': (req, res) => {
        const { expires: date, maxAge } = at(req).session.cookie
        const isDate = date instanceof Date && maxAge! > 0 && maxAge! <= 60_000
        res.json(isDate ? 'a date' : String(date))
      },
    })
    store.kept.set('id', JSON.stringify({ cookie: { expires }, user: 'ada' }))
    const answer = await browser().get('/cookie', { headers: { cookie: cookieFor('id') } })
    expect(answer.json()).toBe(seen)
  })

  it('with names of methods in its cookie is stored without them', async () => {
    const { store, browser, errors } = await program()
    const expires = new Date(Date.now() + 60_000)
    const cookie = { originalMaxAge: 60_000, expires, path: '/', serialize: 'x', toJSON: 'y' }
    store.kept.set('id', JSON.stringify({ cookie, user: 'ada' }))
    const sent = { headers: { cookie: cookieFor('id') } }
    expect((await browser().get('/set?user=bob', sent)).setCookies).toHaveLength(1)
    expect(Object.keys(JSON.parse(store.kept.get('id')!).cookie)).toEqual([
      'originalMaxAge',
      'expires',
      'httpOnly',
      'path',
    ])
    expect(errors).toEqual([])
  })

  it('has no keys that hide a method or what every object has', async () => {
    const { store, browser } = await program({
      '/methods': (req, res) => {
        const { session } = at(req)
        res.json([typeof session.save, typeof session.toString, session.user])
      },
    })
    store.kept.set('id', recordOf({ user: 'ada', save: 1, id: 2, toString: 3, req: 4 }))
    const answer = await browser().get('/methods', { headers: { cookie: cookieFor('id') } })
    expect(answer.json()).toEqual(['function', 'function', 'ada'])
  })

  it.each(implementations)(
    'keeps its originalMaxAge at each request, on $name',
    async (implementation) => {
      const { store, browser } = await program(
        {
          '/cookie': (req, res) => {
            const { maxAge, originalMaxAge } = at(req).session.cookie
            res.json({ maxAge, originalMaxAge })
          },
        },
        {},
        implementation,
      )
      const cookie = { originalMaxAge: 60_000, expires: new Date(Date.now() + 30_000), path: '/' }
      store.kept.set('id', JSON.stringify({ cookie }))
      const answer = await browser().get('/cookie', { headers: { cookie: cookieFor('id') } })
      const { maxAge, originalMaxAge } = answer.json<{ maxAge: number; originalMaxAge: number }>()
      expect(originalMaxAge).toBe(60_000)
      expect(maxAge).toBeLessThanOrEqual(30_000)
    },
  )
})

describe('what is put in the place of req.session', () => {
  it('is the data of the session', async () => {
    const { store, visitor } = await program({
      '/put': (req, res) => {
        Object.assign(req, { session: { cart: 'coat' } })
        res.json({})
      },
    })
    const ada = await visitor()
    const before = store.kept.get(idOf(ada))
    expect((await ada.get('/put')).status).toBe(200)
    expect(keptFor(store, ada)).toEqual({ cart: 'coat' })
    const { cookie } = JSON.parse(store.kept.get(idOf(ada))!)
    expect(cookie).toEqual(JSON.parse(before!).cookie)
  })

  it('is the data of a first session, with the cookie of the options', async () => {
    const { store, browser } = await program(
      {
        '/put': (req, res) => {
          Object.assign(req, { session: { cart: 'coat' } })
          res.json({})
        },
      },
      { cookie: { sameSite: 'strict' } },
    )
    const ada = browser()
    expect((await ada.get('/put')).setCookies[0]).toMatch(/; SameSite=Strict$/)
    expect(keptFor(store, ada)).toEqual({ cart: 'coat' })
  })

  it.each([0, '', 'text', false])('is nothing if it is %j', async (value) => {
    const { store, visitor, errors } = await program({
      '/put': (req, res) => {
        Object.assign(req, { session: value })
        res.json({})
      },
    })
    const ada = await visitor()
    expect((await ada.get('/put')).status).toBe(200)
    expect(store.taken()).toEqual(['get'])
    expect(errors).toEqual([])
  })

  it('is no answer at all under express-session', async () => {
    const { port, visitor, errors } = await program(
      {
        '/put': (req, res) => {
          Object.assign(req, { session: { cart: 'coat' } })
          res.json({})
        },
      },
      {},
      real,
    )
    const ada = await visitor()
    const client = new RawClient(port).send(get('/put', `Cookie: ${cookieFor(idOf(ada))}\n`))
    while (errors.length === 0) await turns()
    expect(client.text).toBe('')
  })

  it('with a sessionID that is no text, is left alone', async () => {
    const { store, visitor } = await program({
      '/put': (req, res) => {
        Object.assign(req, { sessionID: 42 })
        at(req).session.user = 'bob'
        res.json({})
      },
    })
    const ada = await visitor()
    const old = cookieOf(ada)
    expect(await ada.get('/put')).toMatchObject({ status: 200, setCookies: [] })
    expect(store.taken()).toEqual(['get'])
    expect((await ada.get('/', old)).json()).toEqual({ user: 'ada' })
  })
})

it('a store that gives the very objects that it keeps gets every change', async () => {
  const objects = new Map<string, object>()
  const store = Object.assign(handStore(dropIn), {
    get: (id: string, done: (error: null, found: unknown) => void) => done(null, objects.get(id)),
    set: (id: string, session: object, done: () => void) => {
      objects.set(id, session)
      done()
    },
  })
  const { browser, events } = await program(
    {
      '/add/:item': (req, res) => {
        at(req).session.items ??= []
        const items = at(req).session.items as unknown[]
        items.push(req.params.item)
        res.json({})
      },
    },
    { store },
  )
  const ada = browser()
  for (const item of ['coat', 'hat', 'scarf']) await ada.get(`/add/${item}`)
  expect((await ada.get('/')).json()).toEqual({ items: ['coat', 'hat', 'scarf'] })
  expect(events.filter(({ name }) => name === 'conflict')).toEqual([])
})
