// Both faces in one program: `req.session` is the drop-in's, and `sessions.of(req)` has the other.
import { type Session, session } from 'coatcheck'
import dropIn from 'coatcheck/express-session'
import express from 'express'

declare module 'coatcheck/express-session' {
  interface SessionData {
    views: number
  }
}

const sessions = session<{ theme: string }>({
  secret: 'a secret of at least thirty-two bytes',
  property: 'second',
})
const app = express()
app.use(dropIn({ secret: 'a secret' }), sessions)
app.get('/', async (req, res) => {
  const views: number | undefined = req.session.views
  // @ts-expect-error TS2322: a field has one type
  req.session.views = 'many'
  await req.session.save()
  const second: Session<{ theme: string }> = sessions.of(req).session
  res.json({ views, theme: second.theme, id: req.sessionID })
})
