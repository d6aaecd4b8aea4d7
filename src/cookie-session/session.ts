import { answer } from '../core/session.js'
import type { Anything } from '../express-session/anything.js'

/** The last argument of every asynchronous method, for those who do not use promises. */
export type Callback = (error: Anything) => void

/** What a session asks of its request. */
export interface SessionHost {
  save(session: Session): void
  regenerate(): void
}

/** Where a session comes from; programs have looked at it. */
export class SessionContext {
  _new: boolean
  /** The value of the cookie that brought it. */
  _val: string | undefined
  readonly #host: SessionHost

  constructor(host: SessionHost, value?: string) {
    this._new = value === undefined
    this._val = value
    this.#host = host
  }

  static hostOf(context: SessionContext): SessionHost {
    return context.#host
  }
}

/** Methods that the old package does not have: its data may have their names, and goes on to. */
const NEW_NAMES = new Set(['save', 'regenerate'])

/** The session itself. */
export class Session {
  declare readonly _ctx: SessionContext;
  [key: string]: unknown

  constructor(context: SessionContext, data?: object) {
    Object.defineProperty(this, '_ctx', { value: context })
    // A key of this name would hide a member, or what every object has; `__proto__` is one.
    for (const key in data ?? {}) {
      if (!(key in this) || NEW_NAMES.has(key)) this[key] = (data as Record<string, unknown>)[key]
    }
  }

  get isNew(): boolean {
    return this._ctx._new
  }

  get isChanged(): boolean {
    return this._ctx._new || this._ctx._val !== encoded(this)
  }

  get isPopulated(): boolean {
    return Object.keys(this).length > 0
  }

  // The parameter is declared without a default: grant looks for a `save` that takes one.
  save(callback?: Callback): this | Promise<void> {
    return answered(this, (host) => host.save(this), callback)
  }

  regenerate(callback?: Callback): this | Promise<void> {
    return answered(this, (host) => host.regenerate(), callback)
  }
}

/** The session of a cookie; undefined: that is no text of a session. */
export function sessionFrom(host: SessionHost, value: string): Session | undefined {
  let data: unknown
  try {
    data = JSON.parse(textOf(value))
  } catch {
    return undefined
  }
  const isData = typeof data === 'object' && data !== null && !Array.isArray(data)
  return new Session(new SessionContext(host, value), isData ? (data as object) : {})
}

/** What is encrypted in place of a value: its text, without the base64. */
export function textOf(value: string): string {
  return Buffer.from(value, 'base64').toString()
}

export function cookieValueOf(text: string): string {
  return Buffer.from(text).toString('base64')
}

/** The value of the cookie. @throws whatever `JSON.stringify` does */
export function encoded(session: Session): string {
  return cookieValueOf(JSON.stringify(session))
}

function answered<One extends Session>(
  session: One,
  work: (host: SessionHost) => void,
  callback: Callback | undefined,
): One | Promise<void> {
  const done = (async () => work(SessionContext.hostOf(session._ctx)))()
  // Perhaps nobody awaits it.
  done.catch(() => {})
  if (typeof callback !== 'function') return done
  answer(done, (error) => callback(error))
  return session
}
