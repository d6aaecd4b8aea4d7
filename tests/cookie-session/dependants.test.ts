import { createRequire } from 'node:module'
import express, { type ErrorRequestHandler, type RequestHandler } from 'express'
import { describe, expect, it } from 'vitest'
import { CookieClient } from '../../src/testing/index.js'
import { serve } from '../support/serve.js'
import { dropIn, implementations, type OldRequest } from './implementations.js'
import { sessionOf } from './program.js'

const require = createRequire(import.meta.url)
const KEYS = { keys: ['a key'] }

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
const of = (req: object) => req as PassportRequest & OldRequest

const { Strategy } = require('passport-local') as {
  Strategy: new (verify: (name: string, password: string, done: Done<User>) => void) => object
}
const ADA: User = { id: 1, name: 'ada' }

/** A cart, a form and a way out. */
async function shop(
  version: string,
  keepSessionInfo: boolean,
  options: object,
): Promise<CookieClient> {
  const passport = new (require(version) as { Passport: new () => Passport }).Passport()
  passport.use(
    new Strategy((name, password, done) => {
      done(null, name === ADA.name && password === 'right' && ADA)
    }),
  )
  passport.serializeUser((user, done) => done(null, user.id))
  passport.deserializeUser((id, done) => done(null, id === ADA.id && ADA))
  const app = express()
  app.use(express.urlencoded(), dropIn.session(options))
  app.use(passport.initialize(), passport.session())
  app.get('/cart', (req, res) => {
    sessionOf(of(req)).cart = ['coat']
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
    res.json({ name: of(req).user?.name, keys: Object.keys(sessionOf(of(req))) })
  })
  const onError: ErrorRequestHandler = (error, _req, res, _next) => {
    res.status(500).json({ message: error.message })
  }
  app.use(onError)
  const { origin } = await serve(app)
  return new CookieClient(origin)
}

const form = (password: string) => ({
  body: new URLSearchParams({ username: 'ada', password }),
})

const encrypted = { keys: ['a key of cookie-session, of 32 bytes'], encrypt: true }

describe.each(['passport05', 'passport06', 'passport'])('%s', (version) => {
  it.each([
    [true, 'signed', KEYS],
    [false, 'signed', KEYS],
    [true, 'encrypted', encrypted],
    [false, 'encrypted', encrypted],
  ])(
    'signs in and out, with keepSessionInfo: %s, in a cookie that is %s',
    async (keeps, _, how) => {
      const browser = await shop(version, keeps, { ...how })
      await browser.get('/cart')
      expect((await browser.post('/login', form('wrong'))).status).toBe(401)
      expect((await browser.post('/login', form('right'))).json()).toEqual(ADA)
      const keysOf = async () => (await browser.get('/')).json<{ name?: string; keys: string[] }>()
      const signedIn = await keysOf()
      // 0.5 knows no other session, and so loses nothing.
      const keptAtLogin = keeps || version === 'passport05'
      expect(signedIn.name).toBe('ada')
      expect(signedIn.keys.toSorted()).toEqual(keptAtLogin ? ['cart', 'passport'] : ['passport'])
      await browser.get('/cart')
      const before = browser.clone()
      expect((await browser.post('/logout')).status).toBe(200)
      const signedOut = await keysOf()
      expect(signedOut.name).toBeUndefined()
      expect(signedOut.keys.includes('cart')).toBe(keptAtLogin)
      // Nothing here can end a copy of a cookie.
      expect((await before.get('/')).json<{ name: string }>().name).toBe('ada')
    },
  )
})

describe.each(implementations)('connect-flash on $name', (implementation) => {
  it('shows a message after the redirect, once', async () => {
    const flash = require('connect-flash') as () => RequestHandler
    const app = express()
    app.use(implementation.session({ ...KEYS }), flash())
    const flashOf = (req: object) => (req as { flash(...given: string[]): unknown }).flash
    app.post('/orders', (req, res) => {
      flashOf(req).call(req, 'info', 'Order 7 is in.')
      res.redirect('/')
    })
    app.get('/', (req, res) => void res.json(flashOf(req).call(req, 'info')))
    const { origin } = await serve(app)
    const browser = new CookieClient(origin)
    const shown = await browser.request('/orders', { method: 'POST', redirect: 'follow' })
    expect(shown.json()).toEqual(['Order 7 is in.'])
    expect((await browser.get('/')).json()).toEqual([])
  })
})
