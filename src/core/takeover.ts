import { hash } from 'node:crypto'
import { ID_LENGTH, keyOf } from '../crypto/session-id.js'
import { CoatcheckError } from '../errors.js'
import type { Draft, Held, Identity, Keeper, Opened } from './keeper.js'
import { KeyQueue } from './key-queue.js'
import type { OldCookiePlace, OldRecords } from './old-records.js'
import { unanswered } from './refusals.js'
import { adopted, type TakenSettings, takenDraft, toBeSent } from './taken.js'
import { type StillWanted, withinLimit } from './time-limit.js'

export interface TakeoverOptions extends TakenSettings {
  readonly keeper: Keeper
  readonly records: OldRecords
  /** How long one may take, in ms. */
  readonly limit: number
}

/** What an old id has led to, and where its cookie lies as far as anybody knows. */
export interface TakenOver {
  readonly opened: Opened
  readonly place?: OldCookiePlace
  /** The session was made just now. */
  readonly isNew?: boolean
}

/** Whoever made the new session has ended the old one so long after, in ms, or will not any more. */
const SURELY_ENDED = 10_000

/**
 * Takes sessions of express-session over, each once: it goes on as a native one, and its old record
 * ends.
 *
 * The new id is computed from the old one. So requests that come with the same old cookie at the
 * same moment, on any node, meet in one session, and so does a browser that never got the answer
 * with its new cookie.
 *
 * Where sessions travel in their tokens, nothing on the server could lead such a browser on. There
 * the old record stays: each request that brings the old cookie is given the same session, and the
 * record ends with one that signs in or out.
 */
export class Takeover {
  readonly #options: TakeoverOptions
  readonly #lines = new KeyQueue<never>()
  /** Sessions whose old record has been left where it is. */
  readonly #left = new WeakMap<Identity, string>()

  constructor(options: TakeoverOptions) {
    this.#options = options
  }

  /** What an id leads to whose signature was verified. */
  open(oldId: string): Promise<TakenOver> {
    const { clock, limit, records } = this.#options
    const identity = identityFrom(oldId)
    const place = this.#lines.join(identity.handle)
    const late = () => unanswered(records.name, 'load', limit)
    const opened = withinLimit(clock, limit, late, async (still) => {
      await place.turn
      still()
      return await this.#open(oldId, identity, still)
    })
    return opened.finally(() => place.leave())
  }

  /** Ends the old record of a session that is signed out, or goes on under another id. */
  async endLeft(identity: Identity): Promise<void> {
    const oldId = this.#left.get(identity)
    if (oldId === undefined) return
    const { clock, limit, records } = this.#options
    const late = () => unanswered(records.name, 'destroy', limit)
    await withinLimit(clock, limit, late, () => this.#end(oldId))
  }

  async #open(oldId: string, identity: Identity, still: StillWanted): Promise<TakenOver> {
    const { records } = this.#options
    const before = await this.#native(identity)
    still()
    if (before.state === 'live') {
      await this.#endLeftover(oldId, before.held)
      return { opened: before }
    }
    if (before.state !== 'gone') return { opened: before }
    const old = await this.#ask('load', () => records.find(oldId))
    still()
    if (old === undefined) return { opened: before }
    const draft = old === 'unreadable' ? undefined : takenDraft(old, this.#options)
    if (old === 'unreadable' || draft === undefined) return unreadable(identity)
    return await this.#make(oldId, identity, draft, old.cookie, still)
  }

  async #make(
    oldId: string,
    identity: Identity,
    draft: Draft,
    place: OldCookiePlace,
    still: StillWanted,
  ): Promise<TakenOver> {
    const { keeper } = this.#options
    const made = await adopted(keeper, identity, draft)
    still()
    if (made === 'unreadable') return unreadable(identity)
    // Another node was faster.
    if (made === undefined) return { opened: await this.#native(identity), place }
    const taken = { opened: { state: 'live', held: toBeSent(made) }, place, isNew: true } as const
    if (keeper.travels(made)) {
      // Its response may be lost, or there is none, as for a socket.
      this.#left.set(identity, oldId)
      return taken
    }
    let isOurs = false
    try {
      // Else it has ended since: signed out, or taken over by others and signed out there.
      isOurs = await this.#end(oldId)
    } finally {
      if (!isOurs) await keeper.discard(made)
    }
    if (!isOurs) return { opened: { state: 'gone', handle: identity.handle } }
    return taken
  }

  async #native(identity: Identity): Promise<Opened> {
    const opened = await this.#options.keeper.reload(identity)
    return opened.state === 'live' ? { state: 'live', held: toBeSent(opened.held) } : opened
  }

  /** A process may have died between the two steps, and a sign-out must not bring the old one back. */
  async #endLeftover(oldId: string, { facts }: Held): Promise<void> {
    const { clock, limit } = this.#options
    if (clock.now() - facts.created > SURELY_ENDED + limit) await this.#end(oldId)
  }

  #end(oldId: string): Promise<boolean> {
    return this.#ask('destroy', () => this.#options.records.end(oldId))
  }

  async #ask<T>(op: string, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask()
    } catch (cause) {
      const store = this.#options.records.name
      const details = { op, store, retryable: true, outcome: 'failed', cause } as const
      throw new CoatcheckError('ERR_STORE', `${store} failed to ${op}.`, details)
    }
  }
}

function unreadable({ handle }: Identity): TakenOver {
  return { opened: { state: 'corrupt', handle, reason: 'unreadable' } }
}

function identityFrom(oldId: string): Identity {
  const text = `coatcheck from express-session\n${oldId}`
  const id = hash('sha256', text, 'base64url').slice(0, ID_LENGTH)
  return { id, handle: keyOf(id) }
}
