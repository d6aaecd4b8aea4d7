// The same in Express 4.
import session from 'coatcheck/express-session'
import express, { type RequestHandler } from 'express4'

declare module 'coatcheck/express-session' {
  interface Session {
    views: number
  }
  export interface SessionData {
    user: { [key: string]: string }
  }
}

const middleware: RequestHandler = session({ secret: 'a secret', resave: true })
const app = express()
app.use(middleware)
app.get('/', (req, res) => {
  // Declared on the session itself, as older programs do: always there.
  const views: number = req.session.views
  req.session.views = views + 1
  const name: string | undefined = req.session.user?.name
  // @ts-expect-error TS2322: a field has one type
  req.session.views = 'many'
  req.session.destroy((err) => res.send(err ? err.message : name))
})
