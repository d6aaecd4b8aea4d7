const express = require('express')
const session = require('express-session')

const app = express()

app.use(session({ secret: 'fac17' }))

// Set in one handler, ...
app.use((req, _res, next) => {
  if (!req.session.visitor) {
    req.session.visitor = {
      name: 'Ada',
      address: { city: 'London', lines: ['12 St James Square'] },
    }
  }
  next()
})

// ... read in the next.
app.get('/', (req, res) => {
  res.json(req.session.visitor)
})

app.get('/move/:city', (req, res) => {
  const { address } = req.session.visitor
  address.city = req.params.city
  address.lines.push('moved')
  res.send(`${req.session.visitor.name} lives in ${req.session.visitor.address.city}`)
})

app.listen(3000)
