import { createRequire } from 'node:module'
import express, { type RequestHandler } from 'express'
import { describe, expect, it } from 'vitest'
import { MemoryStore, session, type TokenSessionOptions } from '../../src/index.js'
import { CookieClient } from '../../src/testing/index.js'
import { type AnyData, serve } from '../support/serve.js'
import { clockAt, kinds } from './clients.js'

const require = createRequire(import.meta.url)

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
  logout(options: object, done: (error?: unknown) => void): void
}
const of = (req: object) => req as PassportRequest

const { Passport } = require('passport') as { Passport: new () => Passport }
const { Strategy } = require('passport-local') as {
  Strategy: new (verify: (name: string, password: string, done: Done<User>) => void) => object
}
const ADA: User = { id: 1, name: 'ada' }

/** A cart of some bytes, a form and a way out. */
async function shop(options: TokenSessionOptions<AnyData>, keepSessionInfo: boolean) {
  const passport = new Passport()
  passport.use(
    new Strategy((name, password, done) => {
      done(null, name === ADA.name && password === 'right' && ADA)
    }),
  )
  passport.serializeUser((user, done) => done(null, user.id))
  passport.deserializeUser((id, done) => done(null, id === ADA.id && ADA))
  const sessions = session<AnyData>(options)
  const app = express()
  app.use(express.urlencoded(), sessions, passport.initialize(), passport.session())
  app.get('/cart/:bytes', (req, res) => {
    sessions.of(req).session.cart = 'x'.repeat(Number(req.params.bytes))
    res.end()
  })
  app.post('/login', passport.authenticate('local', { keepSessionInfo }), (req, res) => {
    res.json(of(req).user)
  })
  app.post('/logout', (req, res, next) => {
    of(req).logout({ keepSessionInfo }, (error) => (error ? next(error) : res.end()))
  })
  app.get('/', (req, res) => {
    res.json({ name: of(req).user?.name, keys: Object.keys(sessions.of(req).session) })
  })
  const { origin } = await serve(app)
  return new CookieClient(origin, { clock: options.clock! })
}

const form = (password: string) => ({
  body: new URLSearchParams({ username: 'ada', password }),
})

describe.each(kinds)('Passport on sessions in their cookies: $name', ({ make }) => {
  const clock = clockAt()
  const store = () => new MemoryStore({ clock })
  it.each([
    ['and nothing else', 10, () => ({})],
    ['a list of the revoked', 10, () => ({ revocations: store() })],
    ['a store for large ones', 5000, () => ({ overflow: store() })],
    ['both', 5000, () => ({ overflow: store(), revocations: store() })],
  ])('signs in and out, with %s', async (_, bytes, beside) => {
    for (const keeps of [true, false]) {
      const options = { store: make(), clock, ...beside() }
      const browser = await shop(options, keeps)
      const seen = async (client = browser) =>
        (await client.get('/')).json<{ name?: string; keys: string[] }>()
      await browser.get(`/cart/${bytes}`)
      const stranger = browser.clone()
      expect((await browser.post('/login', form('wrong'))).status).toBe(401)
      expect((await browser.post('/login', form('right'))).json()).toEqual(ADA)
      expect(await seen()).toEqual({
        name: 'ada',
        keys: keeps ? ['cart', 'passport'] : ['passport'],
      })
      // From before the sign-in: it names nobody, and where anybody can tell, nothing.
      const isKnown = 'revocations' in options || 'overflow' in options
      expect(await seen(stranger)).toEqual({ keys: isKnown ? [] : ['cart'] })
      const before = browser.clone()
      expect((await browser.post('/logout')).status).toBe(200)
      expect(await seen()).toEqual({ keys: keeps ? ['cart', 'passport'] : [] })
      const isLost = isKnown ? undefined : 'ada'
      expect((await seen(before)).name).toBe(isLost)
    }
  })
})
