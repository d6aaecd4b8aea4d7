import type { Clock } from './clock.js'
import { KeyQueue } from './key-queue.js'
import { ask, type ExpressSessionStore } from './old-store.js'

/** Keys with a write that nobody waits for any more. Without a bound, an outage would pile them up. */
const MOST_OVERDUE = 1_000

/** An operation in the line of its key. */
export interface Turn<Value> {
  /** It has lost its place: what it has not yet written is not to be written. */
  over: boolean
  wrote: Wrote<Value> | undefined
}

/** A write that came in when its place had been given up. undefined: it was to remove the key. */
export interface Overtaken<Value> {
  readonly late: Value | undefined
  /** The last that was written meanwhile. */
  readonly latest: Value | undefined
}

export interface OldStoreLinesOptions<Value> {
  readonly clock: Clock
  /** How long a write may keep the others of its key waiting, in ms. */
  readonly patience: number
  /** Puts right what a late write may have undone. */
  restore(key: string, overtaken: Overtaken<Value>, turn: Turn<Value>): Promise<void>
  failed(error: unknown): void
}

/**
 * The operations of an old store, those of one key one after the other. An old store can only
 * overwrite, so their order within this process is all that keeps a late write from undoing a newer
 * one or an end.
 */
export class OldStoreLines<Value> {
  readonly #store: ExpressSessionStore
  readonly #options: OldStoreLinesOptions<Value>
  readonly #shared: Shared<Value>

  constructor(store: ExpressSessionStore, options: OldStoreLinesOptions<Value>) {
    this.#store = store
    this.#options = options
    this.#shared = sharedBy(store)
  }

  /** Whether a write of this key may still come in late. */
  isOverdue(key: string): boolean {
    return this.#shared.overdue.has(key)
  }

  /** @param after what the store has then; undefined: nothing */
  async write(
    key: string,
    after: Value | undefined,
    turn: Turn<Value>,
    [method, ...session]: ['set' | 'touch', object] | ['destroy'],
  ): Promise<void> {
    refuseLate(turn)
    turn.wrote = { after }
    await ask(this.#store, method, [key, ...session])
    const overdue = this.#shared.overdue.get(key)
    if (overdue !== undefined && !turn.over) overdue.latest = turn.wrote
  }

  /**
   * Runs `work` when the operations of the same key that came before are over. One that a store
   * does not answer gives its place up, so that the key is not lost until the next restart.
   */
  async inLine<T>(key: string, work: (turn: Turn<Value>) => Promise<T>): Promise<T> {
    const { clock, patience } = this.#options
    const place = this.#shared.lines.join(key)
    const turn: Turn<Value> = { over: false, wrote: undefined }
    const timer = clock.setTimeout(() => {
      turn.over = true
      if (turn.wrote !== undefined) this.#expect(key)
      place.leave()
    }, patience)
    try {
      await place.turn
      refuseLate(turn)
      return await work(turn)
    } finally {
      clock.clearTimeout(timer)
      place.leave()
      if (turn.over && turn.wrote !== undefined) this.#arrived(key, turn.wrote)
    }
  }

  /** A write of `key` is to come in late. */
  #expect(key: string): void {
    const { overdue } = this.#shared
    const waiting = overdue.get(key)
    if (waiting !== undefined) {
      waiting.count++
      return
    }
    const [oldest] = overdue.keys()
    if (overdue.size >= MOST_OVERDUE && oldest !== undefined) overdue.delete(oldest)
    overdue.set(key, { count: 1, latest: undefined })
  }

  /** A write has ended after its place was given up: it may lie on top of newer ones, or of an end. */
  #arrived(key: string, late: Wrote<Value>): void {
    const { overdue } = this.#shared
    const waiting = overdue.get(key)
    if (waiting === undefined) return
    const restored = this.inLine(key, async (turn) => {
      const { latest } = waiting
      if (latest === undefined) return
      await this.#options.restore(key, { late: late.after, latest: latest.after }, turn)
    })
    restored
      .catch((error: unknown) => this.#options.failed(error))
      .finally(() => {
        waiting.count--
        if (waiting.count === 0) overdue.delete(key)
      })
  }
}

function refuseLate({ over }: Turn<unknown>): void {
  if (over) throw new Error('Not written: by now nobody waits for it.')
}

/** What an operation has asked its store to hold. */
interface Wrote<Value> {
  readonly after: Value | undefined
}

/** Writes of a key that lost their place while the store was silent. */
interface Overdue<Value> {
  count: number
  /** The last write since then. */
  latest: Wrote<Value> | undefined
}

/** What all that write to one old store in this process have in common. */
interface Shared<Value> {
  readonly lines: KeyQueue<never>
  readonly overdue: Map<string, Overdue<Value>>
}

const all = new WeakMap<ExpressSessionStore, Shared<unknown>>()

function sharedBy<Value>(store: ExpressSessionStore): Shared<Value> {
  const known = all.get(store) as Shared<Value> | undefined
  if (known !== undefined) return known
  const made: Shared<Value> = { lines: new KeyQueue(), overdue: new Map() }
  all.set(store, made as Shared<unknown>)
  return made
}
