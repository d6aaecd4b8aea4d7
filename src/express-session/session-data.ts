import type { Cookie } from './cookie.js'

/**
 * What your sessions hold. Augment it, and `req.session` is typed everywhere:
 *
 * ```ts
 * declare module 'coatcheck/express-session' {
 *   interface SessionData { views: number }
 * }
 * ```
 */
export interface SessionData {
  cookie: Cookie
}
