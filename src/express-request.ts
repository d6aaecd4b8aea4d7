import type { Session } from './core/session.js'
import type { SessionData } from './core/session-data.js'

/** A request that passed the middleware: what this package adds to Express's `Request`. */
export interface RequestWithSession {
  get session(): RequestSessionType
  /** An object replaces the data; null and undefined end the session. */
  set session(data: (Partial<SessionData> & object) | null | undefined)
}

/**
 * Where the drop-in or `@types/express-session` is in the same compilation (older TypeScript takes
 * in every installed `@types`), the name is its own, and `sessions.of(req).session` is typed here.
 * Only those declare `sessionStore`; its `generate` tells what they make of the name. The drop-in for
 * cookie-session tells by its options.
 */
type RequestSessionType = 'sessionStore' extends keyof Express.Request
  ? Express.Request extends { sessionStore: { generate(req: { session?: infer Theirs }): void } }
    ? Theirs
    : unknown
  : 'sessionOptions' extends keyof Express.Request
    ? Express.Request extends { sessionOptions: { readonly [YIELDS]?: (to: infer Theirs) => void } }
      ? Theirs
      : unknown
    : Session

/** Where the types of another face tell whose the name is. */
export declare const YIELDS: unique symbol
