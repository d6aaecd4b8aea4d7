// A program that has the old types beside the new package, as one does whose stores need them.
import session, { LegacyStore } from 'coatcheck/express-session'
import { FileStore } from 'coatcheck/stores/file'
import express, { type RequestHandler } from 'express'
import old from 'express-session'

declare module 'express-session' {
  interface SessionData {
    views: number
  }
}

const middleware: RequestHandler = session({ secret: 'a secret', store: new old.MemoryStore() })
const app = express()
app.use(middleware, session({ secret: 'a secret' }))
app.get('/', (req, res) => {
  const views: number | undefined = req.session.views
  const store: Express.SessionStore = req.sessionStore
  // @ts-expect-error TS2322: a field has one type
  req.session.views = 'many'
  req.session.save((err) => res.json({ views, id: req.sessionID, store, err }))
})

/** A store of this package under the old middleware. */
app.use(old({ secret: 'a secret', store: new LegacyStore(new FileStore({ path: 'sessions' })) }))

class OwnStore extends old.Store {
  get(_sid: string, callback: (err: unknown, session?: old.SessionData | null) => void): void {
    callback(null)
  }
  set(_sid: string, _session: old.SessionData, callback?: (err?: unknown) => void): void {
    callback?.()
  }
  destroy(_sid: string, callback?: (err?: unknown) => void): void {
    callback?.()
  }
}
session({ secret: 'a secret', store: new OwnStore() })

// What others have typed by the old package: factories of stores take the whole of it.
export const whole: typeof import('express-session') = session
export const called: (options?: old.SessionOptions) => RequestHandler = session
export const base: { Store: typeof old.Store } = session
export const kept: old.Store = new session.MemoryStore()
