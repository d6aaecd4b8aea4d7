// A program as the users of express-session and its types write it. Only the package name is new.
import type { EventEmitter } from 'node:events'
import session, {
  Cookie,
  type CookieOptions,
  MemoryStore,
  type Session,
  type SessionData,
  type SessionOptions,
  type Store,
} from 'coatcheck/express-session'
import express, { type Request, type RequestHandler } from 'express'

interface User {
  id: number
  name: string
}

declare module 'coatcheck/express-session' {
  interface SessionData {
    views: number
    user: User
    flash: { [type: string]: string[] }
  }
}

const cookie: CookieOptions = {
  path: '/',
  domain: 'example.com',
  httpOnly: true,
  secure: 'auto',
  maxAge: 60_000,
  sameSite: 'lax',
  partitioned: true,
  priority: 'high',
}
const store: Store = new MemoryStore()
const options: SessionOptions = {
  secret: ['new', Buffer.from('old')],
  name: 'sid',
  genid: (req) => String(req.headers['x-id']),
  resave: false,
  saveUninitialized: false,
  rolling: true,
  proxy: undefined,
  unset: 'destroy',
  store,
  cookie,
}
const production = process.env.NODE_ENV === 'production'
const sess: session.SessionOptions = { secret: 'keyboard cat', cookie: {} }
if (production && sess.cookie && typeof sess.cookie !== 'function') sess.cookie.secure = true

const middleware: RequestHandler = session(options)
const app = express()
app.use(middleware)
app.use('/admin', session(sess), express.json())
app.use(session())
app.use(
  session({
    secret: 'a secret',
    genid(req: Request) {
      return req.hostname
    },
    cookie: (req) => ({ secure: req.secure || false, path: req.url, maxAge: 60_000 }),
  }),
)
express
  .Router()
  .use(session({ secret: 'a secret', cookie: (req: Request) => ({ path: req.path }) }))

app.get('/', (req, res) => {
  // @ts-expect-error TS2322: a field is optional, since a session can be new
  const surely: number = req.session.views
  req.session.views = (req.session.views ?? 0) + 1
  // @ts-expect-error TS2322: a field has one type
  req.session.user = 'ada'
  // @ts-expect-error TS2551: a field that nobody declared
  req.session.usr = undefined
  if (req.session.user) return void res.send(req.session.user.name)

  req.session.cookie.maxAge = 60_000
  req.session.cookie.expires = new Date(Date.now() + 60_000)
  req.session.cookie.expires = null
  req.session.cookie.secure = true
  req.session.cookie.sameSite = 'none'
  const left: number | null = req.session.cookie.maxAge ?? req.session.cookie.originalMaxAge
  const id: string = req.session.id
  const sameId: string = req.sessionID
  res.json({ surely, left, id, sameId })
})

app.post('/sign-in', (req, res, next) => {
  req.session.regenerate((err) => {
    if (err) next(err)
    req.session.user = { id: 1, name: req.body.name }
    req.session.save((err) => {
      if (err) return next(err)
      res.redirect('/')
    })
  })
})

app.post('/sign-out', (req, res, next) => {
  req.session.reload((err: Error | undefined) => console.log(err?.message))
  req.session.touch()
  req.session.resetMaxAge()
  req.session.save()
  req.session.save((err) => {
    if (err) console.error(err.message, err.code)
  })
  req.session.save(next)
  req.session.destroy(() => res.redirect('/'))
})

app.post('/promised', async (req, res) => {
  await new Promise<void>((resolve, reject) => {
    req.session.save((err) => (err ? reject(err) : resolve()))
  })
  await new Promise((resolve) => req.session.destroy(resolve))
  res.end()
})

app.get('/store', (req, res) => {
  const own: Store = req.sessionStore
  own.get(req.sessionID, (err, found) => {
    if (err) return void res.status(500).send(err.message)
    const user: User | undefined = found?.user
    if (found) own.createSession(req, found).save()
    return void res.json(user)
  })
  req.sessionStore.set(req.sessionID, req.session as SessionData, (err) => console.log(err))
  req.sessionStore.destroy(req.sessionID, (err) => console.log(err?.message))
  req.sessionStore.destroy(req.sessionID)
  req.sessionStore.all?.((err, sessions) => console.log(err, Object.keys(sessions ?? {})))
  req.sessionStore.length?.((err, length) => console.log(err, length))
  req.sessionStore.clear?.((err) => console.log(err))
  req.sessionStore.touch?.(req.sessionID, req.session as SessionData, () => {})
  req.sessionStore.load(req.sessionID, (err, found) => console.log(err, found?.views))
  req.sessionStore.regenerate(req, (err) => console.log(err))
  req.sessionStore.generate(req)
  req.sessionStore.on('disconnect', () => {})
})

/** What sockets carry: a request that has passed the middleware. */
export interface SocketRequest extends Request {
  session: session.Session & Partial<session.SessionData>
}
export type Current = Session & Partial<SessionData>
export const signedIn = (req: Request): boolean => req.session.user !== undefined
export const plain: session.Cookie = new Cookie()
export const emitter: EventEmitter = new session.MemoryStore()
