import type { Data } from './record.js'
import { reservedKey } from './refusals.js'
import type { SessionData } from './session-data.js'

/** The last argument of every asynchronous method, for those who do not use promises. */
export type Callback<T = void> = (error: unknown, value?: T) => void

export interface RegenerateOptions {
  /** Which data goes on under the new id: none, all of it, or these keys. @default false */
  keep?: boolean | readonly string[]
}

/**
 * What is on `req.session` besides data. All of it is non-enumerable, so that `Object.keys`,
 * `JSON.stringify` and `for…in` see data only. These nine names are reserved for good.
 */
export interface SessionMembers<D extends object = Data> {
  /**
   * A public handle of the session: safe to log and to show, and no credential. It changes when the
   * id is renewed.
   */
  readonly id: string
  /** Whether nothing is stored yet. */
  readonly isNew: boolean
  /** This session's own lifetime: `cookie.maxAge`, for "remember me". */
  readonly cookie: SessionCookie
  /**
   * Stores the session now. Without it, a changed session is stored before the response leaves.
   * Creates an empty new session too.
   * @throws `ERR_GONE` if it has ended, `ERR_HEADERS_SENT` if it would need a cookie too late
   */
  save(callback?: Callback): Promise<void>
  /** Drops what this request changed and shows what is stored. @throws `ERR_GONE` */
  reload(callback?: Callback): Promise<void>
  /**
   * Ends the session: record and cookie go, and late requests cannot bring it back. Idempotent.
   * A session that travels in its token is forgotten by this client only, and copies of the token
   * live on, unless the option `revocations` is set.
   * @throws `ERR_STORE`; then record and cookie both stay, and it can be tried again
   */
  destroy(callback?: Callback): Promise<void>
  /** Tells the store now that the session is in use. Happens by itself for each request. */
  touch(callback?: Callback): Promise<void>
  /**
   * Goes on under a new id. `req.session` is a new object then; this one stays readable. The new
   * id is stored, and the old one ended, by the next `save()` or before the response leaves.
   */
  regenerate(callback: Callback): Promise<void>
  regenerate(options?: RegenerateOptions, callback?: Callback): Promise<void>
  /**
   * Atomic read-modify-write: `change(data)` edits the newest stored data in place, with this
   * request's own changes on top, and runs again if somebody else was faster, so it must have no
   * other effects. Resolves with what it gives, once that is stored.
   * @throws `ERR_GONE`, `ERR_CONFLICT`, and whatever `change` throws (then nothing is stored)
   */
  update<T>(change: (data: Storable<D>) => T | Promise<T>, callback?: Callback<T>): Promise<T>
}

/**
 * `req.session`: plain data properties, and the nine members. Every field of `D` is optional, and
 * one with the name of a member is not there: that name cannot hold data.
 */
export type Session<D extends object = SessionData> = SessionMembers<D> & Fields<D>

type Fields<D extends object> = {
  [Key in keyof D as Exclude<Key, keyof SessionMembers>]?: D[Key]
}

/** The nine names of the members, as what no data has. */
export type NoReservedNames = { readonly [Name in keyof SessionMembers]?: never }

/** Data of a session without the session: the fields of `D`, each of them optional. */
export type Storable<D extends object> = Fields<D> & NoReservedNames

/** This session's own lifetime. Cookie attributes are options of `session()`. */
export interface SessionCookie {
  /**
   * This session's own idle time in ms ("remember me"): its cookie survives the browser, and its
   * idle timeout is this. Kept with the record. undefined: the settings.
   */
  get maxAge(): number | undefined
  set maxAge(ms: number | null | undefined)
}

/** The nine names that data cannot have. */
export const RESERVED: ReadonlySet<string> = new Set([
  'id',
  'isNew',
  'cookie',
  'save',
  'reload',
  'destroy',
  'touch',
  'regenerate',
  'update',
])

/** What a session object does its work with: one per request. */
export interface SessionHost {
  handleOf(session: SessionObject): string
  isNew(): boolean
  lifetime(): number | undefined
  setLifetime(ms: number | null | undefined): void
  save(): Promise<void>
  reload(): Promise<void>
  destroy(): Promise<void>
  touch(): Promise<void>
  regenerate(options: RegenerateOptions): Promise<void>
  update(change: (data: Data) => unknown): Promise<unknown>
}

/**
 * The object a handler holds. Its data are its own enumerable properties; its prototype chain ends
 * before `Object.prototype`, so that a key `__proto__` is data like any other.
 */
export class SessionObject {
  readonly #host: SessionHost
  #cookie: OwnCookie | undefined

  constructor(host: SessionHost) {
    this.#host = host
  }

  static {
    const members: Record<string, (session: SessionObject) => unknown> = {
      id: (session) => session.#host.handleOf(session),
      isNew: (session) => session.#host.isNew(),
      cookie: (session) => {
        session.#cookie ??= new OwnCookie(session.#host)
        return session.#cookie
      },
    }
    const methods = {
      save(this: SessionObject, callback?: Callback) {
        return answer(this.#host.save(), callback)
      },
      reload(this: SessionObject, callback?: Callback) {
        return answer(this.#host.reload(), callback)
      },
      destroy(this: SessionObject, callback?: Callback) {
        return answer(this.#host.destroy(), callback)
      },
      touch(this: SessionObject, callback?: Callback) {
        return answer(this.#host.touch(), callback)
      },
      regenerate(this: SessionObject, options?: RegenerateOptions | Callback, callback?: Callback) {
        return typeof options === 'function'
          ? answer(this.#host.regenerate({}), options)
          : answer(this.#host.regenerate(options ?? {}), callback)
      },
      update(this: SessionObject, change: (data: Data) => unknown, callback?: Callback<unknown>) {
        return answer(this.#host.update(change), callback)
      },
    }
    for (const [name, method] of Object.entries(methods)) members[name] = () => method
    for (const [name, get] of Object.entries(members)) {
      Object.defineProperty(SessionObject.prototype, name, {
        configurable: true,
        get(this: SessionObject) {
          return get(this)
        },
        set() {
          throw reservedKey(name)
        },
      })
    }
    Object.setPrototypeOf(SessionObject.prototype, plainMethods())
  }
}

/** What programs expect on any object (`hasOwnProperty`, `toString`), without `__proto__`. */
function plainMethods(): object {
  const methods: object = Object.create(null)
  for (const name of Object.getOwnPropertyNames(Object.prototype)) {
    const descriptor = Object.getOwnPropertyDescriptor(Object.prototype, name)
    if (descriptor?.value === undefined || name === 'constructor') continue
    Object.defineProperty(methods, name, descriptor)
  }
  return methods
}

class OwnCookie implements SessionCookie {
  readonly #host: SessionHost

  constructor(host: SessionHost) {
    this.#host = host
  }

  get maxAge(): number | undefined {
    return this.#host.lifetime()
  }

  set maxAge(ms: number | null | undefined) {
    this.#host.setLifetime(ms)
  }
}

/**
 * Serves promise and callback from one piece of work. A promise that nobody awaits must not end the
 * process, and an exception inside a callback is neither swallowed nor answered by a second call.
 */
export function answer<T>(work: Promise<T>, callback: Callback<T> | undefined): Promise<T> {
  // Not everything in its place is one: `process.once('SIGTERM', sessions.close)`.
  const isCalled = typeof callback === 'function'
  work.then(
    (value) => isCalled && outside(() => callback(null, value)),
    (error: unknown) => isCalled && outside(() => callback(error)),
  )
  return work
}

/** Out of the promise chain: an exception of the callback is the application's own, uncaught. */
function outside(run: () => void): void {
  process.nextTick(run)
}
