import type { YIELDS } from '../express-request.js'
import type { Anything } from '../express-session/anything.js'
import type { CookieSessionOptions } from './options.js'
import type { Callback } from './session.js'

/**
 * `req.session`: data of any name, and its members, which are not enumerable. Programs name their
 * data, as they did for `@types/cookie-session`, by `CookieSessionInterfaces.CookieSessionObject`.
 */
export interface CookieSession extends CookieSessionInterfaces.CookieSessionObject {
  /** Whether no cookie has brought it. */
  readonly isNew: boolean
  /** Whether the cookie would be another one now. A new session has always changed. */
  readonly isChanged: boolean
  /** Whether there is any data. */
  readonly isPopulated: boolean
  /** Checks that the session fits its cookie, which leaves with the headers, with or without it. */
  save(callback: Callback): this
  save(callback?: undefined): Promise<void>
  /** Begins an empty session at `req.session`; if it stays empty, the cookie is deleted. */
  regenerate(callback: Callback): this
  regenerate(callback?: undefined): Promise<void>
  [key: string]: Anything
}

/** A request that passed the middleware: what it adds to Express's `Request`. */
export interface RequestWithCookieSession extends Added {}

/** Where `@types/cookie-session` is in the same compilation, all names are its own. */
type Added = 'keys' extends keyof CookieSessionInterfaces.CookieSessionOptions ? object : Own

interface Own {
  get session(): RequestSessionType
  /** An object replaces the session; null and undefined end it, and delete the cookie. */
  set session(data:
    | (Partial<CookieSessionInterfaces.CookieSessionObject> & { [key: string]: Anything })
    | null
    | undefined,)
  /** The options for this response, to be changed by a handler before it begins. */
  sessionOptions: CookieSessionOptions & { readonly [YIELDS]?: (to: CookieSession) => void }
}

/**
 * Where express-session or its drop-in is in the same compilation, the name is theirs. Only those
 * declare `sessionStore`; its `generate` tells what they make of the name.
 */
type RequestSessionType = 'sessionStore' extends keyof Express.Request
  ? Express.Request extends { sessionStore: { generate(req: { session?: infer Theirs }): void } }
    ? Theirs
    : unknown
  : CookieSession
