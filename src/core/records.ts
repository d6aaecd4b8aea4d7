import { CoatcheckError, type ErrorCode, isCoatcheckError } from '../errors.js'
import { classOf } from './callback-store.js'
import type { Clock } from './clock.js'
import { CLOSED_STORE } from './closed-store.js'
import { type Draft, Held, type Identity, type Opened } from './keeper.js'
import { absoluteEnd, endedBy, expiryAfter, type LifetimeSettings } from './lifetime.js'
import { decodeRecord, encodeRecord, encodeTombstone } from './record.js'
import { unanswered } from './refusals.js'
import type { SessionEpochs } from './session-epochs.js'
import { type Awaitable, type ByUser, can, type Entry, type Store, type Stored } from './store.js'
import { type StillWanted, withinLimit } from './time-limit.js'

/** How long an old id is remembered after a renewal, for requests that are still under way. */
const TOMBSTONE_LIFE = 10_000

/** A session goes from id to id this often at most while somebody looks for it. */
const MOST_RENEWALS = 5

/** What has another status where it fails a commit. */
const OUTAGES: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['ERR_STORE', 'ERR_STORE_TIMEOUT'])

/** Carries an error of the application through the work of a store. */
class Own extends Error {}

export interface RecordsOptions {
  readonly store: Store
  readonly lifetime: LifetimeSettings
  /** Bounds each load and each commit with its retries, in ms. */
  readonly storeTimeout: number
  readonly clock: Clock
  /** What sessions are bound to besides. */
  readonly epochs?: Pick<SessionEpochs, 'check'> | undefined
}

/**
 * Sessions in a store: texts become records and records texts, every answer is bounded in time, and
 * every failure is a `CoatcheckError`.
 */
export class Records {
  /** The class of the store, for errors. */
  readonly name: string
  #store: Store
  readonly #lifetime: LifetimeSettings
  readonly #limit: number
  readonly #clock: Clock
  readonly #epochs: Pick<SessionEpochs, 'check'> | undefined

  constructor({ store, lifetime, storeTimeout, clock, epochs }: RecordsOptions) {
    this.name = classOf(store)
    this.#store = store
    this.#lifetime = lifetime
    this.#limit = storeTimeout
    this.#clock = clock
    this.#epochs = epochs
  }

  /** Whatever comes from now on is refused with `ERR_CLOSED`. */
  close(): void {
    this.#store = CLOSED_STORE
  }

  /**
   * A store that answers at once is read without a wait, and without a timer.
   * @param how `commit`: the limit of the whole commit holds. `unbound`: whatever its user's epoch.
   */
  load(identity: Identity, reissue: boolean, how?: 'commit' | 'unbound'): Awaitable<Opened> {
    let found: Awaitable<Stored | undefined>
    try {
      found = this.#store.load(identity.handle)
    } catch (error) {
      throw this.failed(error, 'load')
    }
    const decode = (stored: Stored | undefined) => this.#decode(identity, reissue, stored)
    const epochs = how === 'unbound' ? undefined : this.#epochs
    if (epochs !== undefined) {
      const bound = Promise.resolve(found).then((stored) => epochs.check(decode(stored)))
      return how === 'commit' ? bound : this.within('load', () => bound)
    }
    if (!isPending(found)) return decode(found)
    const answer = how === 'commit' ? found : this.within('load', () => found)
    return answer.then(decode)
  }

  #decode(identity: Identity, reissue: boolean, stored: Stored | undefined): Opened {
    // Stores by others may say null.
    if (!stored) return { state: 'gone', handle: identity.handle }
    return openedRecord(identity, reissue, stored, this.#lifetime, this.#clock.now())
  }

  /** @param status of a failure, where a commit asks; that of a load is 503 */
  async find(identity: Identity, status?: number, how?: 'unbound'): Promise<Opened> {
    try {
      return await this.load(identity, false, how)
    } catch (error) {
      throw this.failed(error, 'load', status)
    }
  }

  /** The session of a handle, or the one it was renewed to without anybody signing in or out. */
  async follow(identity: Identity, status?: number, how?: 'unbound'): Promise<Opened> {
    let opened = await this.find(identity, status, how)
    for (let steps = 0; steps < MOST_RENEWALS && opened.state === 'superseded'; steps++) {
      if (opened.next === undefined) break
      opened = await this.find({ id: '', handle: opened.next }, status, how)
    }
    return opened
  }

  /** Whether neither clock has ended the session, as far as `held` tells. */
  isLive({ facts, stored }: Held): boolean {
    return endedBy(facts, stored.expiresAt, this.#lifetime, this.#clock.now()) === undefined
  }

  /** A handler may run past the end of its session; others may have kept it alive meanwhile. */
  async stillLive(held: Held): Promise<Opened> {
    return this.isLive(held) ? { state: 'live', held } : this.load(held.identity, false, 'commit')
  }

  entry({ facts, entries }: Draft): Entry {
    const text = encodeRecord(facts, entries)
    const expiresAt = expiryAfter(facts, this.#lifetime, this.#clock.now())
    const endsAt = absoluteEnd(facts, this.#lifetime)
    const { user } = facts
    return {
      text,
      expiresAt,
      ...(endsAt === undefined ? {} : { endsAt }),
      ...(user === undefined ? {} : { user }),
    }
  }

  tombstone(next?: string): Entry {
    const now = this.#clock.now()
    return { text: encodeTombstone(now, next), expiresAt: now + TOMBSTONE_LIFE }
  }

  /** Stands where a session ended by a clock is being removed. To who meets it, nothing is there. */
  leftover(): Entry {
    return { text: encodeTombstone(0), expiresAt: this.#clock.now() + TOMBSTONE_LIFE }
  }

  async within<T>(
    op: string,
    work: (still: StillWanted) => PromiseLike<T>,
    status?: number,
  ): Promise<T> {
    const late = () =>
      unanswered(this.name, op, this.#limit, status === undefined ? {} : { status })
    try {
      return await withinLimit(this.#clock, this.#limit, late, work)
    } catch (error) {
      throw error instanceof Own ? error.cause : this.failed(error, op, status)
    }
  }

  /** What is thrown in here is no failure of the store: it reaches the caller as it is. */
  own<T>(run: () => T): T {
    try {
      return run()
    } catch (error) {
      throw new Own('not of the store', { cause: error })
    }
  }

  failed(error: unknown, op: string, status?: number): CoatcheckError {
    const known = isCoatcheckError(error)
    if (known && (status === undefined || !OUTAGES.has(error.code))) return error as CoatcheckError
    const code = known ? error.code : 'ERR_STORE'
    const told = known && 'outcome' in error ? error.outcome : undefined
    return new CoatcheckError(code, known ? error.message : `${this.name} failed to ${op}.`, {
      op,
      store: this.name,
      // Of what it has refused or lost the store knows more.
      retryable: known ? error.retryable : true,
      outcome: told ?? (code === 'ERR_STORE' ? 'failed' : 'unknown'),
      cause: known ? error.cause : error,
      ...(status === undefined ? {} : { status }),
    })
  }

  /** The store's index. @throws `ERR_UNSUPPORTED` if it has none */
  byUser(op: string): ByUser {
    const store = this.#store
    if (can(store, 'keysOfUser')) return store
    throw new CoatcheckError(
      'ERR_UNSUPPORTED',
      `${op} needs a store that knows the sessions of a user, and ${this.name} does not.`,
      { op, store: this.name },
    )
  }
}

/** Whether a store has not answered at once. */
export function isPending<T>(value: Awaitable<T>): value is PromiseLike<T> {
  return typeof (value as { then?: unknown } | undefined)?.then === 'function'
}

/** What a record turns out to be, by its text and by both clocks. */
export function openedRecord(
  identity: Identity,
  reissue: boolean,
  stored: Stored,
  lifetime: LifetimeSettings,
  now: number,
): Opened {
  const { handle } = identity
  const decoded = decodeRecord(stored.text)
  if (decoded.kind === 'tombstone') {
    // A touch that was under way may have moved its expiry; its own date counts.
    const over = now >= decoded.ended + TOMBSTONE_LIFE
    return over ? { state: 'gone', handle } : { state: 'superseded', handle, next: decoded.next }
  }
  if (decoded.kind === 'corrupt') return { state: 'corrupt', handle, reason: decoded.reason }
  const { facts, data } = decoded.record
  const reason = endedBy(facts, stored.expiresAt, lifetime, now)
  if (reason !== undefined) {
    const { user } = facts
    const ended = user === undefined ? { reason, stored } : { reason, user, stored }
    return { state: 'gone', handle, ended }
  }
  return { state: 'live', held: new Held(identity, facts, stored, reissue, data) }
}
