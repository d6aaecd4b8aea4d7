const express = require('express')
const session = require('express-session')

const app = express()
app.use(session({ secret: 'keyboard cat', resave: false, saveUninitialized: true }))

app.get('/name/:name', (req, res) => {
  req.session.name = req.params.name
  res.send(req.session.id === req.sessionID ? 'ok' : 'two ids')
})

app.get('/reload', (req, res, next) => {
  req.session.name = 'a slip'
  req.session.draft = 'never saved'
  req.session.reload((error) => {
    if (error) return next(error)
    return res.json({ name: req.session.name, draft: req.session.draft })
  })
})

app.get('/', (req, res) => {
  res.json({ name: req.session.name, draft: req.session.draft })
})

app.get('/touch', (req, res) => {
  res.json(req.session.touch() === req.session)
})

app.listen(3000)
