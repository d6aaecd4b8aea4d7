import type { Clock } from '../core/clock.js'
import { systemClock } from '../core/clock.js'
import type {
  ByUser,
  Entry,
  Enumerable,
  Replaced,
  Reporting,
  Store,
  Stored,
  StoreReport,
  Sweepable,
} from '../core/store.js'
import { CoatcheckError } from '../errors.js'
import type { Expiring } from './internal/expiry-heap.js'
import { ExpiryHeap } from './internal/expiry-heap.js'
import type { Links } from './internal/recency-list.js'
import { RecencyList } from './internal/recency-list.js'
import { Reports } from './internal/reports.js'
import { checkBound, checkClock, checkNames, checkOptions } from './internal/store-options.js'

/** The bounds of a {@link MemoryStore}. */
export interface MemoryStoreOptions {
  /** How many records it keeps at most; Infinity for no bound. @default 10_000 */
  maxEntries?: number
  /**
   * How many bytes it keeps at most; Infinity for no bound. A record counts as two bytes for each
   * UTF-16 unit of its text, key and user, and 256 bytes for the bookkeeping around it, which is
   * more than V8 takes for plain ASCII. @default 67_108_864 (64 MiB)
   */
  maxBytes?: number
  /** Injected by tests. @default the clock of the machine */
  clock?: Clock
}

/** A record, its place in the order of use and its place in the order of expiry. */
interface Slot extends Links<Slot>, Expiring {
  readonly key: string
  text: string
  user: string | undefined
  bytes: number
}

/** The slot itself, its entries in the maps, its place in the heap and the strings' headers. */
const BYTES_PER_ENTRY = 256

/**
 * The share of the bounds in which anonymous records are as safe as signed-in ones. Whoever signs in
 * has an anonymous session until then, and the sign-in ends with it: in a store full of users nobody
 * else could come in. A small share, since as much of the users' a flood of strangers can push out.
 */
const SPARED_SHARE = 0.01

/** How many records a sweep removes before it lets other work run: well below a millisecond. */
const SWEEP_STEP = 1000

/**
 * Keeps records in the memory of this process: for development, tests, and programs that may
 * forget. A restart loses everything, and two processes share nothing.
 *
 * It is bounded. When it is full, expired records go first, then those of nobody but the newest
 * hundredth of all, then those of signed-in users, each time the one that was not used for longest.
 * So a flood of visitors without an account logs out one in a hundred of those who have one at most.
 *
 * Every operation but `sweep`, `entries` and `keysOfUser` answers at once, without a promise.
 */
export class MemoryStore implements Store, Sweepable, Enumerable, ByUser, Reporting {
  readonly #maxEntries: number
  readonly #maxBytes: number
  readonly #clock: Clock
  readonly #slots = new Map<string, Slot>()
  readonly #anonymous = new RecencyList<Slot>()
  readonly #signedIn = new RecencyList<Slot>()
  readonly #expiries = new ExpiryHeap<Slot>()
  readonly #keysByUser = new Map<string, Set<string>>()
  readonly #reports = new Reports()
  #bytes = 0
  #anonymousBytes = 0

  constructor(options: MemoryStoreOptions = {}) {
    checkOptions('MemoryStore', options)
    checkNames('MemoryStore', options, ['maxEntries', 'maxBytes', 'clock'])
    const { maxEntries = 10_000, maxBytes = 64 * 1024 * 1024, clock = systemClock } = options
    this.#maxEntries = checkBound('MemoryStore', 'maxEntries', maxEntries)
    this.#maxBytes = checkBound('MemoryStore', 'maxBytes', maxBytes)
    this.#clock = checkClock('MemoryStore', clock)
  }

  load(key: string): Stored | undefined {
    const slot = this.#liveSlot(key)
    if (slot === undefined) return undefined
    this.#listOf(slot).use(slot)
    return { text: slot.text, expiresAt: slot.expiresAt }
  }

  create(key: string, entry: Entry): boolean {
    const bytes = this.#bytesOf(key, entry, 'create')
    if (this.#liveSlot(key) !== undefined) return false
    const slot: Slot = {
      key,
      text: entry.text,
      expiresAt: comparable(entry.expiresAt),
      user: entry.user,
      bytes,
      at: 0,
      older: undefined,
      newer: undefined,
    }
    this.#slots.set(key, slot)
    this.#expiries.add(slot)
    this.#join(slot)
    this.#bytes += bytes
    this.#makeRoomBeside(slot)
    return true
  }

  replace(key: string, entry: Entry, seen: Stored): Replaced {
    const bytes = this.#bytesOf(key, entry, 'replace')
    const slot = this.#liveSlot(key)
    if (slot === undefined) return 'gone'
    if (slot.text !== seen.text) return 'changed'
    if (slot.user === entry.user) {
      this.#listOf(slot).use(slot)
    } else {
      this.#leave(slot)
      slot.user = entry.user
      this.#join(slot)
    }
    slot.text = entry.text
    this.#bytes += bytes - slot.bytes
    if (slot.user === undefined) this.#anonymousBytes += bytes - slot.bytes
    slot.bytes = bytes
    this.#setExpiry(slot, entry.expiresAt)
    this.#makeRoomBeside(slot)
    return 'replaced'
  }

  touch(key: string, expiresAt: number): boolean {
    const slot = this.#liveSlot(key)
    if (slot === undefined) return false
    this.#setExpiry(slot, expiresAt)
    this.#listOf(slot).use(slot)
    return true
  }

  destroy(key: string): boolean {
    const slot = this.#liveSlot(key)
    if (slot === undefined) return false
    this.#remove(slot)
    return true
  }

  async sweep({ limit = Infinity }: { limit?: number } = {}): Promise<number> {
    let removed = 0
    while (removed < limit) {
      const slot = this.#firstExpired()
      if (slot === undefined) break
      this.#expire(slot)
      removed += 1
      if (removed % SWEEP_STEP === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    return removed
  }

  /** Live records. What is created while it runs may be among them; nothing comes twice. */
  async *entries(): AsyncGenerator<{ key: string } & Stored, void, undefined> {
    for (const { key, text, expiresAt } of this.#slots.values()) {
      if (expiresAt > this.#clock.now()) yield { key, text, expiresAt }
    }
  }

  async keysOfUser(user: string): Promise<string[]> {
    const now = this.#clock.now()
    const live = (key: string) => (this.#slots.get(key)?.expiresAt ?? 0) > now
    return [...(this.#keysByUser.get(user) ?? [])].filter(live)
  }

  /** Reports `evicted` and `expired`, each with the key and the text that went. */
  onReport(listener: (report: StoreReport) => void): () => void {
    return this.#reports.listen(listener)
  }

  #bytesOf(key: string, { text, user = '' }: Entry, op: string): number {
    const bytes = 2 * (key.length + text.length + user.length) + BYTES_PER_ENTRY
    if (bytes <= this.#maxBytes) return bytes
    const message = `MemoryStore: a record of ${bytes} bytes is over maxBytes (${this.#maxBytes})`
    throw new CoatcheckError('ERR_RECORD_TOO_LARGE', message, { op, store: 'MemoryStore' })
  }

  #liveSlot(key: string): Slot | undefined {
    const slot = this.#slots.get(key)
    if (slot === undefined || slot.expiresAt > this.#clock.now()) return slot
    this.#expire(slot)
    return undefined
  }

  #firstExpired(): Slot | undefined {
    const first = this.#expiries.first
    return first === undefined || first.expiresAt > this.#clock.now() ? undefined : first
  }

  #setExpiry(slot: Slot, expiresAt: number): void {
    slot.expiresAt = comparable(expiresAt)
    this.#expiries.moved(slot)
  }

  /** Evicts until the bounds are kept. The record just written stays, whoever has to go for it. */
  #makeRoomBeside(written: Slot): void {
    while (this.#slots.size > this.#maxEntries || this.#bytes > this.#maxBytes) {
      const expired = this.#firstExpired()
      if (expired !== undefined) {
        this.#expire(expired)
        continue
      }
      const [list, other] = this.#sparesAnonymous()
        ? [this.#signedIn, this.#anonymous]
        : [this.#anonymous, this.#signedIn]
      // The one just written is the newest of its list, so it is the oldest only when alone.
      const slot = list.oldest === written ? other.oldest : (list.oldest ?? other.oldest)
      if (slot === undefined || slot === written) return
      this.#remove(slot)
      this.#reports.send({ type: 'evicted', key: slot.key, text: slot.text })
    }
  }

  #sparesAnonymous(): boolean {
    const { size } = this.#anonymous
    const few = size <= this.#slots.size * SPARED_SHARE
    return size <= 1 || (few && this.#anonymousBytes <= this.#bytes * SPARED_SHARE)
  }

  #expire(slot: Slot): void {
    this.#remove(slot)
    this.#reports.send({ type: 'expired', key: slot.key, text: slot.text })
  }

  #remove(slot: Slot): void {
    this.#slots.delete(slot.key)
    this.#expiries.remove(slot)
    this.#leave(slot)
    this.#bytes -= slot.bytes
  }

  #listOf(slot: Slot): RecencyList<Slot> {
    return slot.user === undefined ? this.#anonymous : this.#signedIn
  }

  /** Enters the slot in what depends on its user. */
  #join(slot: Slot): void {
    this.#listOf(slot).add(slot)
    if (slot.user === undefined) {
      this.#anonymousBytes += slot.bytes
      return
    }
    const keys = this.#keysByUser.get(slot.user)
    if (keys === undefined) this.#keysByUser.set(slot.user, new Set([slot.key]))
    else keys.add(slot.key)
  }

  #leave(slot: Slot): void {
    this.#listOf(slot).remove(slot)
    if (slot.user === undefined) {
      this.#anonymousBytes -= slot.bytes
      return
    }
    const keys = this.#keysByUser.get(slot.user)
    keys?.delete(slot.key)
    if (keys?.size === 0) this.#keysByUser.delete(slot.user)
  }
}

/** NaN is no moment: such a record is not live. */
function comparable(expiresAt: number): number {
  return Number.isNaN(expiresAt) ? 0 : expiresAt
}
