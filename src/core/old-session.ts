import type { Entry } from './store.js'

/** What an object that an old store gave back says. Times in ms; NaN where it says nothing. */
export interface OldContents {
  readonly text: string
  /** The date in the object. A touch may have moved the record's expiry without it. */
  readonly expires: number
  /** The life that was given to the record with its last write. */
  readonly life: number
}

/** How a record lies in a session object of express-session. */
export interface OldForm {
  /** A new object each time: some stores write into what they get, others keep it as it is. */
  write(entry: Entry, now: number): object
  /** Undefined: this is not one of ours. */
  read(session: object): OldContents | undefined
}

/** Below one second connect-memcached says 0, which Memcached takes for "never expires". */
const SHORTEST_LIFE = 1000

/** The form of native records: their text under one key, beside the cookie that stores read. */
export const nativeForm: OldForm = {
  write({ text, expiresAt }, now) {
    return { cookie: new OldCookie(expiresAt, now), coatcheck: text }
  },
  read(session) {
    const { cookie, coatcheck: text } = session as {
      cookie?: { expires?: unknown; originalMaxAge?: unknown } | null
      coatcheck?: unknown
    }
    if (typeof text !== 'string') return undefined
    return { text, expires: timeOf(cookie?.expires), life: lifeOf(cookie?.originalMaxAge) }
  },
}

/**
 * The cookie of an old session object. There is no such cookie here; stores find in it how long the
 * record is to live. Redis, PostgreSQL, MySQL and MongoDB stores read `expires`, those of Memcached
 * and SQLite and memorystore `maxAge`, session-file-store `originalMaxAge`. Some copy the object,
 * so all but what has to be computed are its own properties.
 */
export class OldCookie {
  readonly originalMaxAge: number
  readonly expires: Date
  readonly httpOnly = true
  readonly path = '/'

  constructor(expiresAt: number, now: number) {
    this.originalMaxAge = Math.max(SHORTEST_LIFE, Math.ceil(expiresAt - now))
    this.expires = new Date(now + this.originalMaxAge)
  }

  /** What is left of the life: all of it, since the object is made for one call. */
  get maxAge(): number {
    return this.originalMaxAge
  }

  /** What express-session's own cookie gives for the text of a record. */
  toJSON(): object {
    const { originalMaxAge, expires, httpOnly, path } = this
    return { originalMaxAge, expires, httpOnly, path }
  }
}

/** Text, a Date or a number, by what a store keeps its sessions in. */
function timeOf(date: unknown): number {
  if (typeof date === 'number') return date
  return date instanceof Date || typeof date === 'string' ? new Date(date).getTime() : Number.NaN
}

function lifeOf(life: unknown): number {
  return typeof life === 'number' ? life : Number.NaN
}
