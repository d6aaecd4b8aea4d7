// A program on its way from express-session, with the types of both.
import { type ExpressSessionStore, session } from 'coatcheck'
import express from 'express'
import legacy from 'express-session'

declare module 'express-session' {
  interface SessionData {
    views: number
  }
}

const app = express()
const sessions = session<{ theme: string }>({
  secret: 'a secret of at least thirty-two bytes',
  property: 'second',
})
app.use(legacy({ secret: 'a secret' }), sessions)
app.get('/', (req, res) => {
  const views: number | undefined = req.session.views
  const store: Express.SessionStore = req.sessionStore
  const theme: string | undefined = sessions.of(req).session.theme
  // @ts-expect-error TS2322: a field has one type
  req.session.views = 'many'
  res.json({ views, theme, store: store.constructor.name })
})

// Its stores, and those that extend it, are stores here.
class OwnStore extends legacy.Store {
  get(_sid: string, callback: (err: unknown, session?: legacy.SessionData | null) => void): void {
    callback(null)
  }
  set(_sid: string, _session: legacy.SessionData, callback?: (err?: unknown) => void): void {
    callback?.()
  }
  destroy(_sid: string, callback?: (err?: unknown) => void): void {
    callback?.()
  }
}

/** As recent stores declare themselves: a promise, and a callback for those who want one. */
class PromisingStore {
  async get(_sid: string, _callback?: (error: Error | null, data?: legacy.SessionData) => void) {
    return undefined
  }
  async set(_sid: string, _session: legacy.SessionData, _callback?: (error?: Error) => void) {}
  async destroy(_sid: string, _callback?: (error?: Error) => void) {}
  async touch(_sid: string, _session: legacy.SessionData, _callback?: () => void) {}
}

const secret = 'a secret of at least thirty-two bytes'
declare const anyStore: legacy.Store
session({ secret, store: anyStore })
session({ secret, store: new legacy.MemoryStore() })
session({ secret, store: new OwnStore() })
session({ secret, store: new PromisingStore() })
const named: ExpressSessionStore = anyStore
session({ secret, store: named })
// @ts-expect-error TS2322: the class is no store
session({ secret, store: legacy.MemoryStore })
// @ts-expect-error TS2322: without set nothing could be kept
session({ secret, store: { get() {}, destroy() {} } })
