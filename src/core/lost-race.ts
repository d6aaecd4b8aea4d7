import type { Clock } from './clock.js'

/**
 * Waits before the next try. Full jitter, a few ms at most: who lost a race tries again soon, but
 * not together.
 */
export async function pauseAfter(attempt: number, clock: Clock): Promise<void> {
  if (attempt === 0) return
  const ms = Math.random() * Math.min(2 ** attempt, 32)
  if (clock.pause !== undefined) await clock.pause(ms)
  // Not a time the engine knows of, so a test need not move it. A commit that waits is not idle:
  // this timer may keep the process alive.
  else await new Promise<void>((resolve) => void setTimeout(resolve, ms))
}
