// JavaScript whose types an editor checks.
// @ts-check
const session = require('coatcheck/express-session')
const { Store, MemoryStore } = require('coatcheck/express-session')
const express = require('express')

/** @type {import('coatcheck/express-session').SessionOptions} */
const options = { secret: 'a secret', resave: false, saveUninitialized: false }

class OwnStore extends Store {
  /** @type {import('coatcheck/express-session').Store['get']} */
  get(_sid, callback) {
    callback(null)
  }
  set() {}
  destroy() {}
}

const app = express()
app.use(session({ ...options, store: new MemoryStore() }))
app.use(session({ ...options, store: new OwnStore() }))
app.get('/', (req, res) => {
  req.session.cookie.maxAge = 60_000
  // @ts-expect-error TS2322: a number
  req.session.cookie.maxAge = 'long'
  req.session.destroy(() => res.end())
})
