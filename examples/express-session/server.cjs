// A program that was written for express-session: `node examples/express-session/server.cjs`, once
// the package is built. One line of it is new.
const { randomBytes } = require('node:crypto')
const express = require('express')
const session = require('coatcheck/express-session') // was: require('express-session')

const app = express()
app.use(
  session({
    // A new one at each start: the sessions are in memory, and do not outlive it either.
    secret: randomBytes(32).toString('base64url'),
    resave: false,
    saveUninitialized: false,
    cookie: { maxAge: 24 * 60 * 60 * 1000, sameSite: 'lax' },
  }),
)
app.use(express.urlencoded({ extended: false }))

const escaped = (text) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`)
const form = (action, content) => `<form method="post" action="${action}">${content}</form>`

app.get('/', (req, res) => {
  req.session.views = (req.session.views || 0) + 1
  const { user, views } = req.session
  const greeting = user ? `Hello ${escaped(user)}.` : 'Hello.'
  const signIn = form('/sign-in', '<input name="name" required> <button>Sign in</button>')
  const signOut = form('/sign-out', '<button>Sign out</button>')
  res.send(`<p>${greeting} You have seen this page ${views} times.</p>${user ? signOut : signIn}`)
})

app.post('/sign-in', (req, res, next) => {
  // A new id, so that nobody who knew the old one shares this session.
  req.session.regenerate((error) => {
    if (error) return next(error)
    req.session.user = String(req.body.name) // Any name will do; examples/app asks for a password.
    res.redirect('/') // It leaves once the session is stored, without a call of save().
  })
})

app.post('/sign-out', (req, res, next) => {
  req.session.destroy((error) => {
    if (error) return next(error)
    res.redirect('/')
  })
})

const server = app.listen(Number(process.env.PORT || 3000), '127.0.0.1', () => {
  console.log(`The counter is on: http://localhost:${server.address().port}`)
})
