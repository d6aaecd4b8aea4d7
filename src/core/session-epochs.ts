import { classOf } from './callback-store.js'
import type { Clock } from './clock.js'
import { type Draft, Held, type Opened } from './keeper.js'
import { type LifetimeSettings, LONGEST_COOKIE } from './lifetime.js'
import { crowded } from './refusals.js'
import type { Store, Stored } from './store.js'
import type { StillWanted } from './time-limit.js'
import { epochIn, epochKey, epochText, raiseEpoch, spares, type UserEpoch } from './user-epochs.js'

/** Whoever loses this many races in a row gives up: `ERR_CONFLICT`. */
const MAX_TRIES = 40

export interface SessionEpochsOptions {
  readonly store: Store
  readonly lifetime: LifetimeSettings
  readonly clock: Clock
  inBackground(work: Promise<unknown>): void
  onError(error: Error): void
}

/**
 * Binds each session to a record of its user, for a store that may lose what it knows of a user.
 * The record has a number, which the session notes when it becomes the user's, and which is another
 * one once all of the user's sessions have been ended. Lost, it ends them too: a store that forgets
 * signs out, and lets nobody in again.
 */
export class SessionEpochs {
  readonly #options: SessionEpochsOptions
  /** The class of the store, for errors. */
  readonly #name: string

  constructor(options: SessionEpochsOptions) {
    this.#options = options
    this.#name = classOf(options.store)
  }

  /** What was opened, if its user's record lets it go on. One load. */
  async check(opened: Opened): Promise<Opened> {
    if (opened.state !== 'live' || opened.held.facts.user === undefined) return opened
    const { identity, facts, stored, reissue, loaded } = opened.held
    const { handle } = identity
    const kept = await this.#load(opened.held.facts.user)
    if (kept === undefined || !isBound(kept, facts.epoch, handle)) return { state: 'gone', handle }
    if (facts.epoch === kept.epoch) return opened
    // It was spared under this handle; what it becomes from now on needs no sparing.
    const now = { ...facts, epoch: kept.epoch }
    return { state: 'live', held: new Held(identity, now, stored, reissue, loaded) }
  }

  /** A draft with the epoch of its user, which a session keeps as long as it is this user's. */
  async noted(draft: Draft, before: Held | undefined, still: StillWanted): Promise<Draft> {
    const { user } = draft.facts
    if (user === undefined) return draft
    const isTheirs = before?.facts.user === user
    const epoch = (isTheirs ? before.facts.epoch : undefined) ?? (await this.#start(user, still))
    return { ...draft, facts: { ...draft.facts, epoch } }
  }

  /** Ends all sessions that a user has now, but those of these handles; gives the epoch of others. */
  async raise(user: string, spared: readonly string[], still: StillWanted): Promise<number> {
    const { store, clock } = this.#options
    const name = this.#name
    const { epoch } = await raiseEpoch(
      { store, name, user, spared, clock, until: this.#until },
      still,
    )
    return epoch
  }

  async #start(user: string, still: StillWanted): Promise<number> {
    const { store, clock } = this.#options
    for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
      const epoch = clock.now()
      const text = epochText({ epoch, spared: new Map() })
      // Together: one wait, whether there is one or not.
      const [kept, isMade] = await Promise.all([
        this.#load(user),
        store.create(epochKey(user), { text, expiresAt: this.#until }),
      ])
      still()
      if (isMade) return epoch
      if (kept !== undefined) return kept.epoch
    }
    throw crowded(this.#name, 'create', MAX_TRIES)
  }

  async #load(user: string): Promise<UserEpoch | undefined> {
    const stored = await this.#options.store.load(epochKey(user))
    // Stores by others may say null.
    if (!stored) return undefined
    this.#prolong(user, stored)
    return epochIn(stored, this.#name)
  }

  /** It has to outlive every session of its user, and is touched seldom. */
  #prolong(user: string, { expiresAt }: Stored): void {
    const { store, clock, inBackground, onError } = this.#options
    if (expiresAt >= clock.now() + this.#longest) return
    const touched = Promise.resolve(store.touch(epochKey(user), this.#until))
    inBackground(touched.then(() => {}).catch(onError))
  }

  /** How long a session can go on without a request. */
  get #longest(): number {
    const { absoluteTimeout, idleTimeout } = this.#options.lifetime
    return absoluteTimeout ?? Math.max(LONGEST_COOKIE, idleTimeout ?? 0)
  }

  get #until(): number {
    return this.#options.clock.now() + this.#longest * 1.25
  }
}

/**
 * Whether a session that has noted this goes on. A number above the present one comes from a record
 * that was lost, by a node whose clock is ahead.
 */
function isBound(kept: UserEpoch, noted: number | undefined, handle: string): boolean {
  if (noted === undefined) return false
  return noted === kept.epoch || (noted < kept.epoch && spares(kept, handle, noted))
}
