import type { SessionData } from './session-data.js'

/**
 * A session of express-session as text: the JSON of its enumerable keys, with `cookie` among them.
 * What others have written is read as far as it makes sense.
 */
export function textOf(session: object): string {
  return JSON.stringify(session)
}

/** The session in a text, in objects of its own; undefined: the text holds none. */
export function parseSession(text: string): SessionData | undefined {
  try {
    const session: unknown = JSON.parse(text)
    return isObject(session) ? (session as unknown as SessionData) : undefined
  } catch {
    return undefined
  }
}

/** When the cookie of a session expires, in ms since the epoch; undefined: it has no date. */
export function expiryOf(session: object): number | undefined {
  const { cookie } = session as { cookie?: unknown }
  if (!isObject(cookie)) return undefined
  // Kept so by versions of long ago.
  return timeOf(cookie.expires === undefined ? cookie._expires : cookie.expires)
}

/** What a session says of its cookie besides the date, for comparison; '': it has no cookie. */
export function cookieText(session: object): string {
  const { cookie } = session as { cookie?: unknown }
  if (!isObject(cookie)) return ''
  const { expires, _expires, ...rest } = JSON.parse(JSON.stringify(cookie)) as Fields
  return JSON.stringify(rest)
}

/** The text of `stored` with the cookie of `session`. */
export function withCookie(stored: SessionData, session: object): string {
  return JSON.stringify({ ...stored, cookie: (session as SessionData).cookie })
}

/** `session` with its cookie's date set to the expiry of its record, in the form that it has. */
export function withExpiry(session: SessionData, expiresAt: number): SessionData {
  const date = expiryOf(session)
  // Stores that count in seconds round up, which is no news.
  if (date === undefined || Math.abs(expiresAt - date) < 1000) return session
  const cookie = session.cookie as unknown as Fields
  const at = new Date(expiresAt)
  if (Number.isNaN(at.getTime())) return session
  if (typeof cookie.expires === 'string') cookie.expires = at.toISOString()
  else if (typeof cookie.expires === 'number') cookie.expires = expiresAt
  return session
}

type Fields = Record<string, unknown>

function timeOf(date: unknown): number | undefined {
  const isDate = date instanceof Date || typeof date === 'string' || typeof date === 'number'
  const time = isDate ? new Date(date).getTime() : Number.NaN
  return Number.isNaN(time) ? undefined : time
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
