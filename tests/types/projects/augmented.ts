// `req.session` in Express 5, typed by augmentation.
import { type Session, type SessionInfo, session } from 'coatcheck'
import express from 'express'

declare module 'coatcheck' {
  interface SessionData {
    userId: string
    cart: { items: string[] }
  }
}

const sessions = session({ secret: 'a secret of at least thirty-two bytes' })
const app = express()
app.use(sessions)
app.use('/admin', sessions, express.json())
express.Router().use(sessions)

app.get('/', async (req, res) => {
  const userId: string | undefined = req.session.userId
  // @ts-expect-error TS2322: a field is optional, since a session can be new
  const surely: string = req.session.userId
  req.session.cart ??= { items: [] }
  req.session.cart.items.push('coat')
  // @ts-expect-error TS2322: a field has one type
  req.session.userId = 42
  // @ts-expect-error TS2551: a field that nobody declared
  req.session.usrId = '42'

  const id: string = req.session.id
  // @ts-expect-error TS2540: a member is not data
  req.session.id = 'mine'
  // @ts-expect-error TS2540: a member is not data
  req.session.isNew = true
  req.session.cookie.maxAge = 1_000
  req.session.cookie.maxAge = null
  const maxAge: number | undefined = req.session.cookie.maxAge

  const stored: Promise<void> = req.session.save()
  req.session.save((error) => res.status(error ? 500 : 200).end())
  await req.session.regenerate({ keep: ['cart'] })
  req.session.regenerate((error) => res.end(String(error)))
  const count: number = await req.session.update((data) => {
    data.cart ??= { items: [] }
    return data.cart.items.push('hat')
  })
  res.json({ userId, surely, id, maxAge, stored, count })
})

app.delete('/', (req, res) => {
  req.session = null
  req.session = undefined
  req.session = { userId: '42' }
  // @ts-expect-error TS2322: what is assigned is data
  req.session = 'data'
  // @ts-expect-error TS2322: of the declared types
  req.session = { userId: 42 }
  const still: Session = req.session
  const info: SessionInfo<{ userId: string }> = sessions.of(req)
  res.json({ still, info })
})
