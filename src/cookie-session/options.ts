import type { EncryptOptions } from '../encrypt-option.js'
import type { Key, KeygripLike } from './signer.js'

/** Options of `cookieSession()`: those of cookie-session 2.1 with their defaults. */
export interface CookieSessionOptions {
  /** The name of the cookie; that of its signature ends with `.sig`. @default 'session' */
  name?: string | undefined
  /** Sign the cookie: the newest, first, signs, and all are accepted. Or a Keygrip. */
  keys?: readonly Key[] | KeygripLike | undefined
  /** The only key, where there are no `keys`. */
  secret?: Key | undefined
  /** Whether the cookie is signed. Without it, anybody can write sessions. @default true */
  signed?: boolean | undefined
  /**
   * Encrypts the cookie, and takes sessions over from signed ones. Needs a first key of 32 bytes or
   * more, or keys of its own. cookie-session does not have this option, nor can it read such a cookie.
   * @default false
   */
  encrypt?: boolean | EncryptOptions | undefined
  /** Whether other cookies of the name are taken out of the response. @default true */
  overwrite?: boolean | undefined
  /** How long the browser keeps the cookie, in ms. @default until it is closed */
  maxAge?: number | undefined
  /** Until when the browser keeps the cookie, where there is no `maxAge`. */
  expires?: Date | undefined
  /** @default '/' */
  path?: string | undefined
  domain?: string | undefined
  /** true means 'strict'. @default false */
  sameSite?: 'strict' | 'lax' | 'none' | boolean | undefined
  /** Whether the cookie is for https alone. @default as the request came */
  secure?: boolean | undefined
  /** An old way to say `secure` without a look at the request. */
  secureProxy?: boolean | undefined
  /** Whether scripts in the page cannot read the cookie. @default true */
  httpOnly?: boolean | undefined
  /** @default false */
  partitioned?: boolean | undefined
  priority?: 'low' | 'medium' | 'high' | undefined
}
