// The whole application: one counter, sign-in and sign-out, and "my devices".
import { join } from 'node:path'
import { session } from 'coatcheck'
import express from 'express'
import { limitAttempts } from './attempts.js'
import { csrfGuard, csrfToken } from './csrf.js'
import { deviceName } from './device.js'
import { devicesPage, thisDeviceOnlyPage } from './pages/devices.js'
import { errorPage } from './pages/error.js'
import { homePage } from './pages/home.js'
import { signInPage } from './pages/sign-in.js'
import { usersPage } from './pages/users.js'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

export function createApp({ store, secret, users }) {
  const sessions = session({
    secret,
    store,
    // Signed in stays signed in when the browser is closed, for a week without a visit.
    cookie: { persistent: true },
    idleTimeout: 7 * DAY,
  })
  // What failed behind a response that was sent already; nobody else would hear of it.
  sessions.on('error', ({ error }) => console.error(`Session: ${error.message}`))

  // By address and name, so that nobody can lock ada out for everyone; by address alone, so that
  // nobody tries one password on every name.
  const guesses = limitAttempts({ limit: 5, period: 15 * MINUTE })
  const visits = limitAttempts({ limit: 100, period: 15 * MINUTE })

  const app = express()
  app.disable('x-powered-by')
  app.use(securityHeaders)
  // Before the session: a style sheet needs none, so it costs none.
  app.use(express.static(join(import.meta.dirname, 'public')))
  app.use(express.urlencoded({ extended: false, limit: '10kb' }))
  app.use(sessions)
  app.use(methodOverride)
  app.use(csrfGuard)

  app.get('/', (req, res) => {
    req.session.views = (req.session.views ?? 0) + 1
    const { views, id } = req.session
    const isKept = sessions.capabilities.byUser
    res.send(homePage(view(req), { views, sessionId: id, isKept }))
  })

  app.get('/session/new', (req, res) => {
    if (req.session.user) return res.redirect('/users')
    res.send(signInPage(view(req, { form: true })))
  })

  app.post('/session', async (req, res) => {
    const { login, password } = credentials(req.body)
    const refuse = (status, problem) =>
      res.status(status).send(signInPage(view(req, { form: true }), { login, problem }))

    const wait = visits.take(req.ip) || guesses.take(`${req.ip} ${login}`)
    if (wait > 0) {
      res.set('Retry-After', String(wait))
      return refuse(429, `Too many attempts. Try again in ${Math.ceil(wait / 60)} minutes.`)
    }
    const user = await users.check(login, password)
    // One message for both: "no such user" would tell a stranger who has an account.
    if (!user) return refuse(422, 'That name and password do not belong together.')

    guesses.forget(`${req.ip} ${login}`)
    // The user of the session changes, so Coatcheck gives it a new id with this response. An id
    // that an attacker had planted in this browser before (session fixation) is worth nothing now.
    req.session.user = user
    req.session.device = deviceName(req.get('User-Agent'))
    // A token that was known before the sign-in ends with it.
    delete req.session.csrf
    res.redirect('/users')
  })

  app.get('/users', notLoggedIn, (req, res) => {
    res.send(usersPage(view(req), users.all()))
  })

  app.delete('/session', async (req, res) => {
    await req.session.destroy()
    res.redirect('/')
  })

  app.get('/devices', notLoggedIn, async (req, res) => {
    // Where the visitors carry their sessions, nobody can be asked for a list.
    if (!sessions.capabilities.byUser) return res.send(thisDeviceOnlyPage(view(req)))
    const devices = await sessions.list(req.session.user.id)
    res.send(devicesPage(view(req), { devices, thisId: req.session.id, now: Date.now() }))
  })

  app.delete('/devices', notLoggedIn, async (req, res) => {
    if (!sessions.capabilities.byUser) return notFound(req, res)
    await sessions.revokeUser(req.session.user.id, { except: req.session.id })
    res.redirect('/devices')
  })

  app.delete('/devices/:id', notLoggedIn, async (req, res) => {
    if (!sessions.capabilities.byUser) return notFound(req, res)
    const mine = await sessions.list(req.session.user.id)
    // Ids are shown on pages and so are no secret: being able to name one is no right to end it.
    if (!mine.some((device) => device.id === req.params.id)) return notFound(req, res)
    await sessions.revoke(req.params.id)
    res.redirect('/devices')
  })

  app.use(notFound)
  app.use(failed)
  return { app, sessions }
}

/** What every page needs. The token is made only where a form needs it: it is session data. */
function view(req, { form = false } = {}) {
  const { user } = req.session
  return { user, path: req.path, csrf: form || user ? csrfToken(req) : undefined }
}

function credentials(body) {
  // A field that is sent twice arrives as a list.
  const text = (value) => (typeof value === 'string' ? value : '')
  return { login: text(body?.login).trim().toLowerCase(), password: text(body?.password) }
}

function notLoggedIn(req, res, next) {
  if (req.session.user) return next()
  res.redirect('/session/new')
}

/** HTML forms know GET and POST only; a hidden field `_method=DELETE` says what is meant. */
function methodOverride(req, _res, next) {
  if (req.method === 'POST' && req.body?._method === 'DELETE') req.method = 'DELETE'
  next()
}

function securityHeaders(_req, res, next) {
  res.set({
    // No script at all, from anywhere: these pages have none.
    'Content-Security-Policy':
      "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; " +
      "base-uri 'none'; frame-ancestors 'none'",
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    // Not 'no-referrer': with it browsers send `Origin: null` with our own forms.
    'Referrer-Policy': 'same-origin',
    'X-Content-Type-Options': 'nosniff',
    // Pages name who is signed in; after a sign-out the back button must ask the server again.
    // (express.static sets its own value for the style sheet.)
    'Cache-Control': 'no-store',
  })
  next()
}

function notFound(req, res) {
  res.status(404).send(errorPage(404, view(req)))
}

function failed(error, _req, res, next) {
  if (res.headersSent) return next(error)
  const status = error.status >= 400 && error.status < 600 ? error.status : 500
  // The log gets the cause, the visitor a sentence. No session here: it may be what failed.
  if (status >= 500) console.error(error)
  res.status(status).send(errorPage(status))
}
