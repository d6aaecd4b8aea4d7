import { EventEmitter } from 'node:events'
import type { Anything } from './anything.js'
import type { Described } from './beside.js'
import { Cookie } from './cookie.js'
import { Session, type SessionOwner } from './session.js'
import type { SessionData } from './session-data.js'

type Answer<T = void> = (error?: Anything, value?: T) => void
type Sessions = { [sid: string]: SessionData }

/**
 * The base of every store made for express-session: an event emitter that can make sessions of what
 * it finds. A store adds `get`, `set` and `destroy`, and `touch` if it can.
 */
declare abstract class Store extends EventEmitter {
  constructor(options?: Anything)
  abstract get(sid: string, callback: Answer<Described<SessionData> | null>): void
  abstract set(sid: string, session: Described<SessionData>, callback?: Answer): void
  abstract destroy(sid: string, callback?: Answer): void
  touch?(sid: string, session: Described<SessionData>, callback?: Answer): void
  all?(callback: Answer<Described<SessionData[] | Sessions> | null>): void
  length?(callback: Answer<number>): void
  clear?(callback?: Answer): void
  /** Ends the session of a request and begins another one. */
  regenerate(req: SessionOwner, callback: Answer): void
  /** The session of an id, as an object with methods, for where there is no request. */
  load(sid: string, callback: Answer<Described<Session & SessionData>>): void
  /** Makes `req.session` of what a store has found. */
  createSession(
    req: SessionOwner,
    session: Described<SessionData>,
  ): Described<Session & SessionData>
  /** Gives a request a new id and an empty session. Set by the middleware that uses the store. */
  generate?(req: SessionOwner): void
}

/** A function, so that `Store.call(this)` and `util.inherits` work. Its types are those of a class. */
// biome-ignore lint/suspicious/noRedeclare: TypeScript merges an ambient class and a function
function Store(this: unknown): void {
  // Of an EventEmitter all that the constructor does.
  Reflect.apply(EventEmitter, this, [])
}

export { Store }

Object.setPrototypeOf(Store, EventEmitter)
Object.setPrototypeOf(Store.prototype, EventEmitter.prototype)

Store.prototype.regenerate = function regenerate(this: Store, req, callback) {
  this.destroy(req.sessionID, (error) => {
    const made: unknown = this.generate?.(req)
    // Where `genid` gives a promise.
    if (made instanceof Promise) made.then(() => callback(error), callback)
    else callback(error)
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
  const { maxAge, ...others } = stored
  // The setter takes nothing but numbers and dates.
  const isAge = maxAge == null || maxAge === false || typeof maxAge === 'number'
  const cookie = new Cookie(isAge ? stored : others)
  // In a record they are no methods.
  for (const name of ['serialize', 'toJSON']) Reflect.deleteProperty(cookie, name)
  const { expires } = cookie as { expires?: unknown }
  if (typeof expires === 'string' || typeof expires === 'number') {
    const date = new Date(expires)
    cookie.expires = Number.isNaN(date.getTime()) ? null : date
  }
  // It was moved by what was set just now. The next `touch` could make no date of a text.
  const isLife =
    originalMaxAge === undefined || originalMaxAge === false || isLifeOfDates(originalMaxAge)
  cookie.originalMaxAge = (isLife ? originalMaxAge : null) as number | null
  return cookie
}

/** Whether a date can end so long from now, as dates go (ECMA-262, section 21.4.1.1). */
function isLifeOfDates(life: unknown): boolean {
  return typeof life === 'number' && Math.abs(Date.now() + life) <= 8.64e15
}
