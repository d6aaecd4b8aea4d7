import type { LegacyKeeper, Loaded, Sight, Snapshot } from '../core/legacy-keeper.js'
import type { Awaitable } from '../core/store.js'
import { keyOf } from '../crypto/session-id.js'
import { entriesOf } from './data.js'
import { revive } from './store.js'

/** What a cookie in a record says besides its attributes. */
type Noting = { coatcheck?: { readonly hashed?: boolean } | undefined }

/**
 * Says in a record that its key is a hash. A key that was stolen from a store, signed as an id, would
 * else open it as a record from before.
 */
function mark(session: object): void {
  const { cookie } = session as { cookie?: Noting }
  if (cookie !== undefined && cookie.coatcheck?.hashed !== true) {
    cookie.coatcheck = { ...cookie.coatcheck, hashed: true }
  }
}

function isMarked(record: object): boolean {
  const { cookie } = record as { cookie?: Noting | null }
  return cookie?.coatcheck?.hashed === true
}

/**
 * A legacy keeper that keeps records under the hash of their ids, so that a stolen database holds no
 * ids. A record that lies under its id, from before, is moved when somebody comes with that id.
 */
export class HashingKeeper implements LegacyKeeper {
  readonly touches: boolean
  readonly #inner: LegacyKeeper

  constructor(inner: LegacyKeeper) {
    this.#inner = inner
    this.touches = inner.touches
  }

  async load(id: string, sight?: Sight): Promise<Loaded> {
    const found = await this.#inner.load(keyOf(id), sight)
    if (found !== undefined) return found
    const before = await this.#inner.load(id)
    if (typeof before !== 'object') return before
    return isMarked(before) ? undefined : this.#move(id, before, sight)
  }

  create(id: string, session: object, writing: () => Snapshot, sight?: Sight): Awaitable<void> {
    mark(session)
    return this.#inner.create(keyOf(id), session, writing, sight)
  }

  adopt(id: string, session: object, writing: () => Snapshot): Awaitable<boolean> {
    mark(session)
    return this.#inner.adopt(keyOf(id), session, writing)
  }

  change(
    id: string,
    session: object,
    writing: (stored: object) => Snapshot,
    sight?: Sight,
  ): Awaitable<boolean> {
    mark(session)
    return this.#inner.change(keyOf(id), session, writing, sight)
  }

  touch(id: string, session: object, held: Snapshot, sight?: Sight): Awaitable<void> {
    return this.#inner.touch(keyOf(id), session, held, sight)
  }

  async destroy(id: string): Promise<void> {
    await this.end(id)
  }

  async end(id: string): Promise<boolean> {
    // A move that failed half-way, or is under way, would bring the session back.
    const before = await this.#inner.load(id)
    if (typeof before === 'object' && !isMarked(before)) await this.#inner.destroy(id)
    return await this.#inner.end(keyOf(id))
  }

  /** Of two requests that come at once, the first moves it, and both have the moved one. */
  async #move(id: string, before: object, sight?: Sight): Promise<Loaded> {
    const owner = { sessionID: id, sessionStore: undefined as never }
    // Stores look for the dates of a live cookie.
    const session = revive(owner, { ...before })
    mark(session)
    const key = keyOf(id)
    const isOurs = await this.#inner.adopt(key, session, () => entriesOf(session))
    let isMoved = !isOurs
    try {
      // Who makes the new record ends the old one. If that is gone, the session has ended meanwhile.
      isMoved ||= await this.#inner.end(id)
    } finally {
      if (!isMoved) await this.#inner.destroy(key)
    }
    return this.#inner.load(key, sight)
  }
}
