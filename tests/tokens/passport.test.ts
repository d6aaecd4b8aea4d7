import { createRequire } from 'node:module'
import express, { type ErrorRequestHandler, type RequestHandler } from 'express'
import { describe, expect, it } from 'vitest'
import { bearer, session, type TokenStore } from '../../src/index.js'
import { CookieStore } from '../../src/stores/cookie.js'
import { JwtStore } from '../../src/stores/jwt.js'
import { CookieClient } from '../../src/testing/index.js'
import { type AnyData, serve } from '../support/serve.js'

const require = createRequire(import.meta.url)
const KEY = 'a key of the token stores, of 32 bytes and more'

type Done<Value> = (error: null, value: Value | false) => void
interface User {
  readonly id: number
  readonly name: string
}
interface Passport {
  use(strategy: object): void
  initialize(): RequestHandler
  session(): RequestHandler
  serializeUser(how: (user: User, done: Done<number>) => void): void
  deserializeUser(how: (id: number, done: Done<User>) => void): void
  authenticate(strategy: string, options?: object): RequestHandler
}
interface PassportRequest {
  readonly user?: User
  logout(options?: object, done?: (error?: unknown) => void): void
}
const of = (req: object) => req as PassportRequest

const { Strategy } = require('passport-local') as {
  Strategy: new (verify: (name: string, password: string, done: Done<User>) => void) => object
}
const USERS: readonly User[] = [
  { id: 1, name: 'ada' },
  { id: 2, name: 'bob' },
]

interface ShopOptions {
  readonly store: TokenStore
  readonly version: string
  readonly keepSessionInfo: boolean
  readonly transport?: ReturnType<typeof bearer>
}

/** A cart, a form and a way out. */
async function shop({ store, version, keepSessionInfo, ...options }: ShopOptions) {
  const sessions = session<AnyData>({ store, ...options })
  const renewals: string[] = []
  sessions.on('renew', ({ reason, user }) => void renewals.push(`${reason} ${user ?? ''}`.trim()))
  sessions.on('destroy', ({ reason }) => void renewals.push(`destroy ${reason}`))
  const passport = new (require(version) as { Passport: new () => Passport }).Passport()
  passport.use(
    new Strategy((name, password, done) => {
      done(null, (password === 'right' && USERS.find((user) => user.name === name)) || false)
    }),
  )
  passport.serializeUser((user, done) => done(null, user.id))
  passport.deserializeUser((id, done) => done(null, USERS.find((user) => user.id === id) ?? false))
  const app = express()
  app.use(express.urlencoded(), sessions, passport.initialize(), passport.session())
  const dataOf = (req: object) => sessions.of(req).session
  app.get('/cart', (req, res) => {
    dataOf(req).cart = ['coat']
    res.end()
  })
  app.post('/login', passport.authenticate('local', { keepSessionInfo }), (req, res) => {
    res.json(of(req).user)
  })
  app.post('/logout', (req, res, next) => {
    const done = (error?: unknown) =>
      error === undefined || error === null ? res.end() : next(error)
    if (version === 'passport05') {
      of(req).logout()
      return done()
    }
    of(req).logout({ keepSessionInfo }, done)
  })
  app.get('/', (req, res) => {
    const { id } = dataOf(req)
    res.json({ name: of(req).user?.name, keys: Object.keys(dataOf(req)).toSorted(), id })
  })
  const onError: ErrorRequestHandler = (error, _req, res, _next) => {
    res.status(500).json({ message: error.message })
  }
  app.use(onError)
  const { origin } = await serve(app)
  return { origin, renewals, browser: () => new CookieClient(origin) }
}

interface Shown {
  readonly name?: string
  readonly keys: string[]
  readonly id: string
}

const form = (username: string, password = 'right') => ({
  body: new URLSearchParams({ username, password }),
})
const shownTo = async (browser: CookieClient) => (await browser.get('/')).json<Shown>()

const stores = [
  { name: 'CookieStore', make: (): TokenStore => new CookieStore({ keys: KEY }) },
  { name: 'JwtStore', make: (): TokenStore => new JwtStore({ keys: KEY }) },
]
const versions = ['passport05', 'passport06', 'passport']
const cases = stores.flatMap((store) =>
  versions.flatMap((version) =>
    [true, false].map((keeps) => [store.name, version, keeps, store.make] as const),
  ),
)

describe('Passport with sessions in their tokens', () => {
  it.each(cases)(
    'signs in and out: %s, %s, with keepSessionInfo: %s',
    async (_, version, keeps, make) => {
      const { browser, renewals } = await shop({ store: make(), version, keepSessionInfo: keeps })
      const ada = browser()
      await ada.get('/cart')
      const before = await shownTo(ada)
      expect((await ada.post('/login', form('ada', 'wrong'))).status).toBe(401)
      expect(await shownTo(ada)).toEqual(before)
      expect((await ada.post('/login', form('ada'))).json()).toEqual(USERS[0])
      const signedIn = await shownTo(ada)
      // 0.5 knows no other session, and so loses nothing.
      const isKept = keeps || version === 'passport05'
      expect(signedIn).toMatchObject({
        name: 'ada',
        keys: isKept ? ['cart', 'passport'] : ['passport'],
      })
      expect(signedIn.id).not.toBe(before.id)
      await ada.get('/cart')
      expect((await shownTo(ada)).id).toBe(signedIn.id)

      const copy = ada.clone()
      expect((await ada.post('/logout')).status).toBe(200)
      const signedOut = await shownTo(ada)
      expect(signedOut.name).toBeUndefined()
      expect(signedOut.keys.includes('cart')).toBe(isKept)
      expect(signedOut.id).not.toBe(signedIn.id)
      // Nothing here can end a copy of a token.
      expect((await shownTo(copy)).name).toBe('ada')
      // Without what is kept nothing is left of the session.
      expect(renewals).toEqual(['login 1', 'logout', ...(isKept ? [] : ['destroy logout'])])
    },
  )

  it.each(cases)(
    'switches users: %s, %s, with keepSessionInfo: %s',
    async (_, version, keeps, make) => {
      const { browser, renewals } = await shop({ store: make(), version, keepSessionInfo: keeps })
      const visitor = browser()
      await visitor.post('/login', form('ada'))
      const first = await shownTo(visitor)
      await visitor.post('/login', form('bob'))
      const second = await shownTo(visitor)
      expect([first.name, second.name]).toEqual(['ada', 'bob'])
      expect(second.id).not.toBe(first.id)
      expect(renewals).toEqual(['switch 2'])
    },
  )

  it('leads to no session under the cookie from before the sign-in', async () => {
    for (const { make } of stores) {
      const { browser } = await shop({
        store: make(),
        version: 'passport',
        keepSessionInfo: true,
      })
      const planted = browser()
      await planted.get('/cart')
      const victim = planted.clone()
      await victim.post('/login', form('ada'))
      const left = await shownTo(planted)
      expect([left.name, left.keys]).toEqual([undefined, ['cart']])
    }
  })

  it.each(cases)(
    'works with tokens in Authorization: %s, %s, with keepSessionInfo: %s',
    async (_, version, keeps, make) => {
      const transport = bearer({ header: 'Session-Token' })
      const { origin } = await shop({ store: make(), version, keepSessionInfo: keeps, transport })
      let token = ''
      const ask = async (path: string, init: RequestInit = {}) => {
        const headers = token === '' ? {} : { authorization: `Bearer ${token}` }
        const response = await fetch(origin + path, { ...init, headers })
        token = response.headers.get('Session-Token') ?? token
        expect(response.headers.getSetCookie()).toEqual([])
        return response
      }
      expect((await ask('/login', { method: 'POST', ...form('ada') })).status).toBe(200)
      expect((await (await ask('/')).json()).name).toBe('ada')
      await ask('/cart')
      expect((await (await ask('/')).json()).keys).toEqual(['cart', 'passport'])
      expect((await ask('/logout', { method: 'POST' })).status).toBe(200)
    },
  )
})
