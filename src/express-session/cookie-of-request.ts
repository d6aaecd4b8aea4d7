import { Cookie, type CookieOptions } from './cookie.js'
import { isSecure, type Request } from './request.js'

/** The cookie of a new session: as the options say, and as the connection is. */
export function cookieFor(
  req: Request,
  options: CookieOptions,
  proxy: boolean | undefined,
): Cookie {
  const cookie = new Cookie(options)
  const secure = isSecure(req, proxy)
  if (options.secure === 'auto') cookie.secure = secure
  if (options.sameSite === 'auto') cookie.sameSite = secure ? 'none' : 'lax'
  return cookie
}

/** The line that takes a cookie out of the browser: same name, domain, path and flags. */
export function clearLine(name: string, cookie: Cookie): string {
  cookie.expires = new Date(0)
  return cookie.serialize(name, '')
}
