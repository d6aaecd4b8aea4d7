import type { Facts } from './record.js'

/**
 * One truth about time: every expiry, touch and cookie date is computed here, from what is in the
 * record, what is set now and the clock.
 */
export interface LifetimeSettings {
  /** Ends a session this long after its last activity, in ms; null: never. */
  readonly idleTimeout: number | null
  /** Ends a session this long after login or creation, in ms; null: never. */
  readonly absoluteTimeout: number | null
}

/** Browsers cut Max-Age to 400 days (RFC 6265bis, section 5.5). */
export const LONGEST_COOKIE = 400 * 24 * 60 * 60 * 1000

/** A hundred years: longer times would leave what dates and exact integers can hold. */
export const LONGEST_TIME = 100 * 365 * 24 * 60 * 60 * 1000

/** A live session tells the store of its activity at most this often, in ms. */
const TOUCH_INTERVAL = 60_000

/** The idle time a write notes: the session's own lifetime, else the setting. */
export function idleToNote(own: number | undefined, settings: LifetimeSettings): number | null {
  return own ?? settings.idleTimeout
}

/** The expiry a write at `now` stores. Infinity cannot come out: one of the two clocks is on. */
export function expiryAfter(facts: Facts, settings: LifetimeSettings, now: number): number {
  if (facts.idle !== null) return now + facts.idle
  return absoluteEnd(facts, settings) ?? now + LONGEST_COOKIE
}

/** When the last activity was, as far as the stored expiry tells. */
export function lastSeen(facts: Facts, storedExpiry: number): number {
  return facts.idle === null ? (facts.seen ?? facts.started) : storedExpiry - facts.idle
}

export function absoluteEnd(facts: Facts, settings: LifetimeSettings): number | undefined {
  return settings.absoluteTimeout === null ? undefined : facts.started + settings.absoluteTimeout
}

/** When the idle clock ends the session. A shortened setting counts at once, a longer one later. */
function idleEnd(facts: Facts, storedExpiry: number, settings: LifetimeSettings): number {
  const set = settings.idleTimeout ?? Number.POSITIVE_INFINITY
  const idle = facts.own ?? Math.min(facts.idle ?? set, set)
  return lastSeen(facts, storedExpiry) + idle
}

/** The moment the session ends if nobody uses it. */
export function endOf(facts: Facts, storedExpiry: number, settings: LifetimeSettings): number {
  return Math.min(
    idleEnd(facts, storedExpiry, settings),
    absoluteEnd(facts, settings) ?? Number.POSITIVE_INFINITY,
  )
}

/** Which clock has ended the session at `now`; undefined: none, it is live. */
export function endedBy(
  facts: Facts,
  storedExpiry: number,
  settings: LifetimeSettings,
  now: number,
): 'idle' | 'absolute' | undefined {
  const absolute = absoluteEnd(facts, settings)
  if (absolute !== undefined && now >= absolute) return 'absolute'
  return now >= idleEnd(facts, storedExpiry, settings) ? 'idle' : undefined
}

/** How long a session with this idle time goes on before its store hears of that, in ms. */
export function touchInterval(idle: number): number {
  return Math.min(TOUCH_INTERVAL, idle / 10)
}

/** Whether the store should hear of this activity now. */
export function touchIsDue(
  facts: Facts,
  storedExpiry: number,
  settings: LifetimeSettings,
  now: number,
): boolean {
  const idle = facts.idle ?? settings.idleTimeout
  if (idle === null) return false
  const sinceTouch = now - lastSeen(facts, storedExpiry)
  // Far in the future: a touch raced a change of the session's own lifetime. Set it right.
  return sinceTouch > touchInterval(idle) || sinceTouch < -TOUCH_INTERVAL
}

/**
 * The Max-Age of a persistent cookie, in ms: up to the absolute end, since the server keeps the
 * idle clock itself and a sliding session then needs no new cookie per response.
 */
export function cookieLife(facts: Facts, settings: LifetimeSettings, now: number): number {
  const end = absoluteEnd(facts, settings) ?? Number.POSITIVE_INFINITY
  return Math.max(0, Math.min(end - now, LONGEST_COOKIE))
}

/** Whether a session whose record travels should have a token with a later end, if it is used now. */
export function isHalfSpent(
  facts: Facts,
  storedExpiry: number,
  settings: LifetimeSettings,
  now: number,
): boolean {
  const idle = facts.idle ?? settings.idleTimeout
  return idle !== null && now - lastSeen(facts, storedExpiry) > idle / 2
}

/** Whether a persistent cookie without an absolute end is past half of its 400 days. */
export function cookieIsAgeing(facts: Facts, settings: LifetimeSettings, now: number): boolean {
  if (settings.absoluteTimeout !== null) return false
  return now - (facts.issued ?? facts.started) > LONGEST_COOKIE / 2
}

/** Clocks of two nodes may differ by so much, in ms, before a token made by the one is refused. */
const SKEW = 60_000

/**
 * When no token of a session that ends now can be valid any more, not even one that a parallel
 * request has made meanwhile. Each may be used until one idle time after it was made; a second one
 * is for requests that are still under way.
 *
 * @param facts undefined: nothing is known of the session but its name or its user
 */
export function endOfTokens(
  facts: Facts | undefined,
  settings: LifetimeSettings,
  now: number,
): number {
  const idle = facts?.own ?? facts?.idle ?? settings.idleTimeout ?? 0
  const { absoluteTimeout } = settings
  const started = facts?.started ?? now
  // Without an absolute end nobody knows which lifetimes of its own the session had: an older
  // token may have a longer one than these facts, and so may one of a parallel request.
  const end = absoluteTimeout === null ? now + LONGEST_COOKIE : started + absoluteTimeout
  return Math.max(end, now + 2 * idle) + SKEW
}
