import { EventEmitter } from 'node:events'
import { Cookie } from './cookie.js'
import { Session, type SessionOwner } from './session.js'
import type { SessionData } from './session-data.js'

type Answer<T = void> = (error?: unknown, value?: T) => void

/**
 * The base of every store made for express-session: an event emitter that can make sessions of what
 * it finds. A store adds `get`, `set` and `destroy`, and `touch` if it can.
 */
export interface Store extends EventEmitter {
  // biome-ignore lint/suspicious/noExplicitAny: programs annotate callbacks by what they expect
  get(sid: string, callback: (error: any, session?: SessionData | null) => void): void
  // biome-ignore lint/suspicious/noExplicitAny: as above
  set(sid: string, session: SessionData, callback?: (error?: any) => void): void
  // biome-ignore lint/suspicious/noExplicitAny: as above
  destroy(sid: string, callback?: (error?: any) => void): void
  touch?(sid: string, session: SessionData, callback?: (error?: unknown) => void): void
  all?(callback: Answer<SessionData[] | { [sid: string]: SessionData } | null>): void
  length?(callback: Answer<number>): void
  clear?(callback?: Answer): void
  /** Ends the session of a request and begins another one. */
  regenerate(req: SessionOwner, callback: (error?: unknown) => unknown): void
  /** The session of an id, as an object with methods, for where there is no request. */
  load(sid: string, callback: (error: unknown, session?: Session & SessionData) => unknown): void
  /** Makes `req.session` of what a store has found. */
  createSession(req: SessionOwner, session: SessionData): Session & SessionData
  /** Gives a request a new id and an empty session. Set by the middleware that uses the store. */
  generate?(req: SessionOwner): void
}

interface StoreConstructor {
  // biome-ignore lint/suspicious/noExplicitAny: as of EventEmitter
  new (options?: any): Store
  (this: unknown): void
  readonly prototype: Store
}

/** A function and not a class, so that `Store.call(this)` and `util.inherits` work. */
export const Store = function Store(this: EventEmitter): void {
  // Of an EventEmitter all that the constructor does.
  Reflect.apply(EventEmitter, this, [])
} as unknown as StoreConstructor

Object.setPrototypeOf(Store, EventEmitter)
Object.setPrototypeOf(Store.prototype, EventEmitter.prototype)

Store.prototype.regenerate = function regenerate(this: Store, req, callback) {
  this.destroy(req.sessionID, (error) => {
    this.generate?.(req)
    callback(error)
  })
}

Store.prototype.load = function load(this: Store, sid, callback) {
  this.get(sid, (error, found) => {
    if (error) return callback(error)
    if (!found) return callback(undefined)
    const req: SessionOwner = { sessionID: sid, sessionStore: this }
    callback(null, this.createSession(req, found))
  })
}

Store.prototype.createSession = function createSession(req, found) {
  return revive(req, found)
}

/**
 * Makes `req.session` of what a store has found: text became plain objects there, and dates strings.
 * Whatever the record says of its cookie is taken as far as it makes sense.
 */
export function revive(req: SessionOwner, found: object): Session & SessionData {
  const record = found as { cookie?: unknown }
  const stored = (typeof record.cookie === 'object' && record.cookie) || {}
  const { originalMaxAge } = stored as { originalMaxAge?: unknown }
  record.cookie = cookieOf(stored as Record<string, unknown>, originalMaxAge)
  const session = new Session(req, found) as Session & SessionData
  req.session = session
  return session
}

function cookieOf(stored: Record<string, unknown>, originalMaxAge: unknown): Cookie {
  const cookie = new Cookie(withoutNulls(stored) as object)
  const { expires } = cookie as { expires?: unknown }
  if (typeof expires === 'string' || typeof expires === 'number') {
    const date = new Date(expires)
    cookie.expires = Number.isNaN(date.getTime()) ? null : date
  }
  // Moved by what was set just now. Of a string, the next `touch` could make no date.
  const isLife = typeof originalMaxAge === 'number' || typeof originalMaxAge === 'boolean'
  cookie.originalMaxAge = (isLife ? originalMaxAge : undefinedOrNull(originalMaxAge)) as
    | number
    | null
  return cookie
}

/** Stores that keep objects, such as those of MongoDB, give `null` for what was not there. */
function withoutNulls(stored: Record<string, unknown>): object {
  const kept: Record<string, unknown> = {}
  for (const name in stored) {
    if (stored[name] !== null || name === 'expires' || name === 'maxAge') kept[name] = stored[name]
  }
  return kept
}

function undefinedOrNull(value: unknown): null | undefined {
  return value === undefined ? undefined : null
}
