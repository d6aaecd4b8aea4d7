/** What `exptime` takes for a number of seconds; a larger one is a date to it (protocol.txt). */
const LONGEST_COUNT = 60 * 60 * 24 * 30

/** The server keeps `exptime` in 32 bits with a sign: a later date is one before 1970. */
const LAST_DATE = 2 ** 31 - 1

/** What stands for the end of an item that has none. */
const ENDLESS = 400 * 24 * 60 * 60 * 1000

/**
 * The `exptime` of a record that ends at `expiresAt`: seconds from now up to 30 days, the date in
 * seconds beyond, and -1, which is over at once, for what has ended.
 *
 * The server counts whole seconds of a clock whose ticks nobody knows: n seconds are more than n - 1
 * and at most n. One more second keeps a record alive until its end.
 */
export function exptimeOf(expiresAt: number, now: number): number {
  const left = expiresAt - now
  if (!(left > 0)) return -1
  const seconds = Math.ceil(left / 1000) + 1
  if (seconds <= LONGEST_COUNT) return seconds
  return Math.min(Math.ceil(expiresAt / 1000), LAST_DATE)
}

/** When a record ends that has so many seconds by the server's word: never before its true end. */
export function endAfter(seconds: number, now: number): number {
  return now + (seconds < 0 ? ENDLESS : Math.min(seconds, LAST_DATE) * 1000)
}
