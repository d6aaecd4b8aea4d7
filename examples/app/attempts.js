// Slows down guessing. Counts in memory, which is enough for one process; several servers would
// count in a store they share.

/**
 * At most `limit` attempts for a key in `period` ms. Remembers at most `capacity` keys and forgets
 * the oldest first, so that a flood of made-up names cannot fill the memory.
 */
export function limitAttempts({ limit, period, capacity = 10_000, now = Date.now }) {
  const counts = new Map()

  return {
    /** Counts one attempt. Gives 0 if it is allowed, else the seconds to wait. */
    take(key) {
      let entry = counts.get(key)
      if (!entry || entry.until <= now()) {
        counts.delete(key)
        if (counts.size >= capacity) counts.delete(counts.keys().next().value)
        entry = { taken: 0, until: now() + period }
        counts.set(key, entry)
      }
      if (entry.taken >= limit) return Math.ceil((entry.until - now()) / 1000)
      entry.taken += 1
      return 0
    },
    /** The right password was given: the earlier typing errors do not count. */
    forget(key) {
      counts.delete(key)
    },
  }
}
