const express = require('express')
const session = require('express-session')

const app = express()
app.use(session({ secret: 'keyboard cat', resave: false, saveUninitialized: true }))

const isAuthenticated = (req, _res, next) => next(req.session.user ? undefined : 'route')

app.get('/', isAuthenticated, (req, res) => {
  res.send(`hello, ${req.session.user}!`)
})
app.get('/', (_req, res) => {
  res.send('<form action="/login" method="post"><input name="user"><input type="submit"></form>')
})

app.post('/login', express.urlencoded({ extended: false }), (req, res, next) => {
  // Another id, against session fixation.
  req.session.regenerate((error) => {
    if (error) return next(error)
    req.session.user = req.body.user
    // Stored before the browser asks for the next page.
    return req.session.save((failure) => (failure ? next(failure) : res.redirect('/')))
  })
})

app.get('/logout', (req, res, next) => {
  // Saved without the user, so that its old id is of no use, and then under another one.
  req.session.user = null
  req.session.save((error) => {
    if (error) return next(error)
    return req.session.regenerate((failure) => (failure ? next(failure) : res.redirect('/')))
  })
})

app.listen(3000)
