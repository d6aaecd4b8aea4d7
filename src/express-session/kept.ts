import { parseEntries } from '../core/changes.js'
import type { OldCommitState } from '../core/commit-plan.js'
import type { Loaded, Sight } from '../core/legacy-keeper.js'
import type { Awaitable } from '../core/store.js'
import { type UserChange, userChange, whoIs } from '../core/user.js'
import { keyOf } from '../crypto/session-id.js'
import { type Entries, entriesOf, mergeInto, NO_ENTRIES, sameEntries } from './data.js'
import type { House } from './house.js'
import { Session } from './session.js'

/** What a session was at some moment. */
interface Known {
  readonly id: unknown
  readonly entries: Entries
}

/** The same, taken apart only when it is asked for: most sessions are read and left as they are. */
class KnownByText implements Known {
  readonly id: string
  readonly text: string
  #entries: Entries | undefined

  constructor(id: string, text: string) {
    this.id = id
    this.text = text
  }

  get entries(): Entries {
    this.#entries ??= entriesOf(revived(this.id, this.text))
    return this.#entries
  }
}

/** Without the keys that a session does not take from a record. */
function revived(id: string, text: string): object {
  return new Session({ sessionID: id, sessionStore: undefined as never }, JSON.parse(text))
}

/** What one request knows of its session's record, and how it is written. */
export class Kept {
  readonly #house: House
  /** The record as this request has seen it last, for stores that take that for a comparison. */
  readonly #sight: Sight = {}
  /** What the session was when it was loaded or made. */
  #original: Known | undefined
  /** What the store has of it; undefined: it was not stored, or is to be stored once more. */
  #saved: Known | undefined
  /** The cookie it was saved with, after a regenerate: no touch tells the store of a change then. */
  #savedCookie: object | undefined
  /** What others may have changed since. */
  #base: { readonly entries: Entries } = { entries: NO_ENTRIES }
  /** The id with a record. */
  #live: string | undefined
  #ended: Set<unknown> | undefined
  /** The request came without a session that lives. */
  #isNew = false
  /** The record turned out to have ended while the request ran. */
  isGone = false

  constructor(house: House) {
    this.#house = house
  }

  load(id: string): Awaitable<Loaded> {
    return this.#house.keeper.load(id, this.#sight)
  }

  /** @param entries undefined: it is as it was loaded */
  touch(session: Session, entries: Entries | undefined): Awaitable<void> {
    // The record as it is stored is what would be stored.
    if (entries === undefined && session.cookie.expires == null) return
    return this.#house.keeper.touch(session.id, session, entries ?? NO_ENTRIES, this.#sight)
  }

  /** A record was loaded, or loaded again. */
  loaded(session: Session, found: object): void {
    const { id } = session
    const text = this.#house.keeper.textOf?.(found)
    const loaded =
      text === undefined ? { id, entries: entriesOf(session) } : new KnownByText(id, text)
    // Loaded again, it stays what the request began with, or its cookie would not be sent.
    this.#original ??= loaded
    this.#base = loaded
    this.#live = id
    if (!this.#house.settings.policy.resave) this.#saved = loaded
  }

  /** A new session has begun. After a regenerate its id alone makes it a changed one. */
  made(id: string): void {
    this.isGone = false
    this.#isNew ||= this.#original === undefined
    // A `genid` of one's own may give the same id again.
    this.#ended?.delete(id)
    this.#savedCookie = undefined
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

  /** Whether a session is what was loaded, its cookie too. False: nobody knows without a look. */
  isAsLoaded(session: Session): boolean {
    const original = this.#original
    return (
      original instanceof KnownByText &&
      original.id === session.id &&
      JSON.stringify(session) === original.text
    )
  }

  /**
   * What a commit of this session has to know.
   * @param entries undefined: it is as it was loaded
   */
  state(
    { id, cookie }: Session,
    entries: Entries | undefined,
  ): Pick<OldCommitState, 'stored' | 'changed' | 'saved'> {
    const isOver = this.isGone || this.hasEnded(id)
    const stored = isOver ? 'gone' : this.#live === id ? 'live' : 'none'
    if (entries === undefined) {
      return { stored, changed: false, saved: this.#isSavedAsLoaded ? 'now' : 'never' }
    }
    const isCookieSaved =
      this.#savedCookie === undefined || isSameCookie(this.#savedCookie, cookie.data)
    const is = (known: Known) => known.id === id && sameEntries(known.entries, entries)
    return {
      stored,
      changed: this.#original === undefined || !is(this.#original),
      saved:
        this.#saved === undefined ? 'never' : isCookieSaved && is(this.#saved) ? 'now' : 'before',
    }
  }

  get #isSavedAsLoaded(): boolean {
    const [saved, original] = [this.#saved, this.#original]
    if (saved === original) return true
    const areTexts = saved instanceof KnownByText && original instanceof KnownByText
    return areTexts && saved.text === original.text
  }

  /** Who has signed in or out in the session that was loaded under this id. */
  userChange(id: string, entries: Entries | undefined): UserChange | undefined {
    const { userOf } = this.#house.settings
    if (userOf === undefined || entries === undefined) return undefined
    // Not with what was saved and loaded again since: the client still has the old id.
    const before = this.#original
    if (this.#isNew || this.#live !== id || before?.id !== id) return undefined
    const who = (of: Entries) => whoIs(parseEntries(of), userOf)
    return userChange(who(before.entries), who(entries))
  }

  /**
   * Goes on under the new id of `session`. The old record ends when the new one is stored; what
   * fails on the way, and an end of the old one meanwhile, takes the new one back.
   */
  async renew(session: Session, from: string, reason: UserChange): Promise<void> {
    const { keeper } = this.#house
    const latest = await keeper.load(from)
    if (typeof latest !== 'object') return this.#wasGone()
    mergeInto(session, this.#base.entries, latest, entriesOf(latest))
    await this.store(session)
    let isOurs = false
    try {
      isOurs = await keeper.end(from)
    } catch (error) {
      // The next commit of this request is to try once more, and not to create what is there.
      this.#live = from
      throw error
    } finally {
      const removed = async () => keeper.destroy(session.id)
      // Nobody has been told its id.
      if (!isOurs) this.#house.inBackground(removed()).catch(() => {})
    }
    this.ends(from)
    if (!isOurs) return this.#wasGone()
    this.#house.emit('renew', { id: keyOf(session.id), from: keyOf(from), reason })
  }

  #wasGone(): void {
    this.isGone = true
    this.#stale('gone')
  }

  /** Writes the session, unless it has ended. Answers at once where the store does. */
  store(session: Session): Awaitable<void> {
    const { id } = session
    const { keeper } = this.#house
    if (this.hasEnded(id)) return this.#stale('destroyed')
    let entries = NO_ENTRIES
    if (this.#live !== id) {
      const created = keeper.create(
        id,
        session,
        () => {
          entries = entriesOf(session)
          this.#noteCookie(session)
          return entries
        },
        this.#sight,
      )
      return afterwards(created, () => {
        this.#keep(id, entries)
        this.#house.emit('create', { id: keyOf(id) })
      })
    }
    const conflicts = new Set<string>()
    let base = this.#base.entries
    const changed = keeper.change(
      id,
      session,
      (latest) => {
        const theirs = entriesOf(latest)
        for (const key of mergeInto(session, base, latest, theirs)) conflicts.add(key)
        entries = entriesOf(session)
        this.#noteCookie(session)
        base = theirs
        return entries
      },
      this.#sight,
    )
    return afterwards(changed, (isStored) => {
      if (!isStored) return this.#wasGone()
      this.#keep(id, entries)
      const name = keyOf(id)
      if (conflicts.size > 0) this.#house.emit('conflict', { id: name, keys: [...conflicts] })
      this.#house.emit('commit', { id: name })
    })
  }

  #noteCookie({ id, cookie }: Session): void {
    this.#savedCookie = id === this.#original?.id ? undefined : cookie.data
  }

  #keep(id: string, entries: Entries): void {
    this.#live = id
    this.#saved = { id, entries }
    this.#base = this.#saved
  }

  #stale(reason: 'gone' | 'destroyed'): void {
    this.#house.emit('stale-write', { reason })
  }
}

/** Apart from the time that has passed since. */
function isSameCookie(a: object, b: object): boolean {
  const { expires: endOfA, ...restOfA } = a as { expires?: unknown }
  const { expires: endOfB, ...restOfB } = b as { expires?: unknown }
  if (JSON.stringify(restOfA) !== JSON.stringify(restOfB)) return false
  return Math.abs(Number(endOfA ?? 0) - Number(endOfB ?? 0)) < 1000
}

/** Goes on at once where there is nothing to wait for. */
function afterwards<T>(answer: Awaitable<T>, next: (answer: T) => void): Awaitable<void> {
  const isPending = typeof (answer as { then?: unknown } | undefined)?.then === 'function'
  return isPending ? (answer as PromiseLike<T>).then(next) : next(answer as T)
}
