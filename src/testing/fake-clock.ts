import { setImmediate } from 'node:timers/promises'
import type { Clock } from '../core/clock.js'

/** Where every {@link FakeClock} starts: 2030-01-01T00:00:00.000Z. */
export const FAKE_CLOCK_START = Date.UTC(2030, 0, 1)

interface Timer {
  readonly run: () => void
  readonly due: number
}

/**
 * A clock that a test moves by hand. It starts at {@link FAKE_CLOCK_START} and stands still until
 * `advance`. Nothing global is patched: only code that was given this clock sees it.
 *
 * The moment starts in the future, so code that reads `Date.now()` instead of its clock finds that
 * nothing ever expires, and the test shows it.
 */
export class FakeClock implements Clock {
  // As on a real machine, timers follow elapsed time and `now` is that plus a correction, so
  // setting the clock neither fires nor delays a timer.
  #elapsed = 0
  #start: number
  readonly #timers = new Set<Timer>()
  #moving: Promise<void> = Promise.resolve()

  constructor(start: number = FAKE_CLOCK_START) {
    this.#start = start
  }

  now(): number {
    return this.#start + this.#elapsed
  }

  setTimeout(run: () => void, ms: number): unknown {
    const timer = { run, due: this.#elapsed + Math.max(ms || 0, 0) }
    this.#timers.add(timer)
    return timer
  }

  clearTimeout(timer: unknown): void {
    this.#timers.delete(timer as Timer)
  }

  /** How many timers wait to run. */
  get pending(): number {
    return this.#timers.size
  }

  /**
   * Moves time forward by `ms`. Stops at every timer that falls due on the way, in order, those
   * that came up on the way included, and lets promises and immediates settle before going on.
   * Work that needs a socket or a file is not waited for. Rejects with what a timer throws.
   */
  advance(ms: number): Promise<void> {
    if (!(ms >= 0)) throw new RangeError(`FakeClock.advance takes ms >= 0, not ${ms}: use set`)
    // Two calls at once add up, one after the other.
    const moved = this.#moving.then(() => this.#advance(ms))
    this.#moving = moved.catch(() => {})
    return moved
  }

  /**
   * Sets what `now` gives, forward or back, as a correction of the machine's clock does. Runs no
   * timer; each still waits for what is left of its time.
   */
  set(ms: number): void {
    this.#start = ms - this.#elapsed
  }

  async #advance(ms: number): Promise<void> {
    const end = this.#elapsed + ms
    await settle()
    for (let timer = this.#next(end); timer !== undefined; timer = this.#next(end)) {
      this.#timers.delete(timer)
      this.#elapsed = timer.due
      timer.run()
      await settle()
    }
    this.#elapsed = end
  }

  /** The earliest timer up to `end`; of several, the one that was set first. */
  #next(end: number): Timer | undefined {
    let next: Timer | undefined
    for (const timer of this.#timers) {
      if (timer.due <= end && (next === undefined || timer.due < next.due)) next = timer
    }
    return next
  }
}

/** Two turns of the event loop: one for what is queued, one for the immediates that it queues. */
async function settle(): Promise<void> {
  await setImmediate()
  await setImmediate()
}
