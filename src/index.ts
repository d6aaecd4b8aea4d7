import type { RequestWithSession } from './express-request.js'

export type { CookieOptions } from './cookie-option.js'
export type {
  DestroyReason,
  EventName,
  Events,
  Listener,
  RenewReason,
  StaleReason,
} from './core/events.js'
export type { Capabilities } from './core/keeper.js'
export type { ExpressSessionStore } from './core/old-store.js'
export type {
  Callback,
  NoReservedNames,
  RegenerateOptions,
  Session,
  SessionCookie,
  SessionMembers,
  Storable,
} from './core/session.js'
export * from './core/session-data.js'
export type {
  Awaitable,
  ByUser,
  Closable,
  Entry,
  Enumerable,
  Replaced,
  Reporting,
  Store,
  Stored,
  StoreReport,
  Sweepable,
} from './core/store.js'
export type { At, OpenedToken, Sealed, TokenStore } from './core/token-store.js'
export type { EncryptOptions } from './encrypt-option.js'
export {
  CoatcheckError,
  type ErrorCode,
  type ErrorDetails,
  hasCode,
  isCoatcheckError,
  OptionError,
  type WarningCode,
} from './errors.js'
export type { CookieReason, Explanation } from './explanation.js'
export type { RequestWithSession } from './express-request.js'
export type { FromCookieSession, FromExpressSession, FromOptions } from './from-option.js'
export type { Bearer } from './http/bearer.js'
export type { ListedSession } from './manager.js'
export { type SessionManager, session } from './middleware.js'
export type { CommonOptions, SessionOptions, TokenSessionOptions } from './options.js'
export type { SessionInfo } from './request-session.js'
export { MemoryStore, type MemoryStoreOptions } from './stores/memory.js'
export { type BearerOptions, bearer } from './transport/option.js'

declare global {
  namespace Express {
    // Inherited, not declared here: a program can narrow `session`, and a second copy of this package
    // in one compilation is no duplicate.
    interface Request extends RequestWithSession {}
  }
}
