const express = require('express')
const mongoose = require('mongoose')
const session = require('express-session')

const User = mongoose.model('User', new mongoose.Schema({ name: String, roles: [String] }))
const users = [new User({ name: 'ada', roles: ['admin'] }), new User({ name: 'eve' })]

// In the place of User.findOne, which needs a server: the database calls back later.
const findUser = (name, callback) => {
  setImmediate(() =>
    callback(
      null,
      users.find((user) => user.name === name),
    ),
  )
}

const app = express()
app.use(express.urlencoded({ extended: true }))
app.use(session({ secret: 'work hard', resave: true, saveUninitialized: false }))

app.post('/login', (req, res, next) => {
  findUser(req.body.name, (error, user) => {
    if (error) return next(error)
    if (!user) return res.redirect('/')
    req.session.user = user
    return res.redirect('/profile')
  })
})

app.get('/profile', (req, res) => {
  if (!req.session.user) return res.redirect('/')
  const { _id, name, roles } = req.session.user
  return res.json({ _id, name, roles })
})

app.get('/', (req, res) => {
  res.send(req.session.user ? `Hello ${req.session.user.name}` : 'Please sign in')
})

app.get('/logout', (req, res, next) => {
  if (!req.session) return res.redirect('/')
  return req.session.destroy((error) => (error ? next(error) : res.redirect('/')))
})

// The same in fewer words.
app.get('/logout/destroy', (req, res) => {
  req.session.destroy()
  res.redirect('/')
})

app.get('/logout/null', (req, res) => {
  req.session.user = null
  res.redirect('/')
})

app.get('/logout/delete', (req, res) => {
  delete req.session.user
  res.redirect('/')
})

app.listen(3000)
