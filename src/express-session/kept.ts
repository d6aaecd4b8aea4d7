import type { OldCommitState } from '../core/commit-plan.js'
import type { Awaitable } from '../core/store.js'
import { keyOf } from '../crypto/session-id.js'
import { type Entries, entriesOf, mergeInto, NO_ENTRIES, sameEntries } from './data.js'
import type { House } from './house.js'
import type { Session } from './session.js'

/** What a session was at some moment. */
interface Known {
  readonly id: unknown
  readonly entries: Entries
}

/** What one request knows of its session's record, and how it is written. */
export class Kept {
  readonly #house: House
  /** What the session was when it was loaded or made. */
  #original: Known | undefined
  /** What the store has of it; undefined: it was not stored, or is to be stored once more. */
  #saved: Known | undefined
  /** What others may have changed since. */
  #base: Entries = NO_ENTRIES
  /** The id with a record. */
  #live: string | undefined
  #ended: Set<unknown> | undefined
  /** The record turned out to have ended while the request ran. */
  isGone = false

  constructor(house: House) {
    this.#house = house
  }

  /** A record was loaded, or loaded again. */
  loaded(id: string, entries: Entries): void {
    this.#original = { id, entries }
    this.#base = entries
    this.#live = id
    if (!this.#house.settings.policy.resave) this.#saved = this.#original
  }

  /** A new session has begun. After a regenerate its id alone makes it a changed one. */
  made(id: string): void {
    this.isGone = false
    this.#original ??= { id, entries: NO_ENTRIES }
  }

  /** The session of this id is being ended. */
  ends(id: string): void {
    this.#ended ??= new Set()
    this.#ended.add(id)
    if (this.#live === id) this.#live = undefined
  }

  hasEnded(id: unknown): boolean {
    return this.#ended?.has(id) === true
  }

  /** What a commit of this session has to know. */
  state(id: string, entries: Entries): Pick<OldCommitState, 'stored' | 'changed' | 'saved'> {
    const is = (known: Known) => known.id === id && sameEntries(known.entries, entries)
    return {
      stored: this.isGone ? 'gone' : this.#live === id ? 'live' : 'none',
      changed: this.#original === undefined || !is(this.#original),
      saved: this.#saved === undefined ? 'never' : is(this.#saved) ? 'now' : 'before',
    }
  }

  /** Writes the session, unless it has ended. Answers at once where the store does. */
  store(session: Session): Awaitable<void> {
    const { id } = session
    const { keeper } = this.#house
    if (this.hasEnded(id)) return this.#stale('destroyed')
    let entries = NO_ENTRIES
    if (this.#live !== id) {
      const created = keeper.create(id, session, () => {
        entries = entriesOf(session)
        return entries
      })
      return afterwards(created, () => {
        this.#keep(id, entries)
        this.#house.emit('create', { id: keyOf(id) })
      })
    }
    const conflicts = new Set<string>()
    let base = this.#base
    const changed = keeper.change(id, session, (latest) => {
      const theirs = entriesOf(latest)
      for (const key of mergeInto(session, base, latest, theirs)) conflicts.add(key)
      entries = entriesOf(session)
      base = theirs
      return entries
    })
    return afterwards(changed, (isStored) => {
      if (!isStored) {
        this.isGone = true
        return this.#stale('gone')
      }
      this.#keep(id, entries)
      const name = keyOf(id)
      if (conflicts.size > 0) this.#house.emit('conflict', { id: name, keys: [...conflicts] })
      this.#house.emit('commit', { id: name })
    })
  }

  #keep(id: string, entries: Entries): void {
    this.#live = id
    this.#saved = { id, entries }
    this.#base = entries
  }

  #stale(reason: 'gone' | 'destroyed'): void {
    this.#house.emit('stale-write', { reason })
  }
}

/** Goes on at once where there is nothing to wait for. */
function afterwards<T>(answer: Awaitable<T>, next: (answer: T) => void): Awaitable<void> {
  const isPending = typeof (answer as { then?: unknown } | undefined)?.then === 'function'
  return isPending ? (answer as PromiseLike<T>).then(next) : next(answer as T)
}
