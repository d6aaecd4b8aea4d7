import { Recent } from '../crypto/recent.js'
import type { Clock } from './clock.js'
import { type ExpressSessionStore, getOld, isUnreadable } from './old-store.js'
import { OldStoreLines, type Overtaken, type Turn } from './old-store-lines.js'
import { idTaken, unanswered } from './refusals.js'
import type { Awaitable, Stored } from './store.js'
import { withinLimit } from './time-limit.js'

/** What a session held besides its cookie when it was written. The object itself goes on changing. */
export type Snapshot = ReadonlyMap<string, string>

/** What a store has under an id. */
export type Loaded = object | undefined | 'unreadable'

/**
 * Where one request has its keeper note the record that it has seen last, so that it need not be
 * loaded again. It lives as long as the request, and a keeper may leave it empty.
 */
export interface Sight {
  last?: {
    readonly id: string
    readonly stored: Stored
    /** What its cookie says, where that is known without reading the text. */
    readonly cookie: string | undefined
  }
}

/**
 * Keeps sessions the way express-session does: live objects under their ids, by the calls that its
 * stores know. Failures of the store reach the caller as they are.
 */
export interface LegacyKeeper {
  load(id: string, sight?: Sight): Awaitable<Loaded>
  /** The JSON text that a session was just loaded from, where the keeper has it at hand. */
  textOf?(loaded: object): string | undefined
  /**
   * Writes a new session.
   * @param writing called when it is about to be written
   * @throws `ERR_ID_TAKEN`
   */
  create(id: string, session: object, writing: () => Snapshot, sight?: Sight): Awaitable<void>
  /** Writes a session unless there is one under this id; then the answer is false. */
  adopt(id: string, session: object, writing: () => Snapshot): Awaitable<boolean>
  /**
   * Writes a session that was loaded, unless it has ended: then nothing is written, and the answer
   * is false.
   * @param writing called when it is about to be written, with what is stored now: to put onto
   * `session` what others have changed. Once more if somebody was faster.
   */
  change(
    id: string,
    session: object,
    writing: (stored: object) => Snapshot,
    sight?: Sight,
  ): Awaitable<boolean>
  touch(id: string, session: object, held: Snapshot, sight?: Sight): Awaitable<void>
  destroy(id: string): Awaitable<void>
  /** Destroys what is there. False: it had ended before, so somebody else has seen to that. */
  end(id: string): Awaitable<boolean>
  readonly touches: boolean
}

export interface LegacyKeeperOptions {
  readonly clock: Clock
  /** How long an operation may take, in ms. */
  readonly limit: number
  isSame(session: object, snapshot: Snapshot): boolean
  /** Ids do not come from a random source: look before one is used. */
  readonly mayBeTaken: boolean
  /** Hears of what failed when nobody waited for it any more. */
  failed(error: unknown): void
}

/** A session as it was when it was written. */
interface Kept {
  readonly session: object
  readonly held: Snapshot
}

/** Ids whose end is remembered: twice this many, of about 100 bytes. */
const REMEMBERED_ENDS = 5_000

/** A legacy keeper over any store made for express-session. */
export class CallbackKeeper implements LegacyKeeper {
  readonly touches: boolean
  readonly #store: ExpressSessionStore
  readonly #options: LegacyKeeperOptions
  readonly #lines: OldStoreLines<Kept>
  readonly #ended: Recent<boolean>
  readonly #overwritesAtTouch: boolean

  constructor(store: ExpressSessionStore, options: LegacyKeeperOptions) {
    this.#store = store
    this.#options = options
    this.touches = typeof store.touch === 'function'
    this.#overwritesAtTouch = overwritesAtTouch(store)
    this.#ended = endsIn(store)
    this.#lines = new OldStoreLines(store, {
      clock: options.clock,
      patience: options.limit,
      restore: (id, overtaken, turn) => this.#restore(id, overtaken, turn),
      failed: options.failed,
    })
  }

  async load(id: string): Promise<Loaded> {
    try {
      return await this.#within('get', () => getOld(this.#store, id))
    } catch (error) {
      // Else it would fail every request of its visitor, who can do nothing about it.
      if (isUnreadable(error)) return 'unreadable'
      throw error
    }
  }

  async create(id: string, session: object, writing: () => Snapshot): Promise<void> {
    if (this.#options.mayBeTaken) {
      if (!(await this.adopt(id, session, writing))) throw idTaken(this.#name)
      return
    }
    await this.#inLine('set', id, (turn) => this.#set(id, { session, held: writing() }, turn))
  }

  adopt(id: string, session: object, writing: () => Snapshot): Promise<boolean> {
    return this.#inLine('set', id, async (turn) => {
      if ((await getOld(this.#store, id)) !== undefined) return false
      await this.#set(id, { session, held: writing() }, turn)
      return true
    })
  }

  change(id: string, session: object, writing: (stored: object) => Snapshot): Promise<boolean> {
    return this.#inLine('set', id, async (turn) => {
      const stored = await getOld(this.#store, id)
      if (stored === undefined) return false
      await this.#set(id, { session, held: writing(stored) }, turn)
      return true
    })
  }

  async touch(id: string, session: object, held: Snapshot): Promise<void> {
    await this.#inLine('touch', id, async (turn) => {
      // Some stores write the whole session at a touch, and would bring it back.
      if (this.#ended.get(id) === true) return
      if (this.#overwritesAtTouch) {
        const stored = await getOld(this.#store, id)
        // Ended, or written by others since, which has moved its expiry too.
        if (stored === undefined || !this.#options.isSame(stored, held)) return
      }
      await this.#lines.write(id, { session, held }, turn, ['touch', session])
    })
  }

  destroy(id: string): Promise<void> {
    const hadEnded = this.#ended.get(id) === true
    this.#ended.set(id, true)
    return this.#inLine('destroy', id, (turn) => this.#remove(id, turn, hadEnded))
  }

  end(id: string): Promise<boolean> {
    return this.#inLine('destroy', id, async (turn) => {
      if (this.#ended.get(id) === true) return false
      if ((await getOld(this.#store, id)) === undefined) return false
      this.#ended.set(id, true)
      await this.#remove(id, turn, false)
      return true
    })
  }

  async #remove(id: string, turn: Turn<Kept>, hadEnded: boolean): Promise<void> {
    try {
      await this.#lines.write(id, undefined, turn, ['destroy'])
      this.#ended.set(id, true)
    } catch (error) {
      // It is still there, and its visitors go on using it.
      if (!hadEnded) this.#ended.set(id, false)
      throw error
    }
  }

  async #set(id: string, kept: Kept, turn: Turn<Kept>): Promise<void> {
    if (this.#ended.get(id) === true) this.#ended.set(id, false)
    await this.#lines.write(id, kept, turn, ['set', kept.session])
  }

  async #restore(id: string, { late, latest }: Overtaken<Kept>, turn: Turn<Kept>): Promise<void> {
    if (latest === undefined) return this.#lines.write(id, undefined, turn, ['destroy'])
    const found = await getOld(this.#store, id)
    const isBack =
      found !== undefined && late !== undefined && this.#options.isSame(found, late.held)
    if (isBack && !this.#options.isSame(found, latest.held)) await this.#set(id, latest, turn)
  }

  get #name(): string {
    return this.#store.constructor?.name ?? 'Object'
  }

  #inLine<T>(op: string, id: string, work: (turn: Turn<Kept>) => Promise<T>): Promise<T> {
    return this.#within(op, () => this.#lines.inLine(id, work))
  }

  #within<T>(op: string, work: () => Promise<T>): Promise<T> {
    const { clock, limit } = this.#options
    const late = () => unanswered(this.#name, op, limit)
    return withinLimit(clock, limit, late, work)
  }
}

/** One list for all managers of a store: what one has ended, no other brings back. */
const ends = new WeakMap<ExpressSessionStore, Recent<boolean>>()

function endsIn(store: ExpressSessionStore): Recent<boolean> {
  const known = ends.get(store) ?? new Recent<boolean>(REMEMBERED_ENDS)
  ends.set(store, known)
  return known
}

/** Memcached could not move an expiry alone for long: connect-memcached and its likes write all. */
function overwritesAtTouch({ touch, set }: ExpressSessionStore): boolean {
  if (touch === undefined) return false
  return Object.is(touch, set) || /\bthis\.set\b/.test(String(touch))
}
