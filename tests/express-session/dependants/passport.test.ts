import express, { type Express, type RequestHandler } from 'express'
import express4 from 'express4'
import { describe, expect, it } from 'vitest'
import type { CookieClient } from '../../../src/testing/index.js'
import { faces, requireHere, type Served, serveFace, sessionOf } from './faces.js'

interface User {
  readonly id: number
  readonly name: string
}
type Done<Value> = (error: null, value: Value | false, info?: { message: string }) => void

/** What is used of Passport, in every version. */
interface Passport {
  use(strategy: object): void
  initialize(): RequestHandler
  session(): RequestHandler
  serializeUser(how: (user: User, done: Done<number>) => void): void
  deserializeUser(how: (id: number, done: Done<User>) => void): void
  authenticate(strategy: string, options: object): RequestHandler
}
interface PassportRequest {
  readonly user?: User
  isAuthenticated(): boolean
  logout(options?: object, done?: (error?: unknown) => void): void
}
type Verify = (name: string, password: string, done: Done<User>) => void

const { Strategy } = requireHere('passport-local') as { Strategy: new (verify: Verify) => object }
const passportOf = (name: string): Passport =>
  new (requireHere(name) as { Passport: new () => Passport }).Passport()
const of = (req: object) => req as PassportRequest

const DAY = 24 * 60 * 60 * 1000

const users: User[] = [{ id: 1, name: 'ada' }]
const userBy = (key: keyof User, value: string | number) =>
  users.find((user) => user[key] === value) ?? false

/** An app in the way of Passport's own pages: a cart, a private page, a form, a way out. */
async function shop(given: Combination, keepSessionInfo = false): Promise<Served> {
  const passport = passportOf(given.version)
  passport.use(
    new Strategy((name, password, done) => {
      if (password === 'right') done(null, userBy('name', name))
      else done(null, false, { message: 'Wrong name or password.' })
    }),
  )
  passport.serializeUser((user, done) => done(null, user.id))
  passport.deserializeUser((id, done) => done(null, userBy('id', id)))

  const routes = (app: Express) => {
    app.use(passport.initialize(), passport.session())
    app.get('/', (req, res) => {
      res.json({ name: of(req).user?.name, cart: sessionOf(req).cart })
    })
    app.get('/cart/:thing', (req, res) => {
      sessionOf(req).cart = [req.params.thing]
      res.end()
    })
    app.get('/remember', (req, res) => {
      const { cookie } = sessionOf(req) as unknown as { cookie: { maxAge: number } }
      cookie.maxAge = 30 * DAY
      sessionOf(req).remembered = true
      res.end()
    })
    app.get('/for-in', (req, res) => {
      const keys: string[] = []
      for (const key in sessionOf(req)) keys.push(key)
      res.json(keys.sort())
    })
    app.get('/private', (req, res) => {
      if (of(req).isAuthenticated()) return void res.json('private')
      sessionOf(req).returnTo = req.originalUrl
      res.redirect('/login')
    })
    app.get('/login', (req, res) => void res.json(sessionOf(req).messages ?? []))
    app.post(
      '/login',
      passport.authenticate('local', {
        successReturnToOrRedirect: '/',
        failureRedirect: '/login',
        failureMessage: true,
        keepSessionInfo,
      }),
    )
    app.post('/logout', (req, res, next) => {
      const done = (error?: unknown) => (error ? next(error) : res.redirect('/'))
      // Before 0.6 a logout was one change of the session, and called nobody back.
      if (given.version === 'passport05') {
        of(req).logout()
        done()
      } else of(req).logout({ keepSessionInfo }, done)
    })
  }
  return serveFace(given.face, routes, { make: given.make })
}

const login = (browser: CookieClient, password = 'right') =>
  browser.post('/login', { body: { username: 'ada', password }, redirect: 'follow' })
const right = { body: { username: 'ada', password: 'right' } }
const logout = (browser: CookieClient) => browser.post('/logout', { redirect: 'follow' })
const page = async (browser: CookieClient, request = {}) => (await browser.get('/', request)).json()

const NOBODY = {}
const versions = [
  { version: 'passport', what: 'Passport 0.7', host: 'Express 5', make: express },
  {
    version: 'passport',
    what: 'Passport 0.7',
    host: 'Express 4',
    make: express4 as unknown as () => Express,
  },
  { version: 'passport06', what: 'Passport 0.6', host: 'Express 5', make: express },
]
type Combination = (typeof versions)[number] & { face: (typeof faces)[number]; on: string }
const over = (list: typeof versions): Combination[] =>
  faces.flatMap((face) => list.map((version) => ({ ...version, face, on: face.name })))

describe.each(over(versions))('$what and passport-local on $on, $host', (given) => {
  it('signs in, keeps somebody signed in, and signs out', async () => {
    const app = await shop(given)
    const browser = app.browser()
    expect((await login(browser)).json()).toEqual({ name: 'ada' })
    expect((await browser.get('/private')).json()).toBe('private')
    expect(await page(browser)).toEqual({ name: 'ada' })
    expect((await logout(browser)).json()).toEqual(NOBODY)
    expect(await page(browser)).toEqual(NOBODY)
    // And in again, with the cookie that is left.
    expect((await login(browser)).json()).toEqual({ name: 'ada' })
  })

  it('has another id from the login on, and the old one opens nothing', async () => {
    const app = await shop(given, true)
    const browser = app.browser()
    await browser.get('/cart/coat')
    const planted = app.stolen(browser)
    await login(browser)
    expect(app.stolen(browser)).not.toEqual(planted)
    expect(await page(app.browser(), planted)).toEqual(NOBODY)
    expect(await page(browser)).toEqual({ name: 'ada', cart: ['coat'] })
  })

  it.each([true, false])('has ended the id of the login after the logout', async (keep) => {
    const app = await shop(given, keep)
    const browser = app.browser()
    await login(browser)
    await browser.get('/cart/coat')
    const stolen = app.stolen(browser)
    await logout(browser)
    expect(await page(app.browser(), stolen)).toEqual(NOBODY)
  })

  it('drops at login and at logout what the session held, unless asked to keep it', async () => {
    const browser = (await shop(given)).browser()
    await browser.get('/cart/coat')
    expect((await login(browser)).json()).toEqual({ name: 'ada' })
    await browser.get('/cart/hat')
    expect((await logout(browser)).json()).toEqual(NOBODY)
  })

  it('keeps at login and at logout what the session held, with keepSessionInfo', async () => {
    const browser = (await shop(given, true)).browser()
    await browser.get('/cart/coat')
    expect((await login(browser)).json()).toEqual({ name: 'ada', cart: ['coat'] })
    expect((await logout(browser)).json()).toEqual({ cart: ['coat'] })
    expect(await page(browser)).toEqual({ cart: ['coat'] })
  })

  // It copies what for...in finds, so methods and the id must not be among it.
  it('copies data, and with it the cookie where that is a property, by keepSessionInfo', async () => {
    const browser = (await shop(given, true)).browser()
    await browser.get('/cart/coat')
    await login(browser)
    const kept = given.on === 'session()' ? ['cart', 'passport'] : ['cart', 'cookie', 'passport']
    expect((await browser.get('/for-in')).json()).toEqual(kept)
    await logout(browser)
    expect((await browser.get('/for-in')).json()).toEqual(kept)
  })

  it('collects the messages of failed logins in the session', async () => {
    const browser = (await shop(given)).browser()
    const wrong = 'Wrong name or password.'
    expect((await login(browser, 'wrong')).json()).toEqual([wrong])
    expect((await login(browser, 'wrong')).json()).toEqual([wrong, wrong])
    expect((await login(browser)).json()).toEqual({ name: 'ada' })
    expect((await browser.get('/login')).json()).toEqual([])
  })

  it('goes back after the login to the page that asked for it', async () => {
    const browser = (await shop(given, true)).browser()
    expect((await browser.get('/private')).headers.location).toBe('/login')
    expect((await login(browser)).json()).toBe('private')
    // Once: it is not in the session any more.
    expect((await login(browser)).json()).toEqual({ name: 'ada' })
  })

  it('forgets that page without keepSessionInfo, as Passport documents it', async () => {
    const browser = (await shop(given)).browser()
    await browser.get('/private')
    expect((await login(browser)).json()).toEqual({ name: 'ada' })
  })
})

describe.each(over(versions).filter(({ on }) => on !== 'session()'))(
  'keepSessionInfo of $what on $on, $host',
  (given) => {
    it('takes the lifetime along, since it copies the cookie object itself', async () => {
      const browser = (await shop(given, true)).browser()
      await browser.get('/remember')
      const [line] = (await browser.post('/login', right)).setCookies
      const [, date] = /; Expires=([^;]+)/.exec(line ?? '') ?? []
      expect(Math.round((Date.parse(date!) - Date.now()) / DAY)).toBe(30)
      browser.dropSessionCookies()
      expect(await page(browser)).toEqual({ name: 'ada' })
    })
  },
)

const passport05 = [
  { version: 'passport05', what: 'Passport 0.5', host: 'Express 5', make: express },
]

describe.each(over(passport05))('$what and passport-local on $on, $host', (given) => {
  it('signs in with all that the session held, and out', async () => {
    const app = await shop(given)
    const browser = app.browser()
    await browser.get('/cart/coat')
    await browser.get('/private')
    expect((await login(browser)).json()).toBe('private')
    expect(await page(browser)).toEqual({ name: 'ada', cart: ['coat'] })
    expect((await login(browser, 'wrong')).json()).toEqual(['Wrong name or password.'])
    expect((await logout(browser)).json()).toEqual({ cart: ['coat'] })
  })

  it('keeps the id at the login, unless the middleware knows of logins', async () => {
    const app = await shop(given)
    const browser = app.browser()
    await browser.get('/cart/coat')
    const planted = app.stolen(browser)
    await login(browser)
    const native = given.on === 'session()'
    expect(app.stolen(browser).headers.cookie !== planted.headers.cookie).toBe(native)
    const seen = native ? NOBODY : { name: 'ada', cart: ['coat'] }
    expect(await page(app.browser(), planted)).toEqual(seen)
  })
})
