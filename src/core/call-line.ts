import type { Clock } from './clock.js'
import { lineTimeout } from './refusals.js'
import { withinLimit } from './time-limit.js'

/** Lets the calls that a handler makes on one session run one after the other. */
export class CallLine {
  readonly #clock: Clock
  readonly #limit: number
  #line: Promise<unknown> = Promise.resolve()
  #waiting = 0

  /** @param limit how long the response waits for calls that are still under way, in ms */
  constructor(clock: Clock, limit: number) {
    this.#clock = clock
    this.#limit = limit
  }

  /** Whether every call is over. */
  get isEmpty(): boolean {
    return this.#waiting === 0
  }

  run<T>(work: () => Promise<T>): Promise<T> {
    this.#waiting++
    const result = this.#line.then(work)
    const leave = () => {
      this.#waiting--
    }
    this.#line = result.then(leave, leave)
    return result
  }

  /** Waits for the handler's own calls, but not for ever: one may wait for the response's end. */
  over(): Promise<unknown> {
    const line = this.#line
    return withinLimit(
      this.#clock,
      this.#limit,
      () => lineTimeout(this.#limit),
      () => line,
    )
  }
}
