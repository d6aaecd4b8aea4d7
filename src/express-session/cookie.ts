import { serialize } from 'cookie'
import depd from 'depd'

const deprecate = depd('express-session')

/** Attributes of the cookie, as the option `cookie` and `new Cookie()` take them. */
export interface CookieOptions {
  /** How long the cookie, and the session with it, lives, in ms. @default until the browser ends */
  maxAge?: number | undefined
  /** @default null */
  expires?: Date | null | undefined
  /** @default true */
  httpOnly?: boolean | undefined
  /** Requests outside it have no session. @default '/' */
  path?: string | undefined
  domain?: string | undefined
  /** `'auto'`: as the connection is. @default undefined, which sends no Secure */
  secure?: boolean | 'auto' | undefined
  /** `'auto'`: None on a secure connection, else Lax. @default undefined, which sends none */
  sameSite?: boolean | 'auto' | 'lax' | 'strict' | 'none' | undefined
  priority?: 'low' | 'medium' | 'high' | undefined
  partitioned?: boolean | undefined
  /** Not used: the id is always signed. */
  signed?: boolean | undefined
  /** Not used: the value is always percent-encoded. */
  encode?: ((value: string) => string) | undefined
}

/** The cookie of one session: what is stored with it, and what the next Set-Cookie says. */
export interface Cookie extends CookieOptions {
  /** What `maxAge` was when it was last set: the life that each request starts again. */
  originalMaxAge: number | null
  /** What is left of the life, in ms. Setting it sets `expires` and `originalMaxAge`. */
  get maxAge(): number | undefined
  set maxAge(ms: number | null | undefined)
  /** What `'auto'` in the options has become. */
  sameSite?: boolean | 'lax' | 'strict' | 'none' | undefined
  /** The attributes in the order in which they are stored. */
  readonly data: object
  /** A Set-Cookie line with these attributes. */
  serialize(name: string, value: string): string
  toJSON(): object
}

/** What `_expires` is called in records of long ago, and by programs that look. */
type Fields = Omit<Cookie, 'maxAge' | 'expires'> & {
  _expires?: Date | null | undefined
  maxAge: unknown
  expires: unknown
  [attribute: string]: unknown
}

interface CookieConstructor {
  new (options?: CookieOptions | null): Cookie
  (this: unknown, options?: CookieOptions | null): void
  readonly prototype: Cookie
}

/** A function and not a class, so that `Cookie.call(this)` works as it always did. */
export const Cookie = function Cookie(this: Fields, options?: unknown): void {
  this.path = '/'
  this.maxAge = null
  this.httpOnly = true
  if (options) {
    if (typeof options !== 'object') throw new TypeError('argument options must be a object')
    // Inherited ones too: of another Cookie, `expires` and `maxAge` are accessors.
    for (const name in options) {
      if (name !== 'data') this[name] = (options as Record<string, unknown>)[name]
    }
  }
  this.originalMaxAge ??= this.maxAge as number | null
} as unknown as CookieConstructor

const prototype: object = {
  get expires(): unknown {
    return (this as unknown as Fields)._expires
  },
  set expires(date: unknown) {
    const cookie = this as unknown as Fields
    cookie._expires = date as Date | null
    cookie.originalMaxAge = cookie.maxAge as number | null
  },
  get maxAge(): unknown {
    const { _expires } = this as unknown as Fields
    return _expires instanceof Date ? _expires.valueOf() - Date.now() : _expires
  },
  set maxAge(ms: unknown) {
    if (ms && typeof ms !== 'number' && !(ms instanceof Date)) {
      throw new TypeError('maxAge must be a number or Date')
    }
    if (ms instanceof Date) deprecate('maxAge as Date; pass number of milliseconds instead')
    const cookie = this as unknown as Fields
    if (typeof ms !== 'number') {
      cookie.expires = ms
      return
    }
    const now = Date.now()
    const end = new Date(now + ms)
    cookie.expires = end
    // That has looked at the clock again. What had passed would be gone for good with each touch, and
    // the record be written for it.
    cookie.originalMaxAge = end.valueOf() - now
  },
  get data(): object {
    const { originalMaxAge, partitioned, priority, _expires, secure } = this as unknown as Fields
    const { httpOnly, domain, path, sameSite, coatcheck } = this as unknown as Fields
    return {
      originalMaxAge,
      partitioned,
      priority,
      expires: _expires,
      secure,
      httpOnly,
      domain,
      path,
      sameSite,
      // Last, and mostly not there: JSON has no undefined.
      ...(coatcheck === undefined ? undefined : { coatcheck }),
    }
  },
  serialize(this: Cookie, name: string, value: string): string {
    return serialize(name, value, this.data)
  },
  toJSON(this: Cookie): object {
    return this.data
  },
}

// Enumerable, as they are in the cookies of express-session: programs copy cookies by for…in.
Object.defineProperty(Cookie, 'prototype', { value: prototype })
