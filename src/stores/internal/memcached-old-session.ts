/**
 * When a session of express-session ends, by the date of its cookie. Here that is right: a touch of
 * connect-memcached writes all of it again. undefined: it has no date.
 */
export function oldExpiryIn(text: string): number | undefined {
  if (!text.startsWith('{"cookie":')) return undefined
  try {
    const { cookie } = JSON.parse(text) as { cookie?: { expires?: unknown } | null }
    const expires = cookie?.expires
    const end = typeof expires === 'string' ? Date.parse(expires) : Number.NaN
    return Number.isNaN(end) ? undefined : end
  } catch {
    return undefined
  }
}
