// CommonJS beside ES modules in one program: both builds of the drop-in, and no duplicate.
import session = require('coatcheck/express-session')
import express = require('express')

const app = express()
app.use(session({ secret: 'a secret', store: new session.MemoryStore() }))
app.get('/', (req, res) => {
  req.session.cookie.maxAge = 60_000
  req.session.destroy(() => res.end())
})
