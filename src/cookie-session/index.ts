import type { RequestWithCookieSession } from './express-request.js'

export type { EncryptOptions } from '../encrypt-option.js'
export type { CookieSession, RequestWithCookieSession } from './express-request.js'
export {
  type CookieSessionMiddleware,
  cookieSession,
  cookieSession as default,
  // What `require` gives is the function itself.
  cookieSession as 'module.exports',
} from './middleware.js'
export type { CookieSessionOptions } from './options.js'
export type { Callback } from './session.js'
export type { Key, KeygripLike } from './signer.js'

declare global {
  namespace CookieSessionInterfaces {
    // For programs to extend; `@types/cookie-session` has the same.
    interface CookieSessionObject {}
    interface CookieSessionOptions {}
  }
  namespace Express {
    // Inherited, not declared here, as in the entry of the package.
    interface Request extends RequestWithCookieSession {}
  }
}
