/**
 * The field `session` of connect-mongo with `stringify: false`: an object in place of a text. Its
 * `cookie` has a date as `expires`, and null for what is not set.
 */

/** The cookie of express-session, in the order of its own JSON. */
const COOKIE = [
  'originalMaxAge',
  'partitioned',
  'priority',
  'expires',
  'secure',
  'httpOnly',
  'domain',
  'path',
  'sameSite',
]

/** What that JSON leaves out if it is not set. */
const LEFT_OUT = new Set(['partitioned', 'priority', 'secure', 'domain', 'sameSite'])

/** MongoDB takes 100 levels, and some are around the session. */
const MAX_DEPTH = 90

type Fields = Record<string, unknown>

/** The text of what is kept as an object; undefined: it is none. */
export function textOfObject(session: unknown): string | undefined {
  if (!isPlain(session)) return undefined
  const { cookie } = session
  const shown = isCookie(cookie) ? { ...session, cookie: without(cookie) } : session
  try {
    return JSON.stringify(shown, numbers)
  } catch {
    return undefined
  }
}

/**
 * The object to keep for a text; undefined: BSON cannot hold it so that the text comes back.
 *
 * @param before what was kept: where the text has what that was read as, its own types stay, such as
 * dates that somebody else has put there
 */
export function objectOfText(text: string, before: unknown): object | undefined {
  const session = parsed(text)
  // Numbers that no double holds, repeated keys, spaces.
  if (session === undefined || JSON.stringify(session) !== text) return undefined
  const old = isPlain(before) ? before : {}
  const made = mapped(session, (key, value) => {
    if (key === 'cookie' && isCookie(value)) return withDate(value)
    return kept(value, own(old, key))
  })
  return isHoldable(made, MAX_DEPTH) ? made : undefined
}

/** 64-bit integers, which a number can stand for as far as JSON goes. */
function numbers(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value)
  return (value as Fields | null | undefined)?._bsontype === 'Long' ? Number(value) : value
}

function withDate(cookie: Fields): Fields {
  const made: Fields = {}
  for (const key of COOKIE) {
    const value = own(cookie, key)
    if (value !== undefined) made[key] = key === 'expires' ? dateIn(value) : value
    else if (LEFT_OUT.has(key)) made[key] = null
  }
  return made
}

function dateIn(value: unknown): unknown {
  if (typeof value !== 'string') return value
  const date = new Date(value)
  return Number.isNaN(date.getTime()) || date.toISOString() !== value ? value : date
}

function without(cookie: Fields): Fields {
  const left = Object.entries(cookie).filter(([key, value]) => value !== null || !LEFT_OUT.has(key))
  return Object.fromEntries(left)
}

/** Whether all of it is what a cookie of express-session has, in its order. */
function isCookie(value: unknown): value is Fields {
  if (!isPlain(value) || !Object.hasOwn(value, 'originalMaxAge')) return false
  const places = Object.keys(value).map((key) => COOKIE.indexOf(key))
  return places.every((place, i) => place > (places[i - 1] ?? -1))
}

/** `value`, with the types that `before` has where its JSON is the same. */
function kept(value: unknown, before: unknown): unknown {
  if (typeof before !== 'object' || before === null) return value
  if (isPlain(value) && isPlain(before)) {
    return mapped(value, (key, inner) => kept(inner, own(before, key)))
  }
  if (Array.isArray(value) && Array.isArray(before)) {
    return value.map((inner, i) => kept(inner, before[i]))
  }
  return JSON.stringify(before, numbers) === JSON.stringify(value) ? before : value
}

/**
 * Whether a driver and a server keep the value as it is. They take `$ref` and `_bsontype` for types
 * of their own, older servers refuse every `$`, names end at NUL, and UTF-8 has no lone surrogates.
 */
function isHoldable(value: unknown, depth: number): boolean {
  if (typeof value === 'string') return isWellFormed(value)
  if (typeof value !== 'object' || value === null) return true
  // A type of BSON that was kept. The JSON of some has names that begin with `$`.
  if (!Array.isArray(value) && !isPlain(value)) return true
  if (depth === 0) return false
  return Object.entries(value).every(
    ([key, inner]) =>
      !/^\$|\0|^_bsontype$/.test(key) && isWellFormed(key) && isHoldable(inner, depth - 1),
  )
}

/** Whether UTF-8 can hold the text: two that differ in a lone surrogate alone would become one. */
export function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text)
}

/** With `__proto__` as a key like any other. */
function mapped(from: Fields, value: (key: string, value: unknown) => unknown): Fields {
  return Object.fromEntries(Object.entries(from).map(([key, inner]) => [key, value(key, inner)]))
}

function own(from: Fields, key: string): unknown {
  return Object.hasOwn(from, key) ? from[key] : undefined
}

function parsed(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isPlain(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** An object of JSON, and no type of BSON. */
function isPlain(value: unknown): value is Fields {
  if (typeof value !== 'object' || value === null) return false
  // Not by `Object`, of which a test runner may have two.
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}
