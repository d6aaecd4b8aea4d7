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
