import { Recent } from '../crypto/recent.js'
import type { Clock } from './clock.js'
import { KeyQueue } from './key-queue.js'
import { touchInterval } from './lifetime.js'
import { nativeForm, type OldContents, type OldForm } from './old-session.js'
import { ask, type ExpressSessionStore, getOld } from './old-store.js'
import type { Entry, Replaced, Reporting, Store, Stored, StoreReport } from './store.js'

/** Keys that one old store remembers something about: twice this many, of about 200 bytes. */
const REMEMBERED_KEYS = 5_000

/** Keys with a write that nobody waits for any more. Without a bound, an outage would pile them up. */
const MOST_OVERDUE = 1_000

export interface CallbackStoreOptions {
  readonly clock: Clock
  /** How long a write may keep the others of its key waiting, in ms. */
  readonly patience: number
  /** @default the native one */
  readonly form?: OldForm
}

/**
 * A store made for express-session, behind the contract of a store.
 *
 * The old API can only read and overwrite, so each write of a record first reads it, and the writes
 * of one key wait for each other: within this process nothing is lost and nothing comes back.
 * Between two processes a write of the one may fall between the read and the write of the other.
 */
export class CallbackStore implements Store, Reporting {
  /** The class of the old store, for errors. */
  readonly name: string
  readonly #store: ExpressSessionStore
  readonly #form: OldForm
  readonly #clock: Clock
  readonly #patience: number
  readonly #memory: Memory
  readonly #listeners = new Set<(report: StoreReport) => void>()

  constructor(store: ExpressSessionStore, { clock, patience, form }: CallbackStoreOptions) {
    this.name = store.constructor?.name ?? 'Object'
    this.#store = store
    this.#form = form ?? nativeForm
    this.#clock = clock
    this.#patience = patience
    this.#memory = memoryOf(store)
  }

  /** Not in line with the writes: a record is written in one piece. */
  async load(key: string): Promise<Stored | undefined> {
    try {
      const found = await this.#find(key)
      return found && { text: found.text, expiresAt: found.expiresAt }
    } catch (error) {
      // A record that is no JSON would fail every request of its visitor, who can do nothing about
      // it. Only here: before a write it was readable a moment ago, and it is rather the page of a
      // gateway whose store is down. Taken for a miss, that would make a sign-out look done.
      if (!isUnreadable(error)) throw error
      this.#report({ type: 'unreadable', key })
      return undefined
    }
  }

  /**
   * Nobody else makes the same 256 random bits, so a free key costs no read (of session-file-store,
   * that would be a quarter of a second). A key that this process has made before does: after a
   * time-out it is tried again.
   */
  create(key: string, entry: Entry): Promise<boolean> {
    return this.#inLine(key, async (turn) => {
      const { made, overdue } = this.#memory
      if (made.get(key)) {
        if (overdue.has(key) || (await this.#find(key)) !== undefined) return false
      }
      made.set(key, true)
      await this.#set(key, entry, turn)
      return true
    })
  }

  replace(key: string, entry: Entry, seen: Stored): Promise<Replaced> {
    return this.#inLine(key, async (turn) => {
      const found = await this.#find(key)
      if (found === undefined) return 'gone'
      if (found.text !== seen.text) return 'changed'
      await this.#set(key, entry, turn)
      return 'replaced'
    })
  }

  touch(key: string, expiresAt: number): Promise<boolean> {
    return this.#inLine(key, async (turn) => {
      const found = await this.#find(key)
      if (found === undefined) return false
      const { text, expires } = found
      const moved = { text, expiresAt }
      if (!this.#touches || expiresAt <= this.#clock.now()) {
        await this.#set(key, moved, turn)
        return true
      }
      try {
        await this.#write(key, moved, turn, ['touch', this.#written(moved)])
      } catch (error) {
        // Another process may have ended it meanwhile; some stores call that a failure.
        if (!turn.over && (await this.#find(key)) === undefined) return false
        throw error
      }
      this.#memory.touched.set(key, { date: expires, to: expiresAt })
      return true
    })
  }

  destroy(key: string): Promise<boolean> {
    return this.#inLine(key, async (turn) => {
      const isThere = await this.#find(key).then(
        (found) => found !== undefined,
        (error) => isUnreadable(error) || Promise.reject(error),
      )
      await this.#remove(key, turn)
      return isThere
    })
  }

  onReport(listener: (report: StoreReport) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  get #touches(): boolean {
    return typeof this.#store.touch === 'function'
  }

  async #find(key: string): Promise<Found | undefined> {
    const session = await getOld(this.#store, key)
    const contents = session && this.#form.read(session)
    if (contents === undefined) return undefined
    const expiresAt = this.#expiryOf(key, contents)
    return expiresAt > this.#clock.now() ? { ...contents, expiresAt } : undefined
  }

  /**
   * Many stores move only an expiry of their own at a touch, so a date in the record that has passed
   * proves nothing: the store still gives it. Another process has touched it then. When, nobody
   * says; so long ago that a touch is due again.
   */
  #expiryOf(key: string, { expires, life }: OldContents): number {
    const touched = this.#memory.touched.get(key)
    const now = this.#clock.now()
    if (touched !== undefined && touched.date === expires && touched.to > now) return touched.to
    if (expires > now || !this.#touches) return expires
    return now + life - touchInterval(life) - 1
  }

  #written(entry: Entry): object {
    return this.#form.write(entry, this.#clock.now())
  }

  async #set(key: string, entry: Entry, turn: Turn): Promise<void> {
    // Stores take a life of nothing for no expiry at all.
    if (entry.expiresAt <= this.#clock.now()) return this.#remove(key, turn)
    await this.#write(key, entry, turn, ['set', this.#written(entry)])
    const { touched } = this.#memory
    // The new date counts, also if it happens to be the one that was touched before.
    if (touched.get(key) !== undefined) touched.set(key, { date: Number.NaN, to: 0 })
  }

  #remove(key: string, turn: Turn): Promise<void> {
    return this.#write(key, undefined, turn, ['destroy'])
  }

  /** @param after what the store has then; undefined: nothing */
  async #write(
    key: string,
    after: Entry | undefined,
    turn: Turn,
    [method, ...session]: ['set' | 'touch', object] | ['destroy'],
  ): Promise<void> {
    refuseLate(turn)
    turn.wrote = { after }
    await ask(this.#store, method, [key, ...session])
    const overdue = this.#memory.overdue.get(key)
    if (overdue !== undefined && !turn.over) overdue.latest = turn.wrote
  }

  /**
   * Runs `work` when the operations of the same key that came before are over. One that a store
   * does not answer gives its place up, so that the key is not lost until the next restart.
   */
  async #inLine<T>(key: string, work: (turn: Turn) => Promise<T>): Promise<T> {
    const place = this.#memory.lines.join(key)
    const turn: Turn = { over: false, wrote: undefined }
    const timer = this.#clock.setTimeout(() => {
      turn.over = true
      if (turn.wrote !== undefined) this.#memory.expect(key)
      place.leave()
    }, this.#patience)
    try {
      await place.turn
      refuseLate(turn)
      return await work(turn)
    } finally {
      this.#clock.clearTimeout(timer)
      place.leave()
      if (turn.over && turn.wrote !== undefined) this.#arrived(key, turn.wrote)
    }
  }

  /** A write has ended after its place was given up: it may lie on top of newer ones, or of an end. */
  #arrived(key: string, late: Wrote): void {
    const { overdue } = this.#memory
    const waiting = overdue.get(key)
    if (waiting === undefined) return
    const restored = this.#inLine(key, async (turn) => {
      const { latest } = waiting
      if (latest === undefined) return
      if (latest.after === undefined) return this.#remove(key, turn)
      const found = await this.#find(key)
      const isBack = found !== undefined && found.text === late.after?.text
      if (isBack && found.text !== latest.after.text) await this.#set(key, latest.after, turn)
    })
    restored
      .catch((error: unknown) => this.#report({ type: 'error', op: 'replace', error }))
      .finally(() => {
        waiting.count--
        if (waiting.count === 0) overdue.delete(key)
      })
  }

  #report(report: StoreReport): void {
    for (const listener of this.#listeners) listener(report)
  }
}

/** What stores throw that parse JSON. */
function isUnreadable(error: unknown): boolean {
  return (error as { name?: unknown } | null | undefined)?.name === 'SyntaxError'
}

/** The class of a store as its program knows it, for errors. */
export function classOf(store: Store): string {
  return store instanceof CallbackStore ? store.name : store.constructor.name
}

interface Found extends OldContents {
  readonly expiresAt: number
}

/** An operation in the line of its key. */
interface Turn {
  /** It has lost its place: what it has not yet written is not to be written. */
  over: boolean
  wrote: Wrote | undefined
}

function refuseLate({ over }: Turn): void {
  if (over) throw new Error('Not written: by now nobody waits for it.')
}

/** What an operation has asked its store to hold; undefined: nothing. */
interface Wrote {
  readonly after: Entry | undefined
}

/** Writes of a key that lost their place while the store was silent. */
interface Overdue {
  count: number
  /** The last write since then. */
  latest: Wrote | undefined
}

/** What is known about the keys of one old store, shared by all that write to it in this process. */
class Memory {
  readonly lines = new KeyQueue<never>()
  readonly made = new Recent<true>(REMEMBERED_KEYS)
  /** Where a touch has moved a record whose date stayed as it was. */
  readonly touched = new Recent<{ readonly date: number; readonly to: number }>(REMEMBERED_KEYS)
  readonly overdue = new Map<string, Overdue>()

  /** A write of `key` is to come in late. */
  expect(key: string): void {
    const waiting = this.overdue.get(key)
    if (waiting !== undefined) {
      waiting.count++
      return
    }
    const [oldest] = this.overdue.keys()
    if (this.overdue.size >= MOST_OVERDUE && oldest !== undefined) this.overdue.delete(oldest)
    this.overdue.set(key, { count: 1, latest: undefined })
  }
}

const memories = new WeakMap<ExpressSessionStore, Memory>()

function memoryOf(store: ExpressSessionStore): Memory {
  const known = memories.get(store)
  if (known !== undefined) return known
  const memory = new Memory()
  memories.set(store, memory)
  return memory
}
