// TypeScript that compiles to CommonJS, in both of its import forms.
import cookieSession = require('coatcheck/cookie-session')

import * as everything from 'coatcheck/cookie-session'
import imported, { type CookieSessionOptions } from 'coatcheck/cookie-session'

import express = require('express')

const options: CookieSessionOptions & cookieSession.CookieSessionOptions = { secret: 'a secret' }
const app = express()
app.use(cookieSession(options), imported(options), everything.default(options))
app.use(cookieSession.cookieSession(options), everything.cookieSession(options))
app.get('/', (req, res) => {
  req.session.views = (req.session.views ?? 0) + 1
  const current: cookieSession.CookieSession = req.session
  res.json(current)
})
export const same: typeof imported = cookieSession
