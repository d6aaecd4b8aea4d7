import type { LegacyKeeper } from '../core/legacy-keeper.js'
import { type ByUser, can, type Store as TextStore } from '../core/store.js'
import { nameOf } from '../core/user.js'
import { keyOf } from '../crypto/session-id.js'
import { CoatcheckError, OptionError } from '../errors.js'
import type { LegacyStore } from './legacy-store.js'
import { parseSession } from './legacy-text.js'

/** A live session as `list(user)` shows it. Nothing in it is a credential. */
export interface ListedSession {
  /** The hash of the session's id, for `revoke`. */
  readonly id: string
  /** In ms since the epoch. */
  readonly expiresAt: number
  readonly data: Record<string, unknown>
}

/** What `list`, `revoke` and `revokeUser` need: hashed ids, and a store that knows its users. */
export interface Reach {
  readonly hashesIds: boolean
  readonly namesUsers: boolean
  /** The keeper of keys, below the hashing of ids. */
  readonly byKey: LegacyKeeper
  onEnded(key: string): void
  /** undefined: a store made for express-session, which has no index. */
  readonly legacy: LegacyStore | undefined
}

/** Sessions by user, for a drop-in that was told how to find the user. */
export class UserSessions {
  readonly #reach: Reach

  constructor(reach: Reach) {
    this.#reach = reach
  }

  /** The live sessions of a user, the one that ends last first. @throws `ERR_UNSUPPORTED` */
  async list(user: unknown): Promise<ListedSession[]> {
    const found: ListedSession[] = []
    for (const { key, text, expiresAt } of await this.#recordsOf(userName(user), 'list')) {
      const session = parseSession(text)
      if (session === undefined) continue
      const { cookie: _, ...data } = session as unknown as Record<string, unknown>
      found.push({ id: key, expiresAt, data })
    }
    return found.sort((a, b) => b.expiresAt - a.expiresAt)
  }

  /** Ends one session by the hash of its id. False: there was no such live one. */
  async revoke(id: string): Promise<boolean> {
    if (!this.#reach.hashesIds) throw unsupported('revoke', 'the option hashIds')
    const { byKey } = this.#reach
    if (typeof (await byKey.load(id)) !== 'object') return false
    await byKey.destroy(id)
    this.#reach.onEnded(id)
    return true
  }

  /** Ends every session of a user but `except`, an id or its hash; gives their number. */
  async revokeUser(user: unknown, except?: string): Promise<number> {
    const name = userName(user)
    const stays = except === undefined ? [] : [except, keyOf(except)]
    let ended = 0
    // Until none is found: one that was being renewed comes to light under its new id.
    for (;;) {
      const records = await this.#recordsOf(name, 'revokeUser')
      // One that holds no session stays where it is, as everywhere.
      const ending = records.filter(
        ({ key, text }) => !stays.includes(key) && parseSession(text) !== undefined,
      )
      if (ending.length === 0) return ended
      for (const { key } of ending) if (await this.revoke(key)) ended++
    }
  }

  async #recordsOf(user: string, op: string) {
    const { store, prefix } = this.#indexed(op)
    const keys = (await store.keysOfUser(user)).filter((key) => key.startsWith(prefix))
    const loaded = await Promise.all(keys.map((key) => store.load(key)))
    return loaded.flatMap((stored, index) =>
      stored ? [{ key: keys[index]!.slice(prefix.length), ...stored }] : [],
    )
  }

  #indexed(op: string): { store: TextStore & ByUser; prefix: string } {
    const { hashesIds, namesUsers, legacy } = this.#reach
    if (!namesUsers) throw unsupported(op, 'the option user')
    if (!hashesIds) throw unsupported(op, 'the option hashIds')
    const store = legacy?.store
    if (store === undefined || !can(store, 'keysOfUser')) {
      throw unsupported(op, 'a store that knows the sessions of a user')
    }
    return { store, prefix: legacy?.prefix ?? '' }
  }
}

function userName(user: unknown): string {
  const name = nameOf(user)
  if (name !== undefined) return name
  throw new OptionError('A user is named by a string that is not empty, or by a number.')
}

function unsupported(op: string, need: string): CoatcheckError {
  return new CoatcheckError('ERR_UNSUPPORTED', `${op} needs ${need}.`, { op })
}
