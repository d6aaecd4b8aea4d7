import type { LegacyKeeper } from '../core/legacy-keeper.js'
import type { Data } from '../core/record.js'
import { type ByUser, can, type Store as TextStore } from '../core/store.js'
import { nameOf, type UserOf, whoIs } from '../core/user.js'
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

interface Found {
  readonly key: string
  readonly session: Data
  readonly expiresAt: number
}

/** What `list`, `revoke` and `revokeUser` need: hashed ids, and a store that knows its users. */
export interface Reach {
  readonly hashesIds: boolean
  readonly userOf: UserOf | undefined
  /** The keeper of keys, below the hashing of ids. */
  readonly byKey: LegacyKeeper
  onEnded(key: string): void
  /** undefined: a store made for express-session, which has no index. */
  readonly legacy: LegacyStore | undefined
}

/** Records loaded together: a user may have thousands, and a pool so many connections. */
const BATCH = 32

/** Sessions by user, for a drop-in that was told how to find the user. */
export class UserSessions {
  readonly #reach: Reach

  constructor(reach: Reach) {
    this.#reach = reach
  }

  /** The live sessions of a user, the one that ends last first. @throws `ERR_UNSUPPORTED` */
  async list(user: unknown): Promise<ListedSession[]> {
    const found: ListedSession[] = []
    for (const { key, session, expiresAt } of await this.#recordsOf(userName(user), 'list')) {
      const { cookie: _, ...data } = session
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
      const ending = records.filter(({ key }) => !stays.includes(key))
      if (ending.length === 0) return ended
      for (const { key } of ending) if (await this.revoke(key)) ended++
    }
  }

  /**
   * As their records say, which an index may be behind: another request has changed the user since,
   * or somebody has removed a record and left its row. One that holds no session stays where it is,
   * as everywhere.
   */
  async #recordsOf(user: string, op: string): Promise<Found[]> {
    const { store, prefix, userOf } = this.#indexed(op)
    const keys = (await store.keysOfUser(user)).filter((key) => key.startsWith(prefix))
    const found: Found[] = []
    for (let at = 0; at < keys.length; at += BATCH) {
      const batch = keys.slice(at, at + BATCH)
      const loaded = await Promise.all(batch.map((key) => store.load(key)))
      for (const [n, stored] of loaded.entries()) {
        const session = stored && (parseSession(stored.text) as Data | undefined)
        if (session === undefined || whoIs(session, userOf).user !== user) continue
        found.push({ key: batch[n]!.slice(prefix.length), session, expiresAt: stored!.expiresAt })
      }
    }
    return found
  }

  #indexed(op: string): { store: TextStore & ByUser; prefix: string; userOf: UserOf } {
    const { hashesIds, userOf, legacy } = this.#reach
    if (userOf === undefined) throw unsupported(op, 'the option user')
    if (!hashesIds) throw unsupported(op, 'the option hashIds')
    const store = legacy?.store
    if (store === undefined || !can(store, 'keysOfUser')) {
      throw unsupported(op, 'a store that knows the sessions of a user')
    }
    return { store, prefix: legacy?.prefix ?? '', userOf }
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
