import { answer } from '../core/session.js'
import type { Anything } from './anything.js'
import type { Cookie } from './cookie.js'
import type { SessionData } from './session-data.js'

/** The last argument of every asynchronous method, for those who do not use promises. */
export type Callback = (error: Anything) => void

/**
 * `req.session`: your data, the `cookie`, and these methods. Without a callback each of them gives
 * a promise; with one it gives the session, as it always did.
 */
export interface Session {
  /** The id of the session, which is secret: whoever has it has the session. */
  readonly id: string
  cookie: Cookie
  /** Stores the session now. The end of the response does so by itself if it has changed. */
  save(callback: Callback): this
  save(callback?: undefined): Promise<void>
  /** Takes the data again from the store, into a new object at `req.session`. */
  reload(callback: Callback): this
  reload(callback?: undefined): Promise<void>
  /** Ends the session and takes it off the request. */
  destroy(callback: Callback): this
  destroy(callback?: undefined): Promise<void>
  /** Ends the session and begins an empty one with a new id at `req.session`. */
  regenerate(callback: Callback): this
  regenerate(callback?: undefined): Promise<void>
  /** Starts the life of the cookie again; done for each request by itself. */
  touch(): this
  resetMaxAge(): this
}

/** What a session belongs to: a request, or something with an id and a store in its place. */
export interface SessionOwner {
  sessionID: string
  sessionStore: OwnerStore
  session?: unknown
}

/** What a session asks of its store, which may be one of express-session's own making. */
export interface OwnerStore {
  get(sid: string, callback: (error?: Anything, session?: Anything) => void): void
  set(sid: string, session: Anything, callback?: Callback): void
  destroy(sid: string, callback?: Callback): void
  createSession(req: Anything, session: Anything): unknown
  regenerate(req: Anything, callback: Callback): void
}

/** What carries out the calls of a session whose request passed the middleware. */
export interface Doer {
  save(session: Session): Promise<void>
  reload(session: Session): Promise<void>
  destroy(session: Session): Promise<void>
  regenerate(): Promise<void>
}

/** Where a request keeps its doer; a symbol, so that programs that print requests do not see it. */
export const DOER: unique symbol = Symbol('coatcheck session')

interface Members {
  readonly req: SessionOwner & { readonly [DOER]?: Doer }
  readonly id: string
}

interface SessionConstructor {
  new (req: SessionOwner, data?: object | null): Session & Partial<SessionData>
  (this: unknown, req: SessionOwner, data?: object | null): void
  readonly prototype: Session
}

/** A function and not a class, so that `Session.call(this, req)` works as it always did. */
export const Session = function Session(
  this: Record<string, unknown>,
  req: SessionOwner,
  data?: object | null,
): void {
  Object.defineProperty(this, 'req', { value: req })
  Object.defineProperty(this, 'id', { value: req.sessionID, configurable: true })
  if (typeof data !== 'object' || data === null) return
  // A key of this name would hide a method, or what every object has.
  for (const key in data) if (!(key in this)) this[key] = (data as Record<string, unknown>)[key]
} as unknown as SessionConstructor

/** The same session under another id. It stays the same object: a handler goes on with it. */
export function renamed(session: Session, req: SessionOwner): Session {
  const property = { value: req.sessionID, configurable: true }
  return Reflect.defineProperty(session, 'id', property) ? session : new Session(req, session)
}

const methods = {
  touch(this: Session): Session {
    return this.resetMaxAge()
  },
  resetMaxAge(this: Session): Session {
    this.cookie.maxAge = this.cookie.originalMaxAge
    return this
  },
  // The parameter is declared without a default: grant looks for a `save` that takes one.
  save(this: Session & Members, callback?: Callback) {
    return answered(this, (doer) => doer.save(this), callback)
  },
  reload(this: Session & Members, callback?: Callback) {
    return answered(this, (doer) => doer.reload(this), callback)
  },
  destroy(this: Session & Members, callback?: Callback) {
    return answered(this, (doer) => doer.destroy(this), callback)
  },
  regenerate(this: Session & Members, callback?: Callback) {
    return answered(this, (doer) => doer.regenerate(), callback)
  },
}

for (const [name, value] of Object.entries(methods)) {
  Object.defineProperty(Session.prototype, name, { value, configurable: true, writable: true })
}

function answered(
  session: Session & Members,
  work: (doer: Doer) => Promise<void>,
  callback: Callback | undefined,
): Session | Promise<void> {
  const { req } = session
  const done = work(req[DOER] ?? straight(req, session))
  if (typeof callback !== 'function') {
    // Perhaps nobody awaits it.
    done.catch(() => {})
    return done
  }
  answer(done, (error) => callback(error))
  return session
}

/** For a session that no middleware has made: by `store.load`, or by a program itself. */
function straight(req: SessionOwner, { id }: Session): Doer {
  const store = req.sessionStore
  return {
    save: (session) => called((callback) => store.set(id, session as never, callback)),
    reload: () =>
      called<object | undefined>((callback) => store.get(id, callback as never)).then((found) => {
        if (!found) throw new Error('failed to load session')
        store.createSession(req, found as SessionData)
      }),
    destroy: () => {
      delete req.session
      return called((callback) => store.destroy(id, callback))
    },
    regenerate: () => called((callback) => store.regenerate(req as never, callback)),
  }
}

function called<T = void>(
  call: (callback: (error?: unknown, value?: T) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, value) => (error ? reject(error) : resolve(value as T)))
  })
}
