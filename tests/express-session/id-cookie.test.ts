import { createSecretKey } from 'node:crypto'
import cookieParser from 'cookie-parser'
import { sign } from 'cookie-signature'
import express from 'express'
import { describe, expect, it } from 'vitest'
import { CookieClient } from '../../src/testing/index.js'
import { SECRET } from '../support/secret.js'
import { serve } from '../support/serve.js'
import { handStore } from './hand-store.js'
import { dropIn, implementations, real } from './implementations.js'
import { at, cookieFor, cookieOf, dataOf, idOf, program, recordOf } from './program.js'

const OTHER = 'another secret of at least 32 bytes'

describe('of several cookies of the name', () => {
  it('the one with a session counts, wherever it stands', async () => {
    const { store, browser } = await program()
    store.kept.set('good', recordOf({ user: 'ada' }))
    const [stale, good] = [cookieFor('stale'), cookieFor('good')]
    for (const cookie of [`${stale}; ${good}`, `${good}; ${stale}`, `connect.sid=x; ${good}`]) {
      expect((await browser().get('/', { headers: { cookie } })).json()).toEqual({ user: 'ada' })
    }
  })

  it('the first counts under express-session, and hides the others', async () => {
    const { store, browser } = await program({}, {}, real)
    store.kept.set('good', recordOf({ user: 'ada' }))
    const cookie = `${cookieFor('stale')}; ${cookieFor('good')}`
    expect((await browser().get('/', { headers: { cookie } })).json()).toEqual({})
  })

  it('the one that was found is the id, and is written', async () => {
    const { store, browser } = await program({
      '/id': (req, res) => {
        at(req).session.views = 1
        res.json([at(req).sessionID, at(req).session.id])
      },
    })
    store.kept.set('good', recordOf({ user: 'ada' }))
    const cookie = `${cookieFor('stale')}; ${cookieFor('good')}`
    const answer = await browser().get('/id', { headers: { cookie } })
    expect(answer.json()).toEqual(['good', 'good'])
    expect(answer.setCookies).toEqual([])
    expect(store.calls).toEqual(['get stale', 'get good', 'get good', 'set good'])
  })

  it('at most four are looked up', async () => {
    const { store, browser } = await program()
    const many = Array.from({ length: 20 }, (_, index) => cookieFor(`stale${index}`))
    expect((await browser().get('/', { headers: { cookie: many.join('; ') } })).status).toBe(200)
    expect(store.calls).toEqual(['get stale0', 'get stale1', 'get stale2', 'get stale3'])
  })

  it('a repeated one is looked up once', async () => {
    const { store, browser } = await program()
    const cookie = [cookieFor('stale'), cookieFor('stale')].join('; ')
    await browser().get('/', { headers: { cookie } })
    expect(store.calls).toEqual(['get stale'])
  })
})

describe.each(implementations)('a cookie that $name', (implementation) => {
  it.each([
    ['has a forged signature', `s:id.${sign('other', SECRET).slice('other.'.length)}`],
    ['has another secret', `s:${sign('id', OTHER)}`],
    ['has no signature', 's:id'],
    ['is not signed', 'id'],
    ['has no prefix', sign('id', SECRET)],
    ['is empty', ''],
    ['is a j: text', 'j:{"a":1}'],
    ['has a bad escape', '%E0%A4%A'],
  ])('%s asks no store', async (_, value) => {
    const { store, browser } = await program({}, {}, implementation)
    store.kept.set('id', recordOf({ user: 'ada' }))
    const raw = value.startsWith('%') ? value : encodeURIComponent(value)
    const answer = await browser().get('/', { headers: { cookie: `connect.sid=${raw}` } })
    expect(answer.json()).toEqual({})
    expect(store.calls).toEqual([])
  })

  it.each([
    ['raw', `s:${sign('id', SECRET)}`],
    ['quoted', `"${encodeURIComponent(`s:${sign('id', SECRET)}`)}"`],
    ['with dots in the id', encodeURIComponent(`s:${sign('a.b.c', SECRET)}`)],
    ['beside others', `${encodeURIComponent(`s:${sign('id', SECRET)}`)}; other=1; sid`],
  ])('comes %s is read', async (_, value) => {
    const { store, browser } = await program({}, {}, implementation)
    for (const id of ['id', 'a.b.c']) store.kept.set(id, recordOf({ user: 'ada' }))
    const cookie = `first=1; connect.sid=${value}`
    expect((await browser().get('/', { headers: { cookie } })).json()).toEqual({ user: 'ada' })
  })

  it('was signed with an older secret is read, and the newest signs', async () => {
    const { store, browser } = await program({}, { secret: [SECRET, OTHER] }, implementation)
    store.kept.set('id', recordOf({ user: 'ada' }))
    const sent = { headers: { cookie: cookieFor('id', OTHER) } }
    expect((await browser().get('/', sent)).json()).toEqual({ user: 'ada' })
    const bob = browser()
    await bob.get('/set?user=bob')
    expect(cookieOf(bob).headers.cookie).toBe(cookieFor(idOf(bob), SECRET))
  })

  it.each([
    ['a Buffer', Buffer.from(SECRET)],
    ['a KeyObject', createSecretKey(Buffer.from(SECRET))],
    ['an array of a Buffer', [Buffer.from(SECRET)]],
  ])('has %s for a secret is the same cookie', async (_, secret) => {
    const { browser } = await program({}, { secret }, implementation)
    const ada = browser()
    await ada.get('/set?user=ada')
    expect(cookieOf(ada).headers.cookie).toBe(cookieFor(idOf(ada), SECRET))
    expect((await ada.get('/')).json()).toEqual({ user: 'ada' })
  })
})

describe.each(implementations)('without the option secret, $name', (implementation) => {
  const serveWith = async (before?: express.RequestHandler, options: object = {}) => {
    const store = handStore(implementation)
    const app = express()
    if (before !== undefined) app.use(before)
    app.use(implementation.session({ store, resave: false, saveUninitialized: false, ...options }))
    app.get('/set', (req, res) => {
      at(req).session.user = 'ada'
      res.json({})
    })
    app.get('/', (req, res) => void res.json(dataOf(req)))
    const onError: express.ErrorRequestHandler = (error, _req, res, _next) => {
      res.status(500).json(error.message)
    }
    app.use(onError)
    const { origin } = await serve(app)
    return { store, browser: () => new CookieClient(origin) }
  }

  it('signs with that of cookie-parser', async () => {
    const { browser } = await serveWith(cookieParser(SECRET))
    const ada = browser()
    await ada.get('/set')
    expect(cookieOf(ada).headers.cookie).toBe(cookieFor(idOf(ada), SECRET))
    expect((await ada.get('/')).json()).toEqual({ user: 'ada' })
  })

  it('is an error for every request where nobody else has one', async () => {
    const { browser } = await serveWith()
    const answer = await browser().get('/')
    expect([answer.status, answer.json()]).toEqual([500, 'secret option required for sessions'])
  })

  it('reads what cookie-parser has found, where there is no header', async () => {
    const parser = cookieParser(SECRET)
    const { store, browser } = await serveWith((req, res, next) => {
      parser(req, res, (error) => {
        delete req.headers.cookie
        next(error)
      })
    })
    store.kept.set('id', recordOf({ user: 'ada' }))
    const sent = { headers: { cookie: cookieFor('id') } }
    expect((await browser().get('/', sent)).json()).toEqual({ user: 'ada' })
  })

  it('verifies what is in req.cookies', async () => {
    for (const [secret, found] of [
      [SECRET, { user: 'ada' }],
      [OTHER, {}],
    ] as const) {
      const { store, browser } = await serveWith(
        (req, _res, next) => {
          req.cookies = { 'connect.sid': `s:${sign('id', secret)}` }
          next()
        },
        { secret: SECRET },
      )
      store.kept.set('id', recordOf({ user: 'ada' }))
      expect((await browser().get('/')).json()).toEqual(found)
    }
  })

  it('asks the header first', async () => {
    const { store, browser } = await serveWith(
      (req, _res, next) => {
        req.signedCookies = { 'connect.sid': 'other' }
        next()
      },
      { secret: SECRET },
    )
    store.kept.set('id', recordOf({ user: 'ada' }))
    store.kept.set('other', recordOf({ user: 'bob' }))
    const sent = { headers: { cookie: cookieFor('id') } }
    expect((await browser().get('/', sent)).json()).toEqual({ user: 'ada' })
    expect((await browser().get('/')).json()).toEqual({ user: 'bob' })
  })
})

describe('req.secret', () => {
  it('that changes signs with the new one', async () => {
    const secrets = [SECRET, OTHER]
    const app = express()
    app.use((req, _res, next) => {
      Object.assign(req, { secret: req.query.new === undefined ? secrets[0] : secrets[1] })
      next()
    })
    app.use(dropIn.session({ resave: false, saveUninitialized: true }))
    app.get('/', (_req, res) => void res.json({}))
    const { origin } = await serve(app)
    const [ada, bob] = [new CookieClient(origin), new CookieClient(origin)]
    await ada.get('/')
    await bob.get('/?new')
    expect(cookieOf(ada).headers.cookie).toBe(cookieFor(idOf(ada), SECRET))
    expect(cookieOf(bob).headers.cookie).toBe(cookieFor(idOf(bob), OTHER))
  })
})

describe.each(implementations)('the id that genid makes, on $name', (implementation) => {
  it('is given the request, and becomes the id', async () => {
    const genid = (req: { url: string }) => `id of ${req.url}`
    const { store, browser } = await program({}, { genid }, implementation)
    const ada = browser()
    await ada.get('/set?user=ada')
    expect([...store.kept.keys()]).toEqual(['id of /set?user=ada'])
    expect((await ada.get('/')).json()).toEqual({ user: 'ada' })
  })

  it('may fail, which is an error for this request', async () => {
    let isBroken = true
    const genid = () => {
      if (isBroken) throw new Error('no ids today')
      return 'id'
    }
    const { browser } = await program({}, { genid }, implementation)
    expect((await browser().get('/')).status).toBe(500)
    isBroken = false
    expect((await browser().get('/')).status).toBe(200)
  })

  it.each([42, undefined, null, {}])('%j is no id: nothing is stored', async (id) => {
    const { store, browser } = await program({}, { genid: () => id }, implementation)
    const answer = await browser().get('/set?user=ada')
    expect(answer.setCookies).toEqual([])
    expect(store.kept.size).toBe(0)
  })
})

describe('the id that genid makes', () => {
  it('may come by a promise', async () => {
    let count = 0
    const { store, browser } = await program(
      {
        '/renew': async (req, res) => {
          await at(req).session.regenerate()
          at(req).session.user = 'bob'
          res.json(at(req).sessionID)
        },
      },
      { genid: async () => `id${++count}` },
    )
    const ada = browser()
    await ada.get('/set?user=ada')
    expect((await ada.get('/renew')).json()).toBe('id2')
    expect([...store.kept.keys()]).toEqual(['id2'])
    expect((await ada.get('/')).json()).toEqual({ user: 'bob' })
  })

  it('by a promise is there when store.regenerate calls back', async () => {
    let count = 0
    const { store, visitor } = await program(
      {
        '/renew': (req, res) => {
          const { sessionStore } = at(req)
          sessionStore.regenerate(req, () => {
            at(req).session.user = 'bob'
            res.json(at(req).sessionID)
          })
        },
      },
      { genid: async () => `id${++count}` },
    )
    const ada = await visitor()
    expect((await ada.get('/renew')).json()).toBe('id2')
    expect([...store.kept.keys()]).toEqual(['id2'])
    expect((await ada.get('/')).json()).toEqual({ user: 'bob' })
  })

  it('by a promise that fails is an error for this request', async () => {
    const genid = () => Promise.reject(new Error('no ids today'))
    const { browser, errors } = await program({}, { genid })
    expect((await browser().get('/')).status).toBe(500)
    expect(errors).toEqual([new Error('no ids today')])
  })

  it('never joins two visitors, if it is always the same', async () => {
    const { store, browser, errors } = await program(
      {
        '/save': (req, res) => {
          at(req).session.user = 'eve'
          at(req).session.save((error) => res.json(error?.message))
        },
      },
      { genid: () => 'constant' },
    )
    const [ada, eve] = [browser(), browser()]
    await ada.get('/set?user=ada')
    expect((await eve.get('/set?user=eve')).setCookies).toEqual([])
    expect((await eve.get('/')).json()).toEqual({})
    expect(await eve.get('/save')).toMatchObject({ status: 200, setCookies: [] })
    expect(JSON.parse(store.kept.get('constant')!)).toMatchObject({ user: 'ada' })
    expect(errors[0]).toMatchObject({ code: 'ERR_ID_TAKEN' })
    expect((await ada.get('/')).json()).toEqual({ user: 'ada' })
  })

  it.each(implementations)(
    'may be the same again for a visitor who begins anew, on $name',
    async (implementation) => {
      const { store, browser } = await program(
        {
          '/renew': (req, res) =>
            void at(req).session.regenerate(() => {
              at(req).session.user = 'bob'
              res.json({})
            }),
        },
        { genid: () => 'constant' },
        implementation,
      )
      const ada = browser()
      await ada.get('/set?user=ada')
      await ada.get('/renew')
      expect((await ada.get('/')).json()).toEqual({ user: 'bob' })
      expect([...store.kept.keys()]).toEqual(['constant'])
    },
  )

  it('joins them under express-session', async () => {
    const { browser } = await program({}, { genid: () => 'constant' }, real)
    const [ada, eve] = [browser(), browser()]
    await ada.get('/set?user=ada')
    await eve.get('/set?cart=coat')
    expect((await ada.get('/')).json()).toEqual({ cart: 'coat' })
  })
})
