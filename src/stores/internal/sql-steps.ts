import type { Clock } from '../../core/clock.js'

/** How many rows one transaction of a sweep removes at most: it holds their locks until its end. */
export const SWEEP_STEP = 500

/** Mean wait between two steps in ms, in which others get at the database. */
const PAUSE = 20

/**
 * Removes rows step by step until a step finds no more than it was allowed to, or `limit` is met;
 * gives their number. Between two steps it waits for a random while, so that sweepers of several
 * processes that began together do not go on so.
 */
export async function inSteps(
  clock: Clock,
  limit: number,
  step: (most: number) => Promise<number>,
): Promise<number> {
  let removed = 0
  while (removed < limit) {
    if (removed > 0) await pause(clock, PAUSE * 2 * Math.random())
    const most = Math.min(SWEEP_STEP, limit - removed)
    const count = await step(most)
    removed += count
    if (count < most) break
  }
  return removed
}

/** Waits a few ms of the machine's time. It may keep a process alive: somebody waits for its end. */
export async function pause(clock: Clock, ms: number): Promise<void> {
  if (clock.pause !== undefined) await clock.pause(ms)
  else await new Promise<void>((resolve) => void setTimeout(resolve, ms))
}
