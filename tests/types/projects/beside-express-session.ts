// A program on its way from express-session, with the types of both.
import { session } from 'coatcheck'
import express from 'express'
import legacy from 'express-session'

declare module 'express-session' {
  interface SessionData {
    views: number
  }
}

const app = express()
const sessions = session<{ theme: string }>({
  secret: 'a secret of at least thirty-two bytes',
  property: 'second',
})
app.use(legacy({ secret: 'a secret' }), sessions)
app.get('/', (req, res) => {
  const views: number | undefined = req.session.views
  const store: Express.SessionStore = req.sessionStore
  const theme: string | undefined = sessions.of(req).session.theme
  // @ts-expect-error TS2322: a field has one type
  req.session.views = 'many'
  res.json({ views, theme, store: store.constructor.name })
})
