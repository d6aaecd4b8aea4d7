// A program that was written for `@types/cookie-session`.
import cookieSession from 'coatcheck/cookie-session'
import express, { type RequestHandler } from 'express'

declare global {
  namespace CookieSessionInterfaces {
    interface CookieSessionObject {
      views: number
    }
  }
}

const middleware: RequestHandler = cookieSession({
  name: 'session',
  keys: ['key-new', 'key-old'],
  maxAge: 60_000,
  sameSite: 'lax',
  secure: false,
  signed: true,
  overwrite: true,
})
const app = express()
app.use(middleware, cookieSession({ secret: 'a secret', expires: new Date(0), sameSite: true }))
app.get('/', (req, res) => {
  req.sessionOptions.maxAge = req.session?.remembered ? 1000 : 10
  if (!req.session) return void res.end()
  req.session.views = (req.session.views || 0) + 1
  // @ts-expect-error TS2322: a field has one type
  req.session.views = 'many'
  req.session.user = { name: 'ada' }
  const name: string = req.session.user.name
  const isNew: boolean | undefined = req.session.isNew
  res.json({ isNew, name, other: [req.session.isChanged, req.session.isPopulated] })
})
app.get('/new', (req, _res) => {
  req.session = { views: 1, user: { name: 'ada' } }
})
app.get('/end', (req, res) => {
  req.session = null
  res.end()
})
