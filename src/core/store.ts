/**
 * The contract of a store. The comments here are the specification; the suite in
 * `coatcheck/testing` is the same specification as tests.
 *
 * A store keeps texts under keys until a moment. It knows nothing of cookies, signatures, sessions
 * or what a text means. Every operation may answer at once or by a promise; a failure is a thrown
 * or rejected error, and each call settles exactly once. Nothing starts in a constructor: no timer,
 * no connection, no table.
 */

/** A value now, or a promise of it. A store that answers at once costs its caller no wait. */
export type Awaitable<T> = T | PromiseLike<T>

/** What is to be kept. */
export interface Entry {
  /** Any string without lone surrogates; in practice a JSON text of 100 bytes to 100 KB. */
  readonly text: string
  /** When it stops being live, in ms since the epoch. Coarser backends round up. */
  readonly expiresAt: number
  /**
   * When it ends at the latest, however often it is touched, in ms since the epoch. A store may
   * keep what it knows about the record besides for so long. Absent: nobody can tell.
   */
  readonly endsAt?: number
  /** Whose session it is, for {@link ByUser}. Absent: nobody's. */
  readonly user?: string
}

/** What a store answers about a live record. Always a copy: changing it changes nothing stored. */
export interface Stored {
  readonly text: string
  readonly expiresAt: number
  /**
   * The store's own mark of what was read (a cas id, say), handed back to `replace` untouched.
   * After an own write there is none: then the text decides.
   */
  readonly version?: unknown
}

/**
 * - `replaced`: done.
 * - `changed`: a live record is there, but not the one that was loaded. Nothing was written.
 * - `gone`: no live record is there. Nothing was written.
 */
export type Replaced = 'replaced' | 'changed' | 'gone'

/**
 * Keeps texts under keys. A key is an opaque string, natively the 43 characters of
 * base64url(SHA-256(id)); a store must also survive hostile ones (`../`, NUL, 4 KB), by a round
 * trip or by a typed refusal.
 */
export interface Store {
  /** The live record under `key`. Absent or expired: undefined. One operation, no retry on a miss. */
  load(key: string): Awaitable<Stored | undefined>

  /**
   * Inserts, and gives true. A live record under `key`: false, and nothing changes, also when two
   * creates race. An expired leftover does not count as live.
   */
  create(key: string, entry: Entry): Awaitable<boolean>

  /**
   * Compare-and-set: writes `entry` only if the live record still is what `seen` was loaded as. It
   * compares the text (or `version`), not the expiry: a touch in between is no change. It never
   * brings an absent, destroyed or expired record back.
   */
  replace(key: string, entry: Entry, seen: Stored): Awaitable<Replaced>

  /** Moves the expiry of a live record, later or earlier, and nothing else. False: gone. */
  touch(key: string, expiresAt: number): Awaitable<boolean>

  /** Removes the record. Idempotent; an unknown key is no error. True: a live one was there. */
  destroy(key: string): Awaitable<boolean>
}

/** Can delete what has expired. Stores whose server does that by itself lack it. */
export interface Sweepable {
  /** Deletes expired records, at most `limit` of them, in bounded steps; gives their number. */
  sweep(options?: { limit?: number }): Promise<number>
}

/** Can list everything, streaming in bounded memory. Live records only. */
export interface Enumerable {
  entries(): AsyncIterable<{ key: string } & Stored>
}

/**
 * Knows the keys of a user. An index may name a dead key for a moment and verifies against the
 * records before it answers; it never misses a live one.
 */
export interface ByUser {
  keysOfUser(user: string): Promise<string[]>
}

/**
 * Its index may lose keys of live records without a word, as a cache does. To end all sessions of a
 * user it is not enough then, and each session is bound to a record of its user besides.
 */
export interface Lossy {
  readonly losesKeys: true
}

/** Holds something open. Closes only what the store itself opened, never a client passed in. */
export interface Closable {
  close(): Promise<void>
}

/** Something a store did or met by itself. */
export type StoreReport =
  | { readonly type: 'evicted' | 'expired'; readonly key: string; readonly text?: string }
  /** A load has met something under this key that is no record it can read. The load gives a miss. */
  | { readonly type: 'unreadable'; readonly key: string }
  | { readonly type: 'error'; readonly op: string; readonly error: unknown }

/** Tells what it does by itself: evictions, expiries it finds, failures nobody waits for. */
export interface Reporting {
  /** Gives the function that ends the listening. */
  onReport(listener: (report: StoreReport) => void): () => void
}

/** Whether `store` has the method, and with it the capability. */
export function can<K extends keyof Capability>(store: object, method: K): store is Capability[K] {
  return typeof (store as Record<string, unknown>)[method] === 'function'
}

/** Whether the index of `store` may lose keys. */
export function losesKeys(store: object): boolean {
  return (store as Partial<Lossy>).losesKeys === true
}

interface Capability {
  sweep: Sweepable
  entries: Enumerable
  keysOfUser: ByUser
  close: Closable
  onReport: Reporting
}
