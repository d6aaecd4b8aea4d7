import { Recent } from '../crypto/recent.js'
import type { Clock } from './clock.js'
import { touchInterval } from './lifetime.js'
import { nativeForm, type OldContents, type OldForm } from './old-session.js'
import { type ExpressSessionStore, getOld, isUnreadable } from './old-store.js'
import { OldStoreLines, type Overtaken, type Turn } from './old-store-lines.js'
import type { Entry, Replaced, Reporting, Store, Stored, StoreReport } from './store.js'

/** Keys that one old store remembers something about: twice this many, of about 200 bytes. */
const REMEMBERED_KEYS = 5_000

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
  readonly #memory: Memory
  readonly #lines: OldStoreLines<Entry>
  readonly #listeners = new Set<(report: StoreReport) => void>()

  constructor(store: ExpressSessionStore, { clock, patience, form }: CallbackStoreOptions) {
    this.name = store.constructor?.name ?? 'Object'
    this.#store = store
    this.#form = form ?? nativeForm
    this.#clock = clock
    this.#memory = memoryOf(store)
    this.#lines = new OldStoreLines(store, {
      clock,
      patience,
      restore: (key, overtaken, turn) => this.#restore(key, overtaken, turn),
      failed: (error) => this.#report({ type: 'error', op: 'replace', error }),
    })
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
    return this.#lines.inLine(key, async (turn) => {
      const { made } = this.#memory
      if (made.get(key)) {
        if (this.#lines.isOverdue(key) || (await this.#find(key)) !== undefined) return false
      }
      made.set(key, true)
      await this.#set(key, entry, turn)
      return true
    })
  }

  replace(key: string, entry: Entry, seen: Stored): Promise<Replaced> {
    return this.#lines.inLine(key, async (turn) => {
      const found = await this.#find(key)
      if (found === undefined) return 'gone'
      if (found.text !== seen.text) return 'changed'
      await this.#set(key, entry, turn)
      return 'replaced'
    })
  }

  touch(key: string, expiresAt: number): Promise<boolean> {
    return this.#lines.inLine(key, async (turn) => {
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
    return this.#lines.inLine(key, async (turn) => {
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

  async #set(key: string, entry: Entry, turn: Turn<Entry>): Promise<void> {
    // Stores take a life of nothing for no expiry at all.
    if (entry.expiresAt <= this.#clock.now()) return this.#remove(key, turn)
    await this.#write(key, entry, turn, ['set', this.#written(entry)])
    const { touched } = this.#memory
    // The new date counts, also if it happens to be the one that was touched before.
    if (touched.get(key) !== undefined) touched.set(key, { date: Number.NaN, to: 0 })
  }

  #remove(key: string, turn: Turn<Entry>): Promise<void> {
    return this.#write(key, undefined, turn, ['destroy'])
  }

  #write(
    key: string,
    after: Entry | undefined,
    turn: Turn<Entry>,
    call: ['set' | 'touch', object] | ['destroy'],
  ): Promise<void> {
    return this.#lines.write(key, after, turn, call)
  }

  /** A late write may lie on top of a newer one, or of an end. */
  async #restore(
    key: string,
    { late, latest }: Overtaken<Entry>,
    turn: Turn<Entry>,
  ): Promise<void> {
    if (latest === undefined) return this.#remove(key, turn)
    const found = await this.#find(key)
    const isBack = found !== undefined && found.text === late?.text
    if (isBack && found.text !== latest.text) await this.#set(key, latest, turn)
  }

  #report(report: StoreReport): void {
    for (const listener of this.#listeners) listener(report)
  }
}

/** The class of a store as its program knows it, for errors. */
export function classOf(store: Store): string {
  return store instanceof CallbackStore ? store.name : store.constructor.name
}

interface Found extends OldContents {
  readonly expiresAt: number
}

/** What is known about the keys of one old store, shared by all that write to it in this process. */
class Memory {
  readonly made = new Recent<true>(REMEMBERED_KEYS)
  /** Where a touch has moved a record whose date stayed as it was. */
  readonly touched = new Recent<{ readonly date: number; readonly to: number }>(REMEMBERED_KEYS)
}

const memories = new WeakMap<ExpressSessionStore, Memory>()

function memoryOf(store: ExpressSessionStore): Memory {
  const known = memories.get(store)
  if (known !== undefined) return known
  const memory = new Memory()
  memories.set(store, memory)
  return memory
}
