const express = require('express')
const session = require('express-session')

const app = express()
app.use(session({ secret: 'keyboard cat', resave: false, saveUninitialized: true }))

app.use((req, _res, next) => {
  if (!req.session.views) req.session.views = {}
  const { views } = req.session
  views[req.path] = (views[req.path] || 0) + 1
  next()
})

const show = (req, res) => {
  res.send(`you viewed this page ${req.session.views[req.path]} times`)
}
app.get('/foo', show)
app.get('/bar', show)

app.listen(3000)
