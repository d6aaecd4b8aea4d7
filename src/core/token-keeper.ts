import { Recent } from '../crypto/recent.js'
import { newId } from '../crypto/session-id.js'
import type { Clock } from './clock.js'
import {
  type Capabilities,
  type Declined,
  type Draft,
  Held,
  type Identity,
  type Keeper,
  type MaybeRewrite,
  type Opened,
  type Renewal,
  type Rewrite,
  type Written,
} from './keeper.js'
import { expiryAfter, type LifetimeSettings } from './lifetime.js'
import { encodeRecord } from './record.js'
import { openedRecord } from './records.js'
import { reservedClaim, withoutServer } from './refusals.js'
import type { TokenStore } from './token-store.js'

export interface TokenKeeperOptions {
  readonly store: TokenStore
  readonly lifetime: LifetimeSettings
  readonly clock: Clock
}

/** Sessions whose end was told of: twice this many handles. */
const REMEMBERED_ENDS = 1_000

/**
 * A keeper without a store: the record travels in the token. Nothing is waited for, nothing is
 * shared between requests, and what was given to a client can be taken back from nobody.
 */
export class TokenKeeper implements Keeper {
  readonly travels = true
  readonly capabilities: Capabilities = {
    byUser: false,
    revoke: false,
    sweep: false,
    atomic: 'none',
  }
  readonly #store: TokenStore
  readonly #lifetime: LifetimeSettings
  readonly #clock: Clock
  readonly #forgotten = new Recent<true>(REMEMBERED_ENDS)
  /** The newest state of a session in the request that has it. */
  readonly #latest = new WeakMap<Identity, Held>()

  constructor({ store, lifetime, clock }: TokenKeeperOptions) {
    this.#store = store
    this.#lifetime = lifetime
    this.#clock = clock
  }

  newIdentity(): Identity {
    return { id: '', handle: newId() }
  }

  token({ identity, stored }: Held, audience: string): string {
    const { text, expiresAt } = stored
    const at = { now: this.#clock.now(), audience }
    return this.#store.seal({ handle: identity.handle, text, expiresAt }, at)
  }

  open(token: string, audience: string): Opened {
    const now = this.#clock.now()
    const opened = this.#store.open(token, { now, audience })
    if ('rejected' in opened) return { state: 'rejected', reason: opened.rejected }
    const { handle, text, expiresAt } = opened.sealed
    const identity = { id: '', handle }
    const stored = { text, expiresAt }
    const found = openedRecord(identity, opened.reissue, stored, this.#lifetime, now)
    // There is no record that could be looked at: such a token is as good as any other junk.
    if (found.state === 'corrupt') return { state: 'rejected', reason: 'format' }
    if (found.state !== 'live') return found
    // No store has removed it, and the settings may allow more than they did when it was made.
    if (now >= expiresAt) {
      const { idle, user } = found.held.facts
      const reason = idle === null ? ('absolute' as const) : ('idle' as const)
      const ended = user === undefined ? { reason, stored } : { reason, user, stored }
      return { state: 'gone', handle, ended }
    }
    this.#latest.set(identity, found.held)
    return found
  }

  async look(handle: string): Promise<Opened> {
    return { state: 'gone', handle }
  }

  /** What the request carried, or has made of it. */
  async reload(identity: Identity): Promise<Opened> {
    const held = this.#latest.get(identity)
    return held === undefined ? { state: 'gone', handle: identity.handle } : { state: 'live', held }
  }

  async create(identity: Identity, draft: Draft): Promise<Held> {
    return this.#keep(identity, draft)
  }

  async adopt(identity: Identity, draft: Draft): Promise<Held | undefined> {
    return this.#keep(identity, draft)
  }

  change(held: Held, rewrite: Rewrite): Promise<Written>
  change(held: Held, rewrite: MaybeRewrite): Promise<Written | Declined>
  async change(held: Held, rewrite: MaybeRewrite): Promise<Written | Declined> {
    const latest = this.#latest.get(held.identity) ?? held
    const draft = rewrite(latest)
    if (draft === undefined) return { state: 'declined', latest }
    return { state: 'stored', held: this.#keep(held.identity, draft) }
  }

  renew(held: Held, identity: Identity, remake: Rewrite, how: Renewal): Promise<Written>
  renew(
    held: Held,
    identity: Identity,
    remake: MaybeRewrite,
    how: Renewal,
  ): Promise<Written | Declined>
  async renew(held: Held, identity: Identity, remake: MaybeRewrite): Promise<Written | Declined> {
    const latest = this.#latest.get(held.identity) ?? held
    const draft = remake(latest)
    if (draft === undefined) return { state: 'declined', latest }
    return { state: 'stored', held: this.#keep(identity, draft) }
  }

  /** The next token says it: see `lifetime.isHalfSpent`. */
  async touch(): Promise<boolean> {
    return true
  }

  /** Forgotten by the client that is told so. */
  async destroy(held: Held): Promise<Held | undefined> {
    return held
  }

  /** The client keeps it, and comes with it again: told once. */
  async forget(handle: string): Promise<boolean> {
    const isFirst = this.#forgotten.get(handle) === undefined
    this.#forgotten.set(handle, true)
    return isFirst
  }

  async list(): Promise<Held[]> {
    throw withoutServer('list')
  }

  async revokeUser(): Promise<number> {
    throw withoutServer('revokeUser')
  }

  async sweep(): Promise<number> {
    return 0
  }

  async close(): Promise<void> {}

  #keep(identity: Identity, { facts, entries }: Draft): Held {
    const { reserved } = this.#store
    for (const key of entries.keys()) if (reserved?.has(key)) throw reservedClaim(key)
    const stored = {
      text: encodeRecord(facts, entries),
      expiresAt: expiryAfter(facts, this.#lifetime, this.#clock.now()),
    }
    const held = new Held(identity, facts, stored)
    this.#latest.set(identity, held)
    return held
  }
}
