import { Recent } from '../crypto/recent.js'
import { keyOf } from '../crypto/session-id.js'
import type { Clock } from './clock.js'
import { CLOSED_STORE, leaveStore, shareStore } from './closed-store.js'
import type { Held } from './keeper.js'
import { endOfTokens, type LifetimeSettings } from './lifetime.js'
import { encodeTombstone, type Facts } from './record.js'
import { isPending, openedRecord, Records, type RecordsOptions } from './records.js'
import { type Awaitable, can, type Store, type Stored } from './store.js'
import { epochAsked, epochIn, epochKey, raiseEpoch, type UserEpoch } from './user-epochs.js'

/** How long an answer of the store is believed that says: not revoked. In ms. */
const TRUSTED = 1_000

/** Handles and users remembered, each: twice this many. */
const REMEMBERED = 5_000

/** The list of what was revoked is followed this many renewals far at most. */
const MOST_RENEWALS = 5

/** Failures inside a commit have this status. */
const COMMIT = 500

/** Whether a session may go on, as far as anybody has revoked it. */
export type Standing =
  /** With the epoch that a token of it has to note from now on, if it has a user. */
  | { readonly state: 'live'; readonly epoch: number | undefined }
  | { readonly state: 'gone' }
  | { readonly state: 'superseded'; readonly next: string | undefined }

/** Where an end has led to. */
export interface End {
  /** What ended: the session that was named, or the one it goes on as. */
  readonly handle: string
  /** false: it had ended before. */
  readonly isFirst: boolean
}

export interface Asking {
  /** By a commit, whose failures have another status. */
  readonly during?: 'commit'
  /** The answers of a moment ago will not do. */
  readonly fresh?: boolean
  /** false: only the user matters. */
  readonly byHandle?: boolean
}

/**
 * Which sessions have ended before their tokens. A store keeps two things for it:
 *
 * - under base64url(SHA-256('coatcheck revoked ' + handle)) a tombstone, until no token of that
 *   session can be valid;
 * - under base64url(SHA-256('coatcheck epoch ' + user)) the epoch of a user.
 *
 * Within this process what it has revoked itself is known at once, and elsewhere a second later.
 */
export class Revocations {
  readonly #records: Records
  readonly #lifetime: LifetimeSettings
  readonly #clock: Clock
  readonly #listed = new Recent<Stored>(REMEMBERED)
  /** When the store was last asked for a handle that it does not list. */
  readonly #unlisted = new Recent<number>(REMEMBERED)
  readonly #users = new Recent<{ readonly kept: UserEpoch | undefined; readonly at: number }>(
    REMEMBERED,
  )
  #store: Store

  constructor(options: RecordsOptions) {
    const { store, clock, lifetime } = options
    this.#store = store
    shareStore(store)
    this.#records = new Records(options)
    this.#lifetime = lifetime
    this.#clock = clock
  }

  /** At most two loads, at the same time. An answer of a moment ago costs none, and no wait. */
  standing({ identity, facts }: Held, asking: Asking = {}): Awaitable<Standing> {
    const { handle } = identity
    const listed = asking.byHandle === false ? undefined : this.#find(handle, asking)
    const kept = facts.user === undefined ? undefined : this.epochOf(facts.user, asking)
    if (!isPending(listed) && !isPending(kept)) return this.judge(handle, facts, kept, listed)
    return Promise.all([listed, kept]).then(([one, other]) => this.judge(handle, facts, other, one))
  }

  judge(handle: string, facts: Facts, kept: UserEpoch | undefined, listed?: Stored): Standing {
    if (listed !== undefined) return this.#why(handle, listed)
    if (facts.user === undefined) return { state: 'live', epoch: undefined }
    const noted = facts.epoch ?? 0
    if (noted < epochAsked(kept, handle)) return { state: 'gone' }
    return { state: 'live', epoch: Math.max(noted, kept?.epoch ?? 0) }
  }

  /** What is kept of a user; undefined: nothing was ever revoked. */
  epochOf(user: string, { fresh, during }: Asking = {}): Awaitable<UserEpoch | undefined> {
    const asked = this.#clock.now()
    const known = this.#users.get(user)
    if (!fresh && known !== undefined && this.#isRecent(known.at)) return known.kept
    return this.#load(epochKey(user), during, (stored) => {
      const kept = epochIn(stored, this.#records.name)
      // This process may have raised it meanwhile.
      const newer = this.#users.get(user)
      const isNewer = newer !== undefined && newer.at >= asked
      if (isNewer && (newer.kept?.epoch ?? 0) > (kept?.epoch ?? 0)) return newer.kept
      this.#users.set(user, { kept, at: asked })
      return kept
    })
  }

  /**
   * Lists a session, for as long as a token of it could be valid. False: it was listed before.
   * @param facts of the session, where they are known
   * @param renewal it goes on under another handle, which requests that know this one may follow
   */
  async list(
    handle: string,
    facts: Facts | undefined,
    renewal?: { readonly next: string | undefined },
  ): Promise<boolean> {
    const now = this.#clock.now()
    // A date long past: nobody is to think that it was renewed.
    const text = renewal === undefined ? encodeTombstone(0) : encodeTombstone(now, renewal.next)
    const entry = { text, expiresAt: endOfTokens(facts, this.#lifetime, now) }
    const work = async () => this.#store.create(listKey(handle), entry)
    const isFirst = await this.#records.within('create', work, COMMIT)
    if (isFirst) this.#listed.set(handle, entry)
    return isFirst
  }

  /** Ends a session, or what it was renewed to without anybody signing in or out. */
  async end(handle: string, facts?: Facts): Promise<End> {
    let ending = handle
    for (let steps = 0; steps <= MOST_RENEWALS; steps++) {
      // A renewal may have started the clocks again.
      const isFirst = await this.list(ending, ending === handle ? facts : undefined)
      if (isFirst) return { handle: ending, isFirst }
      const standing = await this.whyListed(ending)
      if (standing.state !== 'superseded' || standing.next === undefined) break
      ending = standing.next
    }
    return { handle: ending, isFirst: false }
  }

  /** What a session is renewed to by now without anybody signing in or out, step by step. */
  async laterNames(handle: string): Promise<string[]> {
    const names: string[] = []
    for (let steps = 0, name = handle; steps < MOST_RENEWALS; steps++) {
      const standing = await this.whyListed(name)
      if (standing.state !== 'superseded' || standing.next === undefined) break
      name = standing.next
      names.push(name)
    }
    return names
  }

  /** How a session stands that somebody else has listed. */
  async whyListed(handle: string): Promise<Exclude<Standing, { state: 'live' }>> {
    const listed = await this.#find(handle, { fresh: true, during: 'commit' })
    return listed === undefined ? { state: 'gone' } : this.#why(handle, listed)
  }

  #why(handle: string, listed: Stored): Exclude<Standing, { state: 'live' }> {
    const now = this.#clock.now()
    const found = openedRecord({ id: '', handle }, false, listed, this.#lifetime, now)
    // Whatever else lies there: it is listed.
    return found.state === 'superseded' ? found : { state: 'gone' }
  }

  /** Ends all sessions that a user has now, but those of these handles. */
  async endAllOf(user: string, spared: readonly string[]): Promise<void> {
    const clock = this.#clock
    const until = endOfTokens(undefined, this.#lifetime, clock.now())
    const raise = { store: this.#store, name: this.#records.name, user, spared, clock, until }
    const kept = await this.#records.within(
      'raise an epoch',
      (still) => raiseEpoch(raise, still),
      COMMIT,
    )
    this.#users.set(user, { kept, at: this.#clock.now() })
  }

  get canSweep(): boolean {
    return can(this.#store, 'sweep')
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
    this.#listed.clear()
    this.#unlisted.clear()
    this.#users.clear()
    await this.#records.within('close', () => leaveStore(store))
  }

  #find(handle: string, { fresh, during }: Asking): Awaitable<Stored | undefined> {
    const asked = this.#clock.now()
    const known = this.#knownListed(handle)
    if (known !== undefined) return known
    const missed = this.#unlisted.get(handle)
    if (!fresh && missed !== undefined && this.#isRecent(missed)) return undefined
    return this.#load(listKey(handle), during, (stored) => {
      // Stores by others may say null.
      if (stored) {
        this.#listed.set(handle, stored)
        return stored
      }
      this.#unlisted.set(handle, asked)
      // This process may have listed it meanwhile.
      return this.#knownListed(handle)
    })
  }

  #knownListed(handle: string): Stored | undefined {
    const known = this.#listed.get(handle)
    return known !== undefined && this.#clock.now() < known.expiresAt ? known : undefined
  }

  /** A clock that was set back makes nothing recent. */
  #isRecent(at: number): boolean {
    const age = this.#clock.now() - at
    return age >= 0 && age < TRUSTED
  }

  /** Never throws at once: another load may be under way whose failure somebody has to hear of. */
  #load<T>(
    key: string,
    during: 'commit' | undefined,
    read: (stored: Stored | undefined) => T,
  ): Awaitable<T> {
    const status = during === 'commit' ? COMMIT : undefined
    try {
      const found = this.#store.load(key)
      if (!isPending(found)) return read(found)
      return this.#records.within('load', () => found, status).then(read)
    } catch (error) {
      return Promise.reject(this.#records.failed(error, 'load', status))
    }
  }
}

function listKey(handle: string): string {
  return keyOf(`coatcheck revoked ${handle}`)
}
