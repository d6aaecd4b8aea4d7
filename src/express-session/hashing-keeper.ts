import type { LegacyKeeper, Loaded, Snapshot } from '../core/legacy-keeper.js'
import type { Awaitable } from '../core/store.js'
import { keyOf } from '../crypto/session-id.js'
import { entriesOf } from './data.js'
import { revive } from './store.js'

/** What a key looks like: signed as an id, one that was stolen from a store opens nothing. */
const KEY = /^[A-Za-z0-9_-]{43}$/

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

  async load(id: string): Promise<Loaded> {
    const found = await this.#inner.load(keyOf(id))
    if (found !== undefined || KEY.test(id)) return found
    const before = await this.#inner.load(id)
    return typeof before === 'object' ? this.#move(id, before) : before
  }

  create(id: string, session: object, writing: () => Snapshot): Awaitable<void> {
    return this.#inner.create(keyOf(id), session, writing)
  }

  adopt(id: string, session: object, writing: () => Snapshot): Awaitable<boolean> {
    return this.#inner.adopt(keyOf(id), session, writing)
  }

  change(id: string, session: object, writing: (stored: object) => Snapshot): Awaitable<boolean> {
    return this.#inner.change(keyOf(id), session, writing)
  }

  touch(id: string, session: object, held: Snapshot): Awaitable<void> {
    return this.#inner.touch(keyOf(id), session, held)
  }

  destroy(id: string): Awaitable<void> {
    return this.#inner.destroy(keyOf(id))
  }

  /** Of two requests that come at once, the first moves it, and both have the moved one. */
  async #move(id: string, before: object): Promise<Loaded> {
    const owner = { sessionID: id, sessionStore: undefined as never }
    // Stores look for the dates of a live cookie.
    const session = revive(owner, structuredClone(before))
    await this.#inner.adopt(keyOf(id), session, () => entriesOf(session))
    await this.#inner.destroy(id)
    return this.#inner.load(keyOf(id))
  }
}
