import type { Clock } from '../../core/clock.js'
import type { MongoCollection } from './mongo-collection.js'
import { isRefusal, mongoError } from './mongo-errors.js'

/** How long after a failure a write tries again, in ms. */
const RETRY_AFTER = 10 * 60 * 1000

interface Index {
  readonly keys: Readonly<Record<string, 1>>
  readonly options: Readonly<Record<string, unknown>>
}

/**
 * The names are those that MongoDB gives by itself: with the first one that connect-mongo makes is
 * found, and the same index under another name would be refused.
 */
export const INDEXES: readonly Index[] = [
  { keys: { expires: 1 }, options: { expireAfterSeconds: 0 } },
  { keys: { user: 1 }, options: { sparse: true } },
]

/** Makes the indexes, and tells what a server refuses: the store works without them. */
export class MongoIndexes {
  readonly #collection: MongoCollection
  readonly #clock: Clock
  readonly #onError: (error: unknown) => void
  readonly #told = new Set<string>()
  #making: Promise<void> | undefined
  #isMade = false
  #triedAt = Number.NEGATIVE_INFINITY

  constructor(collection: MongoCollection, clock: Clock, onError: (error: unknown) => void) {
    this.#collection = collection
    this.#clock = clock
    this.#onError = onError
  }

  /** @throws the driver's error if the server cannot be reached; what it refuses is told */
  async make(): Promise<void> {
    this.#triedAt = this.#clock.now()
    this.#making ??= this.#makeAll().finally(() => {
      this.#making = undefined
    })
    await this.#making
  }

  /** In the background, once: also after a failure, but not with each write. */
  start(): void {
    if (this.#isMade || this.#making !== undefined) return
    if (Math.abs(this.#clock.now() - this.#triedAt) < RETRY_AFTER) return
    this.make().catch((error: unknown) => this.#onError(mongoError('migrate', error)))
  }

  async #makeAll(): Promise<void> {
    let refused = false
    for (const { keys, options } of INDEXES) {
      try {
        await this.#collection.createIndex(keys as never, options)
      } catch (error) {
        if (!isRefusal(error)) throw error
        refused = true
        this.#refuse(mongoError(`migrate of the index on ${Object.keys(keys)}`, error))
      }
    }
    this.#isMade = !refused
  }

  /** Each sweep asks again, and is told the same. */
  #refuse(error: Error): void {
    if (this.#told.has(error.message)) return
    this.#told.add(error.message)
    this.#onError(error)
  }
}
