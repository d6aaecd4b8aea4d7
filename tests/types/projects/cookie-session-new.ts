// What is new, and what no declaration is needed for.
import {
  type CookieSession,
  type CookieSessionOptions,
  cookieSession,
} from 'coatcheck/cookie-session'
import express from 'express'
import Keygrip from 'keygrip'

const options: CookieSessionOptions = { keys: new Keygrip(['a key'], 'sha256'), priority: 'high' }
const sessions = cookieSession(options)
const stop: () => void = sessions.on('warning', ({ code }) => console.warn(code))
const app = express()
app.use(sessions)
app.post('/sign-in', async (req, res, next) => {
  await req.session.regenerate()
  req.session.user = 'ada'
  await req.session.save()
  const session: CookieSession = req.session.save((error) => next(error))
  session.regenerate((error) => next(error))
  res.json(session)
  stop()
})
// @ts-expect-error TS2322: keys are a list
cookieSession({ keys: 'a key' })
// @ts-expect-error TS2353: a word that was mistyped
cookieSession({ secret: 'a key', maxage: 1000 })
app.get('/', (req, _res) => {
  // @ts-expect-error TS2540: it is told, and not set
  req.session.isNew = false
})
