import { Cookie, type CookieOptions } from './cookie.js'
import type { Request } from './request.js'
import { Session } from './session.js'

/**
 * What is at `req.session` now, as a session: programs also assign plain data, or a cookie of their
 * own making. undefined: nothing.
 *
 * @param lastCookie the cookie of data that came without one
 */
export function sessionAt(
  req: Request,
  lastCookie: () => Cookie,
): { readonly session: Session; readonly isMade: boolean } | undefined {
  const value = req.session
  if (!value || typeof value !== 'object') return undefined
  const { cookie } = value as { cookie?: unknown }
  const isSession = 'resetMaxAge' in value
  if (isSession && cookie instanceof Cookie) return { session: value as Session, isMade: false }
  const session = isSession ? (value as Session) : new Session(req, value)
  session.cookie = hasCookie(value) ? new Cookie(cookie as CookieOptions) : lastCookie()
  req.session = session
  return { session, isMade: true }
}

export function hasCookie(value: object): boolean {
  const { cookie } = value as { cookie?: unknown }
  return typeof cookie === 'object' && cookie !== null
}
