import type { IncomingMessage } from 'node:http'
import type { Express, RequestHandler } from 'express'
import mongoose from 'mongoose'
import passport07 from 'passport'
import passport05 from 'passport05'
import passport06 from 'passport06'
import { describe, expect, it } from 'vitest'
import type { SessionManager } from '../../src/index.js'
import { type AnyData, serveApp } from '../support/serve.js'

type Login = (app: Express, sessions: SessionManager<AnyData>) => void

const User = mongoose.model('Visitor', new mongoose.Schema({ name: String }))
const ada = new User({ _id: '64b000000000000000000001', name: 'Ada' })

/** A login by assignment: what a handler does to the session. */
const assigning =
  (assign: (session: AnyData) => void): Login =>
  (app, sessions) => {
    app.get('/login', (req, res) => {
      assign(sessions.of(req).session)
      res.end()
    })
  }

/** What is used of Passport, in every version. */
interface PassportLike {
  initialize(): RequestHandler
  session(): RequestHandler
  serializeUser(how: (user: unknown, done: (error: null, id: unknown) => void) => void): void
  deserializeUser(how: (id: unknown, done: (error: null, user: unknown) => void) => void): void
}

const passport =
  (Passport: new () => PassportLike, options: object = {}): Login =>
  (app) => {
    const instance = new Passport()
    instance.serializeUser((user, done) => done(null, (user as { id: number }).id))
    instance.deserializeUser((id, done) => done(null, { id }))
    app.use(instance.initialize(), instance.session())
    type Req = IncomingMessage & {
      login(user: object, options: object, done: (error: unknown) => void): void
    }
    app.get('/login', (req, res, next) => {
      const done = (error: unknown) => (error ? next(error) : res.redirect('/'))
      ;(req as unknown as Req).login({ id: 7 }, options, done)
    })
  }

const classOf = (instance: object) => (instance as { Passport: new () => PassportLike }).Passport

const styles: [string, Login, AnyData][] = [
  ['userId', assigning((session) => Object.assign(session, { userId: 7 })), { userId: 7 }],
  [
    'a user object',
    assigning((session) => Object.assign(session, { user: { id: 7, name: 'Ada' } })),
    { user: { id: 7, name: 'Ada' } },
  ],
  [
    'a Mongoose document',
    assigning((session) => Object.assign(session, { user: ada })),
    { user: { _id: '64b000000000000000000001', name: 'Ada' } },
  ],
  [
    'an ObjectId of Mongoose',
    assigning((session) => Object.assign(session, { userId: ada._id })),
    { userId: '64b000000000000000000001' },
  ],
  [
    'a flag',
    assigning((session) => Object.assign(session, { loggedIn: true })),
    { loggedIn: true },
  ],
  ['Passport 0.5', passport(classOf(passport05)), { passport: { user: 7 } }],
  ['Passport 0.6', passport(classOf(passport06)), { passport: { user: 7 } }],
  ['Passport 0.7', passport(classOf(passport07)), { passport: { user: 7 } }],
  [
    'Passport 0.7 that keeps the session',
    passport(classOf(passport07), { keepSessionInfo: true }),
    { cart: 1, passport: { user: 7 } },
  ],
]

/** An app in which a visitor has a cart before the login, and its cookie was planted or seen. */
async function plantedLogin(login: Login) {
  const made = await serveApp((app, sessions) => {
    app.get('/cart', (req, res) => {
      sessions.of(req).session.cart = 1
      res.end()
    })
    app.get('/id', (req, res) => void res.end(sessions.of(req).session.id))
    app.get('/rename', (req, res) => {
      const { user } = sessions.of(req).session
      Object.assign(user as object, { name: 'Countess' })
      res.end()
    })
    login(app, sessions)
  })
  const visitor = made.browser()
  await visitor.get('/cart')
  const planted = { headers: { cookie: visitor.jar.header(`${made.origin}/`)! } }
  return { ...made, visitor, planted }
}

describe('a login by', () => {
  it.each(styles)(
    '%s has another id than whoever planted the cookie',
    async (_name, login, data) => {
      const { visitor, planted, browser, origin } = await plantedLogin(login)
      const answer = await visitor.get('/login')
      expect(answer.setCookies).toHaveLength(1)
      expect(visitor.jar.header(`${origin}/`)).not.toBe(planted.headers.cookie)
      expect((await visitor.get('/')).json()).toMatchObject(data)
      expect((await browser().get('/', planted)).json()).toEqual({})
    },
  )

  it.each(styles)('%s keeps its id from then on', async (_name, login) => {
    const { visitor } = await plantedLogin(login)
    await visitor.get('/login')
    const before = (await visitor.get('/id')).text()
    await visitor.get('/cart')
    expect((await visitor.get('/id')).text()).toBe(before)
  })
})

describe('a user who is renamed', () => {
  it.each(styles.filter(([, , { user }]) => user !== undefined))(
    'keeps the id: %s',
    async (_name, login) => {
      const { visitor } = await plantedLogin(login)
      await visitor.get('/login')
      const before = (await visitor.get('/id')).text()
      expect((await visitor.get('/rename')).setCookies).toEqual([])
      expect((await visitor.get('/id')).text()).toBe(before)
      expect((await visitor.get('/')).json()).toMatchObject({ user: { name: 'Countess' } })
    },
  )
})
