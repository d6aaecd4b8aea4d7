import type { Clock } from './clock.js'

/** Thrown inside work whose limit has passed, so that it does no more. Nobody outside sees it. */
class Abandoned extends Error {}

/** To be called after each wait: ends the work if its caller has been told that it is too late. */
export type StillWanted = () => void

/**
 * Runs `work` for at most `ms`. Past it the promise rejects with what `late` makes; a late answer
 * is ignored, never unhandled, and the work stops at its next `stillWanted()`.
 */
export function withinLimit<T>(
  clock: Clock,
  ms: number,
  late: () => Error,
  work: (stillWanted: StillWanted) => PromiseLike<T>,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let over = false
    const timer = clock.setTimeout(() => {
      over = true
      reject(late())
    }, ms)
    const settle = <V>(done: (value: V) => void) => {
      return (value: V) => {
        if (over) return
        clock.clearTimeout(timer)
        done(value)
      }
    }
    work(() => {
      if (over) throw new Abandoned()
    }).then(settle(resolve), settle(reject))
  })
}

/** Waits for `work` to end, but for at most `ms`: what it waits for may never do so. */
export async function waitAtMost(clock: Clock, ms: number, work: Promise<unknown>): Promise<void> {
  const late = new Error('late')
  try {
    await withinLimit(
      clock,
      ms,
      () => late,
      () => work,
    )
  } catch (error) {
    if (error !== late) throw error
  }
}
