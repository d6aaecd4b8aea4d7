import type { IsOurs, SessionID } from './beside.js'
import type { RequestSession } from './request.js'
import type { SessionOwner } from './session.js'
import type { SessionData } from './session-data.js'
import type { Store } from './store.js'

/** A request that passed the middleware: what it adds to Express's `Request`. */
export interface RequestWithSession {
  get session(): IsOurs extends true ? RequestSession : unknown
  /** null, undefined and `delete` do what the option `unset` says. */
  set session(session: Partial<SessionData> | null | undefined)
  /** The id of the session, which is secret: whoever has it has the session. */
  sessionID: SessionID
  sessionStore: IsOurs extends true ? RequestStore : unknown
}

/** The store of a request: it can also begin a session. */
export interface RequestStore extends Store {
  /** Gives a request a new id and an empty session. */
  generate(req: SessionOwner & { session?: RequestSession }): void
}
