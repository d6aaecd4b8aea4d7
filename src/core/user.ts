import type { Changes } from './changes.js'
import type { Data } from './record.js'

/** Finds whose session it is in the data as stored. null, undefined and '' mean nobody. */
export type UserOf = (data: Data) => unknown

/** Who is behind the data of a session: the user, if one can be named, and whether anyone is. */
export interface Who {
  readonly user?: string
  /** A flag such as `loggedIn` that tutorials set instead of a user. */
  readonly signedIn: boolean
}

export type UserChange = 'login' | 'logout' | 'switch'

/**
 * Where tutorials and frameworks put the user, first match first: `userId`, `uid`, `user.id`,
 * `user._id`, `user.username`, `user.email`, `user`, `passport.user` (itself or its id),
 * `username`, `email`.
 */
export function defaultUserOf(data: Data): unknown {
  const user = data.user
  const passport = memberOf(data.passport, 'user')
  const candidates = [
    data.userId,
    data.uid,
    memberOf(user, 'id'),
    memberOf(user, '_id'),
    memberOf(user, 'username'),
    memberOf(user, 'email'),
    user,
    passport,
    memberOf(passport, 'id'),
    memberOf(passport, '_id'),
    data.username,
    data.email,
  ]
  return candidates.find((candidate) => nameOf(candidate) !== undefined)
}

/** Flags of being signed in, lower case. `user` too: it may be an object that names nobody. */
const FLAGS = new Set([
  'user',
  'loggedin',
  'logged_in',
  'isloggedin',
  'isauth',
  'isauthenticated',
  'authenticated',
])

/**
 * Who the data belongs to.
 * @param data as stored: what `JSON.parse` gives, so `toJSON` has been applied
 * @param userOf the application's own extractor; without one the default looks for flags too
 */
export function whoIs(data: Data, userOf: UserOf | undefined): Who {
  // The application's own extractor gets a copy: it may edit what it is given.
  const user = nameOf(userOf === undefined ? defaultUserOf(data) : userOf(structuredClone(data)))
  const signedIn =
    userOf === undefined &&
    Object.keys(data).some((key) => FLAGS.has(key.toLowerCase()) && Boolean(data[key]))
  return user === undefined ? { signedIn } : { user, signedIn }
}

/** Top-level keys that {@link defaultUserOf} looks at, besides the flags. */
const NAMES = new Set(['userId', 'uid', 'user', 'passport', 'username', 'email'])

/** Whether changes may concern who is behind the data: mostly they do not, and nothing is parsed. */
export function concernsUser(changes: Changes, userOf: UserOf | undefined): boolean {
  if (userOf !== undefined) return true
  const concerns = (key: string) => NAMES.has(key) || FLAGS.has(key.toLowerCase())
  for (const key of changes.set.keys()) if (concerns(key)) return true
  for (const key of changes.deleted) if (concerns(key)) return true
  return false
}

/** What happened between two states of one session; undefined: the same user, or still nobody. */
export function userChange(before: Who, after: Who): UserChange | undefined {
  if (before.user !== after.user) {
    if (before.user === undefined) return 'login'
    return after.user === undefined ? 'logout' : 'switch'
  }
  if (before.signedIn === after.signedIn) return undefined
  return after.signedIn ? 'login' : 'logout'
}

/** A user's name as a string, 1 and '1' alike; undefined: nobody can be named by it. */
export function nameOf(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
      return value === '' ? undefined : value
    case 'number':
      return Number.isFinite(value) ? String(value) : undefined
    case 'bigint':
      return String(value)
    default:
      return isObjectId(value) ? String(value) : undefined
  }
}

/** MongoDB's ObjectId, in whichever version of the driver: told by shape. */
function isObjectId(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { toHexString?: unknown }).toHexString === 'function'
  )
}

function memberOf(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
  return (value as Data)[key]
}
