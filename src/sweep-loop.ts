import type { Clock } from './core/clock.js'
import { waitAtMost, withinLimit } from './core/time-limit.js'
import { CoatcheckError } from './errors.js'

const INTERVAL = 15 * 60 * 1000
/** Records one step removes at most; the next step follows at once if that many were. */
const STEP = 1000

export interface SweepLoopOptions {
  readonly clock: Clock
  /** Removes expired records, at most `limit`; gives their number. */
  sweep(limit: number | undefined): Promise<number>
  onError(error: Error): void
}

/**
 * Removes expired records about every quarter of an hour, and whenever it is asked to. One sweep
 * runs at a time. The jitter keeps the processes of a deployment from sweeping all together.
 */
export class SweepLoop {
  readonly #options: SweepLoopOptions
  /** The end of the sweeps that were asked for so far. Never rejects. */
  #last: Promise<unknown> = Promise.resolve()
  #timer: unknown
  #isStopped = false

  constructor(options: SweepLoopOptions) {
    this.#options = options
  }

  start(): void {
    if (this.#isStopped) return
    const { clock, onError } = this.#options
    const jittered = Math.round(INTERVAL * (0.9 + Math.random() * 0.2))
    this.#timer = clock.setTimeout(() => {
      this.#sweepAll()
        .catch(onError)
        .then(() => this.start())
    }, jittered)
  }

  /** One sweep, after those that are under way. */
  run(limit: number | undefined): Promise<number> {
    const work = this.#last.then(() => this.#options.sweep(limit))
    // A store that never answers keeps later sweeps waiting, but not for ever.
    const settled = work.catch(() => {})
    this.#last = waitAtMost(this.#options.clock, INTERVAL, settled)
    return work
  }

  /** No more sweeps by itself. Waits for one under way, but for at most `ms`. */
  stop(ms: number): Promise<void> {
    const { clock } = this.#options
    this.#isStopped = true
    clock.clearTimeout(this.#timer)
    return waitAtMost(clock, ms, this.#last)
  }

  async #sweepAll(): Promise<void> {
    while (!this.#isStopped && (await this.#step()) >= STEP);
  }

  /** Bounded by the interval, so that the loop is there again after an outage. */
  #step(): Promise<number> {
    const { clock } = this.#options
    const late = () =>
      new CoatcheckError('ERR_STORE_TIMEOUT', `A sweep did not end within ${INTERVAL} ms.`, {
        op: 'sweep',
        retryable: true,
        outcome: 'unknown',
      })
    return withinLimit(clock, INTERVAL, late, () => this.run(STEP))
  }
}
