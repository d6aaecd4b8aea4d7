/**
 * Time as the engine sees it. Injected everywhere, so that a test moves time instead of waiting for
 * it: see `FakeClock` of `coatcheck/testing`.
 */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Runs `run` once after `ms` milliseconds. Must never keep the process alive. */
  setTimeout(run: () => void, ms: number): unknown
  clearTimeout(timer: unknown): void
  /**
   * Waits before another try, for who has lost a race: a few ms of the machine's time, which nobody
   * has to move. A test that decides who runs next puts its own in place.
   */
  pause?(ms: number): PromiseLike<unknown>
}

/** The clock of the machine. Its timers are unref'd. */
export const systemClock: Clock = {
  now: Date.now,
  setTimeout(run, ms) {
    return setTimeout(run, ms).unref()
  },
  clearTimeout(timer) {
    clearTimeout(timer as NodeJS.Timeout)
  },
}
