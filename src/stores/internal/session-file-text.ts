/**
 * The text of a file of session-file-store: a session of express-session as JSON, and in it, under
 * `__lastAccess`, when it was last used. Of that and of the cookie's `originalMaxAge` the package
 * computes the expiry.
 */

/** What is in such a file. */
export interface SessionFileText {
  /** The session without `__lastAccess`. */
  readonly text: string
  /** In ms since the epoch; undefined: the file does not say. */
  readonly lastAccess: number | undefined
  /** How long the session lives from then on, in ms; undefined: as long as the store is told. */
  readonly life: number | undefined
}

const KEY = '__lastAccess'

/** As it is written here: the last member, which can be cut off again without parsing the rest. */
const TAIL = /(,?)"__lastAccess":(-?\d[\d.e+-]*)(\}\s*)$/

type Session = Record<string, unknown>

/** What a file says; undefined: it holds no session. */
export function readSessionFile(content: string): SessionFileText | undefined {
  const session = parsed(content)
  if (session === undefined) return undefined
  const lastAccess = session[KEY]
  return {
    text: Object.hasOwn(session, KEY) ? without(content, session) : content,
    lastAccess: isNumber(lastAccess) ? lastAccess : undefined,
    life: lifeIn(session),
  }
}

/** How long the session in a text lives, if it says so; null: the text holds no session. */
export function lifeOf(text: string): number | undefined | null {
  const session = parsed(text)
  return session === undefined ? null : lifeIn(session)
}

/** The content of a file. */
export function writeSessionFile(text: string, lastAccess: number): string {
  const session = parsed(text) ?? {}
  const own = Object.hasOwn(session, KEY) ? without(text, session) : text
  const end = own.lastIndexOf('}')
  const comma = Object.keys(session).some((key) => key !== KEY) ? ',' : ''
  return `${own.slice(0, end)}${comma}"${KEY}":${JSON.stringify(lastAccess)}${own.slice(end)}`
}

/**
 * The session with its cookie's date moved, if its life is its cookie's: who reads the file without
 * session-file-store may go by that.
 */
export function withDate(text: string, expiresAt: number): string {
  const session = parsed(text)
  const cookie = session?.cookie
  if (session === undefined || !isObject(cookie) || lifeIn(session) === undefined) return text
  const date = new Date(expiresAt)
  if (typeof cookie.expires !== 'string' || Number.isNaN(date.getTime())) return text
  const expires = date.toISOString()
  if (expires === cookie.expires) return text
  return JSON.stringify({ ...session, cookie: { ...cookie, expires } })
}

/** Whether two sessions are the same but for the date of a cookie that has a life. */
export function sameButForDate(a: string, b: string): boolean {
  if (a === b) return true
  const [one, other] = [undated(a), undated(b)]
  return one !== undefined && one === other
}

function undated(text: string): string | undefined {
  const session = parsed(text)
  const cookie = session?.cookie
  if (session === undefined || !isObject(cookie) || lifeIn(session) === undefined) return undefined
  if (typeof cookie.expires !== 'string') return undefined
  return JSON.stringify({ ...session, cookie: { ...cookie, expires: '' } })
}

function without(content: string, session: Session): string {
  const tail = TAIL.exec(content)
  if (tail !== null) {
    const [{ length }, comma, , end] = tail
    const rest = content.slice(0, -length) + end
    // Twice in one object, or after a space: then the slow way.
    const isAlone = comma === ',' || Object.keys(session).length === 1
    if (isAlone && !rest.includes(`"${KEY}"`)) return rest
  }
  const { [KEY]: _, ...others } = session
  return JSON.stringify(others)
}

function lifeIn({ cookie }: Session): number | undefined {
  const life = isObject(cookie) ? cookie.originalMaxAge : undefined
  return isNumber(life) && life !== 0 ? life : undefined
}

function parsed(text: string): Session | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

function isObject(value: unknown): value is Session {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
