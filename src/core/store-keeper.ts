import { keyOf, newId } from '../crypto/session-id.js'
import { CallbackStore } from './callback-store.js'
import type { Clock } from './clock.js'
import { CLOSED_STORE, leaveStore, shareStore } from './closed-store.js'
import {
  type Capabilities,
  type Declined,
  type Draft,
  Held,
  type Identity,
  type Keeper,
  type MaybeRewrite,
  type Names,
  namesOf,
  notLive,
  type Opened,
  type Renewal,
  type Revoking,
  type Rewrite,
  type Written,
} from './keeper.js'
import { KeyQueue, type Place } from './key-queue.js'
import { expiryAfter, type LifetimeSettings } from './lifetime.js'
import { pauseAfter } from './lost-race.js'
import { Records, type RecordsOptions } from './records.js'
import { crowded, idsTaken } from './refusals.js'
import { SessionEpochs } from './session-epochs.js'
import { type Awaitable, can, losesKeys, type Store, type Stored } from './store.js'
import { StoreUsers } from './store-users.js'
import type { StillWanted } from './time-limit.js'
import { Tokens } from './tokens.js'

/** A commit that loses this many races in a row gives up: `ERR_CONFLICT`. */
const MAX_TRIES = 40

export interface StoreKeeperOptions extends Omit<RecordsOptions, 'epochs'> {
  /** Newest first, already checked. */
  readonly secrets: readonly string[]
  /** Somebody else sees to it that the sessions of a user can be ended. */
  readonly unbound?: true
  /** Takes work that nobody waits for, so that `settled()` and `close()` can. */
  inBackground(work: Promise<unknown>): void
  /** Hears of what failed although its operation has succeeded. */
  onError(error: Error): void
}

/**
 * A keeper over a store: the id travels in the token, signed, and the record lies in the store
 * under the hash of the id.
 */
export class StoreKeeper implements Keeper {
  readonly capabilities: Capabilities
  #store: Store
  readonly #records: Records
  readonly #users: StoreUsers
  readonly #epochs: SessionEpochs | undefined
  readonly #tokens: Tokens
  readonly #lifetime: LifetimeSettings
  readonly #clock: Clock
  readonly #commits = new KeyQueue<Held>()
  readonly #touching = new Map<string, Promise<boolean>>()
  readonly #inBackground: (work: Promise<unknown>) => void
  readonly #onError: (error: Error) => void

  constructor(options: StoreKeeperOptions) {
    const { store, secrets, lifetime, clock } = options
    this.#inBackground = options.inBackground
    this.#onError = options.onError
    this.#store = store
    shareStore(store)
    const isBound = losesKeys(store) && options.unbound !== true
    const epochs = isBound ? new SessionEpochs(options) : undefined
    this.#epochs = epochs
    this.#records = new Records({ ...options, epochs })
    const destroy = (held: Held) => this.destroy(held)
    this.#users = new StoreUsers({ records: this.#records, clock, epochs, destroy })
    this.#tokens = new Tokens(secrets)
    this.#lifetime = lifetime
    this.#clock = clock
    this.capabilities = {
      byUser: can(store, 'keysOfUser'),
      revokeUser: can(store, 'keysOfUser'),
      revoke: true,
      sweep: can(store, 'sweep'),
      atomic: store instanceof CallbackStore ? 'process' : 'everywhere',
    }
  }

  travels(): boolean {
    return false
  }

  newIdentity(): Identity {
    const id = newId()
    return { id, handle: keyOf(id) }
  }

  token({ identity }: Pick<Held, 'identity'>, audience: string): string {
    return this.#tokens.sign(identity, audience)
  }

  open(token: string, audience: string): Awaitable<Opened> {
    const verified = this.#tokens.verify(token, audience)
    if ('state' in verified) return verified
    return this.#records.load(verified.identity, verified.reissue)
  }

  /** The session of a public name as it is now. */
  look(handle: string, status?: number): Promise<Opened> {
    return this.#users.look(handle, undefined, status)
  }

  reload(identity: Identity, status?: number): Promise<Opened> {
    return this.#records.find(identity, status)
  }

  create(identity: Identity, draft: Draft): Promise<Held> {
    return this.#commit(identity.handle, 'create', (still) => this.#insert(identity, draft, still))
  }

  /** @param status of a failure; before the handler runs it is no commit, and fails as a load does */
  adopt(identity: Identity, draft: Draft, status?: number): Promise<Held | undefined> {
    const work = async (still: StillWanted) => {
      const noted = this.#epochs ? await this.#epochs.noted(draft, undefined, still) : draft
      const entry = this.#records.entry(noted)
      const created = await this.#store.create(identity.handle, entry)
      return created ? new Held(identity, noted.facts, entry) : undefined
    }
    return this.#records.within('create', work, status)
  }

  discard(made: Held): Promise<unknown> {
    return this.destroy(made)
  }

  change(held: Held, rewrite: Rewrite): Promise<Written>
  change(held: Held, rewrite: MaybeRewrite): Promise<Written | Declined>
  change(held: Held, rewrite: MaybeRewrite): Promise<Written | Declined> {
    const { identity } = held
    return this.#commit(identity.handle, 'replace', async (still, place) => {
      const first = await this.#records.stillLive(place.note ?? held)
      still()
      if (first.state !== 'live') return notLive(first)
      let latest = first.held
      for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
        const drafted = this.#records.own(() => rewrite(latest))
        if (drafted === undefined) return { state: 'declined', latest }
        const draft = this.#epochs ? await this.#epochs.noted(drafted, latest, still) : drafted
        const entry = this.#records.entry(draft)
        const result = await this.#store.replace(identity.handle, entry, latest.stored)
        still()
        if (result === 'replaced') {
          const stored = { text: entry.text, expiresAt: entry.expiresAt }
          const now = new Held(identity, draft.facts, stored)
          if (draft.facts.idle !== latest.facts.idle) {
            this.#touchAgain(identity.handle, entry.expiresAt)
          }
          place.note = now
          return { state: 'stored', held: now }
        }
        place.note = undefined
        if (result === 'gone') return { state: 'gone' }
        await pauseAfter(attempt, this.#clock)
        const again = await this.#records.load(identity, false, 'commit')
        still()
        if (again.state !== 'live') return notLive(again)
        latest = again.held
      }
      throw crowded(this.#records.name, 'replace', MAX_TRIES)
    })
  }

  renew(held: Held, identity: Identity, remake: Rewrite, how: Renewal): Promise<Written>
  renew(
    held: Held,
    identity: Identity,
    remake: MaybeRewrite,
    how: Renewal,
  ): Promise<Written | Declined>
  async renew(
    held: Held,
    identity: Identity,
    remake: MaybeRewrite,
    { linked }: Renewal,
  ): Promise<Written | Declined> {
    const old = held.identity
    const isLinked = () => (typeof linked === 'function' ? linked() : linked)
    let unsent: Held | undefined
    try {
      return await this.#commit(old.handle, 'renew', async (still, place) => {
        const first = await this.#records.stillLive(place.note ?? held)
        place.note = undefined
        still()
        if (first.state !== 'live') return notLive(first)
        let latest = first.held
        let draft = this.#records.own(() => remake(latest))
        if (draft === undefined) return { state: 'declined', latest }
        let renewed = await this.#insert(identity, draft, still, latest)
        unsent = renewed
        for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
          const tombstone = this.#records.tombstone(
            isLinked() ? renewed.identity.handle : undefined,
          )
          const result = await this.#store.replace(old.handle, tombstone, latest.stored)
          still()
          if (result === 'replaced') {
            unsent = undefined
            this.#touchAgain(old.handle, tombstone.expiresAt)
            return { state: 'stored', held: renewed }
          }
          const again: Opened =
            result === 'gone'
              ? { state: 'gone', handle: old.handle }
              : await this.#records.load(old, false, 'commit')
          still()
          if (again.state !== 'live') return notLive(again)
          // Somebody committed to the old id first: that belongs to the session that goes on.
          latest = again.held
          draft = this.#records.own(() => remake(latest))
          if (draft === undefined) return { state: 'declined', latest }
          if (this.#epochs) draft = await this.#epochs.noted(draft, latest, still)
          const entry = this.#records.entry(draft)
          const { handle } = renewed.identity
          const moved = await this.#store.replace(handle, entry, renewed.stored)
          still()
          if (moved !== 'replaced') return { state: 'gone' }
          renewed = new Held(renewed.identity, draft.facts, entry)
          await pauseAfter(attempt, this.#clock)
        }
        throw crowded(this.#records.name, 'replace', MAX_TRIES)
      })
    } finally {
      // Its id was not sent, so nobody can use it; left alone it would only show in lists.
      if (unsent !== undefined) this.#removeUnsent(unsent.identity)
    }
  }

  async touch(held: Held): Promise<boolean> {
    if (this.#records.isLive(held)) return this.#touch(held)
    // A store with another clock may still have it; or others have kept it alive meanwhile.
    const now = await this.reload(held.identity)
    return now.state === 'live' && this.#touch(now.held)
  }

  #touch(held: Held): Promise<boolean> {
    const { facts, identity } = held
    const now = this.#clock.now()
    const noted = facts.own ?? this.#lifetime.idleTimeout
    if (facts.idle === noted) {
      const { handle } = identity
      const touched = this.#records.within('touch', async () =>
        this.#store.touch(handle, expiryAfter(facts, this.#lifetime, now)),
      )
      this.#touching.set(handle, touched)
      return touched.finally(() => this.#touching.delete(handle))
    }
    // The setting has changed: the idle time noted in the record has to follow.
    return this.change(held, (latest) => ({
      facts: { ...latest.facts, idle: noted, ...(noted === null ? { seen: now } : {}) },
      entries: new Map(Object.entries(latest.untouched).map(([k, v]) => [k, JSON.stringify(v)])),
    })).then((written) => written.state === 'stored')
  }

  destroy(held: Held): Promise<Held | undefined> {
    const { identity } = held
    return this.#commit(identity.handle, 'destroy', async (still, place) => {
      let latest = place.note ?? held
      place.note = undefined
      for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
        const { handle } = latest.identity
        // A plain destroy would also remove the tombstone of a renewal that has just been faster,
        // and the session would go on under its new id.
        const result = await this.#store.replace(handle, this.#records.tombstone(), latest.stored)
        still()
        if (result === 'replaced') {
          // The session has ended by now. What is left expires by itself if it cannot be removed.
          const removed = this.#remove(handle).catch(this.#onError)
          // There the request has waited for the record of its user too.
          if (this.#epochs) this.#inBackground(removed)
          else await removed
          return latest
        }
        if (result === 'gone') return undefined
        await pauseAfter(attempt, this.#clock)
        // Also one that its epoch has ended: that it is gone is still to come.
        const again = await this.#records.follow(latest.identity, undefined, 'unbound')
        still()
        if (again.state !== 'live') return undefined
        latest = again.held
      }
      throw crowded(this.#records.name, 'replace', MAX_TRIES)
    })
  }

  async revoke(handle: string, status?: number): Promise<Names | undefined> {
    const opened = await this.look(handle, status)
    const ended = opened.state === 'live' ? await this.destroy(opened.held) : undefined
    return ended && namesOf(ended)
  }

  async forget(handle: string, ended: Stored): Promise<boolean> {
    // A plain destroy would also remove what another node has kept alive and written meanwhile.
    const result = await this.#records.within('destroy', async () =>
      this.#store.replace(handle, this.#records.leftover(), ended),
    )
    if (result !== 'replaced') return false
    await this.#remove(handle).catch(this.#onError)
    return true
  }

  #remove(handle: string): Promise<boolean> {
    return this.#records.within('destroy', async () => this.#store.destroy(handle))
  }

  list(user: string): Promise<Held[]> {
    return this.#users.list(user)
  }

  revokeUser(user: string, revoking: Revoking): Promise<number> {
    return this.#users.revoke(user, revoking)
  }

  async sweep(limit: number | undefined): Promise<number> {
    const store = this.#store
    if (!can(store, 'sweep')) return 0
    try {
      return await store.sweep(limit === undefined ? {} : { limit })
    } catch (error) {
      throw this.#records.failed(error, 'sweep')
    }
  }

  async close(): Promise<void> {
    const store = this.#store
    if (store === CLOSED_STORE) return
    this.#store = CLOSED_STORE
    this.#records.close()
    await this.#records.within('close', () => leaveStore(store))
  }

  /** A touch that set out before the expiry changed for another reason arrives with the old one. */
  #touchAgain(handle: string, expiresAt: number): void {
    const touching = this.#touching.get(handle)
    if (touching === undefined) return
    const again = () =>
      this.#records.within('touch', async () => this.#store.touch(handle, expiresAt))
    this.#inBackground(touching.then(again, again).catch(this.#onError))
  }

  #removeUnsent({ handle }: Identity): void {
    this.#inBackground(this.#remove(handle).catch(this.#onError))
  }

  /** @param before the session that goes on so */
  async #insert(
    identity: Identity,
    drafted: Draft,
    still: StillWanted,
    before?: Held,
  ): Promise<Held> {
    const draft = this.#epochs ? await this.#epochs.noted(drafted, before, still) : drafted
    const entry = this.#records.entry(draft)
    let named = identity
    // Two of 2^192 ids do not meet; a store that says so is broken, or ids are no longer random.
    for (let attempt = 0; attempt < 4; attempt++) {
      const created = await this.#store.create(named.handle, entry)
      try {
        still()
      } catch (error) {
        if (created) this.#removeUnsent(named)
        throw error
      }
      if (created) return new Held(named, draft.facts, entry)
      named = this.newIdentity()
    }
    throw idsTaken(this.#records.name)
  }

  /** Commits of one session wait for each other; the limit counts from joining the line. */
  #commit<T>(
    key: string,
    op: string,
    work: (still: StillWanted, place: Place<Held>) => Promise<T>,
  ): Promise<T> {
    const place = this.#commits.join(key)
    const done = this.#records.within(
      op,
      async (still) => {
        await place.turn
        still()
        return work(still, place)
      },
      500,
    )
    const left = done.finally(() => place.leave())
    // Also one after the end of its response, which nobody else waits for.
    this.#inBackground(left)
    return left
  }
}
