// A program that narrows `req.session` by hand, as programs on express-session do.
import { type Session, session } from 'coatcheck'
import express from 'express'

declare global {
  namespace Express {
    interface Request {
      session: Session<{ userId: string }>
    }
  }
}

const app = express()
app.use(session({ secret: 'a secret of at least thirty-two bytes' }))
app.get('/', (req, res) => res.send(req.session.userId?.toUpperCase()))
