// TypeScript that compiles to CommonJS, in both of its import forms.
import { type Session, session } from 'coatcheck'

import coatcheck = require('coatcheck')
import file = require('coatcheck/stores/file')

import { MemoryStore } from 'coatcheck/stores/memory'

import testing = require('coatcheck/testing')
import express = require('express')

declare module 'coatcheck' {
  interface SessionData {
    views: number
  }
}

const options = { secret: 'a secret of at least thirty-two bytes' }
const sessions = coatcheck.session({ ...options, clock: new testing.FakeClock() })
const app = express()
app.use(sessions)
app.use(session({ ...options, store: new MemoryStore(), property: 'second' }))
app.use(session({ ...options, store: new file.FileStore({ path: 'x' }), property: 'third' }))
app.get('/', (req, res) => {
  const current: Session = req.session
  current.views = 1
  // @ts-expect-error TS2322: a field has one type
  req.session.views = 'many'
  req.session = null
  res.end()
})
