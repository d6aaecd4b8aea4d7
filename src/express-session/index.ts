import type { RequestWithSession } from './express-request.js'

export { Cookie, type CookieOptions } from './cookie.js'
export type { RequestStore, RequestWithSession } from './express-request.js'
export { LegacyStore, type LegacyStoreOptions, type StoreCallback } from './legacy-store.js'
export { MemoryStore } from './memory-store.js'
export {
  type SessionMiddleware,
  session,
  session as default,
  // What `require` gives is the function itself.
  session as 'module.exports',
} from './middleware.js'
export type { SessionOptions } from './options.js'
export type { RequestSession } from './request.js'
export { type Callback, Session } from './session.js'
export type { SessionData } from './session-data.js'
export { Store } from './store.js'

declare global {
  namespace Express {
    // Inherited, not declared here, as in the entry of the package.
    interface Request extends RequestWithSession {}
  }
}
