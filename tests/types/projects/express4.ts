// The same in Express 4.
import { session } from 'coatcheck'
import express from 'express4'

declare module 'coatcheck' {
  interface SessionData {
    views: number
  }
}

const app = express()
app.use(session({ secret: ['a secret of at least thirty-two bytes'] }))
app.get('/', (req, res) => {
  req.session.views = (req.session.views ?? 0) + 1
  // @ts-expect-error TS2322: a field has one type
  req.session.views = 'many'
  req.session = null
  res.send(`${req.session.views} views`)
})
