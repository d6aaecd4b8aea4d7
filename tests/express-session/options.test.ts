import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { get, RawClient } from '../http/raw-http.js'
import { SECRET } from '../support/secret.js'
import { handStore, held } from './hand-store.js'
import { dropIn, type Implementation, implementations } from './implementations.js'
import { at, keptFor, program } from './program.js'

/** What `depd` is told to deprecate while `run` runs. */
function deprecations(run: () => unknown): string[] {
  const told: string[] = []
  const listener = (error: Error & { namespace: string }) => {
    told.push(`${error.namespace}: ${error.message}`)
  }
  process.on('deprecation', listener)
  try {
    run()
  } finally {
    process.off('deprecation', listener)
  }
  return told
}

const quiet = { resave: false, saveUninitialized: false, secret: SECRET }

describe.each(implementations)('$name', ({ session }: Implementation) => {
  it.each<[object, string]>([
    [{ genid: 'text' }, 'genid option must be a function'],
    [{ genid: {} }, 'genid option must be a function'],
    [{ unset: 'gone' }, 'unset option must be "destroy" or "keep"'],
    [{ secret: [] }, 'secret option array must contain one or more strings'],
  ])('refuses %j by a TypeError', (options, message) => {
    expect(() => session({ ...quiet, ...options })).toThrow(new TypeError(message))
  })

  it('deprecates what it is not told', () => {
    expect(deprecations(() => session())).toEqual([
      'express-session: undefined resave option; provide resave option',
      'express-session: undefined saveUninitialized option; provide saveUninitialized option',
      'express-session: req.secret; provide secret option',
    ])
    expect(deprecations(() => session({ secret: SECRET, resave: true }))).toEqual([
      'express-session: undefined saveUninitialized option; provide saveUninitialized option',
    ])
    expect(deprecations(() => session(quiet))).toEqual([])
  })

  it('deprecates a date for maxAge', () => {
    const date = new Date()
    const told = deprecations(() => Object.assign(new session.Cookie(), { maxAge: date }))
    expect(told).toEqual(['express-session: maxAge as Date; pass number of milliseconds instead'])
  })

  it.each(['10', true, {}])('refuses the maxAge %j', (maxAge) => {
    const refusal = new TypeError('maxAge must be a number or Date')
    expect(() => new session.Cookie({ maxAge })).toThrow(refusal)
  })

  it('refuses options of a cookie that are no object', () => {
    const refusal = new TypeError('argument options must be a object')
    expect(() => new session.Cookie('text')).toThrow(refusal)
  })

  it.each([
    ['resave', { resave: true }, ['get', 'set']],
    ['resave: null', { resave: null }, ['get', 'touch']],
    ['resave left out', { resave: undefined }, ['get', 'set']],
  ])('stores what has not changed by %s', async (_, options, calls) => {
    const implementation = implementations.find((one) => one.session === session)!
    const { store, visitor } = await program({}, options, implementation)
    await (await visitor()).get('/')
    const asked = store.taken()
    // The look before the write, which express-session does not have.
    const looks = implementation === dropIn && calls[1] === 'set' ? ['get'] : []
    expect(asked).toEqual(['get', ...looks, calls[1]])
  })

  it.each([
    ['saveUninitialized', { saveUninitialized: true }, 1],
    ['saveUninitialized: 0', { saveUninitialized: 0 }, 0],
    ['saveUninitialized left out', { saveUninitialized: undefined }, 1],
  ])('stores what is new and empty by %s', async (_, options, count) => {
    const implementation = implementations.find((one) => one.session === session)!
    const { store, browser } = await program({}, options, implementation)
    const answer = await browser().get('/')
    expect([store.kept.size, answer.setCookies.length]).toEqual([count, count])
  })
})

describe('a store that is none', () => {
  it.each([{ store: {} }, { store: { get() {}, set() {} } }, { store: 'redis' }])(
    'is refused: %j',
    (options) => {
      expect(() => dropIn.session({ ...quiet, ...options })).toThrow(TypeError)
    },
  )

  it('may have no events', async () => {
    const kept = new Map<string, string>()
    const store = {
      get: (id: string, done: (error: null, found: unknown) => void) => {
        const text = kept.get(id)
        done(null, text && JSON.parse(text))
      },
      set: (id: string, session: object, done: () => void) => {
        kept.set(id, JSON.stringify(session))
        done()
      },
      destroy: (id: string, done: () => void) => {
        kept.delete(id)
        done()
      },
    }
    const { browser } = await program({}, { store })
    const ada = browser()
    await ada.get('/set?user=ada')
    expect((await ada.get('/')).json()).toEqual({ user: 'ada' })
  })
})

describe('a warning', () => {
  const codes = async (options: object, environment = 'production') => {
    vi.stubEnv('NODE_ENV', environment)
    onTestFinished(() => void vi.unstubAllEnvs())
    const { browser, events } = await program({}, { ...options })
    await browser().get('/')
    await browser().get('/')
    return events.filter(({ name }) => name === 'warning').map(({ code }) => code)
  }
  const store = () => handStore(dropIn)

  it.each([
    [
      'a secret of 15 characters',
      () => ({ store: store(), secret: 'x'.repeat(15) }),
      ['WARN_WEAK_SECRET'],
    ],
    ['one among others', () => ({ store: store(), secret: [SECRET, 'x'] }), ['WARN_WEAK_SECRET']],
    ['a secret of 16 characters', () => ({ store: store(), secret: 'x'.repeat(16) }), []],
    ['memory', () => ({ store: new dropIn.session.MemoryStore() }), ['WARN_MEMORY_STORE']],
    ['a store that is undefined', () => ({ store: undefined }), ['WARN_MEMORY_STORE']],
    ['a store of others', () => ({ store: store() }), []],
  ])('is given once in production for %s', async (_, options, expected) => {
    expect(await codes(options())).toEqual(expected)
  })

  it.each([
    ['a short secret', () => ({ store: store(), secret: 'x' }), []],
    ['memory', () => ({ store: new dropIn.session.MemoryStore() }), []],
    ['a store that is undefined', () => ({ store: undefined }), ['WARN_MEMORY_STORE']],
  ])('in development for %s: %s', async (_, options, expected) => {
    expect(await codes(options(), 'development')).toEqual(expected)
  })

  it('names the option of a store that was not made with new', async () => {
    const { browser, events } = await program({}, { store: undefined })
    await browser().get('/')
    expect(events[0]?.message).toMatch(/option store.* with new/)
  })

  it('tells once that a Secure cookie was not sent over plain http', async () => {
    const { browser, events } = await program({}, { cookie: { secure: true } })
    await browser().get('/')
    expect(events).toEqual([])
    for (const _ of [1, 2]) await browser().get('/set?user=ada')
    expect(events.filter(({ name }) => name === 'warning')).toMatchObject([
      { code: 'WARN_INSECURE_HOP' },
    ])
  })

  it('tells once of a producer that writes on while its response is held', async () => {
    const { store, port, events } = await program({
      '/big': (req, res) => {
        at(req).session.user = 'ada'
        for (let count = 0; count < 4; count++) res.write(Buffer.alloc(40_000))
        res.end()
      },
    })
    const slow = held()
    store.ways.set = slow.way
    const client = new RawClient(port).send(get('/big'))
    await slow.reached
    slow.answer()
    await client.closed
    expect(events.filter(({ name }) => name === 'warning')).toMatchObject([
      { code: 'WARN_HELD_BYTES' },
    ])
  })
})

describe('one store under two middlewares', () => {
  it('mixes up no options of their cookies', async () => {
    const store = handStore(dropIn)
    const renew = {
      '/renew': (req: Parameters<typeof at>[0], res: { json(body: unknown): void }) => {
        at(req).sessionStore.generate(req)
        at(req).session.user = 'bob'
        res.json({})
      },
      '/regenerate': async (req: Parameters<typeof at>[0], res: { json(body: unknown): void }) => {
        await at(req).session.regenerate()
        at(req).session.user = 'bob'
        res.json({})
      },
    }
    const one = await program(renew, { store, cookie: { sameSite: 'strict' }, name: 'one' })
    const two = await program(renew, { store, cookie: { sameSite: 'lax' }, name: 'two' })
    for (const path of ['/set?user=ada', '/renew', '/regenerate']) {
      expect((await one.browser().get(path)).setCookies).toEqual([
        expect.stringMatching(/^one=.*; SameSite=Strict$/),
      ])
      expect((await two.browser().get(path)).setCookies).toEqual([
        expect.stringMatching(/^two=.*; SameSite=Lax$/),
      ])
    }
  })

  it('mixes them up at a regenerate under express-session', async () => {
    const [real] = implementations
    const store = handStore(real!)
    const regenerate = {
      '/regenerate': (req: Parameters<typeof at>[0], res: { json(body: unknown): void }) => {
        at(req).session.regenerate(() => {
          at(req).session.user = 'bob'
          res.json({})
        })
      },
    }
    const one = await program(regenerate, { store, cookie: { sameSite: 'strict' } }, real)
    await program(regenerate, { store, cookie: { sameSite: 'lax' } }, real)
    const { setCookies } = await one.browser().get('/regenerate')
    expect(setCookies[0]).toMatch(/; SameSite=Lax$/)
  })
})

describe.each(implementations)('the store on $name', (implementation) => {
  it('that tells of a disconnect is not asked until it tells of a connect', async () => {
    const { store, visitor } = await program({}, {}, implementation)
    const ada = await visitor()
    store.emit('disconnect')
    expect((await ada.get('/')).json()).toBe(null)
    expect(store.taken()).toEqual([])
    store.emit('connect')
    expect((await ada.get('/')).json()).toEqual({ user: 'ada' })
  })

  it('has its options shown on each request', async () => {
    const { store, browser } = await program(
      {
        '/store': (req, res) => {
          at(req).session.user = 'ada'
          res.json(at(req).sessionStore === store)
        },
      },
      {},
      implementation,
    )
    const ada = browser()
    expect((await ada.get('/store')).json()).toBe(true)
    expect(keptFor(store, ada)).toEqual({ user: 'ada' })
  })
})
