// TypeScript that compiles to CommonJS, in both of its import forms.
import session = require('coatcheck/express-session')

import * as everything from 'coatcheck/express-session'
import imported, { type MemoryStore, type SessionOptions, Store } from 'coatcheck/express-session'

import express = require('express')

declare module 'coatcheck/express-session' {
  interface SessionData {
    views: number
  }
}

const options: SessionOptions & session.SessionOptions = { secret: 'a secret' }
const app = express()
app.use(session(options))
app.use(imported(options), everything.default(options))
app.use(session({ ...options, store: new session.MemoryStore() }))
app.use(session({ ...options, store: new everything.MemoryStore() }))
app.get('/', (req, res) => {
  req.session.views = (req.session.views ?? 0) + 1
  // @ts-expect-error TS2322: a field has one type
  req.session.views = 'many'
  const current: session.Session & Partial<session.SessionData> = req.session
  req.sessionStore.get(req.sessionID, (_err, found) => console.log(found?.views))
  res.json(current)
})

export class OwnStore extends Store {
  get(_sid: string, callback: (err: unknown, session?: session.SessionData) => void): void {
    callback(null, { cookie: new session.Cookie(), views: 1 })
  }
  set(): void {}
  destroy(): void {}
}
export const same: typeof MemoryStore = session.MemoryStore
