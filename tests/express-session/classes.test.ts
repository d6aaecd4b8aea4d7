import { EventEmitter } from 'node:events'
import { inherits } from 'node:util'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { handStore } from './hand-store.js'
import { dropIn, implementations, real } from './implementations.js'
import { at, cookieFor, type LooseSession, program, recordOf } from './program.js'

type Done = (error?: unknown, value?: unknown) => void

interface AnyStore {
  get(id: string, done: Done): void
  set(id: string, session: object, done?: Done): void
  destroy(id: string, done?: Done): void
  load(id: string, done: (error: unknown, session?: LooseSession) => void): void
  createSession(req: object, session: object): LooseSession
  regenerate(req: object, done: Done): void
}

describe.each(implementations)('the functions of $name', (implementation) => {
  const { session } = implementation
  const { Store, Session, Cookie, MemoryStore } = session

  it('are properties of the one that is exported', () => {
    expect([Store, Session, Cookie, MemoryStore].map((one) => typeof one)).toEqual(
      Array(4).fill('function'),
    )
    expect(new MemoryStore()).toBeInstanceOf(Store)
    expect(new MemoryStore()).toBeInstanceOf(EventEmitter)
  })

  // Each keeps its sessions in `kept`, and differs in how it comes by the methods of Store.
  const methods = {
    get(this: { kept: Map<string, string> }, id: string, done: Done) {
      const text = this.kept.get(id)
      setImmediate(done, null, text && JSON.parse(text))
    },
    set(this: { kept: Map<string, string> }, id: string, value: object, done?: Done) {
      this.kept.set(id, JSON.stringify(value))
      if (done) setImmediate(done)
    },
    destroy(this: { kept: Map<string, string> }, id: string, done?: Done) {
      this.kept.delete(id)
      if (done) setImmediate(done)
    },
  }
  function Inherited(this: object) {
    Store.call(this)
    Object.assign(this, { kept: new Map() })
  }
  inherits(Inherited, Store)
  Object.assign(Inherited.prototype, methods)

  function Prototyped(this: object) {
    Store.call(this, {})
    Object.assign(this, { kept: new Map() })
  }
  Object.setPrototypeOf(Prototyped.prototype, Store.prototype)
  Object.assign(Prototyped.prototype, methods)

  // express-mysql-session never calls the constructor.
  function Uninitialised(this: object) {
    Object.assign(this, { kept: new Map() })
  }
  inherits(Uninitialised, Store)
  Object.assign(Uninitialised.prototype, methods)

  class Extended extends Store {
    kept = new Map()
    constructor() {
      super({ some: 'option' })
      Object.assign(this, methods)
    }
  }

  it.each<[string, () => object]>([
    ['Store.call and util.inherits', () => Reflect.construct(Inherited, [])],
    ['Store.call and a prototype', () => Reflect.construct(Prototyped, [])],
    ['util.inherits, and no call of Store', () => Reflect.construct(Uninitialised, [])],
    ['class extends', () => new Extended()],
  ])('make a store by %s', async (_, make) => {
    const store = make() as AnyStore & { emit(event: string): void; kept: Map<string, string> }
    const { browser } = await program(
      {
        '/renew': (req, res) =>
          void at(req).session.regenerate((error) => {
            at(req).session.user = 'bob'
            res.json(error ?? null)
          }),
      },
      { store },
      implementation,
    )
    const ada = browser()
    await ada.get('/set?user=ada')
    expect((await ada.get('/')).json()).toEqual({ user: 'ada' })
    await ada.get('/renew')
    expect((await ada.get('/')).json()).toEqual({ user: 'bob' })
    expect(store.kept.size).toBe(1)
    store.emit('disconnect')
    expect((await ada.get('/')).json()).toBe(null)
  })

  it('make sessions outside a request: load, save, reload, destroy', async () => {
    const store = handStore(implementation) as unknown as AnyStore & { kept: Map<string, string> }
    store.kept.set('id', recordOf({ user: 'ada' }))
    const loaded = await new Promise<LooseSession>((resolve, reject) => {
      store.load('id', (error, found) => (error ? reject(error) : resolve(found!)))
    })
    expect([loaded.id, loaded.user]).toEqual(['id', 'ada'])
    loaded.user = 'bob'
    const asked = async (method: 'save' | 'reload' | 'destroy') =>
      new Promise<unknown>((resolve) => loaded[method](resolve))
    expect(await asked('save')).toBeFalsy()
    expect(JSON.parse(store.kept.get('id')!)).toMatchObject({ user: 'bob' })
    expect(await asked('reload')).toBeFalsy()
    expect(await asked('destroy')).toBeFalsy()
    expect(store.kept.size).toBe(0)
    expect(await asked('reload')).toEqual(new Error('failed to load session'))
  })

  it('load nothing where nothing is, and tell what failed', async () => {
    const store = handStore(implementation) as unknown as AnyStore & {
      ways: { get?: (work: unknown, done: Done) => void }
    }
    const load = () =>
      new Promise<unknown[]>((resolve) => store.load('id', (...given) => resolve(given)))
    expect((await load()).filter(Boolean)).toEqual([])
    store.ways.get = (_, done) => done(new Error('lost'))
    expect(await load()).toEqual([new Error('lost')])
  })

  it('make a session of a record: createSession', () => {
    const store = handStore(implementation) as unknown as AnyStore
    const req: { sessionID: string; sessionStore: object; session?: unknown } = {
      sessionID: 'id',
      sessionStore: store,
    }
    const made = store.createSession(req, JSON.parse(recordOf({ user: 'ada' })))
    expect(req.session).toBe(made)
    expect(made).toBeInstanceOf(Session)
    expect(made.cookie).toBeInstanceOf(Cookie)
    expect([made.id, made.user]).toEqual(['id', 'ada'])
  })

  it('begin another session for a request: store.regenerate and store.generate', async () => {
    const { store, visitor } = await program(
      {
        '/regenerate': (req, res) => {
          const { sessionStore, sessionID } = at(req)
          ;(sessionStore as unknown as AnyStore).regenerate(req, (error) => {
            at(req).session.user = 'bob'
            res.json([error ?? null, at(req).sessionID === sessionID])
          })
        },
      },
      {},
      implementation,
    )
    const ada = await visitor()
    expect((await ada.get('/regenerate')).json()).toEqual([null, false])
    expect((await ada.get('/')).json()).toEqual({ user: 'bob' })
    expect(store.kept.size).toBe(1)
  })

  it('make a Session by hand, with or without data', () => {
    const owner = { sessionID: 'id', sessionStore: {} }
    const made = new Session(owner, { user: 'ada', save: 'no' })
    expect([made.id, made.user, typeof made.save]).toEqual(['id', 'ada', 'function'])
    expect(Object.keys(new Session(owner, null))).toEqual([])
    const called = Object.create(Session.prototype)
    Session.call(called, owner, { user: 'ada' })
    expect([called.id, called.user]).toEqual(['id', 'ada'])
  })

  it('make a Cookie by hand, and by a class of ones own', () => {
    const called = Object.create(Cookie.prototype)
    Cookie.call(called, { maxAge: 1000, sameSite: 'lax' })
    expect(called.serialize('a', 'b c')).toMatch(
      /^a=b%20c; Path=\/; Expires=.*; HttpOnly; SameSite=Lax$/,
    )
    const cookie = new Cookie()
    expect(JSON.stringify(cookie)).toBe(
      '{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"}',
    )
    expect([cookie.maxAge, cookie.expires, cookie.originalMaxAge]).toEqual([null, null, null])
    class Own extends Cookie {}
    expect(new Own()).toBeInstanceOf(Cookie)
    // Passport copies a cookie by for…in.
    const names: string[] = []
    for (const name in cookie) names.push(name)
    expect(names).toEqual(
      expect.arrayContaining(['path', 'httpOnly', 'originalMaxAge', 'expires', 'maxAge']),
    )
  })

  it('write a cookie in the order in which records have it', () => {
    const options = {
      sameSite: 'lax',
      path: '/a',
      domain: 'example.com',
      httpOnly: false,
      secure: true,
      priority: 'high',
      partitioned: true,
    }
    expect(JSON.stringify(new Cookie(options))).toBe(
      '{"originalMaxAge":null,"partitioned":true,"priority":"high","expires":null,"secure":true,"httpOnly":false,"domain":"example.com","path":"/a","sameSite":"lax"}',
    )
  })

  it('give a session whose own keys are its cookie and its data', async () => {
    const { store, browser } = await program(
      {
        '/keys': (req, res) => {
          const { session } = at(req)
          const names: string[] = []
          for (const name in session) names.push(name)
          const prototype = Object.getPrototypeOf(session)
          const methodNames = ['touch', 'resetMaxAge', 'save', 'reload', 'destroy', 'regenerate']
          res.json({
            keys: Object.keys(session),
            names,
            own: Object.getOwnPropertyNames(session).includes('id'),
            text: Object.keys(JSON.parse(JSON.stringify(session))),
            spread: Object.keys({ ...session }),
            methods: methodNames.map((name) => [
              typeof prototype[name],
              prototype[name].length,
              Object.getOwnPropertyDescriptor(prototype, name)?.enumerable,
            ]),
          })
        },
      },
      {},
      implementation,
    )
    store.kept.set('id', recordOf({ user: 'ada', views: 1 }))
    const keys = ['cookie', 'user', 'views']
    const answer = await browser().get('/keys', { headers: { cookie: cookieFor('id') } })
    expect(answer.json()).toEqual({
      keys,
      names: keys,
      own: true,
      text: keys,
      spread: keys,
      methods: [0, 0, 1, 1, 1, 1].map((length) => ['function', length, false]),
    })
  })

  it('give the session back from each method that has a callback', async () => {
    const { browser } = await program(
      {
        '/back': (req, res) => {
          const { session } = at(req)
          const back: unknown[] = [session.touch()]
          const done = () => res.json(back.map((given) => given === session))
          const saved = session.save(() => {
            const reloaded = session.reload(() => {
              back.push(session.regenerate(() => back.push(session.destroy(done))))
            })
            // Those of express-session give nothing.
            if (implementation.name === 'coatcheck') back.push(saved, reloaded)
          })
        },
      },
      {},
      implementation,
    )
    const answer = (await browser().get('/back')).json<boolean[]>()
    expect(new Set(answer)).toEqual(new Set([true]))
    expect(answer).toHaveLength(implementation.name === 'coatcheck' ? 5 : 3)
  })

  it('leave the session alone that another middleware has put there', async () => {
    const store = handStore(implementation)
    const { app, browser } = await program({}, {}, implementation)
    app.use((req, _res, next) => {
      req.url = '/second'
      next()
    })
    app.use(session({ secret: 'second'.repeat(8), resave: false, saveUninitialized: true, store }))
    app.get('/second', (req, res) => void res.json(at(req).sessionStore === (store as unknown)))
    const answer = await browser().get('/first')
    expect(answer.json()).toBe(false)
    expect([store.calls, answer.setCookies]).toEqual([[], []])
  })
})

it.each([
  [dropIn, 5000],
  [real, 4997],
])(
  'a cookie that is touched as time passes keeps its life, or loses some: $name',
  (implementation, kept) => {
    let now = Date.UTC(2030, 0, 1)
    const clock = vi.spyOn(Date, 'now').mockImplementation(() => now++)
    onTestFinished(() => clock.mockRestore())
    const cookie = new implementation.session.Cookie({ maxAge: 5000 })
    for (const _ of [1, 2]) cookie.maxAge = cookie.originalMaxAge
    expect(cookie.originalMaxAge).toBe(kept)
    expect(cookie.expires.valueOf()).toBeGreaterThan(Date.UTC(2030, 0, 1) + 4990)
  },
)
