const express = require('express')
const session = require('express-session')

const app = express()
app.use(
  session({
    secret: 'keyboard cat',
    resave: false,
    saveUninitialized: true,
    cookie: { maxAge: 60000 },
  }),
)

app.get('/', (req, res) => {
  req.session.views = (req.session.views || 0) + 1
  const { maxAge } = req.session.cookie
  const ends = maxAge === null || maxAge === false ? 'with the browser' : `in ${maxAge / 1000} s`
  res.send(`views: ${req.session.views}, expires ${ends}`)
})

app.get('/hour/:how', (req, res) => {
  const hour = 3600000
  if (req.params.how === 'expires') req.session.cookie.expires = new Date(Date.now() + hour)
  else req.session.cookie.maxAge = hour
  req.session.remembered = req.params.how
  res.send(`${Math.round(req.session.cookie.maxAge / 1000)} s`)
})

app.get('/browser', (req, res) => {
  req.session.cookie.expires = false
  req.session.remembered = 'no'
  res.send('until the browser is closed')
})

app.get('/original', (req, res) => {
  const { cookie } = req.session
  res.json([cookie.originalMaxAge, cookie.httpOnly, cookie.path])
})

app.listen(3000)
