import type { Clock } from '../../core/clock.js'
import { pause } from './sql-steps.js'

/**
 * How often a statement that loses to others is sent. Where isolation is stricter than the default,
 * of many that change one row only one gets through at a time.
 */
const MOST_TRIES = 10

/**
 * Runs a statement that is a transaction of its own, and again while the server says that it has
 * undone it in favour of another one: a dead lock, a failure to serialize.
 */
export async function patiently<T>(
  clock: Clock,
  hasLost: (error: unknown) => boolean,
  run: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run()
    } catch (error) {
      if (attempt === MOST_TRIES || !hasLost(error)) throw error
      await pause(clock, Math.random() * 2 ** attempt)
    }
  }
}
