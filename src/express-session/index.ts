import { session } from './middleware.js'

export { Cookie, type CookieOptions } from './cookie.js'
export { LegacyStore, type LegacyStoreOptions } from './legacy-store.js'
export { MemoryStore } from './memory-store.js'
export { type SessionMiddleware, session } from './middleware.js'
export type { SessionOptions } from './options.js'
export { Session } from './session.js'
export * from './session-data.js'
export { Store } from './store.js'
export default session
export { session as 'module.exports' }
